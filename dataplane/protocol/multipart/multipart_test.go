package multipart

import (
	"bytes"
	"fmt"
	"io"
	stdmultipart "mime/multipart"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

type part struct {
	name, file, ctype string
	hasFile           bool
	data              []byte
	complete          bool
}

// collector gathers what a parser gives.
type collector struct {
	parts   []part
	outside []byte
	depth   int
}

func (c *collector) PartBegin(h *Header) {
	c.depth++
	c.parts = append(c.parts, part{name: h.Name, file: h.FileName, hasFile: h.HasFileName, ctype: h.ContentType})
}

func (c *collector) PartData(p []byte) {
	last := &c.parts[len(c.parts)-1]
	last.data = append(last.data, p...)
}

func (c *collector) PartEnd(complete bool) {
	c.depth--
	c.parts[len(c.parts)-1].complete = complete
}

func (c *collector) Outside(p []byte) { c.outside = append(c.outside, p...) }

func (c *collector) String() string {
	var b strings.Builder
	for _, p := range c.parts {
		fmt.Fprintf(&b, "[%s|%s|%s|%q|%v]", p.name, p.file, p.ctype, p.data, p.complete)
	}
	fmt.Fprintf(&b, "outside %q", c.outside)
	return b.String()
}

func split(boundary, body string, cut func(int) int) (*collector, Problem) {
	c := new(collector)
	var p Parser
	p.Reset([]byte(boundary), c, 20, 4096)
	for in := []byte(body); len(in) > 0; {
		n := cut(len(in))
		p.Write(in[:n])
		in = in[n:]
	}
	p.Close()
	return c, p.Problems()
}

func TestSplit(t *testing.T) {
	f := func(name, boundary, body, want string, problems Problem) {
		t.Helper()
		for _, size := range []int{1, 2, 3, 5, 7, 11, 1 << 20} {
			c, p := split(boundary, body, func(l int) int { return min(l, size) })
			if c.String() != want || p != problems {
				t.Fatalf("%s cut by %d:\n got %s problems %b\nwant %s problems %b", name, size, c, p, want, problems)
			}
			if c.depth != 0 {
				t.Fatalf("%s: unbalanced", name)
			}
		}
	}
	f("form", "B", "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue\r\n--B\r\n"+
		"Content-Disposition: form-data; name=\"f\"; filename=\"x.txt\"\r\nContent-Type: text/plain\r\n\r\nline\r\nline\r\n--B--\r\n",
		`[a|||"value"|true][f|x.txt|text/plain|"line\r\nline"|true]outside "\r\n"`, 0)
	f("bare line feeds", "B", "--B\nContent-Type: a/b\n\nx\n--B--", `[||a/b|"x"|true]outside ""`, 0)
	f("preamble", "B", "pre\r\n--B\r\n\r\nx\r\n--B--epi", `[|||"x"|true]outside "preepi"`, 0)
	f("boundary within data", "B", "--B\r\n\r\nx--B\r\n\r\n--Bx\r\n--B-\r\n--B--", `[|||"x--B\r\n\r\n--Bx\r\n--B-"|true]outside ""`, 0)
	f("padding", "B", "--B \t\r\n\r\nx\r\n--B  \r\n\r\ny\r\n--B-- ", `[|||"x"|true][|||"y"|true]outside " "`, 0)
	f("empty parts", "B", "--B\r\n\r\n--B\r\n\r\n\r\n--B--", `[|||""|true][|||""|true]outside ""`, 0)
	f("no final", "B", "--B\r\n\r\ncut of", `[|||"cut of"|false]outside ""`, NoFinal)
	f("no final at delimiter", "B", "--B\r\n\r\nx\r\n--B", `[|||"x\r\n--B"|false]outside ""`, NoFinal)
	f("no boundary", "B", "just text\r\n", `outside "just text\r\n"`, NoBoundary|NoFinal)
	f("empty", "B", "", `outside ""`, NoBoundary|NoFinal)
	f("header only", "B", "--B\r\nContent-Type: a", `[||a|""|false]outside ""`, BadHeader|NoFinal)
	f("no header end", "B", "--B\r\nContent-Type: a\r\n--B--", `[||a|""|true]outside ""`, BadHeader)
	f("header ends early", "B", "--B\r\nContent-Type: a\r\n--B--\r\nz", `[||a|""|true]outside "\r\nz"`, BadHeader)
	f("no colon", "B", "--B\r\nnonsense\r\n\r\nx\r\n--B--", `[|||"x"|true]outside ""`, BadHeader)
	f("repeated starts", "BB", "--BB\r\n\r\n\r\n\r\r\n\r\n--B\r\n--BB--", `[|||"\r\n\r\r\n\r\n--B"|true]outside ""`, 0)
	f("after the end", "B", "--B--\r\n--B\r\n\r\nx\r\n--B--", `[|||"x"|true]outside ""`, 0)
	f("long header", "B", "--B\r\nX: "+strings.Repeat("y", 4093)+"zz\r\n\r\nq\r\n--B--",
		`[|||"zz\r\n\r\nq"|true]outside ""`, HeaderTooLong)
	f("folded", "B", "--B\r\nContent-Disposition: form-data;\r\n\tname=\"n\";\r\n filename=f\r\n\r\n\r\n--B--", `[n|f||""|true]outside ""`, 0)
	f("parts", "B", strings.Repeat("--B\r\n\r\nx\r\n", 21)+"--B--",
		strings.Repeat(`[|||"x"|true]`, 20)+`outside "\r\nx"`, TooManyParts)
	f("no boundary parameter", "", "--\r\n\r\nx\r\n----", `[|||"x"|true]outside ""`, BadBoundary)
}

func TestParam(t *testing.T) {
	f := func(value, name, want string, ok bool) {
		t.Helper()
		if got, have := Param(value, name); got != want || have != ok {
			t.Errorf("%s of %s: %q %v", name, value, got, have)
		}
	}
	f(`multipart/form-data; boundary=abc`, "boundary", "abc", true)
	f(`multipart/form-data; Boundary="a b;c"; x=1`, "boundary", "a b;c", true)
	f(`multipart/form-data`, "boundary", "", false)
	f(`form-data; name="x"; filename="C:\dir\file.txt"`, "filename", `C:\dir\file.txt`, true)
	f(`form-data; name="x"; filename="a\"b.txt"`, "filename", `a"b.txt`, true)
	f(`form-data; name="x; filename=y"; filename=z`, "filename", `z`, true)
	f(`form-data; filename="open`, "filename", `open`, true)
	f(`form-data; filename=`, "filename", ``, true)
	g := func(value, want string) {
		t.Helper()
		if got, _ := FileName(value); got != want {
			t.Errorf("%s: %q", value, got)
		}
	}
	g(`attachment; filename="x"; filename*=UTF-8''na%C3%AFve%20file.txt`, "naïve file.txt")
	g(`attachment; filename*=iso-8859-1'en'%A3.txt`, "£.txt")
	g(`attachment; filename*=broken; filename=y`, "y")
}

// TestAgainstStandardLibrary compares with mime/multipart on bodies it wrote.
func TestAgainstStandardLibrary(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var b bytes.Buffer
		w := stdmultipart.NewWriter(&b)
		alphabet := []string{"\r", "\n", "-", "--", w.Boundary(), w.Boundary()[:10], "x", "\r\n--"}
		var want [][]byte
		for range rapid.IntRange(1, 5).Draw(r, "parts") {
			data := []byte(strings.Join(rapid.SliceOfN(rapid.SampledFrom(alphabet), 0, 30).Draw(r, "data"), ""))
			if bytes.Contains(data, []byte("\n--"+w.Boundary())) || bytes.HasPrefix(data, []byte("--"+w.Boundary())) {
				continue
			}
			pw, _ := w.CreateFormFile("f", "n")
			_, _ = pw.Write(data)
			want = append(want, data)
		}
		_ = w.Close()
		c, p := split(w.Boundary(), b.String(), func(l int) int { return min(l, rapid.IntRange(1, 90).Draw(r, "cut")) })
		if len(want) == 0 {
			return
		}
		if p != 0 || len(c.parts) != len(want) {
			r.Fatalf("problems %b, %d parts of %d: %s", p, len(c.parts), len(want), c)
		}
		for i, data := range want {
			if !bytes.Equal(c.parts[i].data, data) {
				r.Fatalf("part %d: %q, want %q", i, c.parts[i].data, data)
			}
		}
	})
}

func FuzzMultipart(f *testing.F) {
	f.Add("B", []byte("--B\r\nContent-Type: a/b\r\n\r\nx\r\n--B--\r\n"), uint8(3))
	f.Add("B", []byte("pre\r\n--B \r\nA\r\n--B\r\n\r\n\r\n--B-"), uint8(1))
	f.Add("-", []byte("\r\n\n---\n\n\r\n---\n----"), uint8(2))
	f.Add("", []byte("--\n\n\n----"), uint8(0))
	f.Fuzz(func(t *testing.T, boundary string, body []byte, cut uint8) {
		a, pa := split(boundary, string(body), func(l int) int { return l })
		b, pb := split(boundary, string(body), func(l int) int { return min(l, int(cut)+1) })
		if a.String() != b.String() || pa != pb {
			t.Fatalf("boundary %q body %q:\nwhole %s %b\ncut by %d %s %b", boundary, body, a, pa, int(cut)+1, b, pb)
		}
		if a.depth != 0 {
			t.Fatal("unbalanced")
		}
		n := len(a.outside)
		for _, p := range a.parts {
			n += len(p.data)
		}
		if n > len(body) {
			t.Fatalf("%d bytes out of %d", n, len(body))
		}
	})
}

func BenchmarkSplit(b *testing.B) {
	var buf bytes.Buffer
	w := stdmultipart.NewWriter(&buf)
	pw, _ := w.CreateFormFile("f", "n")
	_, _ = io.CopyN(pw, strings.NewReader(strings.Repeat("some line of a text file that is uploaded\r\n", 50_000)), 2<<20)
	_ = w.Close()
	body := buf.Bytes()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	var p Parser
	h := discard{}
	for b.Loop() {
		p.Reset([]byte(w.Boundary()), h, 100, 4096)
		for in := body; len(in) > 0; {
			n := min(len(in), 1448)
			p.Write(in[:n])
			in = in[n:]
		}
		p.Close()
	}
}

type discard struct{}

func (discard) PartBegin(*Header) {}
func (discard) PartData([]byte)   {}
func (discard) PartEnd(bool)      {}
func (discard) Outside([]byte)    {}
