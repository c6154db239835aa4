package live

import (
	"fmt"
	"time"
)

// leaveTimeout bounds how long a worker that leaves waits for the others, which
// may be stuck, and how long it empties its sockets.
const leaveTimeout = time.Second

// Leave has Run return without a frame being lost, and Close leave the ports to
// the kernel, as a crash would: the wire programs and block lists go on, and the
// next daemon takes over. It is for a pair whose Fail is open or closed. It may be called
// from any goroutine, before Run's context ends.
func (p *pair) Leave() {
	p.left.Store(true)
	for _, w := range p.workers {
		w.leaving.Store(true)
		w.stop()
	}
}

// leave is a worker's end where the ports are left to the kernel. First all
// workers stop their signs of life, so that the kernel forwards by itself; only
// then the sockets hear nothing more, and what they hold is sent on. In between
// a frame may go twice; none is lost.
func (w *worker) leave() error {
	w.heart.leave(w.index)
	until := monotonic() + int64(leaveTimeout)
	for !w.heart.empty() && monotonic() < until {
		if _, err := w.round(); err != nil {
			return err
		}
	}
	for _, s := range w.in {
		if err := s.Hold(); err != nil {
			return fmt.Errorf("worker %d: leave: %w", w.index, err)
		}
	}
	for busy := true; busy && monotonic() < until+int64(leaveTimeout); {
		var err error
		if busy, err = w.round(); err != nil {
			return err
		}
	}
	return nil
}

// leave takes worker i's sign of life back.
func (h *heart) leave(i int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.beats[i].at.Store(0)
	if h.guard != nil {
		_ = h.guard.Heartbeat(0)
	}
}

// empty reports whether no worker gives signs of life any more. Each one's last
// write to the guard came after its own leave, so the guard's is stale for good.
func (h *heart) empty() bool {
	for i := range h.beats {
		if h.beats[i].at.Load() != 0 {
			return false
		}
	}
	return true
}
