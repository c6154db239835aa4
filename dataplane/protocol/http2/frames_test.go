package http2

import (
	"slices"
	"testing"

	"sluice/dataplane/protocol/protocoltest"
)

// TestFrames tells where the frames of a dialogue are.
func TestFrames(t *testing.T) {
	d := protocoltest.TCP(80, "> PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x08\x06\x00\x00\x00\x00\x00abcdefgh", "< \x00\x00\x00\x04\x00\x00\x00\x00\x00")
	want := []string{"to_server pdu 24-33", "to_server hdr 24-33", "to_server pdu 33-50", "to_server hdr 33-42", "to_server data 42-50", "to_client pdu 0-9", "to_client hdr 0-9"}
	if got := protocoltest.CheckCuts(t, Definition(), d).FrameList(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
