package extract

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// plain gives a text object as it is, in pieces, decoded to UTF-8. Texts in
// memory are decoded at once; a long one is read through.
func (w *walker) plain(o *object, kind Kind) error {
	t := w.open(o, "", kind)
	if o.mem != nil || o.size <= 4<<20 {
		b, err := w.bytes(o)
		if err != nil {
			return err
		}
		text := toUTF8(b, charsetParam(o.hint))
		for len(text) > 0 && t.err == nil {
			n := min(len(text), flushAt)
			t.write(text[:n])
			text = text[n:]
		}
		return t.close()
	}
	r := o.section()
	buf := make([]byte, flushAt)
	keep := 0
	for t.err == nil {
		n, err := io.ReadFull(r, buf[keep:])
		b := buf[:keep+n]
		use := len(b)
		if err == nil {
			// Pieces end at a line where there is one, so that no character is cut.
			if i := bytes.LastIndexByte(b, '\n'); i > 0 {
				use = (i + 1) &^ 1
			}
		}
		t.write(toUTF8(b[:use], charsetParam(o.hint)))
		keep = copy(buf, b[use:])
		if err != nil {
			break
		}
	}
	return t.close()
}

// charsetParam finds the charset in a declared media type.
func charsetParam(mime string) string {
	_, rest, ok := strings.Cut(strings.ToLower(mime), "charset")
	if !ok {
		return ""
	}
	rest = strings.TrimLeft(rest, " =\"'")
	if i := strings.IndexAny(rest, "\"'; \t"); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

// htmlCharset finds what a page declares in its first bytes.
func htmlCharset(b []byte, hint string) string {
	if c := charsetParam(hint); c != "" {
		return c
	}
	return charsetParam(string(b[:min(len(b), 4096)]))
}

// html gives a page's text with its tags gone; the title, meta contents,
// link targets, comments and scripts go to their own kinds: secrets live in
// them, and so do data: URLs.
func (w *walker) html(o *object) error {
	b, err := w.bytes(o)
	if err != nil {
		return err
	}
	src := toUTF8(b, htmlCharset(b, o.hint))
	z := html.NewTokenizer(bytes.NewReader(src))
	z.SetMaxBuf(int(w.lim.MaxObject))
	body, meta, comments := w.open(o, "", Text), w.open(o, "", Metadata), w.open(o, "", Comment)
	scripts := w.open(o, "", Hidden)
	style, title, script := 0, false, false
	data := 0
	for {
		if err := w.tick(); err != nil {
			return err
		}
		tt := z.Next()
		if tt == html.ErrorToken {
			break
		}
		switch tt {
		case html.TextToken:
			if style > 0 {
				continue
			}
			text := z.Text()
			if title {
				meta.kv("title", string(bytes.TrimSpace(text)))
			}
			if script {
				scripts.write(text)
				scripts.sep('\n')
			} else {
				writeFlow(body, text)
			}
			if bytes.Contains(text, []byte("data:")) {
				if err := w.dataURLs(o, text, &data); err != nil {
					return err
				}
			}
		case html.CommentToken:
			comments.write(bytes.TrimSpace(z.Text()))
			comments.sep('\n')
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
			name, has := z.TagName()
			n := string(name)
			if n == "style" {
				style = b2i(tt == html.StartTagToken)
			}
			if n == "script" {
				script = tt == html.StartTagToken
			}
			if n == "title" {
				title = tt == html.StartTagToken
			}
			switch n {
			case "td", "th":
				body.sep('\t')
			case "p", "div", "br", "tr", "li", "table", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "title", "head", "body", "pre",
				"hr", "section", "article", "header", "footer", "option", "dt", "dd", "form", "blockquote", "script", "textarea", "button", "label":
				body.sep('\n')
			}
			if has {
				if err := w.htmlAttrs(o, z, n, meta, body, &data); err != nil {
					return err
				}
			}
		}
	}
	for _, t := range []*writer{body, meta, comments, scripts} {
		if err := t.close(); err != nil {
			return err
		}
	}
	return nil
}

// htmlAttrs keeps what attributes say to a reader or carry away.
func (w *walker) htmlAttrs(o *object, z *html.Tokenizer, tag string, meta, body *writer, data *int) error {
	var name, content string
	for {
		k, v, more := z.TagAttr()
		switch key := string(k); key {
		case "name", "property", "http-equiv":
			name = string(v)
		case "content":
			content = string(v)
		case "alt", "title", "placeholder", "aria-label", "summary":
			body.sep(' ')
			body.write(v)
			body.sep(' ')
		case "value":
			meta.kv("value", string(v))
		case "href", "src", "action", "data", "cite", "background", "srcset", "poster":
			if bytes.HasPrefix(bytes.TrimSpace(v), []byte("data:")) {
				if err := w.dataURLs(o, v, data); err != nil {
					return err
				}
			} else {
				meta.kv(key, string(v))
			}
		}
		if !more {
			break
		}
	}
	if tag == "meta" && content != "" {
		meta.kv(name, content)
	}
	return nil
}

// dataURLs reads the objects inside data: URLs (RFC 2397).
func (w *walker) dataURLs(o *object, text []byte, count *int) error {
	for {
		i := bytes.Index(text, []byte("data:"))
		if i < 0 {
			return nil
		}
		text = text[i+5:]
		j := bytes.IndexByte(text[:min(len(text), 256)], ',')
		if j < 0 {
			continue
		}
		head := string(text[:j])
		rest := text[j+1:]
		end := bytes.IndexAny(rest, "\"' \t\r\n)><")
		if end < 0 {
			end = len(rest)
		}
		if strings.HasSuffix(head, ";base64") {
			// Long ones are broken into lines.
			if end = bytes.IndexAny(rest, "\"')><;"); end < 0 {
				end = len(rest)
			}
		}
		payload := rest[:end]
		var b []byte
		if strings.HasSuffix(head, ";base64") {
			s, err := url.PathUnescape(string(payload))
			if err != nil {
				s = string(payload)
			}
			b = lenientBase64([]byte(s))
		} else if s, err := url.PathUnescape(string(payload)); err == nil && len(head) > 0 {
			b = []byte(s)
		}
		if len(b) > 8 {
			*count++
			if err := w.nested(o, "data-url-"+itoa(*count), head, b); err != nil {
				return err
			}
		}
		text = rest[end:]
	}
}

// lenientBase64 skips what does not belong to the alphabet and a cut end.
func lenientBase64(b []byte) []byte {
	clean := make([]byte, 0, len(b))
	for _, c := range b {
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '+', c == '/':
			clean = append(clean, c)
		case c == '-':
			clean = append(clean, '+')
		case c == '_':
			clean = append(clean, '/')
		}
	}
	if len(clean)%4 == 1 {
		clean = clean[:len(clean)-1]
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(clean)))
	n, _ := base64.RawStdEncoding.Decode(out, clean)
	return out[:n]
}

// writeFlow writes text with runs of white space collapsed, as pages show it.
func writeFlow(t *writer, text []byte) {
	for len(text) > 0 {
		i := bytes.IndexAny(text, " \t\r\n\f")
		if i < 0 {
			t.write(text)
			return
		}
		t.write(text[:i])
		j, nl := i, false
		for j < len(text) && bytes.IndexByte([]byte(" \t\r\n\f"), text[j]) >= 0 {
			nl = nl || text[j] == '\n'
			j++
		}
		if nl {
			t.sep('\n')
		} else {
			t.sep(' ')
		}
		text = text[j:]
	}
}

// xml gives the character data and attribute values of any XML document.
func (w *walker) xml(o *object) error {
	b, err := w.bytes(o)
	if err != nil {
		return err
	}
	return w.xmlText(o, "", Text, b)
}

// xmlText writes all character data and attribute values of b.
func (w *walker) xmlText(o *object, sub string, kind Kind, b []byte) error {
	t := w.open(o, sub, kind)
	s := newXML(b)
	for s.next() {
		if err := w.tick(); err != nil {
			return err
		}
		switch s.kind {
		case xmlText:
			writeFlow(t, s.text())
		case xmlStart:
			t.sep('\n')
			writeAttrs(t, s.atts)
		case xmlEnd:
			t.sep('\n')
		}
	}
	return t.close()
}

// writeAttrs writes name=value pairs, but for namespace declarations.
func writeAttrs(t *writer, atts []byte) {
	if len(bytes.TrimSpace(atts)) == 0 {
		return
	}
	s := xmlScanner{atts: atts}
	for a := atts; ; {
		eq := bytes.IndexByte(a, '=')
		if eq < 0 {
			return
		}
		key := bytes.TrimSpace(a[:eq])
		a = bytes.TrimLeft(a[eq+1:], " \t\r\n")
		if len(a) == 0 || a[0] != '"' && a[0] != '\'' {
			return
		}
		j := bytes.IndexByte(a[1:], a[0])
		if j < 0 {
			return
		}
		if !bytes.HasPrefix(key, []byte("xmlns")) && j > 0 {
			s.raw = a[1 : 1+j]
			t.write(local(key))
			t.str("=")
			t.write(s.text())
			t.str("\n")
		}
		a = a[j+2:]
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func itoa(n int) string {
	if n < 0 {
		return "-" + itoa(-n)
	}
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}
