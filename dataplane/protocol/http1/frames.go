package http1

import "sluice/dataplane/protocol"

// The kinds of frames: messages from their start line to the end of their body.
const (
	frameRequest protocol.FrameType = iota
	frameResponse
)

var frames = [...]protocol.FrameSpec{
	frameRequest:  {Name: "request", Dirs: protocol.DirsToServer},
	frameResponse: {Name: "response", Dirs: protocol.DirsToClient},
}

// frameOf gives the kind of a direction's messages.
func frameOf(dir protocol.Dir) protocol.FrameType {
	if dir == protocol.ToServer {
		return frameRequest
	}
	return frameResponse
}

// frameBegins tells of a message that began left bytes before the end of what is
// read.
func (p *parser) frameBegins(dir protocol.Dir, s *side, left int) {
	if dir != p.dir || p.replay || !p.env.Framing() {
		return
	}
	if s.framed {
		// The message before was given up.
		p.env.FrameEnd(frameOf(dir), left+p.behind, nil)
	}
	s.framed = true
	p.env.Frame(frameOf(dir), left+p.behind, protocol.FrameOpen, s.ex.tx)
}

// frameEnds tells that the message has ended left bytes before the end of what
// is read.
func (p *parser) frameEnds(dir protocol.Dir, s *side, left int) {
	if !s.framed || dir != p.dir || p.replay {
		return
	}
	s.framed = false
	p.env.FrameEnd(frameOf(dir), left+p.behind, nil)
}

// feedBefore reads bytes that were kept, of which rest follow that were given.
func (p *parser) feedBefore(dir protocol.Dir, begun []byte, rest int) protocol.Status {
	p.behind += rest
	st := p.feed(dir, begun)
	p.behind -= rest
	return st
}
