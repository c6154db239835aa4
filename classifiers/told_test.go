package classifiers

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestClearPassword holds the finding that parsers make, which has no text.
func TestClearPassword(t *testing.T) {
	s := newScanner(t)
	res := s.ClearPassword("anna.nowak@example.org", Medium)
	if c := countOf(res, "cred.ftp-pass"); len(res.Counts) != 1 || c.Total[High] != 1 || c.Level != Confidential || !slices.Contains(c.Tags, "PCI DSS 8.3.2") {
		t.Errorf("%+v", res)
	}
	if a, b := res.Findings[0].Hash, s.ClearPassword("someone", Medium).Findings[0].Hash; a == b {
		t.Error("two logins are one")
	}
	off, err := New(Config{Disabled: []string{"cred.*", "file.*"}})
	if err != nil {
		t.Fatal(err)
	}
	defer off.Close()
	o, err := off.NewScanner(s.sc)
	if err != nil {
		t.Fatal(err)
	}
	if r := o.ClearPassword("x", Medium); len(r.Counts) != 0 {
		t.Errorf("switched off: %+v", r)
	}
	if r := o.Encrypted(Medium); len(r.Counts) != 0 {
		t.Errorf("switched off: %+v", r)
	}
}

// TestWeigh holds that many values weigh more than each of the parts that they are from.
func TestWeigh(t *testing.T) {
	s := newScanner(t)
	n := func(d string, unique uint32) Result {
		r := Result{Counts: []Count{{Detector: d, Level: Internal, Confidence: High, Unique: [3]uint32{unique, unique, unique}}}}
		s.Weigh(&r)
		return r
	}
	for _, x := range []struct {
		detector string
		unique   uint32
		want     Level
	}{{"ip.source", 19, Internal}, {"ip.source", 20, Confidential}, {"bulk.contacts", 49, Internal}, {"bulk.contacts", 50, Confidential}, {"bulk.contacts", 1000, Restricted}} {
		if r := n(x.detector, x.unique); r.Level != x.want || r.Counts[0].Level != x.want {
			t.Errorf("%d of %s: %v, want %v", x.unique, x.detector, r.Level, x.want)
		}
	}
}

// TestListed holds that every detector of the product's list exists.
func TestListed(t *testing.T) {
	f, err := os.Open(filepath.Join("..", "..", "shared", "data", "dlp", "detectors.md"))
	if os.IsNotExist(err) {
		t.Skip("no ../shared/data/dlp/detectors.md beside the checkout")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ids := IDs()
	listed := 0
	for r := bufio.NewScanner(f); r.Scan(); {
		id, _, ok := strings.Cut(strings.TrimPrefix(r.Text(), "| `"), "` |")
		if !ok || !strings.HasPrefix(r.Text(), "| `") {
			continue
		}
		listed++
		if !slices.Contains(ids, id) {
			t.Errorf("no detector %s", id)
		}
	}
	if listed != 196 {
		t.Errorf("the list has %d detectors, want 196", listed)
	}
}
