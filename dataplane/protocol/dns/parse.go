package dns

import (
	"encoding/binary"

	"sluice/dataplane/protocol"
)

// Parse implements protocol.Parser.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	if env.Datagram {
		p.message(env, dir, data)
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
				p.message(env, dir, data[2:n])
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
			p.message(env, dir, h.buf[2:])
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

// message makes a transaction of one message, whose bytes are borrowed.
func (p *Parser) message(env *protocol.Env, dir protocol.Dir, data []byte) {
	if len(data) == 0 {
		return
	}
	if len(p.txs.Live) >= env.Limits.Tx(protocol.DNS) {
		p.txs.Last().AddEvent("flooded")
		return
	}
	m := &Message{Dir: dir}
	// One allocation for the bytes and, mostly, the names out of them.
	mem := make([]byte, len(data), len(data)+min(256, len(data)))
	copy(mem, data)
	m.raw = mem[:len(data):len(data)]
	m.arena = mem[len(data):len(data)]
	m.parse()
	if p.proto == protocol.DNS && len(data) >= headerLen {
		if dir == protocol.ToServer && m.Response() {
			m.faults |= faultNotRequest
		} else if dir == protocol.ToClient && !m.Response() {
			m.faults |= faultNotResponse
		}
	}
	tx := p.txs.Add(m, env.Now)
	tx.Only = 1 << m.Dir
	tx.Progress = [2]uint8{Done, Done}
	for i, name := range faultNames {
		if m.faults>>i&1 == 1 {
			tx.AddEvent(name)
		}
	}
}

// Buffer implements protocol.Parser.
func (p *Parser) Buffer(tx *protocol.Tx, id protocol.BufferID, dir protocol.Dir, i int) ([]byte, bool) {
	m, ok := tx.State.(*Message)
	if !ok || dir != m.Dir || i < 0 {
		return nil, false
	}
	switch id.Slot() {
	case slotQuery, slotQueriesName:
		if id.Slot() == slotQuery && dir != protocol.ToServer {
			return nil, false
		}
		if i < len(m.questions) {
			return m.text(m.questions[i].name), true
		}
	case slotAnswersName, slotAuthoritiesName, slotAdditionalsName:
		if s := m.sections[id.Slot()-slotAnswersName]; i < len(s) {
			return m.text(s[i].name), true
		}
	case slotResponseName:
		if dir != protocol.ToClient && !(p.proto == protocol.MDNS && m.Response()) {
			return nil, false
		}
		m.collectNames()
		if i < len(m.responseNames) {
			return m.text(m.responseNames[i]), true
		}
	}
	return nil, false
}
