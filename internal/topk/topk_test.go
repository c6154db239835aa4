package topk

import (
	"math/rand/v2"
	"testing"
)

type key struct {
	a [16]byte
}

func keyOf(n uint64) key {
	var k key
	for i := range 8 {
		k.a[i] = byte(n >> (8 * i))
	}
	return k
}

// TestHeavy holds that heavy keys are found among many light ones, and that what
// is counted for a key is never too much and too little by the error at most.
func TestHeavy(t *testing.T) {
	s := New[key, uint64](64)
	r := rand.New(rand.NewPCG(1, 2))
	truth := map[key]uint64{}
	const heavy = 20
	for range 200_000 {
		n := heavy + r.Uint64N(1<<40) // a source of its own
		if r.IntN(2) == 0 {
			n = r.Uint64N(heavy)
		}
		w := 1 + r.Uint64N(1500)
		k := keyOf(n)
		truth[k] += w
		*s.Add(k, w) += w
	}
	got := s.Top(heavy)
	if len(got) != heavy {
		t.Fatalf("%d of %d", len(got), heavy)
	}
	for i, e := range got {
		if truth[e.Key] < 100_000 {
			t.Errorf("place %d is taken by a light key with %d", i, truth[e.Key])
		}
		if e.Count > truth[e.Key] || e.Count+e.Error < truth[e.Key] || e.Weight != e.Count+e.Error {
			t.Errorf("place %d: counted %d with an error of %d at most, truly %d", i, e.Count, e.Error, truth[e.Key])
		}
		if i > 0 && got[i-1].Count < e.Count {
			t.Errorf("place %d is out of order", i)
		}
	}
	if s.Evicted == 0 {
		t.Error("no key lost its place: the test says nothing")
	}
	s.Reset()
	if len(s.Top(1)) != 0 {
		t.Error("something is left after Reset")
	}
}

func TestExactWhereAllHaveRoom(t *testing.T) {
	s := New[key, uint64](0)
	for i := range uint64(100) {
		for range i + 1 {
			*s.Add(keyOf(i), 10) += 10
		}
	}
	top := s.Top(3)
	if len(top) != 3 || top[0].Key != keyOf(99) || top[0].Count != 1000 || top[2].Count != 980 {
		t.Errorf("%+v", top)
	}
}

func TestAddDoesNotAllocate(t *testing.T) {
	s := New[key, [2]uint64](16)
	var n uint64
	if a := testing.AllocsPerRun(1000, func() { n++; s.Add(keyOf(n%300), 1)[0]++ }); a != 0 {
		t.Errorf("%v allocations", a)
	}
}

func BenchmarkAdd(b *testing.B) {
	for name, keys := range map[string]uint64{"few": 100, "many": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			s := New[key, [2]uint64](0)
			var n uint64
			b.ReportAllocs()
			for b.Loop() {
				n = n*6364136223846793005 + 1442695040888963407
				s.Add(keyOf(n>>20%keys), 1)[0]++
			}
		})
	}
}
