package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/vishvananda/netlink"

	"sluice/dataplane/capture"
	"sluice/dataplane/fastpath"
)

// BridgeConfig says which two ports become a bump in the wire, and how.
type BridgeConfig struct {
	// Inside and Outside are the ports; frames of Inside have Port 0.
	Inside, Outside string
	// Workers is the number of threads; 1 by default.
	Workers int
	// CPUs pins worker i to CPUs[i]; none are pinned when empty.
	CPUs []int
	// Fast is the kernel's half; without it there are no XDP drops, and the
	// host's own stack sees the frames too.
	Fast *fastpath.FastPath
	// Fail is what becomes of the traffic without the daemon. It needs Fast.
	Fail fastpath.Fail
	// PropagateLink takes a port down while the other one has no link.
	PropagateLink bool
	// Force takes ports that carry the host's own traffic.
	Force bool
	// BufferBytes bounds each worker's receive buffer on each port; 32 MiB by default.
	BufferBytes int
	// Journal is a file that notes the ports' former settings until Close, so
	// that the next start can undo what a crash left; none when empty.
	Journal string
	// Log takes what an operator should know; slog's default when nil.
	Log *slog.Logger
}

func (c *BridgeConfig) check() error {
	if c.Inside == "" || c.Outside == "" {
		return errors.New("a bridge needs two ports, INSIDE and OUTSIDE")
	}
	if c.Inside == c.Outside {
		return fmt.Errorf("a bridge needs two different ports, not %s twice", c.Inside)
	}
	if c.Workers == 0 {
		c.Workers = 1
	}
	if c.Workers < 0 || c.Workers > 256 {
		return fmt.Errorf("%d workers: from 1 to 256 are possible", c.Workers)
	}
	if len(c.CPUs) != 0 && len(c.CPUs) < c.Workers {
		return fmt.Errorf("%d workers need as many CPUs, %d are named", c.Workers, len(c.CPUs))
	}
	if c.Fail != fastpath.FailOff && c.Fast == nil {
		return fmt.Errorf("fail %s needs the fast path", c.Fail)
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return nil
}

// Bridge is a pair of ports with its workers.
type Bridge struct {
	cfg     BridgeConfig
	ports   *ports
	workers []*worker
	fanout  *fastpath.Fanout
	inline  *fastpath.Inline
	links   [2]netlink.Link
	ready   chan struct{}

	mu     sync.Mutex
	closed bool
	final  []WorkerStats
}

// OpenBridge takes both ports: from its return to Close their frames reach
// nobody but the workers (and, where failing open, the other port). It acts in
// the calling thread's network namespace. A *RefusedError tells that a port
// carries the host's own traffic.
func OpenBridge(cfg BridgeConfig) (_ *Bridge, err error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("open bridge: %w", err)
	}
	b := &Bridge{cfg: cfg, ready: make(chan struct{})}
	defer func() {
		if err != nil {
			err = fmt.Errorf("open bridge: %w", errors.Join(err, b.Close()))
		}
	}()
	if b.ports, err = openPorts(cfg.Journal, cfg.Log); err != nil {
		return nil, err
	}
	names := [2]string{cfg.Inside, cfg.Outside}
	if !cfg.Force {
		for _, name := range names {
			if err := refuse(name); err != nil {
				return nil, err
			}
		}
	}
	if err := sameMTU(names); err != nil {
		return nil, err
	}
	for i, name := range names {
		if b.links[i], err = b.ports.take(name, true); err != nil {
			return nil, err
		}
	}
	if cfg.Fast != nil {
		// The guard first: were XDP first, frames would still reach the stack.
		if b.inline, err = cfg.Fast.Inline(cfg.Inside, cfg.Outside, cfg.Fail); err != nil {
			return nil, err
		}
		for _, name := range names {
			if _, err := cfg.Fast.Attach(name); err != nil {
				return nil, err
			}
		}
	}
	return b, b.openWorkers(names)
}

func sameMTU(names [2]string) error {
	var mtu [2]int
	for i, name := range names {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return fmt.Errorf("find interface %s: %w", name, err)
		}
		mtu[i] = l.Attrs().MTU
	}
	if mtu[0] != mtu[1] {
		return fmt.Errorf("%s has an MTU of %d and %s of %d: frames would be lost (ip link set %s mtu %d)",
			names[0], mtu[0], names[1], mtu[1], names[1], mtu[0])
	}
	return nil
}

// openWorkers opens each worker's sockets, on both ports in the same order, so
// that the fan-out program's answer means the same worker on both.
func (b *Bridge) openWorkers(names [2]string) error {
	var groups [2]*capture.FanoutGroup
	if b.cfg.Workers > 1 {
		var err error
		if b.fanout, err = fastpath.OpenFanout(); err != nil {
			return err
		}
		groups[0], groups[1] = capture.NewFanoutGroup(b.fanout.FD()), capture.NewFanoutGroup(b.fanout.FD())
	}
	h := newHeart(b.inline, b.cfg.Workers)
	for i := range b.cfg.Workers {
		cpu := -1
		if len(b.cfg.CPUs) > 0 {
			cpu = b.cfg.CPUs[i]
		}
		w, err := newWorker(i, cpu)
		if err != nil {
			return err
		}
		b.workers = append(b.workers, w)
		w.bridge, w.heart, w.yields = true, h, b.cfg.Fail != fastpath.FailOff
		for port, name := range names {
			s, err := capture.OpenPacket(capture.PacketConfig{
				Interface: name, Port: uint8(port), RingBytes: b.cfg.BufferBytes,
				Promiscuous: true, Fanout: groups[port], Hold: true,
			})
			if err != nil {
				return err
			}
			w.in = append(w.in, s)
			out, err := capture.OpenSender(name)
			if err != nil {
				return err
			}
			w.out = append(w.out, out)
		}
	}
	return nil
}

// Run moves frames until ctx ends or a worker fails. procs has one Processor
// for each worker. It may be called once.
func (b *Bridge) Run(ctx context.Context, procs []Processor) error {
	if len(procs) != len(b.workers) {
		return fmt.Errorf("run bridge: %d processors for %d workers", len(procs), len(b.workers))
	}
	for i, w := range b.workers {
		w.proc = procs[i]
	}
	// Sockets before the heartbeat: a frame may then go twice, but none is lost.
	for _, w := range b.workers {
		for _, s := range w.in {
			if err := s.Start(); err != nil {
				return fmt.Errorf("run bridge: %w", err)
			}
		}
	}
	if err := b.workers[0].heart.start(); err != nil {
		return fmt.Errorf("run bridge: %w", err)
	}
	close(b.ready)
	if b.cfg.PropagateLink {
		var wg sync.WaitGroup
		inner, cancel := context.WithCancel(ctx)
		defer wg.Wait()
		defer cancel()
		wg.Go(func() { b.watchLinks(inner) })
	}
	return runAll(b.workers, ctx.Done())
}

// Ready is closed when Run has put the workers in charge of the traffic.
func (b *Bridge) Ready() <-chan struct{} { return b.ready }

// Stats gives each worker's counts. It may be called from any goroutine.
func (b *Bridge) Stats() []WorkerStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return b.final
	}
	out := make([]WorkerStats, len(b.workers))
	for i, w := range b.workers {
		out[i] = w.stats()
	}
	return out
}

// Inline gives the counts of the programs beside the workers; none without the
// fast path.
func (b *Bridge) Inline() (fastpath.InlineCounts, error) {
	if b.inline == nil {
		return fastpath.InlineCounts{}, nil
	}
	return b.inline.Counts()
}

// Close takes everything off the ports and gives them back as they were found.
// Run must have returned. It is safe to call more than once.
func (b *Bridge) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	for _, w := range b.workers {
		b.final = append(b.final, w.stats())
	}
	b.closed = true
	var errs []error
	if b.inline != nil {
		errs = append(errs, b.cfg.Fast.Detach(b.cfg.Inside), b.cfg.Fast.Detach(b.cfg.Outside), b.inline.Close())
	}
	for _, w := range b.workers {
		w.close()
	}
	if b.fanout != nil {
		errs = append(errs, b.fanout.Close())
	}
	if b.ports != nil {
		errs = append(errs, b.ports.close())
	}
	return errors.Join(errs...)
}
