package live

import (
	"bytes"
	"sync/atomic"
	"testing"
	"time"

	"sluice/dataplane/capture"
	"sluice/dataplane/fastpath"
)

// holder withholds the large frames of the inside as copies and lets them on
// when another goroutine, a while later, has it woken.
type holder struct {
	wake  func()
	done  atomic.Bool
	held  []capture.Frame
	inj   []Injection
	ticks chan time.Time
}

func (h *holder) SetWake(wake func()) { h.wake = wake }
func (h *holder) Urgent() bool        { return false }

func (h *holder) Process(b *capture.Batch, forward []bool) {
	for i := range b.Frames {
		f := &b.Frames[i]
		if forward[i] = f.Port != Inside || len(f.Data) < 5000; forward[i] {
			continue
		}
		c := *f
		c.Data = bytes.Clone(f.Data)
		h.held = append(h.held, c)
		go func() {
			time.Sleep(50 * time.Millisecond)
			h.done.Store(true)
			h.wake()
		}()
	}
}

func (h *holder) Tick(int64) {
	select {
	case h.ticks <- time.Now():
	default:
	}
	if !h.done.Swap(false) {
		return
	}
	for i := range h.held {
		h.inj = append(h.inj, Injection{Port: Outside, Captured: &h.held[i]})
	}
}

func (h *holder) Injections() []Injection {
	inj := h.inj
	h.inj = nil
	return inj
}

// TestHeldAggregate has an aggregate with a tag and all checksums owed be
// withheld as a copy and sent later, whole, once the worker is woken.
func TestHeldAggregate(t *testing.T) {
	taggedAggregate(t, []Processor{&holder{ticks: make(chan time.Time)}})
}

// TestWake has a worker woken right after a tick: the next one comes at once.
func TestWake(t *testing.T) {
	h := &holder{ticks: make(chan time.Time)}
	newTopology(t).bridge(&fastpath.Config{}, BridgeConfig{}, []Processor{h})
	best := time.Hour
	for range 20 {
		<-h.ticks
		begin := time.Now()
		h.wake()
		best = min(best, (<-h.ticks).Sub(begin))
	}
	if best > TickInterval/4 {
		t.Errorf("the worker was woken after %v at best, a tick takes %v", best, TickInterval)
	}
}
