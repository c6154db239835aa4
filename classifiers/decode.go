package classifiers

import (
	"bytes"
	"unicode/utf8"

	"sluice/internal/spots"
)

// What is hidden in an encoding is decoded on the fly and judged as a stream of
// its own, with offsets led back. Encodings are found by sampling at fixed
// offsets, so that plain text pays next to nothing; every decision waits for a
// fixed number of bytes, so that it does not depend on how the bytes were cut.

const (
	// maxDepth bounds encodings within encodings.
	maxDepth = 3
	// lag is how many bytes must follow before a place is looked at.
	lag = 128
	// minBase64 is the least length of base64 that is decoded, sampleBase64 how
	// often it is looked for: every run of minBase64 holds a sample.
	minBase64, sampleBase64 = 40, 32
	// block is the unit in which UTF-16 is recognised.
	block = 64
	// flushAt is how much decoded content is judged at once.
	flushAt = 1024
	// percentReach is how far before the first escape a percent-encoded text begins.
	percentReach = 256
)

// decoders is the state of a stream's decoding.
type decoders struct {
	// verbatim marks a stream whose bytes mostly stand unchanged in its parent:
	// findings that are the same there are not told twice.
	verbatim bool
	// marked marks one out of whose parent something vanished: only findings around
	// that are told.
	marked bool

	b64     *Stream
	b64next uint64 // next byte to look at
	b64done uint64 // where the last run ended: no run begins before
	quad    [4]byte
	nquad   int
	qstart  uint64
	line    int

	u16     *Stream
	u16next uint64
	u16big  bool

	pct     *Stream
	pctnext uint64

	folds [nFolds]unfolding
}

// decode looks for encoded content in the bytes that have come, up to lag before
// the end, or to the end.
func (s *Scanner) decode(st *Stream, view []byte, base uint64, eof bool) {
	limit := st.end
	if !eof {
		if limit < lag {
			return
		}
		limit -= lag
	}
	s.decodeBase64(st, view, base, limit, eof)
	s.decodeUTF16(st, view, base, limit, eof)
	s.decodePercent(st, view, base, limit, eof)
	s.unfoldAll(st, view, base, limit)
	if eof {
		s.dropDecoders(st)
	}
}

// child opens a stream for what is decoded out of st.
func (s *Scanner) child(st *Stream, name string, num, den uint64) *Stream {
	h, err := s.sc.Open(s.c.stream)
	if err != nil {
		st.failed(err)
		return nil
	}
	c := s.get()
	c.meta, c.rec, c.parent, c.depth, c.hsst = st.meta, st.rec, st, st.depth+1, h
	c.path = name
	if st.path != "" {
		c.path = st.path + "/" + name
	}
	c.pos.num, c.pos.den, c.pos.p = num, den, c.pos.p[:0]
	return c
}

// feed judges decoded bytes.
func (s *Scanner) feed(c *Stream, data []byte) {
	if len(data) == 0 {
		return
	}
	hits, err := s.sc.ScanStream(c.hsst, data)
	c.failed(err)
	s.write(c, data, hits)
}

// end judges what waits in a decoded stream and gives its memory back.
func (s *Scanner) endChild(c *Stream) {
	s.finish(c)
	if c.unscannable != "" && c.parent.unscannable == "" {
		c.parent.unscannable = c.unscannable
	}
	s.sc.CloseStream(c.hsst)
	s.put(c)
}

// dropDecoders ends what is still being decoded.
func (s *Scanner) dropDecoders(st *Stream) {
	for _, c := range [...]**Stream{&st.dec.b64, &st.dec.u16, &st.dec.pct} {
		if *c != nil {
			s.endChild(*c)
			*c = nil
		}
	}
	for i := range st.dec.folds {
		if u := &st.dec.folds[i]; u.c != nil {
			s.endChild(u.c)
			u.c, u.floor = nil, u.next
		}
	}
}

// base64Value gives a character's six bits in either alphabet (RFC 4648), or 255.
var base64Value = func() (t [256]byte) {
	for i := range t {
		t[i] = 255
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = byte(i)
	}
	t['-'], t['_'] = 62, 63
	return t
}()

func (s *Scanner) decodeBase64(st *Stream, view []byte, base, limit uint64, eof bool) {
	d := &st.dec
	for {
		if d.b64 != nil {
			if !s.moreBase64(st, view, base, limit) {
				return
			}
			continue
		}
		at := sample(max(d.b64next, base))
		for ; at < limit; at += sampleBase64 {
			k := int(at - base)
			// A run around the sample is long enough where it is left, at the latest.
			if next := s.spots(st).Next(spots.Base64, max(0, k-sampleBase64-8), int(limit-base)); next > k {
				if at = sample(base + uint64(next)); at >= limit {
					break
				}
				k = int(at - base)
			}
			// The first sample in a run of minBase64 has at least eight more after it.
			if k+8 >= len(view) || base64Value[view[k+8]]|base64Value[view[k]]|base64Value[view[k+4]]|base64Value[view[k+2]] == 255 {
				continue
			}
			if start, ok := base64Run(view, k, int(max(d.b64done, base)-base)); ok {
				if d.b64 = s.child(st, "base64", 4, 3); d.b64 == nil {
					return
				}
				d.b64next, d.nquad, d.line = base+uint64(start), 0, 0
				break
			}
		}
		if d.b64 == nil {
			d.b64next = max(d.b64next, at)
			return
		}
	}
}

// sample gives the first place at or after at where base64 is looked for.
func sample(at uint64) uint64 {
	return (at + sampleBase64 - 1) / sampleBase64 * sampleBase64
}

// base64Run tells whether the run of base64 characters around view[at] is worth
// decoding, and where it begins. It looks no further than lag to either side.
func base64Run(view []byte, at, floor int) (start int, ok bool) {
	l := at
	for l > floor && at-l < sampleBase64+8 && base64Value[view[l-1]] != 255 {
		l--
	}
	r := at
	for r < len(view) && r-at < lag-sampleBase64 && base64Value[view[r]] != 255 {
		r++
	}
	if r-l < minBase64 {
		return 0, false
	}
	if csHex.run(view[l:r], 28) == 28 {
		return 0, false // digits of a hash: what they decode to is no text
	}
	// What it decodes to must begin like text; the first characters may belong to
	// something else.
	for skip := range 4 {
		var out [24]byte
		q := view[l+skip:]
		clean, some := true, false
		for i := 0; i < len(out) && (clean || some || i < 6); i += 3 {
			a, b, c, e := base64Value[q[0]], base64Value[q[1]], base64Value[q[2]], base64Value[q[3]]
			out[i], out[i+1], out[i+2] = a<<2|b>>4, b<<4|c>>2, c<<6|e
			q = q[4:]
			for _, c := range out[i : i+3] {
				clean, some = clean && !control(c), some || c == 0
			}
		}
		if (clean || some) && looksText(out[:]) {
			return l + skip, true
		}
	}
	return 0, false
}

// looksText reports whether the first decoded bytes are text in UTF-8 or UTF-16.
func looksText(b []byte) bool {
	even, odd := 0, 0
	for i, c := range b {
		if c == 0 {
			if i&1 == 0 {
				even++
			} else {
				odd++
			}
		}
	}
	if even >= len(b)/2-2 && odd == 0 || odd >= len(b)/2-2 && even == 0 {
		return true
	}
	for i := 0; i < len(b); {
		c := b[i]
		if c >= 0x80 {
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 && utf8.FullRune(b[i:]) {
				return false
			}
			i += n
			continue
		}
		if control(c) {
			return false
		}
		i++
	}
	return true
}

// control reports whether a byte does not stand in text.
func control(c byte) bool {
	return c < 0x20 && c != '\n' && c != '\r' && c != '\t' || c == 0x7f
}

// moreBase64 decodes on; it reports whether the run has ended.
func (s *Scanner) moreBase64(st *Stream, view []byte, base, limit uint64) bool {
	d := &st.dec
	c := d.b64
	out := &s.out
	n := 0
	dec := c.end
	for d.b64next < limit {
		ch := view[d.b64next-base]
		x := base64Value[ch]
		if x != 255 {
			if d.nquad == 0 {
				d.qstart = d.b64next
			}
			d.quad[d.nquad] = x
			d.nquad++
			d.line++
			d.b64next++
			if d.nquad == 4 {
				c.pos.note(dec+uint64(n), d.qstart)
				out[n], out[n+1], out[n+2] = d.quad[0]<<2|d.quad[1]>>4, d.quad[1]<<4|d.quad[2]>>2, d.quad[2]<<6|d.quad[3]
				n += 3
				d.nquad = 0
				if n >= flushAt {
					s.feed(c, out[:n])
					n, dec = 0, c.end
				}
			}
			continue
		}
		// Lines, real or escaped, of a length that encoders make.
		if skip := lineEnd(view[d.b64next-base:]); skip > 0 && d.line >= minBase64 {
			d.b64next += uint64(skip)
			d.line = 0
			continue
		}
		if d.line == 0 && (ch == '\n' || ch == '\r') {
			d.b64next++
		}
		if d.nquad > 1 {
			c.pos.note(dec+uint64(n), d.qstart)
			out[n] = d.quad[0]<<2 | d.quad[1]>>4
			n++
			if d.nquad > 2 {
				out[n] = d.quad[1]<<4 | d.quad[2]>>2
				n++
			}
		}
		s.feed(c, out[:n])
		s.endChild(c)
		d.b64 = nil
		d.b64next++
		d.b64done = d.b64next
		return true
	}
	s.feed(c, out[:n])
	if limit == st.end && d.nquad > 1 && d.b64next >= limit {
		// The end of everything: what is left of the last group.
		c.pos.note(c.end, d.qstart)
		n = 1
		out[0] = d.quad[0]<<2 | d.quad[1]>>4
		if d.nquad > 2 {
			out[1] = d.quad[1]<<4 | d.quad[2]>>2
			n = 2
		}
		d.nquad = 0
		s.feed(c, out[:n])
	}
	return false
}

// lineEnd gives the length of a line's end at b[0], 0 when there is none.
func lineEnd(b []byte) int {
	switch {
	case bytes.HasPrefix(b, []byte("\r\n")):
		return 2
	case b[0] == '\n':
		return 1
	case bytes.HasPrefix(b, []byte(`\r\n`)):
		return 4
	case bytes.HasPrefix(b, []byte(`\n`)):
		return 2
	}
	return 0
}

// utf16Block tells whether a block is UTF-16 of mostly Latin text: 'l' or 'b' by
// byte order, 0 when not.
func utf16Block(b []byte) byte {
	var even, odd int
	for i := 0; i+1 < len(b); i += 2 {
		if b[i] == 0 {
			even++
		}
		if b[i+1] == 0 {
			odd++
		}
	}
	pairs := len(b) / 2
	switch {
	case odd*4 >= pairs*3 && even*8 <= pairs:
		return 'l'
	case even*4 >= pairs*3 && odd*8 <= pairs:
		return 'b'
	}
	return 0
}

// zero is what every other byte of Latin text in UTF-16 is.
var zero = []byte{0}

func (s *Scanner) decodeUTF16(st *Stream, view []byte, base, limit uint64, eof bool) {
	d := &st.dec
	for {
		at := d.u16next
		if at < base {
			at = (base + block - 1) / block * block
		}
		if at >= limit {
			return
		}
		if d.u16 == nil {
			// Blocks without two zeros that far apart are none of it.
			z := s.spots(st).Next(spots.Zeros, int(at-base), int(limit-base))
			at += (base + uint64(z) - at) / block * block
			if d.u16next = at; at >= limit {
				return
			}
		}
		n := uint64(block)
		if at+n > st.end {
			n = st.end - at
		}
		if at+n > limit && !eof {
			return
		}
		b := view[at-base : at-base+n]
		kind := byte(0)
		if n >= 16 && bytes.Count(b, zero)*8 >= len(b)/2*6 {
			kind = utf16Block(b)
		}
		d.u16next = at + n
		switch {
		case kind != 0 && d.u16 == nil:
			name := "utf-16le"
			if kind == 'b' {
				name = "utf-16be"
			}
			if d.u16 = s.child(st, name, 2, 1); d.u16 == nil {
				return
			}
			d.u16big = kind == 'b'
			// The text may begin within the block before.
			if at >= block && at-block >= base {
				s.feedUTF16(d, view[at-block-base:at-base], at-block)
			}
			s.feedUTF16(d, b, at)
		case d.u16 != nil:
			s.feedUTF16(d, b, at)
			if kind == 0 {
				s.endChild(d.u16)
				d.u16 = nil
			}
		}
	}
}

// feedUTF16 decodes whole pairs of b, which begins at offset at of the stream.
func (s *Scanner) feedUTF16(d *decoders, b []byte, at uint64) {
	c := d.u16
	out := &s.out
	n := 0
	for i := 0; i+1 < len(b); i += 2 {
		u := rune(b[i]) | rune(b[i+1])<<8
		if d.u16big {
			u = rune(b[i])<<8 | rune(b[i+1])
		}
		c.pos.note(c.end+uint64(n), at+uint64(i))
		if u >= 0xd800 && u < 0xe000 || u == 0 {
			u = ' ' // no half of a pair matters to any detector
		}
		n += utf8.EncodeRune(out[n:], u)
	}
	s.feed(c, out[:n])
}

func (s *Scanner) decodePercent(st *Stream, view []byte, base, limit uint64, eof bool) {
	d := &st.dec
	d.pctnext = max(d.pctnext, base)
	for d.pctnext < limit {
		if d.pct == nil {
			k := s.spots(st).Next(spots.Percent, int(d.pctnext-base), int(limit-base))
			if k >= int(limit-base) {
				d.pctnext = limit
				return
			}
			start := k
			for start > int(d.pctnext-base) && k-start < percentReach && !endsPercent(view[start-1]) {
				start--
			}
			// What was looked at already, without an escape, may belong to it.
			for start > 0 && k-start < percentReach && !endsPercent(view[start-1]) {
				start--
			}
			if d.pct = s.child(st, "percent", 1, 1); d.pct == nil {
				return
			}
			d.pct.dec.verbatim = true
			d.pctnext = base + uint64(start)
		}
		c := d.pct
		out := &s.out
		n := 0
		ended := false
		for d.pctnext < limit && n < flushAt {
			ch := view[d.pctnext-base]
			if endsPercent(ch) {
				ended = true
				break
			}
			width := uint64(1)
			if ch == '%' {
				if x, ok := percent(view[d.pctnext-base:]); ok {
					ch, width = x, 3
				}
			} else if ch == '+' {
				ch = ' '
			}
			c.pos.note(c.end+uint64(n), d.pctnext)
			out[n] = ch
			n++
			d.pctnext += width
		}
		c.pos.note(c.end+uint64(n), d.pctnext)
		s.feed(c, out[:n])
		if ended {
			s.endChild(c)
			d.pct = nil
		}
	}
}

// endsPercent reports whether a character cannot stand in percent-encoded text.
func endsPercent(c byte) bool {
	return c <= ' ' || c == '"' || c == '\'' || c == '<' || c == '>' || c == '`' || c >= 0x7f
}

// percent reads an escape (RFC 3986, 2.1) at b's beginning.
func percent(b []byte) (byte, bool) {
	if len(b) < 3 || !isHex(b[1]) || !isHex(b[2]) {
		return 0, false
	}
	return unhex(b[1])<<4 | unhex(b[2]), true
}

func unhex(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
