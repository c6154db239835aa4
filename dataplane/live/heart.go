package live

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// beatInterval is how often a worker shows that it is alive; a fraction of
// fastpath.HeartbeatTimeout.
const beatInterval = 20 * time.Millisecond

// heart joins the workers' signs of life into one heartbeat: the oldest of
// them, so that one stuck worker is enough to stop it.
type heart struct {
	guard pulse // nil where nothing stands in for the workers
	beats []beat
	// mu keeps lend from undoing a leave.
	mu sync.Mutex
}

// pulse is a guard that hears of the workers: fastpath.Inline or fastpath.Gate.
type pulse interface {
	Heartbeat(mono int64) error
	// Worker names a worker's thread, whose end ends its signs of life.
	Worker(tid int) error
}

// beat is one worker's last sign of life, on a cache line of its own.
type beat struct {
	at atomic.Int64
	_  [56]byte
}

func newHeart(guard pulse, workers int) *heart {
	return &heart{guard: guard, beats: make([]beat, workers)}
}

// start gives all workers the same first sign of life.
func (h *heart) start() error {
	now := monotonic()
	for i := range h.beats {
		h.beats[i].at.Store(now)
	}
	if h.guard == nil {
		return nil
	}
	return h.guard.Heartbeat(now)
}

// enlist has the guard notice the end of the calling worker's thread.
func (h *heart) enlist(tid int) error {
	if h.guard == nil {
		return nil
	}
	return h.guard.Worker(tid)
}

// beat notes that worker i is alive at now and tells the guard.
func (h *heart) beat(i int, now int64) {
	h.beats[i].at.Store(now)
	h.tell(now)
}

// last is worker i's last sign of life, whoever gave it.
func (h *heart) last(i int) int64 { return h.beats[i].at.Load() }

// lend gives a sign of life for worker i, unless it has given one itself since
// the one at the time before, or any worker has left.
func (h *heart) lend(i int, before, now int64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for j := range h.beats {
		if h.beats[j].at.Load() == 0 {
			return false
		}
	}
	if !h.beats[i].at.CompareAndSwap(before, now) {
		return false
	}
	h.tell(now)
	return true
}

// tell tells the guard of the oldest sign of life.
func (h *heart) tell(now int64) {
	if h.guard == nil {
		return
	}
	oldest := now
	for j := range h.beats {
		oldest = min(oldest, h.beats[j].at.Load())
	}
	_ = h.guard.Heartbeat(oldest) // a write to mapped memory: it cannot fail after the first
}

// monotonic is the clock of the guard program, in nanoseconds.
func monotonic() int64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return 0
	}
	return ts.Nano()
}
