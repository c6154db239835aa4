package imap

import "sluice/dataplane/protocol"

// The kinds of frames: a command or an answer with its literals; and of messages in
// literals the header, without the empty line that ends it, and what follows that.
const (
	framePDU protocol.FrameType = iota
	frameHeaders
	frameBody
)

var frames = [...]protocol.FrameSpec{framePDU: {Name: "pdu"}, frameHeaders: {Name: "headers"}, frameBody: {Name: "body"}}

// head is a message's header. It is due until its first byte comes, since a server
// may refuse a literal, and open from then on to its end.
type head struct {
	due, open bool
	// empty tells that there is nothing yet on the line, cr that but a CR is.
	empty, cr bool
}

// lineFrame announces a line of which nothing was announced. It begins left bytes
// before the end of those that were given.
func (s *side) lineFrame(env *protocol.Env, left int) {
	if !s.begun {
		s.begun = true
		env.Frame(framePDU, left, protocol.FrameOpen, nil)
	}
}

// lineEnds ends the frame of a line left bytes before the end of those given.
func (s *side) lineEnds(env *protocol.Env, left int) {
	if s.begun {
		s.begun = false
		env.FrameEnd(framePDU, left, nil)
	}
}

// mailFrame announces the beginning of the message in a literal that begins, left
// bytes of what was given being behind it. One that goes on with the message before,
// which was fetched in pieces, goes on with its header or body.
func (s *side) mailFrame(env *protocol.Env, before *protocol.Tx, left int) {
	s.head = head{}
	if s.open == nil || s.left == 0 || !env.Framing() {
		return
	}
	m := s.open.State.(*Mail)
	if m.reader == nil || m.bodied && s.open == before {
		env.Frame(frameBody, left, int64(s.left), s.open)
		return
	}
	s.head = head{due: true, empty: true}
}

// headFrame looks for the end of the header in the next bytes of a literal, which
// left more of what was given follow.
func (s *side) headFrame(env *protocol.Env, b []byte, left int) {
	if s.head.due {
		s.head.due, s.head.open = false, true
		env.Frame(frameHeaders, left+len(b), protocol.FrameOpen, s.open)
	}
	if !s.head.open {
		return
	}
	for i, c := range b {
		switch {
		case c == '\n' && s.head.empty:
			left += len(b) - i - 1
			line := 1
			if s.head.cr {
				line++
			}
			s.headEnds(env, left+line)
			s.open.State.(*Mail).bodied = true
			env.Frame(frameBody, left, int64(s.left)-int64(i+1), s.open)
			return
		case c == '\n':
			s.head.empty, s.head.cr = true, false
		case c == '\r' && s.head.empty && !s.head.cr:
			s.head.cr = true
		default:
			s.head.empty = false
		}
	}
}

// headEnds ends the frame of a header that is open.
func (s *side) headEnds(env *protocol.Env, left int) {
	if s.head.open {
		s.head = head{}
		env.FrameEnd(frameHeaders, left, s.open)
	}
}
