package extract

// words reads a WordprocessingML story (ECMA-376 part 1, 17): paragraphs with
// the numbers of their lists, tables with tabs between cells, field codes,
// deleted text, and hidden text apart.
func (x *ooxml) words(sub string, kind Kind, b []byte) error {
	return x.w.wordStory(x.o, sub, kind, newXML(b), x.numbering)
}

// wordML reads a whole document in the single-file form ("Flat OPC" and the
// 2003 and 2006 XML formats).
func (w *walker) wordML(o *object, b []byte) error {
	return w.wordStory(o, "", Text, newXML(b), nil)
}

// paragraph is what is known of the paragraph being read.
type paragraph struct {
	style     string
	num, lvl  string
	hasNum    bool
	numbered  bool // its number was written, or there is none
	inProps   bool
	inRunProp bool
}

func (w *walker) wordStory(o *object, sub string, kind Kind, s *xmlScanner, nums *numbering) error {
	t, hidden := w.open(o, sub, kind), w.open(o, sub, Hidden)
	var (
		p        paragraph
		out      = t
		inText   bool
		fallback int
		ruby     []byte // text above the line, held back until its base was written
		inRT     bool
		vanish   bool
	)
	if nums != nil {
		nums.restart()
	}
	number := func() {
		if p.numbered {
			return
		}
		p.numbered = true
		if nums != nil {
			if n := nums.next(p.style, p.num, p.lvl, p.hasNum); n != "" {
				t.str(n)
			}
		}
	}
	for s.next() {
		if err := w.tick(); err != nil {
			return err
		}
		if fallback > 0 {
			if s.name == "Fallback" {
				switch {
				case s.kind == xmlStart && !s.self:
					fallback++
				case s.kind == xmlEnd:
					fallback--
				}
			}
			continue
		}
		switch s.kind {
		case xmlStart:
			switch s.name {
			case "Fallback":
				fallback += b2i(!s.self)
			case "p":
				if n := len(t.buf); n == 0 || t.buf[n-1] != '\t' {
					t.sep('\n') // else the first in its cell
				}
				p = paragraph{}
			case "pPr":
				p.inProps = !s.self
			case "rPr":
				p.inRunProp = !s.self
			case "pStyle":
				p.style = s.attr("val")
			case "numId":
				if p.inProps {
					p.num, p.hasNum = s.attr("val"), true
				}
			case "ilvl":
				if p.inProps {
					p.lvl = s.attr("val")
				}
			case "r":
				vanish = false
			case "vanish", "specVanish", "webHidden":
				if p.inRunProp && !p.inProps && s.name != "webHidden" {
					v, ok := s.attrOK("val")
					vanish = on(v, ok)
				}
			case "t", "delText", "instrText", "delInstrText":
				inText = !s.self
				number()
				out = t
				if vanish {
					out = hidden
				}
				if s.name == "instrText" || s.name == "delInstrText" {
					t.sep(' ')
				}
			case "tab":
				if !p.inProps {
					t.str("\t")
				}
			case "br", "cr":
				t.sep('\n')
			case "noBreakHyphen":
				t.str("-")
			case "rt":
				inRT, ruby = !s.self, ruby[:0]
			case "footnoteReference", "endnoteReference", "commentReference":
			case "docPr", "cNvPr":
				for _, a := range []string{"descr", "title"} {
					if v := s.attr(a); v != "" {
						hidden.str(v)
						hidden.sep('\n')
					}
				}
			case "comment":
				if v := s.attr("author"); v != "" {
					t.sep('\n')
					t.str(v)
					t.sep('\n')
				}
			case "fldSimple":
				t.sep(' ')
				t.str(s.attr("instr"))
				t.sep(' ')
			case "chart", "relIds", "binData":
			case "textpath":
				t.str(s.attr("string"))
				t.sep('\n')
			case "listItem":
				t.str(s.attr("displayText"))
				t.sep(' ')
			}
		case xmlEnd:
			switch s.name {
			case "pPr":
				p.inProps = false
			case "rPr":
				p.inRunProp = false
			case "p":
				number()
				t.sep('\n')
				hidden.sep('\n')
				// What follows a text box inside a paragraph belongs to the outer one.
				p.numbered = true
			case "t", "delText":
				inText = false
			case "instrText", "delInstrText":
				inText = false
				t.sep(' ')
			case "tc":
				if n := len(t.buf); n > 0 && t.buf[n-1] == '\n' {
					t.buf[n-1] = '\t'
				} else {
					t.str("\t")
				}
			case "tr":
				t.sep('\n')
			case "rt":
				inRT = false
			case "ruby":
				if len(ruby) > 0 {
					t.str(" (")
					t.write(ruby)
					t.str(")")
					ruby = ruby[:0]
				}
			}
		case xmlText:
			if !inText {
				continue
			}
			if inRT {
				ruby = append(ruby, s.text()...)
				continue
			}
			out.write(s.text())
		}
	}
	if err := t.close(); err != nil {
		return err
	}
	return hidden.close()
}
