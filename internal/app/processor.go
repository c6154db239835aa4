package app

import (
	"log/slog"
	"sync/atomic"
	"time"

	"sluice/dataplane/capture"
	"sluice/dataplane/live"
	"sluice/dataplane/worker"
)

// processor is a worker as the live loops see it.
type processor struct {
	w    *worker.Worker
	out  *Output
	next atomic.Pointer[Parts]
	// busy holds while the worker still uses parts that were replaced; stale, of
	// the worker's goroutine, once it could not take over those that replace them.
	busy     atomic.Bool
	stale    bool
	counters atomic.Pointer[worker.Counters]
	log      *slog.Logger
	clock    stepClock
}

// Process implements live.Processor.
func (p *processor) Process(b *capture.Batch, forward []bool) {
	p.stepped()
	p.adopt()
	p.w.Process(b, forward)
	p.publish()
}

// Tick implements live.Processor.
func (p *processor) Tick(now int64) {
	p.stepped()
	p.adopt()
	p.w.Tick(now)
	p.publish()
	c := p.w.Counters()
	p.counters.Store(&c)
	p.busy.Store(p.stale || p.w.Retiring())
}

// SetWake and Urgent implement live.Waker.
func (p *processor) SetWake(wake func()) { p.w.SetWake(wake) }

// Urgent is described with SetWake.
func (p *processor) Urgent() bool { return p.w.Urgent() }

// Pressure implements live.Pressed.
func (p *processor) Pressure(x live.Pressure) {
	p.w.Pressure(time.Now().UnixNano(), x.Fill, x.Lost)
}

// Missed implements live.Missing.
func (p *processor) Missed(now int64) { p.w.Missed(now) }

// Injections implements live.Processor.
func (p *processor) Injections() []live.Injection { return p.w.Injections() }

// stepped has the worker follow a clock that was set.
func (p *processor) stepped() {
	if d := p.clock.step(); d != 0 {
		p.log.Warn("the clock was set", "by", time.Duration(d))
		p.w.Step(d)
	}
}

func (p *processor) publish() {
	if evs := p.w.Events(); len(evs) > 0 {
		p.out.Publish(0, evs)
	}
}

// adopt takes over parts that a reload made.
func (p *processor) adopt() {
	if p.next.Load() == nil {
		return
	}
	p.busy.Store(true) // before next is empty: see retire
	parts := p.next.Swap(nil)
	err := p.w.Swap(parts.Set, parts.Policy)
	if p.stale = err != nil; p.stale {
		p.log.Error("worker goes on with the rules before", "error", err)
	}
}
