package smtp

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
	const hi, ehlo = "< 220 mx\n", "> EHLO me\n"
	const offers = "< 250-mx\n250 AUTH PLAIN LOGIN\n"
	f("plain at once", "bob", true, hi, ehlo, offers, "> AUTH PLAIN AGJvYgBzZWNyZXQ=\n", "< 235 in\n")
	f("refused all the same", "bob", true, hi, ehlo, offers, "> AUTH PLAIN AGJvYgBzZWNyZXQ=\n", "< 535 no\n")
	f("plain", "bob", true, hi, ehlo, offers, "> AUTH PLAIN\n", "< 334 \n", "> AGJvYgBzZWNyZXQ=\n", "< 235 in\n")
	f("login", "bob", true, hi, ehlo, offers, "> AUTH LOGIN\n", "< 334 VXNlcm5hbWU6\n", "> Ym9i\n", "< 334 UGFzc3dvcmQ6\n", "> c2VjcmV0\n", "< 235 in\n")
	f("login with the name at once", "bob", true, hi, ehlo, offers, "> auth login Ym9i\n", "< 334 UGFzc3dvcmQ6\n", "> c2VjcmV0\n", "< 235 in\n")
	f("a name alone", "", false, hi, ehlo, offers, "> AUTH LOGIN\n", "< 334 VXNlcm5hbWU6\n", "> Ym9i\n")
	f("given up", "", false, hi, ehlo, offers, "> AUTH PLAIN\n", "< 334 \n", "> *\n", "< 501 given up\n")
	f("another mechanism", "", false, hi, ehlo, offers, "> AUTH CRAM-MD5\n", "< 334 PDE4OTYu\n", "> Ym9iIDlhYg==\n", "< 235 in\n")
}
