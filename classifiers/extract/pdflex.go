package extract

import (
	"bytes"
	"strconv"
)

// Objects of a PDF (ISO 32000-1 7.3): nil, bool, float64, pdfString, pdfName,
// pdfArray, pdfDict, pdfRef, *pdfStream, and pdfOp for an operator or keyword.
type (
	pdfString string
	pdfName   string
	pdfArray  []any
	pdfDict   map[string]any
	pdfRef    struct{ num, gen int }
	pdfOp     string
)

type pdfStream struct {
	dict     pdfDict
	raw      []byte
	num, gen int
}

// pdfLexer reads objects out of a file, an object stream or a page's content.
type pdfLexer struct {
	b []byte
	i int
}

const pdfDepth = 100 // arrays and dictionaries inside each other

func pdfSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == 0 || c == '\f'
}

func pdfDelim(c byte) bool {
	switch c {
	case '(', ')', '<', '>', '[', ']', '{', '}', '/', '%':
		return true
	}
	return false
}

func (l *pdfLexer) skipSpace() {
	for l.i < len(l.b) {
		c := l.b[l.i]
		if c == '%' {
			for l.i < len(l.b) && l.b[l.i] != '\n' && l.b[l.i] != '\r' {
				l.i++
			}
			continue
		}
		if !pdfSpace(c) {
			return
		}
		l.i++
	}
}

// pdfEnd is what object gives at the end of input and at a stray delimiter.
type pdfEnd struct{ c byte }

// object reads the next object. References are recognised only when refs is
// set, since content streams have none.
func (l *pdfLexer) object(refs bool, depth int) any {
	l.skipSpace()
	if l.i >= len(l.b) {
		return pdfEnd{}
	}
	switch c := l.b[l.i]; c {
	case '/':
		return l.name()
	case '(':
		return l.literal()
	case '<':
		if l.i+1 < len(l.b) && l.b[l.i+1] == '<' {
			l.i += 2
			return l.dict(refs, depth)
		}
		return l.hex()
	case '[':
		l.i++
		var a pdfArray
		for depth < pdfDepth {
			v := l.object(refs, depth+1)
			if e, ok := v.(pdfEnd); ok {
				if e.c == ']' || e.c == 0 {
					break
				}
				continue
			}
			if op, ok := v.(pdfOp); ok && (op == "endobj" || op == "stream") {
				break
			}
			a = append(a, v)
		}
		return a
	case ']', '>', ')', '{', '}':
		l.i++
		if c == '>' && l.i < len(l.b) && l.b[l.i] == '>' {
			l.i++
		}
		return pdfEnd{c}
	default:
		if c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.' {
			return l.number(refs)
		}
		start := l.i
		for l.i < len(l.b) && !pdfSpace(l.b[l.i]) && !pdfDelim(l.b[l.i]) {
			l.i++
		}
		if l.i == start {
			l.i++
			return pdfEnd{c}
		}
		switch s := string(l.b[start:min(l.i, start+64)]); s {
		case "true":
			return true
		case "false":
			return false
		case "null":
			return nil
		default:
			return pdfOp(s)
		}
	}
}

func (l *pdfLexer) dict(refs bool, depth int) pdfDict {
	d := pdfDict{}
	for depth < pdfDepth && len(d) < 1<<16 {
		k := l.object(refs, depth+1)
		switch k := k.(type) {
		case pdfName:
			at := l.i
			v := l.object(refs, depth+1)
			switch v := v.(type) {
			case pdfEnd:
				if v.c == '>' || v.c == 0 {
					return d
				}
			case pdfOp:
				if v == "endobj" || v == "stream" {
					l.i = at
					return d
				}
			default:
				d[string(k)] = v
			}
		case pdfEnd:
			if k.c == '>' || k.c == 0 {
				return d
			}
		case pdfOp:
			if k == "endobj" || k == "stream" || k == "endstream" {
				l.i -= len(k)
				return d
			}
		}
	}
	return d
}

func (l *pdfLexer) name() pdfName {
	l.i++
	start := l.i
	esc := false
	for l.i < len(l.b) && !pdfSpace(l.b[l.i]) && !pdfDelim(l.b[l.i]) {
		esc = esc || l.b[l.i] == '#'
		l.i++
	}
	s := l.b[start:min(l.i, start+512)]
	if !esc {
		return pdfName(s)
	}
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '#' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0 {
			out = append(out, byte(unhex(s[i+1])<<4|unhex(s[i+2])))
			i += 2
			continue
		}
		out = append(out, s[i])
	}
	return pdfName(out)
}

func (l *pdfLexer) literal() pdfString {
	l.i++
	var out []byte
	depth := 1
	for l.i < len(l.b) {
		c := l.b[l.i]
		l.i++
		switch c {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return pdfString(out)
			}
		case '\r':
			if l.i < len(l.b) && l.b[l.i] == '\n' {
				l.i++
			}
			c = '\n'
		case '\\':
			if l.i >= len(l.b) {
				return pdfString(out)
			}
			c = l.b[l.i]
			l.i++
			switch c {
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 't':
				c = '\t'
			case 'b':
				c = '\b'
			case 'f':
				c = '\f'
			case '\r':
				if l.i < len(l.b) && l.b[l.i] == '\n' {
					l.i++
				}
				continue
			case '\n':
				continue
			case '0', '1', '2', '3', '4', '5', '6', '7':
				v := int(c - '0')
				for k := 0; k < 2 && l.i < len(l.b) && l.b[l.i] >= '0' && l.b[l.i] <= '7'; k++ {
					v = v*8 + int(l.b[l.i]-'0')
					l.i++
				}
				c = byte(v)
			}
		}
		out = append(out, c)
	}
	return pdfString(out)
}

func (l *pdfLexer) hex() pdfString {
	l.i++
	var out []byte
	half := -1
	for l.i < len(l.b) {
		c := l.b[l.i]
		l.i++
		if c == '>' {
			break
		}
		v := unhex(c)
		if v < 0 {
			continue
		}
		if half < 0 {
			half = v
			continue
		}
		out = append(out, byte(half<<4|v))
		half = -1
	}
	if half >= 0 {
		out = append(out, byte(half<<4))
	}
	return pdfString(out)
}

func (l *pdfLexer) number(refs bool) any {
	start := l.i
	for l.i < len(l.b) && (l.b[l.i] >= '0' && l.b[l.i] <= '9' || l.b[l.i] == '+' || l.b[l.i] == '-' || l.b[l.i] == '.') {
		l.i++
	}
	s := string(l.b[start:min(l.i, start+64)])
	if refs && l.i-start <= 10 && s[0] >= '0' && s[0] <= '9' {
		if num, err := strconv.Atoi(s); err == nil {
			if gen, end, ok := l.refTail(); ok {
				l.i = end
				return pdfRef{num, gen}
			}
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		// Readers accept "--5" and "1.2.3" in some way; any will do.
		f, _ = strconv.ParseFloat(string(bytes.TrimLeft([]byte(s), "+-")), 64)
	}
	return f
}

// refTail looks whether a generation and R follow.
func (l *pdfLexer) refTail() (gen, end int, ok bool) {
	i := l.i
	for i < len(l.b) && pdfSpace(l.b[i]) {
		i++
	}
	start := i
	for i < len(l.b) && l.b[i] >= '0' && l.b[i] <= '9' && i-start < 6 {
		gen = gen*10 + int(l.b[i]-'0')
		i++
	}
	if i == start || i >= len(l.b) || !pdfSpace(l.b[i]) {
		return 0, 0, false
	}
	for i < len(l.b) && pdfSpace(l.b[i]) {
		i++
	}
	if i < len(l.b) && l.b[i] == 'R' && (i+1 == len(l.b) || pdfSpace(l.b[i+1]) || pdfDelim(l.b[i+1])) {
		return gen, i + 1, true
	}
	return 0, 0, false
}
