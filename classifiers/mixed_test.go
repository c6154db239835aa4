package classifiers

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
)

// mixture is noise with texts in it that detectors look for, plain and encoded, as in
// files of programs, pictures and databases.
func mixture(rnd *rand.Rand, texts []string, n int) []byte {
	var b bytes.Buffer
	noise := func(n int) {
		kind := rnd.IntN(5)
		for range n {
			switch kind {
			case 0, 1:
				b.WriteByte(byte(rnd.Uint32()))
			case 2:
				x := rnd.Uint32() // many zeros
				b.WriteByte(byte(x & (x >> 8) & (x >> 16)))
			case 3:
				b.WriteByte("0123456789abcdef.@%&=+<\x00\xe2\x80\x8b\xd9\xa0"[rnd.IntN(29)])
			case 4:
				b.WriteByte(0x80 | byte(rnd.Uint32()))
			}
		}
	}
	for b.Len() < n {
		noise(rnd.IntN(400))
		text := texts[rnd.IntN(len(texts))]
		if len(text) > 300 {
			text = text[:300]
		}
		switch rnd.IntN(9) {
		case 0:
			b.WriteString(base64.StdEncoding.EncodeToString([]byte(text)))
		case 1:
			b.Write(encode16(text))
		case 2:
			b.WriteString(url.QueryEscape(text))
		case 3:
			for i := range len(text) {
				if c := text[i]; rnd.IntN(4) == 0 {
					fmt.Fprintf(&b, "&#%d;", c)
				} else {
					b.WriteByte(c)
				}
			}
		case 4:
			b.WriteString(strings.NewReplacer("4", "４", "1", "١", "-", "\u200b").Replace(text))
		case 5:
			b.WriteString(strings.NewReplacer("=", "=3D", "-", "=2D").Replace(text))
		case 6:
			b.WriteString(strings.Repeat("long line ", 7) + "=\r\n" + text)
		default:
			b.WriteString(text)
		}
	}
	return b.Bytes()
}

// TestNoiseHidesNothing holds what is found by way of places, in mixtures of noise and
// text, against what is found when each byte is looked at.
func TestNoiseHidesNothing(t *testing.T) {
	s, slow := newScanner(t), newScanner(t)
	slow.slow = true
	rnd := rand.New(rand.NewPCG(21, 22))
	var texts []string
	for _, d := range s.c.Detectors() {
		texts = append(texts, d.Good...)
	}
	texts = append(texts, "the card number is 4111 1111 1111 1111 and the IBAN DE89 3704 0044 0532 0130 00", "card 4012-8888-8888-1881, mail jo.doe@mail.example.com")
	rounds := 300
	if testing.Short() {
		rounds = 60
	}
	total := 0
	paths := map[string]int{}
	for round := range rounds {
		data := mixture(rnd, texts, 200+rnd.IntN(6000))
		want := slow.ScanBytes(data, ObjectMeta{})
		same(t, fmt.Sprintf("round %d", round), data, want, s.ScanBytes(data, ObjectMeta{}))
		var cuts []int
		for c := 1 + rnd.IntN(64); c < len(data); c += 1 + rnd.IntN(2000) {
			cuts = append(cuts, c)
		}
		same(t, fmt.Sprintf("round %d, cut at %v", round, cuts), data, want, scanCut(t, s, data, cuts))
		total += len(want.Findings)
		for _, f := range want.Findings {
			paths[f.Path]++
		}
	}
	if total < 10*rounds {
		t.Errorf("only %d findings in %d mixtures", total, rounds)
	}
	for _, p := range []string{"", "base64", "utf-16le", "percent", "entities", "quoted-printable", "unicode"} {
		if paths[p] < 10 {
			t.Errorf("only %d findings by way of %q", paths[p], p)
		}
	}
}
