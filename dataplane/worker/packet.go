package worker

import (
	"fmt"

	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/dataplane/stream"
	"sluice/dataplane/verdict"
)

// packet judges one packet and reports whether its frame may go on.
func (w *Worker) packet(p *decode.Packet) bool {
	w.p, w.f, w.dir, w.drop = p, nil, protocol.ToServer, false
	w.why, w.passed, w.rejected, w.dropAlert = dropNone, false, false, nil
	w.inPacket = true
	forward := w.decide(p)
	w.inPacket = false
	w.tellFiles()
	if t := w.talkers.cur; t != nil && !w.again {
		t.talk(p, w.f, forward || w.parked)
	}
	if w.parked {
		return false
	}
	if len(w.asked) > 0 || w.rewriting > 0 && forward {
		w.rewritePacket(p, forward)
	}
	if w.f != nil && forward {
		if w.trails > 0 {
			w.trail(w.f, w.dir, p)
		}
		if w.overload != nil && w.overload.budget > 0 {
			w.relieve(p, w.f, w.dir)
		}
		w.cover(p, w.f, w.dir)
	}
	if w.offload != nil && forward {
		w.handOver(w.f)
	}
	if !forward {
		w.withhold(dropFlow)
	}
	w.verdictOf()
	return forward
}

// decide is packet without what is told of it.
func (w *Worker) decide(p *decode.Packet) bool {
	if !w.again {
		w.counters.Packets++
	}
	if p.NEvents > 0 && !w.again {
		w.packetAnomalies(p.Events())
	}
	if p.EtherType == etherARP && p.IPVersion == 0 && w.cfg.Report.ARP && !w.again && w.cfg.Report.wants("arp") {
		w.arp(p)
	}
	if q := w.cfg.Quarantine; q != nil && w.judging() && q.Holds(p) {
		return w.isolated(p)
	}
	if p.IPVersion == 0 || p.Flags&(decode.FlagInvalid|decode.FlagFragment) != 0 {
		// No flow: a frame without IP, a broken packet, or a fragment that is
		// judged again once its datagram is whole.
		if w.limited {
			// The last fragment was given up for want of room.
			w.limited = false
			w.except(nil, excDefragMemcap, dropDefragMemcap)
		}
		if m := w.in.Matcher; m != nil {
			m.Packet(p, nil, protocol.ToServer)
			w.alerts()
		}
		if p.Flags&decode.FlagInvalid != 0 {
			w.counters.Invalid++
			if p.Flags&decode.FlagFragment != 0 && w.judging() {
				// A piece that was not put together: what its receiver would make
				// of it nobody has seen.
				w.drop = true
			}
		}
		return !w.drop
	}
	if m := w.in.Matcher; m != nil && m.Untracked(p) {
		w.counters.Untracked++
		m.Packet(p, nil, protocol.ToServer)
		w.alerts()
		return !w.drop
	}
	var f *flow.Flow
	var dir protocol.Dir
	var fresh bool
	if !w.carrier(p) {
		f, dir, fresh = w.flows.Get(p)
	}
	if f == nil {
		// A packet around another one, or an ICMP error about some flow: paths need them (RFC 1191), so they pass
		// unless a rule says otherwise.
		w.counters.NoFlow++
		w.flows.CountQuoted(p)
		if m := w.in.Matcher; m != nil {
			m.Packet(p, nil, protocol.ToServer)
			w.alerts()
		}
		return !w.drop
	}
	w.f, w.dir = f, dir
	if fresh {
		w.begin(f)
		if w.reversed(p) {
			// The server's answer came first: its question was not captured.
			w.flows.Swap(f)
			dir = dir.Other()
			w.dir = dir
		}
	}
	if f.Verdict.Action.EndsFlow() {
		return w.ended(p, f, dir)
	}
	// Even of a flow that is bypassed meanwhile what is withheld waits for its
	// verdict: it must not go past that by being sent again.
	if len(w.holds) > 0 && w.whileHeld(p, f, dir) {
		return false
	}
	if f.Verdict.Action == verdict.Bypass {
		return w.bypassed(p, f, dir)
	}
	return w.judgePacket(p, f, dir)
}

// carrier reports whether a packet has no conversation of its own: it is GRE around
// a packet of the same frame, whose flow tells of both. Rules look at each such
// packet. Tunnels of other kinds have flows.
func (w *Worker) carrier(p *decode.Packet) bool {
	if p.Proto != decode.ProtoGRE {
		return false
	}
	for i := range w.pkts {
		if &w.pkts[i] == p {
			return i+1 < len(w.pkts) && w.pkts[i+1].TunnelDepth > p.TunnelDepth
		}
	}
	return false
}

// reversed reports whether a flow's first packet is from its server.
func (w *Worker) reversed(p *decode.Packet) bool {
	switch p.Proto {
	case decode.ProtoUDP:
		return w.cfg.Registry.Reversed(p.PayloadBytes())
	case decode.ProtoTCP:
		return w.cfg.Stream.Midstream && p.TCPFlags&(decode.TCPSyn|decode.TCPRst) == 0 && p.PayloadEnd > p.Payload && w.cfg.Registry.ReversedStream(p.PayloadBytes(), p.SrcPort, p.DstPort)
	}
	return false
}

// begin notes a new flow.
func (w *Worker) begin(f *flow.Flow) { w.counters.Flows++ }

// judgePacket carries a packet of a flow through stream, protocol and
// inspection to a verdict.
func (w *Worker) judgePacket(p *decode.Packet, f *flow.Flow, dir protocol.Dir) bool {
	w.env.SrcPort, w.env.DstPort = f.ClientPort, f.ServerPort
	w.excepted = false
	if w.cfg.Report.Ethernet {
		w.noteMAC(p, f, dir)
	}
	switch p.Proto {
	case decode.ProtoTCP:
		f = w.segment(p, f, dir)
	case decode.ProtoUDP:
		w.datagram(p, f, dir)
	case decode.ProtoICMP, decode.ProtoICMPv6:
		if dir == protocol.ToClient {
			f.ICMPAnswer = [2]uint8{p.ICMPType, p.ICMPCode}
		}
	case decode.ProtoSCTP:
		if w.ensure(f).sctp.Packet(p, dir, w) {
			w.counters.Associations++
		}
	}
	if f.App.TakeFailure() {
		w.parserFailed(f)
	}
	if m := w.in.Matcher; m != nil && w.inspectable(f) {
		m.Packet(p, f, w.dir)
	}
	w.finish(f)
	return !w.drop
}

// inspectable reports whether signatures look at the packet in work: not where
// an exception policy passed, bypassed or ended its flow.
func (w *Worker) inspectable(f *flow.Flow) bool {
	return !w.excepted
}

// segment gives a TCP packet to the stream engine, which calls back with the
// bytes that have come into order. It gives the packet's flow: a new one where
// the packet opens a new connection on the ports of an old one.
func (w *Worker) segment(p *decode.Packet, f *flow.Flow, dir protocol.Dir) *flow.Flow {
	before := f.State
	f.Completing = false
	res := w.tcp.Segment(f.TCP, p, dir, w)
	if res.New {
		f, dir = w.flows.Renew(f, p)
		w.f, w.dir = f, dir
		w.begin(f)
		w.env.SrcPort, w.env.DstPort = f.ClientPort, f.ServerPort
		res = w.tcp.Segment(f.TCP, p, dir, w)
	}
	if res.Invalid && w.missed > 0 && f.Start <= w.missed+missedGrace && dropOf(res.Reason) == dropStreamError {
		// Parts of the connection went by without this worker, so that its idea of
		// it is wrong and would end it: it is picked up as one that began unseen.
		f, dir = w.flows.Renew(f, p)
		w.f, w.dir = f, dir
		w.begin(f)
		w.counters.Renewed++
		w.env.SrcPort, w.env.DstPort = f.ClientPort, f.ServerPort
		res = w.tcp.Segment(f.TCP, p, dir, w)
	}
	w.flows.Update(f)
	f.Completing = before < flow.StateEstablished && f.State >= flow.StateEstablished && p.PayloadEnd == p.Payload
	if f.TCP.Midstream() && !w.ensure(f).midstream {
		w.ensure(f).midstream = true
		w.excepted = !w.except(f, excMidstream, dropStreamMidstream)
	}
	if e, why, ok := exceptionOf(res.Reason); ok {
		w.excepted = !w.except(f, e, why)
	}
	if len(res.Events) > 0 {
		w.streamAnomalies(res.Events)
		if m := w.in.Matcher; m != nil {
			m.StreamEvents(res.Events)
		}
	}
	if res.Invalid {
		w.counters.InvalidSegments++
		if m := w.in.Matcher; m != nil && dropOf(res.Reason) == dropStreamError {
			m.Outside()
		}
	}
	if (res.Invalid && !w.cfg.PassInvalid || res.Conflict) && w.judging() && p.Payload != p.PayloadEnd {
		// The receiver must not get bytes that were not inspected, nor other
		// bytes than were.
		w.withhold(dropOf(res.Reason))
	}
	return f
}

// missedGrace is how long after a gap connections may still begin, or be picked
// up, on what is left of it: segments that are sent anew, in nanoseconds.
const missedGrace = 3e9

// Missed tells the worker that until now, in nanoseconds of packet time, frames
// may have been forwarded that it never saw: it hung, and the wire stood in.
func (w *Worker) Missed(now int64) { w.missed = now }

// judging reports whether verdicts withhold traffic, or would if it were live.
func (w *Worker) judging() bool { return w.cfg.Inline && !w.cfg.Monitor }

// enforced reports whether withheld traffic is really kept back.
func (w *Worker) enforced() bool { return w.judging() && w.cfg.Live }

// StreamData implements stream.Receiver.
func (w *Worker) StreamData(dir protocol.Dir, offset uint64, data []byte) {
	f := w.f
	if f.State < flow.StateEstablished && f.TCP != nil {
		// The ACK that completes the handshake may bring data.
		w.flows.Update(f)
	}
	w.expected(f)
	w.keepTail(f, dir, data)
	w.units.Reset()
	skipped := f.App.Skipped(dir)
	st := f.App.Data(w.cfg.Registry, &w.env, dir, data)
	if w.cfg.Stream.Depths != nil && f.TCP != nil {
		f.TCP.SetApp(f.App.Proto())
	}
	w.rawBytes(f, dir, offset, data, st)
	if f.App.Skipped(dir) {
		if f.TCP != nil {
			f.TCP.SkipDir(dir)
		}
		// The piece with which the readable part ends is still judged: a server's
		// hello comes together with the first encrypted record.
		if skipped {
			return
		}
	}
	if s := w.streamOf(f); s != nil {
		s.Data(w.p, dir, offset, data)
		if w.env.Frames != nil {
			s.Frames(w.p, &w.units)
		}
	}
	w.transactions(f)
}

// StreamGap implements stream.Receiver.
func (w *Worker) StreamGap(dir protocol.Dir, offset, n uint64) {
	f := w.f
	w.expected(f)
	w.counters.Gaps++
	w.counters.GapBytes += n
	if w.tails {
		w.keepTail(f, dir, fmt.Appendf(nil, "[%d bytes missing]", n))
	}
	w.units.Reset()
	parsed := f.App.Proto() != protocol.Failed && f.App.Parser() != nil
	if f.App.Gap(w.cfg.Registry, &w.env, dir, n); parsed && f.App.Proto() == protocol.Failed {
		w.ensure(f).gapFailed = true
	}
	if st := w.state(f); st != nil && st.raw[dir] != nil {
		(*objectSink)(w).ObjectGap(st.raw[dir].Meta, n)
	}
	if w.env.Frames != nil {
		if s := w.streamOf(f); s != nil {
			s.Gap(w.p, dir, offset, n, &w.units)
		}
	}
	w.transactions(f)
}

// StreamEnd implements stream.Receiver.
func (w *Worker) StreamEnd(dir protocol.Dir) {
	f := w.f
	w.expected(f)
	w.units.Reset()
	f.App.End(w.cfg.Registry, &w.env, dir)
	w.rawBytes(f, dir, f.App.Offset(dir), nil, protocol.Error)
	w.closeRaw(f, dir)
	w.transactions(f)
	if st := w.state(f); st != nil && st.stream != nil {
		if w.env.Frames != nil {
			st.stream.EndFrames(w.p, dir, &w.units)
		}
		st.stream.End(dir)
	}
}

var _ stream.Receiver = (*Worker)(nil)

// datagram gives a UDP payload to the application layer.
func (w *Worker) datagram(p *decode.Packet, f *flow.Flow, dir protocol.Dir) {
	data := p.PayloadBytes()
	if len(data) == 0 {
		return
	}
	w.expected(f)
	off := f.App.Offset(dir)
	w.units.Reset()
	st := f.App.Datagram(w.cfg.Registry, &w.env, dir, data)
	if st == protocol.Error {
		w.rawObject(f, dir, off, data)
	}
	if w.env.Frames != nil {
		w.in.Datagram(p, f, data, &w.units)
	}
	w.transactions(f)
}

// finish reports what the packet brought: alerts first, then what policy says
// of the objects, then the transactions that are complete.
func (w *Worker) finish(f *flow.Flow) {
	w.alerts()
	w.judgeObjects()
	w.previewPending(f)
	w.judgeHello(f)
	w.judgeClear(f)
	w.logTransactions(f, false)
}
