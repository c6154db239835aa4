package decode

// PPP protocol numbers (IANA) that the decoder follows.
const (
	pppIPv4 = 0x0021
	pppVJUC = 0x002f
	pppIPv6 = 0x0057
	pppMPLS = 0x0281
)

// ppp takes a PPP frame (RFC 1661), with HDLC address and control bytes or
// without, the protocol field compressed or not.
func (d *Decoder) ppp(p *Packet, off int) {
	if !d.layer(p) {
		return
	}
	d.Counters.PPP++
	p.at(off)
	b := p.Data[off:p.PayloadEnd]
	if len(b) < 1 {
		d.invalid(p, EvPPPPktTooSmall)
		return
	}
	if len(b) >= 2 && b[0] == 0xff && b[1] == 0x03 {
		b, off = b[2:], off+2
	}
	if len(b) < 1 {
		d.invalid(p, EvPPPPktTooSmall)
		return
	}
	proto := uint16(b[0])
	if proto&1 != 0 {
		off++
	} else {
		if len(b) < 2 {
			d.invalid(p, EvPPPPktTooSmall)
			return
		}
		proto = be16(b)
		off += 2
	}
	d.pppProto(p, proto, off)
}

// pppProto takes what the PPP protocol number announces at off.
func (d *Decoder) pppProto(p *Packet, proto uint16, off int) {
	p.at(off)
	left := int(p.PayloadEnd) - off
	switch proto {
	case pppIPv4, pppVJUC:
		// An uncompressed Van Jacobson packet is an IPv4 packet whose protocol
		// field holds a slot number (RFC 1144 §3.2.2): what it carries is TCP, but
		// its header cannot be taken as it is.
		if proto == pppVJUC {
			if left < 20 {
				d.invalid(p, EvPPPVJUPktTooSmall)
			} else {
				p.event(d, EvPPPUnsupProto)
			}
			return
		}
		if left < 20 {
			d.invalid(p, EvPPPIP4PktTooSmall)
			return
		}
		p.EtherType = etherIPv4
		d.ipv4(p, off)
	case pppIPv6:
		if left < 40 {
			d.invalid(p, EvPPPIP6PktTooSmall)
			return
		}
		p.EtherType = etherIPv6
		d.ipv6(p, off)
	case pppMPLS:
		p.EtherType = etherMPLS
		d.mpls(p, off)
	default:
		// Network protocols that are not followed, and link control; everything
		// else is no PPP protocol number (RFC 1661 §2: the low byte is odd).
		switch {
		case proto&0x0100 != 0 || proto&1 == 0:
			d.invalid(p, EvPPPWrongType)
		case proto < 0x4000:
			p.event(d, EvPPPUnsupProto)
		}
	}
}

// pppoeSession takes a PPPoE session header (RFC 2516 §4).
func (d *Decoder) pppoeSession(p *Packet, off int) {
	if !d.layer(p) {
		return
	}
	d.Counters.PPPoE++
	b := p.Data[off:]
	if len(b) < 8 {
		d.invalid(p, EvPPPoEPktTooSmall)
		return
	}
	if b[1] != 0 {
		d.invalid(p, EvPPPoEWrongCode)
		return
	}
	n := int(be16(b[4:]))
	if n < 2 {
		d.invalid(p, EvPPPoEPktTooSmall)
		return
	}
	if n < len(b)-6 {
		p.PayloadEnd = uint32(off + 6 + n)
	}
	d.Counters.PPP++
	if b[6]&1 != 0 {
		d.pppProto(p, uint16(b[6]), off+7)
		return
	}
	d.pppProto(p, be16(b[6:]), off+8)
}

// pppoeDiscovery takes a PPPoE discovery frame, for its anomalies only.
func (d *Decoder) pppoeDiscovery(p *Packet, off int) {
	if !d.layer(p) {
		return
	}
	d.Counters.PPPoE++
	b := p.Data[off:]
	if len(b) < 6 {
		d.invalid(p, EvPPPoEPktTooSmall)
		return
	}
	switch b[1] {
	case 0x07, 0x09, 0x19, 0x65, 0xa7:
	default:
		d.invalid(p, EvPPPoEWrongCode)
		return
	}
	n := int(be16(b[4:]))
	if n > len(b)-6 {
		d.invalid(p, EvPPPoEMalformedTags)
		return
	}
	p.Payload, p.PayloadEnd = uint32(off+6), uint32(off+6+n)
	for t := b[6 : 6+n]; len(t) > 0; {
		if len(t) < 4 || int(be16(t[2:])) > len(t)-4 {
			d.invalid(p, EvPPPoEMalformedTags)
			return
		}
		if be16(t) == 0 {
			return
		}
		t = t[4+int(be16(t[2:])):]
	}
}

// mpls takes a label stack (RFC 3032); what follows the bottom is told by its
// first four bits, as routers do.
func (d *Decoder) mpls(p *Packet, off int) {
	if !d.layer(p) {
		return
	}
	d.Counters.MPLS++
	for depth := 0; ; depth++ {
		if len(p.Data)-off < 4 || depth > 32 {
			d.invalid(p, EvMPLSHeaderTooSmall)
			return
		}
		e := be32(p.Data[off:])
		off += 4
		p.at(off)
		bottom := e&0x100 != 0
		switch label := e >> 12; {
		case label == 1 && bottom:
			d.invalid(p, EvMPLSBadLabelRouterAlert)
			return
		case label == 3:
			d.invalid(p, EvMPLSBadLabelImplicitNull)
			return
		case label >= 4 && label <= 15 && label != 7 && label != 13 && label != 14:
			// 7, 13 and 14 are in use (entropy, GAL, OAM); the rest is reserved.
			p.event(d, EvMPLSBadLabelReserved)
		case label == 0 && bottom:
			p.EtherType = etherIPv4
			d.ipv4(p, off)
			return
		case label == 2 && bottom:
			p.EtherType = etherIPv6
			d.ipv6(p, off)
			return
		}
		if bottom {
			break
		}
	}
	if len(p.Data)-off < 4 {
		d.invalid(p, EvMPLSPktTooSmall)
		return
	}
	switch p.Data[off] >> 4 {
	case 4:
		p.EtherType = etherIPv4
		d.ipv4(p, off)
	case 6:
		p.EtherType = etherIPv6
		d.ipv6(p, off)
	case 0:
		// A pseudo-wire control word (RFC 4385), then Ethernet.
		if d.layer(p) {
			d.ethernet(p, off+4)
		}
	default:
		// A pseudo-wire without control word begins with a MAC address.
		if len(p.Data)-off >= etherHdrLen {
			switch be16(p.Data[off+12:]) {
			case etherIPv4, etherIPv6, etherVLAN, etherQinQ, etherARP:
				d.ethernet(p, off)
				return
			}
		}
		p.event(d, EvMPLSUnknownPayloadType)
	}
}

// nsh takes a network service header (RFC 8300).
func (d *Decoder) nsh(p *Packet, off int) {
	if !d.layer(p) {
		return
	}
	d.Counters.NSH++
	b := p.Data[off:]
	if len(b) < 8 {
		d.invalid(p, EvNSHHeaderTooSmall)
		return
	}
	n := int(be16(b)&0x3f) * 4
	md, next := b[2]&0xf, b[3]
	switch {
	case b[0]>>6 != 0:
		p.event(d, EvNSHUnsupportedVersion)
		return
	case n < 8 || n > len(b):
		d.invalid(p, EvNSHBadHeaderLength)
		return
	case md == 0 || md == 15:
		p.event(d, EvNSHReservedType)
	case md == 1 && n != 24:
		d.invalid(p, EvNSHBadHeaderLength)
		return
	case md > 2:
		p.event(d, EvNSHUnsupportedType)
		return
	}
	at, end := off+n, int(p.PayloadEnd)
	if at > end {
		d.invalid(p, EvNSHBadHeaderLength)
		return
	}
	p.at(at)
	// The header only steers: what follows is the frame's own packet.
	switch next {
	case 1:
		p.EtherType = etherIPv4
		d.ipv4(p, at)
	case 2:
		p.EtherType = etherIPv6
		d.ipv6(p, at)
	case 3:
		if d.layer(p) {
			d.ethernet(p, at)
		}
	case 5:
		d.mpls(p, at)
	default:
		p.event(d, EvNSHUnknownPayload)
	}
}

// arp takes an ARP packet (RFC 826), for its anomalies only.
func (d *Decoder) arp(p *Packet, off int) {
	d.Counters.ARP++
	b := p.Data[off:]
	if len(b) < 28 {
		d.invalid(p, EvARPPktTooSmall)
		return
	}
	p.PayloadEnd = uint32(off + 28)
	switch op := be16(b[6:]); {
	case be16(b) != 1:
		d.invalid(p, EvARPUnsupportedHardware)
	case be16(b[2:]) != etherIPv4:
		d.invalid(p, EvARPUnsupportedProtocol)
	case b[4] != 6:
		d.invalid(p, EvARPInvalidHardwareSize)
	case b[5] != 4:
		d.invalid(p, EvARPInvalidProtocolSize)
	case op == 0:
		d.invalid(p, EvARPInvalidPkt)
	case op > 4 && op != 8 && op != 9:
		d.invalid(p, EvARPUnsupportedOpcode)
	}
}
