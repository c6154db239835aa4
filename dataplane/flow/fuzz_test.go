package flow

import (
	"testing"

	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
)

// FuzzBytes gives arbitrary bytes to the two places of this package that read
// packets themselves: the fan-out hash and the quoted packet of an ICMP error.
func FuzzBytes(f *testing.F) {
	f.Add(uint16(1), []byte("\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x81\x00\x00\x07\x08\x00\x45\x00\x00\x28\x00\x00\x00\x00\x40\x06\x00\x00\x0a\x00\x00\x01\x0a\x00\x00\x02"))
	f.Add(uint16(101), []byte("\x45\x00\x00\x28\x00\x00\x00\x00\x40\x11\x00\x00\x0a\x00\x00\x01\x0a\x00\x00\x02\x03\xe8\x00\x35"))
	f.Add(uint16(101), []byte("\x60\x00\x00\x00\x00\x10\x3c\x40\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x06\x00\x00\x00\x00\x00\x00\x00\x00\x07\x00\x50"))
	f.Fuzz(func(t *testing.T, link uint16, b []byte) {
		fr := capture.Frame{Data: b, Link: capture.LinkType(link)}
		h := FanoutHash(&fr)
		if again := FanoutHash(&fr); again != h {
			t.Fatal("not deterministic")
		}
		q, ok := parseQuote(b)
		if !ok {
			return
		}
		tb := NewTable(Config{MaxFlows: 16})
		p := &decode.Packet{IPVersion: q.version, Src: q.src, Dst: q.dst, SrcPort: q.sp, DstPort: q.dp, Proto: q.proto, Flags: decode.FlagHasPorts}
		want, _, _ := tb.Get(p)
		e := &decode.Packet{IPVersion: q.version, Proto: decode.ProtoICMP, ICMPType: 3, Data: append(make([]byte, 8), b...)}
		if got, _ := tb.Quoted(e); got != want {
			t.Fatal("the quoted packet's flow is not found")
		}
	})
}
