package flow

import (
	"encoding/binary"

	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
)

// Quoted gives the flow that an ICMP error is about, and the direction of the
// packet it quotes (the error itself goes the other way). f is nil where p is no
// ICMP error, quotes too little, or quotes a packet of no known flow.
func (t *Table) Quoted(p *decode.Packet) (f *Flow, dir protocol.Dir) {
	if p.Flags&(decode.FlagInvalid|decode.FlagFragment) != 0 || !ICMPError(p) {
		return nil, 0
	}
	const icmpHeader = 8
	at := int64(p.L4) + icmpHeader
	if at >= int64(len(p.Data)) {
		return nil, 0
	}
	q, ok := parseQuote(p.Data[at:])
	if !ok || q.version != p.IPVersion {
		return nil, 0
	}
	var k Key
	low := k.make(&q.src, &q.dst, q.sp, q.dp)
	k.context(p, q.proto, !t.cfg.IgnoreVLAN)
	if f, _ = t.find(&k, k.hash(t.seed)); f == nil {
		return nil, 0
	}
	return f, f.dir(low)
}

// CountQuoted counts an ICMP error with the flow that it is about, as going against
// the packet it quotes. It renews nothing: anybody may send an error about a flow.
func (t *Table) CountQuoted(p *decode.Packet) {
	f, dir := t.Quoted(p)
	if f == nil {
		return
	}
	f.Pkts[dir.Other()]++
	f.Bytes[dir.Other()] += WireLen(p)
}

// quote is what an ICMP error tells of the packet it is about.
type quote struct {
	src, dst decode.Addr
	sp, dp   uint16
	proto    uint8
	version  uint8
}

// maxExtensions bounds the IPv6 extension headers passed over.
const maxExtensions = 8

// parseQuote reads the beginning of an IP packet: its ends, and its ports as a
// flow's key has them.
func parseQuote(b []byte) (q quote, ok bool) {
	be := binary.BigEndian
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		n := int(b[0]&15) * 4
		if n < 20 || len(b) < n || be.Uint16(b[6:])&0x1fff != 0 {
			return q, false
		}
		q.version, q.proto = 4, b[9]
		q.src[10], q.src[11], q.dst[10], q.dst[11] = 0xff, 0xff, 0xff, 0xff
		copy(q.src[12:], b[12:16])
		copy(q.dst[12:], b[16:20])
		b = b[n:]
	case len(b) >= 40 && b[0]>>4 == 6:
		q.version, q.proto = 6, b[6]
		copy(q.src[:], b[8:24])
		copy(q.dst[:], b[24:40])
		b = b[40:]
		for range maxExtensions {
			n := 0
			switch q.proto {
			case 0, 43, 60: // hop-by-hop, routing, destination options
				if len(b) < 8 {
					return q, false
				}
				n = (int(b[1]) + 1) * 8
			case 44: // fragment
				if len(b) < 8 || be.Uint16(b[2:])&^7 != 0 {
					return q, false
				}
				n = 8
			}
			if n == 0 {
				break
			}
			if len(b) < n {
				return q, false
			}
			q.proto, b = b[0], b[n:]
		}
	default:
		return q, false
	}
	switch q.proto {
	case decode.ProtoTCP, decode.ProtoUDP, decode.ProtoSCTP:
		if len(b) < 4 {
			return q, false
		}
		q.sp, q.dp = be.Uint16(b), be.Uint16(b[2:])
	case decode.ProtoICMP, decode.ProtoICMPv6:
		if len(b) < 1 {
			return q, false
		}
		q.sp, q.dp = icmpPorts(q.proto, b[0])
	}
	return q, true
}
