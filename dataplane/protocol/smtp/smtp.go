// Package smtp reads SMTP (RFC 5321, RFC 3030, RFC 3207, RFC 4954) from both
// sides of a connection. It takes ordered bytes and gives one transaction a
// mail, its envelope as buffers and its content, read by package mime, as
// objects. It knows nothing of mailboxes or policies. Of what is sent to log in
// only the name is kept.
package smtp

import (
	"bytes"
	"hash"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/mime"
)

// The progress of a transaction towards the server: envelope known (DATA or
// BDAT has been sent), mail header read, mail complete.
const (
	Started = iota
	Envelope
	Headers
	Complete
)

// Replied is the progress towards the client of a transaction that the server
// has answered.
const Replied = 1

// The slots of the buffers.
const (
	slotHelo = iota
	slotMailFrom
	slotRcptTo
	slotFrom
	slotTo
	slotCc
	slotSubject
	slotDate
	slotMessageID
	slotXMailer
	slotURL
	slotReceived
	slotBodyMD5
)

// Definition describes SMTP.
func Definition() *protocol.Definition {
	spec := func(slot uint8, name string, progress uint8, multi bool) protocol.BufferSpec {
		return protocol.BufferSpec{ID: protocol.Buffer(protocol.SMTP, slot), Name: name, Dirs: protocol.DirsToServer, Progress: progress, Multi: multi}
	}
	return &protocol.Definition{
		Events: eventNames,
		ID:     protocol.SMTP, TCP: true, Ports: []uint16{25, 587, 2525, 465},
		Probe:  probe,
		Frames: frames[:],
		New: func(env *protocol.Env) protocol.Parser {
			return &Parser{md5: env.Limits.SubjectMD5, bodyMD5: env.Limits.BodyMD5}
		},
		Buffers: []protocol.BufferSpec{
			spec(slotHelo, "smtp.helo", Envelope, false),
			spec(slotMailFrom, "smtp.mail_from", Envelope, false),
			spec(slotRcptTo, "smtp.rcpt_to", Envelope, true),
			spec(slotFrom, "email.from", Headers, false),
			spec(slotTo, "email.to", Headers, false),
			spec(slotCc, "email.cc", Headers, false),
			spec(slotSubject, "email.subject", Headers, false),
			spec(slotDate, "email.date", Headers, false),
			spec(slotMessageID, "email.message_id", Headers, false),
			spec(slotXMailer, "email.x_mailer", Headers, false),
			spec(slotURL, "email.url", Complete, true),
			spec(slotReceived, "email.received", Headers, true),
			spec(slotBodyMD5, "email.body_md5", Complete, false),
		},
		Complete: [2]uint8{Complete, Replied},
		States: [2][]string{
			{"request_started", "envelope", "email_headers", "request_complete"},
			{"response_started", "response_complete"},
		},
	}
}

var headerSlots = map[uint8]string{slotFrom: "From", slotTo: "To", slotCc: "Cc", slotSubject: "Subject", slotDate: "Date",
	slotMessageID: "Message-ID", slotXMailer: "X-Mailer"}

// probe knows a server by a greeting that names the protocol and a client by a
// command that no other protocol has. What other protocols also say is unsure.
func probe(dir protocol.Dir, data []byte) protocol.Certainty {
	line, _, whole := bytes.Cut(data, []byte("\n"))
	if dir == protocol.ToClient {
		return probeGreeting(line, whole)
	}
	for i, c := range line {
		if c >= 0x80 || c < 0x20 && c != '\r' && c != '\t' {
			return protocol.NotForUs
		}
		if i > maxLine {
			return protocol.NotForUs
		}
	}
	for _, verb := range [...]string{"EHLO", "HELO", "LHLO", "MAIL FROM:", "RCPT TO:"} {
		if hasFold(line, verb) && (verb[len(verb)-1] == ':' || len(line) > 4 && (line[4] == ' ' || line[4] == '\r') || len(line) == 4 && whole) {
			return protocol.Certain
		}
	}
	for _, verb := range [...]string{"EHLO ", "HELO ", "LHLO ", "MAIL FROM:", "RCPT TO:", "QUIT", "NOOP", "RSET", "HELP", "VRFY ", "AUTH ", "STARTTLS", "DATA"} {
		n := min(len(line), len(verb))
		if hasFold(line[:n], verb[:n]) && (n == len(verb) || !whole) {
			return protocol.Unsure
		}
	}
	return protocol.NotForUs
}

func probeGreeting(line []byte, whole bool) protocol.Certainty {
	for i, c := range line[:min(len(line), 3)] {
		if c < '0' || c > '9' || i == 0 && c != '2' && c != '4' && c != '5' {
			return protocol.NotForUs
		}
	}
	if len(line) < 4 {
		if whole {
			return protocol.NotForUs
		}
		return protocol.Unsure
	}
	if line[3] != ' ' && line[3] != '-' {
		return protocol.NotForUs
	}
	upper := bytes.ToUpper(line[:min(len(line), 512)])
	switch {
	case !whole && len(line) <= 512:
		return protocol.Unsure
	case bytes.HasPrefix(line, []byte("220")) && (bytes.Contains(upper, []byte("SMTP")) || bytes.Contains(upper, []byte("LMTP"))):
		return protocol.Certain
	case bytes.Contains(upper, []byte("FTP")):
		return protocol.NotForUs
	case bytes.HasPrefix(line, []byte("220")), bytes.HasPrefix(line, []byte("554")), bytes.HasPrefix(line, []byte("421")):
		return protocol.Unsure
	case line[0] == '4' || line[0] == '5':
		return protocol.Unsure
	}
	return protocol.NotForUs
}

// hasFold reports whether b begins with an upper-case prefix in any case.
func hasFold(b []byte, prefix string) bool {
	if len(b) < len(prefix) {
		return false
	}
	for i := range prefix {
		c := b[i]
		if c >= 'a' && c <= 'z' {
			c -= 0x20
		}
		if c != prefix[i] {
			return false
		}
	}
	return true
}

// Mail is the State of a transaction.
type Mail struct {
	Helo     []byte
	MailFrom []byte
	RcptTo   [][]byte
	reader   *mime.Reader
	// digest is of the body as sent; nil unless wanted.
	digest hash.Hash
	// bodyMD5 is the digest of the whole body, in hex.
	bodyMD5 []byte
	// ended: the content is complete or given up; done: the reply came too.
	ended, done bool
	truncated   bool
}

// Content gives the reader of the mail's content, nil before DATA.
func (m *Mail) Content() *mime.Reader { return m.reader }

// Bounds of what is kept of the dialogue.
const (
	maxLine       = 4096
	commandLimit  = 510
	replyLimit    = 510
	maxRcpt       = 1000
	maxQueue      = 1024
	maxSpeculated = 4096
)

// verb is a command as far as replies to it matter.
type verb uint8

const (
	cmdOther verb = iota
	cmdHelo
	cmdMail
	cmdRcpt
	cmdData
	cmdDataEnd
	cmdBdat
	cmdBdatLast
	cmdAuth
	cmdStartTLS
	cmdRset
	cmdQuit
)

// waiting is a command that the server has not answered.
type waiting struct {
	verb verb
	tx   *protocol.Tx
}

// clientMode says what the client's next bytes are.
type clientMode uint8

const (
	modeCommand clientMode = iota
	modeData
	modeBdat
	modeHold    // after STARTTLS, until the server answers
	modeDiscard // the rest of a line that was too long
)

// Parser is the SMTP of one flow.
type Parser struct {
	txs     protocol.TxList
	cur     *protocol.Tx
	helo    []byte
	queue   []waiting
	md5     bool
	bodyMD5 bool
	lost    bool // the queue overflowed or bytes are missing: replies may not match

	// The client's side.
	mode     clientMode
	line     []byte
	dot      dotState
	prevCR   bool
	lenient  bool // the data so far end in a line that some servers take for the end
	bdatLeft uint64
	bdatLast bool
	authing  bool
	// user has logged in; claimed is who tries to, and mech by which mechanism.
	user, claimed string
	protocol.Cleartext
	steps protocol.Steps
	mech  mechanism
	// spec keeps data sent before the server agreed to take it.
	spec     []byte
	guessing bool
	// replay tells that bytes of before are read once more, framed that a mail's
	// frame is open; replyLen counts the bytes of the server's line in work.
	replay   bool
	framed   bool
	replyLen int

	// The server's side.
	reply      []byte
	multi      bool // within a reply of several lines
	greeted    bool
	longReply  bool
	serverSeen bool
	caps       Capabilities
}

// Capabilities are extensions that a server offered in its answer to EHLO.
type Capabilities uint8

// The extensions told apart.
const (
	CapStartTLS Capabilities = 1 << iota
	CapPipelining
	CapChunking
	CapAuth
	CapSMTPUTF8
)

// Capabilities gives the extensions offered last.
func (p *Parser) Capabilities() Capabilities { return p.caps }

// mechanism is a way to log in of which the name can be told.
type mechanism uint8

const (
	mechNone mechanism = iota
	mechPlain
	mechLogin
)

// User implements protocol.Login.
func (p *Parser) User(*protocol.Tx) string { return p.user }

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// mail gives the transaction in progress, a new one where there is none.
func (p *Parser) mail(env *protocol.Env) *Mail {
	if p.cur != nil {
		if m := p.cur.State.(*Mail); !m.ended {
			return m
		}
	}
	if last := p.txs.Last(); last != nil && len(p.txs.Live) >= env.Limits.Tx(protocol.SMTP) {
		// Content still reaches the sink; only the envelopes share a place.
		p.cur = last
		m := last.State.(*Mail)
		m.ended, m.reader = false, nil
		return m
	}
	if p.cur != nil && !p.serverSeen {
		p.finish(p.cur) // a capture of one direction has no replies to wait for
	}
	m := &Mail{Helo: p.helo}
	p.cur = p.txs.Add(m, env.Now)
	return m
}

// event notes an anomaly at the transaction it most likely belongs to.
func (p *Parser) event(env *protocol.Env, name string) {
	tx := p.txs.Last()
	if p.cur != nil {
		tx = p.cur
	}
	if tx == nil {
		p.mail(env)
		tx = p.cur
	}
	tx.AddEvent(name)
}

func (p *Parser) push(v verb, tx *protocol.Tx) {
	if len(p.queue) >= maxQueue {
		p.lost = true
		return
	}
	p.queue = append(p.queue, waiting{v, tx})
}

// Refusal implements protocol.Refuser: a refusal fits when the client waits
// for exactly one reply, or is still sending a mail.
func (p *Parser) Refusal() (reply []byte, ok bool) {
	if p.multi || p.lost || p.mode == modeHold || p.authing {
		return nil, false
	}
	sending := p.mode == modeData || p.mode == modeBdat
	switch {
	case sending && len(p.queue) == 0 || !sending && len(p.queue) == 1 && p.queue[0].verb >= cmdDataEnd && p.queue[0].verb <= cmdBdatLast:
		return refuseMail, true
	case !sending && len(p.queue) == 1 && (p.queue[0].verb == cmdMail || p.queue[0].verb == cmdRcpt || p.queue[0].verb == cmdData):
		return refuseCommand, true
	}
	return nil, false
}

var (
	refuseMail    = []byte("554 5.7.1 Message refused by security policy\r\n")
	refuseCommand = []byte("550 5.7.1 Refused by security policy\r\n")
)

// Parse implements protocol.Parser.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	if dir == protocol.ToServer {
		p.client(env, data)
		return protocol.Continue
	}
	return p.server(env, data)
}

// Gap implements protocol.Parser.
func (p *Parser) Gap(env *protocol.Env, dir protocol.Dir, n uint64) protocol.Status {
	p.lost = true
	if dir == protocol.ToClient {
		p.reply, p.multi, p.longReply, p.replyLen = p.reply[:0], false, false, 0
		p.serverSeen = true
		return protocol.Continue
	}
	m := (*Mail)(nil)
	if p.cur != nil {
		m = p.cur.State.(*Mail)
	}
	switch p.mode {
	case modeData:
		m.reader.Gap(env, n)
		p.dot, p.prevCR = dotMid, false
	case modeBdat:
		k := min(n, p.bdatLeft)
		m.reader.Gap(env, k)
		if p.bdatLeft -= k; p.bdatLeft == 0 {
			p.endBdat(env)
		}
	case modeCommand:
		p.line = p.line[:0]
		p.mode = modeDiscard
	}
	return protocol.Continue
}

// End implements protocol.Parser.
func (p *Parser) End(env *protocol.Env, dir protocol.Dir) {
	if dir == protocol.ToServer {
		if p.mode == modeData && p.lenient {
			p.endMail(env, false)
		}
		if p.cur != nil {
			p.closeMail(env, p.cur, true)
		}
	}
	// Nothing will be answered any more.
	for _, tx := range p.txs.Live {
		if m := tx.State.(*Mail); m.ended || dir == protocol.ToServer {
			p.closeMail(env, tx, true)
			p.finish(tx)
		}
	}
	if dir == protocol.ToClient {
		p.lost = true
	}
}

// closeMail ends a mail's content.
func (p *Parser) closeMail(env *protocol.Env, tx *protocol.Tx, truncated bool) {
	m := tx.State.(*Mail)
	if m.ended {
		return
	}
	m.ended = true
	m.truncated = truncated
	if m.reader != nil {
		m.reader.Close(env, truncated)
	}
	tx.Progress[protocol.ToServer] = Complete
}

// finish marks a transaction as answered.
func (p *Parser) finish(tx *protocol.Tx) {
	tx.State.(*Mail).done = true
	tx.Progress = [2]uint8{Complete, Replied}
}
