package http2

import (
	"strings"

	"sluice/dataplane/protocol"
)

// kind names the fields that the parser or a buffer uses.
type kind uint8

const (
	kindOther kind = iota
	kindMethod
	kindPath
	kindAuthority
	kindScheme
	kindStatus
	kindProtocol
	kindHost
	kindContentLength
	kindContentType
	kindContentEncoding
	kindContentRange
	kindContentDisposition
	kindGRPCEncoding
	kindCookie
	kindSetCookie
	kindUserAgent
	kindReferer
	kindAccept
	kindAcceptEncoding
	kindAcceptLanguage
	kindConnection
	kindLocation
	kindServer
	kindAuthorization
	kindProxyAuthorization
	numKinds
)

var kindNames = [numKinds]string{
	kindMethod: ":method", kindPath: ":path", kindAuthority: ":authority", kindScheme: ":scheme", kindStatus: ":status", kindProtocol: ":protocol",
	kindHost: "host", kindContentLength: "content-length", kindContentType: "content-type", kindContentEncoding: "content-encoding",
	kindContentRange: "content-range", kindContentDisposition: "content-disposition", kindGRPCEncoding: "grpc-encoding",
	kindCookie: "cookie", kindSetCookie: "set-cookie", kindUserAgent: "user-agent", kindReferer: "referer", kindAccept: "accept",
	kindAcceptEncoding: "accept-encoding", kindAcceptLanguage: "accept-language", kindConnection: "connection",
	kindLocation: "location", kindServer: "server",
	kindAuthorization: "authorization", kindProxyAuthorization: "proxy-authorization",
}

// kindsByLen lists the kinds by the length of their names.
var kindsByLen = func() (t [24][]kind) {
	for k := kindMethod; k < numKinds; k++ {
		n := len(kindNames[k])
		t[n] = append(t[n], k)
	}
	return t
}()

func kindOf(name string) kind {
	if len(name) < len(kindsByLen) {
		for _, k := range kindsByLen[len(name)] {
			if name == kindNames[k] {
				return k
			}
		}
	}
	return kindOther
}

// framing reports whether a field decides what the message is or how its body
// is read. Such fields are kept even where a header block exceeds its limit.
func (k kind) framing() bool { return k >= kindMethod && k <= kindGRPCEncoding }

const (
	// maxFields is how many fields of a message are kept, framingRoom and
	// framingFields what framing fields may take beyond the limits.
	maxFields     = 1024
	framingFields = 64
	framingRoom   = 8 << 10
)

// field is one header field; offsets are into message.raw.
type field struct {
	name, nameEnd, val, valEnd uint32
	kind                       kind
}

// cached is the memory of a derived buffer.
type cached struct {
	key  uint32
	used bool
	b    []byte
}

// message is a request's or response's head and trailer.
type message struct {
	// raw holds the fields as "name: value\r\n", in order.
	raw     []byte
	fields  []field
	first   [numKinds]uint16
	trailer []byte
	cache   []cached
	status  int
	// wire counts the bytes of DATA frames without padding.
	wire uint64
	// length is the declared one, -1 for none.
	length int64
	// pathLen is the normalised path's length within the normalised URI.
	pathLen int
	// done: the head is complete; interim: it is a 1xx response's, which the
	// final one replaces. over: fields were left out. missing: some were unknown.
	done, interim, over, missing bool
}

// reset makes the message new, keeping memory.
func (m *message) reset() {
	for i := range m.cache {
		m.cache[i].used = false
	}
	*m = message{raw: m.raw[:0], fields: m.fields[:0], trailer: m.trailer[:0], cache: m.cache, length: -1}
}

func (m *message) name(f *field) []byte  { return m.raw[f.name:f.nameEnd] }
func (m *message) value(f *field) []byte { return m.raw[f.val:f.valEnd] }

// get gives the first field of a kind.
func (m *message) get(k kind) ([]byte, bool) {
	if i := m.first[k]; i > 0 {
		return m.value(&m.fields[i-1]), true
	}
	return nil, false
}

// add takes a decoded field into the message of a transaction.
func (m *message) add(ex *exchange, name, value string, limit int) {
	if bad(name, value) {
		ex.tx.AddEvent("invalid_header")
		name = strings.ToLower(name)
	}
	k := kindOf(name)
	n := len(m.raw) + len(name) + len(value) + 4
	if n > limit || len(m.fields) >= maxFields {
		m.over = true
		ex.tx.AddEvent("header_list_too_long")
		if !k.framing() || n > limit+framingRoom || len(m.fields) >= maxFields+framingFields {
			return
		}
	}
	f := field{name: uint32(len(m.raw)), kind: k}
	m.raw = append(m.raw, name...)
	f.nameEnd = uint32(len(m.raw))
	m.raw = append(m.raw, ": "...)
	f.val = uint32(len(m.raw))
	m.raw = append(m.raw, value...)
	f.valEnd = uint32(len(m.raw))
	m.raw = append(m.raw, "\r\n"...)
	m.fields = append(m.fields, f)
	if k != kindOther && m.first[k] == 0 {
		m.first[k] = uint16(len(m.fields))
	}
}

// addTrailer takes a field that follows the body.
func (m *message) addTrailer(ex *exchange, name, value string, limit int) {
	if bad(name, value) {
		ex.tx.AddEvent("invalid_header")
	}
	if len(m.trailer)+len(name)+len(value)+4 > limit {
		ex.tx.AddEvent("header_list_too_long")
		return
	}
	m.trailer = append(m.trailer, name...)
	m.trailer = append(m.trailer, ": "...)
	m.trailer = append(m.trailer, value...)
	m.trailer = append(m.trailer, "\r\n"...)
}

// bad tells fields that receivers must turn down (RFC 9113 §8.2.1): upper case
// or spaces in the name, line ends anywhere.
func bad(name, value string) bool {
	wrong := uint8(0)
	for i := range len(name) {
		wrong |= badInName[name[i]]
	}
	if wrong != 0 && (wrong != 1 || strings.LastIndexByte(name, ':') != 0) {
		return true
	}
	for i := range len(value) {
		if c := value[i]; c <= '\r' && (c == '\r' || c == '\n' || c == 0) {
			return true
		}
	}
	return false
}

// badInName has 1 for the colon, which may only begin a name, and 2 for bytes
// that no name may hold.
var badInName = func() (t [256]uint8) {
	for c := range t {
		if c <= ' ' || c >= 0x7f || c >= 'A' && c <= 'Z' {
			t[c] = 2
		}
	}
	t[':'] = 1
	return t
}()

// cached gives the memory of a derived buffer. ok tells that it is filled.
func (m *message) cached(key uint32) (c *cached, ok bool) {
	var free *cached
	for i := range m.cache {
		c := &m.cache[i]
		if !c.used {
			if free == nil {
				free = c
			}
		} else if c.key == key {
			return c, true
		}
	}
	if free == nil {
		m.cache = append(m.cache, cached{})
		free = &m.cache[len(m.cache)-1]
	}
	free.key, free.used, free.b = key, true, free.b[:0]
	return free, false
}

// headDone reads what a complete head says.
func (p *parser) headDone(dir protocol.Dir, ex *exchange, last bool) {
	m := &ex.msg[dir]
	m.done, m.interim = true, false
	if v, ok := m.get(kindContentLength); ok {
		if n, ok := number(v); ok {
			m.length = n
		}
	}
	if dir == protocol.ToClient {
		m.status = 0
		if v, ok := m.get(kindStatus); ok && len(v) == 3 {
			if n, ok := number(v); ok {
				m.status = int(n)
			}
		}
		if m.status/100 == 1 && !last {
			// The final response follows.
			m.interim = true
			return
		}
	} else {
		p.checkAuthority(ex, m)
	}
	ex.advance(dir, ProgressHeaders)
	p.carry(dir, ex)
	p.prepareBody(dir, ex)
}

// checkAuthority notes requests that name two hosts, or a user.
func (p *parser) checkAuthority(ex *exchange, m *message) {
	a, ok := m.get(kindAuthority)
	if !ok {
		return
	}
	if strings.IndexByte(string(a), '@') >= 0 {
		ex.tx.AddEvent("userinfo_in_uri")
	}
	if h, ok := m.get(kindHost); ok && !strings.EqualFold(string(a), string(h)) {
		ex.tx.AddEvent("authority_host_mismatch")
	}
}
