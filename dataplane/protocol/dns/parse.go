package dns

import (
	"encoding/binary"

	"sluice/dataplane/protocol"
)

// Parse implements protocol.Parser.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	if env.Datagram {
		p.message(env, dir, data, len(data))
		return protocol.Continue
	}
	h := &p.half[dir]
	if h.lost {
		// After a hole only a message that begins with a segment can be found.
		if probeTCP(dir, data) != protocol.Certain {
			return protocol.Continue
		}
		h.lost = false
	}
	for len(data) > 0 {
		if h.skip > 0 {
			n := min(h.skip, len(data))
			h.skip -= n
			data = data[n:]
			continue
		}
		if len(h.buf) == 0 && len(data) >= 2 {
			if n := 2 + int(binary.BigEndian.Uint16(data)); len(data) >= n {
				p.message(env, dir, data[2:n], len(data)-2)
				data = data[n:]
				continue
			}
		}
		want := 2
		if len(h.buf) >= 2 {
			want = 2 + int(binary.BigEndian.Uint16(h.buf))
		}
		n := min(want-len(h.buf), len(data))
		h.buf = append(h.buf, data[:n]...)
		data = data[n:]
		if len(h.buf) >= 2 && len(h.buf) == 2+int(binary.BigEndian.Uint16(h.buf)) {
			p.message(env, dir, h.buf[2:], len(data)+len(h.buf)-2)
			h.buf = h.buf[:0]
			if cap(h.buf) > 4096 {
				h.buf = nil
			}
		}
	}
	return protocol.Continue
}

// Gap implements protocol.Parser. A hole within one message costs that
// message; after a longer one the next message is looked for.
func (p *Parser) Gap(env *protocol.Env, dir protocol.Dir, n uint64) protocol.Status {
	h := &p.half[dir]
	missing := 0
	switch {
	case h.skip > 0:
		missing = h.skip
	case len(h.buf) >= 2:
		missing = 2 + int(binary.BigEndian.Uint16(h.buf)) - len(h.buf)
	}
	h.buf = h.buf[:0]
	if n <= uint64(missing) {
		h.skip = missing - int(n)
	} else {
		h.skip, h.lost = 0, true
	}
	return protocol.Continue
}

// message makes a transaction of one message, whose bytes are borrowed. It began
// left bytes before the end of those given.
func (p *Parser) message(env *protocol.Env, dir protocol.Dir, data []byte, left int) {
	if len(data) == 0 {
		return
	}
	if len(p.txs.Live) >= env.Limits.Tx(protocol.DNS) {
		p.txs.Last().AddEvent("flooded")
		env.Frame(framePDU, left, int64(len(data)), nil)
		return
	}
	m := newMessage(dir, data)
	m.multicast = p.proto == protocol.MDNS
	if p.proto == protocol.DNS {
		m.misdirected()
	}
	tx := p.txs.Add(m, env.Now)
	env.Frame(framePDU, left, int64(len(data)), tx)
	tx.Only = 1 << m.Dir
	tx.Progress = [2]uint8{Done, Done}
	m.note(tx)
}

// newMessage reads a message, whose bytes are borrowed.
func newMessage(dir protocol.Dir, data []byte) *Message {
	m := &Message{Dir: dir}
	// One allocation for the bytes and, mostly, the names out of them.
	mem := make([]byte, len(data), len(data)+min(256, len(data)))
	copy(mem, data)
	m.raw = mem[:len(data):len(data)]
	m.arena = mem[len(data):len(data)]
	m.parse()
	return m
}

// misdirected notes that a message is not what its direction has.
func (m *Message) misdirected() {
	switch {
	case len(m.raw) < headerLen:
	case m.Dir == protocol.ToServer && m.Response():
		m.faults |= faultNotRequest
	case m.Dir == protocol.ToClient && !m.Response():
		m.faults |= faultNotResponse
	}
}

// note adds what is wrong with a message to its transaction.
func (m *Message) note(tx *protocol.Tx) {
	for i, name := range faultNames {
		if m.faults>>i&1 == 1 {
			tx.AddEvent(name)
		}
	}
}

// Buffer implements protocol.Parser.
func (p *Parser) Buffer(tx *protocol.Tx, id protocol.BufferID, dir protocol.Dir, i int) ([]byte, bool) {
	m, ok := tx.State.(*Message)
	if !ok {
		return nil, false
	}
	return m.buffer(id.Slot(), dir, i)
}

// buffer gives instance i of a buffer by its slot.
func (m *Message) buffer(slot uint8, dir protocol.Dir, i int) ([]byte, bool) {
	if dir != m.Dir || i < 0 {
		return nil, false
	}
	switch slot {
	case slotQuery, slotQueriesName:
		if slot == slotQuery && dir != protocol.ToServer {
			return nil, false
		}
		if i < len(m.questions) {
			return m.text(m.questions[i].name), true
		}
	case slotAnswersName, slotAuthoritiesName, slotAdditionalsName:
		if s := m.sections[slot-slotAnswersName]; i < len(s) {
			return m.text(s[i].name), true
		}
	case slotResponseName:
		if dir != protocol.ToClient && !(m.multicast && m.Response()) {
			return nil, false
		}
		m.collectNames()
		if i < len(m.responseNames) {
			return m.text(m.responseNames[i]), true
		}
	}
	return nil, false
}
