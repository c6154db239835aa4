package app

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"sluice/dataplane/decode"
	"sluice/dataplane/enforce"
	"sluice/dataplane/fastpath"
	"sluice/dataplane/policy"
	"sluice/internal/config"
)

// kernelSettings is the part of the configuration that a reload reads anew: what
// the kernel drops.
type kernelSettings struct {
	blocks     []config.BlockList
	fast       config.FastPath
	segments   config.Segmentation
	quarantine config.Quarantine
}

func kernelSettingsOf(cfg *config.Config) kernelSettings {
	return kernelSettings{blocks: cfg.BlockLists, fast: cfg.FastPath, segments: cfg.Segmentation, quarantine: cfg.Quarantine}
}

func (d *Daemon) openFast() error {
	mode := map[string]fastpath.Mode{"native": fastpath.ModeNative, "generic": fastpath.ModeGeneric}[d.cfg.Ports.XDP]
	fp := &d.cfg.FastPath
	c := fastpath.Config{Mode: mode, Log: d.log, IgnoreVLAN: !d.cfg.VLAN.UseForTracking,
		MaxPrefixes: fp.MaxPrefixes, MaxFlows: fp.MaxFlows, MaxSources: fp.MaxSources, MaxQuarantined: fp.MaxQuarantined, Samples: samples(fp),
		// Inline, the block lists stay in force when this process dies, as the wire does.
		Persist: d.inline(), FlowEnded: d.below.flowEnded}
	if d.offloads() || d.sheds() {
		c.MaxBypassed = maxOffloaded
	}
	var err error
	if d.fast, err = fastpath.Open(c); err != nil {
		return fmt.Errorf("fast path: %w", err)
	}
	d.below.open(d.fast, d.log)
	return nil
}

// samples gives fast-path.samples in the fast path's terms, where 0 is a default.
func samples(fp *config.FastPath) int {
	if fp.Samples == 0 {
		return -1
	}
	return fp.Samples
}

// inline reports whether any port is in the path.
func (d *Daemon) inline() bool { return len(d.cfg.Ports.Bridges)+len(d.cfg.Ports.Gateways) > 0 }

// fill gives the kernel and the quarantine what the configuration says, and what
// the process before has left: before any port is attached, so that nothing
// lapses over a restart.
func (d *Daemon) fill() error {
	next := kernelSettingsOf(d.cfg)
	n := len(next.blocks) + len(next.segments.Rules)
	if d.cfg.Ports.Monitor && n > 0 {
		d.log.Warn("block lists and segmentation are not in force: monitor mode enforces nothing", "lists", len(next.blocks), "rules", len(next.segments.Rules))
	}
	if d.fast == nil && n > 0 {
		d.log.Warn("block lists and segmentation are not in force: the fast path is off (ports.xdp: off)")
	}
	d.quarantine = newQuarantine(d.fast, d.cfg.FastPath.MaxQuarantined, d.log)
	if err := d.applyKernel(next, d.parts.Policy); err != nil {
		return err
	}
	if d.cfg.Ports.Monitor {
		return nil
	}
	if err := d.quarantine.open(d.cfg.StateDir); err != nil {
		return err
	}
	return d.openOperatorList()
}

// applyKernel puts settings in force in place of those before, and how hosts in
// quarantine are held: all of them or, with an error in one, none.
func (d *Daemon) applyKernel(next kernelSettings, pol *policy.Policy) error {
	if d.cfg.Ports.Monitor {
		return nil
	}
	terms, err := newTerms(next.quarantine, pol)
	if err != nil {
		return err
	}
	var put func([]fastpath.Allowance) error
	if d.fast != nil {
		t, err := d.tables(next)
		if err != nil {
			return err
		}
		put = func(all []fastpath.Allowance) error {
			t.Allowances = all
			if err := d.fast.Replace(t); err != nil {
				return err
			}
			for _, l := range t.Blocked {
				if len(l.Blocks) > 0 {
					d.log.Info("block list loaded", "list", l.Name, "prefixes", len(l.Blocks))
				}
			}
			return nil
		}
	}
	if err := d.quarantine.setTerms(terms, next.quarantine.LinkAddress, put); err != nil {
		return err
	}
	d.kernel = next
	return nil
}

// tables gives settings in the fast path's terms, without what quarantined hosts
// reach. Lists of the settings before that are not in the next ones end.
func (d *Daemon) tables(next kernelSettings) (*fastpath.Tables, error) {
	lists, allows, err := readLists(next)
	if err != nil {
		return nil, err
	}
	t := &fastpath.Tables{Segmentation: segmentation(next.segments), Limits: limitsOf(next.fast.RateLimits), Samples: samples(&next.fast)}
	t.Malformed, t.MalformedBeside = d.malformed(next.fast.Malformed)
	for _, l := range next.fast.AllowLists {
		t.Allowed = append(t.Allowed, fastpath.List{Name: l.Name, Blocks: allows[l.Name]})
	}
	for _, l := range d.kernel.fast.AllowLists {
		if _, ok := allows[l.Name]; !ok {
			t.Allowed = append(t.Allowed, fastpath.List{Name: l.Name})
		}
	}
	for _, l := range next.blocks {
		t.Blocked = append(t.Blocked, fastpath.List{Name: l.Name, Blocks: lists[l.Name]})
	}
	for _, l := range d.kernel.blocks {
		if _, ok := lists[l.Name]; !ok {
			t.Blocked = append(t.Blocked, fastpath.List{Name: l.Name})
		}
	}
	return t, nil
}

// readLists reads the files of all lists, by name.
func readLists(s kernelSettings) (lists, allows map[string][]fastpath.Block, err error) {
	lists, allows = map[string][]fastpath.Block{}, map[string][]fastpath.Block{}
	for _, l := range s.fast.AllowLists {
		if allows[l.Name], err = fastpath.LoadList(l.File, l.Name); err != nil {
			return nil, nil, fmt.Errorf("allow list %s: %w", l.Name, err)
		}
	}
	for _, l := range s.blocks {
		if l.Name == operatorList || l.Name == fastpath.QuarantineList {
			return nil, nil, fmt.Errorf("block list %s: the name has a meaning of its own", l.Name)
		}
		blocks, err := fastpath.LoadList(l.File, l.Name)
		if err != nil {
			return nil, nil, fmt.Errorf("block list %s: %w", l.Name, err)
		}
		for i := range blocks {
			e := &blocks[i].Entry
			e.Direction = directions[l.Direction]
			if l.TTL > 0 {
				e.Expires = time.Now().Add(l.TTL.D())
			}
		}
		lists[l.Name] = blocks
	}
	return lists, allows, nil
}

// directions by their names in configuration, requests and files.
var directions = map[string]fastpath.Direction{"": fastpath.Either, "both": fastpath.Either, "src": fastpath.AsSource, "dst": fastpath.AsDestination}

func directionName(d fastpath.Direction) string {
	return [...]string{"both", "src", "dst"}[d]
}

// malformed tells which packets are dropped anyway, and which where the program
// runs. Beside the wire the signatures want to see them.
func (d *Daemon) malformed(m config.Malformed) (must, beside fastpath.Malformed) {
	auto := d.inline() && len(d.cfg.Ports.Taps) == 0
	for _, k := range []struct {
		word string
		bit  fastpath.Malformed
	}{{m.LAND, fastpath.MalformedLAND}, {m.TCPFlags, fastpath.MalformedTCPFlags}, {m.Length, fastpath.MalformedLength}} {
		switch {
		case k.word == "yes":
			must |= k.bit
		case k.word == "auto" && auto:
			beside |= k.bit
		}
	}
	return must, beside
}

func limitsOf(r config.RateLimits) fastpath.Limits {
	of := func(l config.RateLimit) fastpath.Limit {
		return fastpath.Limit{PerSecond: uint32(l.PerSecond), Burst: uint32(l.Burst)}
	}
	return fastpath.Limits{SYN: of(r.SYN), UDP: of(r.UDP), ICMP: of(r.ICMP), New: of(r.NewFlows)}
}

// protocols by their names in the configuration; any is 0.
var protocols = map[string]uint8{"tcp": decode.ProtoTCP, "udp": decode.ProtoUDP, "sctp": decode.ProtoSCTP, "icmp": decode.ProtoICMP}

func segmentation(s config.Segmentation) fastpath.Segmentation {
	out := fastpath.Segmentation{Zones: map[string][]netip.Prefix{}}
	for name, prefixes := range s.Zones {
		for _, p := range prefixes {
			out.Zones[name] = append(out.Zones[name], p.Prefix)
		}
	}
	for _, r := range s.Rules {
		rule := fastpath.SegmentRule{Name: r.Name, From: r.From, To: r.To, Proto: protocols[r.Protocol], Drop: r.Action == "drop"}
		for _, p := range r.Ports {
			rule.Ports = append(rule.Ports, fastpath.PortRange(p))
		}
		out.Rules = append(out.Rules, rule)
	}
	// A zone may be named before it has addresses.
	for name := range s.Zones {
		if _, ok := out.Zones[name]; !ok {
			out.Zones[name] = nil
		}
	}
	return out
}

func reachable(all []config.Reachable) (out []enforce.Reachable) {
	for _, r := range all {
		out = append(out, enforce.Reachable{Prefix: r.Prefix, Proto: protocols[r.Protocol], First: r.Ports.First, Last: r.Ports.Last})
	}
	return out
}

func allowances(all []enforce.Reachable) (out []fastpath.Allowance) {
	for _, r := range all {
		a := fastpath.Allowance{Prefix: r.Prefix, Proto: r.Proto, First: r.First, Last: r.Last}
		if a.Proto == decode.ProtoICMP && a.Prefix.Addr().Is6() {
			a.Proto = decode.ProtoICMPv6
		}
		out = append(out, a)
	}
	return out
}

// operatorPath is where the operator's list outlives the process.
func (d *Daemon) operatorPath() string { return filepath.Join(d.cfg.StateDir, "operator.jsonl") }
