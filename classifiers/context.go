package classifiers

import (
	"bytes"
	"slices"
)

// lexicon finds the detectors' context words in text: whole words, split at
// anything but letters and at camelCase humps, whatever their case, phrases of up
// to four words; and, in scripts written without spaces, wherever they stand.
//
// It is consulted only around values that have already passed their validator, so
// the words cost nothing on text without such values.
type lexicon struct {
	// lists[i] are the detectors (place in dets, times two, plus one when the
	// word speaks against) of the words whose hash maps to i.
	lists [][]uint16
	// sets are the lists' detectors that a word speaks for, lens the lengths of
	// their values; about are all their detectors, those it speaks against too.
	sets, about []detSet
	lens        []uint64
	// byKey leads from a phrase's hash to its list, first from the hash of a
	// phrase's first word to the greatest number of words.
	byKey, first wordTable
	// dense are the words of scripts without spaces.
	dense []denseWord
}

// wordTable maps hashes to small numbers. A bit per hash tells most of the
// others apart without a look at the table.
type wordTable struct {
	bits [1024]uint64
	keys []uint64
	vals []uint16
	n    int
}

const spread = 0x9e3779b97f4a7c15 // 2^64 by the golden ratio

// may reports whether a hash may be in the table.
func (t *wordTable) may(key uint64) bool {
	m := key * spread
	return t.bits[m>>54]&(1<<(m>>48&63)) != 0
}

func (t *wordTable) get(key uint64) (uint16, bool) {
	m := key * spread
	if t.bits[m>>54]&(1<<(m>>48&63)) == 0 {
		return 0, false
	}
	for i := m >> 32; ; i++ {
		switch k := t.keys[i&uint64(len(t.keys)-1)]; k {
		case 0:
			return 0, false
		case key:
			return t.vals[i&uint64(len(t.keys)-1)], true
		}
	}
}

func (t *wordTable) put(key uint64, val uint16) {
	if len(t.keys) < 4*(t.n+1) {
		old := *t
		size := max(64, 2*len(t.keys))
		*t = wordTable{keys: make([]uint64, size), vals: make([]uint16, size)}
		for i, k := range old.keys {
			if k != 0 {
				t.put(k, old.vals[i])
			}
		}
	}
	m := key * spread
	t.bits[m>>54] |= 1 << (m >> 48 & 63)
	for i := m >> 32; ; i++ {
		at := i & uint64(len(t.keys)-1)
		if t.keys[at] == 0 {
			t.n++
		}
		if t.keys[at] == 0 || t.keys[at] == key {
			t.keys[at], t.vals[at] = key, val
			return
		}
	}
}

type denseWord struct {
	text []byte
	list uint16
}

// build indexes the words of all detectors.
func (x *lexicon) build(dets []Detector, detLens []uint64) {
	add := func(w string, ref uint16) {
		if isDense([]byte(w)) {
			for i := range x.dense {
				if string(x.dense[i].text) == w {
					x.lists[x.dense[i].list] = append(x.lists[x.dense[i].list], ref)
					return
				}
			}
			x.dense = append(x.dense, denseWord{[]byte(w), uint16(len(x.lists))})
			x.lists = append(x.lists, []uint16{ref})
			return
		}
		key, firstKey, words := phraseKey(w)
		most, _ := x.first.get(firstKey)
		x.first.put(firstKey, max(most, uint16(words)))
		at, ok := x.byKey.get(key)
		if !ok {
			at = uint16(len(x.lists))
			x.byKey.put(key, at)
			x.lists = append(x.lists, nil)
		}
		if !slices.Contains(x.lists[at], ref) {
			x.lists[at] = append(x.lists[at], ref)
		}
	}
	for i := range dets {
		for _, w := range dets[i].Context {
			add(w, uint16(i)<<1)
		}
		for _, w := range dets[i].Against {
			add(w, uint16(i)<<1|1)
		}
	}
	x.about = make([]detSet, len(x.lists))
	x.sets, x.lens = make([]detSet, len(x.lists)), make([]uint64, len(x.lists))
	for i, l := range x.lists {
		for _, ref := range l {
			x.about[i].add(ref >> 1)
			if ref&1 == 0 {
				x.sets[i].add(ref >> 1)
				x.lens[i] |= detLens[ref>>1]
			}
		}
	}
}

// phraseKey hashes a phrase as the reader of text does, with the hash of its
// first word and the number of words.
func phraseKey(s string) (key, first uint64, words uint8) {
	r := wordReader{b: []byte(s)}
	h := uint64(0)
	for {
		_, _, wh, ok := r.next()
		if !ok {
			break
		}
		if words == 0 {
			h, first = wh, wh
		} else {
			h = joinWords(h, wh)
		}
		words++
	}
	return h, first, words
}

func joinWords(a, b uint64) uint64 { return (a^b>>29)*spread ^ b }

// ctxMark is a context word seen: where, how long, and which list.
type ctxMark struct {
	at   uint64
	n    uint8
	list uint16
}

// contextMarks are the context words of the stretch [from, to) of a stream, read
// when first needed.
type contextMarks struct {
	from, to uint64
	m        []ctxMark
}

// maxMarks bounds the words kept; the stretch never needs more.
const maxMarks = 512

// phraseReach is how far beyond a stretch's end a phrase may be read.
const phraseReach = 160

// cover reads the words that begin in [from, to), using what is known already. p are the
// places of the view of which v is a part, or nil.
func (c *contextMarks) cover(x *lexicon, v *window2, p *places, from, to uint64) {
	end := v.base + uint64(len(v.b))
	from, to = max(from, v.base), min(to, end)
	if from < c.from || from > c.to || c.to == 0 {
		c.from, c.to, c.m = from, from, c.m[:0]
	}
	if to <= c.to {
		return
	}
	if len(c.m) > maxMarks/2 {
		n := 0
		for n < len(c.m) && c.m[n].at < from {
			n++
		}
		c.m = c.m[:copy(c.m, c.m[n:])]
		c.from = max(c.from, from)
	}
	b := v.b[:min(uint64(len(v.b)), to-v.base+phraseReach)]
	begin := int(c.to - v.base)
	r := wordReader{b: b, pos: boundary(b, begin)}
	if p != nil {
		p.letters(&r, v)
	}
	stop := int(to - v.base)
	for {
		start, wend, h, ok := r.nextOf(&x.first, stop)
		if !ok || start >= stop {
			break
		}
		if b[start] >= 0xe0 && isDense(b[start:]) {
			x.readDense(c, v.base, b, max(start, begin), min(wend, stop))
			continue
		}
		if start < begin {
			continue // read before, or not wanted
		}
		at := v.base + uint64(start)
		// A plural counts as its word.
		words, known := x.first.get(h)
		if !known && wend-start > 3 && b[wend-1]|0x20 == 's' && h != 0 {
			one := wordReader{b: b[start : wend-1]}
			_, _, h, _ = one.next()
			words, known = x.first.get(h)
		}
		if hump := wend < len(b) && b[wend] >= 'A' && b[wend] <= 'Z'; hump {
			// "MyKad" is "my kad" and "mykad".
			if end, h2 := wholeRun(b, start); end > wend {
				if list, ok := x.byKey.get(h2); ok {
					c.add(at, end-start, list)
				}
			}
		}
		if !known || wend-start <= 3 && (start > 0 && isDigit(b[start-1]) || wend < len(b) && isDigit(b[wend])) {
			continue // short words with digits on them are hex and the like
		}
		if list, ok := x.byKey.get(h); ok {
			c.add(at, wend-start, list)
		}
		sub := wordReader{b: b, pos: wend}
		key := h
		for n := uint16(1); n < words; n++ {
			s2, e2, h2, ok := sub.next()
			if !ok || s2-wend > 4 || e2-start > phraseReach-20 {
				break
			}
			wend = e2
			key = joinWords(key, h2)
			if list, ok := x.byKey.get(key); ok {
				c.add(at, e2-start, list)
			}
		}
	}
	c.to = max(c.to, to)
}

// boundary gives a place at or shortly before i where no word is cut.
func boundary(b []byte, i int) int {
	for k := i; k > 0 && k > i-64; k-- {
		if c := b[k-1] | 0x20; c < 0x80 && (c < 'a' || c > 'z') {
			return k
		}
	}
	for i > 0 && i < len(b) && b[i]&0xc0 == 0x80 {
		i--
	}
	return i
}

// first gives the place of the first word at offset at or after it.
func (c *contextMarks) first(at uint64) int {
	lo, hi := 0, len(c.m)
	for lo < hi {
		if mid := (lo + hi) / 2; c.m[mid].at < at {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

func (c *contextMarks) add(at uint64, n int, list uint16) {
	if len(c.m) < maxMarks {
		c.m = append(c.m, ctxMark{at, uint8(min(n, 255)), list})
	}
}

func (x *lexicon) readDense(c *contextMarks, base uint64, b []byte, from, to int) {
	for i := from; i < to; i++ {
		if b[i]&0xc0 == 0x80 {
			continue
		}
		for k := range x.dense {
			if bytes.HasPrefix(b[i:], x.dense[k].text) {
				c.add(base+uint64(i), len(x.dense[k].text), x.dense[k].list)
			}
		}
	}
}

// context tells whether words near [start, end) speak for the detector, and
// whether words close before it speak against.
func (s *Scanner) context(st *Stream, v *window2, det uint16, start, end int) (pro, con bool) {
	from, to := v.base+uint64(start), v.base+uint64(end)
	lo := uint64(0)
	if from > contextBefore {
		lo = from - contextBefore
	}
	st.ctx.cover(&s.c.words, v, s.placesOf(st), lo, to+contextAfter)
	lists := s.c.words.lists
	want := det << 1
	for i := st.ctx.first(lo); i < len(st.ctx.m); i++ {
		m := &st.ctx.m[i]
		if m.at >= to+contextAfter {
			break
		}
		if !s.c.words.about[m.list].has(det) || m.at >= from && m.at < to {
			continue
		}
		for _, ref := range lists[m.list] {
			if ref|1 != want|1 {
				continue
			}
			switch {
			case ref&1 == 0 && m.n <= 3:
				if m.at < from && from-m.at <= contextNear || m.at >= to && m.at-to <= 12 {
					pro = true
				}
			case ref&1 == 0:
				pro = true
			case m.at < from && from-m.at <= contextNear:
				con = true
			}
		}
	}
	if st.csv.state == 0 {
		st.csv.learn(&s.c.words, st.head)
	}
	if !pro && st.csv.speaksFor(v, want, start) {
		pro = true
	}
	return pro, con
}
