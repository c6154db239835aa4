package mqtt

import "sluice/dataplane/protocol"

// The kinds of frames: messages, their fixed headers, and what follows these.
const (
	framePDU protocol.FrameType = iota
	frameHeader
	frameData
)

var frames = [...]protocol.FrameSpec{framePDU: {Name: "pdu"}, frameHeader: {Name: "header"}, frameData: {Name: "data"}}

// frames makes ready to announce those of a message whose header was just read, left
// bytes of what was given being behind it. Those of a long one begin before its
// transaction is known.
func (s *side) frames(env *protocol.Env, left int) {
	s.since, s.framed = s.head+left, false
	if s.head+int(s.length) > protocol.FrameKept {
		s.told(env, nil)
	}
}

// told announces the frames of the message in work once it has its transaction, or
// will have none.
func (s *side) told(env *protocol.Env, tx *protocol.Tx) {
	if s.framed || !env.Framing() {
		return
	}
	s.framed = true
	head, n := int64(s.head), int64(s.length)
	env.Frame(framePDU, s.since, head+n, tx)
	env.Frame(frameHeader, s.since, head, tx)
	env.Frame(frameData, s.since-s.head, n, tx)
}
