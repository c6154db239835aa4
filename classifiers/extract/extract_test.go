package extract

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
)

const w = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"`

const contentTypes = `<Types><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`

func docx(t testing.TB, body string, more ...entry) []byte {
	return zipOf(t, append([]entry{{"[Content_Types].xml", contentTypes},
		{"word/document.xml", `<?xml version="1.0"?><w:document ` + w + `><w:body>` + body + `</w:body></w:document>`}}, more...)...)
}

func xlsx(t testing.TB, workbook, sheet, shared string, more ...entry) []byte {
	return zipOf(t, append([]entry{
		{"[Content_Types].xml", `<Types><Override ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>`},
		{"xl/workbook.xml", `<workbook><sheets>` + workbook + `</sheets></workbook>`},
		{"xl/_rels/workbook.xml.rels", `<Relationships><Relationship Id="r1" Target="worksheets/sheet1.xml"/></Relationships>`},
		{"xl/styles.xml", `<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>`},
		{"xl/sharedStrings.xml", `<sst>` + shared + `</sst>`},
		{"xl/worksheets/sheet1.xml", `<worksheet><sheetData>` + sheet + `</sheetData></worksheet>`},
	}, more...)...)
}

// TestKinds: each format's words arrive, under the kind of their place.
func TestKinds(t *testing.T) {
	f := func(name string, b []byte, typ string, kind Kind, want string) {
		t.Helper()
		g := read(t, b, name, Limits{})
		if typ != "" && g.res.Type != typ {
			t.Errorf("%s: type %s, want %s", name, g.res.Type, typ)
		}
		if !strings.Contains(g.kinds[kind], want) {
			t.Errorf("%s: %s %q lacks %q (%q)", name, kind, g.kinds[kind], want, g.kinds)
		}
		if len(g.res.Unscannable) > 0 {
			t.Errorf("%s: %v", name, g.res.Unscannable)
		}
	}
	f("a.docx", docx(t, `<w:p><w:r><w:t>4111 1111</w:t></w:r><w:r><w:t> 1111 1111</w:t></w:r></w:p>`), typeDocx, Text, "4111 1111 1111 1111")
	f("a.docx", docx(t, `<w:p><w:r><w:rPr><w:vanish/></w:rPr><w:t>unseen</w:t></w:r></w:p>`), typeDocx, Hidden, "unseen")
	f("a.docx", docx(t, `<w:tbl><w:tr><w:tc><w:p><w:r><w:t>Name</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>SSN</w:t></w:r></w:p></w:tc></w:tr></w:tbl>`), typeDocx, Text, "Name\tSSN")
	f("a.docx", docx(t, "", entry{"word/header1.xml", `<w:hdr ` + w + `><w:p><w:r><w:t>SECRET</w:t></w:r></w:p></w:hdr>`}), typeDocx, Header, "SECRET")
	f("a.docx", docx(t, "", entry{"word/footer1.xml", `<w:ftr ` + w + `><w:p><w:r><w:t>CUI</w:t></w:r></w:p></w:ftr>`}), typeDocx, Footer, "CUI")
	f("a.docx", docx(t, "", entry{"word/comments.xml", `<w:comments ` + w + `><w:comment><w:p><w:r><w:t>note</w:t></w:r></w:p></w:comment></w:comments>`}), typeDocx, Comment, "note")
	f("a.docx", docx(t, "", entry{"docProps/custom.xml", `<Properties><property name="MSIP_Label_aa-bb_Enabled"><vt:lpwstr>true</vt:lpwstr></property></Properties>`}), typeDocx, Properties, "MSIP_Label_aa-bb_Enabled=true\n")
	f("a.docx", docx(t, "", entry{"docMetadata/LabelInfo.xml", `<clbl:labelList><clbl:label id="{aa-bb}" enabled="1" siteId="{cc}"/></clbl:labelList>`}), typeDocx, Properties, "MSIP_Label_aa-bb_Enabled=1\nMSIP_Label_aa-bb_SiteId=cc\n")
	f("a.docx", docx(t, "", entry{"word/_rels/document.xml.rels", `<Relationships><Relationship TargetMode="External" Target="https://paste.example/x"/></Relationships>`}), typeDocx, Metadata, "https://paste.example/x")
	f("a.docx", docx(t, "", entry{"word/embeddings/a.zip", string(zipOf(t, entry{"deep.txt", "deeper"}))}), typeDocx, Text, "deeper")

	row := `<row><c r="A1" t="s"><v>0</v></c><c r="B1" s="1"><v>43363</v></c><c r="C1"><v>1.23456789012345E14</v></c></row>`
	f("a.xlsx", xlsx(t, `<sheet name="Q3" r:id="r1"/>`, row, `<si><t>IBAN</t></si>`), typeXlsx, Text, "IBAN\t2018-09-20\t123456789012345\n")
	f("a.xlsx", xlsx(t, `<sheet name="Q3" state="veryHidden" r:id="r1"/>`, row, `<si><t>IBAN</t></si>`), typeXlsx, Hidden, "IBAN\t")
	f("a.xlsx", xlsx(t, `<sheet name="Q3" r:id="r1"/>`, `<row hidden="1"><c t="inlineStr"><is><t>low</t></is></c></row>`, ``), typeXlsx, Hidden, "low")
	f("a.xlsx", xlsx(t, `<sheet name="Q3" r:id="r1"/>`, ``, `<si><t>deleted row</t></si>`), typeXlsx, Hidden, "deleted row")

	slide := `<p:sld%s><p:sp><a:p><a:r><a:t>Road</a:t></a:r><a:r><a:t>map</a:t></a:r></a:p></p:sp></p:sld>`
	ct := entry{"[Content_Types].xml", `<Types><Override ContentType="application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"/></Types>`}
	f("a.pptx", zipOf(t, ct, entry{"ppt/slides/slide1.xml", strings.Replace(slide, "%s", "", 1)}), typePptx, Text, "Roadmap\n")
	f("a.pptx", zipOf(t, ct, entry{"ppt/slides/slide1.xml", strings.Replace(slide, "%s", ` show="0"`, 1)}), typePptx, Hidden, "Roadmap\n")

	odt := entry{"mimetype", "application/vnd.oasis.opendocument.text"}
	f("a.odt", zipOf(t, odt, entry{"content.xml", `<office:document-content><office:body><text:p>one<text:tab/>two<text:s text:c="2"/>three</text:p></office:body></office:document-content>`}), odt.data, Text, "one\ttwo  three")
	f("a.odt", zipOf(t, odt, entry{"styles.xml", `<a><office:master-styles><style:header><text:p>TLP:RED</text:p></style:header></office:master-styles></a>`}), odt.data, Header, "TLP:RED")

	f("a.rtf", []byte(`{\rtf1\ansi\ansicpg1251{\fonttbl{\f0\fcharset204 Arial;}}\f0 \'cf\'f0\'e8\u1074?\u1077?\u1090?{\header TOP}\par{\v unseen}}`), typeRTF, Text, "Привет")
	f("a.rtf", []byte(`{\rtf1{\header TOP SECRET}\par{\v unseen}}`), typeRTF, Header, "TOP SECRET")
	f("a.rtf", []byte(`{\rtf1{\header TOP SECRET}\par{\v unseen}}`), typeRTF, Hidden, "unseen")

	f("a.html", []byte("<!doctype html><title>T</title><p>caf&eacute;<br>4111&#45;1111<!-- memo --><script>key='k'</script>"), typeHTML, Text, "café\n4111-1111")
	f("a.html", []byte("<html><p>x</p><!-- memo --></html>"), typeHTML, Comment, "memo")
	f("a.html", []byte("<html><p>x</p><script>key='k'</script></html>"), typeHTML, Hidden, "key='k'")

	mail := "From: a@b.example\r\nTo: c@d.example\r\nSubject: =?utf-8?q?Caf=C3=A9?=\r\nmsip_labels: MSIP_Label_aa_Enabled=true\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n" +
		"--x\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nna=EFve=\r\n text\r\n" +
		"--x\r\nContent-Type: application/octet-stream; name=\"a.txt\"\r\nContent-Transfer-Encoding: base64\r\n\r\nYXR0YWNo\r\nZWQ=\r\n--x--\r\nafter the end\r\n"
	f("a.eml", []byte(mail), typeMail, Metadata, "Subject=Café\nmsip_labels=MSIP_Label_aa_Enabled=true")
	f("a.eml", []byte(mail), typeMail, Text, "naïve text")
	f("a.eml", []byte(mail), typeMail, Text, "attached")
	f("a.eml", []byte(mail), typeMail, Hidden, "after the end")

	page := "BT /F1 12 Tf 72 700 Td (Card 4111) Tj 0 -14 Td [(1111) -50 (22)-800(next)] TJ ET"
	pdf := func(extra ...string) []byte {
		return pdfOf(append([]string{"<</Type/Catalog/Pages 2 0 R>>", "<</Kids[3 0 R]>>", "<</Type/Page/Contents 4 0 R/Resources<</Font<</F1<</Subtype/Type1/BaseFont/Helvetica>>>>>>>>",
			pdfStreamOf("/Filter/FlateDecode", deflated(page))}, extra...)...)
	}
	f("a.pdf", pdf(), typePDF, Text, "Card 4111\n111122 next")
	f("a.pdf", pdf("<</Type/Filespec/UF(in.txt)/EF<</F 6 0 R>>>>", pdfStreamOf("", "attached text")), typePDF, Text, "attached text")

	f("a.txt", []byte("\xff\xfeh\x00i\x00"), typePlain, Text, "hi")
	f("a.txt", []byte("h\x00e\x00l\x00l\x00o\x00 \x00t\x00h\x00e\x00r\x00e\x00"), typePlain, Text, "hello there")
	f("a.csv", []byte("Name;IBAN;City\nA;B;C\nD;E;F\n"), typeCSV, Text, "Name;IBAN;City")
	f("a.gz", gzipOf([]byte("inside gz")), typeGzip, Text, "inside gz")
	f("a.zip", zipOf(t, entry{"päth/ключ.txt", "x"}), typeZip, Metadata, "päth/ключ.txt")
}

func TestPaths(t *testing.T) {
	inner := xlsx(t, `<sheet name="Sheet1" r:id="r1"/>`, `<row><c t="inlineStr"><is><t>x</t></is></c></row>`, ``)
	g := read(t, zipOf(t, entry{"../../q3.xlsx", string(inner)}), "report.zip", Limits{})
	if !strings.Contains(g.paths, "report.zip!/q3.xlsx!/Sheet1\n") {
		t.Errorf("paths:\n%s", g.paths)
	}
}

// TestEncrypted: whatever format says that it is encrypted is told as such.
func TestEncrypted(t *testing.T) {
	f := func(name string, b []byte) {
		t.Helper()
		if g := read(t, b, name, Limits{}); g.reasons() != "encrypted" {
			t.Errorf("%s: %v, want encrypted", name, g.res.Unscannable)
		}
	}
	z := zipOf(t, entry{"a.txt", "text"})
	z[6] |= 1
	z[bytes.Index(z, []byte("PK\x01\x02"))+8] |= 1
	f("a.zip", z)
	f("a.docx", cfbOf(entry{"EncryptionInfo", "x"}, entry{"EncryptedPackage", "y"}))
	fib := make([]byte, 4096)
	fib[0], fib[1], fib[2], fib[0x0b] = 0xec, 0xa5, 0xc1, 1
	f("a.doc", cfbOf(entry{"WordDocument", string(fib)}))
	f("a.xls", cfbOf(entry{"Workbook", "\x09\x08\x08\x00\x00\x06\x05\x00\x00\x00\x00\x00\x2f\x00\x02\x00\x00\x00"}))
	f("a.odt", zipOf(t, entry{"mimetype", "application/vnd.oasis.opendocument.text"}, entry{"META-INF/manifest.xml", "<m><encryption-data/></m>"}))
	f("a.pdf", append(pdfOf("<</Type/Catalog>>"), "\ntrailer<</Root 1 0 R/Encrypt<</Filter/Standard/V 2/R 3/Length 128/O(0123456789abcdef0123456789abcdef)/U(0123456789abcdef0123456789abcdef)/P -1>>>>"...))
	f("a.pgp", []byte("-----BEGIN PGP MESSAGE-----\n\nabcd\n"))
}

// TestPDFEmptyPassword: a document that anyone can open is read (AES-128 and
// RC4 are covered by the labelled documents; here the RC4 key of revision 2).
func TestPDFEmptyPassword(t *testing.T) {
	o := strings.Repeat("\x01", 32)
	p := &pdfDoc{w: &walker{ctx: context.Background()}}
	d := pdfDict{"Filter": pdfName("Standard"), "V": 1.0, "R": 2.0, "O": pdfString(o), "U": pdfString(strings.Repeat("\x00", 32)), "P": -4.0}
	if _, err := newPDFCrypt(p, d, nil); !errors.Is(err, errEncrypted) {
		t.Errorf("a wrong entry opened: %v", err)
	}
}

func TestCallback(t *testing.T) {
	z := zipOf(t, entry{"a.txt", "one"}, entry{"b.txt", "two"})
	n := 0
	res, err := Bytes(context.Background(), z, "a.zip", Limits{}, func(Part) error { n++; return ErrStop })
	if err != nil || !res.Stopped || n != 1 {
		t.Errorf("stop: %v %+v after %d", err, res, n)
	}
	own := errors.New("own")
	if _, err = Bytes(context.Background(), z, "a.zip", Limits{}, func(Part) error { return own }); !errors.Is(err, own) {
		t.Errorf("own error: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err = Bytes(ctx, z, "a.zip", Limits{}, func(Part) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestPieces: a long text comes in pieces that make the whole, whatever runes
// stand at the cuts.
func TestPieces(t *testing.T) {
	want := strings.Repeat("ключ 𐌲 x", 200000)
	for _, b := range [][]byte{[]byte(want), docx(t, "<w:p><w:r><w:t>"+want+"</w:t></w:r></w:p>")} {
		var text strings.Builder
		pieces, more := 0, false
		_, err := Bytes(context.Background(), b, "a", Limits{}, func(p Part) error {
			if p.Kind == Text {
				text.Write(p.Text)
				pieces, more = pieces+1, p.More
			}
			return nil
		})
		if err != nil || more || pieces < 2 || strings.TrimSpace(text.String()) != strings.TrimSpace(want) {
			t.Errorf("%v, %d pieces, more %v, %d bytes of %d", err, pieces, more, text.Len(), len(want))
		}
	}
}

func TestTarAndTruncation(t *testing.T) {
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	_ = tw.WriteHeader(&tar.Header{Name: "a.txt", Size: 5, Mode: 0o600})
	_, _ = tw.Write([]byte("hello"))
	_ = tw.Close()
	if g := read(t, b.Bytes(), "a.tar", Limits{}); !strings.Contains(g.kinds[Text], "hello") || g.res.Type != typeTar {
		t.Errorf("tar: %v", g)
	}
	// A cut archive gives what it still has, and says that it is damaged.
	z := zipOf(t, entry{"a.txt", strings.Repeat("first file ", 100)}, entry{"b.txt", "second"})
	if g := read(t, z[:len(z)-60], "a.zip", Limits{}); !strings.Contains(g.kinds[Text], "first file") || !strings.Contains(g.reasons(), "damaged") {
		t.Errorf("cut zip: %v", g)
	}
	gz := gzipOf([]byte(strings.Repeat("line of text\n", 5000)))
	if g := read(t, gz[:len(gz)/2], "a.gz", Limits{}); !strings.Contains(g.kinds[Text], "line of text") || !strings.Contains(g.reasons(), "damaged") {
		t.Errorf("cut gz: %v", g.res)
	}
}

// TestCharsets: text in eight bits is text, and comes out readable.
func TestCharsets(t *testing.T) {
	const want = "Это совершенно секретный документ для внутреннего пользования компании"
	for name, enc := range map[string]func(rune) (byte, bool){"1251": charmap.Windows1251.EncodeRune, "koi8": charmap.KOI8R.EncodeRune, "866": charmap.CodePage866.EncodeRune} {
		var b []byte
		for _, r := range want {
			c, _ := enc(r)
			b = append(b, c)
		}
		if g := read(t, b, "a.txt", Limits{}); g.kinds[Text] != want || g.res.Type != typePlain {
			t.Errorf("%s: %s %q", name, g.res.Type, g.kinds)
		}
	}
	if g := read(t, []byte("na\xefve r\xe9sum\xe9 Stra\xdfe"), "a.txt", Limits{}); g.kinds[Text] != "naïve résumé Straße" {
		t.Errorf("%q", g.kinds)
	}
}
