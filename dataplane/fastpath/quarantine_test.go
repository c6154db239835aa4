package fastpath

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket/layers"
)

func TestQuarantine(t *testing.T) {
	f := open(t, Config{})
	host, host6 := netip.MustParseAddr("10.1.1.5"), netip.MustParseAddr("fd00:1::5")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(f.SetAllowances([]Allowance{
		{Prefix: netip.MustParsePrefix("10.9.0.1/32")},
		{Prefix: netip.MustParsePrefix("10.9.1.0/24"), Proto: 17, First: 53, Last: 53},
		{Prefix: netip.MustParsePrefix("fd00:9::/32"), Proto: 6, First: 440, Last: 443},
	}))
	must(f.Quarantine(Quarantined{Host: host, Reason: "cards"}))
	must(f.Quarantine(Quarantined{Host: host6}))
	must(f.Quarantine(Quarantined{Host: netip.MustParseAddr("10.1.1.7"), Expires: time.Now().Add(-time.Second)}))
	time.Sleep(20 * time.Millisecond)
	h := host.String()
	first, later := ip4(h, "10.9.1.7", pUDP), ip4(h, "10.9.1.7", pUDP)
	first.Flags, later.FragOffset = layers.IPv4MoreFragments, 3
	away := ip4(h, "192.0.2.1", pUDP)
	away.FragOffset = 3
	steps(t, f, []step{
		{"TCP", tcp4(h, "192.0.2.1", 5, 443, "S"), ReasonQuarantine},
		{"an open connection", tcp4(h, "192.0.2.1", 5, 443, "PA"), ReasonQuarantine},
		{"DNS is a way out", udp4(h, "192.0.2.1", 5, 53), ReasonQuarantine},
		{"ping", icmp4(h, "192.0.2.1", 8), ReasonQuarantine},
		{"in a VLAN", frame(eth(e8021q), tag(9, e4), ip4(h, "192.0.2.1", pTCP), tcp(5, 22, "S")), ReasonQuarantine},
		{"headers cut", tcp4(h, "192.0.2.1", 5, 443, "S")[:40], ReasonQuarantine},
		{"a fragment", frame(eth(e4), away, data(16)), ReasonQuarantine},
		{"to it", tcp4("192.0.2.1", h, 5, 443, "S"), ReasonPass},
		{"its neighbour", tcp4("10.1.1.6", "192.0.2.1", 5, 443, "S"), ReasonPass},
		{"expired", tcp4("10.1.1.7", "192.0.2.1", 5, 443, "S"), ReasonPass},
		{"management", tcp4(h, "10.9.0.1", 5, 22, "S"), ReasonPass},
		{"management, ping", icmp4(h, "10.9.0.1", 8), ReasonPass},
		{"beside it", tcp4(h, "10.9.0.2", 5, 22, "S"), ReasonQuarantine},
		{"resolver", udp4(h, "10.9.1.200", 5, 53), ReasonPass},
		{"resolver's other port", udp4(h, "10.9.1.200", 5, 54), ReasonQuarantine},
		{"resolver over TCP", tcp4(h, "10.9.1.200", 5, 53, "S"), ReasonQuarantine},
		{"asked by the resolver", udp4(h, "10.9.1.200", 53, 9), ReasonPass},
		{"resolver, first fragment", frame(eth(e4), first, udp(5, 53), data(16)), ReasonPass},
		{"resolver, its rest", frame(eth(e4), later, data(16)), ReasonPass},
		{"IPv6", frame(eth(e6), ip6(host6.String(), "2001:db8::1", pTCP), tcp(5, 443, "S")), ReasonQuarantine},
		{"IPv6 management", frame(eth(e6), ip6(host6.String(), "fd00:9::1", pTCP), tcp(5, 443, "S")), ReasonPass},
		{"IPv6 management, beyond the range", frame(eth(e6), ip6(host6.String(), "fd00:9::1", pTCP), tcp(5, 444, "S")), ReasonQuarantine},
		{"neighbour discovery", icmp6(host6.String(), "ff02::1:ff00:1", 135, 255), ReasonPass},
		{"as a way out", icmp6(host6.String(), "2001:db8::1", 135, 255), ReasonQuarantine},
		{"ARP", frame(eth(layers.EthernetTypeARP), data(28)), ReasonNotIP},
		{"DHCP by broadcast", udp4(h, "255.255.255.255", 68, 67), ReasonPass},
		{"DHCP as a way out", udp4(h, "192.0.2.1", 68, 67), ReasonQuarantine},
	})
	must(f.SetAllowances([]Allowance{{Prefix: netip.MustParsePrefix("10.9.0.1/32")}, {Prefix: netip.MustParsePrefix("10.9.2.0/24"), Set: 3}}))
	must(f.Quarantine(Quarantined{Host: netip.MustParseAddr("10.1.1.20"), Set: 3}))
	steps(t, f, []step{
		{"what its own set allows", tcp4("10.1.1.20", "10.9.2.7", 5, 22, "S"), ReasonPass},
		{"what another's does", tcp4("10.1.1.20", "10.9.0.1", 5, 22, "S"), ReasonQuarantine},
		{"a host without a set there", tcp4(h, "10.9.2.7", 5, 22, "S"), ReasonQuarantine},
		{"and where it may go", tcp4(h, "10.9.0.1", 5, 22, "S"), ReasonPass},
	})
	if ok, err := f.Release(netip.MustParseAddr("10.1.1.20")); !ok || err != nil {
		t.Errorf("release: %v, %v", ok, err)
	}
	lists, err := f.ListCounters()
	must(err)
	if lists[QuarantineList].Packets != 16 {
		t.Errorf("lists counted %v", lists)
	}
	if ok, err := f.Release(host); !ok || err != nil {
		t.Errorf("release: %v, %v", ok, err)
	}
	if ok, err := f.Release(host); ok || err != nil {
		t.Errorf("release again: %v, %v", ok, err)
	}
	steps(t, f, []step{{"released", tcp4(h, "192.0.2.1", 5, 443, "S"), ReasonPass}})
	if n, err := f.Expire(); n != 1 || err != nil {
		t.Errorf("%d expired, %v", n, err)
	}
	if q := f.Quarantined(); len(q) != 1 || q[0].Host != host6 {
		t.Errorf("in quarantine: %v", q)
	}
	must(f.SetAllowances(nil))
	steps(t, f, []step{{"no management any more", frame(eth(e6), ip6(host6.String(), "fd00:9::1", pTCP), tcp(5, 443, "S")), ReasonQuarantine}})

	must(f.Allow(netip.MustParsePrefix("10.1.1.0/24"), Entry{}))
	if err := f.Quarantine(Quarantined{Host: host}); !strings.Contains(fmt.Sprint(err), "allow list") {
		t.Errorf("quarantined a host of the allow list: %v", err)
	}
	for _, bad := range []netip.Addr{{}, netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("ff02::1"), netip.MustParseAddr("fe80::1%eth0")} {
		if err := f.Quarantine(Quarantined{Host: bad}); err == nil {
			t.Errorf("quarantined %s", bad)
		}
	}
	if err := f.SetAllowances(make([]Allowance, MaxAllowances+1)); err == nil {
		t.Error("took too many allowances")
	}
}

// TestQuarantineLink holds a host by its link-layer address, whatever it calls
// itself.
func TestQuarantineLink(t *testing.T) {
	f := open(t, Config{})
	a, b := netip.MustParseAddr("10.1.1.5"), netip.MustParseAddr("10.1.1.6")
	link := [6]byte(mac1)
	for _, err := range []error{
		f.SetAllowances([]Allowance{{Prefix: netip.MustParsePrefix("10.9.0.1/32")}}),
		f.Quarantine(Quarantined{Host: a, Link: link}), f.Quarantine(Quarantined{Host: b, Link: link}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	other := frame(&layers.Ethernet{SrcMAC: mac2, DstMAC: mac1, EthernetType: e6}, ip6("fd00:1::5", "2001:db8::1", pTCP), tcp(5, 443, "S"))
	six := frame(eth(e6), ip6("fd00:1::5", "2001:db8::1", pTCP), tcp(5, 443, "S"))
	steps(t, f, []step{
		{"its own address", tcp4("10.1.1.5", "192.0.2.1", 5, 443, "S"), ReasonQuarantine},
		{"another address", tcp4("10.1.1.99", "192.0.2.1", 5, 443, "S"), ReasonQuarantine},
		{"another family", six, ReasonQuarantine},
		{"in a VLAN", frame(eth(e8021q), tag(9, e6), ip6("fd00:1::5", "2001:db8::1", pTCP), tcp(5, 443, "S")), ReasonQuarantine},
		{"another host", other, ReasonPass},
		{"management", tcp4("10.1.1.99", "10.9.0.1", 5, 443, "S"), ReasonPass},
		{"discovery from its link-local address", icmp6("fe80::5", "ff02::1:ff00:1", 135, 255), ReasonPass},
		{"DHCPv6", frame(eth(e6), ip6("fe80::5", "ff02::1:2", pUDP), udp(546, 547), data(8)), ReasonPass},
		{"DHCPv6 as a way out", frame(eth(e6), ip6("fd00:1::5", "2001:db8::1", pUDP), udp(546, 547), data(8)), ReasonQuarantine},
		{"ARP", frame(eth(layers.EthernetTypeARP), data(28)), ReasonNotIP},
	})
	release := func(host netip.Addr, want Reason) {
		t.Helper()
		if ok, err := f.Release(host); !ok || err != nil {
			t.Errorf("release %s: %v, %v", host, ok, err)
		}
		steps(t, f, []step{{"after " + host.String(), six, want}})
	}
	release(a, ReasonQuarantine) // the other one has the same
	release(b, ReasonPass)
	if err := f.Quarantine(Quarantined{Host: a, Link: link}); err != nil {
		t.Fatal(err)
	}
	if err := f.Quarantine(Quarantined{Host: a}); err != nil {
		t.Fatal(err)
	}
	steps(t, f, []step{{"by address alone", six, ReasonPass}})
	if err := f.Quarantine(Quarantined{Host: a, Link: [6]byte{1}}); err == nil {
		t.Error("took a multicast address for a host's")
	}
}
