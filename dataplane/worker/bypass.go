package worker

import (
	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/dataplane/verdict"
)

// BypassTable is a table of flows that the kernel forwards past the workers, as
// live.Bypass.
type BypassTable interface {
	Bypass(key flow.Key) error
	Bypassed(key flow.Key) (flow.Bypassed, bool)
	Revoke(key flow.Key) (flow.Bypassed, bool)
}

// Offload says which flows are handed to the kernel.
type Offload struct {
	// Table takes them.
	Table BypassTable
	// Encrypted tells, by protocol, whether a flow that its parser wants no more
	// of in either direction is handed over; nil hands none.
	Encrypted func(protocol.ID) bool
	// PastDepth hands over flows whose inspection depth is reached.
	PastDepth bool
}

// offload is what a worker keeps of the flows it handed over.
type offload struct {
	Offload
	// flows are those in the table, with what was taken into their records.
	flows map[*flow.Flow]*flow.Bypassed
	// next is when their counts are read again, full until when the table is
	// not asked because it had no room.
	next, full int64
}

// offloadEvery is how often the kernel's counts are taken over, in nanoseconds:
// a flow must not count as idle meanwhile. It is as long until a full table is
// asked again.
const offloadEvery = 1e9

// SetOffload has flows that need no more inspection go past the worker: those
// whose verdict is bypass, and what o says. Call it before the first Process.
func (w *Worker) SetOffload(o Offload) {
	w.offload = &offload{Offload: o, flows: map[*flow.Flow]*flow.Bypassed{}}
}

// handOver gives the flow of the packet in work to the kernel where its time has
// come. The packet itself still went through the worker.
func (w *Worker) handOver(f *flow.Flow) {
	o := w.offload
	switch {
	case f == nil || w.held(f) || w.rewritten(f) || f.Verdict.Action.EndsFlow() || w.now < o.full || f.State == flow.StateBypassed && o.flows[f] != nil:
		return
	case f.Key.Tunnel != 0 || f.Proto != decode.ProtoTCP && f.Proto != decode.ProtoUDP:
		return
	case (f.TCPFlags[0]|f.TCPFlags[1])&(decode.TCPFin|decode.TCPRst) != 0:
		return // about to end
	}
	if f.Proto == decode.ProtoTCP && (w.p.TCPFlags&decode.TCPSyn != 0 || f.Pkts[0] == 0 || f.Pkts[1] == 0) {
		return // the kernel takes the handshake's next step for the connection's end
	}
	if f.Verdict.Action != verdict.Bypass {
		if f.State != flow.StateEstablished || !o.wants(f) {
			return
		}
	}
	if o.Table.Bypass(f.Key) != nil {
		o.full = w.now + offloadEvery
		return
	}
	if f.Verdict.Action != verdict.Bypass {
		f.Verdict = f.Verdict.Max(verdict.Verdict{Action: verdict.Bypass, Cause: verdict.CausePolicy})
	}
	w.flows.Bypass(f)
	w.ensure(f).coverage.kernel = true
	o.flows[f] = &flow.Bypassed{}
	w.counters.OffloadedFlows++
}

// bypassed handles a packet of a bypassed flow that comes to the worker. A new
// connection on the same ports is judged anew.
func (w *Worker) bypassed(p *decode.Packet, f *flow.Flow, dir protocol.Dir) bool {
	if p.Proto == decode.ProtoTCP && p.TCPFlags&(decode.TCPSyn|decode.TCPAck|decode.TCPRst) == decode.TCPSyn && f.Pkts[protocol.ToClient] > 0 {
		w.f, w.dir = w.flows.Renew(f, p)
		w.begin(w.f)
		return w.judgePacket(p, w.f, w.dir)
	}
	w.counters.BypassedPackets++
	w.counters.BypassedBytes += flow.WireLen(p)
	return true
}

// wants reports whether a flow without a verdict is handed over.
func (o *offload) wants(f *flow.Flow) bool {
	quiet := f.App.Skipped(protocol.ToServer) && f.App.Skipped(protocol.ToClient)
	if quiet {
		return o.Encrypted != nil && o.Encrypted(f.App.Proto())
	}
	return o.PastDepth && f.TCP != nil && f.TCP.Skipped(protocol.ToServer) && f.TCP.Skipped(protocol.ToClient)
}

// refreshOffload takes the kernel's counts over, and flows whose connections end
// back.
func (w *Worker) refreshOffload() {
	o, now := w.offload, w.now
	if o == nil || now < o.next {
		return
	}
	o.next = now + offloadEvery
	for f, taken := range o.flows {
		n, ok := o.Table.Bypassed(f.Key)
		if ok && n.Ended {
			n, ok = o.Table.Revoke(f.Key)
		}
		if !ok {
			delete(o.flows, f)
			continue
		}
		if n.Packets != taken.Packets {
			w.flows.Touch(f, now)
		}
		w.take(f, taken, n)
		if n.Ended {
			delete(o.flows, f)
		}
	}
}

// take adds what is new in the kernel's counts to a flow's record.
func (w *Worker) take(f *flow.Flow, taken *flow.Bypassed, n flow.Bypassed) {
	for end := range n.Packets {
		dir := protocol.ToServer
		if f.ClientIsLow != (end == 0) {
			dir = protocol.ToClient
		}
		packets, bytes := n.Packets[end]-taken.Packets[end], n.Bytes[end]-taken.Bytes[end]
		f.Pkts[dir] += packets
		f.Bytes[dir] += bytes
		w.counters.OffloadedPackets += packets
		w.counters.OffloadedBytes += bytes
		w.talkPast(f, dir, packets, bytes)
		if w.leaves(f, dir) {
			w.counters.EgressBypassed += bytes
		}
	}
	*taken = n
}

// EndOffload takes all flows back. Call it when the worker has stopped, while
// the table is still there.
func (w *Worker) EndOffload() {
	if w.offload == nil {
		return
	}
	for f := range w.offload.flows {
		w.takeBack(f)
	}
}

// takeBack ends the bypass of a flow that ends, or that a verdict ends which was
// still to come when it was handed over.
func (w *Worker) takeBack(f *flow.Flow) {
	if w.offload == nil {
		return
	}
	taken := w.offload.flows[f]
	if taken == nil {
		return
	}
	delete(w.offload.flows, f)
	if n, ok := w.offload.Table.Revoke(f.Key); ok {
		w.take(f, taken, n)
	}
}

// bypassName is how a flow's record says who bypassed it, as Suricata does.
func (w *Worker) bypassName(f *flow.Flow) string {
	if f.State != flow.StateBypassed {
		return ""
	}
	if st := w.state(f); st != nil && st.coverage.kernel {
		return "capture"
	}
	return "local"
}
