package capture

import (
	"encoding/binary"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// receiver takes frames by recvmmsg into slots of its own, each large enough
// for an aggregate.
type receiver struct {
	fd    int
	mem   []byte
	hdrs  []mmsghdr
	iovs  []unix.Iovec
	ctls  [][controlLen]byte
	dirty int // headers that the last call wrote to
	// take is how many slots the next call may fill: few where frames are large,
	// so that their bytes are still in the processor's cache when they are used.
	take int
}

// warmBytes is about what a processor's own cache keeps of a batch.
const warmBytes = 512 << 10

// minTake is the least that a call takes.
const minTake = 8

// controlLen has room for one struct tpacket_auxdata and one struct timespec,
// each with its cmsghdr.
const (
	controlLen = 96
	auxLen     = 20
	stampLen   = 16
)

func newReceiver(fd, batch int) (*receiver, error) {
	mem, err := unix.Mmap(-1, 0, batch*slotSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, os.NewSyscallError("map frame buffers", err)
	}
	r := &receiver{
		fd:   fd,
		mem:  mem,
		hdrs: make([]mmsghdr, batch),
		iovs: make([]unix.Iovec, batch),
		ctls: make([][controlLen]byte, batch),
		take: batch,
	}
	for i := range r.hdrs {
		r.iovs[i].Base = &mem[i*slotSize]
		r.iovs[i].SetLen(slotSize)
		h := &r.hdrs[i].hdr
		h.Iov = &r.iovs[i]
		h.SetIovlen(1)
		h.Control = &r.ctls[i][0]
		h.SetControllen(controlLen)
	}
	return r, nil
}

func (r *receiver) close() error { return os.NewSyscallError("munmap", unix.Munmap(r.mem)) }

// read appends to b what is there. Its frames live in the slots until the next read.
func (r *receiver) read(b *Batch) error {
	for i := range r.dirty {
		r.hdrs[i].hdr.SetControllen(controlLen)
	}
	r.dirty = 0
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(r.fd), uintptr(unsafe.Pointer(&r.hdrs[0])),
		uintptr(r.take), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		if errno == unix.EAGAIN || errno == unix.EINTR {
			return nil
		}
		return errno
	}
	r.dirty = int(n)
	now, sum := time.Now().UnixNano(), 0
	for i := range int(n) {
		m := &r.hdrs[i]
		got := int(m.n)
		sum += got
		if got <= vnetLen {
			continue
		}
		slot := r.mem[i*slotSize : i*slotSize+min(got, slotSize)]
		b.Frames = append(b.Frames, Frame{
			Data:    slot[vnetLen:len(slot):len(slot)],
			WireLen: uint32(len(slot) - vnetLen),
			Time:    now,
			HasVNet: true,
			VNet:    [10]byte(slot),
			Slot:    uint32(i),
		})
		f := &b.Frames[len(b.Frames)-1]
		ctl := r.ctls[i][:min(int(m.hdr.Controllen), controlLen)]
		if t := findControl(ctl, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, stampLen); t != nil {
			f.Time = min(int64(binary.NativeEndian.Uint64(t))*1e9+int64(binary.NativeEndian.Uint64(t[8:])), now)
		}
		if aux := findControl(ctl, unix.SOL_PACKET, unix.PACKET_AUXDATA, auxLen); aux != nil {
			f.aux(aux)
		} else if m.hdr.Flags&unix.MSG_TRUNC != 0 {
			f.WireLen++ // by how much is not known
		}
	}
	r.take = min(max(warmBytes*int(n)/max(sum, 1), min(minTake, len(r.hdrs))), len(r.hdrs))
	return nil
}

// findControl gives the data of a control message in a buffer of them, or nil.
func findControl(ctl []byte, ofLevel, ofKind uint32, size int) []byte {
	const header = unix.SizeofCmsghdr
	for len(ctl) >= header {
		n := int(binary.NativeEndian.Uint64(ctl))
		if n < header || n > len(ctl) {
			return nil
		}
		level, kind := binary.NativeEndian.Uint32(ctl[8:]), binary.NativeEndian.Uint32(ctl[12:])
		if level == ofLevel && kind == ofKind && n >= header+size {
			return ctl[header : header+size]
		}
		next := (n + 7) &^ 7
		if next > len(ctl) {
			return nil
		}
		ctl = ctl[next:]
	}
	return nil
}

// aux takes length and VLAN tag from a struct tpacket_auxdata.
func (f *Frame) aux(a []byte) {
	status := binary.NativeEndian.Uint32(a)
	if n := binary.NativeEndian.Uint32(a[4:]); n > f.WireLen {
		f.WireLen = n
	}
	f.vlan(status, binary.NativeEndian.Uint16(a[16:]), binary.NativeEndian.Uint16(a[18:]))
}

func (f *Frame) vlan(status uint32, tci, tpid uint16) {
	if status&unix.TP_STATUS_VLAN_VALID == 0 {
		return
	}
	f.HasVLAN, f.VLANTCI, f.VLANTPID = true, tci, unix.ETH_P_8021Q
	if status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
		f.VLANTPID = tpid
	}
}
