package extract

import (
	"archive/zip"
	"path"
	"strconv"
	"strings"
)

// isOOXML reports whether the package follows the Open Packaging Conventions
// (ECMA-376 part 2) with a main part that ooxml reads.
func isOOXML(d *zipDir) bool {
	if d.byName["[Content_Types].xml"] == nil && d.byName["word/document.xml"] == nil && d.byName["xl/workbook.xml"] == nil {
		return false
	}
	return true
}

// ooxml reads an Office package part by part. Parts are told by their root
// element and not by their relationships, so that nothing hides in a part that
// no relationship leads to.
type ooxml struct {
	w *walker
	o *object
	d *zipDir

	numbering *numbering // lists of a word processing document
	book      *workbook  // of a spreadsheet
}

func (w *walker) ooxml(o *object, d *zipDir) error {
	x := &ooxml{w: w, o: o, d: d}
	switch {
	case strings.Contains(o.typ, "word"):
		if err := x.readNumbering(); err != nil {
			return err
		}
	case strings.Contains(o.typ, "excel") || strings.Contains(o.typ, "spreadsheet") || d.byName["xl/workbook.bin"] != nil:
		if err := x.readWorkbook(); err != nil {
			return err
		}
	}
	if err := w.zipEntries(o, d, x.part); err != nil {
		return err
	}
	if x.book != nil {
		return x.book.unused(x)
	}
	return nil
}

// load reads a part by name; nil when there is none.
func (x *ooxml) load(name string) ([]byte, error) {
	f := x.d.byName[name]
	if f == nil {
		return nil, nil
	}
	b, err := x.w.zipEntry(f)
	if err != nil {
		if err := x.w.settle(x.o.childPath(name), err); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// part reads one part; done is false when it should be read as a nested object.
func (x *ooxml) part(f *zip.File) (done bool, err error) {
	w := x.w
	name := strings.TrimPrefix(strings.ReplaceAll(f.Name, "\\", "/"), "/")
	ext := strings.ToLower(path.Ext(name))
	switch {
	case ext == ".rels", ext == ".xml", ext == ".vml", ext == ".fpage", ext == ".fdoc", ext == ".fdseq", ext == ".struct", ext == ".frag", ext == ".model":
	case strings.HasPrefix(name, "xl/") && ext == ".bin" && x.book != nil:
		if strings.Contains(name, "printerSettings") {
			return true, nil
		}
		if !strings.Contains(name, "embeddings/") && !strings.Contains(name, "vbaProject") && !strings.Contains(name, "activeX") {
			b, err := w.zipEntry(f)
			if err != nil {
				return true, err
			}
			w.res.Objects++
			return true, w.guard(func() error { return x.binaryPart(name, b) })
		}
		return false, nil
	case strings.Contains(name, "printerSettings"), ext == ".odttf", ext == ".fntdata":
		return true, nil
	default:
		return false, nil
	}
	b, err := w.zipEntry(f)
	w.res.Objects++
	if w.res.Objects > w.lim.MaxEntries {
		w.unscannable(x.o.path, Entries)
		return true, errEntries
	}
	if e := w.guard(func() error { return x.xmlPart(name, b) }); e != nil && err == nil || e != nil && w.fatal(e) {
		return true, e
	}
	return true, err
}

// xmlPart reads one XML part by its root element.
func (x *ooxml) xmlPart(name string, b []byte) error {
	sub := strings.TrimSuffix(path.Base(name), path.Ext(name))
	switch root := xmlRoot(b); root {
	case "document":
		return x.words("", Text, b)
	case "hdr":
		return x.words(sub, Header, b)
	case "ftr":
		return x.words(sub, Footer, b)
	case "footnotes", "endnotes", "glossaryDocument":
		return x.words(sub, Text, b)
	case "comments":
		if x.book != nil {
			return x.richText(sub, Comment, b)
		}
		return x.words(sub, Comment, b)
	case "worksheet", "dialogsheet", "chartsheet", "macrosheet":
		return x.sheet(name, b)
	case "sst":
		return nil // with the cells that use them
	case "workbook":
		return nil // read first
	case "sld":
		return x.slide(sub, Text, b, false)
	case "notes":
		return x.slide(sub, Comment, b, false)
	case "sldMaster", "sldLayout", "handoutMaster", "notesMaster":
		return x.slide(sub, Text, b, true)
	case "cmLst", "ThreadedComments", "threadedComments", "cmAuthorLst", "personList", "authorLst":
		return x.w.xmlText(x.o, sub, Comment, b)
	case "chartSpace":
		return x.chart(sub, b)
	case "dataModel", "wsDr", "drawing", "userShapes", "txbx":
		return x.richText(sub, Text, b)
	case "Properties", "coreProperties", "labelList":
		return x.properties(name, b)
	case "Relationships":
		return x.relationships(b)
	case "pivotCacheDefinition", "pivotCacheRecords":
		return x.cached(sub, b)
	case "externalLink":
		return x.w.xmlText(x.o, sub, Hidden, b)
	case "connections", "queryTable", "MapInfo", "customWorkbookViews", "people":
		return x.w.xmlText(x.o, sub, Metadata, b)
	case "VisioDocument", "PageContents", "MasterContents", "Pages", "Masters":
		return x.visio(sub, b)
	case "FixedPage":
		return x.fixedPage(sub, b)
	case "settings":
		return x.settings(b)
	case "styles", "styleSheet", "theme", "fonts", "webSettings", "numbering", "presentationPr", "viewPr", "tblStyleLst", "calcChain",
		"Types", "stylesWithEffects", "presentation", "colorsDef", "styleDef", "layoutDef", "table", "tagLst", "themeOverride",
		"FixedDocument", "FixedDocumentSequence", "StoryFragments", "DocumentStructure", "chartStyle", "colorStyle", "themeManager",
		"volTypes", "metadata", "pivotTableDefinition", "slicerCacheDefinition", "slicers", "revisions", "headers", "users":
		if root == "table" || root == "tagLst" || root == "revisions" || root == "headers" || root == "users" {
			return x.w.xmlText(x.o, sub, Metadata, b)
		}
		return nil
	case "xml", "wpc", "drawingPart":
		return x.characters(sub, Text, b)
	case "model":
		return x.w.xmlText(x.o, sub, Text, b)
	default:
		return x.w.xmlText(x.o, sub, Metadata, b)
	}
}

// characters gives only the character data: what drawings in VML say.
func (x *ooxml) characters(sub string, kind Kind, b []byte) error {
	t := x.w.open(x.o, sub, kind)
	s := newXML(b)
	skip := 0
	for s.next() {
		if err := x.w.tick(); err != nil {
			return err
		}
		switch s.kind {
		case xmlStart:
			if s.name == "ClientData" && !s.self {
				skip++
			}
		case xmlEnd:
			if s.name == "ClientData" && skip > 0 {
				skip--
			}
			t.sep('\n')
		case xmlText:
			if skip == 0 {
				writeFlow(t, s.text())
			}
		}
	}
	return t.close()
}

// richText gives the paragraphs of DrawingML (a:p, a:r, a:t) and of comments
// in spreadsheets, which have the same shape.
func (x *ooxml) richText(sub string, kind Kind, b []byte) error {
	t := x.w.open(x.o, sub, kind)
	s := newXML(b)
	inText := false
	for s.next() {
		if err := x.w.tick(); err != nil {
			return err
		}
		switch s.kind {
		case xmlStart:
			switch s.name {
			case "t", "author":
				inText = !s.self
			case "br":
				t.sep('\n')
			case "tab":
				t.sep('\t')
			case "cNvPr":
				if v := s.attr("descr"); v != "" {
					t.str(v)
					t.sep('\n')
				}
			}
		case xmlEnd:
			switch s.name {
			case "t", "author":
				inText = false
				if s.name == "author" {
					t.sep('\n')
				}
			case "p", "comment", "si":
				t.sep('\n')
			}
		case xmlText:
			if inText {
				t.write(s.text())
			}
		}
	}
	return t.close()
}

// chart gives a chart's titles and cached values, series by series.
func (x *ooxml) chart(sub string, b []byte) error {
	t := x.w.open(x.o, sub, Text)
	s := newXML(b)
	in := false
	for s.next() {
		if err := x.w.tick(); err != nil {
			return err
		}
		switch s.kind {
		case xmlStart:
			in = (s.name == "v" || s.name == "t" || s.name == "f") && !s.self
			if s.name == "f" {
				in = false
			}
		case xmlEnd:
			switch s.name {
			case "v":
				t.sep('\t')
			case "p", "tx", "cat", "val", "ser", "strRef", "numRef":
				t.sep('\n')
			}
			in = false
		case xmlText:
			if in {
				t.write(s.text())
			}
		}
	}
	return t.close()
}

// properties reads docProps and label parts into name=value lines. A Microsoft
// label in LabelInfo.xml ([MS-OFFCRYPTO] 2.6.3) becomes the lines that the older
// form has in custom.xml, so that one detector knows both.
func (x *ooxml) properties(name string, b []byte) error {
	t := x.w.open(x.o, strings.TrimSuffix(path.Base(name), path.Ext(name)), Properties)
	s := newXML(b)
	key, depth := "", 0
	var val []byte
	for s.next() {
		if err := x.w.tick(); err != nil {
			return err
		}
		switch s.kind {
		case xmlStart:
			switch {
			case s.name == "label":
				id := strings.Trim(s.attr("id"), "{}")
				for _, a := range []string{"enabled", "method", "siteId", "contentBits", "removed", "setDate", "name"} {
					if v := s.attr(a); v != "" {
						t.kv("MSIP_Label_"+id+"_"+strings.ToUpper(a[:1])+a[1:], strings.Trim(v, "{}"))
					}
				}
				continue
			case s.name == "property":
				key = s.attr("name")
				val = val[:0]
			case depth == 1:
				key, val = s.name, val[:0]
			}
			if !s.self {
				depth++
			}
		case xmlEnd:
			depth--
			if depth == 1 {
				t.kv(key, string(val))
				val = val[:0]
			} else if len(val) > 0 && val[len(val)-1] != ' ' {
				val = append(val, ' ')
			}
		case xmlText:
			if len(val) < 1<<20 {
				val = append(val, s.text()...)
			}
		}
	}
	return t.close()
}

// relationships gives the targets that lie outside the package.
func (x *ooxml) relationships(b []byte) error {
	t := x.w.open(x.o, "links", Metadata)
	s := newXML(b)
	for s.next() {
		if s.kind == xmlStart && s.name == "Relationship" && s.attr("TargetMode") == "External" {
			t.str(s.attr("Target"))
			t.str("\n")
		}
	}
	return t.close()
}

// cached gives the values that a pivot table keeps even after its source rows
// are gone, in the columns of its source.
func (x *ooxml) cached(sub string, b []byte) error {
	t := x.w.open(x.o, sub, Hidden)
	s := newXML(b)
	for s.next() {
		if err := x.w.tick(); err != nil {
			return err
		}
		switch {
		case s.kind == xmlStart && s.name == "cacheField":
			t.sep('\n')
			t.str(s.attr("name"))
			t.sep('\n')
		case s.kind == xmlStart && (s.name == "s" || s.name == "n" || s.name == "d"):
			t.str(s.attr("v"))
			t.sep('\t')
		case s.kind == xmlEnd && s.name == "r":
			t.sep('\n')
		}
	}
	return t.close()
}

// settings gives the variables a word processing document keeps.
func (x *ooxml) settings(b []byte) error {
	t := x.w.open(x.o, "settings", Properties)
	s := newXML(b)
	for s.next() {
		if s.kind == xmlStart && s.name == "docVar" {
			t.kv(s.attr("name"), s.attr("val"))
		}
	}
	return t.close()
}

// visio gives the text of shapes and the values users entered for them.
func (x *ooxml) visio(sub string, b []byte) error {
	t := x.w.open(x.o, sub, Text)
	s := newXML(b)
	in := 0
	for s.next() {
		if err := x.w.tick(); err != nil {
			return err
		}
		switch s.kind {
		case xmlStart:
			switch s.name {
			case "Text":
				in += b2i(!s.self)
			case "Page", "Master":
				t.str(s.attr("Name"))
				t.sep('\n')
			case "Cell":
				if n := s.attr("N"); (n == "Value" || n == "Label" || n == "Comment") && s.attr("V") != "" {
					t.str(s.attr("V"))
					t.sep('\n')
				}
			}
		case xmlEnd:
			if s.name == "Text" && in > 0 {
				in--
				t.sep('\n')
			}
		case xmlText:
			if in > 0 {
				t.write(s.text())
			}
		}
	}
	return t.close()
}

// fixedPage gives the text of an XPS page (ECMA-388), glyph run by glyph run.
// Runs on the same baseline belong to one line.
func (x *ooxml) fixedPage(sub string, b []byte) error {
	t := x.w.open(x.o, sub, Text)
	s := newXML(b)
	last, end := "", 0.0
	for s.next() {
		if err := x.w.tick(); err != nil {
			return err
		}
		if s.kind != xmlStart || s.name != "Glyphs" {
			continue
		}
		if y := s.attr("OriginY"); y != last {
			t.sep('\n')
			last = y
		}
		v := strings.TrimPrefix(s.attr("UnicodeString"), "{}")
		// A gap wider than the run can be: the next word or column. Half an em
		// is what letters take at the least on the average.
		x, _ := strconv.ParseFloat(s.attr("OriginX"), 64)
		em, _ := strconv.ParseFloat(s.attr("FontRenderingEmSize"), 64)
		if x > end+em {
			t.sep(' ')
		}
		t.str(v)
		end = x + float64(len(v))*em/2
	}
	return t.close()
}
