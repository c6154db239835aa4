package imap

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
	const hi = "< * OK hello\n"
	f("in", "bob", true, hi, "> a LOGIN bob secret\n", "< a OK in\n")
	f("refused all the same", "bob", true, hi, "> a login bob secret\n", "< a NO no\n")
	f("plain at once", "bob", true, hi, "> a AUTHENTICATE PLAIN AGJvYgBzZWNyZXQ=\n", "< a OK in\n")
	f("plain", "", true, hi, "> a AUTHENTICATE PLAIN\n", "< +\n", "> AGJvYgBzZWNyZXQ=\n", "< a OK in\n")
	f("plain that is given up", "", false, hi, "> a AUTHENTICATE PLAIN\n", "< +\n", "> *\n", "< a BAD no\n")
	f("plain that is refused", "", false, hi, "> a AUTHENTICATE PLAIN\n", "< a NO no\n", "> b NOOP\n", "< b OK\n")
	f("login", "", true, hi, "> a AUTHENTICATE LOGIN\n", "< + VXNlcm5hbWU6\n", "> Ym9i\n", "< + UGFzc3dvcmQ6\n", "> c2VjcmV0\n", "< a OK in\n")
	f("another mechanism", "", false, hi, "> a AUTHENTICATE CRAM-MD5\n", "< + PDE4OTYu\n", "> Ym9iIDlhYg==\n", "< a OK in\n")
	f("none", "", false, hi, "> a NOOP\n", "< a OK\n")
}
