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

// announce tells of a frame whose header was just read, left bytes of what was
// given being behind it.
func announce(env *protocol.Env, s *side, left int) {
	if !env.Framing() {
		return
	}
	n := int64(parseFrame(s.small[:]).length)
	env.Frame(framePDU, left+frameHeader, frameHeader+n, nil)
	env.Frame(frameHead, left+frameHeader, frameHeader, nil)
	env.Frame(framePayload, left, n, nil)
}
