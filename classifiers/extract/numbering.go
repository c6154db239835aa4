package extract

import (
	"strconv"
	"strings"
)

// numLevel is one level of a list.
type numLevel struct {
	start   int    // 0 where the file does not say (17.9.25)
	format  string // names of ECMA-376 part 1, 17.18.59
	text    string // with %1 … %9 for the counters
	restart int    // level after which it starts anew; -1 the default, 0 never
	legal   bool   // all counters in decimal
}

// numList is an abstract list: levels and the counters that all lists made
// from it share.
type numList struct {
	levels [9]numLevel
	count  [9]int
	seen   [9]bool
	link   string // style that holds the real definition
}

// numInstance is a list in use, with what it overrides.
type numInstance struct {
	abstract string
	start    [9]int
	override [9]bool
	done     [9]bool
	levels   [9]*numLevel
}

// numbering computes the numbers that word processors show but do not store.
type numbering struct {
	lists  map[string]*numList
	nums   map[string]*numInstance
	styles map[string]numStyle
}

type numStyle struct {
	based, num, lvl string
	has             bool
}

func (n *numbering) restart() {
	for _, l := range n.lists {
		l.count, l.seen = [9]int{}, [9]bool{}
	}
	for _, i := range n.nums {
		i.done = [9]bool{}
	}
}

// resolve finds a paragraph's list and level, through its style if need be.
func (n *numbering) resolve(style, num, lvl string, has bool) (*numInstance, int) {
	for i := 0; i < 12 && style != "" && (!has || lvl == ""); i++ {
		st, ok := n.styles[style]
		if !ok {
			break
		}
		if !has && st.has {
			num, has = st.num, true
		}
		if lvl == "" {
			lvl = st.lvl
		}
		style = st.based
	}
	if !has || num == "0" || num == "" {
		return nil, 0
	}
	l, _ := strconv.Atoi(lvl)
	if l < 0 || l > 8 {
		return nil, 0
	}
	return n.nums[num], l
}

// next gives the number of the next paragraph in its list with a space after
// it; empty when the paragraph has none or only a bullet.
func (n *numbering) next(style, num, lvl string, has bool) string {
	inst, l := n.resolve(style, num, lvl, has)
	if inst == nil {
		return ""
	}
	list := n.lists[inst.abstract]
	for i := 0; list != nil && list.link != "" && i < 4; i++ {
		st, ok := n.styles[list.link]
		if !ok || n.nums[st.num] == nil {
			break
		}
		list = n.lists[n.nums[st.num].abstract]
	}
	if list == nil {
		return ""
	}
	return list.next(inst, l)
}

func (list *numList) level(inst *numInstance, i int) *numLevel {
	if inst.levels[i] != nil {
		return inst.levels[i]
	}
	return &list.levels[i]
}

func (list *numList) next(inst *numInstance, l int) string {
	lv := list.level(inst, l)
	switch {
	case inst.override[l] && !inst.done[l]:
		inst.done[l] = true
		list.count[l], list.seen[l] = inst.start[l], true
	case !list.seen[l]:
		list.count[l], list.seen[l] = lv.start, true
	default:
		list.count[l]++
	}
	for i := l + 1; i < 9; i++ {
		if r := list.level(inst, i).restart; r != 0 && (r < 0 || l < r) {
			list.seen[i] = false
		}
	}
	if lv.format == "bullet" || lv.format == "none" && lv.text == "" {
		return ""
	}
	var b strings.Builder
	for i := 0; i < len(lv.text); i++ {
		c := lv.text[i]
		if c == '%' && i+1 < len(lv.text) && lv.text[i+1] >= '1' && lv.text[i+1] <= '9' {
			k := int(lv.text[i+1] - '1')
			i++
			v := list.count[k]
			if !list.seen[k] {
				v = list.level(inst, k).start
				if inst.override[k] {
					v = inst.start[k]
				}
				list.count[k], list.seen[k] = v, true
			}
			f := list.level(inst, k).format
			if lv.legal {
				f = "decimal"
			}
			b.WriteString(formatNumber(v, f))
			continue
		}
		b.WriteByte(c)
	}
	if b.Len() == 0 {
		return ""
	}
	return b.String() + " "
}

func formatNumber(v int, format string) string {
	switch format {
	case "none", "bullet":
		return ""
	case "decimalZero":
		if v >= 0 && v < 10 {
			return "0" + strconv.Itoa(v)
		}
	case "lowerLetter", "upperLetter":
		if v >= 1 && v <= 26*32 {
			c := byte('a')
			if format == "upperLetter" {
				c = 'A'
			}
			return strings.Repeat(string(rune(c+byte((v-1)%26))), (v-1)/26+1)
		}
	case "lowerRoman":
		return strings.ToLower(roman(v))
	case "upperRoman":
		return roman(v)
	case "ordinal":
		s := "th"
		if v/10%10 != 1 {
			switch v % 10 {
			case 1:
				s = "st"
			case 2:
				s = "nd"
			case 3:
				s = "rd"
			}
		}
		return strconv.Itoa(v) + s
	}
	return strconv.Itoa(v)
}

func roman(v int) string {
	if v <= 0 || v > 3999 {
		return strconv.Itoa(v)
	}
	var b strings.Builder
	for _, r := range []struct {
		v int
		s string
	}{{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"}, {40, "XL"}, {10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"}} {
		for v >= r.v {
			b.WriteString(r.s)
			v -= r.v
		}
	}
	return b.String()
}

// readNumbering loads the lists of a document and the styles that use them.
func (x *ooxml) readNumbering() error {
	var parts [2][]byte
	for i, base := range []string{"numbering.xml", "styles.xml"} {
		for name := range x.d.byName {
			if strings.HasPrefix(name, "word/") && strings.HasSuffix(name, base) && strings.Count(name, "/") == 1 {
				b, err := x.load(name)
				if err != nil {
					return err
				}
				parts[i] = b
				break
			}
		}
	}
	x.numbering = parseNumbering(parts[0], parts[1])
	return nil
}

func parseNumbering(numXML, styleXML []byte) *numbering {
	const most = 20000
	n := &numbering{lists: map[string]*numList{}, nums: map[string]*numInstance{}, styles: map[string]numStyle{}}
	var (
		list *numList
		inst *numInstance
		lv   *numLevel
		over int
	)
	s := newXML(numXML)
	for s.next() {
		if s.kind == xmlEnd {
			switch s.name {
			case "abstractNum":
				list = nil
			case "num":
				inst = nil
			case "lvl":
				lv = nil
			}
			continue
		}
		if s.kind != xmlStart || len(n.lists)+len(n.nums) > most {
			continue
		}
		val := s.attr("val")
		num, _ := strconv.Atoi(val)
		switch s.name {
		case "abstractNum":
			list = &numList{}
			for i := range list.levels {
				list.levels[i] = numLevel{format: "decimal", restart: -1}
			}
			n.lists[s.attr("abstractNumId")] = list
		case "numStyleLink":
			if list != nil {
				list.link = val
			}
		case "num":
			inst = &numInstance{}
			n.nums[s.attr("numId")] = inst
		case "abstractNumId":
			if inst != nil {
				inst.abstract = val
			}
		case "lvlOverride":
			over, _ = strconv.Atoi(s.attr("ilvl"))
		case "startOverride":
			if inst != nil && over >= 0 && over < 9 {
				inst.start[over], inst.override[over] = num, true
			}
		case "lvl":
			i, _ := strconv.Atoi(s.attr("ilvl"))
			if i < 0 || i > 8 {
				continue
			}
			switch {
			case list != nil:
				lv = &list.levels[i]
			case inst != nil:
				lv = &numLevel{format: "decimal", restart: -1}
				inst.levels[i] = lv
			}
		case "start":
			if lv != nil {
				lv.start = num
			}
		case "numFmt":
			if lv != nil {
				lv.format = val
			}
		case "lvlText":
			if lv != nil && len(val) < 256 {
				lv.text = val
			}
		case "lvlRestart":
			if lv != nil {
				lv.restart = num
			}
		case "isLgl":
			if lv != nil {
				v, ok := s.attrOK("val")
				lv.legal = on(v, ok)
			}
		}
	}
	n.readStyles(styleXML, most)
	return n
}

func (n *numbering) readStyles(b []byte, most int) {
	s := newXML(b)
	id := ""
	for s.next() {
		if s.kind != xmlStart {
			if s.kind == xmlEnd && s.name == "style" {
				id = ""
			}
			continue
		}
		if s.name == "style" {
			id = s.attr("styleId")
			continue
		}
		if id == "" || len(n.styles) > most {
			continue
		}
		st := n.styles[id]
		switch s.name {
		case "basedOn":
			st.based = s.attr("val")
		case "numId":
			st.num, st.has = s.attr("val"), true
		case "ilvl":
			st.lvl = s.attr("val")
		default:
			continue
		}
		n.styles[id] = st
	}
}
