package pop3

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
	const hi = "< +OK hello\n"
	f("in", "bob", true, hi, "> USER bob\n", "< +OK\n", "> PASS secret\n", "< +OK in\n")
	f("refused all the same", "bob", true, hi, "> USER bob\n", "< +OK\n", "> PASS secret\n", "< -ERR no\n")
	f("a digest", "", false, hi, "> APOP bob c4c9334bac560ecc979e58001b3e22fb\n", "< +OK in\n")
	f("plain at once", "", true, hi, "> AUTH PLAIN AGJvYgBzZWNyZXQ=\n", "< +OK in\n")
	f("plain", "", true, hi, "> AUTH PLAIN\n", "< + \n", "> AGJvYgBzZWNyZXQ=\n", "< +OK in\n")
	f("plain that is given up", "", false, hi, "> AUTH PLAIN\n", "< + \n", "> *\n", "< -ERR\n")
	f("login", "", true, hi, "> AUTH LOGIN\n", "< + VXNlcm5hbWU6\n", "> Ym9i\n", "< + UGFzc3dvcmQ6\n", "> c2VjcmV0\n", "< +OK in\n")
	f("login's first step", "", false, hi, "> AUTH LOGIN\n", "< + VXNlcm5hbWU6\n", "> Ym9i\n")
	f("another mechanism", "", false, hi, "> AUTH CRAM-MD5\n", "< + PDE4OTYu\n", "> Ym9iIDlhYg==\n", "< +OK in\n")
}
