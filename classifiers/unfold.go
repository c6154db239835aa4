package classifiers

import (
	"bytes"
	"unicode/utf8"

	"sluice/internal/spots"
)

// Ways of writing characters that a reader does not see: entities of HTML, markup
// within a line, quoted-printable, UTF-7, and Unicode's other digits, letters, spaces and
// marks without width. Where one that matters stands, the text around it is written out
// plainly and judged once more. What is common and harmless (quotes, dashes) begins
// nothing.

const (
	// unfoldReach is how far before the first and after the last folded character
	// the text is taken with it.
	unfoldReach = 256
	nFolds      = 5
)

// folding is one such way.
type folding struct {
	name string
	// begins is what stands where something may be worth unfolding, and worth reports
	// whether it is at b[i]. It may look back, and up to lag beyond.
	begins spots.Kind
	worth  func(b []byte, i int) bool
	// unfold reads what stands at b[0]: n bytes for width bytes of b, and whether
	// they were folded.
	unfold func(b []byte) (out [4]byte, n, width int, folded bool)
}

var foldings = [nFolds]folding{
	{"entities", spots.Entity, entityAt, entity},
	{"quoted-printable", spots.Quoted, quotedAt, quoted},
	{"utf-7", spots.UTF7, utf7At, nil},
	{"unicode", spots.Odd, oddAt, odd},
	{"markup", spots.Tag, tagAt, nil},
}

// unfolding is the state of one way in a stream.
type unfolding struct {
	c *Stream
	// next is where to go on, last the last folded character, floor the end of the
	// text written out last, end that of the last character written out.
	next, last, floor, end uint64
	// shifted is UTF-7's state: within base64, the bits left over.
	shifted bool
	acc     uint32
	bits    uint8
	// within is markup's state.
	within vanish
}

func (s *Scanner) unfoldAll(st *Stream, view []byte, base, limit uint64) {
	if st.depth > 0 && st.dec.verbatim {
		return
	}
	for i := range foldings {
		s.unfold(st, i, view, base, limit)
	}
}

func (s *Scanner) unfold(st *Stream, kind int, view []byte, base, limit uint64) {
	f, u := &foldings[kind], &st.dec.folds[kind]
	u.next = max(u.next, base)
	for u.next < limit {
		if u.c == nil {
			to := int(limit - base)
			k := s.spots(st).Next(f.begins, int(u.next-base), to)
			for k < to && !f.worth(view, k) {
				k = s.spots(st).Next(f.begins, k+1, to)
			}
			if k >= to {
				u.next = limit
				return
			}
			u.last = base + uint64(k)
			u.next = max(u.last-min(u.last, unfoldReach), u.floor, base)
			if u.c = s.child(st, f.name, 1, 1); u.c == nil {
				u.next = limit
				return
			}
			u.c.dec.verbatim, u.c.dec.marked = true, f.begins == spots.Tag
			u.shifted, u.acc, u.bits = false, 0, 0
			u.within, u.end = vanish{}, u.next
		}
		c := u.c
		out := &s.out
		n, dec, ended := 0, c.end, false
		for u.next < limit && n < flushAt {
			if u.next > u.last+unfoldReach {
				ended = true
				break
			}
			var ch [4]byte
			var m, width int
			var folded bool
			switch b := view[u.next-base:]; {
			case f.unfold != nil:
				ch, m, width, folded = f.unfold(b)
			case c.dec.marked:
				ch, m, width, folded = u.markup(b)
			default:
				ch, m, folded = u.utf7(b)
				width = 1
			}
			if folded {
				u.last = u.next
			}
			if m > 0 {
				c.pos.noteAfter(dec+uint64(n), u.next, u.end)
			}
			n += copy(out[n:], ch[:m])
			u.next += uint64(width)
			if m > 0 || !folded {
				u.end = u.next
			}
		}
		c.pos.noteAfter(dec+uint64(n), u.next, u.end)
		s.feed(c, out[:n])
		if ended {
			s.endChild(c)
			u.c, u.floor = nil, u.next
		}
	}
}

// matters reports whether a character can be a part of what detectors look for.
func matters(r rune) bool {
	return r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z' || r == ' ' || r == '-' || r == '@' || r == '.' || r == '_' || r == 0xa0 || r == 0xad || r >= 0x200b && r <= 0x200f
}

// named are the entities without a number that may stand in a value.
var named = []struct {
	name string
	r    rune
}{{"nbsp;", ' '}, {"shy;", 0}, {"zwnj;", 0}, {"zwj;", 0}, {"lrm;", 0}, {"rlm;", 0}, {"ensp;", ' '}, {"emsp;", ' '}, {"thinsp;", ' '}, {"hyphen;", '-'}, {"dash;", '-'}, {"commat;", '@'}, {"period;", '.'},
	{"sol;", '/'}, {"colon;", ':'}, {"lowbar;", '_'}, {"num;", '#'}, {"equals;", '='}, {"Tab;", '\t'}, {"NewLine;", '\n'}, {"amp;", '&'}, {"quot;", '"'}, {"apos;", '\''}, {"lt;", '<'}, {"gt;", '>'}}

// entityFirst are the first letters of named.
var entityFirst = func() *charset {
	var letters []byte
	for i := range named {
		letters = append(letters, named[i].name[0])
	}
	return set(string(letters))
}()

// readEntity reads a character reference (HTML, 13.5) at b[0] == '&'; r is zero for
// a character without width.
func readEntity(b []byte) (r rune, width int) {
	b = b[:min(len(b), 12)]
	if len(b) < 4 {
		return 0, 0
	}
	if b[1] != '#' {
		if !entityFirst.has(b[1]) {
			return 0, 0
		}
		for i := range named {
			if bytes.HasPrefix(b[1:], []byte(named[i].name)) {
				return named[i].r, 1 + len(named[i].name)
			}
		}
		return 0, 0
	}
	i := 2
	if b[2]|0x20 == 'x' {
		for i = 3; i < len(b) && isHex(b[i]); i++ {
			r = r<<4 | rune(unhex(b[i]))
		}
		if i == 3 {
			return 0, 0
		}
	} else {
		for ; i < len(b) && isDigit(b[i]); i++ {
			r = r*10 + rune(b[i]-'0')
		}
		if i == 2 {
			return 0, 0
		}
	}
	if i < len(b) && b[i] == ';' {
		i++
	}
	if r > 0x10ffff || r >= 0xd800 && r < 0xe000 || r == 0 {
		return 0, 0
	}
	return plain(r), i
}

func entityAt(b []byte, i int) bool {
	r, w := readEntity(b[i:])
	return w > 0 && (b[i+1] == '#' && matters(r) || r == 0 || b[i+1] != '#' && (r == ' ' && i > 0 && isDigit(b[i-1]) || r == '-' || r == '@' || r == '.'))
}

func entity(b []byte) (out [4]byte, n, width int, folded bool) {
	if b[0] == '&' {
		if r, w := readEntity(b); w > 0 {
			if r == 0 {
				return out, 0, w, true
			}
			n = utf8.EncodeRune(out[:], r)
			return out, n, w, true
		}
	}
	out[0] = b[0]
	return out, 1, 1, false
}

// quotedLine is the least length of a line that an encoder breaks (RFC 2045, 6.7).
const quotedLine = 60

func quotedAt(b []byte, i int) bool {
	if softBreak(b[i:]) > 0 {
		nl := bytes.LastIndexByte(b[max(0, i-78):i], '\n')
		return nl >= 0 && i-max(0, i-78)-nl > quotedLine || nl < 0 && i >= quotedLine && i < 78
	}
	c, ok := percent(b[i:min(len(b), i+3)])
	return ok && (c == '=' || c == '-' || c >= 0x80 && len(b) > i+3 && b[i+3] == '=') && b[i+2] <= 'F' && (i == 0 || b[i-1] != '=')
}

func softBreak(b []byte) int {
	switch {
	case bytes.HasPrefix(b, []byte("=\r\n")):
		return 3
	case bytes.HasPrefix(b, []byte("=\n")):
		return 2
	}
	return 0
}

func quoted(b []byte) (out [4]byte, n, width int, folded bool) {
	if b[0] == '=' {
		if n := softBreak(b); n > 0 {
			return out, 0, n, true
		}
		if c, ok := percent(b); ok && b[1] <= 'F' && b[2] <= 'F' {
			out[0] = c
			return out, 1, 3, true
		}
	}
	out[0] = b[0]
	return out, 1, 1, false
}

func utf7At(b []byte, i int) bool {
	// Latin text in UTF-16 begins with a zero, in base64 an A.
	n := 1
	for i+n < len(b) && n < 64 && base64Value[b[i+n]] < 64 && b[i+n] != '-' && b[i+n] != '_' {
		n++
	}
	return i+n < len(b) && n >= 4 && b[i+n] == '-' && b[i+1] == 'A' && b[i+2] >= 'C' && b[i+2] <= 'H'
}

// utf7 reads one byte of UTF-7 (RFC 2152).
func (u *unfolding) utf7(b []byte) (out [4]byte, n int, folded bool) {
	c := b[0]
	if !u.shifted {
		if c == '+' {
			if len(b) > 1 && b[1] == '-' {
				out[0] = '+'
				return out, 1, false
			}
			if len(b) > 2 && base64Value[b[1]] < 64 && base64Value[b[2]] < 64 {
				u.shifted, u.acc, u.bits = true, 0, 0
				return out, 0, true
			}
		}
		out[0] = c
		return out, 1, false
	}
	x := base64Value[c]
	if x == 255 || c == '-' || c == '_' {
		u.shifted = false
		if c == '-' {
			return out, 0, true
		}
		out[0] = c
		return out, 1, true
	}
	u.acc = u.acc<<6 | uint32(x)
	if u.bits += 6; u.bits < 16 {
		return out, 0, true
	}
	u.bits -= 16
	r := rune(u.acc >> u.bits & 0xffff)
	if r >= 0xd800 && r < 0xe000 || r == 0 {
		r = ' '
	}
	n = utf8.EncodeRune(out[:], r)
	return out, n, true
}

// plain gives the ASCII character that a character is another form of (UAX 15,
// compatibility; decimal digits of other scripts), zero for one without width, else
// the character.
func plain(r rune) rune {
	switch {
	case r < 0xa0:
		return r
	case r == 0xa0, r >= 0x2000 && r <= 0x200a, r == 0x202f, r == 0x205f, r == 0x3000, r == 0x1680:
		return ' '
	case r == 0xad, r >= 0x200b && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2060 && r <= 0x2069, r == 0xfeff, r == 0x180e, r >= 0xfe00 && r <= 0xfe0f:
		return 0
	case r >= 0x2010 && r <= 0x2015, r == 0x2212, r == 0xfe63:
		return '-'
	case r >= 0xff01 && r <= 0xff5e:
		return r - 0xff01 + '!'
	case r >= 0x1d7ce && r <= 0x1d7ff:
		return '0' + (r-0x1d7ce)%10
	case r >= 0x1d400 && r <= 0x1d433:
		return letter26(r - 0x1d400)
	}
	for _, zero := range [...]rune{0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50, 0xed0, 0xf20, 0x1040, 0x17e0} {
		if r >= zero && r <= zero+9 {
			return '0' + r - zero
		}
	}
	return r
}

func letter26(n rune) rune {
	if n < 26 {
		return 'A' + n
	}
	return 'a' + n - 26
}

// oddAt reports whether a character without width between others stands at b[i], or a
// digit that is not ASCII with another one after it.
func oddAt(b []byte, i int) bool {
	r, n := utf8.DecodeRune(b[i:])
	p := plain(r)
	switch {
	case n < 2 || p == r:
	case p == 0:
		return i > 0 && i+n < len(b) && isAlnum(b[i-1]) && (isAlnum(b[i+n]) || b[i+n] >= 0xc2)
	case p >= '0' && p <= '9':
		q, _ := utf8.DecodeRune(b[i+n:])
		return q >= 0x80 && isPlainDigit(q)
	}
	return false
}

func isPlainDigit(r rune) bool { p := plain(r); return p == 0 || p >= '0' && p <= '9' }

func odd(b []byte) (out [4]byte, n, width int, folded bool) {
	if b[0] < 0x80 {
		out[0] = b[0]
		return out, 1, 1, false
	}
	r, w := utf8.DecodeRune(b)
	if r == utf8.RuneError && w <= 1 {
		out[0] = b[0]
		return out, 1, 1, false
	}
	p := plain(r)
	if p == 0 {
		return out, 0, w, true
	}
	n = utf8.EncodeRune(out[:], p)
	return out, n, w, p != r && (p < ' ' || isDigit(byte(p)))
}
