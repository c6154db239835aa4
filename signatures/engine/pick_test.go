package engine

import (
	"testing"

	"sluice/dataplane/protocol"
	"sluice/signatures/rule"
)

// TestPicked holds which of a transaction's numbers have to pass.
func TestPicked(t *testing.T) {
	const none = protocol.NoValue
	f := func(want outcome, pick rule.Pick, index int, values ...uint64) {
		t.Helper()
		test := &rule.FieldTest{Int: rule.IntTest{Op: '=', A: 5}, Pick: pick, Index: index}
		fn := func(_ *protocol.Tx, _ protocol.Dir, i int) (uint64, bool) {
			if i >= len(values) {
				return 0, false
			}
			return values[i], true
		}
		if got := picked(test, fn, &protocol.Tx{}, protocol.ToClient, 0); got != want {
			t.Errorf("pick %d at %d of %v: %v, want %v", pick, index, values, got, want)
		}
	}
	f(waits, rule.PickAll, 0)
	f(holds, rule.PickAll, 0, 5, 5)
	f(fails, rule.PickAll, 0, 5, 4)
	f(holds, rule.PickAll, 0, none, 5, none)
	f(fails, rule.PickAll, 0, none)
	f(waits, rule.PickAt, 0)
	f(holds, rule.PickAt, 1, 4, 5)
	f(fails, rule.PickAt, 0, 4, 5)
	f(holds, rule.PickAt, -1, 4, 5)
	f(fails, rule.PickAt, -2, 4, 5)
	f(fails, rule.PickAt, 2, 5, 5)
	f(fails, rule.PickAt, -3, 5, 5)
	f(fails, rule.PickAt, 0, none, 5)
}
