package dns

import (
	"bytes"
	"encoding/base64"

	"sluice/dataplane/protocol"
	"sluice/events"
)

// maxCarried is the longest message (RFC 8484 §6).
const maxCarried = 65535

// mediaType is that of messages in bodies (RFC 8484 §6), queryPath how the path of a
// resolver mostly ends, and parameter what has the message of a GET.
var (
	mediaType = []byte("application/dns-message")
	queryPath = []byte("/dns-query")
	parameter = []byte("dns=")
)

// OverHTTP is the DNS that a request of HTTP and its response carry (RFC 8484).
// The methods of a nil one do nothing: most carry none.
type OverHTTP struct {
	half [2]carried
}

// carried is one direction's message.
type carried struct {
	// want tells that the body is a message, over that it is no more.
	want, over bool
	buf        []byte
	msg        *Message
}

// Head is what the head of a request or response tells. URI and Accept are of GET
// requests alone.
type Head struct {
	ContentType, URI, Accept []byte
}

// Head takes the head of a direction's message, and gives what carries DNS for the
// transaction from then on: o, a new one, or nil.
func (o *OverHTTP) Head(tx *protocol.Tx, dir protocol.Dir, h Head) *OverHTTP {
	ct := h.ContentType
	if i := bytes.IndexByte(ct, ';'); i >= 0 {
		ct = ct[:i]
	}
	if len(ct) >= len(mediaType) && bytes.EqualFold(bytes.TrimSpace(ct), mediaType) {
		if o == nil {
			o = new(OverHTTP)
		}
		tx.Carries = protocol.DNS
		o.half[dir].want = !o.half[dir].over
		return o
	}
	if raw := h.message(); raw != nil {
		if o == nil {
			o = new(OverHTTP)
		}
		tx.Carries = protocol.DNS
		o.add(tx, dir, raw)
	}
	return o
}

// message gives the message in a GET's URI (RFC 8484 §4.1), nil for none. Of all other
// requests it costs a look for the parameter.
func (h *Head) message() []byte {
	i := bytes.IndexByte(h.URI, '?')
	if i < 0 || !bytes.Contains(h.URI[i:], parameter) {
		return nil
	}
	path, query := h.URI[:i], h.URI[i+1:]
	if !bytes.HasSuffix(path, queryPath) && !bytes.Contains(bytes.ToLower(h.Accept), mediaType) {
		return nil
	}
	for len(query) > 0 {
		var p []byte
		p, query, _ = bytes.Cut(query, []byte("&"))
		v, ok := bytes.CutPrefix(p, parameter)
		if v = bytes.TrimRight(v, "="); !ok || base64.RawURLEncoding.DecodedLen(len(v)) > maxCarried {
			continue
		}
		raw := make([]byte, base64.RawURLEncoding.DecodedLen(len(v)))
		if _, err := base64.RawURLEncoding.Decode(raw, v); err != nil {
			continue
		}
		if c, _ := question(raw); c != protocol.NotForUs {
			return raw
		}
	}
	return nil
}

// Wants reports whether the body of a direction is a message.
func (o *OverHTTP) Wants(dir protocol.Dir) bool { return o != nil && o.half[dir].want }

// Body takes decoded bytes of a body. It reports false once, where the body is too
// long for a message and is none.
func (o *OverHTTP) Body(dir protocol.Dir, b []byte) bool {
	if !o.Wants(dir) {
		return true
	}
	h := &o.half[dir]
	if len(h.buf)+len(b) > maxCarried {
		h.want, h.over, h.buf = false, true, nil
		return false
	}
	h.buf = append(h.buf, b...)
	return true
}

// End ends a body; whole tells that nothing of it is missing.
func (o *OverHTTP) End(tx *protocol.Tx, dir protocol.Dir, whole bool) {
	if !o.Wants(dir) {
		return
	}
	h := &o.half[dir]
	raw := h.buf
	h.want, h.over, h.buf = false, true, nil
	if whole && len(raw) > 0 {
		o.add(tx, dir, raw)
	}
}

// add makes raw, which is o's from now on, the message of a direction.
func (o *OverHTTP) add(tx *protocol.Tx, dir protocol.Dir, raw []byte) {
	if o.half[dir].msg != nil {
		return
	}
	m := newMessage(dir, raw)
	m.misdirected()
	m.note(tx)
	o.half[dir].msg, o.half[dir].over = m, true
	tx.Carried |= 1 << dir
}

// DNS gives a direction's message, nil while there is none.
func (o *OverHTTP) DNS(dir protocol.Dir) *Message {
	if o == nil {
		return nil
	}
	return o.half[dir].msg
}

// Buffer gives instance i of a buffer of DNS.
func (o *OverHTTP) Buffer(id protocol.BufferID, dir protocol.Dir, i int) ([]byte, bool) {
	m := o.DNS(dir)
	if m == nil || id.Protocol() != protocol.DNS {
		return nil, false
	}
	return m.buffer(id.Slot(), dir, i)
}

// Record adds to an event what the answer says or, without one, what was asked. It
// reports whether there was either.
func (o *OverHTTP) Record(tx *protocol.Tx, ev *events.Event) bool {
	m := o.DNS(protocol.ToClient)
	if m == nil || m.broken && len(m.questions) == 0 {
		m = o.DNS(protocol.ToServer)
	}
	if m == nil || m.broken && len(m.questions) == 0 {
		return false
	}
	ev.DNS = m.event()
	id := tx.ID
	ev.DNS.TxID = &id
	return true
}

// Known reports whether there is a message to tell of.
func (o *OverHTTP) Known() bool {
	for d := range protocol.ToClient + 1 {
		if m := o.DNS(d); m != nil && !(m.broken && len(m.questions) == 0) {
			return true
		}
	}
	return false
}
