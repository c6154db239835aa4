// Package archtest checks the repository against docs/architecture.md: which
// room may import which, where cgo and system calls are, that every package
// says what it is for, and that files stay readable. It takes the source tree
// and gives test failures; nothing imports it.
package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// module is the module's path, which begins its own imports.
const module = "sluice"

// File is one Go file of the repository.
type File struct {
	// Path is relative to the root, with slashes; Dir its folder.
	Path, Dir string
	// Imports are the imported paths, our own without the module's name, with
	// their lines.
	Imports []Import
	Test    bool
	// Generated tells that a tool wrote the file.
	Generated bool
	// Doc tells that the file has a package comment that begins as it should.
	Doc   bool
	Lines int
	Src   []byte
}

// Import is one import of a file.
type Import struct {
	Path string
	// Own tells that the path is of this module.
	Own  bool
	Line int
}

// Load reads every Go file below root that belongs to the module.
func Load(root string) ([]File, error) {
	var files []File
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "build" || name == "bin" || isModule(path)) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
			return nil
		}
		f, err := load(root, path)
		if err != nil {
			return err
		}
		files = append(files, f)
		return nil
	})
	return files, err
}

// isModule reports whether a folder below the root is a module of its own.
func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func load(root, path string) (File, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return File{}, err
	}
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, path, src, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return File{}, err
	}
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return File{}, err
	}
	rel = filepath.ToSlash(rel)
	f := File{Path: rel, Dir: filepath.ToSlash(filepath.Dir(rel)), Src: src, Lines: strings.Count(string(src), "\n"),
		Test: strings.HasSuffix(rel, "_test.go"), Generated: ast.IsGenerated(tree)}
	if doc := tree.Doc.Text(); doc != "" {
		want := "Package " + tree.Name.Name + " "
		if tree.Name.Name == "main" {
			want = "Command "
		}
		f.Doc = strings.HasPrefix(doc, want)
	}
	for _, im := range tree.Imports {
		p, err := strconv.Unquote(im.Path.Value)
		if err != nil {
			return File{}, fmt.Errorf("%s: %w", rel, err)
		}
		own, isOwn := strings.CutPrefix(p, module+"/")
		f.Imports = append(f.Imports, Import{Path: own, Own: isOwn, Line: fset.Position(im.Pos()).Line})
	}
	return f, nil
}

// Rules are the two tables of docs/architecture.md.
type Rules struct {
	// Rooms gives what each room may import.
	Rooms map[string][]string
	// Libraries gives the rooms that may import a library or standard package.
	Libraries map[string][]string
}

// ReadRules takes the tables out of the document.
func ReadRules(doc string) (Rules, error) {
	r := Rules{Rooms: map[string][]string{}, Libraries: map[string][]string{}}
	for row := range tableRows(doc, "archtest:rooms") {
		if len(row) != 3 {
			return r, fmt.Errorf("a row of the rooms has %d columns: %v", len(row), row)
		}
		r.Rooms[strings.Trim(row[0], "`")] = quoted(row[2])
	}
	for row := range tableRows(doc, "archtest:libraries") {
		if len(row) != 3 {
			return r, fmt.Errorf("a row of the libraries has %d columns: %v", len(row), row)
		}
		r.Libraries[strings.Trim(row[0], "`")] = quoted(row[1])
	}
	if len(r.Rooms) == 0 || len(r.Libraries) == 0 {
		return r, fmt.Errorf("the tables are missing")
	}
	return r, nil
}

// tableRows gives the cells of the rows of the table after a marker.
func tableRows(doc, marker string) func(func([]string) bool) {
	_, rest, _ := strings.Cut(doc, "<!-- "+marker+" -->")
	return func(yield func([]string) bool) {
		n := 0
		for line := range strings.SplitSeq(strings.TrimLeft(rest, "\n"), "\n") {
			if !strings.HasPrefix(line, "|") {
				return
			}
			if n++; n <= 2 {
				continue // heading and rule
			}
			cells := strings.Split(strings.Trim(line, "|"), "|")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			if !yield(cells) {
				return
			}
		}
	}
}

// quoted gives the words between backticks.
func quoted(s string) []string {
	var out []string
	for i, part := range strings.Split(s, "`") {
		if i%2 == 1 {
			out = append(out, part)
		}
	}
	return out
}

// Room gives the room of a folder: the longest entry that holds it.
func (r Rules) Room(dir string) (string, bool) {
	for d := dir; d != "."; d = filepath.ToSlash(filepath.Dir(d)) {
		if _, ok := r.Rooms[d]; ok {
			return d, true
		}
	}
	return "", false
}

// Check gives what a file imports and may not.
func (r Rules) Check(f File) []string {
	var bad []string
	room, ok := r.Room(f.Dir)
	if !ok {
		return []string{f.Path + ": its folder is in no room of docs/architecture.md"}
	}
	for _, im := range f.Imports {
		at := fmt.Sprintf("%s:%d", f.Path, im.Line)
		if im.Own {
			to, ok := r.Room(im.Path)
			switch {
			case !ok:
				bad = append(bad, at+": imports "+im.Path+", which is in no room")
			case to == "cmd" && room != "cmd":
				bad = append(bad, at+": imports a command")
			case !f.Test && to != room && !within(to, r.Rooms[room]):
				bad = append(bad, fmt.Sprintf("%s: %s may not import %s", at, room, im.Path))
			}
			continue
		}
		for lib, rooms := range r.Libraries {
			if (im.Path == lib || strings.HasPrefix(im.Path, lib+"/")) && !f.Test && !inRooms(f.Dir, rooms) {
				bad = append(bad, fmt.Sprintf("%s: %s may not be used here, only in %s", at, lib, strings.Join(rooms, ", ")))
			}
		}
	}
	return bad
}

// within reports whether a list names a room or everything.
func within(room string, list []string) bool {
	for _, l := range list {
		if l == room || l == "*" {
			return true
		}
	}
	return false
}

// inRooms reports whether a folder is one of the list or below one.
func inRooms(dir string, list []string) bool {
	for _, l := range list {
		if dir == l || strings.HasPrefix(dir, l+"/") {
			return true
		}
	}
	return false
}
