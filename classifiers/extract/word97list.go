package extract

import (
	"sort"
	"strconv"
	"strings"
)

// wordPara is a run of bytes that one paragraph's properties belong to.
type wordPara struct {
	from, to uint32
	style    uint16
	lfo, lvl int // -1 when the paragraph does not say
}

// wordLists computes list numbers of a Word 97 document with the same counters
// as the newer format's.
type wordLists struct {
	n      *numbering
	styles map[uint16]wordStyle
}

type wordStyle struct {
	base     uint16
	lfo, lvl int
}

// readParas reads the paragraph pages ([MS-DOC] 2.9.175) that the Plc names.
func (d *wordDoc) readParas(plc []byte) {
	n := (len(plc) - 4) / 8
	for i := 0; i < n && len(d.paras) < 1<<20; i++ {
		pn := u32at(plc, 4*(n+1)+4*i) & 0x3fffff
		page := span(d.main, pn*512, 512)
		if page == nil {
			continue
		}
		run := int(page[511])
		if 4*(run+1)+13*run > 511 {
			continue
		}
		for k := range run {
			p := wordPara{from: u32at(page, 4*k), to: u32at(page, 4*k+4), lfo: -1, lvl: -1}
			if off := int(page[4*(run+1)+13*k]) * 2; off > 0 && off < 511 {
				cb := int(page[off]) * 2
				from := off + 1
				if cb == 0 {
					cb, from = int(page[off+1])*2+1, off+2
				}
				end := min(from+cb-1, 511)
				if from+2 <= end {
					p.style = u16at(page, from)
					p.lfo, p.lvl = listSprms(page[from+2 : end])
				}
			}
			d.paras = append(d.paras, p)
		}
	}
	sort.SliceStable(d.paras, func(i, j int) bool { return d.paras[i].to < d.paras[j].to })
}

// para gives the properties of the paragraph whose mark stands at byte fc.
func (d *wordDoc) para(fc uint32) wordPara {
	i := sort.Search(len(d.paras), func(i int) bool { return d.paras[i].to > fc })
	if i < len(d.paras) && d.paras[i].from <= fc {
		return d.paras[i]
	}
	return wordPara{lfo: -1, lvl: -1}
}

// listSprms finds sprmPIlfo and sprmPIlvl in a list of modifiers ([MS-DOC]
// 2.6.2), -1 when they are absent.
func listSprms(b []byte) (lfo, lvl int) {
	lfo, lvl = -1, -1
	for len(b) >= 3 {
		op := u16at(b, 0)
		b = b[2:]
		var n int
		switch op >> 13 {
		case 0, 1:
			n = 1
		case 2, 4, 5:
			n = 2
		case 3:
			n = 4
		case 7:
			n = 3
		case 6:
			n = int(b[0]) + 1
			if op == 0xd608 {
				n = int(u16at(b, 0)) + 1
			}
		}
		if n > len(b) {
			return lfo, lvl
		}
		switch op {
		case 0x460b:
			lfo = int(int16(u16at(b, 0)))
		case 0x260a:
			lvl = int(b[0])
		}
		b = b[n:]
	}
	return lfo, lvl
}

// readLists reads list definitions (PlfLst), their uses (PlfLfo) and the styles.
func (d *wordDoc) readLists() *wordLists {
	fib := d.main
	l := &wordLists{n: &numbering{lists: map[string]*numList{}, nums: map[string]*numInstance{}, styles: map[string]numStyle{}}, styles: map[uint16]wordStyle{}}
	fc, lcb := u32at(fib, 0x2e2), u32at(fib, 0x2e6)
	lst := span(d.table, fc, lcb)
	if len(lst) < 2 {
		return nil
	}
	count := min(int(u16at(lst, 0)), (len(lst)-2)/28)
	lvls := d.table[fc+lcb:]
	for i := range count {
		e := lst[2+28*i:]
		list := &numList{}
		levels := 9
		if e[26]&1 != 0 {
			levels = 1
		}
		for k := range list.levels {
			list.levels[k] = numLevel{start: 1, format: "none", restart: -1}
		}
		for k := range levels {
			var lv numLevel
			var ok bool
			if lv, lvls, ok = wordLevel(lvls); !ok {
				break
			}
			list.levels[k] = lv
		}
		l.n.lists[strconv.Itoa(int(int32(u32at(e, 0))))] = list
	}
	d.readOverrides(l, span(d.table, u32at(fib, 0x2ea), u32at(fib, 0x2ee)))
	d.readSheet(l, span(d.table, u32at(fib, 0xa2), u32at(fib, 0xa6)))
	return l
}

var wordFormats = map[byte]string{0: "decimal", 1: "upperRoman", 2: "lowerRoman", 3: "upperLetter", 4: "lowerLetter", 5: "ordinal", 22: "decimalZero", 23: "bullet", 255: "none"}

// wordLevel reads one LVL ([MS-DOC] 2.9.150) and gives what follows it.
func wordLevel(b []byte) (numLevel, []byte, bool) {
	if len(b) < 30 {
		return numLevel{}, nil, false
	}
	lv := numLevel{start: int(int32(u32at(b, 0))), format: wordFormats[b[4]], restart: -1, legal: b[5]&4 != 0}
	if lv.format == "" {
		lv.format = "decimal"
	}
	if b[5]&8 != 0 {
		lv.restart = int(b[26])
	}
	skip := 28 + int(b[24]) + int(b[25])
	if skip+2 > len(b) {
		return lv, nil, false
	}
	b = b[skip:]
	n := int(u16at(b, 0))
	if 2+2*n > len(b) || n > 255 {
		return lv, nil, false
	}
	var s strings.Builder
	for i := range n {
		if c := rune(u16at(b, 2+2*i)); c < 9 {
			s.WriteString("%" + strconv.Itoa(int(c)+1))
		} else {
			s.WriteRune(c)
		}
	}
	lv.text = s.String()
	return lv, b[2+2*n:], true
}

func (d *wordDoc) readOverrides(l *wordLists, b []byte) {
	if len(b) < 4 {
		return
	}
	n := min(int(u32at(b, 0)), (len(b)-4)/16)
	rest := b[4+16*n:]
	for i := range n {
		e := b[4+16*i:]
		inst := &numInstance{abstract: strconv.Itoa(int(int32(u32at(e, 0))))}
		l.n.nums[strconv.Itoa(i+1)] = inst
		if len(rest) >= 4 {
			rest = rest[4:]
		}
		for range int(e[12]) {
			if len(rest) < 8 {
				return
			}
			start, flags := int(int32(u32at(rest, 0))), u32at(rest, 4)
			rest = rest[8:]
			k := int(flags & 15)
			if k > 8 {
				return
			}
			if flags&0x10 != 0 {
				inst.start[k], inst.override[k] = start, true
			}
			if flags&0x20 != 0 {
				lv, r, ok := wordLevel(rest)
				if !ok {
					return
				}
				rest = r
				inst.levels[k] = &lv
				if inst.override[k] {
					inst.start[k] = lv.start
				}
			}
		}
	}
}

// readSheet reads from the styles what they say about lists.
func (d *wordDoc) readSheet(l *wordLists, b []byte) {
	if len(b) < 6 {
		return
	}
	count, base := int(u16at(b, 2)), int(u16at(b, 4))
	b = b[min(2+int(u16at(b, 0)), len(b)):]
	for i := range count {
		if len(b) < 2 {
			return
		}
		n := int(u16at(b, 0))
		if 2+n > len(b) {
			return
		}
		std := b[2 : 2+n]
		b = b[min(2+n+n&1, len(b)):]
		if len(std) < base+2 || base < 10 {
			continue
		}
		st := wordStyle{base: u16at(std, 2) >> 4, lfo: -1, lvl: -1}
		if std[2]&15 == 1 {
			at := base + 2 + 2*int(u16at(std, base)) + 2
			at += at & 1
			if at+2 <= len(std) {
				cb := int(u16at(std, at))
				if cb >= 2 && at+2+cb <= len(std) {
					st.lfo, st.lvl = listSprms(std[at+4 : at+2+cb])
				}
			}
		}
		l.styles[uint16(i)] = st
	}
}

// number gives a paragraph's number with a space after it; empty when it has
// none.
func (l *wordLists) number(p wordPara) string {
	lfo, lvl := p.lfo, p.lvl
	style := p.style
	for i := 0; i < 12 && (lfo < 0 || lvl < 0); i++ {
		st, ok := l.styles[style]
		if !ok {
			break
		}
		if lfo < 0 {
			lfo = st.lfo
		}
		if lvl < 0 {
			lvl = st.lvl
		}
		if st.base == style || st.base == 0xfff {
			break
		}
		style = st.base
	}
	if lfo <= 0 {
		return ""
	}
	return l.n.next("", strconv.Itoa(lfo), strconv.Itoa(max(lvl, 0)), true)
}
