// Package pop3 reads POP3 (RFC 1939, RFC 2449, RFC 2595, RFC 5034) from both
// sides of a connection. It takes ordered bytes and gives one transaction a
// command, and the messages fetched, read by package mime, as objects. It knows
// nothing of mailboxes or policies. What is sent to log in is kept nowhere.
package pop3

import (
	"bytes"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/mime"
)

// Sent and Replied are the progress of a complete transaction towards the
// server and towards the client.
const (
	Sent    = 1
	Replied = 1
)

// Definition describes POP3.
func Definition() *protocol.Definition {
	return &protocol.Definition{
		Events: eventNames,
		ID:     protocol.POP3, TCP: true, Ports: []uint16{110},
		Probe:    probe,
		New:      func(*protocol.Env) protocol.Parser { return &Parser{} },
		Complete: [2]uint8{Sent, Replied},
		States:   [2][]string{{"request_started", "request_complete"}, {"response_started", "response_complete"}},
	}
}

// own are commands that no other protocol has, shared those that others have.
var (
	own    = [...]string{"CAPA", "APOP ", "STLS", "UIDL", "UIDL "}
	shared = [...]string{"USER ", "PASS ", "AUTH", "AUTH ", "STAT", "LIST", "LIST ", "RETR ", "DELE ", "TOP ", "NOOP", "RSET", "QUIT"}
)

// probe knows a server by its greeting and a client by a command of its own.
func probe(dir protocol.Dir, data []byte) protocol.Certainty {
	line, _, whole := bytes.Cut(data, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if dir == protocol.ToClient {
		const ok, bad = "+OK ", "-ERR "
		switch {
		case hasFold(line, ok):
			return protocol.Certain
		case hasFold(line, bad) || whole && (string(line) == "+OK" || string(line) == "-ERR"):
			return protocol.Unsure // other protocols answer so too
		case !whole && (hasFold([]byte(ok), string(line)) || hasFold([]byte(bad), string(line))):
			return protocol.Unsure
		}
		return protocol.NotForUs
	}
	for _, word := range own {
		if hasFold(line, word) && (word[len(word)-1] == ' ' || whole && len(line) == len(word)) {
			return protocol.Certain
		}
	}
	for _, list := range [...][]string{own[:], shared[:]} {
		for _, word := range list {
			n := min(len(line), len(word))
			if hasFold(line[:n], word[:n]) && (n == len(word) && (word[n-1] == ' ' || len(line) == n) || !whole && len(line) <= n) {
				return protocol.Unsure
			}
		}
	}
	return protocol.NotForUs
}

// hasFold reports whether b begins with an upper-case prefix in any case.
func hasFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && bytes.EqualFold(b[:len(prefix)], []byte(prefix))
}

// Bounds of what is kept of the dialogue.
const (
	// maxLine is the longest line kept; what is longer is cut off. RFC 2449 §4
	// has 255 for commands and 512 for replies, SASL data may be longer.
	maxLine = 4096
	// maxData bounds the lines kept of a reply.
	maxData  = 256
	maxQueue = 1024
	// unanswered is how many commands wait for a server of which nothing was
	// ever seen.
	unanswered = 16
)

// Command is the State of a transaction.
type Command struct {
	// Name is the command in capitals, or saslData. Args are its arguments,
	// those that are secrets replaced.
	Name string
	Args []string
	// OK tells of a positive reply, Header is the rest of its first line, Data
	// the lines after it, but for messages.
	OK       bool
	Header   string
	Data     []string
	answered bool
	size     int
	reader   *mime.Reader
	// cut: bytes of the message are missing.
	cut, ended, truncated bool
}

// saslData stands for a step of a login, as in Suricata's records.
const saslData = "<SASL DATA>"

// masked stands for a secret.
const masked = "***"

// body says what the lines after a reply's first are.
type body uint8

const (
	bodyNone body = iota
	bodyLines
	bodyMail
)

// dotState follows a reply's lines as far as dots matter.
type dotState uint8

const (
	dotMid  dotState = iota
	dotLine          // at the start of a line
	dotDot           // after a dot there, which is withheld
	dotCR            // and a CR, withheld too
)

// Parser is the POP3 of one flow.
type Parser struct {
	txs   protocol.TxList
	queue []*protocol.Tx // nil for commands beyond the limit
	full  bool
	lost  bool

	line    line
	authing bool // the server has asked for a step of the login

	reply      line
	greeted    bool
	serverSeen bool
	body       body
	dot        dotState
	// user has logged in; claimed is who tries to.
	user, claimed string
	protocol.Cleartext
	// mech is the mechanism of the login in steps.
	mech protocol.Steps
}

// User implements protocol.Login.
func (p *Parser) User(*protocol.Tx) string { return p.user }

// line collects a line from pieces, at most maxLine bytes of it.
type line struct {
	buf  []byte
	skip bool // the rest of a line whose beginning is missing
}

func (l *line) take(data []byte) (text, rest []byte, whole bool) {
	i := bytes.IndexByte(data, '\n')
	n := i
	if i < 0 {
		n = len(data)
	}
	if l.skip {
		if i < 0 {
			return nil, nil, false
		}
		l.skip = false
		return nil, data[i+1:], true
	}
	l.buf = append(l.buf, data[:min(n, maxLine-len(l.buf))]...)
	if i < 0 {
		return nil, nil, false
	}
	text = bytes.TrimRight(l.buf, "\r")
	l.buf = l.buf[:0]
	return text, data[i+1:], true
}

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// Parse implements protocol.Parser.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	if dir == protocol.ToServer {
		for len(data) > 0 {
			text, rest, whole := p.line.take(data)
			if whole {
				p.command(env, text)
			}
			data = rest
		}
		return protocol.Continue
	}
	p.serverSeen = true
	for len(data) > 0 {
		if p.body != bodyNone {
			data = p.bodyBytes(env, data)
			continue
		}
		text, rest, whole := p.reply.take(data)
		if data = rest; whole && p.answer(env, text) {
			env.SwitchTo, env.Rest = protocol.TLS, data
			return protocol.Switch
		}
	}
	return protocol.Continue
}

// Gap implements protocol.Parser.
func (p *Parser) Gap(env *protocol.Env, dir protocol.Dir, n uint64) protocol.Status {
	if dir == protocol.ToServer {
		p.line = line{buf: p.line.buf[:0], skip: true}
		return protocol.Continue
	}
	p.serverSeen = true
	if p.body == bodyNone {
		p.reply = line{buf: p.reply.buf[:0], skip: true}
		p.lost = true
		return protocol.Continue
	}
	if c := p.head(); c != nil && c.reader != nil {
		c.reader.Gap(env, n)
		c.cut = true
	}
	p.dot = dotMid
	return protocol.Continue
}

// End implements protocol.Parser.
func (p *Parser) End(env *protocol.Env, dir protocol.Dir) {
	if dir == protocol.ToServer {
		return
	}
	for _, tx := range p.txs.Live {
		p.finish(env, tx, true)
	}
	p.queue, p.body = nil, bodyNone
}

// head gives the command that is being answered, nil where it is not kept.
func (p *Parser) head() *Command {
	if len(p.queue) == 0 || p.queue[0] == nil {
		return nil
	}
	return p.queue[0].State.(*Command)
}

// finish ends a transaction.
func (p *Parser) finish(env *protocol.Env, tx *protocol.Tx, truncated bool) {
	if c := tx.State.(*Command); c.reader != nil && !c.ended {
		c.ended, c.truncated = true, truncated || c.cut
		c.reader.Close(env, c.truncated)
	}
	tx.Progress = [2]uint8{Sent, Replied}
}

// drop gives up waiting for the replies to the oldest n commands.
func (p *Parser) drop(env *protocol.Env, n int) {
	for _, tx := range p.queue[:n] {
		if tx != nil {
			p.finish(env, tx, true)
		}
	}
	p.queue = append(p.queue[:0], p.queue[n:]...)
}

// command carries out a command line.
func (p *Parser) command(env *protocol.Env, text []byte) {
	c := &Command{}
	if p.authing {
		p.authing = false
		c.Name = saslData
		if p.mech.Step(text) {
			p.Note("")
		}
	} else {
		words := bytes.Fields(text)
		if len(words) == 0 {
			return
		}
		c.Name = string(bytes.ToUpper(words[0]))
		p.clear(c.Name, words[1:])
		for i, w := range words[1:min(len(words), 9)] {
			arg := string(w)
			if c.Name == "PASS" || i > 0 && (c.Name == "APOP" || c.Name == "AUTH") {
				arg = masked
			}
			c.Args = append(c.Args, arg)
		}
		if c.Name == "PASS" && len(c.Args) > 1 {
			c.Args = c.Args[:1] // a password with blanks
		}
	}
	if !p.serverSeen && len(p.queue) >= unanswered || len(p.queue) >= maxQueue {
		p.drop(env, 1)
	}
	var tx *protocol.Tx
	if len(p.queue) >= max(env.Limits.Tx(protocol.POP3), 1) && !p.full {
		p.full = true
		for _, old := range p.queue {
			if old != nil {
				old.AddEvent("too_many_transactions")
				break
			}
		}
	}
	if !p.full {
		tx = p.txs.Add(c, env.Now)
		tx.Progress[protocol.ToServer] = Sent
	}
	p.queue = append(p.queue, tx)
	if p.full && (c.Name == "RETR" || c.Name == "TOP") {
		// Messages are looked at all the same.
		p.queue[len(p.queue)-1] = p.txs.Add(c, env.Now)
		p.queue[len(p.queue)-1].Progress[protocol.ToServer] = Sent
	}
}

// clear notes passwords in the clear (RFC 1939 §7, RFC 5034).
func (p *Parser) clear(name string, args [][]byte) {
	switch {
	case name == "PASS" && len(args) > 0:
		p.Note(p.claimed)
	case name == "AUTH" && len(args) > 0:
		p.mech.Begin(args[0])
		if len(args) > 1 && p.mech.Step(args[1]) {
			p.Note("")
		}
	}
}

// answer takes a reply's first line; switched tells that TLS begins after it.
func (p *Parser) answer(env *protocol.Env, text []byte) (switched bool) {
	if p.lost {
		// Replies are missing. Clients mostly wait for them, so it is the last
		// command that is being answered.
		if p.lost = false; len(p.queue) > 1 {
			p.drop(env, len(p.queue)-1)
		}
	}
	ok := hasFold(text, "+OK")
	step := !ok && len(text) > 0 && text[0] == '+'
	bad := hasFold(text, "-ERR")
	if !ok && !step && !bad {
		return false
	}
	if !p.greeted {
		p.greeted = true
		if len(p.queue) == 0 {
			return false
		}
	}
	if len(p.queue) == 0 {
		return false
	}
	tx, c := p.queue[0], p.head()
	if c == nil {
		// Without a transaction it is not known what the command was; lines of
		// a list are no replies and are passed over.
		p.queue = append(p.queue[:0], p.queue[1:]...)
		return false
	}
	c.answered, c.OK = true, ok || step
	_, header, _ := bytes.Cut(text, []byte(" "))
	if step {
		p.authing, header = true, nil
	}
	c.Header = string(header)
	p.login(c)
	switch {
	case !ok:
	case c.Name == "RETR" || c.Name == "TOP":
		c.reader = mime.NewReader(mime.Options{Tx: tx, Dir: protocol.ToClient, Whole: true, Kind: protocol.KindFile})
		p.body, p.dot = bodyMail, dotLine
		return false
	case c.Name == "CAPA" || len(c.Args) == 0 && (c.Name == "LIST" || c.Name == "UIDL" || c.Name == "AUTH"):
		p.body, p.dot = bodyLines, dotLine
		return false
	case c.Name == "STLS":
		p.drop(env, len(p.queue))
		return true
	}
	p.done(env)
	return false
}

// login follows who has logged in (RFC 1939 §7); only names are kept of it.
func (p *Parser) login(c *Command) {
	name := ""
	if len(c.Args) > 0 {
		name = protocol.UserName([]byte(c.Args[0]))
	}
	switch {
	case c.Name == "USER" && c.OK:
		p.claimed = name
	case c.Name == "PASS":
		if c.OK {
			p.user = p.claimed
		}
		p.claimed = ""
	case c.Name == "APOP" && c.OK:
		p.user = name
	}
}

// done ends the command that has been answered.
func (p *Parser) done(env *protocol.Env) {
	p.body = bodyNone
	if tx := p.queue[0]; tx != nil {
		p.finish(env, tx, false)
	}
	p.queue = append(p.queue[:0], p.queue[1:]...)
}

// bodyBytes takes the lines after a reply's first, to the one that is a dot;
// dots at the start of others are taken off (RFC 1939 §3).
func (p *Parser) bodyBytes(env *protocol.Env, data []byte) (rest []byte) {
	start := 0
	for i := 0; i < len(data); {
		c := data[i]
		switch p.dot {
		case dotMid:
			j := bytes.IndexByte(data[i:], '\n')
			if j < 0 {
				i = len(data)
				continue
			}
			i += j + 1
			p.dot = dotLine
		case dotLine:
			if c != '.' {
				p.dot = dotMid
				continue
			}
			p.give(env, data[start:i])
			i++
			start, p.dot = i, dotDot
		case dotDot, dotCR:
			if c == '\n' {
				p.give(env, nil)
				p.endLines()
				p.done(env)
				return data[i+1:]
			}
			if p.dot == dotDot && c == '\r' {
				i++
				start, p.dot = i, dotCR
				continue
			}
			if p.dot == dotCR {
				p.give(env, []byte{'\r'})
			}
			p.dot = dotMid
		}
	}
	p.give(env, data[start:])
	return nil
}

// give hands on bytes of a reply's further lines.
func (p *Parser) give(env *protocol.Env, b []byte) {
	c := p.head()
	if c == nil || len(b) == 0 {
		return
	}
	if p.body == bodyMail {
		c.reader.Write(env, b)
		return
	}
	for len(b) > 0 {
		text, rest, whole := p.reply.take(b)
		if b = rest; whole && len(c.Data) < maxData && c.size+len(text) <= env.Limits.MaxHeader {
			c.size += len(text)
			c.Data = append(c.Data, string(text))
		}
	}
}

// endLines forgets an unfinished line of a list.
func (p *Parser) endLines() { p.reply.buf = p.reply.buf[:0] }
