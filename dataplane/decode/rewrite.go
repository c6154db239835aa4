package decode

import "encoding/binary"

// CanRewrite reports whether payload bytes of a packet can be changed in its
// frame: they are all in there, and the checksum that covers them is one that
// can be put right (TCP, UDP, ICMP). Not so fragments, put together or not,
// authenticated headers, and SCTP.
func CanRewrite(p *Packet) bool {
	return p.Frame != nil && checksumAt(p) >= 0 && p.SPI == 0 &&
		p.Flags&(FlagFragment|FlagReassembled|FlagInvalid|FlagTruncated) == 0 &&
		len(p.Data) > 0 && len(p.Data) == len(p.Frame.Data) && &p.Data[0] == &p.Frame.Data[0]
}

// Rewrite puts with into data at an offset of the payload of pkts[i], and brings
// the checksum that covers it up to date. data is a copy of the bytes of the
// frame that pkts are of, as the decoder gave them; CanRewrite must hold for
// pkts[i], and with must end within its payload.
//
// The checksum is updated by what changes (RFC 1624), so that one that was wrong
// stays wrong. One that the sender's card still owes covers what is sent and is
// left alone. The packets around a packet in a tunnel keep their checksums, since
// the sum over a packet with its checksum is the same as before; only around one
// without a checksum (UDP over IPv4) they are updated as well.
func Rewrite(pkts []Packet, i int, data []byte, at int, with []byte) {
	depth := pkts[i].TunnelDepth
	for k := i; k >= 0; k-- {
		q := &pkts[k]
		if k < i && (q.TunnelDepth >= depth || q.IPVersion == 0 || int(q.L4) >= at || at+len(with) > int(q.PayloadEnd)) {
			continue
		}
		if sumRewrite(q, data, at, with) {
			break
		}
		depth = q.TunnelDepth
	}
	copy(data[at:], with)
}

// sumRewrite updates the checksum of q for the bytes that take the place of those
// at an offset, and reports whether it has one.
func sumRewrite(q *Packet, data []byte, at int, with []byte) bool {
	field := checksumAt(q)
	if q.Proto == ProtoGRE && data[q.L4]&0x80 != 0 {
		field = 4 // the checksum present bit (RFC 2784 §2.1)
	}
	if field < 0 {
		return false
	}
	where := data[int(q.L4)+field:]
	sum := binary.BigEndian.Uint16(where)
	if q.Proto == ProtoUDP && sum == 0 {
		return false
	}
	if v := &q.Frame.VNet; q.Frame.HasVNet && v[0]&1 != 0 && uint32(binary.LittleEndian.Uint16(v[6:])) == q.L4 {
		return true
	}
	acc := uint32(^sum)
	for i, b := range with {
		shift := uint(8)
		if (at+i-int(q.L4))&1 != 0 {
			shift = 0
		}
		acc += 0xffff - uint32(data[at+i])<<shift + uint32(b)<<shift
		acc = acc&0xffff + acc>>16
	}
	acc = acc&0xffff + acc>>16
	sum = ^uint16(acc)
	if q.Proto == ProtoUDP && sum == 0 {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(where, sum)
	return true
}
