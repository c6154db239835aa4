package decode

import (
	"fmt"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"sluice/dataplane/capture"
)

func timingFrames(t testing.TB) map[string]*capture.Frame {
	seg := tcpSeg()
	seg.Options = []layers.TCPOption{{OptionType: 1}, {OptionType: 1},
		{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: make([]byte, 8)}}
	return map[string]*capture.Frame{
		"tcp4":      frame(build(t, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolTCP), seg, payload(string(make([]byte, 1448))))),
		"tcp4small": frame(build(t, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolTCP), tcpSeg(), payload("x"))),
		"tcp6":      frame(build(t, eth(layers.EthernetTypeIPv6), ip6(layers.IPProtocolTCP), seg, payload(string(make([]byte, 1428))))),
		"udp4":      frame(build(t, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolUDP), udpTo(53), payload("query"))),
		"vxlan": frame(build(t, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolUDP), udpTo(4789), payload(string(cat([]byte{8, 0, 0, 0, 0, 0, 1, 0},
			build(t, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolTCP), tcpSeg(), payload("x"))))))),
	}
}

// TestDecodeAllocs holds that neither whole packets nor, once warm, fragments
// cost an allocation.
func TestDecodeAllocs(t *testing.T) {
	d := New(Config{})
	for name, f := range timingFrames(t) {
		if n := testing.AllocsPerRun(200, func() { d.Decode(f) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	a, b := frag4(1, 253, cutPiece{0, true, make([]byte, 1480)}), frag4(1, 253, cutPiece{1480, false, make([]byte, 900)})
	if n := testing.AllocsPerRun(200, func() { d.Decode(b); d.Decode(a) }); n != 0 {
		t.Errorf("fragments: %v allocations", n)
	}
}

func BenchmarkDecode(b *testing.B) {
	fs := timingFrames(b)
	for _, name := range []string{"tcp4small", "tcp4", "tcp6", "udp4", "vxlan"} {
		for _, no := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/checksum=%v", name, !no), func(b *testing.B) {
				d := New(Config{NoChecksum: no})
				f := fs[name]
				b.SetBytes(int64(len(f.Data)))
				b.ReportAllocs()
				for b.Loop() {
					d.Decode(f)
				}
			})
		}
	}
}

// BenchmarkGopacket is the mark to beat, in the same run.
func BenchmarkGopacket(b *testing.B) {
	var e layers.Ethernet
	var v4 layers.IPv4
	var v6 layers.IPv6
	var tcp layers.TCP
	var udp layers.UDP
	var pl gopacket.Payload
	fs := timingFrames(b)
	for _, name := range []string{"tcp4small", "tcp4", "tcp6", "udp4"} {
		b.Run(name, func(b *testing.B) {
			p := gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet, &e, &v4, &v6, &tcp, &udp, &pl)
			p.IgnoreUnsupported = true
			var decoded []gopacket.LayerType
			f := fs[name]
			b.SetBytes(int64(len(f.Data)))
			b.ReportAllocs()
			for b.Loop() {
				if err := p.DecodeLayers(f.Data, &decoded); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
