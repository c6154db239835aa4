package fastpath

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Fail says what becomes of inline traffic when the daemon dies or hangs.
type Fail uint8

// The ways to fail.
const (
	// FailOff: the ports become ordinary ports again, as if Sluice had never run.
	FailOff Fail = iota
	// FailOpen: the kernel forwards port to port.
	FailOpen
	// FailClosed: the kernel drops everything.
	FailClosed
)

// String gives the name as `--fail` spells it.
func (f Fail) String() string {
	switch f {
	case FailOpen:
		return "open"
	case FailClosed:
		return "closed"
	}
	return "off"
}

// HeartbeatTimeout is how long workers may be silent before the wire takes
// over from a daemon that is alive but stuck.
const HeartbeatTimeout = 200 * time.Millisecond

const (
	wireName  = "sluice_wire"
	guardName = "sluice_guard"
	// The filters' places on clsact: before whatever else may be there.
	guardPriority, wirePriority = 1, 2
)

// Inline puts a pair of ports between the host's stack and the wire. From here
// on nothing that arrives on them reaches the host's stack. With fail open or
// closed, a program that outlives the daemon says what becomes of the frames
// without it; it is in charge until the first Heartbeat and whenever
// heartbeats stop for HeartbeatTimeout. Call it before the capture sockets
// open, and Heartbeat only after.
func (f *FastPath) Inline(inside, outside string, fail Fail) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	in, err := f.port(inside)
	if err != nil {
		return err
	}
	out, err := f.port(outside)
	if err != nil {
		return err
	}
	return f.ns.Do(func() error {
		timeout := uint64(0)
		if fail != FailOff {
			timeout = uint64(HeartbeatTimeout)
		}
		if err := f.writeGuard(8, timeout); err != nil {
			return err
		}
		for _, side := range []struct{ p, peer *port }{{in, out}, {out, in}} {
			if err := f.clearWire(side.p); err != nil {
				return err
			}
			if fail != FailOff {
				if err := f.attachWire(side.p, side.peer, fail); err != nil {
					return fmt.Errorf("attach the fail-to-wire program to %s: %w", side.p.Name, err)
				}
			}
			if err := f.attachGuard(side.p); err != nil {
				return fmt.Errorf("attach the guard to %s: %w", side.p.Name, err)
			}
		}
		return nil
	})
}

func (f *FastPath) writeGuard(offset int64, v uint64) error {
	var b [8]byte
	binary.NativeEndian.PutUint64(b[:], v)
	if _, err := f.guard.WriteAt(b[:], offset); err != nil {
		return fmt.Errorf("write the guard's state: %w", err)
	}
	return nil
}

// Heartbeat tells the guard that the workers were alive at the given monotonic
// time in nanoseconds (0 for now). It makes no system call when a time is
// given, and is to be called from the loop that moves frames; with several
// workers, with the oldest of their times.
func (f *FastPath) Heartbeat(mono int64) error {
	if mono == 0 {
		mono = int64(monotonic())
	}
	return f.writeGuard(0, uint64(mono))
}

// GuardCounts tells how many frames the guard kept from the host's stack, and
// how many it left to the wire because heartbeats had stopped.
func (f *FastPath) GuardCounts() (dropped, yielded uint64, err error) {
	var g guardState
	if err := f.tc.Guard.Get(&g); err != nil {
		return 0, 0, fmt.Errorf("read the guard's state: %w", err)
	}
	return g.Dropped, g.Yielded, nil
}

// WireCount tells how many frames that came in at a port the wire program took
// care of in the daemon's stead.
func (f *FastPath) WireCount(ifindex int) (Count, error) {
	var w wire
	if err := f.tc.Wires.Lookup(uint32(ifindex), &w); err != nil {
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			return Count{}, nil
		}
		return Count{}, fmt.Errorf("read the wire's counters: %w", err)
	}
	return Count{w.Packets, w.Bytes}, nil
}

func (f *FastPath) attachGuard(p *port) error {
	l, err := link.AttachTCX(link.TCXOptions{
		Interface: p.Ifindex,
		Program:   f.tc.SluiceGuard,
		Attach:    ebpf.AttachTCXIngress,
		Anchor:    link.Head(),
	})
	if err == nil {
		p.guard = l
		return nil
	}
	if !errors.Is(err, ebpf.ErrNotSupported) && !errors.Is(err, unix.EINVAL) {
		return err
	}
	// Before 6.6: the guard outlives the daemon, so only the heartbeat tells.
	f.cfg.Log.Info("no tcx in this kernel: a killed daemon is noticed by its heartbeat only", "port", p.Name)
	if err := f.addFilter(p, f.tc.SluiceGuard, guardName, guardPriority); err != nil {
		return err
	}
	p.guardTC = true
	return f.writeGuard(8, uint64(HeartbeatTimeout))
}

func (f *FastPath) attachWire(p, peer *port, fail Fail) error {
	w := wire{}
	if fail == FailOpen {
		w.Peer = uint32(peer.Ifindex)
	}
	if err := f.tc.Wires.Put(uint32(p.Ifindex), w); err != nil {
		return err
	}
	if err := f.addFilter(p, f.tc.SluiceWire, wireName, wirePriority); err != nil {
		return err
	}
	p.wired = true
	return nil
}

// addFilter hangs a program on clsact ingress, where it stays when the process
// dies: no pin, hence no bpffs, is needed.
func (f *FastPath) addFilter(p *port, prog *ebpf.Program, name string, priority uint16) error {
	if err := netlink.QdiscAdd(clsact(p.Ifindex)); err == nil {
		p.addedQdsc = true
	} else if !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add the clsact qdisc: %w", err)
	}
	return netlink.FilterReplace(&netlink.BpfFilter{
		FilterAttrs: netlink.FilterAttrs{
			LinkIndex: p.Ifindex,
			Parent:    netlink.HANDLE_MIN_INGRESS,
			Handle:    1,
			Priority:  priority,
			Protocol:  unix.ETH_P_ALL,
		},
		Fd:           prog.FD(),
		Name:         name,
		DirectAction: true,
	})
}

func clsact(ifindex int) *netlink.GenericQdisc {
	return &netlink.GenericQdisc{
		QdiscAttrs: netlink.QdiscAttrs{
			LinkIndex: ifindex,
			Handle:    netlink.MakeHandle(0xffff, 0),
			Parent:    netlink.HANDLE_CLSACT,
		},
		QdiscType: "clsact",
	}
}

// unwire removes what addFilter added, and the qdisc if it was not there before.
func (f *FastPath) unwire(p *port) error {
	if !p.wired && !p.guardTC {
		return nil
	}
	return removeFilters(p.Ifindex, p.addedQdsc)
}

// clearWire removes the filters that a crashed daemon left on a port. The
// qdisc they hang on was that daemon's too, if nothing else uses it.
func (f *FastPath) clearWire(p *port) error {
	ours, others, err := filters(p.Ifindex)
	if err != nil || len(ours) == 0 {
		return err
	}
	f.cfg.Log.Info("taking over from a daemon that left its fail-to-wire program", "port", p.Name)
	if f.cfg.Persist {
		// Replaced in place by attachWire; noted, so that Close removes the qdisc.
		p.addedQdsc = !others
		return nil
	}
	return removeFilters(p.Ifindex, !others)
}

// filters lists our programs on clsact ingress, and tells whether there are others.
func filters(ifindex int) (ours []netlink.Filter, others bool, err error) {
	l, err := netlink.LinkByIndex(ifindex)
	if err != nil {
		return nil, false, err
	}
	for _, parent := range []uint32{netlink.HANDLE_MIN_INGRESS, netlink.HANDLE_MIN_EGRESS} {
		all, err := netlink.FilterList(l, parent)
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			return nil, false, fmt.Errorf("list the filters of %s: %w", l.Attrs().Name, err)
		}
		for _, flt := range all {
			if b, ok := flt.(*netlink.BpfFilter); ok && (b.Name == wireName || b.Name == guardName) {
				ours = append(ours, flt)
			} else {
				others = true
			}
		}
	}
	return ours, others, nil
}

func removeFilters(ifindex int, qdisc bool) error {
	ours, others, err := filters(ifindex)
	if err != nil {
		return err
	}
	var errs []error
	for _, flt := range ours {
		if err := netlink.FilterDel(flt); err != nil {
			errs = append(errs, fmt.Errorf("remove filter: %w", err))
		}
	}
	if qdisc && !others {
		if err := netlink.QdiscDel(clsact(ifindex)); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EINVAL) {
			errs = append(errs, fmt.Errorf("remove the clsact qdisc: %w", err))
		}
	}
	return errors.Join(errs...)
}
