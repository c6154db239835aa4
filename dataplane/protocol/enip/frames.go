package enip

import "sluice/dataplane/protocol"

// The kinds of frames: messages of the encapsulation, their headers and what follows
// these, the items in it with their types and lengths, and the messages of CIP, those
// within others as well.
const (
	frameHeader protocol.FrameType = iota
	frameData
	framePDU
	frameCIP
	frameItem
)

var frames = [...]protocol.FrameSpec{
	frameHeader: {Name: "hdr"}, frameData: {Name: "data"}, framePDU: {Name: "pdu"}, frameCIP: {Name: "cip"}, frameItem: {Name: "enip.item"},
}

// place is a part of a message's body: where it begins, and its length.
type place struct{ at, n int }

// dataAt gives the offset in the body of a message's data, which is the last of it.
func (c *CIP) dataAt() int { return c.at + c.n - len(c.Data) }

// early announces a message of n bytes whose header is there, if it is too long to be
// announced when all of it is. It began left bytes before the end of those given.
func early(env *protocol.Env, left, n int) {
	if n > protocol.FrameKept && env.Framing() {
		whole(env, left, n, nil)
	}
}

func whole(env *protocol.Env, left, n int, tx *protocol.Tx) {
	env.Frame(framePDU, left, int64(n), tx)
	env.Frame(frameHeader, left, headerLen, tx)
	env.Frame(frameData, left-headerLen, int64(n-headerLen), tx)
}

// announce announces the frames of a message of n bytes that was read, except those
// that early did.
func (m *Message) announce(env *protocol.Env, left, n int, tx *protocol.Tx) {
	if n <= protocol.FrameKept {
		whole(env, left, n, tx)
	}
	left -= headerLen
	for _, x := range m.places {
		env.Frame(frameItem, left-x.at, int64(x.n), tx)
	}
	m.each(func(c *CIP) { env.Frame(frameCIP, left-c.at, int64(c.n), tx) })
}
