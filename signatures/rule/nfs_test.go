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
