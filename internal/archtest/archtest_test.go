package archtest

import (
	"bytes"
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// root is the repository's root.
var root = filepath.Join("..", "..")

// maxLines is the length at which a hand-written file is too long to read.
const maxLines = 800

func repository(t *testing.T) ([]File, Rules) {
	t.Helper()
	files, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("found %d files only", len(files))
	}
	doc, err := os.ReadFile(filepath.Join(root, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := ReadRules(string(doc))
	if err != nil {
		t.Fatal(err)
	}
	return files, rules
}

func TestImports(t *testing.T) {
	files, rules := repository(t)
	for _, f := range files {
		for _, bad := range rules.Check(f) {
			t.Error(bad)
		}
	}
}

// TestRoomsHaveNoCircles: a table that allows two rooms to import each other
// says nothing.
func TestRoomsHaveNoCircles(t *testing.T) {
	_, rules := repository(t)
	state := map[string]int{}
	var visit func(room string)
	visit = func(room string) {
		state[room] = 1
		for _, to := range rules.Rooms[room] {
			if to == "*" {
				continue
			}
			if _, ok := rules.Rooms[to]; !ok {
				t.Errorf("%s may import %s, which is no room", room, to)
			}
			switch state[to] {
			case 0:
				visit(to)
			case 1:
				t.Errorf("%s and %s may import each other", room, to)
			}
		}
		state[room] = 2
	}
	for room := range rules.Rooms {
		if state[room] == 0 {
			visit(room)
		}
	}
}

func TestPackageComments(t *testing.T) {
	files, _ := repository(t)
	has := map[string]bool{}
	for _, f := range files {
		if !f.Test {
			has[f.Dir] = has[f.Dir] || f.Doc
		}
	}
	for dir, ok := range has {
		if !ok {
			t.Errorf("%s: no file has a package comment that begins \"Package name\" (or \"Command name\")", dir)
		}
	}
}

func TestFilesAreReadable(t *testing.T) {
	files, _ := repository(t)
	for _, f := range files {
		if f.Generated {
			continue
		}
		if f.Lines > maxLines {
			t.Errorf("%s: %d lines; split it at %d", f.Path, f.Lines, maxLines)
		}
		if want, err := format.Source(f.Src); err != nil {
			t.Errorf("%s: %v", f.Path, err)
		} else if !bytes.Equal(want, f.Src) {
			t.Errorf("%s: not formatted; run gofmt -w", f.Path)
		}
	}
}

// TestTopLevel: the top-level folders are fixed by the product's owner, and
// each tells what it is for.
func TestTopLevel(t *testing.T) {
	allowed := map[string]bool{"cmd": true, "dataplane": true, "bpf": true, "classifiers": true, "signatures": true, "deploy": true,
		"testdata": true, "benchmarks": true, "events": true, "internal": true, "docs": true, "bin": true, "build": true}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && !allowed[e.Name()] {
			t.Errorf("%s: no such top-level folder was agreed on", e.Name())
		}
	}
	for _, d := range []string{"bpf", "deploy", "testdata", "benchmarks", "docs"} {
		if _, err := os.Stat(filepath.Join(root, d, "README.md")); err != nil {
			t.Errorf("%s: no README.md says what it is for", d)
		}
	}
}

// TestCheck shows that the checks can fail.
func TestCheck(t *testing.T) {
	rules, err := ReadRules("x\n<!-- archtest:rooms -->\n| room | gives | may import |\n|---|---|---|\n| `a` | x | |\n| `b` | x | `a` |\n| `b/c` | x | |\n| `cmd` | x | `*` |\n" +
		"\n<!-- archtest:libraries -->\n| import | allowed in | why |\n|---|---|---|\n| `C` | `a` | x |\n| `ex.org/lib` | `b/c` | x |\n")
	if err != nil {
		t.Fatal(err)
	}
	own := func(p string) Import { return Import{Path: p, Own: true} }
	f := func(file File, want ...string) {
		t.Helper()
		file.Path = file.Dir + "/f.go"
		got := rules.Check(file)
		if len(got) != len(want) {
			t.Errorf("%s: got %q, want %q", file.Dir, got, want)
			return
		}
		for i := range want {
			if !strings.Contains(got[i], want[i]) {
				t.Errorf("%s: got %q, want %q", file.Dir, got[i], want[i])
			}
		}
	}
	f(File{Dir: "b/x", Imports: []Import{own("a/y"), own("b"), {Path: "fmt"}}})
	f(File{Dir: "a", Imports: []Import{own("b/x")}}, "a may not import b/x")
	f(File{Dir: "b/c/d", Imports: []Import{own("a"), own("b/c")}}, "b/c may not import a")
	f(File{Dir: "b", Imports: []Import{own("b/c")}}, "b may not import b/c")
	f(File{Dir: "a", Test: true, Imports: []Import{own("b"), own("cmd/x"), {Path: "C"}}}, "imports a command")
	f(File{Dir: "b", Imports: []Import{{Path: "C"}, {Path: "ex.org/lib/sub"}, {Path: "ex.org/library"}}}, "C may not", "ex.org/lib may not")
	f(File{Dir: "b/c", Imports: []Import{{Path: "ex.org/lib/sub"}}})
	f(File{Dir: "cmd/x", Imports: []Import{own("a"), own("b/c")}})
	f(File{Dir: "elsewhere"}, "in no room")
}
