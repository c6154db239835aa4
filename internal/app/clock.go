package app

import "time"

// stepLeast is how much the clock is set at once for it to count as a step: less
// is as well waited for.
const stepLeast = 2 * time.Second

// stepClock notices when the system's clock is set, by comparing it with one that
// cannot be. The zero value is ready.
type stepClock struct {
	base time.Time
	off  int64
	// now is for tests.
	now func() (wall int64, since time.Duration)
}

// read gives the clock, and the time since base.
func (c *stepClock) read() (int64, time.Duration) {
	if c.now != nil {
		return c.now()
	}
	now := time.Now()
	return now.UnixNano(), now.Sub(c.base)
}

// step gives by how much the clock was set since the last call; 0 for not at
// all. Slow corrections are followed.
func (c *stepClock) step() int64 {
	first := c.base.IsZero()
	if first {
		c.base = time.Now()
	}
	wall, since := c.read()
	off := wall - int64(since)
	delta := off - c.off
	c.off = off
	if first || time.Duration(delta).Abs() < stepLeast {
		return 0
	}
	return delta
}
