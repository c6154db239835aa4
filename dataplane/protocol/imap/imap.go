// Package imap reads IMAP (RFC 9051, RFC 3501, RFC 3502, RFC 7888) as far as
// messages are carried: those that a server gives in answer to FETCH, and those
// that a client leaves with APPEND. It takes ordered bytes and gives one
// transaction a message, read by package mime, as objects. It knows nothing of
// mailboxes or policies. Of what is sent to log in it keeps nothing.
package imap

import (
	"bytes"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/mime"
)

// Complete is the progress of a transaction, in both directions, whose message
// has been read.
const Complete = 1

// Definition describes IMAP.
func Definition() *protocol.Definition {
	return &protocol.Definition{
		Events: eventNames,
		Frames: frames[:],
		ID:     protocol.IMAP, TCP: true, Ports: []uint16{143},
		Probe:    probe,
		New:      func(*protocol.Env) protocol.Parser { return &Parser{} },
		Complete: [2]uint8{Complete, Complete},
		States:   [2][]string{{"request_started", "request_complete"}, {"response_started", "response_complete"}},
	}
}

// probeCommands are commands that a client may begin with.
var probeCommands = [...]string{"CAPABILITY", "LOGIN", "AUTHENTICATE", "STARTTLS", "SELECT", "EXAMINE", "NAMESPACE", "NOOP", "LOGOUT", "ID", "LIST", "FETCH", "UID", "APPEND", "ENABLE", "COMPRESS"}

// probe knows a server by its greeting, and a client by a tag with a digit in
// it and one of the commands.
func probe(dir protocol.Dir, data []byte) protocol.Certainty {
	line, _, whole := bytes.Cut(data, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if dir == protocol.ToClient {
		for _, g := range [...]string{"* OK ", "* OK", "* PREAUTH ", "* BYE "} {
			n := min(len(line), len(g))
			switch {
			case !hasFold(line[:n], g[:n]):
			case n == len(g) && (g[n-1] == ' ' || whole && len(line) == n):
				return protocol.Certain
			case !whole && len(line) <= n:
				return protocol.Unsure
			}
		}
		return protocol.NotForUs
	}
	digit := false
	for i, c := range line {
		switch {
		case c == ' ' && digit:
			word, _, more := bytes.Cut(line[i+1:], []byte(" "))
			for _, w := range probeCommands {
				if bytes.EqualFold(word, []byte(w)) && (more || whole) {
					return protocol.Certain
				}
				if !more && !whole && len(word) <= len(w) && hasFold([]byte(w), string(bytes.ToUpper(word))) {
					return protocol.Unsure
				}
			}
			return protocol.NotForUs
		case c >= '0' && c <= '9':
			digit = true
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '.', c == '-', c == '_':
		default:
			return protocol.NotForUs
		}
		if i >= 32 {
			return protocol.NotForUs
		}
	}
	if whole {
		return protocol.NotForUs
	}
	return protocol.Unsure
}

// hasFold reports whether b begins with an upper-case prefix in any case.
func hasFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && bytes.EqualFold(b[:len(prefix)], []byte(prefix))
}

// Bounds of what is kept of a line: its beginning, which tells the command, and
// its end, of which itemLen bytes tell what the literal behind it is.
const (
	headLen = 128
	tailLen = 8192
	itemLen = 4096
)

// Mail is the State of a transaction.
type Mail struct {
	// Append tells that the client has sent the message.
	Append bool
	// cut: bytes of the message are missing.
	cut, ended, truncated bool
	// bodied tells that its body was announced as a frame.
	bodied bool
	reader *mime.Reader
	obj    *protocol.Object
}

// side is one direction: lines, broken by literals.
type side struct {
	line []byte
	skip bool // the rest of a line whose beginning is missing
	head head
	// begun tells that the line was announced as a frame.
	begun bool
	// left counts the literal's bytes that are still to come.
	left uint64
	// asked: the literal is not begun before the server agrees.
	asked bool
	// open is the message that the literal belongs to, nil for other literals.
	open *protocol.Tx
	// partial is a message fetched in pieces that may go on; next is the offset
	// of the next piece, of the message that key names.
	partial *protocol.Tx
	next    uint64
	key     []byte
}

// Parser is the IMAP of one flow.
type Parser struct {
	txs  protocol.TxList
	side [2]side
	// tls and deflate are the tags of commands that change what follows.
	tls, deflate []byte
	// tag is that of the client's last command.
	tag []byte
	// user has logged in; claimed is who tries to, with the command login.
	user, claimed string
	protocol.Cleartext
	// mech is the mechanism of the login in steps, which go on until the next command.
	mech    protocol.Steps
	login   []byte
	skipped bool
}

// User implements protocol.Login.
func (p *Parser) User(*protocol.Tx) string { return p.user }

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// Parse implements protocol.Parser.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	s := &p.side[dir]
	for len(data) > 0 {
		if p.skipped {
			return protocol.Skip
		}
		if s.left > 0 {
			s.asked = false
			n := int(min(uint64(len(data)), s.left))
			p.literal(env, s, data[:n], len(data)-n)
			data = data[n:]
			continue
		}
		i := bytes.IndexByte(data, '\n')
		n := i + 1
		if i < 0 {
			n = len(data)
		}
		if s.skip {
			s.skip = i < 0
			data = data[n:]
			continue
		}
		s.lineFrame(env, len(data))
		s.keep(data[:n])
		data = data[n:]
		if i < 0 {
			return protocol.Continue
		}
		if size, begins, waits := literalSize(s.line); begins {
			p.begin(env, dir, size, waits, len(data))
			continue
		}
		s.lineEnds(env, len(data))
		if p.ended(env, dir) {
			env.SwitchTo, env.Rest = protocol.TLS, data
			return protocol.Switch
		}
		s.reset()
	}
	if p.skipped {
		return protocol.Skip
	}
	return protocol.Continue
}

// keep adds to the line; of one that is too long the middle is dropped.
func (s *side) keep(b []byte) {
	for len(b) > 0 {
		n := min(len(b), tailLen)
		s.line = append(s.line, b[:n]...)
		b = b[n:]
		if len(s.line) > headLen+2*tailLen {
			k := copy(s.line[headLen:], s.line[len(s.line)-tailLen:])
			s.line = s.line[:headLen+k]
		}
	}
}

func (s *side) reset() { s.line = s.line[:0] }

// literalSize reads the end of a line that announces a literal: {n}, or {n+}
// and {n-} which wait for nobody (RFC 7888).
func literalSize(line []byte) (size uint64, ok, waits bool) {
	line = bytes.TrimRight(line, "\r\n")
	if len(line) < 3 || line[len(line)-1] != '}' {
		return 0, false, false
	}
	i := bytes.LastIndexByte(line, '{')
	if i < 0 {
		return 0, false, false
	}
	digits := line[i+1 : len(line)-1]
	waits = true
	if n := len(digits); n > 0 && (digits[n-1] == '+' || digits[n-1] == '-') {
		digits, waits = digits[:n-1], false
	}
	if len(digits) == 0 || len(digits) > 18 {
		return 0, false, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false, false
		}
		size = size*10 + uint64(c-'0')
	}
	return size, true, waits
}

// begin begins a literal of a direction, whose line so far tells what it is; left
// bytes of what was given follow that.
func (p *Parser) begin(env *protocol.Env, dir protocol.Dir, size uint64, waits bool, left int) {
	s := &p.side[dir]
	before := s.partial
	s.left, s.asked = size, waits && dir == protocol.ToServer
	line := s.line[:bytes.LastIndexByte(s.line, '{')]
	if dir == protocol.ToServer {
		p.tag = append(p.tag[:0], firstWord(line)...)
		if isAppend(line) {
			s.open = p.add(env, &Mail{Append: true}, dir)
		}
	} else {
		p.fetched(env, s, line)
	}
	s.mailFrame(env, before, left)
	// The line goes on after the literal: its beginning stays, and a mark in
	// place of the literal.
	if n := min(len(s.line), headLen); n < len(s.line) {
		s.line = s.line[:n]
	}
	s.line = append(bytes.TrimRight(s.line, "\r\n"), ' ')
	if size == 0 {
		p.endLiteral(env, s, left)
	}
}

// literal takes bytes of a literal, which left more of what was given follow.
func (p *Parser) literal(env *protocol.Env, s *side, b []byte, left int) {
	if s.open != nil {
		s.headFrame(env, b, left)
		m := s.open.State.(*Mail)
		if m.reader != nil {
			m.reader.Write(env, b)
		} else {
			env.Objects.ObjectData(m.obj, b)
		}
	}
	if s.left -= uint64(len(b)); s.left == 0 {
		p.endLiteral(env, s, left)
	}
}

// endLiteral ends a literal left bytes before the end of what was given.
func (p *Parser) endLiteral(env *protocol.Env, s *side, left int) {
	s.headEnds(env, left)
	if tx := s.open; tx != nil && tx != s.partial {
		p.finish(env, tx, false)
	}
	s.open = nil
}

// add makes a transaction for a message.
func (p *Parser) add(env *protocol.Env, m *Mail, dir protocol.Dir) *protocol.Tx {
	tx := p.txs.Add(m, env.Now)
	m.reader = mime.NewReader(mime.Options{Tx: tx, Dir: dir, Whole: true, Kind: protocol.KindFile})
	return tx
}

// finish ends a message.
func (p *Parser) finish(env *protocol.Env, tx *protocol.Tx, truncated bool) {
	m := tx.State.(*Mail)
	if m.ended {
		return
	}
	m.ended, m.truncated = true, truncated || m.cut
	switch {
	case m.reader != nil:
		m.reader.Close(env, m.truncated)
	case m.truncated:
		env.Objects.CloseObject(m.obj, protocol.ObjectTruncated)
	default:
		env.Objects.CloseObject(m.obj, protocol.ObjectClosed)
	}
	tx.Progress = [2]uint8{Complete, Complete}
}

// endPartial ends a message fetched in pieces of which no more come.
func (p *Parser) endPartial(env *protocol.Env, s *side) {
	if s.partial != nil {
		p.finish(env, s.partial, false)
		s.partial = nil
	}
}

// Gap implements protocol.Parser.
func (p *Parser) Gap(env *protocol.Env, dir protocol.Dir, n uint64) protocol.Status {
	s := &p.side[dir]
	if s.left > 0 {
		k := min(n, s.left)
		if s.open != nil {
			m := s.open.State.(*Mail)
			if m.cut = true; m.reader != nil {
				m.reader.Gap(env, k)
			} else {
				env.Objects.ObjectGap(m.obj, k)
			}
		}
		if s.left, n = s.left-k, n-k; s.left == 0 {
			p.endLiteral(env, s, int(n))
		}
	}
	if n > 0 {
		s.lineEnds(env, int(n))
		s.reset()
		s.skip = true
	}
	return protocol.Continue
}

// End implements protocol.Parser.
func (p *Parser) End(env *protocol.Env, dir protocol.Dir) {
	s := &p.side[dir]
	if s.open != nil {
		p.finish(env, s.open, true)
	}
	p.endPartial(env, s)
	*s = side{}
}
