package worker

import (
	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
)

// maxRaw bounds the directions of flows whose bytes no protocol claims and that
// classification follows: of datagram flows, which whoever makes up source
// addresses can begin with one datagram each, and of TCP streams, apart, so that
// neither takes the other's room.
const maxRaw = 8192

// rawQueue holds the raw objects of one kind of flows, oldest first.
type rawQueue struct {
	// refs from head on; those of objects that are closed by now stay among them
	// until their turn, or until they are too many.
	refs []rawRef
	head int
	// open is how many objects are open, max how many may be; seq tells them apart.
	open, max int
	seq       uint64
}

// rawRef names a raw object: a direction of a flow, whose memory may be another's
// by now, which its id tells, and the object's number there.
type rawRef struct {
	f   *flow.Flow
	id  uint64
	seq uint64
	dir protocol.Dir
}

// rawQueueOf gives the queue that a flow's raw objects are in.
func (w *Worker) rawQueueOf(f *flow.Flow) *rawQueue {
	if f.TCP != nil {
		return &w.rawStreams
	}
	return &w.rawDatagrams
}

// live reports whether the object is still open.
func (w *Worker) live(r rawRef) bool {
	if r.f.ID != r.id {
		return false
	}
	st := w.state(r.f)
	return st != nil && st.raw[r.dir] != nil && st.rawSeq[r.dir] == r.seq
}

// boundRaw notes that a raw object was opened. Where there are too many, the
// oldest is judged with what it has, and counted; if its flow goes on, another
// object begins.
func (w *Worker) boundRaw(f *flow.Flow, dir protocol.Dir) {
	q := w.rawQueueOf(f)
	q.seq++
	q.open++
	w.ensure(f).rawSeq[dir] = q.seq
	if len(q.refs) >= 2*q.max {
		w.compactRaw(q)
	}
	q.refs = append(q.refs, rawRef{f, f.ID, q.seq, dir})
	for q.open > q.max && q.head < len(q.refs) {
		old := q.refs[q.head]
		if old.f == f {
			return // of the packet in work; another time
		}
		q.refs[q.head] = rawRef{}
		q.head++
		if old.f != nil && w.live(old) {
			w.counters.RawCut++
			w.aside(old.f, func() { w.closeRaw(old.f, old.dir) })
		}
	}
}

// compactRaw takes out what is closed. As no more than max are open, at least as
// many calls of boundRaw pass before the next time.
func (w *Worker) compactRaw(q *rawQueue) {
	n := 0
	for _, r := range q.refs[q.head:] {
		if r.f != nil && w.live(r) {
			q.refs[n] = r
			n++
		}
	}
	clear(q.refs[n:])
	q.refs, q.head = q.refs[:n], 0
}

// aside runs fn on another flow than that of the packet in work, which stays as
// it is. There is no packet of that flow: what is decided withholds none.
func (w *Worker) aside(f *flow.Flow, fn func()) {
	p, saved, dir, drop, touched, closing := w.p, w.f, w.dir, w.drop, w.touched, w.closing
	why, passed, rejected, dropAlert, pending := w.why, w.passed, w.rejected, w.dropAlert, w.pendingAlerts
	pseudo, src, dst := w.pseudo, w.env.SrcPort, w.env.DstPort
	w.pseudo = decode.Packet{Time: w.now, Src: f.Client, Dst: f.Server, SrcPort: f.ClientPort, DstPort: f.ServerPort, IPVersion: f.IPVersion, Proto: f.Proto}
	w.p, w.f, w.dir, w.drop, w.touched, w.closing = &w.pseudo, f, protocol.ToServer, false, nil, true
	w.why, w.passed, w.rejected, w.dropAlert, w.pendingAlerts = dropNone, false, false, nil, nil
	w.env.SrcPort, w.env.DstPort = f.ClientPort, f.ServerPort
	fn()
	w.closingVerdict()
	w.p, w.f, w.dir, w.drop, w.touched, w.closing = p, saved, dir, drop, touched, closing
	w.why, w.passed, w.rejected, w.dropAlert, w.pendingAlerts = why, passed, rejected, dropAlert, pending
	w.pseudo, w.env.SrcPort, w.env.DstPort = pseudo, src, dst
}
