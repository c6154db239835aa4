package decode

import "encoding/binary"

// transport takes what p.Proto announces in Data[off:end].
func (d *Decoder) transport(p *Packet, off, end int) {
	p.L4, p.Payload, p.PayloadEnd = uint32(off), uint32(off), uint32(end)
	switch p.Proto {
	case ProtoTCP:
		d.tcp(p, off, end)
	case ProtoUDP:
		d.udp(p, off, end)
	case ProtoICMP:
		if p.IPVersion == 6 {
			p.event(d, EvIPv6ICMPv4)
			return
		}
		d.icmp4(p, off, end)
	case ProtoICMPv6:
		if p.IPVersion == 4 {
			p.event(d, EvIPv4ICMPv6)
			return
		}
		d.icmp6(p, off, end)
	case ProtoSCTP:
		d.sctp(p, off, end)
	case ProtoGRE:
		d.gre(p, off, end)
	case ProtoIPIP, ProtoIPv6:
		d.ipInIP(p, off, end)
	case ProtoESP:
		d.Counters.ESP++
		if end-off < 8 {
			d.invalid(p, EvESPPktTooSmall)
			return
		}
		p.SPI = be32(p.Data[off:])
		p.L4HdrLen = 8
		p.Payload = uint32(off + 8)
	case ProtoAH:
		d.ah4(p, off, end)
	case ProtoIGMP:
		d.Counters.IGMP++
	default:
		if p.IPVersion == 6 && !assigned6(p.Proto) {
			p.event(d, EvIPv6UnknownNextHeader)
		}
	}
}

// assigned6 tells whether a protocol number that the decoder does not follow is
// a known upper layer.
func assigned6(proto uint8) bool {
	switch proto {
	case 8, 9, 46, 50, 88, 89, 97, 98, 103, 108, 112, 115, 124, 136, 137, 142, 143:
		return true
	}
	return false
}

// ah4 skips an authentication header (RFC 4302) in IPv4: it hides nothing.
func (d *Decoder) ah4(p *Packet, off, end int) {
	b := p.Data[off:end]
	if len(b) < 12 || 8+int(b[1])*4 > len(b) {
		return
	}
	if !d.layer(p) {
		return
	}
	p.SPI = be32(b[4:])
	p.Proto = b[0]
	d.transport(p, off+8+int(b[1])*4, end)
}

const tcpHdrLen = 20

// tcp takes a TCP segment (RFC 9293).
func (d *Decoder) tcp(p *Packet, off, end int) {
	d.Counters.TCP++
	b := p.Data[off:end]
	if len(b) < tcpHdrLen {
		d.invalid(p, EvTCPPktTooSmall)
		return
	}
	p.SrcPort, p.DstPort = be16(b), be16(b[2:])
	p.Seq, p.Ack = be32(b[4:]), be32(b[8:])
	p.TCPFlags = b[13]
	p.Window, p.Urgent = be16(b[14:]), be16(b[18:])
	hl := int(b[12]>>4) * 4
	if hl < tcpHdrLen {
		d.invalid(p, EvTCPHLenTooSmall)
		return
	}
	if hl > len(b) {
		d.invalid(p, EvTCPInvalidOptlen)
		return
	}
	p.Flags |= FlagHasPorts
	p.L4HdrLen = uint8(hl)
	p.Payload = uint32(off + hl)
	if hl > tcpHdrLen {
		o := b[tcpHdrLen:hl]
		if len(o) == 12 && binary.LittleEndian.Uint32(o) == 0x0a080101 {
			// Two NOPs and a time stamp: what nearly every segment carries.
			p.TCPOpts.HasTimestamp = true
			p.TCPOpts.TSVal, p.TCPOpts.TSEcr = be32(o[4:]), be32(o[8:])
		} else {
			d.tcpOptions(p, o)
		}
	}
	if d.verify {
		d.checkL4(p, off, end)
	}
}

// tcpOptions takes the options that reassembly needs and checks all.
func (d *Decoder) tcpOptions(p *Packet, b []byte) {
	o := &p.TCPOpts
	sack := false
	for len(b) > 0 {
		if b[0] == 0 {
			return
		}
		if b[0] == 1 {
			b = b[1:]
			continue
		}
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
			p.event(d, EvTCPInvalidOptlen)
			return
		}
		n := int(b[1])
		bad, dup := false, false
		switch b[0] {
		case 2:
			if bad, dup = n != 4, o.HasMSS; !bad && !dup {
				o.HasMSS, o.MSS = true, be16(b[2:])
			}
		case 3:
			if bad, dup = n != 3, o.HasWScale; !bad && !dup {
				// RFC 7323 §2.3: shifts over 14 mean 14.
				o.HasWScale, o.WScale = true, min(b[2], 14)
			}
		case 4:
			if bad, dup = n != 2, o.SACKOK; !bad {
				o.SACKOK = true
			}
		case 5:
			bad, dup = n < 10 || n > 34 || (n-2)%8 != 0, sack
			sack = true
		case 8:
			if bad, dup = n != 10, o.HasTimestamp; !bad && !dup {
				o.HasTimestamp = true
				o.TSVal, o.TSEcr = be32(b[2:]), be32(b[6:])
			}
		case 19:
			bad = n != 18
		case 29:
			bad = n < 4
		case 34:
			bad = n > 18
		}
		if bad {
			p.event(d, EvTCPOptInvalidLen)
		} else if dup {
			p.event(d, EvTCPOptDuplicate)
		}
		b = b[n:]
	}
}

const udpHdrLen = 8

// udp takes a UDP datagram (RFC 768) and the tunnels over it.
func (d *Decoder) udp(p *Packet, off, end int) {
	d.Counters.UDP++
	b := p.Data[off:end]
	if len(b) < udpHdrLen {
		d.invalid(p, EvUDPHLenTooSmall)
		return
	}
	p.SrcPort, p.DstPort = be16(b), be16(b[2:])
	n := int(be16(b[4:]))
	if n == 0 && (d.aggregate || len(b) > 65535) {
		n = len(b) // RFC 2675 §4
	}
	if n < udpHdrLen {
		d.invalid(p, EvUDPLenInvalid)
		return
	}
	if n > len(b) {
		if d.aggregate {
			n = len(b)
		} else if p.Flags&FlagTruncated == 0 {
			d.invalid(p, EvUDPPktTooSmall)
			return
		}
		n = min(n, len(b))
	}
	end = off + n
	p.Flags |= FlagHasPorts
	p.L4HdrLen = udpHdrLen
	p.Payload, p.PayloadEnd = uint32(off+udpHdrLen), uint32(end)
	if d.verify {
		if be16(b[6:]) != 0 {
			d.checkL4(p, off, end)
		} else if p.IPVersion == 6 && !d.tunnelPort(p) {
			// Only tunnels may leave the checksum out (RFC 6935).
			p.Flags |= FlagBadL4Checksum
			d.Counters.BadL4Checksum++
		}
	}
	d.udpTunnel(p, off+udpHdrLen, end)
}

// sctp takes the common header (RFC 9260 §3.1).
func (d *Decoder) sctp(p *Packet, off, end int) {
	d.Counters.SCTP++
	b := p.Data[off:end]
	if len(b) < 12 {
		d.invalid(p, EvSCTPPktTooSmall)
		return
	}
	p.SrcPort, p.DstPort = be16(b), be16(b[2:])
	p.Flags |= FlagHasPorts
	p.L4HdrLen = 12
	p.Payload = uint32(off + 12)
}
