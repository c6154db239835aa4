package smtp

import (
	"bytes"
	"crypto/md5"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/mime"
)

// client takes bytes of the client.
func (p *Parser) client(env *protocol.Env, data []byte) {
	for len(data) > 0 {
		switch p.mode {
		case modeData:
			data = p.content(env, data)
		case modeBdat:
			data = p.chunk(env, data)
		case modeHold:
			n := min(len(data), maxSpeculated-len(p.spec))
			p.spec = append(p.spec, data[:n]...)
			return
		case modeDiscard:
			i := bytes.IndexByte(data, '\n')
			if i < 0 {
				return
			}
			data = data[i+1:]
			p.mode = modeCommand
		default:
			data = p.command(env, data)
		}
	}
}

// command takes a line, whole or not.
func (p *Parser) command(env *protocol.Env, data []byte) (rest []byte) {
	i := bytes.IndexByte(data, '\n')
	n := i + 1
	if i < 0 {
		n = len(data)
	}
	line := data[:n]
	if len(p.line) > 0 || i < 0 {
		if len(p.line)+n > maxLine {
			p.event(env, "max_command_line_len_exceeded")
			begun := len(p.line)
			p.execute(env, append(p.line, data[:max(maxLine-len(p.line), 0)]...))
			// Of a line without end the frame is what is looked at.
			p.frame(env, frameCommand, len(data)+begun, maxLine)
			p.line = p.line[:0]
			if i < 0 && p.mode == modeCommand {
				p.mode = modeDiscard
			}
			return data[n:]
		}
		p.line = append(p.line, data[:n]...)
		line = p.line
	}
	if i < 0 {
		return nil
	}
	if len(line) > commandLimit+2 {
		p.event(env, "max_command_line_len_exceeded")
	}
	p.execute(env, line)
	p.commandFrames(env, len(line), len(data)-n)
	p.line = p.line[:0]
	return data[n:]
}

// execute carries out one command line.
func (p *Parser) execute(env *protocol.Env, line []byte) {
	line = bytes.TrimRight(line, "\r\n")
	if p.authing {
		// A step of the login, of which the name is all that is kept.
		p.authStep(line)
		p.push(cmdAuth, nil)
		return
	}
	switch {
	case hasFold(line, "HELO") || hasFold(line, "EHLO") || hasFold(line, "LHLO"):
		p.helo = bytes.Clone(bytes.TrimSpace(line[4:]))
		if p.cur == nil {
			p.mail(env)
		}
		if m := p.cur.State.(*Mail); !m.ended {
			if len(m.Helo) > 0 && !bytes.Equal(m.Helo, p.helo) {
				p.event(env, "duplicate_fields")
			}
			m.Helo = p.helo
		}
		p.push(cmdHelo, p.cur)
	case hasFold(line, "MAIL"):
		m := p.mail(env)
		if m.MailFrom != nil {
			p.event(env, "duplicate_fields")
		} else {
			m.MailFrom = address(line[4:], "FROM:")
		}
		p.push(cmdMail, p.cur)
	case hasFold(line, "RCPT"):
		m := p.mail(env)
		if len(m.RcptTo) < maxRcpt {
			m.RcptTo = append(m.RcptTo, address(line[4:], "TO:"))
		}
		p.push(cmdRcpt, p.cur)
	case hasFold(line, "DATA") && len(bytes.TrimSpace(line[4:])) == 0:
		p.beginData(env)
	case hasFold(line, "BDAT"):
		p.beginBdat(env, line[4:])
	case hasFold(line, "AUTH "):
		p.first(env)
		p.auth(line[len("AUTH "):])
		p.push(cmdAuth, p.cur)
	case hasFold(line, "STARTTLS"), hasFold(line, "X-ANONYMOUSTLS"):
		p.first(env)
		p.push(cmdStartTLS, p.cur)
		p.mode = modeHold
	case hasFold(line, "RSET"):
		p.first(env)
		if m := p.cur.State.(*Mail); !m.ended && (m.MailFrom != nil || m.RcptTo != nil || m.reader != nil) {
			// The mail is given up; nobody will answer it.
			p.closeMail(env, p.cur, true)
			p.finish(p.cur)
		}
		p.push(cmdRset, p.cur)
	case hasFold(line, "QUIT"):
		p.first(env)
		p.push(cmdQuit, p.cur)
	default:
		p.first(env)
		p.push(cmdOther, p.cur)
	}
}

// auth begins a login (RFC 4954 §4), which may bring its first step with it.
func (p *Parser) auth(arg []byte) {
	name, step, more := bytes.Cut(bytes.TrimSpace(arg), []byte(" "))
	p.claimed, p.mech = "", mechNone
	p.steps.Begin(name)
	switch {
	case bytes.EqualFold(name, []byte("PLAIN")):
		p.mech = mechPlain
	case bytes.EqualFold(name, []byte("LOGIN")):
		p.mech = mechLogin
	}
	if more {
		p.authStep(step)
	}
}

// authStep takes the name out of the step that has it: the first.
func (p *Parser) authStep(step []byte) {
	switch p.mech {
	case mechPlain:
		p.claimed = protocol.PlainUser(step)
	case mechLogin:
		p.claimed = protocol.LoginUser(step)
	}
	p.mech = mechNone
	if p.steps.Step(step) {
		p.Note(p.claimed)
	}
}

// first makes the flow's first transaction, whatever command comes first.
func (p *Parser) first(env *protocol.Env) {
	if p.cur == nil {
		p.mail(env)
	}
}

// address gives the path of MAIL or RCPT with its angle brackets, without the
// parameters after it (RFC 5321 §4.1.1.2). Brackets are not insisted on.
func address(arg []byte, key string) []byte {
	arg = bytes.TrimLeft(arg, " \t")
	if hasFold(arg, key) {
		arg = bytes.TrimLeft(arg[len(key):], " \t")
	}
	quoted := false
	for i, c := range arg {
		switch {
		case c == '"':
			quoted = !quoted
		case c == '>' && !quoted:
			return bytes.Clone(arg[:i+1])
		case (c == ' ' || c == '\t') && !quoted && arg[0] != '<':
			return bytes.Clone(arg[:i])
		}
	}
	return append(make([]byte, 0, len(arg)), arg...)
}

// begin makes the reader of a mail's content.
func (p *Parser) begin(env *protocol.Env) *Mail {
	m := p.mail(env)
	if m.reader == nil {
		if p.bodyMD5 || env.BodyMD5 {
			m.digest = md5.New()
		}
		m.reader = mime.NewReader(mime.Options{Tx: p.cur, Dir: protocol.ToServer, Whole: true, Kind: protocol.KindFile, Digest: m.digest})
		p.cur.Progress[protocol.ToServer] = max(p.cur.Progress[protocol.ToServer], Envelope)
	}
	return m
}

// beginData goes over to a mail's content. Mostly the server has to agree
// first; content that comes before it did is read as content, since it leaves
// all the same, and kept for the case that the server refuses it.
func (p *Parser) beginData(env *protocol.Env) {
	p.begin(env)
	p.push(cmdData, p.cur)
	p.mode, p.dot, p.prevCR, p.lenient = modeData, dotLine, false, false
	p.guessing = p.serverSeen
	p.spec = p.spec[:0]
}

func (p *Parser) beginBdat(env *protocol.Env, arg []byte) {
	fields := bytes.Fields(arg)
	var n uint64
	ok := len(fields) > 0
	for i := 0; ok && i < len(fields[0]); i++ {
		c := fields[0][i]
		if ok = c >= '0' && c <= '9' && n < 1<<56; ok {
			n = n*10 + uint64(c-'0')
		}
	}
	if !ok {
		p.first(env)
		p.event(env, "bdat_chunk_len_exceeded")
		p.push(cmdOther, p.cur)
		return
	}
	p.begin(env)
	p.mode, p.bdatLeft, p.bdatLast = modeBdat, n, len(fields) > 1 && hasFold(fields[1], "LAST")
	if n == 0 {
		p.endBdat(env)
	}
}

// chunk takes bytes of a BDAT chunk.
func (p *Parser) chunk(env *protocol.Env, data []byte) (rest []byte) {
	n := int(min(uint64(len(data)), p.bdatLeft))
	p.write(env, data[:n])
	if p.bdatLeft -= uint64(n); p.bdatLeft == 0 {
		p.endBdat(env)
	}
	return data[n:]
}

func (p *Parser) endBdat(env *protocol.Env) {
	p.mode = modeCommand
	if p.bdatLast {
		p.push(cmdBdatLast, p.cur)
		p.closeMail(env, p.cur, false)
		return
	}
	p.push(cmdBdat, p.cur)
}

// write gives content to the mail's reader.
func (p *Parser) write(env *protocol.Env, b []byte) {
	if len(b) == 0 {
		return
	}
	m := p.cur.State.(*Mail)
	m.reader.Write(env, b)
	if m.reader.HeaderDone() {
		p.cur.Progress[protocol.ToServer] = max(p.cur.Progress[protocol.ToServer], Headers)
	}
}

// stuffed tells the digest of a dot that is left out of the content: it is of
// the body as sent.
func (p *Parser) stuffed() {
	if m := p.cur.State.(*Mail); m.digest != nil && m.reader.HeaderDone() {
		m.digest.Write(lfDot[1:])
	}
}

// dotState follows the lines of DATA as far as dots matter.
type dotState uint8

const (
	dotMid    dotState = iota // within a line
	dotLine                   // at the start of a line, after CRLF
	dotDot                    // after CRLF and a dot, which is withheld
	dotCR                     // after CRLF, a dot and CR, both withheld
	dotBare                   // at the start of a line, after a bare LF
	dotBareD                  // then a dot
	dotBareCR                 // then CR
)

var lfDot = []byte("\n.")

// content takes bytes after DATA: dots are unstuffed, and the mail ends with a
// line of one dot between CRLFs (RFC 5321 §4.5.2). A dot between other line
// ends is an end to some servers and not to others: it stays content until the
// server's reply tells, so that what follows is not lost in either case.
func (p *Parser) content(env *protocol.Env, data []byte) (rest []byte) {
	if p.guessing {
		if len(p.queue) > 1 || len(p.queue) == 1 && p.queue[0].verb == cmdData {
			p.event(env, "invalid_pipelined_sequence")
		}
		if len(p.spec)+len(data) <= maxSpeculated {
			p.spec = append(p.spec, data...)
		} else {
			p.spec = nil
			p.guessing = false
		}
	}
	start, i := 0, 0
	for i < len(data) {
		c := data[i]
		p.lenient = false
		switch p.dot {
		case dotMid:
			j := bytes.Index(data[i:], lfDot)
			k := i + j
			if j < 0 {
				k = len(data) - 1
				if data[k] != '\n' {
					p.prevCR = data[k] == '\r'
					i = len(data)
					continue
				}
			}
			cr := p.prevCR
			if k > 0 {
				cr = data[k-1] == '\r'
			}
			p.dot = dotBare
			if cr {
				p.dot = dotLine
			}
			p.prevCR = false
			i = k + 1
		case dotLine:
			if c != '.' {
				p.dot = dotMid
				continue
			}
			p.write(env, data[start:i])
			i++
			start = i
			p.dot = dotDot
		case dotDot:
			switch c {
			case '\r':
				i++
				start = i
				p.dot = dotCR
			case '\n':
				p.write(env, lfDot[1:])
				p.lenient = true
				p.dot = dotBare
				i++
			default:
				p.stuffed()
				p.dot = dotMid
			}
		case dotCR:
			if c == '\n' {
				p.endMail(env, true)
				p.frameEnd(env, len(data)-i-1)
				return data[i+1:]
			}
			p.stuffed()
			p.write(env, []byte{'\r'})
			p.dot = dotMid
		case dotBare:
			if c != '.' {
				p.dot = dotMid
				continue
			}
			i++
			p.dot = dotBareD
		case dotBareD, dotBareCR:
			switch {
			case c == '\n':
				p.lenient = true
				if p.dot == dotBareD {
					p.dot = dotBare
				} else {
					p.dot = dotLine
				}
				i++
			case c == '\r' && p.dot == dotBareD:
				p.dot = dotBareCR
				i++
			default:
				p.dot = dotMid
			}
		}
	}
	p.write(env, data[start:])
	return nil
}

// endMail ends a mail sent by DATA.
func (p *Parser) endMail(env *protocol.Env, push bool) {
	p.mode = modeCommand
	p.lenient = false
	if push {
		p.push(cmdDataEnd, p.cur)
	}
	p.closeMail(env, p.cur, false)
}
