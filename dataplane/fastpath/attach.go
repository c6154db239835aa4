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

// The modes. ModeAuto takes native where the driver can, else generic.
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
	// Why says why the mode is generic although native was tried; empty otherwise.
	Why string
}

// port is an interface with what is attached to it.
type port struct {
	Port
	flags int // netlink's XDP_FLAGS_ of a persistent program
	xdp   link.Link
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
		f.cfg.Log.Info("XDP is generic on this port: slower, the same verdicts", "port", iface, "reason", p.Why)
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

// attachXDP tries the modes in turn.
func (f *FastPath) attachXDP(p *port) error {
	try := func(m Mode) error {
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
		p.Mode = m
		return nil
	}
	switch f.cfg.Mode {
	case ModeNative:
		return try(ModeNative)
	case ModeGeneric:
		return try(ModeGeneric)
	}
	native := try(ModeNative)
	if native == nil {
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
	if f.persists(iface) && (f.cfg.Mode == ModeGeneric) == (x.AttachMode == attachedSKB) {
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
		*p = port{Port: Port{Name: p.Name, Ifindex: p.Ifindex}}
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

// Ports gives the interfaces with an XDP program.
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
