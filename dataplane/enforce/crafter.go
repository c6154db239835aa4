package enforce

import (
	"encoding/binary"
	"errors"

	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
)

// Errors of crafting; each means that the traffic can only be dropped silently.
var (
	// ErrLink: the frame is not plain Ethernet with VLAN tags.
	ErrLink = errors.New("link layer cannot be answered")
	// ErrTunnel: the packet came inside another one.
	ErrTunnel = errors.New("tunnelled packet cannot be answered")
	// ErrProtocol: not the protocol the call is for.
	ErrProtocol = errors.New("wrong protocol for this answer")
	// ErrAddress: an address that must never be answered (RFC 1122 §3.2.2).
	ErrAddress = errors.New("address must not be answered")
	// ErrLong: a refusal of more than MaxRefusal bytes.
	ErrLong = errors.New("refusal is too long")
)

const (
	ipv4Len, ipv6Len, tcpLen = 20, 40, 20

	// ttl of crafted packets.
	ttl = 64
	// maxTags is how many VLAN tags of a frame are carried over.
	maxTags = 4

	etherVLAN, etherQinQ, etherQinQ1 = 0x8100, 0x88a8, 0x9100
	etherIPv4, etherIPv6             = 0x0800, 0x86dd
)

// chunkLen is how much a Crafter takes from the heap at a time.
const chunkLen = 64 << 10

// Crafter makes frames in a buffer of its own. It belongs to one worker; the
// zero value is ready.
type Crafter struct {
	buf  []byte
	used int
}

// Recycle makes room: frames crafted before become invalid. A worker calls it
// at the start of each batch.
func (c *Crafter) Recycle() { c.used = 0 }

// alloc gives n zero bytes. Frames given out earlier stay valid when the
// buffer is renewed.
func (c *Crafter) alloc(n int) []byte {
	if c.used+n > len(c.buf) {
		c.buf = make([]byte, max(chunkLen, n))
		c.used = 0
	}
	b := c.buf[c.used : c.used+n : c.used+n]
	c.used += n
	clear(b)
	return b
}

// link is a frame's link header as far as an answer repeats it.
type link struct {
	dst, src [6]byte
	tags     [maxTags * 4]byte
	n        int // bytes of tags
}

// linkOf takes the addresses and all VLAN tags of a frame, the one that the
// kernel stripped first.
func linkOf(f *capture.Frame) (l link, err error) {
	if f == nil || f.Link != capture.LinkEthernet || len(f.Data) < 14 {
		return l, ErrLink
	}
	copy(l.dst[:], f.Data)
	copy(l.src[:], f.Data[6:])
	if f.HasVLAN {
		binary.BigEndian.PutUint16(l.tags[:], f.VLANTPID)
		binary.BigEndian.PutUint16(l.tags[2:], f.VLANTCI)
		l.n = 4
	}
	rest := f.Data[12:]
	for {
		if len(rest) < 2 {
			return l, ErrLink
		}
		switch binary.BigEndian.Uint16(rest) {
		case etherIPv4, etherIPv6:
			return l, nil
		case etherVLAN, etherQinQ, etherQinQ1:
			if len(rest) < 4 || l.n == len(l.tags) {
				return l, ErrLink
			}
			l.n += copy(l.tags[l.n:], rest[:4])
			rest = rest[4:]
		default:
			return l, ErrLink
		}
	}
}

// ends are the addresses of a crafted packet.
type ends struct {
	src, dst         decode.Addr
	srcPort, dstPort uint16
	v6               bool
	// back tells that the packet goes to the sender of the one it answers.
	back bool
}

// endsOf gives the ends of a packet like p (forth) or of its answer (back).
func endsOf(p *decode.Packet, back bool) ends {
	e := ends{p.Src, p.Dst, p.SrcPort, p.DstPort, p.IPVersion == 6, back}
	if back {
		e.src, e.dst = e.dst, e.src
		e.srcPort, e.dstPort = e.dstPort, e.srcPort
	}
	return e
}

// packet lays link and IP header down and gives the frame and its transport
// part of n bytes.
func (c *Crafter) packet(l *link, e *ends, proto uint8, n int) (frame, transport []byte) {
	ip := ipv4Len
	if e.v6 {
		ip = ipv6Len
	}
	frame = c.alloc(14 + l.n + ip + n)
	if e.back {
		copy(frame, l.src[:])
		copy(frame[6:], l.dst[:])
	} else {
		copy(frame, l.dst[:])
		copy(frame[6:], l.src[:])
	}
	at := 12 + copy(frame[12:], l.tags[:l.n])
	h := frame[at+2:]
	if e.v6 {
		binary.BigEndian.PutUint16(frame[at:], etherIPv6)
		h[0] = 6 << 4
		binary.BigEndian.PutUint16(h[4:], uint16(n))
		h[6], h[7] = proto, ttl
		copy(h[8:], e.src[:])
		copy(h[24:], e.dst[:])
	} else {
		binary.BigEndian.PutUint16(frame[at:], etherIPv4)
		h[0] = 4<<4 | ipv4Len/4
		binary.BigEndian.PutUint16(h[2:], uint16(ip+n))
		h[6] = 0x40 // don't fragment: the identification may then be 0 (RFC 6864)
		h[8], h[9] = ttl, proto
		copy(h[12:], e.src[12:])
		copy(h[16:], e.dst[12:])
		binary.BigEndian.PutUint16(h[10:], ^fold(sum(0, h[:ipv4Len])))
	}
	return frame, h[ip:]
}

// pseudo sums the pseudo header of TCP and ICMPv6 (RFC 9293 §3.1, RFC 8200 §8.1).
func (e *ends) pseudo(proto uint8, n int) uint32 {
	s := uint32(proto) + uint32(n)
	if e.v6 {
		return sum(sum(s, e.src[:]), e.dst[:])
	}
	return sum(sum(s, e.src[12:]), e.dst[12:])
}

// sum adds b to a one's complement sum (RFC 1071). b is short enough for 32 bits.
func sum(s uint32, b []byte) uint32 {
	for len(b) >= 2 {
		s += uint32(b[0])<<8 | uint32(b[1])
		b = b[2:]
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

// answerable checks what all answers need.
func answerable(p *decode.Packet) (link, error) {
	if p.TunnelDepth > 0 || p.Has(decode.FlagTunnel) {
		return link{}, ErrTunnel
	}
	if p.IPVersion != 4 && p.IPVersion != 6 {
		return link{}, ErrProtocol
	}
	return linkOf(p.Frame)
}
