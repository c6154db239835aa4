package websocket

import (
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// TestManyFrames holds that a packet of many frames ends none that the other direction
// has under way, hides none of those that can be kept, and keeps no more.
func TestManyFrames(t *testing.T) {
	env := protocoltest.NewEnv(protocoltest.Dialogue{}, &protocoltest.Sink{})
	p := Definition().New(env).(*Parser)
	p.Parse(env, protocol.ToClient, []byte(frame(0x82, 0, "half of it"))[:6])
	p.Parse(env, protocol.ToServer, []byte(strings.Repeat(frame(0x89, 0, ""), env.Limits.MaxTx)))
	if got := p.txs.Live[0].Progress; got != [2]uint8{Done, Header} {
		t.Errorf("the frame of the server is at %d", got)
	}
	if n := len(p.txs.Live); n != env.Limits.MaxTx+1 {
		t.Errorf("%d frames", n)
	}
	p.Parse(env, protocol.ToServer, []byte(strings.Repeat(frame(0x89, 0, ""), maxFrames)))
	if n, last := len(p.txs.Live), p.txs.Last(); n != maxFrames || len(last.Events) != 1 || last.Events[0] != eventLimit {
		t.Errorf("%d frames, %q", n, last.Events)
	}
}
