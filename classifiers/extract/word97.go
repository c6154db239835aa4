package extract

import (
	"bytes"
	"encoding/binary"
	"sort"
	"strings"
	"unicode/utf8"
)

// wordPiece maps character positions to bytes of the WordDocument stream.
type wordPiece struct {
	cp, end uint32 // characters [cp, end)
	fc      uint32 // byte of the first
	wide    bool
}

// wordDoc is an opened document of Word 6 to 2003 ([MS-DOC]).
type wordDoc struct {
	main, table []byte
	pieces      []wordPiece
	paras       []wordPara // sorted by end
	nums        *wordLists
	page        int
	counts      [8]uint32 // ccpText, Ftn, Hdd, Mcr, Atn, Edn, Txbx, HdrTxbx
	hdd         []uint32
	old         bool
}

func u32at(b []byte, at int) uint32 {
	if at < 0 || at+4 > len(b) {
		return 0
	}
	return binary.LittleEndian.Uint32(b[at:])
}

func u16at(b []byte, at int) uint16 {
	if at < 0 || at+2 > len(b) {
		return 0
	}
	return binary.LittleEndian.Uint16(b[at:])
}

// span gives the bytes that a pair of offset and length in the FIB names.
func span(b []byte, fc, lcb uint32) []byte {
	if uint64(fc)+uint64(lcb) > uint64(len(b)) {
		return nil
	}
	return b[fc : fc+lcb]
}

func (w *walker) word97(o *object, c *cfb) error {
	d := &wordDoc{main: c.stream("WordDocument"), page: 1252}
	fib := d.main
	if len(fib) < 0x80 {
		return errDamaged
	}
	flags := u16at(fib, 0x0a)
	if flags&0x0100 != 0 {
		return errEncrypted
	}
	nFib := u16at(fib, 2)
	d.old = nFib < 0xc0
	if d.old {
		d.openOld(flags)
	} else {
		if d.table = c.stream("0Table"); flags&0x0200 != 0 {
			d.table = c.stream("1Table")
		}
		for i := range d.counts {
			d.counts[i] = u32at(fib, 0x4c+4*i)
		}
		d.readPieces(span(d.table, u32at(fib, 0x1a2), u32at(fib, 0x1a6)))
		h := span(d.table, u32at(fib, 0xf2), u32at(fib, 0xf6))
		for i := 0; i+4 <= len(h) && i < 1<<16; i += 4 {
			d.hdd = append(d.hdd, u32at(h, i))
		}
		d.readParas(span(d.table, u32at(fib, 0x102), u32at(fib, 0x106)))
		d.nums = d.readLists()
	}
	if len(d.pieces) == 0 {
		// Text without a piece table lies in one run.
		lo, hi := u32at(fib, 0x18), u32at(fib, 0x1c)
		if lo >= hi || uint64(hi) > uint64(len(fib)) {
			return errDamaged
		}
		d.pieces = []wordPiece{{0, hi - lo, lo, false}}
	}
	var last uint32
	for _, p := range d.pieces {
		last = max(last, p.end)
	}
	at := uint32(0)
	kinds := [...]Kind{Text, Text, Header, Text, Comment, Text, Text, Header}
	names := [...]string{"", "footnotes", "headers", "macros", "comments", "endnotes", "textboxes", "header-textboxes"}
	for i, n := range d.counts {
		if i == 2 && n > 0 && len(d.hdd) > 7 {
			if err := d.headers(w, o, at, n); err != nil {
				return err
			}
		} else if n > 0 {
			if err := d.story(w, o, names[i], kinds[i], at, min(at+n, last)); err != nil {
				return err
			}
		}
		at += n
		if at < n || at >= last {
			break
		}
	}
	if at < last && d.counts[0] == 0 {
		return d.story(w, o, "", Text, at, last)
	}
	return nil
}

// openOld reads the FIB of Word 6 and 95.
func (d *wordDoc) openOld(flags uint16) {
	fib := d.main
	for i := range d.counts {
		d.counts[i] = u32at(fib, 0x34+4*i)
	}
	d.table = d.main
	if flags&4 != 0 {
		d.readPieces(span(fib, u32at(fib, 0x160), u32at(fib, 0x164)))
		// Eight-bit text without the mark that later versions set.
		for i := range d.pieces {
			p := &d.pieces[i]
			if p.wide {
				p.wide = false
			}
		}
	}
}

// readPieces reads the Clx ([MS-DOC] 2.8.35, 2.9.38).
func (d *wordDoc) readPieces(clx []byte) {
	for len(clx) > 3 && clx[0] == 1 {
		n := int(u16at(clx, 1)) + 3
		if n > len(clx) {
			return
		}
		clx = clx[n:]
	}
	if len(clx) < 5 || clx[0] != 2 {
		return
	}
	p := clx[5:]
	if n := u32at(clx, 1); uint64(n) < uint64(len(p)) {
		p = p[:n]
	}
	n := (len(p) - 4) / 12
	for i := range n {
		cp, end := u32at(p, 4*i), u32at(p, 4*i+4)
		fc := u32at(p, 4*(n+1)+8*i+2)
		if end <= cp || end-cp > uint32(len(d.main)) {
			continue
		}
		q := wordPiece{cp: cp, end: end, fc: fc, wide: true}
		if fc&0x40000000 != 0 {
			q.fc, q.wide = (fc&^0x40000000)/2, false
		}
		if d.old {
			q.fc = fc
		}
		d.pieces = append(d.pieces, q)
	}
}

// runes calls f for every character of [from, to) with the byte it stands at.
func (d *wordDoc) runes(from, to uint32, f func(r rune, fc uint32)) {
	enc := codepage(d.page)
	i := sort.Search(len(d.pieces), func(i int) bool { return d.pieces[i].end > from })
	for ; i < len(d.pieces) && d.pieces[i].cp < to; i++ {
		p := d.pieces[i]
		lo, hi := max(p.cp, from), min(p.end, to)
		if lo >= hi {
			continue
		}
		if p.wide {
			a := uint64(p.fc) + 2*uint64(lo-p.cp)
			b := min(a+2*uint64(hi-lo), uint64(len(d.main)))
			if a >= b {
				continue
			}
			raw := d.main[a:b]
			for k := 0; k+1 < len(raw); k += 2 {
				u := rune(u16at(raw, k))
				fc := uint32(a) + uint32(k)
				if u >= 0xd800 && u < 0xdc00 && k+3 < len(raw) {
					u = 0x10000 + (u-0xd800)<<10 + (rune(u16at(raw, k+2)) - 0xdc00)
					k += 2
				}
				f(u, fc)
			}
			continue
		}
		a := uint64(p.fc) + uint64(lo-p.cp)
		b := min(a+uint64(hi-lo), uint64(len(d.main)))
		if a >= b {
			continue
		}
		raw := d.main[a:b]
		for k, c := range raw {
			if c < 0x80 {
				f(rune(c), uint32(a)+uint32(k))
				continue
			}
			r, _ := utf8.DecodeRune(decodeWith(enc, raw[k:k+1]))
			f(r, uint32(a)+uint32(k))
		}
	}
}

// headers tells headers from footers by the PlcfHdd: after six separators,
// six stories for each section, the third, fourth and sixth footers.
func (d *wordDoc) headers(w *walker, o *object, at, n uint32) error {
	for i := 6; i+1 < len(d.hdd); i++ {
		lo, hi := d.hdd[i], d.hdd[i+1]
		if hi > n || hi <= lo {
			continue
		}
		kind := Header
		if k := i % 6; k == 2 || k == 3 || k == 5 {
			kind = Footer
		}
		if err := d.story(w, o, "", kind, at+lo, at+hi); err != nil {
			return err
		}
	}
	return nil
}

// story writes the characters [from, to) as text.
func (d *wordDoc) story(w *walker, o *object, sub string, kind Kind, from, to uint32) error {
	t := w.open(o, sub, kind)
	var line strings.Builder
	steps := 0
	var err error
	flush := func(fc uint32, end byte) {
		s := line.String()
		line.Reset()
		if d.nums != nil && len(strings.TrimSpace(s)) > 0 {
			s = d.nums.number(d.para(fc)) + s
		}
		t.str(s)
		if end == '\t' {
			t.str("\t")
		} else {
			t.sep(end)
		}
	}
	d.runes(from, to, func(r rune, fc uint32) {
		if steps++; steps&0x3fff == 0 && err == nil {
			err = w.clock()
		}
		switch r {
		case 0x0d, 0x0c:
			flush(fc, '\n')
		case 0x07:
			flush(fc, '\t')
		case 0x0b, 0x0e:
			line.WriteByte('\n')
		case 0x1e:
			line.WriteByte('-')
		case 0x13, 0x14, 0x15:
			line.WriteByte(' ')
		case '\t':
			line.WriteByte('\t')
		case 0xa0:
			line.WriteByte(' ')
		default:
			if r >= 0x20 && r != 0x1f {
				line.WriteRune(r)
			}
		}
		if line.Len() > flushAt {
			t.str(line.String())
			line.Reset()
		}
	})
	if err != nil {
		return err
	}
	flush(0, '\n')
	return t.close()
}

// vba gives the source of macros. A module stream holds, after a cache, the
// compressed source, which always begins with an Attribute line.
func (w *walker) vba(o *object, c *cfb, dir string) error {
	for i := range c.entries {
		e := &c.entries[i]
		if e.kind != 2 || !strings.HasPrefix(e.path, dir+"/") || e.name == "dir" || strings.HasPrefix(e.name, "_") {
			continue
		}
		b := c.read(e)
		j := bytes.Index(b, []byte("\x00Attribut"))
		if j < 3 || b[j-3] != 1 {
			continue
		}
		src := ovbaDecompress(b[j-3:], int(w.lim.MaxObject))
		if err := w.charge(len(src)); err != nil {
			return err
		}
		if err := w.say(o, e.path, Text, string(toUTF8(src, ""))); err != nil {
			return err
		}
	}
	return nil
}

// ovbaDecompress unpacks a compressed container ([MS-OVBA] 2.4.1).
func ovbaDecompress(b []byte, most int) []byte {
	var out []byte
	b = b[1:]
	for len(b) >= 2 && len(out) < most {
		head := u16at(b, 0)
		n := int(head&0xfff) + 3
		if head>>12&7 != 3 {
			break
		}
		chunk := b[2:min(n, len(b))]
		b = b[min(n, len(b)):]
		start := len(out)
		if head&0x8000 == 0 {
			out = append(out, chunk...)
			continue
		}
		for len(chunk) > 0 {
			flags := chunk[0]
			chunk = chunk[1:]
			for bit := 0; bit < 8 && len(chunk) > 0; bit++ {
				if flags>>bit&1 == 0 {
					out = append(out, chunk[0])
					chunk = chunk[1:]
					continue
				}
				if len(chunk) < 2 {
					return out
				}
				tok := int(u16at(chunk, 0))
				chunk = chunk[2:]
				bits := 4
				for 1<<bits < len(out)-start {
					bits++
				}
				length := tok&(1<<(16-bits)-1) + 3
				off := tok>>(16-bits) + 1
				if off > len(out)-start || len(out)-start+length > 4096+8 {
					return out
				}
				for range length {
					out = append(out, out[len(out)-off])
				}
			}
		}
	}
	return out
}
