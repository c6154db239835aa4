package capture

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// MaxFrameLen is the longest frame that a PacketSocket takes whole: an
// aggregate of 64 KiB with its headers, and then some.
const MaxFrameLen = 69_632 - vnetLen

const (
	vnetLen  = 10
	slotSize = 69_632
)

// ErrInterrupted is what ReadBatch gives after Interrupt.
var ErrInterrupted = errors.New("capture interrupted")

// PacketConfig says how an AF_PACKET socket captures.
type PacketConfig struct {
	// Interface is the port to listen on.
	Interface string
	// Port goes into each Frame.
	Port uint8
	// Ring captures into a TPACKET_V3 ring: fastest for a listener, but the
	// kernel hands frames over in blocks, up to RetireAfter late. Without it
	// frames come by recvmmsg, at once and whatever their size: for inline use.
	Ring bool
	// RingBytes is the ring's size, or the receive buffer's limit without a
	// ring; 32 MiB by default.
	RingBytes int
	// RetireAfter is when the ring hands over a block that is not full; 1 ms by default.
	RetireAfter time.Duration
	// Batch is the most frames of one ReadBatch; 64 by default.
	Batch int
	// Timeout is how long ReadBatch waits without traffic; 100 ms by default.
	Timeout time.Duration
	// Promiscuous takes frames for other addresses too, until Close.
	Promiscuous bool
	// Outgoing takes the frames that the host itself sends on the port too, as
	// a listener on a router's own port needs; never inline.
	Outgoing bool
	// BusyPoll lets the kernel poll the device for this long before sleeping;
	// off when zero.
	BusyPoll time.Duration
	// Fanout shares the port with other sockets; nil takes every frame.
	Fanout *FanoutGroup
	// Filter is the descriptor of a loaded socket filter program that the
	// frames of this socket pass, valid to Start; 0 takes all.
	Filter int
	// Hold keeps the socket empty until Start, so that all sockets of a port
	// begin together.
	Hold bool
}

func (c *PacketConfig) check() error {
	if c.Interface == "" {
		return errors.New("no interface named")
	}
	if c.RingBytes == 0 {
		c.RingBytes = 32 << 20
	}
	if c.RetireAfter == 0 {
		c.RetireAfter = time.Millisecond
	}
	if c.Batch == 0 {
		c.Batch = 64
	}
	if c.Timeout == 0 {
		c.Timeout = 100 * time.Millisecond
	}
	switch {
	case c.RingBytes < 2*blockSize || c.RingBytes > 1<<31:
		return fmt.Errorf("ring of %d bytes: from %d to %d are possible", c.RingBytes, 2*blockSize, 1<<31)
	case c.Batch < 1 || c.Batch > 1024:
		return fmt.Errorf("batch of %d: from 1 to 1024 are possible", c.Batch)
	case c.RetireAfter < time.Millisecond || c.Timeout < 0 || c.BusyPoll < 0:
		return errors.New("times below what the kernel can tell apart")
	}
	return nil
}

// PacketStats counts since OpenPacket.
type PacketStats struct {
	// Frames and Bytes were given out by ReadBatch.
	Frames, Bytes uint64
	// Dropped were lost in the kernel for want of room.
	Dropped uint64
	// Truncated were longer than MaxFrameLen; they were given out cut.
	Truncated uint64
}

// PacketSocket captures from one interface. It implements Source. All methods
// but Interrupt and Stats belong to one goroutine.
type PacketSocket struct {
	cfg     PacketConfig
	fd      int
	wake    int // eventfd
	ifindex int
	poll    [2]unix.PollFd
	stopped atomic.Bool
	num     uint64
	// mu keeps Interrupt and Stats off descriptors that Close gives back.
	mu sync.Mutex

	ring *ring3
	mmsg *receiver

	frames, bytes, dropped, truncated atomic.Uint64
}

// OpenPacket opens a socket on a port of the calling thread's network
// namespace. It needs CAP_NET_RAW.
func OpenPacket(cfg PacketConfig) (_ *PacketSocket, err error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("open packet socket: %w", err)
	}
	ifi, err := net.InterfaceByName(cfg.Interface)
	if err != nil {
		return nil, fmt.Errorf("open packet socket on %s: %w", cfg.Interface, err)
	}
	s := &PacketSocket{cfg: cfg, fd: -1, wake: -1, ifindex: ifi.Index}
	defer func() {
		if err != nil {
			s.Close()
			err = fmt.Errorf("open packet socket on %s: %w", cfg.Interface, err)
		}
	}()
	// Protocol 0: nothing arrives before bind.
	if s.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if s.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	if err := s.options(); err != nil {
		return nil, err
	}
	if cfg.Ring {
		s.ring, err = newRing3(s.fd, cfg.RingBytes, cfg.RetireAfter)
	} else {
		s.mmsg, err = newReceiver(s.fd, cfg.Batch)
	}
	if err != nil {
		return nil, err
	}
	if err := s.Hold(); err != nil {
		return nil, err
	}
	addr := &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: s.ifindex}
	if err := unix.Bind(s.fd, addr); err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	if cfg.Promiscuous {
		m := unix.PacketMreq{Ifindex: int32(s.ifindex), Type: unix.PACKET_MR_PROMISC}
		if err := unix.SetsockoptPacketMreq(s.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &m); err != nil {
			return nil, os.NewSyscallError("set promiscuous", err)
		}
	}
	if cfg.Fanout != nil {
		if err := cfg.Fanout.join(s.fd, cfg.Outgoing); err != nil {
			return nil, err
		}
	}
	s.poll = [2]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}, {Fd: int32(s.wake), Events: unix.POLLIN}}
	if !cfg.Hold {
		return s, s.Start()
	}
	return s, nil
}

// options sets what must be set before the ring and bind.
func (s *PacketSocket) options() error {
	version := unix.TPACKET_V1
	if s.cfg.Ring {
		version = unix.TPACKET_V3
	}
	ignore := 1
	if s.cfg.Outgoing {
		ignore = 0
	}
	type option struct {
		level, name, value int
		what               string
	}
	options := []option{
		{unix.SOL_PACKET, unix.PACKET_VERSION, version, "set ring version"},
		{unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1, "ask for vnet headers"},
		{unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, ignore, "ignore outgoing frames"},
	}
	if !s.cfg.Ring {
		options = append(options,
			option{unix.SOL_PACKET, unix.PACKET_AUXDATA, 1, "ask for VLAN tags"},
			option{unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1, "ask for times of arrival"},
			option{unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, s.cfg.RingBytes, "set the receive buffer"})
	}
	if s.cfg.BusyPoll > 0 {
		options = append(options, option{unix.SOL_SOCKET, unix.SO_BUSY_POLL, int(s.cfg.BusyPoll.Microseconds()), "set busy polling"})
	}
	for _, o := range options {
		if err := unix.SetsockoptInt(s.fd, o.level, o.name, o.value); err != nil {
			return os.NewSyscallError(o.what, err)
		}
	}
	return nil
}

// Hold attaches a filter that takes nothing, until Start: a socket between bind
// and joining its group would see every frame of the group. What the socket has
// already can still be read.
func (s *PacketSocket) Hold() error {
	refuse := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
	prog := unix.SockFprog{Len: 1, Filter: &refuse}
	return os.NewSyscallError("hold the socket", unix.SetsockoptSockFprog(s.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog))
}

// Start lets frames in on a socket opened with Hold, those that its filter takes.
func (s *PacketSocket) Start() error {
	if s.cfg.Filter > 0 {
		return os.NewSyscallError("start capture", unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ATTACH_BPF, s.cfg.Filter))
	}
	return os.NewSyscallError("start capture", unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0))
}

// Ifindex is the interface's index.
func (s *PacketSocket) Ifindex() int { return s.ifindex }

// FD is the socket's descriptor, for a caller that polls several.
func (s *PacketSocket) FD() int { return s.fd }

// ReadBatch implements Source. Frames carry the kernel's time of their arrival.
func (s *PacketSocket) ReadBatch(b *Batch) error {
	deadline := int(s.cfg.Timeout.Milliseconds())
	for {
		if s.stopped.Load() {
			b.Frames = b.Frames[:0]
			return ErrInterrupted
		}
		if err := s.TryRead(b); err != nil || len(b.Frames) > 0 || deadline < 0 {
			return err
		}
		if _, err := unix.Poll(s.poll[:], deadline); err != nil && err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
		deadline = -1
	}
}

// TryRead is ReadBatch without waiting: b is empty where nothing is there. A
// port that is down gives nothing.
func (s *PacketSocket) TryRead(b *Batch) error {
	b.Frames = b.Frames[:0]
	var err error
	if s.ring != nil {
		if s.ring.read(b, s.cfg.Batch); len(b.Frames) == 0 {
			// A port that went down leaves an error, and poll would not wait.
			_, _ = unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		}
	} else if err = s.mmsg.read(b); errors.Is(err, unix.ENETDOWN) {
		err = nil
	}
	if n := len(b.Frames); n > 0 {
		var bytes, cut uint64
		for i := range b.Frames {
			f := &b.Frames[i]
			s.num++
			f.Num, f.Port, f.Link = s.num, s.cfg.Port, LinkEthernet
			bytes += uint64(f.WireLen)
			if int(f.WireLen) > len(f.Data) {
				cut++
			}
		}
		s.frames.Add(uint64(n))
		s.bytes.Add(bytes)
		if cut > 0 {
			s.truncated.Add(cut)
		}
	}
	return err
}

// Interrupt makes ReadBatch return ErrInterrupted, now and from now on. It may
// be called from any goroutine.
func (s *PacketSocket) Interrupt() {
	s.stopped.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wake < 0 {
		return
	}
	one := [8]byte{1}
	_, _ = unix.Write(s.wake, one[:])
}

// Stats gives the counts so far, also after Close. It may be called from any goroutine.
func (s *PacketSocket) Stats() PacketStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd < 0 {
		// The last reading stands.
	} else if s.cfg.Ring {
		if st, err := unix.GetsockoptTpacketStatsV3(s.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
			s.dropped.Add(uint64(st.Drops)) // the kernel's own count restarts with each reading
		}
	} else if st, err := unix.GetsockoptTpacketStats(s.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
		s.dropped.Add(uint64(st.Drops))
	}
	return PacketStats{
		Frames:    s.frames.Load(),
		Bytes:     s.bytes.Load(),
		Dropped:   s.dropped.Load(),
		Truncated: s.truncated.Load(),
	}
}

// Close leaves the group, takes promiscuous mode back and unmaps the frames.
func (s *PacketSocket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	if s.fd >= 0 {
		errs = append(errs, unix.Close(s.fd))
		s.fd = -1
	}
	if s.wake >= 0 {
		errs = append(errs, unix.Close(s.wake))
		s.wake = -1
	}
	if s.ring != nil {
		errs = append(errs, s.ring.close())
		s.ring = nil
	}
	if s.mmsg != nil {
		errs = append(errs, s.mmsg.close())
		s.mmsg = nil
	}
	return errors.Join(errs...)
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }

// mmsghdr is the kernel's struct mmsghdr.
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
	_   [unsafe.Sizeof(uintptr(0)) - 4]byte
}
