package rule

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/dataplane/protocol/nfs"
)

// TestNFSProcedures holds that rules and parser number procedures alike.
func TestNFSProcedures(t *testing.T) {
	got := map[string]uint64{}
	for name, n := range nfs.ProcedureNames() {
		got[name] = n
	}
	if diff := cmp.Diff(nfsProcedures, got); diff != "" {
		t.Error(diff)
	}
}

// TestNFSKeywords holds how values are read, and which are refused.
func TestNFSKeywords(t *testing.T) {
	f := func(value string, want FieldTest, refused bool) {
		t.Helper()
		c := &context{Parser: NewParser(Env{Field: func(string) bool { return true }}), r: &Rule{}}
		err := c.nfsProcedure("nfs_procedure", value)
		if (err != nil) != refused {
			t.Fatalf("%q: %v", value, err)
		}
		if diff := cmp.Diff([]FieldTest{want}, c.r.Fields); diff != "" && !refused {
			t.Errorf("%q: %s", value, diff)
		}
	}
	number := func(op byte, a, b uint64) FieldTest {
		return FieldTest{Keyword: "nfs_procedure", Int: IntTest{Op: op, A: a, B: b}}
	}
	named := func(op byte, a uint64) FieldTest {
		return FieldTest{Keyword: "nfs_procedure.name", Int: IntTest{Op: op, A: a}}
	}
	f("6", number('=', 6, 0), false)
	f(">3", number('>', 3, 0), false)
	f("2<>4", number('i', 2, 4), false)
	f("!2<>4", number('R', 1, 5), false)
	f("!0<>4", number('>', 4, 0), false)
	f("READ", named('=', 6), false)
	f("!read", named('!', 6), false)
	f("raed", FieldTest{}, true)
	f("4<>2", FieldTest{}, true)
	f("", FieldTest{}, true)
}
