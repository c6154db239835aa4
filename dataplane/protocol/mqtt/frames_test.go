package mqtt

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// TestFrames tells where the frames of dialogues are, and of which transaction.
func TestFrames(t *testing.T) {
	f := func(turns []string, want ...string) {
		t.Helper()
		got := protocoltest.CheckCuts(t, Definition(), protocoltest.TCP(1883, turns...)).Frames
		for i := range got {
			got[i], _, _ = strings.Cut(got[i], ` "`)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	connect := "\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02me"
	f([]string{"> " + connect, "< \x20\x02\x00\x00", "> \x30\x08\x00\x01tabcde\x00\x00\xe0\x00"},
		"to_server pdu 0-16 tx 0", "to_server header 0-2 tx 0", "to_server data 2-16 tx 0", "to_client pdu 0-4 tx 0", "to_client header 0-2 tx 0", "to_client data 2-4 tx 0",
		"to_server pdu 16-26 tx 1", "to_server header 16-18 tx 1", "to_server data 18-26 tx 1",
		"to_server pdu 26-28 tx 2", "to_server header 26-28 tx 2", "to_server pdu 28-30 tx 3", "to_server header 28-30 tx 3")
	// A long one begins before its transaction is known.
	n := protocol.FrameKept + 3
	f([]string{"> " + connect + "\x30" + string([]byte{byte(n&0x7f | 0x80), byte(n>>7&0x7f | 0x80), byte(n >> 14)}) + "\x00\x01t" + strings.Repeat("x", protocol.FrameKept)},
		"to_server pdu 0-16 tx 0", "to_server header 0-2 tx 0", "to_server data 2-16 tx 0",
		fmt.Sprintf("to_server pdu 16-%d", 20+n), "to_server header 16-20", fmt.Sprintf("to_server data 20-%d", 20+n))
}
