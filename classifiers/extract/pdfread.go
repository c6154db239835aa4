package extract

import (
	"sort"
	"strconv"
	"strings"
)

// read gives all that a document says: properties, pages, annotations, forms,
// outline, attachments.
func (p *pdfDoc) read() error {
	root := p.dict(p.trailer["Root"])
	if root == nil {
		root = p.findRoot()
	}
	if root == nil && len(p.offs) == 0 {
		return errDamaged
	}
	if err := p.info(root); err != nil {
		return err
	}
	pages := p.pages(root)
	for i, pg := range pages {
		if err := p.w.clock(); err != nil {
			return err
		}
		if err := p.w.settle(p.o.childPath("page "+itoa(i+1)), p.w.guard(func() error { return p.page(pg, i+1) })); err != nil {
			return err
		}
	}
	if err := p.outline(root); err != nil {
		return err
	}
	return p.loose()
}

func (p *pdfDoc) findRoot() pdfDict {
	for _, n := range p.numbers() {
		if d, ok := p.load(n).(pdfDict); ok {
			if t, _ := p.resolve(d["Type"]).(pdfName); t == "Catalog" {
				return d
			}
		}
	}
	return nil
}

func (p *pdfDoc) numbers() []int {
	out := make([]int, 0, len(p.offs))
	for n := range p.offs {
		out = append(out, n)
	}
	sort.Ints(out)
	return out
}

// info gives the information dictionary and the metadata stream.
func (p *pdfDoc) info(root pdfDict) error {
	t := p.w.open(p.o, "", Properties)
	d := p.dict(p.trailer["Info"])
	keys := make([]string, 0, len(d))
	for k := range d {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		switch v := p.resolve(d[k]).(type) {
		case pdfString:
			t.kv(k, pdfText(v))
		case pdfName:
			t.kv(k, string(v))
		case float64:
			t.kv(k, strconv.FormatFloat(v, 'f', -1, 64))
		}
	}
	if err := t.close(); err != nil {
		return err
	}
	if s, ok := p.resolve(root["Metadata"]).(*pdfStream); ok {
		if b, _, err := p.decode(s); err == nil {
			return p.w.xmp(p.o, b)
		} else if p.w.fatal(err) {
			return err
		}
	}
	return nil
}

// pdfPage is a page with what it inherits.
type pdfPage struct {
	dict      pdfDict
	resources any
}

// pages walks the page tree; without one every page object in the file counts.
func (p *pdfDoc) pages(root pdfDict) []pdfPage {
	var out []pdfPage
	seen := map[int]bool{}
	var walk func(v any, res any, depth int)
	walk = func(v any, res any, depth int) {
		if r, ok := v.(pdfRef); ok {
			if seen[r.num] {
				return
			}
			seen[r.num] = true
		}
		d := p.dict(v)
		if d == nil || depth > pdfDepth || len(out) >= 50000 {
			return
		}
		if r := p.resolve(d["Resources"]); r != nil {
			res = r
		}
		if kids, ok := p.resolve(d["Kids"]).(pdfArray); ok {
			for _, k := range kids {
				walk(k, res, depth+1)
			}
			return
		}
		out = append(out, pdfPage{d, res})
	}
	walk(root["Pages"], nil, 0)
	// Pages that the tree does not lead to are in the file all the same.
	for _, n := range p.numbers() {
		if seen[n] || len(out) >= 50000 {
			continue
		}
		if d, ok := p.load(n).(pdfDict); ok {
			if t, _ := p.resolve(d["Type"]).(pdfName); t == "Page" {
				out = append(out, pdfPage{d, p.resolve(d["Resources"])})
			}
		}
		if p.w.tick() != nil {
			break
		}
	}
	return out
}

// page gives a page's text and its annotations.
func (p *pdfDoc) page(pg pdfPage, number int) error {
	t := p.w.open(p.o, "page "+itoa(number), Text)
	content, err := p.contents(pg.dict["Contents"])
	if err != nil && p.w.fatal(err) {
		return err
	}
	if e := p.show(t, content, p.dict(pg.resources), 0); e != nil {
		return e
	}
	if e := p.annotations(pg, number, t); e != nil {
		return e
	}
	if e := t.close(); e != nil {
		return e
	}
	return err
}

// contents joins the streams of a page.
func (p *pdfDoc) contents(v any) ([]byte, error) {
	switch v := p.resolve(v).(type) {
	case *pdfStream:
		b, _, err := p.decode(v)
		return b, err
	case pdfArray:
		var out []byte
		var first error
		for i, e := range v {
			if i > 10000 {
				break
			}
			s, ok := p.resolve(e).(*pdfStream)
			if !ok {
				continue
			}
			b, _, err := p.decode(s)
			if err != nil {
				if p.w.fatal(err) {
					return out, err
				}
				first = err
			}
			if int64(len(out)+len(b)) > p.w.lim.MaxObject {
				return out, errTooLarge
			}
			out = append(append(out, b...), '\n')
		}
		return out, first
	}
	return nil, nil
}

// annotations gives notes, the values and looks of form fields, and links.
func (p *pdfDoc) annotations(pg pdfPage, number int, page *writer) error {
	list, _ := p.resolve(pg.dict["Annots"]).(pdfArray)
	notes, links := p.w.open(p.o, "page "+itoa(number), Comment), p.w.open(p.o, "page "+itoa(number), Metadata)
	for i, a := range list {
		if i > 20000 {
			break
		}
		if err := p.w.tick(); err != nil {
			return err
		}
		d := p.dict(a)
		for _, k := range []string{"T", "Subj", "Contents", "TU", "V", "DV", "RC"} {
			if s, ok := p.resolve(d[k]).(pdfString); ok && s != "" {
				notes.str(pdfText(s))
				notes.sep('\n')
			}
		}
		if act := p.dict(d["A"]); act != nil {
			for _, k := range []string{"URI", "JS", "F"} {
				if s, ok := p.resolve(act[k]).(pdfString); ok {
					links.str(pdfText(s))
					links.sep('\n')
				}
			}
		}
		ap := p.dict(d["AP"])
		n := p.resolve(ap["N"])
		if s, ok := n.(*pdfStream); ok {
			page.sep('\n')
			if err := p.form(page, s, nil, 1); err != nil {
				return err
			}
		}
	}
	if err := notes.close(); err != nil {
		return err
	}
	return links.close()
}

// form shows a form XObject.
func (p *pdfDoc) form(t *writer, s *pdfStream, res pdfDict, depth int) error {
	if depth > 12 {
		return nil
	}
	b, image, err := p.decode(s)
	if err != nil || image != "" {
		if p.w.fatal(err) {
			return err
		}
		return nil
	}
	if r := p.dict(s.dict["Resources"]); r != nil {
		res = r
	}
	return p.show(t, b, res, depth)
}

// outline gives the bookmarks.
func (p *pdfDoc) outline(root pdfDict) error {
	t := p.w.open(p.o, "bookmarks", Metadata)
	seen := map[int]bool{}
	var walk func(v any, depth int)
	walk = func(v any, depth int) {
		for range 20000 {
			if r, ok := v.(pdfRef); ok {
				if seen[r.num] {
					return
				}
				seen[r.num] = true
			}
			d := p.dict(v)
			if d == nil || depth > 50 {
				return
			}
			if s, ok := p.resolve(d["Title"]).(pdfString); ok {
				t.str(pdfText(s))
				t.sep('\n')
			}
			if d["First"] != nil {
				walk(d["First"], depth+1)
			}
			if v = d["Next"]; v == nil {
				return
			}
		}
	}
	walk(p.dict(root["Outlines"])["First"], 0)
	return t.close()
}

// loose goes through all objects for what needs no page: attachments, form
// values, scripts, XFA forms and metadata of parts.
func (p *pdfDoc) loose() error {
	t := p.w.open(p.o, "form", Text)
	done := map[int]bool{}
	for _, n := range p.numbers() {
		if err := p.w.tick(); err != nil {
			return err
		}
		d := p.dict(p.load(n))
		if d == nil {
			continue
		}
		if ft := p.resolve(d["FT"]); ft != nil || d["TU"] != nil {
			for _, k := range []string{"T", "V", "TU"} {
				if s, ok := p.resolve(d[k]).(pdfString); ok {
					t.str(pdfText(s))
					t.sep('\n')
				}
			}
		}
		for _, k := range []string{"JS"} {
			switch s := p.resolve(d[k]).(type) {
			case pdfString:
				t.str(pdfText(s))
				t.sep('\n')
			case *pdfStream:
				if b, _, err := p.decode(s); err == nil {
					t.str(pdfText(pdfString(b)))
					t.sep('\n')
				}
			}
		}
		if x := p.resolve(d["XFA"]); x != nil {
			if err := p.xfa(x); err != nil {
				return err
			}
		}
		if err := p.files(d, done); err != nil {
			return err
		}
		if d["EncryptedPayload"] != nil {
			// A protected document in an open wrapper (ISO 32000-2 7.6.7).
			p.w.unscannable(p.o.path, Encrypted)
		}
	}
	return t.close()
}

// xfa gives the packets of an XML form.
func (p *pdfDoc) xfa(x any) error {
	var b []byte
	switch x := x.(type) {
	case *pdfStream:
		b, _, _ = p.decode(x)
	case pdfArray:
		for i, v := range x {
			if s, ok := p.resolve(v).(*pdfStream); ok && i < 200 {
				c, _, err := p.decode(s)
				if p.w.fatal(err) {
					return err
				}
				b = append(b, c...)
			}
		}
	}
	if int64(len(b)) > p.w.lim.MaxObject {
		return errTooLarge
	}
	t := p.w.open(p.o, "xfa", Text)
	s := newXML(b)
	for s.next() {
		if err := p.w.tick(); err != nil {
			return err
		}
		switch s.kind {
		case xmlText:
			writeFlow(t, s.text())
		case xmlEnd:
			t.sep('\n')
		}
	}
	return t.close()
}

// files reads the files that a file specification embeds, in each of the forms
// that it may give for different systems.
func (p *pdfDoc) files(d pdfDict, done map[int]bool) error {
	ef, ok := p.resolve(d["EF"]).(pdfDict)
	if !ok {
		return nil
	}
	for _, k := range []string{"UF", "F", "DOS", "Mac", "Unix"} {
		ref, isRef := ef[k].(pdfRef)
		s, ok := p.resolve(ef[k]).(*pdfStream)
		if !ok || isRef && done[ref.num] {
			continue
		}
		if isRef {
			done[ref.num] = true
		}
		name := ""
		for _, nk := range []string{k, "UF", "F"} {
			if v, ok := p.resolve(d[nk]).(pdfString); ok && name == "" {
				name = pdfText(v)
			}
		}
		if t, ok := p.resolve(d["Desc"]).(pdfString); ok {
			if err := p.w.say(p.o, name, Metadata, pdfText(t)); err != nil {
				return err
			}
		}
		if mimeIsProtected(d, p) {
			p.w.unscannable(p.o.childPath(name), Encrypted)
		}
		b, _, err := p.decode(s)
		if err != nil {
			if e := p.w.settle(p.o.childPath(name), err); e != nil {
				return e
			}
			continue
		}
		if err := p.w.nested(p.o, name, "", b); err != nil {
			return err
		}
	}
	return nil
}

// mimeIsProtected tells the encrypted payload of an unencrypted wrapper.
func mimeIsProtected(d pdfDict, p *pdfDoc) bool {
	r, _ := p.resolve(d["AFRelationship"]).(pdfName)
	return strings.EqualFold(string(r), "EncryptedPayload")
}
