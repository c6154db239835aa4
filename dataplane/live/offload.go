package live

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// offload is one switch of a network card (ETHTOOL_GFLAGS' bits, and GRO,
// which has a command of its own).
type offload uint32

const (
	offloadRXVLAN offload = 1 << 8
	offloadLRO    offload = 1 << 15
	offloadGRO    offload = 1 // no bit of GFLAGS
)

// String gives ethtool's name.
func (o offload) String() string {
	switch o {
	case offloadRXVLAN:
		return "rxvlan"
	case offloadLRO:
		return "lro"
	}
	return "gro"
}

// Commands of linux/ethtool.h that x/sys does not name.
const (
	ethtoolGFlags = 0x25
	ethtoolSFlags = 0x26
	ethtoolGGRO   = 0x2b
	ethtoolSGRO   = 0x2c
)

// ethtoolValue is struct ethtool_value.
type ethtoolValue struct {
	cmd, data uint32
}

// ifreqData is struct ifreq with a pointer in its union.
type ifreqData struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [24 - unsafe.Sizeof(uintptr(0))]byte
}

// offloads switches one interface's offloads.
type offloads struct {
	fd   int
	name string
}

func openOffloads(name string) (*offloads, error) {
	if len(name) >= unix.IFNAMSIZ {
		return nil, fmt.Errorf("interface name %q is too long", name)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	return &offloads{fd, name}, nil
}

func (o *offloads) close() { unix.Close(o.fd) }

func (o *offloads) call(v *ethtoolValue) error {
	return o.ask(unsafe.Pointer(v))
}

func (o *offloads) get(what offload) (bool, error) {
	v := ethtoolValue{cmd: ethtoolGFlags}
	if what == offloadGRO {
		v.cmd = ethtoolGGRO
	}
	if err := o.call(&v); err != nil {
		return false, err
	}
	if what == offloadGRO {
		return v.data != 0, nil
	}
	return v.data&uint32(what) != 0, nil
}

// set switches an offload. A driver that cannot says so with an error.
func (o *offloads) set(what offload, on bool) error {
	if what == offloadGRO {
		v := ethtoolValue{cmd: ethtoolSGRO}
		if on {
			v.data = 1
		}
		return o.call(&v)
	}
	v := ethtoolValue{cmd: ethtoolGFlags}
	if err := o.call(&v); err != nil {
		return err
	}
	v.cmd = ethtoolSFlags
	if on {
		v.data |= uint32(what)
	} else {
		v.data &^= uint32(what)
	}
	return o.call(&v)
}

// differs gives the present state where it is not the wanted one, else nil. A
// card without the offload does not differ.
func (o *offloads) differs(what offload, want bool) *bool {
	is, err := o.get(what)
	if err != nil || is == want {
		return nil
	}
	return &is
}
