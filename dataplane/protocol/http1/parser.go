package http1

import (
	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/dns"
)

// stage is where a direction is.
type stage uint8

const (
	// stIdle: between messages; empty lines are skipped.
	stIdle stage = iota
	// stLine: within a start line.
	stLine
	// stAfter09: behind a request line without protocol, which headers may
	// follow all the same.
	stAfter09
	stHeaders
	// stBlank: behind a line of white space, which may have ended the head.
	stBlank
	// stMaybeBody: the head promises a body that the status forbids.
	stMaybeBody
	stLength
	stUntilEnd
	stChunkSize
	stChunkData
	stChunkEnd
	stTrailer
	// stLost: behind a gap or rubbish; looking for the next start line.
	stLost
	// stHold: the request asks for another protocol; what follows is kept until
	// the answer.
	stHold
)

const (
	// maxChunkLine bounds a chunk's size line, maxHeld what is kept behind a
	// request for another protocol, maxRubbish what is passed over in search of
	// a start line.
	maxChunkLine = 4096
	maxHeld      = 64 << 10
	maxRubbish   = 64 << 10
)

// exchange is a transaction's own part.
type exchange struct {
	tx  *protocol.Tx
	msg [2]message
	// method facts that the response's framing needs.
	head, connect, upgrade bool
	no                     uint64
	// continued: a 100 response came before.
	continued bool
	// uri parts, offsets into the request's raw (valid when hostEnd > 0).
	path, pathEnd, host, hostEnd uint32
	// version09: the request is a line alone; noProtocol: it named none.
	version09, noProtocol bool
	// twicePath and twiceQuery undo escapes twice; nested tells that some are left
	// once they have been undone.
	twicePath, twiceQuery, nested bool
	doh                           *dns.OverHTTP
}

// side is one direction's state.
type side struct {
	stage stage
	ex    *exchange
	// left counts what is missing of a body of known length or a chunk.
	left uint64
	line []byte
	// rubbish counts bytes passed over while lost; early tells that they stand
	// before a response that is still expected.
	rubbish int
	early   bool
	// ended: no more will come; framed: a frame was begun and not ended.
	ended, framed bool
	body          bodyState
}

// parser is a flow's HTTP/1 state.
type parser struct {
	txs  protocol.TxList
	side [2]side
	// open are the exchanges whose response is not complete, oldest first.
	open []*exchange
	free []*exchange
	all  []*exchange
	env  *protocol.Env
	// dir is the direction of the bytes in work, of which behind follow those that
	// are read. replay tells that bytes of before are read once more.
	dir    protocol.Dir
	behind int
	replay bool
	// held is what the client sent behind a request for another protocol.
	held []byte
	// switched tells that the flow went over to another protocol.
	switched bool
}

func newParser() *parser {
	p := new(parser)
	for d := range p.side {
		p.side[d].body.p, p.side[d].body.dir = p, protocol.Dir(d)
	}
	return p
}

// Txs implements protocol.Parser.
func (p *parser) Txs() *protocol.TxList { return &p.txs }

// Release implements protocol.Releaser.
func (p *parser) Release() {
	for d := range p.side {
		p.side[d].body.drop()
	}
}

// Parse implements protocol.Parser.
func (p *parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	p.env, p.dir = env, dir
	st := p.feed(dir, data)
	p.env = nil
	return st
}

func (p *parser) feed(dir protocol.Dir, data []byte) protocol.Status {
	s := &p.side[dir]
	for len(data) > 0 {
		var st protocol.Status
		switch s.stage {
		case stIdle:
			data = p.idle(dir, s, data)
		case stLine:
			data, st = p.startLine(dir, s, data)
		case stAfter09:
			data = p.after09(s, data)
		case stHeaders:
			data, st = p.headers(dir, s, data)
		case stBlank:
			data, st = p.blank(dir, s, data)
		case stMaybeBody:
			data, st = p.maybeBody(dir, s, data)
		case stLength:
			n := int(min(uint64(len(data)), s.left))
			s.left -= uint64(n)
			p.bodyBytes(s, data[:n], n)
			data = data[n:]
			if s.left == 0 {
				st = p.complete(dir, s, data)
			}
		case stUntilEnd:
			p.bodyBytes(s, data, len(data))
			data = nil
		case stChunkSize:
			data = p.chunkSize(dir, s, data)
		case stChunkData:
			n := int(min(uint64(len(data)), s.left))
			s.left -= uint64(n)
			p.bodyBytes(s, data[:n], n)
			data = data[n:]
			if s.left == 0 {
				s.stage = stChunkEnd
			}
		case stChunkEnd:
			data = p.chunkEnd(dir, s, data)
		case stTrailer:
			data, st = p.trailer(dir, s, data)
		case stLost:
			data, st = p.lost(dir, s, data)
		case stHold:
			// No byte beyond the limit is taken, so that cuts do not matter.
			n := min(len(data), maxHeld-len(p.held))
			p.held = append(p.held, data[:n]...)
			if data = data[n:]; len(data) > 0 {
				st = p.unhold(s)
			}
		}
		if st != protocol.Continue {
			return st
		}
	}
	return protocol.Continue
}

// newExchange begins a transaction.
func (p *parser) newExchange() *exchange {
	p.recycle()
	var ex *exchange
	if n := len(p.free); n > 0 {
		ex = p.free[n-1]
		p.free = p.free[:n-1]
		ex.msg[0].reset()
		ex.msg[1].reset()
		*ex = exchange{msg: ex.msg}
	} else {
		ex = new(exchange)
	}
	ex.twicePath, ex.twiceQuery = p.env.Limits.HTTP.DecodePathTwice, p.env.Limits.HTTP.DecodeQueryTwice
	ex.tx = p.txs.Add(ex, p.env.Now)
	ex.no = ex.tx.ID
	p.all = append(p.all, ex)
	for len(p.open) >= max(1, p.env.Limits.Tx(protocol.HTTP1)) {
		// No response for so many requests: the oldest is given up.
		old := p.open[0]
		p.answered(old)
		old.tx.Progress[protocol.ToClient] = ProgressComplete
	}
	return ex
}

// recycle takes back exchanges whose transactions the worker has dropped.
func (p *parser) recycle() {
	oldest := p.txs.Next
	if len(p.txs.Live) > 0 {
		oldest = p.txs.Live[0].ID
	}
	n := 0
	for n < len(p.all) && p.all[n].no < oldest {
		ex := p.all[n]
		if len(p.free) < 4 && cap(ex.msg[0].raw) <= 8<<10 && cap(ex.msg[1].raw) <= 8<<10 &&
			p.side[0].ex != ex && p.side[1].ex != ex {
			ex.tx.State = nil
			p.free = append(p.free, ex)
		}
		n++
	}
	if n > 0 {
		m := copy(p.all, p.all[n:])
		clear(p.all[m:])
		p.all = p.all[:m]
	}
}

// answered takes an exchange off the list of those that wait for a response.
func (p *parser) answered(ex *exchange) {
	for i, o := range p.open {
		if o == ex {
			m := copy(p.open[i:], p.open[i+1:])
			p.open[i+m] = nil
			p.open = p.open[:i+m]
			return
		}
	}
}

// idle skips what may stand between messages and begins the next one.
func (p *parser) idle(dir protocol.Dir, s *side, data []byte) []byte {
	for len(data) > 0 && (data[0] == '\r' || data[0] == '\n') {
		data = data[1:]
	}
	if len(data) == 0 {
		return nil
	}
	s.body.reset()
	if dir == protocol.ToServer {
		s.ex = p.newExchange()
		p.open = append(p.open, s.ex)
	} else {
		if len(p.open) > 0 {
			s.ex = p.open[0]
			s.ex.msg[dir].reset()
			// A request without protocol ends where its answer begins.
			if c := &p.side[0]; c.stage == stAfter09 && c.ex == s.ex {
				p.end09(c)
			}
		} else {
			s.ex = p.newExchange()
			s.ex.tx.AddEvent("unable_to_match_response_to_request")
			s.ex.tx.Progress[protocol.ToServer] = ProgressComplete
			p.open = append(p.open, s.ex)
		}
	}
	s.stage = stLine
	p.frameBegins(dir, s, len(data))
	return data
}

// startLine collects and reads a request or status line.
func (p *parser) startLine(dir protocol.Dir, s *side, data []byte) ([]byte, protocol.Status) {
	m := &s.ex.msg[dir]
	if dir == protocol.ToClient && !s.statusLike(m, data) {
		return p.noStatus(s, data), protocol.Continue
	}
	rest, line, done := m.takeLine(data, p.env.Limits.MaxHeader)
	p.longField(dir, s, m)
	if !done {
		return rest, protocol.Continue
	}
	if m.over || len(m.raw) > p.env.Limits.MaxHeader {
		s.ex.tx.AddEvent(pick(dir, "request_field_too_long", "response_field_too_long"))
	}
	line = trimEOL(line)
	if dir == protocol.ToServer {
		if !p.requestLine(s, line) {
			return rest, p.rubbish(s)
		}
	} else {
		p.statusLine(s, line)
	}
	return rest, protocol.Continue
}

// fieldLimit is the length of a line from which on rules expect it to be
// reported, finished or not, as Suricata's parser gives it up there. Here it goes
// on, up to MaxHeader.
const fieldLimit = 18000

// longField reports a line that goes on and on.
func (p *parser) longField(dir protocol.Dir, s *side, m *message) {
	if m.dropping || len(m.raw)-int(m.lineStart) > fieldLimit {
		s.ex.tx.AddEvent(pick(dir, "request_field_too_long", "response_field_too_long"))
	}
}

// beginHeaders goes on behind the start line.
func (m *message) beginHeaders(lineEnd int) {
	m.lineEnd = uint32(lineEnd)
	m.head, m.lineStart = uint32(len(m.raw)), uint32(len(m.raw))
}

// headers collects header lines.
func (p *parser) headers(dir protocol.Dir, s *side, data []byte) ([]byte, protocol.Status) {
	m := &s.ex.msg[dir]
	limit := p.env.Limits.MaxHeader
	for len(data) > 0 {
		rest, line, done := m.takeLine(data, limit)
		data = rest
		p.longField(dir, s, m)
		if !done {
			return nil, protocol.Continue
		}
		if line == nil {
			s.ex.tx.AddEvent(pick(dir, "request_field_too_long", "response_field_too_long"))
			continue
		}
		if t := trimEOL(line); len(t) == 0 && len(line) <= 2 {
			return data, p.headDone(dir, s, data)
		} else if blankLine(t) {
			m.lineStart = uint32(len(m.raw))
			s.line = s.line[:0]
			s.stage = stBlank
			return data, protocol.Continue
		}
		was := m.over
		m.addHeaderLine(s.ex.tx, dir, limit)
		if m.over && !was {
			s.ex.tx.AddEvent(pick(dir, "request_field_too_long", "response_field_too_long"))
		}
	}
	return nil, protocol.Continue
}

func blankLine(b []byte) bool {
	for _, c := range b {
		if !isSpace(c) {
			return false
		}
	}
	return true
}

// blank decides, behind a line of nothing but white space, whether that was
// the head's end: it was, unless an empty line follows, or another header.
func (p *parser) blank(dir protocol.Dir, s *side, data []byte) ([]byte, protocol.Status) {
	m := &s.ex.msg[dir]
	for i, c := range data {
		s.line = append(s.line, c)
		n := len(s.line)
		switch {
		case c == '\n' && (n == 1 || n == 2 && s.line[0] == '\r'):
			m.raw = append(m.raw, s.line...)
			s.line = s.line[:0]
			return data[i+1:], p.headDone(dir, s, data[i+1:])
		case n == 1 && (c == ' ' || c == '\t'), n > 1 && c == ':' && isToken(s.line[0]):
			begun := s.line
			s.line = nil
			s.stage = stHeaders
			if _, st := p.headers(dir, s, begun); st != protocol.Continue {
				return data[i+1:], st
			}
			return data[i+1:], protocol.Continue
		case n == 1 && c == '\r', isToken(c) && s.line[0] != '\r' && n < 64:
			continue
		}
		return data[i+1:], p.blankEnds(dir, s, data[i+1:])
	}
	return nil, protocol.Continue
}

// blankEnds ends the head at the line of white space; what was looked at behind
// it is the body's beginning.
func (p *parser) blankEnds(dir protocol.Dir, s *side, rest []byte) protocol.Status {
	begun := s.line
	s.line = nil
	if st := p.headDone(dir, s, append(begun, rest...)); st != protocol.Continue {
		// Only a switch: Rest holds begun and rest.
		return st
	}
	return p.feedBefore(dir, begun, len(rest))
}

// advance raises a transaction's progress.
func (ex *exchange) advance(dir protocol.Dir, to uint8) {
	ex.tx.Progress[dir] = max(ex.tx.Progress[dir], to)
}

// complete ends the direction's message. rest is what follows it.
func (p *parser) complete(dir protocol.Dir, s *side, rest []byte) protocol.Status {
	s.body.close(protocol.ObjectClosed)
	ex := s.ex
	p.frameEnds(dir, s, len(rest))
	s.stage, s.ex = stIdle, nil
	ex.advance(dir, ProgressComplete)
	if dir == protocol.ToServer {
		if ex.connect || ex.upgrade {
			s.stage = stHold
			s.ex = ex
		}
		return protocol.Continue
	}
	p.answered(ex)
	status := ex.msg[dir].status
	// A response that comes before its request has ended, to one that asked
	// for another protocol, decides what the client's further bytes are.
	switch {
	case ex.connect && status/100 == 2:
		return p.switchTo(protocol.Unknown, ex, rest)
	case status == 101:
		to := protocol.Unknown
		if v, ok := ex.msg[dir].get(kindUpgrade); ok {
			switch {
			case containsFold(v, "websocket"):
				to = protocol.WebSocket
				p.env.Hint = ex.upgraded()
			case containsFold(v, "h2c"):
				to = protocol.HTTP2
			}
		}
		return p.switchTo(to, ex, rest)
	case ex.connect || ex.upgrade:
		c := &p.side[protocol.ToServer]
		ex.connect, ex.upgrade = false, false
		if c.stage == stHold && c.ex == ex {
			return p.unhold(c)
		}
	}
	return protocol.Continue
}

// unhold reads what was kept as requests: the other protocol was declined, or
// there is too much to keep.
func (p *parser) unhold(s *side) protocol.Status {
	s.ex.connect, s.ex.upgrade = false, false
	s.stage, s.ex = stIdle, nil
	held := p.held
	p.held = nil
	was := p.replay
	p.replay = true
	st := p.feed(protocol.ToServer, held)
	p.replay = was
	return st
}

// switchTo hands the flow over. What the client had sent ahead cannot be handed
// over with it; it becomes an object, so that it is not lost to inspection.
func (p *parser) switchTo(to protocol.ID, ex *exchange, rest []byte) protocol.Status {
	p.env.SwitchTo, p.env.Rest = to, rest
	p.switched = true
	p.giveHeld(ex)
	return protocol.Switch
}

// giveHeld makes an object of what the client sent ahead.
func (p *parser) giveHeld(ex *exchange) {
	if len(p.held) > 0 {
		o := &protocol.Object{Kind: protocol.KindField, Dir: protocol.ToServer, Tx: ex.tx}
		p.env.Objects.OpenObject(o)
		p.env.Objects.ObjectData(o, p.held)
		p.env.Objects.CloseObject(o, protocol.ObjectClosed)
		p.held = nil
	}
}
