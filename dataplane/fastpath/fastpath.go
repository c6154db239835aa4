package fastpath

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"

	"sluice/dataplane/flow"
)

// Limit is a token bucket for each source: so many packets a second, and so
// many at once after a pause. The zero value sets no limit.
type Limit struct {
	PerSecond uint32
	// Burst defaults to PerSecond.
	Burst uint32
}

// Limits are the rate limits.
type Limits struct {
	// SYN, UDP and ICMP are for each source address (of IPv6, its /64).
	SYN, UDP, ICMP Limit
	// New is of new TCP connections to each destination address, whoever asks.
	New Limit
}

func (l *Limits) rates() [4]rate {
	return [4]rate{l.SYN.rate(), l.UDP.rate(), l.ICMP.rate(), l.New.rate()}
}

// Config says how the fast path is loaded. The zero value is useful: it drops
// what lists and flows tell, nothing else.
type Config struct {
	// Mode is how XDP programs are attached; automatic by default.
	Mode Mode
	// Persist attaches so that the block lists stay in force when the process
	// dies without Close. Ports of an Inline that fails open or closed are
	// always attached so.
	Persist bool
	// MaxPrefixes is the most block list entries of one family; 1,048,576 by default.
	MaxPrefixes int
	// MaxFlows is the most dropped flows at a time; 65,536 by default.
	MaxFlows int
	// MaxBypassed is the most flows of one pair of ports, or gateway, that go
	// past the workers at a time; none by default.
	MaxBypassed int
	// IgnoreVLAN tells that the keys of dropped flows hold no VLAN ids, as
	// flow.Config has it.
	IgnoreVLAN bool
	// MaxSources is how many sources, and how many destinations, the rate limits
	// remember; 65,536 by default.
	MaxSources int
	// MaxQuarantined is the most quarantined hosts; 65,536 by default.
	MaxQuarantined int
	// Malformed selects malformed packets to drop.
	Malformed Malformed
	// MalformedBeside selects those that are dropped only while a port has the
	// program for another reason: they alone are not worth its price.
	MalformedBeside Malformed
	// Limits are the rate limits.
	Limits Limits
	// Samples is how many dropped packets are sampled a second for each reason
	// and CPU; 10 by default, none when negative.
	Samples int
	// FlowEnded, if set, is called when a dropped flow expires or is taken
	// back, with what was dropped of it. It must not call the FastPath.
	FlowEnded func(key flow.Key, n flow.Bypassed)
	// Log takes what an operator should know; slog's default when nil.
	Log *slog.Logger

	// noTCX makes believe that the kernel is older than 6.6.
	noTCX bool
	// fault lets a test have a write to the kernel fail.
	fault func(what string) error
}

func (c *Config) defaults() error {
	for _, v := range []struct {
		n    *int
		def  int
		max  int
		name string
	}{
		{&c.MaxPrefixes, 1 << 20, 1 << 26, "MaxPrefixes"},
		{&c.MaxFlows, 1 << 16, 1 << 24, "MaxFlows"},
		{&c.MaxBypassed, 0, 1 << 24, "MaxBypassed"},
		{&c.MaxSources, 1 << 16, 1 << 24, "MaxSources"},
		{&c.MaxQuarantined, 1 << 16, 1 << 20, "MaxQuarantined"},
	} {
		if *v.n == 0 {
			*v.n = v.def
		}
		if *v.n < 0 || *v.n > v.max {
			return fmt.Errorf("%s is %d, the most is %d", v.name, *v.n, v.max)
		}
	}
	c.Samples = samplesOf(c.Samples)
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return nil
}

// samplesOf gives the number that Config.Samples stands for.
func samplesOf(n int) int {
	if n == 0 {
		return 10
	}
	return max(n, 0)
}

// FastPath is the loaded programs and their maps. Its methods are safe for
// concurrent use.
type FastPath struct {
	cfg Config
	ns  *Namespace
	xdp xdpObjects

	mu     sync.Mutex
	closed bool
	set    settings
	names  names
	block  *prefixes
	allow  *prefixes
	flows  flowTable
	held   quarantine
	acl    segmentation
	reach  [maxAllowances]allowance
	ports  []*port

	inlines []*Inline
	gates   []*Gate
}

// Open loads the programs into the kernel and attaches nothing yet. It needs
// CAP_BPF and CAP_NET_ADMIN; an error that comes from the verifier prints
// whole with %+v.
func Open(cfg Config) (_ *FastPath, err error) {
	if err := cfg.defaults(); err != nil {
		return nil, err
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, fmt.Errorf("lift the limit on locked memory: %w", err)
	}
	f := &FastPath{cfg: cfg}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if f.ns, err = CurrentNamespace(); err != nil {
		return nil, err
	}
	if err := f.load(); err != nil {
		return nil, err
	}
	f.names.init()
	f.block, err = newPrefixes(f.xdp.Block4, f.xdp.Block6, f.xdp.Dir4, f.xdp.Filter6)
	if err != nil {
		return nil, err
	}
	f.block.max4, f.block.fault = cfg.MaxPrefixes, cfg.fault
	if f.allow, err = newPrefixes(f.xdp.Allow4, f.xdp.Allow6, nil, nil); err != nil {
		return nil, err
	}
	f.allow.fault = cfg.fault
	if err := f.flows.init(f.xdp.Flows, f.xdp.FlowFilter, cfg.MaxFlows, cfg.FlowEnded); err != nil {
		return nil, err
	}
	f.held.init(f.xdp.Quarantine, f.xdp.QuarantineLinks)
	f.set = settings{
		Layout:    layoutVersion,
		Malformed: uint32(cfg.Malformed | cfg.MalformedBeside),
		Samples:   uint32(cfg.Samples),
		Rate:      cfg.Limits.rates(),
	}
	if err := f.apply(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *FastPath) load() error {
	spec, err := loadXdp()
	if err != nil {
		return fmt.Errorf("read the XDP object: %w", err)
	}
	for _, name := range []string{"block4", "block6"} {
		spec.Maps[name].MaxEntries = uint32(f.cfg.MaxPrefixes)
	}
	// Twice the buckets: a full hash map of just its size takes a third longer.
	spec.Maps["block4"].MaxEntries *= 2
	spec.Maps["flows"].MaxEntries = 2 * uint32(f.cfg.MaxFlows)
	spec.Maps["buckets"].MaxEntries = uint32(f.cfg.MaxSources)
	spec.Maps["targets"].MaxEntries = uint32(f.cfg.MaxSources)
	spec.Maps["quarantine"].MaxEntries = uint32(f.cfg.MaxQuarantined)
	spec.Maps["quarantine_links"].MaxEntries = uint32(f.cfg.MaxQuarantined)
	if err := spec.LoadAndAssign(&f.xdp, nil); err != nil {
		return fmt.Errorf("load the XDP program: %w", hint(err))
	}
	return nil
}

// hint adds what an operator can do about an error of loading.
func hint(err error) error {
	switch {
	case errors.Is(err, ebpf.ErrNotSupported):
		return fmt.Errorf("%w (needs kernel 6.1 or later)", err)
	case isPermission(err):
		return fmt.Errorf("%w (needs root, or CAP_BPF and CAP_NET_ADMIN)", err)
	}
	return err
}

func (l Limit) rate() rate {
	if l.PerSecond == 0 {
		return rate{}
	}
	burst := uint64(l.Burst)
	if burst == 0 {
		burst = uint64(l.PerSecond)
	}
	cost := uint64(time.Second) / uint64(l.PerSecond)
	cost = max(cost, 1)
	return rate{Cost: cost, Burst: cost * burst}
}

// apply writes the settings where the program reads them. The caller holds mu
// or is the only one yet.
func (f *FastPath) apply() error {
	f.set.Active = f.flows.active() | f.held.active() | f.acl.active() |
		f.block.active(activeBlock4, activeBlock6, activeBlock6All) |
		f.allow.active(activeAllow4, activeAllow6, 0)
	// Fragments have no ports: what decides by ports decides by the first one.
	if f.set.Malformed != 0 || f.set.Active&(activeFlows|activeACL) != 0 || f.set.Rate[1].Cost != 0 {
		f.set.Active |= activeFragments
	}
	if f.cfg.IgnoreVLAN {
		f.set.Active |= activeIgnoreVLAN
	}
	if err := f.xdp.Settings.Set(f.set); err != nil {
		return fmt.Errorf("write the XDP program's settings: %w", err)
	}
	return f.reconcile()
}

// ErrClosed is what every method gives after Close.
var ErrClosed = errors.New("fast path is closed")

// Run removes what has expired until ctx ends. The kernel honours expiry by
// itself; this gives the memory back and reports ended flows.
func (f *FastPath) Run(ctx context.Context) error {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if _, err := f.Expire(); errors.Is(err, ErrClosed) {
				return nil
			} else if err != nil {
				f.cfg.Log.Warn("expire block list entries", "error", err)
			}
		}
	}
}

// Expire removes the entries and flows whose time has come and tells how many.
func (f *FastPath) Expire() (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return 0, ErrClosed
	}
	now := monotonic()
	n, err := f.block.expire(now)
	a, err2 := f.allow.expire(now)
	n += a + f.flows.expire(now) + f.held.expire(now)
	if n > 0 {
		return n, errors.Join(err, err2, f.apply())
	}
	return n, errors.Join(err, err2, f.reconcile())
}

// Close detaches the programs from all ports and gives everything back. It is
// safe to call more than once and after a failed Open.
func (f *FastPath) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	var errs []error
	for i := len(f.ports) - 1; i >= 0; i-- {
		errs = append(errs, f.detach(f.ports[i]))
	}
	f.ports = nil
	for _, in := range f.inlines {
		errs = append(errs, in.close())
	}
	for _, g := range f.gates {
		errs = append(errs, g.close())
	}
	if f.xdp.SluiceXdp != nil {
		errs = append(errs, f.xdp.Close())
	}
	if f.ns != nil {
		errs = append(errs, f.ns.Close())
	}
	return errors.Join(errs...)
}
