package classifiers

import (
	"encoding/binary"
	"math/bits"
)

// Where digits, at signs and dotted numbers stand is found here, eight bytes at a
// time: as patterns they would cost Hyperscan more than all literals together,
// for they match everywhere. The places are looked for when the bytes around them
// are all there, so that most are dismissed on the spot.

const (
	eachByte = 0x0101010101010101
	highBits = 0x8080808080808080
	lowBits  = 0x7f7f7f7f7f7f7f7f
)

// digitBytes sets the high bit of each byte of w that is a digit.
func digitBytes(w uint64) uint64 {
	w ^= '0' * eachByte
	return ^((w & lowBits) + (0x7f-9)*eachByte | w) & highBits
}

// equalBytes sets the high bit of each byte of w that is c.
func equalBytes(w uint64, c byte) uint64 {
	w ^= uint64(c) * eachByte
	return ^((w & lowBits) + lowBits | w) & highBits
}

// nextAnchor gives the first place at or after i, before limit, where the second
// of two digits stands, an at sign, or a dot after a digit; limit when there is
// none. i is at least one.
func nextAnchor(b []byte, i, limit int) int {
	for ; i+8 <= limit; i += 8 {
		w, before := binary.LittleEndian.Uint64(b[i:]), binary.LittleEndian.Uint64(b[i-1:])
		d := digitBytes(before)
		m := d&(digitBytes(w)|equalBytes(w, '.')) | equalBytes(w, '@')
		if m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for ; i < limit; i++ {
		if c := b[i]; c == '@' || (isDigit(c) || c == '.') && isDigit(b[i-1]) {
			return i
		}
	}
	return limit
}

// anchors judges what stands at the anchors from where the last call ended, before
// offset upto: the bytes up to ahead after it have come, or all.
func (s *Scanner) anchors(st *Stream, view []byte, base, upto uint64) {
	i := int(max(st.scanned, base+1) - base)
	limit := int(upto - base)
	for i < limit {
		if i = nextAnchor(view, i, limit); i >= limit {
			break
		}
		switch c := view[i]; {
		case c == '@':
			if s.c.email != none && i+1 < len(view) && (isAlnum(view[i+1])) && localByte(view[i-1]) {
				v := around(view, base, i+1)
				s.judgeEmail(st, &v)
			}
			i++
		case c == '.':
			if s.c.ipv4 != none && base+uint64(i) >= st.dotted && i+1 < len(view) && isDigit(view[i+1]) {
				v := around(view, base, i+1)
				end, _ := s.judgeIPv4(st, &v)
				st.dotted = v.base + uint64(end)
			}
			i++
		default:
			i = s.digits(st, view, base, i)
		}
	}
	st.scanned = max(st.scanned, base+uint64(max(i, limit)))
}

// localByte reports whether the local part of a mail address may end with c.
func localByte(c byte) bool { return isAlnum(c) || c == '_' || c == '+' || c == '-' }

// around gives the view of a judge whose hit ends before view[at].
func around(view []byte, base uint64, at int) window2 {
	lo, hi := max(0, at-behind), min(len(view), at+ahead)
	return window2{b: view[lo:hi], base: base + uint64(lo), at: at - lo}
}

// byteKind is what a byte is within a run: a digit, a letter, a separator, the
// first byte of a longer separator, or nothing.
const (
	kindDigit = 1 << iota
	kindLower
	kindUpper
	kindSep
	kindLong
	kindWord = kindDigit | kindLower | kindUpper
)

var byteKind = func() (t [256]uint8) {
	for c := range t {
		switch b := byte(c); {
		case isDigit(b):
			t[c] = kindDigit
		case b >= 'a' && b <= 'z':
			t[c] = kindLower
		case b >= 'A' && b <= 'Z':
			t[c] = kindUpper
		}
	}
	for _, c := range []byte(" -./+)") {
		t[c] = kindSep
	}
	t[0xc2], t[0xe2] = kindLong, kindLong
	return t
}()

// digits takes the token around the digits at view[i-1] and view[i], and gives
// where to look on.
func (s *Scanner) digits(st *Stream, view []byte, base uint64, i int) int {
	l, r := i-1, i+1
	lo, hi := max(0, i+1-behind), min(len(view), i+1+ahead)
	for l > lo && byteKind[view[l-1]]&kindWord != 0 && r-l <= maxCoin {
		l--
	}
	for r < hi && byteKind[view[r]]&kindWord != 0 && r-l <= maxCoin {
		r++
	}
	next := r
	if r-l > maxToken {
		if r-l > maxCoin {
			// Longer than anything: nothing within it is a token.
			for next < hi && byteKind[view[next]]&kindWord != 0 {
				next++
			}
		} else if r-l >= minCoin {
			v := around(view, base, i+1)
			off := int(v.base - base)
			s.judgeCoin(st, &v, l-off, r-off)
		}
		return next
	}
	if base+uint64(r) <= st.tokenDone {
		return next
	}
	if r-l <= 3 && r+1 < hi && view[r] == '.' && isDigit(view[r+1]) && base+uint64(r) >= st.dotted {
		// A quad is no other number.
		v := around(view, base, r+1)
		end, quad := s.judgeIPv4(st, &v)
		st.dotted = v.base + uint64(end)
		if quad {
			st.tokenDone = st.dotted
			return int(st.dotted - base)
		}
	}
	st.tokenDone = base + uint64(r)
	if r-l >= minCoin {
		v := around(view, base, i+1)
		off := int(v.base - base)
		s.judgeCoin(st, &v, l-off, r-off)
	}
	// How long the longest value could be that begins here: most digits end here.
	n := r - l
	at := r
	for n < maxValue && at+1 < hi {
		k := byteKind[view[at]]
		if k&(kindSep|kindLong) == 0 {
			break
		}
		e := at + 1
		if byteKind[view[e]]&kindWord == 0 {
			m, _ := separator(view[:hi], at)
			if m < 2 || at+m >= hi {
				break
			}
			e = at + m
		}
		a, all := e, uint8(0)
		for e < hi && byteKind[view[e]]&kindWord != 0 && e-a <= maxValue {
			all |= byteKind[view[e]]
			e++
		}
		if e == a || all&kindDigit == 0 && e-a > 4 {
			break
		}
		n += e - a
		at = e
	}
	// What stands before it and has no two digits in a row may belong to it.
	if l > lo && byteKind[view[l-1]]&(kindSep|kindLong) != 0 || l > lo+1 && view[l-1] >= 0x80 {
		n += leftReach(view[lo:l])
	}
	if n < s.c.minLen {
		return next
	}
	if st.meta.MinConfidence >= Medium {
		lens := s.nearLens(st, view, base, l)
		if leads(view, l, r) {
			lens |= s.c.leadLens
		}
		if lens&(1<<(n+1)-1) == 0 {
			return next
		}
	}
	v := around(view, base, i+1)
	off := int(v.base - base)
	s.judgeSpans(st, &v, l-off, r-off, false)
	return next
}

// leads reports whether the digits b[l:r] can begin a telephone number that is
// one by its writing alone: after a plus sign or a bracket, or as three digits and
// a hyphen, a dot or a bracket.
func leads(b []byte, l, r int) bool {
	for k := l - 1; k >= 0 && k > l-8; k-- {
		switch c := b[k]; {
		case c == '+' || c == '(':
			return true
		case !isDigit(c) && c != ' ' && c != '-' && c != '.' && c != '/':
			k = 0
		}
	}
	return r-l == 3 && r < len(b) && (b[r] == '-' || b[r] == '.')
}

// leftReach bounds how many letters and digits the tokens at b's end can give to
// a value after them.
func leftReach(b []byte) int {
	n, at := 0, len(b)
	for range maxLeft {
		k, _ := separatorBefore(b, at)
		if k == 0 {
			break
		}
		e := at - k
		a := e
		for a > 0 && byteKind[b[a-1]]&kindWord != 0 && e-a <= maxValue {
			a--
		}
		if a == e || nominated(b[a:e]) || allAlpha(b[a:e]) && e-a > 4 {
			break
		}
		n += e - a
		at = a
	}
	return n
}

// nearLens gives the lengths of values that can be of medium confidence around
// view[at]: those that are sure in themselves, and those that a word or a column
// nearby speaks for. It looks somewhat farther than context does, for a stretch
// at once.
func (s *Scanner) nearLens(st *Stream, view []byte, base uint64, at int) uint64 {
	cell := (base+uint64(at))/cellSize + 1
	if st.cell == cell {
		return st.nearLens
	}
	st.cell = cell
	from := (cell - 1) * cellSize
	lo := uint64(0)
	if from > contextBefore+maxSpan {
		lo = from - contextBefore - maxSpan
	}
	hi := from + cellSize + maxSpan + contextAfter
	v := window2{b: view, base: base}
	if lo > base {
		v = window2{b: view[lo-base:], base: lo}
	}
	st.ctx.cover(&s.c.words, &v, lo, hi)
	st.near, st.nearLens = detSet{}, s.c.strongLens
	for i := range st.ctx.m {
		if m := &st.ctx.m[i]; m.at >= lo && m.at < hi {
			set := &s.c.words.sets[m.list]
			for k := range st.near {
				st.near[k] |= set[k]
			}
			st.nearLens |= s.c.words.lens[m.list]
		}
	}
	if st.csv.state == 0 {
		st.csv.learn(&s.c.words, st.head)
	}
	if st.csv.state == 2 {
		for k := range st.near {
			st.near[k] |= st.csv.near[k]
		}
		st.nearLens |= st.csv.lens
	}
	return st.nearLens
}

const (
	// cellSize is the stretch for which the words around are looked up at once.
	cellSize = 256
	// maxSpan bounds a value with its separators.
	maxSpan = 128
)
