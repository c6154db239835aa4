package decode

import "encoding/binary"

const ipv6HdrLen = 40

// IPv6 next-header values of extension headers (IANA).
const (
	nhHopByHop = 0
	nhRouting  = 43
	nhFragment = 44
	nhNone     = 59
	nhDestOpts = 60
	nhMobility = 135
	nhHIP      = 139
	nhShim6    = 140
)

// ipv6 takes the IPv6 header (RFC 8200) at off; PayloadEnd bounds it.
func (d *Decoder) ipv6(p *Packet, off int) {
	p.at(off)
	if !d.layer(p) {
		return
	}
	d.Counters.IPv6++
	limit := int(p.PayloadEnd)
	if limit-off < ipv6HdrLen {
		d.invalid(p, EvIPv6PktTooSmall)
		return
	}
	b := p.Data[off:limit]
	if b[0]>>4 != 6 {
		d.invalid(p, EvIPv6WrongIPVersion)
		return
	}
	p.IPVersion = 6
	p.TOS = uint8(be16(b) >> 4)
	p.TTL = b[7]
	next := b[6]
	p.Proto = next
	p.Src = Addr(b[8:24])
	p.Dst = Addr(b[24:40])
	total := ipv6HdrLen + int(be16(b[4:]))
	if total == ipv6HdrLen && next == nhHopByHop {
		if n := jumbo(b[ipv6HdrLen:]); n != 0 {
			total = ipv6HdrLen + n
		}
	}
	if total > len(b) {
		if !d.cut(p, off+total, EvIPv6TruncPkt) {
			p.Flags |= FlagInvalid
			return
		}
		total = len(b)
	}
	p.PayloadEnd = uint32(off + total)
	switch next {
	case ProtoTCP, ProtoUDP, ProtoICMPv6:
		d.transport(p, off+ipv6HdrLen, off+total)
	default:
		d.extHeaders(p, off)
	}
}

// jumbo gives the jumbo payload length (RFC 2675) of a hop-by-hop header that
// begins with that option, or 0.
func jumbo(b []byte) int {
	if len(b) < 8 || b[2] != 0xc2 || b[3] != 4 {
		return 0
	}
	if n := be32(b[4:]); n > 65535 && n < 1<<30 {
		return int(n)
	}
	return 0
}

// extHeaders walks the extension headers of the packet at off, whose Proto and
// PayloadEnd are set.
func (d *Decoder) extHeaders(p *Packet, off int) {
	at, end := off+ipv6HdrLen, int(p.PayloadEnd)
	next := p.Proto
	// nhAt is where the number of the current header is written: defragmentation
	// rewrites it there.
	nhAt := off + 6
	var hh, rh, fh, ah bool
	dst := 0
	for {
		p.Proto, p.L4, p.Payload = next, uint32(at), uint32(at)
		b := p.Data[at:end]
		var n int
		if len(b) < 2 && next != nhNone && at > off+ipv6HdrLen {
			d.invalid(p, EvIPv6TruncExthdr)
			return
		}
		switch next {
		case nhHopByHop, nhRouting, nhDestOpts, nhMobility, nhHIP, nhShim6:
			if len(b) < 8 {
				d.invalid(p, EvIPv6TruncExthdr)
				return
			}
			n = 8 + int(b[1])*8
		case ProtoAH:
			if len(b) < 12 {
				d.invalid(p, EvIPv6TruncExthdr)
				return
			}
			n = 8 + int(b[1])*4
		case nhFragment:
			if n = 8; len(b) < n {
				d.invalid(p, EvIPv6TruncExthdr)
				return
			}
		case nhNone:
			if len(b) > 0 {
				p.event(d, EvIPv6DataAfterNoneHeader)
			}
			return
		default:
			d.transport(p, at, end)
			return
		}
		if n > len(b) {
			d.invalid(p, EvIPv6TruncExthdr)
			return
		}
		switch next {
		case nhHopByHop:
			if hh {
				p.event(d, EvIPv6ExthdrDuplHH)
			}
			hh = true
			d.ipv6Options(p, b[2:n], EvIPv6HopoptsUnknownOpt, EvIPv6HopoptsOnlyPadding)
		case nhDestOpts:
			// One before a routing header and one before the upper layer (RFC 8200 §4.1).
			if dst++; dst > 2 {
				p.event(d, EvIPv6ExthdrDuplDH)
			}
			d.ipv6Options(p, b[2:n], EvIPv6DstoptsUnknownOpt, EvIPv6DstoptsOnlyPadding)
		case nhRouting:
			if rh {
				p.event(d, EvIPv6ExthdrDuplRH)
			}
			rh = true
			d.routing(p, b[:n])
		case ProtoAH:
			if ah {
				p.event(d, EvIPv6ExthdrDuplAH)
			}
			ah = true
			p.SPI = be32(b[4:])
			if be16(b[2:]) != 0 {
				p.event(d, EvIPv6ExthdrAHResNotNull)
			}
		case nhFragment:
			if fh {
				// No sender nests fragments, and no receiver agrees on them.
				d.invalid(p, EvIPv6ExthdrDuplFH)
				return
			}
			fh = true
			if d.fragment6(p, off, nhAt, at, end) {
				return
			}
		}
		if !d.layer(p) {
			return
		}
		nhAt, next = at, b[0]
		at += n
	}
}

// ipv6Options checks the options of a hop-by-hop or destination header.
func (d *Decoder) ipv6Options(p *Packet, b []byte, unknown, onlyPadding Event) {
	padding, others := 0, 0
	odd := false
	for len(b) > 0 {
		if b[0] == 0 { // Pad1
			padding++
			b = b[1:]
			continue
		}
		if len(b) < 2 || int(b[1]) > len(b)-2 {
			p.event(d, EvIPv6ExthdrInvalidOptlen)
			return
		}
		n := int(b[1])
		switch b[0] {
		case 1: // PadN
			padding++
			if n == 0 {
				p.event(d, EvIPv6ZeroLenPadn)
			}
		case 0x05: // router alert, RFC 2711
			others++
			if n != 2 {
				p.event(d, EvIPv6ExthdrInvalidOptlen)
			}
		case 0xc2: // jumbo payload, RFC 2675
			others++
			if n != 4 {
				p.event(d, EvIPv6ExthdrInvalidOptlen)
			}
		case 0xc9: // home address, RFC 6275
			others++
			if n != 16 {
				p.event(d, EvIPv6ExthdrInvalidOptlen)
			}
		case 0x04, 0x07, 0x08, 0x26, 0x30, 0x31, 0x63, 0x6d, 0x8b, 0x8c, 0x23, 0x12, 0x13, 0x0f, 0x11:
			// Tunnel limit, CALIPSO, SMF, quick start, MTU and others of IANA's list.
			others++
		default:
			others++
			odd = true
		}
		b = b[2+n:]
	}
	if odd {
		p.event(d, unknown)
	}
	if others == 0 && padding > 0 {
		p.event(d, onlyPadding)
	}
}

// routing takes a routing header: while segments are left, the transport's
// pseudo header holds the last address of the list and not the packet's
// destination, so the checksum is left alone.
func (d *Decoder) routing(p *Packet, b []byte) {
	if b[2] == 0 {
		p.event(d, EvIPv6RHType0)
	}
	if b[3] != 0 {
		d.routed = p
	}
}

// fragment6 takes a fragment header at at; true means that the packet ends
// here, being a fragment.
func (d *Decoder) fragment6(p *Packet, off, nhAt, at, end int) bool {
	b := p.Data[at:end]
	field := be16(b[2:])
	p.IPID = binary.BigEndian.Uint32(b[4:])
	p.FragOffset = field &^ 7
	p.MoreFragments = field&1 != 0
	if field&6 != 0 || b[1] != 0 {
		p.event(d, EvIPv6FHNonZeroReservedField)
	}
	if field&^6 == 0 {
		// An atomic fragment is a whole packet (RFC 6946).
		p.event(d, EvIPv6ExthdrUselessFH)
		return false
	}
	d.reassemble6(p, off, nhAt, at, end)
	return true
}
