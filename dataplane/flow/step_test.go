package flow

import (
	"testing"
	"time"
)

// TestStep sets the clock under a table: flows time out as they would have.
func TestStep(t *testing.T) {
	const start = int64(1_700_000_000e9)
	for _, delta := range []time.Duration{-time.Hour, -3 * time.Second, 3 * time.Second, time.Hour, 24 * 365 * time.Hour} {
		tab := NewTable(Config{UDP: Timeouts{New: 10 * time.Second, Established: 30 * time.Second}})
		tab.Get(udp("10.0.0.1", 1000, "10.0.0.2", 53, start))
		tab.Get(udp("10.0.0.1", 1001, "10.0.0.2", 53, start+5e9))
		now := start + 6e9 + int64(delta)
		tab.Step(int64(delta), now)
		var ended []uint16
		expire := func(at int64) {
			tab.Expire(at, func(f *Flow, _ Reason) { ended = append(ended, f.ClientPort) })
		}
		if expire(now); len(ended) != 0 {
			t.Errorf("%v: %d ended at once", delta, ended)
		}
		if expire(now + 5e9); len(ended) != 1 || ended[0] != 1000 {
			t.Errorf("%v: %d ended after ten seconds", delta, ended)
		}
		if expire(now + 10e9); len(ended) != 2 || tab.Counters.Active != 0 {
			t.Errorf("%v: %d ended in the end", delta, ended)
		}
		if tab.Get(udp("10.0.0.1", 1002, "10.0.0.2", 53, now+11e9)); tab.Counters.Active != 1 {
			t.Errorf("%v: no flow begins afterwards", delta)
		}
	}
}
