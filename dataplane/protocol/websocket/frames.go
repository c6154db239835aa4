package websocket

import (
	"math"

	"sluice/dataplane/protocol"
)

// The kinds of frames that rules know: headers, frames of the protocol as a whole,
// and their payloads as they were sent, masked where the sender has done so.
const (
	frameHeader protocol.FrameType = iota
	framePDU
	frameData
)

var frames = [...]protocol.FrameSpec{frameHeader: {Name: "header"}, framePDU: {Name: "pdu"}, frameData: {Name: "data"}}

// announce tells of a frame with a header of head bytes and a payload of n, left
// bytes of what was given being behind the header. Those within another protocol's
// transaction are not told of: their bytes are not the flow's.
func announce(env *protocol.Env, tx *protocol.Tx, head, left int, n int64) {
	if !env.Framing() {
		return
	}
	env.Frame(frameHeader, left+head, int64(head), tx)
	env.Frame(framePDU, left+head, int64(head)+min(n, math.MaxInt64-int64(head)), tx)
	env.Frame(frameData, left, n, tx)
}
