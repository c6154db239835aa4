package fastpath

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"sluice/dataplane/flow"
)

// TestFlowsAgainstReference drops and takes back random flows, and compares both
// directions of each with a naive list: the filter in front of the table must
// never hide one.
func TestFlowsAgainstReference(t *testing.T) {
	f := open(t, Config{})
	rng := rand.New(rand.NewPCG(9, 10))
	type ends struct{ a, b netip.AddrPort }
	random := func() ends {
		end := func() netip.AddrPort {
			a := netip.AddrFrom4([4]byte{10, 0, byte(rng.IntN(2)), byte(rng.IntN(3))})
			if rng.IntN(2) == 0 {
				a = netip.AddrFrom4([4]byte{203, 0, 113, byte(rng.IntN(3))})
			}
			return netip.AddrPortFrom(a, uint16(1+rng.IntN(4)))
		}
		return ends{end(), end()}
	}
	key := func(e ends) flow.Key {
		if e.a.Compare(e.b) > 0 {
			e.a, e.b = e.b, e.a
		}
		return key4(e.a.Addr().String(), e.a.Port(), e.b.Addr().String(), e.b.Port(), 17, 4)
	}
	dropped := map[flow.Key]bool{}
	hits := 0
	for range 1500 {
		e := random()
		k := key(e)
		if rng.IntN(4) > 0 {
			if err := f.DropFlow(k, time.Hour); err != nil {
				t.Fatal(err)
			}
			dropped[k] = true
		} else {
			if ok, err := f.UndropFlow(k); ok != dropped[k] || err != nil {
				t.Fatalf("%v: taken back: %v, %v", e, ok, err)
			}
			delete(dropped, k)
		}
		e = random()
		want := uint32(xdpPass)
		if dropped[key(e)] {
			want = xdpDrop
			hits++
		}
		for _, d := range []ends{e, {e.b, e.a}} {
			if got := run(t, f, udp4(d.a.Addr().String(), d.b.Addr().String(), d.a.Port(), d.b.Port())); got != want {
				t.Fatalf("%v: returned %d, want %d", d, got, want)
			}
		}
	}
	if hits < 100 {
		t.Errorf("only %d packets were of a dropped flow", hits)
	}
	for k := range dropped {
		if _, err := f.UndropFlow(k); err != nil {
			t.Fatal(err)
		}
	}
	for i, w := range f.flows.filter.words {
		if w != 0 {
			t.Fatalf("word %d of the filter is %x with no flow dropped", i, w)
		}
	}
	if len(f.flows.bits) != 0 {
		t.Errorf("%d bits are counted with no flow dropped", len(f.flows.bits))
	}
}
