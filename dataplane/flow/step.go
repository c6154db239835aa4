package flow

// Step moves all flows in time with a clock that was set by delta nanoseconds;
// now is the new time. Without it a clock set back would keep flows until it had
// caught up, and one set forward end them all.
func (t *Table) Step(delta, now int64) {
	w := &t.wheel
	if !w.started {
		return
	}
	clear(w.slots)
	w.now = tickOf(now) - 1
	for s := range t.ages {
		for i := t.ages[s].head; i != 0; {
			f := t.at(i)
			f.Start, f.Last, f.table.since = f.Start+delta, f.Last+delta, f.table.since+delta
			t.hang(f)
			i = f.table.ageNext
		}
	}
}
