package stream

import (
	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
)

const (
	syn    = decode.TCPSyn
	ack    = decode.TCPAck
	synAck = decode.TCPSyn | decode.TCPAck
)

// maxWScale is the largest shift that RFC 7323 §2.3 allows.
const maxWScale = 14

func openingOf(p *decode.Packet) opening {
	return opening{seq: p.Seq, ack: p.Ack, win: p.Window, time: p.Time,
		wscale: min(p.TCPOpts.WScale, maxWScale), hasWS: p.TCPOpts.HasWScale,
		hasTS: p.TCPOpts.HasTimestamp, ts: p.TCPOpts.TSVal, hasAck: p.TCPFlags&ack != 0}
}

// setOpening begins a direction with its SYN or SYN/ACK.
func (h *half) setOpening(o opening) {
	h.isn, h.base = o.seq, o.seq+1
	if diff(h.next, o.seq+1) < 0 || !h.flags.has(hSeen) {
		h.next = o.seq + 1
	}
	h.flags |= hSeen
	h.flags &^= hWScale | hTS | hAnyScale
	h.wscale = 0
	if o.hasWS {
		h.flags |= hWScale
		h.wscale = o.wscale
	}
	if o.hasTS {
		h.flags |= hTS
		h.tsRecent, h.tsTime = o.ts, o.time
	}
	if o.hasAck {
		h.ack, h.win, h.right = o.ack, uint32(o.win), o.ack+uint32(o.win)
		h.flags |= hAck
	}
}

// restart forgets a direction's beginning, for a SYN sent again with another
// sequence number. What was given already keeps its offsets.
func (e *Engine) restart(h *half) {
	e.dropHeld(h)
	e.dropKept(h)
	h.flags &= hSent | hSkip | hDepth | hPolicySet | hStarted | hEnded
	h.next = 0
}

// settleScale applies RFC 7323 §2.2: windows are scaled if both SYNs said so.
func (s *Session) settleScale() {
	a, b := &s.half[0], &s.half[1]
	if !a.flags.has(hWScale) || !b.flags.has(hWScale) {
		a.wscale, b.wscale = 0, 0
	}
	if !a.flags.has(hTS) || !b.flags.has(hTS) {
		a.flags &^= hTS
		b.flags &^= hTS
	}
}

// open takes the first segment of a connection.
func (e *Engine) open(s *Session, p *decode.Packet, dir protocol.Dir, flags uint8) {
	h, o := &s.half[dir], &s.half[dir.Other()]
	reopened := e.hasReopened && flags&synAck == synAck && p.Ack == e.reopened.seq+1
	resumed := e.reopened
	e.hasReopened = false
	switch {
	case flags&decode.TCPRst != 0:
		e.Counters.NoSession++
		e.event(EventRstButNoSession)
	case flags&synAck == syn:
		e.Counters.Sessions++
		s.state, s.opener = StateSynSent, dir
		h.setOpening(openingOf(p))
		e.synData(s, p, dir)
	case reopened:
		e.Counters.Sessions++
		s.state, s.opener = StateSynSent, dir.Other()
		o.setOpening(resumed)
		e.shake(s, p, dir, flags)
	case flags&synAck == synAck && (e.cfg.Midstream || e.cfg.AsyncOneside && !e.cfg.Inline):
		// Inline, only a SYN begins a connection of which one side is seen.
		e.Counters.Sessions++
		e.Counters.Midstream++
		s.state, s.opener = StateSynRecv, dir.Other()
		s.flags |= sMidstream
		o.setOpening(opening{seq: p.Ack - 1})
		o.flags |= hSynAcked | hAnyScale
		h.setOpening(openingOf(p))
		if !h.flags.has(hWScale) {
			// Without the option here the SYN's does not count.
			o.flags &^= hAnyScale
		}
		e.async(s)
	case flags&(syn|decode.TCPFin) == 0 && e.cfg.Midstream:
		e.Counters.Sessions++
		e.Counters.Midstream++
		s.state, s.opener = StateEstablished, dir
		s.flags |= sMidstream
		h.setOpening(opening{seq: p.Seq - 1})
		o.setOpening(opening{seq: p.Ack - 1})
		h.flags |= hSynAcked | hAnyScale
		o.flags |= hSynAcked | hAnyScale
		e.async(s)
		e.synced(s, p, dir, flags)
	default:
		e.Counters.NoSession++
		if flags&decode.TCPFin != 0 {
			e.event(EventFinButNoSession)
		}
		e.res.Reason = ReasonMidstream
	}
}

// async marks a connection whose other direction may never be seen. The mark
// goes with the other direction's first segment.
func (e *Engine) async(s *Session) {
	if e.cfg.AsyncOneside {
		s.flags |= sAsync
	}
}

// synData takes the data of a SYN (RFC 9293 §3.10.7.2, RFC 7413). Inline it is
// judged now, since a server may hand it on before anything else is seen.
func (e *Engine) synData(s *Session, p *decode.Packet, dir protocol.Dir) {
	if data := p.PayloadBytes(); len(data) > 0 {
		s.half[dir].flags |= hSynData
		e.take(s, p, dir, p.Seq+1, data)
	}
}

// shake takes a segment while the handshake is not complete.
func (e *Engine) shake(s *Session, p *decode.Packet, dir protocol.Dir, flags uint8) {
	if s.state == StateSynSent && dir != s.opener && staleEcho(&s.half[s.opener], p) {
		e.refuse(EventPktInvalidTimestamp)
		return
	}
	if flags&decode.TCPRst != 0 {
		e.shakeRst(s, p, dir, flags)
		return
	}
	switch flags & synAck {
	case syn:
		e.shakeSyn(s, p, dir)
	case synAck:
		e.shakeSynAck(s, p, dir)
	default:
		e.shakeAck(s, p, dir, flags)
	}
}

// staleEcho reports whether an answer to a SYN echoes a timestamp that the SYN
// cannot have carried: clients drop such segments, be they SYN/ACK or RST.
func staleEcho(opener *half, p *decode.Packet) bool {
	if !opener.flags.has(hTS) || !p.TCPOpts.HasTimestamp || p.TCPOpts.TSEcr == 0 || p.TCPFlags&ack == 0 {
		return false
	}
	// The SYN may have been sent several times, with the clock moving on.
	back := diff(opener.tsRecent, p.TCPOpts.TSEcr)
	return back < 0 || back > 1<<24
}

func (e *Engine) shakeSyn(s *Session, p *decode.Packet, dir protocol.Dir) {
	h := &s.half[dir]
	switch {
	case !h.flags.has(hSeen):
		// The other end opens too: simultaneous open, or a split handshake.
		h.setOpening(openingOf(p))
		s.flags |= sFourWay
		s.state = StateSynRecv
		s.settleScale()
	case p.Seq == h.isn:
		if p.TCPOpts.HasTimestamp && s.state == StateSynSent {
			h.tsRecent, h.tsTime = p.TCPOpts.TSVal, p.Time
		}
		e.synData(s, p, dir)
	case s.state == StateSynSent && h.flags.has(hStarted):
		// Data of the first SYN was given: this is another connection.
		e.anew(s)
	case s.state == StateSynSent:
		e.restart(h)
		h.setOpening(openingOf(p))
		e.synData(s, p, dir)
	case dir == s.opener:
		e.event(EventThreeWHSSynResendDiffSeqOnSynRecv)
		e.remember(s, p)
	default:
		e.event(EventThreeWHSSynToclientOnSynRecv)
	}
}

// remember keeps a SYN that does not fit: should the other end answer it, it
// begins a new connection.
func (e *Engine) remember(s *Session, p *decode.Packet) {
	if s.hs == nil {
		s.hs = e.pools.getShake()
	}
	s.hs.syn, s.hs.isSyn = openingOf(p), true
}

// answersRemembered reports whether a SYN/ACK answers the SYN that remember
// kept, and if so ends the old connection.
func (e *Engine) answersRemembered(s *Session, p *decode.Packet) bool {
	if s.hs == nil || !s.hs.isSyn || p.Ack != s.hs.syn.seq+1 {
		return false
	}
	e.reopened, e.hasReopened = s.hs.syn, true
	e.anew(s)
	return true
}

// anew ends the connection because the segment in progress begins another.
func (e *Engine) anew(s *Session) {
	e.close(s)
	e.res.New = true
}

func (e *Engine) shakeSynAck(s *Session, p *decode.Packet, dir protocol.Dir) {
	h, o := &s.half[dir], &s.half[dir.Other()]
	if s.flags&sFourWay != 0 {
		e.fourWaySynAck(s, p, dir)
		return
	}
	if dir == s.opener {
		if s.state == StateSynSent {
			e.refuse(EventThreeWHSSynAckInWrongDirection)
		} else {
			e.refuse(EventThreeWHSSynAckToserverOnSynRecv)
		}
		return
	}
	if s.state == StateSynRecv {
		e.secondSynAck(s, p, dir)
		return
	}
	// StateSynSent: the ACK must cover the SYN, and may cover its data.
	if !between(p.Ack, o.isn+1, o.next) {
		if !e.answersRemembered(s, p) {
			e.refuse(EventThreeWHSSynAckWithWrongAck)
		}
		return
	}
	if o.flags.has(hSynData) && p.Ack == o.isn+1 {
		// The server left the SYN's data alone: the client sends it again.
		e.event(EventThreeWHSSynAckTFODataIgnored)
		e.dropHeld(o)
		o.next = p.Ack
	}
	h.setOpening(openingOf(p))
	o.flags |= hSynAcked
	s.state = StateSynRecv
	s.settleScale()
	e.synData(s, p, dir)
	if e.immediate(s) {
		// A listener reads the SYN's data with the rest that the server acknowledges.
		e.advance(s, dir.Other())
	}
}

// secondSynAck takes a SYN/ACK that follows another. One that differs is kept
// beside it: the client's ACK tells which it has believed.
func (e *Engine) secondSynAck(s *Session, p *decode.Packet, dir protocol.Dir) {
	h, o := &s.half[dir], &s.half[dir.Other()]
	if !between(p.Ack, o.isn+1, o.next) {
		if !e.answersRemembered(s, p) {
			e.refuse(EventThreeWHSSynAckResendWithDifferentAck)
		}
		return
	}
	if p.Seq == h.isn {
		if p.TCPOpts.HasTimestamp && h.flags.has(hTS) {
			h.tsRecent, h.tsTime = p.TCPOpts.TSVal, p.Time
		}
		return
	}
	e.event(EventThreeWHSSynAckResendWithDiffSeq)
	if s.hs == nil {
		s.hs = e.pools.getShake()
	}
	a := s.hs
	for _, x := range a.alts[:a.nAlts] {
		if x.seq == p.Seq {
			return
		}
	}
	if a.nAlts == e.cfg.MaxSynAckQueued {
		e.refuse(EventThreeWHSSynAckFlood)
		return
	}
	a.alts[a.nAlts] = openingOf(p)
	a.nAlts++
}

// fourWaySynAck takes a SYN/ACK after both ends have sent a SYN.
func (e *Engine) fourWaySynAck(s *Session, p *decode.Packet, dir protocol.Dir) {
	h, o := &s.half[dir], &s.half[dir.Other()]
	if p.Seq != h.isn {
		e.refuse(EventFourWHSSynAckWithWrongSyn)
		return
	}
	if p.Ack != o.isn+1 {
		e.refuse(EventFourWHSSynAckWithWrongAck)
		return
	}
	h.ack, h.win, h.right = p.Ack, uint32(p.Window), p.Ack+uint32(p.Window)
	h.flags |= hAck
	o.flags |= hSynAcked
	e.settle(s)
}

// settle completes the handshake once both SYNs are acknowledged.
func (e *Engine) settle(s *Session) {
	if s.half[0].flags.has(hSynAcked) && s.half[1].flags.has(hSynAcked) {
		s.state = StateEstablished
		e.dropShake(s)
	}
}

func (e *Engine) shakeAck(s *Session, p *decode.Packet, dir protocol.Dir, flags uint8) {
	h, o := &s.half[dir], &s.half[dir.Other()]
	switch {
	case s.flags&sFourWay != 0:
		if diff(p.Seq, h.isn+1) < 0 || diff(p.Seq, h.isn+1) > 1<<16 {
			e.refuse(EventFourWHSWrongSeq)
			return
		}
		if p.Ack != o.isn+1 && !(o.flags.has(hSynAcked) && between(p.Ack, o.isn+1, o.next)) {
			e.refuse(EventFourWHSInvalidAck)
			return
		}
		o.flags |= hSynAcked
		e.settle(s)
		if s.state == StateEstablished {
			e.synced(s, p, dir, flags)
		}
	case s.state == StateSynSent:
		if dir != s.opener {
			// An ACK that answers the SYN without a SYN of its own does nothing
			// at the client (RFC 9293 §3.10.7.3); data with it is refused.
			if len(p.PayloadBytes()) > 0 {
				e.invalid(ReasonError)
			}
			return
		}
		if !e.cfg.AsyncOneside && !e.cfg.Midstream {
			e.invalid(ReasonError)
			return
		}
		if !between(p.Seq, h.isn+1, h.next) {
			e.refuse(EventThreeWHSAsyncWrongSeq)
			return
		}
		o.setOpening(opening{seq: p.Ack - 1})
		o.flags |= hSynAcked | hAnyScale
		h.flags |= hSynAcked
		if !e.cfg.AsyncOneside {
			// Followed on purpose, a connection of which one side is captured is
			// not picked up midway: it was seen from its SYN on.
			s.flags |= sMidstream
		}
		e.async(s)
		s.state = StateEstablished
		e.dropShake(s)
		e.synced(s, p, dir, flags)
	case dir == s.opener:
		e.thirdAck(s, p, dir, flags)
	default:
		e.serverFirst(s, p, dir, flags)
	}
}

// thirdAck takes the client's segment that completes the handshake.
func (e *Engine) thirdAck(s *Session, p *decode.Packet, dir protocol.Dir, flags uint8) {
	h, o := &s.half[dir], &s.half[dir.Other()]
	if s.hs != nil {
		for i := range s.hs.nAlts {
			if a := s.hs.alts[i]; p.Ack == a.seq+1 {
				e.restart(o)
				o.setOpening(a)
				s.settleScale()
				break
			}
		}
	}
	// A first segment lost on the way leaves a later one to complete the
	// handshake, so that data in the window counts as the right sequence.
	rightSeq := diff(p.Seq, h.isn+1) >= 0 && diff(p.Seq, o.ack+max(o.win, 1)) <= 0
	rightAck := between(p.Ack, o.isn+1, o.next) ||
		h.flags.has(hAnyScale) && diff(p.Ack, o.isn) > 0 ||
		diff(p.Ack, o.isn+1) > 0 && diff(p.Ack, o.isn+1) <= 1<<16 && !e.cfg.Inline
	if !rightAck || !rightSeq {
		if rightSeq {
			e.refuse(EventThreeWHSRightSeqWrongAckEvasion)
		} else {
			e.refuse(EventThreeWHSWrongSeqWrongAck)
		}
		return
	}
	o.flags |= hSynAcked
	s.state = StateEstablished
	e.dropShake(s)
	e.synced(s, p, dir, flags)
}

// serverFirst takes a server's segment sent before the client's ACK was seen.
func (e *Engine) serverFirst(s *Session, p *decode.Packet, dir protocol.Dir, flags uint8) {
	h, o := &s.half[dir], &s.half[dir.Other()]
	n := len(p.PayloadBytes())
	if n == 0 && flags&decode.TCPFin == 0 {
		e.event(EventThreeWHSAckInWrongDir)
		return
	}
	fits := between(p.Seq, h.isn+1, h.isn+1<<20) && between(p.Ack, o.isn+1, o.next)
	switch {
	case fits && o.flags.has(hSynData) && diff(p.Ack, o.isn+1) > 0:
		// TCP Fast Open: the server may answer at once (RFC 7413 §4.2.2).
		h.flags |= hSynAcked
	case fits && !e.cfg.Inline:
		// The client's ACK was lost to the capture.
		h.flags |= hSynAcked
	case e.cfg.Inline:
		e.refuse(EventThreeWHSAckDataInject)
		return
	default:
		e.refuse(EventThreeWHSAckInWrongDir)
		return
	}
	s.state = StateEstablished
	e.dropShake(s)
	e.synced(s, p, dir, flags)
}

// shakeRst takes a RST during the handshake (RFC 9293 §3.10.7.3 and .4).
func (e *Engine) shakeRst(s *Session, p *decode.Packet, dir protocol.Dir, flags uint8) {
	h, o := &s.half[dir], &s.half[dir.Other()]
	var ok bool
	switch {
	case s.state == StateSynSent && dir != s.opener:
		ok = flags&ack != 0 && between(p.Ack, o.isn+1, o.next)
	case s.state == StateSynSent:
		ok = between(p.Seq, h.isn, h.next)
	default:
		ok = between(p.Seq, h.isn, h.next) || flags&ack != 0 && between(p.Ack, o.isn+1, o.next) && p.Seq == 0
	}
	if !ok {
		e.refuse(EventRstInvalidAck)
		return
	}
	e.reset(s, dir)
}

// between reports whether x lies in [lo, hi] in sequence space.
func between(x, lo, hi uint32) bool { return x-lo <= hi-lo }
