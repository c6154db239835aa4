package live

import (
	"fmt"
	"time"
)

// overlap is how much longer than needed frames are taken for the workers' own
// when these come back: their time of arrival is of another clock than the
// guard's. Some go twice for it; none is lost.
const overlap = 2 * time.Millisecond

// Missing is a Processor that is told when frames were forwarded which it never
// saw, up to now in nanoseconds since the epoch: its worker hung.
type Missing interface {
	Missed(now int64)
}

// discard empties the sockets after a hang. What arrived before the guard gave
// the traffic to the wire, at the monotonic time yielded, nobody has forwarded:
// it is judged as ever. What arrived later the wire has forwarded already. It is bounded:
// frames that arrive during it are not all discarded.
func (w *worker) discard(yielded int64) error {
	until := time.Now().UnixNano() - (monotonic() - yielded) + int64(overlap)
	var n uint64
	defer func() {
		w.discarded.Add(n)
		if p, ok := w.proc.(Missing); ok {
			p.Missed(time.Now().UnixNano())
		}
	}()
	for _, s := range w.in {
		for range 1 << 14 {
			if err := s.TryRead(&w.batch); err != nil {
				return fmt.Errorf("worker %d: receive: %w", w.index, err)
			}
			all := len(w.batch.Frames)
			if all == 0 {
				break
			}
			own := 0
			for own < all && w.batch.Frames[own].Time < until {
				own++
			}
			n += uint64(all - own)
			if w.batch.Frames = w.batch.Frames[:own]; own > 0 {
				w.judge()
			}
		}
	}
	return nil
}
