package live

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/dataplane/fastpath"
)

// told is a guard that notes what it hears.
type told struct{ at atomic.Int64 }

func (g *told) Heartbeat(mono int64) error { g.at.Store(mono); return nil }
func (g *told) Worker(int) error           { return nil }

// thread runs fn in a thread of its own and gives the thread's number.
func thread(fn func()) int {
	tid := make(chan int)
	go func() {
		runtime.LockOSThread()
		tid <- unix.Gettid()
		fn()
	}()
	return <-tid
}

// TestWatch holds for which workers the watch stands in. Those that run here are
// as good as those that wait for a CPU: the kernel calls both runnable.
func TestWatch(t *testing.T) {
	const ms = int64(time.Millisecond)
	var stop atomic.Bool
	defer stop.Store(true)
	quit := make(chan struct{})
	defer close(quit)
	runs := thread(func() {
		for !stop.Load() {
		}
	})
	sleeps := thread(func() { <-quit })
	guard := &told{}
	h := newHeart(guard, 2)
	var given atomic.Uint64
	w := &watch{heart: h, threads: []watched{{stat: -1, given: &given}, {stat: -1, given: &given}}}
	// lends lets worker 0, with that thread, be silent for some time and reports
	// whether the watch stands in. It is as long since its own last sign of life
	// unless that was longer ago.
	lends := func(tid int, silent, own int64) bool {
		now := monotonic()
		h.beats[1].at.Store(now)
		h.beats[0].at.Store(now - silent)
		w.threads[0].own, w.threads[0].lent = now-own, now-silent
		w.look(0, tid, now)
		if lent := h.last(0) == now; lent != (guard.at.Load() == now) {
			t.Errorf("the guard was told of %d, not of %d", guard.at.Load(), h.last(0))
		}
		return h.last(0) == now
	}
	fresh := func(tid int) {
		now := monotonic()
		h.beats[0].at.Store(now)
		w.look(0, tid, now) // notes the CPU time of a sign of life
		if w.threads[0].own != now {
			t.Error("a worker's own sign of life was not noted")
		}
	}
	// The runtime may hold a thread up for a moment: one look of many must do.
	eventually := func(what string, ok func() bool) {
		t.Helper()
		until(t, what, ok)
	}
	never := func(what string, ok func() bool) {
		t.Helper()
		for range 50 {
			if ok() {
				t.Fatalf("the watch stands in for %s", what)
			}
		}
	}
	eventually("a runnable worker", func() bool { fresh(runs); return lends(runs, 100*ms, 100*ms) })
	eventually("a worker for which it stood in before", func() bool { fresh(runs); return lends(runs, 100*ms, 900*ms) })
	never("one that was alive just now", func() bool { fresh(runs); return lends(runs, 30*ms, 30*ms) })
	never("one that the wire has taken over from", func() bool { fresh(runs); return lends(runs, 190*ms, 190*ms) })
	never("one that is starved for too long", func() bool { fresh(runs); return lends(runs, 100*ms, 1100*ms) })
	never("one that sleeps", func() bool { fresh(sleeps); return lends(sleeps, 100*ms, 100*ms) })
	never("one that is no more", func() bool { fresh(runs); return lends(1<<30, 100*ms, 100*ms) })
	fresh(runs)
	for from := threadTime(runs); threadTime(runs)-from <= int64(fastpath.HeartbeatTimeout); {
		time.Sleep(time.Millisecond)
	}
	never("one that had a CPU all the time", func() bool { return lends(runs, 100*ms, 100*ms) })
	never("one that has left", func() bool {
		fresh(runs)
		h.leave(0)
		w.look(0, runs, monotonic())
		return h.last(0) != 0 || guard.at.Load() != 0
	})
	never("one of those that leave", func() bool {
		fresh(runs)
		h.leave(1)
		now := monotonic()
		h.beats[0].at.Store(now - 100*ms)
		w.look(0, runs, now)
		return h.last(0) == now || guard.at.Load() != 0
	})
	if given.Load() != 2 {
		t.Errorf("counted %d times, not twice", given.Load())
	}
}
