package http1

import (
	"bytes"

	"sluice/dataplane/protocol"
)

// rubbish deals with a client's line that is no request: it was no part of what
// came before, or the framing was lost. Its bytes become an object.
func (p *parser) rubbish(s *side) protocol.Status {
	m := &s.ex.msg[protocol.ToServer]
	line := m.raw
	s.rubbish = len(line)
	s.body.openRaw(s.ex.tx)
	s.body.give(line)
	s.stage = stLost
	s.line = s.line[:0]
	return protocol.Continue
}

// lost looks for the next line that begins a message; what it passes over goes
// to the object that is open, if any.
func (p *parser) lost(dir protocol.Dir, s *side, data []byte) ([]byte, protocol.Status) {
	k := bytes.IndexByte(data, '\n')
	n := k + 1
	if k < 0 {
		n = len(data)
	}
	if len(s.line)+n > p.env.Limits.MaxHeader {
		s.passOver(s.line)
		s.passOver(data[:n])
		s.line = s.line[:0]
		return data[n:], p.tooMuch(dir, s)
	}
	s.line = append(s.line, data[:n]...)
	data = data[n:]
	if k < 0 {
		return nil, protocol.Continue
	}
	line := trimEOL(s.line)
	if !(dir == protocol.ToServer && isRequestLine(line) || dir == protocol.ToClient && isStatusLine(line)) {
		s.passOver(s.line)
		s.line = s.line[:0]
		return data, p.tooMuch(dir, s)
	}
	found := s.line
	s.line = nil
	if s.early {
		s.body.close(protocol.ObjectClosed)
		s.early, s.ex, s.rubbish = false, nil, 0
	} else {
		p.giveUp(dir, s)
	}
	s.stage = stIdle
	return data, p.feedBefore(dir, found, len(data))
}

// tooMuch ends the search for a message where too much went by: what the
// server sends before any status line is then a body, anything else no HTTP.
func (p *parser) tooMuch(dir protocol.Dir, s *side) protocol.Status {
	if s.rubbish <= maxRubbish {
		return protocol.Continue
	}
	if s.early {
		s.early = false
		s.stage = stUntilEnd
		return protocol.Continue
	}
	p.giveUp(dir, s)
	return protocol.Error
}

func (s *side) passOver(b []byte) {
	s.rubbish += len(b)
	if s.body.open {
		s.body.give(b)
	}
}

// giveUp ends the message that was under way when the thread was lost.
func (p *parser) giveUp(dir protocol.Dir, s *side) {
	s.body.close(protocol.ObjectTruncated)
	if s.ex != nil {
		s.ex.advance(dir, ProgressComplete)
		if dir == protocol.ToClient {
			p.answered(s.ex)
		}
		s.ex = nil
	}
	s.rubbish = 0
}

// isRequestLine recognises a request line by its form.
func isRequestLine(line []byte) bool {
	k := bytes.IndexByte(line, ' ')
	if k <= 0 {
		return false
	}
	for _, c := range line[:k] {
		if !isToken(c) {
			return false
		}
	}
	j := bytes.LastIndexByte(line, ' ')
	return j > k && hasPrefixFold(line[j+1:], "http/")
}

func isStatusLine(line []byte) bool {
	return len(line) >= 12 && bytes.HasPrefix(line, []byte("HTTP/")) && line[5] >= '0' && line[5] <= '9'
}

// Gap implements protocol.Parser.
func (p *parser) Gap(env *protocol.Env, dir protocol.Dir, n uint64) protocol.Status {
	p.env, p.dir = env, dir
	st := p.gap(dir, &p.side[dir], n)
	p.env = nil
	return st
}

func (p *parser) gap(dir protocol.Dir, s *side, n uint64) protocol.Status {
	st := protocol.Continue
	switch s.stage {
	case stLength, stChunkData:
		m := min(n, s.left)
		p.bodyGap(s, m)
		s.left -= m
		n -= m
		if s.left == 0 {
			if s.stage == stChunkData {
				s.stage = stChunkEnd
			} else {
				p.behind = int(min(n, 1<<62))
				st = p.complete(dir, s, nil)
				p.behind = 0
			}
		}
		if n == 0 || st != protocol.Continue {
			return st
		}
	case stUntilEnd:
		p.bodyGap(s, n)
		return st
	case stHold:
		if st = p.unhold(s); st != protocol.Continue {
			return st
		}
		return p.gap(dir, s, n)
	case stMaybeBody:
		p.noBody(dir, s)
	case stAfter09:
		p.end09(s)
	}
	if s.stage == stChunkEnd && n <= 2 {
		s.stage = stChunkSize
		return st
	}
	// The next message's border is not known any more.
	s.line = s.line[:0]
	if s.ex != nil {
		s.body.close(protocol.ObjectTruncated)
	}
	s.rubbish = 0
	s.stage = stLost
	return st
}

// End implements protocol.Parser.
func (p *parser) End(env *protocol.Env, dir protocol.Dir) {
	p.env, p.dir = env, dir
	defer func() { p.env = nil }()
	s := &p.side[dir]
	if s.ended {
		return
	}
	s.ended = true
	state := protocol.ObjectTruncated
	if s.stage == stHold {
		// The answer is still to come, if it does: a tunnel's bytes are looked at
		// as they are, anything else as requests.
		if s.ex.connect {
			p.giveHeld(s.ex)
		} else {
			p.unhold(s)
		}
	}
	switch s.stage {
	case stLine:
		if m := &s.ex.msg[dir]; len(m.raw) > 0 && s.stage == stLine {
			line := trimEOL(m.raw)
			if dir == protocol.ToServer {
				s.ex.tx.AddEvent("request_line_incomplete")
				p.requestLine(s, line)
			} else if isStatusLine(line) {
				p.statusLine(s, line)
			} else {
				p.noStatus(s, nil)
			}
		}
		if s.stage == stUntilEnd {
			state = protocol.ObjectClosed
		}
	case stBlank:
		p.blankEnds(dir, s, nil)
		if s.stage == stUntilEnd || s.stage == stIdle {
			state = protocol.ObjectClosed
		}
	case stUntilEnd, stChunkEnd, stTrailer, stMaybeBody:
		state = protocol.ObjectClosed
	case stChunkSize:
		p.flushChunkLine(s)
	case stLost:
		s.passOver(s.line)
		if s.early {
			state = protocol.ObjectClosed
		}
	}
	s.line = s.line[:0]
	s.body.close(state)
	s.ex, s.stage = nil, stLost
	for _, ex := range p.all {
		if ex.tx.State != ex {
			continue
		}
		// Nothing more of this direction: whatever is open is as complete as it
		// will be.
		ex.advance(dir, ProgressComplete)
		if dir == protocol.ToClient {
			p.answered(ex)
		}
	}
}
