package decode

const icmpHdrLen = 8

// icmp4Codes holds, by ICMPv4 type, one more than the greatest code; 0 marks a
// type that is unassigned or deprecated (IANA).
var icmp4Codes = [...]uint8{0: 1, 3: 16, 4: 1, 5: 4, 8: 1, 9: 17, 10: 1, 11: 2, 12: 3, 13: 1, 14: 1, 15: 1, 16: 1, 17: 1, 18: 1}

// icmp4 takes an ICMP message (RFC 792).
func (d *Decoder) icmp4(p *Packet, off, end int) {
	d.Counters.ICMPv4++
	b := p.Data[off:end]
	if len(b) < icmpHdrLen {
		d.invalid(p, EvICMPv4PktTooSmall)
		return
	}
	p.ICMPType, p.ICMPCode = b[0], b[1]
	p.L4HdrLen = icmpHdrLen
	p.Payload = uint32(off + icmpHdrLen)
	switch t := p.ICMPType; {
	case int(t) >= len(icmp4Codes) || icmp4Codes[t] == 0:
		p.event(d, EvICMPv4UnknownType)
	case p.ICMPCode >= icmp4Codes[t]:
		p.event(d, EvICMPv4UnknownCode)
	case t == 3 || t == 4 || t == 5 || t == 11 || t == 12:
		// An error carries the packet that caused it: header and eight bytes.
		in := b[icmpHdrLen:]
		switch {
		case len(in) < ipv4HdrLen:
			p.event(d, EvICMPv4IPv4TruncPkt)
		case in[0]>>4 != 4:
			p.event(d, EvICMPv4IPv4UnknownVer)
		}
	}
	d.checkL4(p, off, end)
}

// icmp6 takes an ICMPv6 message (RFC 4443).
func (d *Decoder) icmp6(p *Packet, off, end int) {
	d.Counters.ICMPv6++
	b := p.Data[off:end]
	if len(b) < icmpHdrLen {
		d.invalid(p, EvICMPv6PktTooSmall)
		return
	}
	t, code := b[0], b[1]
	p.ICMPType, p.ICMPCode = t, code
	p.L4HdrLen = icmpHdrLen
	p.Payload = uint32(off + icmpHdrLen)
	if e := icmp6Event(t, code, p.TTL); e != 0 {
		p.event(d, e)
	} else if t >= 1 && t <= 4 {
		in := b[icmpHdrLen:]
		switch {
		case len(in) < ipv6HdrLen:
			p.event(d, EvICMPv6IPv6TruncPkt)
		case in[0]>>4 != 6:
			p.event(d, EvICMPv6IPv6UnknownVersion)
		}
	}
	d.checkL4(p, off, end)
}

// icmp6Event gives the event that type, code and hop limit deserve, or 0.
func icmp6Event(t, code, hops uint8) Event {
	greatest := uint8(0)
	switch {
	case t == 1:
		greatest = 8
	case t == 3:
		greatest = 1
	case t == 4:
		greatest = 10
	case t == 2 || t == 128 || t == 129 || t >= 133 && t <= 137 || t == 141 || t == 142 || t == 148 || t == 149:
	case t >= 130 && t <= 132 || t == 143:
		// Listener discovery never leaves the link (RFC 3810 §5).
		if hops != 1 {
			return EvICMPv6MLDMessageWithInvalidHL
		}
	case t == 138:
		if code <= 1 || code == 255 {
			return 0
		}
	case t == 139 || t == 140:
		greatest = 2
	case t == 144 || t == 145 || t == 146 || t == 147 || t >= 150 && t <= 161:
		return 0
	case t == 0 || t == 5 || t >= 102 && t <= 126 || t >= 162 && t <= 199 || t >= 202 && t <= 254:
		return EvICMPv6UnassignedType
	case t == 100 || t == 101 || t == 200 || t == 201:
		return EvICMPv6ExperimentationType
	default:
		return EvICMPv6UnknownType
	}
	if code > greatest {
		return EvICMPv6UnknownCode
	}
	return 0
}
