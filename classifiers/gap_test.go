package classifiers

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
)

// TestGap holds that nothing is joined over a hole, that what stands before and
// after is found, and that offsets go on.
func TestGap(t *testing.T) {
	s := newScanner(t)
	scan := func(a string, n uint64, b string) []Finding {
		st := s.Open(ObjectMeta{MinConfidence: Medium})
		for i, part := range []string{a, b} {
			base := st.Size()
			hits, err := s.sc.Scan(s.c.block, []byte(part))
			if err != nil {
				t.Fatal(err)
			}
			hits = slices.Clone(hits)
			for k := range hits {
				hits[k].To += base
			}
			s.Write(st, []byte(part), hits)
			if i == 0 {
				s.Gap(st, n)
			}
		}
		return s.Close(st).Findings
	}
	if f := scan("card 4539 5787", 1, " 6362 1486 exp"); len(f) != 0 {
		t.Errorf("joined over a hole: %+v", f)
	}
	f := scan("card 4539 5787 6362 1486", 5000, "visa 4539578763621486 exp")
	if len(f) != 2 || f[0].Start != 5 || f[1].Start != 24+5000+5 {
		t.Errorf("found %+v", f)
	}
	b := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("the card number is 4539578763621486 expires 12/29, ", 4)))
	if f := scan(b, 77, b); len(f) != 8 || f[4].Start != f[0].Start+uint64(len(b))+77 {
		t.Errorf("found %+v", f)
	}
}
