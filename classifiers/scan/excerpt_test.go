package scan

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sluice/classifiers"
	"sluice/internal/hs"
)

// TestExcerptsShowNoValue holds that a value found is never shown, however many
// stand beside each other and whatever stands between them.
func TestExcerptsShowNoValue(t *testing.T) {
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
	values := []string{"4539578763621486", "4716461583322103", "AKIAQYLPMN5HHHFPZAM2", "DE89370400440532013000"}
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		for range rapid.IntRange(1, 12).Draw(t, "n") {
			fmt.Fprintf(&b, "%s%s", rapid.SampledFrom([]string{" card number ", "; ", "\n", " größer \x1b[2J ", ", iban ", " key = "}).Draw(t, "between"), rapid.SampledFrom(values).Draw(t, "value"))
		}
		data := []byte(b.String())
		res := s.ScanBytes(data, classifiers.ObjectMeta{MinConfidence: classifiers.Medium})
		for i, x := range excerpts(s, bytes.NewReader(data), res.Findings) {
			for _, v := range values {
				if strings.Contains(x, v) {
					t.Fatalf("%q shows a value", x)
				}
			}
			if strings.ContainsAny(x, "\x1b\n\r") || !strings.Contains(x, res.Findings[i].Masked) {
				t.Fatalf("%q", x)
			}
		}
	})
}
