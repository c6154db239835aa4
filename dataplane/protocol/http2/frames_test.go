package http2

import (
	"slices"
	"strings"
	"testing"

	"sluice/dataplane/protocol/protocoltest"
)

// TestFrames tells where the frames of a dialogue are.
func TestFrames(t *testing.T) {
	d := protocoltest.TCP(80, "> PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x08\x06\x00\x00\x00\x00\x00abcdefgh", "< \x00\x00\x00\x04\x00\x00\x00\x00\x00")
	want := []string{"to_server pdu 24-33", "to_server hdr 24-33", "to_server pdu 33-50", "to_server hdr 33-42", "to_server data 42-50", "to_client pdu 0-9", "to_client hdr 0-9"}
	r := protocoltest.CheckCuts(t, Definition(), d)
	for _, f := range r.Frames {
		if !strings.Contains(f, " tx ") {
			t.Errorf("%s has no transaction", f)
		}
	}
	if got := r.FrameList(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
