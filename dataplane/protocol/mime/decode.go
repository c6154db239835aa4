package mime

// encoding is a part's transfer encoding (RFC 2045 §6).
type encoding uint8

const (
	identity encoding = iota
	base64
	quotedPrintable
	uuencode
)

// Bounds of encoded lines, past which Suricata has events.
const (
	maxEncodedLine = 76
	maxLine        = 998
)

// decoder undoes a transfer encoding as bytes come, whatever way they are cut.
// It forgives what mail programs forgive.
type decoder struct {
	enc     encoding
	bits    uint32
	n       uint8 // base64 characters in bits; state of quoted-printable
	hi      byte
	invalid bool
	long    bool
	// std is not 0 once "+" or "/" occurred, so that the part is in the standard
	// alphabet.
	std  byte
	line int
	// uu is the current line of a uuencoded part.
	uu      []byte
	uuState uint8 // 0 before begin, 1 within, 2 after end
	uuName  string
}

const (
	b64Invalid = 0xff
	b64Space   = 0xfe
	b64Pad     = 0xfd
	// The digits 62 and 63 of the alphabet of URLs.
	b64Minus = 0xf0
	b64Under = 0xf1
)

var b64Table = func() (t [256]byte) {
	for i := range t {
		t[i] = b64Invalid
	}
	const std = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for i := range std {
		t[std[i]] = byte(i)
	}
	t['-'], t['_'] = b64Minus, b64Under
	t[' '], t['\t'], t['\r'], t['\n'] = b64Space, b64Space, b64Space, b64Space
	t['='] = b64Pad
	return t
}()

// decode appends the plain bytes of src to dst until dst is full or src is
// used up, and gives what is left of src. cap(dst) must leave room for 64 bytes.
func (d *decoder) decode(dst, src []byte) (out, rest []byte) {
	switch d.enc {
	case base64:
		return d.base64(dst, src)
	case quotedPrintable:
		return d.quoted(dst, src)
	case uuencode:
		return d.uudecode(dst, src)
	}
	n := min(len(src), cap(dst)-len(dst))
	return append(dst, src[:n]...), src[n:]
}

func (d *decoder) base64(dst, src []byte) (out, rest []byte) {
	std := d.std
	for len(src) > 0 && cap(dst)-len(dst) >= 8 {
		if d.n == 0 && len(src) >= 4 {
			a, b, c, e := b64Table[src[0]], b64Table[src[1]], b64Table[src[2]], b64Table[src[3]]
			if a|b|c|e < 64 {
				std |= ((a + 2) | (b + 2) | (c + 2) | (e + 2)) & 64
				v := uint32(a)<<18 | uint32(b)<<12 | uint32(c)<<6 | uint32(e)
				dst = append(dst, byte(v>>16), byte(v>>8), byte(v))
				src = src[4:]
				d.line += 4
				continue
			}
		}
		c := src[0]
		src = src[1:]
		v := b64Table[c]
		if std == 0 && v&^1 == b64Minus {
			// The alphabet of URLs (RFC 4648 §5) occurs in the wild; in a part that is
			// in the other one, its digits are junk as any other byte.
			v = v - b64Minus + 62
		}
		switch {
		case v < 64:
			if c == '+' || c == '/' {
				std = 64
			}
			d.line++
			d.bits = d.bits<<6 | uint32(v)
			if d.n++; d.n == 4 {
				dst = append(dst, byte(d.bits>>16), byte(d.bits>>8), byte(d.bits))
				d.bits, d.n = 0, 0
			}
		case v == b64Space:
			if c == '\n' {
				d.endLine(maxEncodedLine)
			}
		case v == b64Pad:
			d.line++
			// Padding ends a run; another may follow, as some programs send.
			dst = d.flush64(dst)
		default:
			d.invalid = true
		}
	}
	d.std = std
	return dst, src
}

func (d *decoder) endLine(limit int) {
	if d.line > limit {
		d.long = true
	}
	d.line = 0
}

func (d *decoder) flush64(dst []byte) []byte {
	switch d.n {
	case 2:
		dst = append(dst, byte(d.bits>>4))
	case 3:
		dst = append(dst, byte(d.bits>>10), byte(d.bits>>2))
	}
	d.bits, d.n = 0, 0
	return dst
}

// quoted undoes quoted-printable (RFC 2045 §6.7). d.n is 0 for text, 1 after
// "=", 2 after "=X", 3 after "=" and white space that may end the line.
func (d *decoder) quoted(dst, src []byte) (out, rest []byte) {
	for len(src) > 0 && cap(dst)-len(dst) >= 4 {
		c := src[0]
		src = src[1:]
		d.line++
		if c == '\n' {
			d.line--
			d.endLine(maxEncodedLine + 2)
		}
		switch d.n {
		case 0:
			if c == '=' {
				d.n = 1
			} else {
				dst = append(dst, c)
			}
		case 1:
			switch {
			case c == '\n':
				d.n = 0
			case c == '\r' || c == ' ' || c == '\t':
				d.n = 3
			case unhex(c) < 16:
				d.n, d.hi = 2, c
			default:
				d.invalid = true
				dst = append(dst, '=', c)
				d.n = 0
			}
		case 2:
			d.n = 0
			if v := unhex(c); v < 16 {
				dst = append(dst, unhex(d.hi)<<4|v)
			} else {
				d.invalid = true
				dst = append(dst, '=', d.hi, c)
			}
		case 3:
			switch c {
			case '\n':
				d.n = 0
			case '\r', ' ', '\t':
			default:
				d.invalid = true
				d.n = 0
				if c == '=' {
					d.n = 1
				} else {
					dst = append(dst, c)
				}
			}
		}
	}
	return dst, src
}

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}

// maxUULine bounds a uuencoded line: 63 bytes take 85 characters.
const maxUULine = 256

func (d *decoder) uudecode(dst, src []byte) (out, rest []byte) {
	for len(src) > 0 && cap(dst)-len(dst) >= 64 {
		c := src[0]
		src = src[1:]
		if c != '\n' {
			if len(d.uu) < maxUULine {
				d.uu = append(d.uu, c)
			} else {
				d.long = true
			}
			continue
		}
		dst = d.uuLine(dst)
	}
	return dst, src
}

// uuLine decodes the line kept, by the rules of POSIX uuencode.
func (d *decoder) uuLine(dst []byte) []byte {
	line := d.uu
	d.uu = d.uu[:0]
	for len(line) > 0 && line[len(line)-1] == '\r' {
		line = line[:len(line)-1]
	}
	switch d.uuState {
	case 0:
		if name, ok := uuBegin(line); ok {
			d.uuState, d.uuName = 1, name
		}
	case 1:
		if len(line) == 0 {
			return dst
		}
		if string(line) == "end" {
			d.uuState = 2
			return dst
		}
		n := int(line[0]-' ') & 63
		line = line[1:]
		if (n+2)/3*4 > len(line)+3 {
			d.invalid = true
		}
		for n > 0 && len(line) > 0 {
			var v uint32
			for i := range 4 {
				v <<= 6
				if i < len(line) {
					v |= uint32(line[i]-' ') & 63
				}
			}
			b := [3]byte{byte(v >> 16), byte(v >> 8), byte(v)}
			k := min(n, 3)
			dst = append(dst, b[:k]...)
			n -= k
			line = line[min(4, len(line)):]
		}
	}
	return dst
}

// uuBegin reads "begin 644 name".
func uuBegin(line []byte) (name string, ok bool) {
	if len(line) < 11 || string(line[:6]) != "begin " {
		return "", false
	}
	i := 6
	for i < len(line) && line[i] >= '0' && line[i] <= '7' {
		i++
	}
	if i < 9 || i >= len(line)-1 || line[i] != ' ' {
		return "", false
	}
	return string(line[i+1:]), true
}

// finish gives what is left at the end of the part.
func (d *decoder) finish(dst []byte) []byte {
	switch d.enc {
	case base64:
		dst = d.flush64(dst)
		d.endLine(maxEncodedLine)
	case quotedPrintable:
		switch d.n {
		case 1:
			dst = append(dst, '=')
		case 2:
			dst = append(dst, '=', d.hi)
		}
		d.endLine(maxEncodedLine)
	case uuencode:
		if len(d.uu) > 0 {
			dst = d.uuLine(dst)
		}
	}
	return dst
}
