package capture

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Fill tells how full the socket's buffer is, from 0 to 1: how near frames are
// to being lost. It belongs to the goroutine that reads.
func (s *PacketSocket) Fill() float64 {
	if s.ring != nil {
		return s.ring.fill()
	}
	// SO_MEMINFO gives the bytes that wait, with all their overhead, and the limit.
	var info [9]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s.fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info[0])), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 || info[1] == 0 {
		return 0
	}
	return min(float64(info[0])/float64(info[1]), 1)
}

// fill is the share of blocks that wait to be read.
func (r *ring3) fill() float64 {
	waiting := 0
	for i := range r.blocks {
		if atomic.LoadUint32(&r.desc((r.next+i)%r.blocks).status)&unix.TP_STATUS_USER == 0 {
			break
		}
		waiting++
	}
	return float64(waiting) / float64(r.blocks)
}
