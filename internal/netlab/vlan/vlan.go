// Package vlan gives tests tagged networks on kernels without the 8021q module.
// It takes a port and one end of a veth pair and gives what a VLAN device would:
// what the host sends into the pair's other end leaves the port with a tag, and
// frames with that tag arrive there without it. Tags, aggregates and unfinished
// checksums are the kernel's own, as with the module. It knows nothing of Sluice.
package vlan

import (
	"errors"
	"fmt"
	"net"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
)

// MaxID is the highest VLAN identifier of 802.1Q.
const MaxID = 4094

// Device joins a port and a veth pair. It lasts until Close, or the process's end.
type Device struct {
	links []link.Link
	progs []*ebpf.Program
}

// Offsets in struct __sk_buff of linux/bpf.h.
const (
	skbVLANPresent = 20
	skbVLANTCI     = 24
)

const (
	tcxNext = -1
	tagType = 0x0081 // 802.1Q (0x8100) in network order, as the helper wants it
)

// Join has frames of the VLAN id pass between the port and the pair's end, both
// in the calling thread's network namespace. The host uses the pair's other end,
// which wants the port's link-layer address. Programs that are attached to the
// port's ingress ahead of it go first, as with a VLAN device.
func Join(port, end string, id uint16) (_ *Device, err error) {
	if id == 0 || id > MaxID {
		return nil, fmt.Errorf("join %s to a VLAN: %d is not from 1 to %d", port, id, MaxID)
	}
	d := &Device{}
	defer func() {
		if err != nil {
			err = fmt.Errorf("join %s to VLAN %d: %w", port, id, errors.Join(err, d.Close()))
		}
	}()
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, err
	}
	outer, err := net.InterfaceByName(port)
	if err != nil {
		return nil, err
	}
	inner, err := net.InterfaceByName(end)
	if err != nil {
		return nil, err
	}
	for _, way := range []struct {
		at   int
		code asm.Instructions
	}{{outer.Index, untag(id, inner.Index)}, {inner.Index, tag(id, outer.Index)}} {
		prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: "vlan_device", Type: ebpf.SchedCLS, AttachType: ebpf.AttachTCXIngress, License: "Apache-2.0", Instructions: way.code})
		if err != nil {
			return nil, err
		}
		d.progs = append(d.progs, prog)
		l, err := link.AttachTCX(link.TCXOptions{Interface: way.at, Program: prog, Attach: ebpf.AttachTCXIngress})
		if err != nil {
			return nil, err
		}
		d.links = append(d.links, l)
	}
	return d, nil
}

// untag takes the tag off the VLAN's frames and sends them into the pair.
func untag(id uint16, to int) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R2, asm.R6, skbVLANPresent, asm.Word),
		asm.JEq.Imm(asm.R2, 0, "other"),
		asm.LoadMem(asm.R2, asm.R6, skbVLANTCI, asm.Word),
		asm.And.Imm(asm.R2, 0xfff),
		asm.JNE.Imm(asm.R2, int32(id), "other"),
		asm.FnSkbVlanPop.Call(),
		asm.Mov.Imm(asm.R1, int32(to)),
		asm.Mov.Imm(asm.R2, 0),
		asm.FnRedirect.Call(),
		asm.Return(),
		asm.Mov.Imm(asm.R0, tcxNext).WithSymbol("other"),
		asm.Return(),
	}
}

// tag sends whatever comes out of the pair out of the port, tagged.
func tag(id uint16, to int) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Imm(asm.R2, tagType),
		asm.Mov.Imm(asm.R3, int32(id)),
		asm.FnSkbVlanPush.Call(),
		asm.Mov.Imm(asm.R1, int32(to)),
		asm.Mov.Imm(asm.R2, 0),
		asm.FnRedirect.Call(),
		asm.Return(),
	}
}

// Close parts port and pair. It works after half a Join.
func (d *Device) Close() error {
	var errs []error
	for _, l := range d.links {
		errs = append(errs, l.Close())
	}
	for _, p := range d.progs {
		errs = append(errs, p.Close())
	}
	d.links, d.progs = nil, nil
	return errors.Join(errs...)
}
