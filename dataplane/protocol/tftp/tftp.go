// Package tftp reads TFTP (RFC 1350, and the options of RFC 2347 to 2349 and
// RFC 7440): requests, and the datagrams with the file, which come in a flow of
// their own that the request announces (see package expect). It takes datagrams
// and gives a transaction a request and an object a file. It knows no flows
// beyond that and no rules.
package tftp

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/expect"
	"sluice/events"
)

// Done is the progress of a direction that is complete.
const Done = 1

// The opcodes (RFC 1350 §5, RFC 2347).
const (
	opRead  = 1
	opWrite = 2
	opData  = 3
	opError = 5
	opOACK  = 6
)

const (
	// defaultBlock is the content of a datagram unless another size was agreed on.
	defaultBlock = 512
	// maxName bounds file names; options and all fit into a datagram of 512 bytes
	// (RFC 2347).
	maxName = 504
	// window is how far ahead a block may be to count as one of the same file,
	// rather than as a late copy of one before.
	window = 1 << 15
)

// Definition describes TFTP. Flows with files are announced to Env.Objects
// where that is an expect.Announcer.
func Definition() *protocol.Definition {
	return &protocol.Definition{
		ID: protocol.TFTP, UDP: true, Ports: []uint16{69},
		ProbeDatagram: probe,
		New:           func(*protocol.Env) protocol.Parser { return &Parser{block: defaultBlock} },
		Complete:      [2]uint8{Done, Done},
		States:        [2][]string{{"request_started", "request_complete"}, {"response_started", "response_complete"}},
	}
}

// Request is the State of a request's transaction.
type Request struct {
	Op         byte
	File, Mode string
}

// data is the State of a file's transaction.
type data struct{ request *Request }

// parse reads a request. Its options are not looked at: what counts is what the
// server agrees to.
func parse(b []byte) (r Request, ok bool) {
	if len(b) < 6 || b[0] != 0 || b[1] != opRead && b[1] != opWrite {
		return r, false
	}
	name, rest, ok := bytes.Cut(b[2:], []byte{0})
	if !ok || len(name) == 0 || len(name) > maxName {
		return r, false
	}
	mode, _, ok := bytes.Cut(rest, []byte{0})
	if !ok {
		return r, false
	}
	for _, m := range []string{"octet", "netascii", "mail"} {
		if len(mode) == len(m) && bytes.EqualFold(mode, []byte(m)) {
			return Request{Op: b[1], File: string(name), Mode: m}, true
		}
	}
	return r, false
}

// probe knows requests; what comes of the file is known by its announcement.
func probe(dir protocol.Dir, b []byte) protocol.Certainty {
	if _, ok := parse(b); ok && dir == protocol.ToServer {
		return protocol.Certain
	}
	return protocol.NotForUs
}

// Parser is the TFTP of one flow: requests, a file, or both where a server
// answers from the port it was asked at.
type Parser struct {
	txs     protocol.TxList
	hint    *expect.Hint
	request *Request
	block   int
	total   uint64
	next    uint16
	tx      *protocol.Tx
	obj     *protocol.Object
	ended   bool
}

// Hint takes what announced the flow, before any byte.
func (p *Parser) Hint(hint any) {
	h, ok := hint.(*expect.Hint)
	if !ok {
		return
	}
	p.hint = h
	if t := h.Transfer(); t != nil {
		p.request = &Request{Op: opRead, File: t.Name}
		if t.Command == "WRQ" {
			p.request.Op = opWrite
		}
	}
}

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// Parse implements protocol.Parser.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, b []byte) protocol.Status {
	if r, ok := parse(b); ok {
		p.asked(env, dir, &r)
		return protocol.Continue
	}
	if len(b) < 4 || b[0] != 0 {
		return protocol.Continue
	}
	switch b[1] {
	case opData:
		p.content(env, dir, binary.BigEndian.Uint16(b[2:]), b[4:])
	case opOACK:
		p.options(b[2:])
	case opError:
		p.close(env, protocol.ObjectTruncated)
	}
	return protocol.Continue
}

// asked takes a request and announces the flow of its file: the server answers
// from a port of its choice to the one that asked (RFC 1350 §4).
func (p *Parser) asked(env *protocol.Env, dir protocol.Dir, r *Request) {
	p.close(env, protocol.ObjectTruncated)
	tx := p.txs.Add(r, env.Now)
	tx.Progress = [2]uint8{Done, Done}
	p.request, p.block, p.total, p.next, p.ended = r, defaultBlock, 0, 1, false
	a, ok := env.Objects.(expect.Announcer)
	if !ok || dir != protocol.ToServer {
		return
	}
	t := &expect.Transfer{Command: "RRQ", Name: r.File, File: true}
	if r.Op == opWrite {
		t.Command = "WRQ"
	}
	h := &expect.Hint{}
	h.SetTransfer(t)
	a.Announce(expect.Announcement{UDP: true, Port: env.SrcPort, Hint: h})
}

// options reads what the server has agreed to (RFC 2347).
func (p *Parser) options(b []byte) {
	for {
		name, rest, ok := bytes.Cut(b, []byte{0})
		value, rest, ok2 := bytes.Cut(rest, []byte{0})
		if !ok || !ok2 {
			return
		}
		n, err := strconv.ParseUint(string(value), 10, 63)
		switch {
		case err != nil:
		case bytes.EqualFold(name, []byte("blksize")) && n >= 8 && n <= 65464:
			p.block = int(n)
		case bytes.EqualFold(name, []byte("tsize")):
			p.total = n
		}
		b = rest
	}
}

// content takes a block of the file. Copies of blocks before are passed over;
// one that is ahead leaves a hole.
func (p *Parser) content(env *protocol.Env, dir protocol.Dir, number uint16, b []byte) {
	if p.ended || p.request == nil || p.obj != nil && dir != p.obj.Dir {
		return
	}
	if p.obj == nil {
		p.next = 1
		p.tx = p.txs.Add(&data{p.request}, env.Now)
		p.obj = &protocol.Object{Kind: protocol.KindFile, Dir: dir, Tx: p.tx, Name: p.request.File, File: true, Total: p.total}
		env.Objects.OpenObject(p.obj)
	}
	ahead := number - p.next
	if ahead >= window {
		return
	}
	if ahead > 0 {
		env.Objects.ObjectGap(p.obj, uint64(ahead)*uint64(p.block))
		p.obj.Gaps = true
	}
	if len(b) > 0 {
		env.Objects.ObjectData(p.obj, b)
	}
	p.next = number + 1
	if len(b) < p.block {
		p.ended = true
		p.close(env, protocol.ObjectClosed)
	}
}

func (p *Parser) close(env *protocol.Env, state protocol.ObjectState) {
	if p.obj == nil {
		return
	}
	if p.obj.Gaps {
		state = protocol.ObjectTruncated
	}
	env.Objects.CloseObject(p.obj, state)
	p.tx.Progress = [2]uint8{Done, Done}
	p.obj, p.tx = nil, nil
}

// Gap implements protocol.Parser; datagrams have none.
func (p *Parser) Gap(*protocol.Env, protocol.Dir, uint64) protocol.Status { return protocol.Continue }

// End implements protocol.Parser.
func (p *Parser) End(env *protocol.Env, _ protocol.Dir) { p.close(env, protocol.ObjectTruncated) }

// Buffer implements protocol.Parser; there are no buffers.
func (p *Parser) Buffer(*protocol.Tx, protocol.BufferID, protocol.Dir, int) ([]byte, bool) {
	return nil, false
}

// eveTFTP is EVE's tftp object.
type eveTFTP struct {
	Packet string `json:"packet"`
	File   string `json:"file"`
	Mode   string `json:"mode,omitempty"`
}

// Record implements protocol.Parser. The flow of the request is the parent of
// the file's.
func (p *Parser) Record(tx *protocol.Tx, ev *events.Event) {
	if tx == nil {
		return
	}
	r, ok := tx.State.(*Request)
	if d, isData := tx.State.(*data); isData {
		r, ok = d.request, true
		if p.hint != nil {
			ev.ParentID = p.hint.Parent()
		}
	}
	if !ok {
		return
	}
	e := eveTFTP{Packet: "read", File: r.File, Mode: r.Mode}
	if r.Op == opWrite {
		e.Packet = "write"
	}
	ev.SetExtra("tftp", e)
}

var logTFTP = []string{"tftp"}

// Log implements protocol.Parser: requests have a record, files one of their own.
func (p *Parser) Log(tx *protocol.Tx) []string {
	if _, ok := tx.State.(*Request); ok {
		return logTFTP
	}
	return nil
}
