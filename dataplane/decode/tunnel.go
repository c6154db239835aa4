package decode

import "slices"

// ipInIP takes an IP packet carried directly in another (RFC 2003, 2473, 4213).
func (d *Decoder) ipInIP(p *Packet, off, end int) {
	six := p.Proto == ProtoIPv6
	if p.IPVersion == 6 {
		// The reason is an event of the outer packet, as Suricata has it.
		small, wrong, least, version := EvIPv6IPv4InIPv6TooSmall, EvIPv6IPv4InIPv6WrongVersion, ipv4HdrLen, byte(4)
		if six {
			small, wrong, least, version = EvIPv6IPv6InIPv6TooSmall, EvIPv6IPv6InIPv6WrongVersion, ipv6HdrLen, 6
		}
		if end-off < least {
			d.invalid(p, small)
			return
		}
		if p.Data[off]>>4 != version {
			d.invalid(p, wrong)
			return
		}
	}
	switch {
	case p.IPVersion == 4 && six:
		d.Counters.IPv6InIPv4++
	case p.IPVersion == 4:
		d.Counters.IPv4InIPv4++
	case six:
		d.Counters.IPv6InIPv6++
	default:
		d.Counters.IPv4InIPv6++
	}
	q := d.tunnel(p, tunIPIP, 0, off, end)
	if q == nil {
		return
	}
	if six {
		d.ipv6(q, off)
	} else {
		d.ipv4(q, off)
	}
}

// tunnelPort tells whether the datagram goes to a port of a tunnel.
func (d *Decoder) tunnelPort(p *Packet) bool {
	return slices.Contains(d.cfg.VXLANPorts, p.DstPort) || p.DstPort == gpePort && len(d.cfg.VXLANPorts) > 0 || slices.Contains(d.cfg.GenevePorts, p.DstPort) ||
		slices.Contains(d.cfg.GTPPorts, p.DstPort) || d.teredoPort(p)
}

func (d *Decoder) teredoPort(p *Packet) bool {
	return slices.Contains(d.cfg.TeredoPorts, p.DstPort) || slices.Contains(d.cfg.TeredoPorts, p.SrcPort)
}

// udpTunnel follows the tunnels over UDP. What does not look like the tunnel
// that its port promises stays a datagram.
func (d *Decoder) udpTunnel(p *Packet, off, end int) {
	for _, port := range d.cfg.VXLANPorts {
		if p.DstPort == port {
			d.vxlan(p, off, end)
			return
		}
	}
	if p.DstPort == gpePort && len(d.cfg.VXLANPorts) > 0 {
		d.vxlanGPE(p, off, end)
		return
	}
	for _, port := range d.cfg.GenevePorts {
		if p.DstPort == port {
			d.geneve(p, off, end)
			return
		}
	}
	for _, port := range d.cfg.TeredoPorts {
		if p.DstPort == port || p.SrcPort == port {
			d.teredo(p, off, end)
			return
		}
	}
	for _, port := range d.cfg.GTPPorts {
		if p.DstPort == port {
			d.gtp(p, off, end)
			return
		}
	}
}

// vxlan takes a VXLAN header (RFC 7348 §5): the I flag set, the rest reserved.
func (d *Decoder) vxlan(p *Packet, off, end int) {
	b := p.Data[off:end]
	if len(b) < 8+etherHdrLen || b[0]&0x08 == 0 {
		return
	}
	d.Counters.VXLAN++
	at := off + 8
	switch et := be16(p.Data[at+12:]); et {
	case etherIPv4, etherIPv6, etherARP, etherVLAN, etherQinQ, etherMPLS, etherPPPoES, etherPPPoED, etherNSH:
	default:
		if et > 1500 {
			p.event(d, EvVXLANUnknownPayloadType)
			return
		}
	}
	if q := d.tunnel(p, tunVXLAN, be32(b[4:])>>8, at, end); q != nil {
		d.ethernet(q, at)
	}
}

// gpePort is IANA's for VXLAN-GPE.
const gpePort = 4790

// vxlanGPE takes a header of the generic protocol extension for VXLAN
// (draft-ietf-nvo3-vxlan-gpe §3): version 0, the I and P flags set, and the next
// protocol named.
func (d *Decoder) vxlanGPE(p *Packet, off, end int) {
	b := p.Data[off:end]
	if len(b) < 8 || b[0]&0x3c != 0x0c {
		return
	}
	var et uint16
	switch b[3] {
	case 1:
		et = etherIPv4
	case 2:
		et = etherIPv6
	case 3:
		et = etherTEB
	default:
		p.event(d, EvVXLANUnknownPayloadType)
		return
	}
	d.Counters.VXLAN++
	q := d.tunnel(p, tunVXLAN, be32(b[4:])>>8, off+8, end)
	if q == nil {
		return
	}
	if et == etherTEB {
		d.ethernet(q, off+8)
	} else {
		d.etherType(q, et, off+8, EvVXLANUnknownPayloadType)
	}
}

// geneve takes a Geneve header (RFC 8926 §3.4) with its options.
func (d *Decoder) geneve(p *Packet, off, end int) {
	b := p.Data[off:end]
	if len(b) < 8 || b[0]>>6 != 0 {
		return
	}
	n := 8 + int(b[0]&0x3f)*4
	if n > len(b) {
		return
	}
	d.Counters.Geneve++
	et := be16(b[2:])
	switch et {
	case etherTEB, etherIPv4, etherIPv6, etherARP:
	default:
		p.event(d, EvGeneveUnknownPayloadType)
		return
	}
	q := d.tunnel(p, tunGeneve, be32(b[4:])>>8, off+n, end)
	if q == nil {
		return
	}
	if et == etherTEB {
		d.ethernet(q, off+n)
	} else {
		d.etherType(q, et, off+n, EvGeneveUnknownPayloadType)
	}
}

// teredo takes an IPv6 packet over UDP (RFC 4380 §5.1.1) behind its indications.
// Everything may run on the port, so the packet must fit exactly.
func (d *Decoder) teredo(p *Packet, off, end int) {
	b := p.Data[off:end]
	if len(b) >= 4 && b[0] == 0 && b[1] == 1 {
		// Authentication: client id, value, nonce (8) and confirmation.
		n := 4 + int(b[2]) + int(b[3]) + 9
		if n > len(b) {
			return
		}
		b = b[n:]
	}
	if len(b) >= 8 && b[0] == 0 && b[1] == 0 {
		b = b[8:]
	}
	if len(b) < ipv6HdrLen || b[0]>>4 != 6 || int(be16(b[4:])) != len(b)-ipv6HdrLen {
		return
	}
	d.Counters.Teredo++
	at := end - len(b)
	if q := d.tunnel(p, tunTeredo, 0, at, end); q != nil {
		d.ipv6(q, at)
	}
}

// gtp takes a GTP-U header (3GPP TS 29.281 §5.1) of a user's packet.
func (d *Decoder) gtp(p *Packet, off, end int) {
	b := p.Data[off:end]
	if len(b) < 8 || b[0]&0xf0 != 0x30 || b[1] != 0xff {
		return
	}
	n := int(be16(b[2:]))
	if n > len(b)-8 {
		return
	}
	b = b[:8+n]
	at := 8
	if b[0]&7 != 0 {
		if len(b) < 12 {
			return
		}
		at = 12
		if b[0]&4 != 0 {
			for next := b[11]; next != 0; next = b[at-1] {
				if at >= len(b) || b[at] == 0 || at+int(b[at])*4 > len(b) {
					return
				}
				at += int(b[at]) * 4
			}
		}
	}
	if at >= len(b) {
		return
	}
	v := b[at] >> 4
	if v != 4 && v != 6 {
		return
	}
	d.Counters.GTP++
	// Each direction has a tunnel endpoint of its own: it is no part of the key.
	q := d.tunnel(p, tunGTP, 0, off+at, off+len(b))
	if q == nil {
		return
	}
	if v == 4 {
		d.ipv4(q, off+at)
	} else {
		d.ipv6(q, off+at)
	}
}
