package dcerpc

import "sluice/dataplane/protocol"

// The kinds of frames: fragments, their common headers, and what follows these.
const (
	framePDU protocol.FrameType = iota
	frameHeader
	frameData
)

var frames = [...]protocol.FrameSpec{framePDU: {Name: "pdu"}, frameHeader: {Name: "hdr"}, frameData: {Name: "data"}}

// announce tells of the frames of a fragment of n bytes that began left bytes
// before the end of what was given. c is its call, nil where it has none.
func announce(env *protocol.Env, left, header, n int, c *Call) {
	var tx *protocol.Tx
	if c != nil {
		tx = c.Tx
	}
	env.Frame(framePDU, left, int64(n), tx)
	env.Frame(frameHeader, left, int64(header), tx)
	env.Frame(frameData, left-header, int64(n-header), tx)
}
