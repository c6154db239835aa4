package http1

import "unicode/utf8"

// normalURI gives the path and query as Suricata's default configuration
// normalises them: escapes undone once, or twice where that is configured, %u escapes and UTF-8 folded to single
// bytes, backslashes turned, runs of slashes and dot segments (RFC 3986 §5.2.4)
// removed from the path; the query's escapes undone. It is cached.
func (ex *exchange) normalURI() []byte {
	m := &ex.msg[0]
	c, ok := m.cachedSlot(uint16(slotURI))
	if ok {
		return c.b
	}
	raw := m.raw[ex.path:ex.pathEnd]
	if ex.connect {
		c.b = append(c.b, raw...)
		m.pathLen = len(c.b)
		return c.b
	}
	q := len(raw)
	for i, ch := range raw {
		if ch == '?' || ch == '#' {
			q = i
			break
		}
	}
	if q == 0 && ex.hostEnd > 0 {
		c.b = append(c.b, '/')
	}
	c.b = appendPath(c.b, raw[:q])
	n := len(c.b)
	c.b = appendDecoded(c.b, raw[q:], false)
	ex.nested = hasEscape(c.b)
	m.pathLen = n
	if ex.nested && (ex.twicePath || ex.twiceQuery) {
		// Undone once more, in place: nothing becomes longer.
		path, query := c.b[:n], c.b[n:]
		if ex.twicePath {
			path = appendPath(path[:0], path)
			m.pathLen = len(path)
		}
		if ex.twiceQuery {
			query = appendDecoded(query[:0], query, false)
		}
		c.b = append(path, query...)
	}
	return c.b
}

// appendDecoded undoes percent and %u escapes once; a % that begins none stays.
func appendDecoded(dst, s []byte, path bool) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 < len(s) {
				if hi, lo := unhex(s[i+1]), unhex(s[i+2]); hi >= 0 && lo >= 0 {
					c = byte(hi<<4 | lo)
					i += 2
				} else if s[i+1]|0x20 == 'u' && i+5 < len(s) {
					v := 0
					for _, h := range s[i+2 : i+6] {
						if x := unhex(h); x < 0 || v < 0 {
							v = -1
						} else {
							v = v<<4 | x
						}
					}
					if v >= 0 {
						c = bestFit(rune(v))
						i += 5
					}
				}
			}
		}
		if path && c == '\\' {
			c = '/'
		}
		if path && c == '/' && len(dst) > 0 && dst[len(dst)-1] == '/' {
			continue
		}
		dst = append(dst, c)
	}
	return dst
}

// bestFit gives the byte that a server with a single-byte code page takes a
// character for: Latin-1 and full-width ASCII; others become a question mark.
func bestFit(r rune) byte {
	switch {
	case r < 0x100:
		return byte(r)
	case r >= 0xff01 && r <= 0xff5e:
		return byte(r - 0xff01 + '!')
	case r == 0x2044 || r == 0x2215:
		return '/'
	case r == 0x2216:
		return '\\'
	}
	return '?'
}

// appendPath normalises a path.
func appendPath(dst, s []byte) []byte {
	from := len(dst)
	dst = appendDecoded(dst, s, true)
	p := foldUTF8(dst[from:])
	p = removeDots(p)
	return dst[:from+len(p)]
}

// foldUTF8 turns UTF-8, overlong forms included, into single bytes in place. A
// path that is not wholly UTF-8 stays as it is.
func foldUTF8(p []byte) []byte {
	ascii := true
	for i := 0; i < len(p); {
		if p[i] < utf8.RuneSelf {
			i++
			continue
		}
		ascii = false
		_, n := decodeUTF8(p[i:])
		if n == 0 {
			return p
		}
		i += n
	}
	if ascii {
		return p
	}
	out := p[:0]
	for i := 0; i < len(p); {
		c, n := rune(p[i]), 1
		if c >= utf8.RuneSelf {
			c, n = decodeUTF8(p[i:])
		}
		i += n
		b := bestFit(c)
		if b == '\\' {
			b = '/'
		}
		if b == '/' && len(out) > 0 && out[len(out)-1] == '/' {
			continue
		}
		out = append(out, b)
	}
	return out
}

// decodeUTF8 decodes one sequence of up to four bytes, overlong or not. n is 0
// when it is none.
func decodeUTF8(p []byte) (r rune, n int) {
	switch c := p[0]; {
	case c&0xe0 == 0xc0:
		r, n = rune(c&0x1f), 2
	case c&0xf0 == 0xe0:
		r, n = rune(c&0x0f), 3
	case c&0xf8 == 0xf0:
		r, n = rune(c&0x07), 4
	default:
		return 0, 0
	}
	if len(p) < n {
		return 0, 0
	}
	for _, c := range p[1:n] {
		if c&0xc0 != 0x80 {
			return 0, 0
		}
		r = r<<6 | rune(c&0x3f)
	}
	return r, n
}

// removeDots removes dot segments in place.
func removeDots(p []byte) []byte {
	out := 0
	for i := 0; i < len(p); {
		// i is at a segment's slash, or at the start.
		j := i + 1
		for j < len(p) && p[j] != '/' {
			j++
		}
		seg := p[i:j]
		body := seg
		if seg[0] == '/' {
			body = seg[1:]
		}
		switch {
		case string(body) == "." && (i > 0 || seg[0] == '/'), string(body) == ".." && (i > 0 || seg[0] == '/'):
			if len(body) == 2 {
				for out > 0 {
					out--
					if p[out] == '/' {
						break
					}
				}
			}
			if j == len(p) {
				p[out] = '/'
				out++
			}
		default:
			out += copy(p[out:], seg)
		}
		i = j
	}
	return p[:out]
}

// noteDoubleEncoding reports escapes that hide escapes.
func (ex *exchange) noteDoubleEncoding() {
	ex.normalURI()
	if ex.nested {
		ex.tx.AddEvent("double_encoded_uri")
	}
}

// hasEscape reports whether a percent escape is in b.
func hasEscape(b []byte) bool {
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' && unhex(b[i+1]) >= 0 && unhex(b[i+2]) >= 0 {
			return true
		}
	}
	return false
}
