package decode

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"sluice/dataplane/capture"
)

var (
	macA = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	macB = net.HardwareAddr{2, 0, 0, 0, 0, 2}
	ip4A = net.IPv4(10, 0, 0, 1)
	ip4B = net.IPv4(10, 0, 0, 2)
	ip6A = net.ParseIP("2001:db8::1")
	ip6B = net.ParseIP("2001:db8::2")
)

// sharedDir gives a folder beside the repository, or skips the test.
func sharedDir(t testing.TB, rel string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Skip("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	p := filepath.Join(dir, "..", "shared", rel)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("%s is not there", p)
	}
	return p
}

// build serialises layers with lengths and checksums.
func build(t testing.TB, ls ...gopacket.SerializableLayer) []byte {
	t.Helper()
	var network gopacket.NetworkLayer
	for _, l := range ls {
		if n, ok := l.(gopacket.NetworkLayer); ok {
			network = n
		}
		switch l := l.(type) {
		case *layers.TCP:
			l.SetNetworkLayerForChecksum(network)
		case *layers.UDP:
			l.SetNetworkLayerForChecksum(network)
		case *layers.ICMPv6:
			l.SetNetworkLayerForChecksum(network)
		}
	}
	b := gopacket.NewSerializeBuffer()
	// gopacket pads Ethernet frames to 60 bytes, which would hide lengths.
	var head []byte
	if e, ok := ls[0].(*layers.Ethernet); ok {
		head = cat(e.DstMAC, e.SrcMAC, []byte{byte(e.EthernetType >> 8), byte(e.EthernetType)})
		ls = ls[1:]
	}
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ls...); err != nil {
		t.Fatal(err)
	}
	return cat(head, b.Bytes())
}

func eth(et layers.EthernetType) *layers.Ethernet {
	return &layers.Ethernet{SrcMAC: macA, DstMAC: macB, EthernetType: et}
}

func ip4(proto layers.IPProtocol) *layers.IPv4 {
	return &layers.IPv4{Version: 4, TTL: 64, TOS: 8, Id: 4242, Protocol: proto, SrcIP: ip4A, DstIP: ip4B}
}

func ip6(next layers.IPProtocol) *layers.IPv6 {
	return &layers.IPv6{Version: 6, HopLimit: 64, TrafficClass: 8, NextHeader: next, SrcIP: ip6A, DstIP: ip6B}
}

func tcpSeg() *layers.TCP {
	return &layers.TCP{SrcPort: 1234, DstPort: 80, Seq: 7, Ack: 9, ACK: true, PSH: true, Window: 512}
}

func udpTo(port layers.UDPPort) *layers.UDP { return &layers.UDP{SrcPort: 5678, DstPort: port} }

func payload(s string) gopacket.Payload { return gopacket.Payload(s) }

func frame(data []byte) *capture.Frame {
	return &capture.Frame{Data: data, WireLen: uint32(len(data)), Time: 1e18, Num: 1, Link: capture.LinkEthernet}
}

func cat(bs ...[]byte) []byte {
	var out []byte
	for _, b := range bs {
		out = append(out, b...)
	}
	return out
}

// inner4 is an IPv4 UDP packet on its own, as tunnels carry it.
func inner4(t testing.TB) []byte {
	return build(t, ip4(layers.IPProtocolUDP), udpTo(53), payload("inner"))
}

func inner6(t testing.TB) []byte {
	return build(t, ip6(layers.IPProtocolUDP), udpTo(53), payload("inner"))
}

// only decodes one frame and wants n packets.
func only(t testing.TB, d *Decoder, f *capture.Frame, n int) []Packet {
	t.Helper()
	ps := d.Decode(f)
	if len(ps) != n {
		t.Fatalf("%d packets, want %d: %v", len(ps), n, ps)
	}
	return ps
}
