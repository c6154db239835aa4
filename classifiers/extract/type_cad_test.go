package extract

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestCADShortcuts holds that what spares the expressions changes no answer of
// theirs.
func TestCADShortcuts(t *testing.T) {
	iges := append(append(bytes.Repeat([]byte{' '}, 72), "S      1"...), '\n')
	parts := [][]byte{[]byte("\n"), []byte("\r\n"), []byte(" "), []byte("\t"), []byte("G01 X1"), []byte("N10 G0"), []byte("M30"), []byte("M3;"), []byte("G"), []byte("N5"),
		[]byte("GX"), []byte("%"), []byte("%FSLAX24Y24*%"), []byte("%MOIN*%"), []byte("%ADD10C"), []byte("%AD"), []byte("v 1 2"), []byte("f 1"), []byte("a b"), []byte("usemtl x"),
		[]byte("é"), []byte("S      1"), iges, bytes.Repeat([]byte("ab "), 24), bytes.Repeat([]byte("é"), 72), []byte("G04 "), []byte("\xff")}
	r := rand.New(rand.NewPCG(1, 2))
	seen := [4]int{}
	for range 20000 {
		var head []byte
		for range r.IntN(20) {
			head = append(head, parts[r.IntN(len(parts))]...)
		}
		if n, want := gcodeLines(head), len(reGcode.FindAllIndex(head, maxGcodeLines)); n != want {
			t.Fatalf("%q: %d lines of a program, not %d", head, n, want)
		} else if n > 0 {
			seen[0]++
		}
		if reIGES.Match(head) {
			if seen[1]++; !mayIGES(head) {
				t.Fatalf("%q may be IGES", head)
			}
		}
		if reGerber.Match(head) {
			if seen[2]++; !mayGerber(head) {
				t.Fatalf("%q may be Gerber", head)
			}
		}
		for l := range bytes.SplitSeq(head, []byte("\n")) {
			if reOBJ.Match(l) {
				if seen[3]++; bytes.IndexByte(objFirst, l[0]) < 0 {
					t.Fatalf("%q may be of a model", l)
				}
			}
		}
	}
	for i, n := range seen {
		if n < 100 {
			t.Errorf("shortcut %d was tried %d times only", i, n)
		}
	}
}
