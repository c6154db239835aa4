package capture

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sendBatch is how many frames go to the kernel in one call.
const sendBatch = 64

// scratchLen is room for the segments of about three aggregates.
const scratchLen = 256 << 10

// sendTimeout is how long a stuck card may hold a worker up before frames are
// given up.
const sendTimeout = 50 * time.Millisecond

// SendStats counts since OpenSender.
type SendStats struct {
	// Frames and Bytes were taken by the kernel.
	Frames, Bytes uint64
	// Truncated were cut by the capture and so not sent.
	Truncated uint64
	// Segmented are tunnelled aggregates that were cut up before sending.
	Segmented uint64
	// TooLong exceeded the port's MTU; NoBuffer met a full queue; Down a port
	// without link; Failed anything else.
	TooLong, NoBuffer, Down, Failed uint64
}

// PacketSender sends frames out of one interface as they came in on another:
// with checksums and segmentation still owed, and with their VLAN tag back in
// place. All methods but Stats belong to one goroutine.
type PacketSender struct {
	fd   int
	hdrs [sendBatch]mmsghdr
	iovs [sendBatch][4]unix.Iovec
	vnet [sendBatch][vnetLen]byte
	tags [sendBatch][4]byte
	size [sendBatch]uint32
	n    int
	// scratch holds the segments of tunnelled aggregates until they are sent.
	scratch []byte
	used    int

	frames, bytes, truncated, segmented, tooLong, noBuffer, down, failed atomic.Uint64
}

// OpenSender opens a socket that only sends, on a port of the calling thread's
// network namespace. It needs CAP_NET_RAW.
func OpenSender(iface string) (_ *PacketSender, err error) {
	ifi, err := net.InterfaceByName(iface)
	if err != nil {
		return nil, fmt.Errorf("open packet sender on %s: %w", iface, err)
	}
	s := &PacketSender{}
	if s.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
		return nil, fmt.Errorf("open packet sender on %s: %w", iface, os.NewSyscallError("socket", err))
	}
	defer func() {
		if err != nil {
			unix.Close(s.fd)
			err = fmt.Errorf("open packet sender on %s: %w", iface, err)
		}
	}()
	timeout := unix.NsecToTimeval(int64(sendTimeout))
	for _, err := range []error{
		os.NewSyscallError("announce vnet headers", unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1)),
		os.NewSyscallError("set the send buffer", unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 16<<20)),
		os.NewSyscallError("set the send time-out", unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &timeout)),
		// Protocol 0: the socket never receives.
		os.NewSyscallError("bind", unix.Bind(s.fd, &unix.SockaddrLinklayer{Ifindex: ifi.Index})),
	} {
		if err != nil {
			return nil, err
		}
	}
	for i := range s.hdrs {
		s.hdrs[i].hdr.Iov = &s.iovs[i][0]
		s.iovs[i][0].Base = &s.vnet[i][0]
		s.iovs[i][0].SetLen(vnetLen)
	}
	return s, nil
}

// SetMark has all frames from now on bear a mark for programs and filters of
// this host. It needs CAP_NET_ADMIN.
func (s *PacketSender) SetMark(mark uint32) error {
	return os.NewSyscallError("set the mark", unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_MARK, int(mark)))
}

// Add queues a captured frame, whose bytes must stay valid to the next Flush;
// Add itself flushes when the queue is full. A truncated frame is counted and
// not sent.
func (s *PacketSender) Add(f *Frame) {
	if int(f.WireLen) > len(f.Data) || len(f.Data) < 14 {
		s.truncated.Add(1)
		return
	}
	if f.HasVNet && isTunnelled(f.Data, &f.VNet) {
		s.addSegments(f)
		return
	}
	s.queue(f.Data, f)
	if i := s.n - 1; f.HasVNet {
		s.vnet[i] = f.VNet
		finishSCTP(f.Data, &s.vnet[i])
		if f.HasVLAN {
			shiftVNet(&s.vnet[i], 4)
		}
	}
}

// queue takes the next place for data, with the VLAN tag of f put back in.
func (s *PacketSender) queue(data []byte, f *Frame) {
	if s.n == sendBatch {
		s.Flush()
	}
	i := s.n
	s.n++
	s.vnet[i] = [vnetLen]byte{}
	iov := &s.iovs[i]
	iov[1].Base = &data[0]
	if !f.HasVLAN {
		iov[1].SetLen(len(data))
		s.hdrs[i].hdr.SetIovlen(2)
		s.size[i] = uint32(len(data))
		return
	}
	s.tags[i] = [4]byte{byte(f.VLANTPID >> 8), byte(f.VLANTPID), byte(f.VLANTCI >> 8), byte(f.VLANTCI)}
	iov[1].SetLen(12)
	iov[2].Base = &s.tags[i][0]
	iov[2].SetLen(4)
	iov[3].Base = &data[12]
	iov[3].SetLen(len(data) - 12)
	s.hdrs[i].hdr.SetIovlen(4)
	s.size[i] = uint32(len(data) + 4)
}

// addSegments cuts a tunnelled aggregate up and queues its segments. One that
// cannot be taken apart is counted as failed.
func (s *PacketSender) addSegments(f *Frame) {
	t, ok := takeApart(f.Data, &f.VNet)
	if !ok || t.payload+t.size > scratchLen {
		s.failed.Add(1)
		return
	}
	if s.scratch == nil {
		s.scratch = make([]byte, scratchLen) // once, and only where there are tunnels
	}
	s.segmented.Add(1)
	for i := range t.count() {
		if s.n == sendBatch || s.used+t.payload+t.size > len(s.scratch) {
			s.Flush()
		}
		n := t.segment(s.scratch[s.used:], i)
		s.queue(s.scratch[s.used:s.used+n], f)
		s.used += n
	}
}

// AddRaw queues a complete frame of our own making, VLAN tags and checksums
// included. It must stay unchanged to the next Flush.
func (s *PacketSender) AddRaw(frame []byte) {
	if len(frame) < 14 {
		s.truncated.Add(1)
		return
	}
	s.queue(frame, &untagged)
}

// untagged stands for the metadata of frames that have none.
var untagged Frame

// Flush sends what is queued. A frame that the kernel refuses is counted and
// left out, and the rest goes on.
func (s *PacketSender) Flush() {
	at := 0
	var frames, bytes uint64
	for at < s.n {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.hdrs[at])),
			uintptr(s.n-at), 0, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			s.refused(errno)
			at++
			continue
		}
		for range int(n) {
			frames++
			bytes += uint64(s.size[at])
			at++
		}
	}
	s.n, s.used = 0, 0
	if frames > 0 {
		s.frames.Add(frames)
		s.bytes.Add(bytes)
	}
}

func (s *PacketSender) refused(errno unix.Errno) {
	switch errno {
	case unix.EMSGSIZE:
		s.tooLong.Add(1)
	case unix.ENOBUFS, unix.EAGAIN, unix.ENOMEM:
		s.noBuffer.Add(1)
	case unix.ENETDOWN, unix.ENXIO, unix.ENODEV:
		s.down.Add(1)
	default:
		s.failed.Add(1)
	}
}

// Stats gives the counts so far. It may be called from any goroutine.
func (s *PacketSender) Stats() SendStats {
	return SendStats{
		Frames: s.frames.Load(), Bytes: s.bytes.Load(), Truncated: s.truncated.Load(), Segmented: s.segmented.Load(),
		TooLong: s.tooLong.Load(), NoBuffer: s.noBuffer.Load(), Down: s.down.Load(), Failed: s.failed.Load(),
	}
}

// Close gives the socket back; what is queued is dropped.
func (s *PacketSender) Close() error {
	if s.fd < 0 {
		return errors.New("packet sender is closed")
	}
	err := unix.Close(s.fd)
	s.fd = -1
	return os.NewSyscallError("close", err)
}
