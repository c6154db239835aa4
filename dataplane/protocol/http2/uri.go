package http2

import "sluice/dataplane/protocol"

const uriKey = 1 << 30

// normalURI gives :path with escapes undone once, and in front of the query runs
// of slashes and dot segments removed (RFC 3986 §5.2.4), backslashes being
// slashes. It is cached; message.pathLen is the length of the path in it.
func (ex *exchange) normalURI() []byte {
	m := &ex.msg[protocol.ToServer]
	c, ok := m.cached(uriKey)
	if ok {
		return c.b
	}
	raw, _ := m.get(kindPath)
	q := len(raw)
	for i, ch := range raw {
		if ch == '?' || ch == '#' {
			q = i
			break
		}
	}
	c.b = removeDots(appendUnescaped(c.b, raw[:q], true))
	m.pathLen = len(c.b)
	c.b = appendUnescaped(c.b, raw[q:], false)
	return c.b
}

// appendUnescaped undoes percent escapes once; a % that begins none stays. In
// paths, backslashes become slashes, and runs of slashes one.
func appendUnescaped(dst, s []byte, path bool) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' && i+2 < len(s) {
			if hi, lo := unhex(s[i+1]), unhex(s[i+2]); hi < 16 && lo < 16 {
				c = hi<<4 | lo
				i += 2
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

// unhex gives a digit's value, 16 for none.
func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 16
}

// removeDots removes dot segments from a path that begins with a slash, in
// place. Others stay as they are.
func removeDots(p []byte) []byte {
	if len(p) == 0 || p[0] != '/' {
		return p
	}
	out := 0
	for i := 0; i < len(p); {
		j := i + 1
		for j < len(p) && p[j] != '/' {
			j++
		}
		switch seg := p[i+1 : j]; {
		case string(seg) == ".", string(seg) == "..":
			if len(seg) == 2 {
				for out > 0 {
					if out--; p[out] == '/' {
						break
					}
				}
			}
			if j == len(p) {
				p[out] = '/'
				out++
			}
		default:
			out += copy(p[out:], p[i:j])
		}
		i = j
	}
	return p[:out]
}
