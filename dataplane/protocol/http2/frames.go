package http2

import (
	"sluice/dataplane/protocol"
)

// The kinds of frames that rules know: frames of the protocol as a whole, their
// headers and their payloads.
const (
	framePDU protocol.FrameType = iota
	frameHead
	framePayload
)

var frames = [...]protocol.FrameSpec{framePDU: {Name: "pdu"}, frameHead: {Name: "hdr"}, framePayload: {Name: "data"}}

// announce tells of the frame in work, whose header was just read, left bytes of
// what was given being behind it.
func (s *side) announce(env *protocol.Env, left int) {
	if !env.Framing() {
		return
	}
	n := int64(s.f.length)
	var tx *protocol.Tx
	if s.ex != nil {
		tx = s.ex.tx
	}
	env.Frame(framePDU, left+frameHeader, frameHeader+n, tx)
	env.Frame(frameHead, left+frameHeader, frameHeader, tx)
	env.Frame(framePayload, left, n, tx)
}
