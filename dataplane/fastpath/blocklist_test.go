package fastpath

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"sluice/dataplane/flow"
)

// from gives a packet from an address of either family.
func from(a netip.Addr) []byte {
	if a.Is4() {
		return frame(eth(e4), ip4(a.String(), "192.0.2.1", pTCP), tcp(1, 2, "A"))
	}
	return frame(eth(e6), ip6(a.String(), "2001:db8::1", pTCP), tcp(1, 2, "A"))
}

// TestBlockListAgainstReference does random changes, and compares verdicts
// with a naive list.
func TestBlockListAgainstReference(t *testing.T) {
	f := open(t, Config{})
	rng := rand.New(rand.NewPCG(1, 2))
	ref := map[netip.Prefix]bool{}
	random := func() netip.Addr {
		if rng.IntN(2) == 0 {
			// A small corner, so that prefixes nest and share /24s.
			return netip.AddrFrom4([4]byte{10, byte(rng.IntN(3)), byte(rng.IntN(4)), byte(rng.IntN(256))})
		}
		var b [16]byte
		binary.BigEndian.PutUint32(b[:], 0xfd000000+uint32(rng.IntN(4)))
		b[4], b[15] = byte(rng.IntN(2)), byte(rng.IntN(256))
		return netip.AddrFrom16(b)
	}
	for range 600 {
		a := random()
		bits := []int{8, 14, 20, 23, 24, 25, 30, 32}[rng.IntN(8)]
		if a.Is6() {
			bits = []int{20, 31, 32, 33, 40, 64, 127, 128}[rng.IntN(8)]
		}
		p := netip.PrefixFrom(a, bits).Masked()
		if rng.IntN(5) < 2 {
			if err := f.Block(p, Entry{List: "l"}); err != nil {
				t.Fatal(err)
			}
			ref[p] = true
		} else {
			ok, err := f.Unblock(p, "l")
			if err != nil || ok != ref[p] {
				t.Fatalf("unblock %s: %v, %v; it was blocked: %v", p, ok, err, ref[p])
			}
			delete(ref, p)
		}
		for range 3 {
			a := random()
			want := uint32(xdpPass)
			for p := range ref {
				if p.Contains(a) {
					want = xdpDrop
				}
			}
			if got := run(t, f, from(a)); got != want {
				t.Fatalf("%s: returned %d, want %d, with %v", a, got, want, ref)
			}
		}
	}
	for p := range ref {
		if _, err := f.Unblock(p, "*"); err != nil {
			t.Fatal(err)
		}
	}
	for i, w := range f.block.filter6.words {
		if w != 0 {
			t.Fatalf("word %d of the filter is %x with nothing blocked", i, w)
		}
	}
	whole := make([]byte, dir4Size)
	if _, err := f.block.dir4.mem.ReadAt(whole, 0); err != nil {
		t.Fatal(err)
	}
	for i, b := range whole {
		if b != 0 {
			t.Fatalf("byte %d of the table of networks is %x with nothing blocked", i, b)
		}
	}
	if f.set.Active != 0 {
		t.Errorf("active %b with nothing blocked", f.set.Active)
	}
}

func TestListsAndExpiry(t *testing.T) {
	f := open(t, Config{})
	p := netip.MustParsePrefix("203.0.113.0/24")
	pkt := from(netip.MustParseAddr("203.0.113.9"))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	verdict := func(what string, want uint32) {
		t.Helper()
		if got := run(t, f, pkt); got != want {
			t.Errorf("%s: returned %d, want %d", what, got, want)
		}
	}
	must(f.Block(p, Entry{List: "a", Reason: "ra"}))
	must(f.Block(p, Entry{List: "b", Reason: "rb", Expires: time.Now().Add(time.Hour)}))
	if ok, err := f.Unblock(p, "c"); ok || err != nil {
		t.Error("took away what list c never had")
	}
	if l := f.List(); len(l) != 2 || l[0].Entry.Reason != "ra" || l[1].Entry.Reason != "rb" ||
		time.Until(l[1].Entry.Expires) < 59*time.Minute {
		t.Errorf("lists %+v", l)
	}
	if _, err := f.Unblock(p, "a"); err != nil {
		t.Fatal(err)
	}
	verdict("one list is left", xdpDrop)
	must(f.Block(p, Entry{List: "b", Expires: time.Now().Add(30 * time.Millisecond)}))
	verdict("soon to expire", xdpDrop)
	time.Sleep(60 * time.Millisecond)
	verdict("expired, before anyone cleaned up", xdpPass)
	if n, err := f.Expire(); n != 1 || err != nil {
		t.Errorf("%d expired, %v", n, err)
	}
	if l := f.List(); len(l) != 0 {
		t.Errorf("left after expiry: %v", l)
	}
	// Replacing keeps what stays, drops what goes, leaves other lists alone.
	must(f.Block(netip.MustParsePrefix("10.9.0.0/16"), Entry{List: "other"}))
	feed := func(blocks ...Block) error { return f.Replace(&Tables{Blocked: []List{{"feed", blocks}}}) }
	must(feed(Block{Prefix: p}, Block{Prefix: netip.MustParsePrefix("10.8.0.0/16")}))
	verdict("in the feed", xdpDrop)
	must(feed(Block{Prefix: netip.MustParsePrefix("10.8.0.0/16")}, Block{Prefix: netip.MustParsePrefix("10.7.0.0/16")}))
	verdict("out of the feed", xdpPass)
	if l := f.List(); len(l) != 3 || l[0].Prefix.String() != "10.7.0.0/16" || l[2].Entry.List != "other" {
		t.Errorf("after replacing: %v", l)
	}
	if err := f.Block(netip.Prefix{}, Entry{}); err == nil {
		t.Error("blocked no prefix at all")
	}
}

func TestFull(t *testing.T) {
	f := open(t, Config{MaxPrefixes: 10, MaxFlows: 2})
	var all []Block
	for i := range 20 {
		all = append(all, Block{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 1}), 32)})
	}
	if err := f.BlockAll(all); !errors.Is(err, ErrFull) {
		t.Errorf("20 entries into room for 10: %v", err)
	}
	// What is listed is what is in force.
	listed := map[netip.Prefix]bool{}
	for _, b := range f.List() {
		listed[b.Prefix] = true
	}
	if len(listed) > 10 {
		t.Errorf("%d listed in room for 10", len(listed))
	}
	for _, b := range all {
		want := uint32(xdpPass)
		if listed[b.Prefix] {
			want = xdpDrop
		}
		if got := run(t, f, from(b.Prefix.Addr())); got != want {
			t.Errorf("%s: returned %d, listed: %v", b.Prefix, got, listed[b.Prefix])
		}
	}
	for i := range 3 {
		err := f.DropFlow(key4("10.0.0.1", uint16(i), "10.0.0.2", 2, 6, 4), time.Minute)
		if (err != nil) != (i == 2) || i == 2 && !errors.Is(err, ErrFull) {
			t.Errorf("flow %d: %v", i, err)
		}
	}
}

func TestFlowCounts(t *testing.T) {
	ended := map[flow.Key]flow.Bypassed{}
	f := open(t, Config{FlowEnded: func(k flow.Key, n flow.Bypassed) { ended[k] = n }})
	k1, k2 := key4("10.0.0.1", 1, "10.0.0.2", 2, 6, 4), key4("10.0.0.1", 3, "10.0.0.2", 4, 6, 4)
	for _, k := range []flow.Key{k1, k2} {
		if err := f.DropFlow(k, 50*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	pkt := frame(eth(e4), ip4("10.0.0.1", "10.0.0.2", pTCP), tcp(1, 2, "A"), data(100))
	for range 5 {
		if run(t, f, pkt) != xdpDrop {
			t.Fatal("passed")
		}
	}
	back := tcp4("10.0.0.2", "10.0.0.1", 2, 1, "A")
	if run(t, f, back) != xdpDrop {
		t.Fatal("the way back passed")
	}
	if err := f.DropFlow(k1, time.Hour); err != nil { // renewed
		t.Fatal(err)
	}
	time.Sleep(80 * time.Millisecond)
	if n, err := f.Expire(); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if e, ok := ended[k2]; !ok || e != (flow.Bypassed{Ended: true}) {
		t.Errorf("the unused flow ended with %v", ended)
	}
	want := flow.Bypassed{Packets: [2]uint64{5, 1}, Bytes: [2]uint64{5 * uint64(len(pkt)), uint64(len(back))}}
	if n, ok := f.Dropped(k1); !ok || n != want {
		t.Errorf("so far %+v, %v", n, ok)
	}
	// A new handshake ends it, with its counts, and they begin anew with it.
	if run(t, f, tcp4("10.0.0.1", "10.0.0.2", 1, 2, "S")) != xdpPass || run(t, f, pkt) != xdpPass {
		t.Error("dropped after a new handshake")
	}
	want.Ended = true
	if n, ok := f.Dropped(k1); !ok || n != want {
		t.Errorf("ended by a handshake: %+v, %v", n, ok)
	}
	if err := f.DropFlow(k1, time.Hour); err != nil {
		t.Fatal(err)
	}
	if ended[k1] != want {
		t.Errorf("told %+v", ended[k1])
	}
	if run(t, f, pkt) != xdpDrop {
		t.Error("passed")
	}
	if ok, err := f.UndropFlow(k1); !ok || err != nil {
		t.Fatal(ok, err)
	}
	want = flow.Bypassed{Packets: [2]uint64{1, 0}, Bytes: [2]uint64{uint64(len(pkt)), 0}, Ended: true}
	if ended[k1] != want {
		t.Errorf("ended with %+v", ended[k1])
	}
	if _, ok := f.Dropped(k1); ok {
		t.Error("still in the table")
	}
	if run(t, f, pkt) != xdpPass || f.DroppedFlows() != 0 {
		t.Error("still dropped")
	}
}

func TestSamples(t *testing.T) {
	f := open(t, Config{Samples: 3})
	if err := f.Block(netip.MustParsePrefix("203.0.113.0/24"), Entry{List: "feed", Reason: "bad"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	got := make(chan Sample, 100)
	done := make(chan error, 1)
	go func() { done <- f.Samples(ctx, func(s *Sample) { got <- *s }) }()
	pkt := frame(eth(e8021q), tag(7, e4), ip4("203.0.113.5", "10.1.0.2", pTCP), tcp(10, 20, "S"))
	for range 50 {
		run(t, f, pkt)
	}
	var first Sample
	select {
	case first = <-got:
	case <-time.After(3 * time.Second):
		t.Fatal("no sample")
	}
	if first.Src.String() != "203.0.113.5:10" || first.Dst.String() != "10.1.0.2:20" || first.Reason != ReasonBlockSource ||
		first.List != "feed" || first.Why != "bad" || first.Length != len(pkt) || first.VLAN != [2]uint16{7} ||
		first.Proto != 6 || first.TCPFlags != 2 || time.Since(first.Time).Abs() > time.Second {
		t.Errorf("%+v", first)
	}
	time.Sleep(50 * time.Millisecond)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	// Three a second and CPU; the fifty may have fallen into two seconds and on two CPUs.
	if n := len(got) + 1; n < 3 || n > 12 {
		t.Errorf("%d samples of 50 drops", n)
	}
}

func TestClosed(t *testing.T) {
	needRoot(t)
	f, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	p := netip.MustParsePrefix("10.0.0.0/8")
	_, e1 := f.Counters()
	_, e2 := f.Unblock(p, "")
	_, e3 := f.Attach("lo")
	_, e4 := f.Expire()
	_, e5 := f.Inline("lo", "lo", FailOff)
	for i, err := range []error{e1, e2, e3, e4, e5, f.Block(p, Entry{}), f.BlockAll(nil), f.Replace(&Tables{}),
		f.DropFlow(flow.Key{}, 1), f.SetLimits(Limits{}), f.SetMalformed(0, 0)} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if _, err := Open(Config{MaxPrefixes: -1}); err == nil {
		t.Error("opened with room for -1 prefixes")
	}
}
