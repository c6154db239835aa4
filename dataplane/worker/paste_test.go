package worker_test

import (
	"encoding/binary"
	"testing"

	"sluice/dataplane/protocol"
)

// TestPaste keeps cards from being pasted into a remote desktop, and lets other texts
// and the handshake through.
func TestPaste(t *testing.T) {
	r := newRig(t, "", working(), nil)
	r.port = 5900
	r.open()
	cut := func(text string) string {
		return "\x06\x00\x00\x00" + string(binary.BigEndian.AppendUint32(nil, uint32(len(text)))) + text
	}
	for _, turn := range []struct {
		from int
		text string
	}{
		{1, "RFB 003.008\n"}, {0, "RFB 003.008\n"}, {1, "\x01\x01"}, {0, "\x01"}, {1, "\x00\x00\x00\x00"}, {0, "\x01"},
		{1, "\x05\x00\x03\x20\x20\x18\x00\x01\x00\xff\x00\xff\x00\xff\x10\x08\x00\x00\x00\x00\x00\x00\x00\x03lab"}, {0, cut("the agenda")},
	} {
		if !r.data(turn.from, turn.text) {
			t.Fatalf("%q does not get through", turn.text)
		}
	}
	if r.data(0, cut(cards)) {
		t.Error("the cards got through")
	}
	r.wait("an event", func() bool { return len(r.dlp()) > 0 })
	if d := r.dlp()[0]; d.PolicyRule != "block-cards" || d.Channel != protocol.RFB.String() || d.Object.Name != "clipboard" {
		t.Errorf("%+v", d)
	}
}
