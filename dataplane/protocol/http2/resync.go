package http2

import "sluice/dataplane/protocol"

// maxRubbish is what is passed over in search of a frame before the parser gives
// up.
const maxRubbish = 256 << 10

// lose forgets where frames begin and what the header table holds.
func (p *parser) lose(dir protocol.Dir, s *side) {
	if s.block.open {
		s.block.broken = true
		p.blockEnd(dir, s)
	}
	if ex := s.ex; ex != nil && ex.control {
		p.completeControl(ex)
	}
	s.block.taint(midTable)
	s.first = false
	s.ex, s.n, s.need, s.rubbish = nil, 0, 0, 0
	s.stage = stLost
}

// lost looks for a frame: something that looks like its header, with another
// behind its payload. What is passed over becomes an object, so that it is
// looked at nevertheless.
func (p *parser) lost(dir protocol.Dir, s *side, data []byte) ([]byte, protocol.Status) {
	// More than two frames are never held.
	n := min(len(data), usualFrame)
	s.hold = append(s.hold, data[:n]...)
	data = data[n:]
	at := 0
	for ; at+frameHeader <= len(s.hold); at++ {
		b := s.hold[at:]
		if !plausible(b) {
			continue
		}
		next := frameHeader + int(parseFrame(b).length)
		if len(b) < next+frameHeader {
			// It cannot be told yet.
			p.passOver(dir, s, at)
			return data, protocol.Continue
		}
		if plausible(b[next:]) {
			p.passOver(dir, s, at)
			p.closeJunk(s)
			found := s.hold
			s.hold = nil
			s.stage, s.rubbish = stFrame, 0
			if st := p.feed(dir, found); st != protocol.Continue {
				return nil, st
			}
			return data, protocol.Continue
		}
	}
	p.passOver(dir, s, at)
	if s.rubbish > maxRubbish {
		return nil, protocol.Error
	}
	return data, protocol.Continue
}

// passOver gives the first n bytes held to the object for what is no frame.
func (p *parser) passOver(dir protocol.Dir, s *side, n int) {
	if n == 0 {
		return
	}
	s.rubbish += n
	if s.junkEx == nil {
		ex := p.newExchange()
		ex.control = true
		ex.tx.AddEvent("invalid_frame_header")
		s.junkEx = ex
		s.junk = protocol.Object{Kind: protocol.KindField, Dir: dir, Tx: ex.tx}
		p.env.Objects.OpenObject(&s.junk)
	}
	p.env.Objects.ObjectData(&s.junk, s.hold[:n])
	s.hold = append(s.hold[:0], s.hold[n:]...)
}

func (p *parser) closeJunk(s *side) {
	if ex := s.junkEx; ex != nil {
		s.junkEx = nil
		p.env.Objects.CloseObject(&s.junk, protocol.ObjectTruncated)
		p.completeControl(ex)
	}
}

// Gap implements protocol.Parser.
func (p *parser) Gap(env *protocol.Env, dir protocol.Dir, n uint64) protocol.Status {
	p.env = env
	st := p.gap(dir, &p.side[dir], n)
	if st == protocol.Error {
		p.finish()
	}
	p.env = nil
	return st
}

func (p *parser) gap(dir protocol.Dir, s *side, n uint64) protocol.Status {
	switch s.stage {
	case stPayload:
		if s.need > 0 {
			// The fixed part decides what the rest is.
			break
		}
		m := uint32(min(n, uint64(s.left)))
		switch s.f.typ {
		case frameData:
			if ex := s.ex; ex != nil && !ex.gone && s.left > s.pad {
				ex.body[dir].gap(uint64(min(m, s.left-s.pad)))
			}
		case frameHeaders, framePushPromise, frameContinuation:
			s.block.broken = true
		}
		s.left -= m
		n -= uint64(m)
		if s.left > 0 {
			return protocol.Continue
		}
		if st := p.end(dir, s); st != protocol.Continue || n == 0 {
			return st
		}
	case stLost:
		// Bytes before and behind the hole are no frame together.
		p.passOver(dir, s, len(s.hold))
		return protocol.Continue
	}
	p.lose(dir, s)
	return protocol.Continue
}

// End implements protocol.Parser.
func (p *parser) End(env *protocol.Env, dir protocol.Dir) {
	s := &p.side[dir]
	if s.ended {
		return
	}
	s.ended = true
	p.env = env
	defer func() { p.env = nil }()
	if s.stage == stLost {
		p.passOver(dir, s, len(s.hold))
		p.closeJunk(s)
	}
	if s.block.open {
		s.block.broken = true
		p.blockEnd(dir, s)
	}
	if ex := s.ex; ex != nil && ex.control {
		p.completeControl(ex)
	}
	s.stage, s.ex = stLost, nil
	for _, tx := range p.txs.Live {
		ex, ok := tx.State.(*exchange)
		if !ok || ex.gone || ex.control {
			continue
		}
		p.endStream(dir, ex, protocol.ObjectTruncated)
	}
}
