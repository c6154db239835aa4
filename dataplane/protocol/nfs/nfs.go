// Package nfs reads NFS (RFC 1094 for version 2, RFC 1813 for version 3, RFC 7530
// and RFC 8881 for version 4) over RPC (RFC 5531), by TCP and by UDP. It takes
// ordered bytes, gaps marked, or datagrams, and gives a transaction for each call
// that names or changes something, and the content of files that are read and written
// as objects. What is encrypted is told as objects that cannot be scanned. It knows no
// flows and no rules.
package nfs

import (
	"encoding/binary"

	"sluice/dataplane/protocol"
)

// Done is the progress of a direction that is over.
const Done = 1

// What calls of RPC hold.
const (
	program    = 100003
	rpcVersion = 2
	typeCall   = 0
	typeReply  = 1
	// callLen is a call up to the sender's credentials.
	callLen = 24
)

const (
	// headLen is how much of a message is gathered before it is looked at: what
	// stands before content is shorter in most.
	headLen = 4 << 10
	// maxHead bounds what is kept of a message, content aside.
	maxHead = 64 << 10
	// maxPending bounds the calls that wait for answers, maxFiles the handles whose
	// names are known, maxOpen the objects that are open. Calls and handles with their
	// names take maxCalls and maxNames bytes at most.
	maxPending = 2048
	maxFiles   = 4096
	maxOpen    = 128
	maxCalls   = 2 << 20
	maxNames   = 1 << 20
	// slack is how much of a message may be passed over unread: attributes take that.
	slack = 256
)

// Definition describes NFS.
func Definition() *protocol.Definition {
	return &protocol.Definition{
		Events: []string{"malformed_data", "too_many_transactions"},
		Frames: frames[:],
		ID:     protocol.NFS, TCP: true, UDP: true, Ports: []uint16{2049},
		Probe: probe, Answer: answer, ProbeDatagram: probeDatagram, First: protocol.DirsToServer,
		New: func(*protocol.Env) protocol.Parser {
			return &Parser{calls: map[uint32]*call{}, files: map[string]*file{}}
		},
		Complete: [2]uint8{Done, Done},
		States:   [2][]string{{"request_started", "request_complete"}, {"response_started", "response_complete"}},
	}
}

// probe knows a call of the program, behind the mark of a record.
func probe(dir protocol.Dir, b []byte) protocol.Certainty {
	if dir == protocol.ToClient || len(b) > 0 && b[0]&0x7f != 0 {
		return protocol.NotForUs
	}
	if len(b) >= 4 {
		if n := binary.BigEndian.Uint32(b) &^ (1 << 31); n < 40 {
			return protocol.NotForUs
		}
	}
	return probeCall(b[min(4, len(b)):])
}

// probeCall knows the beginning of a call, as far as it is there.
func probeCall(b []byte) protocol.Certainty {
	for i, want := range [...]uint32{4: typeCall, 8: rpcVersion, 12: program} {
		if i%4 != 0 || i == 0 {
			continue
		}
		for k := range 4 {
			if i+k >= len(b) {
				return protocol.Unsure
			}
			if b[i+k] != byte(want>>(24-8*k)) {
				return protocol.NotForUs
			}
		}
	}
	if len(b) < callLen {
		return protocol.Unsure
	}
	version, proc := binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:])
	if version < 2 || version > 4 || proc > 21 {
		return protocol.NotForUs
	}
	return protocol.Certain
}

// answer judges the first bytes of an end whose peer is known to speak NFS.
func answer(dir protocol.Dir, b []byte) protocol.Certainty {
	if dir == protocol.ToServer {
		return probe(dir, b)
	}
	if len(b) < 12 {
		return protocol.Unsure
	}
	if binary.BigEndian.Uint32(b[8:]) > typeReply {
		return protocol.NotForUs
	}
	return protocol.Certain
}

// probeDatagram knows a call. One that has neither credentials nor arguments tells
// nothing of what follows, and answers do not name the program.
func probeDatagram(dir protocol.Dir, b []byte) protocol.Certainty {
	if dir == protocol.ToClient {
		if len(b) >= 24 && binary.BigEndian.Uint32(b[4:]) == typeReply && binary.BigEndian.Uint32(b[8:]) <= 1 {
			return protocol.Unsure
		}
		return protocol.NotForUs
	}
	if len(b) < 48 {
		return protocol.NotForUs
	}
	return probeCall(b)
}

// stage says what a message's next bytes are.
type stage uint8

const (
	stHead    stage = iota
	stContent       // content of a file
	stTail          // what follows all that is understood
	stSkip          // what is encrypted
	stSpill         // what is looked through as it stands
)

// side is one direction.
type side struct {
	// mark gathers the mark of a fragment, left counts its bytes still to come, last
	// tells that it ends the message.
	mark [4]byte
	have int
	left uint32
	last bool
	// begun tells that there was a fragment before.
	begun bool
	// size is the length of a message in one fragment, 0 for others; since counts
	// what was given from its first byte on.
	size, since int

	stage stage
	buf   []byte
	want  int
	// data counts the bytes of content still to come, which is at off of to.
	to   *transfer
	off  uint64
	data uint32
	// end is what is to be done with the content's transfer after it.
	end after
}

// after is what follows a content.
type after struct {
	eof bool
	xid uint32
}

// Parser is the NFS of one flow.
type Parser struct {
	txs   protocol.TxList
	side  [2]side
	calls map[uint32]*call
	files map[string]*file
	open  []*transfer
	// kept counts the bytes that are held ahead of their place, asking what calls take
	// that wait, and naming what files take.
	kept, asking, naming int
	// waiting are the transactions without an answer, in order of age.
	waiting []*protocol.Tx
	// spilt is what is not understood: whatever two ends send each other under this
	// name is not to be hidden by its form.
	spilt  protocol.Leftover
	sealed [2]bool
	ended  [2]bool
	unread [2]uint64
	msg    message
}

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// Parse implements protocol.Parser.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	s := &p.side[dir]
	s.since += len(data)
	if env.Datagram {
		if len(data) == 0 {
			return protocol.Continue
		}
		if len(data) < 8 || binary.BigEndian.Uint32(data[4:]) > typeReply {
			// Somebody else's: one call of a scanner does not make a flow NFS'.
			p.giveUp(env)
			env.SwitchTo, env.Rest = protocol.Unknown, data
			return protocol.Switch
		}
		p.begin(s)
		s.marked(env, dir, 0, len(data), len(data))
		p.feed(env, dir, data)
		p.end(env, dir)
		return protocol.Continue
	}
	for len(data) > 0 {
		if s.left == 0 {
			n := copy(s.mark[s.have:], data)
			data = data[n:]
			if s.have += n; s.have < len(s.mark) {
				return protocol.Continue
			}
			s.have = 0
			m := binary.BigEndian.Uint32(s.mark[:])
			first := s.last || !s.begun
			s.begun = true
			s.left, s.last = m&^(1<<31), m>>31 == 1
			if s.left > 1<<28 {
				p.malformed(env, dir)
				return p.giveUp(env)
			}
			if first {
				s.marked(env, dir, len(s.mark), len(data), int(s.left))
			}
			if s.left == 0 && s.last {
				p.end(env, dir)
			}
			continue
		}
		n := min(len(data), int(s.left))
		p.feed(env, dir, data[:n])
		data, s.left = data[n:], s.left-uint32(n)
		if s.left == 0 && s.last {
			p.end(env, dir)
		}
	}
	return protocol.Continue
}

// begin makes a direction ready for a message.
func (p *Parser) begin(s *side) {
	if cap(s.buf) > 8<<10 {
		s.buf = nil
	}
	s.stage, s.buf, s.want, s.to, s.data = stHead, s.buf[:0], 0, nil, 0
}

// feed takes bytes of a message.
func (p *Parser) feed(env *protocol.Env, dir protocol.Dir, b []byte) {
	s := &p.side[dir]
	for len(b) > 0 {
		switch s.stage {
		case stHead:
			if s.want == 0 {
				s.want = headLen
			}
			n := min(s.want-len(s.buf), len(b))
			s.buf, b = append(s.buf, b[:n]...), b[n:]
			if len(s.buf) < s.want || len(b) == 0 && s.left == uint32(n) {
				continue // end looks at it
			}
			p.look(env, dir, false)
		case stContent:
			n := min(len(b), int(s.data))
			p.content(env, s.to, s.off, b[:n])
			s.off, s.data, b = s.off+uint64(n), s.data-uint32(n), b[n:]
			if s.data == 0 {
				p.afterContent(env, s)
			}
		case stTail:
			if len(s.buf)+len(b) <= slack {
				s.buf = append(s.buf, b...)
				return
			}
			p.spilt.Data(env, dir, s.buf)
			s.stage = stSpill
		case stSpill:
			p.spilt.Data(env, dir, b)
			return
		default:
			return
		}
	}
}

// afterContent goes on behind a content.
func (p *Parser) afterContent(env *protocol.Env, s *side) {
	p.moved(env, s.to, s.off, s.end)
	s.to, s.stage, s.buf = nil, stTail, s.buf[:0]
}

// end takes note that a message is over.
func (p *Parser) end(env *protocol.Env, dir protocol.Dir) {
	s := &p.side[dir]
	if s.stage == stHead && len(s.buf) > 0 {
		p.look(env, dir, true)
	}
	if s.stage == stContent {
		if s.to.tx != nil {
			s.to.tx.AddEvent("malformed_data") // it ends before its content does
		}
		p.finish(env, s.to, protocol.ObjectTruncated)
	}
	p.begin(s)
}

// look takes apart what was gathered of a message; whole tells that it is all.
func (p *Parser) look(env *protocol.Env, dir protocol.Dir, whole bool) {
	s := &p.side[dir]
	m := &p.msg
	switch m.parse(s.buf, p) {
	case readDone:
		s.stage = stTail
		p.apply(env, dir, m) // it may go on with content
		p.taken(env, dir, m)
		if m.broken {
			p.malformed(env, dir)
		}
		if s.stage == stTail {
			p.tail(env, dir, m.at, m.odd)
		}
	case readShort:
		switch {
		case whole:
			p.malformed(env, dir)
			p.tail(env, dir, 0, true)
		case s.want < maxHead:
			s.want = maxHead
		default:
			p.tail(env, dir, 0, true)
		}
	case readForeign:
		p.tail(env, dir, 0, true)
	default:
		p.tail(env, dir, m.at, m.odd)
	}
}

// tail goes on with what was gathered of a message from at on, where that and what
// follows are not understood. That is looked through, but for a mere rest that is no
// longer than attributes are.
func (p *Parser) tail(env *protocol.Env, dir protocol.Dir, at int, odd bool) {
	s := &p.side[dir]
	b := s.buf[at:]
	if !odd && len(b) <= slack {
		s.buf, s.stage = append(s.buf[:0], b...), stTail
		return
	}
	s.stage = stSpill
	p.spilt.Data(env, dir, b)
}

// aloof makes what stands for a transaction of an object that has none.
func (p *Parser) aloof(env *protocol.Env) *protocol.Tx {
	return &protocol.Tx{ID: p.txs.Next, State: &Transaction{}, Created: env.Now}
}

// malformed notes a message that breaks the rules.
func (p *Parser) malformed(env *protocol.Env, dir protocol.Dir) {
	tx := p.txs.Last()
	if tx == nil || !tx.In(dir) || tx.Progress[dir] == Done {
		tx = p.txs.Add(&Transaction{}, env.Now)
		tx.Only, tx.Progress = protocol.DirsToServer<<dir, [2]uint8{Done, Done}
	}
	tx.AddEvent("malformed_data")
}

// Gap implements protocol.Parser. A hole within a fragment leaves the next one where
// it is; after any other the messages' borders are lost.
func (p *Parser) Gap(env *protocol.Env, dir protocol.Dir, n uint64) protocol.Status {
	s := &p.side[dir]
	if n > uint64(s.left) || s.left == 0 {
		return p.giveUp(env)
	}
	s.left -= uint32(n)
	s.since += int(n)
	if s.stage == stHead && len(s.buf) > 0 {
		p.look(env, dir, false) // content may have begun
	}
	if s.stage == stContent {
		k := min(uint64(s.data), n)
		p.missing(env, s.to, s.off, k)
		s.off, s.data = s.off+k, s.data-uint32(k)
		if s.data == 0 {
			p.afterContent(env, s)
		}
	} else if s.stage == stHead {
		p.tail(env, dir, 0, true)
	}
	p.spilt.Gap(env, dir, n)
	if s.left == 0 && s.last {
		p.end(env, dir)
	}
	return protocol.Continue
}

// giveUp ends both directions: nothing tells the parser of their ends any more.
func (p *Parser) giveUp(env *protocol.Env) protocol.Status {
	p.End(env, protocol.ToServer)
	p.End(env, protocol.ToClient)
	return protocol.Error
}

// End implements protocol.Parser. Files have no end of their own before version 4:
// what was written by the time that both ends have gone is the file.
func (p *Parser) End(env *protocol.Env, dir protocol.Dir) {
	s := &p.side[dir]
	if s.stage == stHead {
		p.spilt.Data(env, dir, s.buf) // a message that never ends has left all the same
	}
	p.spilt.End(env, dir)
	if s.to != nil {
		p.finish(env, s.to, protocol.ObjectTruncated)
	}
	*s = side{}
	if p.ended[dir] = true; !p.ended[dir.Other()] {
		return
	}
	for len(p.open) > 0 {
		t, state := p.open[0], protocol.ObjectClosed
		if t.dir == protocol.ToClient {
			state = protocol.ObjectTruncated
		}
		p.finish(env, t, state)
	}
	for _, tx := range p.txs.Live {
		tx.Progress = [2]uint8{Done, Done}
	}
	p.waiting = nil
}

// Unread implements protocol.Opaque.
func (p *Parser) Unread(dir protocol.Dir) (encrypted, other uint64) { return p.unread[dir], 0 }

// Buffer implements protocol.Parser: there are none but those of files.
func (p *Parser) Buffer(*protocol.Tx, protocol.BufferID, protocol.Dir, int) ([]byte, bool) {
	return nil, false
}
