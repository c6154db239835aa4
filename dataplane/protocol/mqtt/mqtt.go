// Package mqtt reads MQTT 3.1, 3.1.1 and 5 (OASIS MQTT Version 3.1.1 and 5.0).
// It takes ordered bytes and gives a transaction for each message together with
// those that answer it, and an object for the content of each publication. It
// knows no flows and no rules.
package mqtt

import (
	"cmp"
	"encoding/binary"

	"sluice/dataplane/protocol"
)

// The progress of a direction: nothing yet, a message of several, all of them.
const (
	Started = iota
	Message
	Done
)

// Type is a message's type (MQTT 5.0 §2.1.2).
type Type uint8

// The types of messages.
const (
	Connect Type = iota + 1
	ConnAck
	Publish
	PubAck
	PubRec
	PubRel
	PubComp
	Subscribe
	SubAck
	Unsubscribe
	UnsubAck
	PingReq
	PingResp
	Disconnect
	Auth
)

var typeNames = [...]string{"", "connect", "connack", "publish", "puback", "pubrec", "pubrel", "pubcomp", "subscribe", "suback",
	"unsubscribe", "unsuback", "pingreq", "pingresp", "disconnect", "auth"}

// The bits of a fixed header.
const (
	flagRetain = 1
	flagDup    = 8
)

const (
	// maxLength is the longest length of four bytes (MQTT 5.0 §1.5.5).
	maxLength = 1<<28 - 1
	// defaultMessage bounds the content that rules and records see.
	defaultMessage = 1 << 20
	// maxKept bounds what the transactions of a flow keep while they wait.
	maxKept = 4 << 20
	// version5 is the protocol's number from which messages have properties.
	version5 = 5
)

// Definition describes MQTT.
func Definition() *protocol.Definition {
	spec := func(slot uint8, name string, dirs protocol.Dirs, multi bool) protocol.BufferSpec {
		return protocol.BufferSpec{ID: protocol.Buffer(protocol.MQTT, slot), Name: "mqtt." + name, Dirs: dirs, Progress: Message, Multi: multi}
	}
	return &protocol.Definition{
		Events: []string{"missing_connect", "missing_publish", "missing_subscribe", "missing_unsubscribe", "double_connect", "unintroduced_message",
			"invalid_qos_level", "unassigned_msg_type", "too_many_transactions", "malformed_traffic"},
		ID: protocol.MQTT, TCP: true, Ports: []uint16{1883},
		Probe:  probe,
		Frames: frames[:],
		New: func(env *protocol.Env) protocol.Parser {
			return &Parser{logLimit: cmp.Or(env.Limits.MQTT.Logged, defaultLogged), passwords: env.Limits.MQTT.Passwords}
		},
		Buffers: []protocol.BufferSpec{
			spec(slotTopic, "publish.topic", protocol.DirsBoth, true), spec(slotMessage, "publish.message", protocol.DirsBoth, true),
			spec(slotSubscribe, "subscribe.topic", protocol.DirsToServer, true), spec(slotUnsubscribe, "unsubscribe.topic", protocol.DirsToServer, true),
			spec(slotClientID, "connect.clientid", protocol.DirsToServer, false), spec(slotUsername, "connect.username", protocol.DirsToServer, false),
			spec(slotPassword, "connect.password", protocol.DirsToServer, false), spec(slotWillTopic, "connect.willtopic", protocol.DirsToServer, false),
			spec(slotWillMessage, "connect.willmessage", protocol.DirsToServer, false), spec(slotProtocol, "connect.protocol_string", protocol.DirsToServer, false),
		},
		Complete: [2]uint8{Done, Done},
		States:   [2][]string{{"request_started", "request_message", "request_complete"}, {"response_started", "response_message", "response_complete"}},
	}
}

// probe knows the first message of each end: a CONNECT by the protocol's name,
// and a CONNACK of versions before 5, which has but one shape.
func probe(dir protocol.Dir, b []byte) protocol.Certainty {
	if dir == protocol.ToClient {
		if len(b) == 4 && b[0] == byte(ConnAck)<<4 && b[1] == 2 && b[2] <= 1 && b[3] <= 5 {
			return protocol.Certain
		}
		return protocol.NotForUs
	}
	if len(b) == 0 || b[0] != byte(Connect)<<4 {
		return protocol.NotForUs
	}
	length, n, ok := varint(b[1:])
	if !ok {
		return protocol.NotForUs
	}
	if n == 0 {
		return protocol.Unsure
	}
	if length < 8 {
		return protocol.NotForUs
	}
	b = b[1+n:]
	for _, name := range []string{"\x00\x04MQTT", "\x00\x06MQIsdp"} {
		if m := min(len(b), len(name)); string(b[:m]) == name[:m] {
			if m < len(name) {
				return protocol.Unsure
			}
			return protocol.Certain
		}
	}
	return protocol.NotForUs
}

// varint reads a length of one to four bytes; n is 0 where b is too short.
func varint(b []byte) (v uint32, n int, ok bool) {
	for i := range min(len(b), 4) {
		v |= uint32(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return v, i + 1, true
		}
	}
	return 0, 0, len(b) < 4
}

// stage says what a direction's next bytes are.
type stage uint8

const (
	stHeader  stage = iota // type, flags and length
	stBody                 // a message that is kept as a whole
	stPublish              // a publication up to its content
	stContent
	stSkip // the rest of a message that is not read
)

// side is one direction.
type side struct {
	stage stage
	first byte
	// left counts the bytes of the message that are still to come.
	left uint32
	// length is the message's own, without its header.
	length uint32
	// head is the length of its header.
	head int
	// since counts what was given from the message's first byte on; framed tells that
	// its frames were announced.
	since  int
	framed bool
	buf    []byte
	cur    *Packet
	tx     *protocol.Tx
	obj    *protocol.Object
}

// Parser is the MQTT of one connection.
type Parser struct {
	txs     protocol.TxList
	wait    pending
	side    [2]side
	version uint8
	// connect is the CONNECT that is to be answered, or was.
	connect   *protocol.Tx
	connected bool
	// user has logged in; claimed says so and was not answered yet.
	user, claimed string
	// logLimit bounds each text of a record; passwords has them shown.
	logLimit  int
	passwords bool
}

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// Parse implements protocol.Parser.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	s := &p.side[dir]
	s.since += len(data)
	for len(data) > 0 {
		switch s.stage {
		case stHeader:
			n, ok := s.header(data)
			if !ok {
				p.malformed(env, dir)
				return protocol.Error
			}
			if data = data[n:]; s.stage != stHeader {
				s.frames(env, len(data))
			}
			if s.stage != stHeader && !p.begin(env, dir) {
				return protocol.Error
			}
		case stBody:
			n := min(len(data), int(s.left))
			s.buf = append(s.buf, data[:n]...)
			data = data[n:]
			if s.left -= uint32(n); s.left == 0 {
				p.body(env, dir)
			}
		case stPublish:
			n, st := p.publish(env, dir, data)
			if st == protocol.Error {
				return st
			}
			data = data[n:]
		case stContent:
			n := min(len(data), int(s.left))
			p.content(env, dir, data[:n])
			data = data[n:]
		case stSkip:
			n := min(len(data), int(s.left))
			data = data[n:]
			if s.left -= uint32(n); s.left == 0 {
				p.next(s)
			}
		}
	}
	return protocol.Continue
}

// header takes type, flags and length.
func (s *side) header(data []byte) (n int, ok bool) {
	for n < len(data) {
		s.buf = append(s.buf, data[n])
		n++
		if len(s.buf) == 1 {
			continue
		}
		v, size, ok := varint(s.buf[1:])
		switch {
		case !ok:
			return n, false
		case size > 0:
			s.first, s.length, s.left, s.head = s.buf[0], v, v, 1+size
			s.buf = s.buf[:0]
			s.stage = stBody
			return n, true
		}
	}
	return n, true
}

func (s *side) typ() Type { return Type(s.first >> 4) }

func (s *side) qos() uint8 { return s.first >> 1 & 3 }

// begin decides how a message whose header is known is read. It reports false
// where what follows cannot be MQTT.
func (p *Parser) begin(env *protocol.Env, dir protocol.Dir) bool {
	s := &p.side[dir]
	s.cur = &Packet{Dir: dir, Type: s.typ(), QoS: s.qos(), Retain: s.first&flagRetain != 0, Dup: s.first&flagDup != 0}
	switch t := s.typ(); {
	case t == 0:
		s.told(env, p.alone(env, s.cur, "unassigned_msg_type"))
		return p.skip(s)
	case s.qos() == 3:
		s.told(env, p.alone(env, s.cur, "invalid_qos_level"))
		return p.skip(s)
	case t == Publish:
		s.stage = stPublish
		if s.left == 0 {
			p.malformed(env, dir)
			return false
		}
	case int(s.length) > env.Limits.MaxHeader:
		// What is too long to be taken apart is looked through as content: nobody
		// shall hide a thing in a will or among properties.
		s.cur.skip(s.length)
		s.tx = p.place(env, s.cur)
		s.told(env, s.tx)
		p.object(env, dir, &protocol.Object{})
	case s.left == 0:
		p.body(env, dir)
	}
	return true
}

func (p *Parser) skip(s *side) bool {
	if s.stage = stSkip; s.left == 0 {
		p.next(s)
	}
	return true
}

// next goes on to the next message of a direction.
func (p *Parser) next(s *side) {
	if cap(s.buf) > 4096 {
		s.buf = nil
	}
	s.stage, s.buf, s.cur, s.tx, s.obj = stHeader, s.buf[:0], nil, nil, nil
}

// body reads a message that is there as a whole.
func (p *Parser) body(env *protocol.Env, dir protocol.Dir) {
	s := &p.side[dir]
	ok := s.cur.read(s.buf, p)
	s.cur.kept = len(s.buf)
	tx := p.place(env, s.cur)
	s.told(env, tx)
	if !ok {
		tx.AddEvent("malformed_traffic")
	}
	if len(s.cur.WillMessage) > 0 {
		// The server publishes it later: it leaves as any content does.
		o := &protocol.Object{Kind: protocol.KindBody, Dir: dir, Tx: tx, Name: protocol.Text(s.cur.WillTopic), Total: uint64(len(s.cur.WillMessage)), Exact: true}
		env.Objects.OpenObject(o)
		env.Objects.ObjectData(o, s.cur.WillMessage)
		env.Objects.CloseObject(o, protocol.ObjectClosed)
	}
	p.next(s)
}

// publish takes a publication up to its content.
func (p *Parser) publish(env *protocol.Env, dir protocol.Dir, data []byte) (int, protocol.Status) {
	s := &p.side[dir]
	// What is still missing is known piece by piece.
	need, ok := p.publishHead(s)
	if !ok || need > int(s.length) || need > env.Limits.MaxHeader {
		p.malformed(env, dir)
		return 0, protocol.Error
	}
	n := min(len(data), need-len(s.buf), int(s.left))
	s.buf = append(s.buf, data[:n]...)
	s.left -= uint32(n)
	if need, ok = p.publishHead(s); !ok {
		p.malformed(env, dir)
		return 0, protocol.Error
	}
	if len(s.buf) < need {
		if s.left == 0 {
			p.malformed(env, dir)
			return 0, protocol.Error
		}
		return n, protocol.Continue
	}
	c := s.cur
	if !c.readPublish(s.buf, p) {
		p.malformed(env, dir)
		return 0, protocol.Error
	}
	c.Size = s.left
	c.kept = len(s.buf)
	if limit := cmp.Or(env.Limits.MQTT.MaxMessage, defaultMessage); int(s.length) > limit || p.wait.size+int(s.length) > maxKept {
		c.skip(s.length)
	}
	s.tx = p.place(env, c)
	s.told(env, s.tx)
	p.object(env, dir, &protocol.Object{Name: protocol.Text(c.Topic), ContentType: c.contentType()})
	if s.left == 0 {
		p.content(env, dir, nil)
	}
	return n, protocol.Continue
}

// object has the rest of a message looked through as content of its transaction.
func (p *Parser) object(env *protocol.Env, dir protocol.Dir, o *protocol.Object) {
	s := &p.side[dir]
	o.Kind, o.Dir, o.Tx, o.Total, o.Exact = protocol.KindBody, dir, s.tx, uint64(s.left), true
	s.obj, s.stage = o, stContent
	env.Objects.OpenObject(o)
}

// publishHead gives the length of what stands before a publication's content,
// as far as it can be told from what there is of it.
func (p *Parser) publishHead(s *side) (need int, ok bool) {
	b := s.buf
	if need = 2; len(b) < need {
		return need, true
	}
	need += int(binary.BigEndian.Uint16(b))
	if s.qos() > 0 {
		need += 2
	}
	if p.version < version5 || len(b) < need {
		return need, true
	}
	v, n, ok := varint(b[need:])
	switch {
	case !ok:
		return 0, false
	case n == 0:
		return len(b) + 1, true
	}
	return need + n + int(v), true
}

// content takes bytes of a publication's content.
func (p *Parser) content(env *protocol.Env, dir protocol.Dir, b []byte) {
	s := &p.side[dir]
	if len(b) > 0 {
		env.Objects.ObjectData(s.obj, b)
		if !s.cur.Truncated {
			s.cur.Message = append(s.cur.Message, b...)
			p.wait.grow(s.tx, len(b))
		}
	}
	if s.left -= uint32(len(b)); s.left == 0 {
		p.close(env, s, protocol.ObjectClosed)
		p.next(s)
	}
}

// close ends a publication's object and lets its transaction go on.
func (p *Parser) close(env *protocol.Env, s *side, state protocol.ObjectState) {
	if s.obj == nil {
		return
	}
	env.Objects.CloseObject(s.obj, state)
	s.obj = nil
	if s.cur.Type == Publish {
		p.arrived(s.tx, s.cur)
	}
}

// malformed notes that a direction cannot be read any further.
func (p *Parser) malformed(env *protocol.Env, dir protocol.Dir) {
	s := &p.side[dir]
	if s.obj != nil {
		p.close(env, s, protocol.ObjectError)
		return
	}
	c := s.cur
	if c == nil {
		c = &Packet{Dir: dir}
	}
	tx := p.alone(env, c, "malformed_traffic")
	if s.cur != nil {
		s.told(env, tx)
	}
}

// Gap implements protocol.Parser. A hole within a content leaves the next
// message where it is; after any other the messages' borders are lost.
func (p *Parser) Gap(env *protocol.Env, dir protocol.Dir, n uint64) protocol.Status {
	s := &p.side[dir]
	s.since += int(n)
	if n > uint64(s.left) || s.stage != stContent && s.stage != stSkip {
		p.End(env, dir)
		return protocol.Error
	}
	s.left -= uint32(n)
	if s.stage == stContent {
		env.Objects.ObjectGap(s.obj, n)
		s.obj.Gaps = true
		s.cur.skip(s.length)
		if s.left == 0 {
			p.close(env, s, protocol.ObjectTruncated)
		}
	}
	if s.left == 0 {
		p.next(s)
	}
	return protocol.Continue
}

// End implements protocol.Parser.
func (p *Parser) End(env *protocol.Env, dir protocol.Dir) {
	s := &p.side[dir]
	if s.cur != nil {
		s.told(env, nil) // it never came as a whole
	}
	p.close(env, s, protocol.ObjectTruncated)
	p.next(s)
	for _, tx := range p.txs.Live {
		if tx.In(dir) {
			p.wait.advance(tx, dir, Done)
		}
	}
}

// User implements protocol.Login: the name of the CONNECT that the server has taken.
func (p *Parser) User(*protocol.Tx) string { return p.user }

// refusal is a server's DISCONNECT for want of a right (MQTT 5.0 §3.14.2.1).
var refusal = []byte{byte(Disconnect) << 4, 2, 0x87, 0}

// Refusal implements protocol.Refuser. Before version 5 a server cannot say no.
func (p *Parser) Refusal() ([]byte, bool) {
	return refusal, p.version >= version5 && p.connected && p.side[protocol.ToClient].stage == stHeader && len(p.side[protocol.ToClient].buf) == 0
}
