package imap

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
	const hi = "< * OK hello\n"
	f("in", "bob", hi, "> a LOGIN bob secret\n", "< a OK in\n")
	f("quoted", "bob", hi, "> a login \"bob\" \"a b\"\n", "< * CAPABILITY IMAP4rev1\na OK in\n")
	f("plain", "bob", hi, "> a AUTHENTICATE PLAIN AGJvYgBzZWNyZXQ=\n", "< a OK in\n")
	f("refused", "", hi, "> a LOGIN bob secret\n", "< a NO no\n")
	f("claimed", "", hi, "> a LOGIN bob secret\n", "< b OK other\n")
	f("a name of two words", "", hi, "> a LOGIN \"bob x\" secret\n", "< a OK in\n")
	f("a literal", "", hi, "> a LOGIN {3}\n", "< + go\n", "> bob secret\n", "< a OK in\n")
}
