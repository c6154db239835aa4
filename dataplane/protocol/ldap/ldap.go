// Package ldap reads LDAP over TCP (RFC 4511) and, as domain controllers are asked,
// over UDP. It takes bytes and gives a transaction for each request with its answers,
// and an object for the values that go each way in it. It knows no flows and no rules.
package ldap

import (
	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/ber"
)

// The progress of a direction: nothing yet, all of it.
const (
	Started = iota
	Done
)

// The anomalies.
const (
	eventTooMany  = "too_many_transactions"
	eventInvalid  = "invalid_data"
	eventNotAsked = "request_not_found"
)

// The slots of the buffers.
const (
	slotRequestDN = iota
	slotRequestType
	slotRequestAttribute
	slotResponseDN
	slotResponseMessage
	slotResponseType
	slotResponseAttribute
)

// Definition describes LDAP.
func Definition() *protocol.Definition {
	spec := func(slot uint8, name string, dir protocol.Dir, multi bool) protocol.BufferSpec {
		return protocol.BufferSpec{ID: protocol.Buffer(protocol.LDAP, slot), Name: "ldap." + name, Dirs: protocol.DirsToServer << dir, Progress: Done, Multi: multi}
	}
	return &protocol.Definition{
		Events: []string{eventTooMany, eventInvalid, eventNotAsked},
		Frames: frames[:],
		ID:     protocol.LDAP, TCP: true, UDP: true, Ports: []uint16{389, 3268},
		Probe: probe, ProbeDatagram: probeDatagram,
		Reversed: func(data []byte) bool { return probeDatagram(protocol.ToClient, data) == protocol.Certain },
		New:      func(env *protocol.Env) protocol.Parser { return &Parser{secrets: env.Limits.ShowSecrets} },
		Buffers: []protocol.BufferSpec{
			spec(slotRequestDN, "request.dn", protocol.ToServer, false), spec(slotRequestType, "request.attribute_type", protocol.ToServer, true),
			spec(slotRequestAttribute, "request.attributes", protocol.ToServer, true),
			spec(slotResponseDN, "responses.dn", protocol.ToClient, true), spec(slotResponseMessage, "responses.message", protocol.ToClient, true),
			spec(slotResponseType, "responses.attribute_type", protocol.ToClient, true),
			spec(slotResponseAttribute, "responses.attributes", protocol.ToClient, true),
		},
		Complete: [2]uint8{Done, Done},
		States:   [2][]string{{"request_started", "request_complete"}, {"response_started", "response_complete"}},
	}
}

// maxHead is how much of a message is enough to know its number and operation.
const maxHead = 3*ber.MaxHead + 8

// head judges a message's beginning and gives its length and what it is, each as far
// as there is enough of it. need is the message's length, 0 while it is not known.
func head(dir protocol.Dir, b []byte) (c protocol.Certainty, id int64, op Op, need int) {
	tag, n, size, ok := ber.Head(b)
	switch {
	case !ok, len(b) > 0 && tag != ber.Sequence:
		return protocol.NotForUs, 0, 0, 0
	case n == 0:
		return protocol.Unsure, 0, 0, 0
	}
	need = n + size
	left := size
	b = b[n:min(len(b), need)]
	more := func() protocol.Certainty {
		if len(b) >= left {
			return protocol.NotForUs // there is no more of it
		}
		return protocol.Unsure
	}
	tag, n, size, ok = ber.Head(b)
	switch {
	case len(b) > 0 && tag != ber.Integer, !ok, n > 0 && (size == 0 || size > 8 || n+size > left):
		return protocol.NotForUs, 0, 0, need
	case n == 0 || len(b) < n+size:
		return more(), 0, 0, need
	}
	id, ok = ber.Int(b[n : n+size])
	if !ok || id < 0 || id > 1<<31-1 {
		return protocol.NotForUs, 0, 0, need
	}
	left -= n + size
	b = b[n+size:]
	tag, n, size, ok = ber.Head(b)
	if len(b) == 0 {
		return more(), id, 0, need
	}
	op, known := opOf(tag, dir)
	switch {
	case !known, !ok, n > 0 && n+size > left:
		return protocol.NotForUs, id, op, need
	case n == 0:
		return more(), id, op, need
	}
	return protocol.Certain, id, op, need
}

// probe knows the first message of each end: its operation, and that no more than
// controls may follow that within it.
func probe(dir protocol.Dir, b []byte) protocol.Certainty {
	c, _, _, need := head(dir, b)
	if c == protocol.Certain && need <= len(b) {
		outer := ber.NewReader(b)
		r := outer.In(ber.Sequence)
		r.Next()
		r.Next()
		if r.More() && r.Tag() != ctxC {
			return protocol.NotForUs
		}
	}
	return c
}

// probeDatagram takes a datagram of whole messages.
func probeDatagram(dir protocol.Dir, b []byte) protocol.Certainty {
	if probe(dir, b) != protocol.Certain {
		return protocol.NotForUs
	}
	_, _, _, need := head(dir, b)
	switch {
	case need > len(b):
		return protocol.NotForUs
	case need < len(b):
		if next, _, _, more := head(dir, b[need:]); next != protocol.Certain || need+more > len(b) {
			return protocol.Unsure
		}
	}
	return protocol.Certain
}

// side is one direction of a stream.
type side struct {
	// buf has the beginning of a message.
	buf []byte
	// left counts the bytes that are still to come of a message that is too long to
	// be kept; they go to obj.
	left int
	obj  *protocol.Object
	tx   *protocol.Tx
	op   Op
	// framed tells that the message whose beginning is in buf was announced.
	framed bool
	// wrapped tells that messages come signed or encrypted, each after its length.
	wrapped bool
}

// Parser is the LDAP of one flow.
type Parser struct {
	protocol.Cleartext
	txs  protocol.TxList
	wait waiting
	side [2]side
	// claimed is who says so in the bind that was not answered yet, user who was
	// let in.
	claimed, user string
	// layered tells that the bind before was by SASL with a mechanism that may wrap
	// what follows.
	layered bool
	// secrets has records show what proves who somebody is.
	secrets bool
}

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// Parse implements protocol.Parser.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	if env.Datagram {
		return p.datagram(env, dir, data)
	}
	s := &p.side[dir]
	for len(data) > 0 {
		if s.left > 0 {
			n := min(s.left, len(data))
			p.content(env, s, data[:n])
			data = data[n:]
			continue
		}
		if s.wrapped || len(s.buf) == 0 && p.wrapped(env, dir, data[0]) {
			env.Objects.ObjectData(s.obj, data)
			return protocol.Continue
		}
		// A message that is there as a whole is read where it lies.
		if len(s.buf) == 0 {
			if c, _, _, need := head(dir, data); c == protocol.Certain && need <= len(data) && need <= limit(env) {
				early(env, len(data), need)
				st := p.message(env, dir, data[:need], len(data))
				data = data[need:]
				if st == protocol.Switch {
					env.Rest = data
					return st
				}
				continue
			}
		}
		n, st := p.gather(env, dir, data)
		data = data[n:]
		if st == protocol.Switch {
			env.Rest = data
		}
		if st != protocol.Continue {
			return st
		}
	}
	return protocol.Continue
}

// limit is the longest message that is taken apart.
func limit(env *protocol.Env) int { return max(env.Limits.MaxHeader, maxHead) }

// gather takes bytes of a message that is not there as a whole, and tells how many.
func (p *Parser) gather(env *protocol.Env, dir protocol.Dir, data []byte) (int, protocol.Status) {
	s := &p.side[dir]
	held := len(s.buf)
	if held < maxHead {
		s.buf = append(s.buf, data[:min(len(data), maxHead-held)]...)
	}
	c, id, op, need := head(dir, s.buf)
	switch {
	case c == protocol.NotForUs:
		p.alone(env, dir, &Message{}, eventInvalid)
		s.buf = nil
		p.finish(env)
		return 0, protocol.Error
	case c == protocol.Unsure:
		return len(s.buf) - held, protocol.Continue
	case need > limit(env):
		p.long(env, dir, id, op, need)
		env.Frame(framePDU, held+len(data), int64(need), s.tx)
		return len(s.buf) - held, p.start(env, s)
	}
	if !s.framed {
		s.framed = true
		early(env, held+len(data), need)
	}
	n := min(need-held, len(data))
	s.buf = append(s.buf[:held], data[:n]...)
	if len(s.buf) < need {
		return n, protocol.Continue
	}
	s.framed = false
	st := p.message(env, dir, s.buf, held+len(data))
	if s.buf = s.buf[:0]; cap(s.buf) > 4096 {
		s.buf = nil
	}
	return n, st
}

// long begins a message that is too long to be taken apart. It is looked through as
// it stands: nobody shall hide a thing in a long value.
func (p *Parser) long(env *protocol.Env, dir protocol.Dir, id int64, op Op, need int) {
	s := &p.side[dir]
	s.tx, s.op = p.place(env, dir, &Message{ID: id, Op: op, Bare: true}), op
	s.left = need
	s.obj = &protocol.Object{Kind: protocol.KindBody, Dir: dir, Tx: s.tx, Total: uint64(need), Exact: true}
	env.Objects.OpenObject(s.obj)
}

// start gives a long message's object what was held back.
func (p *Parser) start(env *protocol.Env, s *side) protocol.Status {
	held := s.buf
	s.buf = nil
	p.content(env, s, held)
	return protocol.Continue
}

// content takes bytes of a long message.
func (p *Parser) content(env *protocol.Env, s *side, b []byte) {
	env.Objects.ObjectData(s.obj, b)
	if s.left -= len(b); s.left == 0 {
		p.closeLong(env, s, protocol.ObjectClosed)
	}
}

func (p *Parser) closeLong(env *protocol.Env, s *side, state protocol.ObjectState) {
	if s.obj == nil {
		return
	}
	env.Objects.CloseObject(s.obj, state)
	dir := s.obj.Dir
	s.obj, s.left = nil, 0
	if s.tx != nil {
		p.arrived(env, dir, s.tx, s.op)
		s.tx = nil
	}
}

// wrapped reports whether a direction's messages come wrapped from now on: after a
// bind by a mechanism that may do so (RFC 4422 §3.7) what begins with a length is no
// message. What is only signed stands in the open within, and all of it is looked
// through.
func (p *Parser) wrapped(env *protocol.Env, dir protocol.Dir, first byte) bool {
	if !p.layered || ber.Tag(first) == ber.Sequence {
		return false
	}
	s := &p.side[dir]
	s.wrapped = true
	s.obj = &protocol.Object{Kind: protocol.KindBody, Dir: dir, Tx: p.alone(env, dir, &Message{Bare: true}, ""), UntilEnd: true}
	env.Objects.OpenObject(s.obj)
	return true
}

// datagram takes the messages of a datagram.
func (p *Parser) datagram(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	if len(data) > 0 && ber.Tag(data[0]) != ber.Sequence {
		// Somebody else's: one message of a scanner does not make a flow LDAP's.
		p.finish(env)
		env.SwitchTo, env.Rest = protocol.Unknown, data
		return protocol.Switch
	}
	for len(data) > 0 {
		c, _, _, need := head(dir, data)
		if c != protocol.Certain || need > len(data) {
			p.look(env, p.alone(env, dir, &Message{}, eventInvalid), dir, data, true)
			return protocol.Continue
		}
		early(env, len(data), need)
		p.message(env, dir, data[:need], len(data))
		data = data[need:]
	}
	return protocol.Continue
}

// Gap implements protocol.Parser. A hole within a long message's content leaves the
// next message where it is; after any other the borders of messages are lost.
func (p *Parser) Gap(env *protocol.Env, dir protocol.Dir, n uint64) protocol.Status {
	s := &p.side[dir]
	switch {
	case s.wrapped:
		env.Objects.ObjectGap(s.obj, n)
		s.obj.Gaps = true
		return protocol.Continue
	case s.left > 0 && n <= uint64(s.left):
		env.Objects.ObjectGap(s.obj, n)
		s.obj.Gaps = true
		if s.left -= int(n); s.left == 0 {
			p.closeLong(env, s, protocol.ObjectTruncated)
		}
		return protocol.Continue
	}
	p.finish(env)
	return protocol.Error
}

// End implements protocol.Parser.
func (p *Parser) End(env *protocol.Env, dir protocol.Dir) {
	s := &p.side[dir]
	state := protocol.ObjectTruncated
	if s.wrapped {
		s.wrapped, state = false, protocol.ObjectClosed
	}
	p.closeLong(env, s, state)
	if len(s.buf) > 0 {
		// A message that never ends has left all the same.
		p.look(env, p.alone(env, dir, &Message{}, eventInvalid), dir, s.buf, true)
		s.buf = nil
	}
	for _, tx := range p.txs.Live {
		if dir == protocol.ToClient {
			p.complete(env, tx, protocol.ObjectTruncated)
		}
		tx.Progress[dir] = Done
	}
}

// finish ends what is open before the rest of the flow is somebody else's.
func (p *Parser) finish(env *protocol.Env) {
	p.End(env, protocol.ToServer)
	p.End(env, protocol.ToClient)
}
