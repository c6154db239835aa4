package protocoltest

import (
	"math/rand"
	"net/netip"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"sluice/dataplane/protocol"
)

// Diff compares what a parser made of two dialogues; empty when it is the same.
func Diff(want, got *Result) string {
	return cmp.Diff(want, got, cmpopts.IgnoreFields(Result{}, "Parser", "Sink"), cmpopts.EquateEmpty(),
		cmpopts.EquateComparable(netip.Addr{}), cmp.Exporter(func(reflect.Type) bool { return true }))
}

// CheckCuts checks, for random cuts of the dialogue, that a parser finds the
// same, and that it keeps to the contract of the object sink. The result for
// the dialogue as given is returned.
func CheckCuts(t *testing.T, def *protocol.Definition, d Dialogue) *Result {
	t.Helper()
	want := Run(def, d)
	if err := want.Sink.Check(); err != nil {
		t.Error(err)
	}
	size := 0
	for _, c := range d.Chunks {
		size += len(c.Data)
	}
	if size > 4096 {
		// Long dialogues are cut less often, to keep the tests quick.
		for seed := int64(1); seed <= 12; seed++ {
			got := Run(def, d.Cut(rand.New(rand.NewSource(seed))))
			if diff := Diff(want, got); diff != "" {
				t.Fatalf("seed %d: %s", seed, diff)
			}
		}
		return want
	}
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Int64().Draw(t, "seed")
		got := Run(def, d.Cut(rand.New(rand.NewSource(seed))))
		if err := got.Sink.Check(); err != nil {
			t.Fatal(err)
		}
		if diff := Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
	return want
}
