package ftp

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
	const hi = "< 220 hello\n"
	f("in", "bob", hi, "> USER bob\n", "< 331 pass\n", "> PASS secret\n", "< 230 in\n")
	f("without a password", "bob", hi, "> USER bob\n", "< 230 in\n")
	f("refused", "", hi, "> USER bob\n", "< 331 pass\n", "> PASS secret\n", "< 530 no\n")
	f("claimed", "", hi, "> USER bob\n", "< 331 pass\n")
	f("another claim ends the login", "", hi, "> USER bob\n", "< 230 in\n", "> USER eve\n", "< 331 pass\n")
	f("another claim that is refused too", "", hi, "> USER bob\n", "< 230 in\n", "> USER eve\n", "< 530 no\n")
	f("again", "eve", hi, "> USER bob\n", "< 230 in\n", "> USER eve\n", "< 331 pass\n", "> PASS x\n", "< 230 in\n")
	f("begun anew", "", hi, "> USER bob\n", "< 230 in\n", "> REIN\n", "< 220 hello\n")
	f("pipelined", "bob", hi, "> USER bob\nPASS x\n", "< 331 pass\n230 in\n")
	f("pipelined claims", "", hi, "> USER bob\nPASS x\nUSER eve\n", "< 331 pass\n530 no\n331 pass\n")
	f("a reply too many lines long", "bob", hi, "> USER bob\n", "< 331 pass\n", "> PASS secret\n", "< 230-hello\n530 no\n230 in\n")
	// The data connection is its user's.
	p := protocoltest.Run(Definition(), dialogue(hi, "> USER bob\n", "< 230 in\n", "> PASV\n", "< 227 (10,0,0,2,200,1)\n", "> STOR x\n", "< 150 go\n")).Parser.(*Parser)
	if p.hint == nil || p.hint.Transfer() == nil {
		t.Fatal("no data connection was announced")
	}
	data := &DataParser{}
	data.Hint(p.hint)
	env := protocoltest.NewEnv(protocoltest.Dialogue{}, &protocoltest.Sink{})
	data.Parse(env, protocol.ToServer, []byte("content"))
	if got := data.User(data.tx); got != "bob" {
		t.Errorf("the data connection is of %q", got)
	}
}
