package smtp

import "sluice/dataplane/protocol"

// The kinds of frames: lines with their ends, and mails as they are sent.
const (
	frameCommand protocol.FrameType = iota
	frameData
	frameReply
)

var frames = [...]protocol.FrameSpec{
	frameCommand: {Name: "command_line", Dirs: protocol.DirsToServer},
	frameData:    {Name: "data", Dirs: protocol.DirsToServer},
	frameReply:   {Name: "response_line", Dirs: protocol.DirsToClient},
}

// frame announces a frame of n bytes that began left bytes before the end of
// those given.
func (p *Parser) frame(env *protocol.Env, t protocol.FrameType, left, n int) {
	if !p.replay {
		env.Frame(t, left, int64(n), p.cur)
	}
}

// commandFrames announces a command line of n bytes that was carried out, and
// the content that it begins, with left bytes given behind it.
func (p *Parser) commandFrames(env *protocol.Env, n, left int) {
	if p.replay || !env.Framing() {
		return
	}
	if p.framed {
		// The server took no content: commands went on.
		p.frameEnd(env, n+left)
	}
	env.Frame(frameCommand, n+left, int64(min(n, maxLine)), p.cur)
	switch p.mode {
	case modeData:
		p.framed = true
		env.Frame(frameData, left, protocol.FrameOpen, p.cur)
	case modeBdat:
		env.Frame(frameData, left, int64(min(p.bdatLeft, 1<<62)), p.cur)
	}
}

// frameEnd tells that the mail sent by DATA has ended left bytes before the end
// of those given.
func (p *Parser) frameEnd(env *protocol.Env, left int) {
	if !p.replay {
		p.framed = false
		env.FrameEnd(frameData, left, p.cur)
	}
}

// again reads bytes of the client once more, as what the server's answer has
// shown them to be.
func (p *Parser) again(env *protocol.Env, data []byte) {
	was := p.replay
	p.replay = true
	p.client(env, data)
	p.replay = was
}
