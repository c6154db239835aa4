package extract

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// fuzzLimits are small, so that the fuzzer gets on.
var fuzzLimits = Limits{MaxBytes: 16 << 20, MaxObject: 4 << 20, MaxTime: 3 * time.Second, MaxText: 4 << 20, MaxEntries: 500, MaxDepth: 4}

// survive reads b and checks what must hold of any input: no panic, an end in
// time, valid text within the limit.
func survive(t *testing.T, b []byte, name string) {
	t.Helper()
	if len(b) > 1<<20 {
		return
	}
	debugPanics = true
	start := time.Now()
	var text int64
	res, err := Bytes(context.Background(), b, name, fuzzLimits, func(p Part) error {
		text += int64(len(p.Text))
		if !utf8.Valid(p.Text) || !utf8.ValidString(p.Path) || p.Kind == 0 || p.Seq == 0 {
			t.Fatalf("part %+v", p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if text > fuzzLimits.MaxText || text != res.Text {
		t.Fatalf("%d bytes of text, counted %d", text, res.Text)
	}
	if d := time.Since(start); d > 8*time.Second {
		t.Fatalf("took %v", d)
	}
}

func FuzzZip(f *testing.F) {
	f.Add(zipOf(f, entry{"a.txt", "text"}, entry{"b/c.zip", string(zipOf(f, entry{"d", "e"}))}))
	f.Add(docx(f, "<w:p><w:r><w:t>x</w:t></w:r></w:p>"))
	f.Add(zipOf(f, entry{"mimetype", "application/vnd.oasis.opendocument.text"}, entry{"content.xml", "<office:body><text:p>x</text:p></office:body>"}))
	f.Fuzz(func(t *testing.T, b []byte) { survive(t, b, "a.zip") })
}

// FuzzOOXML puts the input into a package as each of the parts.
func FuzzOOXML(f *testing.F) {
	f.Add(`<w:document><w:p><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr><w:r><w:t>x</w:t></w:r></w:p></w:document>`)
	f.Add(`<w:numbering><w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:lvlText w:val="%1."/></w:lvl></w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num></w:numbering>`)
	f.Add(`<worksheet><row hidden="1"><c r="A1" t="s"><v>0</v></c></row><oddHeader>&amp;L&amp;"x,y"&amp;12z</oddHeader></worksheet>`)
	f.Add(`<sst><si><t>x</t><rPh><t>y</t></rPh></si></sst>`)
	f.Add(`<p:sldMaster><p:sp><p:ph type="ftr"/><a:p><a:t>x</a:t></a:p></p:sp></p:sldMaster>`)
	f.Add(`<labelList><label id="{a}" enabled="1"/></labelList>`)
	f.Add("\x07\x04\x00\x00\x00\x00\x13\x09\x00\x02\x00\x00\x00x\x00y\x00")
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 64<<10 {
			return
		}
		survive(t, docx(t, s, entry{"word/numbering.xml", s}, entry{"word/styles.xml", s}, entry{"x.xml", s}), "a.docx")
		survive(t, zipOf(t, entry{"xl/workbook.xml", s}, entry{"xl/sharedStrings.xml", s}, entry{"xl/worksheets/s.xml", s}, entry{"xl/styles.xml", s}), "a.xlsx")
		survive(t, zipOf(t, entry{"[Content_Types].xml", "application/vnd.ms-excel.sheet.binary.macroEnabled.main"}, entry{"xl/workbook.bin", s},
			entry{"xl/sharedStrings.bin", s}, entry{"xl/worksheets/s.bin", s}, entry{"xl/styles.bin", s}, entry{"xl/comments1.bin", s}), "a.xlsb")
		survive(t, zipOf(t, entry{"index.xml", "<sl:document>" + s}), "a.pages")
		survive(t, zipOf(t, entry{"Index/Document.iwa", s}), "a.key")
		survive(t, zipOf(t, entry{"mimetype", "application/vnd.oasis.opendocument.text"}, entry{"content.xml", s}, entry{"styles.xml", s}, entry{"meta.xml", s}), "a.odt")
	})
}

func FuzzCFB(f *testing.F) {
	f.Add(cfbOf(entry{"WordDocument", "x"}, entry{"1Table", "y"}))
	f.Add(cfbOf(entry{"Workbook", "\x09\x08\x08\x00\x00\x06\x05\x00\x00\x00\x00\x00"}))
	f.Add(cfbOf(entry{"\x01Ole10Native", "\x10\x00\x00\x00\x02\x00a\x00b\x00\x00\x00\x00\x00\x01\x00\x00\x00c"}))
	f.Fuzz(func(t *testing.T, b []byte) { survive(t, b, "a.doc") })
}

// FuzzOffice97 gives the input to each reader of a stream.
func FuzzOffice97(f *testing.F) {
	fib := make([]byte, 1024)
	fib[0], fib[1], fib[2] = 0xec, 0xa5, 0xc1
	fib[0x4c], fib[0x18], fib[0x19], fib[0x1c], fib[0x1d] = 5, 0, 3, 0x10, 3
	copy(fib[0x300:], "hello\rworld\r")
	fib[0x1a3], fib[0x1a6] = 2, 21
	copy(fib[0x200:], "\x02\x10\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x06\x00\x40\x00\x00")
	f.Add(fib)
	f.Add([]byte("\x09\x08\x08\x00\x00\x06\x05\x00\x00\x00\x00\x00\xfc\x00\x0e\x00\x01\x00\x00\x00\x01\x00\x00\x00\x03\x00\x00abc\x0a\x00\x00\x00"))
	f.Add([]byte("\x0f\x00\xee\x03\x0c\x00\x00\x00\x00\x00\xa8\x0f\x04\x00\x00\x00text"))
	f.Add([]byte("\xfe\xff\x00\x00\x06\x02\x02\x00" + strings.Repeat("\x00", 16) + "\x01\x00\x00\x00" + strings.Repeat("\x00", 16) + "\x30\x00\x00\x00\x20\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x10\x00\x00\x00\x1e\x00\x00\x00\x04\x00\x00\x00abc\x00"))
	f.Add([]byte("\x01\x05\xb0\x00Attribut\x00e x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 64<<10 {
			return
		}
		s := string(b)
		survive(t, cfbOf(entry{"WordDocument", s}, entry{"1Table", s}, entry{"0Table", s}), "a.doc")
		survive(t, cfbOf(entry{"Workbook", s}, entry{"\x05SummaryInformation", s}), "a.xls")
		survive(t, cfbOf(entry{"PowerPoint Document", s}, entry{"\x05DocumentSummaryInformation", s}), "a.ppt")
		survive(t, cfbOf(entry{"__properties_version1.0", s}, entry{"__substg1.0_10090102", s}, entry{"__substg1.0_1000001F", s}), "a.msg")
		survive(t, cfbOf(entry{"\x01Ole10Native", s}), "a.ole")
		if len(b) > 0 {
			ovbaDecompress(b, 1<<20)
			lzfu(b, 1<<20)
		}
	})
}

func FuzzPDF(f *testing.F) {
	f.Add(pdfOf("<</Type/Catalog/Pages 2 0 R/Outlines 5 0 R>>", "<</Kids[3 0 R]>>", "<</Contents 4 0 R/Resources<</Font<</F<</Subtype/Type0/Encoding/Identity-H/DescendantFonts[<</W[1[500]]>>]/ToUnicode 6 0 R>>>>>>>>",
		pdfStreamOf("", "BT /F 12 Tf 1 0 0 1 10 10 Tm <0041> Tj [(a)-300(b)] TJ ET"), "<</First<</Title(x)>>>>",
		pdfStreamOf("", "1 begincodespacerange <0000> <ffff> endcodespacerange 1 beginbfrange <0041> <0043> <0061> endbfrange")))
	f.Add(pdfOf("<</Type/Catalog>>", pdfStreamOf("/Type/ObjStm/N 1/First 4", "7 0 <</Type/Page/Annots[<</Contents(x)>>]>>")))
	f.Add(pdfOf("<</Pages 2 0 R>>", "<</Kids[3 0 R]>>", "<</Contents 4 0 R>>", pdfStreamOf("/Filter[/ASCII85Decode/LZWDecode/RunLengthDecode]/DecodeParms[null<</Predictor 12/Columns 4>>null]", "87cURD]i,\"Ebo80~>")))
	f.Add([]byte("%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj trailer<</Root 1 0 R/Encrypt<</Filter/Standard/V 5/R 6/U(" + strings.Repeat("x", 48) + ")/UE(" + strings.Repeat("y", 32) + ")>>>>"))
	f.Fuzz(func(t *testing.T, b []byte) { survive(t, append([]byte("%PDF-1.7\n"), b...), "a.pdf") })
}

func FuzzRTF(f *testing.F) {
	f.Add([]byte(`\ansi{\fonttbl{\f0\fcharset128 x;}}\f0\'82\'a0 \u1074?{\*\objdata 0105000002000000080000005061636b6167650000000000000000000400000074657874}{\info{\title t}}\bin4 abcd}`))
	f.Add([]byte(`{\header h}{\*\annotation n}{\field{\*\fldinst HYPERLINK "x"}{\fldrslt y}}{\v hidden}\par`))
	f.Fuzz(func(t *testing.T, b []byte) { survive(t, append([]byte(`{\rtf1`), b...), "a.rtf") })
}

func FuzzMail(f *testing.F) {
	f.Add([]byte("Content-Type: multipart/mixed; boundary=\"x\"\n\n--x\nContent-Type: text/plain; charset=utf-7\n\n+AEE-\n--x\nContent-Transfer-Encoding: x-uuencode\n\nbegin 644 a\n#0V%T\n`\nend\n--x--\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		survive(t, append([]byte("From: a\nTo: b\nSubject: =?utf-8?b?w6k=?=\n"), b...), "a.eml")
		survive(t, append([]byte("From a@b\nFrom: a\nTo: b\n"), b...), "a.mbox")
	})
}

// FuzzAny gives the input to whatever reader its head asks for.
func FuzzAny(f *testing.F) {
	f.Add(gzipOf([]byte("x")))
	f.Add([]byte("\x1f\x9d\x90x\x00"))
	f.Add([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x05tEXta\x00bcd\x00\x00\x00\x00"))
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x20Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x0e\x01\x02\x00\x04\x00\x00\x00abc\x00"))
	f.Add([]byte("II*\x00\x08\x00\x00\x00\x01\x00\x0e\x01\x02\x00\x04\x00\x00\x00abc\x00\x00\x00\x00\x00"))
	f.Add([]byte("0\x80\x06\t*\x86H\x86\xf7\r\x01\x07\x02\xa0\x800\x80\x02\x01\x01\x06\t*\x86H\x86\xf7\r\x01\x07\x01\xa0\x80$\x80\x04\x02hi\x00\x00"))
	f.Add([]byte("!<arch>\na               0           0     0     0       4         `\ntext"))
	f.Add(rar5(0))
	f.Add([]byte("7z\xbc\xaf\x27\x1c\x00\x04" + strings.Repeat("\x00", 24)))
	f.Add([]byte("<!doctype html><p title=x>a<img src='data:,abcdefghij'>"))
	f.Add([]byte("\x01\x00\x00\x00\x6c\x00\x00\x00" + strings.Repeat("\x00", 32) + " EMF" + strings.Repeat("\x00", 40) + "\x54\x00\x00\x00\x50\x00\x00\x00" + strings.Repeat("\x01", 72)))
	f.Fuzz(func(t *testing.T, b []byte) {
		survive(t, b, "a")
		_ = Type(bytes.NewReader(b), int64(len(b)), "a.gz")
	})
}

func FuzzChildPart(f *testing.F) {
	f.Add(append(partHead(&Part{Kind: Text, Path: "a", Name: "b", Type: "c", Seq: 1}), "text"...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := parsePart(b); err == nil && (p.Kind == 0 || p.Kind > Raw || !utf8.Valid(p.Text)) {
			t.Fatalf("%+v", p)
		}
	})
}
