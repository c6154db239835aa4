package decode

// GRE flag bits of the first 16-bit word (RFC 1701, 2784, 2890, 2637).
const (
	greChecksum = 0x8000
	greRouting  = 0x4000
	greKey      = 0x2000
	greSequence = 0x1000
	greSSR      = 0x0800
	greAck      = 0x0080
)

// gre takes a GRE header and what it carries.
func (d *Decoder) gre(p *Packet, off, end int) {
	d.Counters.GRE++
	b := p.Data[off:end]
	if len(b) < 4 {
		d.invalid(p, EvGREPktTooSmall)
		return
	}
	word, et := be16(b), be16(b[2:])
	n, kind, key := 0, tunGRE, uint32(0)
	switch word & 7 {
	case 0:
		n, key = d.gre0(p, word, b)
	case 1:
		n = d.gre1(p, word, et, b)
		kind = tunPPTP
	default:
		d.invalid(p, EvGREWrongVersion)
		return
	}
	if n == 0 {
		return
	}
	p.L4HdrLen = uint8(min(n, 255))
	at := off + n
	p.Payload = uint32(at)
	switch et {
	case etherPPP:
		if at == end {
			return // an acknowledgement alone
		}
		if q := d.tunnel(p, kind, key, at, end); q != nil {
			d.ppp(q, at)
		}
	case etherERSPAN:
		if word&0xf7ff == 0 {
			// Type I: no sequence number, no header.
			d.Counters.ERSPAN++
			if q := d.tunnel(p, tunERSPAN, 0, at, end); q != nil {
				d.ethernet(q, at)
			}
			return
		}
		d.erspan(p, at, end)
	case etherTEB:
		if q := d.tunnel(p, kind, key, at, end); q != nil {
			d.ethernet(q, at)
		}
	case etherIPv4, etherIPv6, etherVLAN, etherQinQ, etherARP, etherMPLS, etherMPLSMC, etherNSH:
		if q := d.tunnel(p, kind, key, at, end); q != nil {
			d.etherType(q, et, at, EvEthernetUnknownEthertype)
		}
	}
}

// gre0 takes a version 0 header and gives its length (0: invalid) and key.
func (d *Decoder) gre0(p *Packet, word uint16, b []byte) (int, uint32) {
	if word&0x0700 != 0 {
		d.invalid(p, EvGREVersion0Recur)
		return 0, 0
	}
	if word&0x00f8 != 0 {
		d.invalid(p, EvGREVersion0Flags)
		return 0, 0
	}
	n, key := 4, uint32(0)
	if word&(greChecksum|greRouting) != 0 {
		n += 4
	}
	if word&greKey != 0 {
		if len(b) >= n+4 {
			key = be32(b[n:])
		}
		n += 4
	}
	if word&greSequence != 0 {
		n += 4
	}
	if n > len(b) {
		d.invalid(p, EvGREVersion0HdrTooBig)
		return 0, 0
	}
	if word&greRouting != 0 {
		// Source route entries, up to an empty one (RFC 1701).
		for {
			if len(b)-n < 4 {
				d.invalid(p, EvGREVersion0MalformedSREHdr)
				return 0, 0
			}
			af, sre := be16(b[n:]), int(b[n+3])
			n += 4
			if af == 0 && sre == 0 {
				break
			}
			if sre > len(b)-n {
				d.invalid(p, EvGREVersion0MalformedSREHdr)
				return 0, 0
			}
			n += sre
		}
	}
	return n, key
}

// gre1 takes an enhanced GRE header (PPTP, RFC 2637 §4.1) and gives its length,
// or 0 for invalid. The call id in its key differs by direction.
func (d *Decoder) gre1(p *Packet, word, et uint16, b []byte) int {
	var e Event
	switch {
	case word&greChecksum != 0:
		e = EvGREVersion1Chksum
	case word&greRouting != 0:
		e = EvGREVersion1Route
	case word&greSSR != 0:
		e = EvGREVersion1SSR
	case word&0x0700 != 0:
		e = EvGREVersion1Recur
	case word&0x0078 != 0:
		e = EvGREVersion1Flags
	case et != etherPPP:
		e = EvGREVersion1WrongProtocol
	case word&greKey == 0:
		e = EvGREVersion1NoKey
	}
	if e != 0 {
		d.invalid(p, e)
		return 0
	}
	n := 8
	if word&greSequence != 0 {
		n += 4
	}
	if word&greAck != 0 {
		n += 4
	}
	if n > len(b) {
		d.invalid(p, EvGREVersion1HdrTooBig)
		return 0
	}
	return n
}

// erspan takes an ERSPAN header (draft-foschiano-erspan §4.2, §4.3): of type II,
// which is version 1 in its first bits, or of type III, version 2. Its VLAN is the
// mirrored frame's.
func (d *Decoder) erspan(p *Packet, off, end int) {
	d.Counters.ERSPAN++
	b := p.Data[off:end]
	if len(b) < 8 {
		d.invalid(p, EvERSPANHeaderTooSmall)
		return
	}
	n := 8
	switch b[0] >> 4 {
	case 1:
	case 2:
		if n = 12; len(b) < n {
			d.invalid(p, EvERSPANHeaderTooSmall)
			return
		}
		if b[11]&1 != 0 {
			n += 8 // the platform's own part
		}
		// The mirrored frame is Ethernet or, of frame type 2, IP alone.
		if kind := b[10] >> 2 & 0x1f; kind == 2 && len(b) > n {
			if q := d.tunnel(p, tunERSPAN, 0, off+n, end); q != nil {
				d.ipAt(q, off+n)
			}
			return
		}
	default:
		p.event(d, EvERSPANUnsupportedVersion)
		return
	}
	if len(b) < n {
		d.invalid(p, EvERSPANHeaderTooSmall)
		return
	}
	// The session id tells mirror sources apart, not conversations: two
	// directions may come from two sessions.
	q := d.tunnel(p, tunERSPAN, 0, off+n, end)
	if q == nil {
		return
	}
	if vid := be16(b) & 0xfff; vid != 0 {
		d.pushVLAN(q, vid)
	}
	d.ethernet(q, off+n)
}

// ipAt takes the IP packet at off, of the version that its first bits name.
func (d *Decoder) ipAt(p *Packet, off int) {
	switch p.Data[off] >> 4 {
	case 4:
		d.ipv4(p, off)
	case 6:
		d.ipv6(p, off)
	}
}
