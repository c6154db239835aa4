// Package spots finds, in one pass over bytes, the places where something that the
// classifiers look for could stand: two digits in a row, the at sign of a mail address,
// an escape, a long run of base64. Each kind of place has a bit for each byte, so that
// what holds none of a kind, as packed content mostly does, costs no more than a look at
// a sixty-fourth of it. A bit only nominates: it is never missing where the kind's text
// stands, and whoever asks confirms.
//
// The pass is in C, for the instructions that compare 64, 32 or 16 bytes at once; which
// of them are used is decided when the program starts.
package spots

/*
#cgo CFLAGS: -O3
#cgo noescape sluice_spots
#cgo nocallback sluice_spots
#include "spots.h"
*/
import "C"

import (
	"math/bits"
	"unsafe"
)

// Kind is what could stand at a place.
type Kind uint8

// The kinds, with what the bytes at the place are. What lies beyond the end is taken for
// zeros.
const (
	// Digits is a digit or a dot after a digit.
	Digits Kind = iota
	// At is an at sign between a letter, digit, underscore, plus or minus and a letter
	// or digit.
	At
	// Percent is a percent sign before two hex digits.
	Percent
	// Entity is an ampersand before a number sign or a letter.
	Entity
	// Quoted is an equals sign before the end of a line, or before two hex digits, in
	// capitals, that stand for an equals sign, a hyphen or a byte beyond ASCII.
	Quoted
	// UTF7 is a plus sign before an A and one of the letters C to H.
	UTF7
	// Odd is the first byte, in UTF-8, of what may be a digit beyond ASCII or a
	// character without width, if all of it is there.
	Odd
	// Zeros is a zero with another one two bytes after it.
	Zeros
	// Base64 is where a run of at least Base64Run characters of base64, in either
	// alphabet and without padding, goes on for that long.
	Base64
	// Tag is a less-than sign before a letter, a slash or backslash, an exclamation or
	// question mark.
	Tag
	// Letter is a letter of ASCII, Small a small one.
	Letter
	Small
	// Beyond is the first byte, in UTF-8, of a character beyond ASCII, with one that goes
	// on with it.
	Beyond
	// Kinds is their number.
	Kinds
)

// Base64Run is the least length of a run that Base64 stands for.
const Base64Run = C.SPOTS_BASE64_RUN

// Map holds the places of one stretch of bytes. The zero Map is ready for use; it is not
// safe for concurrent use.
type Map struct {
	words  []uint64
	stride int
}

// best is the set of instructions that Find uses.
var best = int(C.sluice_spots_best())

// Find looks through b from the given place on. Places before it, and before the last
// multiple of 64 up to it, stay as they were.
func (m *Map) Find(b []byte, from int) { m.find(best, b, from) }

// find is Find with one of the sets up to best: all give the same.
func (m *Map) find(set int, b []byte, from int) {
	m.grow(len(b))
	if from >= len(b) {
		return
	}
	C.sluice_spots(C.int(set), (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(b))), C.size_t(from), C.size_t(len(b)),
		(*C.uint64_t)(unsafe.Pointer(unsafe.SliceData(m.words))), C.size_t(m.stride))
}

// grow makes room for the places of n bytes.
func (m *Map) grow(n int) {
	if n = (n + 63) / 64; n > m.stride {
		// An odd number of cache lines: a power of two would have the kinds' words
		// displace each other.
		old, had := m.words, m.stride
		m.stride = ((max(n, 2*m.stride)+7)/8 | 1) * 8
		m.words = make([]uint64, int(Kinds)*m.stride)
		for k := range int(Kinds) {
			copy(m.words[k*m.stride:], old[k*had:][:had])
		}
	}
}

// Letters gives the places of Letter, Small and Beyond at the 64 bytes from i on, of
// which all are bytes of Find.
func (m *Map) Letters(i int) (letter, small, beyond uint64) {
	lo, hi, n := i>>6, (i+63)>>6, i&63 // hi is lo where n is zero: nothing is shifted in
	w := m.words[int(Letter)*m.stride:]
	letter, w = w[lo]>>n|w[hi]<<(64-n), w[m.stride:]
	small, w = w[lo]>>n|w[hi]<<(64-n), w[m.stride:]
	return letter, small, w[lo]>>n | w[hi]<<(64-n)
}

// Next gives the first place of a kind at or after i, before to; to when there is none.
// The bytes of Find reach up to to at least.
func (m *Map) Next(k Kind, i, to int) int {
	if i >= to {
		return to
	}
	w := m.words[int(k)*m.stride:][:(to+63)>>6]
	j := i >> 6
	x := w[j] >> (i & 63) << (i & 63)
	for x == 0 {
		if j++; j >= len(w) {
			return to
		}
		x = w[j]
	}
	return min(j<<6+bits.TrailingZeros64(x), to)
}
