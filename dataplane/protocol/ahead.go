package protocol

import "bytes"

// Ahead holds pieces of a content that came before what is in front of them, each
// with its place in the content. Whoever keeps them bounds their number and bytes.
type Ahead []piece

type piece struct {
	off  uint64
	data []byte
}

// Join adds a copy of b, which begins at off, to the piece that ends there, and
// reports whether there is one.
func (a Ahead) Join(off uint64, b []byte) bool {
	for i := range a {
		if x := &a[i]; x.off+uint64(len(x.data)) == off {
			x.data = append(x.data, b...)
			return true
		}
	}
	return false
}

// Keep adds a copy of b, which begins at off, as a piece of its own.
func (a *Ahead) Keep(off uint64, b []byte) { *a = append(*a, piece{off, bytes.Clone(b)}) }

// First gives where the piece that is next in place begins; false without any.
func (a Ahead) First() (off uint64, ok bool) {
	if i := a.first(); i >= 0 {
		return a[i].off, true
	}
	return 0, false
}

func (a Ahead) first() int {
	at := -1
	for i := range a {
		if at < 0 || a[i].off < a[at].off {
			at = i
		}
	}
	return at
}

// Take removes the piece that is next in place where that has come, at the offset
// next. It gives what is new of it, which is empty where all of it came otherwise
// meanwhile, and how many bytes were kept.
func (a *Ahead) Take(next uint64) (data []byte, kept int, ok bool) {
	i := a.first()
	if i < 0 || (*a)[i].off > next {
		return nil, 0, false
	}
	x := (*a)[i]
	*a = append((*a)[:i], (*a)[i+1:]...)
	return x.data[min(next-x.off, uint64(len(x.data))):], len(x.data), true
}
