package evidence

import (
	"context"
	"fmt"
	"sync"
)

// desk is where pieces wait for the goroutine that writes them: what evidence
// and stored files have in common. mu guards it and the queue of its owner.
type desk struct {
	mu     sync.Mutex
	room   sync.Cond // told when there is room again, and at the end
	closed bool
	wake   chan struct{}
	done   chan struct{} // closed once all is written
}

func (d *desk) init() {
	d.room.L = &d.mu
	d.wake, d.done = make(chan struct{}, 1), make(chan struct{})
}

// nudge has the writing goroutine look at its queue.
func (d *desk) nudge() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// end takes nothing more and waits until what is queued is written, as far as
// ctx allows; what names that in the error.
func (d *desk) end(ctx context.Context, what string) error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.room.Broadcast()
	d.nudge()
	select {
	case <-d.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("write queued %s: %w", what, ctx.Err())
	}
}
