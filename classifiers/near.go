package classifiers

// What the words and columns around a number speak for, in two steps, so that most
// numbers are dismissed without a try: roughly for a stretch at once, then closely for
// one token.

// nearLens gives the lengths of the values that a word or a column around view[at]
// speaks for. It looks somewhat farther than context does, for a stretch
// at once.
func (s *Scanner) nearLens(st *Stream, v *window2, at int) uint64 {
	cell := (v.base+uint64(at))/cellSize + 1
	if st.cell == cell {
		return st.nearLens
	}
	st.cell = cell
	from := (cell - 1) * cellSize
	lo := uint64(0)
	if from > contextBefore+maxSpan {
		lo = from - contextBefore - maxSpan
	}
	hi := from + cellSize + maxSpan + contextAfter
	st.ctx.cover(&s.c.words, v, s.placesOf(st), lo, hi)
	st.nearLens = 0
	m := st.ctx.m
	for i := st.ctx.first(lo); i < len(m) && m[i].at < hi; i++ {
		st.nearLens |= s.c.words.lens[m[i].list]
	}
	if st.csv.state == 0 {
		st.csv.learn(&s.c.words, st.head)
	}
	if st.csv.state == 2 {
		st.nearLens |= st.csv.lens
	}
	return st.nearLens
}

// closeTo reports whether a word or a column speaks for a detector of a value at
// v.b[l:r], with tokens around.
func (s *Scanner) closeTo(st *Stream, v *window2, l, r int, det uint16) bool {
	s.closeLens(st, v, l, r)
	return st.close.has(det)
}

// closeLens gives the lengths of the values at v.b[l:r], with tokens around, that a
// word or a column speaks for, and notes the detectors in st.close.
func (s *Scanner) closeLens(st *Stream, v *window2, start, end int) uint64 {
	l, r := v.base+uint64(start), v.base+uint64(end)
	if st.closeAt == l+1 {
		return st.closeLens
	}
	s.nearLens(st, v, start)
	st.closeAt, st.close, st.closeLens = l+1, detSet{}, 0
	if st.csv.state == 2 {
		st.close, st.closeLens = st.csv.near, st.csv.lens
	}
	m := st.ctx.m
	lo := l - min(l, contextBefore+maxSpan/2)
	for i := st.ctx.first(lo); i < len(m) && m[i].at < r+maxSpan+contextAfter; i++ {
		k := &m[i]
		if k.n <= 3 && (k.at+contextNear+maxSpan/2 < l || k.at > r+maxSpan) {
			continue
		}
		lens := s.c.words.lens[k.list]
		if lens == 0 {
			continue
		}
		st.closeLens |= lens
		for j, x := range &s.c.words.sets[k.list] {
			st.close[j] |= x
		}
	}
	return st.closeLens
}

const (
	// cellSize is the stretch for which the words around are looked up at once.
	cellSize = 256
	// maxSpan bounds a value with its separators.
	maxSpan = 128
)
