package http2

import (
	"bytes"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/http1"
)

// want says how a buffer is filled.
type want uint8

const (
	wantNothing want = iota
	wantURI
	wantProtocol
	wantRequestLine
	wantResponseLine
	wantHost
	wantHostRaw
	wantCookie
	wantHeader
	wantHeaderRaw
	wantNames
	wantRequestField
	wantResponseField
	wantTrailer
	// wantKind and above: the value of the field of a kind.
	wantKind
)

// wants are the buffers of HTTP/1 by keyword. Those of its syntax alone are not
// here: there is no reason phrase, and http.start is a start line.
var wants = map[string]want{
	"http.method": wantKind + want(kindMethod), "http.uri": wantURI, "http.uri.raw": wantKind + want(kindPath),
	"http.protocol": wantProtocol, "http.request_line": wantRequestLine, "http.response_line": wantResponseLine,
	"http.host": wantHost, "http.host.raw": wantHostRaw, "http.stat_code": wantKind + want(kindStatus),
	"http.user_agent": wantKind + want(kindUserAgent), "http.referer": wantKind + want(kindReferer), "http.cookie": wantCookie,
	"http.accept": wantKind + want(kindAccept), "http.accept_enc": wantKind + want(kindAcceptEncoding),
	"http.accept_lang": wantKind + want(kindAcceptLanguage), "http.connection": wantKind + want(kindConnection),
	"http.content_len": wantKind + want(kindContentLength), "http.content_type": wantKind + want(kindContentType),
	"http.location": wantKind + want(kindLocation), "http.server": wantKind + want(kindServer),
	"http.header": wantHeader, "http.header.raw": wantHeaderRaw, "http.header_names": wantNames,
	"http.request_header": wantRequestField, "http.response_header": wantResponseField, "http.trailer": wantTrailer,
}

// http1Slots gives the same by slot, http1Dirs their directions.
var http1Slots, http1Dirs = func() (t [256]want, dirs [256]protocol.Dirs) {
	for _, b := range http1.Definition().Buffers {
		t[b.ID.Slot()], dirs[b.ID.Slot()] = wants[b.Name], b.Dirs
	}
	return t, dirs
}()

// Buffer implements protocol.Parser. It gives the buffers of HTTP/2 and, under
// the ids of HTTP/1, the ones that both protocols fill (see Also).
func (p *parser) Buffer(tx *protocol.Tx, id protocol.BufferID, dir protocol.Dir, i int) ([]byte, bool) {
	ex, ok := tx.State.(*exchange)
	if ok && id.Protocol() == protocol.DNS {
		return ex.doh.Buffer(id, dir, i)
	}
	if !ok || i < 0 || tx.Progress[dir] < ProgressHeaders {
		return nil, false
	}
	m := &ex.msg[dir]
	if !m.done || m.interim {
		return nil, false
	}
	slot := id.Slot()
	switch id.Protocol() {
	case protocol.HTTP2:
		if i >= len(m.fields) {
			return nil, false
		}
		switch slot {
		case slotHeaderName:
			return m.name(&m.fields[i]), true
		case slotHeader:
			return m.escaped(i), true
		}
	case protocol.HTTP1:
		w := http1Slots[slot]
		if w == wantNothing || !http1Dirs[slot].Has(dir) {
			return nil, false
		}
		if w == wantRequestField || w == wantResponseField {
			if i >= len(m.fields) {
				return nil, false
			}
			f := &m.fields[i]
			return m.raw[f.name:f.valEnd], true
		}
		if i == 0 {
			return ex.http1Buffer(m, w, dir)
		}
	}
	return nil, false
}

var protocolName = []byte("HTTP/2")

func (ex *exchange) http1Buffer(m *message, w want, dir protocol.Dir) ([]byte, bool) {
	switch w {
	case wantURI:
		if m.first[kindPath] == 0 {
			return nil, false
		}
		return ex.normalURI(), true
	case wantProtocol:
		return protocolName, true
	case wantRequestLine:
		c, ok := m.cached(uint32(w))
		if !ok {
			method, _ := m.get(kindMethod)
			path, _ := m.get(kindPath)
			c.b = append(append(append(append(c.b, method...), ' '), path...), " HTTP/2"...)
		}
		return c.b, true
	case wantResponseLine:
		c, ok := m.cached(uint32(w))
		if !ok {
			code, _ := m.get(kindStatus)
			c.b = append(append(c.b, "HTTP/2 "...), code...)
		}
		return c.b, true
	case wantHost:
		return m.host()
	case wantHostRaw:
		if v, ok := m.get(kindAuthority); ok {
			return v, true
		}
		return m.joined(kindHost, ", ")
	case wantCookie:
		if dir == protocol.ToServer {
			// Clients may send each cookie by itself (RFC 9113 §8.2.3).
			return m.joined(kindCookie, "; ")
		}
		return m.joined(kindSetCookie, ", ")
	case wantHeader:
		return m.header(dir)
	case wantHeaderRaw:
		return m.raw, len(m.raw) > 0
	case wantNames:
		c, ok := m.cached(uint32(w))
		if !ok {
			c.b = append(c.b, "\r\n"...)
			for i := range m.fields {
				c.b = append(append(c.b, m.name(&m.fields[i])...), "\r\n"...)
			}
			c.b = append(c.b, "\r\n"...)
		}
		return c.b, len(m.fields) > 0
	case wantTrailer:
		return m.trailer, len(m.trailer) > 0 && ex.tx.Progress[dir] >= ProgressTrailer
	}
	return m.joined(kind(w-wantKind), ", ")
}

// joined gives a field's value, with its repetitions.
func (m *message) joined(k kind, sep string) ([]byte, bool) {
	n := int(m.first[k])
	if n == 0 {
		return nil, false
	}
	more := false
	for i := n; i < len(m.fields); i++ {
		more = more || m.fields[i].kind == k
	}
	if !more {
		return m.value(&m.fields[n-1]), true
	}
	c, ok := m.cached(uint32(wantKind) + uint32(k))
	if !ok {
		for i := n - 1; i < len(m.fields); i++ {
			if f := &m.fields[i]; f.kind == k {
				if len(c.b) > 0 {
					c.b = append(c.b, sep...)
				}
				c.b = append(c.b, m.value(f)...)
			}
		}
	}
	return c.b, true
}

// header gives all fields, pseudo header fields included, without cookies.
func (m *message) header(dir protocol.Dir) ([]byte, bool) {
	skip := kindSetCookie
	if dir == protocol.ToServer {
		skip = kindCookie
	}
	if m.first[skip] == 0 {
		return m.raw, len(m.raw) > 0
	}
	c, ok := m.cached(uint32(wantHeader))
	if !ok {
		for i := range m.fields {
			if f := &m.fields[i]; f.kind != skip {
				c.b = append(c.b, m.raw[f.name:f.valEnd+2]...)
			}
		}
	}
	return c.b, len(c.b) > 0
}

// host gives the authority's host, else the Host field's: in lower case,
// without user and port.
func (m *message) host() ([]byte, bool) {
	v, ok := m.get(kindAuthority)
	if !ok {
		if v, ok = m.joined(kindHost, ", "); !ok {
			return nil, false
		}
	}
	c, ok := m.cached(uint32(wantHost))
	if !ok {
		name, _ := splitHost(v)
		c.b = append(c.b, name...)
		for i, ch := range c.b {
			if ch >= 'A' && ch <= 'Z' {
				c.b[i] = ch + 32
			}
		}
	}
	return c.b, len(c.b) > 0
}

// splitHost takes an authority apart: [user@]host[:port]. port is 0 for none.
func splitHost(v []byte) (host []byte, port uint16) {
	if k := bytes.LastIndexByte(v, '@'); k >= 0 {
		v = v[k+1:]
	}
	k := bytes.LastIndexByte(v, ':')
	if k < 0 || bytes.IndexByte(v[k:], ']') >= 0 {
		return v, 0
	}
	n, ok := number(v[k+1:])
	if !ok && len(v) > k+1 || n > 65535 {
		return v, 0
	}
	return v[:k], uint16(max(n, 0))
}

// fieldKey is where the keys of escaped fields begin.
const fieldKey = 1 << 16

// escaped gives field i as http2.header shows it: colons doubled, so that the
// one between name and value is told from others.
func (m *message) escaped(i int) []byte {
	f := &m.fields[i]
	if bytes.IndexByte(m.name(f), ':') < 0 && bytes.IndexByte(m.value(f), ':') < 0 {
		return m.raw[f.name:f.valEnd]
	}
	c, ok := m.cached(fieldKey + uint32(i))
	if !ok {
		c.b = append(appendDoubled(c.b, m.name(f)), ": "...)
		c.b = appendDoubled(c.b, m.value(f))
	}
	return c.b
}

func appendDoubled(dst, s []byte) []byte {
	for _, ch := range s {
		if ch == ':' {
			dst = append(dst, ch)
		}
		dst = append(dst, ch)
	}
	return dst
}
