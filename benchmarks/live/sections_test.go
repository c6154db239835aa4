package main

import "testing"

func TestPut(t *testing.T) {
	f := func(text, title, body, want string) {
		t.Helper()
		if got := (section{title, body}).put(text); got != want {
			t.Errorf("%q", got)
		}
	}
	f("# All\n\ntable\n", "A", "one\n", "# All\n\ntable\n\n## A\n\none\n")
	f("# All\n\n## A\n\none\n\n## B\n\ntwo\n", "A", "new", "# All\n\n## A\n\nnew\n\n## B\n\ntwo\n")
	f("# All\n\n## A\n\none\n\n## B\n\ntwo\n", "B", "new\n", "# All\n\n## A\n\none\n\n## B\n\nnew\n")
	f("# All\n\n## A\n\none\n", "AB", "two\n", "# All\n\n## A\n\none\n\n## AB\n\ntwo\n")
}
