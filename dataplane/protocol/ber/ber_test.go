package ber

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

func TestHead(t *testing.T) {
	f := func(b string, tag Tag, n, size int, ok bool) {
		t.Helper()
		gotTag, gotN, gotSize, gotOK := Head([]byte(b))
		if gotTag != tag || gotN != n || gotSize != size || gotOK != ok {
			t.Errorf("% x: %#x %d %d %v, want %#x %d %d %v", b, gotTag, gotN, gotSize, gotOK, tag, n, size, ok)
		}
	}
	f("", 0, 0, 0, true)
	f("\x30", 0x30, 0, 0, true)
	f("\x30\x05", 0x30, 2, 5, true)
	f("\x30\x81\x80", 0x30, 3, 128, true)
	f("\x30\x84\x00\x00\x00", 0x30, 0, 0, true)
	f("\x30\x84\x00\x00\x00\x07", 0x30, 6, 7, true) // as a directory of Windows writes it
	f("\x30\x88\x00\x00\x00\x00\x00\x00\x00\x07", 0x30, 10, 7, true)
	f("\x30\x88\x00\x00\x00\x00\x80\x00\x00\x00", 0x30, 0, 0, false) // too long
	f("\x30\x89", 0x30, 0, 0, false)
	f("\x30\x80", 0x30, 0, 0, false) // indefinite
	f("\x3f\x01", 0x3f, 0, 0, false) // a number beyond 30
}

func TestInt(t *testing.T) {
	f := func(b string, want int64, ok bool) {
		t.Helper()
		if got, gotOK := Int([]byte(b)); gotOK != ok || ok && got != want {
			t.Errorf("% x: %d %v, want %d %v", b, got, gotOK, want, ok)
		}
	}
	f("", 0, false)
	f("\x00", 0, true)
	f("\x7f", 127, true)
	f("\xff", -1, true)
	f("\x00\xff", 255, true)
	f("\xff\x79", -135, true)
	f("\x7f\xff\xff\xff\xff\xff\xff\xff", math.MaxInt64, true)
	f("\x80\x00\x00\x00\x00\x00\x00\x00", math.MinInt64, true)
	f("\x00\x80\x00\x00\x00\x00\x00\x00\x00", 0, false)
	f("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05", 5, true)
	f("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", -2, true)
}

func TestReader(t *testing.T) {
	r := NewReader([]byte("\x02\x01\x07\x30\x06\x04\x01a\x01\x01\xff\x04\x05ab"))
	if got := r.Int(Integer); got != 7 {
		t.Errorf("%d", got)
	}
	if _, ok := r.Optional(Set); ok {
		t.Error("an element that is not there")
	}
	in := r.In(Sequence)
	if got := in.Take(OctetString); string(got) != "a" {
		t.Errorf("%q", got)
	}
	if !in.Bool(Boolean) || in.More() || !in.OK() {
		t.Error("the inner elements are read")
	}
	if got := r.Take(OctetString); got != nil || r.OK() || r.More() {
		t.Errorf("%q: an element that is cut short", got)
	}
	wrong := NewReader([]byte("\x04\x01a"))
	if in := wrong.In(Sequence); in.OK() || wrong.OK() {
		t.Error("another identifier")
	}
}

func TestOID(t *testing.T) {
	f := func(b, want string) {
		t.Helper()
		if got := string(AppendOID(nil, []byte(b))); got != want {
			t.Errorf("% x: %q, want %q", b, got, want)
		}
	}
	f("\x2b\x06\x01\x02\x01\x01\x03\x00", "1.3.6.1.2.1.1.3.0")
	f("\x01", "0.1")
	f("\x88\x37\x03", "2.999.3")
	f("\x2b\x86", "1.3")
	f("\x2b\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "1.3")
	f("", "")
	if got := AppendOID(nil, bytes.Repeat([]byte{1}, 1000)); strings.Count(string(got), ".") > maxArcs {
		t.Error("more numbers than are shown")
	}
}

func TestText(t *testing.T) {
	f := func(name, b, want string) {
		t.Helper()
		if got := string(Text(nil, []byte(b))); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	f("an attribute", "\x30\x0c\x04\x02cn\x31\x06\x04\x01a\x04\x01b", "cn: a\nb\n")
	f("a filter", "\xa3\x09\x04\x04mail\x04\x01x", "mail: x\n")
	f("numbers", "\x02\x01\x41\x0a\x01\x42\x01\x01\xff\x06\x03abc\x05\x00", "")
	f("a number that is none", "\x02\x0942 hidden", "42 hidden\n")
	f("no element", "\x04\x02ab\x30\x7fcd", "ab\n\x30\x7fcd\n")
	f("cut short", "\x30\x10\x04\x0aabc", "\x30\x10\x04\x0aabc\n")
	deep := strings.Repeat("\x30\x7f", 40)
	f("no element within", deep, deep+"\n")
}

// TestTextDepth holds that what lies deeper than is gone into is shown as it stands.
func TestTextDepth(t *testing.T) {
	b := []byte("\x04\x06secret")
	for range 2 * maxDepth {
		n := len(b)
		b = append([]byte{0x30, 0x82, byte(n >> 8), byte(n)}, b...)
	}
	if got := Text(nil, b); !bytes.Contains(got, []byte("secret")) || len(got) > len(b)+1 {
		t.Errorf("%d bytes out of %d", len(got), len(b))
	}
}

func TestNoAllocation(t *testing.T) {
	msg := []byte("\x02\x01\x07\x63\x15\x30\x06\x04\x02cn\x31\x00\xa3\x09\x04\x04mail\x04\x01x")
	buf := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		r := NewReader(msg)
		r.Int(Integer)
		in := r.In(Application | Constructed | 3)
		for in.More() {
			in.Next()
		}
		buf = Text(buf[:0], msg)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzText(f *testing.F) {
	f.Add([]byte("\x30\x0c\x04\x02cn\x31\x06\x04\x01a\x04\x01b"))
	f.Add([]byte("\xa3\x09\x04\x04mail\x04\x01x"))
	f.Add([]byte("\x30\x84\x00\x00\x00\x03\x02\x01\x07\x06\x03\x2b\x06\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got := Text(nil, b); len(got) > len(b)+1 {
			t.Fatalf("%d bytes out of %d", len(got), len(b))
		}
		r := NewReader(b)
		for left := len(b); r.More(); {
			tag, body := r.Next()
			if !r.OK() {
				break
			}
			if left -= 2 + len(body); left < len(r.Rest()) {
				t.Fatal("more is left than there was")
			}
			Int(body)
			AppendOID(nil, body)
			_ = tag
		}
	})
}
