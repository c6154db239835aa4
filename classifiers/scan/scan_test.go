package scan

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/classifiers"
)

// TestMain lets the scoring tool drive the test binary as it drives the command:
// SLUICE_SCAN_JSONL=low|medium|high reads standard input.
func TestMain(m *testing.M) {
	if min, ok := os.LookupEnv("SLUICE_SCAN_JSONL"); ok {
		c, err := classifiers.ParseConfidence(min)
		if err == nil {
			err = ScanJSONL(os.Stdin, os.Stdout, c, 2)
		}
		if err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(2)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestScanJSONL(t *testing.T) {
	in := `{"id":1,"text":"card 4539 5787 6362 1486"}
not json

{"id":"b","text":"nothing here"}
{"id":{"x":[1]}}
{"id":"c","text":"prüf AKIAQYLPMN5HHHFPZAM2"}
`
	var out bytes.Buffer
	if err := ScanJSONL(strings.NewReader(in), &out, classifiers.Medium, 2); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 5 {
		t.Fatalf("%d lines: %s", len(lines), out.String())
	}
	for i, want := range []string{
		`{"id":1,"level":"restricted","findings":[{"detector":"pay.card","start":5,"end":24,"confidence":"high","level":"restricted","tags":["PCI DSS","GLBA"],"masked":"********1486"}]}`,
		`"error":"bad JSON`,
		`{"id":"b","level":"public","findings":[]}`,
		`{"id":{"x":[1]},"findings":[],"error":"no \"text\" in the line"}`,
		`"start":6,"end":26`,
	} {
		if !json.Valid([]byte(lines[i])) || !strings.Contains(lines[i], want) {
			t.Errorf("line %d is %s, want %s", i, lines[i], want)
		}
	}
}

func TestScanPaths(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("a/cards.csv", "name,card\njo,4539578763621486\n")
	write("a/b/clean.txt", "nothing to see")
	write("c.zip", "PK\x03\x04\x14\x00\x01\x00")
	results, err := ScanPaths(context.Background(), []string{dir, filepath.Join(dir, "missing"), "-"}, Options{MinConfidence: classifiers.Medium, Workers: 2, Stdin: strings.NewReader("CONFIDENTIAL\n")})
	if err != nil || len(results) != 5 {
		t.Fatalf("%v, %+v", err, results)
	}
	var text, js bytes.Buffer
	for _, p := range []Printer{TextPrinter(&text, false), JSONPrinter(&js)} {
		for i := range results {
			if err := p.File(&results[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.End(); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"cards.csv: RESTRICTED (text/plain", "pay.card", "********1486", "c.zip: unscannable: encrypted", "file.encrypted-archive", "missing: open", "-: CONFIDENTIAL", "5 files scanned, 3 with findings, 1 unscannable, 1 not readable"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	if strings.Contains(text.String()+js.String(), "4539578763621486") || strings.Contains(text.String(), "\x1b") {
		t.Error("the output shows a value, or colours")
	}
	for _, l := range strings.Split(strings.TrimSpace(js.String()), "\n") {
		if !json.Valid([]byte(l)) {
			t.Errorf("bad JSON: %s", l)
		}
	}
	var order []string
	each := Options{Workers: 4, Each: func(r *FileResult) error { order = append(order, r.Path); return nil }}
	if kept, err := ScanPaths(context.Background(), []string{dir, filepath.Join(dir, "missing")}, each); err != nil || kept != nil || len(order) != 4 {
		t.Fatalf("%v, %v, %v", kept, err, order)
	}
	for i := range order {
		if order[i] != results[i].Path {
			t.Errorf("%q came in place of %q", order[i], results[i].Path)
		}
	}
	stop := errors.New("enough")
	each.Each = func(*FileResult) error { return stop }
	if _, err := ScanPaths(context.Background(), []string{dir}, each); !errors.Is(err, stop) {
		t.Errorf("an error of Each gives %v", err)
	}
	if _, err := ScanPaths(context.Background(), []string{dir}, Options{MaxFiles: 1}); !errors.Is(err, ErrTooManyFiles) {
		t.Errorf("%v", err)
	}
}
