package csvtext

import (
	"strings"
	"testing"
)

func TestLike(t *testing.T) {
	f := func(text string, want bool) {
		t.Helper()
		if got := Like([]byte(text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	f("name,card\nAlice,4111111111111111\nBob,5555555555554444\n", true)
	f("name;iban\r\nAlice;DE89370400440532013000\r\nBob;x\r\ncut", true)
	f("key\tvalue\na\t1\nb\t2\n", true)
	f("Name;IBAN;City\nA;B;C\nD;E;F\n", true)
	f("a|b|c\n1|2|3\n4|5|6\n", true)
	f("1,2,3\n4,5,6\n7,8,9\n", true)
	f("name,card\nAlice,4111111111111111\n", false)
	f("name,card\nAlice,4111111111111111\nBob", false)
	f("name,card\nAlice\nBob,2\nEve,3\n", false)
	f("Dear all, hello\nwe write, today\nand go, tomorrow\n", false)
	f("2026-01-01 12:00:00,123 INFO a\n2026-01-01 12:00:01,123 INFO b\n2026-01-01 12:00:02,123 INFO c\n", false)
	f("f(a,b)\ng(a,b)\nh(a,b)\n", false)
	f("a|b\nc|d\ne|f\n", false)
	f("key,value\n"+strings.Repeat("x", 65)+",1\nb,2\n", false)
	f("one\ntwo\nthree\n", false)
	f("", false)
	text := []byte(strings.Repeat("name,card\n", 20))
	if n := testing.AllocsPerRun(10, func() { Like(text) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzLike(f *testing.F) {
	f.Add([]byte("name,card\nAlice,4111111111111111\nBob,5\n"))
	f.Add([]byte("a;b;c\n\n\r\n|"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if Like(text) != Like(append(text[:len(text):len(text)], "tail"...)) && strings.Count(string(text), "\n") >= maxLines {
			t.Error("what stands behind the lines looked at counts")
		}
	})
}
