package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/vishvananda/netlink"

	"sluice/dataplane/fastpath"
)

// GatewayConfig says which port of a routing host is inspected, and how.
type GatewayConfig struct {
	// LAN is the port towards the inside. Its frames have Port 0 (Inside); what
	// the host sends out of it has Port 1 (Outside).
	LAN string
	// Workers is the number of threads; 1 by default.
	Workers int
	// CPUs pins worker i to CPUs[i]; none are pinned when empty.
	CPUs []int
	// Fast is the kernel's half, which a gateway cannot do without.
	Fast *fastpath.FastPath
	// Fail is what becomes of the traffic without the daemon: open leaves it to
	// the host, closed keeps the port's from the host and the host's from the port.
	Fail fastpath.Fail
	// Force takes a port that carries the default route or the operator's session.
	Force bool
	// BufferBytes bounds each worker's receive buffer on each side; 32 MiB by default.
	BufferBytes int
	// BusyPoll bounds how long a worker without frames looks for more before it
	// sleeps; not at all by default.
	BusyPoll time.Duration
	// Journal is as in BridgeConfig.
	Journal string
	// Log takes what an operator should know; slog's default when nil.
	Log *slog.Logger
}

func (c *GatewayConfig) check() error {
	if c.LAN == "" {
		return errors.New("a gateway needs its LAN port")
	}
	if c.Fast == nil {
		return errors.New("a gateway needs the fast path (ports.xdp is off)")
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
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return nil
}

// Gateway is the LAN port of a routing host with the workers between the two.
type Gateway struct {
	pair
	cfg   GatewayConfig
	ports *ports
	gate  *fastpath.Gate
	inner string
}

// OpenGateway takes the port: from the start of the workers to Close the host
// receives from it, and sends out of it, only what a Processor lets pass. The
// host's addresses, routes, neighbours and packet filter stay as they are. It
// acts in the calling thread's network namespace. A *RefusedError tells that the
// port is the host's way out.
func OpenGateway(cfg GatewayConfig) (_ *Gateway, err error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("open gateway: %w", err)
	}
	g := &Gateway{cfg: cfg}
	g.pair.init()
	defer func() {
		if err != nil {
			err = fmt.Errorf("open gateway: %w", errors.Join(err, g.Close()))
		}
	}()
	if g.ports, err = openPorts(cfg.Journal, cfg.Log); err != nil {
		return nil, err
	}
	if !cfg.Force {
		if _, err := refuseVital(cfg.LAN); err != nil {
			return nil, err
		}
	}
	lan, err := netlink.LinkByName(cfg.LAN)
	if err != nil {
		return nil, fmt.Errorf("find interface %s: %w", cfg.LAN, err)
	}
	if g.inner, err = makeInner(lan, cfg.Log); err != nil {
		return nil, err
	}
	if _, err := g.ports.take(cfg.LAN, false); err != nil {
		return nil, err
	}
	if g.gate, err = cfg.Fast.Gate(cfg.LAN, g.inner, cfg.Fail); err != nil {
		return nil, err
	}
	if _, err := cfg.Fast.Attach(cfg.LAN); err != nil {
		return nil, err
	}
	return g, g.open(pairConfig{workers: cfg.Workers, cpus: cfg.CPUs, buffer: cfg.BufferBytes, busy: cfg.BusyPoll, guard: g.gate, yields: cfg.Fail != fastpath.FailOff,
		sides: [2]pairSide{
			// What other hosts say to each other is none of a router's business.
			{name: cfg.LAN, filter: g.gate.FilterFD(), mark: g.gate.Mark(), quiet: true},
			{name: g.inner, mark: g.gate.Mark(), quiet: true},
		}})
}

// Run moves frames until ctx ends or a worker fails. procs has one Processor
// for each worker. It may be called once.
func (g *Gateway) Run(ctx context.Context, procs []Processor) error {
	if err := g.start(procs); err != nil {
		return fmt.Errorf("run gateway: %w", err)
	}
	return g.run(ctx.Done())
}

// Bypass is as Bridge.Bypass.
func (g *Gateway) Bypass() Bypass { return g.gate }

// Gate gives the counts of the programs around the port.
func (g *Gateway) Gate() (fastpath.GateCounts, error) { return g.gate.Counts() }

// Away is as Bridge.Away; where it failed open, the host took the frames.
func (g *Gateway) Away() fastpath.Away { return g.gate.Away() }

// Passed is as Bridge.Passed.
func (g *Gateway) Passed() (fastpath.Count, error) {
	c, err := g.gate.Counts()
	return fastpath.Count{Packets: c.Passed[0].Packets + c.Passed[1].Packets, Bytes: c.Passed[0].Bytes + c.Passed[1].Bytes}, err
}

// Close gives the port back to the host as it was found, unless Leave was
// called. Run must have returned. It is safe to call more than once.
func (g *Gateway) Close() error {
	if !g.end() {
		return nil
	}
	if g.left.Load() {
		return g.release()
	}
	var errs []error
	if g.gate != nil {
		errs = append(errs, g.cfg.Fast.Detach(g.cfg.LAN), g.gate.Close())
	}
	errs = append(errs, g.release())
	if g.ports != nil {
		if g.inner != "" {
			errs = append(errs, g.ports.ns.Do(func() error { return removeInner(g.inner, g.cfg.Log) }))
		}
		errs = append(errs, g.ports.close())
	}
	return errors.Join(errs...)
}
