package classifiers

import "bytes"

// needle is a text that is looked for in short ones, with the set of its characters:
// most are dismissed by it alone.
type needle struct {
	text []byte
	mask uint64
}

type needles []needle

func needlesOf(texts ...string) needles {
	out := make(needles, len(texts))
	for i, t := range texts {
		out[i] = needle{[]byte(t), maskOf([]byte(t))}
	}
	return out
}

// in reports whether one of the needles is in b, whose mask m is.
func (n needles) in(b []byte, m uint64) bool {
	for i := range n {
		if n[i].mask&^m == 0 && bytes.Contains(b, n[i].text) {
			return true
		}
	}
	return false
}

// maskOf gives the set of b's characters, in which capital and small letters are
// one, and some rare characters share a place.
func maskOf(b []byte) (m uint64) {
	for _, c := range b {
		m |= 1 << (c&31 | c>>1&32)
	}
	return m
}

// appendLower appends b to dst with its ASCII letters in lower case.
func appendLower(dst, b []byte) []byte {
	for _, c := range b {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

var dot, slash = []byte("."), []byte("/")
