package pgsql

import (
	"slices"

	"sluice/dataplane/protocol"
)

// Kind says what a client has asked for.
type Kind uint8

// The kinds of requests. Unknown is a message of no known type, Orphan stands for
// what a server says without having been asked.
const (
	Orphan Kind = iota
	Unknown
	TLSRequest
	GSSRequest
	Startup
	Cancel
	Password
	SASLInitial
	SASLResponse
	Query
	Extended
	FunctionCall
	CopyIn
	Terminate
)

// pair is a parameter.
type pair struct{ name, value string }

// Transaction is the State of a transaction: a request and what answers it.
type Transaction struct {
	Kind Kind
	// Version is that of a Startup, Params what it tells of the client but for User.
	Version uint32
	User    string
	Params  []pair
	// Queries are the texts of a Query, or of the statements that are prepared.
	Queries [][]byte
	// Password is what a client proves itself with where that is to be shown.
	// Mechanism and SASL are the steps of SASL.
	Password        string
	Mechanism, SASL string
	// Process and Key name a session in a Cancel.
	Process, Key uint32
	// CopyMessages and CopySize count what is copied in; CopyEnd is how it ended.
	CopyMessages, CopySize uint64
	CopyEnd                string
	Reply                  Reply
	// Accepted is the answer to the question for encryption.
	Accepted bool
	// size counts the bytes that are kept of its texts.
	size int
}

// Reply is what a server answers.
type Reply struct {
	seen bool
	// Message is what is asked of a client to let it in, or how an error reads.
	Message     string
	Salt        string
	SASLFinal   string
	Status      []pair
	HasKey      bool
	Process     uint32
	Key         uint32
	Command     string
	HasFields   bool
	Fields      int
	Rows        uint64
	RowSize     uint64
	CopyRows    uint64
	CopySize    uint64
	HasCopyIn   bool
	HasCopyOut  bool
	CopyColumns int
	// Error has the fields of an error by type.
	Error   []field
	replies int
}

// field is a part of an error.
type field struct {
	typ   byte
	value string
}

// request makes a transaction that waits for answers. The oldest are given up
// where there are too many, or too much of them: answers that never come must not
// keep everything.
func (p *Parser) request(env *protocol.Env, t *Transaction) *protocol.Tx {
	for len(p.queue) > 0 && (len(p.queue) >= max(env.Limits.Tx(protocol.PGSQL), 1) || p.kept > maxKept) {
		p.queue[0].AddEvent("too_many_transactions")
		p.finish(env, p.queue[0])
	}
	tx := p.txs.Add(t, env.Now)
	p.queue = append(p.queue, tx)
	return tx
}

// alone makes a transaction of a message that has no answer.
func (p *Parser) alone(env *protocol.Env, dir protocol.Dir, t *Transaction) *protocol.Tx {
	tx := p.txs.Add(t, env.Now)
	tx.Only = protocol.DirsToServer << dir
	tx.Progress = [2]uint8{Done, Done}
	return tx
}

// current gives the transaction that a server answers, nil where it waits for none.
func (p *Parser) current() *protocol.Tx {
	if len(p.queue) == 0 {
		return nil
	}
	return p.queue[0]
}

// answered is current, or what stands for a request that was not seen.
func (p *Parser) answered(env *protocol.Env) *protocol.Tx {
	tx := p.current()
	if tx == nil {
		tx = p.request(env, &Transaction{Kind: Orphan})
		tx.Only = protocol.DirsToClient
		tx.Progress[protocol.ToServer] = Done
	}
	t := tx.State.(*Transaction)
	t.Reply.seen = true
	return tx
}

// keep adds text to a transaction, which counts.
func (p *Parser) keep(tx *protocol.Tx, n int) {
	if slices.Contains(p.queue, tx) {
		tx.State.(*Transaction).size += n
		p.kept += n
	}
}

// finish ends a transaction and what was told in it.
func (p *Parser) finish(env *protocol.Env, tx *protocol.Tx) {
	for dir := range p.side {
		if o := p.side[dir].obj; o != nil && o.Tx == tx {
			p.flush(env, protocol.Dir(dir))
			p.closeObject(env, protocol.Dir(dir), protocol.ObjectClosed)
		}
	}
	tx.Progress = [2]uint8{Done, Done}
	if i := slices.Index(p.queue, tx); i >= 0 {
		p.queue = slices.Delete(p.queue, i, i+1)
		p.kept -= tx.State.(*Transaction).size
	}
	if p.extended == tx {
		p.extended = nil
	}
	if p.copying == tx {
		p.copying = nil
	}
}

// Buffer implements protocol.Parser.
func (p *Parser) Buffer(tx *protocol.Tx, id protocol.BufferID, dir protocol.Dir, i int) ([]byte, bool) {
	t, ok := tx.State.(*Transaction)
	if !ok || id != protocol.Buffer(protocol.PGSQL, slotQuery) || dir != protocol.ToServer || i >= len(t.Queries) {
		return nil, false
	}
	return t.Queries[i], true
}
