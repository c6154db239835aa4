package decode

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/gopacket/layers"

	"sluice/dataplane/capture"
)

// TestEventNames holds that names and numbers lead to each other, and that the
// decoder really reports each event that has a name.
func TestEventNames(t *testing.T) {
	for e := Event(1); e <= EvTooManyLayers; e++ {
		got, ok := EventByName(e.String())
		if !ok || got != e {
			t.Errorf("%d %q: %d %v", e, e.String(), got, ok)
		}
	}
	if e, ok := EventByName("decoder.ipv4.frag.overlap"); !ok || e != EvIPv4FragOverlap {
		t.Error("old name")
	}
	if _, ok := EventByName("ipv4.nonsense"); ok {
		t.Error("unknown name found")
	}
	if Event(500).String() != "event-500" || Event(60000).String() != "event-60000" {
		t.Error("nameless event")
	}
	RegisterEvents(1000, []string{"test.one", "test.two"})
	if e, ok := EventByName("test.two"); !ok || e != 1001 || e.String() != "test.two" {
		t.Error("registered name")
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a taken value was registered")
			}
		}()
		RegisterEvents(1001, []string{"test.three"})
	}()

	src, err := os.ReadFile("events.go")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	entries, _ := os.ReadDir(".")
	for _, f := range entries {
		if n := f.Name(); strings.HasSuffix(n, ".go") && !strings.HasSuffix(n, "_test.go") && n != "events.go" {
			b, _ := os.ReadFile(n)
			code.Write(b)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^\t(Ev\w+)`).FindAllStringSubmatch(string(src), -1) {
		if !regexp.MustCompile(`\b` + m[1] + `\b`).MatchString(code.String()) {
			t.Errorf("%s has a name but is never reported", m[1])
		}
	}
}

// TestAnomalies feeds one bad frame for each event.
func TestAnomalies(t *testing.T) {
	mac := make([]byte, 12)
	e := func(et uint16, tail ...byte) []byte { return cat(mac, []byte{byte(et >> 8), byte(et)}, tail) }
	v4 := func(proto byte, body ...byte) []byte {
		return build(t, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocol(proto)), payload(string(body)))
	}
	v6 := func(proto byte, body ...byte) []byte {
		return build(t, eth(layers.EthernetTypeIPv6), ip6(layers.IPProtocol(proto)), payload(string(body)))
	}
	opts := func(o ...byte) []byte {
		h := cat([]byte{0x40 | byte(5+len(o)/4), 0, 0, byte(20 + len(o) + 8), 0, 1, 0, 0, 64, 59, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}, o, make([]byte, 8))
		return e(0x800, h...)
	}
	tcpOpts := func(o ...byte) []byte {
		return v4(6, cat([]byte{0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, byte(5+len(o)/4) << 4, 16, 0, 0, 0, 0, 0, 0}, o)...)
	}
	set := func(b []byte, at int, v byte) []byte { b[at] = v; return b }
	arp := func(at int, v byte) []byte {
		b := e(0x806, cat([]byte{0, 1, 8, 0, 6, 4, 0, 1}, make([]byte, 20))...)
		b[14+at] = v
		return b
	}
	z := func(n int) []byte { return make([]byte, n) }
	f := func(want Event, invalid bool, data []byte, link ...capture.LinkType) {
		t.Helper()
		fr := frame(data)
		if len(link) > 0 {
			fr.Link = link[0]
		}
		for _, p := range New(Config{NoChecksum: true}).Decode(fr) {
			for _, ev := range p.Events() {
				if ev == want {
					if p.Has(FlagInvalid) != invalid {
						t.Errorf("%v: flags %x, want invalid %v", want, p.Flags, invalid)
					}
					return
				}
			}
			if p.NEvents > 0 {
				t.Logf("%v: saw %v", want, p.Events())
			}
		}
		t.Errorf("%v was not reported", want)
	}
	f(EvEthernetPktTooSmall, true, z(13))
	f(EvEthernetUnknownEthertype, false, e(0xfafa))
	f(EvVLANHeaderTooSmall, true, e(0x8100, 0, 1))
	f(EvVLANUnknownType, false, e(0x8100, 0, 1, 0xfa, 0xfa))
	f(EvVLANTooManyLayers, true, e(0x8100, 0, 1, 0x81, 0, 0, 1, 0x81, 0, 0, 1, 0x81, 0, 0, 1, 8, 0))
	f(EvPBBHeaderTooSmall, true, e(0x88e7, 1))
	f(EvVNTagHeaderTooSmall, true, e(0x8926, 1))
	f(EvVNTagUnknownType, false, e(0x8926, 0, 0, 0, 0, 0xfa, 0xfa))
	f(EvETagHeaderTooSmall, true, e(0x893f, 1))
	f(EvETagUnknownType, false, e(0x893f, 0, 0, 0, 0, 0, 0, 0xfa, 0xfa))
	f(EvDCEPktTooSmall, true, e(0x8903, 1))
	f(EvMPLSHeaderTooSmall, true, e(0x8847, 1))
	f(EvMPLSPktTooSmall, true, e(0x8847, 0, 1, 0x71, 64))
	f(EvMPLSBadLabelRouterAlert, true, e(0x8847, 0, 0, 0x11, 64))
	f(EvMPLSBadLabelImplicitNull, true, e(0x8847, 0, 0, 0x31, 64))
	f(EvMPLSBadLabelReserved, false, e(0x8847, 0, 0, 0x51, 64, 0xf0, 0, 0, 0))
	f(EvMPLSUnknownPayloadType, false, e(0x8847, 0, 1, 0x71, 64, 0xf0, 0, 0, 0))
	f(EvPPPoEPktTooSmall, true, e(0x8864, 0x11, 0, 0, 1, 0))
	f(EvPPPoEWrongCode, true, e(0x8864, 0x11, 9, 0, 1, 0, 2, 0, 0x21))
	f(EvPPPoEWrongCode, true, e(0x8863, 0x11, 0, 0, 1, 0, 0))
	f(EvPPPoEMalformedTags, true, e(0x8863, 0x11, 9, 0, 1, 0, 4, 1, 1, 0, 9))
	f(EvPPPPktTooSmall, true, z(0), capture.LinkPPP)
	f(EvPPPIP4PktTooSmall, true, []byte{0, 0x21, 0x45}, capture.LinkPPP)
	f(EvPPPIP6PktTooSmall, true, []byte{0, 0x57, 0x60}, capture.LinkPPP)
	f(EvPPPVJUPktTooSmall, true, []byte{0, 0x2f, 0x45}, capture.LinkPPP)
	f(EvPPPUnsupProto, false, []byte{0, 0x2b}, capture.LinkPPP)
	f(EvPPPWrongType, true, []byte{0, 0x20}, capture.LinkPPP)
	f(EvSLLPktTooSmall, true, z(15), capture.LinkSLL)
	f(EvSLL2PktTooSmall, true, z(19), capture.LinkSLL2)
	f(EvCHDLCPktTooSmall, true, z(3), capture.LinkCHDLC)
	f(EvNullPktTooSmall, true, z(3), capture.LinkNull)
	f(EvNullUnsupportedType, true, []byte{9, 0, 0, 0}, capture.LinkNull)
	f(EvRawInvalidIPVersion, true, z(20), capture.LinkRaw)
	f(EvNSHHeaderTooSmall, true, e(0x894f, 0, 2))
	f(EvNSHUnsupportedVersion, false, e(0x894f, 0x40, 2, 2, 1, 0, 0, 0, 0))
	f(EvNSHBadHeaderLength, true, e(0x894f, 0, 9, 2, 1, 0, 0, 0, 0))
	f(EvNSHReservedType, false, e(0x894f, 0, 2, 0, 9, 0, 0, 0, 0))
	f(EvNSHUnsupportedType, false, e(0x894f, 0, 2, 7, 1, 0, 0, 0, 0))
	f(EvNSHUnknownPayload, false, e(0x894f, 0, 2, 2, 9, 0, 0, 0, 0))
	f(EvARPPktTooSmall, true, e(0x806, 0, 1))
	f(EvARPUnsupportedHardware, true, arp(1, 6))
	f(EvARPUnsupportedProtocol, true, arp(2, 9))
	f(EvARPInvalidHardwareSize, true, arp(4, 8))
	f(EvARPInvalidProtocolSize, true, arp(5, 8))
	f(EvARPInvalidPkt, true, arp(7, 0))
	f(EvARPUnsupportedOpcode, true, arp(7, 99))

	f(EvIPv4PktTooSmall, true, e(0x800, 0x45, 0))
	f(EvIPv4WrongIPVersion, true, set(v4(59), 14, 0x65))
	f(EvIPv4HLenTooSmall, true, set(v4(59), 14, 0x44))
	f(EvIPv4IPLenSmallerThanHLen, true, set(v4(59), 17, 19))
	f(EvIPv4TruncPkt, true, set(v4(59), 16, 9))
	f(EvIPv4OptPadRequired, false, opts(1, 1, 1, 0))
	f(EvIPv4OptEOLRequired, false, opts(1, 1, 1, 7))
	f(EvIPv4OptInvalidLen, true, opts(7, 9, 4, 0))
	f(EvIPv4OptInvalidLen, false, opts(0x88, 3, 0, 0))
	f(EvIPv4OptMalformed, false, opts(7, 7, 5, 0, 0, 0, 0, 0))
	f(EvIPv4OptDuplicate, false, opts(0x88, 4, 0, 0, 0x88, 4, 0, 0))
	f(EvIPv4OptUnknown, false, opts(0x5e, 4, 0, 0))
	f(EvIPv4OptInvalid, false, opts(0x3e, 4, 0, 0))
	f(EvIPv4ICMPv6, false, v4(58, z(8)...))
	f(EvIPv6PktTooSmall, true, e(0x86dd, 0x60))
	f(EvIPv6WrongIPVersion, true, set(v6(59), 14, 0x40))
	f(EvIPv6TruncPkt, true, set(v6(59), 18, 9))
	f(EvIPv6ZeroLenPadn, false, v6(60, 59, 0, 4, 0, 1, 0, 0, 0))
	f(EvIPv6FHNonZeroReservedField, false, v6(44, 59, 1, 0, 0, 0, 0, 0, 0))
	f(EvIPv6FragInvalidLength, true, v6(44, 17, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3))
	f(EvIPv6FragPktTooLarge, true, v6(44, cat([]byte{17, 0, 0xff, 0xf8, 0, 0, 0, 0}, z(9))...))
	f(EvIPv6FragIgnored, false, v6(44, 17, 0, 0, 8, 0, 0, 0, 0))
	f(EvIPv4FragIgnored, false, set(v4(17), 21, 8))
	f(EvIPv4FragPktTooLarge, true, set(set(v4(17, z(9)...), 20, 0x1f), 21, 0xff))
	f(EvIPv6IPv4InIPv6TooSmall, true, v6(4, 0x45))
	f(EvIPv6IPv4InIPv6WrongVersion, true, v6(4, z(20)...))
	f(EvIPv6IPv6InIPv6TooSmall, true, v6(41, 0x60))
	f(EvIPv6IPv6InIPv6WrongVersion, true, v6(41, z(40)...))

	f(EvTCPPktTooSmall, true, v4(6, z(19)...))
	f(EvTCPHLenTooSmall, true, v4(6, z(20)...))
	f(EvTCPInvalidOptlen, true, set(tcpOpts(), 46, 0xf0))
	f(EvTCPInvalidOptlen, false, tcpOpts(2, 9, 0, 0))
	f(EvTCPOptInvalidLen, false, tcpOpts(2, 3, 0, 0))
	f(EvTCPOptDuplicate, false, tcpOpts(2, 4, 0, 0, 2, 4, 0, 0))
	f(EvUDPHLenTooSmall, true, v4(17, z(7)...))
	f(EvUDPPktTooSmall, true, v6(17, 0, 1, 0, 1, 0, 9, 0, 0))
	f(EvUDPLenInvalid, true, v4(17, 0, 1, 0, 1, 0, 7, 0, 0))
	f(EvSCTPPktTooSmall, true, v4(132, z(11)...))
	f(EvESPPktTooSmall, true, v4(50, z(7)...))
	f(EvICMPv4PktTooSmall, true, v4(1, z(7)...))
	f(EvICMPv4UnknownType, false, v4(1, cat([]byte{200}, z(7))...))
	f(EvICMPv4UnknownCode, false, v4(1, cat([]byte{8, 1}, z(7))...))
	f(EvICMPv4IPv4TruncPkt, false, v4(1, cat([]byte{3, 1}, z(16))...))
	f(EvICMPv4IPv4UnknownVer, false, v4(1, cat([]byte{3, 1}, z(30))...))
	f(EvICMPv6PktTooSmall, true, v6(58, z(7)...))
	f(EvICMPv6UnknownType, false, v6(58, cat([]byte{127}, z(7))...))
	f(EvICMPv6UnassignedType, false, v6(58, z(8)...))
	f(EvICMPv6ExperimentationType, false, v6(58, cat([]byte{200}, z(7))...))
	f(EvICMPv6UnknownCode, false, v6(58, cat([]byte{128, 4}, z(7))...))
	f(EvICMPv6IPv6TruncPkt, false, v6(58, cat([]byte{1, 0}, z(16))...))
	f(EvICMPv6IPv6UnknownVersion, false, v6(58, cat([]byte{1, 0}, z(60))...))
	f(EvICMPv6MLDMessageWithInvalidHL, false, v6(58, cat([]byte{131}, z(7))...))

	f(EvGREPktTooSmall, true, v4(47, 0, 0))
	f(EvGREWrongVersion, true, v4(47, 0, 2, 8, 0))
	f(EvGREVersion0Recur, true, v4(47, 1, 0, 8, 0))
	f(EvGREVersion0Flags, true, v4(47, 0, 8, 8, 0))
	f(EvGREVersion0HdrTooBig, true, v4(47, 0x20, 0, 8, 0))
	f(EvGREVersion0MalformedSREHdr, true, v4(47, 0x40, 0, 8, 0, 0, 0, 0, 0, 0, 1, 0, 9))
	f(EvGREVersion1Chksum, true, v4(47, 0x80, 1, 0x88, 0x0b))
	f(EvGREVersion1Route, true, v4(47, 0x40, 1, 0x88, 0x0b))
	f(EvGREVersion1SSR, true, v4(47, 0x08, 1, 0x88, 0x0b))
	f(EvGREVersion1Recur, true, v4(47, 0x01, 1, 0x88, 0x0b))
	f(EvGREVersion1Flags, true, v4(47, 0, 9, 0x88, 0x0b))
	f(EvGREVersion1NoKey, true, v4(47, 0, 1, 0x88, 0x0b))
	f(EvGREVersion1WrongProtocol, true, v4(47, 0x20, 1, 8, 0))
	f(EvGREVersion1HdrTooBig, true, v4(47, 0x20, 1, 0x88, 0x0b))
	f(EvERSPANHeaderTooSmall, true, v4(47, 0x10, 0, 0x88, 0xbe, 0, 0, 0, 0, 0x10))
	f(EvERSPANUnsupportedVersion, false, v4(47, cat([]byte{0x10, 0, 0x88, 0xbe, 0, 0, 0, 0, 0x30}, z(20))...))
	udp := func(port byte, body ...byte) []byte {
		return v4(17, cat([]byte{0, 9, []byte{0x12, 0x17}[port], []byte{0xb5, 0xc1}[port], 0, byte(8 + len(body)), 0, 0}, body)...)
	}
	f(EvVXLANUnknownPayloadType, false, udp(0, cat([]byte{8, 0, 0, 0, 0, 0, 1, 0}, e(0xfafa))...))
	f(EvGeneveUnknownPayloadType, false, udp(1, 0, 0, 0xfa, 0xfa, 0, 0, 1, 0))
}
