package live

import (
	"testing"
	"time"
)

// TestIdler has workers look for frames as long as those come soon, and sleep
// where they do not.
func TestIdler(t *testing.T) {
	const most = 100 * time.Microsecond
	for _, c := range []struct {
		name string
		most time.Duration
		gaps []time.Duration
		look time.Duration // after the last
	}{
		{"the first time it sleeps", most, nil, 0},
		{"turns of two hosts", most, []time.Duration{40 * time.Microsecond}, most},
		{"one frame later than the others", most, []time.Duration{40 * time.Microsecond, time.Millisecond}, most / 2},
		{"soon again after a pause", most, []time.Duration{40 * time.Microsecond, time.Millisecond, 90 * time.Microsecond}, most},
		{"seldom", most, []time.Duration{40 * time.Microsecond, 1e6, 1e6, 1e6, 1e6, 1e6}, 0},
		{"always seldom", most, []time.Duration{1e6, 1e6}, 0},
		{"switched off", 0, []time.Duration{1, 1, 1}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			i := idler{most: int64(c.most)}
			now := int64(1000)
			for _, gap := range c.gaps {
				i.again(now)
				now += int64(gap)
				i.frames(now)
				i.frames(now + 1) // more of them, without a pause
				now += 5
			}
			if i.look != int64(c.look) {
				t.Fatalf("looks for %v, want %v", time.Duration(i.look), c.look)
			}
			if got := i.again(now); got != (c.look > 0) {
				t.Errorf("looks again: %v", got)
			}
			if i.again(now + int64(c.look)) {
				t.Errorf("looks for longer than %v", c.look)
			}
		})
	}
}
