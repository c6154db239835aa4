package nfs

import (
	"slices"
	"strings"

	"sluice/dataplane/protocol"
)

// call is one that waits for its answer.
type call struct {
	xid       uint32
	tx        *protocol.Tx
	version   uint32
	procedure uint32
	cred      credentials
	ops       []asked
	// size is what it takes in memory, about.
	size int
}

// asked is what a call's operation asks for, as far as the answer needs it.
type asked struct {
	kind   kind
	code   uint32
	file   *file
	name   string // as far as an answer gives a handle for it
	offset uint64
	count  uint64
}

// Transaction is the State of a transaction: a call with its answer, or a transfer of
// a file's content in one direction.
type Transaction struct {
	XID       uint32
	Version   uint32
	Procedure uint32
	cred      credentials
	kind      kind
	name, to  string
	handle    []byte
	status    uint32
	denied    bool
	transfer  *transfer
	// pending and pendingXID count the pieces of a transfer, chunks and lastXID are
	// what is told of them; last tells that it is complete.
	pending, chunks     uint64
	pendingXID, lastXID uint32
	last                bool
}

// Field gives the numbers of keywords: nfs_procedure, nfs_version, and
// nfs_procedure.name, a number that a procedure has whatever its version (see
// ProcedureNames).
func (t *Transaction) Field(name string, dir protocol.Dir, i int) (uint64, bool) {
	if i > 0 || t.Version == 0 || dir != protocol.ToServer {
		return 0, false
	}
	switch name {
	case "nfs_procedure":
		return uint64(t.Procedure), true
	case "nfs_procedure.name":
		n, ok := ProcedureNames()[strings.ToLower(procedureName(t.Version, t.Procedure))]
		return n, ok
	case "nfs_version":
		return uint64(t.Version), true
	}
	return 0, false
}

// request makes a transaction that waits for its answer. The oldest are given up
// where there are too many.
func (p *Parser) request(env *protocol.Env, t *Transaction) *protocol.Tx {
	for len(p.waiting) > 0 && len(p.waiting) >= max(env.Limits.Tx(protocol.NFS), 1) {
		old := p.waiting[0]
		old.AddEvent("too_many_transactions")
		p.complete(old)
	}
	tx := p.txs.Add(t, env.Now)
	p.waiting = append(p.waiting, tx)
	return tx
}

// complete ends a transaction.
func (p *Parser) complete(tx *protocol.Tx) {
	tx.Progress = [2]uint8{Done, Done}
	if i := slices.Index(p.waiting, tx); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
	}
}

// apply carries out a message that was read.
func (p *Parser) apply(env *protocol.Env, dir protocol.Dir, m *message) {
	if m.sealed {
		p.veiled(env, dir)
		p.side[dir].stage = stSkip
	}
	switch {
	case m.reply != (dir == protocol.ToClient):
		m.at, m.odd = 0, true // what goes the wrong way is no file, and is looked through
	case m.reply:
		p.answer(env, m)
	default:
		p.called(env, m)
	}
}

// veiled tells of a message that is encrypted: the first of a direction is an object
// that cannot be scanned, so that a policy can decide.
func (p *Parser) veiled(env *protocol.Env, dir protocol.Dir) {
	p.unread[dir] += uint64(len(p.side[dir].buf)) + uint64(p.side[dir].left)
	if p.sealed[dir] {
		return
	}
	p.sealed[dir] = true
	o := &protocol.Object{Kind: protocol.KindStream, Dir: dir, Tx: p.aloof(env), Encoding: "rpcsec-gss", Unscannable: "encrypted"}
	env.Objects.OpenObject(o)
	env.Objects.CloseObject(o, protocol.ObjectClosed)
}

// called takes a call.
func (p *Parser) called(env *protocol.Env, m *message) {
	if m.version != 4 && m.procedure == 0 {
		return
	}
	c := &call{xid: m.xid, version: m.version, procedure: m.procedure, cred: m.cred, size: 128}
	for i := range m.ops {
		p.asked(env, m, c, &m.ops[i])
	}
	p.giveUpCall(p.calls[m.xid])
	for xid := range p.calls {
		if len(p.calls) < maxPending && p.asking+c.size <= maxCalls {
			break
		}
		p.giveUpCall(p.calls[xid])
	}
	p.calls[m.xid] = c
	p.asking += c.size
}

// giveUpCall forgets a call, which may be nil, whose answer does not come.
func (p *Parser) giveUpCall(c *call) {
	if c == nil {
		return
	}
	if c.tx != nil && c.tx.State.(*Transaction).transfer == nil {
		p.complete(c.tx)
	}
	p.settle(c)
}

// settle forgets a call.
func (p *Parser) settle(c *call) {
	delete(p.calls, c.xid)
	p.asking -= c.size
}

// asked carries out an operation of a call.
func (p *Parser) asked(env *protocol.Env, m *message, c *call, o *op) {
	a := asked{kind: o.kind, code: o.code, offset: o.offset, count: o.count}
	if o.kind == kLookup || o.kind == kOpen || o.kind == kCreate {
		a.name = string(o.name)
	}
	var f *file
	if len(o.handle) > 0 {
		f = p.files[string(o.handle)]
	}
	switch o.kind {
	case kRead, kWrite, kCommit, kClose:
		if f == nil && (o.kind == kRead || o.kind == kWrite) {
			f = p.learn(env, o.handle, string(o.name))
		}
		a.file = f
	}
	c.ops = append(c.ops, a)
	c.size += 64 + len(a.name)
	switch o.kind {
	case kRead:
		t := f.way(protocol.ToClient)
		p.transaction(env, t, m)
		if t.tx != nil {
			c.tx = t.tx
		}
		return
	case kWrite:
		t := f.way(protocol.ToServer)
		p.transaction(env, t, m)
		c.tx = t.tx
		b := p.side[protocol.ToServer].buf[o.start:]
		p.bytes(env, protocol.ToServer, t, o, b, after{xid: m.xid})
		return
	case kCommit:
		if f != nil && o.whole {
			p.close(env, f.ways[protocol.ToServer])
		}
		return
	case kClose:
		if f != nil {
			p.close(env, f.ways[protocol.ToServer])
		}
		return
	}
	if m.version == 4 && !tells(o) {
		return
	}
	t := &Transaction{XID: m.xid, Version: m.version, Procedure: o.code, cred: m.cred, kind: o.kind, name: protocol.Text(o.name), to: protocol.Text(o.to)}
	switch o.kind {
	case kGetAttr, kAccess:
		if t.handle = slices.Clone(o.handle); f != nil {
			t.name = f.name
		}
	case kCreate, kMkdir, kRemove, kRename:
		t.handle = slices.Clone(o.handle)
	}
	tx := p.request(env, t)
	tx.Progress[protocol.ToServer] = Done
	if c.tx == nil {
		c.tx = tx
	}
}

// tells reports whether an operation of version 4 makes a transaction: it changes
// what files there are. Others only lead to it or look after a session.
func tells(o *op) bool {
	return o.kind == kCreate || o.kind == kRemove || o.kind == kRename || o.code == op4Link || o.code == op4SetAttr
}

// answer takes the answer to a call.
func (p *Parser) answer(env *protocol.Env, m *message) {
	c := m.call
	p.settle(c)
	if m.denied || m.failed || m.sealed {
		if c.tx != nil && c.tx.State.(*Transaction).transfer == nil {
			c.tx.State.(*Transaction).denied = m.denied
			p.complete(c.tx)
		}
		return
	}
	name := ""
	for i := range m.ops {
		o := &m.ops[i]
		if i >= len(c.ops) || m.version == 4 && c.ops[i].code != o.code {
			m.unasked(i)
			break
		}
		a := &c.ops[i]
		switch a.kind {
		case kLookup, kOpen, kCreate:
			name = a.name
			if o.status == 0 && len(o.target) > 0 {
				p.learn(env, o.target, name)
				if t := own(c); t != nil && a.kind == kLookup {
					t.handle = slices.Clone(o.target)
				}
			}
		case kGetHandle:
			if o.status == 0 && name != "" {
				p.learn(env, o.target, name)
			}
		case kRead:
			if o.status == 0 {
				t := a.file.way(protocol.ToClient)
				if o.offset = a.offset; o.length > 0 {
					p.transaction(env, t, m) // the one of the call may be over by now
				}
				p.bytes(env, protocol.ToClient, t, o, p.side[protocol.ToClient].buf[o.start:], after{eof: o.eof, xid: m.xid})
			} else if t := a.file.way(protocol.ToClient); t.tx != nil {
				t.tx.State.(*Transaction).status = o.status
				if !t.begun {
					p.finish(env, t, protocol.ObjectClosed)
				}
			}
		case kWrite:
			if t := a.file.ways[protocol.ToServer]; t != nil && t.tx != nil && o.status != 0 {
				t.tx.State.(*Transaction).status = o.status
			}
		}
	}
	if t := own(c); t != nil {
		t.status = m.status
		p.complete(c.tx)
	}
}

// unasked takes the content of what answers nothing, from the i-th operation on, for
// what is not understood.
func (m *message) unasked(i int) {
	for _, o := range m.ops[i:] {
		if o.length > 0 {
			m.at, m.odd = min(m.at, o.start), true
		}
	}
}

// own gives the transaction that a call has to itself, nil where it has none.
func own(c *call) *Transaction {
	if c.tx == nil {
		return nil
	}
	t := c.tx.State.(*Transaction)
	if t.transfer != nil || t.last {
		return nil
	}
	return t
}
