// Package modbus reads Modbus over TCP (MODBUS Messaging on TCP/IP Implementation
// Guide V1.0b, MODBUS Application Protocol Specification V1.1b3). It takes ordered
// bytes and gives a transaction for each request with its response, and an object
// for what a message writes or reads. It knows no flows and no rules.
package modbus

import (
	"encoding/binary"

	"sluice/dataplane/protocol"
)

// Done is the progress of a direction that is complete.
const Done = 1

const (
	// headerLen is the length of the header up to what its length counts.
	headerLen = 6
	// minLength and maxLength bound what the header's length may say: unit and
	// function, and the longest message (Messaging Guide §4.1).
	minLength, maxLength = 2, 254
	// exceptionBit marks the function of a response that tells of an error.
	exceptionBit = 0x80
)

// eventNames are the anomalies that the parser adds to transactions.
var eventNames = []string{"invalid_protocol_id", "unsolicited_response", "invalid_length", "invalid_unit_identifier", "invalid_function_code",
	"invalid_value", "invalid_exception_code", "value_mismatch", "flooded"}

// Definition describes Modbus.
func Definition() *protocol.Definition {
	return &protocol.Definition{
		Events: eventNames,
		ID:     protocol.Modbus, TCP: true, Ports: []uint16{502},
		Probe:    probe,
		New:      func(*protocol.Env) protocol.Parser { return new(Parser) },
		Complete: [2]uint8{Done, Done},
		First:    protocol.DirsToServer,
		States:   [2][]string{{"request_started", "request_complete"}, {"response_started", "response_complete"}},
	}
}

// How a sequence of BER begins that has a length of four bytes.
const berSequence, berLong = 0x30, 0x84

// probe knows messages that end where the bytes do, and such as have what their
// function asks for: nothing else marks the protocol. One that no device would
// take may come first, lest it hide those that follow, but for what is a response.
func probe(dir protocol.Dir, b []byte) protocol.Certainty {
	switch {
	case !plausible(b):
		return protocol.NotForUs
	case len(b) < headerLen || len(b) < headerLen+int(b[5]):
		return protocol.Unsure
	}
	n := headerLen + int(b[5])
	var m, other Message
	m.parse(dir, b[headerLen:n])
	const wrong = ErrLength | ErrException | ErrValue | ErrFunction
	if m.Errors&wrong != 0 && dir == protocol.ToServer {
		if other.parse(protocol.ToClient, b[headerLen:n]); other.Errors&wrong == 0 && (other.Exception || len(other.Data) > 0) {
			return protocol.NotForUs
		}
	}
	if (m.Errors&wrong != 0 || m.Category != PublicAssigned) && b[0] == berSequence && b[1] == berLong {
		return protocol.NotForUs // LDAP writes its lengths so
	}
	rest := b[n:]
	for len(rest) >= headerLen && plausible(rest) && len(rest) >= headerLen+int(rest[5]) {
		rest = rest[headerLen+int(rest[5]):]
	}
	switch {
	case len(rest) == 0:
		return protocol.Certain
	case m.Errors&wrong != 0 || !plausible(rest):
		return protocol.NotForUs
	case m.Category == PublicAssigned:
		return protocol.Certain
	}
	return protocol.Unsure
}

// plausible reports whether b may begin a message, as far as it goes.
func plausible(b []byte) bool {
	return !(len(b) > 2 && b[2] != 0 || len(b) > 3 && b[3] != 0 || len(b) > 4 && b[4] != 0 || len(b) > 5 && (b[5] < minLength || b[5] > maxLength))
}

// side is one direction.
type side struct {
	// buf holds a message that has begun.
	buf []byte
	// skip counts the bytes of one that is too long to be a message.
	skip int
	// lost tells that bytes are missing: the next ones must look like a message.
	lost  bool
	stray protocol.Stray
}

// Transaction is the State of a transaction: a request and its response, of which
// one may be nil.
type Transaction struct {
	Messages [2]*Message
}

// Parser is the Modbus of one connection.
type Parser struct {
	txs  protocol.TxList
	wait protocol.Waiting[uint16]
	side [2]side
}

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// Parse implements protocol.Parser. No message ends the parsing: devices go on
// after what they do not understand, too.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	s := &p.side[dir]
	if s.lost {
		if len(data) < headerLen+minLength || !plausible(data) {
			s.stray.Add(env, &p.txs, dir, over, data)
			return protocol.Continue
		}
		s.lost = false
	}
	for len(data) > 0 {
		if s.skip > 0 {
			n := min(len(data), s.skip)
			s.stray.Add(env, &p.txs, dir, over, data[:n])
			data, s.skip = data[n:], s.skip-n
			continue
		}
		if len(s.buf) == 0 {
			// Most messages come as a whole.
			if n, ok := whole(data); ok {
				p.message(env, dir, data[:n])
				data = data[n:]
				continue
			}
		}
		need := headerLen
		if len(s.buf) >= headerLen {
			need += int(binary.BigEndian.Uint16(s.buf[4:]))
		}
		n := min(len(data), need-len(s.buf))
		s.buf = append(s.buf, data[:n]...)
		data = data[n:]
		if len(s.buf) < headerLen {
			continue
		}
		length := int(binary.BigEndian.Uint16(s.buf[4:]))
		switch {
		case length < minLength || length > maxLength:
			m := &Message{Dir: dir, ID: binary.BigEndian.Uint16(s.buf), Protocol: binary.BigEndian.Uint16(s.buf[2:]), Errors: ErrLength}
			p.alone(env, m)
			s.buf, s.skip = s.buf[:0], length
		case len(s.buf) == headerLen+length:
			p.message(env, dir, s.buf)
			s.buf = s.buf[:0]
		}
	}
	return protocol.Continue
}

// whole gives the length of the message that b begins with, if all of it is there.
func whole(b []byte) (int, bool) {
	if len(b) < headerLen {
		return 0, false
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	return headerLen + n, n >= minLength && n <= maxLength && len(b) >= headerLen+n
}

var over = [2]uint8{Done, Done}

// message takes a message that is there as a whole.
func (p *Parser) message(env *protocol.Env, dir protocol.Dir, b []byte) {
	m := &Message{Dir: dir, ID: binary.BigEndian.Uint16(b), Protocol: binary.BigEndian.Uint16(b[2:])}
	if m.Protocol != 0 {
		m.Errors |= ErrProtocol
	}
	m.parse(dir, append([]byte(nil), b[headerLen:]...))
	var tx *protocol.Tx
	if dir == protocol.ToServer {
		tx = p.request(env, m)
	} else {
		tx = p.response(env, m)
	}
	tell(tx, m)
	if len(m.Data) >= minObject {
		env.Whole(&protocol.Object{Kind: protocol.KindBody, Dir: dir, Tx: tx, Name: m.objectName()}, m.Data)
	}
}

// minObject is the shortest content that is looked through: less holds nothing
// that could be confidential by itself.
const minObject = 8

// request makes the transaction of a request. Where too many wait the oldest is
// given up: answers that never come must not keep everything.
func (p *Parser) request(env *protocol.Env, m *Message) *protocol.Tx {
	flooded := false
	for limit := env.Limits.Tx(protocol.Modbus); limit > 0 && p.wait.Len() >= limit; flooded = true {
		p.wait.Oldest().Progress = over
	}
	tx := p.txs.Add(&Transaction{Messages: [2]*Message{m}}, env.Now)
	tx.Progress[protocol.ToServer] = Done
	if flooded {
		tx.AddEvent("flooded")
	}
	if before := p.wait.Add(m.ID, tx); before != nil {
		before.Progress = over
	}
	return tx
}

// response puts a response to its request.
func (p *Parser) response(env *protocol.Env, m *Message) *protocol.Tx {
	tx := p.wait.Take(m.ID)
	if tx == nil {
		tx = p.alone(env, m)
		tx.AddEvent("unsolicited_response")
		return tx
	}
	t := tx.State.(*Transaction)
	t.Messages[protocol.ToClient] = m
	if !t.Messages[protocol.ToServer].answeredBy(m) {
		m.Errors |= ErrMismatch
	}
	tx.Progress[protocol.ToClient] = Done
	return tx
}

// alone makes the transaction of a message that belongs to no other.
func (p *Parser) alone(env *protocol.Env, m *Message) *protocol.Tx {
	t := new(Transaction)
	t.Messages[m.Dir] = m
	tx := p.txs.Add(t, env.Now)
	tx.Only = protocol.DirsToServer << m.Dir
	tx.Progress = over
	tell(tx, m)
	return tx
}

// tell notes a message's errors.
func tell(tx *protocol.Tx, m *Message) {
	for i, name := range errorEvents {
		if m.Errors>>i&1 == 1 {
			tx.AddEvent(name)
		}
	}
}

// Gap implements protocol.Parser. After a hole the borders of messages are lost;
// most segments begin with one.
func (p *Parser) Gap(env *protocol.Env, dir protocol.Dir, n uint64) protocol.Status {
	s := &p.side[dir]
	s.stray.Add(env, &p.txs, dir, over, s.buf)
	s.stray.Gap(env, n)
	if n <= uint64(s.skip) {
		s.skip -= int(n)
		return protocol.Continue
	}
	s.buf, s.skip, s.lost = s.buf[:0], 0, true
	return protocol.Continue
}

// End implements protocol.Parser.
func (p *Parser) End(env *protocol.Env, dir protocol.Dir) {
	s := &p.side[dir]
	s.stray.Add(env, &p.txs, dir, over, s.buf)
	s.buf = s.buf[:0]
	s.stray.End(env)
	for _, tx := range p.txs.Live {
		tx.Progress[dir] = Done
	}
}

// Buffer implements protocol.Parser; there are no buffers.
func (p *Parser) Buffer(*protocol.Tx, protocol.BufferID, protocol.Dir, int) ([]byte, bool) {
	return nil, false
}
