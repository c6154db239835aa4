package stream

import (
	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
)

// pawsIdle is how long a timestamp stays good for comparison (RFC 7323 §5.5).
const pawsIdle = 24 * 24 * 3600 * 1e9

// slack is how far an old acknowledgement may lie back at least (RFC 5961 §5).
const slack = 1 << 16

// maxUnseen is how far a segment that is in order itself may acknowledge beyond
// the window: as much as a burst of loss in the capture may hide.
const maxUnseen = 1 << 24

// synced takes a segment without SYN of a connection whose handshake is over
// (RFC 9293 §3.10.7.4).
func (e *Engine) synced(s *Session, p *decode.Packet, dir protocol.Dir, flags uint8) {
	h, o := &s.half[dir], &s.half[dir.Other()]
	if flags&decode.TCPRst != 0 {
		e.rst(s, p, dir, flags)
		return
	}
	data := p.PayloadBytes()
	n := uint32(len(data))
	end := p.Seq + n
	if e.staleTimestamp(h, p) {
		e.refuse(EventPktInvalidTimestamp)
		return
	}
	if o.flags.has(hAck) {
		// Beyond the window, or a FIN that is (a zero window takes one byte of
		// probe). What begins before the window's end may go past it: the
		// receiver cuts it off and it comes again.
		over := diff(p.Seq, o.right)
		if over > 0 || over == 0 && n > 1 && o.win != 0 {
			e.refuse(outOfWindow(s, flags))
			return
		}
	} else if d := diff(p.Seq, h.base); d > 1<<30 {
		e.refuse(outOfWindow(s, flags))
		return
	}
	if past := diff(end, h.fin); h.flags.has(hFin) && (past > 1 || past > 0 && n > 0) {
		if e.cfg.Inline || h.flags.has(hFinAcked) {
			e.refuse(afterFin(s))
			return
		}
		// The FIN was not acknowledged: it was not the end after all.
		h.flags &^= hFin
	}
	if h.flags.has(hFin) && flags&decode.TCPFin != 0 && end != h.fin {
		e.refuse(wrongFin(s))
		return
	}
	// A segment wholly before what was both given and acknowledged is dropped by
	// its receiver together with its ACK.
	old := o.flags.has(hAck) && diff(end, o.ack) < 0 && diff(end, h.base) < 0
	if !old && !e.takeAck(s, p, dir, n == 0 && flags&decode.TCPFin == 0) {
		return
	}
	if h.flags.has(hTS) && p.TCPOpts.HasTimestamp && (!o.flags.has(hAck) || diff(p.Seq, o.ack) <= 0) && diff(p.TCPOpts.TSVal, h.tsRecent) >= 0 {
		h.tsRecent, h.tsTime = p.TCPOpts.TSVal, p.Time
	} else if s.flags&sMidstream != 0 && !h.flags.has(hTS|hSent) && p.TCPOpts.HasTimestamp {
		h.flags |= hTS
		h.tsRecent, h.tsTime = p.TCPOpts.TSVal, p.Time
	}
	if n > 0 {
		if n == 1 && p.Seq == h.next-1 && o.flags.has(hAck) && diff(end, o.ack) <= 0 {
			// A keep-alive's byte means nothing.
		} else {
			e.take(s, p, dir, p.Seq, data)
			if e.res.Invalid {
				return
			}
		}
	}
	if flags&decode.TCPFin != 0 {
		e.fin(s, dir, end)
	}
	e.advance(s, dir.Other())
	if n > 0 || flags&decode.TCPFin != 0 || e.immediate(s) {
		e.advance(s, dir)
	}
	e.leave(s)
}

// staleTimestamp applies PAWS (RFC 7323 §5.3).
func (e *Engine) staleTimestamp(h *half, p *decode.Packet) bool {
	return h.flags.has(hTS) && p.TCPOpts.HasTimestamp && diff(p.TCPOpts.TSVal, h.tsRecent) < 0 &&
		p.Time-h.tsTime < pawsIdle
}

// takeAck takes a segment's acknowledgement and window. It reports false where
// the acknowledgement makes the segment invalid.
func (e *Engine) takeAck(s *Session, p *decode.Packet, dir protocol.Dir, pure bool) bool {
	h, o := &s.half[dir], &s.half[dir.Other()]
	if p.TCPFlags&ack == 0 {
		return true
	}
	shift := h.wscale
	if h.flags.has(hAnyScale) {
		shift = maxWScale
	}
	win := uint32(p.Window) << shift
	if !h.flags.has(hAck) {
		if far := diff(p.Ack, o.next); far > maxLag || far < -maxLag {
			e.event(EventPktInvalidAck)
			e.refuse(badAck(s))
			return false
		}
		h.ack, h.win, h.right = p.Ack, win, p.Ack+win
		h.flags |= hAck
		if diff(p.Ack, o.next) > 0 {
			o.next = p.Ack
		}
	} else {
		ahead := diff(p.Ack, o.next)
		inOrder := p.Seq == h.next && ahead <= maxUnseen
		if ahead > slack && diff(p.Ack, h.right) > 0 && !inOrder {
			// Acknowledges what it never allowed to be sent.
			e.event(EventPktInvalidAck)
			e.refuse(badAck(s))
			return false
		}
		if back := diff(h.ack, p.Ack); back > 0 {
			if back > max(diff(h.right, h.ack), slack) {
				e.event(EventPktInvalidAck)
				e.refuse(badAck(s))
				return false
			}
			return true // an old one that came late
		}
		if ahead > 0 {
			o.next = p.Ack
		}
		right := p.Ack + win
		if pure && p.Ack == h.ack && diff(right, h.right) < 0 && diff(o.next, right) > 1<<shift && win != 0 {
			e.event(EventPktBadWindowUpdate)
		}
		h.ack, h.win = p.Ack, win
		if diff(right, h.right) > 0 {
			h.right = right
		}
	}
	if o.flags.has(hFin) && diff(h.ack, o.fin) > 0 {
		o.flags |= hFinAcked
	}
	o.flags |= hSynAcked
	e.forgetAcked(o, h.ack)
	return true
}

// fin notes a FIN and moves the state on.
func (e *Engine) fin(s *Session, dir protocol.Dir, seq uint32) {
	h := &s.half[dir]
	if h.flags.has(hFin) {
		return
	}
	h.flags |= hFin
	h.fin = seq
	if diff(seq+1, h.next) > 0 {
		h.next = seq + 1
	}
	if o := &s.half[dir.Other()]; o.flags.has(hAck) && diff(o.ack, seq) > 0 {
		h.flags |= hFinAcked
	}
	switch {
	case s.flags&sAsync != 0:
		// Whether the other side takes part in closing is not seen.
	case dir == protocol.ToServer && s.state == StateEstablished:
		s.state = StateCloseWait
	case dir == protocol.ToServer && s.state == StateFinWait1:
		s.state = StateClosing
	case dir == protocol.ToServer && s.state == StateFinWait2:
		s.state = StateTimeWait
	case dir == protocol.ToClient && s.state == StateEstablished:
		s.state = StateFinWait1
	case dir == protocol.ToClient && s.state == StateCloseWait:
		s.state = StateLastAck
	}
}

// leave moves the closing states on by what is acknowledged.
func (e *Engine) leave(s *Session) {
	if s.state <= StateEstablished || s.state == StateClosed {
		return
	}
	client, server := s.half[protocol.ToServer].flags, s.half[protocol.ToClient].flags
	if server.has(hFinAcked) {
		switch s.state {
		case StateFinWait1:
			s.state = StateFinWait2
		case StateClosing:
			s.state = StateTimeWait
		case StateLastAck:
			s.state = StateClosed
		}
	}
	if s.state == StateTimeWait && client.has(hFinAcked) && server.has(hFinAcked) {
		s.state = StateClosed
	}
	// A FIN taken back (ids mode) leaves an older state behind.
	if !client.has(hFin) && !server.has(hFin) {
		s.state = StateEstablished
	}
}

// rst takes a RST of a synchronised connection. It counts where the receiver
// would take it (RFC 5961 §3.2): an observer knows RCV.NXT only as lying between
// the last acknowledgement and the end of what was sent.
func (e *Engine) rst(s *Session, p *decode.Packet, dir protocol.Dir, flags uint8) {
	h, o := &s.half[dir], &s.half[dir.Other()]
	lo := h.base
	if o.flags.has(hAck) && diff(o.ack, lo) < 0 {
		lo = o.ack
	}
	if flags&ack != 0 && h.flags.has(hAck) {
		if diff(p.Ack, o.next) > slack && diff(p.Ack, h.right) > 0 || diff(h.ack, p.Ack) > max(diff(h.right, h.ack), slack) {
			e.refuse(EventRstInvalidAck)
			return
		}
	}
	// One byte before is what a host answers to a keep-alive.
	if !between(p.Seq, lo-1, h.next) {
		if o.flags.has(hAck) && between(p.Seq, lo, o.right) {
			// In the window, not exact: receivers of today answer with a
			// challenge ACK and go on, and so does the observer.
			if e.cfg.Inline {
				e.invalid(ReasonError)
			}
			return
		}
		e.refuse(outOfWindow(s, flags))
		return
	}
	e.reset(s, dir)
}

// reset ends the connection by a RST that counts. Inline nothing can follow; in
// ids mode what is in order is given, and the end is told by Close, as the RST
// may prove to have been forged.
func (e *Engine) reset(s *Session, dir protocol.Dir) {
	s.flags |= sReset
	s.resetter, s.beforeReset = dir, s.state
	s.state = StateClosed
	if s.beforeReset < StateEstablished && !(s.half[0].flags | s.half[1].flags).has(hStarted) {
		e.dropShake(s)
		return // refused, before anything was given: the SYN may come again
	}
	if e.cfg.Inline {
		e.close(s)
		return
	}
	for _, d := range [2]protocol.Dir{dir.Other(), dir} {
		if q := s.half[d].q; q != nil && q.held.len() > 0 && q.held.first().seq == s.half[d].base {
			e.flushRun(s, d)
		}
	}
}

// afterReset takes what follows a RST. What its target sends on says that the
// RST was ignored there: by a forger's time to live or sequence number.
func (e *Engine) afterReset(s *Session, p *decode.Packet, dir protocol.Dir, flags uint8) {
	if flags&decode.TCPRst != 0 {
		return
	}
	lives := dir == s.resetter && !e.cfg.Inline && s.beforeReset >= StateEstablished
	if s.flags&sInject == 0 && len(p.PayloadBytes()) > 0 && (dir != s.resetter || lives) {
		s.flags |= sInject
		e.Counters.RstInject++
		e.event(EventSuspectedRstInject)
	}
	if e.cfg.Inline {
		e.invalid(ReasonError)
		return
	}
	if s.beforeReset < StateEstablished {
		return
	}
	if dir == s.resetter {
		// The host in whose name the RST was sent lives on.
		s.flags &^= sReset
		s.state = s.beforeReset
		e.synced(s, p, dir, flags)
		if e.res.Invalid {
			s.flags |= sReset
			s.state = StateClosed
		}
		return
	}
	e.synced(s, p, dir, flags)
	s.state = StateClosed
}

// lateSyn takes a SYN or SYN/ACK after the handshake.
func (e *Engine) lateSyn(s *Session, p *decode.Packet, dir protocol.Dir, flags uint8) {
	h, o := &s.half[dir], &s.half[dir.Other()]
	over := s.state == StateClosed || s.state == StateTimeWait
	if flags&synAck == syn {
		switch {
		case over && p.Seq == h.isn && s.flags&sClosed == 0 && s.beforeReset < StateEstablished && s.flags&sReset != 0:
			e.again(s, p, dir)
			return
		case over && (p.Seq != h.isn || s.flags&sReset != 0):
			e.anew(s)
			return
		case s.state > StateEstablished:
			e.event(EventShutdownSynResend)
		case dir != s.opener:
			e.event(EventEstSynToclient)
		case p.Seq != h.isn:
			e.event(EventEstSynResendDiffSeq)
		default:
			e.event(EventEstSynResend)
		}
		if p.Seq != h.isn {
			e.remember(s, p)
		}
		return
	}
	if e.answersRemembered(s, p) {
		return
	}
	switch {
	case s.state > StateEstablished:
		e.event(EventShutdownSynResend)
	case dir == s.opener && s.flags&sFourWay == 0:
		e.refuse(EventEstSynAckToserver)
	case p.Seq != h.isn:
		if s.Async() && !h.flags.has(hSent) {
			return // the SYN/ACK of a connection followed from one side
		}
		e.refuse(EventEstSynAckResendWithDiffSeq)
	case diff(p.Ack, o.next) > 0 || diff(p.Ack, o.isn+1) < 0:
		e.refuse(EventEstSynAckResendWithDifferentAck)
	default:
		e.event(EventEstSynAckResend)
	}
}

// again takes the same SYN as before a refusal: it is the same attempt to its
// sender, and nothing was given yet.
func (e *Engine) again(s *Session, p *decode.Packet, dir protocol.Dir) {
	for d := range s.half {
		e.restart(&s.half[d])
	}
	s.flags &^= sReset | sFourWay | sMidstream
	s.state, s.opener = StateSynSent, dir
	s.half[dir].setOpening(openingOf(p))
	e.synData(s, p, dir)
}

func outOfWindow(s *Session, flags uint8) decode.Event {
	fin := flags&decode.TCPFin != 0
	switch s.state {
	case StateCloseWait:
		if fin {
			return EventClosewaitFinOutOfWindow
		}
		return EventClosewaitAckOutOfWindow
	case StateFinWait1:
		if fin {
			return EventFin1FinWrongSeq
		}
		return EventFin1AckWrongSeq
	case StateFinWait2:
		if fin {
			return EventFin2FinWrongSeq
		}
		return EventFin2AckWrongSeq
	case StateClosing:
		return EventClosingAckWrongSeq
	case StateLastAck:
		return EventLastackAckWrongSeq
	case StateTimeWait:
		return EventTimewaitAckWrongSeq
	}
	if fin {
		return EventFinOutOfWindow
	}
	return EventEstPacketOutOfWindow
}

// afterFin names data past a FIN, wrongFin a FIN at another place.
func afterFin(s *Session) decode.Event { return outOfWindow(s, 0) }

func wrongFin(s *Session) decode.Event { return outOfWindow(s, decode.TCPFin) }

func badAck(s *Session) decode.Event {
	switch s.state {
	case StateCloseWait:
		return EventClosewaitInvalidAck
	case StateFinWait1:
		return EventFin1InvalidAck
	case StateFinWait2:
		return EventFin2InvalidAck
	case StateClosing:
		return EventClosingInvalidAck
	case StateLastAck:
		return EventLastackInvalidAck
	case StateTimeWait:
		return EventTimewaitInvalidAck
	case StateClosed:
		return EventPktInvalidAck
	}
	return EventEstInvalidAck
}
