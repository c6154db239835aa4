package fastpath

import (
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"sluice/dataplane/flow"
	"sluice/internal/livetest"
)

// needRoot skips where programs cannot be loaded. CI runs as root: there a
// skip is a failure.
func needRoot(tb testing.TB) {
	tb.Helper()
	if os.Geteuid() != 0 {
		livetest.Lacks(tb, "loading BPF programs needs root")
	}
}

func open(tb testing.TB, cfg Config) *FastPath {
	tb.Helper()
	needRoot(tb)
	f, err := Open(cfg)
	if err != nil {
		tb.Fatalf("%+v", err)
	}
	tb.Cleanup(func() {
		if err := f.Close(); err != nil {
			tb.Error(err)
		}
	})
	return f
}

var (
	mac1 = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	mac2 = net.HardwareAddr{2, 0, 0, 0, 0, 2}
)

func frame(ls ...gopacket.SerializableLayer) []byte {
	b := gopacket.NewSerializeBuffer()
	opt := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	for _, l := range ls {
		var net gopacket.NetworkLayer
		for _, n := range ls {
			if x, ok := n.(gopacket.NetworkLayer); ok {
				net = x
			}
		}
		switch t := l.(type) {
		case *layers.TCP:
			_ = t.SetNetworkLayerForChecksum(net)
		case *layers.UDP:
			_ = t.SetNetworkLayerForChecksum(net)
		case *layers.ICMPv6:
			_ = t.SetNetworkLayerForChecksum(net)
		}
	}
	if err := gopacket.SerializeLayers(b, opt, ls...); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func eth(t layers.EthernetType) *layers.Ethernet {
	return &layers.Ethernet{SrcMAC: mac1, DstMAC: mac2, EthernetType: t}
}

func tag(id uint16, t layers.EthernetType) *layers.Dot1Q {
	return &layers.Dot1Q{VLANIdentifier: id, Priority: 3, Type: t}
}

func ip4(src, dst string, p layers.IPProtocol) *layers.IPv4 {
	return &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Id: 7, Protocol: p, SrcIP: net.ParseIP(src).To4(), DstIP: net.ParseIP(dst).To4()}
}

func ip6(src, dst string, p layers.IPProtocol) *layers.IPv6 {
	return &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: p, SrcIP: net.ParseIP(src), DstIP: net.ParseIP(dst)}
}

func tcp(sport, dport uint16, flags string) *layers.TCP {
	t := &layers.TCP{SrcPort: layers.TCPPort(sport), DstPort: layers.TCPPort(dport), Window: 1000}
	for _, f := range flags {
		switch f {
		case 'S':
			t.SYN = true
		case 'A':
			t.ACK = true
		case 'F':
			t.FIN = true
		case 'R':
			t.RST = true
		case 'P':
			t.PSH = true
		case 'U':
			t.URG = true
		}
	}
	return t
}

func udp(sport, dport uint16) *layers.UDP {
	return &layers.UDP{SrcPort: layers.UDPPort(sport), DstPort: layers.UDPPort(dport)}
}

const (
	e4, e6, e8021q = layers.EthernetTypeIPv4, layers.EthernetTypeIPv6, layers.EthernetTypeDot1Q
	pTCP, pUDP     = layers.IPProtocolTCP, layers.IPProtocolUDP
)

func data(n int) gopacket.Payload { return make([]byte, n) }

func addr16(s string) [16]byte { return netip.MustParseAddr(s).As16() }

// key4 is the key of a TCP flow as the flow table makes it: lower end first.
func key4(a string, ap uint16, b string, bp uint16, proto, version uint8, vlan ...uint16) flow.Key {
	k := flow.Key{Proto: proto, IPVersion: version}
	k.Addr[0], k.Addr[1] = addr16(a), addr16(b)
	k.Port = [2]uint16{ap, bp}
	copy(k.VLAN[:], vlan)
	return k
}

func run(tb testing.TB, f *FastPath, pkt []byte) uint32 {
	tb.Helper()
	for len(pkt) < 14 {
		pkt = append(pkt, 0)
	}
	ret, err := f.xdp.SluiceXdp.Run(&ebpf.RunOptions{Data: pkt})
	if err != nil {
		tb.Fatal(err)
	}
	return ret
}

const (
	xdpDrop = 1
	xdpPass = 2
)

func TestVerdicts(t *testing.T) {
	f := open(t, Config{Malformed: MalformedAll, Limits: Limits{
		SYN: Limit{PerSecond: 1, Burst: 3}, ICMP: Limit{PerSecond: 1, Burst: 2}, UDP: Limit{PerSecond: 1, Burst: 4}}})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	p := netip.MustParsePrefix
	must(f.Block(p("203.0.113.0/24"), Entry{List: "test", Reason: "v4"}))
	must(f.Block(p("198.51.100.7/32"), Entry{List: "test"}))
	must(f.Block(p("2001:db8:bad::/48"), Entry{List: "test"}))
	must(f.Block(p("2001::/23"), Entry{List: "short"}))
	must(f.Block(p("203.0.112.0/24"), Entry{Direction: AsSource}))
	must(f.Block(p("203.0.111.0/24"), Entry{Direction: AsDestination}))
	must(f.Block(p("203.0.110.0/24"), Entry{Expires: time.Now().Add(-time.Second)}))
	must(f.Allow(p("203.0.113.99/32"), Entry{}))
	must(f.Allow(p("2001:db8:bad::99/128"), Entry{}))
	must(f.DropFlow(key4("10.0.0.1", 1000, "10.0.0.2", 80, 6, 4), time.Minute))
	must(f.DropFlow(key4("10.0.0.1", 1000, "10.0.0.2", 80, 6, 4, 100), time.Minute))
	must(f.DropFlow(key4("10.0.0.1", 1000, "10.0.0.2", 80, 6, 4, 100, 200), time.Minute))
	must(f.DropFlow(key4("10.0.0.3", 53, "10.0.0.4", 5353, 17, 4), time.Minute))
	must(f.DropFlow(key4("fd00::1", 1000, "fd00::2", 443, 6, 6), time.Minute))
	must(f.DropFlow(key4("10.0.0.9", 5, "10.0.0.9", 6, 132, 4), time.Minute))
	must(f.DropFlow(key4("10.0.5.1", 8, "10.0.5.2", 0, 1, 4), time.Minute))
	must(f.DropFlow(key4("fd00:5::1", 129, "fd00:5::2", 128, 58, 6), time.Minute))
	must(f.DropFlow(key4("10.0.0.1", 1001, "10.0.0.2", 80, 6, 4), time.Minute))
	must(f.DropFlow(key4("10.0.0.1", 1002, "10.0.0.2", 80, 6, 4), time.Nanosecond))

	time.Sleep(20 * time.Millisecond) // the program's clock advances by ticks

	withOptions := ip4("10.0.0.2", "10.0.0.1", pTCP)
	withOptions.Options = []layers.IPv4Option{{OptionType: 148, OptionLength: 4, OptionData: []byte{0, 0}}}
	frag4 := func(src, dst string, id uint16, off uint16, more bool) *layers.IPv4 {
		ip := ip4(src, dst, pUDP)
		ip.Id, ip.FragOffset = id, off
		if more {
			ip.Flags = layers.IPv4MoreFragments
		}
		return ip
	}
	// Extension headers are written by hand: gopacket has no serialiser for all.
	hop := func(next byte) gopacket.Payload { return gopacket.Payload{next, 0, 1, 4, 0, 0, 0, 0} }
	frag6 := func(next byte, off uint16, more byte, id byte) gopacket.Payload {
		return gopacket.Payload{next, 0, byte(off >> 5), byte(off<<3) | more, 0, 0, 0, id}
	}
	tcpBytes := func(sport, dport uint16, flags string) gopacket.Payload {
		return gopacket.Payload(frame(eth(e6), ip6("fd00::2", "fd00::1", pTCP), tcp(sport, dport, flags)))[54:]
	}
	badIHL := frame(eth(e4), ip4("10.1.0.1", "10.1.0.2", pTCP), tcp(1, 2, "S"))
	badIHL[14] = 0x44
	badOffset := frame(eth(e4), ip4("10.1.0.1", "10.1.0.2", pTCP), tcp(1, 2, "S"))
	badOffset[14+20+12] = 0x40
	badTotal := frame(eth(e4), ip4("10.1.0.1", "10.1.0.2", pTCP), tcp(1, 2, "S"))
	badTotal[16], badTotal[17] = 0, 19
	long := frame(eth(e4), ip4("10.1.0.1", "10.1.0.2", pTCP), tcp(1, 2, "A"), data(3900))

	for _, tt := range []struct {
		name   string
		pkt    []byte
		reason Reason
	}{
		{"plain TCP", frame(eth(e4), ip4("10.1.0.1", "10.1.0.2", pTCP), tcp(1, 2, "A")), ReasonPass},
		{"large frame", long, ReasonPass},
		{"plain UDP over IPv6", frame(eth(e6), ip6("fd00::8", "fd00::9", pUDP), udp(1, 2), data(9)), ReasonPass},
		{"ARP", frame(eth(layers.EthernetTypeARP), data(28)), ReasonNotIP},
		{"LLDP", frame(eth(layers.EthernetTypeLinkLayerDiscovery), data(40)), ReasonNotIP},
		{"STP (802.3 length)", frame(eth(0x0026), data(38)), ReasonNotIP},
		{"empty", make([]byte, 14), ReasonNotIP},
		{"cut tag", frame(eth(e8021q), data(2)), ReasonNotIP},
		{"cut IPv4 header", frame(eth(e4), ip4("10.1.0.1", "10.1.0.2", pTCP))[:33], ReasonUnparsed},
		{"cut IPv6 header", frame(eth(e6), ip6("fd00::8", "fd00::9", pTCP))[:53], ReasonUnparsed},
		{"cut TCP header", frame(eth(e4), ip4("10.1.0.1", "10.1.0.2", pTCP), tcp(1, 2, "A"))[:53], ReasonUnparsed},
		{"cut UDP header", frame(eth(e4), ip4("10.1.0.1", "10.1.0.2", pUDP), udp(1, 2))[:41], ReasonUnparsed},
		{"cut extension header", frame(eth(e6), ip6("fd00::8", "fd00::9", 0), data(7))[:61], ReasonUnparsed},
		{"endless extension headers", frame(eth(e6), ip6("fd00::8", "fd00::9", 0),
			hop(0), hop(0), hop(0), hop(0), hop(0), hop(0), hop(0), hop(0), hop(6)), ReasonUnparsed},

		{"block source", frame(eth(e4), ip4("203.0.113.5", "10.1.0.2", pTCP), tcp(1, 2, "S")), ReasonBlockSource},
		{"block destination", frame(eth(e4), ip4("10.1.0.2", "203.0.113.5", pTCP), tcp(1, 2, "A")), ReasonBlockDestination},
		{"block source in a VLAN", frame(eth(e8021q), tag(5, e4), ip4("203.0.113.5", "10.1.0.2", pTCP), tcp(1, 2, "S")), ReasonBlockSource},
		{"block source in QinQ", frame(eth(layers.EthernetTypeQinQ), tag(5, e8021q), tag(6, e4), ip4("203.0.113.5", "10.1.0.2", pTCP), tcp(1, 2, "S")), ReasonBlockSource},
		{"block source under three tags", frame(eth(e8021q), tag(5, e8021q), tag(6, e8021q), tag(7, e4), ip4("203.0.113.5", "10.1.0.2", pTCP), tcp(1, 2, "S")), ReasonBlockSource},
		{"block ICMP", frame(eth(e4), ip4("10.1.0.2", "198.51.100.7", 1), &layers.ICMPv4{TypeCode: 0x0800}), ReasonBlockDestination},
		{"not the neighbour of a /32", frame(eth(e4), ip4("198.51.100.8", "10.1.0.2", pTCP), tcp(1, 2, "A")), ReasonPass},
		{"block IPv6 source", frame(eth(e6), ip6("2001:db8:bad:1::5", "fd00::1", pTCP), tcp(1, 2, "A")), ReasonBlockSource},
		{"block IPv6 destination", frame(eth(e6), ip6("fd00::1", "2001:db8:bad:1::5", pTCP), tcp(1, 2, "A")), ReasonBlockDestination},
		{"block IPv6 by a short prefix", frame(eth(e6), ip6("2001:1ff::1", "fd00::1", pTCP), tcp(1, 2, "A")), ReasonBlockSource},
		{"not the IPv6 neighbour", frame(eth(e6), ip6("2001:db8:bae::5", "fd00::1", pTCP), tcp(1, 2, "A")), ReasonPass},
		{"block cut transport", frame(eth(e4), ip4("203.0.113.5", "10.1.0.2", pTCP), data(3))[:37], ReasonBlockSource},
		{"only as source", frame(eth(e4), ip4("203.0.112.5", "10.1.0.2", pTCP), tcp(1, 2, "A")), ReasonBlockSource},
		{"only as source, as destination", frame(eth(e4), ip4("10.1.0.2", "203.0.112.5", pTCP), tcp(1, 2, "A")), ReasonPass},
		{"only as destination", frame(eth(e4), ip4("10.1.0.2", "203.0.111.5", pTCP), tcp(1, 2, "A")), ReasonBlockDestination},
		{"only as destination, as source", frame(eth(e4), ip4("203.0.111.5", "10.1.0.2", pTCP), tcp(1, 2, "A")), ReasonPass},
		{"expired entry", frame(eth(e4), ip4("203.0.110.5", "10.1.0.2", pTCP), tcp(1, 2, "A")), ReasonPass},
		{"allowed inside a blocked prefix", frame(eth(e4), ip4("203.0.113.99", "10.1.0.2", pTCP), tcp(1, 2, "A")), ReasonAllowed},
		{"allowed towards", frame(eth(e4), ip4("203.0.113.5", "203.0.113.99", pTCP), tcp(1, 2, "A")), ReasonAllowed},
		{"allowed IPv6", frame(eth(e6), ip6("2001:db8:bad::99", "fd00::1", pTCP), tcp(1, 2, "A")), ReasonAllowed},

		{"flow", frame(eth(e4), ip4("10.0.0.1", "10.0.0.2", pTCP), tcp(1000, 80, "PA"), data(10)), ReasonFlow},
		{"flow, other direction, with options", frame(eth(e4), withOptions, tcp(80, 1000, "A")), ReasonFlow},
		{"flow's neighbour", frame(eth(e4), ip4("10.0.0.1", "10.0.0.2", pTCP), tcp(1003, 80, "PA")), ReasonPass},
		{"flow in a VLAN", frame(eth(e8021q), tag(100, e4), ip4("10.0.0.2", "10.0.0.1", pTCP), tcp(80, 1000, "A")), ReasonFlow},
		{"flow in QinQ", frame(eth(layers.EthernetTypeQinQ), tag(100, e8021q), tag(200, e4), ip4("10.0.0.2", "10.0.0.1", pTCP), tcp(80, 1000, "A")), ReasonFlow},
		{"flow in another VLAN", frame(eth(e8021q), tag(101, e4), ip4("10.0.0.2", "10.0.0.1", pTCP), tcp(80, 1000, "A")), ReasonPass},
		{"flow over UDP", frame(eth(e4), ip4("10.0.0.4", "10.0.0.3", pUDP), udp(5353, 53), data(4)), ReasonFlow},
		{"flow over SCTP, one address", frame(eth(e4), ip4("10.0.0.9", "10.0.0.9", 132), gopacket.Payload{0, 6, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0}), ReasonFlow},
		{"flow over IPv6", frame(eth(e6), ip6("fd00::2", "fd00::1", pTCP), tcp(443, 1000, "A")), ReasonFlow},
		{"flow over IPv6 behind extension headers", frame(eth(e6), ip6("fd00::2", "fd00::1", 0), hop(60), hop(43), hop(6), tcpBytes(443, 1000, "A")), ReasonFlow},
		{"ping", frame(eth(e4), ip4("10.0.5.1", "10.0.5.2", 1), &layers.ICMPv4{TypeCode: 0x0800}), ReasonFlow},
		{"ping's answer", frame(eth(e4), ip4("10.0.5.2", "10.0.5.1", 1), &layers.ICMPv4{}), ReasonFlow},
		{"ping the other way", frame(eth(e4), ip4("10.0.5.2", "10.0.5.1", 1), &layers.ICMPv4{TypeCode: 0x0800}), ReasonPass},
		{"ping over IPv6", frame(eth(e6), ip6("fd00:5::2", "fd00:5::1", 58), &layers.ICMPv6{TypeCode: 0x8000}, data(4)), ReasonFlow},
		{"its answer", frame(eth(e6), ip6("fd00:5::1", "fd00:5::2", 58), &layers.ICMPv6{TypeCode: 0x8100}, data(4)), ReasonFlow},
		{"expired flow", frame(eth(e4), ip4("10.0.0.1", "10.0.0.2", pTCP), tcp(1002, 80, "A")), ReasonPass},
		{"flow before its new handshake", frame(eth(e4), ip4("10.0.0.1", "10.0.0.2", pTCP), tcp(1001, 80, "A")), ReasonFlow},
		{"SYN+ACK of a dropped flow", frame(eth(e4), ip4("10.0.0.2", "10.0.0.1", pTCP), tcp(80, 1001, "SA")), ReasonFlow},
		{"SYN clears it", frame(eth(e4), ip4("10.0.0.1", "10.0.0.2", pTCP), tcp(1001, 80, "S")), ReasonPass},
		{"flow after its new handshake", frame(eth(e4), ip4("10.0.0.1", "10.0.0.2", pTCP), tcp(1001, 80, "A")), ReasonPass},

		{"first fragment of a dropped flow", frame(eth(e4), frag4("10.0.0.4", "10.0.0.3", 11, 0, true), udp(5353, 53), data(16)), ReasonFlow},
		{"its second", frame(eth(e4), frag4("10.0.0.4", "10.0.0.3", 11, 3, true), data(16)), ReasonFragment},
		{"its last", frame(eth(e4), frag4("10.0.0.4", "10.0.0.3", 11, 5, false), data(16)), ReasonFragment},
		{"another datagram's", frame(eth(e4), frag4("10.0.0.4", "10.0.0.3", 12, 5, false), data(16)), ReasonPass},
		{"a passing first fragment with the same id", frame(eth(e4), frag4("10.0.0.4", "10.0.0.3", 11, 0, true), udp(5354, 53), data(16)), ReasonPass},
		{"clears the verdict", frame(eth(e4), frag4("10.0.0.4", "10.0.0.3", 11, 5, false), data(16)), ReasonPass},
		{"fragment from a blocked address", frame(eth(e4), frag4("203.0.113.4", "10.0.0.3", 13, 5, false), data(16)), ReasonBlockSource},
		{"first IPv6 fragment of a dropped flow", frame(eth(e6), ip6("fd00::2", "fd00::1", 44), frag6(6, 0, 1, 9), tcpBytes(443, 1000, "A")), ReasonFlow},
		{"its last over IPv6", frame(eth(e6), ip6("fd00::2", "fd00::1", 44), frag6(6, 3, 0, 9), data(8)), ReasonFragment},
		{"an atomic fragment is whole", frame(eth(e6), ip6("fd00::2", "fd00::1", 44), frag6(6, 0, 0, 10), tcpBytes(443, 1000, "A")), ReasonFlow},

		{"LAND", frame(eth(e4), ip4("10.2.0.1", "10.2.0.1", pTCP), tcp(5, 5, "S")), ReasonLAND},
		{"LAND over IPv6 and UDP", frame(eth(e6), ip6("fd00::7", "fd00::7", pUDP), udp(5, 5), data(1)), ReasonLAND},
		{"one address, two ports", frame(eth(e4), ip4("10.2.0.1", "10.2.0.1", pTCP), tcp(5, 6, "A")), ReasonPass},
		{"SYN+FIN", frame(eth(e4), ip4("10.2.0.1", "10.2.0.2", pTCP), tcp(5, 6, "SF")), ReasonTCPFlags},
		{"SYN+RST", frame(eth(e4), ip4("10.2.0.1", "10.2.0.2", pTCP), tcp(5, 6, "SR")), ReasonTCPFlags},
		{"Xmas", frame(eth(e4), ip4("10.2.0.1", "10.2.0.2", pTCP), tcp(5, 6, "FPU")), ReasonTCPFlags},
		{"null", frame(eth(e4), ip4("10.2.0.1", "10.2.0.2", pTCP), tcp(5, 6, "")), ReasonTCPFlags},
		{"FIN+ACK", frame(eth(e4), ip4("10.2.0.1", "10.2.0.2", pTCP), tcp(5, 6, "FA")), ReasonPass},
		{"bare RST", frame(eth(e4), ip4("10.2.0.1", "10.2.0.2", pTCP), tcp(5, 6, "R")), ReasonPass},
		{"IHL too small", badIHL, ReasonLength},
		{"TCP offset too small", badOffset, ReasonLength},
		{"total length too small", badTotal, ReasonLength},

		{"SYN 1", frame(eth(e4), ip4("10.3.0.1", "10.2.0.2", pTCP), tcp(5, 6, "S")), ReasonPass},
		{"SYN 2", frame(eth(e4), ip4("10.3.0.1", "10.2.0.3", pTCP), tcp(5, 6, "S")), ReasonPass},
		{"SYN 3", frame(eth(e4), ip4("10.3.0.1", "10.2.0.4", pTCP), tcp(5, 6, "S")), ReasonPass},
		{"SYN 4", frame(eth(e4), ip4("10.3.0.1", "10.2.0.5", pTCP), tcp(5, 6, "S")), ReasonRateSYN},
		{"SYN+ACK is no SYN", frame(eth(e4), ip4("10.3.0.1", "10.2.0.5", pTCP), tcp(5, 6, "SA")), ReasonPass},
		{"SYN of another", frame(eth(e4), ip4("10.3.0.2", "10.2.0.5", pTCP), tcp(5, 6, "S")), ReasonPass},
		{"ICMP 1", frame(eth(e4), ip4("10.3.0.1", "10.2.0.2", 1), &layers.ICMPv4{TypeCode: 0x0800}), ReasonPass},
		{"ICMP 2", frame(eth(e4), ip4("10.3.0.1", "10.2.0.2", 1), &layers.ICMPv4{TypeCode: 0x0800}), ReasonPass},
		{"ICMP 3", frame(eth(e4), ip4("10.3.0.1", "10.2.0.2", 1), &layers.ICMPv4{TypeCode: 0x0800}), ReasonRateICMP},
		{"ICMPv6 1", frame(eth(e6), ip6("fd00:1::1", "fd00::2", 58), data(8)), ReasonPass},
		{"ICMPv6 2, same /64", frame(eth(e6), ip6("fd00:1::2", "fd00::2", 58), data(8)), ReasonPass},
		{"ICMPv6 3, same /64", frame(eth(e6), ip6("fd00:1::3", "fd00::2", 58), data(8)), ReasonRateICMP},
		{"ICMPv6, other /64", frame(eth(e6), ip6("fd00:1:0:1::3", "fd00::2", 58), data(8)), ReasonPass},
		{"UDP 1", frame(eth(e4), ip4("10.3.0.1", "10.2.0.2", pUDP), udp(1, 2)), ReasonPass},
		{"UDP 2", frame(eth(e4), ip4("10.3.0.1", "10.2.0.2", pUDP), udp(1, 2)), ReasonPass},
		{"UDP 3", frame(eth(e4), ip4("10.3.0.1", "10.2.0.2", pUDP), udp(1, 2)), ReasonPass},
		{"UDP 4", frame(eth(e4), ip4("10.3.0.1", "10.2.0.2", pUDP), udp(1, 2)), ReasonPass},
		{"UDP 5", frame(eth(e4), ip4("10.3.0.1", "10.2.0.2", pUDP), udp(1, 2)), ReasonRateUDP},
	} {
		before, err := f.Counters()
		must(err)
		got := run(t, f, tt.pkt)
		after, err := f.Counters()
		must(err)
		want := uint32(xdpPass)
		if tt.reason.Drops() {
			want = xdpDrop
		}
		if got != want {
			t.Errorf("%s: returned %d, want %d", tt.name, got, want)
		}
		for r := ReasonPass; r < NumReasons; r++ {
			d := Count{after[r].Packets - before[r].Packets, after[r].Bytes - before[r].Bytes}
			w := Count{}
			if r == tt.reason {
				w = Count{1, uint64(len(tt.pkt))}
			}
			if d != w {
				t.Errorf("%s: counter %s rose by %v, want %v", tt.name, r, d, w)
			}
		}
	}
	lists, err := f.ListCounters()
	must(err)
	if lists["test"].Packets != 10 || lists["short"].Packets != 1 {
		t.Errorf("lists counted %v", lists)
	}
}

func TestSwitchedOff(t *testing.T) {
	f := open(t, Config{})
	for name, pkt := range map[string][]byte{
		"LAND":    frame(eth(e4), ip4("10.2.0.1", "10.2.0.1", pTCP), tcp(5, 5, "S")),
		"SYN+FIN": frame(eth(e4), ip4("10.2.0.1", "10.2.0.2", pTCP), tcp(5, 6, "SF")),
	} {
		for range 50 {
			if got := run(t, f, pkt); got != xdpPass {
				t.Errorf("%s: %d without its switch", name, got)
			}
		}
		if err := f.SetMalformed(MalformedAll, 0); err != nil {
			t.Fatal(err)
		}
		if got := run(t, f, pkt); got != xdpDrop {
			t.Errorf("%s: %d with its switch", name, got)
		}
		if err := f.SetMalformed(0, 0); err != nil {
			t.Fatal(err)
		}
	}
}
