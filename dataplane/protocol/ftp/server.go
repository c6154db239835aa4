package ftp

import (
	"bytes"

	"sluice/dataplane/protocol"
)

// server takes bytes of the server.
func (p *Parser) server(env *protocol.Env, data []byte) protocol.Status {
	p.serverSeen = true
	for len(data) > 0 {
		if p.skipReply {
			i := bytes.IndexByte(data, '\n')
			if i < 0 {
				break
			}
			data, p.skipReply = data[i+1:], false
			continue
		}
		text, cut, whole, rest := p.reply.take(data)
		if !whole {
			break
		}
		data = rest
		if p.replyLine(env, text, cut) {
			env.SwitchTo, env.Rest = protocol.TLS, data
			return protocol.Switch
		}
	}
	return protocol.Continue
}

// replyLine takes one line of a reply; switched tells that TLS begins after it.
func (p *Parser) replyLine(env *protocol.Env, text []byte, cut bool) (switched bool) {
	coded := len(text) >= 3 && isDigit(text[0]) && isDigit(text[1]) && isDigit(text[2]) && (len(text) == 3 || text[3] == ' ' || text[3] == '-')
	var code [3]byte
	if coded {
		code = [3]byte(text[:3])
	}
	if p.inMulti && coded && code != p.multi {
		coded = false // text that looks like a reply (RFC 959 §4.2)
	}
	if !p.inMulti {
		if !coded && len(text) == 0 {
			return false
		}
		p.open(env, code, coded)
	}
	body := text
	if coded {
		body = text[min(4, len(text)):]
		p.tell(code, body)
	}
	last := coded && (len(text) == 3 || text[3] == ' ')
	if tx := p.target; tx != nil {
		p.keep(env, tx, body, cut)
		if last {
			c := tx.State.(*Command)
			if len(c.Codes) < maxReplies {
				c.Codes = append(c.Codes, bytes.Clone(code[:]))
			}
		}
	}
	if !coded {
		return false
	}
	if p.inMulti, p.multi = !last, code; p.inMulti {
		return false
	}
	return p.answered(env, code, body)
}

// open finds the transaction that a reply belongs to.
func (p *Parser) open(env *protocol.Env, code [3]byte, coded bool) {
	if p.lost {
		// Replies are missing. Clients mostly wait for them, so it is the last
		// command that is being answered.
		if p.lost = false; len(p.queue) > 1 {
			p.drop(len(p.queue) - 1)
		}
	}
	greeting := !p.greeted && coded && (string(code[:]) == "220" || string(code[:]) == "120" || string(code[:]) == "421") &&
		(len(p.queue) == 0 || p.queue[0].verb != cmdRein)
	if coded && code[0] != '1' {
		p.greeted = true
	}
	unasked := p.target != nil && len(p.target.State.(*Command).Name) == 0
	switch {
	case greeting || len(p.queue) == 0:
		if unasked {
			return // 120 was the beginning of it
		}
		if p.target = p.add(env, &Command{}); p.target != nil {
			p.target.Progress[protocol.ToServer] = Answered
		}
	default:
		if unasked {
			p.finish(p.target)
		}
		p.target = p.queue[0].tx
	}
}

// keep adds a line to a transaction's replies.
func (p *Parser) keep(env *protocol.Env, tx *protocol.Tx, body []byte, cut bool) {
	c := tx.State.(*Command)
	if cut || len(c.Replies) >= maxReplies || c.size+len(body) > env.Limits.MaxHeader {
		tx.AddEvent("response_command_too_long")
		c.replyCut = true
		if len(c.Replies) >= maxReplies || c.size+len(body) > env.Limits.MaxHeader {
			return
		}
	}
	c.size += len(body)
	c.Replies = append(c.Replies, bytes.Clone(body))
}

// tell notes where a server that listens says it does.
func (p *Parser) tell(code [3]byte, body []byte) {
	var e endpoint
	ok := false
	switch string(code[:]) {
	case "227":
		e, ok = parsePasv(body)
	case "229":
		e, ok = parseEpsv(body)
	}
	if ok {
		p.told = e
	}
}

// answered carries out what a complete reply means for the command it answers.
func (p *Parser) answered(env *protocol.Env, code [3]byte, body []byte) (switched bool) {
	told := p.told
	p.told = endpoint{}
	c := (*Command)(nil)
	if p.target != nil {
		c = p.target.State.(*Command)
	}
	if len(p.queue) == 0 || c != nil && len(c.Name) == 0 {
		if c != nil && code[0] != '1' {
			c.answered = true
			p.finish(p.target)
			p.target = nil
		}
		return false
	}
	w := p.queue[0]
	if w.verb == cmdUnique {
		p.rename(body)
	}
	if code[0] == '1' {
		return false
	}
	p.queue = append(p.queue[:0], p.queue[1:]...)
	if c != nil {
		c.answered = true
		if told.port != 0 {
			c.data = told
		}
	}
	if told.port != 0 {
		p.announce(env, told, true)
		// Transfers may have been asked for before the answer was there.
		for i := range p.queue {
			q := &p.queue[i]
			if q.verb.passive() {
				break
			}
			if q.transfer != nil {
				p.hint.SetTransfer(q.transfer)
				break
			}
		}
	}
	refused := code[0] == '4' || code[0] == '5'
	p.login(w, code)
	switch {
	case w.verb == cmdRest && refused:
		p.rest = 0
	case w.verb == cmdMode && refused:
		p.deflate = false
	case w.verb == cmdAuth && p.mode == modeHold:
		if string(code[:]) == "234" {
			p.held = nil
			switched = true
			for _, q := range p.queue {
				if q.tx != nil {
					p.finish(q.tx)
				}
			}
			p.queue = nil
		}
	}
	if p.target != nil {
		p.finish(p.target)
		p.target = nil
	}
	if w.verb == cmdAuth && !switched {
		p.release(env)
	}
	return switched
}

// login follows who has logged in (RFC 959 §5.4): a new name ends the login before,
// whatever becomes of it. Where replies may not match, nobody has.
func (p *Parser) login(w waiting, code [3]byte) {
	switch {
	case w.verb == cmdUser:
		p.user, p.claimed = "", w.user
	case w.verb == cmdRein:
		p.user, p.claimed = "", ""
		return
	case w.verb != cmdSecret:
		return
	}
	switch string(code[:]) {
	case "230", "232", "202":
		if !p.lost {
			p.user = p.claimed
		}
	}
}

// rename learns the name that a server has chosen after STOU, which its answer
// tells as "FILE: name" (RFC 1123 §4.1.2.9).
func (p *Parser) rename(body []byte) {
	const key = "FILE:"
	if p.hint == nil || !hasFold(body, key) {
		return
	}
	if t := p.hint.Transfer(); t != nil && t.Command == "STOU" {
		named := *t
		named.Name = string(bytes.TrimSpace(body[len(key):]))
		p.hint.SetTransfer(&named)
	}
}
