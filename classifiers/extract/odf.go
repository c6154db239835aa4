package extract

import (
	"archive/zip"
	"bytes"
	"errors"
	"path"
	"strconv"
	"strings"
)

func isODF(d *zipDir, typ string) bool {
	return strings.Contains(typ, "opendocument") || strings.Contains(typ, "vnd.sun.xml") ||
		d.byName["content.xml"] != nil && d.byName["META-INF/manifest.xml"] != nil
}

// odf reads an OpenDocument package (ISO/IEC 26300): content, headers and
// footers of the master pages, metadata, macros and embedded objects.
func (w *walker) odf(o *object, d *zipDir) error {
	if m := d.byName["META-INF/manifest.xml"]; m != nil {
		b, err := w.zipEntry(m)
		if err != nil && !errors.Is(err, errDamaged) {
			return err
		}
		if bytes.Contains(b, []byte("encryption-data")) {
			w.unscannable(o.path, Encrypted)
			// The names of entries are still plain.
			return w.zipEntries(o, d, func(f *zip.File) (bool, error) { return f.Name != "meta.xml", nil })
		}
	}
	return w.zipEntries(o, d, func(f *zip.File) (bool, error) { return w.odfPart(o, f) })
}

func (w *walker) odfPart(o *object, f *zip.File) (bool, error) {
	base := path.Base(f.Name)
	sub := path.Dir(f.Name)
	if sub == "." {
		sub = ""
	}
	switch {
	case base == "content.xml", base == "styles.xml", base == "meta.xml":
	case f.Name == "mimetype", f.Name == "settings.xml", f.Name == "META-INF/manifest.xml", f.Name == "manifest.rdf", base == "current.xml",
		strings.HasPrefix(f.Name, "Configurations2/"), base == "dialog-lc.xml", base == "script-lc.xml":
		return true, nil
	case strings.HasPrefix(f.Name, "Basic/") && path.Ext(f.Name) == ".xml":
	default:
		return false, nil
	}
	b, err := w.zipEntry(f)
	w.res.Objects++
	if err != nil && len(b) == 0 {
		return true, err
	}
	e := w.guard(func() error {
		switch {
		case base == "meta.xml":
			return w.odfMeta(o, path.Join(sub, "meta"), b)
		case strings.HasPrefix(f.Name, "Basic/"):
			return w.odfMacro(o, strings.TrimSuffix(f.Name, ".xml"), b)
		}
		return w.odfBody(o, sub, b, base == "styles.xml")
	})
	if e != nil {
		return true, e
	}
	return true, err
}

// odfMeta gives the properties, user defined ones under their own names.
func (w *walker) odfMeta(o *object, sub string, b []byte) error {
	t := w.open(o, sub, Properties)
	s := newXML(b)
	key := ""
	var val []byte
	for s.next() {
		if err := w.tick(); err != nil {
			return err
		}
		switch s.kind {
		case xmlStart:
			key, val = s.name, val[:0]
			if s.name == "user-defined" {
				key = s.attr("name")
			}
			if s.name == "template" || s.name == "auto-reload" {
				t.kv(s.name, s.attr("href"))
			}
		case xmlText:
			val = append(val, s.text()...)
		case xmlEnd:
			t.kv(key, string(val))
			val = val[:0]
		}
	}
	return t.close()
}

// odfMacro gives a module's source.
func (w *walker) odfMacro(o *object, sub string, b []byte) error {
	if r := xmlRoot(b); r != "module" {
		return nil
	}
	t := w.open(o, sub, Text)
	s := newXML(b)
	for s.next() {
		if s.kind == xmlText {
			t.write(s.text())
		}
		if err := w.tick(); err != nil {
			return err
		}
	}
	return t.close()
}

// odfBody gives the text of content.xml, or of the master pages in styles.xml.
// It is also the reader of flat OpenDocument files.
func (w *walker) odfBody(o *object, sub string, b []byte, styles bool) error {
	s := newXML(b)
	body := w.open(o, sub, Text)
	hidden, comment := w.open(o, sub, Hidden), w.open(o, sub, Comment)
	header, footer := w.open(o, sub, Header), w.open(o, sub, Footer)
	hiddenTables := map[string]bool{}
	stack := []*writer{body}
	var style string
	active, skip := 0, 0
	for s.next() {
		if err := w.tick(); err != nil {
			return err
		}
		t := stack[len(stack)-1]
		switch s.kind {
		case xmlStart:
			if skip > 0 {
				skip += b2i(!s.self)
				continue
			}
			switch s.name {
			case "body", "master-styles":
				active += b2i(!s.self)
			case "style":
				style = s.attr("name")
			case "table-properties":
				if s.attr("display") == "false" && len(hiddenTables) < 10000 {
					hiddenTables[style] = true
				}
			}
			if active == 0 {
				continue
			}
			var push *writer
			switch s.name {
			case "annotation":
				push = comment
			case "header", "header-left", "header-first":
				push = header
			case "footer", "footer-left", "footer-first":
				push = footer
			case "hidden-text":
				t = hidden
				hidden.str(s.attr("string-value") + "\n")
			case "table":
				if hiddenTables[s.attr("style-name")] {
					push = hidden
				}
				t.sep('\n')
				if n := s.attr("name"); n != "" && o.typ != "" && strings.Contains(o.typ, "spreadsheet") {
					t.str(n)
					t.sep('\n')
				}
			case "table-row":
				if v := s.attr("visibility"); v == "collapse" || v == "filter" {
					push = hidden
				}
			case "s":
				n, _ := strconv.Atoi(s.attr("c"))
				t.str(strings.Repeat(" ", max(1, min(n, 256))))
			case "tab":
				t.str("\t")
			case "line-break":
				t.str("\n")
			case "p", "h":
				if n := len(t.buf); n == 0 || t.buf[n-1] != '\t' {
					t.sep('\n')
				}
			case "tracked-changes":
				push = hidden
			case "a":
				if v := s.attr("href"); strings.Contains(v, ":") {
					hidden.str(v + "\n")
				}
			case "table-cell":
				if v := s.attr("formula"); strings.Contains(v, `"`) {
					hidden.str(v + "\n")
				}
			case "script", "event-listeners":
				skip += b2i(!s.self)
			}
			if push == nil {
				push = t
			}
			if !s.self && len(stack) < 4096 {
				stack = append(stack, push)
			}
		case xmlEnd:
			if skip > 0 {
				skip--
				continue
			}
			switch s.name {
			case "p", "h", "title", "desc":
				t.sep('\n')
			case "table-cell", "covered-table-cell":
				if n := len(t.buf); n > 0 && t.buf[n-1] == '\n' {
					t.buf[n-1] = '\t'
				}
			case "table-row":
				t.sep('\n')
			case "body", "master-styles":
				active = max(0, active-1)
				continue
			}
			if active > 0 && len(stack) > 1 {
				stack = stack[:len(stack)-1]
			}
		case xmlText:
			if active > 0 && skip == 0 {
				if len(bytes.TrimSpace(s.raw)) == 0 && bytes.IndexByte(s.raw, '\n') >= 0 {
					continue
				}
				writeFlow(t, s.text())
			}
		}
	}
	for _, t := range []*writer{header, body, hidden, comment, footer} {
		if err := t.close(); err != nil {
			return err
		}
	}
	return nil
}
