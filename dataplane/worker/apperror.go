package worker

import "sluice/dataplane/flow"

// parserFailed carries the policy for errors of parsers out on the packet in
// work, with which the parser of its flow gave up. What the rules found in the
// transactions up to there is told all the same.
func (w *Worker) parserFailed(f *flow.Flow) {
	if w.missed > 0 && f.Start <= w.missed+missedGrace {
		// Parts of the flow went by without this worker: that the parser cannot
		// read on is no fault of the traffic.
		return
	}
	if !w.except(f, excAppError, dropAppError) {
		w.excepted = true
	}
}
