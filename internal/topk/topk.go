// Package topk finds the heaviest of very many keys in a memory that does not
// grow with their number. It takes a weight for a key at a time and gives the
// keys that weighed most, with what was counted for each; it does not know what
// the keys stand for.
package topk

import (
	"cmp"
	"hash/maphash"
	"slices"
)

const (
	// ways is how many keys share a set: a key may stand in any place of the one set
	// that its hash names, so that adding looks at so many places and no more.
	ways = 8
	// DefaultSets is the number of sets unless told otherwise.
	DefaultSets = 256
)

// Entry is a key with what was counted for it.
type Entry[K comparable, C any] struct {
	Key   K
	Count C
	// Weight is at most what was added for the key, plus Error: the weight of keys that
	// had the place before and may have been this one.
	Weight, Error uint64
}

// Sketch is a space-saving summary (Metwally, Agrawal and El Abbadi, 2005) in sets
// of few places: a key that finds no place takes over that of the lightest of its
// set, with its weight as the possible error. The hash has a secret seed, so that
// nobody can choose keys that meet in one set. A Sketch belongs to one goroutine
// at a time. K must hold no pointers.
type Sketch[K comparable, C any] struct {
	seed    maphash.Seed
	entries []Entry[K, C]
	sets    uint64
	// Evicted is how many keys lost their places.
	Evicted uint64
}

// New makes a sketch of so many sets, DefaultSets where it is 0.
func New[K comparable, C any](sets int) *Sketch[K, C] {
	if sets <= 0 {
		sets = DefaultSets
	}
	return &Sketch[K, C]{seed: maphash.MakeSeed(), entries: make([]Entry[K, C], sets*ways), sets: uint64(sets)}
}

// Add adds weight, which must be above 0, to a key, and gives its counts for the
// caller to add to; they are zero for a key that is new. The pointer is valid
// until the next call.
func (s *Sketch[K, C]) Add(key K, weight uint64) *C {
	at := maphash.Comparable(s.seed, key) % s.sets * ways
	set := s.entries[at : at+ways]
	least := 0
	for i := range set {
		e := &set[i]
		if e.Weight > 0 && e.Key == key {
			e.Weight += weight
			return &e.Count
		}
		if e.Weight < set[least].Weight {
			least = i
		}
	}
	e := &set[least]
	if e.Weight > 0 {
		s.Evicted++
	}
	*e = Entry[K, C]{Key: key, Weight: e.Weight + weight, Error: e.Weight}
	return &e.Count
}

// Top gives up to n keys by weight less error, which is what is sure, heaviest first.
func (s *Sketch[K, C]) Top(n int) []Entry[K, C] {
	var out []Entry[K, C]
	for i := range s.entries {
		if s.entries[i].Weight > 0 {
			out = append(out, s.entries[i])
		}
	}
	slices.SortStableFunc(out, func(a, b Entry[K, C]) int { return cmp.Compare(b.Weight-b.Error, a.Weight-a.Error) })
	return out[:min(n, len(out))]
}

// Reset makes the sketch empty, with another seed.
func (s *Sketch[K, C]) Reset() {
	clear(s.entries)
	s.seed, s.Evicted = maphash.MakeSeed(), 0
}
