package worker

import (
	"fmt"

	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/events"
)

// flowEnd finishes a flow that timed out, closed or is flushed: what its
// stream still holds is delivered, its objects and transactions are closed and
// reported, and its record is written.
func (w *Worker) flowEnd(f *flow.Flow, reason flow.Reason) {
	w.takeBack(f)
	w.endDead(f)
	if len(w.holds)+w.trails > 0 {
		w.endHolds(f)
	}
	w.endRewrites(f)
	p, saved, dir, drop, touched := w.p, w.f, w.dir, w.drop, w.touched
	why, passed, rejected, dropAlert, pending := w.why, w.passed, w.rejected, w.dropAlert, w.pendingAlerts
	w.pendingAlerts, w.drop = nil, false
	w.touched = nil
	// What is told at the end has the time of the flow's last packet: when the
	// end is noticed depends on other traffic.
	now := w.now
	w.now, w.env.Now = f.Last, f.Last
	w.pseudo = decode.Packet{Time: w.now, Src: f.Client, Dst: f.Server, SrcPort: f.ClientPort, DstPort: f.ServerPort,
		IPVersion: f.IPVersion, Proto: f.Proto}
	w.p, w.f, w.dir, w.closing = &w.pseudo, f, protocol.ToServer, true
	w.env.SrcPort, w.env.DstPort = f.ClientPort, f.ServerPort
	live := !f.Verdict.Action.EndsFlow()
	if f.TCP != nil && live {
		w.tcp.Close(f.TCP, w)
	} else if f.TCP != nil {
		w.tcp.Close(f.TCP, nil)
	} else if st := w.state(f); st != nil && f.Proto == decode.ProtoSCTP && live {
		st.sctp.Close(w)
	}
	if live {
		for d := protocol.ToServer; d <= protocol.ToClient; d++ {
			f.App.End(w.cfg.Registry, &w.env, d)
			w.rawBytes(f, d, f.App.Offset(d), nil, protocol.Error)
			w.closeRaw(f, d)
		}
		w.transactions(f)
	} else {
		w.endUnread(f)
	}
	w.passed, w.why, w.rejected, w.dropAlert = false, dropNone, false, nil
	w.alerts()
	w.judgeObjects()
	w.closingVerdict()
	w.logTransactions(f, true)
	w.settleOf(f)
	if !f.Quiet && w.cfg.Report.wants("flow") {
		w.emit(w.flowEvent(f, reason))
	}
	w.covered(f, egressInspected)
	if st := w.state(f); st != nil && st.coverage.shed && w.overload != nil {
		w.overload.flows--
	}
	w.counters.FlowsEnded++
	if id := f.App.Proto(); id != protocol.Unknown && (id != protocol.Failed || f.App.ParserProto() == protocol.Unknown) {
		w.counters.AppFlows[id][transportOf(f)]++
	} else if id := f.App.ParserProto(); id != protocol.Unknown {
		w.counters.AppFlows[id][transportOf(f)]++
		if st := w.state(f); st != nil && st.gapFailed {
			w.counters.AppGaps[id][transportOf(f)]++
		} else {
			w.counters.AppErrors[id][transportOf(f)]++
		}
	}
	if st := w.state(f); st != nil && st.stream != nil {
		st.stream.Close()
	}
	if m := w.in.Matcher; m != nil {
		m.FlowEnd(f)
	}
	if len(w.documents) > 0 {
		w.endDocuments(f)
	}
	if o, ok := f.App.Parser().(protocol.Opaque); ok {
		for d := protocol.ToServer; d <= protocol.ToClient; d++ {
			encrypted, other := o.Unread(d)
			w.counters.UnreadEncrypted += encrypted
			w.counters.UnreadOther += other
		}
	}
	f.App.Release()
	f.Inspect = nil
	w.p, w.f, w.dir, w.drop, w.closing, w.touched = p, saved, dir, drop, false, touched
	w.now, w.env.Now = now, now
	w.why, w.passed, w.rejected, w.dropAlert, w.pendingAlerts = why, passed, rejected, dropAlert, pending
}

// closingVerdict notes on alerts at a flow's end what they decided; no packet is
// left to be withheld.
func (w *Worker) closingVerdict() {
	for _, e := range w.pendingAlerts {
		switch {
		case w.drop:
			e.VerdictAction = "drop"
		case w.passed:
			e.VerdictAction = "pass"
		default:
			e.VerdictAction = "alert"
		}
	}
	w.pendingAlerts = nil
}

// flowEvent makes the flow's record.
func (w *Worker) flowEvent(f *flow.Flow, reason flow.Reason) *events.Event {
	e := w.event("flow", f, protocol.ToServer)
	e.PktSrc, e.Ether = "", w.etherOf(f)
	part := flowPart(f)
	part.SrcIP, part.DestIP, part.SrcPort, part.DestPort = "", "", 0, 0
	age := f.Last/1e9 - f.Start/1e9 // in whole seconds of the clock, as EVE has it
	alerted := f.Alerted
	part.End, part.Age, part.State, part.Reason, part.Alerted = eveTime(f.Last), &age, f.State.String(), reason.String(), &alerted
	switch {
	case f.Verdict.Action.EndsFlow(), f.WouldDrop:
		part.Action = "drop"
	case f.PassRules:
		part.Action = "pass"
	}
	part.Bypass = w.bypassName(f)
	part.ExceptionPolicy = w.exceptionPart(f)
	if parser := f.App.Parser(); parser != nil {
		n := parser.Txs().Next
		part.TxCnt = &n
	}
	e.Flow = part
	if e.HasICMP && f.Pkts[protocol.ToClient] > 0 {
		e.ICMPAnswered, e.ResponseICMPType, e.ResponseICMPCode = true, f.ICMPAnswer[0], f.ICMPAnswer[1]
	}
	if e.AppProto == "" && (f.Proto == decode.ProtoTCP || f.Proto == decode.ProtoUDP) && f.App.Proto() == protocol.Failed {
		e.AppProto = "failed"
	}
	if f.App.ProtoOf(protocol.ToServer) != f.App.ProtoOf(protocol.ToClient) {
		ts, tc := f.App.ProtoOf(protocol.ToServer), f.App.ProtoOf(protocol.ToClient)
		if ts != protocol.Unknown && tc != protocol.Unknown {
			e.AppProtoTS, e.AppProtoTC = ts.String(), tc.String()
		}
	}
	if f.Proto == decode.ProtoTCP {
		all := f.TCPFlags[0] | f.TCPFlags[1]
		e.TCP = &events.TCP{
			TCPFlags:   fmt.Sprintf("%02x", all),
			TCPFlagsTS: fmt.Sprintf("%02x", f.TCPFlags[0]),
			TCPFlagsTC: fmt.Sprintf("%02x", f.TCPFlags[1]),
			SYN:        all&decode.TCPSyn != 0, FIN: all&decode.TCPFin != 0, RST: all&decode.TCPRst != 0,
			PSH: all&decode.TCPPsh != 0, ACK: all&decode.TCPAck != 0, URG: all&decode.TCPUrg != 0,
			ECN: all&decode.TCPEce != 0, CWR: all&decode.TCPCwr != 0,
		}
		if f.TCP != nil {
			e.TCP.State = f.TCP.State().String()
			// A direction's bytes are held in one region here, holes and all.
			e.TCP.TSMaxReg, e.TCP.TCMaxReg = 1, 1
		}
	}
	return e
}
