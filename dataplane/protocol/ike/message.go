package ike

import (
	"encoding/binary"
	"encoding/hex"

	"sluice/dataplane/protocol"
)

// The bits of the flags.
const (
	flagEncrypted = 0x01 // version 1
	flagInitiator = 0x08 // version 2
)

// The payloads that are read, of both versions (RFC 2408 §3.1, RFC 7296 §3.2).
const (
	v1SA       = 1
	v1Proposal = 2
	v1Transf   = 3
	v1Key      = 4
	v1Nonce    = 10
	v1Vendor   = 13
	v2SA       = 33
	v2Key      = 34
	v2Nonce    = 40
	v2Notify   = 41
	v2Vendor   = 43
	v2Sealed   = 46
	v2Fragment = 53
)

const (
	// maxPayloads bounds the payloads of a message that are read, maxTransforms the
	// alternatives, and maxAttributes what is told of each.
	maxPayloads   = 256
	maxTransforms = 256
	maxAttributes = 64
	// firstStatus is the first notification that is no error (RFC 7296 §3.10.1).
	firstStatus = 16384
)

// Message is one message: the State of a transaction. It owns its bytes.
type Message struct {
	Dir protocol.Dir
	raw []byte
	// spi is the SPIs of initiator and responder in hexadecimal.
	spi [32]byte
	// payloads are the types of payloads in the order of their appearance.
	payloads   []uint8
	key, nonce []byte
	vendors    [][]byte
	// proposals are alternatives: transforms in version 1, proposals in version 2.
	proposals [][]attribute
	doi       uint32
	hasDOI    bool
	notify    []uint16
	errors    int
}

func (m *Message) version() uint8  { return m.raw[17] >> 4 }
func (m *Message) minor() uint8    { return m.raw[17] & 15 }
func (m *Message) exchange() uint8 { return m.raw[18] }
func (m *Message) flags() uint8    { return m.raw[19] }
func (m *Message) id() uint32      { return binary.BigEndian.Uint32(m.raw[20:]) }
func (m *Message) encrypted() bool { return m.version() == 1 && m.flags()&flagEncrypted != 0 }
func hexed(b []byte) []byte        { return hex.AppendEncode(nil, b) }
func (m *Message) saw(typ uint8)   { m.payloads = append(m.payloads, typ) }
func (m *Message) full() bool      { return len(m.payloads) >= maxPayloads }

// read takes the payloads apart and notes anomalies in tx.
func (m *Message) read(tx *protocol.Tx) {
	hex.Encode(m.spi[:], m.raw[:16])
	if m.encrypted() {
		return
	}
	b, next := m.raw[headerLen:], m.raw[16]
	for next != 0 && !m.full() {
		body, rest, after, ok := payload(b)
		if !ok {
			tx.AddEvent(eventMalformed)
			return
		}
		m.saw(next)
		if !m.take(tx, next, body) {
			tx.AddEvent(eventMalformed)
		}
		if next == v2Sealed || next == v2Fragment {
			// What the next payload would be is inside.
			return
		}
		b, next = rest, after
	}
	if m.version() == 2 && next == 0 {
		m.saw(0)
	}
	if len(b) > 0 {
		tx.AddEvent(eventExtra)
	}
}

// payload takes a payload with its generic header (RFC 7296 §3.2).
func payload(b []byte) (body, rest []byte, next uint8, ok bool) {
	if len(b) < 4 {
		return nil, nil, 0, false
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n < 4 || n > len(b) {
		return nil, nil, 0, false
	}
	return b[4:n], b[n:], b[0], true
}

// take reads a payload's body. It reports false where that is malformed.
func (m *Message) take(tx *protocol.Tx, typ uint8, b []byte) bool {
	if m.version() == 1 {
		switch typ {
		case v1SA:
			return m.oldSA(b)
		case v1Key:
			m.key = b
		case v1Nonce:
			m.nonce = b
		case v1Vendor:
			m.vendors = append(m.vendors, b)
		}
		return true
	}
	switch typ {
	case v2SA:
		return m.newSA(tx, b)
	case v2Key:
		if len(b) < 4 {
			return false
		}
		m.key = b[4:] // behind the group's number
	case v2Nonce:
		m.nonce = b
	case v2Vendor:
		m.vendors = append(m.vendors, b)
	case v2Notify:
		if len(b) < 4 {
			return false
		}
		n := binary.BigEndian.Uint16(b[2:])
		m.notify = append(m.notify, n)
		if n < firstStatus {
			m.errors++
		}
	}
	return true
}

// oldSA reads a security association of version 1 (RFC 2408 §3.4 to 3.6): proposals
// of transforms of attributes.
func (m *Message) oldSA(b []byte) bool {
	if len(b) < 8 {
		return false
	}
	m.doi, m.hasDOI = binary.BigEndian.Uint32(b), true
	b = b[8:] // behind the situation
	for len(b) > 0 && !m.full() {
		body, rest, next, ok := payload(b)
		if !ok || len(body) < 4 || len(body) < 4+int(body[2]) {
			return false
		}
		m.saw(v1Proposal)
		ts := body[4+int(body[2]):]
		for len(ts) > 0 && !m.full() {
			t, more, nextT, ok := payload(ts)
			if !ok || len(t) < 4 {
				return false
			}
			m.saw(v1Transf)
			list, ok := attributes(t[4:], oldAttribute)
			if len(m.proposals) < maxTransforms {
				m.proposals = append(m.proposals, list)
			}
			if !ok {
				return false
			}
			if ts = more; nextT == 0 {
				break
			}
		}
		if b = rest; next == 0 {
			break
		}
	}
	return true
}

// attributes reads data attributes (RFC 2408 §3.3), the same in both versions.
func attributes(b []byte, name func(typ uint16, v uint64, sized bool) attribute) (out []attribute, ok bool) {
	for len(b) > 0 {
		if len(b) < 4 {
			return out, false
		}
		typ, v := binary.BigEndian.Uint16(b), uint64(binary.BigEndian.Uint16(b[2:]))
		b = b[4:]
		sized := true
		if typ&0x8000 == 0 {
			n := int(v)
			if n > len(b) {
				return out, false
			}
			v = 0
			if sized = n <= 8; sized {
				for _, c := range b[:n] {
					v = v<<8 | uint64(c)
				}
			}
			b = b[n:]
		}
		if len(out) < maxAttributes {
			out = append(out, name(typ&0x7fff, v, sized))
		}
	}
	return out, true
}

// newSA reads a security association of version 2 (RFC 7296 §3.3).
func (m *Message) newSA(tx *protocol.Tx, b []byte) bool {
	for len(b) > 0 && len(m.proposals) < maxTransforms {
		body, rest, last, ok := payload(b)
		if !ok || len(body) < 4 || len(body) < 4+int(body[2]) {
			return false
		}
		var list []attribute
		ts := body[4+int(body[2]):]
		for len(ts) > 0 {
			t, more, lastT, ok := payload(ts)
			if !ok || len(t) < 4 {
				return false
			}
			if len(list) < maxAttributes {
				list = append(list, newAttribute(t[0], binary.BigEndian.Uint16(t[2:])))
			}
			if keys, ok := attributes(t[4:], keyLength); ok {
				for _, k := range keys {
					if k.key != "" && len(list) < maxAttributes {
						list = append(list, k)
					}
				}
			}
			if ts = more; lastT == 0 {
				break
			}
		}
		weaknesses(tx, list)
		m.proposals = append(m.proposals, list)
		if b = rest; last == 0 {
			break
		}
	}
	return true
}
