package worker

import (
	"sluice/dataplane/flow"
	"sluice/dataplane/stream"
	"sluice/dataplane/verdict"
)

// Exception is what happens when a limit is reached or data cannot be read.
type Exception uint8

// The exception policies, in the order of Suricata's counters.
const (
	Ignore Exception = iota
	Reject
	RejectBoth
	Bypass
	PassFlow
	PassPacket
	DropPacket
	DropFlow
	numExceptionActions = iota
)

// exceptionActions are their names in events and counters.
var exceptionActions = [numExceptionActions]string{"ignore", "reject", "reject_both", "bypass", "pass_flow", "pass_packet", "drop_packet", "drop_flow"}

// Exceptions says which policy answers which limit.
type Exceptions struct {
	// FlowMemcap: a packet finds no room for its flow. DefragMemcap: fragments
	// are given up. Midstream: a connection's beginning was not seen and it is
	// not followed. StreamMemcap and Reassembly: buffers of connections are full.
	// AppError: a parser gave up.
	// Document: a document is not read in time or for want of room, and the policy
	// says nothing of it.
	FlowMemcap, DefragMemcap, Midstream, StreamMemcap, Reassembly, AppError, Document Exception
}

// exception names a limit.
type exception uint8

const (
	excFlowMemcap exception = iota
	excDefragMemcap
	excMidstream
	excStreamMemcap
	excReassembly
	excAppError
	excDocument
	numExceptions = iota
)

// exceptionTargets are the limits' names in flow events, exceptionCounters
// those of counters.
var (
	exceptionTargets  = [numExceptions]string{"flow_memcap", "defrag_memcap", "stream_midstream", "stream_memcap", "stream_reassembly_memcap", "app_layer_error", "document"}
	exceptionCounters = [numExceptions]string{"flow.memcap", "defrag.memcap", "tcp.midstream", "tcp.ssn_memcap", "tcp.reassembly", "app_layer.error", "dlp.document"}
)

func (x *Exceptions) of(e exception) Exception {
	return [numExceptions]Exception{x.FlowMemcap, x.DefragMemcap, x.Midstream, x.StreamMemcap, x.Reassembly, x.AppError, x.Document}[e]
}

// exceptionOf gives the limit that a segment's result tells of.
func exceptionOf(r stream.Reason) (exception, dropReason, bool) {
	switch r {
	case stream.ReasonMidstream:
		return excMidstream, dropStreamMidstream, true
	case stream.ReasonReassembly:
		return excReassembly, dropStreamReassembly, true
	case stream.ReasonMemcap:
		return excStreamMemcap, dropStreamMemcap, true
	}
	return 0, 0, false
}

// except carries the policy for a limit out on the packet in work and its flow,
// which may be nil, and reports whether signatures are still to look at the
// packet.
func (w *Worker) except(f *flow.Flow, e exception, why dropReason) bool {
	a := w.cfg.Exceptions.of(e)
	w.counters.Exceptions[e][a]++
	if f != nil {
		st := w.ensure(f)
		st.exceptions |= 1 << e
	}
	switch a {
	case Ignore:
		return true
	case PassPacket:
		w.passed = true
		return false
	case PassFlow:
		w.passed = true
		if f != nil {
			f.PassRules = true
		}
		return false
	case Bypass:
		if f != nil {
			f.Verdict = f.Verdict.Max(verdict.Verdict{Action: verdict.Bypass, Cause: verdict.CauseException, Rule: exceptionTargets[e]})
			w.flows.Bypass(f)
		}
		return false
	}
	if !w.judging() {
		return true
	}
	w.withhold(why)
	act := verdict.DropPacket
	switch a {
	case DropFlow:
		act = verdict.DropFlow
	case Reject, RejectBoth:
		act = verdict.Reject
		w.rejected = true
	}
	if f != nil {
		w.apply(f, verdict.Verdict{Action: act, Cause: verdict.CauseException, Rule: exceptionTargets[e]})
	}
	return act == verdict.DropPacket
}

// exceptionPart lists a flow's exceptions as its record does.
func (w *Worker) exceptionPart(f *flow.Flow) []map[string]string {
	st := w.state(f)
	if st == nil || st.exceptions == 0 {
		return nil
	}
	var out []map[string]string
	for e := range exception(numExceptions) {
		if st.exceptions>>e&1 == 1 {
			out = append(out, map[string]string{"target": exceptionTargets[e], "policy": exceptionActions[w.cfg.Exceptions.of(e)]})
		}
	}
	return out
}
