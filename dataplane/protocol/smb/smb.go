// Package smb reads SMB (MS-SMB2 for the versions 2 and 3, MS-CIFS and MS-SMB
// for version 1) over TCP, with or without NetBIOS sessions. It takes ordered
// bytes, gaps marked, and gives transactions (a request with its response, a
// transfer of a file, a call over a named pipe), and the content of files in both
// directions as objects. What is encrypted or compressed is told as objects that
// cannot be scanned. Signatures and credits are not checked: an inspector cannot
// know what an end tolerates. The package knows no flows and no rules.
package smb

import (
	"bytes"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/dcerpc"
)

// The progress of a transaction towards the server: the request has been read;
// it has been answered, so that what the answer tells is known too.
const (
	Requested = 1
	Answered  = 2
)

// Replied is the progress towards the client once the answer is there, or will
// not come.
const Replied = 1

// The slots of the buffers.
const (
	slotNamedPipe uint8 = iota
	slotShare
	slotUser
	slotDomain
)

// Definition describes SMB. Its parser also fills the buffers of dcerpc.
func Definition() *protocol.Definition {
	spec := func(slot uint8, name string, progress uint8) protocol.BufferSpec {
		return protocol.BufferSpec{ID: protocol.Buffer(protocol.SMB, slot), Name: name, Dirs: protocol.DirsToServer, Progress: progress}
	}
	return &protocol.Definition{
		Events: eventNames,
		ID:     protocol.SMB, TCP: true, Ports: []uint16{445, 139},
		Probe:  probe,
		New:    func(env *protocol.Env) protocol.Parser { return newParser(env.Limits) },
		Frames: frames[:],
		Buffers: []protocol.BufferSpec{
			spec(slotNamedPipe, "smb.named_pipe", Answered), spec(slotShare, "smb.share", Answered),
			spec(slotUser, "smb.ntlmssp_user", Requested), spec(slotDomain, "smb.ntlmssp_domain", Requested),
		},
		Complete: [2]uint8{Answered, Replied},
		States: [2][]string{
			{"request_started", "request_sent", "request_complete"},
			{"response_started", "response_complete"},
		},
	}
}

// The types of NetBIOS session messages (RFC 1002 §4.3.1).
const (
	nbssMessage   = 0x00
	nbssRequest   = 0x81
	nbssKeepAlive = 0x85
)

// The first bytes of the messages in them.
var (
	magic1          = []byte("\xffSMB")
	magic2          = []byte("\xfeSMB")
	magicEncrypted  = []byte("\xfdSMB")
	magicCompressed = []byte("\xfcSMB")
)

func isMagic(b []byte) bool {
	return len(b) >= 4 && b[0] >= 0xfc && b[1] == 'S' && b[2] == 'M' && b[3] == 'B'
}

// probe knows a message by its magic number, and the opening of a NetBIOS
// session.
func probe(dir protocol.Dir, b []byte) protocol.Certainty {
	if len(b) == 0 {
		return protocol.Unsure
	}
	open := []byte{nbssRequest, 0, 0, 68, 32}
	if dir == protocol.ToClient {
		open = []byte{0x82, 0, 0, 0}
	}
	switch b[0] {
	case nbssMessage:
		if len(b) > 4 && b[4] < 0xfc || len(b) > 5 && !bytes.HasPrefix([]byte("SMB"), b[5:min(8, len(b))]) {
			return protocol.NotForUs
		}
		if len(b) < 8 {
			return protocol.Unsure
		}
		return protocol.Certain
	case open[0]:
		n := min(len(b), len(open))
		if !bytes.Equal(b[:n], open[:n]) {
			return protocol.NotForUs
		}
		if n == len(open) {
			return protocol.Certain
		}
		return protocol.Unsure
	}
	return protocol.NotForUs
}

// Bounds of what is kept of a flow.
const (
	// maxBody bounds the bytes kept of a message other than file content.
	maxBody = 64 << 10
	// maxBody1 is the same for version 1, whose messages are of that size.
	maxBody1   = 132 << 10
	maxFiles   = 2048
	maxTrees   = 512
	maxPending = 2048
	// maxOpen bounds the objects that are open at a time; beyond it the one that
	// was opened first is closed.
	maxOpen = 128
	// maxPipes bounds the pipes whose calls are followed; what others carry is
	// still classified.
	maxPipes = 32
)

// Parser is the SMB of one flow.
type Parser struct {
	txs  protocol.TxList
	side [2]side
	// dialect is the number of version 2, dialect1 the name of version 1.
	dialect  uint16
	dialect1 string
	offered  []string
	trees    map[treeKey]*tree
	files    map[fileID]*file
	pending  map[uint64]*pending
	// users have logged in, by session.
	users map[uint64]string
	// stray takes content of files whose opening was not seen.
	stray *file
	// kept counts the bytes that are held ahead of their place; pipes the files
	// whose calls are followed.
	kept  [2]int
	pipes int
	// open are the channels with open objects, oldest first.
	open []*channel
	// copied is the beginning of the file of copyOf (see presume).
	copied []byte
	copyOf *channel
	// spilt are the objects of what is not understood.
	spilt   [2]*protocol.Object
	records protocol.SMBRecords
	// answered tells that a response was seen.
	answered bool
	veiled   [2]veil
	// now is the message in work, for calls that pipes make.
	now message
}

// veil counts what cannot be read of a direction.
type veil struct {
	told                  [2]bool
	encrypted, compressed uint64
}

type treeKey struct {
	session uint64
	tree    uint32
}

// tree is a connected share.
type tree struct {
	name string
	pipe bool
}

// message is what headers of both versions have.
type message struct {
	version uint8
	command uint16
	session uint64
	tree    uint32
	id      uint64
	status  uint32
	dos     bool
}

// pending is a request without an answer.
type pending struct {
	tx      *protocol.Tx
	command uint16
	tree    uint32
	session uint64
	file    *file
	offset  uint64
	// sub tells SMB1's subcommands apart.
	sub uint16
}

func newParser(l *protocol.Limits) *Parser {
	return &Parser{records: l.SMB.Records, trees: map[treeKey]*tree{}, files: map[fileID]*file{}, pending: map[uint64]*pending{}}
}

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// add makes a transaction of the message in work. At the bound the oldest one is
// taken to be complete, which is no anomaly where only one direction is seen.
func (p *Parser) add(env *protocol.Env, t *Transaction) *protocol.Tx {
	m := &p.now
	t.Version, t.Command, t.Session, t.Tree = m.version, m.command, m.session, m.tree
	t.Dialect, t.Dialect1 = p.dialect, p.dialect1
	tx := p.txs.Add(t, env.Now)
	limit := env.Limits.MaxTx
	if n := env.Limits.SMB.MaxTx; n > 0 {
		limit = n
	}
	if limit <= 0 || len(p.txs.Live) <= limit {
		return tx
	}
	over := 0
	for _, old := range p.txs.Live {
		if old.OpenObjects == 0 && old.Progress[protocol.ToServer] < Answered {
			over++
		}
	}
	for _, old := range p.txs.Live {
		if over <= limit {
			break
		}
		if old.OpenObjects == 0 && old.Progress[protocol.ToServer] < Answered && old != tx {
			if p.answered {
				old.AddEvent("too_many_transactions")
			}
			complete(old)
			over--
		}
	}
	return tx
}

func complete(tx *protocol.Tx) { tx.Progress = [2]uint8{Answered, Replied} }

// request makes a transaction that waits for its answer.
func (p *Parser) request(env *protocol.Env, t *Transaction) *protocol.Tx {
	tx := p.add(env, t)
	tx.Progress[protocol.ToServer] = Requested
	return tx
}

// wait notes a request for its answer; tx may be nil. The number of them is
// bounded by the credits that servers grant, and here.
func (p *Parser) wait(w *pending) {
	w.command, w.tree, w.session = p.now.command, p.now.tree, p.now.session
	if len(p.pending) >= maxPending {
		for id, old := range p.pending {
			if old.tx != nil {
				complete(old.tx)
			}
			delete(p.pending, id)
			break
		}
	}
	p.pending[p.now.id] = w
}

// answer completes a transaction with the status of the message in work.
func (p *Parser) answer(tx *protocol.Tx) {
	if tx == nil {
		return
	}
	t := tx.State.(*Transaction)
	t.Status, t.HasStatus, t.DOS = p.now.status, true, p.now.dos
	if t.Dialect == 0 && t.Dialect1 == "" {
		t.Dialect, t.Dialect1 = p.dialect, p.dialect1
	}
	complete(tx)
}

// AddCall implements dcerpc.Owner.
func (p *Parser) AddCall(env *protocol.Env, c *dcerpc.Call) {
	c.Tx = p.add(env, &Transaction{call: c})
}

// aloof makes what stands for a transaction of an object that is none and has no
// record.
func (p *Parser) aloof(env *protocol.Env, t *Transaction) *protocol.Tx {
	t.Dialect, t.Dialect1 = p.dialect, p.dialect1
	return &protocol.Tx{ID: p.txs.Next, State: t, Created: env.Now}
}

// CallDone implements dcerpc.Owner.
func (p *Parser) CallDone(c *dcerpc.Call, dir protocol.Dir) {
	if dir == protocol.ToServer {
		c.Tx.Progress[dir] = max(c.Tx.Progress[dir], Requested)
		return
	}
	p.answer(c.Tx)
}

// End implements protocol.Parser. Files end as truncated: their end was not seen.
func (p *Parser) End(env *protocol.Env, dir protocol.Dir) {
	for len(p.open) > 0 && p.closeOne(env, dir) {
	}
	if o := p.spilt[dir]; o != nil {
		env.Objects.CloseObject(o, protocol.ObjectClosed)
		p.spilt[dir] = nil
	}
	if dir == protocol.ToServer && !p.side[protocol.ToClient].ended {
		p.side[dir].ended = true
		return
	}
	p.side[dir].ended = true
	if !p.side[dir.Other()].ended {
		return
	}
	for _, f := range p.files {
		p.hangUp(f)
	}
	if p.stray != nil {
		p.hangUp(p.stray)
	}
	for _, tx := range p.txs.Live {
		complete(tx)
	}
	clear(p.files)
	clear(p.pending)
}

// closeOne closes the first open object of a direction.
func (p *Parser) closeOne(env *protocol.Env, dir protocol.Dir) bool {
	for _, c := range p.open {
		if c.dir == dir {
			p.finish(env, c, protocol.ObjectTruncated)
			return true
		}
	}
	return false
}
