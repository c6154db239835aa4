package worker

import (
	"encoding/binary"

	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/stream"
	"sluice/dataplane/verdict"
	"sluice/events"
	"sluice/signatures"
)

// dropReason says why a packet was withheld.
type dropReason uint8

// The reasons, of which the first that applies counts.
const (
	dropNone dropReason = iota
	dropRules
	dropThreshold
	dropFlow
	dropException
	dropPolicy
	dropStreamError
	dropStreamChecksum
	dropStreamUrgent
	dropStreamMidstream
	dropStreamReassembly
	dropStreamMemcap
	dropFlowMemcap
	dropDefragMemcap
	dropAppError
	dropDocument
	dropQuarantine
	numDropReasons = iota
)

// dropReasons are EVE's drop.reason; with underscores they name counters.
var dropReasons = [numDropReasons]string{"none", "rules", "threshold detection_filter", "flow drop", "exception policy flow drop", "policy",
	"stream error", "stream checksum", "stream urgent", "stream midstream", "stream reassembly", "stream memcap", "flow memcap",
	"defrag memcap", "applayer error", "document", "quarantine"}

// dropOf gives the reason of a segment that is no part of its connection.
func dropOf(r stream.Reason) dropReason {
	switch r {
	case stream.ReasonChecksum:
		return dropStreamChecksum
	case stream.ReasonUrgent:
		return dropStreamUrgent
	case stream.ReasonMidstream:
		return dropStreamMidstream
	case stream.ReasonReassembly:
		return dropStreamReassembly
	case stream.ReasonMemcap:
		return dropStreamMemcap
	}
	return dropStreamError
}

// withhold marks the packet in work as not to go on. The first reason counts.
func (w *Worker) withhold(why dropReason) {
	if !w.drop {
		w.drop, w.why = true, why
	}
}

// verdictOf notes on the packet's alerts what became of the packet, counts it,
// and reports its drop.
func (w *Worker) verdictOf() {
	name := "alert"
	switch {
	case w.drop:
		name = "drop"
	case w.passed:
		name = "pass"
	}
	for _, e := range w.pendingAlerts {
		e.VerdictAction = name
		if w.rejected && w.drop {
			e.VerdictReject = []string{"tcp-reset"}
			if w.p.Proto != decode.ProtoTCP {
				e.VerdictReject = []string{"icmp-prohib"}
			}
			e.VerdictRejectTarget = "both"
		}
	}
	clear(w.pendingAlerts)
	w.pendingAlerts = w.pendingAlerts[:0]
	w.tagged()
	for i := range w.newTags {
		w.setTags(&w.newTags[i])
	}
	clear(w.newTags)
	w.newTags = w.newTags[:0]
	c := &w.counters
	switch {
	case !w.drop:
		c.Accepted++
	case w.rejected:
		c.Rejected++
	default:
		c.Blocked++
	}
	if w.drop {
		w.countDrop()
	}
}

// dropped is verdictOf for n packets that were accepted, withheld, and are dropped
// now; the first is the packet in work.
func (w *Worker) dropped(n int) {
	c := &w.counters
	c.Accepted -= min(c.Accepted, uint64(n))
	if w.rejected {
		c.Rejected += uint64(n)
	} else {
		c.Blocked += uint64(n)
	}
	if n > 0 {
		c.Drops[w.why] += uint64(n - 1)
		w.countDrop()
	}
}

// countDrop counts and reports the packet in work as dropped.
func (w *Worker) countDrop() {
	w.counters.Drops[w.why]++
	if w.judging() && w.cfg.Report.wants("drop") && w.tellDrop(w.f) {
		w.emit(w.dropEvent())
	}
}

// tellDrop reports whether a drop is to be told: each, or the first of a flow's
// direction.
func (w *Worker) tellDrop(f *flow.Flow) bool {
	if w.cfg.Report.AllDrops || f == nil {
		return true
	}
	st := w.ensure(f)
	told := st.dropTold[w.dir]
	st.dropTold[w.dir] = true
	return !told
}

// dropEvent makes the record of the packet in work being withheld.
func (w *Worker) dropEvent() *events.Event {
	p := w.p
	var e *events.Event
	if w.f != nil {
		e = w.event("drop", w.f, w.dir)
		e.Direction = w.dir.String()
		e.Flow = flowPart(w.f)
	} else {
		e = w.packetEvent("drop", p)
	}
	d := &events.Drop{Reason: dropReasons[w.why]}
	if hdr := p.Data; p.IPVersion == 4 && int(p.L3)+20 <= len(hdr) {
		d.Len = int(binary.BigEndian.Uint16(hdr[p.L3+2:]))
		d.TOS, d.TTL, d.IPID = ptr(int(p.TOS)), ptr(int(p.TTL)), ptr(p.IPID)
	} else if p.IPVersion == 6 && int(p.L3)+40 <= len(hdr) {
		d.Len = int(binary.BigEndian.Uint16(hdr[p.L3+4:]))
	}
	switch {
	case p.Proto == decode.ProtoTCP && p.Has(decode.FlagHasPorts):
		flag := func(bit uint8) *bool { return ptr(p.TCPFlags&bit != 0) }
		d.TCPSeq, d.TCPAck, d.TCPWin = ptr(p.Seq), ptr(p.Ack), ptr(p.Window)
		d.SYN, d.ACK, d.PSH, d.RST = flag(decode.TCPSyn), flag(decode.TCPAck), flag(decode.TCPPsh), flag(decode.TCPRst)
		d.URG, d.FIN = flag(decode.TCPUrg), flag(decode.TCPFin)
		d.TCPRes, d.TCPUrgp = ptr(0), ptr(int(p.Urgent))
	case p.Proto == decode.ProtoUDP && p.Has(decode.FlagHasPorts):
		d.UDPLen = ptr(int(p.PayloadEnd-p.Payload) + 8)
	}
	e.Drop = d
	if a := w.dropAlert; a != nil {
		e.Alert = a
	}
	e.VerdictAction = "drop"
	return e
}

func ptr[T any](v T) *T { return &v }

// ruleDrops gives the verdict of a match and withholds the packet where it asks
// for that.
func (w *Worker) ruleDrops(x *signatures.Match) verdict.Action {
	v := verdict.Verdict{Action: x.Rule.Action.Verdict(x.Rule.Scope), Cause: verdict.CauseRule, SID: x.Rule.SID}
	if v.Action == verdict.DropFlow && !x.FlowScope {
		v.Action = verdict.DropPacket
	}
	if v.Action.Withholds() {
		why := dropRules
		if x.Changed {
			why = dropThreshold
		}
		if w.judging() {
			w.withhold(why)
			w.rejected = w.rejected || v.Action == verdict.Reject
		}
		if w.f != nil {
			w.apply(w.f, v)
			if v.Action == verdict.DropFlow && !w.cfg.Inline && !w.cfg.Live {
				// A listener's replay goes on as if the flow had ended here for the
				// rules, as Suricata's does.
				w.f.PassRules, w.f.WouldDrop = true, true
			}
		}
	}
	if x.Rule.Bypass && w.f != nil {
		w.apply(w.f, verdict.Verdict{Action: verdict.Bypass, Cause: verdict.CauseRule, SID: x.Rule.SID})
	}
	return v.Action
}
