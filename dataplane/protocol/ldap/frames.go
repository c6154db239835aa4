package ldap

import "sluice/dataplane/protocol"

// framePDU are messages.
const framePDU protocol.FrameType = 0

var frames = [...]protocol.FrameSpec{framePDU: {Name: "pdu"}}

// early announces a message of n bytes whose head is known, if it is too long to be
// announced when it is there. It began left bytes before the end of those given.
func early(env *protocol.Env, left, n int) {
	if n > protocol.FrameKept {
		env.Frame(framePDU, left, int64(n), nil)
	}
}

// late announces a message that is there, with its transaction, unless early did.
func late(env *protocol.Env, left, n int, tx *protocol.Tx) {
	if n <= protocol.FrameKept {
		env.Frame(framePDU, left, int64(n), tx)
	}
}
