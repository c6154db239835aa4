package sip

import (
	"bytes"

	"sluice/dataplane/protocol"
)

// The kinds of frames: messages and their parts. Lines have their ends, headers are
// without the empty line behind them.
const (
	framePDU protocol.FrameType = iota
	frameRequestLine
	frameRequestHeaders
	frameRequestBody
	frameResponseLine
	frameResponseHeaders
	frameResponseBody
)

var frames = [...]protocol.FrameSpec{
	framePDU:             {Name: "pdu"},
	frameRequestLine:     {Name: "request.line", Dirs: protocol.DirsToServer},
	frameRequestHeaders:  {Name: "request.headers", Dirs: protocol.DirsToServer},
	frameRequestBody:     {Name: "request.body", Dirs: protocol.DirsToServer},
	frameResponseLine:    {Name: "response.line", Dirs: protocol.DirsToClient},
	frameResponseHeaders: {Name: "response.headers", Dirs: protocol.DirsToClient},
	frameResponseBody:    {Name: "response.body", Dirs: protocol.DirsToClient},
}

// announce tells of the frames of a message whose header is head, with a body of
// length bytes; it began left bytes before the end of those given.
func (m *Message) announce(env *protocol.Env, tx *protocol.Tx, head []byte, length uint64, left int) {
	if !env.Framing() {
		return
	}
	length = min(length, 1<<62)
	env.Frame(framePDU, left, int64(len(head))+int64(length), tx)
	if m.reversed() {
		return
	}
	line := frameRequestLine
	if m.response {
		line = frameResponseLine
	}
	first := bytes.IndexByte(head, '\n') + 1
	if first == 0 {
		first = len(head)
	}
	env.Frame(line, left, int64(first), tx)
	fields := head[first:]
	if bytes.HasSuffix(fields, []byte("\r\n\r\n")) || bytes.HasSuffix(fields, []byte("\n\r\n")) || bytes.Equal(fields, []byte("\r\n")) {
		fields = fields[:len(fields)-2]
	} else if bytes.HasSuffix(fields, []byte("\n\n")) || bytes.Equal(fields, []byte("\n")) {
		fields = fields[:len(fields)-1]
	}
	env.Frame(line+1, left-first, int64(len(fields)), tx)
	env.Frame(line+2, left-len(head), int64(length), tx)
}
