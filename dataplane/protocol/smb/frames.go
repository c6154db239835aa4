package smb

import (
	"bytes"

	"sluice/dataplane/protocol"
)

// The kinds of frames: NetBIOS session messages, and what is in them by the
// version of the protocol; encrypted messages of SMB 3 have their own.
const (
	frameSessionPDU protocol.FrameType = iota
	frameSessionHeader
	frameSessionData
	frame1PDU
	frame1Header
	frame1Data
	frame2PDU
	frame2Header
	frame2Data
	frame3PDU
	frame3Header
	frame3Data
)

var frames = [...]protocol.FrameSpec{
	frameSessionPDU: {Name: "nbss.pdu"}, frameSessionHeader: {Name: "nbss.hdr"}, frameSessionData: {Name: "nbss.data"},
	frame1PDU: {Name: "smb1.pdu"}, frame1Header: {Name: "smb1.hdr"}, frame1Data: {Name: "smb1.data"},
	frame2PDU: {Name: "smb2.pdu"}, frame2Header: {Name: "smb2.hdr"}, frame2Data: {Name: "smb2.data"},
	frame3PDU: {Name: "smb3.pdu"}, frame3Header: {Name: "smb3.hdr"}, frame3Data: {Name: "smb3.data"},
}

// header3 is the length of the header before an encrypted message (MS-SMB2
// §2.2.41).
const header3 = 52

// sessionFrames announces those of a session message whose header was just
// read, left bytes of what was given being behind it.
func (s *side) sessionFrames(env *protocol.Env, left int) {
	if !env.Framing() {
		return
	}
	n := int64(s.buf[1])<<16 | int64(s.buf[2])<<8 | int64(s.buf[3])
	env.Frame(frameSessionPDU, left+sessionLen, sessionLen+n, nil)
	env.Frame(frameSessionHeader, left+sessionLen, sessionLen, nil)
	env.Frame(frameSessionData, left, n, nil)
}

// frames announces those of the message of which the first bytes were gathered.
// Each part of a compound of SMB 2 has a header and data of its own.
func (s *side) frames(env *protocol.Env) {
	left, n := s.after+len(s.buf), len(s.buf)+s.elem
	switch {
	case bytes.HasPrefix(s.buf, magic2):
		if s.first {
			env.Frame(frame2PDU, left, int64(n+s.rest), nil)
			s.first = false
		}
		if len(s.buf) < header2 {
			return
		}
		if next := int(le.Uint32(s.buf[20:])); next >= header2 && next < n {
			n = next
		}
		env.Frame(frame2Header, left, header2, nil)
		env.Frame(frame2Data, left-header2, int64(n-header2), nil)
	case bytes.HasPrefix(s.buf, magic1):
		parted(env, frame1PDU, left, header1, n)
	case bytes.HasPrefix(s.buf, magicEncrypted):
		parted(env, frame3PDU, left, header3, n)
	}
	s.framed = true
}

// parted announces a message of n bytes, its header and its data, whose kinds
// follow each other.
func parted(env *protocol.Env, pdu protocol.FrameType, left, header, n int) {
	env.Frame(pdu, left, int64(n), nil)
	env.Frame(pdu+1, left, int64(min(header, n)), nil)
	env.Frame(pdu+2, left-header, int64(max(n-header, 0)), nil)
}
