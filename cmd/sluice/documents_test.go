package main

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/rogpeppe/go-internal/testscript"

	"sluice/cmd/sluice-demo/stage"
)

// The documents of the tests are crafted here: nothing is read from files.

// fileIn is an entry of an archive.
type fileIn struct{ name, data string }

func zipped(tb testing.TB, files ...fileIn) string {
	tb.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		e, err := w.Create(f.name)
		if err == nil {
			_, err = io.WriteString(e, f.data)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

const packageTypes = `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>%s</Types>`

func relations(kind, target string) string {
	return fmt.Sprintf(`<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/%s" Target="%s"/></Relationships>`, kind, target)
}

// docx makes a word-processing document of lines, with other entries.
func docx(tb testing.TB, text string, more ...fileIn) string {
	var p strings.Builder
	for line := range strings.Lines(text) {
		fmt.Fprintf(&p, `<w:p><w:r><w:t xml:space="preserve">%s</w:t></w:r></w:p>`, strings.TrimRight(line, "\n"))
	}
	files := []fileIn{
		{"[Content_Types].xml", fmt.Sprintf(packageTypes, `<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/>`)},
		{"_rels/.rels", relations("officeDocument", "word/document.xml")},
		{"word/document.xml", `<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>` + p.String() + `</w:body></w:document>`},
	}
	return zipped(tb, append(files, more...)...)
}

// labelled are the properties of a document with a sensitivity label.
func labelled(name string) fileIn {
	const id = "MSIP_Label_11111111-2222-3333-4444-555555555555"
	return fileIn{"docProps/custom.xml", `<?xml version="1.0"?><Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/custom-properties" xmlns:vt="http://schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes">` +
		`<property fmtid="{D5CDD505-2E9C-101B-9397-08002B2CF9AE}" pid="2" name="` + id + `_Enabled"><vt:lpwstr>true</vt:lpwstr></property>` +
		`<property fmtid="{D5CDD505-2E9C-101B-9397-08002B2CF9AE}" pid="3" name="` + id + `_Name"><vt:lpwstr>` + name + `</vt:lpwstr></property></Properties>`}
}

// xlsx makes a workbook with one sheet of one column.
func xlsx(tb testing.TB, cells []string) string {
	var rows strings.Builder
	for i, c := range cells {
		fmt.Fprintf(&rows, `<row r="%d"><c r="A%d" t="inlineStr"><is><t>%s</t></is></c></row>`, i+1, i+1, c)
	}
	return zipped(tb,
		fileIn{"[Content_Types].xml", fmt.Sprintf(packageTypes, `<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>`)},
		fileIn{"_rels/.rels", relations("officeDocument", "xl/workbook.xml")},
		fileIn{"xl/workbook.xml", `<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Clients" sheetId="1" r:id="rId1"/></sheets></workbook>`},
		fileIn{"xl/_rels/workbook.xml.rels", relations("worksheet", "worksheets/sheet1.xml")},
		fileIn{"xl/worksheets/sheet1.xml", `<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>` + rows.String() + `</sheetData></worksheet>`})
}

// pdf makes a page with lines of text.
func pdf(lines []string) string {
	var text strings.Builder
	text.WriteString("BT /F1 12 Tf 72 720 Td 14 TL\n")
	for _, l := range lines {
		fmt.Fprintf(&text, "(%s) Tj T*\n", l)
	}
	text.WriteString("ET\n")
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n")
	for i, o := range []string{
		"<</Type /Catalog /Pages 2 0 R>>", "<</Type /Pages /Kids [3 0 R] /Count 1>>",
		"<</Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources <</Font <</F1 5 0 R>>>>>>",
		fmt.Sprintf("<</Length %d>>\nstream\n%s\nendstream", text.Len(), text.String()),
		"<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>",
	} {
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	b.WriteString("trailer\n<</Root 1 0 R /Size 6>>\n%%EOF\n")
	return b.String()
}

// sevenZip makes an archive with one entry, stored (7zFormat.txt of the 7-Zip SDK).
func sevenZip(f fileIn) string {
	le := binary.LittleEndian
	num := func(b []byte, n uint64) []byte { return le.AppendUint64(append(b, 0xff), n) }
	size, sum := uint64(len(f.data)), crc32.ChecksumIEEE([]byte(f.data))
	h := []byte{0x01, 0x04, 0x06, 0x00, 0x01, 0x09} // Header, MainStreamsInfo, PackInfo: one stream at 0, its size
	h = append(num(h, size), 0x00)
	h = append(h, 0x07, 0x0b, 0x01, 0x00, 0x01, 0x01, 0x00, 0x0c) // UnPackInfo: one folder, one coder: copy; its size
	h = append(num(h, size), 0x0a, 0x01)
	h = append(le.AppendUint32(h, sum), 0x00, 0x00)
	var name []byte
	for _, c := range append(utf16.Encode([]rune(f.name)), 0) {
		name = le.AppendUint16(name, c)
	}
	h = append(h, 0x05, 0x01, 0x11) // FilesInfo: one file; names
	h = append(num(h, uint64(len(name)+1)), 0x00)
	h = append(append(h, name...), 0x00, 0x00)
	start := le.AppendUint64(nil, size)
	start = le.AppendUint64(start, uint64(len(h)))
	start = le.AppendUint32(start, crc32.ChecksumIEEE(h))
	out := le.AppendUint32([]byte("7z\xbc\xaf\x27\x1c\x00\x04"), crc32.ChecksumIEEE(start))
	return string(append(append(append(out, start...), f.data...), h...))
}

// eml makes a mail with a file attached.
func eml(f fileIn) string {
	var b strings.Builder
	b.WriteString("From: Alice <alice@example.org>\r\nTo: Bob <bob@example.net>\r\nSubject: the file\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/mixed; boundary=\"sep\"\r\n\r\n--sep\r\nContent-Type: text/plain\r\n\r\nHere it is.\r\n--sep\r\nContent-Type: application/octet-stream\r\n" +
		"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"" + f.name + "\"\r\n\r\n")
	for text := base64.StdEncoding.EncodeToString([]byte(f.data)); len(text) > 0; {
		n := min(76, len(text))
		b.WriteString(text[:n] + "\r\n")
		text = text[n:]
	}
	b.WriteString("--sep--\r\n")
	return b.String()
}

// noise is text that packs badly and says nothing.
func noise(n int, seed uint64) string {
	rnd := rand.New(rand.NewPCG(seed, 2))
	const letters = "abcdefghijklmnopqrstuvwxyz     "
	b := make([]byte, n)
	for i := range b {
		if i%60 == 59 {
			b[i] = '\n'
		} else {
			b[i] = letters[rnd.IntN(len(letters))]
		}
	}
	return string(b)
}

// paper is a document with something that must not leave, and its clean twin.
type paper struct{ name, rule, bad, clean string }

// papers makes one of each kind, large enough to be on its way when its end
// comes: size is that of what says nothing in it.
func papers(tb testing.TB, seed uint64, size int) []paper {
	cards := stage.CardList(stage.Cards(12, seed))
	filler := noise(size, seed)
	lines := func(s string) []string { return strings.Split(strings.TrimSpace(s), "\n") }
	list := []paper{
		{"report.docx", "block-cards", docx(tb, filler+cards), docx(tb, filler)},
		{"label.docx", "block-marked", docx(tb, filler, labelled("Highly Confidential")), docx(tb, filler, labelled("Public"))},
		{"clients.xlsx", "block-cards", xlsx(tb, lines(filler+cards)), xlsx(tb, lines(filler))},
		{"letter.pdf", "block-marked", pdf(append([]string{"CONFIDENTIAL"}, lines(filler)...)), pdf(lines(filler))},
		{"all.zip", "block-cards", zipped(tb, fileIn{"a.txt", filler}, fileIn{"in/list.csv", cards}), zipped(tb, fileIn{"a.txt", filler})},
	}
	// Stored, its text would be plain to see: the document within is not.
	list = append(list, paper{"all.7z", "block-cards", sevenZip(fileIn{"report.docx", list[0].bad}), sevenZip(fileIn{"report.docx", list[0].clean})},
		paper{"mail.eml", "block-cards", eml(fileIn{"report.docx", list[0].bad}), eml(fileIn{"report.docx", list[0].clean})})
	return list
}

// writePapers makes uploads of all papers and of their clean twins:
//
//	papers
//
// as N.NAME.bin and N.clean.NAME.bin, requests of HTTP for pcap.
func writePapers(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 0 {
		ts.Fatalf("usage: papers")
	}
	for i, p := range papers(scriptTB{ts: ts}, 21, 5000) {
		for kind, doc := range map[string]string{"bad": p.bad, "clean": p.clean} {
			req := fmt.Sprintf("PUT /%s/%s HTTP/1.1\r\nHost: files.example.test\r\nContent-Length: %d\r\n\r\n%s", kind, p.name, len(doc), doc)
			ts.Check(os.WriteFile(ts.MkAbs(fmt.Sprintf("%s%d.bin", kind, i)), []byte(req), 0o600))
		}
	}
	// One that is cut in the middle, and one that nobody can read.
	whole := docx(scriptTB{ts: ts}, noise(5000, 1))
	ts.Check(os.WriteFile(ts.MkAbs("damaged.bin"), []byte(fmt.Sprintf("PUT /damaged.docx HTTP/1.1\r\nHost: files.example.test\r\nContent-Length: %d\r\n\r\n%s", len(whole)-900, whole[:len(whole)-900])), 0o600))
	secret := "age-encryption.org/v1\n-> X25519 abc\n" + noise(2000, 3)
	ts.Check(os.WriteFile(ts.MkAbs("encrypted.bin"), []byte(fmt.Sprintf("PUT /a.age HTTP/1.1\r\nHost: files.example.test\r\nContent-Length: %d\r\n\r\n%s", len(secret), secret)), 0o600))
}

// scriptTB fails a script where a helper of tests would fail a test.
type scriptTB struct {
	testing.TB
	ts *testscript.TestScript
}

func (s scriptTB) Helper()           {}
func (s scriptTB) Fatal(args ...any) { s.ts.Fatalf("%s", fmt.Sprint(args...)) }
