package tls

import (
	"slices"
	"testing"

	"sluice/dataplane/protocol/protocoltest"
)

// TestFrames tells where the frames of a dialogue are.
func TestFrames(t *testing.T) {
	d := protocoltest.TCP(443, "> \x16\x03\x01\x00\x04\x01\x00\x00\x00\x15\x03\x01\x00\x02\x02\x28\x18\x03\x01\x00\x03\x01\x00\x00", "< \x16\x03\x03\x00\x04\x0e\x00\x00\x00\x17\x03\x03\x00\x02ab")
	want := []string{"to_server hdr 0-5", "to_server pdu 0-9", "to_server data 5-9", "to_server hdr 9-14", "to_server pdu 9-16", "to_server data 14-16", "to_server alert 14-16",
		"to_server hdr 16-21", "to_server pdu 16-24", "to_server data 21-24", "to_server heartbeat 21-24", "to_client hdr 0-5", "to_client pdu 0-9", "to_client data 5-9",
		"to_client hdr 9-14", "to_client pdu 9-16", "to_client data 14-16"}
	if got := protocoltest.CheckCuts(t, Definition(), d).FrameList(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
