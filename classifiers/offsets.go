package classifiers

// offsetMap leads from offsets in decoded bytes back to those in the bytes they
// were decoded from. It holds the places where the relation jumps, as far back
// as a judgement can look.
type offsetMap struct {
	// num original bytes stand for den decoded ones between the places.
	num, den uint64
	p        []place
}

// place is one such: end is where the original of the byte before dec ends, before orig
// where something between them is left out.
type place struct{ dec, orig, end uint64 }

const (
	// maxPlaces bounds the places kept: three quarters of them are one for each byte that
	// a judgement waits for and that its value can have. Beyond, offsets would be
	// approximate.
	maxPlaces = 2 * ahead
	// usualPlaces are kept for the next stream.
	usualPlaces = 1024
)

// note tells that the decoded byte at dec comes from orig.
func (m *offsetMap) note(dec, orig uint64) { m.noteAfter(dec, orig, orig) }

// noteAfter tells that the decoded byte at dec comes from orig, and that what the one
// before it comes from ends at end.
func (m *offsetMap) noteAfter(dec, orig, end uint64) {
	if n := len(m.p); n > 0 {
		l := m.p[n-1]
		if l.dec == dec {
			m.p[n-1] = place{dec, orig, end}
			return
		}
		if d := dec - l.dec; d%m.den == 0 && l.orig+d/m.den*m.num == orig {
			return
		}
		if n >= maxPlaces {
			m.p = m.p[:copy(m.p, m.p[n/4:])]
		}
	}
	m.p = append(m.p, place{dec, orig, end})
}

// after gives the number of places up to the decoded byte at dec.
func (m *offsetMap) after(dec uint64) int {
	lo, hi := 0, len(m.p)
	for lo < hi {
		mid := (lo + hi) / 2
		if m.p[mid].dec <= dec {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// skipped reports whether something is left out between the decoded bytes of [from, to).
func (m *offsetMap) skipped(from, to uint64) bool {
	for i := m.after(from); i < len(m.p) && m.p[i].dec < to; i++ {
		if m.p[i].end < m.p[i].orig {
			return true
		}
	}
	return false
}

// origin gives where the decoded byte at dec begins.
func (m *offsetMap) origin(dec uint64) uint64 {
	lo := m.after(dec)
	if lo == 0 {
		if len(m.p) == 0 {
			return dec
		}
		return m.p[0].orig
	}
	l := m.p[lo-1]
	d := dec - l.dec
	return l.orig + d/m.den*m.num + d%m.den
}

// originEnd gives where a stretch that ends before the decoded byte at dec ends.
func (m *offsetMap) originEnd(dec uint64) uint64 {
	if i := m.after(dec); i > 0 && m.p[i-1].dec == dec && m.p[i-1].end < m.p[i-1].orig {
		return m.p[i-1].end
	}
	o := m.origin(dec)
	if m.den == 3 && len(m.p) > 0 && (o-m.p[0].orig) > 0 && dec > 0 {
		// A byte of base64 ends within the next character.
		if before := m.origin(dec - 1); o == before+1 {
			return o + 1
		}
	}
	return o
}
