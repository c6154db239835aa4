package decompress

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"sluice/dataplane/protocol"
)

// encode applies an encoding; "raw" is deflate without a wrapper.
func encode(t testing.TB, name string, level int, p []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w interface {
		Write([]byte) (int, error)
		Close() error
	}
	var err error
	switch name {
	case "gzip":
		w, err = gzip.NewWriterLevel(&b, level)
	case "zlib":
		w, err = zlib.NewWriterLevel(&b, level)
	case "raw":
		w, err = flate.NewWriter(&b, level)
	case "br":
		w = brotli.NewWriterLevel(&b, max(level, 0))
	case "zstd":
		w, err = zstd.NewWriter(&b, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(max(level, 1))))
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(p); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var declared = map[string]Encoding{"gzip": Gzip, "zlib": Deflate, "raw": Deflate, "br": Brotli, "zstd": Zstd}

// decode writes in in pieces that cut chooses and gives all output.
func decode(encs []Encoding, in []byte, lim *protocol.Limits, cut func(left int) int) ([]byte, error) {
	var out []byte
	d := New(encs, lim, func(p []byte) { out = append(out, p...) })
	for len(in) > 0 {
		n := cut(len(in))
		if d.Write(in[:n]) != nil {
			break
		}
		in = in[n:]
	}
	err := d.Close()
	return out, err
}

func whole(left int) int { return left }

func single(int) int { return 1 }

func samples() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 200_000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	var words bytes.Buffer
	for words.Len() < 300_000 {
		words.WriteString([]string{"card ", "number ", "4111", "the ", "confidential ", "\r\n", "x"}[r.IntN(7)])
	}
	return map[string][]byte{"empty": {}, "byte": {'a'}, "short": []byte("hello hello hello"), "noise": noise,
		"words": words.Bytes(), "zeros": make([]byte, 100_000), "period3": bytes.Repeat([]byte("abc"), 50_000)}
}

func TestRoundTrip(t *testing.T) {
	lim := protocol.DefaultLimits()
	lim.MaxRatio = 1 << 20
	for name, data := range samples() {
		for enc, e := range declared {
			for _, level := range []int{0, 1, 6, 9} {
				in := encode(t, enc, level, data)
				for cutName, cut := range map[string]func(int) int{"whole": whole, "single": single,
					"seven": func(l int) int { return min(l, 7) }, "mss": func(l int) int { return min(l, 1448) }} {
					if cutName == "single" && len(in) > 50_000 {
						continue
					}
					got, err := decode([]Encoding{e}, in, lim, cut)
					if err != nil || !bytes.Equal(got, data) {
						t.Fatalf("%s %s level %d cut %s: %v, %d bytes, want %d", name, enc, level, cutName, err, len(got), len(data))
					}
				}
			}
		}
	}
}

// TestImmediate holds that what a flushed encoder has sent comes out at once.
func TestImmediate(t *testing.T) {
	f := func(enc string) {
		t.Helper()
		var b bytes.Buffer
		var w interface {
			Write([]byte) (int, error)
			Flush() error
		}
		switch enc {
		case "gzip":
			w = gzip.NewWriter(&b)
		case "raw":
			w, _ = flate.NewWriter(&b, 6)
		case "br":
			w = brotli.NewWriter(&b)
		case "zstd":
			w, _ = zstd.NewWriter(&b)
		}
		var out []byte
		d := New([]Encoding{declared[enc]}, protocol.DefaultLimits(), func(p []byte) { out = append(out, p...) })
		want := ""
		for i := range 50 {
			piece := strings.Repeat("piece of a page that is flushed and at least as long as a guess ", 3) + string(rune('a'+i%26))
			want += piece
			if _, err := w.Write([]byte(piece)); err != nil {
				t.Fatal(err)
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			if err := d.Write(b.Bytes()); err != nil {
				t.Fatal(err)
			}
			b.Reset()
			if string(out) != want {
				t.Fatalf("%s: piece %d: have %d bytes of %d", enc, i, len(out), len(want))
			}
		}
		_ = d.Close()
	}
	f("gzip")
	f("raw")
	f("br")
	f("zstd")
}

func TestTolerance(t *testing.T) {
	text := []byte(strings.Repeat("secret text ", 40))
	gz := encode(t, "gzip", 6, text)
	z := encode(t, "zlib", 6, text)
	raw := encode(t, "raw", 6, text)
	full := []byte{0x1f, 0x8b, 8, gzExtra | gzName | gzComment | gzHCRC, 0, 0, 0, 0, 0, 255, 3, 0, 'x', 'y', 'z'}
	full = append(full, "name\x00comment\x00\x12\x34"...)
	full = append(full, raw...)
	full = append(full, make([]byte, 8)...)
	json := []byte(`{"sdk_version": 1, "app_package": "com.example"}`)
	cat := func(p ...[]byte) []byte { return bytes.Join(p, nil) }
	broken := bytes.Clone(gz)
	broken[len(broken)/2] ^= 0xff
	f := func(name string, encs []Encoding, in, want []byte, wantErr error) {
		t.Helper()
		for _, cut := range []func(int) int{whole, single, func(l int) int { return min(l, 3) }} {
			got, err := decode(encs, in, protocol.DefaultLimits(), cut)
			if !errors.Is(err, wantErr) || (want != nil && !bytes.Equal(got, want)) {
				t.Errorf("%s: %v, %q; want %v, %q", name, err, got, wantErr, want)
			}
		}
	}
	f("gzip as deflate", []Encoding{Deflate}, gz, text, nil)
	f("zlib as gzip", []Encoding{Gzip}, z, text, nil)
	f("raw as deflate", []Encoding{Deflate}, raw, text, nil)
	f("all header fields", []Encoding{Gzip}, full, text, nil)
	f("two members", []Encoding{Gzip}, cat(gz, gz), cat(text, text), nil)
	f("padding", []Encoding{Gzip}, cat(gz, make([]byte, 20)), text, nil)
	f("trailing", []Encoding{Gzip}, cat(gz, []byte("more")), cat(text, []byte("more")), ErrTrailing)
	f("zlib trailing", []Encoding{Deflate}, cat(z, []byte("more")), cat(text, []byte("more")), ErrTrailing)
	f("plain as gzip", []Encoding{Gzip}, json, json, ErrPlain)
	f("plain as deflate", []Encoding{Deflate}, json, json, ErrPlain)
	f("plain as br", []Encoding{Brotli}, json, json, ErrPlain)
	f("plain as zstd", []Encoding{Zstd}, json, json, ErrPlain)
	f("one byte", []Encoding{Gzip}, []byte("x"), []byte("x"), ErrPlain)
	f("truncated", []Encoding{Gzip}, gz[:len(gz)-12], nil, ErrTruncated)
	f("no trailer", []Encoding{Gzip}, gz[:len(gz)-8], text, ErrTruncated)
	f("twice", []Encoding{Gzip, Brotli}, encode(t, "br", 5, gz), text, nil)
	f("four", []Encoding{Zstd, Deflate, Gzip, Brotli},
		encode(t, "br", 5, encode(t, "gzip", 5, encode(t, "zlib", 5, encode(t, "zstd", 3, text)))), text, nil)
	f("nothing", []Encoding{Gzip}, nil, nil, nil)
	f("zstd frames", []Encoding{Zstd}, cat(encode(t, "zstd", 3, text), []byte{0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3},
		encode(t, "zstd", 3, text)), cat(text, text), nil)
	got1, err1 := decode([]Encoding{Gzip}, broken, protocol.DefaultLimits(), whole)
	got2, err2 := decode([]Encoding{Gzip}, broken, protocol.DefaultLimits(), single)
	if !errors.Is(err1, err2) || !bytes.Equal(got1, got2) {
		t.Errorf("broken: %v %q, %v %q", err1, got1, err2, got2)
	}
}

func TestLimits(t *testing.T) {
	zeros := make([]byte, 4<<20)
	lim := protocol.DefaultLimits()
	f := func(name string, encs []Encoding, in []byte, lim *protocol.Limits, most int, want error) {
		t.Helper()
		got, err := decode(encs, in, lim, whole)
		if !errors.Is(err, want) || len(got) > most {
			t.Errorf("%s: %v with %d bytes, want %v within %d", name, err, len(got), want, most)
		}
		again, _ := decode(encs, in, lim, func(l int) int { return min(l, 13) })
		if len(again) != len(got) && encs[0] != Brotli {
			t.Errorf("%s: %d bytes in pieces, %d whole", name, len(again), len(got))
		}
	}
	small := *lim
	small.MaxDecompressed = 100_000
	f("size", []Encoding{Gzip}, encode(t, "gzip", 9, zeros), &small, 100_000, ErrTooLarge)
	f("zstd size", []Encoding{Zstd}, encode(t, "zstd", 3, zeros), &small, 100_000, ErrTooLarge)
	tight := *lim
	tight.MaxRatio = 100
	f("ratio", []Encoding{Gzip}, encode(t, "gzip", 9, zeros), &tight, 300_000, ErrRatio)
	f("br ratio", []Encoding{Brotli}, encode(t, "br", 9, zeros), &tight, 300_000, ErrRatio)
	f("zstd ratio", []Encoding{Zstd}, encode(t, "zstd", 3, zeros), &tight, 300_000, ErrRatio)
	// What is free of the ratio may be more, or less.
	free := tight
	free.RatioFree = 8 << 20
	f("free", []Encoding{Gzip}, encode(t, "gzip", 9, zeros), &free, 4<<20, nil)
	free.RatioFree = 1 << 20
	f("free at first", []Encoding{Gzip}, encode(t, "gzip", 9, zeros), &free, 1<<20+300_000, ErrRatio)
	layers := *lim
	layers.MaxLayers = 1
	in := encode(t, "gzip", 6, []byte("abc"))
	f("layers", []Encoding{Gzip, Gzip}, encode(t, "gzip", 6, in), &layers, len(in), nil)
}

func TestParse(t *testing.T) {
	f := func(value string, odd bool, want ...Encoding) {
		t.Helper()
		got, o := Parse(nil, value)
		if o != odd || len(got) != len(want) {
			t.Fatalf("%q: %v %v", value, got, o)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%q: %v", value, got)
			}
		}
	}
	f("gzip", false, Gzip)
	f(" GZip , br", false, Gzip, Brotli)
	f("identity", false)
	f("x-gzip;q=1,zstd", false, Gzip, Zstd)
	f("gzip, chunked", false, Gzip)
	f("xx-gzip", true, Gzip)
	f("lzma", true, Unsupported)
	f("deflate,,", false, Deflate)
}

func TestAnyCut(t *testing.T) {
	data := samples()
	rapid.Check(t, func(r *rapid.T) {
		enc := rapid.SampledFrom([]string{"gzip", "zlib", "raw", "br", "zstd"}).Draw(r, "enc")
		p := data[rapid.SampledFrom([]string{"short", "words", "noise", "period3"}).Draw(r, "data")]
		p = p[:rapid.IntRange(0, len(p)).Draw(r, "len")]
		in := bytes.Clone(encode(t, enc, rapid.IntRange(1, 9).Draw(r, "level"), p))
		if len(in) > 0 && rapid.Bool().Draw(r, "flip") && enc != "br" {
			in[rapid.IntRange(0, len(in)-1).Draw(r, "at")] ^= byte(rapid.IntRange(1, 255).Draw(r, "by"))
		}
		a, errA := decode([]Encoding{declared[enc]}, in, protocol.DefaultLimits(), whole)
		b, errB := decode([]Encoding{declared[enc]}, in, protocol.DefaultLimits(), func(l int) int {
			return min(l, rapid.IntRange(1, 3000).Draw(r, "cut"))
		})
		if !bytes.Equal(a, b) || !errors.Is(errA, errB) {
			r.Fatalf("%s: %d bytes %v, %d bytes %v", enc, len(a), errA, len(b), errB)
		}
	})
}

func FuzzDecompress(f *testing.F) {
	text := []byte(strings.Repeat("some text to begin with ", 30))
	for enc, e := range declared {
		f.Add(encode(f, enc, 6, text), uint8(e), uint16(3))
		f.Add(encode(f, enc, 1, encode(f, "gzip", 6, text)), uint8(e)|uint8(Gzip)<<4, uint16(1000))
	}
	f.Add([]byte("plain"), uint8(Deflate), uint16(1))
	lim := protocol.DefaultLimits()
	lim.MaxDecompressed = 1 << 20
	f.Fuzz(func(t *testing.T, in []byte, encs uint8, cut uint16) {
		list := []Encoding{Encoding(encs >> 4 % 5), Encoding(encs & 15 % 5)}
		a, errA := decode(list, in, lim, whole)
		b, errB := decode(list, in, lim, func(l int) int { return min(l, int(cut)+1) })
		if list[0] == Brotli || list[1] == Brotli {
			return // the library hides where its stream ends
		}
		if !bytes.Equal(a, b) || !errors.Is(errA, errB) {
			t.Fatalf("%v: whole %d bytes, %v; cut by %d %d bytes, %v", list, len(a), errA, int(cut)+1, len(b), errB)
		}
	})
}
