package smtp

import (
	"bytes"

	"sluice/dataplane/protocol"
)

// replies are the codes of RFC 5321 §4.2 and its extensions that are in use.
var replies = map[int]bool{
	211: true, 214: true, 220: true, 221: true, 235: true, 250: true, 251: true, 252: true, 334: true, 354: true,
	401: true, 402: true, 421: true, 422: true, 431: true, 432: true, 441: true, 442: true, 446: true, 450: true,
	451: true, 452: true, 454: true, 455: true, 471: true, 500: true, 501: true, 502: true, 503: true, 504: true,
	511: true, 512: true, 513: true, 521: true, 523: true, 525: true, 530: true, 534: true, 535: true, 538: true,
	541: true, 543: true, 550: true, 551: true, 552: true, 553: true, 554: true, 555: true, 556: true,
}

// server takes bytes of the server.
func (p *Parser) server(env *protocol.Env, data []byte) protocol.Status {
	p.serverSeen = true
	for len(data) > 0 {
		i := bytes.IndexByte(data, '\n')
		n := i + 1
		if i < 0 {
			n = len(data)
		}
		room := maxLine - len(p.reply)
		if n > room {
			p.longReply = true
		}
		line := data[:n]
		if len(p.reply) > 0 || i < 0 {
			p.reply = append(p.reply, data[:min(n, max(room, 0))]...)
			line = p.reply
		}
		data = data[n:]
		p.replyLen += n
		if i < 0 {
			return protocol.Continue
		}
		p.frame(env, frameReply, len(data)+p.replyLen, p.replyLen)
		p.replyLen = 0
		if p.longReply || len(line) > replyLimit+2 {
			p.event(env, "max_reply_line_len_exceeded")
		}
		p.longReply = false
		switched := p.replyLine(env, bytes.TrimRight(line, "\r\n"))
		p.reply = p.reply[:0]
		if switched {
			env.SwitchTo, env.Rest = protocol.TLS, data
			return protocol.Switch
		}
	}
	return protocol.Continue
}

// replyLine takes one line of a reply; switched tells that TLS begins after it.
func (p *Parser) replyLine(env *protocol.Env, line []byte) (switched bool) {
	code := 0
	ok := len(line) >= 3 && (len(line) == 3 || line[3] == ' ' || line[3] == '-')
	for i := 0; ok && i < 3; i++ {
		ok = line[i] >= '0' && line[i] <= '9'
		code = code*10 + int(line[i]-'0')
	}
	if !ok || !replies[code] {
		p.event(env, "invalid_reply")
		if !ok {
			return false
		}
	}
	if !p.greeted && (code == 220 || len(p.queue) == 0) {
		if code != 220 && !p.lost {
			p.event(env, "no_server_welcome_message")
		}
		if p.multi = len(line) > 3 && line[3] == '-'; !p.multi {
			p.greeted = true
		}
		return false
	}
	p.greeted = true
	var w waiting
	if len(p.queue) > 0 {
		w = p.queue[0]
	}
	if w.verb == cmdHelo && code == 250 && len(line) > 4 {
		p.capability(line[4:], !p.multi)
	}
	if p.multi = len(line) > 3 && line[3] == '-'; p.multi {
		return false
	}
	if len(p.queue) == 0 {
		switch {
		case p.mode == modeData && p.lenient:
			// The server took a sloppy line for the end of the mail.
			tx := p.cur
			p.endMail(env, false)
			p.finish(tx)
		case code != 421 && !p.lost:
			p.event(env, "unable_to_match_reply_with_request")
		}
		return false
	}
	p.queue = p.queue[1:]
	return p.answered(env, w, code)
}

// capability notes an extension in a line of the answer to EHLO.
func (p *Parser) capability(word []byte, first bool) {
	if first {
		p.caps = 0
	}
	switch {
	case hasFold(word, "STARTTLS"):
		p.caps |= CapStartTLS
	case hasFold(word, "PIPELINING"):
		p.caps |= CapPipelining
	case hasFold(word, "CHUNKING"):
		p.caps |= CapChunking
	case hasFold(word, "AUTH"):
		p.caps |= CapAuth
	case hasFold(word, "SMTPUTF8"):
		p.caps |= CapSMTPUTF8
	}
}

// answered carries out what a complete reply means for the command it answers.
func (p *Parser) answered(env *protocol.Env, w waiting, code int) (switched bool) {
	switch w.verb {
	case cmdAuth:
		if p.authing = code == 334; !p.authing {
			if code == 235 && !p.lost {
				p.user = p.claimed
			}
			p.claimed, p.mech = "", mechNone
		}
	case cmdData:
		p.dataAnswered(env, w, code)
	case cmdDataEnd, cmdBdatLast:
		if w.tx != nil {
			p.finish(w.tx)
		}
	case cmdStartTLS:
		if p.mode != modeHold {
			return false
		}
		held := p.spec
		p.spec, p.mode = nil, modeCommand
		if code == 220 {
			if len(held) > 0 {
				// Commands slipped in before the encryption (CVE-2011-0411).
				p.event(env, "invalid_pipelined_sequence")
			}
			if w.tx != nil {
				p.closeMail(env, w.tx, true)
				p.finish(w.tx)
			}
			return true
		}
		p.event(env, "tls_rejected")
		p.again(env, held)
	case cmdQuit:
		if w.tx != nil {
			p.closeMail(env, w.tx, true)
			p.finish(w.tx)
		}
	}
	return false
}

// dataAnswered learns whether the server takes the mail.
func (p *Parser) dataAnswered(env *protocol.Env, w waiting, code int) {
	spec, guessing := p.spec, p.guessing
	p.spec, p.guessing = nil, false
	if code == 354 {
		return
	}
	p.event(env, "data_command_rejected")
	if w.tx == nil || p.mode != modeData || p.cur != w.tx {
		return
	}
	// What followed were commands. Seen as content they did no harm.
	p.mode = modeCommand
	m := w.tx.State.(*Mail)
	if m.reader != nil {
		m.reader.Close(env, true)
		m.reader = nil
	}
	w.tx.Progress[protocol.ToServer] = max(w.tx.Progress[protocol.ToServer], Envelope)
	if guessing && len(spec) > 0 {
		p.again(env, spec)
	}
}
