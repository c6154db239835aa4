package dcerpc

import (
	"slices"
	"strings"
	"testing"

	"sluice/dataplane/protocol/protocoltest"
)

// TestFrames tells where the frames of a dialogue are.
func TestFrames(t *testing.T) {
	head := func(typ byte, n byte) string {
		return "\x05\x00" + string(rune(typ)) + "\x03\x10\x00\x00\x00" + string(rune(n)) + "\x00\x00\x00\x01\x00\x00\x00"
	}
	d := protocoltest.TCP(135, "> "+head(0, 26)+"\x02\x00\x00\x00\x00\x00\x01\x00ab"+head(0, 16), "< "+head(2, 24)+"\x00\x00\x00\x00\x00\x00\x00\x00")
	want := []string{"to_server pdu 0-26", "to_server hdr 0-16", "to_server data 16-26", "to_server pdu 26-42", "to_server hdr 26-42", "to_client pdu 0-24", "to_client hdr 0-16", "to_client data 16-24"}
	r := protocoltest.CheckCuts(t, Definition(), d)
	if got := r.FrameList(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	// Both requests have the same number: the second is another call.
	for i, tx := range []string{"tx 0", "tx 0", "tx 0", "tx 1", "tx 1", "tx 0", "tx 0", "tx 0"} {
		if i < len(r.Frames) && !strings.Contains(r.Frames[i], " "+tx+" ") {
			t.Errorf("%s, want %s", r.Frames[i], tx)
		}
	}
}
