package worker

import (
	"sluice/dataplane/decode"
	"sluice/dataplane/enforce"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
)

// FlowDrops is who drops blocked flows below the workers. No method waits, and
// each may be called by any worker.
type FlowDrops interface {
	// Drop asks for a flow to be dropped for some time; false tells that there is
	// no room now.
	Drop(key flow.Key) bool
	// Dropped gives what was dropped of a flow since Drop; ok is false where
	// nothing is known of it. Ended tells that its packets come to the worker
	// again, and that these are the last counts.
	Dropped(key flow.Key) (n flow.Bypassed, ok bool)
	// Forget tells that nobody asks about a flow any more.
	Forget(key flow.Key)
}

const (
	// maxDead bounds the flows of a worker that are dropped below it.
	maxDead = 8192
	// deadReads is how many of their counts are read at a time, every expiryEvery:
	// all of them within the shortest time after which a flow counts as idle.
	deadReads = 64
	// deadAgain is how long a worker waits before it asks anew, in nanoseconds: for
	// want of room, or about a flow whose packets come although they are dropped.
	deadAgain = 1e9
)

// deadFlow is a flow that is dropped below the worker.
type deadFlow struct {
	f     *flow.Flow
	taken flow.Bypassed
	// next is when it may be asked about again because of a packet.
	next int64
	// at is its place in the list.
	at int
}

// deadFlows are all of a worker.
type deadFlows struct {
	byFlow map[*flow.Flow]*deadFlow
	list   []*deadFlow
	// next is whose counts are read next; full until when nobody is asked.
	next int
	full int64
}

// answer has a blocked flow's tombstone answer a packet, and hands the flow down
// once there is no more to say: its ends go on for as long as they like then, and
// cost the worker nothing.
func (w *Worker) answer(p *decode.Packet, f *flow.Flow, dir protocol.Dir) {
	t, ok := f.Enforce.(*enforce.Tombstone)
	if !ok {
		if w.cfg.Drops == nil || f.Enforce != nil {
			return
		}
		t = enforce.NewSilence(w.now)
		f.Enforce = t
	}
	frame, _ := t.Answer(&w.crafter, p, dir == protocol.ToServer, w.now)
	if frame != nil {
		w.inject(p.Frame.Port, frame)
	}
	if w.cfg.Drops != nil && t.Settled(w.now) {
		w.handDown(f)
	}
}

// handDown has a blocked flow be dropped below the worker.
func (w *Worker) handDown(f *flow.Flow) {
	if !w.enforced() || f.Key.Tunnel != 0 || w.now < w.dead.full {
		return
	}
	if d := w.dead.byFlow[f]; d != nil {
		if w.now < d.next || w.readDead(d) {
			return
		}
	}
	if len(w.dead.list) >= maxDead || !w.cfg.Drops.Drop(f.Key) {
		w.dead.full = w.now + deadAgain
		return
	}
	d := &deadFlow{f: f, at: len(w.dead.list), next: w.now + deadAgain}
	if w.dead.byFlow == nil {
		w.dead.byFlow = map[*flow.Flow]*deadFlow{}
	}
	w.dead.byFlow[f] = d
	w.dead.list = append(w.dead.list, d)
	w.counters.DeadFlows++
}

// readDead takes over what was dropped of a flow, and reports whether it still is.
func (w *Worker) readDead(d *deadFlow) bool {
	d.next = w.now + deadAgain
	n, ok := w.cfg.Drops.Dropped(d.f.Key)
	if ok {
		w.takeDead(d, n)
	}
	if ok && !n.Ended {
		return true
	}
	w.forgetDead(d)
	return false
}

// takeDead adds what is new to the flow's record, which it keeps from ending.
func (w *Worker) takeDead(d *deadFlow, n flow.Bypassed) {
	f := d.f
	for end := range n.Packets {
		dir := protocol.ToServer
		if f.ClientIsLow != (end == 0) {
			dir = protocol.ToClient
		}
		packets, bytes := n.Packets[end]-d.taken.Packets[end], n.Bytes[end]-d.taken.Bytes[end]
		if packets == 0 {
			continue
		}
		f.Pkts[dir] += packets
		f.Bytes[dir] += bytes
		w.counters.DeadPackets += packets
		w.counters.DeadBytes += bytes
		w.flows.Touch(f, w.now)
	}
	d.taken = n
}

// forgetDead takes a flow out of the list.
func (w *Worker) forgetDead(d *deadFlow) {
	w.cfg.Drops.Forget(d.f.Key)
	l := w.dead.list
	last := l[len(l)-1]
	l[d.at], last.at = last, d.at
	l[len(l)-1] = nil
	w.dead.list = l[:len(l)-1]
	delete(w.dead.byFlow, d.f)
}

// refreshDead takes over some flows' counts, each in its turn.
func (w *Worker) refreshDead() {
	for range min(deadReads, len(w.dead.list)) {
		if w.dead.next >= len(w.dead.list) {
			w.dead.next = 0
		}
		if len(w.dead.list) == 0 {
			return
		}
		if w.readDead(w.dead.list[w.dead.next]) {
			w.dead.next++ // else another one is there now
		}
	}
}

// endDead takes over the last counts of a flow that ends.
func (w *Worker) endDead(f *flow.Flow) {
	d := w.dead.byFlow[f]
	if d != nil && w.readDead(d) {
		w.forgetDead(d)
	}
}
