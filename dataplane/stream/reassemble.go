package stream

import (
	"bytes"

	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
)

// kind says what a run of bytes is in the stream.
type kind uint8

const (
	plain kind = iota
	oob        // urgent data that is no part of the stream
	hole       // urgent data that is reported as a gap
)

// maxLag is how far acknowledgements may run ahead of the data seen before the
// missing bytes are taken as lost.
const maxLag = 1 << 28

// immediate reports whether data is given on arrival.
func (e *Engine) immediate(s *Session) bool {
	return e.cfg.Inline || e.cfg.OnArrival || s.flags&sAsync != 0
}

// keeps reports whether bytes that were given are kept until they are
// acknowledged.
func (e *Engine) keeps() bool { return (e.cfg.Inline || e.cfg.OnArrival) && !e.cfg.NoOverlapCheck }

// take puts a segment's data into its direction: given, held or recognised as
// known.
func (e *Engine) take(s *Session, p *decode.Packet, dir protocol.Dir, seq uint32, data []byte) {
	h := &s.half[dir]
	if s.flags&sClosed != 0 {
		return
	}
	end := seq + uint32(len(data))
	if h.flags.has(hSkip) {
		e.skipTo(h, end)
	} else if p.TCPFlags&decode.TCPUrg != 0 && p.Urgent > 0 && e.cfg.Urgent != UrgentInline {
		e.takeUrgent(s, p, dir, seq, data)
	} else {
		e.put(s, dir, seq, data, plain)
	}
	if !e.res.Invalid && diff(end, h.next) > 0 {
		h.next = end
	}
}

// takeUrgent treats the byte before the urgent pointer (RFC 6093 §2.1: that is
// what systems take the pointer to mean) by policy.
func (e *Engine) takeUrgent(s *Session, p *decode.Packet, dir protocol.Dir, seq uint32, data []byte) {
	h := &s.half[dir]
	e.Counters.Urgent++
	policy := e.cfg.Urgent
	if int(h.urgent) >= e.cfg.UrgentMax {
		policy = e.cfg.UrgentLimit
	}
	as := oob
	switch policy {
	case UrgentDrop:
		e.invalid(ReasonUrgent)
		return
	case UrgentInline:
		e.put(s, dir, seq, data, plain)
		return
	case UrgentGap:
		as = hole
	}
	at := int(p.Urgent) - 1
	if at >= len(data) {
		e.put(s, dir, seq, data, plain)
		return
	}
	if diff(seq+uint32(at), h.base) >= 0 && h.urgent < 0xffff {
		h.urgent++
	}
	e.put(s, dir, seq, data[:at], plain)
	if !e.res.Invalid {
		e.put(s, dir, seq+uint32(at), data[at:at+1], as)
	}
	if !e.res.Invalid {
		e.put(s, dir, seq+uint32(at)+1, data[at+1:], plain)
	}
}

// put is take for a run of one kind.
func (e *Engine) put(s *Session, dir protocol.Dir, seq uint32, data []byte, k kind) {
	h, o := &s.half[dir], &s.half[dir.Other()]
	if len(data) == 0 {
		return
	}
	if d := diff(seq, h.base); d < 0 {
		n := min(-int(d), len(data))
		e.repeat(s, h, o, seq, data[:n])
		if n == len(data) {
			e.retransmitted(s, o, seq+uint32(n))
			return
		}
		seq, data = seq+uint32(n), data[n:]
	}
	if !e.immediate(s) {
		e.res.Held = true
		e.buffer(s, dir, seq, data, k)
		return
	}
	if seq != h.base && (h.q == nil || h.q.held.len() == 0) && o.flags.has(hAck) && diff(o.ack, seq) >= 0 {
		// The receiver has what is missing here: it went another way.
		e.gap(s, dir, seq-h.base)
	}
	if seq != h.base {
		e.res.Held = true
		e.Counters.OutOfOrder++
		e.buffer(s, dir, seq, data, k)
		return
	}
	for len(data) > 0 {
		n := len(data)
		if g := e.first(h); g != nil {
			if d := diff(g.seq, h.base); d <= 0 {
				// Held bytes were seen first.
				n = min(n, len(g.data))
				e.compare(g.data[:n], data[:n])
				e.Counters.Overlaps++
				e.giveHeld(s, dir, len(g.data))
				data = data[n:]
				continue
			} else if int(d) < n {
				n = int(d)
			}
		}
		switch k {
		case oob:
			h.base += uint32(n)
		case hole:
			e.gap(s, dir, uint32(n))
		default:
			at := h.base
			e.give(s, dir, data[:n])
			e.keep(h, o, at, data[:n])
		}
		data = data[n:]
	}
}

// compare notes bytes that differ from those seen first.
func (e *Engine) compare(first, later []byte) {
	if !bytes.Equal(first, later) {
		if !e.res.Conflict {
			e.Counters.Conflicts++
		}
		e.res.Conflict = true
		e.event(EventReassemblyOverlapDifferentData)
	}
}

// retransmitted tells of a segment that ends at end and brought nothing new.
func (e *Engine) retransmitted(s *Session, o *half, end uint32) {
	e.res.Retransmission = true
	e.Counters.Retransmissions++
	e.event(EventPktRetransmission)
	if o.flags.has(hAck) && diff(end, o.ack) <= 0 {
		e.event(EventPktSpuriousRetransmission)
		if s.state == StateCloseWait {
			e.event(EventClosewaitPktBeforeLastAck)
		} else {
			e.event(EventEstPktBeforeLastAck)
		}
	}
	if !e.immediate(s) {
		e.event(EventReassemblySegmentBeforeBaseSeq)
	}
}

// repeat compares bytes that were given before with what was kept of them. The
// receiver throws away what it has acknowledged, so only the rest counts.
func (e *Engine) repeat(s *Session, h, o *half, seq uint32, data []byte) {
	if !e.immediate(s) {
		return // given means acknowledged
	}
	if o.flags.has(hAck) {
		if d := diff(o.ack, seq); d > 0 {
			n := min(int(d), len(data))
			seq, data = seq+uint32(n), data[n:]
		}
	}
	if len(data) == 0 || e.cfg.NoOverlapCheck {
		return
	}
	known := 0
	if h.q != nil {
		l := &h.q.kept
		for i := l.find(seq); i < l.len(); i++ {
			g := l.at(i)
			from := max(0, int(diff(g.seq, seq)))
			to := min(len(data), int(diff(g.end(), seq)))
			if from >= len(data) {
				break
			}
			off := int(diff(seq+uint32(from), g.seq))
			e.compare(g.data[off:off+to-from], data[from:to])
			known += to - from
		}
	}
	if known < len(data) {
		e.Counters.Unverified++
	}
}

// advance gives what has become readable of a direction: what is in order and,
// in ids mode, acknowledged; past holes that the receiver acknowledged.
func (e *Engine) advance(s *Session, dir protocol.Dir) {
	h, o := &s.half[dir], &s.half[dir.Other()]
	if !h.flags.has(hSeen) || s.flags&sClosed != 0 {
		return
	}
	now := e.immediate(s)
	for !h.flags.has(hSkip) {
		g := e.first(h)
		if g == nil {
			break
		}
		if d := diff(g.seq, h.base); d > 0 {
			if !o.flags.has(hAck) || diff(o.ack, g.seq) < 0 {
				break
			}
			e.gap(s, dir, uint32(d))
			continue
		}
		n := len(g.data)
		if !now {
			if !o.flags.has(hAck) {
				break
			}
			n = min(n, int(diff(o.ack, h.base)))
			if n <= 0 {
				break
			}
		}
		e.giveHeld(s, dir, n)
	}
	if o.flags.has(hAck) && diff(o.ack, h.base) > maxLag {
		// Sequence numbers compare within half their space only.
		e.gap(s, dir, o.ack-h.base)
	}
	if h.flags.has(hSkip) {
		e.skipTo(h, h.base)
	}
	if h.flags.has(hFin) && !h.flags.has(hEnded) {
		empty := h.q == nil || h.q.held.len() == 0
		if d := diff(h.fin, h.base); d > 0 && h.flags.has(hFinAcked) && empty {
			e.gap(s, dir, uint32(d))
		}
		if diff(h.base, h.fin) >= 0 && (now || h.flags.has(hFinAcked)) {
			e.end(s, dir)
		}
	}
	e.release(h)
}

// flushRun gives the first run of held bytes whatever is missing before it.
func (e *Engine) flushRun(s *Session, dir protocol.Dir) {
	h := &s.half[dir]
	if h.flags.has(hSkip) {
		e.skipTo(h, h.base)
		return
	}
	g := e.first(h)
	if g == nil {
		return
	}
	if d := diff(g.seq, h.base); d > 0 {
		e.gap(s, dir, uint32(d))
	}
	for g = e.first(h); g != nil && !h.flags.has(hSkip) && diff(g.seq, h.base) <= 0; g = e.first(h) {
		e.giveHeld(s, dir, len(g.data))
	}
	if h.flags.has(hSkip) {
		e.skipTo(h, h.base)
	}
}

// first gives the first held segment of a direction, rid of bytes before the
// next one wanted; nil where nothing is held.
func (e *Engine) first(h *half) *segment {
	for h.q != nil && h.q.held.len() > 0 {
		g := h.q.held.first()
		late := int(diff(h.base, g.seq))
		if late <= 0 {
			return g
		}
		if late < len(g.data) {
			h.q.held.trimFront(0, late)
			return g
		}
		e.pools.put(h.q.held.popFront())
	}
	return nil
}

// giveHeld gives the first n bytes of the first held segment, which begins at
// the next byte wanted.
func (e *Engine) giveHeld(s *Session, dir protocol.Dir, n int) {
	h, o := &s.half[dir], &s.half[dir.Other()]
	l := &h.q.held
	g := l.first()
	switch {
	case g.oob:
		h.base += uint32(n)
	case g.gap:
		e.gap(s, dir, uint32(n))
	default:
		e.give(s, dir, g.data[:n])
	}
	if n < len(g.data) {
		l.trimFront(0, n)
		g.from = g.seq
		return
	}
	l.popFront()
	if e.keeps() && !(o.flags.has(hAck) && diff(o.ack, g.end()) >= 0) {
		h.q.kept.pushBack(g)
		e.limitKept(h)
		return
	}
	e.pools.put(g)
}

// give hands the next bytes of a direction to the receiver, up to the depth.
func (e *Engine) give(s *Session, dir protocol.Dir, data []byte) {
	h := &s.half[dir]
	at := h.offset
	h.base += uint32(len(data))
	h.offset += uint64(len(data))
	if h.flags.has(hSkip | hEnded) {
		return
	}
	h.flags |= hStarted
	if n := e.depth(s, h, at, uint64(len(data))); n < uint64(len(data)) {
		data = data[:n]
	}
	if len(data) > 0 {
		e.Counters.Bytes += uint64(len(data))
		e.r.StreamData(dir, at, data)
	}
}

// depth gives how many of n bytes at an offset lie within the depth.
func (e *Engine) depth(s *Session, h *half, at, n uint64) uint64 {
	depth := e.cfg.Depth
	if e.cfg.Depths != nil {
		depth = e.cfg.Depths[s.app]
	}
	if depth > 0 && s.flags&sStores != 0 && e.cfg.RaisesDepth && (e.cfg.StoreDepth == 0 || e.cfg.StoreDepth > depth) {
		depth = e.cfg.StoreDepth
	}
	if depth == 0 || at+n < depth {
		return n
	}
	h.flags |= hDepth | hSkip
	e.Counters.Depth++
	e.event(EventReassemblyDepthReached)
	return depth - min(at, depth)
}

// gap tells of n bytes missing at the next byte wanted.
func (e *Engine) gap(s *Session, dir protocol.Dir, n uint32) {
	h := &s.half[dir]
	at := h.offset
	h.base += n
	h.offset += uint64(n)
	if h.flags.has(hSkip|hEnded) || n == 0 {
		return
	}
	h.flags |= hStarted
	if s.flags&sClosing == 0 {
		e.Counters.Gaps++
		e.Counters.GapBytes += uint64(n)
		e.event(EventReassemblySeqGap)
	}
	if m := e.depth(s, h, at, uint64(n)); m > 0 {
		e.r.StreamGap(dir, at, m)
	}
}

// end tells the receiver that a direction is over.
func (e *Engine) end(s *Session, dir protocol.Dir) {
	h := &s.half[dir]
	if h.flags.has(hEnded) {
		return
	}
	h.flags |= hEnded
	e.dropHeld(h)
	e.r.StreamEnd(dir)
}

// skipTo passes over a direction's bytes up to seq and what is held.
func (e *Engine) skipTo(h *half, seq uint32) {
	if h.q != nil && h.q.held.len() > 0 {
		if last := h.q.held.last().end(); diff(last, seq) > 0 {
			seq = last
		}
		e.dropHeld(h)
	}
	if d := diff(seq, h.base); d > 0 {
		h.base = seq
		h.offset += uint64(d)
	}
}
