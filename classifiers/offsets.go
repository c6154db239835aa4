package classifiers

// offsetMap leads from offsets in decoded bytes back to those in the bytes they
// were decoded from. It holds the places where the relation jumps, as far back
// as a judgement can look.
type offsetMap struct {
	// num original bytes stand for den decoded ones between the places.
	num, den uint64
	p        []place
}

type place struct{ dec, orig uint64 }

// maxPlaces bounds the places kept: beyond, offsets are approximate.
const maxPlaces = 1024

// note tells that the decoded byte at dec comes from orig.
func (m *offsetMap) note(dec, orig uint64) {
	if n := len(m.p); n > 0 {
		l := m.p[n-1]
		if d := dec - l.dec; d%m.den == 0 && l.orig+d/m.den*m.num == orig {
			return
		}
		if n >= maxPlaces {
			m.p = m.p[:copy(m.p, m.p[n/2:])]
		}
	}
	m.p = append(m.p, place{dec, orig})
}

// origin gives where the decoded byte at dec begins.
func (m *offsetMap) origin(dec uint64) uint64 {
	lo, hi := 0, len(m.p)
	for lo < hi {
		mid := (lo + hi) / 2
		if m.p[mid].dec <= dec {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
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
	o := m.origin(dec)
	if m.den == 3 && len(m.p) > 0 && (o-m.p[0].orig) > 0 && dec > 0 {
		// A byte of base64 ends within the next character.
		if before := m.origin(dec - 1); o == before+1 {
			return o + 1
		}
	}
	return o
}
