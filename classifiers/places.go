package classifiers

import "sluice/internal/spots"

// Where anything could begin that is not Hyperscan's to find, in a number or in an
// encoding, is looked for once in what is new of a view; each reader then goes from place
// to place.

const (
	// unsettled is how far before the end of what was written places may not have been
	// looked at yet.
	unsettled = ahead + 2*lag
	// lookAhead is more than what a place depends on after it.
	lookAhead = 64
)

// places are those of one view.
type places struct {
	spots.Map
	// The view is st's, from base to end.
	st        *Stream
	base, end uint64
	// known is where the places known begin in it.
	known int
}

// letters has a reader of a part of the view take the letters from here, where they are
// known.
func (p *places) letters(r *wordReader, v *window2) {
	if v.base >= p.base && v.base+uint64(len(v.b)) <= p.end {
		off := int(v.base - p.base)
		r.m, r.off, r.known = &p.Map, off, p.known-off
	}
}

// find looks for the places in the view of a stream, of which the last fresh bytes are
// new. Where the view is the one of the last time and they, those before are known.
func (s *Scanner) find(st *Stream, view []byte, base uint64, fresh int) {
	p := &s.places[st.depth]
	from := len(view) - fresh - unsettled
	if p.st == st && p.base == base && p.end == st.end-uint64(fresh) {
		from = len(view) - fresh - lookAhead
	} else {
		p.known = max(0, from)
	}
	p.st, p.base, p.end = st, base, st.end
	if s.slow {
		p.FindSlowly(view, max(0, from))
		return
	}
	p.Find(view, max(0, from))
}

// placesOf gives the places in the view of a stream, or nil where they are another's.
func (s *Scanner) placesOf(st *Stream) *places {
	if p := &s.places[st.depth]; p.st == st {
		return p
	}
	return nil
}

// spots gives the places in the view of a stream that is being written to.
func (s *Scanner) spots(st *Stream) *spots.Map { return &s.places[st.depth].Map }
