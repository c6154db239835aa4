package extract

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"
)

// corpus locates the labelled documents beside the repository.
func corpus(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir = filepath.Dir(dir); dir == "/" {
			t.Skip("not inside a module")
		}
	}
	c := filepath.Join(filepath.Dir(dir), "shared/data/dlp")
	if _, err := os.Stat(filepath.Join(c, "documents")); err != nil {
		t.Skip("the labelled documents (../shared/data/dlp) are not here")
	}
	return c
}

func rows(t *testing.T, path string) [][]string {
	t.Helper()
	var out [][]string // not quoted: lines and tabs
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range strings.Split(strings.TrimRight(string(b), "\n"), "\n")[1:] {
		out = append(out, strings.Split(l, "\t"))
	}
	return out
}

// reading is what one document gave.
type reading struct {
	all   string // all text, in order, with names and paths
	shown string // what a reader of the document sees
	props string
	res   Result
	took  time.Duration
}

var readings = map[string]*reading{}

func readFile(t testing.TB, root, file string) *reading {
	t.Helper()
	if r, ok := readings[file]; ok {
		return r
	}
	b, err := os.ReadFile(filepath.Join(root, "documents", file))
	if err != nil {
		t.Fatal(err)
	}
	r := &reading{}
	var all, shown, props bytes.Buffer
	start := time.Now()
	r.res, err = Bytes(context.Background(), b, filepath.Base(file), Limits{}, func(p Part) error {
		all.WriteString("\n" + p.Path + "\n")
		all.Write(p.Text)
		if p.Kind != Hidden && p.Kind != Raw && p.Kind != Metadata {
			shown.Write(p.Text)
		}
		if p.Kind == Properties || p.Kind == Metadata {
			props.Write(p.Text)
		}
		return nil
	})
	if err != nil {
		t.Errorf("%s: %v", file, err)
	}
	r.took = time.Since(start)
	r.all, r.shown, r.props = all.String(), shown.String(), props.String()
	readings[file] = r
	return r
}

// folded makes texts comparable that differ in white space only.
func folded(s string) string { return strings.Join(strings.Fields(s), " ") }

// notText are assertions about something other than a document's own text,
// each with the reason.
func notText(file, text, source string) string {
	for part, why := range map[string]string{
		`class="`: "markup of Tika", `id="`: "markup of Tika", `src="data:"`: "markup of Tika",
		"OCR-PAGE-": "text injected by a mock", "java.lang.": "exception of a mock", "TikaMemoryLimitException": "exception of Tika",
		"EncryptedDocumentException": "exception of Tika", "Unknown dir": "exception of Tika", "ABCDEE+": "name of a font",
	} {
		if strings.Contains(text, part) {
			return why
		}
	}
	for part, why := range map[string]string{
		"JBIG2": "pixels", "TesseractOCR": "pixels", "#testOCRNoText": "pixels", "testDWGReadexe": "output of an external program",
		"testUnicodePassword": "needs a password", "testCustomizingDelimiter": "name of a delimiter, not in the file", "testDuplicateOverlapping": "two ways to leave out what is shown twice",
		"testSortByPosition": "an order of columns that the default excludes", "PhoneExtracting": "numbers normalised by a detector",
	} {
		if strings.Contains(source, part) {
			return why
		}
	}
	if strings.Contains(source, "testTurningOffBookmarks") && !strings.Contains(text, "Denmark") {
		return "text of another file" // the table's slip: this one has two lines
	}
	return ""
}

func wanted(text string) string {
	r := strings.NewReplacer(`\t`, " ", `\n`, " ", `\r`, " ", `\\`, `\`)
	text = r.Replace(text)
	text = strings.NewReplacer("&gt;", ">", "&lt;", "<", "&amp;", "&").Replace(text)
	for _, m := range []string{`href="`, `>`} {
		// Tika's assertions are about its markup: what stands inside counts.
		if rest, ok := strings.CutPrefix(text, m); ok {
			text = rest
		}
	}
	return folded(text)
}

// textFloor and typeFloor are what the readers reach on the labelled half of
// the documents; falling below is a regression.
const (
	textFloor = 0.95
	typeFloor = 0.95
)

func TestCorpusText(t *testing.T) {
	root := corpus(t)
	list := rows(t, filepath.Join(root, "texts/doc_text_asserts.tsv"))
	must := map[string]bool{}
	for _, r := range list {
		if r[1] == "1" {
			must[r[0]+"\t"+r[2]] = true
		}
	}
	var held, all, skipped int
	apart := map[string]int{}
	for _, r := range list {
		file, text := r[0], r[2]
		// What one configuration of Tika must show another must hide; all is shown here.
		hides := r[1] == "0"
		if hides {
			conflict := false
			for k := range must {
				f, m, _ := strings.Cut(k, "\t")
				conflict = conflict || f == file && strings.Contains(m, text)
			}
			if conflict || strings.Contains(r[3], "TurningOff") || strings.Contains(r[3], "NoText") || strings.Contains(r[3], "Runtime") || strings.Contains(r[3], "testWriteLimit") || strings.Contains(r[3], "Multipart") || strings.Contains(r[3], "Timeout") {
				skipped++
				continue
			}
		}
		if why := notText(file, text, r[3]); why != "" {
			skipped++
			apart[why]++
			continue
		}
		all++
		in := readFile(t, root, file)
		where := in.all
		if hides {
			where = in.shown
		}
		got := strings.Contains(folded(where), wanted(text))
		if got != hides {
			held++
		} else {
			t.Logf("%s: contains %q = %v (%s)", file, text, got, filepath.Base(r[3]))
		}
	}
	share := float64(held) / float64(all)
	t.Logf("text: %d of %d hold (%.1f %%), %d left out: %d contradict others, the rest %v", held, all, 100*share, skipped, skipped-sum(apart), apart)
	if share < textFloor {
		t.Errorf("text assertions: %.3f, want at least %.3f", share, textFloor)
	}
}

func sum(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

// sameType tells whether our type satisfies Tika's: it has names of its own
// for families of which content tells the member.
func sameType(got, want, file string) bool {
	if got == want {
		return true
	}
	switch want {
	case "application/x-tika-ooxml":
		return strings.Contains(got, "openxmlformats") || strings.Contains(got, "vnd.ms-")
	case "application/x-tika-msoffice":
		return strings.HasPrefix(got, "application/vnd.ms-") || got == typeDoc
	case "application/zip":
		return strings.Contains(got, "openxmlformats") || strings.Contains(got, "vnd.apple.")
	}
	return false
}

func TestCorpusType(t *testing.T) {
	root := corpus(t)
	var held, all int
	for _, r := range rows(t, filepath.Join(root, "texts/doc_type_asserts.tsv")) {
		if !strings.Contains(r[1], "/") {
			continue // a slip of the table: no media type
		}
		all++
		b, err := os.ReadFile(filepath.Join(root, "documents", r[0]))
		if err != nil {
			t.Fatal(err)
		}
		got := Type(bytes.NewReader(b), int64(len(b)), filepath.Base(r[0]))
		if sameType(got, r[1], r[0]) {
			held++
		} else {
			t.Logf("%s: %s, want %s (%s)", r[0], got, r[1], r[2])
		}
	}
	share := float64(held) / float64(all)
	t.Logf("types: %d of %d hold (%.1f %%)", held, all, 100*share)
	if share < typeFloor {
		t.Errorf("type assertions: %.3f, want at least %.3f", share, typeFloor)
	}
}

func TestCorpusProperties(t *testing.T) {
	root := corpus(t)
	opened := 0
	for _, r := range rows(t, filepath.Join(root, "texts/doc_properties.tsv")) {
		got := readFile(t, root, r[0])
		enc := false
		for _, u := range got.res.Unscannable {
			enc = enc || u.Reason == Encrypted
		}
		switch {
		case r[1] == "1" && !enc:
			if strings.HasSuffix(r[0], ".pdf") && len(got.res.Unscannable) == 0 && got.res.Text > 0 {
				// Opens with the empty password: anyone can read it, and so did we.
				opened++
				t.Logf("%s: opened with the empty password, %d bytes of text", r[0], got.res.Text)
				continue
			}
			t.Errorf("%s: not told as encrypted: %v", r[0], got.res.Unscannable)
		case r[1] == "0" && enc:
			t.Errorf("%s: told as encrypted, is not (%s)", r[0], r[2])
		}
		if _, id, ok := strings.Cut(r[3], ":"); ok && !strings.Contains(got.props, "MSIP_Label_"+id) {
			t.Errorf("%s: label %s not found", r[0], id)
		}
	}
	t.Logf("%d documents opened with the empty password", opened)
}

// TestCorpusAll reads every document: none may crash, none may be slow.
func TestCorpusAll(t *testing.T) {
	root := corpus(t)
	debugPanics = true
	defer func() { debugPanics = false }()
	reasons := map[Reason][]string{}
	types := map[string][]string{}
	var total time.Duration
	err := filepath.WalkDir(filepath.Join(root, "documents"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "SOURCE.txt") || strings.HasSuffix(path, "manifest.tsv") {
			return err
		}
		file, _ := filepath.Rel(filepath.Join(root, "documents"), path)
		r := readFile(t, root, file)
		total += r.took
		if r.took > 3*time.Second {
			t.Errorf("%s took %v", file, r.took)
		}
		for _, u := range r.res.Unscannable {
			reasons[u.Reason] = append(reasons[u.Reason], u.Path)
		}
		types[r.res.Type] = append(types[r.res.Type], file)
		if strings.HasPrefix(file, "cad/") && (r.res.Type == typePlain || r.res.Type == typeUnknown) {
			t.Errorf("%s: told as %s", file, r.res.Type)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for why, list := range reasons {
		sort.Strings(list)
		t.Logf("%s: %s", why, strings.Join(list, ", "))
	}
	if testing.Verbose() {
		for typ, list := range types {
			t.Logf("%s: %s", typ, strings.Join(list, " "))
		}
	}
	t.Logf("%v in all", total)
}

// TestCorpusPool: a sandboxed child reads the same out of every document as the
// function does here.
func TestCorpusPool(t *testing.T) {
	root := corpus(t)
	p := testPool(t, "serve")
	n := 0
	start := time.Now()
	for file, want := range readings {
		b, err := os.ReadFile(filepath.Join(root, "documents", file))
		if err != nil {
			t.Fatal(err)
		}
		var all bytes.Buffer
		res, err := p.Extract(context.Background(), bytes.NewReader(b), int64(len(b)), filepath.Base(file), Limits{}, func(p Part) error {
			all.WriteString("\n" + p.Path + "\n")
			all.Write(p.Text)
			return nil
		})
		n++
		if err != nil || all.String() != want.all || res.Type != want.res.Type || len(res.Unscannable) != len(want.res.Unscannable) {
			t.Errorf("%s: %v, %s, %d bytes of %d, %v", file, err, res.Type, all.Len(), len(want.all), res.Unscannable)
		}
	}
	if n > 0 {
		t.Logf("%d documents, %v each, %+v", n, time.Since(start)/time.Duration(n), p.Stats())
	}
}
