package app

import (
	"testing"
	"time"
)

func TestStepClock(t *testing.T) {
	var wall int64 = 1_700_000_000e9
	var since time.Duration
	c := stepClock{now: func() (int64, time.Duration) { return wall, since }}
	for i, s := range []struct{ wall, since, want time.Duration }{
		{0, 0, 0},
		{time.Second, time.Second, 0},
		{time.Hour, time.Hour, 0}, // nobody looked
		{time.Millisecond - time.Hour, time.Millisecond, -time.Hour},
		{time.Millisecond, time.Millisecond, 0},
		{time.Second, 0, 0}, // drift
		{3*time.Second + time.Hour, 3 * time.Second, time.Hour},
	} {
		wall += int64(s.wall)
		since += s.since
		if got := time.Duration(c.step()); got != s.want {
			t.Errorf("%d: %v, not %v", i, got, s.want)
		}
	}
	var real stepClock
	for range 3 {
		if d := real.step(); d != 0 {
			t.Skipf("the clock of this machine was set by %v", time.Duration(d))
		}
	}
}
