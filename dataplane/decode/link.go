package decode

import "sluice/dataplane/capture"

// Ethernet types (IEEE registry) that the decoder follows.
const (
	etherIPv4   = 0x0800
	etherARP    = 0x0806
	etherTEB    = 0x6558
	etherVLAN   = 0x8100
	etherIPv6   = 0x86dd
	etherPPP    = 0x880b
	etherMPLS   = 0x8847
	etherMPLSMC = 0x8848
	etherPPPoED = 0x8863
	etherPPPoES = 0x8864
	etherQinQ   = 0x88a8
	etherERSPAN = 0x88be
	etherPBB    = 0x88e7
	etherDCE    = 0x8903
	etherVNTag  = 0x8926
	etherETag   = 0x893f
	etherNSH    = 0x894f
	etherQinQ1  = 0x9100
	etherQinQ2  = 0x9200
	etherQinQ3  = 0x9300
)

const etherHdrLen = 14

// ethernet takes the Ethernet header at off.
func (d *Decoder) ethernet(p *Packet, off int) {
	p.at(off)
	if len(p.Data)-off < etherHdrLen {
		d.invalid(p, EvEthernetPktTooSmall)
		return
	}
	d.Counters.Ethernet++
	et := be16(p.Data[off+12:])
	if et == etherIPv4 {
		p.EtherType = et
		d.ipv4(p, off+etherHdrLen)
		return
	}
	if d.layer(p) {
		d.etherType(p, et, off+etherHdrLen, EvEthernetUnknownEthertype)
	}
}

// etherType takes what the type et announces at off. unknown is the event of
// the header that holds et when nothing knows it.
func (d *Decoder) etherType(p *Packet, et uint16, off int, unknown Event) {
	p.EtherType = et
	p.at(off)
	switch et {
	case etherIPv4:
		d.ipv4(p, off)
	case etherIPv6:
		d.ipv6(p, off)
	case etherVLAN, etherQinQ, etherQinQ1, etherQinQ2, etherQinQ3:
		d.vlan(p, off)
	case etherARP:
		d.arp(p, off)
	case etherMPLS, etherMPLSMC:
		d.mpls(p, off)
	case etherPPPoES:
		d.pppoeSession(p, off)
	case etherPPPoED:
		d.pppoeDiscovery(p, off)
	case etherPBB:
		d.skipTag(p, off, 18, &d.Counters.PBB, EvPBBHeaderTooSmall, EvEthernetUnknownEthertype)
	case etherVNTag:
		d.skipTag(p, off, 6, &d.Counters.VNTag, EvVNTagHeaderTooSmall, EvVNTagUnknownType)
	case etherETag:
		d.skipTag(p, off, 8, &d.Counters.ETag, EvETagHeaderTooSmall, EvETagUnknownType)
	case etherNSH:
		d.nsh(p, off)
	case etherDCE:
		// FabricPath: two bytes of tag, then the original Ethernet frame.
		if len(p.Data)-off < 2+etherHdrLen {
			d.invalid(p, EvDCEPktTooSmall)
		} else if d.layer(p) {
			d.ethernet(p, off+2)
		}
	default:
		if et <= 1500 {
			d.llc(p, off)
			return
		}
		d.Counters.UnknownEtherType++
		p.event(d, unknown)
	}
}

// vlan takes an 802.1Q or 802.1ad tag behind its type.
func (d *Decoder) vlan(p *Packet, off int) {
	if !d.layer(p) {
		return
	}
	d.Counters.VLAN++
	switch p.NVLAN {
	case 1:
		d.Counters.VLANQinQ++
	case 2:
		d.Counters.VLANQinQinQ++
	case MaxVLAN:
		d.invalid(p, EvVLANTooManyLayers)
		return
	}
	if len(p.Data)-off < 4 {
		d.invalid(p, EvVLANHeaderTooSmall)
		return
	}
	d.pushVLAN(p, be16(p.Data[off:]))
	d.etherType(p, be16(p.Data[off+2:]), off+4, EvVLANUnknownType)
}

// skipTag takes a tag of n bytes that ends in an Ethernet type.
func (d *Decoder) skipTag(p *Packet, off, n int, count *uint64, small, unknown Event) {
	if !d.layer(p) {
		return
	}
	*count++
	if len(p.Data)-off < n {
		d.invalid(p, small)
		return
	}
	d.etherType(p, be16(p.Data[off+n-2:]), off+n, unknown)
}

// llc takes an IEEE 802.2 header; with SNAP and no vendor code the Ethernet
// type follows. The length field bounds the frame.
func (d *Decoder) llc(p *Packet, off int) {
	if n := int(p.EtherType); n < len(p.Data)-off {
		p.PayloadEnd = uint32(off + n)
	}
	b := p.Data[off:p.PayloadEnd]
	p.EtherType = 0
	if len(b) >= 8 && be32(b) == 0xaaaa0300 && b[4] == 0 {
		if et := be16(b[6:]); et > 1500 && d.layer(p) {
			d.etherType(p, et, off+8, EvEthernetUnknownEthertype)
		}
	}
}

// otherLink takes the frames of link types other than Ethernet.
func (d *Decoder) otherLink(p *Packet, link capture.LinkType) {
	if !d.layer(p) {
		return
	}
	switch link {
	case capture.LinkRaw, capture.LinkRawBSD, 14:
		// 14 is what OpenBSD writes for raw IP.
		d.raw(p)
	case capture.LinkIPv4:
		d.Counters.Raw++
		d.ipv4(p, 0)
	case capture.LinkIPv6:
		d.Counters.Raw++
		d.ipv6(p, 0)
	case capture.LinkNull, capture.LinkLoop:
		d.null(p)
	case capture.LinkSLL:
		d.sll(p)
	case capture.LinkSLL2:
		d.sll2(p)
	case capture.LinkPPP, capture.LinkPPPHDLC:
		d.ppp(p, 0)
	case capture.LinkCHDLC:
		d.chdlc(p)
	case capture.LinkIEEE80211:
		d.wifi(p, 0)
	case capture.LinkIEEE80211Radio:
		d.radiotap(p)
	default:
		d.Counters.UnknownLink++
	}
}

func (d *Decoder) raw(p *Packet) {
	d.Counters.Raw++
	var v byte
	if len(p.Data) > 0 {
		v = p.Data[0] >> 4
	}
	switch v {
	case 4:
		d.ipv4(p, 0)
	case 6:
		d.ipv6(p, 0)
	default:
		d.invalid(p, EvRawInvalidIPVersion)
	}
}

// null takes a BSD loopback header: the address family in the capturing host's
// byte order (LINKTYPE_NULL) or the network's (LINKTYPE_LOOP).
func (d *Decoder) null(p *Packet) {
	d.Counters.Null++
	if len(p.Data) < 4 {
		d.invalid(p, EvNullPktTooSmall)
		return
	}
	fam := be32(p.Data)
	if fam&0xffff == 0 {
		fam = uint32(p.Data[0]) | uint32(p.Data[1])<<8
	}
	p.at(4)
	switch fam {
	case 2:
		d.ipv4(p, 4)
	case 10, 24, 28, 30:
		// AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, macOS.
		d.ipv6(p, 4)
	default:
		d.invalid(p, EvNullUnsupportedType)
	}
}

func (d *Decoder) sll(p *Packet) {
	d.Counters.SLL++
	if len(p.Data) < 16 {
		d.invalid(p, EvSLLPktTooSmall)
		return
	}
	d.etherType(p, be16(p.Data[14:]), 16, EvEthernetUnknownEthertype)
}

func (d *Decoder) sll2(p *Packet) {
	d.Counters.SLL2++
	if len(p.Data) < 20 {
		d.invalid(p, EvSLL2PktTooSmall)
		return
	}
	d.etherType(p, be16(p.Data), 20, EvEthernetUnknownEthertype)
}

func (d *Decoder) chdlc(p *Packet) {
	d.Counters.CHDLC++
	if len(p.Data) < 4 {
		d.invalid(p, EvCHDLCPktTooSmall)
		return
	}
	d.etherType(p, be16(p.Data[2:]), 4, EvEthernetUnknownEthertype)
}
