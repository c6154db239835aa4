package flow

import (
	"encoding/hex"
	"strings"
	"testing"

	"sluice/dataplane/capture"
)

func TestFanoutHash(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const (
		mac  = "020000000001 020000000002 "
		ip4  = "45000028 00000000 40060000 0a000001 0a000002 "
		back = "45000028 00000000 40060000 0a000002 0a000001 "
		ip6  = "60000000 00000640 20010db8000000000000000000000001 20010db8000000000000000000000002 "
		six  = "60000000 00000640 20010db8000000000000000000000002 20010db8000000000000000000000001 "
	)
	want := FanoutHash(&capture.Frame{Data: unhex(ip4), Link: capture.LinkRaw})
	want6 := FanoutHash(&capture.Frame{Data: unhex(ip6), Link: capture.LinkRaw})
	if want == 0 || want6 == 0 || want == want6 {
		t.Fatal(want, want6)
	}
	f := func(link capture.LinkType, frame string, want uint32) {
		t.Helper()
		b := unhex(frame)
		if got := FanoutHash(&capture.Frame{Data: b, Link: link}); got != want {
			t.Errorf("link %d %s: %08x, want %08x", link, frame, got, want)
		}
		for n := range b { // no length may panic
			FanoutHash(&capture.Frame{Data: b[:n], Link: link})
		}
	}
	f(capture.LinkEthernet, mac+"0800"+ip4, want)
	f(capture.LinkEthernet, mac+"0800"+back, want)
	f(capture.LinkEthernet, mac+"81000007 0800"+back, want)
	f(capture.LinkEthernet, mac+"88a80007 81000009 0800"+ip4, want)
	f(capture.LinkEthernet, mac+"8864 11000001 0016 c021"+ip4, 0) // LCP
	f(capture.LinkEthernet, mac+"8864 11000001 0016 0021"+ip4, want)
	f(capture.LinkEthernet, mac+"8847 00001040 00002040"+ip4, 0) // no bottom of stack
	f(capture.LinkEthernet, mac+"8847 00001040 00002140"+ip4, want)
	f(capture.LinkEthernet, mac+"0806 0001"+ip4, 0)
	f(capture.LinkEthernet, mac+"86dd"+six, want6)
	f(capture.LinkRaw, six, want6)
	f(capture.LinkIPv6, ip6, want6)
	f(capture.LinkIPv4, back, want)
	f(capture.LinkSLL, "0000 0001 0006 020000000001 0000 0800"+ip4, want)
	f(capture.LinkSLL2, "0800 0000 00000001 0001 00 06 0200000000010000"+ip4, want)
	f(capture.LinkNull, "02000000"+ip4, want)
	f(capture.LinkLoop, "00000002"+back, want)
	f(capture.LinkPPP, "ff030021"+ip4, want)
	f(capture.LinkPPPHDLC, "21"+ip4, want)
	f(capture.LinkCHDLC, "0f000800"+ip4, want)
	f(capture.LinkIEEE80211, ip4, 0)
}

func BenchmarkFanoutHash(b *testing.B) {
	frame, _ := hex.DecodeString("02000000000102000000000281000007080045000028000000004006000a0a0000010a00000200000000")
	f := capture.Frame{Data: frame, Link: capture.LinkEthernet}
	b.ReportAllocs()
	for b.Loop() {
		FanoutHash(&f)
	}
}
