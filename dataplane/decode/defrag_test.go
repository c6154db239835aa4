package decode

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/gopacket/layers"
	"pgregory.net/rapid"

	"sluice/dataplane/capture"
)

// cutPiece is one fragment of a test: bytes [from,from+len(data)) of the IP payload.
type cutPiece struct {
	from int
	more bool
	data []byte
}

// frag4 and frag6 make the frame of one fragment.
func frag4(id uint16, proto byte, c cutPiece) *capture.Frame {
	b := make([]byte, 34, 34+len(c.data))
	b[12], b[13] = 8, 0
	h := b[14:]
	h[0], h[8], h[9] = 0x45, 64, proto
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(c.data)))
	binary.BigEndian.PutUint16(h[4:], id)
	field := uint16(c.from / 8)
	if c.more {
		field |= 0x2000
	}
	binary.BigEndian.PutUint16(h[6:], field)
	copy(h[12:], []byte{10, 0, 0, 1, 10, 0, 0, 2})
	binary.BigEndian.PutUint16(h[10:], ChecksumIPv4(h[:20]))
	return frame(append(b, c.data...))
}

func frag6(id uint16, proto byte, c cutPiece) *capture.Frame {
	b := make([]byte, 14+40+8+8)
	b[12], b[13] = 0x86, 0xdd
	h := b[14:]
	h[0], h[6], h[7] = 0x60, 60, 64
	binary.BigEndian.PutUint16(h[4:], uint16(16+len(c.data)))
	copy(h[8:], ip6A)
	copy(h[24:], ip6B)
	copy(h[40:], []byte{44, 0, 4, 1, 4, 0, 0, 0}) // destination options
	h[48] = proto
	field := uint16(c.from)
	if c.more {
		field |= 1
	}
	binary.BigEndian.PutUint16(h[50:], field)
	binary.BigEndian.PutUint32(h[52:], uint32(id))
	return frame(append(b, c.data...))
}

// split cuts an IP payload at the given multiples of eight.
func split(body []byte, at []int) []cutPiece {
	var out []cutPiece
	from := 0
	for _, a := range append(at, len(body)) {
		if a > from && a <= len(body) {
			out = append(out, cutPiece{from, a < len(body), body[from:a]})
			from = a
		}
	}
	return out
}

// reassembled gives the reassembled packets that frames lead to, payload copied.
func reassembled(d *Decoder, fs ...*capture.Frame) []string {
	var out []string
	for _, f := range fs {
		for _, p := range d.Decode(f) {
			if p.Has(FlagReassembled) {
				out = append(out, string(p.PayloadBytes()))
			}
		}
	}
	return out
}

// TestFragmentsInAnyOrder cuts a datagram anywhere, shuffles and repeats the
// fragments, and wants the datagram back, once.
func TestFragmentsInAnyOrder(t *testing.T) {
	d := New(Config{})
	id := uint16(0)
	rapid.Check(t, func(t *rapid.T) {
		v6 := rapid.Bool().Draw(t, "v6")
		text := rapid.SliceOfN(rapid.Byte(), 1, 4000).Draw(t, "payload")
		var body []byte
		mk := frag4
		if v6 {
			body = build(t0, ip6(layers.IPProtocolUDP), udpTo(53), payload(string(text)))[40:]
			mk = frag6
		} else {
			body = build(t0, ip4(layers.IPProtocolUDP), udpTo(53), payload(string(text)))[20:]
		}
		var at []int
		for pos := 0; pos < len(body); {
			pos += 8 * rapid.IntRange(1, 60).Draw(t, "cut")
			at = append(at, pos)
		}
		cuts := split(body, at)
		if len(cuts) < 2 {
			return
		}
		id++
		order := rapid.Permutation(cuts).Draw(t, "order")
		n := 0
		for i, c := range order {
			for range rapid.IntRange(1, 2).Draw(t, "copies") {
				for _, p := range d.Decode(mk(id, ProtoUDP, c)) {
					if !p.Has(FlagReassembled) {
						continue
					}
					n++
					if i != len(order)-1 {
						t.Fatalf("complete after %d of %d", i+1, len(order))
					}
					if !bytes.Equal(p.PayloadBytes(), text) || p.DstPort != 53 || p.Flags != FlagReassembled|FlagHasPorts || p.EtherType == 0 {
						t.Fatalf("%d of %d bytes, flags %x, events %v", len(p.PayloadBytes()), len(text), p.Flags, p.Events())
					}
				}
			}
		}
		if n != 1 {
			t.Fatalf("reassembled %d times", n)
		}
	})
}

// t0 lets property tests use helpers that want a testing.TB; they do not fail.
var t0 testing.TB = &testing.T{}

// TestOverlapPolicies is the experiment of Novak, "Target-Based Fragmentation
// Reassembly" (2005), figure by figure.
func TestOverlapPolicies(t *testing.T) {
	sent := []struct{ from, n int }{{0, 3}, {4, 2}, {6, 3}, {1, 4}, {6, 3}, {9, 3}}
	f := func(o OverlapPolicy, want string) {
		t.Helper()
		d := New(Config{Defrag: DefragConfig{Policy: o}})
		d6 := New(Config{Defrag: DefragConfig{PolicyFor: func(Addr) OverlapPolicy { return o }, KeepIPv6Overlaps: true}})
		var fs, fs6 []*capture.Frame
		for i, s := range sent {
			c := cutPiece{s.from * 8, i != len(sent)-1, bytes.Repeat([]byte{byte('1' + i)}, s.n*8)}
			fs, fs6 = append(fs, frag4(9, 253, c)), append(fs6, frag6(9, 253, c))
		}
		var full strings.Builder
		for _, c := range want {
			full.WriteString(strings.Repeat(string(c), 8))
		}
		for _, got := range [][]string{reassembled(d, fs...), reassembled(d6, fs6...)} {
			if len(got) != 1 || got[0] != full.String() {
				t.Errorf("%v: %q, want %s", o, got, want)
			}
		}
		if n := d.Counters.Events[EvIPv4FragOverlap]; n != 2 {
			t.Errorf("%v: %d overlap events", o, n)
		}
		if got, ok := PolicyByName(o.String()); !ok || got != o {
			t.Errorf("%v: name", o)
		}
	}
	f(PolicyBSD, "111442333666")
	f(PolicyBSDRight, "144422555666")
	f(PolicyLinux, "111442555666")
	f(PolicyFirst, "111422333666")
	f(PolicyLast, "144442555666")
	f(PolicyWindows, "111422333666")
	f(PolicySolaris, "111422333666")
}

// TestOverlapsByteByByte compares with a model that decides for each byte.
func TestOverlapsByteByByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := OverlapPolicy(rapid.IntRange(0, int(PolicySolaris)).Draw(t, "policy"))
		const size = 30
		type sent struct{ from, to int }
		var frags []sent
		owner := make([]int, size)
		for i := range owner {
			owner[i] = -1
		}
		put := func(s sent) int {
			k := len(frags)
			frags = append(frags, s)
			for b := s.from; b < s.to; b++ {
				if a := owner[b]; a < 0 || o.laterWins(frags[a].from*8, frags[a].to*8, s.from*8, s.to*8) {
					owner[b] = k
				}
			}
			return k
		}
		d := New(Config{Defrag: DefragConfig{Policy: o}})
		var got []string
		send := func(s sent, last bool) {
			k := put(s)
			got = append(got, reassembled(d, frag4(1, 253, cutPiece{s.from * 8, !last, bytes.Repeat([]byte{byte('A' + k)}, (s.to-s.from)*8)}))...)
		}
		for range rapid.IntRange(1, 14).Draw(t, "n") {
			// The first byte is kept free so that nothing completes early.
			from := rapid.IntRange(1, size-2).Draw(t, "from")
			send(sent{from, rapid.IntRange(from+1, size-1).Draw(t, "to")}, false)
		}
		send(sent{size - 1, size}, true)
		// Fill from the left up to the first byte, fragment by fragment.
		for b := size - 2; b >= 0; b-- {
			if owner[b] < 0 {
				send(sent{b, b + 1}, false)
			}
		}
		var want []byte
		for _, k := range owner {
			want = append(want, bytes.Repeat([]byte{byte('A' + k)}, 8)...)
		}
		if len(got) != 1 || got[0] != string(want) {
			t.Fatalf("%v %v: got %q, want %q", o, frags, got, want)
		}
	})
}

// TestIPv6OverlapDiscards holds RFC 5722: nothing of the datagram survives.
func TestIPv6OverlapDiscards(t *testing.T) {
	body := bytes.Repeat([]byte("abcdefgh"), 6)
	d := New(Config{})
	f := func(id uint16, want string, cs ...cutPiece) {
		t.Helper()
		var flags string
		for _, c := range cs {
			for _, p := range d.Decode(frag6(id, 89, c)) {
				switch {
				case p.Has(FlagReassembled):
					flags += "R"
				case p.Has(FlagInvalid):
					flags += "x"
				default:
					flags += "."
				}
				if p.NEvents > 0 {
					flags += p.EventList[0].String()
				}
			}
		}
		if flags != want {
			t.Errorf("%d: %s, want %s", id, flags, want)
		}
	}
	a, b, c := cutPiece{0, true, body[:16]}, cutPiece{16, true, body[16:32]}, cutPiece{32, false, body[32:]}
	over := cutPiece{8, true, body[8:24]}
	other := cutPiece{16, true, []byte("ABCDEFGHabcdefgh")}
	f(1, "...R", a, b, c)
	f(2, "..ipv6.frag_overlap..R", a, a, b, c)
	f(3, ".xipv6.frag_overlapxx", a, over, b, c)
	f(4, "..xipv6.frag_overlapx", a, b, other, c)
	f(5, ".xipv6.frag_overlap", c, cutPiece{40, true, body[:16]})
}

// TestFragmentsKeptApart holds that datagrams that differ in any part of the key
// do not mix.
func TestFragmentsKeptApart(t *testing.T) {
	a, b := cutPiece{0, true, []byte("aaaaaaaa")}, cutPiece{8, false, []byte("bbbb")}
	d := New(Config{})
	vlan := func(f *capture.Frame, id uint16) *capture.Frame { f.HasVLAN, f.VLANTCI = true, id; return f }
	for i, second := range []*capture.Frame{frag4(2, 253, b), frag4(1, 254, b), vlan(frag4(1, 253, b), 7), frag6(1, 253, b)} {
		if got := reassembled(d, frag4(1, 253, a), second); len(got) != 0 {
			t.Errorf("%d: %q", i, got)
		}
	}
	if got := reassembled(d, frag4(1, 253, b)); len(got) != 1 || got[0] != "aaaaaaaabbbb" {
		t.Errorf("%q", got)
	}
	if got := reassembled(New(Config{Defrag: DefragConfig{Off: true}}), frag4(1, 253, a), frag4(1, 253, b)); len(got) != 0 {
		t.Errorf("switched off: %q", got)
	}
	// A fragment that the destination would drop does not count.
	bad := frag4(3, 253, b)
	bad.Data[22]++
	if got := reassembled(d, frag4(3, 253, a), bad); len(got) != 0 {
		t.Errorf("bad header checksum: %q", got)
	}
	if got := reassembled(d, frag4(3, 253, b)); len(got) != 1 {
		t.Errorf("good header checksum: %q", got)
	}
}

func TestDefragLimits(t *testing.T) {
	a, b := cutPiece{0, true, []byte("aaaaaaaa")}, cutPiece{8, false, []byte("bbbb")}
	// Time.
	d := New(Config{Defrag: DefragConfig{Timeout: 5e9}})
	first, second := frag4(1, 253, a), frag4(1, 253, b)
	second.Time += 6e9
	if got := reassembled(d, first, second); len(got) != 0 || d.Counters.DefragTimeout != 1 {
		t.Errorf("time-out: %q %+v", got, d.Counters.DefragTimeout)
	}
	// Datagrams.
	d = New(Config{Defrag: DefragConfig{MaxDatagrams: 10}})
	for id := range uint16(100) {
		d.Decode(frag4(id, 253, a))
	}
	if len(d.defrag.index) != 10 || d.Counters.DefragEvicted != 90 || d.Counters.DefragTrackers != 10 {
		t.Errorf("datagrams: %d, evicted %d", len(d.defrag.index), d.Counters.DefragEvicted)
	}
	if got := reassembled(d, frag4(99, 253, b), frag4(5, 253, b)); len(got) != 1 {
		t.Errorf("the newest survive: %q", got)
	}
	// Fragments of all datagrams.
	d = New(Config{Defrag: DefragConfig{MaxHeld: 6}})
	held := func() (n int) {
		for _, i := range d.defrag.index {
			n += d.defrag.slab[i].frags
		}
		return n
	}
	for id := range uint16(50) {
		for n := range 3 {
			d.Decode(frag4(id, 253, cutPiece{n * 8, true, []byte("aaaaaaaa")}))
			if d.defrag.held > 6 || d.defrag.held != held() {
				t.Fatalf("%d fragments counted, %d held", d.defrag.held, held())
			}
		}
	}
	if len(d.defrag.index) != 2 || d.Counters.DefragEvicted != 48 {
		t.Errorf("%d datagrams, %d evicted", len(d.defrag.index), d.Counters.DefragEvicted)
	}
	if got := reassembled(d, frag4(49, 253, cutPiece{24, false, []byte("bbbb")})); len(got) != 1 || d.defrag.held != 0 {
		t.Errorf("the newest survives: %q, %d held", got, d.defrag.held)
	}
	for n := range 20 {
		d.Decode(frag4(7, 253, cutPiece{n * 8, true, []byte("aaaaaaaa")}))
	}
	if d.Counters.DefragLimit != 1 || d.defrag.held != 0 {
		t.Errorf("a datagram of more fragments than are held: %d times limited, %d held", d.Counters.DefragLimit, d.defrag.held)
	}
	// Memory, with datagrams of all sizes.
	const memory = 400 << 10
	d = New(Config{Defrag: DefragConfig{MemCap: memory}})
	for id := range uint16(2000) {
		d.Decode(frag4(id, 253, a))
		d.Decode(frag4(id, 253, cutPiece{int(id) % 8000 * 8, true, []byte("aaaaaaaa")}))
	}
	sum := 0
	for i := range d.defrag.slab {
		sum += len(d.defrag.slab[i].buf)
	}
	for _, p := range d.defrag.pool {
		for _, b := range p {
			sum += len(b)
		}
	}
	if sum != d.defrag.mem || sum > memory || d.Counters.DefragEvicted == 0 {
		t.Errorf("memory: %d in buffers, %d counted", sum, d.defrag.mem)
	}
	if got := reassembled(d, frag4(7, 253, a), frag4(7, 253, b)); len(got) != 1 {
		t.Error("no datagram after eviction")
	}
	// Too small for anything: refused, not crashed.
	d = New(Config{Defrag: DefragConfig{MemCap: 100}})
	if got := reassembled(d, frag4(1, 253, a), frag4(1, 253, b)); len(got) != 0 {
		t.Error("reassembled without memory")
	}
	// Fragments.
	d = New(Config{Defrag: DefragConfig{MaxFragments: 4}})
	for i := range 10 {
		d.Decode(frag4(1, 253, cutPiece{8 * (i + 1), true, []byte("aaaaaaaa")}))
		if d.DefragLimited() != (i == 4) {
			t.Errorf("fragment %d: limited %v", i, d.DefragLimited())
		}
	}
	if d.Counters.DefragLimit != 1 || d.Counters.DefragDiscarded != 5 || d.defrag.slab[0].buf != nil {
		t.Errorf("fragments: %d %d", d.Counters.DefragLimit, d.Counters.DefragDiscarded)
	}
}

// TestReassembledHeaders holds that the datagram looks as if it had never been
// cut, link header included, at every link and in a tunnel.
func TestReassembledHeaders(t *testing.T) {
	whole := build(t, eth(layers.EthernetTypeDot1Q), &layers.Dot1Q{VLANIdentifier: 6, Type: layers.EthernetTypeIPv4},
		ip4(layers.IPProtocolTCP), tcpSeg(), payload("0123456789"))
	cutAt := func(from, to int, more bool) *capture.Frame {
		b := bytes.Clone(whole[:38])
		h := b[18:]
		binary.BigEndian.PutUint16(h[2:], uint16(20+to-from))
		field := uint16(from / 8)
		if more {
			field |= 0x2000
		}
		binary.BigEndian.PutUint16(h[6:], field)
		binary.BigEndian.PutUint16(h[10:], ChecksumIPv4(h))
		return frame(append(b, whole[38+from:38+to]...))
	}
	d := New(Config{})
	d.Decode(cutAt(0, 16, true))
	ps := only(t, d, cutAt(16, 30, false), 2)
	if p := ps[1]; !bytes.Equal(p.Data, whole) || p.L3 != 18 || p.VLAN[0] != 6 || p.DstPort != 80 || p.Flags != FlagReassembled|FlagHasPorts {
		t.Errorf("%+v\nwant %x", p, whole)
	}
	if p := ps[0]; p.Flags != FlagFragment || p.FragOffset != 16 || p.MoreFragments {
		t.Errorf("%+v", p)
	}
	// Inside GRE: two packets outside, and the datagram within the tunnel.
	wrap := func(f *capture.Frame) *capture.Frame {
		return frame(build(t, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolGRE), payload(string(cat([]byte{0, 0, 8, 0}, f.Data[18:])))))
	}
	d.Decode(wrap(cutAt(0, 16, true)))
	ps = only(t, d, wrap(cutAt(16, 30, false)), 3)
	if p := ps[2]; !bytes.Equal(p.Data, whole[18:]) || p.TunnelDepth != 1 || p.TunnelID != ps[1].TunnelID || p.Flags != FlagReassembled|FlagTunnel|FlagHasPorts {
		t.Errorf("%+v", p)
	}
}
