package decode

import (
	"bytes"
	"testing"

	"github.com/google/gopacket/layers"
	"pgregory.net/rapid"

	"sluice/dataplane/capture"
)

func TestTCPFields(t *testing.T) {
	seg := tcpSeg()
	seg.SYN, seg.ECE, seg.Urgent = true, true, 77
	seg.Options = []layers.TCPOption{
		{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{5, 0xb4}},
		{OptionType: layers.TCPOptionKindSACKPermitted, OptionLength: 2},
		{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: []byte{0, 0, 1, 0, 0, 0, 2, 0}},
		{OptionType: layers.TCPOptionKindNop},
		{OptionType: layers.TCPOptionKindWindowScale, OptionLength: 3, OptionData: []byte{15}},
	}
	v4 := ip4(layers.IPProtocolTCP)
	v4.Flags = layers.IPv4DontFragment
	p := only(t, New(Config{}), frame(build(t, eth(layers.EthernetTypeIPv4), v4, seg, payload("GET /"))), 1)[0]
	want := TCPOptions{MSS: 1460, WScale: 14, HasMSS: true, HasWScale: true, SACKOK: true, HasTimestamp: true, TSVal: 256, TSEcr: 512}
	if p.TCPOpts != want || p.Seq != 7 || p.Ack != 9 || p.Window != 512 || p.Urgent != 77 || p.TCPFlags != TCPSyn|TCPAck|TCPPsh|TCPEce ||
		p.L4HdrLen != 40 || p.TTL != 64 || p.TOS != 8 || p.IPID != 4242 || !p.DontFragment || p.L3 != 14 || p.L4 != 34 ||
		string(p.PayloadBytes()) != "GET /" || p.Flags != FlagHasPorts || p.NEvents != 0 {
		t.Errorf("%+v", p)
	}
	if p.Src.Netip().String() != "10.0.0.1" || p.Dst.Netip().String() != "10.0.0.2" {
		t.Errorf("addresses %v %v", p.Src.Netip(), p.Dst.Netip())
	}
	// The form that the fast path takes.
	seg = tcpSeg()
	seg.Options = []layers.TCPOption{{OptionType: 1}, {OptionType: 1},
		{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: []byte{0, 0, 1, 0, 0, 0, 2, 0}}}
	p = only(t, New(Config{}), frame(build(t, eth(layers.EthernetTypeIPv6), ip6(layers.IPProtocolTCP), seg)), 1)[0]
	if (p.TCPOpts != TCPOptions{HasTimestamp: true, TSVal: 256, TSEcr: 512}) || p.Flags != FlagHasPorts || p.TOS != 8 || p.TTL != 64 {
		t.Errorf("%+v", p)
	}
}

func TestICMP(t *testing.T) {
	v4 := build(t, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolICMPv4),
		&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0), Id: 1, Seq: 2}, payload("ping"))
	v6 := build(t, eth(layers.EthernetTypeIPv6), ip6(layers.IPProtocolICMPv6),
		&layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(128, 0)}, payload("\x00\x01\x00\x02ping"))
	for i, data := range [][]byte{v4, v6} {
		p := only(t, New(Config{}), frame(data), 1)[0]
		if p.ICMPType != []uint8{8, 128}[i] || p.ICMPCode != 0 || string(p.PayloadBytes()) != "ping" || p.Flags != 0 || p.NEvents != 0 {
			t.Errorf("%+v", p)
		}
		data[len(data)-1] ^= 1
		if p := only(t, New(Config{}), frame(data), 1)[0]; p.Flags != FlagBadL4Checksum {
			t.Errorf("%+v", p)
		}
	}
}

func TestSCTPAndESP(t *testing.T) {
	sctp := cat([]byte{0x13, 0x88, 0, 80}, make([]byte, 8), []byte("chunk"))
	p := only(t, New(Config{}), frame(build(t, eth(layers.EthernetTypeIPv4), ip4(132), payload(string(sctp)))), 1)[0]
	if p.SrcPort != 5000 || p.DstPort != 80 || string(p.PayloadBytes()) != "chunk" || p.Flags != FlagHasPorts {
		t.Errorf("%+v", p)
	}
	esp := []byte{0, 0, 1, 2, 0, 0, 0, 1, 9, 9}
	p = only(t, New(Config{}), frame(build(t, eth(layers.EthernetTypeIPv6), ip6(50), payload(string(esp)))), 1)[0]
	if p.SPI != 258 || p.Proto != ProtoESP || len(p.PayloadBytes()) != 2 || p.NEvents != 0 {
		t.Errorf("%+v", p)
	}
	ah := cat([]byte{17, 4, 0, 0, 0, 0, 1, 3, 0, 0, 0, 1}, make([]byte, 12), inner4(t)[20:])
	p = only(t, New(Config{NoChecksum: true}), frame(build(t, eth(layers.EthernetTypeIPv4), ip4(51), payload(string(ah)))), 1)[0]
	if p.SPI != 259 || p.Proto != ProtoUDP || p.DstPort != 53 || string(p.PayloadBytes()) != "inner" {
		t.Errorf("%+v", p)
	}
}

// TestChecksums flips one bit at a time and wants it noticed, in every length
// of payload that the unrolled loops treat differently.
func TestChecksums(t *testing.T) {
	d := New(Config{})
	for n := range 200 {
		body := payload(string(bytes.Repeat([]byte{0xa5, 0xff, 1}, n)[:n]))
		for _, data := range [][]byte{
			build(t, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolTCP), tcpSeg(), body),
			build(t, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolUDP), udpTo(9), body),
			build(t, eth(layers.EthernetTypeIPv6), ip6(layers.IPProtocolTCP), tcpSeg(), body),
			build(t, eth(layers.EthernetTypeIPv6), ip6(layers.IPProtocolUDP), udpTo(9), body),
		} {
			p := &only(t, d, frame(data), 1)[0]
			if p.Flags != FlagHasPorts {
				t.Fatalf("%d bytes: flags %x", n, p.Flags)
			}
			at := int(p.L4) + checksumAt(p)
			if v, ok := ChecksumL4(p); !ok || v != be16(data[at:]) {
				t.Fatalf("%d bytes: checksum %04x, want %04x", n, v, be16(data[at:]))
			}
			if p.IPVersion == 4 {
				if v := ChecksumIPv4(data[14:34]); v != be16(data[24:]) {
					t.Fatalf("header checksum %04x, want %04x", v, be16(data[24:]))
				}
				data[22] ^= 1
				if p = &only(t, d, frame(data), 1)[0]; p.Flags != FlagHasPorts|FlagBadIPChecksum {
					t.Fatalf("%d bytes, wrong header: flags %x", n, p.Flags)
				}
				data[22] ^= 1
			}
			data[len(data)-1] ^= 0x10
			if p = &only(t, d, frame(data), 1)[0]; p.Flags != FlagHasPorts|FlagBadL4Checksum {
				t.Fatalf("%d bytes, wrong: flags %x", n, p.Flags)
			}
			fr := frame(data)
			fr.HasVNet, fr.VNet[0] = true, 1
			if p = &only(t, d, fr, 1)[0]; p.Flags != FlagHasPorts {
				t.Fatalf("%d bytes, owed: flags %x", n, p.Flags)
			}
			if p = &only(t, New(Config{NoChecksum: true}), frame(data), 1)[0]; p.Flags != FlagHasPorts {
				t.Fatalf("%d bytes, unchecked: flags %x", n, p.Flags)
			}
		}
	}
	// UDP over IPv4 may leave it out, over IPv6 only to a tunnel.
	f := func(v6 bool, port layers.UDPPort, want Flags) {
		t.Helper()
		e, n := eth(layers.EthernetTypeIPv4), 34
		data := build(t, e, ip4(layers.IPProtocolUDP), udpTo(port), payload("x"))
		if v6 {
			e.EthernetType, n = layers.EthernetTypeIPv6, 54
			data = build(t, e, ip6(layers.IPProtocolUDP), udpTo(port), payload("x"))
		}
		data[n+6], data[n+7] = 0, 0
		if p := only(t, d, frame(data), 1)[0]; p.Flags != want {
			t.Errorf("port %d: flags %x", port, p.Flags)
		}
	}
	f(false, 9, FlagHasPorts)
	f(true, 9, FlagHasPorts|FlagBadL4Checksum)
	f(true, 4789, FlagHasPorts)
}

// TestAggregates decodes what GRO and TSO make: one packet, whatever its length.
func TestAggregates(t *testing.T) {
	big := bytes.Repeat([]byte("x"), 100000)
	data := cat(build(t, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolTCP), tcpSeg()), big)
	data[16], data[17] = 0, 0 // BIG TCP over IPv4
	fr := frame(data)
	fr.HasVNet, fr.VNet[0], fr.VNet[1], fr.VNet[4], fr.VNet[5] = true, 1, 1, 0xb4, 5
	p := only(t, New(Config{}), fr, 1)[0]
	if len(p.PayloadBytes()) != len(big) || p.Flags != FlagHasPorts || p.NEvents != 0 {
		t.Errorf("%d bytes, flags %x, events %v", len(p.PayloadBytes()), p.Flags, p.Events())
	}
	// BIG TCP over IPv6: a jumbo payload option.
	n := 8 + 20 + len(big)
	hop := []byte{6, 0, 0xc2, 4, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
	data = cat(build(t, eth(layers.EthernetTypeIPv6), ip6(0)), hop, build(t, ip4(6), tcpSeg())[20:], big)
	data[18], data[19] = 0, 0
	fr.Data, fr.WireLen = data, uint32(len(data))
	p = only(t, New(Config{}), fr, 1)[0]
	if len(p.PayloadBytes()) != len(big) || p.Flags != FlagHasPorts || p.NEvents != 0 {
		t.Errorf("%d bytes, flags %x, events %v", len(p.PayloadBytes()), p.Flags, p.Events())
	}
}

// TestCutCapture holds that a frame cut by the capture keeps its addresses and
// ports, and one whose header lies is invalid.
func TestCutCapture(t *testing.T) {
	for _, data := range [][]byte{
		build(t, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolTCP), tcpSeg(), payload("0123456789")),
		build(t, eth(layers.EthernetTypeIPv6), ip6(layers.IPProtocolTCP), tcpSeg(), payload("0123456789")),
	} {
		fr := frame(data[:len(data)-4])
		fr.WireLen = uint32(len(data))
		p := only(t, New(Config{}), fr, 1)[0]
		if p.Flags != FlagHasPorts|FlagTruncated || p.DstPort != 80 || string(p.PayloadBytes()) != "012345" || p.NEvents != 1 {
			t.Errorf("cut: %+v", p)
		}
		fr.WireLen = uint32(len(fr.Data))
		if p := only(t, New(Config{}), fr, 1)[0]; p.Flags != FlagInvalid|FlagTruncated || p.NEvents != 1 {
			t.Errorf("lie: %+v", p)
		}
	}
}

func TestExtensionHeaders(t *testing.T) {
	udp := inner6(t)[40:]
	hop := []byte{0, 0, 5, 2, 0, 0, 0, 0}            // router alert, padding
	dst := []byte{0, 0, 4, 1, 4, 0, 0, 0}            // tunnel limit
	rh := []byte{0, 0, 2, 0, 0, 0, 0, 0}             // type 2, none left
	ah := []byte{0, 1, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1} // 12 bytes
	mob := []byte{0, 0, 5, 0, 0, 0, 0, 0}
	atomic := []byte{0, 0, 0, 0, 0, 0, 0, 9}
	types := map[*byte]byte{&hop[0]: 0, &dst[0]: 60, &rh[0]: 43, &ah[0]: 51, &mob[0]: 135, &atomic[0]: 44}
	chain := func(last byte, body []byte, hs ...[]byte) *capture.Frame {
		var b []byte
		for i, h := range hs {
			c := bytes.Clone(h)
			if c[0] = last; i+1 < len(hs) {
				c[0] = types[&hs[i+1][0]]
			}
			b = append(b, c...)
		}
		first := last
		if len(hs) > 0 {
			first = types[&hs[0][0]]
		}
		v6 := ip6(layers.IPProtocol(first))
		return frame(build(t, eth(layers.EthernetTypeIPv6), v6, payload(string(cat(b, body)))))
	}
	ok := func(name string, want []Event, hs ...[]byte) {
		t.Helper()
		p := only(t, New(Config{}), chain(17, udp, hs...), 1)[0]
		if p.Proto != ProtoUDP || p.DstPort != 53 || string(p.PayloadBytes()) != "inner" || p.Flags != FlagHasPorts {
			t.Errorf("%s: %+v", name, p)
		}
		if string(eventBytes(p.Events())) != string(eventBytes(want)) {
			t.Errorf("%s: events %v, want %v", name, p.Events(), want)
		}
	}
	ok("none", nil)
	ok("hop", nil, hop)
	ok("all in order", nil, hop, dst, rh, ah, dst)
	ok("mobility", nil, mob)
	ok("atomic", []Event{EvIPv6ExthdrUselessFH}, hop, atomic)
	ok("twice", []Event{EvIPv6ExthdrDuplHH, EvIPv6ExthdrDuplRH, EvIPv6ExthdrDuplAH}, hop, hop, rh, rh, ah, ah)
	ok("three", []Event{EvIPv6ExthdrDuplDH}, dst, dst, dst)

	bad := func(name string, last byte, body []byte, want Event, invalid bool, hs ...[]byte) {
		t.Helper()
		p := only(t, New(Config{}), chain(last, body, hs...), 1)[0]
		if p.NEvents == 0 || p.EventList[p.NEvents-1] != want || p.Has(FlagInvalid) != invalid {
			t.Errorf("%s: flags %x, events %v, want %v", name, p.Flags, p.Events(), want)
		}
	}
	with := func(h []byte, at int, v byte) []byte {
		c := bytes.Clone(h)
		c[at] = v
		types[&c[0]] = types[&h[0]]
		return c
	}
	bad("header too long", 17, nil, EvIPv6TruncExthdr, true, with(hop, 1, 9))
	bad("nothing follows", 17, nil, EvIPv6TruncExthdr, true, dst)
	bad("half a header", 60, []byte{17, 0, 0}, EvIPv6TruncExthdr, true, hop)
	bad("unknown option", 59, nil, EvIPv6DstoptsUnknownOpt, false, with(dst, 2, 0x1e))
	bad("unknown hop option", 59, nil, EvIPv6HopoptsUnknownOpt, false, with(hop, 2, 0x1e))
	bad("option length", 59, nil, EvIPv6ExthdrInvalidOptlen, false, with(dst, 3, 9))
	bad("padding only", 59, nil, EvIPv6HopoptsOnlyPadding, false, with(with(hop, 2, 1), 3, 4))
	bad("routing type 0", 59, nil, EvIPv6RHType0, false, with(rh, 2, 0))
	bad("ah reserved", 59, nil, EvIPv6ExthdrAHResNotNull, false, with(ah, 2, 1))
	bad("data after none", 59, []byte("x"), EvIPv6DataAfterNoneHeader, false)
	bad("unknown next", 253, []byte("xxxx"), EvIPv6UnknownNextHeader, false)
	bad("icmp4", 1, make([]byte, 8), EvIPv6ICMPv4, false)
	bad("nested fragments", 17, udp, EvIPv6ExthdrDuplFH, true, atomic, atomic)

	// Segments left: the pseudo header has another destination.
	p := only(t, New(Config{}), chain(17, udp, with(rh, 3, 1)), 1)[0]
	if p.Flags != FlagHasPorts {
		t.Errorf("routed: flags %x", p.Flags)
	}
}

func eventBytes(es []Event) []byte {
	var b []byte
	for _, e := range es {
		b = append(b, byte(e>>8), byte(e))
	}
	return b
}

// TestSum compares the unrolled sum with the definition, for bytes that carry
// much.
func TestSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0x7f, 0x80, 0xfe, 0xff, 0xff, 0xff}), 0, 400).Draw(t, "bytes")
		acc := rapid.SampledFrom([]uint64{0, 1, 1 << 63, 1<<64 - 2, 1<<64 - 1}).Draw(t, "acc")
		want := uint64(fold(acc))
		for i := 0; i < len(b); i += 2 {
			v := uint64(b[i])
			if i+1 < len(b) {
				v |= uint64(b[i+1]) << 8
			}
			want += v
		}
		for want > 0xffff {
			want = want>>16 + want&0xffff
		}
		// Zero has two forms in ones' complement arithmetic.
		if got := fold(sum(acc, b)); uint64(got)%0xffff != want%0xffff {
			t.Fatalf("%x: got %04x, want %04x", b, got, want)
		}
		if len(b) >= 20 {
			if got, want := fold(sum20(b)), fold(sum(0, b[:20])); got%0xffff != want%0xffff {
				t.Fatalf("%x: got %04x, want %04x", b[:20], got, want)
			}
		}
	})
}
