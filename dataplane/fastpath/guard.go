package fastpath

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
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

// Inline is a pair of ports between which only the workers move frames: what
// arrives on them does not reach the host's own stack.
type Inline struct {
	f *FastPath
	*bypass
	tc     tcObjects
	state  guardMemory
	death  *death
	ports  [2]*inlinePort
	before [2]wire // what an earlier daemon's wire did without it
	fail   Fail
	closed bool
}

// inlinePort is one of the two with what hangs on its ingress.
type inlinePort struct {
	name       string
	ifindex    int
	guard      link.Link
	high       int  // a second, high descriptor of guard; 0 without
	guardTC    bool // the guard hangs on clsact, for want of tcx
	wired      bool
	addedQdisc bool
}

// Inline takes a pair of ports. With fail open or closed, a program that
// outlives the daemon says what becomes of the frames without it; it is in
// charge until the first Heartbeat and whenever heartbeats stop for
// HeartbeatTimeout. Call it before the capture sockets open, and Heartbeat
// only after; and before Attach, which then attaches XDP so that block lists
// stay in force with the wire.
func (f *FastPath) Inline(inside, outside string, fail Fail) (_ *Inline, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, ErrClosed
	}
	in := &Inline{f: f, fail: fail}
	defer func() {
		if err != nil {
			err = errors.Join(err, in.close())
		}
	}()
	err = f.ns.Do(func() error {
		for i, name := range []string{inside, outside} {
			ifi, err := net.InterfaceByName(name)
			if err != nil {
				return fmt.Errorf("find interface %s: %w", name, err)
			}
			in.ports[i] = &inlinePort{name: name, ifindex: ifi.Index}
		}
		if err := in.load(); err != nil {
			return err
		}
		if fail != FailOff {
			if err := in.state.setTimeout(HeartbeatTimeout); err != nil {
				return err
			}
		}
		for i, p := range in.ports {
			in.before[i] = leftWire(p.ifindex, wireName, uint32(p.ifindex))
			if err := f.clearWire(p, fail != FailOff); err != nil {
				return err
			}
			if fail != FailOff {
				if err := in.attachWire(p, in.ports[1-i], fail); err != nil {
					return fmt.Errorf("attach the fail-to-wire program to %s: %w", p.name, err)
				}
			}
			if err := in.attachGuard(p); err != nil {
				return fmt.Errorf("attach the guard to %s: %w", p.name, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	f.inlines = append(f.inlines, in)
	return in, nil
}

func (in *Inline) load() error {
	spec, err := loadTc()
	if err != nil {
		return fmt.Errorf("read the tc object: %w", err)
	}
	if err := in.f.setConstants(spec, map[string]uint32{"inside_port": uint32(in.ports[0].ifindex), "outside_port": uint32(in.ports[1].ifindex)}); err != nil {
		return err
	}
	coll, err := ebpf.NewCollection(spec)
	if err != nil {
		return fmt.Errorf("load the tc programs: %w", hint(err))
	}
	defer coll.Close()
	if in.state, err = openGuardMemory(coll); err != nil {
		return err
	}
	in.death = in.f.openDeath(coll)
	if err := coll.Assign(&in.tc); err != nil {
		return fmt.Errorf("load the tc programs: %w", err)
	}
	in.bypass = &bypass{m: in.tc.Bypassed, on: in.f.cfg.MaxBypassed > 0}
	return nil
}

// FilterFD is a program that hides from sockets what goes past the workers, or
// 0 where nothing does; valid to Close.
func (in *Inline) FilterFD() int {
	if !in.on {
		return 0
	}
	return in.tc.SluiceUnseen.FD()
}

// guardMemory is a guard's state, which it shares with its program.
type guardMemory struct{ mem *ebpf.Memory }

// openGuardMemory maps the state. It is an object's only variable that is
// written to, so it starts the section.
func openGuardMemory(coll *ebpf.Collection) (guardMemory, error) {
	mem, err := coll.Maps[".bss"].Memory()
	if err != nil {
		return guardMemory{}, fmt.Errorf("map the guard's state into memory: %w", err)
	}
	return guardMemory{mem}, nil
}

func (m guardMemory) write(offset int64, v uint64) error {
	var b [8]byte
	binary.NativeEndian.PutUint64(b[:], v)
	if _, err := m.mem.WriteAt(b[:], offset); err != nil {
		return fmt.Errorf("write the guard's state: %w", err)
	}
	return nil
}

// setHeartbeat and setTimeout write the first two fields of struct guard_state.
func (m guardMemory) setHeartbeat(mono int64) error    { return m.write(0, uint64(mono)) }
func (m guardMemory) setTimeout(d time.Duration) error { return m.write(8, uint64(d)) }

// Heartbeat tells the guard that the workers were alive at the given time of
// the monotonic clock, in nanoseconds. It makes no system call, and is to be
// called from the loops that move frames; with several workers, with the
// oldest of their times. It is safe for concurrent use, but not with Close.
func (in *Inline) Heartbeat(mono int64) error { return in.state.setHeartbeat(mono) }

// Worker names a thread that moves frames: when it ends, by whatever cause, the
// wire takes over at once where it is to. It is called in that thread.
func (in *Inline) Worker(tid int) error { return in.death.watch(tid) }

// InlineCounts tells who took care of frames beside the workers.
type InlineCounts struct {
	// Guarded frames were kept from the host's stack: all that workers saw.
	// Yielded were left to the wire program because heartbeats had stopped.
	Guarded, Yielded uint64
	// Wire is what the wire program forwarded or dropped since Inline, by the
	// port where it came in.
	Wire [2]Count
}

// Counts reads the programs' counts.
func (in *Inline) Counts() (c InlineCounts, err error) {
	in.f.mu.Lock()
	defer in.f.mu.Unlock()
	if in.closed {
		return c, ErrClosed
	}
	var g guardState
	if err := in.tc.Guard.Get(&g); err != nil {
		return c, fmt.Errorf("read the guard's state: %w", err)
	}
	c.Guarded, c.Yielded = g.Dropped, g.Yielded
	for i, p := range in.ports {
		var w wire
		if err := in.tc.Wires.Lookup(uint32(p.ifindex), &w); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return c, fmt.Errorf("read the wire's counters: %w", err)
		}
		c.Wire[i] = Count{w.Packets, w.Bytes}
	}
	return c, nil
}

// Away tells what the wire of an earlier daemon did with the frames of both
// ports while there was none; the zero value where it did nothing.
type Away struct {
	// From and To are when its first and its last frame came.
	From, To time.Time
	// Forwarded is by the port where frames came in; where the daemon failed
	// closed they were dropped.
	Forwarded [2]Count
}

// Away gives what happened before Inline, as far as the kernel still knew.
func (in *Inline) Away() Away { return awayOf(in.before) }

func awayOf(before [2]wire) (a Away) {
	var first, last uint64
	for i, w := range before {
		a.Forwarded[i] = Count{w.Packets, w.Bytes}
		if w.First != 0 && (first == 0 || w.First < first) {
			first = w.First
		}
		last = max(last, w.Last)
	}
	if first != 0 {
		a.From, a.To = wallAt(first), wallAt(last)
	}
	return a
}

// leftWire reads what a program that an earlier daemon left on a port has counted
// under a key. What cannot be read is as good as nothing.
func leftWire(ifindex int, name string, key uint32) (w wire) {
	ours, _, err := filters(ifindex)
	if err != nil {
		return w
	}
	for _, flt := range ours {
		b, ok := flt.(*netlink.BpfFilter)
		if !ok || b.Name != name {
			continue
		}
		prog, err := ebpf.NewProgramFromID(ebpf.ProgramID(b.Id))
		if err != nil {
			continue
		}
		info, err := prog.Info()
		prog.Close()
		if err != nil {
			continue
		}
		ids, _ := info.MapIDs()
		for _, id := range ids {
			m, err := ebpf.NewMapFromID(id)
			if err != nil {
				continue
			}
			if m.Type() == ebpf.Hash && int(m.ValueSize()) == binary.Size(w) { // another layout's is not read
				_ = m.Lookup(key, &w)
			}
			m.Close()
		}
	}
	return w
}

// Close gives both ports back to the host's stack. It is safe to call more
// than once, and FastPath.Close does it too.
func (in *Inline) Close() error {
	in.f.mu.Lock()
	defer in.f.mu.Unlock()
	in.f.inlines = slices.DeleteFunc(in.f.inlines, func(o *Inline) bool { return o == in })
	return in.close()
}

// close takes the guards off last: until then the host's stack stays out.
func (in *Inline) close() error {
	if in.closed {
		return nil
	}
	in.closed = true
	err := in.f.ns.Do(func() error {
		var errs []error
		for _, p := range in.ports {
			if p != nil && (p.wired || p.guardTC) {
				errs = append(errs, removeFilters(p.ifindex, p.addedQdisc))
			}
		}
		for _, p := range in.ports {
			if p == nil || p.guard == nil {
				continue
			}
			if p.high > 0 {
				errs = append(errs, unix.Close(p.high))
			}
			errs = append(errs, p.guard.Close())
		}
		return errors.Join(errs...)
	})
	err = errors.Join(err, in.death.close())
	if in.tc.SluiceGuard != nil {
		err = errors.Join(err, in.tc.Close())
	}
	return err
}

func (in *Inline) attachGuard(p *inlinePort) error {
	var l link.Link
	err := ebpf.ErrNotSupported
	if !in.f.cfg.noTCX {
		l, err = attachTCX(p, in.tc.SluiceGuard, ebpf.AttachTCXIngress)
	}
	if err == nil {
		p.guard = l
		p.high, err = keepHigh(l)
		return err
	}
	if !errors.Is(err, ebpf.ErrNotSupported) && !errors.Is(err, unix.EINVAL) {
		return err
	}
	// Before 6.6: the guard outlives the daemon, so only the heartbeat tells.
	in.f.cfg.Log.Info("no tcx in this kernel: a killed daemon is noticed by its heartbeat only", "port", p.name)
	if err := addFilter(p, netlink.HANDLE_MIN_INGRESS, in.tc.SluiceGuard, guardName, guardPriority); err != nil {
		return err
	}
	p.guardTC = true
	return in.state.setTimeout(HeartbeatTimeout)
}

// keepHigh gives the guard's link a second descriptor with a high number. When
// a process dies, the kernel releases its files from the highest descriptor
// down, and each packet socket among them takes it a grace period, with the
// guard still dropping what no worker takes any more: a retransmission time-out
// for every connection. The guard has to go first.
func keepHigh(l link.Link) (int, error) {
	fd, ok := l.(interface{ FD() int })
	if !ok {
		return 0, nil
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, os.NewSyscallError("getrlimit", err)
	}
	high, err := unix.FcntlInt(uintptr(fd.FD()), unix.F_DUPFD_CLOEXEC, int(min(limit.Cur, highDescriptor+16))-16)
	if err != nil {
		return 0, os.NewSyscallError("duplicate the guard's link", err)
	}
	return high, nil
}

// highDescriptor is above what the rest of the process uses.
const highDescriptor = 16384

// attachTCX hangs a program ahead of everything, by a link that is not pinned:
// the kernel takes it off when the process dies.
func attachTCX(p *inlinePort, prog *ebpf.Program, at ebpf.AttachType) (link.Link, error) {
	return link.AttachTCX(link.TCXOptions{Interface: p.ifindex, Program: prog, Attach: at, Anchor: link.Head()})
}

func (in *Inline) attachWire(p, peer *inlinePort, fail Fail) error {
	w := wire{}
	if fail == FailOpen {
		w.Peer = uint32(peer.ifindex)
	}
	if err := in.tc.Wires.Put(uint32(p.ifindex), w); err != nil {
		return err
	}
	if err := addFilter(p, netlink.HANDLE_MIN_INGRESS, in.tc.SluiceWire, wireName, wirePriority); err != nil {
		return err
	}
	p.wired = true
	return nil
}
