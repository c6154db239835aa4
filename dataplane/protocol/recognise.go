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
	theirs := s.pend[other]
	s.pend[dir], s.pend[other] = nil, nil
	if s.state[other]&declined != 0 {
		// Its first bytes were raw; the parser gets what follows.
		s.state[other] = s.state[other]&^(raw|declined) | decided
		s.found[other] = id
		s.events |= EventOnlyOneDirection
		s.pend[other], theirs = theirs, nil
	}
	otherFirst := Dir(s.first-1) == other
	if theirs != nil && otherFirst && !s.replay(r, env, other, theirs) {
		s.pend[dir] = mine
		if s.agreed == Failed {
			s.rawFrom[dir] = off
			return Error
		}
		// A switch on bytes that were not recognised by themselves: go on with
		// the new protocol from here.
		s.DropPending(dir)
		return s.data(r, env, dir, data, off)
	}
	st := Continue
	if mine != nil {
		st = s.parser.Parse(env, dir, mine.buf[:mine.n])
		if st == Error {
			s.pend[dir] = mine
			s.pend[other] = theirs
			return s.after(r, env, dir, st, off)
		}
		st = s.after(r, env, dir, st, off)
		pendingPool.Put(mine)
	}
	if st == Continue && len(data) > 0 {
		st = s.after(r, env, dir, s.parser.Parse(env, dir, data), off)
	} else if st == Switch && len(data) > 0 {
		if st2 := s.data(r, env, dir, data, off); st2 == Error {
			st = st2
		}
	}
	if theirs != nil && !otherFirst {
		if st == Continue || st == Skip {
			s.replay(r, env, other, theirs)
		} else {
			pendingPool.Put(theirs)
		}
	}
	return st
}

// replay gives a parser the held bytes of the direction that did not decide,
// and checks that they fit the protocol. It reports whether the parser goes on.
func (s *Session) replay(r *Registry, env *Env, dir Dir, p *pending) bool {
	off := s.offset[dir] - uint64(p.n)
	s.verify(r, env, dir, p.buf[:p.n])
	st := s.parser.Parse(env, dir, p.buf[:p.n])
	if st == Error {
		s.DropPending(dir)
		s.after(r, env, dir, st, off)
		s.pend[dir] = p
		s.rawFrom[dir] = s.offset[dir]
		return false
	}
	st = s.after(r, env, dir, st, off)
	pendingPool.Put(p)
	return st != Error && st != Switch
}

// verify compares the beginning of a direction with the protocol that the
// other direction has settled, and notes where they disagree. The bytes go to
// the parser all the same; those kept serve only the comparison.
func (s *Session) verify(r *Registry, env *Env, dir Dir, data []byte) {
	view := data[:min(len(data), ProbeDepth)]
	if p := s.pend[dir]; p != nil {
		p.n += copy(p.buf[p.n:], data)
		view = p.buf[:p.n]
	}
	if s.state[dir]&probing == 0 {
		s.state[dir] |= probing
		s.cand[dir] = r.tcpMask
	}
	def := r.defs[s.agreed]
	certainty := NotForUs
	if s.cand[dir]>>s.agreed&1 == 1 {
		certainty = def.judge(false, dir, view)
	} else if !def.TCP {
		certainty = Certain // reached by a switch only
	}
	switch {
	case certainty == Certain:
		s.found[dir] = s.agreed
	case certainty == Unsure && len(view) < ProbeDepth:
		if s.pend[dir] == nil {
			p := pendingPool.Get().(*pending)
			p.n = copy(p.buf[:], data)
			s.pend[dir] = p
		}
		return
	case certainty == Unsure:
		s.found[dir] = s.agreed
	default:
		s.cand[dir] &^= 1 << s.agreed
		id := ask(r.tcp, false, &s.cand[dir], dir, view, r.portMask(env))
		switch {
		case id == Unknown && s.cand[dir] != 0 && len(view) < ProbeDepth:
			if s.pend[dir] == nil {
				p := pendingPool.Get().(*pending)
				p.n = copy(p.buf[:], data)
				s.pend[dir] = p
			}
			return
		case s.switches > 0 && s.found[dir.Other()] == Unknown && s.agreed == TLS:
			s.events |= EventNoTLSAfterStartTLS
			s.found[dir] = id
		case s.switches > 0 && s.found[dir.Other()] == Unknown:
			s.events |= EventUnexpectedProtocol
			s.found[dir] = id
		case id != Unknown:
			s.events |= EventMismatchBothDirections
			s.found[dir] = id
		default:
			s.events |= EventOnlyOneDirection
			s.found[dir] = s.agreed
		}
	}
	s.state[dir] |= decided
	s.DropPending(dir)
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
