package websocket

import (
	"slices"
	"strings"
	"testing"

	"sluice/dataplane/protocol/protocoltest"
)

// TestFrames tells where the frames of a dialogue are, and of which transaction.
func TestFrames(t *testing.T) {
	d := protocoltest.TCP(80, c(frame(0x81, 7, "hello")+frame(0x89, 9, "")), s(frame(0x01, 0, strings.Repeat("x", 300))+frame(0x80, 0, "yz")))
	r := protocoltest.CheckCuts(t, Definition(), d)
	want := []string{"to_server header 0-6", "to_server pdu 0-11", "to_server data 6-11", "to_server header 11-17", "to_server pdu 11-17",
		"to_client header 0-4", "to_client pdu 0-304", "to_client data 4-304", "to_client header 304-306", "to_client pdu 304-308", "to_client data 306-308"}
	if got := r.FrameList(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if want := `to_client data 306-308 tx 3 "yz"`; r.Frames[len(r.Frames)-1] != want {
		t.Errorf("got %s, want %s", r.Frames[len(r.Frames)-1], want)
	}
}
