package ssh

import (
	"slices"
	"testing"

	"sluice/dataplane/protocol/protocoltest"
)

// TestFrames tells where the frames of a dialogue are.
func TestFrames(t *testing.T) {
	d := protocoltest.TCP(22, "> SSH-2.0-a\r\n\x00\x00\x00\x06\x02\x15ab\x00\x00", "< SSH-2.0-b\r\n\x00\x00\x00\x08\x02\x02abcd\x00\x00\x00\x00\x00\x02\x00\x03")
	want := []string{"to_server record.hdr 11-17", "to_server record.data 17-21", "to_server record.pdu 11-21", "to_client record.hdr 11-17", "to_client record.data 17-23", "to_client record.pdu 11-23",
		"to_client record.hdr 23-29", "to_client record.pdu 23-29"}
	if got := protocoltest.CheckCuts(t, Definition(), d).FrameList(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
