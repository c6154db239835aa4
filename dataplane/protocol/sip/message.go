package sip

import (
	"bytes"
	"strconv"

	"sluice/dataplane/protocol"
)

// maxFields bounds the fields that are kept of a header.
const maxFields = 512

// kind says which field of a header a value is of.
type kind uint8

// The fields that something here looks at.
const (
	fieldOther kind = iota
	fieldFrom
	fieldTo
	fieldVia
	fieldUserAgent
	fieldContentType
	fieldContentLength
	fieldContentEncoding
	fieldTransferEncoding
	fieldCallID
	fieldCSeq
	fieldAuthorization
	// fieldFree has text of a sender's own.
	fieldFree
)

// fieldKinds has names in lower case; compact forms are those of RFC 3261 §7.3.3.
var fieldKinds = map[string]kind{
	"from": fieldFrom, "f": fieldFrom, "to": fieldTo, "t": fieldTo, "via": fieldVia, "v": fieldVia, "user-agent": fieldUserAgent,
	"content-type": fieldContentType, "c": fieldContentType, "content-length": fieldContentLength, "l": fieldContentLength,
	"content-encoding": fieldContentEncoding, "e": fieldContentEncoding, "content-transfer-encoding": fieldTransferEncoding,
	"call-id": fieldCallID, "i": fieldCallID, "cseq": fieldCSeq, "authorization": fieldAuthorization, "proxy-authorization": fieldAuthorization,
}

// structured are further fields with a grammar of their own, from the registry of
// header fields of SIP: addresses, tags and tokens. What is not among them is text
// that may say anything.
var structured = func() map[string]bool {
	m := map[string]bool{}
	for _, n := range bytes.Fields([]byte(`accept accept-contact accept-encoding accept-language accept-resource-priority alert-info
		allow allow-events answer-mode authentication-info call-info contact content-disposition content-language date
		encryption error-info event expires feature-caps flow-timer geolocation geolocation-error geolocation-routing
		hide history-info identity identity-info in-reply-to info-package join max-breadth max-forwards mime-version
		min-expires min-se p-access-network-info p-answer-state p-asserted-identity p-asserted-service
		p-associated-uri p-called-party-id p-charging-function-addresses p-charging-vector p-early-media p-preferred-identity
		p-preferred-service p-profile-key p-served-user p-visited-network-id path permission-missing priority priv-answer-mode
		privacy proxy-authenticate proxy-require rack reason reason-phrase record-route recv-info refer-events-at
		refer-sub refer-to referred-by reject-contact replaces reply-to request-disposition require resource-priority
		resource-share response-key restoration-info retry-after route rseq security-client security-server security-verify
		server service-route session-expires session-id sip-etag sip-if-match supported suppress-if-match
		target-dialog timestamp trigger-consent unsupported user-to-user warning www-authenticate
		a b d j k m n o r u x y`)) {
		m[string(n)] = true
	}
	return m
}()

// start is a message's first line.
type start struct {
	response bool
	// Of a request and of a response. They point into the line.
	method, uri, version, code, reason []byte
}

// parseStart reads a first line, without its end (RFC 3261 §7.1, §7.2).
func parseStart(line []byte) (s start, ok bool) {
	const prefix = "SIP/"
	if len(line) > len(prefix) && string(line[:len(prefix)]) == prefix {
		s.response = true
		var rest []byte
		s.version, rest, ok = bytes.Cut(line, []byte(" "))
		if !ok || !isVersion(s.version) {
			return s, false
		}
		s.code, s.reason, _ = bytes.Cut(rest, []byte(" "))
		return s, len(s.code) == 3 && isDigit(s.code[0]) && isDigit(s.code[1]) && isDigit(s.code[2])
	}
	n := tokenLen(line)
	last := bytes.LastIndexByte(line, ' ')
	if n == 0 || n == len(line) || line[n] != ' ' || last <= n+1 {
		return s, false
	}
	s.method, s.uri, s.version = line[:n], line[n+1:last], line[last+1:]
	return s, isVersion(s.version) && bytes.IndexByte(s.uri, ':') > 0
}

// isVersion reports whether b is SIP's name and a version.
func isVersion(b []byte) bool {
	return len(b) == 7 && string(b[:4]) == "SIP/" && isDigit(b[4]) && b[5] == '.' && isDigit(b[6])
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// tokenChars are what methods and names of fields are made of (RFC 3261 §25.1).
var tokenChars = func() (t [256]bool) {
	for c := byte('0'); c <= 'z'; c++ {
		t[c] = isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z'
	}
	for _, c := range []byte("-.!%*_+`'~") {
		t[c] = true
	}
	return t
}()

func tokenLen(b []byte) int {
	for i, c := range b {
		if !tokenChars[c] {
			return i
		}
	}
	return len(b)
}

// trimEOL leaves out the CR of a line's end.
func trimEOL(b []byte) []byte {
	b = bytes.TrimSuffix(b, []byte("\n"))
	return bytes.TrimSuffix(b, []byte("\r"))
}

// field is one that is kept of a header.
type field struct {
	kind  kind
	value []byte
	// name is that of free text.
	name []byte
}

// Message is the State of a transaction.
type Message struct {
	Dir protocol.Dir
	// line is the first line; nil where there was no message.
	line []byte
	start
	fields []field
	// odd tells of a header with lines that are no fields, or too many of them.
	odd bool
	sdp *SDP
	// user is who the message says to come from in its credentials.
	user string
}

// newMessage reads a header, whose first line is known to be sound; its bytes are
// the message's from then on.
func newMessage(dir protocol.Dir, head []byte) *Message {
	line, rest, _ := bytes.Cut(head, []byte("\n"))
	m := &Message{Dir: dir, line: trimEOL(line)}
	m.start, _ = parseStart(m.line)
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		line = trimEOL(line)
		// A line that begins with white space goes on with the one before (§7.3.1).
		for len(line) > 0 && len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') {
			var more []byte
			more, rest, _ = bytes.Cut(rest, []byte("\n"))
			line = append(append(bytes.TrimRight(line, " \t"), ' '), bytes.TrimLeft(trimEOL(more), " \t")...)
		}
		if len(line) > 0 {
			m.add(line)
		}
	}
	return m
}

// add takes a line of the header.
func (m *Message) add(line []byte) {
	name, value, ok := bytes.Cut(line, []byte(":"))
	name, value = bytes.TrimRight(name, " \t"), bytes.Trim(value, " \t")
	if !ok || len(name) == 0 || tokenLen(name) < len(name) || len(m.fields) >= maxFields {
		m.odd = true
		if !ok || len(m.fields) >= maxFields {
			return
		}
	}
	var low [32]byte
	if len(name) > len(low) {
		m.fields = append(m.fields, field{fieldFree, value, name})
		return
	}
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		low[i] = c
	}
	if k, known := fieldKinds[string(low[:len(name)])]; known {
		m.fields = append(m.fields, field{kind: k, value: value})
	} else if !structured[string(low[:len(name)])] {
		m.fields = append(m.fields, field{fieldFree, value, name})
	}
}

// get gives instance i of a field.
func (m *Message) get(k kind, i int) ([]byte, bool) {
	for _, f := range m.fields {
		if f.kind != k {
			continue
		}
		if i == 0 {
			return f.value, true
		}
		i--
	}
	return nil, false
}

// one gives a field that a header has once.
func (m *Message) one(k kind) []byte {
	v, _ := m.get(k, 0)
	return v
}

// length gives the body's length as declared; 0 where it is not.
func (m *Message) length() uint64 {
	n, err := strconv.ParseUint(string(m.one(fieldContentLength)), 10, 63)
	if err != nil {
		return 0
	}
	return n
}

// reversed reports whether the message goes the wrong way for its kind.
func (m *Message) reversed() bool { return m.response != (m.Dir == protocol.ToClient) }

// freeText gives the fields of the header that hold a sender's own text, nil for
// most messages.
func (m *Message) freeText() (text []byte) {
	for _, f := range m.fields {
		if f.kind == fieldFree && len(f.value) > 0 {
			text = append(append(append(append(text, f.name...), ": "...), f.value...), '\n')
		}
	}
	return text
}
