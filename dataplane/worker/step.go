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
	for _, d := range w.dead.list {
		d.next += delta
	}
	w.dead.full += delta
	if o := w.offload; o != nil {
		o.next, o.full = 0, o.full+delta
	}
	if o := w.overload; o != nil {
		o.since, o.begin = o.since+delta, o.begin+delta
		if o.calm > 0 {
			o.calm += delta
		}
	}
}
