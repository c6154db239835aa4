package classifiers

import (
	"bytes"
	"net/netip"
)

// Addresses of machines that are written with colons, and URLs.

func addressDetectors() []Detector {
	return []Detector{
		{ID: "pii.mac", Level: Public, Good: w("eth0 00:1b:44:11:3a:b7 up"), Bad: w("00:1b:44:11:3a")},
		{ID: "pii.url", Level: Public, Good: w("see https://www.example.com/a"), Bad: w("see https:// and so on")},
	}
}

// maxColons bounds the text of an address with colons.
const maxColons = 46

// judgeColons confirms an IPv6 address (RFC 4291, 2.2) or a hardware address (IEEE
// 802) around v.at. It gives where what was looked at ends.
func (s *Scanner) judgeColons(st *Stream, v *window2) (end int) {
	b := v.b
	l, r := v.at, v.at
	part := func(c byte) bool { return isHex(c) || c == ':' }
	for l > 0 && v.at-l < maxColons && part(b[l-1]) {
		l--
	}
	for r < len(b) && r-l <= maxColons && part(b[r]) {
		r++
	}
	end = r
	if r < len(b) && b[r] == '.' && r+1 < len(b) && isDigit(b[r+1]) { // the last part as IPv4
		for r < len(b) && r-l <= maxColons && (isDigit(b[r]) || b[r] == '.') {
			r++
		}
	}
	for r > l && (b[r-1] == '.' || b[r-1] == ':' && (r-l < 2 || b[r-2] != ':')) {
		r--
	}
	if l < r && b[l] == ':' && (l+1 >= r || b[l+1] != ':') {
		l++
	}
	if r-l < 3 || r-l > maxColons || l > 0 && (isWordByte(b[l-1]) || b[l-1] == '.') || r < len(b) && isWordByte(b[r]) {
		return end
	}
	t := b[l:r]
	colons := bytes.Count(t, []byte(":"))
	switch {
	case colons == 5 && len(t) == 17 && s.c.mac != none && macGroups(t):
		s.emit(st, v, uint16(s.c.mac), l, r, Low, Public, t)
	case s.c.ipv4 != none && (colons == 7 || colons >= 2 && bytes.Contains(t, []byte("::"))) && !bytes.Contains(t, []byte(":::")):
		a, err := netip.ParseAddr(string(t))
		if err != nil || !a.Is6() || a.IsUnspecified() && len(t) > 3 {
			return end
		}
		conf := Low
		if colons > 2 && longGroup(t) {
			conf = Medium
		}
		n := a.As16()
		s.emit(st, v, uint16(s.c.ipv4), l, r, conf, Internal, n[:])
	}
	return end
}

// longGroup reports whether a group of three or four has two digits in a row: such
// are looked at whatever confidence is asked for.
func longGroup(t []byte) bool {
	for len(t) > 0 {
		g, rest, _ := bytes.Cut(t, []byte(":"))
		if len(g) >= 3 && len(g) <= 4 && nominated(g) {
			return true
		}
		t = rest
	}
	return false
}

// macGroups reports whether text is six pairs of hex digits.
func macGroups(t []byte) bool {
	for i, c := range t {
		if (i%3 == 2) != (c == ':' || c == '-') || i%3 != 2 && !isHex(c) {
			return false
		}
	}
	return true
}

// colons judges what has colons in view[from:to], at the first colon of each.
func (s *Scanner) colons(st *Stream, view []byte, base uint64, from, to int) {
	for i := from; i < to; {
		if i = nextByte(view, i, to, ':'); i >= to {
			return
		}
		if base+uint64(i) >= st.colonDone {
			v := around(view, base, i)
			st.colonDone = v.base + uint64(s.judgeColons(st, &v))
		}
		i++
	}
}

// judgePlainURL tells of a URL with a host.
func (s *Scanner) judgePlainURL(st *Stream, v *window2) {
	b := v.b
	l := v.at - 3
	for l > 0 && v.at-l < 12 && isAlpha(b[l-1]) {
		l--
	}
	if s.c.url == none || v.at-3-l < 3 {
		return
	}
	r := v.at
	for r < len(b) && r-l < 500 && b[r] > ' ' && b[r] < 0x7f && bytes.IndexByte([]byte("\"'<>`{}|\\^"), b[r]) < 0 {
		r++
	}
	if r-v.at < 4 || !isAlnum(b[v.at]) || bytes.IndexByte(b[v.at:r], '.') < 0 {
		return
	}
	s.emit(st, v, uint16(s.c.url), l, r, Low, Public, b[l:r])
}

// checksums are the algorithms that tell a number with a check digit from one
// without, whatever it is: a hint where a field holds nothing else.
var checksums = []struct {
	id        string
	good, bad string
	ok        func([]byte) bool
}{{"algo.luhn", "79927398713", "79927398714", luhn}, {"algo.verhoeff", "2363", "2364", verhoeff}, {"algo.damm", "5724", "5725", damm}}

// judgeField looks at an object that may be the value of one field.
func (s *Scanner) judgeField(st *Stream, b []byte) {
	if s.c.luhn == none || st.meta.MinConfidence > Low || len(b) < 4 || len(b) > maxValue || !allDigits(b) || sameDigits(b) {
		return
	}
	v := window2{b: b, base: st.end - uint64(len(b))}
	for i := range checksums {
		if checksums[i].ok(b) {
			s.emit(st, &v, uint16(s.c.luhn+i), 0, len(b), Low, Public, b)
		}
	}
}

// dammTable is the totally anti-symmetric quasigroup of H. M. Damm's thesis
// (2004).
var dammTable = [10]string{"0317598642", "7092154863", "4206871359", "1750983426", "6123045978", "3674209581", "5869720134", "8945362017", "9438617205", "2581436790"}

// damm reports whether digits satisfy Damm's algorithm.
func damm(b []byte) bool {
	c := byte('0')
	for _, d := range b {
		c = dammTable[c-'0'][d-'0']
	}
	return c == '0'
}
