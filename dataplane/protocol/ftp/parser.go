package ftp

import (
	"bytes"
	"net/netip"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/expect"
)

// Bounds of what is kept of the dialogue.
const (
	// maxLine is the longest command or reply line kept, without its end; what
	// is longer is cut off and reported.
	maxLine = 4096
	// maxReplies bounds the reply lines kept of a transaction.
	maxReplies = 512
	maxQueue   = 1024
	maxHeld    = 4096
	// unanswered is how many commands wait for a server of which nothing was
	// ever seen.
	unanswered = 16
)

// verb is a command as far as it is followed.
type verb uint8

const (
	cmdOther verb = iota
	cmdPort
	cmdEprt
	cmdPasv
	cmdEpsv
	cmdFile // RETR, STOR, APPE
	cmdUnique
	cmdList
	cmdRest
	cmdMode
	cmdAuth
	cmdUser
	cmdSecret
	cmdRein
)

var verbs = map[string]verb{
	"PORT": cmdPort, "EPRT": cmdEprt, "PASV": cmdPasv, "EPSV": cmdEpsv, "RETR": cmdFile, "STOR": cmdFile, "APPE": cmdFile,
	"STOU": cmdUnique, "LIST": cmdList, "NLST": cmdList, "MLSD": cmdList, "REST": cmdRest, "MODE": cmdMode, "AUTH": cmdAuth,
	"USER": cmdUser, "PASS": cmdSecret, "ACCT": cmdSecret, "ADAT": cmdSecret, "REIN": cmdRein,
}

func (v verb) transfers() bool { return v == cmdFile || v == cmdUnique || v == cmdList }
func (v verb) passive() bool   { return v == cmdPasv || v == cmdEpsv }

// Mode says which end opens the data connection, as the keyword ftp.mode has it.
type Mode uint8

// The modes; ModeNone belongs to commands that choose none.
const (
	ModeNone Mode = iota
	Active
	Passive
)

// Command is the State of a control transaction: a command and its replies, or
// replies that no command asked for, such as the greeting.
type Command struct {
	// Name is the command's first word in capitals; empty without a command.
	Name []byte
	// Data is what follows it, as sent. It may be a password.
	Data []byte
	// Replies holds the lines of the replies without their codes, Codes the code
	// of each complete reply.
	Replies, Codes [][]byte
	// Mode is set by the commands that choose one.
	Mode Mode

	verb verb
	// plain: a password that is none.
	plain            bool
	data             endpoint
	cmdCut, replyCut bool
	answered, done   bool
	size             int
}

// Announced gives the address and port of the data connection that the command
// or its answer told, invalid and 0 where none was. An address told by PORT or
// EPRT that is not the client's own is a bounce (the keyword ftpbounce).
func (c *Command) Announced() (addr netip.Addr, port uint16) { return c.data.addr, c.data.port }

// waiting is a command that the server has not answered yet.
type waiting struct {
	verb verb
	tx   *protocol.Tx // nil beyond the limit of transactions
	// transfer: a transfer that uses the connection of the passive command
	// before it in the queue.
	transfer *expect.Transfer
	// user is the name that the command gives.
	user string
}

// clientMode says what the client's next bytes are.
type clientMode uint8

const (
	modeCommand clientMode = iota
	modeHold               // after AUTH, until the server answers
	modeDiscard            // the rest of a line whose beginning is missing
)

// Parser is the control connection of one flow.
type Parser struct {
	txs   protocol.TxList
	queue []waiting
	// full: there were too many transactions; no more are made.
	full bool
	// lost: bytes of the server are missing, replies may not match.
	lost bool

	// The client's side.
	mode clientMode
	line line
	held []byte
	anon bool
	// user has logged in; claimed is who tries to.
	user, claimed string
	protocol.Cleartext
	rest uint64
	// deflate: MODE Z is on.
	deflate bool

	// The server's side.
	reply      line
	skipReply  bool // the rest of a line whose beginning is missing
	multi      [3]byte
	inMulti    bool
	target     *protocol.Tx
	greeted    bool
	serverSeen bool
	told       endpoint

	// hint is what the last announced data connection will be given.
	hint *expect.Hint
}

// User implements protocol.Login.
func (p *Parser) User(*protocol.Tx) string { return p.user }

// line collects a line from pieces.
type line struct {
	buf []byte
	cut bool
}

// take adds the beginning of data to the line and gives the whole line when it
// has ended, without its end and at most maxLine bytes of it.
func (l *line) take(data []byte) (text []byte, cut, whole bool, rest []byte) {
	i := bytes.IndexByte(data, '\n')
	if i < 0 {
		l.add(data)
		return nil, false, false, nil
	}
	rest = data[i+1:]
	if len(l.buf) == 0 && !l.cut && i <= maxLine+1 {
		text = data[:i]
	} else {
		l.add(data[:i])
		text = l.buf
	}
	text, cut = l.finish(text)
	return text, cut, true, rest
}

// add keeps what a line of maxLine bytes and a CR can have.
func (l *line) add(b []byte) {
	n := min(len(b), maxLine+1-len(l.buf))
	l.buf = append(l.buf, b[:n]...)
	l.cut = l.cut || n < len(b)
}

func (l *line) finish(text []byte) ([]byte, bool) {
	cut := l.cut
	if !cut {
		text = bytes.TrimSuffix(text, []byte("\r"))
	}
	if len(text) > maxLine {
		text, cut = text[:maxLine], true
	}
	l.reset()
	return text, cut
}

func (l *line) reset() { l.buf, l.cut = l.buf[:0], false }

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// Parse implements protocol.Parser.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	if dir == protocol.ToServer {
		p.client(env, data)
		return protocol.Continue
	}
	return p.server(env, data)
}

// Gap implements protocol.Parser.
func (p *Parser) Gap(env *protocol.Env, dir protocol.Dir, _ uint64) protocol.Status {
	if dir == protocol.ToServer {
		p.release(env)
		p.line.reset()
		p.mode = modeDiscard
		return protocol.Continue
	}
	p.reply.reset()
	p.skipReply, p.inMulti, p.lost, p.serverSeen, p.target = true, false, true, true, nil
	return protocol.Continue
}

// End implements protocol.Parser.
func (p *Parser) End(env *protocol.Env, dir protocol.Dir) {
	if dir == protocol.ToServer {
		p.release(env)
		if len(p.line.buf) > 0 && p.mode == modeCommand {
			text, cut := p.line.finish(p.line.buf)
			p.command(env, text, cut)
		}
		p.line.reset()
		return
	}
	if len(p.reply.buf) > 0 && !p.skipReply {
		text, cut := p.reply.finish(p.reply.buf)
		p.replyLine(env, text, cut)
	}
	p.reply.reset()
	// Nothing will be answered any more.
	for _, tx := range p.txs.Live {
		p.finish(tx)
	}
	p.queue, p.lost = nil, true
}

// release goes on with commands held back after AUTH.
func (p *Parser) release(env *protocol.Env) {
	if p.mode != modeHold {
		return
	}
	held := p.held
	p.held, p.mode = nil, modeCommand
	p.client(env, held)
}

// finish marks a transaction as answered, or as one that will not be.
func (p *Parser) finish(tx *protocol.Tx) {
	tx.State.(*Command).done = true
	tx.Progress = [2]uint8{Answered, Replied}
}

// add makes a transaction, nil beyond the limit.
func (p *Parser) add(env *protocol.Env, c *Command) *protocol.Tx {
	if p.full {
		return nil
	}
	if len(p.queue) >= max(env.Limits.Tx(protocol.FTP), 1) {
		p.full = true
		for _, w := range p.queue {
			if w.tx != nil {
				w.tx.AddEvent("too_many_transactions")
				break
			}
		}
		return nil
	}
	return p.txs.Add(c, env.Now)
}
