package extract

import (
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/flate"
)

// pdfFilters gives the filters of a stream with their parameters.
func (p *pdfDoc) pdfFilters(d pdfDict) ([]string, []pdfDict) {
	var names []string
	var parms []pdfDict
	f := p.get(d, "Filter", "F")
	dp := p.get(d, "DecodeParms", "DP")
	switch f := f.(type) {
	case pdfName:
		names = append(names, string(f))
		pd, _ := dp.(pdfDict)
		if a, ok := dp.(pdfArray); ok && len(a) > 0 {
			pd, _ = p.resolve(a[0]).(pdfDict)
		}
		parms = append(parms, pd)
	case pdfArray:
		a, _ := dp.(pdfArray)
		for i, v := range f {
			if i >= 8 {
				break
			}
			n, _ := p.resolve(v).(pdfName)
			names = append(names, string(n))
			var pd pdfDict
			if i < len(a) {
				pd, _ = p.resolve(a[i]).(pdfDict)
			} else if one, ok := dp.(pdfDict); ok && len(f) == 1 {
				pd = one
			}
			parms = append(parms, pd)
		}
	}
	return names, parms
}

// decode gives a stream's bytes, decrypted and unpacked. At a filter for images
// it stops and names it.
func (p *pdfDoc) decode(s *pdfStream) (b []byte, image string, err error) {
	b = s.raw
	names, parms := p.pdfFilters(s.dict)
	if p.crypt != nil && s.num > 0 {
		plain := len(names) > 0 && names[0] == "Crypt"
		if plain && parms[0] != nil {
			n, _ := parms[0]["Name"].(pdfName)
			plain = n == "Identity" || n == ""
		}
		if t, _ := s.dict["Type"].(pdfName); t != "XRef" && !plain && !(t == "Metadata" && !p.crypt.metadata) {
			b = p.crypt.stream(s.num, s.gen, b)
		}
	}
	for i, n := range names {
		switch n {
		case "FlateDecode", "Fl":
			b, err = p.inflate(b)
		case "LZWDecode", "LZW":
			early := 1
			if parms[i] != nil {
				if v, ok := p.resolve(parms[i]["EarlyChange"]).(float64); ok {
					early = int(v)
				}
			}
			b, err = p.w.unpack(newPDFLZW(b, early), int64(max(len(b), 1)))
		case "ASCII85Decode", "A85":
			b = ascii85(b)
		case "ASCIIHexDecode", "AHx":
			l := pdfLexer{b: b, i: -1}
			b = []byte(l.hex())
		case "RunLengthDecode", "RL":
			b, err = p.w.unpack(&runLength{b: b}, int64(max(len(b), 1)))
		case "Crypt":
		default:
			return b, n, nil
		}
		if err != nil && (!errors.Is(err, errDamaged) || len(b) == 0) {
			return nil, "", err
		}
		err = nil
		if parms[i] != nil {
			b = p.predict(b, parms[i])
		}
	}
	return b, "", nil
}

// inflate unpacks zlib data, and as much as is there of damaged data.
func (p *pdfDoc) inflate(b []byte) ([]byte, error) {
	b = bytes.TrimLeft(b, "\r\n")
	if len(b) < 2 {
		return nil, nil
	}
	raw := b
	if b[0]&0x0f == 8 && (int(b[0])<<8|int(b[1]))%31 == 0 {
		raw = b[2:]
	}
	return p.w.unpack(flate.NewReader(bytes.NewReader(raw)), int64(len(b)))
}

// predict undoes the predictors of TIFF and PNG (ISO 32000-1 7.4.4.4).
func (p *pdfDoc) predict(b []byte, d pdfDict) []byte {
	num := func(k string, def int) int {
		if v, ok := p.resolve(d[k]).(float64); ok {
			return int(v)
		}
		return def
	}
	pred := num("Predictor", 1)
	colors, bits, cols := num("Colors", 1), num("BitsPerComponent", 8), num("Columns", 1)
	if pred < 2 || colors < 1 || colors > 32 || bits < 1 || bits > 16 || cols < 1 || cols > 1<<20 {
		return b
	}
	bpp := max(1, colors*bits/8)
	row := (colors*bits*cols + 7) / 8
	if pred == 2 {
		if bits != 8 {
			return b
		}
		for at := 0; at+row <= len(b); at += row {
			for i := bpp; i < row; i++ {
				b[at+i] += b[at+i-bpp]
			}
		}
		return b
	}
	out := make([]byte, 0, len(b))
	prev := make([]byte, row)
	for len(b) > 1 {
		t := b[0]
		cur := make([]byte, row)
		n := copy(cur, b[1:])
		b = b[1+n:]
		for i := range cur {
			var left, up, corner byte
			up = prev[i]
			if i >= bpp {
				left, corner = cur[i-bpp], prev[i-bpp]
			}
			switch t {
			case 1:
				cur[i] += left
			case 2:
				cur[i] += up
			case 3:
				cur[i] += byte((int(left) + int(up)) / 2)
			case 4:
				cur[i] += paeth(left, up, corner)
			}
		}
		out = append(out, cur[:n]...)
		prev = cur
	}
	return out
}

func paeth(a, b, c byte) byte {
	p := int(a) + int(b) - int(c)
	pa, pb, pc := abs(p-int(a)), abs(p-int(b)), abs(p-int(c))
	switch {
	case pa <= pb && pa <= pc:
		return a
	case pb <= pc:
		return b
	}
	return c
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

func ascii85(b []byte) []byte {
	out := make([]byte, 0, len(b)*4/5)
	var v uint32
	n := 0
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case c == '~':
			i = len(b)
		case c == 'z' && n == 0:
			out = append(out, 0, 0, 0, 0)
		case c >= '!' && c <= 'u':
			v = v*85 + uint32(c-'!')
			if n++; n == 5 {
				out = append(out, byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
				v, n = 0, 0
			}
		}
	}
	if n > 1 {
		for i := n; i < 5; i++ {
			v = v*85 + 84
		}
		for i := range n - 1 {
			out = append(out, byte(v>>(24-8*i)))
		}
	}
	return out
}

type runLength struct {
	b    []byte
	pend []byte
}

func (r *runLength) Read(p []byte) (int, error) {
	for len(r.pend) == 0 {
		if len(r.b) == 0 || r.b[0] == 128 {
			return 0, io.EOF
		}
		n := int(r.b[0])
		r.b = r.b[1:]
		if n < 128 {
			k := min(n+1, len(r.b))
			r.pend, r.b = r.b[:k], r.b[k:]
		} else {
			if len(r.b) == 0 {
				return 0, io.EOF
			}
			r.pend = bytes.Repeat(r.b[:1], 257-n)
			r.b = r.b[1:]
		}
	}
	n := copy(p, r.pend)
	r.pend = r.pend[n:]
	return n, nil
}

// pdfLZW reads LZW with codes from the high bit, as TIFF has it.
type pdfLZW struct {
	b      []byte
	bit    int
	early  int
	prefix [4096]uint16
	suffix [4096]byte
	length [4096]uint16
	next   int
	width  int
	old    int
	pend   []byte
	done   bool
}

func newPDFLZW(b []byte, early int) io.Reader {
	z := &pdfLZW{b: b, early: early}
	for i := range 256 {
		z.suffix[i], z.length[i] = byte(i), 1
	}
	z.reset()
	return z
}

func (z *pdfLZW) reset() { z.next, z.width, z.old = 258, 9, -1 }

func (z *pdfLZW) Read(p []byte) (int, error) {
	for len(z.pend) == 0 {
		if z.done || z.bit+z.width > len(z.b)*8 {
			return 0, io.EOF
		}
		code := 0
		for range z.width {
			code = code<<1 | int(z.b[z.bit>>3]>>(7-z.bit&7)&1)
			z.bit++
		}
		switch {
		case code == 256:
			z.reset()
			continue
		case code == 257:
			z.done = true
			continue
		case code > z.next || z.old < 0 && code > 255:
			return 0, errDamaged
		}
		if z.old >= 0 && z.next < 4096 {
			first := z.first(code)
			if code == z.next {
				first = z.first(z.old)
			}
			z.prefix[z.next], z.suffix[z.next], z.length[z.next] = uint16(z.old), first, z.length[z.old]+1
			z.next++
		} else if code >= z.next {
			return 0, errDamaged
		}
		z.pend = z.expand(code)
		z.old = code
		if z.next+z.early >= 1<<z.width && z.width < 12 {
			z.width++
		}
	}
	n := copy(p, z.pend)
	z.pend = z.pend[n:]
	return n, nil
}

func (z *pdfLZW) first(code int) byte {
	for code >= 258 {
		code = int(z.prefix[code])
	}
	return byte(code)
}

func (z *pdfLZW) expand(code int) []byte {
	n := int(z.length[code])
	out := make([]byte, n)
	for i := n - 1; i >= 0; i-- {
		out[i] = z.suffix[code]
		code = int(z.prefix[code])
	}
	return out
}
