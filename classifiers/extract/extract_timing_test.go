package extract

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
)

func benchmarkObject(b *testing.B, name string, object []byte) {
	b.ReportAllocs()
	b.SetBytes(int64(len(object)))
	var text int64
	for b.Loop() {
		res, err := Bytes(context.Background(), object, name, Limits{MaxRatio: 1 << 30}, func(Part) error { return nil })
		if err != nil {
			b.Fatal(err)
		}
		text = res.Text
	}
	b.ReportMetric(float64(text)*float64(b.N)/1e6/b.Elapsed().Seconds(), "textMB/s")
}

func benchmarkDocs(b *testing.B) map[string][]byte {
	var body, rows, shared strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&body, `<w:p w:rsidR="00%06x"><w:pPr><w:pStyle w:val="Normal"/></w:pPr><w:r><w:rPr><w:b/></w:rPr><w:t>Paragraph %d says %x.</w:t></w:r></w:p>`, i, i, i*7919)
		fmt.Fprintf(&rows, `<row r="%d"><c r="A%d" t="s"><v>%d</v></c><c r="B%d"><v>%d</v></c></row>`, i+1, i+1, i, i+1, i*104729)
		fmt.Fprintf(&shared, `<si><t>Customer %d of %x</t></si>`, i, i*31)
	}
	var page strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&page, "BT /F1 9 Tf 1 0 0 1 72 %d Tm [(Li)-20(ne %d )-300(of text)] TJ ET\n", i%800, i)
	}
	return map[string][]byte{
		"docx": docx(b, body.String()),
		"xlsx": xlsx(b, `<sheet name="S" r:id="r1"/>`, rows.String(), shared.String()),
		"pdf": pdfOf("<</Type/Catalog/Pages 2 0 R>>", "<</Kids[3 0 R]>>", "<</Type/Page/Contents 4 0 R/Resources<</Font<</F1<</Subtype/Type1>>>>>>>>",
			pdfStreamOf("/Filter/FlateDecode", deflated(page.String()))),
		"html": []byte("<html>" + strings.Repeat("<p class=x>Some words &amp; more</p>\n", 20000)),
		"txt":  bytes.Repeat([]byte("Some words and more of them\n"), 100000),
	}
}

func BenchmarkExtract(b *testing.B) {
	for name, object := range benchmarkDocs(b) {
		b.Run(name, func(b *testing.B) { benchmarkObject(b, "a."+name, object) })
	}
}

// BenchmarkPool is the cost of a child for a small object.
func BenchmarkPool(b *testing.B) {
	p := testPool(b, "serve")
	object := docx(b, "<w:p><w:r><w:t>x</w:t></w:r></w:p>")
	b.ReportAllocs()
	for b.Loop() {
		if _, res, err := inPool(p, object, "a.docx", Limits{}); err != nil || len(res.Unscannable) > 0 {
			b.Fatal(res, err)
		}
	}
}
