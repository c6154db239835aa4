package extract

import (
	"math"
	"path"
	"strconv"
	"strings"
	"time"
)

// workbook is what the sheets of one spreadsheet share.
type workbook struct {
	text   []byte   // shared strings, one after another
	ends   []uint32 // where each ends
	used   []bool
	sheets map[string]sheetInfo // by part name
	dates  []bool               // by style: shows a date
	d1904  bool
}

type sheetInfo struct {
	name   string
	hidden bool
}

const maxShared = 4 << 20 // shared strings of one workbook

func (b *workbook) add(s []byte) {
	if len(b.ends) >= maxShared || len(b.text)+len(s) > math.MaxUint32 {
		return
	}
	b.text = append(b.text, s...)
	b.ends = append(b.ends, uint32(len(b.text)))
}

func (b *workbook) shared(i int) []byte {
	if i < 0 || i >= len(b.ends) {
		return nil
	}
	if len(b.used) < len(b.ends) {
		b.used = append(b.used, make([]bool, len(b.ends)-len(b.used))...)
	}
	b.used[i] = true
	from := uint32(0)
	if i > 0 {
		from = b.ends[i-1]
	}
	return b.text[from:b.ends[i]]
}

// unused gives the shared strings that no cell shows: remnants of what was
// deleted are still in the file.
func (b *workbook) unused(x *ooxml) error {
	t := x.w.open(x.o, "sharedStrings", Hidden)
	for i := range b.ends {
		if i >= len(b.used) || !b.used[i] {
			t.write(b.shared(i))
			t.str("\n")
		}
	}
	return t.close()
}

// readWorkbook loads shared strings, styles and the names of the sheets before
// the sheets are read.
func (x *ooxml) readWorkbook() error {
	x.book = &workbook{sheets: map[string]sheetInfo{}}
	if x.d.byName["xl/workbook.bin"] != nil {
		return x.readBinaryWorkbook()
	}
	dir, main := "xl/", "xl/workbook.xml"
	if x.d.byName[main] == nil {
		for name := range x.d.byName {
			if path.Base(name) == "workbook.xml" {
				main, dir = name, path.Dir(name)+"/"
			}
		}
	}
	rels, err := x.targets(dir, path.Base(main))
	if err != nil {
		return err
	}
	b, err := x.load(main)
	if err != nil {
		return err
	}
	x.parseWorkbook(b, rels)
	for _, name := range []string{"sharedStrings.xml", "SharedStrings.xml"} {
		if b, err = x.load(dir + name); err != nil {
			return err
		}
		if b != nil {
			if err := x.parseShared(b); err != nil {
				return err
			}
			break
		}
	}
	if b, err = x.load(dir + "styles.xml"); err != nil {
		return err
	}
	x.parseStyles(b)
	return nil
}

// targets gives a part's relationships by id, as part names.
func (x *ooxml) targets(dir, base string) (map[string]string, error) {
	b, err := x.load(dir + "_rels/" + base + ".rels")
	if err != nil {
		return nil, err
	}
	m := map[string]string{}
	s := newXML(b)
	for s.next() && len(m) < 20000 {
		if s.kind == xmlStart && s.name == "Relationship" {
			t := s.attr("Target")
			if strings.HasPrefix(t, "/") {
				t = strings.TrimPrefix(path.Clean(t), "/")
			} else {
				t = path.Join(dir, t)
			}
			m[s.attr("Id")] = t
		}
	}
	return m, nil
}

func (x *ooxml) parseWorkbook(b []byte, rels map[string]string) {
	names := x.w.open(x.o, "workbook", Metadata)
	s := newXML(b)
	in := false
	for s.next() {
		switch s.kind {
		case xmlStart:
			switch s.name {
			case "workbookPr":
				v, ok := s.attrOK("date1904")
				x.book.d1904 = ok && on(v, true)
			case "sheet":
				info := sheetInfo{name: s.attr("name"), hidden: strings.Contains(strings.ToLower(s.attr("state")), "hidden")}
				names.str(info.name + "\n")
				x.book.sheets[rels[s.attr("id")]] = info
			case "definedName":
				names.str(s.attr("name") + " ")
				in = !s.self
			}
		case xmlText:
			if in {
				names.write(s.text())
			}
		case xmlEnd:
			if s.name == "definedName" {
				in = false
				names.sep('\n')
			}
		}
	}
	_ = names.close()
}

// parseShared reads the shared strings; what is read aloud (phonetic runs)
// follows its base after a space.
func (x *ooxml) parseShared(b []byte) error {
	s := newXML(b)
	var cur []byte
	in := false
	for s.next() {
		if err := x.w.tick(); err != nil {
			return err
		}
		switch s.kind {
		case xmlStart:
			switch s.name {
			case "si":
				cur = cur[:0]
				if s.self {
					x.book.add(nil)
				}
			case "t":
				in = !s.self
			case "rPh":
				cur = append(cur, ' ')
			}
		case xmlEnd:
			switch s.name {
			case "t":
				in = false
			case "si":
				x.book.add(cur)
			}
		case xmlText:
			if in {
				cur = append(cur, s.text()...)
			}
		}
	}
	return nil
}

// parseStyles finds the cell styles that show dates.
func (x *ooxml) parseStyles(b []byte) {
	custom := map[int]bool{}
	s := newXML(b)
	in := false
	for s.next() {
		switch {
		case s.kind == xmlStart && s.name == "numFmt":
			id, _ := strconv.Atoi(s.attr("numFmtId"))
			if len(custom) < 10000 {
				custom[id] = dateFormat(s.attr("formatCode"))
			}
		case s.name == "cellXfs":
			in = s.kind == xmlStart
		case s.kind == xmlStart && in && s.name == "xf":
			id, _ := strconv.Atoi(s.attr("numFmtId"))
			is, ok := custom[id]
			x.book.dates = append(x.book.dates, ok && is || !ok && builtinDate(id))
		}
	}
}

// builtinDate tells the date formats among the built-in ones (ECMA-376 part 1,
// 18.8.30; 27 to 36 and 50 to 58 belong to East Asian versions).
func builtinDate(id int) bool {
	return id >= 14 && id <= 17 || id == 22 || id >= 27 && id <= 36 || id >= 50 && id <= 58
}

// dateFormat tells whether a format shows years or days; times of day alone
// stay numbers.
func dateFormat(f string) bool {
	quote, bracket := false, false
	for i := 0; i < len(f); i++ {
		switch c := f[i]; {
		case quote:
			quote = c != '"'
		case bracket:
			bracket = c != ']'
		case c == '"':
			quote = true
		case c == '[':
			bracket = true
		case c == '\\' || c == '_' || c == '*':
			i++
		case c == ';':
			return false
		case c == 'y' || c == 'Y' || c == 'd' || c == 'D':
			return true
		}
	}
	return false
}

// excelDate turns a serial day into an ISO date; with a time when it has one.
func excelDate(v float64, d1904 bool) string {
	if v < 0 || v > 2958466 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	base := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	if d1904 {
		base = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	} else if v < 60 {
		base = base.AddDate(0, 0, 1) // the day that 1900 did not have
	}
	days := math.Floor(v)
	t := base.AddDate(0, 0, int(days)).Add(time.Duration(math.Round((v-days)*86400)) * time.Second)
	if t.Hour() == 0 && t.Minute() == 0 && t.Second() == 0 {
		return t.Format("2006-01-02")
	}
	return t.Format("2006-01-02 15:04:05")
}

// number writes a value as it is read: whole numbers whole, never in powers of
// ten, dates as dates.
func (b *workbook) number(v float64, style int) string {
	if style >= 0 && style < len(b.dates) && b.dates[style] {
		return excelDate(v, b.d1904)
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	if a := math.Abs(v); a != 0 && (a > 1e21 || a < 1e-9) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if len(s) > 17 && strings.Contains(s, ".") {
		// Office shows 15 digits; what is beyond is the binary's rounding.
		s = strconv.FormatFloat(v, 'g', 15, 64)
	}
	return s
}

// headerCodes strips the layout codes of page headers (&L, &P, &"font", &12).
func headerCodes(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '&' || i+1 >= len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch c := s[i]; {
		case c == '&':
			b.WriteByte('&')
		case c == '"':
			if j := strings.IndexByte(s[i+1:], '"'); j >= 0 {
				i += j + 1
			}
		case c == 'L' || c == 'C' || c == 'R':
			if b.Len() > 0 {
				b.WriteByte('\n')
			}
		case c >= '0' && c <= '9':
			for i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9' {
				i++
			}
		case c == 'K':
			i = min(i+6, len(s)-1)
		}
	}
	return b.String()
}
