package classifiers

import (
	"encoding/binary"
	"math/bits"
	"unicode"
	"unicode/utf8"

	"sluice/internal/spots"
)

// The words of text, as the lexicon knows them: read eight bytes at a time, since all
// text around numbers is read.

// maxWord is the greatest length of a word in bytes; the rest of a longer one is
// skipped. It is a multiple of eight.
const maxWord = 48

// A word's hash takes eight of its lower-case letters at a time; no two words of up
// to eight have the same. Zero is no word's.
const hashSeed = 7

const (
	eachByte = 0x0101010101010101
	highBits = 0x8080808080808080
	lowBits  = 0x7f7f7f7f7f7f7f7f
)

func hashChunk(h, letters uint64) uint64 {
	return (bits.RotateLeft64(h, 23) ^ letters) * spread
}

// load8 reads eight bytes at b[i], with zeros beyond b's end.
func load8(b []byte, i int) uint64 {
	if i+8 <= len(b) {
		return binary.LittleEndian.Uint64(b[i:])
	}
	w := uint64(0)
	for k := len(b) - 1; k >= i; k-- {
		w = w<<8 | uint64(b[k])
	}
	return w
}

// lettersOf sets the high bit of each byte of w that is beyond ASCII, that is a letter
// of ASCII, and that is a small one.
func lettersOf(w uint64) (beyond, letters, small uint64) {
	beyond = w & highBits
	x := (w | 0x20*eachByte) & lowBits
	letters = (x + (0x80-'a')*eachByte) &^ (x + (0x7f-'z')*eachByte) & highBits &^ beyond
	return beyond, letters, letters & (w << 2)
}

// wordReader splits text into words and hashes each.
type wordReader struct {
	b   []byte
	pos int
	// m, where there is one, has the letters of b from b[known] on; b[0] is its place off.
	m          *spots.Map
	off, known int
}

// next gives the next word's place and the hash of its lower-case letters: capital
// letters, then small ones, so that a hump begins a word.
func (r *wordReader) next() (start, end int, hash uint64, ok bool) {
	b, i := r.b, r.pos
	var w, beyond, letters, small uint64
	for {
		if i >= len(b) {
			r.pos = len(b)
			return 0, 0, 0, false
		}
		w = load8(b, i)
		beyond, letters, small = lettersOf(w)
		if beyond|letters == 0 {
			i += 8
			continue
		}
		if n := bits.TrailingZeros64(beyond|letters) &^ 7; n > 0 {
			i += n / 8
			w = load8(b, i)
			beyond, letters, small = lettersOf(w)
		}
		if beyond&0x80 == 0 {
			break
		}
		if b[i] < 0xc2 || i+1 < len(b) && b[i+1]&0xc0 != 0x80 {
			i++ // begins no character
			continue
		}
		ru, n := utf8.DecodeRune(b[i:])
		if isWordRune(ru) {
			break
		}
		i += n
	}
	start = i
	h := uint64(hashSeed)
	before := uint64(0) // whether the letter before is small
	for {
		ends := letters ^ highBits | letters&^small&(small<<8|before)
		if ends != 0 {
			n := bits.TrailingZeros64(ends) &^ 7
			if n > 0 {
				h = hashChunk(h, (w|0x20*eachByte)&(1<<n-1))
			}
			i += n / 8
			if beyond>>n&0x80 != 0 {
				return r.rest(start, i)
			}
			break
		}
		h = hashChunk(h, w|0x20*eachByte)
		before = small >> 56
		i += 8
		w = load8(b, i)
		beyond, letters, small = lettersOf(w)
		if i-start >= maxWord {
			if (beyond|letters)&0x80 != 0 {
				return r.rest(start, i)
			}
			break
		}
	}
	r.pos = i
	return start, i, h, true
}

// lettersIn gives bits for the first 64 bytes of b that begin a character beyond
// ASCII, that are letters of ASCII, and that are small ones.
func lettersIn(b []byte) (beyond, letters, small uint64) {
	_ = b[63]
	some := uint64(0)
	for i := 0; i < 64; i += 8 {
		n, l, s := lettersOf(binary.LittleEndian.Uint64(b[i:]))
		// The multiplication gathers the eight bits in the highest byte.
		some |= n
		letters |= (l >> 7 * gather >> 56) << i
		small |= (s >> 7 * gather >> 56) << i
	}
	if some == 0 {
		return 0, letters, small
	}
	more := uint64(1) << 63 // what follows the last byte is not known
	for i := 0; i < 64; i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		first, next := w&(w<<1)&highBits, w&^(w<<1)&highBits
		beyond |= (first >> 7 * gather >> 56) << i
		more |= (next >> 7 * gather >> 56) << i >> 1
	}
	return beyond & more, letters, small
}

const gather = 0x0102040810204080

// nextOf gives the next word that begins before stop, leaving out most of those that
// the table has neither as they stand nor without a plural's s, where no hump follows
// and no letters beyond ASCII are about.
func (r *wordReader) nextOf(t *wordTable, stop int) (start, end int, hash uint64, ok bool) {
blocks:
	for r.pos < stop {
		i := r.pos
		const size = 64 + 8 // a block and what a word's last letters are read with
		var b []byte
		var beyond, letters, small uint64
		switch {
		case i+size > len(r.b):
			var tail [size]byte // what is beyond the text's end is no letter
			copy(tail[:], r.b[i:])
			b = tail[:]
			beyond, letters, small = lettersIn(b)
		case r.m == nil || i < r.known:
			b = r.b[i : i+size]
			beyond, letters, small = lettersIn(b)
		default:
			b = r.b[i : i+size]
			letters, small, beyond = r.m.Letters(r.off + i)
		}
		humps := letters &^ small & (small << 1)
		starts, ends := letters&^(letters<<1)|humps, ^letters|humps
		r.pos = i + 64
		if beyond != 0 {
			starts &= beyond&-beyond - 1
			r.pos = i + bits.TrailingZeros64(beyond)
		}
		for ; starts != 0; starts &= starts - 1 {
			k := bits.TrailingZeros64(starts)
			n := 1 + bits.TrailingZeros64(ends>>k>>1)
			if k+n > 63 || n >= maxWord || beyond>>(k+n)&1 != 0 {
				r.pos = i + k
				if k > 0 && beyond>>((k+n)&63)&1 == 0 {
					continue blocks
				}
				return r.next()
			}
			h, at, left := uint64(hashSeed), k, n
			for ; left > 8; left -= 8 {
				h = hashChunk(h, binary.LittleEndian.Uint64(b[at:])|0x20*eachByte)
				at += 8
			}
			w := binary.LittleEndian.Uint64(b[at:]) | 0x20*eachByte
			whole := hashChunk(h, w&(^uint64(0)>>(64-8*left)))
			if !t.may(whole) && humps>>(k+n)&1 == 0 {
				if w>>(8*left-8)&0xff != 's' || n <= 3 {
					continue
				}
				if left > 1 {
					h = hashChunk(h, w&(^uint64(0)>>(72-8*left)))
				}
				if !t.may(h) {
					continue
				}
			}
			r.pos = i + k + n
			return i + k, i + k + n, whole, true
		}
		if beyond != 0 {
			return r.next()
		}
	}
	return 0, 0, 0, false
}

// rest reads on at b[i] a word that has letters beyond ASCII, or is too long for any
// lexicon.
func (r *wordReader) rest(start, i int) (int, int, uint64, bool) {
	b := r.b
	var low [2 * maxWord]byte
	n := copy(low[:], b[start:i])
	prevLower := i > start && b[i-1] >= 'a'
	dense := isDense(b[start:])
loop:
	for i < len(b) {
		if i-start >= maxWord && !dense {
			for i < len(b) && (b[i] >= 0x80 || b[i]|0x20 >= 'a' && b[i]|0x20 <= 'z') {
				i++
			}
			r.pos = i
			return start, i, 0, true
		}
		c := b[i]
		ru, width := rune(c), 1
		switch {
		case c >= 'a' && c <= 'z':
			prevLower = true
		case c >= 'A' && c <= 'Z':
			if prevLower {
				break loop
			}
		case c >= 0x80:
			ru, width = utf8.DecodeRune(b[i:])
			if !isWordRune(ru) {
				break loop
			}
			prevLower = unicode.IsLower(ru)
			ru = unicode.ToLower(ru)
		default:
			break loop
		}
		i += width
		if !dense { // the words of such scripts are found otherwise
			n += len(utf8.AppendRune(low[n:n], ru))
		}
	}
	r.pos = i
	return start, i, hashFolded(low[:n]), true
}

// hashFolded hashes letters as they stand, but for the case of ASCII.
func hashFolded(b []byte) uint64 {
	h := uint64(hashSeed)
	for i := 0; i < len(b); i += 8 {
		w := load8(b, i)
		_, letters, _ := lettersOf(w)
		h = hashChunk(h, w|letters>>2)
	}
	return h
}

// wholeRun hashes the ASCII letters from start as one word.
func wholeRun(b []byte, start int) (end int, h uint64) {
	for end = start; end < len(b) && isAlpha(b[end]) && end-start < maxWord; end++ {
	}
	return end, hashFolded(b[start:end])
}

func isWordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.Is(unicode.Mn, r)
}

// isDense reports whether text begins in a script that is written without
// spaces between words (Thai, Chinese, Japanese, Korean).
func isDense(b []byte) bool {
	if len(b) < 3 || b[0] < 0xe0 || b[0] > 0xed {
		return false
	}
	r, _ := utf8.DecodeRune(b)
	return r >= 0x0e00 && r < 0x0e80 || r >= 0x3040 && r < 0xa000 || r >= 0xac00 && r < 0xd7b0
}
