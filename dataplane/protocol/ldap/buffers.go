package ldap

import (
	"sluice/dataplane/protocol"
)

// Buffer implements protocol.Parser.
func (p *Parser) Buffer(tx *protocol.Tx, id protocol.BufferID, dir protocol.Dir, i int) ([]byte, bool) {
	t, ok := tx.State.(*Transaction)
	if !ok || i < 0 {
		return nil, false
	}
	if id.Slot() < slotResponseDN != (dir == protocol.ToServer) {
		return nil, false
	}
	switch id.Slot() {
	case slotRequestDN:
		if t.Request == nil || i > 0 || t.Request.Bare || !t.Request.named() {
			return nil, false
		}
		return t.Request.DN, true
	case slotRequestType, slotResponseType:
		return t.attributeType(dir, i)
	case slotRequestAttribute, slotResponseAttribute:
		return t.pair(dir, i)
	}
	if i >= len(t.Responses) {
		return nil, false
	}
	// An answer without a name or a text counts as one with an empty one.
	b := t.Responses[i].DN
	if id.Slot() == slotResponseMessage {
		b = t.Responses[i].Diagnostic
	}
	if b == nil {
		b = []byte{}
	}
	return b, true
}

// named reports whether a request is about an entry.
func (m *Message) named() bool {
	switch m.Op {
	case UnbindRequest, AbandonRequest, ExtendedRequest:
		return false
	}
	return true
}

// messages gives those of a direction.
func (t *Transaction) messages(dir protocol.Dir, yield func(*Message) bool) {
	if dir == protocol.ToServer {
		if t.Request != nil {
			yield(t.Request)
		}
		return
	}
	for _, m := range t.Responses {
		if !yield(m) {
			return
		}
	}
}

// attributeType gives type i of the attributes of a direction.
func (t *Transaction) attributeType(dir protocol.Dir, i int) (b []byte, ok bool) {
	t.messages(dir, func(m *Message) bool {
		if i < len(m.Attributes) {
			b, ok = m.Attributes[i].Type, true
			return false
		}
		i -= len(m.Attributes)
		return true
	})
	return b, ok
}

// maxPairs bounds the attributes with values that rules see of a direction.
const maxPairs = 16384

// pair gives value i of the attributes of a direction, as "type=value".
func (t *Transaction) pair(dir protocol.Dir, i int) ([]byte, bool) {
	if t.pairs[dir] == nil {
		list := [][]byte{}
		t.messages(dir, func(m *Message) bool {
			for k := range m.Attributes {
				a := &m.Attributes[k]
				for _, v := range a.Values {
					if len(list) == maxPairs {
						return false
					}
					b := make([]byte, 0, len(a.Type)+1+len(v))
					list = append(list, append(append(append(b, a.Type...), '='), v...))
				}
			}
			return true
		})
		t.pairs[dir] = list
	}
	if i >= len(t.pairs[dir]) {
		return nil, false
	}
	return t.pairs[dir][i], true
}

// Field gives instance i of a number for the keyword name: ldap.request.operation,
// and of all answers once they are there ldap.responses.operation,
// ldap.responses.result_code, which some do not have, and ldap.responses.count.
func (t *Transaction) Field(name string, dir protocol.Dir, i int) (uint64, bool) {
	if name == "ldap.request.operation" {
		if dir != protocol.ToServer || i > 0 || t.Request == nil {
			return 0, false
		}
		return uint64(t.Request.Op), true
	}
	if dir != protocol.ToClient || !t.complete {
		return 0, false
	}
	if name == "ldap.responses.count" {
		return t.Count, i == 0
	}
	if i >= len(t.Responses) {
		return 0, false
	}
	m := t.Responses[i]
	switch name {
	case "ldap.responses.operation":
		return uint64(m.Op), true
	case "ldap.responses.result_code":
		if !m.HasResult {
			return protocol.NoValue, true
		}
		return uint64(uint32(m.Result)), true
	}
	return 0, false
}
