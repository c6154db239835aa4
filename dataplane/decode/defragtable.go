package decode

// begin makes a datagram for k.
func (s *defragger) begin(d *Decoder, k datagramKey, p *Packet) int32 {
	if len(s.index) >= s.cfg.MaxDatagrams {
		d.Counters.DefragEvicted++
		s.remove(s.oldest)
	}
	var i int32
	if n := len(s.free); n > 0 {
		i, s.free = s.free[n-1], s.free[:n-1]
	} else {
		i = int32(len(s.slab))
		s.slab = append(s.slab, datagram{})
	}
	g := &s.slab[i]
	pieces := g.pieces[:0]
	*g = datagram{key: k, total: -1, pieces: pieces, begun: p.Time, prev: s.newest, succ: -1, policy: s.cfg.Policy}
	if s.cfg.PolicyFor != nil {
		g.policy = s.cfg.PolicyFor(p.Dst)
	}
	if s.newest >= 0 {
		s.slab[s.newest].succ = i
	} else {
		s.oldest = i
	}
	s.newest = i
	s.index[k] = i
	d.Counters.DefragTrackers = uint64(len(s.index))
	return i
}

// room makes room for one more fragment, of datagram i: the oldest others are
// given up. It reports false where i alone has as many as are held.
func (s *defragger) room(d *Decoder, i int32) bool {
	for s.held >= s.cfg.MaxHeld {
		victim := s.oldest
		if victim == i {
			victim = s.slab[i].succ
		}
		if victim < 0 {
			return false
		}
		d.Counters.DefragEvicted++
		s.remove(victim)
		d.Counters.DefragTrackers = uint64(len(s.index))
	}
	return true
}

// expire gives up datagrams older than the time-out. Packet times may jump
// back; a datagram from the future is kept until time has caught up, or until
// the limits take it.
func (s *defragger) expire(d *Decoder, now int64) {
	for s.oldest >= 0 && now-s.slab[s.oldest].begun > s.cfg.Timeout {
		if !s.slab[s.oldest].discarded {
			d.Counters.DefragTimeout++
		}
		s.remove(s.oldest)
		d.Counters.DefragTrackers = uint64(len(s.index))
	}
}

// discard gives a datagram's bytes up but keeps it, to swallow its later
// fragments.
func (s *defragger) discard(g *datagram) {
	g.discarded = true
	s.held -= g.frags
	g.frags = 0
	s.giveBack(g)
	g.pieces = g.pieces[:0]
}

// remove takes datagram i out of the table.
func (s *defragger) remove(i int32) {
	g := &s.slab[i]
	s.held -= g.frags
	s.giveBack(g)
	delete(s.index, g.key)
	if g.prev >= 0 {
		s.slab[g.prev].succ = g.succ
	} else {
		s.oldest = g.succ
	}
	if g.succ >= 0 {
		s.slab[g.succ].prev = g.prev
	} else {
		s.newest = g.prev
	}
	if cap(g.pieces) > 64 {
		g.pieces = nil
	}
	s.free = append(s.free, i)
}

func (s *defragger) giveBack(g *datagram) {
	if g.buf != nil {
		s.pool[g.class] = append(s.pool[g.class], g.buf)
		g.buf = nil
	}
}

// grow makes room for payload up to end in datagram i; false where memory does
// not suffice.
func (s *defragger) grow(d *Decoder, i int32, end int) bool {
	g := &s.slab[i]
	if g.buf != nil && len(g.buf)-headRoom >= end {
		return true
	}
	c := g.class
	for bufferSize(c) < end {
		c++
	}
	b := s.take(d, c, i)
	if b == nil {
		return false
	}
	if g.buf != nil {
		copy(b, g.buf)
		s.giveBack(g)
	}
	g.buf, g.class = b, c
	return true
}

// take gives a buffer of class c: from the pool, or new within the limit, for
// which first unused buffers and then the oldest datagrams but keep are given up.
func (s *defragger) take(d *Decoder, c uint8, keep int32) []byte {
	for {
		if n := len(s.pool[c]); n > 0 {
			b := s.pool[c][n-1]
			s.pool[c][n-1] = nil
			s.pool[c] = s.pool[c][:n-1]
			return b
		}
		size := headRoom + bufferSize(c)
		if s.mem+size <= s.cfg.MemCap {
			s.mem += size
			d.Counters.DefragMem = uint64(s.mem)
			return make([]byte, size)
		}
		if s.shrink(c) {
			continue
		}
		victim := s.oldest
		if victim == keep && victim >= 0 {
			victim = s.slab[victim].succ
		}
		if victim < 0 {
			return nil
		}
		d.Counters.DefragEvicted++
		s.remove(victim)
	}
}

// shrink frees one unused buffer of a class other than c.
func (s *defragger) shrink(c uint8) bool {
	for o := range s.pool {
		if n := len(s.pool[o]); uint8(o) != c && n > 0 {
			s.pool[o][n-1] = nil
			s.pool[o] = s.pool[o][:n-1]
			s.mem -= headRoom + bufferSize(uint8(o))
			return true
		}
	}
	return false
}
