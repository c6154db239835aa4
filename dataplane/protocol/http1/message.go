package http1

import (
	"bytes"
	"slices"

	"sluice/dataplane/protocol"
)

// kind names the headers that the parser or a buffer uses.
type kind uint8

const (
	kindOther kind = iota
	kindHost
	kindContentLength
	kindContentType
	kindContentEncoding
	kindContentRange
	kindContentDisposition
	kindTransferEncoding
	kindConnection
	kindUpgrade
	kindCookie
	kindSetCookie
	kindUserAgent
	kindReferer
	kindAccept
	kindAcceptEncoding
	kindAcceptLanguage
	kindLocation
	kindServer
	kindAuthorization
	numKinds
)

var kindNames = [numKinds]string{"", "host", "content-length", "content-type", "content-encoding", "content-range",
	"content-disposition", "transfer-encoding", "connection", "upgrade", "cookie", "set-cookie", "user-agent", "referer",
	"accept", "accept-encoding", "accept-language", "location", "server", "authorization"}

// kindsByLen lists the kinds by the length of their names.
var kindsByLen = func() (t [24][]kind) {
	for k := kindHost; k < numKinds; k++ {
		n := len(kindNames[k])
		t[n] = append(t[n], k)
	}
	return t
}()

func kindOf(name []byte) kind {
	if len(name) < len(kindsByLen) {
		for _, k := range kindsByLen[len(name)] {
			if equalFold(name, kindNames[k]) {
				return k
			}
		}
	}
	return kindOther
}

// framing reports whether a header decides how the body is read. Such headers
// are kept even where a header block exceeds its limit.
func (k kind) framing() bool { return k >= kindContentLength && k <= kindUpgrade }

const (
	// maxFields is Suricata's default for headers in one message, maxRepeats for
	// those of one name.
	maxFields  = 1024
	maxRepeats = 64
	// framingRoom is what framing headers may take beyond the limit.
	framingRoom = 8 << 10
)

// field is one header line. Offsets are into message.raw, or for a folded value
// into message.aux.
type field struct {
	name, nameEnd uint32
	val, valEnd   uint32
	hash          uint32
	// next is the index of the next field of the same name, 0 for none; last, in
	// the first of them, that of the last one.
	next, last uint16
	repeats    uint16
	kind       kind
	inAux      bool
	// again: there is an earlier field of the same name.
	again bool
}

// message is a request's or response's head.
type message struct {
	// raw holds start line and headers as received.
	raw []byte
	aux []byte
	// lineEnd is where the start line ends, without its line end; head where the
	// headers begin; lineStart where the line being received begins.
	lineEnd, head, lineStart uint32
	fields                   []field
	// shown is the index of the last field that is a header of its own.
	shown   int
	first   [numKinds]uint16
	trailer []byte
	// old: the protocol is before 1.1. dropping: the current line exceeds the
	// limit. over: something did.
	old, dropping, over bool
	// Request: offsets of the method's end, the URI and the protocol in raw.
	// Response: protocol's end, status code, reason.
	a, b, c, d uint32
	protoAt    uint32
	status     int
	// pathLen is the length of the path in the normalised URI, once it is made.
	pathLen int
	// wire counts the body's bytes as sent, chunk framing included.
	wire  uint64
	cache []cached
}

// cached is a derived buffer's memory, in use or kept for the next message.
type cached struct {
	slot uint16
	used bool
	b    []byte
}

func (m *message) reset() {
	cache := m.cache
	for i := range cache {
		cache[i].used = false
	}
	*m = message{raw: m.raw[:0], aux: m.aux[:0], fields: m.fields[:0], trailer: m.trailer[:0], cache: cache}
}

func (m *message) name(f *field) []byte { return m.raw[f.name:f.nameEnd] }

func (m *message) value(f *field) []byte {
	if f.inAux {
		return m.aux[f.val:f.valEnd]
	}
	return m.raw[f.val:f.valEnd]
}

// named gives the first header of a name in lower case. It is for the cold side.
func (m *message) named(name string) ([]byte, bool) {
	for i := range m.fields {
		if bytes.EqualFold(m.name(&m.fields[i]), []byte(name)) {
			return m.value(&m.fields[i]), true
		}
	}
	return nil, false
}

// get gives the first header of a kind; nil, false without one.
func (m *message) get(k kind) ([]byte, bool) {
	i := m.first[k]
	if i == 0 {
		return nil, false
	}
	return m.value(&m.fields[i-1]), true
}

// takeLine adds received bytes to the head: in up to and including its first
// line feed, if any. It returns what is left of in, and the line once it is
// complete; nil, true means a complete line that exceeded the limit.
func (m *message) takeLine(in []byte, limit int) (rest, line []byte, done bool) {
	k := bytes.IndexByte(in, '\n')
	n := k + 1
	if k < 0 {
		n = len(in)
	}
	part := in[:n]
	rest = in[n:]
	if !m.dropping {
		if len(m.raw)+n > limit+framingRoom {
			m.dropping, m.over = true, true
		} else {
			m.raw = append(m.raw, part...)
		}
	}
	if k < 0 {
		return rest, nil, false
	}
	if m.dropping {
		m.dropping = false
		if m.lineStart > 0 {
			m.raw = m.raw[:m.lineStart]
			return rest, nil, true
		}
		// A start line is used as far as it was kept.
	}
	return rest, m.raw[m.lineStart:], true
}

// trimEOL drops a line's end: LF, and CRs before it.
func trimEOL(line []byte) []byte {
	n := len(line)
	if n > 0 && line[n-1] == '\n' {
		n--
	}
	for n > 0 && line[n-1] == '\r' {
		n--
	}
	return line[:n]
}

// addHeaderLine parses the line that begins at lineStart and is kept in raw. It
// notes anomalies in tx.
func (m *message) addHeaderLine(tx *protocol.Tx, dir protocol.Dir, limit int) {
	line := trimEOL(m.raw[m.lineStart:])
	start, had := m.lineStart, len(m.fields)
	if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
		if len(m.fields) > 0 {
			m.fold(line, start)
			had = -1
		} else {
			tx.AddEvent(pick(dir, "invalid_request_field_folding", "invalid_response_field_folding"))
			for len(line) > 0 && isSpace(line[0]) {
				line = line[1:]
				start++
			}
			m.addField(tx, dir, line, start, limit)
		}
	} else {
		// A bare CR before what looks like a header separates lines for some.
		for {
			k := bareCR(line)
			if k < 0 {
				break
			}
			m.addField(tx, dir, line[:k], start, limit)
			start += uint32(k + 1)
			line = line[k+1:]
		}
		m.addField(tx, dir, line, start, limit)
	}
	if len(m.fields) == had {
		m.raw = m.raw[:m.lineStart] // beyond a limit
	}
	m.lineStart = uint32(len(m.raw))
}

// bareCR finds a CR that is followed by a header's name and colon.
func bareCR(line []byte) int {
	for i := 0; ; {
		k := bytes.IndexByte(line[i:], '\r')
		if k < 0 {
			return -1
		}
		i += k
		j := i + 1
		for j < len(line) && isToken(line[j]) {
			j++
		}
		if i > 0 && j > i+1 && j < len(line) && line[j] == ':' {
			return i
		}
		i++
	}
}

// pick chooses an event's name by direction.
func pick(dir protocol.Dir, request, response string) string {
	if dir == protocol.ToServer {
		return request
	}
	return response
}

func (m *message) addField(tx *protocol.Tx, dir protocol.Dir, line []byte, start uint32, limit int) {
	colon := bytes.IndexByte(line, ':')
	f := field{name: start, nameEnd: start}
	v := 0
	if colon < 0 {
		tx.AddEvent(pick(dir, "request_field_missing_colon", "response_field_missing_colon"))
	} else {
		end, bad := colon, colon == 0
		for end > 0 && isSpace(line[end-1]) {
			end--
			bad = true
		}
		h := uint32(2166136261)
		for _, c := range line[:end] {
			if !tokenChars[c] {
				bad = true
			}
			h = (h ^ uint32(lower(c))) * 16777619
		}
		if bad {
			tx.AddEvent(pick(dir, "request_header_invalid", "response_header_invalid"))
			f.kind = kindOf(cleaned(line[:end]))
		} else {
			f.kind = kindOf(line[:end])
		}
		f.hash = h
		f.nameEnd = start + uint32(end)
		v = colon + 1
	}
	e := len(line)
	for v < e && (isSpace(line[v])) {
		v++
	}
	for e > v && (isSpace(line[e-1])) {
		e--
	}
	f.val, f.valEnd = start+uint32(v), start+uint32(e)
	over := int(start)+len(line) > limit
	if over {
		m.over = true
	}
	if len(m.fields) >= maxFields {
		tx.AddEvent(pick(dir, "request_too_many_headers", "response_too_many_headers"))
	}
	if (over || len(m.fields) >= maxFields) && !(f.kind.framing() && len(m.fields) < 2*maxFields) {
		return
	}
	i := len(m.fields)
	if colon < 0 && i > 0 {
		if l := &m.fields[m.shown]; l.kind.framing() && len(cleaned(m.value(l))) == 0 {
			m.fold(line, start)
			return
		}
	}
	m.shown = i
	if colon >= 0 {
		if p := m.find(&f); p >= 0 {
			first := &m.fields[p]
			if first.repeats++; first.repeats > maxRepeats {
				tx.AddEvent(pick(dir, "request_header_repetition", "response_header_repetition"))
				if !f.kind.framing() {
					return
				}
			}
			if first.last == 0 {
				first.next = uint16(i)
			} else {
				m.fields[first.last].next = uint16(i)
			}
			first.last = uint16(i)
			f.again = true
		} else if f.kind != kindOther {
			m.first[f.kind] = uint16(i) + 1
		}
	}
	m.fields = append(m.fields, f)
}

// find gives the first field of the same name, -1 for none.
func (m *message) find(f *field) int {
	if f.kind != kindOther {
		return int(m.first[f.kind]) - 1
	}
	for i := range m.fields {
		o := &m.fields[i]
		if o.hash == f.hash && !o.again && o.nameEnd-o.name == f.nameEnd-f.name && o.nameEnd != o.name &&
			bytes.EqualFold(m.name(o), m.raw[f.name:f.nameEnd]) {
			return i
		}
	}
	return -1
}

// fold joins a continuation line (obs-fold) to the last header.
// A coding hidden in a continuation line, which some receivers take for a
// header, is noted without being one.
func (m *message) fold(line []byte, start uint32) {
	m.hiddenCoding(line, start)
	f := &m.fields[m.shown]
	more := bytes.TrimFunc(line, func(r rune) bool { return r < 0x80 && isSpace(byte(r)) })
	if f.nameEnd == f.name && f.kind == kindOther {
		// The line before had no colon: together they may be a header.
		if k := bytes.IndexByte(more, ':'); k == 0 {
			name := m.value(f)
			if kd := kindOf(cleaned(name)); kd != kindOther && m.first[kd] == 0 {
				f.kind = kd
				m.first[kd] = uint16(m.shown + 1)
			}
			if !f.inAux {
				f.name, f.nameEnd = f.val, f.valEnd
			}
			f.val = f.valEnd
			more = bytes.TrimLeft(more[1:], " \t")
		}
	}
	at := uint32(len(m.aux))
	if f.inAux && f.valEnd == at {
		at = f.val
	} else {
		m.aux = append(m.aux, m.value(f)...)
	}
	if len(more) > 0 {
		if uint32(len(m.aux)) > at {
			m.aux = append(m.aux, ' ')
		}
		m.aux = append(m.aux, more...)
	}
	f.val, f.valEnd, f.inAux = at, uint32(len(m.aux)), true
}

// hiddenCoding notes a Transfer- or Content-Encoding in a continuation line.
func (m *message) hiddenCoding(line []byte, start uint32) {
	k := bytes.IndexByte(line, ':')
	if k < 0 || len(m.fields) >= maxFields {
		return
	}
	kd := kindOf(cleaned(line[:k]))
	if kd != kindTransferEncoding && kd != kindContentEncoding || m.first[kd] != 0 {
		return
	}
	m.fields = append(m.fields, field{name: start, nameEnd: start, val: start + uint32(k+1), valEnd: start + uint32(len(line)), kind: kd, again: true})
	m.first[kd] = uint16(len(m.fields))
}

// cleaned drops what lenient receivers overlook in a name or an encoding:
// controls, spaces and bytes beyond ASCII. It may return b itself.
func cleaned(b []byte) []byte {
	odd := func(c byte) bool { return c <= ' ' || c >= 0x7f }
	if !slices.ContainsFunc(b, odd) {
		return b
	}
	out := make([]byte, 0, len(b))
	for _, c := range b {
		if !odd(c) {
			out = append(out, c)
		}
	}
	return out
}

// cachedSlot gives the memory of a derived buffer. ok tells that it is filled.
func (m *message) cachedSlot(slot uint16) (c *cached, ok bool) {
	var free *cached
	for i := range m.cache {
		c := &m.cache[i]
		if !c.used {
			if free == nil {
				free = c
			}
		} else if c.slot == slot {
			return c, true
		}
	}
	if free == nil {
		m.cache = append(m.cache, cached{})
		free = &m.cache[len(m.cache)-1]
	}
	free.slot, free.used, free.b = slot, true, free.b[:0]
	return free, false
}
