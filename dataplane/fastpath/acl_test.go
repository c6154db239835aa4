package fastpath

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// step is a packet and what becomes of it; steps build on those before.
type step struct {
	name   string
	pkt    []byte
	reason Reason
}

// steps runs packets through the program and holds verdict and counters, of
// which exactly the reason's rises.
func steps(t *testing.T, f *FastPath, all []step) {
	t.Helper()
	for _, s := range all {
		before, err := f.Counters()
		if err != nil {
			t.Fatal(err)
		}
		got := run(t, f, s.pkt)
		after, err := f.Counters()
		if err != nil {
			t.Fatal(err)
		}
		want := uint32(xdpPass)
		if s.reason.Drops() {
			want = xdpDrop
		}
		if got != want {
			t.Errorf("%s: returned %d, want %d", s.name, got, want)
		}
		for r := ReasonPass; r < NumReasons; r++ {
			w := Count{}
			if r == s.reason {
				w = Count{1, uint64(max(len(s.pkt), 14))}
			}
			if d := (Count{after[r].Packets - before[r].Packets, after[r].Bytes - before[r].Bytes}); d != w {
				t.Errorf("%s: counter %s rose by %v, want %v", s.name, r, d, w)
			}
		}
	}
}

func tcp4(src, dst string, sport, dport uint16, flags string) []byte {
	return frame(eth(e4), ip4(src, dst, pTCP), tcp(sport, dport, flags))
}

func udp4(src, dst string, sport, dport uint16) []byte {
	return frame(eth(e4), ip4(src, dst, pUDP), udp(sport, dport), data(8))
}

func icmp4(src, dst string, kind uint8) []byte {
	return frame(eth(e4), ip4(src, dst, layers.IPProtocolICMPv4), &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(kind, 0)}, data(8))
}

func icmp6(src, dst string, kind, hops uint8) []byte {
	ip := ip6(src, dst, layers.IPProtocolICMPv6)
	ip.HopLimit = hops
	return frame(eth(e6), ip, &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(kind, 0)}, data(8))
}

func prefixList(all ...string) (out []netip.Prefix) {
	for _, p := range all {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func testSegmentation() Segmentation {
	return Segmentation{
		Zones: map[string][]netip.Prefix{
			"office":  prefixList("10.1.0.0/16", "fd00:1::/32"),
			"servers": prefixList("10.2.0.0/16", "fd00:2::/32"),
			"guests":  prefixList("10.1.9.0/24"), // inside of the office's
		},
		Rules: []SegmentRule{
			{Name: "web", From: "guests", To: "servers", Proto: 6, Ports: []PortRange{{443, 443}}},
			{Name: "names", From: "guests", To: "servers", Proto: 17, Ports: []PortRange{{53, 53}}},
			{Name: "no-guests", From: "guests", To: ZoneAny, Drop: true},
			{Name: "no-admin", From: "office", To: "servers", Proto: 6, Ports: []PortRange{{22, 23}}, Drop: true},
			{Name: "high", From: "office", To: "servers", Proto: 17, Ports: []PortRange{{60000, 65535}}, Drop: true},
			{Name: "strangers", From: ZoneOther, To: "servers", Proto: 132, Drop: true},
		},
	}
}

func TestSegmentation(t *testing.T) {
	f := open(t, Config{})
	if err := f.SetSegmentation(testSegmentation()); err != nil {
		t.Fatal(err)
	}
	guest, office, server, other := "10.1.9.5", "10.1.1.5", "10.2.0.5", "192.0.2.5"
	sctp := gopacket.Payload{0, 5, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0}
	first := ip4(office, server, pUDP)
	first.Flags = layers.IPv4MoreFragments
	later := ip4(office, server, pUDP)
	later.FragOffset = 3
	cut := tcp4(office, server, 9, 22, "S")[:14+20+8]
	steps(t, f, []step{
		{"rule allows", tcp4(guest, server, 5, 443, "S"), ReasonPass},
		{"a later rule drops", tcp4(guest, server, 5, 444, "S"), ReasonACL},
		{"port below", tcp4(guest, server, 5, 442, "S"), ReasonACL},
		{"port 0", tcp4(guest, server, 5, 0, "S"), ReasonACL},
		{"port 65535", tcp4(guest, server, 5, 65535, "S"), ReasonACL},
		{"to no zone", tcp4(guest, other, 5, 443, "S"), ReasonACL},
		{"to its own zone", tcp4(guest, "10.1.9.6", 5, 443, "S"), ReasonACL},
		{"towards it", tcp4(office, guest, 5, 443, "S"), ReasonPass},
		{"SYN+ACK back", tcp4(guest, office, 443, 5, "SA"), ReasonPass},
		{"and what follows", tcp4(guest, office, 443, 5, "A"), ReasonPass},
		{"first port of a range", tcp4(office, server, 5, 22, "S"), ReasonACL},
		{"last port of a range", tcp4(office, server, 5, 23, "S"), ReasonACL},
		{"before the range", tcp4(office, server, 5, 21, "S"), ReasonPass},
		{"behind the range", tcp4(office, server, 5, 24, "S"), ReasonPass},
		{"an open connection", tcp4(office, server, 5, 22, "A"), ReasonPass},
		{"the other way", tcp4(server, office, 5, 22, "S"), ReasonPass},
		{"range to the last port", udp4(office, server, 5, 65535), ReasonACL},
		{"its beginning", udp4(office, server, 5, 60000), ReasonACL},
		{"below it", udp4(office, server, 5, 59999), ReasonPass},
		{"IPv6", frame(eth(e6), ip6("fd00:1::5", "fd00:2::5", pTCP), tcp(5, 22, "S")), ReasonACL},
		{"IPv6, another port", frame(eth(e6), ip6("fd00:1::5", "fd00:2::5", pTCP), tcp(5, 80, "S")), ReasonPass},
		{"in a VLAN", frame(eth(e8021q), tag(9, e4), ip4(office, server, pTCP), tcp(5, 22, "S")), ReasonACL},
		{"in QinQ", frame(eth(layers.EthernetTypeQinQ), tag(9, e8021q), tag(8, e4), ip4(office, server, pTCP), tcp(5, 22, "S")), ReasonACL},
		{"SCTP from no zone", frame(eth(e4), ip4(other, server, 132), sctp), ReasonACL},
		{"SCTP from a zone", frame(eth(e4), ip4(office, server, 132), sctp), ReasonPass},
		{"any protocol", frame(eth(e4), ip4(guest, server, 47), data(20)), ReasonACL},
		{"a protocol of no rule", frame(eth(e4), ip4(office, server, 47), data(20)), ReasonPass},

		{"ping", icmp4(guest, server, 8), ReasonACL},
		{"ping towards it", icmp4(server, guest, 8), ReasonPass},
		{"its answer", icmp4(guest, server, 0), ReasonPass},
		{"an answer to nobody", icmp4(guest, "10.2.0.6", 0), ReasonACL},
		{"unreachable", icmp4(guest, server, 3), ReasonPass},
		{"packet too big", icmp6("fd00:1::5", "fd00:2::5", 2, 64), ReasonPass},

		{"datagram", udp4(guest, server, 1000, 99), ReasonACL},
		{"datagram that is allowed", udp4(guest, server, 1000, 53), ReasonPass},
		{"its answer needs no rule", udp4(server, guest, 53, 1000), ReasonPass},
		{"who is not asked", udp4(guest, server, 2000, 3000), ReasonACL},
		{"asks first", udp4(server, guest, 3000, 2000), ReasonPass},
		{"and gets an answer", udp4(guest, server, 2000, 3000), ReasonPass},
		{"of these ports only", udp4(guest, server, 2001, 3000), ReasonACL},

		{"first fragment", frame(eth(e4), first, udp(5, 60000), data(16)), ReasonACL},
		{"its rest", frame(eth(e4), later, data(16)), ReasonFragment},
		{"ports out of sight", cut, ReasonACL},
		{"the same to another zone", tcp4(server, office, 9, 22, "S")[:14+20+8], ReasonUnparsed},
		{"cut before any zone is known", tcp4(office, server, 9, 22, "S")[:14+19], ReasonUnparsed},
		{"ARP", frame(eth(layers.EthernetTypeARP), data(28)), ReasonNotIP},
	})
	counts, err := f.SegmentCounters()
	if err != nil {
		t.Fatal(err)
	}
	if len(counts) != 6 || counts[0].Rule != "web" || counts[0].Packets != 1 || counts[3].Rule != "no-admin" || counts[3].Packets != 6 || counts[4].Packets != 3 {
		t.Errorf("rules counted %v", counts)
	}
	// Neighbour discovery stays, but only between neighbours.
	if err := f.SetSegmentation(Segmentation{Rules: []SegmentRule{{Name: "none", From: ZoneAny, To: ZoneAny, Drop: true}}}); err != nil {
		t.Fatal(err)
	}
	steps(t, f, []step{
		{"solicitation", icmp6("fd00:1::5", "ff02::1:ff00:1", 135, 255), ReasonPass},
		{"between neighbours", icmp6("fd00:1::5", "fd00:1::6", 136, 255), ReasonPass},
		{"to a link-local address", icmp6("fd00:1::5", "fe80::1", 136, 255), ReasonPass},
		{"not from a neighbour", icmp6("fd00:1::5", "ff02::1:ff00:1", 135, 64), ReasonACL},
		{"not to a neighbour", icmp6("fd00:1::5", "fd00:2::6", 136, 255), ReasonACL},
		{"redirect", icmp6("fd00:1::5", "fd00:1::6", 137, 255), ReasonACL},
		{"all else", tcp4(guest, server, 5, 443, "S"), ReasonACL},
		{"a dropped flow's order", tcp4(guest, server, 5, 443, "A"), ReasonPass},
	})
	if err := f.SetSegmentation(Segmentation{}); err != nil {
		t.Fatal(err)
	}
	steps(t, f, []step{{"without rules", tcp4(guest, server, 5, 444, "S"), ReasonPass}})
	if f.set.Active != 0 {
		t.Errorf("active %b without rules", f.set.Active)
	}
}

// TestSegmentationOrder holds that block lists and flow drops come first, and
// the allow list before all.
func TestSegmentationOrder(t *testing.T) {
	f := open(t, Config{Malformed: MalformedAll})
	p := netip.MustParsePrefix
	for _, err := range []error{
		f.SetSegmentation(Segmentation{Rules: []SegmentRule{{Name: "none", From: ZoneAny, To: ZoneAny, Drop: true}}}),
		f.Block(p("203.0.113.0/24"), Entry{}),
		f.Allow(p("10.5.0.1/32"), Entry{}),
		f.DropFlow(key4("10.0.0.1", 1000, "10.0.0.2", 80, 17, 4), time.Minute),
		f.Quarantine(Quarantined{Host: netip.MustParseAddr("10.6.0.1")}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	steps(t, f, []step{
		{"allow list", tcp4("10.5.0.1", "203.0.113.1", 1, 2, "S"), ReasonAllowed},
		{"block list", tcp4("10.6.0.1", "203.0.113.1", 1, 2, "S"), ReasonBlockDestination},
		{"quarantine", tcp4("10.6.0.1", "10.0.0.1", 1, 2, "S"), ReasonQuarantine},
		{"flow", udp4("10.0.0.1", "10.0.0.2", 1000, 80), ReasonFlow},
		{"rule", udp4("10.0.0.1", "10.0.0.2", 1000, 81), ReasonACL},
		{"malformed", tcp4("10.0.0.1", "10.0.0.2", 1000, 81, "F"), ReasonTCPFlags},
	})
}

// TestSegmentationAgainstReference compares random rules and packets with a
// naive reading, over changes of the whole set.
func TestSegmentationAgainstReference(t *testing.T) {
	f := open(t, Config{})
	rng := rand.New(rand.NewPCG(7, 8))
	names := []string{"a", "b", "c", "d"}
	for range 12 {
		s := Segmentation{Zones: map[string][]netip.Prefix{}}
		used := map[netip.Prefix]bool{}
		for _, n := range names {
			for range 3 {
				p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(rng.IntN(4)), byte(rng.IntN(4)), 0}), []int{14, 16, 24}[rng.IntN(3)]).Masked()
				if !used[p] {
					used[p] = true
					s.Zones[n] = append(s.Zones[n], p)
				}
			}
		}
		word := func() string { return append(names, ZoneAny, ZoneOther)[rng.IntN(6)] }
		for i := range 1 + rng.IntN(12) {
			r := SegmentRule{Name: fmt.Sprint(i), From: word(), To: word(), Drop: rng.IntN(2) == 0}
			for _, z := range []*string{&r.From, &r.To} {
				if *z != ZoneAny && *z != ZoneOther && len(s.Zones[*z]) == 0 {
					*z = ZoneAny
				}
			}
			if rng.IntN(3) > 0 {
				r.Proto = 6
				if rng.IntN(2) == 0 {
					for range 1 + rng.IntN(2) {
						first := uint16(1 + rng.IntN(20))
						r.Ports = append(r.Ports, PortRange{first, first + uint16(rng.IntN(10))})
					}
				}
			}
			s.Rules = append(s.Rules, r)
		}
		if err := f.SetSegmentation(s); err != nil {
			t.Fatal(err)
		}
		zone := func(a netip.Addr) string {
			best, name := -1, ZoneOther
			for n, ps := range s.Zones {
				for _, p := range ps {
					if p.Contains(a) && p.Bits() > best {
						best, name = p.Bits(), n
					}
				}
			}
			return name
		}
		for range 300 {
			src := netip.AddrFrom4([4]byte{10, byte(rng.IntN(5)), byte(rng.IntN(4)), 1})
			dst := netip.AddrFrom4([4]byte{10, byte(rng.IntN(5)), byte(rng.IntN(4)), 2})
			port := uint16(rng.IntN(32))
			want := uint32(xdpPass)
			for _, r := range s.Rules {
				if (r.From == ZoneAny || r.From == zone(src)) && (r.To == ZoneAny || r.To == zone(dst)) &&
					(len(r.Ports) == 0 || slices.ContainsFunc(r.Ports, func(p PortRange) bool { return p.First <= port && port <= p.Last })) {
					if r.Drop {
						want = xdpDrop
					}
					break
				}
			}
			if got := run(t, f, tcp4(src.String(), dst.String(), 99, port, "S")); got != want {
				t.Fatalf("%s to %s port %d: returned %d, want %d, with %+v", src, dst, port, got, want, s)
			}
		}
	}
}

func TestSegmentationRefused(t *testing.T) {
	many := Segmentation{Zones: map[string][]netip.Prefix{}}
	for i := range MaxZones + 1 {
		many.Zones[fmt.Sprint("z", i)] = nil
	}
	var ranges []SegmentRule
	for i := range aclRanges {
		ranges = append(ranges, SegmentRule{Name: "r", From: ZoneAny, To: ZoneAny, Proto: 6, Ports: []PortRange{{uint16(i*10 + 1), uint16(i*10 + 5)}}, Drop: true})
	}
	for text, s := range map[string]Segmentation{
		"no zone":             {Rules: []SegmentRule{{Name: "x", From: "nowhere", To: ZoneAny}}},
		"meaning of its own":  {Zones: map[string][]netip.Prefix{ZoneAny: nil}},
		"in another zone too": {Zones: map[string][]netip.Prefix{"a": prefixList("10.0.0.0/8"), "b": prefixList("10.0.0.0/8")}},
		"zones, the most":     many,
		"rules, the most":     {Rules: make([]SegmentRule, MaxSegmentRules+1)},
		"ports 5 to 4":        {Rules: []SegmentRule{{Name: "x", From: ZoneAny, To: ZoneAny, Proto: 6, Ports: []PortRange{{5, 4}}}}},
		"of protocol 1":       {Rules: []SegmentRule{{Name: "x", From: ZoneAny, To: ZoneAny, Proto: 1, Ports: []PortRange{{5, 6}}}}},
		"ranges of ports":     {Rules: ranges},
		"mixes IPv4 and IPv6": {Zones: map[string][]netip.Prefix{"a": prefixList("::ffff:10.0.0.0/64")}},
	} {
		if _, err := s.compile(); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestNewFlowRate(t *testing.T) {
	f := open(t, Config{Limits: Limits{New: Limit{PerSecond: 1, Burst: 3}}})
	syn := func(src, dst string) []byte { return tcp4(src, dst, 5, 80, "S") }
	steps(t, f, []step{
		{"SYN 1", syn("10.0.0.1", "192.0.2.1"), ReasonPass},
		{"SYN 2 from another", syn("10.0.0.2", "192.0.2.1"), ReasonPass},
		{"SYN 3", syn("10.0.0.3", "192.0.2.1"), ReasonPass},
		{"SYN 4", syn("10.0.0.4", "192.0.2.1"), ReasonRateNew},
		{"to another", syn("10.0.0.4", "192.0.2.2"), ReasonPass},
		{"SYN+ACK", tcp4("10.0.0.4", "192.0.2.1", 5, 80, "SA"), ReasonPass},
		{"of an open connection", tcp4("10.0.0.4", "192.0.2.1", 5, 80, "A"), ReasonPass},
		{"UDP", udp4("10.0.0.4", "192.0.2.1", 5, 80), ReasonPass},
	})
	// Sources that are limited themselves do not use up the destination's share.
	if err := f.SetLimits(Limits{SYN: Limit{PerSecond: 1, Burst: 1}, New: Limit{PerSecond: 1, Burst: 3}}); err != nil {
		t.Fatal(err)
	}
	steps(t, f, []step{
		{"flooder 1", syn("10.0.9.1", "192.0.2.9"), ReasonPass},
		{"flooder 2", syn("10.0.9.1", "192.0.2.9"), ReasonRateSYN},
		{"flooder 3", syn("10.0.9.1", "192.0.2.9"), ReasonRateSYN},
		{"flooder 4", syn("10.0.9.1", "192.0.2.9"), ReasonRateSYN},
		{"another", syn("10.0.9.2", "192.0.2.9"), ReasonPass},
		{"a third", syn("10.0.9.3", "192.0.2.9"), ReasonPass},
		{"a fourth", syn("10.0.9.4", "192.0.2.9"), ReasonRateNew},
	})
}

// TestFlowEnds has FIN and RST shorten what is remembered of a dropped flow, and
// give its room back, while it is still dropped.
func TestFlowEnds(t *testing.T) {
	f := open(t, Config{})
	for i, flags := range []string{"FA", "R", "A"} {
		port := uint16(1000 + i)
		key := key4("10.0.0.1", port, "10.0.0.2", 80, 6, 4)
		if err := f.DropFlow(key, time.Hour); err != nil {
			t.Fatal(err)
		}
		left := func() time.Duration {
			var v flowDrop
			if err := f.xdp.Flows.Lookup(key, &v); err != nil {
				t.Fatal(err)
			}
			return time.Duration(int64(v.Expires) - int64(monotonic()))
		}
		steps(t, f, []step{{flags, tcp4("10.0.0.2", "10.0.0.1", 80, port, flags), ReasonFlow}, {"after " + flags, tcp4("10.0.0.1", "10.0.0.2", port, 80, "A"), ReasonFlow}})
		if ends := flags != "A"; ends != (left() <= flowLinger) {
			t.Errorf("%s: left %v", flags, left())
		}
	}
	now := monotonic()
	if n := f.flows.sweep(now + uint64(flowLinger)); n != 2 || len(f.flows.ends) != 1 {
		t.Errorf("%d flows ended, %d left", n, len(f.flows.ends))
	}
}
