// Package websocket reads WebSocket (RFC 6455) with compressed messages (RFC 7692),
// behind an upgrade of HTTP/1. It takes ordered bytes and gives a transaction for
// each frame, and an object for each message: unmasked, inflated and put together
// from its fragments. It knows no flows and no rules.
package websocket

import (
	"cmp"
	"encoding/binary"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/decompress"
)

// The progress of a transaction in the direction it has: nothing, the frame's
// header, all of it.
const (
	Started = iota
	Header
	Done
)

// The kinds of frames (RFC 6455 §5.2). Those from opClose on control the
// connection: they may stand between the fragments of a message.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// The bits of a frame's first byte; bitComp tells that a message is compressed.
const (
	bitFin  = 0x80
	bitComp = 0x40
	flags   = 0xf0
)

// slotPayload is the slot of the one buffer.
const slotPayload = 0

// maxFrames bounds the frames that wait to be looked at, all of one packet or of what
// one has completed. They may be as short as two bytes and many, and none of them shall
// hide those behind it from rules; of yet more only the content is looked through. What
// is configured for the protocol comes before it.
const maxFrames = 1 << 14

// defaultPayload bounds what rules and records see of a message.
const defaultPayload = 64<<10 - 1

// The anomalies.
const (
	eventSkipped = "skip_end_of_payload"
	eventLimit   = "reassembly_limit_reached"
)

// Definition describes WebSocket. There is no probe: HTTP hands over to it.
func Definition() *protocol.Definition {
	return &protocol.Definition{
		Events: []string{eventSkipped, eventLimit},
		ID:     protocol.WebSocket,
		Frames: frames[:],
		New: func(env *protocol.Env) protocol.Parser {
			l := env.Limits.WebSocket
			return &Parser{limit: cmp.Or(l.MaxPayload, defaultPayload), base64: l.Base64, printable: l.Printable}
		},
		Buffers: []protocol.BufferSpec{
			{ID: protocol.Buffer(protocol.WebSocket, slotPayload), Name: "websocket.payload", Dirs: protocol.DirsBoth, Progress: Done},
		},
		Complete: [2]uint8{Done, Done},
		States:   [2][]string{{"request_started", "request_header", "request_complete"}, {"response_started", "response_header", "response_complete"}},
	}
}

// Frame is one frame: the State of a transaction.
type Frame struct {
	Dir    protocol.Dir
	first  byte
	masked bool
	mask   uint32
	// payload is the frame's own or, of the last of several fragments, the whole
	// message; bounded.
	payload []byte
}

func (f *Frame) op() byte { return f.first & 15 }

// Field gives instance i of a number for the keyword name: websocket.opcode,
// websocket.mask, and websocket.flags with bit 0x80 for the last fragment and 0x40
// for a compressed message.
func (f *Frame) Field(name string, dir protocol.Dir, i int) (uint64, bool) {
	if dir != f.Dir || i > 0 {
		return 0, false
	}
	switch name {
	case "websocket.opcode":
		return uint64(f.op()), true
	case "websocket.mask":
		return uint64(f.mask), f.masked
	case "websocket.flags":
		return uint64(f.first & flags), true
	}
	return 0, false
}

// message is what a direction has under way: one of data, and beside it, within a
// frame, one that controls the connection.
type message struct {
	obj *protocol.Object
	// shown is what rules see of it; in and out count its bytes as sent and as given.
	shown   []byte
	in, out int64
	// compressed: to be inflated. deaf: that went wrong, the rest is passed over.
	compressed, deaf bool
	open             bool
}

// side is one direction.
type side struct {
	head [14]byte
	have int
	// left counts what is to come of the frame's payload, at where its mask is.
	left uint64
	at   uint64
	key  [4]byte
	tx   *protocol.Tx
	// own is where the frame's payload begins in the message's shown bytes.
	own     int
	data    message
	control message
	inflate decompress.Messages
	ended   bool
}

// Parser is the WebSocket of one connection.
type Parser struct {
	txs               protocol.TxList
	side              [2]side
	limit             int
	base64, printable bool
	up                protocol.Upgrade
	scratch           []byte
	// within is the transaction that has the objects, of a connection within
	// another's; frames have none of their own then.
	within *protocol.Tx
}

// Within gives a parser for a connection that is carried in a transaction of another
// protocol, as in a stream of HTTP/2 (RFC 8441). Messages are objects of tx; there
// are no transactions.
func Within(tx *protocol.Tx, up protocol.Upgrade) *Parser { return &Parser{within: tx, up: up} }

// Hint takes what the request for WebSocket told.
func (p *Parser) Hint(hint any) {
	if up, ok := hint.(protocol.Upgrade); ok {
		p.up = up
	}
}

// Domain implements protocol.Named.
func (p *Parser) Domain() string { return p.up.Host }

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// Release implements protocol.Releaser.
func (p *Parser) Release() {
	for d := range p.side {
		p.side[d].inflate.Reset()
	}
}

// Parse implements protocol.Parser.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	s := &p.side[dir]
	for len(data) > 0 {
		if s.tx != nil {
			n := int(min(uint64(len(data)), s.left))
			p.payload(env, s, data[:n])
			data = data[n:]
			continue
		}
		need := s.headLen()
		n := min(need-s.have, len(data))
		s.have += copy(s.head[s.have:], data[:n])
		data = data[n:]
		if s.have < s.headLen() {
			continue
		}
		if !p.begin(env, dir, s, len(data)) {
			return p.fail(env)
		}
	}
	return protocol.Continue
}

// headLen gives the length of the frame's header, as far as that is known.
func (s *side) headLen() int {
	n := 2
	if s.have < n {
		return n
	}
	switch s.head[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if s.head[1]&0x80 != 0 {
		n += 4
	}
	return n
}

// begin begins the frame whose header is there; behind bytes of what was given
// follow that.
func (p *Parser) begin(env *protocol.Env, dir protocol.Dir, s *side, behind int) bool {
	f := &Frame{Dir: dir, first: s.head[0], masked: s.head[1]&0x80 != 0}
	at, head := 2, s.have
	switch s.left = uint64(s.head[1] & 0x7f); s.left {
	case 126:
		s.left = uint64(binary.BigEndian.Uint16(s.head[2:]))
		at = 4
	case 127:
		s.left = binary.BigEndian.Uint64(s.head[2:])
		at = 10
	}
	s.key, s.at, s.have = [4]byte{}, 0, 0
	if f.masked {
		s.key = [4]byte(s.head[at:])
		f.mask = binary.BigEndian.Uint32(s.head[at:])
	}
	// A length of 64 bits has its highest one clear (§5.2): this is no frame.
	if s.left>>63 != 0 {
		return false
	}
	switch {
	case p.within != nil:
		s.tx = &protocol.Tx{State: f}
	case len(p.txs.Live) >= cmp.Or(env.Limits.TxOf[protocol.WebSocket], maxFrames):
		p.txs.Last().AddEvent(eventLimit)
		s.tx = &protocol.Tx{State: f}
	default:
		s.tx = p.txs.Add(f, env.Now)
		announce(env, s.tx, head, behind, int64(s.left))
	}
	s.tx.Only = protocol.DirsToServer << dir
	s.tx.Progress[dir], s.tx.Progress[dir.Other()] = Header, Done
	m := s.message()
	if f.op() >= opClose || f.op() != opContinuation || !m.open {
		p.close(env, m, protocol.ObjectTruncated)
		*m = message{open: true, compressed: f.first&bitComp != 0 && f.op() < opClose}
	}
	s.own = len(m.shown)
	if s.left > uint64(p.limit) {
		s.tx.AddEvent(eventSkipped)
	}
	if s.left == 0 {
		p.end(env, s)
	}
	return true
}

// message gives the message that the frame under way belongs to.
func (s *side) message() *message {
	if s.tx.State.(*Frame).op() >= opClose {
		return &s.control
	}
	return &s.data
}

// payload takes bytes of the frame's payload.
func (p *Parser) payload(env *protocol.Env, s *side, b []byte) {
	if s.key != [4]byte{} {
		b = p.unmask(s, b)
	}
	s.at += uint64(len(b))
	s.left -= uint64(len(b))
	m := s.message()
	m.in += int64(len(b))
	switch {
	case m.deaf:
	case m.compressed:
		p.inflated(env, s, m, s.inflate.Write(b, p.out(env, s, m)))
	default:
		p.give(env, s, m, b)
	}
	if s.left == 0 {
		p.end(env, s)
	}
}

// unmask gives b as it was before its sender hid it (§5.3). The bytes are the
// caller's: they are copied.
func (p *Parser) unmask(s *side, b []byte) []byte {
	p.scratch = append(p.scratch[:0], b...)
	out := p.scratch
	var key [8]byte
	for i := range key {
		key[i] = s.key[(s.at+uint64(i))&3]
	}
	word := binary.LittleEndian.Uint64(key[:])
	i := 0
	for ; i+8 <= len(out); i += 8 {
		binary.LittleEndian.PutUint64(out[i:], binary.LittleEndian.Uint64(out[i:])^word)
	}
	for ; i < len(out); i++ {
		out[i] ^= key[i&7]
	}
	return out
}

// out takes inflated bytes, and no more of them than the limits allow.
func (p *Parser) out(env *protocol.Env, s *side, m *message) func([]byte) bool {
	return func(b []byte) bool {
		l := env.Limits
		free := cmp.Or(l.RatioFree, 64<<10)
		switch total := m.out + int64(len(b)); {
		case total > l.MaxDecompressed:
			p.object(env, s, m).Unscannable = "too-large"
			return false
		case total > free && total/int64(max(1, l.MaxRatio)) > m.in:
			p.object(env, s, m).Unscannable = "ratio"
			return false
		}
		p.give(env, s, m, b)
		return true
	}
}

// inflated notes what went wrong in inflating.
func (p *Parser) inflated(env *protocol.Env, s *side, m *message, err error) {
	if err == nil {
		return
	}
	m.deaf = true
	if o := p.object(env, s, m); o.Unscannable == "" {
		o.Unscannable = "encoding"
	}
}

// object gives the message's object, which the first byte opens.
func (p *Parser) object(env *protocol.Env, s *side, m *message) *protocol.Object {
	if m.obj == nil {
		f := s.tx.State.(*Frame)
		m.obj = &protocol.Object{Kind: protocol.KindBody, Dir: f.Dir, Tx: cmp.Or(p.within, s.tx), Name: p.up.Path}
		if f.op() == opText {
			m.obj.ContentType = "text/plain"
		}
		env.Objects.OpenObject(m.obj)
	}
	return m.obj
}

// give passes on a message's bytes.
func (p *Parser) give(env *protocol.Env, s *side, m *message, b []byte) {
	if len(b) == 0 {
		return
	}
	m.out += int64(len(b))
	env.Objects.ObjectData(p.object(env, s, m), b)
	n := min(len(b), p.limit-len(m.shown))
	m.shown = append(m.shown, b[:n]...)
	if n < len(b) {
		s.tx.AddEvent(eventLimit)
	}
}

// end ends a frame and, with its last fragment, a message.
func (p *Parser) end(env *protocol.Env, s *side) {
	m, f := s.message(), s.tx.State.(*Frame)
	last := f.first&bitFin != 0 || f.op() >= opClose
	if last && m.compressed && !m.deaf {
		p.inflated(env, s, m, s.inflate.End(p.out(env, s, m)))
	}
	if last {
		f.payload = m.shown
	} else if s.own < len(m.shown) {
		f.payload = append([]byte(nil), m.shown[s.own:]...)
	}
	s.tx.Progress = [2]uint8{Done, Done}
	if last {
		p.close(env, m, protocol.ObjectClosed)
	}
	s.tx = nil
}

// close ends a message.
func (p *Parser) close(env *protocol.Env, m *message, state protocol.ObjectState) {
	if m.obj != nil {
		if m.deaf || m.obj.Gaps {
			state = protocol.ObjectTruncated
		}
		env.Objects.CloseObject(m.obj, state)
	}
	*m = message{}
}

// Gap implements protocol.Parser. A hole within a frame is one of its message; one
// that hides a frame's header leaves nothing to tell frames by.
func (p *Parser) Gap(env *protocol.Env, dir protocol.Dir, n uint64) protocol.Status {
	s := &p.side[dir]
	if s.tx == nil || n > s.left {
		return p.fail(env)
	}
	m := s.message()
	s.left -= n
	s.at += n
	m.in += int64(n)
	o := p.object(env, s, m)
	if m.compressed {
		m.deaf = true
		o.Unscannable = "gap"
		s.inflate.Reset()
	}
	env.Objects.ObjectGap(o, n)
	o.Gaps = true
	if s.left == 0 {
		p.end(env, s)
	}
	return protocol.Continue
}

// fail ends both directions: their further bytes are nobody's.
func (p *Parser) fail(env *protocol.Env) protocol.Status {
	p.finish(env, &p.side[protocol.ToServer])
	p.finish(env, &p.side[protocol.ToClient])
	return protocol.Error
}

// finish gives up what a direction has under way.
func (p *Parser) finish(env *protocol.Env, s *side) {
	p.close(env, &s.control, protocol.ObjectTruncated)
	p.close(env, &s.data, protocol.ObjectTruncated)
	if s.tx != nil {
		s.tx.Progress = [2]uint8{Done, Done}
		s.tx = nil
	}
	s.inflate.Reset()
}

// End implements protocol.Parser.
func (p *Parser) End(env *protocol.Env, dir protocol.Dir) {
	p.finish(env, &p.side[dir])
	p.side[dir].ended = true
}

// Buffer implements protocol.Parser.
func (p *Parser) Buffer(tx *protocol.Tx, id protocol.BufferID, dir protocol.Dir, i int) ([]byte, bool) {
	f, ok := tx.State.(*Frame)
	if !ok || id.Protocol() != protocol.WebSocket || dir != f.Dir || i != 0 || len(f.payload) == 0 {
		return nil, false
	}
	return f.payload, true
}

// Refusal implements protocol.Refuser: between two frames of the server stands one
// that closes the connection for reasons of policy (§7.4.1).
func (p *Parser) Refusal() ([]byte, bool) {
	s := &p.side[protocol.ToClient]
	if s.ended || s.tx != nil || s.have > 0 || s.data.open {
		return nil, false
	}
	return refusal, true
}

// refusal is a frame of the kind opClose with the status 1008.
var refusal = []byte{bitFin | opClose, 2, 1008 >> 8, 1008 & 0xff}
