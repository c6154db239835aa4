package classifiers

// token is a detector of secrets that begin with a literal of their own.
type token struct {
	Detector
	// prefixes are the literals, at least four bytes each where the format allows.
	prefixes []string
	caseless bool
	// body is what may follow, and min and max how long it may be. The token ends
	// where the body ends; a longer run than max is not one.
	body     *charset
	min, max int
	// entropy is the least Shannon entropy of the body.
	entropy float64
	// valid confirms the body and may look around; nil confirms all.
	valid func(body, before, after []byte) bool
	// conf is the confidence of a confirmed token; ctx the one with a context
	// word near, when greater.
	conf, ctx Confidence
	// inner allows the prefix within a word.
	inner bool
	// tail allows what follows to go on with characters outside of body.
	tail bool
}

// judgeTokens confirms the tokens that begin with the literal that was hit.
func (s *Scanner) judgeTokens(st *Stream, v *window2, pat *pattern) {
	b := v.b
	start, end := v.at-int(pat.n), v.at
	for _, ref := range pat.refs {
		t := s.c.tokens[ref]
		if !t.inner && start > 0 && isAlnum(b[start-1]) && isAlnum(b[start]) && !escape(b, start) {
			continue
		}
		n := t.body.run(b[end:], t.max+1)
		if n > t.max && !t.tail {
			continue
		}
		n = min(n, t.max)
		if n < t.min {
			continue
		}
		body := b[end : end+n]
		if t.entropy > 0 && entropy(body) < t.entropy {
			continue
		}
		if placeholder(body) {
			continue
		}
		if t.valid != nil && !t.valid(body, b[:start], b[end+n:]) {
			continue
		}
		conf := t.conf
		det := s.c.tokDet[ref]
		if t.ctx > conf {
			if pro, _ := s.context(st, v, det, start, end+n); pro {
				conf = t.ctx
			}
		}
		s.emit(st, v, det, start, end+n, conf, t.Level, b[start:end+n])
	}
}

// escape reports whether the letter before i belongs to an escape such as \n.
func escape(b []byte, i int) bool {
	return i >= 2 && b[i-2] == '\\' && (b[i-1] == 'n' || b[i-1] == 't' || b[i-1] == 'r')
}

// placeholder reports whether a value is filler: one or two characters repeated,
// a row of letters or digits, or words that say so.
func placeholder(b []byte) bool { return placeholderOf(b, maskOf(b)) }

// placeholderOf is placeholder for a value whose mask is known.
func placeholderOf(b []byte, m uint64) bool {
	if len(b) < 4 {
		return false
	}
	if len(b) >= 6 && fewKinds(b) {
		return true
	}
	return placeholders.in(b, m)
}

var placeholders = needlesOf("xxxxx", "XXXXX", "EXAMPLE", "your_", "YOUR_", "<your", "example_")

// fewKinds reports whether b has two different bytes at most.
func fewKinds(b []byte) bool {
	x := b[0]
	y := x
	for _, c := range b[1:] {
		switch {
		case c == x || c == y:
		case y == x:
			y = c
		default:
			return false
		}
	}
	return true
}
