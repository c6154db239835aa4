package classifiers

import (
	"strings"
	"sync"
	"testing"

	"sluice/internal/hs"
)

var shared = sync.OnceValues(func() (*Catalog, error) {
	return New(Config{Key: [32]byte{1}})
})

// newScanner gives a scanner on the one catalogue that the tests share.
func newScanner(t testing.TB) *Scanner {
	t.Helper()
	if s, err := sharedScanner(); err == nil {
		return s
	}
	t.Fatal("no scanner")
	return nil
}

// sharedScanner is used by one test at a time.
var sharedScanner = sync.OnceValues(func() (*Scanner, error) {
	c, err := shared()
	if err != nil {
		return nil, err
	}
	sc, err := hs.NewScanner()
	if err != nil {
		return nil, err
	}
	return c.NewScanner(sc)
})

func found(res Result, id string, min Confidence) bool {
	for _, f := range res.Findings {
		if f.Detector == id && f.Confidence >= min {
			return true
		}
	}
	return false
}

// hint reports whether a detector is of low confidence always.
func hint(id string) bool {
	switch id {
	case "pii.mac", "pii.url", "pii.date":
		return true
	}
	return strings.HasPrefix(id, "algo.")
}

// TestCases checks every detector against the cases it ships with.
func TestCases(t *testing.T) {
	s := newScanner(t)
	for _, d := range s.c.Detectors() {
		if len(d.Good) == 0 && d.ID != "cred.ftp-pass" { // no text, see TestClearPassword
			t.Errorf("%s has no case to find", d.ID)
		}
		least := Medium
		if hint(d.ID) {
			least = Low
		}
		for _, text := range d.Good {
			if res := s.ScanBytes([]byte(text), ObjectMeta{}); !found(res, d.ID, least) {
				t.Errorf("%s is not found in %q: %+v", d.ID, text, res.Findings)
			}
		}
		for _, text := range d.Bad {
			if res := s.ScanBytes([]byte(text), ObjectMeta{}); found(res, d.ID, least) {
				t.Errorf("%s is found in %q: %+v", d.ID, text, res.Findings)
			}
		}
	}
}

func TestIDs(t *testing.T) {
	for _, id := range IDs() {
		if strings.ToLower(id) != id || strings.Count(id, ".") < 1 {
			t.Errorf("bad id %q", id)
		}
	}
}
