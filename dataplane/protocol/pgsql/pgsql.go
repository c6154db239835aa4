// Package pgsql reads the protocol 3 of PostgreSQL (PostgreSQL documentation,
// "Frontend/Backend Protocol"). It takes ordered bytes and gives a transaction for
// each request with what the server answers, and objects for what the two ends tell
// each other: texts of queries and their parameters, rows, and what COPY transfers.
// It knows no flows and no rules.
package pgsql

import (
	"encoding/binary"

	"sluice/dataplane/protocol"
)

// Done is the progress of a direction that is over.
const Done = 1

// The codes that take the place of a version in a first message, and the version.
const (
	codeCancel = 80877102
	codeTLS    = 80877103
	codeGSS    = 80877104
	major      = 3
)

const (
	// maxOpening is the longest first message that servers take.
	maxOpening = 10000
	// maxMessage is the longest message: servers hold messages in one piece of memory.
	maxMessage = 1 << 30
	// maxKept bounds the texts that the transactions of a flow keep while they wait.
	maxKept = 4 << 20
	// maxColumns is the most that a row has; servers have 1,664.
	maxColumns = 2048
	// maxReplies bounds the messages that answer one request, rows and copied data
	// aside, before that is an anomaly.
	maxReplies = 1024
	// maxStatus bounds the parameters that a transaction keeps.
	maxStatus = 64
	// handshake is the first byte of a record of TLS that holds a handshake.
	handshake = 0x16
)

// slotQuery is the slot of the buffer.
const slotQuery = 0

// Definition describes PostgreSQL's protocol.
func Definition() *protocol.Definition {
	return &protocol.Definition{
		Events: []string{"too_many_transactions", "malformed_request", "malformed_response", "invalid_length", "too_many_responses"},
		ID:     protocol.PGSQL, TCP: true, Ports: []uint16{5432},
		Probe: probe, Answer: answer, First: protocol.DirsToServer,
		New: func(env *protocol.Env) protocol.Parser { return newParser(env) },
		Buffers: []protocol.BufferSpec{{ID: protocol.Buffer(protocol.PGSQL, slotQuery), Name: "pgsql.query", Dirs: protocol.DirsToServer,
			Progress: Done, Multi: true}},
		Complete: [2]uint8{Done, Done},
		States:   [2][]string{{"request_started", "request_complete"}, {"response_started", "response_complete"}},
	}
}

// probe knows a client by its first message, or by a whole query where its first
// messages were missed, and a server by its first word on who may come in. Eight
// bytes of an unknown code are left to the port.
func probe(dir protocol.Dir, b []byte) protocol.Certainty {
	if len(b) == 0 {
		return protocol.Unsure
	}
	if dir == protocol.ToClient {
		return probeServer(b)
	}
	if b[0] == 'Q' {
		return probeQuery(b)
	}
	if b[0] != 0 || len(b) > 1 && b[1] != 0 {
		return protocol.NotForUs
	}
	if len(b) < 8 {
		return protocol.Unsure
	}
	n, code := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	switch {
	case n < 8 || n > maxOpening:
		return protocol.NotForUs
	case code == codeTLS && n == 8, code == codeGSS && n == 8, code == codeCancel && n >= 16:
		return protocol.Certain
	case code>>16 == major && code&0xffff < 16 && n > 8:
		if len(b) == 8 {
			return protocol.Unsure
		}
		if isLetter(b[8]) || b[8] == 0 || b[8] == '_' {
			return protocol.Certain
		}
		return protocol.NotForUs
	case n == 8 && len(b) == 8:
		return protocol.Unsure
	}
	return protocol.NotForUs
}

// probeQuery knows a message that is all of what there is: a text that ends in the
// only zero.
func probeQuery(b []byte) protocol.Certainty {
	if len(b) > 1 && b[1] != 0 || len(b) > 2 && b[2] != 0 {
		return protocol.NotForUs
	}
	if len(b) < 6 {
		return protocol.Unsure
	}
	n := int(binary.BigEndian.Uint32(b[1:]))
	if n < 8 || n >= protocol.ProbeDepth || len(b) > n+1 {
		return protocol.NotForUs
	}
	for i, c := range b[5:] {
		if c == 0 && i+5 < n || c < ' ' && c != 0 && c != '\n' && c != '\t' && c != '\r' {
			return protocol.NotForUs
		}
	}
	if len(b) < n+1 {
		return protocol.Unsure
	}
	if b[n] != 0 {
		return protocol.NotForUs
	}
	return protocol.Certain
}

// probeServer knows what a server asks of a client to let it in, and a refusal.
func probeServer(b []byte) protocol.Certainty {
	var want string
	switch b[0] {
	case 'R':
		want = "R\x00\x00\x00"
	case 'E':
		want = "E\x00\x00"
	default:
		return protocol.NotForUs
	}
	if n := min(len(b), len(want)); string(b[:n]) != want[:n] {
		return protocol.NotForUs
	}
	if b[0] == 'R' {
		switch {
		case len(b) < 9:
			return protocol.Unsure
		case b[4] >= 8 && b[5] == 0 && b[6] == 0 && b[7] == 0 && b[8] <= 12:
			return protocol.Certain
		}
		return protocol.NotForUs
	}
	const severity = "SFATAL\x00"
	n := min(len(b), 5+len(severity))
	if n > 5 && string(b[5:n]) != severity[:n-5] {
		return protocol.NotForUs
	}
	if n < 5+len(severity) {
		return protocol.Unsure
	}
	return protocol.Certain
}

// answer judges the first bytes of an end whose peer is known to speak the protocol.
// A server may say yes or no to encryption in a single byte.
func answer(dir protocol.Dir, b []byte) protocol.Certainty {
	if dir == protocol.ToClient && len(b) > 0 && (b[0] == 'S' || b[0] == 'N' || b[0] == 'G' || b[0] == 'E' || b[0] == 'R') {
		return protocol.Certain
	}
	return probe(dir, b)
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// stage says what a direction's next bytes are.
type stage uint8

const (
	stOpening stage = iota // the head of a client's first message, which has no type
	stHead                 // type and length
	stBody
)

// mode says what becomes of a message's bytes.
type mode uint8

const (
	mWhole  mode = iota // they are kept
	mQuery              // text, kept and given
	mParse              // a name, which is kept, then text
	mPrefix             // what stands before values, which is kept
	mValues             // values with their lengths
	mRaw                // they are given as they are
	mSkip
)

// side is one direction.
type side struct {
	stage stage
	mode  mode
	typ   byte
	// left counts the bytes of the message that are still to come.
	left uint32
	// buf is what is kept of a head, or of a message.
	buf []byte
	// tx is the transaction of the message in work.
	tx *protocol.Tx
	// obj is what is being told; out is the part of it that is not given yet.
	obj    *protocol.Object
	out    []byte
	before prefix
	values values
}

// Parser is the PostgreSQL of one flow.
type Parser struct {
	txs  protocol.TxList
	side [2]side
	// queue has the transactions that wait for answers, in order of age; kept
	// counts the bytes of their texts.
	queue []*protocol.Tx
	kept  int
	// extended is the transaction of the messages up to the next Sync, copying that
	// of what is copied in.
	extended, copying *protocol.Tx
	// asked is the kind of encryption that a client has asked for, until answered.
	asked byte
	// sealed tells that the rest is encrypted in a way that cannot be followed. It goes
	// to veiled all the same: nobody shall hide a thing by saying so.
	sealed bool
	veiled protocol.Leftover
	unread [2]uint64
	// auth is the last that the server has asked for to let the client in, in that it
	// has done so.
	auth          uint32
	in            bool
	user, claimed string
	protocol.Cleartext
	columns   []column
	passwords bool
}

func newParser(env *protocol.Env) *Parser {
	p := &Parser{passwords: env.Limits.PGSQL.Passwords, auth: authUnknown}
	p.side[protocol.ToClient].stage = stHead
	return p
}

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// Parse implements protocol.Parser.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	if p.sealed {
		p.unread[dir] += uint64(len(data))
		p.veiled.Data(env, dir, data)
		return protocol.Continue
	}
	s := &p.side[dir]
	for len(data) > 0 {
		var st protocol.Status
		switch s.stage {
		case stOpening:
			data, st = p.opening(env, s, data)
		case stHead:
			data, st = p.head(env, dir, data)
		default:
			n := min(len(data), int(s.left))
			p.take(env, dir, data[:n])
			data, s.left = data[n:], s.left-uint32(n)
			if s.left == 0 {
				st = p.message(env, dir)
			}
		}
		if st != protocol.Continue {
			p.flush(env, dir)
			return st
		}
	}
	p.flush(env, dir)
	return protocol.Continue
}

// opening takes the head of a client's first messages.
func (p *Parser) opening(env *protocol.Env, s *side, data []byte) ([]byte, protocol.Status) {
	if len(s.buf) == 0 {
		switch {
		case data[0] == handshake && p.txs.Next > 0:
			// The server's yes was not seen.
			return p.toTLS(env, data)
		case data[0] != 0:
			s.stage = stHead // its first messages were missed
			return data, protocol.Continue
		}
	}
	n := min(8-len(s.buf), len(data))
	s.buf = append(s.buf, data[:n]...)
	if len(s.buf) < 8 {
		return nil, protocol.Continue
	}
	data = data[n:]
	length, code := binary.BigEndian.Uint32(s.buf), binary.BigEndian.Uint32(s.buf[4:])
	s.buf = s.buf[:0]
	if length < 8 || length > maxOpening {
		return nil, p.broken(env, protocol.ToServer, "invalid_length")
	}
	s.left, s.mode = length-8, mWhole
	switch {
	case (code == codeTLS || code == codeGSS) && length == 8:
		t := &Transaction{Kind: TLSRequest}
		p.asked = 'S'
		if code == codeGSS {
			t.Kind, p.asked = GSSRequest, 'G'
		}
		s.tx = p.request(env, t)
		s.tx.Progress[protocol.ToServer] = Done
	case code == codeCancel && length >= 16:
		if s.stage, s.typ, s.tx = stBody, typCancel, nil; s.left > maxKey {
			p.watch(env, protocol.ToServer)
		}
	case code>>16 == major:
		s.stage, s.typ = stBody, typStartup
		p.asked = 0
		if s.tx = p.request(env, &Transaction{Kind: Startup, Version: code}); s.left > maxParamLen {
			p.watch(env, protocol.ToServer)
		}
		if s.left == 0 {
			return data, p.message(env, protocol.ToServer)
		}
	default:
		return nil, p.broken(env, protocol.ToServer, "malformed_request")
	}
	return data, protocol.Continue
}

// head takes the type and the length of a message, or a server's answer of a byte.
func (p *Parser) head(env *protocol.Env, dir protocol.Dir, data []byte) ([]byte, protocol.Status) {
	s := &p.side[dir]
	if len(s.buf) == 0 && dir == protocol.ToClient && p.asked != 0 {
		asked, yes := p.asked, data[0]
		p.asked = 0
		if yes == asked || yes == 'N' {
			if tx := p.current(); tx != nil {
				tx.State.(*Transaction).Accepted = yes == asked
				p.finish(env, tx)
			}
			switch {
			case yes == 'S':
				return p.toTLS(env, data[1:])
			case yes == 'G':
				p.sealed = true
				p.unread[dir] += uint64(len(data) - 1)
				p.veiled.Data(env, dir, data[1:])
				return nil, protocol.Continue
			}
			return data[1:], protocol.Continue
		}
	}
	n := min(5-len(s.buf), len(data))
	s.buf = append(s.buf, data[:n]...)
	if len(s.buf) < 5 {
		return nil, protocol.Continue
	}
	length := binary.BigEndian.Uint32(s.buf[1:])
	s.typ, s.buf = s.buf[0], s.buf[:0]
	if length < 4 || length > maxMessage {
		return nil, p.broken(env, dir, "invalid_length")
	}
	s.left, s.stage = length-4, stBody
	if dir == protocol.ToServer {
		p.beginRequest(env, s)
	} else {
		p.beginReply(env, s)
	}
	if s.left == 0 {
		return data[n:], p.message(env, dir)
	}
	return data[n:], protocol.Continue
}

// toTLS hands the rest of the connection over.
func (p *Parser) toTLS(env *protocol.Env, rest []byte) ([]byte, protocol.Status) {
	for len(p.queue) > 0 {
		p.finish(env, p.queue[0])
	}
	env.SwitchTo, env.Rest = protocol.TLS, rest
	return nil, protocol.Switch
}

// message ends the message in work.
func (p *Parser) message(env *protocol.Env, dir protocol.Dir) protocol.Status {
	s := &p.side[dir]
	if dir == protocol.ToServer {
		p.endRequest(env, s)
	} else {
		p.endReply(env, s)
	}
	if cap(s.buf) > 8<<10 {
		s.buf = nil
	}
	s.buf, s.tx = s.buf[:0], nil
	if s.stage == stBody {
		s.stage = stHead
	}
	return protocol.Continue
}

// broken notes that a direction cannot be read any further.
func (p *Parser) broken(env *protocol.Env, dir protocol.Dir, event string) protocol.Status {
	kind := Unknown
	if dir == protocol.ToClient {
		kind = Orphan
	}
	p.alone(env, dir, &Transaction{Kind: kind}).AddEvent(event)
	p.closeObject(env, dir, protocol.ObjectError)
	return p.giveUp(env)
}

// giveUp ends both directions: nothing tells the parser of their ends any more.
func (p *Parser) giveUp(env *protocol.Env) protocol.Status {
	p.End(env, protocol.ToServer)
	p.End(env, protocol.ToClient)
	return protocol.Error
}

// Gap implements protocol.Parser. A hole within a message leaves the next one where
// it is; after any other the messages' borders are lost.
func (p *Parser) Gap(env *protocol.Env, dir protocol.Dir, n uint64) protocol.Status {
	s := &p.side[dir]
	if p.sealed {
		p.unread[dir] += n
		p.veiled.Gap(env, dir, n)
		return protocol.Continue
	}
	if s.stage != stBody || n > uint64(s.left) {
		return p.giveUp(env)
	}
	s.left -= uint32(n)
	p.cut(env, dir)
	switch s.mode {
	case mQuery, mParse, mPrefix, mValues, mRaw:
		p.flush(env, dir)
		if s.obj != nil {
			env.Objects.ObjectGap(s.obj, n)
			s.obj.Gaps = true
		}
		s.mode = mRaw
	default:
		s.mode = mSkip
	}
	if s.left == 0 {
		return p.message(env, dir)
	}
	return protocol.Continue
}

// cut has looked through what is kept of a message that does not come to its end, but
// for what a client proves itself with.
func (p *Parser) cut(env *protocol.Env, dir protocol.Dir) {
	s := &p.side[dir]
	if s.stage != stBody || s.tx == nil || s.mode != mPrefix && (s.mode != mWhole || dir == protocol.ToServer) {
		return
	}
	p.tell(env, dir, s.tx, s.buf)
	s.buf, s.mode = s.buf[:0], mRaw
}

// End implements protocol.Parser.
func (p *Parser) End(env *protocol.Env, dir protocol.Dir) {
	p.cut(env, dir)
	p.veiled.End(env, dir)
	p.flush(env, dir)
	p.closeObject(env, dir, protocol.ObjectTruncated)
	for _, tx := range p.txs.Live {
		if tx.In(dir) {
			tx.Progress[dir] = Done
		}
	}
}

// Unread implements protocol.Opaque.
func (p *Parser) Unread(dir protocol.Dir) (encrypted, other uint64) { return p.unread[dir], 0 }

// User implements protocol.Login: whom the server has let in.
func (p *Parser) User(*protocol.Tx) string { return p.user }

// refusal is an error that ends a session.
var refusal = []byte("E\x00\x00\x00\x32SFATAL\x00VFATAL\x00C42501\x00Mrefused by the network\x00\x00")

// Refusal implements protocol.Refuser.
func (p *Parser) Refusal() ([]byte, bool) {
	s := &p.side[protocol.ToClient]
	return refusal, p.in && !p.sealed && s.stage == stHead && len(s.buf) == 0
}
