package pcre

import (
	"bytes"
	"errors"
	"testing"
)

func TestMatch(t *testing.T) {
	x, err := NewContext(Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	f := func(expr string, flags Flag, subject string, start, from, to int, ok bool) {
		t.Helper()
		re, err := Compile(expr, flags)
		if err != nil {
			t.Fatal(err)
		}
		if !re.JIT {
			t.Errorf("%s: no machine code", expr)
		}
		gf, gt, gok := x.Match(re, []byte(subject), start)
		if gok != ok || ok && (gf != from || gt != to) {
			t.Errorf("%s on %q from %d: %d-%d %v, want %d-%d %v", expr, subject, start, gf, gt, gok, from, to, ok)
		}
	}
	f(`b+`, 0, "abbbc", 0, 1, 4, true)
	f(`B+`, Caseless, "abbbc", 0, 1, 4, true)
	f(`B+`, 0, "abbbc", 0, 0, 0, false)
	f(`^b`, 0, "abbbc", 1, 0, 0, false)
	f(`^$`, 0, "", 0, 0, 0, true)
	f(`a.b`, 0, "a\nb", 0, 0, 0, false)
	f(`a.b`, DotAll, "a\nb", 0, 0, 3, true)
	f(`^b`, MultiLine, "a\nb", 0, 2, 3, true)
	f(`\xff\x00`, 0, "\xff\x00", 0, 0, 2, true)
	f(`(a)\1`, 0, "xaa", 0, 1, 3, true)
	f(`x`, 0, "x", 2, 0, 0, false)
}

func TestGroups(t *testing.T) {
	x, _ := NewContext(Limits{})
	defer x.Close()
	re, err := Compile(`(?P<user>\w+)=(\d+)?`, 0)
	if err != nil {
		t.Fatal(err)
	}
	if re.Captures != 2 || re.Names["user"] != 1 {
		t.Errorf("captures %d, names %v", re.Captures, re.Names)
	}
	x.Match(re, []byte("..bob="), 0)
	if f, to, ok := x.Group(1); !ok || f != 2 || to != 5 {
		t.Errorf("group 1: %d-%d %v", f, to, ok)
	}
	if _, _, ok := x.Group(2); ok {
		t.Error("an unset group was given")
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	_, err := Compile(`ab(c`, 0)
	var e *Error
	if !errors.As(err, &e) || e.Offset != 4 {
		t.Errorf("error %v", err)
	}
}

func TestCatastrophicPatternIsStopped(t *testing.T) {
	x, _ := NewContext(Limits{})
	defer x.Close()
	re, _ := Compile(`^(a+)+$`, 0)
	if _, _, ok := x.Match(re, append(bytes.Repeat([]byte("a"), 200), 'b'), 0); ok || x.Limited != 1 {
		t.Errorf("matched %v, limited %d", ok, x.Limited)
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	x, _ := NewContext(Limits{})
	defer x.Close()
	re, _ := Compile(`needle\d+`, Caseless)
	s := bytes.Repeat([]byte("hay "), 50)
	if n := testing.AllocsPerRun(100, func() { x.Match(re, s, 0); x.Group(1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	x, _ := NewContext(Limits{})
	defer x.Close()
	re, _ := Compile(`^[a-z]{3,5}\d`, 0)
	s := []byte("abcd1 and more")
	b.ReportAllocs()
	for b.Loop() {
		x.Match(re, s, 0)
	}
}

func FuzzCompile(f *testing.F) {
	f.Add(`(a|b)*c`, []byte("ababc"))
	f.Add(`^(?P<x>\d{1,3})\k<x>`, []byte("11"))
	x, err := NewContext(Limits{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, expr string, subject []byte) {
		re, err := Compile(expr, 0)
		if err != nil {
			return
		}
		from, to, ok := x.Match(re, subject, 0)
		if ok && (from < 0 || to > len(subject) || from > to) {
			t.Errorf("match %d-%d of %d bytes", from, to, len(subject))
		}
	})
}
