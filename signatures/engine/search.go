package engine

import (
	"bytes"

	"sluice/signatures/rule"
)

// item is a test of a list with what its search needs.
type item struct {
	*rule.Item
	// low is the pattern in lower case, for contents without case.
	low []byte
	// rare is the place of the pattern's rarest byte, r1 and r2 its two cases.
	rare   int
	r1, r2 byte
	sub    []item
	set    *dataset
}

// frequency ranks bytes by how often they occur in traffic: higher is rarer.
var frequency = func() (f [256]uint8) {
	for i := range f {
		f[i] = 200
	}
	for i, c := range []byte(" etaoinsrhldcumfpgwybvkxjqz/.-=:;,0123456789\"<>\r\n") {
		f[c] = uint8(10 + i)
	}
	for c := 'A'; c <= 'Z'; c++ {
		f[c] = f[c+32] + 60
	}
	f[0], f[0xff] = 5, 100
	return f
}()

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 32
	}
	return c
}

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - 32
	}
	return c
}

// lowered gives b with ASCII letters in lower case and all else as it is:
// patterns are bytes, not text.
func lowered(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		out[i] = lower(c)
	}
	return out
}

// prepare computes what searching needs.
func (it *item) prepare() {
	if !it.NoCase {
		return
	}
	it.low = lowered(it.Pattern)
	hasLetter := false
	best := -1
	for i, c := range it.low {
		score := int(frequency[c])
		if c < 'a' || c > 'z' {
			score += 40 // one search instead of two
		} else {
			hasLetter = true
		}
		if score > best {
			best, it.rare = score, i
		}
	}
	it.r1, it.r2 = it.low[it.rare], upper(it.low[it.rare])
	if !hasLetter {
		it.low = nil // nothing to fold
	}
}

// find gives the first occurrence of the pattern in b, -1 without.
func (it *item) find(b []byte) int {
	if it.low == nil {
		return bytes.Index(b, it.Pattern)
	}
	n := len(it.low)
	if len(b) < n {
		return -1
	}
	if it.r1 == it.r2 {
		// The rarest byte has no case: one search.
		for i := it.rare; ; {
			j := bytes.IndexByte(b[i:len(b)-n+it.rare+1], it.r1)
			if j < 0 {
				return -1
			}
			i += j
			if equalFold(b[i-it.rare:], it.low) {
				return i - it.rare
			}
			if i++; i > len(b)-n+it.rare {
				return -1
			}
		}
	}
	end := len(b) - n + it.rare + 1
	next1, next2 := -1, -1 // cached places of either case
	for i := it.rare; i < end; {
		if next1 < i {
			next1 = end
			if j := bytes.IndexByte(b[i:end], it.r1); j >= 0 {
				next1 = i + j
			}
		}
		if next2 < i {
			next2 = end
			if j := bytes.IndexByte(b[i:end], it.r2); j >= 0 {
				next2 = i + j
			}
		}
		at := min(next1, next2)
		if at >= end {
			return -1
		}
		if equalFold(b[at-it.rare:], it.low) {
			return at - it.rare
		}
		i = at + 1
	}
	return -1
}

// equalFold reports whether b begins with low, letters folded.
func equalFold(b, low []byte) bool {
	b = b[:len(low)]
	for i, c := range low {
		if lower(b[i]) != c {
			return false
		}
	}
	return true
}

// at reports whether the pattern is at the start of b.
func (it *item) at(b []byte) bool {
	if len(b) < len(it.Pattern) {
		return false
	}
	if it.low == nil {
		return string(b[:len(it.Pattern)]) == string(it.Pattern)
	}
	return equalFold(b, it.low)
}
