package http1

import (
	"bytes"

	"sluice/dataplane/protocol"
)

// headDone reads how the body is framed (RFC 9112 §6.3) and goes on to it. rest
// is what follows the head.
func (p *parser) headDone(dir protocol.Dir, s *side, rest []byte) protocol.Status {
	ex := s.ex
	m := &ex.msg[dir]
	interim := false
	if dir == protocol.ToServer {
		p.checkRequest(ex, m)
	} else if m.status/100 == 1 && m.status != 101 {
		// An interim response: the same transaction's real one follows.
		if ex.continued && m.status == 100 {
			ex.tx.AddEvent("100_continue_already_seen")
		}
		ex.continued = true
		interim = true
	}
	if !interim {
		ex.advance(dir, ProgressHeaders)
		ex.carry(dir)
	}
	chunked := p.transferEncoding(dir, ex, m)
	length, hasLength := p.contentLength(dir, ex, m)
	s.left = 0
	switch {
	case interim && !chunked && length == 0:
		p.noBody(dir, s)
		return protocol.Continue
	case dir == protocol.ToClient && (ex.head || m.status == 101 || ex.connect && m.status/100 == 2):
		return p.complete(dir, s, rest)
	case chunked:
		s.stage = stChunkSize
		s.line = s.line[:0]
	case hasLength && length == 0:
		return p.complete(dir, s, rest)
	case hasLength:
		s.stage, s.left = stLength, length
	case dir == protocol.ToServer:
		return p.complete(dir, s, rest)
	default:
		s.stage = stUntilEnd
		if ct, ok := m.get(kindContentType); ok && hasPrefixFold(ct, "multipart/byteranges") {
			ex.tx.AddEvent("response_multipart_byteranges")
		}
	}
	if dir == protocol.ToClient && (interim || m.status == 204 || m.status == 205 || m.status == 304) {
		if s.stage == stUntilEnd {
			return p.complete(dir, s, rest)
		}
		s.body.after = s.stage
		s.stage = stMaybeBody
		s.line = s.line[:0]
	}
	p.prepareBody(dir, s)
	return protocol.Continue
}

// maybeBody decides whether a response that must not have a body has one all
// the same: it has when what follows is no status line.
func (p *parser) maybeBody(dir protocol.Dir, s *side, data []byte) ([]byte, protocol.Status) {
	const want = "HTTP/1."
	for i, c := range data {
		if n := len(s.line); n == len(want) || c != want[n] {
			s.stage = s.body.after
			begun := s.line
			s.line = nil
			if len(begun) == len(want) {
				p.behind += len(begun) + len(data) - i
				p.noBody(dir, s)
				p.behind -= len(begun) + len(data) - i
			} else {
				s.ex.advance(dir, ProgressHeaders)
			}
			if st := p.feedBefore(dir, begun, len(data)-i); st != protocol.Continue {
				return data[i:], st
			}
			return data[i:], protocol.Continue
		}
		s.line = append(s.line, c)
	}
	return nil, protocol.Continue
}

// noBody goes on behind a response without a body: an interim one (RFC 9110
// §15.2), whose transaction stays open for the real one, or a final one.
func (p *parser) noBody(dir protocol.Dir, s *side) {
	if st := s.ex.msg[dir].status; dir == protocol.ToClient && st/100 == 1 && st != 101 {
		s.body.close(protocol.ObjectClosed)
		s.stage, s.ex = stIdle, nil
		return
	}
	p.complete(dir, s, nil)
}

// checkRequest notes what is odd about a request's head.
func (p *parser) checkRequest(ex *exchange, m *message) {
	tx := ex.tx
	host, ok := m.get(kindHost)
	if !ok && !m.old {
		tx.AddEvent("missing_host_header")
	}
	if ok {
		name, port, valid := splitHost(host)
		if !valid {
			tx.AddEvent("request_header_host_invalid")
		}
		if port != 0 && p.env.DstPort != 0 && port != p.env.DstPort && ex.hostEnd == 0 {
			tx.AddEvent("request_server_port_tcp_port_mismatch")
		}
		if m.fields[m.first[kindHost]-1].repeats > 0 {
			tx.AddEvent("host_header_ambiguous")
		}
		if ex.hostEnd > 0 {
			if u, uport, _ := splitHost(m.raw[ex.host:ex.hostEnd]); !bytes.EqualFold(u, name) || uport != 0 && port != 0 && uport != port {
				tx.AddEvent("host_header_ambiguous")
			}
		}
	}
	if ex.hostEnd > 0 {
		if _, _, valid := splitHost(m.raw[ex.host:ex.hostEnd]); !valid {
			tx.AddEvent("request_uri_host_invalid")
		}
	}
	if auth, ok := m.get(kindAuthorization); ok {
		if !hasPrefixFold(auth, "basic") && !hasPrefixFold(auth, "digest") && !hasPrefixFold(auth, "bearer") {
			tx.AddEvent("request_auth_unrecognized")
		}
	}
	if _, ok := m.get(kindUpgrade); ok {
		if c, ok := m.get(kindConnection); ok && containsFold(c, "upgrade") {
			ex.upgrade = true
		}
	}
}

// splitHost cuts "host:port". port is 0 where there is none.
func splitHost(b []byte) (name []byte, port uint16, valid bool) {
	b = bytes.TrimSpace(b)
	name = b
	valid = len(b) > 0
	var digits []byte
	if len(b) > 0 && b[0] == '[' {
		k := bytes.IndexByte(b, ']')
		if k < 0 {
			return b, 0, false
		}
		name = b[:k+1]
		for _, c := range b[1:k] {
			valid = valid && (c == ':' || c == '.' || c == '%' || isToken(c))
		}
		if rest := b[k+1:]; len(rest) > 0 {
			valid = valid && rest[0] == ':'
			digits = rest[1:]
		}
	} else {
		if k := bytes.LastIndexByte(b, ':'); k >= 0 {
			name, digits = b[:k], b[k+1:]
		}
		valid = valid && len(name) > 0
		for _, c := range name {
			if !(c >= '0' && c <= '9' || c|32 >= 'a' && c|32 <= 'z' || c == '.' || c == '-' || c == '_') {
				valid = false
			}
		}
	}
	n := 0
	for _, c := range digits {
		if c < '0' || c > '9' || n > 65535 {
			return name, 0, false
		}
		n = n*10 + int(c-'0')
	}
	if n > 65535 {
		return name, 0, false
	}
	return name, uint16(n), valid
}

// transferEncoding reports whether the body is to be read as chunks.
func (p *parser) transferEncoding(dir protocol.Dir, ex *exchange, m *message) bool {
	if m.first[kindTransferEncoding] == 0 {
		return false
	}
	chunked, exact := false, true
	for i := int(m.first[kindTransferEncoding]) - 1; ; {
		f := &m.fields[i]
		v := m.value(f)
		if containsFold(cleaned(v), "chunked") {
			chunked = true
		}
		exact = exact && equalFold(v, "chunked")
		if f.next == 0 {
			break
		}
		i = int(f.next)
	}
	switch {
	case !chunked:
		ex.tx.AddEvent(pick(dir, "invalid_transfer_encoding_value_in_request", "invalid_transfer_encoding_value_in_response"))
	case dir == protocol.ToClient && !exact:
		ex.tx.AddEvent("response_abnormal_transfer_encoding")
	case !exact:
		ex.tx.AddEvent("invalid_transfer_encoding_value_in_request")
	}
	if chunked && m.old && dir == protocol.ToClient {
		ex.tx.AddEvent("response_chunked_old_proto")
	}
	return chunked
}

// contentLength gives the body's length. Of several the first counts.
func (p *parser) contentLength(dir protocol.Dir, ex *exchange, m *message) (uint64, bool) {
	v, ok := m.get(kindContentLength)
	if !ok {
		return 0, false
	}
	if m.fields[m.first[kindContentLength]-1].repeats > 0 {
		ex.tx.AddEvent(pick(dir, "duplicate_content_length_field_in_request", "duplicate_content_length_field_in_response"))
	}
	n := uint64(0)
	i := 0
	for i < len(v) && v[i] >= '0' && v[i] <= '9' && n < 1<<56 {
		n = n*10 + uint64(v[i]-'0')
		i++
	}
	if i < len(v) {
		ex.tx.AddEvent(pick(dir, "invalid_content_length_field_in_request", "invalid_content_length_field_in_response"))
		if dir == protocol.ToClient && !sameLengths(v, v[:i]) {
			// Receivers differ in which of the numbers counts: read on to the end.
			return 0, false
		}
	}
	if i == 0 || n >= 1<<56 {
		return 0, false
	}
	return n, true
}

// sameLengths reports whether a list of lengths repeats one number.
func sameLengths(list, n []byte) bool {
	for _, v := range bytes.Split(list, []byte(",")) {
		if !bytes.Equal(bytes.TrimSpace(v), n) {
			return false
		}
	}
	return true
}

// chunkSize reads a chunk's size line (RFC 9112 §7.1).
func (p *parser) chunkSize(dir protocol.Dir, s *side, data []byte) []byte {
	ex := s.ex
	k := bytes.IndexByte(data, '\n')
	n := k + 1
	if k < 0 {
		n = len(data)
	}
	if room := maxChunkLine - len(s.line); n > room {
		n = room
		s.line = append(s.line, data[:n]...)
		p.badChunk(dir, s)
		return data[n:]
	}
	s.line = append(s.line, data[:n]...)
	if k < 0 {
		// A line that cannot become a size need not end to be known.
		if !sizeLike(s.line) {
			p.badChunk(dir, s)
		}
		return data[n:]
	}
	if !sizeLike(s.line) {
		p.badChunk(dir, s)
		return data[n:]
	}
	line := trimEOL(s.line)
	i := 0
	for i < len(line) && isSpace(line[i]) {
		i++
	}
	if i == len(line) {
		// An empty line before a chunk.
		ex.msg[dir].wire += uint64(len(s.line))
		s.line = s.line[:0]
		return data[n:]
	}
	size, digits := uint64(0), 0
	for ; i < len(line); i++ {
		h := unhex(line[i])
		if h < 0 || size >= 1<<56 {
			break
		}
		size = size<<4 | uint64(h)
		digits++
	}
	for i < len(line) && isSpace(line[i]) {
		i++
	}
	if digits == 0 || size >= 1<<56 {
		p.badChunk(dir, s)
		return data[n:]
	}
	if i < len(line) {
		if line[i] == ';' {
			ex.tx.AddEvent(pick(dir, "request_chunk_extension", "response_chunk_extension"))
		} else {
			ex.tx.AddEvent(pick(dir, "invalid_request_chunk_len", "invalid_response_chunk_len"))
		}
	}
	ex.msg[dir].wire += uint64(len(s.line))
	s.line = s.line[:0]
	if size == 0 {
		ex.advance(dir, ProgressBody)
		s.stage = stTrailer
		return data[n:]
	}
	s.body.chunks = true
	s.stage, s.left = stChunkData, size
	return data[n:]
}

// sizeLike reports whether a line, as far as it is there, may begin with a
// chunk's size: white space, then a hexadecimal digit.
func sizeLike(b []byte) bool {
	for _, c := range b {
		if !isSpace(c) {
			return unhex(c) >= 0
		}
	}
	return true
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|32 >= 'a' && c|32 <= 'f':
		return int(c|32-'a') + 10
	}
	return -1
}

// badChunk reads on without chunks: by length where nothing was dechunked yet
// and one is known, else to the end.
func (p *parser) badChunk(dir protocol.Dir, s *side) {
	ex := s.ex
	ex.tx.AddEvent(pick(dir, "invalid_request_chunk_len", "invalid_response_chunk_len"))
	s.stage = stUntilEnd
	begun := s.line
	s.line = nil
	if n, ok := p.contentLength(dir, ex, &ex.msg[dir]); ok && !s.body.chunks && n > 0 {
		s.stage, s.left = stLength, n
	}
	p.feed(dir, begun)
}

// flushChunkLine gives an unfinished size line to the body at the end.
func (p *parser) flushChunkLine(s *side) {
	if len(s.line) > 0 && !s.body.chunks {
		p.bodyBytes(s, s.line, len(s.line))
	}
}

// chunkEnd takes the line end behind a chunk.
func (p *parser) chunkEnd(dir protocol.Dir, s *side, data []byte) []byte {
	m := &s.ex.msg[dir]
	for i, c := range data {
		switch c {
		case '\r':
			m.wire++
			continue
		case '\n':
			m.wire++
			s.stage = stChunkSize
			return data[i+1:]
		}
		// No line end: the size may have been wrong; take it as the next size.
		s.stage = stChunkSize
		return data[i:]
	}
	return nil
}

// trailer collects the lines behind the last chunk.
func (p *parser) trailer(dir protocol.Dir, s *side, data []byte) ([]byte, protocol.Status) {
	m := &s.ex.msg[dir]
	for len(data) > 0 {
		k := bytes.IndexByte(data, '\n')
		n := k + 1
		if k < 0 {
			n = len(data)
		}
		if len(s.line) < maxChunkLine {
			s.line = append(s.line, data[:min(n, maxChunkLine-len(s.line))]...)
		}
		m.wire += uint64(n)
		data = data[n:]
		if k < 0 {
			return nil, protocol.Continue
		}
		line := trimEOL(s.line)
		s.line = s.line[:0]
		if blankLine(line) {
			s.ex.advance(dir, ProgressTrailer)
			return data, p.complete(dir, s, data)
		}
		if len(m.trailer)+len(line)+2 <= p.env.Limits.MaxHeader {
			m.trailer = append(append(m.trailer, line...), "\r\n"...)
		}
	}
	return nil, protocol.Continue
}
