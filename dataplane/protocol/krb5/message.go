package krb5

import (
	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/ber"
)

// Type is a message's type (RFC 4120 §7.5.7).
type Type uint8

// The types of messages.
const (
	ASReq    Type = 10
	ASRep    Type = 11
	TGSReq   Type = 12
	TGSRep   Type = 13
	APReq    Type = 14
	APRep    Type = 15
	KrbSafe  Type = 20
	KrbPriv  Type = 21
	KrbCred  Type = 22
	KrbError Type = 30
)

// request reports whether a message's elements are numbered from one on.
func (t Type) request() bool { return t == ASReq || t == TGSReq }

// sentIn reports whether a message may go in a direction.
func (t Type) sentIn(dir protocol.Dir) bool {
	switch t {
	case ASReq, TGSReq, APReq:
		return dir == protocol.ToServer
	case ASRep, TGSRep, APRep, KrbError:
		return dir == protocol.ToClient
	case KrbSafe, KrbPriv, KrbCred:
		return true
	}
	return false
}

// maxParts bounds the parts of a name.
const maxParts = 32

// Message is one message: the State of a transaction. Its slices are its own.
type Message struct {
	Dir  protocol.Dir
	Type Type
	// Client and Server are principals, part by part, with the realm that the
	// message tells of the client, or of the server in a request.
	Client, Server [][]byte
	Realm          []byte
	HasRealm       bool
	// Encryption is that of an answer, Ticket that of the ticket in it.
	Encryption, Ticket       int32
	HasEncryption, HasTicket bool
	// Code is an error's, and Failed the type of the request, 0 where it was not
	// seen.
	Code    int32
	HasCode bool
	Failed  Type
}

// numbered is the identifier of element n of a sequence.
func numbered(n ber.Tag) ber.Tag { return ber.Context | ber.Constructed | n }

// read takes a message apart and reports whether it is sound. It keeps what could
// be read before a fault.
func (m *Message) read(b []byte) bool {
	r := ber.NewReader(b)
	tag, body := r.Next()
	if !r.OK() || tag&^0x1f != ber.Application|ber.Constructed {
		return false
	}
	typ := Type(tag & 0x1f)
	outer := ber.NewReader(body)
	in := outer.In(ber.Sequence)
	if !in.OK() || !typ.sentIn(protocol.ToServer) && !typ.sentIn(protocol.ToClient) {
		return false
	}
	m.Type = typ
	var last ber.Tag
	seen := 0
	for in.More() {
		tag, body := in.Next()
		// Elements are in order, none of them twice.
		if !in.OK() || tag&^0x1f != numbered(0) || seen > 0 && tag <= last {
			return false
		}
		last = tag
		seen++
		if !m.element(tag&0x1f, body) {
			return false
		}
	}
	return in.OK() && seen >= 2
}

// element reads an element of the message. Those that are not asked about are
// passed over.
func (m *Message) element(n ber.Tag, b []byte) bool {
	r := ber.NewReader(b)
	ok := true
	first := ber.Tag(0)
	if m.Type.request() {
		first = 1
	}
	switch {
	case n == first:
		return r.Int(ber.Integer) == 5 && r.OK()
	case n == first+1:
		return r.Int(ber.Integer) == int64(m.Type) && r.OK()
	}
	switch m.Type {
	case ASReq, TGSReq:
		if n == 4 {
			ok = m.requestBody(r.In(ber.Sequence))
		}
	case ASRep, TGSRep:
		switch n {
		case 3:
			m.Realm, m.HasRealm = text(&r), true
		case 4:
			m.Client, ok = principal(r.In(ber.Sequence))
		case 5:
			ok = m.ticket(&r)
		case 6:
			m.Encryption, ok = encryption(r.In(ber.Sequence))
			m.HasEncryption = ok
		}
	case APReq:
		if n == 3 {
			ok = m.ticket(&r)
		}
	case KrbError:
		switch n {
		case 6:
			m.Code, m.HasCode = int32(r.Int(ber.Integer)), true
		case 7:
			m.Realm, m.HasRealm = text(&r), true
		case 8:
			m.Client, ok = principal(r.In(ber.Sequence))
		case 10:
			m.Server, ok = principal(r.In(ber.Sequence))
		}
	}
	return ok && r.OK()
}

// requestBody reads what a request asks for (KDC-REQ-BODY, §5.4.1).
func (m *Message) requestBody(r ber.Reader) bool {
	for r.More() {
		tag, body := r.Next()
		in := ber.NewReader(body)
		ok := true
		switch tag {
		case numbered(1):
			m.Client, ok = principal(in.In(ber.Sequence))
		case numbered(2):
			m.Realm, m.HasRealm = text(&in), true
		case numbered(3):
			m.Server, ok = principal(in.In(ber.Sequence))
		}
		if !ok || !in.OK() {
			return false
		}
	}
	return r.OK()
}

// ticket reads what a ticket tells openly (§5.3).
func (m *Message) ticket(r *ber.Reader) bool {
	outer := r.In(ber.Application | ber.Constructed | 1)
	in := outer.In(ber.Sequence)
	for in.More() {
		tag, body := in.Next()
		part := ber.NewReader(body)
		ok := true
		switch tag {
		case numbered(2):
			m.Server, ok = principal(part.In(ber.Sequence))
		case numbered(3):
			m.Ticket, ok = encryption(part.In(ber.Sequence))
			m.HasTicket = ok
		}
		if !ok {
			return false
		}
	}
	return in.OK()
}

// encryption gives the type of encrypted data (EncryptedData, §5.2.9).
func encryption(r ber.Reader) (int32, bool) {
	in := r.In(numbered(0))
	v := in.Int(ber.Integer)
	return int32(v), in.OK() && v == int64(int32(v))
}

// principal copies a name's parts (PrincipalName, §5.2.2).
func principal(r ber.Reader) ([][]byte, bool) {
	kind := r.In(numbered(0))
	kind.Int(ber.Integer)
	names := r.In(numbered(1))
	list := names.In(ber.Sequence)
	var parts [][]byte
	for list.More() {
		if part := text(&list); list.OK() && len(parts) < maxParts {
			parts = append(parts, part)
		}
	}
	return parts, kind.OK() && list.OK()
}

// text copies a string.
func text(r *ber.Reader) []byte { return append([]byte{}, r.Take(ber.GeneralString)...) }
