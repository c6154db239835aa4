package smb

import (
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// TestLogin holds who counts as logged in to a session: whom the server has let in,
// by a name of its own.
func TestLogin(t *testing.T) {
	blob := string(put(72, func(b []byte) {
		copy(b, ntlmMagic)
		b[8] = 3
		le.PutUint16(b[36:], 8)
		le.PutUint32(b[40:], 72)
		le.PutUint32(b[60:], ntlmUnicode)
	})) + string(wide("user"))
	setup := append(put(24, func(b []byte) { b[0], b[12], b[14] = 25, 64+24, byte(len(blob)) }), blob...)
	f := func(name, want string, status uint32, flags byte, more func(*dialogue)) {
		t.Helper()
		d := newDialogue().ask(cmdSessionSetup, setup).answer(cmdSessionSetup, status, put(8, func(b []byte) { b[0], b[2] = 9, flags }))
		if more != nil {
			more(d)
		}
		p := protocoltest.Run(Definition(), d.Dialogue).Parser.(*Parser)
		if got := p.User(&protocol.Tx{State: &Transaction{Session: 9}}); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if got := p.User(&protocol.Tx{State: &Transaction{Session: 10}}); got != "" {
			t.Errorf("%s: %q has another session", name, got)
		}
	}
	f("in", "user", statusSuccess, 0, nil)
	f("refused", "", 0xc000006d, 0, nil)
	f("another step", "", 0xc0000016, 0, nil)
	f("as a guest", "", statusSuccess, sessionGuest, nil)
	f("as nobody", "", statusSuccess, sessionNull, nil)
	f("out", "", statusSuccess, 0, func(d *dialogue) {
		d.ask(cmdLogoff, put(4, func(b []byte) { b[0] = 4 })).answer(cmdLogoff, statusSuccess, put(4, func(b []byte) { b[0] = 4 }))
	})
	f("as somebody unknown", "", statusSuccess, 0, func(d *dialogue) {
		d.ask(cmdSessionSetup, put(24, func(b []byte) { b[0] = 25 })).answer(cmdSessionSetup, statusSuccess, put(8, func(b []byte) { b[0] = 9 }))
	})
}
