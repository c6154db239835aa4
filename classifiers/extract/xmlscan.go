package extract

import (
	"bytes"
	"html"
	"regexp"
	"strings"
)

// xmlScanner walks XML token by token without building anything. It is
// tolerant: names need not balance, entities it does not know stay as they are,
// document type declarations are skipped, so that nothing can expand.
type xmlScanner struct {
	b    []byte
	i    int
	kind xmlKind
	name string // local name of a start or end tag
	atts []byte // raw attributes of a start tag
	self bool   // the start tag closes itself; no end tag follows
	raw  []byte // raw character data
	cd   bool   // raw is a CDATA section
	pool map[string]string
}

type xmlKind uint8

const (
	xmlEOF xmlKind = iota
	xmlStart
	xmlEnd
	xmlText
)

var reXMLEncoding = regexp.MustCompile(`^<\?xml[^>]*encoding\s*=\s*["']([A-Za-z0-9._-]+)["']`)

// newXML prepares a scanner over b in whatever encoding it declares.
func newXML(b []byte) *xmlScanner {
	label := ""
	if m := reXMLEncoding.FindSubmatch(b[:min(len(b), 256)]); m != nil {
		label = string(m[1])
	}
	return &xmlScanner{b: toUTF8(b, label), pool: map[string]string{}}
}

// intern keeps one string per element name; the number of names is bounded so
// that a file of ever new names costs no more than its size.
func (s *xmlScanner) intern(n []byte) string {
	if v, ok := s.pool[string(n)]; ok {
		return v
	}
	v := string(n)
	if len(s.pool) < 4096 {
		s.pool[v] = v
	}
	return v
}

// next moves to the next token and reports whether there is one.
func (s *xmlScanner) next() bool {
	s.self, s.cd = false, false
	for s.i < len(s.b) {
		if s.b[s.i] != '<' {
			j := bytes.IndexByte(s.b[s.i:], '<')
			if j < 0 {
				j = len(s.b) - s.i
			}
			s.raw, s.kind = s.b[s.i:s.i+j], xmlText
			s.i += j
			return true
		}
		rest := s.b[s.i:]
		switch {
		case bytes.HasPrefix(rest, []byte("<!--")):
			s.skip(4, "-->")
			continue
		case bytes.HasPrefix(rest, []byte("<![CDATA[")):
			j := bytes.Index(rest, []byte("]]>"))
			if j < 0 {
				s.raw, s.i = rest[9:], len(s.b)
			} else {
				s.raw, s.i = rest[9:j], s.i+j+3
			}
			s.kind, s.cd = xmlText, true
			return true
		case bytes.HasPrefix(rest, []byte("<?")):
			s.skip(2, "?>")
			continue
		case bytes.HasPrefix(rest, []byte("<!")):
			s.doctype()
			continue
		}
		end := tagEnd(rest)
		if end < 0 {
			s.i = len(s.b)
			break
		}
		tag := rest[1:end]
		s.i += end + 1
		if len(tag) > 0 && tag[0] == '/' {
			s.kind, s.name, s.atts = xmlEnd, s.intern(local(bytes.TrimSpace(tag[1:]))), nil
			return true
		}
		if n := len(tag); n > 0 && tag[n-1] == '/' {
			s.self, tag = true, tag[:n-1]
		}
		j := bytes.IndexAny(tag, " \t\r\n")
		if j < 0 {
			j = len(tag)
		}
		s.kind, s.name, s.atts = xmlStart, s.intern(local(tag[:j])), tag[j:]
		return true
	}
	s.kind = xmlEOF
	return false
}

func (s *xmlScanner) skip(from int, end string) {
	j := bytes.Index(s.b[s.i+from:], []byte(end))
	if j < 0 {
		s.i = len(s.b)
		return
	}
	s.i += from + j + len(end)
}

// doctype skips a declaration with its internal subset.
func (s *xmlScanner) doctype() {
	depth := 0
	for i := s.i; i < len(s.b); i++ {
		switch s.b[i] {
		case '[':
			depth++
		case ']':
			depth--
		case '>':
			if depth <= 0 {
				s.i = i + 1
				return
			}
		}
	}
	s.i = len(s.b)
}

// tagEnd finds the > that ends a tag, minding quotes; -1 when there is none.
func tagEnd(b []byte) int {
	var quote byte
	for i, c := range b {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i
		}
	}
	// An unbalanced quote: end at the first > after all.
	return bytes.IndexByte(b, '>')
}

func local(n []byte) []byte {
	if i := bytes.LastIndexByte(n, ':'); i >= 0 {
		return n[i+1:]
	}
	return n
}

// text gives the character data with the entities of XML and numeric
// references decoded.
func (s *xmlScanner) text() []byte {
	if s.cd || bytes.IndexByte(s.raw, '&') < 0 {
		return s.raw
	}
	return []byte(html.UnescapeString(string(s.raw)))
}

// attr gives an attribute by its local name.
func (s *xmlScanner) attr(name string) string {
	v, _ := s.attrOK(name)
	return v
}

func (s *xmlScanner) attrOK(name string) (string, bool) {
	a := s.atts
	for len(a) > 0 {
		a = bytes.TrimLeft(a, " \t\r\n")
		eq := bytes.IndexByte(a, '=')
		if eq <= 0 {
			return "", false
		}
		key := bytes.TrimSpace(a[:eq])
		a = bytes.TrimLeft(a[eq+1:], " \t\r\n")
		if len(a) == 0 {
			return "", false
		}
		var val []byte
		if q := a[0]; q == '"' || q == '\'' {
			j := bytes.IndexByte(a[1:], q)
			if j < 0 {
				return "", false
			}
			val, a = a[1:1+j], a[j+2:]
		} else {
			j := bytes.IndexAny(a, " \t\r\n")
			if j < 0 {
				j = len(a)
			}
			val, a = a[:j], a[j:]
		}
		if string(local(key)) == name {
			return html.UnescapeString(string(val)), true
		}
	}
	return "", false
}

// on reports whether a boolean attribute or property is set, which in Office
// formats an absent value means too.
func on(v string, present bool) bool {
	if !present {
		return true
	}
	switch strings.ToLower(v) {
	case "0", "false", "off", "none":
		return false
	}
	return true
}

// root gives the local name of the first element.
func xmlRoot(b []byte) string {
	s := newXML(b[:min(len(b), 4096)])
	for s.next() {
		if s.kind == xmlStart {
			return s.name
		}
	}
	return ""
}
