package enforce

import (
	"net/netip"
	"testing"

	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
)

func TestQuarantine(t *testing.T) {
	addr := func(s string) decode.Addr { return decode.AddrFrom(netip.MustParseAddr(s)) }
	packet := func(src, dst string, proto uint8, sport, dport uint16) *decode.Packet {
		p := &decode.Packet{Src: addr(src), Dst: addr(dst), Proto: proto, SrcPort: sport, DstPort: dport, IPVersion: 4, Time: 1000, Flags: decode.FlagHasPorts}
		if netip.MustParseAddr(src).Is6() {
			p.IPVersion = 6
		}
		return p
	}
	discovery := func(dst string, hops uint8) *decode.Packet {
		p := packet("fd00:1::5", dst, decode.ProtoICMPv6, 0, 0)
		p.ICMPType, p.TTL, p.Flags = 135, hops, 0
		return p
	}
	var q Quarantine
	away := packet("10.1.1.5", "192.0.2.1", decode.ProtoTCP, 9, 443)
	if q.Holds(away) {
		t.Error("an empty quarantine holds")
	}
	q.Add(netip.MustParseAddr("10.1.1.5"), [6]byte{}, 0, 0)
	q.Add(netip.MustParseAddr("10.1.1.6"), [6]byte{}, 1000, 0)
	q.Add(netip.MustParseAddr("10.1.1.7"), [6]byte{}, 1001, 0)
	q.Add(netip.MustParseAddr("fd00:1::5"), [6]byte{}, 0, 0)
	if !q.Holds(away) {
		t.Error("without destinations all is held")
	}
	q.SetReachable([][]Reachable{{
		{Prefix: netip.MustParsePrefix("10.9.0.1/32")},
		{Prefix: netip.MustParsePrefix("10.9.1.0/24"), Proto: decode.ProtoUDP, First: 53, Last: 53},
		{Prefix: netip.MustParsePrefix("fd00:9::/32"), Proto: decode.ProtoICMP},
	}, {{Prefix: netip.MustParsePrefix("10.9.2.0/24")}}}, func(netip.Addr) uint8 { return 0 })
	later := packet("10.1.1.5", "10.9.1.1", decode.ProtoUDP, 0, 0)
	later.FragOffset, later.Flags = 64, decode.FlagFragment
	noIP := packet("10.1.1.5", "192.0.2.1", decode.ProtoTCP, 9, 443)
	noIP.IPVersion = 0
	for _, tt := range []struct {
		name string
		p    *decode.Packet
		want bool
	}{
		{"away", away, true},
		{"to it", packet("192.0.2.1", "10.1.1.5", decode.ProtoTCP, 443, 9), false},
		{"another", packet("10.1.1.4", "192.0.2.1", decode.ProtoTCP, 9, 443), false},
		{"expired", packet("10.1.1.6", "192.0.2.1", decode.ProtoTCP, 9, 443), false},
		{"not yet", packet("10.1.1.7", "192.0.2.1", decode.ProtoTCP, 9, 443), true},
		{"management", packet("10.1.1.5", "10.9.0.1", decode.ProtoTCP, 9, 443), false},
		{"resolver", packet("10.1.1.5", "10.9.1.1", decode.ProtoUDP, 9, 53), false},
		{"resolver asks", packet("10.1.1.5", "10.9.1.1", decode.ProtoUDP, 53, 9), false},
		{"resolver's other port", packet("10.1.1.5", "10.9.1.1", decode.ProtoUDP, 9, 54), true},
		{"resolver's other protocol", packet("10.1.1.5", "10.9.1.1", decode.ProtoTCP, 9, 53), true},
		{"a later fragment to the resolver", later, false},
		{"ICMPv6 where ICMP is meant", packet("fd00:1::5", "fd00:9::1", decode.ProtoICMPv6, 0, 0), false},
		{"TCP there", packet("fd00:1::5", "fd00:9::1", decode.ProtoTCP, 9, 53), true},
		{"discovery", discovery("ff02::1", 255), false},
		{"of a neighbour", discovery("fd00:1::9", 255), false},
		{"of the link", discovery("fe80::9", 255), false},
		{"of a stranger", discovery("2001:db8::9", 255), true},
		{"from afar", discovery("ff02::1", 254), true},
		{"DHCP", packet("10.1.1.5", "255.255.255.255", decode.ProtoUDP, 68, 67), false},
		{"DHCP away", packet("10.1.1.5", "192.0.2.1", decode.ProtoUDP, 68, 67), true},
		{"no IP", noIP, false},
	} {
		if got := q.Holds(tt.p); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	if n := testing.AllocsPerRun(100, func() { q.Holds(away) }); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
	// Each host reaches the destinations of its own set.
	q.Add(netip.MustParseAddr("10.1.1.20"), [6]byte{}, 0, 1)
	q.Add(netip.MustParseAddr("10.1.1.21"), [6]byte{}, 0, 2) // which there is not
	for _, tt := range []struct {
		src, dst string
		want     bool
	}{{"10.1.1.20", "10.9.2.7", false}, {"10.1.1.20", "10.9.0.1", true}, {"10.1.1.5", "10.9.2.7", true}, {"10.1.1.21", "10.9.2.7", true}, {"10.1.1.21", "10.9.0.1", true}} {
		if got := q.Holds(packet(tt.src, tt.dst, decode.ProtoTCP, 9, 443)); got != tt.want {
			t.Errorf("%s to %s: %v", tt.src, tt.dst, got)
		}
	}
	q.Remove(netip.MustParseAddr("10.1.1.20"))
	q.Remove(netip.MustParseAddr("10.1.1.21"))
	// By link-layer address all that a host calls itself is held.
	named := packet("10.1.1.99", "192.0.2.1", decode.ProtoTCP, 9, 443)
	named.Frame = &capture.Frame{Link: capture.LinkEthernet, Data: []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0}}
	if q.Holds(named) {
		t.Error("a host that nobody named is held")
	}
	q.Add(netip.MustParseAddr("10.1.1.8"), [6]byte{2, 0, 0, 0, 0, 2}, 1001, 0)
	q.Add(netip.MustParseAddr("10.1.1.9"), [6]byte{2, 0, 0, 0, 0, 2}, 1000, 0)
	if !q.Holds(named) {
		t.Error("another address of the host is not held")
	}
	if n := testing.AllocsPerRun(100, func() { q.Holds(named) }); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
	q.Remove(netip.MustParseAddr("10.1.1.8"))
	if q.Holds(named) {
		t.Error("held after the end of its quarantine")
	}
	q.Remove(netip.MustParseAddr("10.1.1.5"))
	if q.Holds(away) {
		t.Error("held after its end")
	}
}
