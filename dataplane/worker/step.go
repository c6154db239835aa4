package worker

// Step tells the worker that the clock was set by delta nanoseconds. What waits
// for a time waits as long as it would have, and flows last as long.
func (w *Worker) Step(delta int64) {
	w.now += delta
	w.env.Now = w.now
	w.nextExpiry = 0
	w.flows.Step(delta, w.now)
	for _, h := range w.holds {
		h.due += delta
	}
	for _, d := range w.documents {
		d.due += delta
	}
	if w.missed > 0 {
		w.missed += delta
	}
}
