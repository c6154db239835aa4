package fastpath

import (
	"errors"
	"fmt"
	"net"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Mode is how an XDP program is attached.
type Mode uint8

// The modes. ModeAuto takes native where the driver can do so at no price, else
// generic; and a generic program, which costs each frame something even where it
// has nothing to drop, only while there is something to drop.
const (
	ModeAuto Mode = iota
	ModeNative
	ModeGeneric
)

// String gives the mode's name as flags and logs spell it.
func (m Mode) String() string {
	switch m {
	case ModeNative:
		return "native"
	case ModeGeneric:
		return "generic"
	}
	return "auto"
}

// Port tells how an interface is attached.
type Port struct {
	Name    string
	Ifindex int
	// Mode is native or generic.
	Mode Mode
	// Why says why the mode is generic although it was not asked for; empty otherwise.
	Why string
	// Idle tells that no program is attached, since nothing is to be dropped.
	Idle bool
}

// port is an interface with what is attached to it.
type port struct {
	Port
	flags int // netlink's XDP_FLAGS_ of a persistent program
	xdp   link.Link
	// lazy ports have a program only while there is something to drop. unneeded
	// is when there was last (monotonic ns).
	lazy     bool
	unneeded uint64
}

// xdpName is the program's name in the kernel: how a leftover is recognised.
const xdpName = "sluice_xdp"

// Attach puts the XDP program on an interface. What a crashed daemon left
// there is replaced; another owner's program is an error.
func (f *FastPath) Attach(iface string) (Port, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := f.port(iface)
	if err != nil {
		return Port{}, err
	}
	if p.Mode != ModeAuto {
		return p.Port, fmt.Errorf("attach XDP to %s: already attached", iface)
	}
	err = f.ns.Do(func() error {
		if err := f.clearLeftover(iface); err != nil {
			return err
		}
		return f.attachXDP(p)
	})
	if err != nil {
		return Port{}, fmt.Errorf("attach XDP to %s: %w", iface, err)
	}
	if p.Why != "" {
		f.cfg.Log.Info("XDP is generic on this port: the same verdicts", "port", iface, "reason", p.Why, "attached", !p.Idle)
	} else {
		f.cfg.Log.Debug("XDP attached", "port", iface, "mode", p.Mode.String())
	}
	return p.Port, nil
}

// port finds or makes the record of an interface. The caller holds mu.
func (f *FastPath) port(iface string) (*port, error) {
	if f.closed {
		return nil, ErrClosed
	}
	for _, p := range f.ports {
		if p.Name == iface {
			return p, nil
		}
	}
	p := &port{Port: Port{Name: iface}}
	err := f.ns.Do(func() error {
		i, err := net.InterfaceByName(iface)
		if err == nil {
			p.Ifindex = i.Index
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("find interface %s: %w", iface, err)
	}
	f.ports = append(f.ports, p)
	return p, nil
}

// persists reports whether a port's XDP program is to outlive the process. The
// caller holds mu.
func (f *FastPath) persists(iface string) bool {
	if f.cfg.Persist {
		return true
	}
	for _, in := range f.inlines {
		if !in.closed && in.fail != FailOff && (in.ports[0].name == iface || in.ports[1].name == iface) {
			return true
		}
	}
	for _, g := range f.gates {
		if !g.closed && g.fail != FailOff && g.lan.name == iface {
			return true
		}
	}
	return false
}

// attachAs attaches the program in one mode.
func (f *FastPath) attachAs(p *port, m Mode) error {
	if m == ModeGeneric && p.lazy && !f.needed() {
		p.Mode, p.Idle = m, true
		return nil
	}
	flags := unix.XDP_FLAGS_DRV_MODE
	if m == ModeGeneric {
		flags = unix.XDP_FLAGS_SKB_MODE
	}
	if f.persists(p.Name) {
		l, err := netlink.LinkByIndex(p.Ifindex)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetXdpFdWithFlags(l, f.xdp.SluiceXdp.FD(), flags); err != nil {
			return err
		}
		p.flags = flags
	} else {
		l, err := link.AttachXDP(link.XDPOptions{
			Program:   f.xdp.SluiceXdp,
			Interface: p.Ifindex,
			Flags:     link.XDPAttachFlags(flags),
		})
		if err != nil {
			return err
		}
		p.xdp = l
	}
	p.Mode, p.Idle = m, false
	return nil
}

// attachXDP tries the modes in turn.
func (f *FastPath) attachXDP(p *port) error {
	try := func(m Mode) error { return f.attachAs(p, m) }
	switch f.cfg.Mode {
	case ModeNative:
		return try(ModeNative)
	case ModeGeneric:
		return try(ModeGeneric)
	}
	p.lazy = true
	if p.Why = costly(p.Name); p.Why != "" {
		return try(ModeGeneric)
	}
	native := try(ModeNative)
	if native == nil {
		p.lazy = false
		return nil
	}
	if errors.Is(native, unix.EBUSY) || errors.Is(native, unix.EEXIST) {
		return fmt.Errorf("another program is attached: %w", native)
	}
	if err := try(ModeGeneric); err != nil {
		return errors.Join(fmt.Errorf("native: %w", native), fmt.Errorf("generic: %w", err))
	}
	p.Why = "the driver refuses a native program: " + native.Error()
	return nil
}

// costly tells why a native program is a bad bargain on a port whose driver
// takes one; empty where it is none.
func costly(iface string) string {
	if l, err := netlink.LinkByName(iface); err == nil && l.Type() == "veth" {
		// The driver takes the offload away from the other end: bulk TCP then
		// arrives in frames of the MTU, at a fraction of the throughput.
		return "a native program on a veth ends segmentation offload at its other end"
	}
	return ""
}

// needed reports whether any program has something to drop. The caller holds mu.
func (f *FastPath) needed() bool {
	if f.cfg.Malformed != 0 || f.set.Active&(activeBlock4|activeBlock6|activeFlows|activeQuarantine|activeACL) != 0 {
		return true
	}
	for _, r := range f.set.Rate {
		if r.Cost != 0 {
			return true
		}
	}
	return false
}

// lazyGrace is how long a generic program stays where nothing is left to drop:
// dropped flows come and go.
const lazyGrace = 30 * uint64(1e9)

// reconcile attaches idle ports' programs when there is something to drop, and
// takes them off some time after. The caller holds mu.
func (f *FastPath) reconcile() error {
	need, now := f.needed(), monotonic()
	var errs []error
	for _, p := range f.ports {
		switch {
		case !p.lazy || p.Mode != ModeGeneric:
		case need && p.Idle:
			if err := f.ns.Do(func() error { return f.attachAs(p, ModeGeneric) }); err != nil {
				errs = append(errs, fmt.Errorf("attach XDP to %s: %w", p.Name, err))
				continue
			}
			p.unneeded = now
			f.cfg.Log.Debug("XDP attached: there is something to drop", "port", p.Name)
		case need:
			p.unneeded = now
		case !p.Idle && now-p.unneeded > lazyGrace:
			if err := f.takeOff(p); err != nil {
				errs = append(errs, err)
				continue
			}
			p.Idle = true
			f.cfg.Log.Debug("XDP taken off: nothing is left to drop", "port", p.Name)
		}
	}
	return errors.Join(errs...)
}

// clearLeftover removes a persistent program of a daemon that died. A link
// would have died with it.
func (f *FastPath) clearLeftover(iface string) error {
	l, err := netlink.LinkByName(iface)
	if err != nil {
		return err
	}
	x := l.Attrs().Xdp
	if x == nil || !x.Attached {
		return nil
	}
	name, err := programName(x.ProgId)
	if err != nil {
		return err
	}
	if name != xdpName {
		return fmt.Errorf("program %q (id %d) is attached by another: %w", name, x.ProgId, ErrBusy)
	}
	flags := unix.XDP_FLAGS_DRV_MODE
	if x.AttachMode == attachedSKB {
		flags = unix.XDP_FLAGS_SKB_MODE
	}
	generic := f.cfg.Mode == ModeGeneric || f.cfg.Mode == ModeAuto && costly(iface) != ""
	idle := f.cfg.Mode == ModeAuto && generic && !f.needed()
	if f.persists(iface) && !idle && generic == (x.AttachMode == attachedSKB) {
		return nil // replaced in place, so that the block lists never lapse
	}
	f.cfg.Log.Info("removing the XDP program that a daemon left behind", "port", iface)
	if err := netlink.LinkSetXdpFdWithFlags(l, -1, flags); err != nil {
		return fmt.Errorf("remove the XDP program left behind: %w", err)
	}
	return nil
}

// attachedSKB is XDP_ATTACHED_SKB of linux/if_link.h.
const attachedSKB = 2

// ErrBusy tells that an interface carries someone else's XDP program.
var ErrBusy = errors.New("interface is in use")

func programName(id uint32) (string, error) {
	p, err := ebpf.NewProgramFromID(ebpf.ProgramID(id))
	if err != nil {
		return "", fmt.Errorf("look at the attached program: %w", err)
	}
	defer p.Close()
	info, err := p.Info()
	if err != nil {
		return "", fmt.Errorf("look at the attached program: %w", err)
	}
	return info.Name, nil
}

// detach takes the XDP program off a port. The caller holds mu.
func (f *FastPath) detach(p *port) error {
	err := f.takeOff(p)
	*p = port{Port: Port{Name: p.Name, Ifindex: p.Ifindex}}
	return err
}

// takeOff detaches the program and keeps the port's record.
func (f *FastPath) takeOff(p *port) error {
	return f.ns.Do(func() error {
		var errs []error
		if p.xdp != nil {
			errs = append(errs, p.xdp.Close())
		}
		if p.flags != 0 {
			if l, err := netlink.LinkByIndex(p.Ifindex); err == nil {
				errs = append(errs, netlink.LinkSetXdpFdWithFlags(l, -1, p.flags))
			}
		}
		p.xdp, p.flags = nil, 0
		if err := errors.Join(errs...); err != nil {
			return fmt.Errorf("detach from %s: %w", p.Name, err)
		}
		return nil
	})
}

// Detach takes the XDP program off one interface.
func (f *FastPath) Detach(iface string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, p := range f.ports {
		if p.Name == iface {
			f.ports = append(f.ports[:i], f.ports[i+1:]...)
			return f.detach(p)
		}
	}
	return nil
}

// Ports gives the interfaces that have an XDP program, or would if there were
// something to drop.
func (f *FastPath) Ports() []Port {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Port
	for _, p := range f.ports {
		if p.Mode != ModeAuto {
			out = append(out, p.Port)
		}
	}
	return out
}
