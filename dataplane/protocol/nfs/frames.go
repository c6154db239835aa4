package nfs

import "sluice/dataplane/protocol"

// The kinds of frames: messages of RPC with the mark before them, of answers their
// beginning up to the type and what follows that, of calls the credentials; and what
// the program makes of them, of version 4 apart from the others.
const (
	frameRPC protocol.FrameType = iota
	frameRPCHeader
	frameRPCData
	frameCredentials
	frameNFS
	frameStatus
	frameNFS4
	frameHeader4
	frameOps4
	frameStatus4
)

var frames = [...]protocol.FrameSpec{
	frameRPC: {Name: "rpc.pdu"}, frameRPCHeader: {Name: "rpc.hdr", Dirs: protocol.DirsToClient}, frameRPCData: {Name: "rpc.data", Dirs: protocol.DirsToClient},
	frameCredentials: {Name: "rpc.creds", Dirs: protocol.DirsToServer},
	frameNFS:         {Name: "nfs.pdu"}, frameStatus: {Name: "nfs.status", Dirs: protocol.DirsToClient},
	frameNFS4: {Name: "nfs4.pdu"}, frameHeader4: {Name: "nfs4.hdr"}, frameOps4: {Name: "nfs4.ops"}, frameStatus4: {Name: "nfs4.status", Dirs: protocol.DirsToClient},
}

const (
	// typedLen is a message up to its type.
	typedLen = 8
	// head4 is what counts as the header of version 4.
	head4     = 8
	statusLen = 4
)

// marked announces a message whose mark, of mark bytes, was read: n bytes, or the
// first fragment of that length. left bytes of what was given follow the mark. Those
// in several fragments have marks between their parts, so that only the first is told
// of.
func (s *side) marked(env *protocol.Env, dir protocol.Dir, mark, left, n int) {
	s.since, s.size = left, n
	if mark > 0 && !s.last {
		s.size = 0
	}
	if !env.Framing() {
		return
	}
	env.Frame(frameRPC, left+mark, int64(mark+n), nil)
	if dir == protocol.ToClient && n > typedLen {
		env.Frame(frameRPCHeader, left+mark, int64(mark+typedLen), nil)
		env.Frame(frameRPCData, left-typedLen, int64(n-typedLen), nil)
	}
}

// taken announces the parts of a message that was read and carried out.
func (p *Parser) taken(env *protocol.Env, dir protocol.Dir, m *message) {
	s := &p.side[dir]
	if !env.Framing() || s.size == 0 || m.reply != (dir == protocol.ToClient) {
		return
	}
	c := m.call
	if !m.reply {
		c = p.calls[m.xid]
	}
	var tx *protocol.Tx
	if c != nil {
		tx = c.tx
	}
	if m.credEnd > callLen {
		env.Frame(frameCredentials, s.since-callLen, int64(m.credEnd-callLen), tx)
	}
	left, n := s.since-m.begin, int64(s.size-m.begin)
	if m.begin == 0 || n <= 0 {
		return
	}
	pdu, status := frameNFS, frameStatus
	if m.version == 4 {
		pdu, status = frameNFS4, frameStatus4
		if n > head4 {
			env.Frame(frameHeader4, left, head4, tx)
			env.Frame(frameOps4, left-head4, n-head4, tx)
		}
	}
	env.Frame(pdu, left, n, tx)
	if m.reply {
		env.Frame(status, left, min(n, statusLen), tx)
	}
}
