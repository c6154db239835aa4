package worker

import "sluice/signatures"

// Matcher gives the rules' side of the worker, nil without rules, so that a
// replay can profile or trace it. It belongs to the worker's goroutine: use it
// before the first and after the last call of Process.
func (w *Worker) Matcher() *signatures.Matcher { return w.in.Matcher }
