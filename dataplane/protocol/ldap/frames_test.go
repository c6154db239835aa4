package ldap

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
	ask, one, done := search(1, "dc=example", present), entry(1, "uid=a"), result(1, 5, 0)
	other := search(2, "dc=example", present)
	n, k := len(ask), len(one)
	answers := []string{fmt.Sprintf("to_client pdu 0-%d tx 0", k), fmt.Sprintf("to_client pdu %d-%d tx 0", k, k+len(done))}
	f(protocoltest.TCP(389, c(ask+other), s(one+done)), append([]string{fmt.Sprintf("to_server pdu 0-%d tx 0", n), fmt.Sprintf("to_server pdu %d-%d tx 1", n, n+len(other))}, answers...)...)
	f(protocoltest.Dialogue{UDP: true, DstPort: 389, Chunks: []protocoltest.Chunk{{Data: []byte(ask)}, {Dir: 1, Data: []byte(one + done)}}},
		append([]string{fmt.Sprintf("to_server pdu 0-%d tx 0", n)}, answers...)...)
	// Long ones begin before their transaction is known, the longest with it.
	long := msg(3, el(0x68, str("uid=new"), el(0x30, attr("cn", strings.Repeat("x", protocol.FrameKept)))))
	longest := msg(4, el(0x68, str("uid=new"), el(0x30, attr("cn", strings.Repeat("x", protocol.DefaultLimits().MaxHeader)))))
	f(protocoltest.TCP(389, c(ask+long+longest+other)), fmt.Sprintf("to_server pdu 0-%d tx 0", n), fmt.Sprintf("to_server pdu %d-%d", n, n+len(long)),
		fmt.Sprintf("to_server pdu %d-%d tx 2", n+len(long), n+len(long)+len(longest)), fmt.Sprintf("to_server pdu %d-%d tx 3", n+len(long)+len(longest), n+len(long)+len(longest)+len(other)))
}
