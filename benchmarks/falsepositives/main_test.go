package main

import (
	"os"
	"path/filepath"
	"testing"

	"sluice/classifiers"
	"sluice/dataplane/policy"
	"sluice/internal/hs"
)

func TestTestMaterial(t *testing.T) {
	for path, want := range map[string]bool{
		"/usr/share/doc/x/README":       false,
		"/src/crypto/x509/root.go":      false,
		"/src/crypto/x509/root_test.go": true,
		"/src/testdata/key.pem":         true,
		"/doc/lib/examples/rsakey.pem":  true,
		"/src/latest/attested.go":       false,
	} {
		if got := testMaterial(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func TestReportCountsAndDecides(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"note.txt": "write to jane.doe@mail.example.org today\n", "plain.txt": "nothing here\n",
		"x_test.txt": "visa card 4539578763621486\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cat, err := classifiers.New(classifiers.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer cat.Close()
	sc, err := hs.NewScanner()
	if err != nil {
		t.Fatal(err)
	}
	defer sc.Close()
	s, err := cat.NewScanner(sc)
	if err != nil {
		t.Fatal(err)
	}
	r := report{scanner: s, policy: policy.Default(), by: map[string]*detector{}, decided: map[string]int{}}
	if err := r.folder(dir, 0); err != nil {
		t.Fatal(err)
	}
	if r.files != 3 {
		t.Errorf("%d files", r.files)
	}
	if d := r.by["pii.email"]; d == nil || d.n[0][classifiers.High] != 1 || d.n[1][classifiers.High] != 0 {
		t.Errorf("mail addresses: %+v", d)
	}
	if d := r.by["pay.card"]; d == nil || d.n[1][classifiers.Medium] == 0 || d.n[0][classifiers.Medium] != 0 {
		t.Errorf("cards: %+v", d)
	}
	if r.decided["block by block-restricted (test material)"] != 1 {
		t.Errorf("decided %v", r.decided)
	}
}
