package smtp

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
	const hi, ehlo = "< 220 mx\n", "> EHLO me\n"
	const offers = "< 250-mx\n250 AUTH PLAIN LOGIN\n"
	f("plain at once", "bob", hi, ehlo, offers, "> AUTH PLAIN AGJvYgBzZWNyZXQ=\n", "< 235 in\n")
	f("plain", "bob", hi, ehlo, offers, "> AUTH PLAIN\n", "< 334 \n", "> AGJvYgBzZWNyZXQ=\n", "< 235 in\n")
	f("login", "bob", hi, ehlo, offers, "> AUTH LOGIN\n", "< 334 VXNlcm5hbWU6\n", "> Ym9i\n", "< 334 UGFzc3dvcmQ6\n", "> c2VjcmV0\n", "< 235 in\n")
	f("login with the name at once", "bob", hi, ehlo, offers, "> auth login Ym9i\n", "< 334 UGFzc3dvcmQ6\n", "> c2VjcmV0\n", "< 235 in\n")
	f("refused", "", hi, ehlo, offers, "> AUTH PLAIN AGJvYgBzZWNyZXQ=\n", "< 535 no\n")
	f("refused, then another way", "", hi, ehlo, offers, "> AUTH PLAIN AGJvYgBzZWNyZXQ=\n", "< 535 no\n", "> AUTH GSSAPI x\n", "< 235 in\n")
	f("given up", "", hi, ehlo, offers, "> AUTH PLAIN\n", "< 334 \n", "> *\n", "< 501 given up\n")
}
