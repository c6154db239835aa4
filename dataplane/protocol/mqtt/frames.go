package mqtt

import "sluice/dataplane/protocol"

// The kinds of frames: messages, their fixed headers, and what follows these.
const (
	framePDU protocol.FrameType = iota
	frameHeader
	frameData
)

var frames = [...]protocol.FrameSpec{framePDU: {Name: "pdu"}, frameHeader: {Name: "header"}, frameData: {Name: "data"}}

// frames announces those of a message whose header was just read, left bytes of
// what was given being behind it.
func (s *side) frames(env *protocol.Env, left int) {
	if !env.Framing() {
		return
	}
	head, n := int64(s.head), int64(s.length)
	env.Frame(framePDU, left+s.head, head+n, nil)
	env.Frame(frameHeader, left+s.head, head, nil)
	env.Frame(frameData, left, n, nil)
}
