package nfs

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
	f := func(d protocoltest.Dialogue, want ...string) {
		t.Helper()
		got := protocoltest.CheckCuts(t, Definition(), d).Frames
		for i := range got {
			got[i], _, _ = strings.Cut(got[i], ` "`)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	// at gives a frame: its first byte and the one behind its last.
	at := func(dir, kind string, from, to int, tx string) string {
		return fmt.Sprintf("%s %s %d-%d%s", dir, kind, from, to, tx)
	}
	call, answer := callOf(1, 3, 3, str(dirH)+str("a.txt")), reply(1, w(0)+str(fileH)+w(0, 0))
	args := callLen + len(cred) + 8
	three := func(mark int) []string {
		return []string{at("to_server", "rpc.pdu", 0, mark+len(call), ""), at("to_server", "rpc.creds", mark+24, mark+24+len(cred), " tx 0"), at("to_server", "nfs.pdu", mark+args, mark+len(call), " tx 0"),
			at("to_client", "rpc.pdu", 0, mark+len(answer), ""), at("to_client", "rpc.hdr", 0, mark+8, ""), at("to_client", "rpc.data", mark+8, mark+len(answer), ""),
			at("to_client", "nfs.pdu", mark+24, mark+len(answer), " tx 0"), at("to_client", "nfs.status", mark+24, mark+28, " tx 0")}
	}
	f(protocoltest.TCP(2049, c(call), s(answer)), three(4)...)
	f(protocoltest.Dialogue{UDP: true, DstPort: 2049, Chunks: []protocoltest.Chunk{{Data: []byte(call)}, {Dir: protocol.ToClient, Data: []byte(answer)}}}, three(0)...)
	// Version 4, and an operation that makes no transaction; then a long write.
	four, result := callOf(1, 4, 1, str("")+w(1, 2, op4PutRoot, op4GetHandle)), reply(1, w(0)+str("")+w(2, op4PutRoot, 0, op4GetHandle, 0)+str(fileH))
	long := callOf(2, 3, 7, str(fileH)+long(0)+w(20000, 0)+str(strings.Repeat("x", 20000)))
	n := 4 + len(four)
	f(protocoltest.TCP(2049, c(four), s(result), c(long)), at("to_server", "rpc.pdu", 0, n, ""), at("to_server", "rpc.creds", 28, 28+len(cred), ""),
		at("to_server", "nfs4.hdr", 4+args, 12+args, ""), at("to_server", "nfs4.ops", 12+args, n, ""), at("to_server", "nfs4.pdu", 4+args, n, ""),
		at("to_client", "rpc.pdu", 0, 4+len(result), ""), at("to_client", "rpc.hdr", 0, 12, ""), at("to_client", "rpc.data", 12, 4+len(result), ""),
		at("to_client", "nfs4.hdr", 28, 36, ""), at("to_client", "nfs4.ops", 36, 4+len(result), ""), at("to_client", "nfs4.pdu", 28, 4+len(result), ""), at("to_client", "nfs4.status", 28, 32, ""),
		at("to_server", "rpc.pdu", n, n+4+len(long), ""), at("to_server", "rpc.creds", n+28, n+28+len(cred), " tx 0"), at("to_server", "nfs.pdu", n+4+args, n+4+len(long), " tx 0"))
	// Of a message in fragments only the first is in one piece.
	f(protocoltest.TCP(2049, "> "+mark(call, 40), c(call)), at("to_server", "rpc.pdu", 0, 44, ""), at("to_server", "rpc.pdu", len(mark(call, 40)), len(mark(call, 40))+4+len(call), ""),
		at("to_server", "rpc.creds", len(mark(call, 40))+28, len(mark(call, 40))+28+len(cred), " tx 1"), at("to_server", "nfs.pdu", len(mark(call, 40))+4+args, len(mark(call, 40))+4+len(call), " tx 1"))
}
