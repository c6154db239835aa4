package classifiers

import "math/bits"

// part is one token of a run: its place in the view, its place in the
// normalised letters, and the separator before it.
type part struct {
	start, end int
	off, n     int
	sep        byte // separator to the token before
	seplen     int
	alpha      bool // letters only
}

// candidate is a span that a detector has confirmed.
type candidate struct {
	det        uint16
	start, end int
	score      int8
	level      Level
	off, n     int
}

const (
	// maxLeft and maxRight bound the tokens taken before and after a nominated one.
	maxLeft, maxRight = 7, 11
	// maxToken is the longest token looked at; longer ones are hashes, base64 …
	maxToken = maxValue
)

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isAlnum(c byte) bool { return isDigit(c) || isAlpha(c) }
func isHex(c byte) bool   { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

// separator reads what may stand between two groups of a value at b[i:]: one
// character, two spaces, or a hyphen between spaces. It gives its length and
// kind; '~' where it is unusual, 0 where there is none.
func separator(b []byte, i int) (n int, kind byte) {
	if i >= len(b) {
		return 0, 0
	}
	switch b[i] {
	case ' ':
		if i+1 < len(b) && b[i+1] == ' ' {
			return 2, '~'
		}
		if i+2 < len(b) && b[i+1] == '-' && b[i+2] == ' ' {
			return 3, '~'
		}
		return 1, ' '
	case '-', '.', '/', '+':
		return 1, b[i]
	case ')': // after an area code
		if i+1 < len(b) && b[i+1] == ' ' {
			return 2, '~'
		}
	case 0xc2: // no-break space, soft hyphen
		if i+1 < len(b) && b[i+1] == 0xa0 {
			return 2, ' '
		}
		if i+1 < len(b) && b[i+1] == 0xad {
			return 2, '-'
		}
	case 0xe2: // U+2007…U+200B spaces, U+2010…U+2015 hyphens and dashes, U+202F
		if i+2 < len(b) && b[i+1] == 0x80 {
			switch c := b[i+2]; {
			case c >= 0x80 && c <= 0x8b || c == 0xaf:
				return 3, ' '
			case c >= 0x90 && c <= 0x95:
				return 3, '-'
			}
		}
	}
	return 0, 0
}

// separatorBefore reads a separator that ends at b[i].
func separatorBefore(b []byte, i int) (n int, kind byte) {
	for n := 1; n <= 3 && n <= i; n++ {
		if n == 1 && b[i-1] == ' ' && i >= 2 && b[i-2] == ')' {
			continue // the end of a longer one
		}
		if got, k := separator(b, i-n); got == n {
			if n == 1 && k == ' ' {
				// Prefer the longer reading.
				if i >= 2 && b[i-2] == ' ' {
					return 2, '~'
				}
				if i >= 3 && b[i-2] == '-' && b[i-3] == ' ' {
					return 3, '~'
				}
			}
			return n, k
		}
	}
	return 0, 0
}

// nominated reports whether a token is a hit of its own: two digits stand in a row.
func nominated(b []byte) bool {
	for i := 1; i < len(b); i++ {
		if isDigit(b[i]) && isDigit(b[i-1]) {
			return true
		}
	}
	return false
}

// judgeWords takes the tokens of v.b[from:to] that have too few digits to be
// nominated: after a word that announces them, or in an object so small that it
// may be a field's value.
func (s *Scanner) judgeWords(st *Stream, v *window2, from, to int) {
	b := v.b
	for i := from; i < to; {
		if !isAlnum(b[i]) {
			i++
			continue
		}
		l := i
		for i < len(b) && isAlnum(b[i]) && i-l <= maxCoin {
			i++
		}
		if i-l >= minCoin && (l == 0 || !isAlnum(b[l-1])) && !nominated(b[l:i]) {
			s.judgeCoin(st, v, l, i)
		}
		if (l == 0 || !isAlnum(b[l-1])) && i-l <= maxToken && !nominated(b[l:i]) {
			if n, _ := separator(b, i); n > 0 || st.meta.MinConfidence < Medium || s.c.possible(b[l:i]) {
				lens, weak := s.allLens(st, v, l, i)
				s.judgeSpans(st, v, l, i, lens, weak, true)
			}
		}
		for i < len(b) && isAlnum(b[i]) {
			i++
		}
	}
}

// possible reports whether a token could be a value by itself.
func (c *Catalog) possible(b []byte) bool {
	if len(b) < c.minLen || len(b) > maxValue {
		return false
	}
	count := 0
	for _, x := range b {
		count += int(byteKind[x] & kindDigit)
	}
	class := int(byteKind[b[0]]&kindDigit^kindDigit) | int(byteKind[b[1]]&kindDigit^kindDigit)<<1
	return (c.strongLens[class][count]|c.weakLens[class][count]|c.leadLens)&(1<<len(b)) != 0
}

// allLens gives the lengths worth trying at v.b[l], however values begin, and those
// that a word speaks for.
func (s *Scanner) allLens(st *Stream, v *window2, l, r int) (lens, weak uint64) {
	if st.meta.MinConfidence < Medium {
		return ^uint64(0), ^uint64(0)
	}
	weak = s.closeLens(st, v, l, r)
	return weak | s.c.strongLens[anyBeginning][maxValue] | s.c.leadLens, weak
}

// judgeSpans tries the spans around the token b[l:r] that have one of the lengths
// in lens, for what is of low confidence without a word about it one of those in
// weakLens. With alone, only spans that begin with it and hold no nominated token.
func (s *Scanner) judgeSpans(st *Stream, v *window2, l, r int, lens, weakLens uint64, alone bool) {
	b := v.b
	parts := &s.parts
	// Leftwards: tokens that nothing else nominates, up to the room there is.
	nl, room := 0, maxValue-(r-l)
	for at := l; nl < maxLeft && !alone; nl++ {
		n, kind := separatorBefore(b, at)
		if n == 0 {
			break
		}
		a, e := leftToken(b, at-n, room, kind)
		if a == e {
			break
		}
		p := part{start: a, end: e, n: e - a, alpha: allAlpha(b[a:e])}
		// The separator belongs to the token after it.
		if nl == 0 {
			parts[maxLeft].sep, parts[maxLeft].seplen = kind, n
		} else {
			parts[maxLeft-nl].sep, parts[maxLeft-nl].seplen = kind, n
		}
		parts[maxLeft-nl-1] = p
		room -= p.n
		at = a
	}
	first := maxLeft - nl
	parts[maxLeft].start, parts[maxLeft].end, parts[maxLeft].n = l, r, r-l
	last := maxLeft
	room = maxValue - (r - l)
	for at := r; last < maxLeft+maxRight; {
		n, kind := separator(b, at)
		if n == 0 {
			break
		}
		a := at + n
		e := a
		for e < len(b) && isAlnum(b[e]) && e-a <= room {
			e++
		}
		if a == e || e-a > room || alone && nominated(b[a:e]) {
			break
		}
		p := part{start: a, end: e, n: e - a, sep: kind, seplen: n, alpha: allAlpha(b[a:e])}
		if p.alpha && (kind == '/' || tooWordy(p.n, kindsOf(b[a:e]), kind)) {
			break
		}
		if kind == ' ' && last == maxLeft && nl == 0 && !s.c.pairs.has(parts[last].n, p.n) && allDigits(b[a:e]) && allDigits(b[parts[last].start:parts[last].end]) {
			break
		}
		last++
		parts[last] = p
		room -= p.n
		at = e
	}
	// Normalise once; masks over all the letters tell the shape of any span.
	val := s.val[:0]
	var digits, letters uint64
	var lower uint64
	total := 0
	for i := first; i <= last; i++ {
		total += parts[i].n
	}
	if total < s.c.minLen {
		return
	}
	for total > 64 {
		// The masks hold 64: give up what is farthest to the left.
		total -= parts[first].n
		first++
	}
	for i := first; i <= last; i++ {
		parts[i].off = len(val)
		for _, c := range b[parts[i].start:parts[i].end] {
			k, at := byteKind[c], len(val)
			digits |= uint64(k&kindDigit) << at
			lower |= uint64(k&kindLower/kindLower) << at
			val = append(val, c-k&kindLower*(0x20/kindLower))
		}
	}
	letters = ^digits & (1<<len(val) - 1)
	s.cand = s.cand[:0]
	sure := st.meta.MinConfidence >= Medium
	for i := first; i <= maxLeft; i++ {
		// From the widest span: within what is found sure, less is not asked.
		for j := last; j >= maxLeft; j-- {
			off := parts[i].off
			n := parts[j].off + parts[j].n - off
			if n > maxValue || lens&(1<<n) == 0 {
				continue
			}
			m := uint64(1)<<n - 1
			sp := span{st: st, v: v, l: l, r: r, i: i, j: j, off: off, n: n, digits: digits >> off & m, letters: letters >> off & m, lower: lower >> off & m,
				sure: sure, covered: v.base+uint64(parts[j].end) <= st.covered}
			s.trySpan(&sp, s.c.strong[n], false)
			switch {
			case weakLens&(1<<n) == 0:
			case !sure:
				s.trySpan(&sp, s.c.weak[n], true)
			default:
				s.closeLens(st, v, l, r)
				w := &s.c.weakOf[n]
				for k, dets := range w.dets {
					for dets &= st.close[k]; dets != 0; dets &= dets - 1 {
						det := k<<6 + bits.TrailingZeros64(dets)
						s.trySpan(&sp, s.c.weak[n][w.from[det]:w.to[det]], true)
					}
				}
			}
		}
	}
	s.settleCandidates(st, v, val)
}

// span is a stretch of tokens that is tried: those from part i to part j, n letters at
// off of the normalised ones, around the token v.b[l:r].
type span struct {
	st              *Stream
	v               *window2
	l, r, i, j      int
	off, n          int
	digits, letters uint64
	lower           uint64
	// sure wants medium confidence at least; covered tells of a span within a value that
	// was told already. ready tells that the scanner's value is this span's.
	sure, covered, ready bool
}

// trySpan asks the detectors of the shapes that a span has.
func (s *Scanner) trySpan(sp *span, shapes []shape, weak bool) {
	start, end := s.parts[sp.i].start, s.parts[sp.j].end
	for k := range shapes {
		sh := &shapes[k]
		if sh.digits&^sp.digits|sh.letters&^sp.letters != 0 {
			continue
		}
		if sp.covered && sh.most < 3 || len(s.cand) > 0 && s.within(sh.det, start, end) {
			continue // nothing that settleCandidates would report
		}
		if sp.sure && !weak && sh.lead != 0 && sh.lead&leads(sp.v.b, start, s.parts[sp.i].end) == 0 && !s.closeTo(sp.st, sp.v, sp.l, sp.r, sh.det) {
			continue
		}
		if !sp.ready {
			sp.ready = true
			s.value(&s.va, sp.v.b, s.parts[:], sp.i, sp.j)
			s.va.b = s.val[sp.off : sp.off+sp.n]
			s.va.lower = sp.lower != 0
		}
		s.tryNumber(sp.st, sp.v, sh.num, &s.va, start, end, sp.off, sp.n)
	}
}

// within reports whether a detector is sure of a span around [start, end).
func (s *Scanner) within(det uint16, start, end int) bool {
	for i := range s.cand {
		if c := &s.cand[i]; c.det == det && c.score >= 3 && c.start <= start && c.end >= end {
			return true
		}
	}
	return false
}

func allAlpha(b []byte) bool {
	for _, c := range b {
		if !isAlpha(c) {
			return false
		}
	}
	return true
}

// value fills in how the span from part i to part j stands in the text.
func (s *Scanner) value(va *value, b []byte, parts []part, i, j int) {
	va.lens = s.lens[:0]
	va.sep, va.binaryKnown = 0, false
	for k := i; k <= j; k++ {
		va.lens = append(va.lens, uint8(parts[k].n))
		if k == i {
			continue
		}
		switch {
		case k == i+1:
			va.sep = parts[k].sep
		case va.sep != parts[k].sep:
			va.sep = '~'
		}
	}
	start, end := parts[i].start, parts[j].end
	va.raw, va.before, va.after = b[start:end], b[:start], b[end:]
	va.left, va.right = 0, 0
	if n, kind := separatorBefore(b, start); n > 0 && start-n > 0 && isAlnum(b[start-n-1]) {
		va.left = kind
		if kind == ' ' && !isDigit(b[start-n-1]) || kind == '~' && b[start-1] != '-' {
			va.left = 0
		}
	}
	if n, kind := separator(b, end); n > 0 && end+n < len(b) && isAlnum(b[end+n]) {
		va.right = kind
		if kind == ' ' && !isDigit(b[end+n]) || kind == '~' {
			va.right = 0
		}
	}
}

// tryNumber asks one detector about one span.
func (s *Scanner) tryNumber(st *Stream, v *window2, num uint16, va *value, start, end, off, n int) {
	spec := s.c.nums[num]
	if spec.valid != nil && !spec.valid(va) {
		return
	}
	usual := false
	score := spec.plain
	if va.sep != 0 {
		gs := s.c.groups[num]
		usual = len(gs) == 0 && va.sep != '~'
		for i := range gs {
			if gs[i].fits(va) {
				usual = true
				break
			}
		}
		score = spec.odd
		if usual {
			score = spec.usual
		}
		// A plus sign stands in few values, elsewhere it is a sum.
		if va.sep == '+' && !usual {
			return
		}
	}
	// A piece of something longer.
	if !spec.joined && s.joined(va, &score) {
		return
	}
	if score <= 0 && spec.withContext <= 0 || score < 3 && binaryAround(va) {
		return
	}
	det := s.c.numDet[num]
	pro, con := s.context(st, v, det, start, end)
	switch {
	case pro:
		if score >= 2 || usual || va.sep == 0 {
			score = max(score+1, spec.withContext)
		} else {
			score = max(score, min(spec.withContext, 2))
		}
	case con && score > 1:
		score--
	}
	if spec.judge != nil {
		score = spec.judge(va, score, pro)
	}
	if score <= 0 || score < 2 && st.meta.MinConfidence >= Medium {
		return
	}
	s.cand = append(s.cand, candidate{det: det, start: start, end: end, score: min(score, 3), level: spec.Level, off: off, n: n})
}

// settleCandidates reports the confirmed spans, but for those inside a longer
// one that is as likely.
func (s *Scanner) settleCandidates(st *Stream, v *window2, val []byte) {
	for i := range s.cand {
		c := &s.cand[i]
		hidden := false
		if v.base+uint64(c.end) <= st.covered && c.score < 3 {
			hidden = true
		}
		for j := range s.cand {
			o := &s.cand[j]
			if o.n > c.n && o.start <= c.start && o.end >= c.end && o.score >= max(c.score, 2) && o.det != c.det || o.det == c.det && j != i && o.start <= c.start && o.end >= c.end && (o.score > c.score || o.score == c.score && (o.n > c.n || j < i)) {
				hidden = true
				break
			}
		}
		if hidden {
			c.level = 255
		}
	}
	for i := range s.cand {
		c := &s.cand[i]
		if c.level == 255 {
			continue
		}
		s.emit(st, v, c.det, c.start, c.end, Confidence(c.score-1), c.level, val[c.off:c.off+c.n])
		if c.score >= 2 {
			st.covered = max(st.covered, v.base+uint64(c.end))
		}
	}
}
