package live

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sluice/dataplane/fastpath"
)

// beatInterval is how often a worker shows that it is alive; a fraction of
// fastpath.HeartbeatTimeout.
const beatInterval = 20 * time.Millisecond

// heart joins the workers' signs of life into one heartbeat: the oldest of
// them, so that one stuck worker is enough to stop it.
type heart struct {
	inline *fastpath.Inline
	beats  []beat
}

// beat is one worker's last sign of life, on a cache line of its own.
type beat struct {
	at atomic.Int64
	_  [56]byte
}

func newHeart(inline *fastpath.Inline, workers int) *heart {
	return &heart{inline: inline, beats: make([]beat, workers)}
}

// start gives all workers the same first sign of life.
func (h *heart) start() error {
	now := monotonic()
	for i := range h.beats {
		h.beats[i].at.Store(now)
	}
	if h.inline == nil {
		return nil
	}
	return h.inline.Heartbeat(now)
}

// beat notes that worker i is alive at now and tells the guard.
func (h *heart) beat(i int, now int64) {
	h.beats[i].at.Store(now)
	if h.inline == nil {
		return
	}
	oldest := now
	for j := range h.beats {
		oldest = min(oldest, h.beats[j].at.Load())
	}
	_ = h.inline.Heartbeat(oldest) // a write to mapped memory: it cannot fail after the first
}

// monotonic is the clock of the guard program, in nanoseconds.
func monotonic() int64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return 0
	}
	return ts.Nano()
}
