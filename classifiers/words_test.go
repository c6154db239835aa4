package classifiers

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"sluice/internal/spots"
)

// mixedText is words in several scripts and cases, numbers, markup and noise.
func mixedText(rnd *rand.Rand, n int) []byte {
	pieces := []string{"card", "Cards", "creditCard", "IBAN", "social security", "née le", "НОМЕР", "карта", "身份证", "カード", "ÜBERWEISUNG", "überweisung", "e\u0301", "x", "HTTPServer", " ", "  ", "\n", ".", "-", "_", "9", "12", "0x", "\u00a0", "·", "…", "\xc3", "\xe2\x80", "\xff", "\x00",
		"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcd", "aVeryLongNameThatGoesOnAndOnUntilNobodyReadsItAnyMoreAndStillGoesOn", "telephones", "phone numbers", "\u200b", "１２", "４４４", "＋", "ſ", "K",
		"&#52;", "&nbsp;9", "&commat;", "&shy", "&shy;", "=3D", "=2D8", "a line that is longer than sixty characters, as encoders make th=\r\n", "+ADQAMAAx-", "%2D",
		"9<b>", "</b>", "1<!--", "-->", "<span class='x'>2", "</td><td>"}
	var b bytes.Buffer
	for b.Len() < n {
		switch rnd.IntN(4) {
		case 0:
			b.WriteByte(byte(rnd.Uint32()))
		case 1:
			b.WriteByte(' ')
		default:
			b.WriteString(pieces[rnd.IntN(len(pieces))])
		}
	}
	return b.Bytes()
}

// knownWord reports whether a word may matter to the lexicon: as it stands, without
// a plural's s, or before a hump.
func knownWord(x *lexicon, b []byte, start, end int, h uint64) bool {
	if _, ok := x.first.get(h); ok {
		return true
	}
	if end-start > 3 && b[end-1]|0x20 == 's' && h != 0 {
		one := wordReader{b: b[start : end-1]}
		_, _, h, _ = one.next()
		if _, ok := x.first.get(h); ok {
			return true
		}
	}
	return end < len(b) && b[end] >= 'A' && b[end] <= 'Z'
}

func TestQuickReadingMissesNoWord(t *testing.T) {
	s := newScanner(t)
	x := &s.c.words
	type word struct {
		start, end int
		hash       uint64
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for round := range 2000 {
		b := mixedText(rnd, 1+rnd.IntN(600))
		stop := rnd.IntN(len(b) + 1)
		var want, got []word
		for r := (wordReader{b: b}); ; {
			start, end, h, ok := r.next()
			if !ok || start >= stop {
				break
			}
			if knownWord(x, b, start, end, h) {
				want = append(want, word{start, end, h})
			}
		}
		for r := (wordReader{b: b}); ; {
			start, end, h, ok := r.nextOf(&x.first, stop)
			if !ok || start >= stop {
				break
			}
			if knownWord(x, b, start, end, h) {
				got = append(got, word{start, end, h})
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("round %d: words of %q before %d: got %v, want %v", round, b, stop, got, want)
		}
	}
}

func TestWordsAreSplit(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		var got []string
		for r := (wordReader{b: []byte(text)}); ; {
			start, end, _, ok := r.next()
			if !ok {
				break
			}
			got = append(got, text[start:end])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	f("")
	f("12 34")
	f("one two", "one", "two")
	f("creditCardNumber", "credit", "Card", "Number")
	f("HTTPServer", "HTTPServer")
	f("née le 12", "née", "le")
	f("\xffab\xc3", "ab")
	f("eightabc12345678", "eightabc")
	f("über_alles", "über", "alles")
}

func TestHashesIgnoreCase(t *testing.T) {
	hash := func(s string) uint64 {
		r := wordReader{b: []byte(s)}
		_, _, h, _ := r.next()
		return h
	}
	for _, p := range [][2]string{{"card", "CARD"}, {"mastercard", "MASTERCARD"}, {"überweisung", "ÜBERWEISUNG"}, {"eightabc", "EIGHTABC"}, {"карта", "КАРТА"}} {
		if hash(p[0]) != hash(p[1]) || hash(p[0]) == hash(p[0]+"x") {
			t.Errorf("hashes of %q and %q", p[0], p[1])
		}
	}
}

// TestFoldingsBeginAtPlaces holds that nothing worth unfolding is passed by.
func TestFoldingsBeginAtPlaces(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	var found [nFolds]int
	var m spots.Map
	for range 5000 {
		b := mixedText(rnd, 1+rnd.IntN(200))
		m.Find(b, 0)
		for k, f := range foldings {
			for i, c := range b {
				if k != 3 && c != "&=+ <"[k] || k == 3 && c < 0xc2 || !f.worth(b, i) {
					continue
				}
				found[k]++
				if m.Next(f.begins, i, len(b)) != i {
					t.Fatalf("%s at %d of %q is no place", f.name, i, b)
				}
			}
		}
	}
	for k, n := range found {
		if n < 100 {
			t.Errorf("only %d places of %s", n, foldings[k].name)
		}
	}
}

func TestOddCharactersArePlaces(t *testing.T) {
	var m spots.Map
	for r := rune(0x80); r < 0x20000; r++ {
		p := plain(r)
		if p == r || p != 0 && (p < '0' || p > '9') {
			continue
		}
		b := []byte("x" + string(r) + "1")
		if m.Find(b, 0); m.Next(spots.Odd, 1, 2) != 1 {
			t.Errorf("%U is no place", r)
		}
	}
}

func TestNeedles(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	all := []needles{fillers, codeMarks, innocentNames, secretNames, placeholders}
	for range 3000 {
		b := appendLower(nil, mixedText(rnd, 1+rnd.IntN(40)))
		n := all[rnd.IntN(len(all))]
		if rnd.IntN(2) == 0 {
			b = append(b, n[rnd.IntN(len(n))].text...)
		}
		want := slices.ContainsFunc(n, func(x needle) bool { return bytes.Contains(b, x.text) })
		if got := n.in(b, maskOf(b)); got != want {
			t.Fatalf("needles in %q: got %v, want %v", b, got, want)
		}
	}
}

func TestNumbersThatAreNoValues(t *testing.T) {
	for _, x := range []struct {
		text string
		want bool
	}{{"2026-03-05T17:30", true}, {"2026-03-05T17", false}, {"2026-03-05 17:30", false}, {"2026-0a-05T17:30", false}} {
		if got := timestamp([]byte(x.text)); got != x.want {
			t.Errorf("timestamp %q: %v", x.text, got)
		}
	}
	for _, x := range []struct {
		text string
		want bool
	}{{":0.83728010,", true}, {" 1.23456789}", true}, {"10.8372801,", false}, {"+1.41555501,", false}, {" 1.41555501.", false}, {" 0.8372a01,", false}} {
		if got := fraction([]byte(x.text)); got != x.want {
			t.Errorf("fraction %q: %v", x.text, got)
		}
	}
}
