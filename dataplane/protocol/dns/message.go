package dns

import (
	"encoding/binary"

	"sluice/dataplane/protocol"
)

const headerLen = 12

// Question is one entry of the question section. Name is the name with dots,
// borrowed from the message.
type Question struct {
	name        span
	Type, Class uint16
}

// Resource is one resource record. Its data is read on demand.
type Resource struct {
	name        span
	data        span
	Type, Class uint16
	TTL         uint32
}

// Section numbers the sections of resource records.
type Section uint8

// The sections after the question.
const (
	Answers Section = iota
	Authorities
	Additionals
)

// Message is one DNS message: the State of a transaction. It owns its bytes.
type Message struct {
	// Dir is the direction in which the message was sent.
	Dir   protocol.Dir
	ID    uint16
	Flags uint16

	raw       []byte
	arena     []byte
	questions []Question
	sections  [3][]Resource
	faults    faults
	broken    bool
	// multicast: it was sent by mDNS, whose answers nobody in their flow asked for.
	multicast bool

	oneQuestion [1]Question
	// responseNames is filled when dns.response.rrname is first asked for.
	responseNames []span
	namesReady    bool
}

// Response reports the QR bit.
func (m *Message) Response() bool { return m.Flags&0x8000 != 0 }

// Opcode gives the operation (dns.opcode).
func (m *Message) Opcode() uint8 { return uint8(m.Flags >> 11 & 15) }

// RCode gives the response code of the header with the upper bits of an OPT
// record (dns.rcode, RFC 6891 §6.1.3).
func (m *Message) RCode() uint16 {
	code := m.Flags & 15
	for _, r := range m.sections[Additionals] {
		if r.Type == TypeOPT {
			code |= uint16(r.TTL>>24) << 4
			break
		}
	}
	return code
}

// RRTypes calls yield with the types that dns.rrtype matches: those of the
// questions, and in a response those of the answers, until it returns false.
func (m *Message) RRTypes(yield func(uint16) bool) {
	for _, q := range m.questions {
		if !yield(q.Type) {
			return
		}
	}
	for _, r := range m.sections[Answers] {
		if !yield(r.Type) {
			return
		}
	}
}

// Questions gives the questions, borrowed.
func (m *Message) Questions() []Question { return m.questions }

// Records gives a section's records, borrowed.
func (m *Message) Records(s Section) []Resource { return m.sections[s] }

// QuestionName gives a question's name with dots, borrowed from the message.
func (m *Message) QuestionName(q Question) []byte { return m.text(q.name) }

// RecordName gives a record's owner name with dots, borrowed from the message.
func (m *Message) RecordName(r Resource) []byte { return m.text(r.name) }

func (m *Message) text(s span) []byte { return m.arena[s.off : s.off+s.len : s.off+s.len] }

func (m *Message) rdata(r Resource) []byte { return m.raw[r.data.off : r.data.off+r.data.len] }

// parse reads raw, which the message must own already. It notes what is wrong
// and keeps what could be read before that.
func (m *Message) parse() {
	raw := m.raw
	if len(raw) < headerLen {
		m.fail()
		return
	}
	m.ID = binary.BigEndian.Uint16(raw)
	m.Flags = binary.BigEndian.Uint16(raw[2:])
	if m.Flags&0x40 != 0 {
		m.faults |= faultZFlag
	}
	if m.Opcode() > 6 {
		m.faults |= faultOpcode
	}
	qd := int(binary.BigEndian.Uint16(raw[4:]))
	off := headerLen
	m.questions = m.oneQuestion[:0]
	for i := 0; i < qd; i++ {
		name, next, ok := m.name(off)
		if !ok || next+4 > len(raw) {
			m.fail()
			return
		}
		m.questions = append(m.questions, Question{name: name, Type: binary.BigEndian.Uint16(raw[next:]), Class: binary.BigEndian.Uint16(raw[next+2:])})
		off = next + 4
	}
	for s := Answers; s <= Additionals; s++ {
		n := int(binary.BigEndian.Uint16(raw[6+2*int(s):]))
		var ok bool
		if off, ok = m.records(s, off, n); !ok {
			switch s {
			case Answers:
				m.fail()
			case Authorities:
				m.faults |= faultAuthorities
			default:
				m.faults |= faultAdditionals
			}
			return
		}
	}
}

func (m *Message) fail() {
	m.faults |= faultMalformed
	m.broken = true
}

// records reads n resource records from off on.
func (m *Message) records(s Section, off, n int) (next int, ok bool) {
	raw := m.raw
	if n > 0 {
		m.sections[s] = make([]Resource, 0, min(n, (len(raw)-off)/11+1))
	}
	for i := 0; i < n; i++ {
		name, p, ok := m.name(off)
		if !ok || p+10 > len(raw) {
			return 0, false
		}
		size := int(binary.BigEndian.Uint16(raw[p+8:]))
		r := Resource{name: name, Type: binary.BigEndian.Uint16(raw[p:]), Class: binary.BigEndian.Uint16(raw[p+2:]),
			TTL: binary.BigEndian.Uint32(raw[p+4:]), data: span{uint32(p + 10), uint32(size)}}
		if p+10+size > len(raw) {
			return 0, false
		}
		m.sections[s] = append(m.sections[s], r)
		off = p + 10 + size
	}
	return off, true
}

// collectNames gathers what dns.response.rrname matches: owner names of all
// sections, and the names within the data of records that hold one.
func (m *Message) collectNames() {
	if m.namesReady {
		return
	}
	m.namesReady = true
	for _, q := range m.questions {
		m.responseNames = append(m.responseNames, q.name)
	}
	for s := range m.sections {
		for _, r := range m.sections[s] {
			m.responseNames = append(m.responseNames, r.name)
			if at, ok := nameOffset(r.Type); ok && int(r.data.len) > at {
				off := int(r.data.off) + at
				name, next, ok := m.name(off)
				if !ok {
					continue
				}
				m.responseNames = append(m.responseNames, name)
				if r.Type == TypeSOA {
					if name, _, ok := m.name(next); ok {
						m.responseNames = append(m.responseNames, name)
					}
				}
			}
		}
	}
}

// nameOffset tells where in a record's data a name begins.
func nameOffset(rrtype uint16) (int, bool) {
	switch rrtype {
	case TypeNS, TypeCNAME, TypePTR, TypeSOA, TypeDNAME, TypeMD, TypeMF, TypeMB, TypeMG, TypeMR:
		return 0, true
	case TypeMX, TypeHTTPS, TypeSVCB, TypeKX, TypeRT, TypeAFSDB:
		return 2, true
	case TypeSRV:
		return 6, true
	}
	return 0, false
}
