// Package rdp reads the beginning of the Remote Desktop Protocol ([MS-RDPBCGR]
// §1.3.1.1): the negotiation, and what client and server tell of themselves where
// no TLS follows. It takes ordered bytes and gives a transaction for each message;
// where both ends agree on TLS the rest of the connection is TLS's. It knows no
// flows and no rules.
package rdp

import (
	"bytes"
	"encoding/binary"

	"sluice/dataplane/protocol"
)

// Done is the progress of every transaction: a message is complete when it exists.
const Done = 1

const (
	// tpktLen is the length of the header of a packet (RFC 1006 §6).
	tpktLen = 4
	// maxPacket bounds the packets that are kept as a whole. Those of a beginning
	// have some hundred bytes.
	maxPacket = 16 << 10
	// maxFirst bounds the first packet: the length of X.224's header has one byte.
	maxFirst = tpktLen + 1 + 255
	// maxPackets bounds the packets of a direction that are looked at.
	maxPackets = 64
)

// The codes of X.224 (§13).
const (
	x224Request = 0xe0
	x224Confirm = 0xd0
	x224Data    = 0xf0
)

// Definition describes RDP.
func Definition() *protocol.Definition {
	return &protocol.Definition{
		ID: protocol.RDP, TCP: true, Ports: []uint16{3389},
		Probe:    probe,
		New:      func(*protocol.Env) protocol.Parser { return &Parser{} },
		Complete: [2]uint8{Done, Done},
		First:    protocol.DirsToServer,
		States:   [2][]string{{"request_started", "request_complete"}, {"response_started", "response_complete"}},
	}
}

// probe knows the first packet of each end: a request to connect and its answer.
// Other protocols begin so, too (S7, H.323): what follows tells them apart.
func probe(dir protocol.Dir, b []byte) protocol.Certainty {
	code := byte(x224Request)
	if dir == protocol.ToClient {
		code = x224Confirm
	}
	for i, want := range [...]int{3, 0, -1, -1, -1, int(code), -1, -1, -1, -1, 0} {
		if i >= len(b) {
			return protocol.Unsure
		}
		if want >= 0 && int(b[i]) != want {
			return protocol.NotForUs
		}
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n < 11 || int(b[4]) != n-5 {
		return protocol.NotForUs
	}
	if n == 11 {
		if dir == protocol.ToClient {
			return protocol.Certain
		}
		return protocol.Unsure
	}
	rest := b[11:min(n, len(b))]
	if dir == protocol.ToServer {
		if m := min(len(rest), len(cookiePrefix)); string(rest[:m]) == cookiePrefix[:m] {
			if m < len(cookiePrefix) {
				return protocol.Unsure
			}
			return protocol.Certain
		}
	}
	if len(rest) < 4 {
		return protocol.Unsure
	}
	if typ := rest[0]; binary.LittleEndian.Uint16(rest[2:]) == negotiationLen &&
		(dir == protocol.ToServer && typ == negRequest || dir == protocol.ToClient && (typ == negResponse || typ == negFailure)) {
		return protocol.Certain
	}
	return protocol.NotForUs
}

// side is one direction.
type side struct {
	buf     []byte
	packets int
	// over: the rest is not taken apart; unread counts what of it is encrypted.
	over   bool
	unread uint64
}

// Parser is the RDP of one connection.
type Parser struct {
	txs  protocol.TxList
	side [2]side
	// rest has the classifiers look through all that is not encrypted.
	rest protocol.Leftover
	// sealed tells that what follows the beginning is encrypted by RDP's own means.
	sealed bool
}

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// Parse implements protocol.Parser.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	s := &p.side[dir]
	for len(data) > 0 {
		if s.over {
			p.after(env, dir, data)
			return protocol.Continue
		}
		need := tpktLen
		if len(s.buf) >= tpktLen {
			need = int(binary.BigEndian.Uint16(s.buf[2:]))
		}
		n := min(need-len(s.buf), len(data))
		s.buf = append(s.buf, data[:n]...)
		if s.packets > 0 {
			p.rest.Data(env, dir, data[:n])
		}
		data = data[n:]
		switch {
		case s.buf[0] != 3:
			// Without this header comes only what is sent once both ends know each other.
			p.leave(env, dir)
		case len(s.buf) == tpktLen:
			n := int(binary.BigEndian.Uint16(s.buf[2:]))
			if n <= tpktLen || n > maxPacket || s.packets == 0 && n > maxFirst {
				p.leave(env, dir)
			}
		case len(s.buf) == need:
			if s.packets == 0 {
				// Whether the flow is RDP's is known now.
				p.rest.Data(env, dir, s.buf)
			}
			st := p.packet(env, dir, s.buf[tpktLen:])
			s.buf = s.buf[:0]
			if s.packets++; s.packets >= maxPackets {
				s.end()
			}
			if st == protocol.Switch {
				p.End(env, protocol.ToServer)
				p.End(env, protocol.ToClient)
				env.SwitchTo, env.Rest = protocol.TLS, data
				return st
			}
		}
	}
	return protocol.Continue
}

// end stops taking a direction apart.
func (s *side) end() { s.over, s.buf = true, nil }

// leave stops taking a direction apart. Of its first packet nothing was looked through
// so far.
func (p *Parser) leave(env *protocol.Env, dir protocol.Dir) {
	s := &p.side[dir]
	if s.packets == 0 {
		p.rest.Data(env, dir, s.buf)
	}
	s.end()
}

// after takes bytes behind the beginning.
func (p *Parser) after(env *protocol.Env, dir protocol.Dir, b []byte) {
	if p.sealed {
		p.side[dir].unread += uint64(len(b))
		return
	}
	p.rest.Data(env, dir, b)
}

// packet reads one packet without its header.
func (p *Parser) packet(env *protocol.Env, dir protocol.Dir, b []byte) protocol.Status {
	if len(b) < 2 || int(b[0])+1 > len(b) {
		return protocol.Continue
	}
	switch b[1] {
	case x224Request:
		if dir == protocol.ToServer && len(b) >= 7 {
			p.add(env, dir, readRequest(b[7:]))
		}
	case x224Confirm:
		if dir != protocol.ToClient || len(b) < 7 {
			break
		}
		r := readResponse(b[7:])
		p.add(env, dir, r)
		if r.err == 0 && r.selected != 0 {
			// All but RDP's own protection begin with TLS ([MS-RDPBCGR] §5.4).
			return protocol.Switch
		}
	case x224Data:
		if c, ok := readConnect(b[min(len(b), 3):], dir); ok {
			p.add(env, dir, c)
			if dir == protocol.ToClient {
				p.sealed = c.method != 0
				p.leave(env, protocol.ToServer)
				p.side[protocol.ToClient].end()
			}
		}
	}
	return protocol.Continue
}

// add makes a transaction of a message.
func (p *Parser) add(env *protocol.Env, dir protocol.Dir, m *Message) {
	if len(p.txs.Live) >= env.Limits.Tx(protocol.RDP) {
		return
	}
	p.txs.AddMessage(m, env.Now, dir, Done)
}

// Unread implements protocol.Opaque.
func (p *Parser) Unread(dir protocol.Dir) (encrypted, other uint64) { return p.side[dir].unread, 0 }

// Gap implements protocol.Parser. Behind a hole the beginning is over.
func (p *Parser) Gap(env *protocol.Env, dir protocol.Dir, n uint64) protocol.Status {
	p.leave(env, dir)
	p.rest.Gap(env, dir, n)
	return protocol.Continue
}

// End implements protocol.Parser.
func (p *Parser) End(env *protocol.Env, dir protocol.Dir) {
	p.leave(env, dir)
	p.rest.End(env, dir)
}

// Buffer implements protocol.Parser; there are no buffers.
func (p *Parser) Buffer(*protocol.Tx, protocol.BufferID, protocol.Dir, int) ([]byte, bool) {
	return nil, false
}

// kind is what a message is.
type kind uint8

const (
	initialRequest kind = iota
	initialResponse
	connectRequest
	connectResponse
)

// Message is the State of a transaction.
type Message struct {
	kind   kind
	cookie string
	// flags are those of the negotiation; negotiated tells that there was one.
	flags      uint8
	negotiated bool
	selected   uint32
	err        uint32
	client     *client
	channels   []string
	// method is the server's choice of encryption, 0 for none.
	method uint32
}

// The kinds of negotiation ([MS-RDPBCGR] §2.2.1.1.1, §2.2.1.2.1 and .2).
const (
	negRequest     = 1
	negResponse    = 2
	negFailure     = 3
	negotiationLen = 8
)

const (
	cookiePrefix = "Cookie: "
	cookieName   = "mstshash="
	maxCookie    = 256
)

// readRequest reads what follows the header of X.224's request: a cookie or a
// routing token, and what the client can do.
func readRequest(b []byte) *Message {
	m := &Message{kind: initialRequest}
	if at := bytes.Index(b, []byte("\r\n")); at >= 0 && bytes.HasPrefix(b, []byte(cookiePrefix)) {
		if v, ok := bytes.CutPrefix(b[len(cookiePrefix):at], []byte(cookieName)); ok {
			m.cookie = printable(v[:min(len(v), maxCookie)])
		}
		b = b[at+2:]
	}
	if len(b) >= negotiationLen && b[0] == negRequest {
		m.flags, m.negotiated = b[1], true
	}
	return m
}

func readResponse(b []byte) *Message {
	m := &Message{kind: initialResponse}
	if len(b) < negotiationLen {
		return m
	}
	v := binary.LittleEndian.Uint32(b[4:])
	switch b[0] {
	case negResponse:
		m.flags, m.negotiated, m.selected = b[1], true, v
	case negFailure:
		m.err = v
	}
	return m
}

// printable gives text for an event: what is not ASCII is replaced.
func printable(b []byte) string {
	out := bytes.Clone(b)
	for i, c := range out {
		if c < ' ' || c >= 0x7f {
			out[i] = '.'
		}
	}
	return string(out)
}
