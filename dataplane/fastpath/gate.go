package fastpath

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	gateInName  = "sluice_gate_in"
	gateOutName = "sluice_gate_out"
	gateUpName  = "sluice_gate_up"
	gateEndName = "sluice_gate_end"
	awayInName  = "sluice_away_in"
	awayOutName = "sluice_away_out"
	// closedName was the program of earlier versions in place of the last two.
	closedName = "sluice_closed"
)

// Gate stands between a routing host and its LAN port: IP frames pass only when
// a worker sent them, with Mark. Other frames (ARP, LLDP) pass as ever.
type Gate struct {
	*bypass
	f     *FastPath
	bpf   gateObjects
	state guardMemory
	death *death
	lan   *inlinePort
	inner *inlinePort
	mark  uint32
	fail  Fail
	// before is what went by an earlier daemon's gate without it, by its way.
	before [2]wire
	// links are the two ends of the gate, and high a second descriptor of each.
	links  []link.Link
	high   []int
	closed bool
}

// Gate takes the LAN port. inner is a device of Sluice's own, up and without
// addresses: what the host sends out of the port arrives there, and what is
// sent there with Mark the host receives on the port. What is sent on the port
// with Mark leaves it. The gate keeps nothing from passing until the first
// Heartbeat nor when heartbeats stop for HeartbeatTimeout, unless it fails
// closed. Call it before the capture sockets open, and before Attach.
func (f *FastPath) Gate(lan, inner string, fail Fail) (_ *Gate, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, ErrClosed
	}
	g := &Gate{f: f, fail: fail}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.close())
		}
	}()
	err = f.ns.Do(func() error {
		for _, p := range []struct {
			to   **inlinePort
			name string
		}{{&g.lan, lan}, {&g.inner, inner}} {
			ifi, err := net.InterfaceByName(p.name)
			if err != nil {
				return fmt.Errorf("find interface %s: %w", p.name, err)
			}
			*p.to = &inlinePort{name: p.name, ifindex: ifi.Index}
		}
		if err := g.load(); err != nil {
			return err
		}
		if fail != FailOff {
			if err := g.state.setTimeout(HeartbeatTimeout); err != nil {
				return err
			}
		}
		if err := g.attach(); err != nil {
			return fmt.Errorf("attach the gate to %s: %w", lan, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	f.gates = append(f.gates, g)
	return g, nil
}

// load takes a mark that nobody else on this host is likely to use: a frame
// that bears it is not judged.
func (g *Gate) load() error {
	var raw [4]byte
	for g.mark == 0 {
		if _, err := rand.Read(raw[:]); err != nil {
			return fmt.Errorf("choose a mark: %w", err)
		}
		g.mark = binary.NativeEndian.Uint32(raw[:])
	}
	spec, err := loadGate()
	if err != nil {
		return fmt.Errorf("read the gate's object: %w", err)
	}
	closed := uint32(0)
	if g.fail == FailClosed {
		closed = 1
	}
	if err := g.f.setConstants(spec, map[string]uint32{"approved": g.mark, "lan_port": uint32(g.lan.ifindex),
		"inner_device": uint32(g.inner.ifindex), "fails_closed": closed}); err != nil {
		return err
	}
	// What is dropped of a flow that is over the XDP program and the gate count
	// together.
	over := map[string]*ebpf.Map{"flows": g.f.xdp.Flows, "flow_filter": g.f.xdp.FlowFilter}
	for name, m := range over {
		spec.Maps[name].MaxEntries = m.MaxEntries()
	}
	coll, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: over})
	if err != nil {
		return fmt.Errorf("load the gate's programs: %w", hint(err))
	}
	defer coll.Close()
	if g.state, err = openGuardMemory(coll); err != nil {
		return err
	}
	g.death = g.f.openDeath(coll)
	if err := coll.Assign(&g.bpf); err != nil {
		return fmt.Errorf("load the gate's programs: %w", err)
	}
	for way := range uint32(2) {
		if err := g.bpf.WentBy.Put(way, wire{}); err != nil {
			return fmt.Errorf("clear the gate's counts: %w", err)
		}
	}
	g.bypass = &bypass{m: g.bpf.Bypassed, on: g.f.cfg.MaxBypassed > 0}
	return nil
}

// attach begins where nothing is lost: the inner device first, then what stays
// when the daemon dies, then the gate itself.
func (g *Gate) attach() error {
	if err := addFilter(g.inner, netlink.HANDLE_MIN_EGRESS, g.bpf.SluiceGateUp, gateUpName, wirePriority); err != nil {
		return err
	}
	if err := addFilter(g.inner, netlink.HANDLE_MIN_INGRESS, g.bpf.SluiceGateEnd, gateEndName, wirePriority); err != nil {
		return err
	}
	for way, name := range []string{awayInName, awayOutName} {
		g.before[way] = leftWire(g.lan.ifindex, name, uint32(way))
	}
	if err := g.f.clearWire(g.lan, g.fail != FailOff); err != nil {
		return err
	}
	if g.fail != FailOff {
		g.lan.wired = true
		for _, way := range []struct {
			parent uint32
			prog   *ebpf.Program
			name   string
		}{
			{netlink.HANDLE_MIN_INGRESS, g.bpf.SluiceAwayIn, awayInName},
			{netlink.HANDLE_MIN_EGRESS, g.bpf.SluiceAwayOut, awayOutName},
		} {
			if err := addFilter(g.lan, way.parent, way.prog, way.name, wirePriority); err != nil {
				return err
			}
		}
	}
	for _, end := range []struct {
		prog   *ebpf.Program
		at     ebpf.AttachType
		parent uint32
		name   string
	}{
		{g.bpf.SluiceGateOut, ebpf.AttachTCXEgress, netlink.HANDLE_MIN_EGRESS, gateOutName},
		{g.bpf.SluiceGateIn, ebpf.AttachTCXIngress, netlink.HANDLE_MIN_INGRESS, gateInName},
	} {
		var l link.Link
		err := ebpf.ErrNotSupported
		if !g.f.cfg.noTCX {
			l, err = attachTCX(g.lan, end.prog, end.at)
		}
		if err == nil {
			g.links = append(g.links, l)
			high, err := keepHigh(l)
			if err != nil {
				return err
			}
			g.high = append(g.high, high)
			continue
		}
		if !errors.Is(err, ebpf.ErrNotSupported) && !errors.Is(err, unix.EINVAL) {
			return err
		}
		g.f.cfg.Log.Info("no tcx in this kernel: a killed daemon is noticed by its heartbeat only", "port", g.lan.name)
		g.lan.guardTC = true
		if err := addFilter(g.lan, end.parent, end.prog, end.name, guardPriority); err != nil {
			return err
		}
		if err := g.state.setTimeout(HeartbeatTimeout); err != nil {
			return err
		}
	}
	return nil
}

// Mark is what frames bear that a worker approved, as SO_MARK of its sockets.
func (g *Gate) Mark() uint32 { return g.mark }

// FilterFD is a program that hides approved frames, and those that go past the
// workers, from the sockets that listen on the LAN port; valid to Close.
func (g *Gate) FilterFD() int { return g.bpf.SluiceUnseen.FD() }

// Heartbeat is as Inline.Heartbeat.
func (g *Gate) Heartbeat(mono int64) error { return g.state.setHeartbeat(mono) }

// Worker is as Inline.Worker.
func (g *Gate) Worker(tid int) error { return g.death.watch(tid) }

// GateCounts tells what became of the LAN port's frames at the gate.
type GateCounts struct {
	// Guarded frames were kept for the workers; Yielded went by them because
	// heartbeats had stopped.
	Guarded, Yielded uint64
	// Passed is what went by the workers since Gate, by its way: from the port to
	// the host, and back. Where the gate fails closed it was dropped; of one that
	// does not fail it is not known.
	Passed [2]Count
}

// Away gives what happened before Gate, as Inline.Away does; its ways are those
// of GateCounts.Passed.
func (g *Gate) Away() Away { return awayOf(g.before) }

// Counts reads the gate's counts.
func (g *Gate) Counts() (GateCounts, error) {
	g.f.mu.Lock()
	defer g.f.mu.Unlock()
	if g.closed {
		return GateCounts{}, ErrClosed
	}
	var s guardState
	if err := g.bpf.Guard.Get(&s); err != nil {
		return GateCounts{}, fmt.Errorf("read the gate's state: %w", err)
	}
	c := GateCounts{Guarded: s.Dropped, Yielded: s.Yielded}
	for way := range c.Passed {
		var w wire
		if err := g.bpf.WentBy.Lookup(uint32(way), &w); err != nil {
			return c, fmt.Errorf("read the gate's counts: %w", err)
		}
		c.Passed[way] = Count{w.Packets, w.Bytes}
	}
	return c, nil
}

// Close gives the port back to the host. It is safe to call more than once, and
// FastPath.Close does it too. The inner device stays the caller's.
func (g *Gate) Close() error {
	g.f.mu.Lock()
	defer g.f.mu.Unlock()
	g.f.gates = slices.DeleteFunc(g.f.gates, func(o *Gate) bool { return o == g })
	return g.close()
}

func (g *Gate) close() error {
	if g.closed {
		return nil
	}
	g.closed = true
	err := g.f.ns.Do(func() error {
		var errs []error
		if g.lan != nil && (g.lan.wired || g.lan.guardTC) {
			errs = append(errs, removeFilters(g.lan.ifindex, g.lan.addedQdisc))
		}
		for i, l := range g.links {
			if i < len(g.high) && g.high[i] > 0 {
				errs = append(errs, unix.Close(g.high[i]))
			}
			errs = append(errs, l.Close())
		}
		return errors.Join(errs...)
	})
	err = errors.Join(err, g.death.close())
	if g.bpf.SluiceGateIn != nil {
		err = errors.Join(err, g.bpf.Close())
	}
	return err
}
