package nfs

import "encoding/binary"

// xdr reads the external representation of data (RFC 4506). What is not there makes
// it short; what cannot be makes it bad.
type xdr struct {
	b     []byte
	at    int
	short bool
	bad   bool
}

// next gives n bytes; nil where they are not there.
func (x *xdr) next(n int) []byte {
	if x.short || x.bad || n < 0 || n > len(x.b)-x.at {
		x.short = true
		return nil
	}
	b := x.b[x.at : x.at+n]
	x.at += n
	return b
}

func (x *xdr) skip(n int) { x.next(n) }

func (x *xdr) u32() uint32 {
	if b := x.next(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (x *xdr) u64() uint64 {
	if b := x.next(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// opaque gives bytes with their length before them, limit at most.
func (x *xdr) opaque(limit uint32) []byte {
	n := x.u32()
	if n > limit {
		x.bad = true
		return nil
	}
	b := x.next(int(n))
	x.skip(int(-n & 3))
	return b
}

// words passes over a number of words with their count before them.
func (x *xdr) words(limit uint32) {
	n := x.u32()
	if n > limit {
		x.bad = true
		return
	}
	x.skip(int(n) * 4)
}

// attributes passes over a file's attributes of version 4.
func (x *xdr) attributes() {
	x.words(64)
	x.opaque(maxHead)
}

// content gives where content begins, and its length; the last of it need not be
// there. more tells that it is not.
func (x *xdr) content() (start int, length uint32, more bool) {
	length = x.u32()
	start = x.at
	if x.short || x.bad {
		return 0, 0, false
	}
	if length > 1<<28 {
		x.bad = true
		return 0, 0, false
	}
	if have := len(x.b) - x.at; uint64(length) > uint64(have) {
		x.at = len(x.b)
		return start, length, true
	}
	x.at += int(length)
	x.skip(min(int(-length&3), len(x.b)-x.at))
	return start, length, false
}
