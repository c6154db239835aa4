package engine

import (
	"math"

	"sluice/signatures/rule"
)

// number reads a number as a byte keyword says, from position at on. next is
// the position after it.
func (c *confirm) number(b *rule.ByteOp, at int) (v uint64, next int, ok bool) {
	n := c.num(b.NBytes)
	if n < 0 || n > maxDigits || at < 0 || at > len(c.buf) || n > len(c.buf)-at {
		return 0, 0, false
	}
	p := c.buf[at : at+n]
	if b.String {
		// A length of 0 means as long as the number is.
		if n == 0 {
			p = c.buf[at:min(at+maxDigits, len(c.buf))]
		}
		var read int
		if v, read, ok = digits(p, b.Base); !ok {
			return 0, 0, false
		}
		if n == 0 {
			n = read
		}
	} else {
		if n > 8 {
			return 0, 0, false
		}
		if b.Endian == rule.Little || b.DCE && c.little {
			for i := n - 1; i >= 0; i-- {
				v = v<<8 | uint64(p[i])
			}
		} else {
			for _, x := range p {
				v = v<<8 | uint64(x)
			}
		}
	}
	if b.Mask != 0 {
		v = v & b.Mask >> b.Shift
	}
	return v, at + n, true
}

// maxDigits is as many as a number of 64 bits has in any base.
const maxDigits = 23

// digits reads a number written in a base, and tells how many bytes it took:
// spaces, a sign, 0x and what follows the digits are tolerated, as strtoul would.
func digits(p []byte, base int) (v uint64, i int, some bool) {
	for i < len(p) && (p[i] == ' ' || p[i] >= '\t' && p[i] <= '\r') {
		i++
	}
	neg := false
	if i < len(p) && (p[i] == '+' || p[i] == '-') {
		neg = p[i] == '-'
		i++
	}
	if base == 16 && i+2 < len(p) && p[i] == '0' && lower(p[i+1]) == 'x' {
		i += 2
	}
	for ; i < len(p); i++ {
		d := 99
		switch ch := lower(p[i]); {
		case ch >= '0' && ch <= '9':
			d = int(ch - '0')
		case ch >= 'a' && ch <= 'f':
			d = int(ch-'a') + 10
		}
		if d >= base {
			break
		}
		if v > (math.MaxUint64-uint64(d))/uint64(base) {
			return 0, 0, false
		}
		v = v*uint64(base) + uint64(d)
		some = true
	}
	if neg {
		v = -v
	}
	return v, i, some
}

// place gives where a byte keyword reads.
func (c *confirm) place(it *item, pos int) int {
	at := c.num(it.Byte.Offset)
	if it.Relative {
		return pos + at
	}
	// Positions count from the stream's start, and the window may begin later.
	return at - c.abs
}

func (c *confirm) byteTest(it *item, pos int) bool {
	b := it.Byte
	v, _, ok := c.number(b, c.place(it, pos))
	if !ok {
		return false
	}
	want := uint64(b.Value.V)
	if b.Value.Var != 0 {
		want = c.vars[b.Value.Var]
	}
	var hit bool
	switch b.Oper {
	case '<':
		hit = v < want || b.OrEqual && v == want
	case '>':
		hit = v > want || b.OrEqual && v == want
	case '=':
		hit = v == want
	case '&':
		hit = v&want != 0
	case '^':
		hit = v^want != 0
	}
	return hit != b.NotOper
}

func (c *confirm) byteJump(it *item, pos int) (int, bool) {
	b := it.Byte
	at := c.place(it, pos)
	v, next, ok := c.number(b, at)
	if !ok || v > math.MaxInt32*8 {
		return 0, false
	}
	jump := int(v) * int(b.Multiplier)
	if b.Align == 4 && jump%4 != 0 {
		jump += 4 - jump%4
	}
	jump += c.num(b.PostOffset)
	switch {
	case b.FromBeginning:
		next = jump - c.abs
	case b.FromEnd:
		next = len(c.buf) + jump
	default:
		next += jump
	}
	// A jump to before the beginning ends at it.
	next = max(next, 0)
	return next, next < len(c.buf)
}

func (c *confirm) byteExtract(it *item, pos int) (int, bool) {
	b := it.Byte
	v, next, ok := c.number(b, c.place(it, pos))
	if !ok {
		return 0, false
	}
	v *= uint64(b.Multiplier)
	if a := uint64(b.Align); a > 1 && v%a != 0 {
		v += a - v%a
	}
	c.vars[b.Result] = v
	return next, true
}

func (c *confirm) byteMath(it *item, pos int) (int, bool) {
	b := it.Byte
	v, next, ok := c.number(b, c.place(it, pos))
	if !ok {
		return 0, false
	}
	r := uint64(b.Value.V)
	if b.Value.Var != 0 {
		r = c.vars[b.Value.Var]
	}
	switch b.Oper {
	case '+':
		v += r
	case '-':
		v -= r
	case '*':
		v *= r
	case '/':
		if r == 0 {
			return 0, false
		}
		v /= r
	case '<':
		if r >= 64 {
			return 0, false
		}
		v <<= r
	case '>':
		if r >= 64 {
			return 0, false
		}
		v >>= r
	}
	c.vars[b.Result] = v
	return next, true
}

// maxBase64 bounds what base64_decode gives.
const maxBase64 = 64 << 10

// base64 decodes from the position on and tests the items of base64_data.
func (c *confirm) base64(it *item, pos int) bool {
	b := it.Base64
	at := b.Offset
	if it.Relative {
		at += pos
	}
	if at >= len(c.buf) {
		return false
	}
	src := c.buf[at:]
	if b.Bytes > 0 {
		src = src[:min(len(src), b.Bytes)]
	}
	if cap(c.m.b64) == 0 {
		c.m.b64 = make([]byte, maxBase64)
	}
	n := decodeBase64(c.m.b64[:maxBase64], src, false)
	if n == 0 {
		return false
	}
	if len(it.sub) == 0 {
		return true
	}
	save, abs := c.buf, c.abs
	c.buf, c.abs = c.m.b64[:n], 0
	ok := c.run(it.sub, 0)
	c.buf, c.abs = save, abs
	return ok
}

func base64Value(ch byte) int {
	switch {
	case ch >= 'A' && ch <= 'Z':
		return int(ch - 'A')
	case ch >= 'a' && ch <= 'z':
		return int(ch-'a') + 26
	case ch >= '0' && ch <= '9':
		return int(ch-'0') + 52
	case ch == '+':
		return 62
	case ch == '/':
		return 63
	}
	return -1
}

// decodeBase64 decodes up to the first byte that is no base64; skip leaves out
// such bytes instead (RFC 2045). It gives the number of bytes written.
func decodeBase64(dst, src []byte, skip bool) int {
	n := 0
	var acc uint32
	bits := 0
	for _, ch := range src {
		v := base64Value(ch)
		if v < 0 {
			if ch == '=' {
				break
			}
			if skip || ch == '\r' || ch == '\n' || ch == ' ' {
				continue
			}
			break
		}
		acc = acc<<6 | uint32(v)
		if bits += 6; bits >= 8 {
			bits -= 8
			if n == len(dst) {
				return n
			}
			dst[n] = byte(acc >> bits)
			n++
		}
	}
	return n
}

// entropy compares the Shannon entropy of bytes in bits per byte, and notes it with
// the flow whether the test holds or not: an operator may want to know how close it was.
func (c *confirm) entropy(e *rule.Entropy, b []byte) bool {
	if e.Offset >= len(b) {
		return false
	}
	b = b[e.Offset:]
	if e.Bytes > 0 {
		b = b[:min(len(b), e.Bytes)]
	}
	var count [256]int
	for _, x := range b {
		count[x]++
	}
	h := 0.0
	for _, n := range count {
		if n > 0 {
			p := float64(n) / float64(len(b))
			h -= p * math.Log2(p)
		}
	}
	if fs := c.m.flowState(true); fs != nil {
		fs.measure(e.Buffer, h)
	}
	return entropyHolds(e, h)
}

// entropyHolds compares an entropy with what a rule asks for.
func entropyHolds(e *rule.Entropy, h float64) bool {
	switch e.Op {
	case 'R':
		return h > e.Value && h < e.High
	case 'O':
		return h <= e.Value || h >= e.High
	case '<':
		return h < e.Value
	case '>':
		return h > e.Value
	case 'L':
		return h <= e.Value
	case 'G':
		return h >= e.Value
	case '!':
		return math.Abs(h-e.Value) > 1e-9
	}
	return math.Abs(h-e.Value) <= 1e-9
}

// asn1 walks BER elements (X.690) and looks for what the keyword names.
func (c *confirm) asn1(it *item, pos int) bool {
	a := it.ASN1
	at := 0
	switch {
	case a.HasAbsolute:
		at = a.AbsoluteOffset
	case a.HasRelative:
		at = pos + a.RelativeOffset
	}
	if at < 0 || at >= len(c.buf) {
		return false
	}
	b := c.buf[at:]
	for elements := 0; len(b) >= 2 && elements < 256; elements++ {
		tag := b[0]
		i := 1
		if tag&0x1f == 0x1f {
			for i < len(b) && b[i]&0x80 != 0 {
				i++
			}
			i++
		}
		if i >= len(b) {
			return false
		}
		length := uint64(b[i])
		i++
		if length&0x80 != 0 {
			n := int(length & 0x7f)
			if n > 8 || n > len(b)-i {
				return false
			}
			length = 0
			for _, x := range b[i : i+n] {
				length = length<<8 | uint64(x)
			}
			i += n
		}
		body := b[i:]
		if a.HasOversize && length > uint64(a.OversizeLength) {
			return true
		}
		if tag&0xc0 == 0 && tag&0x20 == 0 {
			switch {
			case a.BitstringOverflow && tag&0x1f == 3 && len(body) > 0 && length > 0 && (uint64(body[0]) > 7 || (length-1)*8 < uint64(body[0])):
				return true
			case a.DoubleOverflow && tag&0x1f == 9 && len(body) > 0 && body[0]&0xc0 == 0 && length > 256:
				return true
			}
		}
		if tag&0x20 != 0 {
			b = body // constructed: look inside
			continue
		}
		if length > uint64(len(body)) {
			return false
		}
		b = body[length:]
	}
	return false
}
