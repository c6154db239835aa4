package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/vishvananda/netlink"

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
	// BusyPoll bounds how long a worker without frames looks for more before it
	// sleeps; not at all by default.
	BusyPoll time.Duration
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
	pair
	cfg    BridgeConfig
	ports  *ports
	inline *fastpath.Inline
	links  [2]netlink.Link
}

// OpenBridge takes both ports: from its return to Close their frames reach
// nobody but the workers (and, where failing open, the other port). It acts in
// the calling thread's network namespace. A *RefusedError tells that a port
// carries the host's own traffic.
func OpenBridge(cfg BridgeConfig) (_ *Bridge, err error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("open bridge: %w", err)
	}
	b := &Bridge{cfg: cfg}
	b.pair.init()
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
	sides := pairConfig{workers: cfg.Workers, cpus: cfg.CPUs, buffer: cfg.BufferBytes, busy: cfg.BusyPoll, yields: cfg.Fail != fastpath.FailOff,
		sides: [2]pairSide{{name: cfg.Inside}, {name: cfg.Outside}}}
	if b.inline != nil {
		sides.guard = b.inline
		sides.sides[Inside].filter, sides.sides[Outside].filter = b.inline.FilterFD(), b.inline.FilterFD()
	}
	return b, b.open(sides)
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

// Run moves frames until ctx ends or a worker fails. procs has one Processor
// for each worker. It may be called once.
func (b *Bridge) Run(ctx context.Context, procs []Processor) error {
	if err := b.start(procs); err != nil {
		return fmt.Errorf("run bridge: %w", err)
	}
	if b.cfg.PropagateLink {
		var wg sync.WaitGroup
		inner, cancel := context.WithCancel(ctx)
		defer wg.Wait()
		defer cancel()
		wg.Go(func() { b.watchLinks(inner) })
	}
	return b.run(ctx.Done())
}

// Bypass gives the table of flows that the kernel forwards past the workers;
// nil without the fast path. It is valid to Close.
func (b *Bridge) Bypass() Bypass {
	if b.inline == nil {
		return nil
	}
	return b.inline
}

// Inline gives the counts of the programs beside the workers; none without the
// fast path.
func (b *Bridge) Inline() (fastpath.InlineCounts, error) {
	if b.inline == nil {
		return fastpath.InlineCounts{}, nil
	}
	return b.inline.Counts()
}

// Away tells what happened without a daemon before OpenBridge.
func (b *Bridge) Away() fastpath.Away {
	if b.inline == nil {
		return fastpath.Away{}
	}
	return b.inline.Away()
}

// Passed counts the frames that went by without the workers since OpenBridge,
// because these had not begun or had stopped giving signs of life.
func (b *Bridge) Passed() (fastpath.Count, error) {
	if b.inline == nil {
		return fastpath.Count{}, nil
	}
	c, err := b.inline.Counts()
	return fastpath.Count{Packets: c.Wire[0].Packets + c.Wire[1].Packets, Bytes: c.Wire[0].Bytes + c.Wire[1].Bytes}, err
}

// Close takes everything off the ports and gives them back as they were found,
// unless Leave was called.
// Run must have returned. It is safe to call more than once.
func (b *Bridge) Close() error {
	if !b.end() {
		return nil
	}
	if b.left.Load() {
		return b.release()
	}
	var errs []error
	if b.inline != nil {
		errs = append(errs, b.cfg.Fast.Detach(b.cfg.Inside), b.cfg.Fast.Detach(b.cfg.Outside), b.inline.Close())
	}
	errs = append(errs, b.release())
	if b.ports != nil {
		errs = append(errs, b.ports.close())
	}
	return errors.Join(errs...)
}
