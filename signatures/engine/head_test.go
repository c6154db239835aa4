package engine

import (
	"math/rand/v2"
	"slices"
	"testing"

	"sluice/dataplane/decode"
	"sluice/signatures/rule"
)

// TestHeadIndexFindsWhatBegins compares the index with looking for every head
// by itself.
func TestHeadIndexFindsWhatBegins(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	letters := "abAB1\x01\x00!"
	text := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = letters[rnd.IntN(len(letters))]
		}
		return b
	}
	found, missed := 0, 0
	for range 300 {
		e := &Engine{rules: make([]crule, rnd.IntN(80))}
		var h headIndex
		for i := range e.rules {
			it := &item{Item: &rule.Item{Op: rule.OpContent, Pattern: text(1 + rnd.IntN(6)), HasDepth: true, HasOffset: rnd.IntN(2) == 0}}
			if it.HasOffset {
				it.Offset.V = int64(rnd.IntN(4))
			}
			it.Depth.V = int64(len(it.Pattern) + rnd.IntN(4)/3)
			it.NoCase = rnd.IntN(2) == 0
			it.prepare()
			e.rules[i].head = it
			h.add(uint32(i), it)
		}
		for range 50 {
			b := text(rnd.IntN(14))
			if n := len(e.rules); n > 0 && rnd.IntN(2) == 0 {
				if it := e.rules[rnd.IntN(n)].head; len(b) >= it.headStart() {
					copy(b[it.headStart():], it.Pattern)
				}
			}
			got := h.appendFound(e, b, nil)
			slices.Sort(got)
			var want []uint32
			for i := range e.rules {
				if e.rules[i].head.begins(b) {
					want = append(want, uint32(i))
				} else {
					missed++
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%q begins with the heads of rules %v, found %v", b, want, got)
			}
			found += len(want)
		}
	}
	if found < 10000 || missed < 10000 {
		t.Errorf("%d found, %d missed: too few to tell", found, missed)
	}
}

// TestStreamHeads holds that no head is missed that is in what a stream's window
// holds, at the stream's beginning or at that of the new bytes.
func TestStreamHeads(t *testing.T) {
	e := &Engine{rules: make([]crule, 3)}
	var h headIndex
	for i, it := range []*rule.Item{
		{Pattern: []byte("GET "), HasDepth: true},
		{Pattern: []byte("Host"), HasDepth: true, HasOffset: true},
		{Pattern: []byte("x"), HasDepth: true},
	} {
		it.Op = rule.OpContent
		it.Depth.V = int64(len(it.Pattern))
		if it.HasOffset {
			it.Offset.V = 4
		}
		x := &item{Item: it}
		x.prepare()
		e.rules[i].head = x
		h.add(uint32(i), x)
	}
	f := func(w Window, want ...uint32) {
		t.Helper()
		got := h.appendStream(e, &w, nil)
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, want) {
			t.Errorf("window of %q from %d, new at %d: rules %v, want %v", w.Data, w.Start, w.New, got, want)
		}
	}
	f(Window{Data: []byte("GET / ")}, 0)
	f(Window{Data: []byte("GET Host"), New: 3}, 0, 1)
	f(Window{Data: []byte("....GET "), New: 4}, 0)
	f(Window{Data: []byte("....GET "), Start: 900}, []uint32{}...)
	f(Window{Data: []byte("....GET "), Start: 900, New: 4}, 0)
	f(Window{Data: []byte("xGET "), Start: 900}, 2)
	// The beginning is partly gone: whoever could reach into what is left.
	f(Window{Data: []byte("...."), Start: 5}, 1)
}

// TestClassesOfProtocolNumber has rules that name an IP protocol tried on its
// packets only, and no rule left out where it could match.
func TestClassesOfProtocolNumber(t *testing.T) {
	f := func(test rule.IntTest, neg bool, want ...class) {
		t.Helper()
		r := crule{Rule: &rule.Rule{}, tests: []rule.Test{{Kind: rule.TestIPProto, Int: test, Neg: neg}}}
		if got := r.classes(); !slices.Equal(got, want) {
			t.Errorf("%+v, negated %v: classes %v, want %v", test, neg, got, want)
		}
	}
	all := []class{classTCP, classUDP, classICMP, classOther}
	f(rule.IntTest{Op: '=', A: 41}, false, classOther)
	f(rule.IntTest{Op: '=', A: 6}, false, classTCP)
	f(rule.IntTest{Op: '=', A: 17}, false, classUDP)
	f(rule.IntTest{Op: '=', A: 58}, false, classICMP)
	f(rule.IntTest{Op: '=', A: 41}, true, all...)
	f(rule.IntTest{Op: '>', A: 41}, false, all...)
	f(rule.IntTest{Op: '=', A: 256 + 6}, false, all...)
}

// TestAddressesAndPorts compares what is remembered of addresses and ports with
// a look at every rule.
func TestAddressesAndPorts(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	addr := func() (a decode.Addr) {
		a[15] = byte(rnd.IntN(12))
		return a
	}
	var in []addrRule
	for i := range uint32(20) {
		lo, hi := addr(), addr()
		if lo[15] > hi[15] {
			lo, hi = hi, lo
		}
		in = append(in, addrRule{rule.AddrRange{Lo: lo, Hi: hi}, i})
	}
	x := buildAddrs(in)
	m := &Matcher{addrs: make([]addrMemo, 1)}
	for range 1000 {
		a := addr()
		var want []uint32
		for _, r := range in {
			if r.r.Lo[15] <= a[15] && a[15] <= r.r.Hi[15] {
				want = append(want, r.rule)
			}
		}
		if got := m.byAddr(&x, &a); !slices.Equal(got, want) {
			t.Fatalf("address %d: rules %v, want %v", a[15], got, want)
		}
	}
	var ports portTable[int]
	if _, ok := ports.at(0); ok {
		t.Error("an empty table has port 0")
	}
	for _, p := range []uint16{0, 63, 64, 443, 65535} {
		ports.set(p, int(p)+1)
	}
	found := 0
	for p := range 1 << 16 {
		if v, ok := ports.at(uint16(p)); ok {
			found++
			if v != p+1 {
				t.Errorf("port %d has %d", p, v)
			}
		}
	}
	if found != 5 {
		t.Errorf("%d ports found, not 5", found)
	}
}
