package classifiers

import (
	"bytes"
	"math/bits"

	"sluice/internal/spots"
)

// Where digits, at signs and dotted numbers stand is not asked of Hyperscan: as patterns
// they would cost more than all literals together, for they match everywhere. The places
// are looked at when the bytes around them are all there, so that most are dismissed on
// the spot.

// anchors judges what stands at the anchors from where the last call ended, before
// offset upto: the bytes up to ahead after it have come, or all.
func (s *Scanner) anchors(st *Stream, view []byte, base, upto uint64) {
	if st.depth == 0 && !st.code.done {
		s.sourceLines(st, view, base, int(upto-base))
	}
	i := int(max(st.scanned, base+1) - base)
	limit := int(upto - base)
	if i >= limit {
		return
	}
	if st.meta.MinConfidence < Medium {
		s.colons(st, view, base, i-1, limit)
	}
	places := s.spots(st)
	at := limit
	if s.c.email != none {
		at = places.Next(spots.At, i, limit)
	}
	d := places.Next(spots.Digits, i, limit)
	for min(at, d) < limit {
		if at < d {
			v := around(view, base, at+1)
			s.judgeEmail(st, &v)
			at = places.Next(spots.At, at+1, limit)
			continue
		}
		i = d + 1
		switch {
		case view[d] != '.':
			i = s.digits(st, view, base, d)
		case s.c.ipv4 != none && base+uint64(d) >= st.dotted && d+1 < len(view) && isDigit(view[d+1]):
			v := around(view, base, d+1)
			end, _ := s.judgeIPv4(st, &v)
			st.dotted = v.base + uint64(end)
		}
		d = places.Next(spots.Digits, i, limit)
	}
	st.scanned = max(st.scanned, base+uint64(max(i, limit)))
}

func nextByte(b []byte, i, limit int, c byte) int {
	if n := bytes.IndexByte(b[i:limit], c); n >= 0 {
		return i + n
	}
	return limit
}

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
	if (r < hi && view[r] == ':' || l > lo && view[l-1] == ':') && (r-l == 3 || r-l == 4) && base+uint64(l) >= st.colonDone && hexOnly(view[l:r]) {
		v := around(view, base, r)
		st.colonDone = v.base + uint64(s.judgeColons(st, &v))
	}
	sure := st.meta.MinConfidence >= Medium
	if sure && r-l == 4 && timestamp(view[l:hi]) {
		// No part of it is more than a date.
		st.tokenDone = base + uint64(l) + timestampLen
		return l + timestampLen
	}
	if sure && r-l > 5 && l-2 > lo && view[l-1] == '.' && fraction(view[l-3:min(hi, r+1)]) {
		return next
	}
	// How long the longest value could be that begins here: most digits end here.
	leftSep := l > lo && (byteKind[view[l-1]]&(kindSep|kindLong) != 0 || view[l-1] >= 0x80)
	if r-l < s.c.minLen && !leftSep && (r >= hi || byteKind[view[r]]&(kindSep|kindLong) == 0) {
		return next
	}
	n, count, turns, kinds := r-l, 0, 0, uint8(0)
	last := byteKind[view[l]]
	for _, c := range view[l:r] {
		k := byteKind[c]
		count += int(k & kindDigit)
		kinds |= k
		if k != last {
			turns++
		}
		last = k
	}
	lower := kinds&kindLower != 0
	if lower && (turns >= 3 && hexOnly(view[l:r]) || turns >= 4 && kinds&kindUpper != 0) {
		return next
	}
	// What stands before it and has no two digits in a row may belong to it.
	before := uint64(1) // the lengths that can stand before the token, of no letter on
	if leftSep {
		before = addLeft(view[lo:l], &n, &count)
	}
	left := before != 1
	at, alpha := r, 0
	digitsOnly := count == r-l && !left
	// from are the lengths of what begins with the token: whole tokens alone make a
	// value. plain tells that judgeSpans parts the text as it is parted here.
	size, from, plain := r-l, uint64(1)<<(r-l), true
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
			e, plain = at+m, false
		}
		a, all, d := e, uint8(0), 0
		for e < hi && byteKind[view[e]]&kindWord != 0 && e-a <= maxValue {
			all |= byteKind[view[e]]
			d += int(byteKind[view[e]] & kindDigit)
			e++
		}
		if view[at] == '/' && alpha > 0 {
			plain = false
			break
		}
		if e == a || d == 0 && (view[at] == '/' || tooWordy(e-a, all, view[at])) {
			break
		}
		if view[at] == ' ' && d == e-a && digitsOnly && !s.c.pairs.has(r-l, e-a) {
			break
		}
		lower = lower || all&kindLower != 0
		size += e - a
		from |= 1 << size // none, where that is more than a value has
		if d == 0 && e-a > 2 {
			alpha += e - a // counts if digits follow
		} else {
			n += alpha + e - a
			count, alpha = count+d, 0
		}
		at, digitsOnly = e, false
	}
	class := anyBeginning
	if !left {
		if count < 4 && lower {
			return next // no value has so few digits among small letters
		}
		class = int(byteKind[view[l]]&kindDigit^kindDigit) | int(byteKind[view[l+1]]&kindDigit^kindDigit)<<1
	}
	if n < s.c.minLen {
		return next
	}
	count = min(count, maxValue)
	upto := uint64(1)<<(min(n, maxValue)+1) - 1
	if plain && !(left && n >= maxValue) {
		upto = 0
		for x := before; x != 0; x &= x - 1 {
			upto |= from << bits.TrailingZeros64(x)
		}
		upto &= 1<<(maxValue+1) - 1
	}
	lens, weak := ^uint64(0), ^uint64(0)
	if sure {
		lens, weak = s.c.strongLens[class][count], s.c.weakLens[class][count]&upto
		if class == anyBeginning || s.c.leadLens&upto != 0 && leads(view, l, r) != 0 {
			lens |= s.c.leadLens
		}
		if (lens|weak)&upto == 0 {
			return next
		}
	}
	v := around(view, base, i+1)
	off := int(v.base - base)
	if sure {
		if weak != 0 {
			if weak &= s.nearLens(st, &v, l-off); weak != 0 {
				weak &= s.closeLens(st, &v, l-off, r-off)
			}
		}
		lens |= weak
		if base+uint64(at) <= st.covered {
			// Within a value that was told already: only what is surer is news.
			lens, weak = lens&s.c.surestLens, weak&s.c.surestLens
		}
		if lens&upto == 0 {
			return next
		}
	}
	s.judgeSpans(st, &v, l-off, r-off, lens, weak, false)
	return next
}

// timestampLen is the length of a timestamp's date and hour.
const timestampLen = 13

// timestamp reports whether b begins with a date and an hour (ISO 8601), with minutes
// after them.
func timestamp(b []byte) bool {
	if len(b) <= timestampLen || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' {
		return false
	}
	return allDigits(b[:4]) && allDigits(b[5:7]) && allDigits(b[8:10]) && allDigits(b[11:13])
}

// fraction reports whether b is a single digit, a dot and only digits, with what
// stands around it ending both: no value is written so.
func fraction(b []byte) bool {
	if byteKind[b[0]] != 0 && b[0] != ' ' || b[0] >= 0x80 || !isDigit(b[1]) {
		return false
	}
	for _, c := range b[3 : len(b)-1] {
		if !isDigit(c) {
			return false
		}
	}
	c := b[len(b)-1]
	return byteKind[c] == 0 && c < 0x80
}

// tooWordy reports whether n letters of these kinds, beside sep, are a word rather
// than a group of a value: more than four, or with small letters and a space.
func tooWordy(n int, kinds uint8, sep byte) bool {
	return n > 4 || n > 2 && sep == ' ' && kinds&kindLower != 0
}

func kindsOf(b []byte) (all uint8) {
	for _, c := range b {
		all |= byteKind[c]
	}
	return all
}

// pairs are the lengths of two groups of digits that may follow each other in a
// value, with a space between.
type pairs [maxValue + 1]uint64

func (p *pairs) has(a, b int) bool { return a >= b && a >= 2 || a <= maxValue && p[a]&(1<<b) != 0 }

// add takes the pairs of a usual grouping, where the shape has digits.
func (p *pairs) add(lens []uint8, letters uint64) {
	at := 0
	for i := 1; i < len(lens); i++ {
		a, b := int(lens[i-1]), int(lens[i])
		if letters>>at&(1<<(a+b)-1) == 0 {
			p[a] |= 1 << b
		}
		at += a
	}
}

// lead is how values may begin that are worth trying without a word about them.
// Detectors with one are tried elsewhere only where a word speaks for them.
type lead uint8

const (
	// leadPhone is a plus sign or a bracket before, or three digits and a hyphen, a
	// dot or a bracket after them.
	leadPhone lead = 1 << iota
	// leadSSN is three digits and a hyphen.
	leadSSN
	// leadHetu is six digits and a sign, or eleven characters.
	leadHetu
	// leadAHV is the country's number 756.
	leadAHV
	nLeads = iota
)

// leads tells how a value could begin with b[l:r].
func leads(b []byte, l, r int) (m lead) {
	switch r - l {
	case 3:
		if r < len(b) {
			switch b[r] {
			case '-':
				m |= leadPhone | leadSSN
			case '.':
				m |= leadPhone
			}
		}
	case 6:
		if r < len(b) && (b[r] == '-' || b[r] == '+') {
			m |= leadHetu
		}
	case 11:
		m |= leadHetu
	}
	if b[l] == '7' && r-l >= 3 && b[l+1] == '5' && b[l+2] == '6' {
		m |= leadAHV
	}
	for k := l - 1; k >= 0 && k > l-8; k-- {
		switch c := b[k]; {
		case c == '+' || c == '(':
			return m | leadPhone
		case !isDigit(c) && c != ' ' && c != '-' && c != '.' && c != '/':
			return m
		}
	}
	return m
}

// beginning classes the first two letters of a value: bit 0 tells that the first
// is a letter, bit 1 that the second is.
const anyBeginning = 4

// reach tells which lengths of values are possible by their beginning and by the
// number of digits there are.
type reach [anyBeginning + 1][maxValue + 1]uint64

func (x *reach) add(digits, letters uint64, n int) {
	need := bits.OnesCount64(digits)
	for c := range x {
		if c < anyBeginning && (digits&3&uint64(c) != 0 || letters&3&^uint64(c) != 0) {
			continue
		}
		for d := need; d <= maxValue; d++ {
			x[c][d] |= 1 << n
		}
	}
}

// addLeft adds the letters and digits that the tokens at b's end can give to a
// value after them, and tells how many letters that may be: bit n for n of them, of
// which bit 0 is always set.
func addLeft(b []byte, n, digits *int) uint64 {
	at, size, lens := len(b), 0, uint64(1)
	for range maxLeft {
		k, kind := separatorBefore(b, at)
		if k == 0 {
			break
		}
		a, e := leftToken(b, at-k, maxValue, kind)
		if a == e {
			break
		}
		for _, c := range b[a:e] {
			*digits += int(byteKind[c] & kindDigit)
		}
		*n += e - a
		size += e - a
		lens |= 1 << size // none, where that is more than a value has
		at = a
	}
	return lens
}

// leftToken gives the token that ends at b[e], when it may be the left part of a
// value whose separator after it is kind: two digits in a row would have been
// tried on their own, and words are none.
func leftToken(b []byte, e, room int, kind byte) (int, int) {
	a := e
	all := uint8(0)
	for a > 0 && byteKind[b[a-1]]&kindWord != 0 && e-a <= room {
		a--
		all |= byteKind[b[a]]
	}
	if e-a > room || nominated(b[a:e]) || all&kindDigit == 0 && (kind == '/' || kind == '+' || byteKind[b[a]]&kindLower != 0 && (kind == ' ' || kind == '~') || tooWordy(e-a, all, kind)) {
		return e, e
	}
	return a, e
}
