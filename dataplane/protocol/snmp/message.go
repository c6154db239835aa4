package snmp

import (
	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/ber"
)

// PDU is what a message is about (RFC 3416 §3): the number of its tag.
type PDU uint8

// The kinds of messages.
const (
	GetRequest PDU = iota
	GetNextRequest
	Response
	SetRequest
	TrapV1
	GetBulkRequest
	InformRequest
	TrapV2
	Report
)

const (
	// modelUSM is the security model of users (RFC 3414); others are not read.
	modelUSM = 3
	// maxVars bounds the names of values that are kept of a message.
	maxVars = 256
	// versionThree is version 3 as messages write it.
	versionThree = 3
)

// Message is one message: the State of a transaction. Its slices are its own.
type Message struct {
	Dir protocol.Dir
	// Version is 1, 2 (2c) or 3; 0 where it is none of them.
	Version int64
	// Community is of versions 1 and 2c, User of 3.
	Community, User       []byte
	HasCommunity, HasUser bool
	// Encrypted tells that the rest cannot be read; HasPDU that PDU was.
	Encrypted, HasPDU bool
	PDU               PDU
	// Status is the error that an answer tells of, 0 for none.
	Status int64
	// Enterprise, Address, Trap are of a trap of version 1.
	Enterprise, Address []byte
	Trap                int64
	// Vars are the names of the values, as object identifiers are sent.
	Vars [][]byte

	model    int64
	hasModel bool
	// after is what follows the community, behind what follows the message.
	after, behind []byte
}

// read takes a datagram apart, which the message must own, and reports whether it is
// sound. It keeps what could be read before a fault.
func (m *Message) read(b []byte) bool {
	m.after = b
	outer := ber.NewReader(b)
	r := outer.In(ber.Sequence)
	version := r.Int(ber.Integer)
	switch {
	case !r.OK():
		return false
	case version == 0 || version == 1:
		m.Version = version + 1
		m.Community = r.Take(ber.OctetString)
		if m.HasCommunity = r.OK(); !m.HasCommunity {
			return false
		}
		m.after, m.behind = r.Rest(), outer.Rest()
		return m.pdu(&r) && !r.More()
	case version == versionThree:
		m.Version = version
		return m.readThree(&r)
	}
	return false
}

// readThree reads a message of version 3 (RFC 3412 §6) after its version.
func (m *Message) readThree(r *ber.Reader) bool {
	head := r.In(ber.Sequence)
	head.Int(ber.Integer) // the message's number
	head.Int(ber.Integer) // the longest answer that is taken
	head.Take(ber.OctetString)
	m.model = head.Int(ber.Integer)
	if m.hasModel = head.OK(); !m.hasModel {
		return false
	}
	params := r.Take(ber.OctetString)
	if !r.OK() {
		return false
	}
	ok := m.model != modelUSM || m.readUSM(params)
	switch r.Tag() {
	case ber.OctetString:
		r.Next()
		m.Encrypted = r.OK()
		return ok && r.OK()
	case ber.Sequence:
		scoped := r.In(ber.Sequence)
		scoped.Take(ber.OctetString) // the engine
		scoped.Take(ber.OctetString) // the context's name
		return scoped.OK() && m.pdu(&scoped) && ok
	}
	return false
}

// readUSM reads who sends it (RFC 3414 §2.4).
func (m *Message) readUSM(b []byte) bool {
	outer := ber.NewReader(b)
	r := outer.In(ber.Sequence)
	r.Take(ber.OctetString) // the engine
	r.Int(ber.Integer)      // its boots
	r.Int(ber.Integer)      // and time
	m.User = r.Take(ber.OctetString)
	m.HasUser = r.OK()
	return m.HasUser
}

// pdu reads what a message is about.
func (m *Message) pdu(r *ber.Reader) bool {
	tag, body := r.Next()
	kind := PDU(tag & 0x1f)
	if !r.OK() || tag&^0x1f != ber.Context|ber.Constructed || kind > Report {
		return false
	}
	m.PDU, m.HasPDU = kind, true
	in := ber.NewReader(body)
	if kind == TrapV1 {
		m.Enterprise = in.Take(ber.OID)
		m.Address = in.Take(ber.Application)
		m.Trap = in.Int(ber.Integer)
		in.Int(ber.Integer) // its own number
		in.Take(ber.Application | 3)
	} else {
		in.Int(ber.Integer) // the request's number
		status := in.Int(ber.Integer)
		in.Int(ber.Integer) // which value is at fault
		if kind != GetBulkRequest && in.OK() {
			m.Status = status // of a bulk request it is a count
		}
	}
	list := in.In(ber.Sequence)
	for list.More() {
		v := list.In(ber.Sequence)
		name := v.Take(ber.OID)
		v.Next()
		if !v.OK() {
			return false
		}
		if len(m.Vars) < maxVars {
			m.Vars = append(m.Vars, name)
		}
	}
	return list.OK()
}
