package ftp

import (
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// TestClearPassword holds when a password has gone by in the clear.
func TestClearPassword(t *testing.T) {
	f := func(name, user string, want bool, turns ...string) {
		t.Helper()
		p := protocoltest.Run(Definition(), dialogue(turns...)).Parser.(protocol.ClearLogin)
		if got, seen := p.ClearPassword(); got != user || seen != want {
			t.Errorf("%s: %q, %v; want %q, %v", name, got, seen, user, want)
		}
	}
	const hi = "< 220 hello\n"
	f("in", "bob", true, hi, "> USER bob\n", "< 331 pass\n", "> PASS secret\n", "< 230 in\n")
	f("refused all the same", "bob", true, hi, "> USER bob\n", "< 331 pass\n", "> PASS secret\n", "< 530 no\n")
	f("pipelined", "", true, hi, "> USER bob\nPASS secret\n", "< 331 pass\n230 in\n")
	f("nobody's", "", false, hi, "> USER anonymous\n", "< 331 pass\n", "> PASS me@example.com\n", "< 230 in\n")
	f("no password", "", false, hi, "> USER bob\n", "< 230 in\n", "> PWD\n", "< 257 /\n")
	f("an empty one", "", false, hi, "> USER bob\n", "< 331 pass\n", "> PASS \n", "< 530 no\n")
}
