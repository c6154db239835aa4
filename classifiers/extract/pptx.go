package extract

// slide reads a slide, notes page, layout or master (ECMA-376 part 1, 19). Of
// masters and layouts the prompts in empty placeholders ("Click to edit …") are
// left out; a hidden slide's text is Hidden.
func (x *ooxml) slide(sub string, kind Kind, b []byte, master bool) error {
	s := newXML(b)
	var t *writer
	var shape []byte // text of the shape being read, in masters
	var drop bool
	in, depth := false, 0
	for s.next() {
		if err := x.w.tick(); err != nil {
			return err
		}
		if t == nil {
			if s.kind != xmlStart {
				continue
			}
			if v, ok := s.attrOK("show"); ok && !on(v, true) {
				kind = Hidden
			}
			t = x.w.open(x.o, sub, kind)
		}
		switch s.kind {
		case xmlStart:
			switch s.name {
			case "sp":
				depth++
				drop, shape = false, shape[:0]
			case "ph":
				switch s.attr("type") {
				case "ftr", "dt", "sldNum", "hdr":
				default:
					drop = master
				}
			case "t":
				in = !s.self
			case "br":
				shape = append(shape, '\n')
			case "cNvPr":
				if v := s.attr("descr"); v != "" {
					t.sep('\n')
					t.str(v)
					t.sep('\n')
				}
			}
		case xmlEnd:
			switch s.name {
			case "t":
				in = false
			case "p":
				shape = append(shape, '\n')
			case "tc":
				if n := len(shape); n > 0 && shape[n-1] == '\n' {
					shape[n-1] = '\t'
				}
			case "tr":
				shape = append(shape, '\n')
			}
			if s.name == "sp" || s.name == "graphicFrame" || s.name == "cxnSp" || depth == 0 && s.name == "p" {
				if s.name == "sp" && depth > 0 {
					depth--
				}
				if !drop {
					t.sep('\n')
					t.write(shape)
				}
				drop, shape = false, shape[:0]
			}
		case xmlText:
			if in {
				shape = append(shape, s.text()...)
			}
		}
	}
	if t == nil {
		return nil
	}
	t.write(shape)
	return t.close()
}
