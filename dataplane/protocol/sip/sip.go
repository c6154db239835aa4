// Package sip reads SIP (RFC 3261) over UDP and TCP, and the session
// descriptions it carries (SDP, RFC 8866). It takes ordered bytes or datagrams
// and gives a transaction for each message, with the fields that rules look at,
// and objects for what a message brings: its body, free text of its header. It
// knows no flows and no rules. What is sent to log in is kept nowhere.
package sip

import (
	"bytes"

	"sluice/dataplane/protocol"
)

// The progress of a message's direction: nothing yet, its header, all of it.
const (
	Started = iota
	Head
	Done
)

var ports = []uint16{5060, 5061}

// Definition describes SIP. A request is the client's and a response the
// server's; a message the other way round, which UDP allows, is looked through
// for content and is an anomaly, as in Suricata.
func Definition() *protocol.Definition {
	d := &protocol.Definition{
		ID: protocol.SIP, TCP: true, UDP: true, Ports: ports,
		Probe: probe, ProbeDatagram: probeDatagram,
		Reversed: func(b []byte) bool { return isResponse(skipBlank(b)) },
		New:      func(*protocol.Env) protocol.Parser { return &Parser{} },
		Frames:   frames[:],
		Complete: [2]uint8{Done, Done},
		States: [2][]string{{"request_started", "request_headers", "request_complete"},
			{"response_started", "response_headers", "response_complete"}},
		Events: eventNames,
	}
	for slot, b := range buffers {
		for _, name := range b.names {
			spec := protocol.BufferSpec{ID: protocol.Buffer(protocol.SIP, uint8(slot)), Name: name, Dirs: b.dirs, Progress: Head, Multi: b.multi}
			if b.sdp != 0 {
				spec.Progress = Done
			}
			d.Buffers = append(d.Buffers, spec)
		}
	}
	return d
}

// maxFirst bounds a message's first line where recognition looks at it.
const maxFirst = 2048

// probeDatagram knows a datagram by its first line, whichever end sends it.
func probeDatagram(_ protocol.Dir, b []byte) protocol.Certainty {
	b = skipBlank(b)
	if len(b) == 0 || !tokenChars[b[0]] {
		return protocol.NotForUs
	}
	n := bytes.IndexByte(b[:min(len(b), maxFirst)], '\n')
	if n < 0 {
		return protocol.NotForUs
	}
	if _, ok := parseStart(trimEOL(b[:n])); ok {
		return protocol.Certain
	}
	return protocol.NotForUs
}

// probe knows a client by its request's first line and a server by a response's.
func probe(dir protocol.Dir, b []byte) protocol.Certainty {
	unsure := protocol.Unsure
	if len(b) >= maxFirst {
		unsure = protocol.NotForUs
	}
	if b = skipBlank(b); len(b) == 0 {
		return unsure
	}
	if dir == protocol.ToClient {
		const first = "SIP/2.0 "
		if n := min(len(b), len(first)); string(b[:n]) != first[:n] {
			return protocol.NotForUs
		}
		if len(b) < len(first)+3 {
			return unsure
		}
		if isResponse(b) {
			return protocol.Certain
		}
		return protocol.NotForUs
	}
	n := bytes.IndexByte(b, '\n')
	if n >= 0 {
		if s, ok := parseStart(trimEOL(b[:n])); ok && !s.response {
			return protocol.Certain
		}
		return protocol.NotForUs
	}
	// Other protocols begin with a word as well: a method is short, and what
	// follows has a scheme.
	const maxMethod, maxScheme = 20, 10
	m := tokenLen(b)
	switch {
	case m > maxMethod || m < len(b) && (m == 0 || b[m] != ' '):
		return protocol.NotForUs
	case m < len(b):
		uri := b[m+1:]
		if c := tokenLen(uri); c > maxScheme || c < len(uri) && uri[c] != ':' {
			return protocol.NotForUs
		}
	}
	return unsure
}

// isResponse reports whether b begins with a response.
func isResponse(b []byte) bool {
	return len(b) >= 11 && string(b[:8]) == "SIP/2.0 " && isDigit(b[8]) && isDigit(b[9]) && isDigit(b[10])
}

// skipBlank leaves out the line ends that may stand before a message (RFC 3261
// §7.5), and are all of a keep-alive (RFC 5626 §3.5.1).
func skipBlank(b []byte) []byte {
	for len(b) > 0 && (b[0] == '\r' || b[0] == '\n') {
		b = b[1:]
	}
	return b
}

// side is one direction of a connection.
type side struct {
	// buf is a header of which the end has not come; sound tells that its first line
	// has, and is one.
	buf   []byte
	sound bool
	// lost: the rest is not taken apart.
	lost bool
	// inBody: left bytes of the body of tx are still to come.
	inBody bool
	left   uint64
	tx     *protocol.Tx
	body   body
}

// Parser is the SIP of one flow.
type Parser struct {
	txs  protocol.TxList
	side [2]side
	// rest has the classifiers look through what is no message of a stream.
	rest protocol.Leftover
	logins
	protocol.Cleartext
}

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// Parse implements protocol.Parser.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	if env.Datagram {
		return p.datagram(env, dir, data)
	}
	s := &p.side[dir]
	for len(data) > 0 {
		if s.lost {
			p.rest.Data(env, dir, data)
			break
		}
		if s.inBody {
			n := min(uint64(len(data)), s.left)
			s.body.write(env, data[:n])
			data = data[n:]
			if s.left -= n; s.left == 0 {
				p.finish(env, dir, protocol.ObjectClosed)
			}
			continue
		}
		data = data[p.head(env, dir, data):]
	}
	return protocol.Continue
}

// head takes bytes of a header and, with its end, begins the message. It gives how
// many it took: none behind the header, since a segment may have thousands of them.
func (p *Parser) head(env *protocol.Env, dir protocol.Dir, data []byte) (n int) {
	s := &p.side[dir]
	if len(s.buf) == 0 {
		rest := skipBlank(data)
		if n = len(data) - len(rest); len(rest) == 0 {
			return n
		}
		data = rest
	}
	held := len(s.buf)
	take := min(len(data), env.Limits.MaxHeader-held)
	end := s.headEnd(data[:take])
	if end >= 0 {
		take = end
	}
	s.buf = append(s.buf, data[:take]...)
	if !s.sound {
		switch first := bytes.IndexByte(s.buf[:min(len(s.buf), maxFirst)], '\n'); {
		case first >= 0:
			if _, s.sound = parseStart(trimEOL(s.buf[:first])); !s.sound {
				p.lose(env, dir)
				return n + take
			}
		case len(s.buf) >= maxFirst:
			p.lose(env, dir)
			return n + take
		}
	}
	if end < 0 {
		if len(s.buf) >= env.Limits.MaxHeader {
			p.lose(env, dir)
		}
		return n + take
	}
	head := s.buf
	m := newMessage(dir, head)
	s.buf, s.sound = nil, false
	tx := p.begin(env, m)
	// Without a length there is no body: a stream has no other end of it (RFC 3261 §18.3).
	length := m.length()
	m.announce(env, tx, head, length, held+len(data))
	p.open(env, tx, length, length)
	return n + take
}

// headEnd gives where in b, which follows what is held of a header, that header ends;
// -1 where it does not.
func (s *side) headEnd(b []byte) int {
	var seam [6]byte // an end may lie across
	n := copy(seam[:3], s.buf[max(0, len(s.buf)-3):])
	if end := headEnd(seam[:n+copy(seam[n:n+3], b)]); end > n {
		return end - n
	}
	return headEnd(b)
}

// headEnd gives the length of a header, its empty line included; -1 where that has
// not come.
func headEnd(b []byte) int {
	for from := 0; from < len(b); {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return -1
		}
		from += i + 1
		switch rest := b[from:]; {
		case len(rest) > 0 && rest[0] == '\n':
			return from + 1
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return from + 2
		}
	}
	return -1
}

// datagram takes a datagram: one message (RFC 3261 §18.3). All that follows the
// header counts as its body, since a length that is too small leaves the rest to
// whoever wants it.
func (p *Parser) datagram(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	data = skipBlank(data)
	if len(bytes.Trim(data, "\x00 \t\r\n")) == 0 {
		return protocol.Continue // a keep-alive
	}
	head := data
	end := headEnd(data)
	if end >= 0 {
		head = data[:end]
	}
	first, _, _ := bytes.Cut(head, []byte("\n"))
	if _, ok := parseStart(trimEOL(first)); !ok || len(head) > env.Limits.MaxHeader {
		if binary(data) {
			if st, foreign := p.rest.Foreign(env, data, ports...); foreign {
				return st
			}
		}
		p.malformed(env, dir, data)
		return protocol.Continue
	}
	m := newMessage(dir, bytes.Clone(head))
	tx := p.begin(env, m)
	content := data[len(head):]
	length := m.length()
	state := protocol.ObjectClosed
	if end < 0 || length > uint64(len(content)) {
		tx.AddEvent("incomplete_data")
		state = protocol.ObjectTruncated
	}
	m.announce(env, tx, head, uint64(len(content)), len(data))
	if p.open(env, tx, uint64(len(content)), max(length, uint64(len(content)))); len(content) > 0 {
		p.side[dir].body.write(env, content)
		p.finish(env, dir, state)
	}
	return protocol.Continue
}

// binary reports whether a datagram begins with what no text has.
func binary(b []byte) bool {
	return bytes.ContainsFunc(b[:min(len(b), 12)], func(r rune) bool { return r < ' ' && r != '\t' && r != '\r' && r != '\n' })
}

// begin makes the transaction of a message whose header is there.
func (p *Parser) begin(env *protocol.Env, m *Message) *protocol.Tx {
	tx := p.txs.Add(m, env.Now)
	tx.Only = protocol.DirsToServer << m.Dir
	if m.odd || m.reversed() {
		tx.AddEvent("invalid_data")
	}
	tx.Progress = [2]uint8{Done, Done}
	tx.Progress[m.Dir] = Head
	p.follow(m)
	if text := m.freeText(); len(text) > 0 {
		o := &protocol.Object{Kind: protocol.KindText, Dir: m.Dir, Tx: tx, Name: "header", ContentType: "text/plain", Total: uint64(len(text)), Exact: true}
		env.Objects.OpenObject(o)
		env.Objects.ObjectData(o, text)
		env.Objects.CloseObject(o, protocol.ObjectClosed)
	}
	return tx
}

// open begins the body of a message, of which left bytes are to come of total; a
// message without one is complete.
func (p *Parser) open(env *protocol.Env, tx *protocol.Tx, left, total uint64) {
	m := tx.State.(*Message)
	s := &p.side[m.Dir]
	s.tx = tx
	if left == 0 {
		p.complete(s, m.Dir)
		return
	}
	s.inBody, s.left = true, left
	s.body.begin(env, tx, m, total)
}

// finish ends the body of a direction's message.
func (p *Parser) finish(env *protocol.Env, dir protocol.Dir, state protocol.ObjectState) {
	s := &p.side[dir]
	s.body.end(env, state)
	s.inBody, s.left = false, 0
	p.complete(s, dir)
}

func (p *Parser) complete(s *side, dir protocol.Dir) {
	s.tx.Progress[dir] = Done
	s.tx = nil
}

// lose gives up taking a direction of a stream apart, of which the borders of messages
// are not known any more: what is held, and all that follows, is looked through as it
// stands.
func (p *Parser) lose(env *protocol.Env, dir protocol.Dir) {
	s := &p.side[dir]
	held := s.buf
	p.malformed(env, dir, nil)
	s.lost = true
	p.rest.Data(env, dir, held)
}

// malformed makes a transaction of what is no message. A datagram's bytes are an
// object.
func (p *Parser) malformed(env *protocol.Env, dir protocol.Dir, data []byte) {
	p.txs.AddMessage(&Message{Dir: dir}, env.Now, dir, Done).AddEvent("invalid_data")
	p.side[dir].buf, p.side[dir].sound = nil, false
	if len(data) == 0 {
		return
	}
	o := &protocol.Object{Kind: protocol.KindBody, Dir: dir, Tx: p.txs.Last(), Total: uint64(len(data)), Exact: true}
	env.Objects.OpenObject(o)
	env.Objects.ObjectData(o, data)
	env.Objects.CloseObject(o, protocol.ObjectClosed)
}

// Gap implements protocol.Parser. A hole within a body leaves the next message
// where it is; after any other the messages' borders are lost.
func (p *Parser) Gap(env *protocol.Env, dir protocol.Dir, n uint64) protocol.Status {
	s := &p.side[dir]
	if !s.inBody || n > s.left {
		p.cut(env, dir)
		s.lost = true
		p.rest.Gap(env, dir, n)
		return protocol.Continue
	}
	s.body.gap(env, n)
	if s.left -= n; s.left == 0 {
		p.finish(env, dir, protocol.ObjectTruncated)
	}
	return protocol.Continue
}

// End implements protocol.Parser.
func (p *Parser) End(env *protocol.Env, dir protocol.Dir) {
	p.cut(env, dir)
	p.rest.End(env, dir)
}

// cut ends the message that a direction has under way, of which no more comes.
func (p *Parser) cut(env *protocol.Env, dir protocol.Dir) {
	s := &p.side[dir]
	if s.inBody {
		s.tx.AddEvent("incomplete_data")
		p.finish(env, dir, protocol.ObjectTruncated)
	}
	if s.sound {
		tx := p.begin(env, newMessage(dir, s.buf))
		tx.AddEvent("incomplete_data")
		tx.Progress[dir] = Done
	} else {
		p.rest.Data(env, dir, s.buf)
	}
	s.buf, s.sound = nil, false
}
