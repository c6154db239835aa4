package decode

import (
	"testing"

	"github.com/google/gopacket/layers"

	"sluice/dataplane/capture"
)

// TestLinks decodes the same UDP datagram behind every link header.
func TestLinks(t *testing.T) {
	in4, in6 := inner4(t), inner6(t)
	mac := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}
	f := func(name string, link capture.LinkType, data []byte, v uint8, vlan ...uint16) {
		t.Helper()
		fr := frame(data)
		fr.Link = link
		p := only(t, New(Config{}), fr, 1)[0]
		if p.IPVersion != v || p.Proto != ProtoUDP || p.SrcPort != 5678 || p.DstPort != 53 || string(p.PayloadBytes()) != "inner" ||
			p.Flags != FlagHasPorts || p.NEvents != 0 || p.TunnelID != 0 {
			t.Errorf("%s: %+v", name, p)
		}
		if int(p.NVLAN) != len(vlan) {
			t.Errorf("%s: VLANs %v, want %v", name, p.VLAN[:p.NVLAN], vlan)
			return
		}
		for i := range vlan {
			if p.VLAN[i] != vlan[i] {
				t.Errorf("%s: VLANs %v, want %v", name, p.VLAN, vlan)
			}
		}
	}
	e := func(tail ...[]byte) []byte { return cat(append([][]byte{mac}, tail...)...) }
	pad := make([]byte, 30)
	f("ethernet", 1, e([]byte{8, 0}, in4), 4)
	f("ethernet padding", 1, e([]byte{8, 0}, in4, pad), 4)
	f("ethernet ipv6", 1, e([]byte{0x86, 0xdd}, in6, pad), 6)
	f("802.1q", 1, e([]byte{0x81, 0, 0x20, 5, 8, 0}, in4, pad), 4, 5)
	f("qinq", 1, e([]byte{0x88, 0xa8, 0, 7, 0x81, 0, 0x20, 5, 0x86, 0xdd}, in6), 6, 7, 5)
	f("three tags", 1, e([]byte{0x91, 0, 0, 7, 0x88, 0xa8, 0, 9, 0x81, 0, 0x20, 5, 8, 0}, in4), 4, 7, 9, 5)
	f("snap", 1, e([]byte{0, byte(8 + len(in4)), 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, in4, pad), 4)
	f("mpls", 1, e([]byte{0x88, 0x47, 0, 1, 0x60, 64, 0, 1, 0x71, 64}, in4), 4)
	f("mpls explicit null", 1, e([]byte{0x88, 0x47, 0, 0, 0x01, 64}, in4), 4)
	f("mpls v6 explicit null", 1, e([]byte{0x88, 0x48, 0, 0, 0x21, 64}, in6), 6)
	f("mpls pseudo-wire", 1, e([]byte{0x88, 0x47, 0, 1, 0x71, 64, 0, 0, 0, 0}, mac, []byte{8, 0}, in4), 4)
	f("pppoe", 1, e([]byte{0x88, 0x64, 0x11, 0, 0, 1, 0, byte(2 + len(in4)), 0, 0x21}, in4, pad), 4)
	f("pppoe v6", 1, e([]byte{0x88, 0x64, 0x11, 0, 0, 1, 0, byte(2 + len(in6)), 0, 0x57}, in6), 6)
	f("pbb", 1, e([]byte{0x88, 0xe7, 0, 0, 0, 1}, mac, []byte{8, 0}, in4), 4)
	f("vntag", 1, e([]byte{0x89, 0x26, 0, 0, 0, 1, 8, 0}, in4), 4)
	f("etag", 1, e([]byte{0x89, 0x3f, 0, 0, 0, 1, 0, 0, 8, 0}, in4), 4)
	f("fabricpath", 1, e([]byte{0x89, 0x03, 0, 1}, mac, []byte{8, 0}, in4), 4)
	f("nsh", 1, e([]byte{0x89, 0x4f, 0, 2, 2, 1, 0, 0, 1, 255}, in4), 4)
	f("nsh ethernet", 1, e([]byte{0x89, 0x4f, 0, 2, 2, 3, 0, 0, 1, 255}, mac, []byte{8, 0}, in4), 4)
	f("raw", capture.LinkRaw, in4, 4)
	f("raw bsd", capture.LinkRawBSD, in6, 6)
	f("ipv4", capture.LinkIPv4, in4, 4)
	f("ipv6", capture.LinkIPv6, in6, 6)
	f("null le", capture.LinkNull, cat([]byte{2, 0, 0, 0}, in4), 4)
	f("null be", capture.LinkNull, cat([]byte{0, 0, 0, 30}, in6), 6)
	f("loop", capture.LinkLoop, cat([]byte{0, 0, 0, 2}, in4), 4)
	f("sll", capture.LinkSLL, cat(make([]byte, 14), []byte{8, 0}, in4), 4)
	f("sll vlan", capture.LinkSLL, cat(make([]byte, 14), []byte{0x81, 0, 0, 4, 8, 0}, in4), 4, 4)
	f("sll2", capture.LinkSLL2, cat([]byte{0x86, 0xdd}, make([]byte, 18), in6), 6)
	f("ppp", capture.LinkPPP, cat([]byte{0, 0x21}, in4), 4)
	f("ppp hdlc", capture.LinkPPPHDLC, cat([]byte{0xff, 3, 0, 0x57}, in6), 6)
	f("ppp compressed", capture.LinkPPP, cat([]byte{0x21}, in4), 4)
	f("ppp mpls", capture.LinkPPP, cat([]byte{2, 0x81, 0, 1, 0x71, 64}, in4), 4)
	f("chdlc", capture.LinkCHDLC, cat([]byte{0x0f, 0, 8, 0}, in4), 4)
	snap := []byte{0xaa, 0xaa, 3, 0, 0, 0, 8, 0}
	addrs := make([]byte, 22)
	tap := []byte{0, 0, 9, 0, 0, 0, 0, 0, 0x10}
	f("802.11", capture.LinkIEEE80211, cat([]byte{8, 1}, addrs, snap, in4, pad), 4)
	f("radiotap", capture.LinkIEEE80211Radio, cat(tap, []byte{8, 2}, addrs, snap, in4), 4)
	f("radiotap qos", capture.LinkIEEE80211Radio, cat(tap, []byte{0x88, 2}, addrs, []byte{0, 0}, snap, in4), 4)
	f("radiotap ht", capture.LinkIEEE80211Radio, cat(tap, []byte{0x88, 0x82}, addrs, []byte{0, 0, 1, 2, 3, 4}, snap, in4), 4)
	f("radiotap wds", capture.LinkIEEE80211Radio, cat(tap, []byte{8, 3}, addrs, make([]byte, 6), snap, in4), 4)
}

// TestWirelessSilent: frames of 802.11 that say nothing in the clear are no packets,
// nor are headers that are cut.
func TestWirelessSilent(t *testing.T) {
	in4 := inner4(t)
	tap := []byte{0, 0, 8, 0, 0, 0, 0, 0}
	rest := cat(make([]byte, 22), []byte{0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, in4)
	f := func(name string, data []byte) {
		t.Helper()
		for n := range len(data) + 1 {
			fr := frame(data[:n:n])
			fr.Link = capture.LinkIEEE80211Radio
			if ps := New(Config{}).Decode(fr); len(ps) > 0 && ps[0].IPVersion != 0 && n == len(data) {
				t.Errorf("%s: %+v", name, ps[0])
			}
		}
	}
	f("beacon", cat(tap, []byte{0x80, 0}, rest))
	f("no data", cat(tap, []byte{0x48, 1}, rest))
	f("protected", cat(tap, []byte{8, 0x41}, rest))
	f("piece", cat(tap, []byte{8, 5}, rest))
	f("aggregate", cat(tap, []byte{0x88, 1}, make([]byte, 22), []byte{0x80, 0}, rest[22:]))
	f("header too long", cat([]byte{0, 0, 255, 255, 0, 0, 0, 0}, []byte{8, 1}, rest))
	f("version", cat([]byte{1, 0, 8, 0, 0, 0, 0, 0}, []byte{8, 1}, rest))
}

// TestStrippedVLAN holds that the kernel's tag comes before those in the frame.
func TestStrippedVLAN(t *testing.T) {
	fr := frame(build(t, eth(layers.EthernetTypeDot1Q), &layers.Dot1Q{VLANIdentifier: 5, Type: layers.EthernetTypeIPv4},
		ip4(layers.IPProtocolTCP), tcpSeg(), payload("x")))
	fr.HasVLAN, fr.VLANTCI = true, 0xe00c
	p := only(t, New(Config{}), fr, 1)[0]
	if p.NVLAN != 2 || p.VLAN[0] != 12 || p.VLAN[1] != 5 || p.Proto != ProtoTCP {
		t.Errorf("%+v", p)
	}
}

// TestTunnels decodes tunnels level by level.
func TestTunnels(t *testing.T) {
	in4, in6 := inner4(t), inner6(t)
	e4, e6 := eth(layers.EthernetTypeIPv4), eth(layers.EthernetTypeIPv6)
	innerEth := build(t, eth(layers.EthernetTypeDot1Q), &layers.Dot1Q{VLANIdentifier: 99, Type: layers.EthernetTypeIPv4},
		ip4(layers.IPProtocolUDP), udpTo(53), payload("inner"))
	gre := func(b ...byte) []byte { return b }
	over4 := func(proto layers.IPProtocol, bs ...[]byte) []byte {
		return build(t, e4, ip4(proto), payload(string(cat(bs...))))
	}
	over6 := func(proto layers.IPProtocol, bs ...[]byte) []byte {
		return build(t, e6, ip6(proto), payload(string(cat(bs...))))
	}
	udp := func(port layers.UDPPort, bs ...[]byte) []byte {
		return build(t, e4, ip4(layers.IPProtocolUDP), udpTo(port), payload(string(cat(bs...))))
	}
	cfg := Config{GTPPorts: []uint16{2152}}
	ids := map[string]uint32{}
	f := func(name string, data []byte, v uint8, vlan uint16) {
		t.Helper()
		ps := only(t, New(cfg), frame(data), 2)
		out, in := &ps[0], &ps[1]
		if out.TunnelID != 0 || out.TunnelDepth != 0 || out.Flags&(FlagTunnel|FlagInvalid|FlagBadL4Checksum) != 0 {
			t.Errorf("%s: outer %+v", name, out)
		}
		if in.IPVersion != v || in.DstPort != 53 || string(in.PayloadBytes()) != "inner" || in.TunnelDepth != 1 ||
			in.Flags != FlagTunnel|FlagHasPorts || in.TunnelID == 0 || in.NEvents != 0 || in.VLAN[0] != vlan {
			t.Errorf("%s: inner %+v", name, in)
		}
		ids[name] = in.TunnelID
	}
	f("ipip", over4(layers.IPProtocolIPv4, in4), 4, 0)
	f("6in4", over4(layers.IPProtocolIPv6, in6), 6, 0)
	f("4in6", over6(layers.IPProtocolIPv4, in4), 4, 0)
	f("6in6", over6(layers.IPProtocolIPv6, in6), 6, 0)
	f("gre", over4(layers.IPProtocolGRE, gre(0, 0, 8, 0), in4), 4, 0)
	f("gre key", over4(layers.IPProtocolGRE, gre(0x20, 0, 0x86, 0xdd, 0, 0, 0, 9), in6), 6, 0)
	f("gre all", over6(layers.IPProtocolGRE, gre(0xb0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 1), in4), 4, 0)
	f("gre ethernet", over4(layers.IPProtocolGRE, gre(0x20, 0, 0x65, 0x58, 0, 0, 1, 9), innerEth), 4, 99)
	f("pptp", over4(layers.IPProtocolGRE, gre(0x30, 0x81, 0x88, 0x0b, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 1), gre(0xff, 3, 0, 0x21), in4), 4, 0)
	f("erspan I", over4(layers.IPProtocolGRE, gre(0, 0, 0x88, 0xbe), innerEth), 4, 99)
	f("erspan II", over4(layers.IPProtocolGRE, gre(0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 7, 0, 1, 0, 0, 0, 0),
		build(t, e4, ip4(layers.IPProtocolUDP), udpTo(53), payload("inner"))), 4, 7)
	f("erspan III", over4(layers.IPProtocolGRE, gre(0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x20, 7, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0),
		build(t, e4, ip4(layers.IPProtocolUDP), udpTo(53), payload("inner"))), 4, 7)
	f("erspan III, platform", over4(layers.IPProtocolGRE, gre(0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x20, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8),
		innerEth), 4, 99)
	f("erspan III, ip", over4(layers.IPProtocolGRE, gre(0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x20, 0, 0, 1, 0, 0, 0, 0, 0, 0, 8, 0), in6), 6, 0)
	f("vxlan", udp(4789, gre(8, 0, 0, 0, 0, 0, 42, 0), innerEth), 4, 99)
	f("vxlan other", udp(4789, gre(8, 0, 0, 0, 0, 0, 43, 0), innerEth), 4, 99)
	f("geneve", udp(6081, gre(1, 0, 0x65, 0x58, 0, 0, 42, 0, 1, 2, 3, 0), innerEth), 4, 99)
	f("geneve ip", udp(6081, gre(0, 0, 0x86, 0xdd, 0, 0, 44, 0), in6), 6, 0)
	f("teredo", udp(3544, in6), 6, 0)
	f("teredo indications", udp(3544, gre(0, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0), gre(0, 0, 1, 2, 3, 4, 5, 6), in6), 6, 0)
	f("gtp", udp(2152, gre(0x30, 0xff, 0, byte(len(in4)), 0, 0, 0, 5), in4), 4, 0)
	f("gtp extended", udp(2152, gre(0x34, 0xff, 0, byte(8+len(in6)), 0, 0, 0, 5, 0, 0, 0, 0x85, 1, 0x10, 1, 0), in6), 6, 0)

	same := func(want bool, a, b string) {
		t.Helper()
		if (ids[a] == ids[b]) != want {
			t.Errorf("%s and %s: ids %x and %x", a, b, ids[a], ids[b])
		}
	}
	same(false, "vxlan", "vxlan other")
	same(false, "vxlan", "geneve")
	same(false, "gre", "gre key")
	same(false, "gre key", "gre ethernet")
	same(false, "ipip", "gre")
	same(true, "gtp", "gtp extended")
	same(true, "teredo", "teredo indications")

	cfg.IgnoreTunnels = true
	if ps := only(t, New(cfg), frame(over4(layers.IPProtocolIPv4, in4)), 2); ps[1].TunnelID != 0 || ps[1].TunnelDepth != 1 {
		t.Errorf("ignored tunnels: %+v", ps[1])
	}
	cfg.VXLANPorts = []uint16{}
	only(t, New(cfg), frame(udp(4789, gre(8, 0, 0, 0, 0, 0, 42, 0), innerEth)), 1)
	cfg.VXLANPorts = []uint16{8472, 9999}
	only(t, New(cfg), frame(udp(9999, gre(8, 0, 0, 0, 0, 0, 42, 0), innerEth)), 2)
}

// TestTunnelDepth holds that a frame of nested tunnels stays bounded.
func TestTunnelDepth(t *testing.T) {
	data := inner4(t)
	var same uint32
	for range 40 {
		data = build(t, ip4(layers.IPProtocolIPv4), payload(string(data)))
	}
	fr := frame(data)
	fr.Link = capture.LinkRaw
	d := New(Config{})
	ps := d.Decode(fr)
	last := ps[len(ps)-1]
	if len(ps) > maxPackets || !last.Has(FlagInvalid) || d.Counters.TooManyLayers != 1 {
		t.Fatalf("%d packets, last %+v", len(ps), last)
	}
	for _, p := range ps[1:] {
		if p.TunnelID == same || p.TunnelID == 0 {
			t.Errorf("level %d has the id of the one before", p.TunnelDepth)
		}
		same = p.TunnelID
	}
}
