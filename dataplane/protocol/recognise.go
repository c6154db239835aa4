package protocol

// ask shows view to the probes of mask, clears those that decline, and gives
// the protocol that is certain: one of prefer before others, then in the order
// of definition.
func ask(defs []*Definition, datagram bool, mask *uint64, dir Dir, view []byte, prefer uint64) ID {
	var certain uint64
	for _, d := range defs {
		bit := uint64(1) << d.ID
		if *mask&bit == 0 {
			continue
		}
		switch d.judge(datagram, dir, view) {
		case NotForUs:
			*mask &^= bit
		case Certain:
			certain |= bit
		}
	}
	if certain == 0 {
		return Unknown
	}
	if certain&prefer != 0 {
		certain &= prefer
	}
	return pick(defs, certain)
}

// judge asks the probe for the transport.
func (d *Definition) judge(datagram bool, dir Dir, view []byte) Certainty {
	if datagram && d.ProbeDatagram != nil {
		return d.ProbeDatagram(dir, view)
	}
	return d.Probe(dir, view)
}

// pick gives the first protocol of mask in the order of definition.
func pick(defs []*Definition, mask uint64) ID {
	for _, d := range defs {
		if mask>>d.ID&1 == 1 {
			return d.ID
		}
	}
	return Unknown
}

// recognise takes bytes of a flow whose protocol is not known.
func (s *Session) recognise(r *Registry, env *Env, dir Dir, data []byte, off uint64) Status {
	if s.first == 0 {
		s.first = uint8(dir) + 1
	}
	if s.state[dir]&probing == 0 {
		s.state[dir] |= probing
		s.cand[dir] = r.tcpMask
	}
	held := 0 // bytes of earlier calls
	view := data[:min(len(data), ProbeDepth)]
	if p := s.pend[dir]; p != nil {
		held = p.n
		p.n += copy(p.buf[held:], data)
		view = p.buf[:p.n]
	}
	id := ask(r.tcp, false, &s.cand[dir], dir, view, r.portMask(env))
	if id == Unknown && len(view) == ProbeDepth {
		id = pick(r.tcp, s.cand[dir]&r.portMask(env))
		s.cand[dir] = 0
	}
	switch {
	case id != Unknown:
		return s.start(r, env, dir, id, data, held, off)
	case s.cand[dir] == 0:
		if p := s.pend[dir]; p != nil {
			p.n = held
		}
		s.decline(r, env, dir, off)
		return Error
	case s.pend[dir] == nil:
		p := pendingPool.Get().(*pending)
		p.n = copy(p.buf[:], data)
		s.pend[dir] = p
	}
	return Continue
}

// decline notes that no protocol wants a direction, whose bytes are raw from
// offset off on.
func (s *Session) decline(r *Registry, env *Env, dir Dir, off uint64) {
	s.state[dir] |= decided | declined | raw
	s.rawFrom[dir] = off
	s.found[dir] = Failed
	other := dir.Other()
	if s.state[other]&declined != 0 || s.state[other]&ended != 0 {
		s.fail([2]uint64{s.offset[0], s.offset[1]})
	}
}

// settle decides a direction of which no more bytes will come that could be
// judged: by port where probes are unsure, else it is raw.
func (s *Session) settle(r *Registry, env *Env, dir Dir, off uint64) {
	if s.state[dir]&probing != 0 {
		if id := pick(r.tcp, s.cand[dir]&r.portMask(env)); id != Unknown {
			held := 0
			if p := s.pend[dir]; p != nil {
				held = p.n
			}
			s.start(r, env, dir, id, nil, held, off)
			return
		}
	}
	s.decline(r, env, dir, off)
}

// begin notes that dir speaks protocol id and makes its parser.
func (s *Session) begin(r *Registry, env *Env, dir Dir, id ID) {
	s.agreed = id
	s.found[dir] = id
	s.state[dir] |= decided
	def := r.defs[id]
	if def.First != 0 && s.first != 0 && !def.First.Has(Dir(s.first-1)) {
		s.events |= EventWrongDirectionFirstData
	}
	if def.New != nil {
		s.parser, s.speaks = def.New(env), id
	}
}

// start begins the parser and gives it what was held back. The first held
// bytes of the pending buffer of dir came before data, which began at off.
func (s *Session) start(r *Registry, env *Env, dir Dir, id ID, data []byte, held int, off uint64) Status {
	s.begin(r, env, dir, id)
	mine := s.pend[dir]
	if mine != nil {
		mine.n = held
	}
	if s.parser == nil {
		s.state[dir] |= raw
		s.rawFrom[dir] = off
		return Error
	}
	s.state[dir] &^= raw
	other := dir.Other()
	if s.state[other]&declined != 0 {
		// Its first bytes were raw; the parser gets what follows.
		s.state[other] = s.state[other]&^(raw|declined) | decided
		s.found[other] = id
		s.events |= EventOnlyOneDirection
	} else if Dir(s.first-1) == other {
		if st := s.flush(r, env, other); st == Error || st == Switch {
			if len(data) > 0 {
				if again := s.data(r, env, dir, data, off); again == Error {
					return again
				}
			}
			return st
		}
	}
	st := s.feed(r, env, dir, data, off)
	if st == Continue || st == Skip {
		if s.state[other]&declined == 0 && s.state[other]&decided == 0 {
			s.flush(r, env, other)
		}
	}
	return st
}

// feed gives the parser what was held back of a direction and then data, which
// began at off. What was held back stays pending where the parser fails on
// either, so that the plain stream is whole.
func (s *Session) feed(r *Registry, env *Env, dir Dir, data []byte, off uint64) Status {
	mine := s.pend[dir]
	if mine == nil {
		if len(data) == 0 {
			return Continue
		}
		return s.after(r, env, dir, s.parse(env, dir, data, off), off)
	}
	// What is held back ends where data begins.
	st := s.parse(env, dir, mine.buf[:mine.n], off-uint64(mine.n))
	if st == Continue && len(data) > 0 {
		st = s.parse(env, dir, data, off)
		data = nil
	}
	if st == Error {
		return s.after(r, env, dir, st, off)
	}
	s.pend[dir] = nil
	if len(data) > 0 && st == Switch {
		// The switch is counted back from what the parser has seen.
		end := s.offset[dir]
		s.offset[dir] = off
		st = s.after(r, env, dir, st, off)
		s.offset[dir] = end
		if again := s.data(r, env, dir, data, off); again == Error {
			st = again
		}
	} else {
		st = s.after(r, env, dir, st, off)
	}
	mine.n = 0
	pendingPool.Put(mine)
	return st
}

// flush gives the parser what is held back of a direction, whose protocol is
// then taken to be what it seemed to be.
func (s *Session) flush(r *Registry, env *Env, dir Dir) Status {
	p := s.pend[dir]
	if p == nil {
		return Continue
	}
	if s.state[dir]&decided == 0 {
		s.verify(r, env, dir, p.buf[:min(p.n, verifyDepth)], true)
	}
	return s.feed(r, env, dir, nil, s.offset[dir])
}

// verifyDepth is how many bytes of a direction are compared with the protocol
// that the other direction has settled.
const verifyDepth = 64

// firstData takes bytes of a direction that has not been compared yet. They are
// held back, up to verifyDepth bytes, until the comparison is done or the other
// direction goes on.
func (s *Session) firstData(r *Registry, env *Env, dir Dir, data []byte, off uint64) Status {
	view := data[:min(len(data), verifyDepth)]
	held := 0
	if p := s.pend[dir]; p != nil {
		held = p.n
		p.n += copy(p.buf[held:verifyDepth], data)
		view = p.buf[:p.n]
	}
	if !s.verify(r, env, dir, view, len(view) == verifyDepth) {
		if s.pend[dir] == nil {
			p := pendingPool.Get().(*pending)
			p.n = copy(p.buf[:], data)
			s.pend[dir] = p
		}
		return Continue
	}
	if p := s.pend[dir]; p != nil {
		p.n = held
	}
	return s.feed(r, env, dir, data, off)
}

// verify compares the beginning of a direction with the protocol that the
// other direction, or a switch, has settled, and notes where they disagree. The
// bytes go to the parser all the same. It reports whether it is done, which it
// always is when told that there is no more to come.
func (s *Session) verify(r *Registry, env *Env, dir Dir, view []byte, last bool) bool {
	if s.state[dir]&probing == 0 {
		s.state[dir] |= probing
		s.cand[dir] = r.tcpMask
	}
	def := r.defs[s.agreed.Spoken()]
	certainty := Certain // of a protocol reached by a switch only
	if def.TCP {
		certainty = def.judge(false, dir, view)
		if def.Answer != nil {
			certainty = def.Answer(dir, view)
		}
	}
	if certainty == Unsure && !last {
		return false
	}
	if certainty != NotForUs {
		s.state[dir] |= decided
		s.found[dir] = s.agreed.Spoken()
		return true
	}
	s.cand[dir] &^= 1 << s.agreed.Spoken()
	id := ask(r.tcp, false, &s.cand[dir], dir, view, r.portMask(env))
	if id == Unknown && s.cand[dir] != 0 && !last {
		return false
	}
	s.state[dir] |= decided
	s.found[dir] = id
	alone := s.switches > 0 && s.found[dir.Other()] == Unknown
	switch {
	case alone && s.agreed == TLS:
		s.events |= EventNoTLSAfterStartTLS
	case alone:
		s.events |= EventUnexpectedProtocol
	case id != Unknown:
		s.events |= EventMismatchBothDirections
	default:
		s.events |= EventOnlyOneDirection
		s.found[dir] = s.agreed
	}
	return true
}

// verifyDatagram is verify for a direction's first datagram.
func (s *Session) verifyDatagram(r *Registry, env *Env, dir Dir, data []byte) {
	s.state[dir] |= decided
	view := data[:min(len(data), ProbeDepth)]
	if r.defs[s.agreed].judge(true, dir, view) != NotForUs {
		s.found[dir] = s.agreed
		return
	}
	mask := r.udpMask
	if id := ask(r.udp, true, &mask, dir, view, r.portMask(env)); id != Unknown {
		s.events |= EventMismatchBothDirections
		s.found[dir] = id
		return
	}
	s.events |= EventOnlyOneDirection
	s.found[dir] = s.agreed
}
