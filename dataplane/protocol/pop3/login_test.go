package pop3

import (
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// TestLogin holds who counts as logged in: whom the server has let in.
func TestLogin(t *testing.T) {
	f := func(name, want string, turns ...string) {
		t.Helper()
		p := protocoltest.Run(Definition(), dialogue(turns...)).Parser.(protocol.Login)
		if got := p.User(nil); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	const hi = "< +OK hello\n"
	f("in", "bob", hi, "> USER bob\n", "< +OK\n", "> PASS secret\n", "< +OK in\n")
	f("apop", "bob", hi, "> APOP bob c4c9334bac560ecc979e58001b3e22fb\n", "< +OK in\n")
	f("refused", "", hi, "> USER bob\n", "< +OK\n", "> PASS secret\n", "< -ERR no\n")
	f("claimed", "", hi, "> USER bob\n", "< +OK\n")
	f("unknown name", "", hi, "> USER bob\n", "< -ERR who\n", "> PASS secret\n", "< +OK in\n")
	f("apop refused", "", hi, "> APOP bob c4c9334bac560ecc979e58001b3e22fb\n", "< -ERR no\n")
}
