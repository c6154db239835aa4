package enip

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// TestFrames tells where the frames of dialogues are, and of which transaction.
func TestFrames(t *testing.T) {
	f := func(d protocoltest.Dialogue, want ...string) {
		t.Helper()
		got := protocoltest.CheckCuts(t, Definition(), d).Frames
		for i := range got {
			got[i], _, _ = strings.Cut(got[i], ` "`)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	first, second := request(0x10, 4, 3, 3, "x"), "\x4c\x04\x91\x05speed\x00\x01\x00"
	cip := "\x0a\x02\x20\x02\x24\x01" + several(first, second)
	ask, other := connected(5, cip), message(cmdListIdentity, 0, 1, "")
	n := len(ask)
	// Interface, timeout and the number of items; an address; the item with its number.
	at := headerLen + 8 + 8 + 4 + 2
	sub := at + 6 + 6
	want := []string{fmt.Sprintf("to_server pdu 0-%d tx 0", n), "to_server hdr 0-24 tx 0", fmt.Sprintf("to_server data 24-%d tx 0", n),
		"to_server enip.item 32-40 tx 0", fmt.Sprintf("to_server enip.item 40-%d tx 0", n), fmt.Sprintf("to_server cip %d-%d tx 0", at, n),
		fmt.Sprintf("to_server cip %d-%d tx 0", sub, sub+len(first)), fmt.Sprintf("to_server cip %d-%d tx 0", sub+len(first), n)}
	f(protocoltest.TCP(44818, "> "+ask+other), append(want, fmt.Sprintf("to_server pdu %d-%d tx 1", n, n+24), fmt.Sprintf("to_server hdr %d-%d tx 1", n, n+24))...)
	f(protocoltest.Dialogue{UDP: true, DstPort: 44818, Chunks: []protocoltest.Chunk{{Data: []byte(ask)}}}, want...)
	// A long one begins before its transaction is known.
	long := unconnected(2, request(0x10, 4, 3, 3, strings.Repeat("x", protocol.FrameKept)))
	k := len(long)
	f(protocoltest.TCP(44818, "> "+long), fmt.Sprintf("to_server pdu 0-%d", k), "to_server hdr 0-24", fmt.Sprintf("to_server data 24-%d", k),
		"to_server enip.item 32-36 tx 0", fmt.Sprintf("to_server enip.item 36-%d tx 0", k), fmt.Sprintf("to_server cip 40-%d tx 0", k))
}
