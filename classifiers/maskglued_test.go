package classifiers

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestMaskGlued holds that card numbers within tokens are masked, and most other
// digits are not.
func TestMaskGlued(t *testing.T) {
	s := newScanner(t)
	f := func(in, want string) {
		t.Helper()
		if got, changed := s.MaskText([]byte(in)); string(got) != want || changed != (in != want) {
			t.Errorf("%q became %q, not %q", in, got, want)
		}
		if len(s.ScanBytes([]byte(in), ObjectMeta{MinConfidence: Medium}).Findings) > 0 {
			t.Errorf("%q is a finding", in)
		}
	}
	f("card4532016630494032.evil.example", "card************4032.evil.example")
	f("card-4532016630494032.evil.example", "card-************4032.evil.example")
	f("x_4532016630494032_y", "x_************4032_y")
	f("a4532-0166-3049-4032b.example", "a****-****-****-4032b.example")
	f("q378282246310005q", "q***********0005q")
	f("card4532016630494033.evil.example", "card4532016630494033.evil.example")   // no check digit
	f("card45320166304940321.evil.example", "card45320166304940321.evil.example") // a longer number
	f("card1532016630494035.evil.example", "card1532016630494035.evil.example")   // no scheme
	f("r=0.4532016630494032", "r=0.4532016630494032")                             // a decimal
	f("d41d8cd94532016630494032e9800998", "d41d8cd94532016630494032e9800998")     // a hash
	f("a4532-0166-3049-40321b.example", "a4532-0166-3049-40321b.example")         // longer
	f("a4532-0166.3049-4032b.example", "a4532-0166.3049-4032b.example")           // not one separator
	f("t1700000000000000000x", "t1700000000000000000x")
	f("4532", "4532")
	f("a4532-0166-3049-403", "a4532-0166-3049-403")
	// Of other numbers of that length one in fifty is taken for one, by chance.
	r := rand.New(rand.NewPCG(1, 2))
	n := 0
	for range 10000 {
		if maskGlued(fmt.Appendf(nil, "id%016d.example", r.Uint64N(1e16)), nil) != nil {
			n++
		}
	}
	if n > 300 {
		t.Errorf("%d of 10000 are masked", n)
	}
}
