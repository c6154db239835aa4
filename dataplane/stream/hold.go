package stream

import "sluice/dataplane/protocol"

// maxCopy is the longest run that one segment holds.
const maxCopy = 65536

// queueOf gives the direction's queue, taking one where it has none.
func (e *Engine) queueOf(h *half) *queue {
	if h.q == nil {
		h.q = e.pools.getQueue()
	}
	return h.q
}

// release gives an empty queue back, so that an idle connection is small.
func (e *Engine) release(h *half) {
	if h.q != nil && h.q.held.len() == 0 && h.q.kept.len() == 0 {
		e.pools.putQueue(h.q)
		h.q = nil
	}
}

func (e *Engine) dropHeld(h *half) {
	if h.q != nil {
		for h.q.held.len() > 0 {
			e.pools.put(h.q.held.popFront())
		}
	}
}

func (e *Engine) dropKept(h *half) {
	if h.q != nil {
		for h.q.kept.len() > 0 {
			e.pools.put(h.q.kept.popFront())
		}
	}
}

// keep remembers bytes just given until they are acknowledged, to compare
// retransmissions with. It is best effort within its limits.
func (e *Engine) keep(h, o *half, seq uint32, data []byte) {
	if !e.keeps() || o.flags.has(hAck) && diff(o.ack, seq+uint32(len(data))) >= 0 {
		return
	}
	l := &e.queueOf(h).kept
	for len(data) > 0 {
		if l.len() > 0 {
			// Small segments share a buffer.
			if g := l.last(); g.end() == seq {
				if n := min(cap(g.data)-len(g.data), len(data)); n > 0 {
					g.data = append(g.data, data[:n]...)
					l.bytes += n
					seq, data = seq+uint32(n), data[n:]
					continue
				}
			}
		}
		n := min(len(data), maxCopy)
		g := e.pools.get(n, e.cfg.Memcap)
		if g == nil {
			e.Counters.Forgotten += uint64(len(data))
			break
		}
		g.seq, g.data = seq, append(g.buf[:0], data[:n]...)
		l.pushBack(g)
		seq, data = seq+uint32(n), data[n:]
	}
	e.limitKept(h)
}

func (e *Engine) limitKept(h *half) {
	l := &h.q.kept
	for l.len() > 1 && l.bytes > e.cfg.MaxKeptBytes {
		g := l.popFront()
		e.Counters.Forgotten += uint64(len(g.data))
		e.pools.put(g)
	}
}

// forgetAcked drops kept bytes that the receiver has acknowledged.
func (e *Engine) forgetAcked(h *half, ack uint32) {
	if h.q == nil {
		return
	}
	l := &h.q.kept
	for l.len() > 0 && diff(l.first().end(), ack) <= 0 {
		e.pools.put(l.popFront())
	}
	e.release(h)
}

// buffer holds a run of bytes at or after the next byte wanted, resolving
// overlaps with what is held: inline the bytes seen first stay, in ids mode the
// receiver's policy decides.
func (e *Engine) buffer(s *Session, dir protocol.Dir, seq uint32, data []byte, k kind) {
	h := &s.half[dir]
	if !e.room(s, dir, len(data)) {
		return
	}
	// Making room may have given what came before, and passed a hole.
	if d := diff(h.base, seq); d > 0 {
		n := min(int(d), len(data))
		seq, data = seq+uint32(n), data[n:]
	}
	if h.flags.has(hSkip) || len(data) == 0 {
		return
	}
	e.gen++
	l := &e.queueOf(h).held
	begin, end := seq, seq+uint32(len(data))
	i := l.find(seq)
	first, overlap := i, false
	for len(data) > 0 {
		n := len(data)
		if i < l.len() {
			g := l.at(i)
			d := int(diff(g.seq, seq))
			if d <= 0 {
				n = min(n, len(g.data)+d)
				overlap = true
				e.compare(g.data[-d:-d+n], data[:n])
				wins := !e.immediate(s) && k == plain && !g.oob && !g.gap &&
					h.policy.newWins(diff(begin, g.from), diff(end, g.to))
				if wins {
					i = e.overwrite(l, i, -d, data[:n])
				}
				i++
				seq, data = seq+uint32(n), data[n:]
				continue
			}
			n = min(n, d)
		}
		n = min(n, maxCopy)
		g := e.pools.get(n, e.cfg.Memcap)
		if g == nil {
			e.exhausted(s)
			break
		}
		g.seq, g.data = seq, append(g.buf[:0], data[:n]...)
		g.oob, g.gap, g.gen = k == oob, k == hole, e.gen
		l.insert(i, g)
		i++
		seq, data = seq+uint32(n), data[n:]
	}
	if overlap {
		e.Counters.Overlaps++
	}
	e.ownRuns(l, first, end)
	e.release(h)
}

// overwrite replaces len(data) bytes of the segment at place i from off on, and
// splits it so that each segment has one owner. It gives the place of the part
// replaced.
func (e *Engine) overwrite(l *segList, i, off int, data []byte) int {
	if off > 0 {
		if !e.split(l, i, off) {
			return i
		}
		i++
	}
	if len(data) < len(l.at(i).data) && !e.split(l, i, len(data)) {
		return i
	}
	g := l.at(i)
	copy(g.data, data)
	g.gen = e.gen
	return i
}

// split cuts the segment at place i after n bytes; each part is then a run.
func (e *Engine) split(l *segList, i, n int) bool {
	g := l.at(i)
	tail := g.data[n:]
	t := e.pools.get(len(tail), e.cfg.Memcap)
	if t == nil {
		e.Counters.Memcap++
		return false
	}
	t.seq, t.data = g.seq+uint32(n), append(t.buf[:0], tail...)
	t.gen, t.from, t.to = g.gen, g.seq+uint32(n), g.to
	l.trimBack(i, n)
	g.to = g.end()
	l.insert(i+1, t)
	return true
}

// ownRuns notes for the segments of the latest arrival, which lie between first
// and end, the unbroken run each is part of.
func (e *Engine) ownRuns(l *segList, first int, end uint32) {
	for i := first; i < l.len() && diff(l.at(i).seq, end) < 0; {
		if l.at(i).gen != e.gen {
			i++
			continue
		}
		j := i
		for j+1 < l.len() && l.at(j+1).gen == e.gen && l.at(j+1).seq == l.at(j).end() {
			j++
		}
		from, to := l.at(i).seq, l.at(j).end()
		for ; i <= j; i++ {
			l.at(i).from, l.at(i).to = from, to
		}
	}
}

// room makes room for n more bytes held of a direction and reports whether
// there is any. Inline, what does not fit is refused like a lost segment: its
// sender sends it again. In ids mode the oldest bytes are given early.
func (e *Engine) room(s *Session, dir protocol.Dir, n int) bool {
	h := &s.half[dir]
	for h.q != nil {
		l := &h.q.held
		if l.len() == 0 || l.bytes+n <= e.cfg.MaxHeldBytes && l.len() < e.cfg.MaxHeldSegments {
			break
		}
		if e.cfg.Inline && s.flags&sAsync == 0 {
			e.Counters.HeldLimit++
			e.event(EventReassemblyInsertLimit)
			e.invalid(ReasonReassembly)
			return false
		}
		if l.first().seq != h.base {
			e.Counters.HeldLimit++
			e.event(EventReassemblyInsertLimit)
			e.res.Reason = ReasonReassembly
		}
		e.flushRun(s, dir)
	}
	return true
}

// exhausted tells that the engine's buffers are used up.
func (e *Engine) exhausted(s *Session) {
	e.Counters.Memcap++
	e.event(EventReassemblyInsertMemcap)
	if e.cfg.Inline && s.flags&sAsync == 0 {
		e.invalid(ReasonMemcap)
		return
	}
	e.res.Reason = ReasonMemcap
}
