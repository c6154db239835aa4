package decode

import "encoding/binary"

const ipv4HdrLen = 20

// ipv4 takes the IPv4 header (RFC 791) at off; PayloadEnd bounds it.
func (d *Decoder) ipv4(p *Packet, off int) {
	p.at(off)
	if !d.layer(p) {
		return
	}
	d.Counters.IPv4++
	limit := int(p.PayloadEnd)
	if limit-off < ipv4HdrLen {
		d.invalid(p, EvIPv4PktTooSmall)
		return
	}
	b := p.Data[off:limit]
	if b[0]>>4 != 4 {
		d.invalid(p, EvIPv4WrongIPVersion)
		return
	}
	hl := int(b[0]&0xf) * 4
	if hl < ipv4HdrLen {
		d.invalid(p, EvIPv4HLenTooSmall)
		return
	}
	total := int(be16(b[2:]))
	if total == 0 && d.aggregate {
		// BIG TCP: the aggregate is longer than the field can tell.
		total = len(b)
	}
	if total < hl {
		d.invalid(p, EvIPv4IPLenSmallerThanHLen)
		return
	}
	p.IPVersion = 4
	p.TOS = b[1]
	p.IPID = uint32(be16(b[4:]))
	p.TTL = b[8]
	p.Proto = b[9]
	setIPv4(&p.Src, b[12:])
	setIPv4(&p.Dst, b[16:])
	if total > len(b) {
		if !d.cut(p, off+total, EvIPv4TruncPkt) || len(b) < hl {
			p.Flags |= FlagInvalid
			return
		}
		total = len(b)
	}
	p.PayloadEnd = uint32(off + total)
	if d.verify && !d.aggregate && !goodHeader(b, hl) {
		p.Flags |= FlagBadIPChecksum
		d.Counters.BadIPChecksum++
	}
	if hl > ipv4HdrLen && !d.ipv4Options(p, b[ipv4HdrLen:hl]) {
		p.Flags |= FlagInvalid
		return
	}
	frag := be16(b[6:])
	if frag != 0 {
		p.DontFragment = frag&0x4000 != 0
		if frag&0x3fff != 0 {
			p.MoreFragments = frag&0x2000 != 0
			p.FragOffset = frag & 0x1fff << 3
			d.fragment4(p, off, hl, total)
			return
		}
	}
	d.transport(p, off+hl, off+total)
}

// goodHeader verifies the checksum of a header of hl bytes.
func goodHeader(b []byte, hl int) bool {
	if hl == ipv4HdrLen {
		return fold(sum20(b)) == 0xffff
	}
	return fold(sum(0, b[:hl])) == 0xffff
}

// cut handles a packet whose header promises more bytes than there are. Where
// the capture took them away it goes on with what is left (true).
func (d *Decoder) cut(p *Packet, end int, e Event) bool {
	p.event(d, e)
	p.Flags |= FlagTruncated
	return p.Flags&FlagReassembled == 0 && end <= int(d.frame.WireLen)
}

func setIPv4(a *Addr, b []byte) {
	binary.LittleEndian.PutUint64(a[8:], uint64(binary.LittleEndian.Uint32(b))<<32|0xffff0000)
}

// IPv4 option types (IANA).
const (
	optEOL   = 0
	optNOP   = 1
	optRR    = 7
	optQS    = 25
	optTS    = 68
	optSEC   = 130
	optLSRR  = 131
	optESEC  = 133
	optCIPSO = 134
	optSID   = 136
	optSSRR  = 137
	optRTRA  = 148
)

// ipv4Options checks the options; false means that the list cannot be walked to
// its end.
func (d *Decoder) ipv4Options(p *Packet, b []byte) bool {
	if len(b)%8 != 0 {
		p.event(d, EvIPv4OptPadRequired)
	}
	var seen [4]uint64
	for len(b) > 0 {
		typ := b[0]
		if typ == optEOL {
			return true
		}
		if typ == optNOP {
			b = b[1:]
			continue
		}
		if len(b) < 2 {
			p.event(d, EvIPv4OptEOLRequired)
			return true
		}
		n := int(b[1])
		if n < 2 || n > len(b) {
			p.event(d, EvIPv4OptInvalidLen)
			return false
		}
		if e := checkIPv4Option(typ, b[:n]); e != 0 {
			p.event(d, e)
		} else if seen[typ>>6]&(1<<(typ&63)) != 0 {
			p.event(d, EvIPv4OptDuplicate)
		}
		seen[typ>>6] |= 1 << (typ & 63)
		b = b[n:]
	}
	return true
}

// checkIPv4Option gives the event that an option deserves, or 0.
func checkIPv4Option(typ byte, o []byte) Event {
	n := len(o)
	switch typ {
	case optRR, optLSRR, optSSRR:
		// RFC 791: a pointer, at least 4, then whole addresses.
		if n < 3 {
			return EvIPv4OptInvalidLen
		}
		if ptr := int(o[2]); ptr < 4 || ptr%4 != 0 || ptr > n+1 || (n-3)%4 != 0 {
			return EvIPv4OptMalformed
		}
	case optTS:
		if n < 4 {
			return EvIPv4OptInvalidLen
		}
		ptr, flag := int(o[2]), o[3]&0xf
		unit := 4
		if flag == 1 || flag == 3 {
			unit = 8
		}
		if flag == 2 || flag > 3 || ptr < 5 || (ptr-5)%unit != 0 || ptr > n+1 || (n-4)%unit != 0 {
			return EvIPv4OptMalformed
		}
	case optSEC:
		if n != 11 {
			return EvIPv4OptInvalidLen
		}
	case optESEC:
		if n < 3 {
			return EvIPv4OptInvalidLen
		}
	case optSID, optRTRA:
		if n != 4 {
			return EvIPv4OptInvalidLen
		}
	case optQS:
		if n != 8 {
			return EvIPv4OptInvalidLen
		}
	case optCIPSO:
		if n < 6 {
			return EvIPv4OptInvalidLen
		}
		// FIPS 188: a domain of interpretation, then tags with their lengths.
		for t := o[6:]; len(t) > 0; {
			if len(t) < 2 || t[1] < 4 || int(t[1]) > len(t) {
				return EvIPv4OptMalformed
			}
			t = t[t[1]:]
		}
	default:
		if typ&0x60 == 0x20 || typ&0x60 == 0x60 {
			// Option classes 1 and 3 are reserved (RFC 791).
			return EvIPv4OptInvalid
		}
		return EvIPv4OptUnknown
	}
	return 0
}
