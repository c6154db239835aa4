// Package rfb reads the handshake of RFB 3.3, 3.7 and 3.8 (RFC 6143), the protocol
// of VNC, and what a client pastes afterwards. It takes ordered bytes and gives a
// transaction for the handshake and one, with an object, for each text that the
// client puts into the server's clipboard. What the server sends then, pixels mostly,
// is not taken apart but looked through as it stands. It knows no flows and no rules.
package rfb

import (
	"encoding/binary"

	"sluice/dataplane/protocol"
)

// The progress of a direction of the handshake: nothing yet, its version, all of it.
const (
	Started = iota
	Version
	Done
)

const slotName = 0

// framePDU is a piece of the handshake, or a message of the client, of a text for the
// clipboard only what goes before it.
const framePDU protocol.FrameType = 0

// Definition describes RFB.
func Definition() *protocol.Definition {
	return &protocol.Definition{
		ID: protocol.RFB, TCP: true, Ports: []uint16{5900},
		Probe: probe,
		New:   func(*protocol.Env) protocol.Parser { return &Parser{} },
		Buffers: []protocol.BufferSpec{
			{ID: protocol.Buffer(protocol.RFB, slotName), Name: "rfb.name", Dirs: protocol.DirsToClient, Progress: Done},
		},
		Frames:   []protocol.FrameSpec{framePDU: {Name: "pdu"}},
		Complete: [2]uint8{Done, Done},
		States:   [2][]string{{"request_started", "request_version", "request_complete"}, {"response_started", "response_version", "response_complete"}},
		Events:   eventNames,
	}
}

// versionLen is the length of a version: "RFB 003.008\n" (§7.1.1).
const versionLen = 12

// probe knows either end by its version.
func probe(_ protocol.Dir, b []byte) protocol.Certainty {
	const shape = "RFB ddd.ddd\n"
	for i, c := range b[:min(len(b), versionLen)] {
		if shape[i] == 'd' && (c < '0' || c > '9') || shape[i] != 'd' && c != shape[i] {
			return protocol.NotForUs
		}
	}
	if len(b) < versionLen {
		return protocol.Unsure
	}
	return protocol.Certain
}

// Types of security (§7.1.2).
const (
	securityInvalid = 0
	securityNone    = 1
	securityVNC     = 2
)

// step says what a direction's next bytes are.
type step uint8

const (
	stVersion step = iota
	// Of the server.
	stChoice     // of the type of security, by version 3.3
	stTypes      // of security that are offered
	stRefusal    // why there is no connection
	stChallenge  // of VNC
	stResult     // of security
	stFailure    // why security has failed
	stServerInit // the desktop
	// Of the client.
	stChosen   // type of security
	stResponse // to the challenge
	stShared
	stMessage
	stCut // text for the clipboard
	// Of both.
	stRest // what is not told apart
	stSkip // nothing: it has ended
)

// side is one direction.
type side struct {
	step step
	buf  []byte
	// left counts the bytes of a text that are still to come.
	left uint32
	tx   *protocol.Tx
	obj  *protocol.Object
}

// Parser is the RFB of one connection.
type Parser struct {
	txs  protocol.TxList
	side [2]side
	tx   *protocol.Tx
	hs   Handshake
}

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// Parse implements protocol.Parser.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	s := &p.side[dir]
	if p.tx == nil {
		p.tx = p.txs.Add(&p.hs, env.Now)
	}
	for len(data) > 0 {
		p.settle(dir)
		switch s.step {
		case stSkip:
			return protocol.Skip
		case stCut:
			data = p.content(env, s, data)
			continue
		case stRest:
			p.rest(env, dir, data)
			return protocol.Continue
		}
		need, ok := p.need(dir)
		if !ok || need > env.Limits.MaxHeader {
			p.broken("malformed_message")
			p.rest(env, dir, nil)
			continue
		}
		n := min(len(data), need-len(s.buf))
		s.buf = append(s.buf, data[:n]...)
		data = data[n:]
		if len(s.buf) < need {
			continue
		}
		// What was missing may tell how much more there is.
		if need, ok = p.need(dir); !ok || need > env.Limits.MaxHeader {
			p.broken("malformed_message")
			p.rest(env, dir, nil)
			continue
		}
		if len(s.buf) < need {
			continue
		}
		env.Frame(framePDU, need+len(data), int64(need), p.tx)
		p.take(env, dir, s.buf)
		s.buf = s.buf[:0]
	}
	if s.step == stSkip {
		return protocol.Skip
	}
	return protocol.Continue
}

// settle decides what a direction's next bytes are where that hangs on the other
// end. A server is told of the client's version and choice before it goes on.
func (p *Parser) settle(dir protocol.Dir) {
	s, h := &p.side[dir], &p.hs
	if s.step != stChoice && s.step != stChallenge && s.step != stChosen && s.step != stResponse || len(s.buf) > 0 {
		return
	}
	switch {
	case s.step == stChoice && h.minor() >= 7:
		s.step = stTypes
	case s.step == stChosen && h.minor() < 7, s.step == stResponse:
		// By version 3.3 it is the server that chooses.
		switch {
		case !h.chosen:
			p.confuse()
		case h.Security == securityNone:
			s.step = stShared
		case h.Security == securityVNC:
			s.step = stResponse
		}
	case s.step == stChallenge:
		switch {
		case !h.chosen:
			p.confuse()
		case h.Security == securityNone && h.minor() >= 8:
			s.step = stResult
		case h.Security == securityNone:
			s.step = stServerInit
		}
	}
}

// need gives the length of what a direction's next bytes are, as far as it can be
// told from what there is of it.
func (p *Parser) need(dir protocol.Dir) (n int, ok bool) {
	s := &p.side[dir]
	counted := func(head int) (int, bool) {
		if len(s.buf) < head {
			return head, true
		}
		v := binary.BigEndian.Uint32(s.buf[head-4:])
		return head + int(min(v, 1<<30)), true
	}
	switch s.step {
	case stVersion:
		return versionLen, true
	case stChoice, stResult:
		return 4, true
	case stTypes:
		if len(s.buf) == 0 {
			return 1, true
		}
		return 1 + int(s.buf[0]), true
	case stRefusal, stFailure:
		return counted(4)
	case stChallenge, stResponse:
		return 16, true
	case stServerInit:
		return counted(24)
	case stChosen, stShared:
		return 1, true
	case stMessage:
		return messageLen(s.buf), true
	}
	return 0, false
}

// take takes a piece of the handshake or a message that is there as a whole.
func (p *Parser) take(env *protocol.Env, dir protocol.Dir, b []byte) {
	s, h := &p.side[dir], &p.hs
	switch s.step {
	case stVersion:
		if probe(dir, b) != protocol.Certain {
			p.broken("malformed_message")
			p.rest(env, dir, nil)
			return
		}
		h.Versions[dir] = [2]string{string(b[4:7]), string(b[8:11])}
		p.advance(dir, Version)
		s.step = stChoice
		if dir == protocol.ToServer {
			s.step = stChosen
		}
	case stChoice:
		p.choose(binary.BigEndian.Uint32(b))
		s.step = stChallenge
		if h.Security == securityInvalid {
			s.step = stRefusal
		}
	case stTypes:
		s.step = stChallenge
		if len(b) == 1 {
			s.step = stRefusal
		}
	case stRefusal, stFailure:
		h.Reason = text(b[4:])
		p.over()
	case stChallenge:
		h.Challenge = [16]byte(b)
		h.challenged = true
		s.step = stResult
	case stResult:
		h.Result, h.judged = binary.BigEndian.Uint32(b), true
		s.step = stServerInit
		if h.Result > resultTooMany {
			p.tx.AddEvent("unknown_security_result")
		}
		if h.Result != resultOK {
			if s.step = stFailure; h.minor() < 8 {
				p.over()
			}
		}
	case stServerInit:
		h.init(b)
		p.advance(dir, Done)
		s.step = stRest
	case stChosen:
		p.choose(uint32(b[0]))
		if s.step == stRest {
			break
		}
		if s.step = stShared; h.Security == securityVNC {
			s.step = stResponse
		}
	case stResponse:
		h.Response = [16]byte(b)
		h.responded = true
		s.step = stShared
	case stShared:
		h.Shared, h.shared = b[0] != 0, true
		p.advance(dir, Done)
		s.step = stMessage
	case stMessage:
		p.message(env, s, b)
	}
}

// choose notes the type of security of a connection. What other types bring is
// mostly encrypted and not read.
func (p *Parser) choose(v uint32) {
	p.hs.Security, p.hs.chosen = v, true
	switch v {
	case securityInvalid, securityNone, securityVNC:
	default:
		p.tx.AddEvent("unimplemented_security_type")
		p.over()
	}
}

func (p *Parser) confuse() {
	p.tx.AddEvent("confused_state")
	p.over()
}

// over ends the handshake. What follows is not taken apart but looked through as it
// stands: nobody shall hide a thing behind the first bytes of RFB. Messages of a
// client that is past its part go on.
func (p *Parser) over() {
	p.tx.Progress = [2]uint8{Done, Done}
	for d := range p.side {
		if s := &p.side[d]; s.step < stMessage {
			s.step = stRest
		}
	}
}

func (p *Parser) advance(dir protocol.Dir, progress uint8) {
	p.tx.Progress[dir] = max(p.tx.Progress[dir], progress)
}

// broken notes that the handshake cannot be read.
func (p *Parser) broken(event string) {
	p.tx.AddEvent(event)
	p.over()
}

// Gap implements protocol.Parser. A hole within a text leaves the next message where
// it is, after any other the borders are lost: what is left of the handshake, and
// a client's messages, go on as plain bytes.
func (p *Parser) Gap(env *protocol.Env, dir protocol.Dir, n uint64) protocol.Status {
	s := &p.side[dir]
	switch {
	case s.step == stSkip:
		return protocol.Skip
	case s.step == stCut && n <= uint64(s.left):
		env.Objects.ObjectGap(s.obj, n)
		s.obj.Gaps = true
		if s.left -= uint32(n); s.left == 0 {
			p.close(env, s, protocol.ObjectTruncated)
			s.step = stMessage
		}
		return protocol.Continue
	case s.step == stCut:
		p.close(env, s, protocol.ObjectTruncated)
	case s.step < stMessage:
		if p.tx == nil {
			p.tx = p.txs.Add(&p.hs, env.Now)
		}
		p.broken("confused_state")
	}
	if p.rest(env, dir, nil); s.obj != nil {
		env.Objects.ObjectGap(s.obj, n)
		s.obj.Gaps = true
	}
	return protocol.Continue
}

// End implements protocol.Parser.
func (p *Parser) End(env *protocol.Env, dir protocol.Dir) {
	s := &p.side[dir]
	state := protocol.ObjectTruncated
	if s.step != stCut && s.step != stSkip {
		p.rest(env, dir, nil) // what is cut short
		state = protocol.ObjectClosed
	}
	p.close(env, s, state)
	s.step, s.buf = stSkip, nil
	if p.tx != nil {
		p.advance(dir, Done)
	}
}

// Buffer implements protocol.Parser.
func (p *Parser) Buffer(tx *protocol.Tx, id protocol.BufferID, dir protocol.Dir, i int) ([]byte, bool) {
	h, ok := tx.State.(*Handshake)
	if !ok || id != protocol.Buffer(protocol.RFB, slotName) || dir != protocol.ToClient || i > 0 || !h.described {
		return nil, false
	}
	return h.Name, true
}
