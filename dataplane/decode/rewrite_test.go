package decode

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/google/gopacket/layers"
)

// TestRewrite changes random bytes of payloads and has all checksums, also those
// of the packets around, computed anew by the decoder.
func TestRewrite(t *testing.T) {
	const text = "the quick brown fox jumps over the lazy dog"
	udp := func() *layers.UDP { return udpTo(5353) }
	// A datagram whose sender computed no checksum.
	bare := build(t, ip4(layers.IPProtocolUDP), udp(), payload(text))
	bare[20+6], bare[20+7] = 0, 0
	gre := func(inner []byte) []byte {
		return build(t, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolGRE),
			&layers.GRE{Protocol: layers.EthernetTypeIPv4, ChecksumPresent: true}, payload(string(inner)))
	}
	vxlan := func(inner []byte) []byte {
		head := []byte{8, 0, 0, 0, 0, 0, 7, 0}
		return build(t, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolUDP), udpTo(4789),
			payload(string(cat(head, macA, macB, []byte{8, 0}, inner))))
	}
	for _, tt := range []struct {
		name string
		data []byte
	}{
		{"TCP", build(t, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolTCP), tcpSeg(), payload(text))},
		{"TCP over IPv6", build(t, eth(layers.EthernetTypeIPv6), ip6(layers.IPProtocolTCP), tcpSeg(), payload(text))},
		{"UDP", build(t, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolUDP), udp(), payload(text))},
		{"UDP over IPv6", build(t, eth(layers.EthernetTypeIPv6), ip6(layers.IPProtocolUDP), udp(), payload(text))},
		{"UDP without checksum", cat(macA, macB, []byte{8, 0}, bare)},
		{"ICMP", build(t, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolICMPv4), &layers.ICMPv4{TypeCode: 8 << 8, Id: 3, Seq: 1}, payload(text))},
		{"ICMPv6", build(t, eth(layers.EthernetTypeIPv6), ip6(layers.IPProtocolICMPv6), &layers.ICMPv6{TypeCode: 128 << 8}, payload("\x00\x01\x00\x01"+text))},
		{"TCP in VXLAN", vxlan(build(t, ip4(layers.IPProtocolTCP), tcpSeg(), payload(text)))},
		{"UDP without checksum in VXLAN", vxlan(bare)},
		{"TCP in GRE", gre(build(t, ip4(layers.IPProtocolTCP), tcpSeg(), payload(text)))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := New(Config{})
			rnd := rand.New(rand.NewPCG(1, uint64(len(tt.data))))
			for range 500 {
				f := frame(tt.data)
				pkts := d.Decode(f)
				i := len(pkts) - 1
				p := &pkts[i]
				if !CanRewrite(p) || p.Flags&FlagBadL4Checksum != 0 {
					t.Fatalf("flags %b", p.Flags)
				}
				with := make([]byte, 1+rnd.IntN(8))
				for k := range with {
					with[k] = byte(rnd.Uint32())
				}
				at := int(p.Payload) + rnd.IntN(int(p.PayloadEnd-p.Payload)-len(with)+1)
				data := bytes.Clone(tt.data)
				Rewrite(pkts, i, data, at, with)
				got := d.Decode(frame(data))
				if len(got) != len(pkts) || !bytes.Equal(data[at:at+len(with)], with) || len(data) != len(tt.data) {
					t.Fatalf("%d packets of %d, %q at %d", len(got), len(pkts), data, at)
				}
				for k := range got {
					if bad, known := BadL4Checksum(&got[k]); bad && known || got[k].Flags&FlagBadIPChecksum != 0 {
						t.Fatalf("packet %d has a wrong checksum after %x at %d", k, with, at)
					}
				}
				if q := got[0]; q.Proto == ProtoGRE && fold(sum(0, data[q.L4:q.PayloadEnd])) != 0xffff {
					t.Fatal("the GRE checksum is wrong")
				}
				if tt.data[len(tt.data)-1] == 'g' && bytes.Equal(data, tt.data) && !bytes.Equal(with, tt.data[at:at+len(with)]) {
					t.Fatal("nothing was changed")
				}
			}
		})
	}
}

// TestRewriteOwed leaves a checksum alone that the sender's card finishes, and one
// that was wrong wrong.
func TestRewriteOwed(t *testing.T) {
	data := build(t, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolTCP), tcpSeg(), payload("password"))
	data[50], data[51] = 0x12, 0x34
	f := frame(data)
	f.HasVNet, f.VNet = true, [10]byte{1, 0, 0, 0, 0, 0, 34, 0, 16, 0}
	pkts := New(Config{}).Decode(f)
	got := bytes.Clone(data)
	Rewrite(pkts, 0, got, 54, []byte("PASS"))
	if want := append(bytes.Clone(data[:54]), "PASSword"...); !bytes.Equal(got, want) {
		t.Errorf("%x, not %x", got, want)
	}
	f = frame(data)
	pkts = New(Config{}).Decode(f)
	got = bytes.Clone(data)
	Rewrite(pkts, 0, got, 54, []byte("PASS"))
	again := New(Config{}).Decode(frame(got))
	if bad, _ := BadL4Checksum(&again[0]); !bad || again[0].Flags&FlagBadL4Checksum == 0 {
		t.Error("a wrong checksum was made right")
	}
}

func TestCanRewrite(t *testing.T) {
	d := New(Config{})
	sctp := build(t, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolSCTP), payload("\x00\x01\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00data"))
	first := ip4(layers.IPProtocolUDP)
	first.Flags = layers.IPv4MoreFragments
	fragment := build(t, eth(layers.EthernetTypeIPv4), first, payload("\x00\x35\x00\x35\x00\x20\x00\x00data----"))
	cut := frame(build(t, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolTCP), tcpSeg(), payload("password")))
	cut.Data = cut.Data[:58]
	for _, f := range []*struct {
		name string
		pkts []Packet
	}{{"SCTP", d.Decode(frame(sctp))}, {"fragment", New(Config{}).Decode(frame(fragment))}, {"cut", New(Config{}).Decode(cut)}} {
		for i := range f.pkts {
			if CanRewrite(&f.pkts[i]) {
				t.Errorf("%s could be rewritten", f.name)
			}
		}
	}
}
