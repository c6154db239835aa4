package ftp

import (
	"bytes"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/expect"
)

// client takes bytes of the client.
func (p *Parser) client(env *protocol.Env, data []byte) {
	for len(data) > 0 {
		switch p.mode {
		case modeHold:
			if len(p.held)+len(data) > maxHeld {
				// Nobody waits so long before encryption: go on in the clear.
				p.held = append(p.held, data...)
				p.release(env)
				return
			}
			p.held = append(p.held, data...)
			return
		case modeDiscard:
			i := bytes.IndexByte(data, '\n')
			if i < 0 {
				return
			}
			data = data[i+1:]
			p.mode = modeCommand
		default:
			text, cut, whole, rest := p.line.take(data)
			if !whole {
				return
			}
			p.command(env, text, cut)
			data = rest
		}
	}
}

// command carries out one command line.
func (p *Parser) command(env *protocol.Env, text []byte, cut bool) {
	text = bytes.TrimLeft(withoutTelnet(text), " \t")
	if len(text) == 0 {
		return
	}
	c := &Command{Name: upper(text), cmdCut: cut}
	if i := bytes.IndexAny(text, " \t"); i >= 0 {
		c.Name, c.Data = c.Name[:i:i], bytes.Clone(text[i+1:])
	}
	c.verb = verbs[string(c.Name)]
	arg := bytes.TrimSpace(c.Data)
	ok := false
	switch c.verb {
	case cmdPort:
		c.Mode = Active
		c.data, ok = parsePort(arg)
	case cmdEprt:
		c.Mode = Active
		c.data, ok = parseEprt(arg)
	case cmdPasv, cmdEpsv:
		c.Mode = Passive
	case cmdUser:
		p.anon = hasFold(arg, "ANONYMOUS") || hasFold(arg, "FTP") && len(arg) == 3
	case cmdSecret:
		c.plain = p.anon && (bytes.EqualFold(arg, []byte("anonymous")) || bytes.EqualFold(arg, []byte("ftp")) || bytes.EqualFold(arg, []byte("guest")))
		if len(arg) > 0 && !p.anon && string(c.Name) == "PASS" {
			p.Note(p.claimed)
		}
	case cmdRest:
		p.rest, _ = number(arg)
	case cmdMode:
		p.deflate = bytes.EqualFold(arg, []byte("Z"))
	case cmdRein:
		p.anon, p.rest, p.deflate = false, 0, false
		p.withdraw(env)
	}
	name := ""
	if c.verb == cmdUser && !cut {
		name = protocol.UserName(arg)
	}
	tx := p.add(env, c)
	if tx != nil {
		tx.Progress[protocol.ToServer] = Commanded
		if cut {
			tx.AddEvent("request_command_too_long")
		}
	}
	w := waiting{verb: c.verb, tx: tx, user: name}
	if ok {
		p.announce(env, c.data, false)
	}
	if c.verb.transfers() {
		w.transfer = p.transfer(env, c, tx)
	}
	if c.verb == cmdAuth && (hasFold(arg, "TLS") || hasFold(arg, "SSL")) {
		p.mode = modeHold
	}
	p.push(w)
}

func (p *Parser) push(w waiting) {
	if !p.serverSeen && len(p.queue) >= unanswered {
		// A capture of one direction has no replies to wait for.
		p.drop(1)
	}
	if len(p.queue) >= maxQueue {
		p.lost = true
		p.drop(1)
	}
	p.queue = append(p.queue, w)
}

// drop gives up waiting for the replies to the oldest n commands.
func (p *Parser) drop(n int) {
	for _, w := range p.queue[:n] {
		if w.tx != nil {
			p.finish(w.tx)
		}
	}
	p.queue = append(p.queue[:0], p.queue[n:]...)
}

// transfer tells the data connection what it will carry. It returns the
// transfer where its connection is yet to be announced by an answer.
func (p *Parser) transfer(env *protocol.Env, c *Command, tx *protocol.Tx) *expect.Transfer {
	t := &expect.Transfer{Command: string(c.Name), File: c.verb != cmdList, Start: p.rest, Deflated: p.deflate, User: p.user}
	p.rest = 0
	if t.File {
		t.Name = string(bytes.TrimSpace(c.Data))
	}
	for i := len(p.queue) - 1; i >= 0; i-- {
		if p.queue[i].verb.passive() {
			return t
		}
	}
	switch {
	case p.hint != nil:
		p.hint.SetTransfer(t)
		if a := announcer(env); a != nil {
			a.Renew(p.hint)
		}
	case t.File && tx != nil:
		tx.AddEvent("file_before_port")
	}
	return nil
}

// lowestPort is the lowest port at which a data connection is expected: a
// service's own port could only be named to have its traffic taken for a file
// (RFC 2577 §3).
const lowestPort = 1024

// announce expects a data connection, in place of the one expected before. One
// at a time keeps a flow from filling the table.
func (p *Parser) announce(env *protocol.Env, e endpoint, passive bool) {
	p.withdraw(env)
	p.hint = new(expect.Hint)
	if a := announcer(env); a != nil && e.port >= lowestPort {
		a.Announce(expect.Announcement{Passive: passive, Addr: e.addr, Port: e.port, Hint: p.hint})
	}
}

func (p *Parser) withdraw(env *protocol.Env) {
	if p.hint == nil {
		return
	}
	if a := announcer(env); a != nil {
		a.Withdraw(p.hint)
	}
	p.hint = nil
}

// upper gives a copy in capitals, as far as ASCII goes.
func upper(b []byte) []byte {
	out := bytes.Clone(b)
	for i, c := range out {
		if c >= 'a' && c <= 'z' {
			out[i] = c - 0x20
		}
	}
	return out
}

// withoutTelnet takes the commands of Telnet out of a line, which clients send
// before ABOR and which others may use to break words up (RFC 959 §5.3, RFC 854).
func withoutTelnet(b []byte) []byte {
	const iac = 0xff
	i := bytes.IndexByte(b, iac)
	if i < 0 {
		return b
	}
	out := append(make([]byte, 0, len(b)), b[:i]...)
	for ; i < len(b); i++ {
		switch {
		case b[i] != iac:
			out = append(out, b[i])
		case i+1 == len(b):
		case b[i+1] == iac:
			out = append(out, iac)
			i++
		case b[i+1] >= 0xfb: // WILL, WONT, DO, DONT and their option
			i += 2
		case b[i+1] >= 0xf0:
			i++
		default: // not a command of Telnet: a letter of Latin-1
			out = append(out, iac)
		}
	}
	return out
}
