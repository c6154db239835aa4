package live

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"sluice/dataplane/capture"
	"sluice/dataplane/fastpath"
)

// pair is two sides with the workers that move frames between them: what a
// bridge and a gateway have in common.
type pair struct {
	workers []*worker
	fanout  *fastpath.Fanout
	ready   chan struct{}

	mu     sync.Mutex
	closed bool
	final  []WorkerStats

	// left tells that the ports are left to the kernel.
	left atomic.Bool
}

// pairSide is one side. Its zero mark and filter are none.
type pairSide struct {
	name   string
	filter int    // descriptor of a socket filter program
	mark   uint32 // of frames sent out of this side
	// quiet sides hear what concerns them without promiscuous mode.
	quiet bool
}

type pairConfig struct {
	workers int
	cpus    []int
	buffer  int
	busy    time.Duration
	guard   pulse
	yields  bool
	sides   [2]pairSide
}

func (p *pair) init() { p.ready = make(chan struct{}) }

// open opens each worker's sockets, on both sides in the same order, so that
// the fan-out program's answer means the same worker on both.
func (p *pair) open(cfg pairConfig) error {
	var groups [2]*capture.FanoutGroup
	if cfg.workers > 1 {
		var err error
		if p.fanout, err = fastpath.OpenFanout(); err != nil {
			return err
		}
		groups[0], groups[1] = capture.NewFanoutGroup(p.fanout.FD()), capture.NewFanoutGroup(p.fanout.FD())
	}
	h := newHeart(cfg.guard, cfg.workers)
	for i := range cfg.workers {
		cpu := -1
		if len(cfg.cpus) > 0 {
			cpu = cfg.cpus[i]
		}
		w, err := newWorker(i, cpu)
		if err != nil {
			return err
		}
		p.workers = append(p.workers, w)
		w.bridge, w.heart, w.yields, w.idle.most = true, h, cfg.yields, int64(cfg.busy)
		for port, side := range cfg.sides {
			s, err := capture.OpenPacket(capture.PacketConfig{
				Interface: side.name, Port: uint8(port), RingBytes: cfg.buffer,
				Promiscuous: !side.quiet, Fanout: groups[port], Filter: side.filter, BusyPoll: cfg.busy, Hold: true,
			})
			if err != nil {
				return err
			}
			w.in = append(w.in, s)
			out, err := capture.OpenSender(side.name)
			if err != nil {
				return err
			}
			w.out = append(w.out, out)
			if side.mark != 0 {
				if err := out.SetMark(side.mark); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// start lets frames in and says that the workers are in charge.
func (p *pair) start(procs []Processor) error {
	if len(procs) != len(p.workers) {
		return fmt.Errorf("%d processors for %d workers", len(procs), len(p.workers))
	}
	for i, w := range p.workers {
		w.setProcessor(procs[i])
	}
	// Sockets before the heartbeat: a frame may then go twice, but none is lost.
	for _, w := range p.workers {
		for _, s := range w.in {
			if err := s.Start(); err != nil {
				return err
			}
		}
	}
	if err := p.workers[0].heart.start(); err != nil {
		return err
	}
	close(p.ready)
	return nil
}

// run runs the workers until done is closed or one fails.
func (p *pair) run(done <-chan struct{}) error {
	if w := p.workers[0]; w.yields {
		stop := startWatch(w.heart, p.workers)
		defer stop()
	}
	return runAll(p.workers, done)
}

// Ready is closed when Run has put the workers in charge of the traffic.
func (p *pair) Ready() <-chan struct{} { return p.ready }

// Stats gives each worker's counts. It may be called from any goroutine.
func (p *pair) Stats() []WorkerStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return p.final
	}
	out := make([]WorkerStats, len(p.workers))
	for i, w := range p.workers {
		out[i] = w.stats()
	}
	return out
}

// end keeps the last counts, and reports whether release is still to be done.
func (p *pair) end() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	for _, w := range p.workers {
		p.final = append(p.final, w.stats())
	}
	p.closed = true
	return true
}

// release closes the sockets.
func (p *pair) release() error {
	var errs []error
	for _, w := range p.workers {
		w.close()
	}
	if p.fanout != nil {
		errs = append(errs, p.fanout.Close())
	}
	return errors.Join(errs...)
}
