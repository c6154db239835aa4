package protocol

import "testing"

func TestWaiting(t *testing.T) {
	var w Waiting[int]
	var txs [300]Tx
	f := func(what string, got *Tx, want int) {
		t.Helper()
		for i := range txs {
			if got == &txs[i] && i != want || got == nil && want >= 0 {
				t.Errorf("%s: %d, want %d", what, i, want)
			}
		}
	}
	f("first", w.Add(1, &txs[1]), -1)
	f("second", w.Add(2, &txs[2]), -1)
	f("again", w.Add(1, &txs[3]), 1)
	f("answer", w.Take(1), 3)
	f("no answer", w.Take(1), -1)
	f("oldest", w.Oldest(), 2)
	f("none", w.Oldest(), -1)
	if w.Len() != 0 {
		t.Errorf("%d wait", w.Len())
	}
	// One waits all the while: what is taken meanwhile must not pile up.
	w.Add(-1, &txs[0])
	for i := range 100_000 {
		w.Add(i, &txs[1+i%200])
		w.Take(i)
	}
	if len(w.queue) > 256 {
		t.Errorf("%d entries for one that waits", len(w.queue))
	}
	f("oldest of all", w.Oldest(), 0)
}
