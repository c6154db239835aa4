package tls

import "sluice/dataplane/protocol"

// The kinds of frames: records, with and without their headers, and the content
// of those for alerts and heartbeats. Records of SSL 2.0 have kinds of their own.
const (
	framePDU protocol.FrameType = iota
	frameHeader
	frameData
	frameAlert
	frameHeartbeat
	frameHeader2
	framePDU2
)

var frames = [...]protocol.FrameSpec{
	framePDU: {Name: "pdu"}, frameHeader: {Name: "hdr"}, frameData: {Name: "data"}, frameAlert: {Name: "alert"}, frameHeartbeat: {Name: "heartbeat"},
	frameHeader2: {Name: "ssl2.hdr"}, framePDU2: {Name: "ssl2.pdu"},
}

const (
	// recordHeader is the length of a record's header, ssl2Header that of SSL 2.0
	// with the message's type.
	recordHeader = 5
	ssl2Header   = 3
)

// frames announces those of a record whose header was just read, left bytes of
// what was given being behind it.
func (p *Parser) frames(env *protocol.Env, h *half, left int) {
	left += recordHeader
	size := int64(h.size)
	if h.ssl2 {
		env.Frame(frameHeader2, left, ssl2Header, p.tx)
		env.Frame(framePDU2, left, 2+size, p.tx)
		return
	}
	env.Frame(frameHeader, left, recordHeader, p.tx)
	env.Frame(framePDU, left, recordHeader+size, p.tx)
	left -= recordHeader
	env.Frame(frameData, left, size, p.tx)
	switch h.kind {
	case recordAlert:
		env.Frame(frameAlert, left, size, p.tx)
	case recordHeartbeat:
		env.Frame(frameHeartbeat, left, size, p.tx)
	}
}
