package worker

import (
	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/verdict"
)

// belowEvery is how often the kernel is asked to drop a flow that goes on, in
// nanoseconds.
const belowEvery = 10e9

// dropBelow ends a flow without a connection that is only listened to: where the
// port is in the path, the kernel can keep its packets back although the worker
// cannot. Its sender is told, if the verdict says so.
func (w *Worker) dropBelow(f *flow.Flow, v verdict.Verdict) {
	if w.cfg.DropFlow == nil || !w.cfg.Live || w.cfg.Inline || w.cfg.Monitor || f.TCP != nil || !v.Action.EndsFlow() || f.Key.Tunnel != 0 {
		return
	}
	st := w.ensure(f)
	if d := w.now - st.below; st.below != 0 && d >= 0 && d < belowEvery {
		return
	}
	if st.below == 0 {
		w.counters.BlockedFlows++
	}
	st.below = w.now
	w.cfg.DropFlow(f.Key)
	if v.Action >= verdict.Reject && w.p.Proto == decode.ProtoUDP && w.p.Frame != nil {
		if frame, err := w.crafter.Unreachable(w.p); err == nil {
			w.inject(w.p.Frame.Port, frame)
		}
	}
}
