package extract

import (
	"encoding/binary"
	"sort"
)

// pdfCMap maps character codes to text (ToUnicode) or to glyph numbers.
type pdfCMap struct {
	spaces []cmapSpace
	chars  map[uint64]string
	ranges []cmapRange
	cids   []cmapRange
}

type cmapSpace struct {
	n      int
	lo, hi uint32
}

type cmapRange struct {
	n      int
	lo, hi uint32
	text   string // of lo; the last unit counts up
	cid    int
}

const cmapMost = 1 << 17

// parseCMap reads a CMap program (Adobe Technical Note 5014 and 5411), as much
// of it as maps codes.
func parseCMap(b []byte, p *pdfDoc) *pdfCMap {
	m := &pdfCMap{chars: map[uint64]string{}}
	l := &pdfLexer{b: b}
	var args []any
	for {
		if p.w.tick() != nil {
			break
		}
		v := l.object(false, 0)
		if e, ok := v.(pdfEnd); ok {
			if e.c == 0 {
				break
			}
			continue
		}
		op, ok := v.(pdfOp)
		if !ok {
			if len(args) < cmapMost {
				args = append(args, v)
			}
			continue
		}
		switch op {
		case "endcodespacerange":
			for i := 0; i+1 < len(args) && len(m.spaces) < 1000; i += 2 {
				lo, n := codeOf(args[i])
				hi, _ := codeOf(args[i+1])
				m.spaces = append(m.spaces, cmapSpace{n, lo, hi})
			}
		case "endbfchar":
			for i := 0; i+1 < len(args) && len(m.chars) < cmapMost; i += 2 {
				c, n := codeOf(args[i])
				m.chars[uint64(n)<<32|uint64(c)] = targetText(args[i+1])
			}
		case "endbfrange":
			for i := 0; i+2 < len(args); i += 3 {
				m.bfrange(args[i], args[i+1], args[i+2])
			}
		case "endcidrange":
			for i := 0; i+2 < len(args) && len(m.cids) < cmapMost; i += 3 {
				lo, n := codeOf(args[i])
				hi, _ := codeOf(args[i+1])
				c, _ := args[i+2].(float64)
				m.cids = append(m.cids, cmapRange{n: n, lo: lo, hi: hi, cid: int(c)})
			}
		case "endcidchar":
			for i := 0; i+1 < len(args) && len(m.cids) < cmapMost; i += 2 {
				lo, n := codeOf(args[i])
				c, _ := args[i+1].(float64)
				m.cids = append(m.cids, cmapRange{n: n, lo: lo, hi: lo, cid: int(c)})
			}
		}
		args = args[:0]
	}
	sort.SliceStable(m.ranges, func(i, j int) bool { return m.ranges[i].lo < m.ranges[j].lo })
	sort.SliceStable(m.cids, func(i, j int) bool { return m.cids[i].lo < m.cids[j].lo })
	return m
}

func (m *pdfCMap) bfrange(lo, hi, to any) {
	a, n := codeOf(lo)
	b, _ := codeOf(hi)
	switch t := to.(type) {
	case pdfArray:
		for k, v := range t {
			if a+uint32(k) > b || len(m.chars) >= cmapMost {
				break
			}
			m.chars[uint64(n)<<32|uint64(a)+uint64(k)] = targetText(v)
		}
	default:
		if len(m.ranges) < cmapMost {
			m.ranges = append(m.ranges, cmapRange{n: n, lo: a, hi: b, text: targetText(to)})
		}
	}
}

func codeOf(v any) (code uint32, n int) {
	s, _ := v.(pdfString)
	for i := 0; i < len(s) && i < 4; i++ {
		code = code<<8 | uint32(s[i])
	}
	return code, min(len(s), 4)
}

func targetText(v any) string {
	switch v := v.(type) {
	case pdfString:
		if len(v) == 1 {
			return string(rune(v[0]))
		}
		if len(v) > 64 {
			v = v[:64]
		}
		return string(decodeUTF16([]byte(v), true))
	case pdfName:
		return glyphText(string(v))
	}
	return ""
}

// lookup gives the text of a code.
func (m *pdfCMap) lookup(code uint32, n int) (string, bool) {
	if t, ok := m.chars[uint64(n)<<32|uint64(code)]; ok {
		return t, true
	}
	i := sort.Search(len(m.ranges), func(i int) bool { return m.ranges[i].lo > code })
	for i--; i >= 0; i-- {
		r := &m.ranges[i]
		if code <= r.hi && r.n == n {
			s := []rune(r.text)
			if len(s) == 0 {
				return "", true
			}
			s[len(s)-1] += rune(code - r.lo)
			return string(s), true
		}
		if code-r.lo > 0xffff {
			break
		}
		if len(m.ranges)-i > 64 && code > r.hi {
			break
		}
	}
	if n == 1 {
		// Some writers give two-byte codes to one-byte fonts.
		if t, ok := m.chars[2<<32|uint64(code)]; ok {
			return t, true
		}
	}
	return "", false
}

func (m *pdfCMap) cid(code uint32, n int) (int, bool) {
	i := sort.Search(len(m.cids), func(i int) bool { return m.cids[i].lo > code })
	for k := 0; i > 0 && k < 64; k++ {
		i--
		if r := &m.cids[i]; code <= r.hi && r.n == n {
			return r.cid + int(code-r.lo), true
		}
	}
	return 0, false
}

// length gives how many bytes the next code has; 0 when no range fits.
func (m *pdfCMap) length(s []byte) int {
	for n := 1; n <= 4 && n <= len(s); n++ {
		var code uint32
		for _, c := range s[:n] {
			code = code<<8 | uint32(c)
		}
		for _, sp := range m.spaces {
			if sp.n != n {
				continue
			}
			in := true
			for k := range n {
				sh := 8 * k
				c := code >> sh & 0xff
				in = in && c >= sp.lo>>sh&0xff && c <= sp.hi>>sh&0xff
			}
			if in {
				return n
			}
		}
	}
	return 0
}

// reverseCmap reads the character map of a TrueType or OpenType font and turns
// it round.
func reverseCmap(b []byte) map[int]rune {
	be := binary.BigEndian
	if len(b) < 12 {
		return nil
	}
	var cmap []byte
	for i := range int(be.Uint16(b[4:])) {
		at := 12 + 16*i
		if at+16 > len(b) {
			return nil
		}
		if string(b[at:at+4]) == "cmap" {
			if off := be.Uint32(b[at+8:]); uint64(off)+4 <= uint64(len(b)) {
				cmap = b[off:]
			}
		}
	}
	if len(cmap) < 4 {
		return nil
	}
	out := map[int]rune{}
	for i := range int(be.Uint16(cmap[2:])) {
		at := 4 + 8*i
		if at+8 > len(cmap) {
			break
		}
		plat := be.Uint16(cmap[at:])
		off := be.Uint32(cmap[at+4:])
		if plat != 0 && plat != 3 || uint64(off)+16 > uint64(len(cmap)) {
			continue
		}
		cmapTable(cmap[off:], out)
	}
	return out
}

func cmapTable(t []byte, out map[int]rune) {
	be := binary.BigEndian
	switch be.Uint16(t) {
	case 4:
		n := int(be.Uint16(t[6:])) / 2
		if 16+8*n > len(t) {
			return
		}
		for i := range n {
			end, start := int(be.Uint16(t[14+2*i:])), int(be.Uint16(t[16+2*n+2*i:]))
			delta, ro := int(be.Uint16(t[16+4*n+2*i:])), int(be.Uint16(t[16+6*n+2*i:]))
			for c := start; c <= end && c < 0xffff && len(out) < 1<<16; c++ {
				g := c + delta
				if ro != 0 {
					at := 16 + 6*n + 2*i + ro + 2*(c-start)
					if at+2 > len(t) {
						break
					}
					if g = int(be.Uint16(t[at:])); g != 0 {
						g += delta
					}
				}
				if g &= 0xffff; g != 0 {
					if _, ok := out[g]; !ok {
						out[g] = rune(c)
					}
				}
			}
		}
	case 12:
		n := int(be.Uint32(t[12:]))
		for i := 0; i < n && 16+12*i+12 <= len(t); i++ {
			g := t[16+12*i:]
			lo, hi, gid := be.Uint32(g), be.Uint32(g[4:]), be.Uint32(g[8:])
			for c := lo; c <= hi && c < 0x110000 && len(out) < 1<<16; c++ {
				if _, ok := out[int(gid+c-lo)]; !ok {
					out[int(gid+c-lo)] = rune(c)
				}
			}
		}
	}
}
