package worker

import (
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
)

// spentFlow names a flow that a verdict has ended, whose memory may be another's
// by the time it is looked at.
type spentFlow struct {
	f  *flow.Flow
	id uint64
}

// spend notes that a verdict ends a flow.
func (w *Worker) spend(f *flow.Flow) {
	w.ensure(f)
	w.spent = append(w.spent, spentFlow{f, f.ID})
}

// relinquish gives back what the flows hold that verdicts have ended since the
// last call: held-back segments, open objects with what is kept of documents, and
// the rules' view of their bytes. A flow stays for long after that, as long as its
// ends go on, and nothing of it is read any more. It is called between frames: a
// verdict falls in the midst of what this gives back.
func (w *Worker) relinquish() {
	for i := range w.spent {
		s := w.spent[i]
		st := w.state(s.f)
		if s.f.ID != s.id || st == nil || !s.f.Verdict.Action.EndsFlow() {
			continue // it is over already
		}
		w.aside(s.f, func() {
			if s.f.TCP != nil {
				w.tcp.Close(s.f.TCP, nil)
			}
			w.endUnread(s.f)
			if st.stream != nil {
				st.stream.End(protocol.ToServer)
				st.stream.End(protocol.ToClient)
			}
		})
	}
	clear(w.spent)
	w.spent = w.spent[:0]
}

// endUnread ends the protocol of a flow that a verdict has ended: what is still
// open is told to nobody.
func (w *Worker) endUnread(f *flow.Flow) {
	w.env.Objects = (*discard)(w)
	for d := protocol.ToServer; d <= protocol.ToClient; d++ {
		f.App.End(w.cfg.Registry, &w.env, d)
	}
	w.env.Objects = (*objectSink)(w)
	for d := protocol.ToServer; d <= protocol.ToClient; d++ {
		w.closeRaw(f, d)
	}
}
