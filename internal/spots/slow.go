package spots

import "strings"

const (
	digits  = "0123456789"
	small   = "abcdefghijklmnopqrstuvwxyz"
	large   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	capital = digits + "ABCDEF"
	hex     = capital + "abcdef"
	base64  = digits + small + large + "+/-_"
)

// FindSlowly is Find by the words of the kinds' comments, a byte and a kind at a time:
// tests hold Find and who asks the Map against it. Where a kind is free to nominate more
// than it must, this does.
func (m *Map) FindSlowly(b []byte, from int) {
	m.grow(len(b))
	from &^= 63
	for k := range Kinds {
		words := m.words[int(k)*m.stride:][:m.stride]
		clear(words[from/64:])
		for i := from; i < len(b); i++ {
			if stands(k, b, i) {
				words[i/64] |= 1 << (i % 64)
			}
		}
	}
}

// stands reports whether b[i] may be a place of a kind.
func stands(k Kind, b []byte, i int) bool {
	at := func(i int) byte {
		if i < 0 || i >= len(b) {
			return 0
		}
		return b[i]
	}
	in := func(c byte, set string) bool { return strings.IndexByte(set, c) >= 0 }
	c, d, e := at(i), at(i+1), at(i+2)
	switch k {
	case Digits:
		return in(at(i-1), digits) && in(c, digits+".")
	case At:
		return c == '@' && in(at(i-1), digits+small+large+"_+-") && in(d, digits+small+large)
	case Percent:
		return c == '%' && in(d, hex) && in(e, hex)
	case Entity:
		return c == '&' && in(d, "#"+small+large)
	case Quoted:
		return c == '=' && (in(d, "\r\n") || in(d, "2389ABCDEF") && in(e, capital))
	case UTF7:
		return c == '+' && d == 'A' && in(e, "CDEFGH")
	case Odd:
		return c >= 0xc2 && d >= 0x80 && d < 0xc0
	case Zeros:
		return c == 0 && e == 0
	case Base64:
		for n := range Base64Run {
			if !in(at(i+n), base64) {
				return false
			}
		}
		return true
	case Tag:
		return c == '<' && in(d, "/!?\\"+small+large)
	case Letter:
		return in(c, small+large)
	case Small:
		return in(c, small)
	case Beyond:
		return c >= 0xc0 && d >= 0x80 && d < 0xc0
	}
	return false
}
