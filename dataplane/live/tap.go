package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"sluice/dataplane/capture"
	"sluice/dataplane/fastpath"
	"sluice/dataplane/flow"
)

// TapConfig says which ports are listened to, and how.
type TapConfig struct {
	// Interfaces are the ports; frames of Interfaces[i] have Port i.
	Interfaces []string
	// Inject is the port for resets where Interfaces are mirrors that send
	// nothing; by default a frame to inject leaves by the port it names.
	Inject string
	// Workers is the number of threads; 1 by default.
	Workers int
	// CPUs pins worker i to CPUs[i]; none are pinned when empty.
	CPUs []int
	// Fast drops by XDP what passes through these ports to this host; nil
	// leaves them alone.
	Fast *fastpath.FastPath
	// Cut has Tap.KeepBack keep what is left of ended flows from passing these
	// ports, where they are in the path and the kernel can; it needs Fast.
	Cut bool
	// IncomingOnly leaves out what the host itself sends. Mirror ports need
	// neither; a router's own port needs both directions.
	IncomingOnly bool
	// AtOnce takes frames as they come, for resets that are in time; otherwise
	// they come in blocks up to a millisecond late, at a lower cost.
	AtOnce bool
	// RingBytes is the ring of each worker and port; 32 MiB by default.
	RingBytes int
	// BusyPoll is as in BridgeConfig.
	BusyPoll time.Duration
	// Log takes what an operator should know; slog's default when nil.
	Log *slog.Logger
}

// Tap is a set of ports that are listened to. No setting of a port is changed
// but promiscuous mode, which ends with the sockets.
type Tap struct {
	cfg     TapConfig
	workers []*worker
	fanout  *fastpath.Fanout
	cuts    *fastpath.Cuts
	ready   chan struct{}
	mu      sync.Mutex
	closed  bool
	final   []WorkerStats
}

// OpenTap opens the ports in the calling thread's network namespace.
func OpenTap(cfg TapConfig) (_ *Tap, err error) {
	switch {
	case len(cfg.Interfaces) == 0:
		return nil, errors.New("open tap: no interface named")
	case len(cfg.Interfaces) > 255:
		return nil, errors.New("open tap: more than 255 interfaces")
	case cfg.Workers < 0 || cfg.Workers > 256:
		return nil, fmt.Errorf("open tap: %d workers: from 1 to 256 are possible", cfg.Workers)
	case len(cfg.CPUs) != 0 && len(cfg.CPUs) < max(cfg.Workers, 1):
		return nil, fmt.Errorf("open tap: %d workers need as many CPUs, %d are named", cfg.Workers, len(cfg.CPUs))
	}
	cfg.Workers = max(cfg.Workers, 1)
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	t := &Tap{cfg: cfg, ready: make(chan struct{})}
	defer func() {
		if err != nil {
			err = fmt.Errorf("open tap: %w", errors.Join(err, t.Close()))
		}
	}()
	if cfg.Fast != nil {
		for _, name := range cfg.Interfaces {
			if _, err := cfg.Fast.Attach(name); err != nil {
				return nil, err
			}
		}
		if cfg.Cut {
			if t.cuts, err = cfg.Fast.Cuts(cfg.Interfaces); err != nil {
				return nil, err
			}
		}
	}
	groups := make([]*capture.FanoutGroup, len(cfg.Interfaces))
	if cfg.Workers > 1 {
		if t.fanout, err = fastpath.OpenFanout(); err != nil {
			return nil, err
		}
		for i := range groups {
			groups[i] = capture.NewFanoutGroup(t.fanout.FD())
		}
	}
	h := newHeart(nil, cfg.Workers)
	for i := range cfg.Workers {
		if err := t.openWorker(i, h, groups); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// batch is the most frames of one look: of a ring it costs nothing, otherwise
// each has room for an aggregate.
func (c *TapConfig) batch() int {
	if c.AtOnce {
		return 64
	}
	return 256
}

func (t *Tap) openWorker(i int, h *heart, groups []*capture.FanoutGroup) error {
	cpu := -1
	if len(t.cfg.CPUs) > 0 {
		cpu = t.cfg.CPUs[i]
	}
	w, err := newWorker(i, cpu)
	if err != nil {
		return err
	}
	t.workers = append(t.workers, w)
	w.heart, w.idle.most = h, int64(t.cfg.BusyPoll)
	for port, name := range t.cfg.Interfaces {
		s, err := capture.OpenPacket(capture.PacketConfig{
			Interface: name, Port: uint8(port), Ring: !t.cfg.AtOnce, RingBytes: t.cfg.RingBytes, Batch: t.cfg.batch(),
			RetireAfter: time.Millisecond, Promiscuous: true, Outgoing: !t.cfg.IncomingOnly,
			Fanout: groups[port], BusyPoll: t.cfg.BusyPoll, Hold: true,
		})
		if err != nil {
			return err
		}
		w.in = append(w.in, s)
		if t.cfg.Inject != "" {
			continue
		}
		out, err := capture.OpenSender(name)
		if err != nil {
			return err
		}
		w.out = append(w.out, out)
	}
	if t.cfg.Inject != "" {
		out, err := capture.OpenSender(t.cfg.Inject)
		if err != nil {
			return err
		}
		w.out = append(w.out, out)
	}
	return nil
}

// Run gives frames to the Processors until ctx ends or a worker fails. procs
// has one for each worker. It may be called once.
func (t *Tap) Run(ctx context.Context, procs []Processor) error {
	if len(procs) != len(t.workers) {
		return fmt.Errorf("run tap: %d processors for %d workers", len(procs), len(t.workers))
	}
	for i, w := range t.workers {
		w.setProcessor(procs[i])
	}
	for _, w := range t.workers {
		for _, s := range w.in {
			if err := s.Start(); err != nil {
				return fmt.Errorf("run tap: %w", err)
			}
		}
	}
	if err := t.workers[0].heart.start(); err != nil {
		return fmt.Errorf("run tap: %w", err)
	}
	close(t.ready)
	return runAll(t.workers, ctx.Done())
}

// Ready is closed when Run has let frames in.
func (t *Tap) Ready() <-chan struct{} { return t.ready }

// KeepBack gives a function that keeps the data of a flow from passing the ports,
// from its next frame on; nil where nothing can. It is for the Processors: safe
// for concurrent use, and valid while Run runs.
func (t *Tap) KeepBack() func(flow.Key) error {
	if t.cuts == nil {
		return nil
	}
	return t.cuts.Cut
}

// Stats gives each worker's counts; ports beyond the second are counted with
// it. It may be called from any goroutine.
func (t *Tap) Stats() []WorkerStats {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return t.final
	}
	out := make([]WorkerStats, len(t.workers))
	for i, w := range t.workers {
		out[i] = w.stats()
	}
	return out
}

// Close gives the ports back. Run must have returned. It is safe to call more
// than once.
func (t *Tap) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil
	}
	for _, w := range t.workers {
		t.final = append(t.final, w.stats())
	}
	t.closed = true
	var errs []error
	if t.cuts != nil {
		errs = append(errs, t.cuts.Close())
	}
	if t.cfg.Fast != nil {
		for _, name := range t.cfg.Interfaces {
			errs = append(errs, t.cfg.Fast.Detach(name))
		}
	}
	for _, w := range t.workers {
		w.close()
	}
	if t.fanout != nil {
		errs = append(errs, t.fanout.Close())
	}
	return errors.Join(errs...)
}
