package classifiers

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// scanCut scans data cut at the given places, through the streaming database as
// the worker does.
func scanCut(t testing.TB, s *Scanner, data []byte, cuts []int) Result {
	t.Helper()
	st := s.Open(ObjectMeta{})
	h, err := s.sc.Open(s.c.stream)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.sc.CloseStream(h) }()
	at := 0
	for _, c := range append(cuts, len(data)) {
		hits, err := s.sc.ScanStream(h, data[at:c])
		if err != nil {
			t.Fatal(err)
		}
		s.Write(st, data[at:c], hits)
		at = c
	}
	return s.Close(st)
}

// same compares what must not depend on how the bytes came.
func same(t testing.TB, what string, data []byte, a, b Result) {
	t.Helper()
	if len(a.Findings) == MaxFindings || a.Dropped > 0 {
		return
	}
	if !reflect.DeepEqual(a.Findings, b.Findings) || a.Type != b.Type || a.Unscannable != b.Unscannable || a.Level != b.Level {
		var diff []string
		for _, p := range [2][2]Result{{a, b}, {b, a}} {
			for _, f := range p[0].Findings {
				if !slices.ContainsFunc(p[1].Findings, func(g Finding) bool { return reflect.DeepEqual(f, g) }) {
					diff = append(diff, fmt.Sprintf("%+v in %q", f, data[max(0, int(f.Start)-30):min(len(data), int(f.End)+10)]))
				}
			}
			diff = append(diff, "--")
		}
		t.Fatalf("%s: findings differ, %d and %d of %d bytes\n%s", what, len(a.Findings), len(b.Findings), len(data), strings.Join(diff, "\n"))
	}
	for i := range a.Counts {
		if a.Counts[i].Total != b.Counts[i].Total || a.Counts[i].Unique != b.Counts[i].Unique {
			t.Fatalf("%s: counts differ: %+v %+v", what, a.Counts[i], b.Counts[i])
		}
	}
}

func encode16(s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}

// samples are texts with something of every kind, and the seeds of the fuzzer.
func samples(t testing.TB) [][]byte {
	s := newScanner(t)
	var all []string
	for _, d := range s.c.Detectors() {
		all = append(all, d.Good...)
		all = append(all, d.Bad...)
	}
	secret := "the card number is 4111 1111 1111 1111 and the IBAN DE89 3704 0044 0532 0130 00, key AKIAQYLPMN5HHHFPZAM2 CONFIDENTIAL"
	b64 := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(secret+"\n", 3)))
	lines := ""
	for i := 0; i < len(b64); i += 76 {
		lines += b64[i:min(i+76, len(b64))] + "\r\n"
	}
	out := [][]byte{
		[]byte(strings.Join(all, "\n")),
		[]byte(strings.Repeat("x", 3000) + secret + strings.Repeat("y ", 3000) + secret),
		[]byte(`{"data":"` + b64 + `"}`),
		[]byte("header\r\n\r\n" + lines + "\r\ntail " + secret),
		append([]byte("\xff\xfe"), encode16(secret+strings.Repeat(" filler", 40)+secret)...),
		[]byte("a=1&b=" + url.QueryEscape(secret) + "&c=" + url.PathEscape(secret) + " HTTP/1.1\r\n" + strings.Repeat("filler ", 100)),
		[]byte(strings.Repeat("wörter ", 70) + "card ４０１２ ８８８８ ８８８８ １８８１ and 4012\u200b88888888\u200b1881, " + strings.Repeat("＋－ ٤٠ ", 90) + "card &#52;012&#56888888881&#56;81 " + strings.Repeat("a line that goes on and on without any end in sight for the reader, card =\r\n4012=2D8888=\r\n-88881881=3D=\r\n", 9) + "+ADQAMAAxADI-888888881881 card " + strings.Repeat("x +AD", 200)),
		[]byte("<p>card <b>4111</b>11<i>11</i>11<!-- " + strings.Repeat("nothing ", 40) + "-->111111</p><td>4111</td><td>1111</td> jo.<span style=\"" + strings.Repeat("color:red;", 30) + "\">doe</span>@mail.example.com &#52;0<wbr>12888888<u\n>88</u>1881 j<i + 1; TOP <B>SECRET</B> 12<b unended " + strings.Repeat("x='>' ", 900)),
		[]byte("name,card_number,iban\n" + strings.Repeat("jo,4111111111111111,DE89370400440532013000\n", 50)),
	}
	return out
}

func TestAnyCutGivesTheSameFindings(t *testing.T) {
	s := newScanner(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i, data := range samples(t) {
		whole := s.ScanBytes(data, ObjectMeta{})
		if len(whole.Findings) == 0 {
			t.Errorf("sample %d: nothing found", i)
		}
		for _, size := range []int{1, 3, 64, 100, 1460, 4096} {
			var cuts []int
			for c := size; c < len(data); c += size {
				cuts = append(cuts, c)
			}
			same(t, fmt.Sprintf("sample %d in pieces of %d", i, size), data, whole, scanCut(t, s, data, cuts))
		}
		for range 30 {
			var cuts []int
			for c := rnd.IntN(len(data)); c < len(data); c += 1 + rnd.IntN(len(data)/2+1) {
				cuts = append(cuts, c)
			}
			same(t, fmt.Sprintf("sample %d cut at %v", i, cuts), data, whole, scanCut(t, s, data, cuts))
		}
	}
}

// FuzzScan holds that any cut of any bytes gives the same findings, in bounds.
func FuzzScan(f *testing.F) {
	// Short seeds: the fuzzer spends its time on making what it finds smaller, a
	// byte at a time, and on long ones does nothing else.
	for _, d := range samples(f) {
		for i := 0; i < len(d) && i < 6*150; i += 150 {
			f.Add(d[i:min(i+150, len(d))], uint64(i))
		}
	}
	f.Add([]byte("4111-1111-1111-1111 1111 12 34 <% %4"), uint64(7))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		if len(data) > 1024 {
			return
		}
		s := newScanner(t)
		whole := s.ScanBytes(data, ObjectMeta{})
		for _, fi := range whole.Findings {
			if fi.End > uint64(len(data)) || fi.Start > fi.End {
				t.Fatalf("finding out of bounds: %+v of %d", fi, len(data))
			}
		}
		rnd := rand.New(rand.NewPCG(seed, 1))
		var cuts []int
		for c := 1 + rnd.IntN(64); c < len(data); c += 1 + rnd.IntN(300) {
			cuts = append(cuts, c)
		}
		same(t, fmt.Sprintf("cut at %v", cuts), data, whole, scanCut(t, s, data, cuts))
		if m, _ := s.Mask(data); len(m) != len(data) {
			t.Fatal("masking changed the length")
		}
	})
}

func TestDecodedIsFoundWithOriginalOffsets(t *testing.T) {
	s := newScanner(t)
	secret := "payment card 4012888888881881 expires 12/29, thank you very much"
	at := strings.Index(secret, "4012")
	pre := "some text before "
	f := func(name string, data []byte, path string, start, end int) {
		t.Helper()
		res := s.ScanBytes(data, ObjectMeta{})
		for _, x := range res.Findings {
			if x.Detector == "pay.card" && x.Path == path {
				if int(x.Start) != start || int(x.End) != end {
					t.Errorf("%s: found at %d-%d, want %d-%d", name, x.Start, x.End, start, end)
				}
				return
			}
		}
		t.Errorf("%s: not found: %+v", name, res.Findings)
	}
	b := base64.StdEncoding.EncodeToString([]byte(secret))
	f("base64", []byte(pre+`"`+b+`"`), "base64", len(pre)+1+at/3*4+at%3, len(pre)+1+(at+16)/3*4+(at+16)%3+1)
	f("utf-16", encode16(pre+secret), "utf-16le", 2*(len(pre)+at), 2*(len(pre)+at+16))
	q := "q=payment+card+4012%2D8888%2d8888%2D1881&x=%20"
	f("percent", []byte("GET /?"+q), "percent", 6+15, 6+15+16+9-0)
	for name, text := range map[string]string{
		"entities":         "card &#52;012&nbsp;8888&#x2d;8888&#45;1881 expires",
		"quoted-printable": "a line of text that is long enough to be broken by its encoder 40=\r\n12888888881881 is the card number",
		"utf-7":            "card +ADQAMAAxADI-8888+AC0-88881881 expires",
		"unicode":          "card ４０１２ ８８８８ ８８８８ １８８１ expires",
	} {
		found := false
		for _, x := range s.ScanBytes([]byte(text), ObjectMeta{}).Findings {
			found = found || x.Detector == "pay.card" && x.Path == name && x.End <= uint64(len(text)) && strings.HasSuffix(text[:x.End], map[bool]string{true: "１", false: "1"}[name == "unicode"])
		}
		if !found {
			t.Errorf("%s: not found: %+v", name, s.ScanBytes([]byte(text), ObjectMeta{}).Findings)
		}
	}
	for _, text := range []string{"card 4012\u200b8888\u200b8888\u200b1881", "card ٤٠١٢٨٨٨٨٨٨٨٨١٨٨١", "card 4012\u00ad8888\u00ad8888\u00ad1881", "\u202ecard 4\u20600128888\u206088881881"} {
		if res := s.ScanBytes([]byte(text), ObjectMeta{}); !found(res, "pay.card", Medium) {
			t.Errorf("%q: not found: %+v", text, res.Findings)
		}
	}
	twice := base64.StdEncoding.EncodeToString(encode16(secret))
	res := s.ScanBytes([]byte(twice), ObjectMeta{})
	if !bytes.Contains([]byte(fmt.Sprint(res.Findings)), []byte("base64/utf-16le")) {
		t.Errorf("nested: %+v", res.Findings)
	}
}

// TestMinConfidenceOnlyLeavesOut holds that asking for less shows the same
// findings of the asked confidence.
func TestMinConfidenceOnlyLeavesOut(t *testing.T) {
	s := newScanner(t)
	for i, data := range samples(t) {
		var want []Finding
		all := s.ScanBytes(data, ObjectMeta{})
		if len(all.Findings) == MaxFindings {
			continue
		}
		for _, f := range all.Findings {
			if f.Confidence >= Medium {
				want = append(want, f)
			}
		}
		got := s.ScanBytes(data, ObjectMeta{MinConfidence: Medium}).Findings
		if !reflect.DeepEqual(got, want) {
			t.Errorf("sample %d: %d findings, want %d", i, len(got), len(want))
		}
	}
}

// TestDamagedSamplesInAnyCut mutates the samples: encodings cut short, nested and
// broken.
func TestDamagedSamplesInAnyCut(t *testing.T) {
	s := newScanner(t)
	rnd := rand.New(rand.NewPCG(9, 9))
	all := samples(t)
	rounds := 600
	if testing.Short() {
		rounds = 60
	}
	for i := range rounds {
		d := bytes.Clone(all[rnd.IntN(len(all))])
		for range 1 + rnd.IntN(30) {
			a := rnd.IntN(len(d))
			switch rnd.IntN(3) {
			case 0:
				d[a] = byte(rnd.IntN(256))
			case 1:
				d = append(d[:a:a], d[min(len(d)-1, a+rnd.IntN(100)):]...)
			case 2:
				d = append(d[:a:a], append([]byte("4111%20 \x00\x00=="), d[a:]...)...)
			}
		}
		var cuts []int
		for c := 1 + rnd.IntN(64); c < len(d); c += 1 + rnd.IntN(300) {
			cuts = append(cuts, c)
		}
		same(t, fmt.Sprintf("round %d", i), d, s.ScanBytes(d, ObjectMeta{}), scanCut(t, s, d, cuts))
		if m, _ := s.Mask(d); len(m) != len(d) {
			t.Fatal("masking changed the length")
		}
	}
}

func TestCleanTextDoesNotAllocate(t *testing.T) {
	s := newScanner(t)
	data := prose(64 << 10)
	f := func() {
		st := s.Open(ObjectMeta{})
		h, _ := s.sc.Open(s.c.stream)
		for d := data; len(d) > 0; {
			n := min(1460, len(d))
			hits, _ := s.sc.ScanStream(h, d[:n])
			s.Write(st, d[:n], hits)
			d = d[n:]
		}
		s.sc.CloseStream(h)
		s.Close(st)
	}
	f()
	if n := testing.AllocsPerRun(20, f); n > 0 {
		t.Errorf("%v allocations for an object of clean text", n)
	}
}

func TestMask(t *testing.T) {
	s := newScanner(t)
	for in, want := range map[string]string{
		"card 4539 5787 6362 1486 exp":    "card **** **** **** 1486 exp",
		"nothing here at all":             "nothing here at all",
		"key=AKIAQYLPMN5HHHFPZAM2;":       "key=****************ZAM2;",
		"CONFIDENTIAL":                    "CONFIDENTIAL",
		"IBAN DE89370400440532013000 now": "IBAN ******************3000 now",
	} {
		got, changed := s.Mask([]byte(in))
		if string(got) != want || changed != (in != want) {
			t.Errorf("Mask(%q) = %q, %v; want %q", in, got, changed, want)
		}
	}
	for _, d := range s.c.Detectors() {
		if !d.Secret {
			continue
		}
		for _, g := range d.Good {
			m, changed := s.Mask([]byte(g))
			if !changed {
				t.Errorf("%s: %q is not masked", d.ID, g)
			}
			for _, f := range s.ScanBytes([]byte(g), ObjectMeta{MinConfidence: Medium}).Findings {
				if f.Detector == d.ID && f.Path == "" && f.End-f.Start > 8 && bytes.Contains(m, []byte(g)[f.Start:f.End]) {
					t.Errorf("%s: the value stands in %q", d.ID, m)
				}
			}
		}
	}
}

// TestDemoList holds what the default policy builds upon: a list of published
// test card numbers with a word about cards is found and adds up to Restricted.
func TestDemoList(t *testing.T) {
	s := newScanner(t)
	res := s.ScanBytes([]byte("customer,card\nA,4111111111111111\nB,5555555555554444\nC,378282246310005\nD,6011111111111117\nE,3530111333300000\n"), ObjectMeta{MinConfidence: Medium})
	for _, c := range res.Counts {
		if c.Detector == "pay.card" && c.Unique[Medium] >= 5 && c.Level == Restricted && res.Level == Restricted {
			return
		}
	}
	t.Errorf("%+v", res)
}
