package http1

import (
	"bytes"

	"sluice/dataplane/protocol"
)

// requestLine reads "METHOD URI PROTOCOL" and what stands in for it. It
// returns false for a line that is no request.
func (p *parser) requestLine(s *side, line []byte) bool {
	ex := s.ex
	m := &ex.msg[protocol.ToServer]
	tx := ex.tx
	m.beginHeaders(len(line))
	i := 0
	for i < len(line) && isSpace(line[i]) {
		i++
	}
	if i > 0 {
		tx.AddEvent("request_line_leading_whitespace")
	}
	start := i
	for i < len(line) && !isSpace(line[i]) {
		i++
	}
	// Leading white space is left out of the method by moving its start: the
	// method's end is m.a, its start m.d.
	m.d, m.a = uint32(start), uint32(i)
	method := line[start:i]
	valid := len(method) > 0
	for _, c := range method {
		valid = valid && isToken(c)
	}
	if i < len(line) && line[i] != ' ' {
		tx.AddEvent("method_delim_non_compliant")
	}
	for i < len(line) && isSpace(line[i]) {
		i++
	}
	uri := i
	end := len(line)
	for end > uri && isSpace(line[end-1]) {
		end--
	}
	// The protocol is the last word when it looks like one: URIs may hold spaces.
	proto := end
	for proto > uri && !isSpace(line[proto-1]) {
		proto--
	}
	uriEnd := end
	switch {
	case proto > uri && hasPrefixFold(line[proto:end], "http/"):
		uriEnd = proto
		if line[proto-1] != ' ' {
			tx.AddEvent("uri_delim_non_compliant")
		}
		for uriEnd > uri && isSpace(line[uriEnd-1]) {
			uriEnd--
		}
		m.old = !bytes.HasSuffix(line[proto:end], []byte("1.1"))
	case m.over:
		proto = end
	default:
		proto = end
		ex.version09, ex.noProtocol = true, true
		m.old = true
	}
	m.b, m.c = uint32(uri), uint32(uriEnd)
	m.protoAt = uint32(proto)
	m.lineEnd = uint32(len(line))
	if !valid || uri == end {
		tx.AddEvent("request_line_invalid")
		if !valid || len(p.all) > 1 {
			ex.advance(protocol.ToServer, ProgressLine)
			return false
		}
	}
	ex.head = string(method) == "HEAD"
	ex.connect = string(method) == "CONNECT"
	ex.splitURI(line[uri:uriEnd], uint32(uri))
	if bytes.Contains(line[uri:uriEnd], []byte("%25")) {
		ex.noteDoubleEncoding()
	}
	ex.advance(protocol.ToServer, ProgressLine)
	s.stage = stHeaders
	if ex.version09 {
		s.stage = stAfter09
		s.line = s.line[:0]
	}
	return true
}

// method, uri and proto give the parts of the request line.
func (m *message) method() []byte { return m.raw[m.d:m.a] }
func (m *message) uri() []byte    { return m.raw[m.b:m.c] }
func (m *message) proto() []byte {
	return bytes.TrimRight(m.raw[min(m.protoAt, m.lineEnd):m.lineEnd], " \t\r\n\v\f")
}

// splitURI finds the authority and path of a request's target (RFC 9112 §3.2).
func (ex *exchange) splitURI(uri []byte, at uint32) {
	ex.path, ex.pathEnd = at, at+uint32(len(uri))
	if ex.connect {
		// Its target is an authority; a path names no host.
		if len(uri) > 0 && uri[0] != '/' {
			ex.host, ex.hostEnd = ex.path, ex.pathEnd
		}
		return
	}
	k := bytes.Index(uri, []byte("://"))
	if k <= 0 || k > 16 {
		return
	}
	for _, c := range uri[:k] {
		if !isToken(c) {
			return
		}
	}
	h := k + 3
	e := h
	for e < len(uri) && uri[e] != '/' && uri[e] != '?' && uri[e] != '#' && uri[e] != '\\' {
		e++
	}
	if u := bytes.LastIndexByte(uri[h:e], '@'); u >= 0 {
		h += u + 1
	}
	ex.host, ex.hostEnd = at+uint32(h), at+uint32(e)
	ex.path = at + uint32(e)
}

// after09 looks at what follows a request line without protocol: headers, when
// it looks like one, else the next request.
func (p *parser) after09(s *side, data []byte) []byte {
	k := bytes.IndexByte(data, '\n')
	n := k + 1
	if k < 0 {
		n = len(data)
	}
	s.line = append(s.line, data[:n]...)
	if k < 0 && len(s.line) < maxChunkLine {
		return nil
	}
	line := trimEOL(s.line)
	found := s.line
	s.line = nil
	colon := bytes.IndexByte(line, ':')
	header := colon > 0
	for _, c := range line[:max(colon, 0)] {
		header = header && isToken(c)
	}
	ex := s.ex
	if header || blankLine(line) && len(line) > 0 {
		ex.tx.AddEvent("request_line_missing_protocol")
		ex.version09 = false
		s.stage = stHeaders
		if !header {
			return data[n:]
		}
	} else {
		p.end09(s)
	}
	// Errors cannot come of these: a request's head or its beginning.
	p.feed(protocol.ToServer, found)
	return data[n:]
}

// end09 completes a request that is a line alone.
func (p *parser) end09(s *side) {
	s.line = s.line[:0]
	s.ex.advance(protocol.ToServer, ProgressHeaders)
	s.ex.connect = false
	p.complete(protocol.ToServer, s, nil)
}

// statusLike reports whether a response begins as one, as far as it is there.
func (s *side) statusLike(m *message, data []byte) bool {
	const want = "HTTP/"
	for i := range len(want) {
		var c byte
		switch {
		case i < len(m.raw):
			c = m.raw[i]
		case i-len(m.raw) < len(data):
			c = data[i-len(m.raw)]
		default:
			return true
		}
		if c&^0x20 != want[i]&^0x20 {
			return false
		}
	}
	return true
}

// noStatus deals with a response that has no status line: an HTTP/0.9 body, or
// something before the status line.
func (p *parser) noStatus(s *side, data []byte) []byte {
	ex := s.ex
	m := &ex.msg[protocol.ToClient]
	begun := bytes.Clone(m.raw)
	m.reset()
	m.old = true
	ex.tx.AddEvent("response_invalid_protocol")
	s.body.openRaw(ex.tx)
	if ex.noProtocol {
		s.stage = stUntilEnd
		s.body.obj.File = true
		s.body.obj.Name = ex.fileName(protocol.ToClient)
		ex.advance(protocol.ToClient, ProgressHeaders)
		s.body.begin()
		p.bodyBytes(s, begun, len(begun))
		return data
	}
	s.stage, s.early, s.rubbish = stLost, true, 0
	s.body.begin()
	s.line = append(s.line[:0], begun...)
	return data
}

// statusLine reads "PROTOCOL CODE REASON".
func (p *parser) statusLine(s *side, line []byte) {
	ex := s.ex
	m := &ex.msg[protocol.ToClient]
	m.beginHeaders(len(line))
	tx := ex.tx
	// A bare CR may have cut off a first header.
	if k := bareCR(line); k >= 0 {
		rest := uint32(k + 1)
		line = line[:k]
		m.lineEnd = uint32(k)
		m.head = rest
		m.lineStart = rest
		defer func() { m.addHeaderLine(tx, protocol.ToClient, p.env.Limits.MaxHeader) }()
	}
	i := 0
	for i < len(line) && !isSpace(line[i]) && line[i] != 0 {
		i++
	}
	m.a = uint32(i)
	proto := line[:i]
	switch {
	case string(proto) == "HTTP/1.1":
	case string(proto) == "HTTP/1.0", string(proto) == "HTTP/0.9":
		m.old = true
	default:
		tx.AddEvent("response_invalid_protocol")
	}
	for i < len(line) && (isSpace(line[i]) || line[i] == 0) {
		i++
	}
	m.b = uint32(i)
	for i < len(line) && !isSpace(line[i]) && line[i] != 0 {
		i++
	}
	m.c = uint32(i)
	code := line[m.b:m.c]
	m.status = 0
	if len(code) == 3 {
		for _, c := range code {
			if c < '0' || c > '9' {
				m.status = 0
				break
			}
			m.status = m.status*10 + int(c-'0')
		}
	}
	if m.status < 100 {
		tx.AddEvent("response_invalid_status")
	}
	for i < len(line) && (isSpace(line[i]) || line[i] == 0) {
		i++
	}
	m.d = uint32(i)
	if m.status/100 != 1 || m.status == 101 {
		ex.advance(protocol.ToClient, ProgressLine)
	}
	s.stage = stHeaders
}

// code and reason give the parts of the status line.
func (m *message) code() []byte { return m.raw[m.b:m.c] }
func (m *message) reason() []byte {
	return bytes.TrimRight(m.raw[min(m.d, m.lineEnd):m.lineEnd], " \t\r\n\v\f")
}
