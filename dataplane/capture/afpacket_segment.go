package capture

import (
	"encoding/binary"
)

// GSO types of struct virtio_net_hdr.
const (
	gsoTCPv4 = 1
	gsoTCPv6 = 4
	gsoECN   = 0x80
)

const (
	protoIPIP, protoTCP, protoUDP, protoIPv6, protoGRE = 4, 6, 17, 41, 47

	tcpFIN, tcpPSH, tcpCWR = 0x01, 0x08, 0x80
)

// tunnelled is an aggregate of TCP segments inside a tunnel, taken apart. The
// virtio header has no word for the tunnel, so the kernel refuses to send such
// an aggregate: it has to be cut up here.
type tunnelled struct {
	frame        []byte
	outer, inner int // offsets of the IP headers
	udp, gre     int // offset of the outer UDP or GRE header, 0 without
	tcp, payload int // offsets
	size         int // of a segment's payload
}

// isTunnelled reports whether the frame is a TCP aggregate whose outermost
// transport is not TCP. It looks at a few bytes only.
func isTunnelled(frame []byte, h *[vnetLen]byte) bool {
	if t := h[vnetGSOType] &^ gsoECN; t != gsoTCPv4 && t != gsoTCPv6 {
		return false
	}
	at, v6, ok := outerIP(frame)
	if !ok {
		return false
	}
	if v6 {
		return frame[at+6] == protoUDP || frame[at+6] == protoGRE || frame[at+6] == protoIPIP || frame[at+6] == protoIPv6
	}
	return frame[at+9] != protoTCP
}

// outerIP finds the first IP header, behind VLAN tags in the frame.
func outerIP(frame []byte) (at int, v6, ok bool) {
	for at = 12; at+4 <= len(frame); at += 4 {
		switch binary.BigEndian.Uint16(frame[at:]) {
		case 0x0800:
			return at + 2, false, at+2+20 <= len(frame)
		case 0x86dd:
			return at + 2, true, at+2+40 <= len(frame)
		case 0x8100, 0x88a8, 0x9100:
		default:
			return 0, false, false
		}
	}
	return 0, false, false
}

// takeApart finds the headers of a tunnelled aggregate. Each length field must
// agree with the frame's: one more level of tunnel, or a form not known here,
// makes it report false.
func takeApart(frame []byte, h *[vnetLen]byte) (t tunnelled, ok bool) {
	t.frame = frame
	t.size = int(binary.LittleEndian.Uint16(h[4:]))
	t.tcp = int(binary.LittleEndian.Uint16(h[vnetCsumStart:]))
	if h[vnetFlags]&vnetNeedsCsum == 0 || t.size == 0 || t.tcp+20 > len(frame) {
		return t, false
	}
	t.payload = t.tcp + int(frame[t.tcp+12]>>4)*4
	if t.payload < t.tcp+20 || t.payload >= len(frame) {
		return t, false
	}
	at, v6, ok := outerIP(frame)
	if !ok || !fits(frame, at, v6) {
		return t, false
	}
	t.outer = at
	next, proto := at+40, frame[at+6]
	if !v6 {
		next, proto = at+int(frame[at]&15)*4, frame[at+9]
	}
	switch proto {
	case protoUDP:
		if next+8 > len(frame) || int(binary.BigEndian.Uint16(frame[next+4:])) != len(frame)-next {
			return t, false
		}
		t.udp = next
		next += 8
	case protoGRE:
		// A checksum or sequence number would differ for each segment.
		if next+4 > len(frame) || frame[next]&0x90 != 0 {
			return t, false
		}
		t.gre = next
		next += 4
	case protoIPIP, protoIPv6:
	default:
		return t, false
	}
	// Backwards from TCP: tunnels' own headers vary, IP's do not.
	if at := t.tcp - 40; at >= next && frame[at]>>4 == 6 && frame[at+6] == protoTCP && fits(frame, at, true) {
		t.inner = at
		return t, true
	}
	for ihl := 5; ihl <= 15; ihl++ {
		at := t.tcp - 4*ihl
		if at >= next && frame[at] == byte(4<<4|ihl) && frame[at+9] == protoTCP && fits(frame, at, false) {
			t.inner = at
			return t, true
		}
	}
	return t, false
}

// fits reports whether an IP header's length ends where the frame ends.
func fits(frame []byte, at int, v6 bool) bool {
	if v6 {
		return int(binary.BigEndian.Uint16(frame[at+4:])) == len(frame)-at-40
	}
	return frame[at]&15 >= 5 && int(binary.BigEndian.Uint16(frame[at+2:])) == len(frame)-at
}

// count is how many segments there are.
func (t *tunnelled) count() int { return (len(t.frame) - t.payload + t.size - 1) / t.size }

// segment writes the i-th segment into dst, which has room for
// t.payload+t.size bytes, and gives its length.
func (t *tunnelled) segment(dst []byte, i int) int {
	from := t.payload + i*t.size
	to := min(from+t.size, len(t.frame))
	last := to == len(t.frame)
	n := copy(dst, t.frame[:t.payload])
	n += copy(dst[n:], t.frame[from:to])
	s := dst[:n]

	tcp := s[t.tcp:]
	binary.BigEndian.PutUint32(tcp[4:], binary.BigEndian.Uint32(tcp[4:])+uint32(i*t.size))
	if !last {
		tcp[13] &^= tcpFIN | tcpPSH
	}
	if i > 0 {
		tcp[13] &^= tcpCWR
	}
	ipLengths(s, t.inner, i)
	clear(tcp[16:18])
	binary.BigEndian.PutUint16(tcp[16:], ^foldSum(addSum(pseudoSum(s, t.inner, protoTCP, len(tcp)), tcp)))

	ipLengths(s, t.outer, i)
	if t.udp > 0 {
		udp := s[t.udp:]
		binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
		if udp[6] != 0 || udp[7] != 0 {
			clear(udp[6:8])
			c := ^foldSum(addSum(pseudoSum(s, t.outer, protoUDP, len(udp)), udp))
			if c == 0 {
				c = 0xffff // zero would mean none (RFC 768)
			}
			binary.BigEndian.PutUint16(udp[6:], c)
		}
	}
	return n
}

// ipLengths sets an IP header's length to the frame's end, and for IPv4 counts
// the identification up and renews the checksum.
func ipLengths(s []byte, at, i int) {
	ip := s[at:]
	if ip[0]>>4 == 6 {
		binary.BigEndian.PutUint16(ip[4:], uint16(len(ip)-40))
		return
	}
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	binary.BigEndian.PutUint16(ip[4:], binary.BigEndian.Uint16(ip[4:])+uint16(i))
	clear(ip[10:12])
	binary.BigEndian.PutUint16(ip[10:], ^foldSum(addSum(0, ip[:int(ip[0]&15)*4])))
}

// pseudoSum sums the pseudo header of what the IP header at offset at carries.
func pseudoSum(s []byte, at int, proto uint8, n int) uint64 {
	ip := s[at:]
	if ip[0]>>4 == 6 {
		return addSum(uint64(proto)+uint64(n), ip[8:40])
	}
	return addSum(uint64(proto)+uint64(n), ip[12:20])
}

// addSum adds b to a one's complement sum (RFC 1071).
func addSum(s uint64, b []byte) uint64 {
	for len(b) >= 8 {
		w := binary.BigEndian.Uint64(b)
		s += w>>32 + w&0xffffffff
		b = b[8:]
	}
	for len(b) >= 2 {
		s += uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	return s
}

func foldSum(s uint64) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}
