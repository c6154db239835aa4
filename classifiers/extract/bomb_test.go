package extract

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// bounded reads b and fails when that takes long or much memory.
func bounded(t *testing.T, b []byte, name string, l Limits) got {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	g := read(t, b, name, l)
	runtime.ReadMemStats(&after)
	if d := time.Since(start); d > 8*time.Second {
		t.Errorf("%s took %v", name, d)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<30 {
		t.Errorf("%s allocated %d MiB", name, n>>20)
	}
	return g
}

func TestBombs(t *testing.T) {
	f := func(name string, b []byte, l Limits, want Reason) {
		t.Helper()
		g := bounded(t, b, name, l)
		if !strings.Contains(","+g.reasons()+",", ","+string(want)+",") {
			t.Errorf("%s: %v, want %s", name, g.res.Unscannable, want)
		}
	}
	zeros := make([]byte, 40<<20)
	f("zeros.gz", gzipOf(zeros), Limits{}, Ratio)
	f("zeros.zip", zipOf(t, entry{"zeros", string(zeros)}), Limits{}, Ratio)
	f("zeros.docx", docx(t, string(zeros)), Limits{}, Ratio)

	// Flat bombs stay below the ratio and add up.
	var many []entry
	for i := range 40 {
		many = append(many, entry{fmt.Sprint(i), strings.Repeat("0123456789abcdef", 4000)})
	}
	f("flat.zip", zipOf(t, many...), Limits{MaxBytes: 1 << 20}, TooLarge)
	for i := range 200 {
		many = append(many, entry{fmt.Sprint("empty", i), ""})
	}
	f("entries.zip", zipOf(t, many...), Limits{MaxEntries: 100}, Entries)
	f("text.zip", zipOf(t, many...), Limits{MaxText: 1 << 16}, TooLarge)

	// One file inside all others: the entries share their bytes.
	nest := []byte("core")
	for i := range 12 {
		nest = zipOf(t, entry{fmt.Sprintf("%d.zip", i), string(nest)})
	}
	f("nest.zip", nest, Limits{}, TooDeep)
	nest = []byte("core")
	for range 40 {
		nest = gzipOf(nest)
	}
	f("nest.gz", nest, Limits{}, TooDeep)
	// Wide and deep: 16 copies at each of 6 levels are sixteen million.
	wide := []byte("leaf")
	for range 6 {
		var e []entry
		for i := range 16 {
			e = append(e, entry{fmt.Sprint(i, ".zip"), string(wide)})
		}
		wide = zipOf(t, e...)
	}
	f("wide.zip", wide, Limits{MaxEntries: 5000}, Entries)

	xmlNest := strings.Repeat("<w:tbl>", 200000)
	bounded(t, docx(t, xmlNest), "deep.docx", Limits{})
	bounded(t, []byte("{\\rtf1 "+strings.Repeat("{", 1<<20)), "deep.rtf", Limits{})
	bounded(t, []byte("%PDF-1.7\n1 0 obj\n"+strings.Repeat("[", 1<<20)), "deep.pdf", Limits{})
	bounded(t, []byte("%PDF-1.7\n1 0 obj\n"+strings.Repeat("<</A ", 1<<18)), "deepdict.pdf", Limits{})
	bounded(t, []byte("<html>"+strings.Repeat("<div>", 1<<18)), "deep.html", Limits{})
	bounded(t, []byte(`<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><l>&b;&b;</l>`), "laughs.xml", Limits{})

	// A shared string that every cell shows.
	cells := strings.Repeat(`<c t="s"><v>0</v></c>`, 100000)
	f("shared.xlsx", xlsx(t, `<sheet name="a" r:id="r1"/>`, "<row>"+cells+"</row>", "<si><t>"+strings.Repeat("x", 10000)+"</t></si>"), Limits{MaxText: 8 << 20, MaxRatio: 100000}, TooLarge)
}

// TestQuine: an archive that contains itself ends at the depth limit. This is
// Russ Cox's gzip quine's idea by other means: a zip whose entry is found to be
// the archive again through its own bytes would need the exact fixed point; the
// labelled documents hold a real one (quine.gz, droste.zip), which
// TestCorpusAll reads. Here a page of a PDF attaches the PDF to itself.
func TestQuine(t *testing.T) {
	pdf := pdfOf("<</Type/Catalog/Pages 2 0 R>>", "<</Kids[3 0 R 2 0 R]>>", "<</Type/Page/Contents 4 0 R/Resources<</XObject<</X 5 0 R>>>>>>",
		pdfStreamOf("", "/X Do /X Do"), pdfStreamOf("/Subtype/Form/Resources<</XObject<</X 5 0 R>>>>", "/X Do /X Do (x) Tj"),
		"<</Type/Filespec/F(a)/EF<</F 7 0 R>>>>", "<</Length 7 0 R>>\nstream\nx\nendstream")
	bounded(t, pdf, "self.pdf", Limits{})
}

// TestClaims: sizes that a header claims are not believed.
func TestClaims(t *testing.T) {
	le := binary.LittleEndian
	z := zipOf(t, entry{"a.txt", "text"})
	i := bytes.Index(z, []byte("PK\x01\x02"))
	le.PutUint32(z[i+24:], 0xfffffff0)
	bounded(t, z, "claim.zip", Limits{})

	// lzma: a dictionary of 4 GiB less one.
	lz := append([]byte{0x5d, 0, 0, 0, 0xff}, bytes.Repeat([]byte{0xff}, 8)...)
	if g := bounded(t, append(lz, make([]byte, 64)...), "a.lzma", Limits{}); g.reasons() != "too-large" {
		t.Errorf("lzma: %v", g.res)
	}

	// rar 5: a file header that asks for a 4 GiB dictionary.
	if g := bounded(t, rar5(15), "a.rar", Limits{}); g.reasons() != "too-large" {
		t.Errorf("rar: %v, want too-large", g.res)
	}

	// 7z: a folder coded with a dictionary of 4 GiB, and a directory of 1 GiB.
	if g := bounded(t, sevenOf([]byte("\x01\x04\x06\x00\x01\x09\x08\x00\x07\x0b\x01\x00\x01\x23\x03\x01\x01\x05\x5d\xff\xff\xff\xff\x0c\x08\x00\x00\x00")), "a.7z", Limits{}); g.reasons() != "too-large" {
		t.Errorf("7z: %v, want too-large", g.res)
	}
	big := sevenOf([]byte("\x01"))
	le.PutUint64(big[20:], 1<<30)
	if g := bounded(t, big, "a.7z", Limits{}); g.reasons() != "too-large" {
		t.Errorf("7z: %v, want too-large", g.res)
	}

	// A compound file whose tables point in circles.
	c := cfbOf(entry{"WordDocument", strings.Repeat("x", 5000)})
	for k := 512; k+4 <= len(c); k += 4 {
		if v := le.Uint32(c[k:]); v == cfbEnd {
			le.PutUint32(c[k:], 0)
		}
	}
	bounded(t, c, "loop.doc", Limits{})

	// PNG and TIFF with lengths beyond the end.
	bounded(t, []byte("\x89PNG\r\n\x1a\n\xff\xff\xff\xfftEXtA\x00b"), "a.png", Limits{})
	tiff := []byte("II*\x00\x08\x00\x00\x00\xff\xff")
	bounded(t, append(tiff, make([]byte, 12)...), "a.tif", Limits{})
}

// rar5 builds an archive with one stored entry whose compression information
// claims a dictionary of 128 KiB << power.
func rar5(power uint64) []byte {
	block := func(body []byte) []byte {
		b := append(vint(uint64(len(body))), body...)
		return append(binary.LittleEndian.AppendUint32(nil, crc32IEEE(b)), b...)
	}
	out := []byte("Rar!\x1a\x07\x01\x00")
	out = append(out, block(append(append(vint(1), vint(0)...), vint(0)...))...) // main header
	data := []byte("data")
	body := append(vint(2), vint(2)...)                 // file header, has data
	body = append(body, vint(uint64(len(data)))...)     // size of the data
	body = append(body, vint(0)...)                     // file flags
	body = append(body, vint(5<<30)...)                 // unpacked size, as claimed
	body = append(body, vint(0)...)                     // attributes
	body = append(body, vint(power<<10|3<<7)...)        // method 3, dictionary
	body = append(body, vint(1)...)                     // host
	body = append(append(body, vint(1)...), 'a')        // name
	return append(append(out, block(body)...), data...) // no end block
}

// sevenOf wraps a header and eight bytes of data.
func sevenOf(header []byte) []byte {
	le := binary.LittleEndian
	start := le.AppendUint64(nil, 8)
	start = le.AppendUint64(start, uint64(len(header)))
	start = le.AppendUint32(start, crc32IEEE(header))
	out := le.AppendUint32([]byte("7z\xbc\xaf\x27\x1c\x00\x04"), crc32IEEE(start))
	return append(append(append(out, start...), make([]byte, 8)...), header...)
}

func vint(v uint64) []byte { return binary.AppendUvarint(nil, v) }

func crc32IEEE(b []byte) uint32 {
	crc := ^uint32(0)
	for _, c := range b {
		crc ^= uint32(c)
		for range 8 {
			crc = crc>>1 ^ 0xedb88320&-(crc&1)
		}
	}
	return ^crc
}

// TestTimeLimit: a document that would take long ends in time.
func TestTimeLimit(t *testing.T) {
	content := strings.Repeat("BT (aaaaaaaa) Tj 1 0 Td ET ", 400000)
	objs := []string{"<</Type/Catalog/Pages 2 0 R>>", "<</Kids[" + strings.Repeat("3 0 R 5 0 R 6 0 R ", 3) + "]>>"}
	for range 4 {
		objs = append(objs, "<</Type/Page/Contents 7 0 R>>")
	}
	objs = append(objs, pdfStreamOf("/Filter/FlateDecode", deflated(content)))
	start := time.Now()
	g := read(t, pdfOf(objs...), "slow.pdf", Limits{MaxTime: 50 * time.Millisecond, MaxRatio: 1 << 40})
	if d := time.Since(start); d > 2*time.Second || !strings.Contains(g.reasons(), "timeout") {
		t.Errorf("%v after %v", g.res.Unscannable, d)
	}
}

// TestDataURL: pages carry files in their attributes.
func TestDataURL(t *testing.T) {
	page := `<html><img src="data:application/zip;base64,` + base64.StdEncoding.EncodeToString(zipOf(t, entry{"a.txt", "carried away"})) + `"></html>`
	if g := read(t, []byte(page), "a.html", Limits{}); !strings.Contains(g.kinds[Text], "carried away") {
		t.Errorf("%v", g)
	}
}
