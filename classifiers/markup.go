package classifiers

import "bytes"

// Markup within a word or a number, as in "4111<b>1111</b>": elements of HTML that
// stand within a line vanish, and comments, instructions and the marks of CDATA. All
// others, rows, cells, paragraphs and the elements of XML, stay and separate. What tags,
// comments, scripts and styles hold is judged with all other bytes, as it stands: only
// what goes over something that vanished is news.

// maxVanish bounds a tag or a comment that vanishes.
const maxVanish = 4096

// vanish is the state within something that vanishes: its kind, the quote that ends an
// attribute's value, the last character that is no space, and the bytes so far.
type vanish struct {
	kind, quote, last uint8
	n                 uint16
}

const (
	vanishTag = iota + 1
	vanishComment
	vanishInstruction
)

// The marks of XML (XML 1.0, 2.5 and 2.7).
var commentStart, commentEnd, cdataStart, cdataEnd, instructionEnd = []byte("<!--"), []byte("-->"), []byte("<![CDATA["), []byte("]]>"), []byte("?>")

// vanishing tells what begins at b[0] == '<' that vanishes, if anything does, and how
// long its beginning is. The marks of CDATA vanish alone, and have no kind.
func vanishing(b []byte) (kind uint8, width int) {
	b = b[:min(len(b), 16)]
	if len(b) < 3 {
		return 0, 0
	}
	switch b[1] {
	case '!':
		switch {
		case bytes.HasPrefix(b, commentStart):
			return vanishComment, len(commentStart)
		case bytes.HasPrefix(b, cdataStart):
			return 0, len(cdataStart)
		}
		return 0, 0
	case '?':
		if isAlpha(b[2]) {
			return vanishInstruction, 2
		}
		return 0, 0
	}
	i := 1
	if b[i] == '\\' { // before the slash, in a string of JSON
		i++
	}
	if b[i] == '/' {
		i++
	}
	var name [8]byte
	n := 0
	for n < len(name) && i < len(b) && isAlpha(b[i]) {
		name[n] = b[i] | 0x20
		n, i = n+1, i+1
	}
	if i >= len(b) || !inlineElement(name[:n]) {
		return 0, 0
	}
	k := i
	for k < len(b) && (b[k] == ' ' || b[k] == '\t' || b[k] == '\r' || b[k] == '\n' || b[k] == '/') {
		k++
	}
	// The end or an attribute: "j<i + 1" is no tag.
	if k == len(b) || b[k] == '>' || k > i && isAlpha(b[k]) {
		return vanishTag, i
	}
	return 0, 0
}

// inlineElement reports whether an element changes how text looks and not where it
// stands (HTML, 4.5). Links are things of their own, and so are indices and exponents.
func inlineElement(name []byte) bool {
	switch string(name) {
	case "b", "i", "u", "s", "em", "tt", "big", "bdi", "bdo", "del", "dfn", "ins", "kbd", "var", "wbr", "abbr", "blink", "cite", "code", "font", "mark", "nobr", "samp", "small", "span", "strike", "strong", "acronym":
		return true
	}
	return false
}

// step goes on within something that vanishes, at b[0], and gives the number of bytes;
// kind is zero where it ends with them.
func (v *vanish) step(b []byte) int {
	c := b[0]
	if v.n++; v.n >= maxVanish {
		v.kind = 0
		return 1
	}
	switch v.kind {
	case vanishComment:
		switch {
		case bytes.HasPrefix(b, commentEnd):
			v.kind = 0
			return len(commentEnd)
		case c == '>' && v.n == 1: // "<!-->"
			v.kind = 0
		}
	case vanishInstruction:
		if bytes.HasPrefix(b, instructionEnd) {
			v.kind = 0
			return len(instructionEnd)
		}
	case vanishTag:
		switch {
		case v.quote != 0:
			if c == v.quote {
				v.quote = 0
			}
		case c == '>':
			v.kind = 0
		case (c == '"' || c == '\'') && v.last == '=':
			v.quote, v.last = c, c
		case c > ' ' && c != '\\':
			v.last = c
		}
	}
	return 1
}

// markup reads what stands at b[0] of a text with markup: folded tells that it is, or
// is a part of, something that vanishes.
func (u *unfolding) markup(b []byte) (out [4]byte, n, width int, folded bool) {
	if u.within.kind != 0 {
		return out, 0, u.within.step(b), true
	}
	switch c := b[0]; {
	case c == '<':
		if kind, w := vanishing(b); w > 0 {
			u.within = vanish{kind: kind}
			return out, 0, w, true
		}
	case c == ']':
		if bytes.HasPrefix(b, cdataEnd) {
			return out, 0, len(cdataEnd), true
		}
	case c == '&':
		out, n, width, _ = entity(b)
		return out, n, width, false
	case c >= 0x80:
		out, n, width, _ = odd(b)
		return out, n, width, false
	}
	out[0] = b[0]
	return out, 1, 1, false
}

// What stands on one side of what vanishes, and how far.
const (
	sideNone = iota
	// sideWord is a letter after a space, sideCapital a capital one.
	sideWord
	sideCapital
	// sideJoined is a letter after a sign that stands within names and addresses.
	sideJoined
	sideLetter
	sideDigit
)

// side tells what stands at c, or at far after it, seen from what vanishes.
func side(c, far byte) uint8 {
	switch {
	case isDigit(c):
		return sideDigit
	case isAlpha(c) || c >= 0x80:
		return sideLetter
	case c != ' ' && c != '-' && c != '.' && c != '/' && c != '@' && c != '_' && c != '+':
		return sideNone
	case isDigit(far):
		return sideDigit
	case !isAlpha(far):
		return sideNone
	case c != ' ':
		return sideJoined
	case far < 'a':
		return sideCapital
	}
	return sideWord
}

// tagAt reports whether something begins at b[i] == '<' that vanishes within what may be
// a word, a number or a marking.
func tagAt(b []byte, i int) bool {
	if i == 0 {
		return false
	}
	left := side(b[i-1], b[max(0, i-2)])
	if b[i-1] == ';' && bytes.IndexByte(b[max(0, i-10):i], '&') >= 0 {
		left = sideDigit // an entity
	}
	if left == sideNone {
		return false
	}
	b = b[i:min(len(b), i+lag)]
	for at := 0; ; {
		var kind uint8
		width := 0
		if b[at] == '<' {
			kind, width = vanishing(b[at:])
		}
		if width == 0 {
			if at == 0 {
				return false
			}
			right := side(b[at], b[min(at+1, len(b)-1)])
			if b[at] == '&' {
				right = sideDigit
			}
			return right != sideNone && (max(left, right) == sideDigit || min(left, right) > sideWord)
		}
		at += width
		for v := (vanish{kind: kind}); v.kind != 0 && at < len(b); {
			at += v.step(b[at:])
		}
		if at >= len(b) {
			return left == sideDigit // who knows what stands beyond
		}
	}
}
