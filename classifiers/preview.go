package classifiers

import "slices"

// Preview gives what would have been found if the object ended here, with what
// was found so far, and whether that is more: hits wait for the bytes after them,
// which tell more about them, or may never come. With settled, values that end
// with the last byte are left out, since they may go on. What stands in
// undecoded ends is left out always. st stays as it is; the counts are valid
// until the Scanner's next call.
func (s *Scanner) Preview(st *Stream, settled bool) ([]Count, bool) {
	p := &s.peek
	pend, marks, own := p.pend[:0], p.ctx.m[:0], p.own
	*p = *st
	p.pend, p.next = append(pend, st.pend[st.next:]...), 0
	p.ctx.m = append(marks, st.ctx.m...)
	p.own.copyOf(st.rec, own)
	p.rec, p.dec = &p.own, decoders{}
	if st.table != nil {
		t := *st.table
		p.table = &t
	}
	if settled {
		p.edge = st.end
	}
	made := p.own.made
	// The places are another stream's: this one's are looked for anew.
	s.places[0].st = nil
	s.flush(p)
	if st.end <= fieldSize {
		s.judgeSmall(p)
	}
	s.counts = p.own.appendCounts(s.counts[:0], s.c)
	return s.counts, p.own.made > made
}

// PreviewBytes is Preview for an object of which data is all that came so far.
func (s *Scanner) PreviewBytes(data []byte, meta ObjectMeta, settled bool) ([]Count, bool) {
	st := s.Open(meta)
	defer s.Abandon(st)
	hits, err := s.sc.Scan(s.c.block, data)
	if err != nil {
		return nil, false
	}
	s.write(st, data, hits)
	counts, more := s.Preview(st, settled)
	return counts, more || st.Found() > 0
}

// copyOf makes r a copy of from that can be added to, in memory of an old one.
func (r *record) copyOf(from *record, old record) {
	*r = record{made: from.made, dropped: from.dropped, tallies: append(old.tallies[:0], from.tallies...)}
	for i := range r.tallies {
		t := &r.tallies[i]
		t.masked, t.hashes = slices.Clone(t.masked), slices.Clone(t.hashes)
	}
	r.seen = seen{keys: append(old.seen.keys[:0], from.seen.keys...), conf: append(old.seen.conf[:0], from.seen.conf...), n: from.seen.n}
}
