package extract

import (
	"path"
	"strconv"
	"strings"
)

// cellRow collects one row: cells are written with a tab between them, hidden
// rows and columns to a text of their own.
type sheetWriter struct {
	text, hidden *writer
	header, foot *writer
	hiddenCols   [][2]int
	rowHidden    bool
}

func (x *ooxml) sheetWriter(info sheetInfo) *sheetWriter {
	kind := Text
	if info.hidden {
		kind = Hidden
	}
	return &sheetWriter{text: x.w.open(x.o, info.name, kind), hidden: x.w.open(x.o, info.name, Hidden),
		header: x.w.open(x.o, info.name, Header), foot: x.w.open(x.o, info.name, Footer)}
}

func (sw *sheetWriter) cell(col int, text []byte) {
	if len(text) == 0 {
		return
	}
	t := sw.text
	if sw.rowHidden {
		t = sw.hidden
	} else {
		for _, h := range sw.hiddenCols {
			if col >= h[0] && col <= h[1] {
				t = sw.hidden
			}
		}
	}
	t.write(text)
	t.sep('\t')
}

func (sw *sheetWriter) endRow() {
	sw.text.sep('\n')
	sw.hidden.sep('\n')
}

func (sw *sheetWriter) close() error {
	for _, t := range []*writer{sw.header, sw.text, sw.hidden, sw.foot} {
		if err := t.close(); err != nil {
			return err
		}
	}
	return nil
}

// sheet reads one worksheet part.
func (x *ooxml) sheet(name string, b []byte) error {
	if x.book == nil {
		x.book = &workbook{sheets: map[string]sheetInfo{}}
	}
	info, ok := x.book.sheets[name]
	if !ok {
		info.name = strings.TrimSuffix(path.Base(name), path.Ext(name))
	}
	sw := x.sheetWriter(info)
	s := newXML(b)
	var (
		typ       string
		style     int
		col       int
		val       []byte
		in, inHdr bool
		hdr       *writer
		formula   bool
		ftext     []byte
	)
	for s.next() {
		if err := x.w.tick(); err != nil {
			return err
		}
		switch s.kind {
		case xmlStart:
			switch s.name {
			case "col":
				if v, ok := s.attrOK("hidden"); ok && on(v, true) && len(sw.hiddenCols) < 1000 {
					lo, _ := strconv.Atoi(s.attr("min"))
					hi, _ := strconv.Atoi(s.attr("max"))
					sw.hiddenCols = append(sw.hiddenCols, [2]int{lo, hi})
				}
			case "row":
				v, ok := s.attrOK("hidden")
				sw.rowHidden = ok && on(v, true)
				col = 0
			case "c":
				typ, val, ftext = s.attr("t"), val[:0], ftext[:0]
				style = -1
				if v, ok := s.attrOK("s"); ok {
					style, _ = strconv.Atoi(v)
				}
				if c := columnOf(s.attr("r")); c > 0 {
					col = c
				} else {
					col++
				}
			case "v", "t":
				in = !s.self
			case "f":
				formula = !s.self
			case "rPh":
				val = append(val, ' ')
			case "oddHeader", "evenHeader", "firstHeader":
				hdr, inHdr, val = sw.header, !s.self, val[:0]
			case "oddFooter", "evenFooter", "firstFooter":
				hdr, inHdr, val = sw.foot, !s.self, val[:0]
			case "hyperlink":
				if v := s.attr("display"); v != "" {
					sw.hidden.str(v + "\n")
				}
			case "dataValidation":
				for _, a := range []string{"promptTitle", "prompt", "errorTitle", "error"} {
					if v := s.attr(a); v != "" {
						sw.hidden.str(v + "\n")
					}
				}
			}
		case xmlEnd:
			switch s.name {
			case "v", "t":
				in = false
			case "f":
				formula = false
			case "c":
				sw.cell(col, x.book.value(typ, style, val))
				if strings.IndexByte(string(ftext), '"') >= 0 {
					// A formula may hold text that its value does not show.
					sw.hidden.write(ftext)
					sw.hidden.sep('\n')
				}
			case "row":
				sw.endRow()
			case "oddHeader", "evenHeader", "firstHeader", "oddFooter", "evenFooter", "firstFooter":
				inHdr = false
				if hdr != nil {
					hdr.str(headerCodes(string(val)))
					hdr.sep('\n')
				}
			}
		case xmlText:
			switch {
			case in || inHdr:
				val = append(val, s.text()...)
			case formula:
				ftext = append(ftext, s.text()...)
			}
		}
	}
	return sw.close()
}

// value gives a cell's text by its type (ECMA-376 part 1, 18.18.11).
func (b *workbook) value(typ string, style int, v []byte) []byte {
	switch typ {
	case "s":
		i, err := strconv.Atoi(strings.TrimSpace(string(v)))
		if err != nil {
			return nil
		}
		return b.shared(i)
	case "inlineStr", "str", "e", "d":
		return v
	case "b":
		if string(v) == "1" {
			return []byte("TRUE")
		}
		return []byte("FALSE")
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(string(v)), 64)
	if err != nil {
		return v
	}
	return []byte(b.number(f, style))
}

// columnOf gives the column number of a reference such as AB12; 0 when it has
// none.
func columnOf(ref string) int {
	n := 0
	for i := 0; i < len(ref) && i < 4; i++ {
		c := ref[i]
		if c < 'A' || c > 'Z' {
			break
		}
		n = n*26 + int(c-'A') + 1
	}
	return n
}
