package enforce

import (
	"encoding/binary"

	"sluice/dataplane/decode"
)

// ICMP "communication administratively prohibited": RFC 1812 §5.2.7.1 and RFC
// 4443 §3.1.
const (
	unreach4, prohibited4 = 3, 13
	unreach6, prohibited6 = 1, 1

	// An error carries as much of the packet as fits these (RFC 1812 §4.3.2.3,
	// RFC 4443 §2.4).
	maxError4, maxError6 = 576, 1280
)

// Unreachable crafts the ICMP error that tells p's sender that its UDP
// datagrams are not let through. It is nil with ErrAddress for packets that
// must never cause one: to many, from nobody, or later fragments.
func (c *Crafter) Unreachable(p *decode.Packet) ([]byte, error) {
	l, err := answerable(p)
	if err != nil {
		return nil, err
	}
	if p.Proto != decode.ProtoUDP || p.FragOffset != 0 {
		return nil, ErrProtocol
	}
	if l.dst[0]&1 != 0 || !single(p.Dst, p.IPVersion) || !single(p.Src, p.IPVersion) {
		return nil, ErrAddress
	}
	if int(p.L3) > len(p.Data) || int(p.PayloadEnd) > len(p.Data) || p.L3 > p.PayloadEnd {
		return nil, ErrProtocol
	}
	quote := p.Data[p.L3:p.PayloadEnd]
	e := endsOf(p, true)
	if e.v6 {
		quote = quote[:min(len(quote), maxError6-ipv6Len-8)]
		n := 8 + len(quote)
		frame, t := c.packet(&l, &e, decode.ProtoICMPv6, n)
		t[0], t[1] = unreach6, prohibited6
		copy(t[8:], quote)
		binary.BigEndian.PutUint16(t[2:], ^fold(sum(e.pseudo(decode.ProtoICMPv6, n), t)))
		return frame, nil
	}
	quote = quote[:min(len(quote), maxError4-ipv4Len-8)]
	frame, t := c.packet(&l, &e, decode.ProtoICMP, 8+len(quote))
	t[0], t[1] = unreach4, prohibited4
	copy(t[8:], quote)
	binary.BigEndian.PutUint16(t[2:], ^fold(sum(0, t)))
	return frame, nil
}

// single reports whether an address is that of one host.
func single(a decode.Addr, version uint8) bool {
	ip := a.Netip()
	if ip.IsMulticast() || ip.IsUnspecified() || ip.IsLoopback() {
		return false
	}
	return version != 4 || a != decode.Addr{10: 0xff, 11: 0xff, 12: 255, 13: 255, 14: 255, 15: 255}
}
