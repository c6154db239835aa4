package pgsql

import (
	"bytes"
	"encoding/binary"

	"sluice/dataplane/protocol"
)

// What stands for the type of messages that have none.
const (
	typStartup = 0
	typCancel  = 1
)

// beginRequest decides what becomes of a client's message.
func (p *Parser) beginRequest(env *protocol.Env, s *side) {
	s.mode = mWhole
	switch s.typ {
	case 'Q':
		s.tx, s.mode = p.request(env, &Transaction{Kind: Query}), mQuery
	case 'P':
		s.tx, s.mode = p.extend(env), mParse
	case 'B':
		s.tx, s.mode = p.extend(env), mPrefix
	case 'D', 'E', 'C', 'H', 'S':
		if s.typ == 'S' && p.extended == nil && p.copying != nil {
			return // it ends a copying that an extended query has begun
		}
		s.tx = p.extend(env)
	case 'F':
		s.tx, s.mode = p.request(env, &Transaction{Kind: FunctionCall}), mPrefix
	case 'd', 'c', 'f':
		if p.copying == nil {
			p.copying = p.request(env, &Transaction{Kind: CopyIn})
		}
		s.tx = p.copying
		if s.typ == 'd' {
			t := s.tx.State.(*Transaction)
			t.CopyMessages++
			t.CopySize += uint64(s.left)
			s.mode = mRaw
		}
	case 'p':
		s.tx = p.request(env, &Transaction{Kind: Password})
	case 'X':
	default:
		// Whatever two ends tell each other is not to be hidden by its form.
		s.tx = p.alone(env, protocol.ToServer, &Transaction{Kind: Unknown})
		s.tx.AddEvent("malformed_request")
		s.mode = mRaw
	}
	limit := uint32(maxSmall)
	if s.typ == 'p' {
		limit = maxProof
	}
	if s.left > limit || s.typ == 'p' && p.in {
		p.watch(env, protocol.ToServer)
	}
}

// The most that messages hold beside what is looked through anyway: names and numbers,
// what a client proves itself with, its parameters, the name of a session that is to be
// cancelled, and a server's words.
const (
	maxSmall    = 128
	maxProof    = 1 << 10
	maxParamLen = 512
	maxKey      = 264
	maxWords    = 1 << 10
)

// watch has a message that is kept whole looked through as well: it is longer than
// what it is for.
func (p *Parser) watch(env *protocol.Env, dir protocol.Dir) {
	s := &p.side[dir]
	if s.mode != mWhole {
		return
	}
	if s.tx == nil {
		s.tx = p.alone(env, dir, &Transaction{Kind: Unknown})
	}
	s.mode = mQuery
}

// extend gives the transaction of an extended query.
func (p *Parser) extend(env *protocol.Env) *protocol.Tx {
	if p.extended == nil {
		p.extended = p.request(env, &Transaction{Kind: Extended})
	}
	return p.extended
}

// endRequest carries out a client's message that has been taken.
func (p *Parser) endRequest(env *protocol.Env, s *side) {
	tx := s.tx
	ok := true
	if s.mode == mPrefix {
		p.tell(env, protocol.ToServer, tx, s.buf) // it ends before its values
	}
	switch s.typ {
	case typStartup:
		ok = p.startup(tx, s.buf)
		tx.Progress[protocol.ToServer] = Done
	case typCancel:
		t := &Transaction{Kind: Cancel}
		if len(s.buf) >= 8 {
			t.Process, t.Key = binary.BigEndian.Uint32(s.buf), binary.BigEndian.Uint32(s.buf[4:])
		}
		p.alone(env, protocol.ToServer, t)
	case 'Q':
		p.query(tx, s.buf)
		p.endTold(env, tx)
	case 'P':
		if _, query, named := bytes.Cut(s.buf, []byte{0}); named {
			p.query(tx, query)
		} else {
			ok = false
		}
		p.separate(protocol.ToServer)
	case 'B':
		ok = s.values.over() || s.mode == mRaw
	case 'S':
		if tx != nil {
			p.endTold(env, tx)
			p.extended = nil
		}
	case 'F':
		ok = s.values.over() || s.mode == mRaw
		p.endTold(env, tx)
	case 'c', 'f':
		t := tx.State.(*Transaction)
		t.CopyEnd = "copy_done"
		if s.typ == 'f' {
			t.CopyEnd = "copy_fail"
		}
		p.endTold(env, tx)
	case 'p':
		p.proof(tx, s.buf)
		p.keep(tx, len(s.buf))
		tx.Progress[protocol.ToServer] = Done
	case 'X':
		p.alone(env, protocol.ToServer, &Transaction{Kind: Terminate})
	}
	if s.obj != nil && s.obj.Tx != nil && s.obj.Tx == tx && tx.State.(*Transaction).Kind == Unknown {
		p.flush(env, protocol.ToServer)
		p.closeObject(env, protocol.ToServer, protocol.ObjectClosed)
	}
	if !ok {
		tx.AddEvent("malformed_request")
	}
}

// endTold ends a client's part of a transaction and what it has told in it.
func (p *Parser) endTold(env *protocol.Env, tx *protocol.Tx) {
	if o := p.side[protocol.ToServer].obj; o != nil && o.Tx == tx {
		p.flush(env, protocol.ToServer)
		p.closeObject(env, protocol.ToServer, protocol.ObjectClosed)
	}
	tx.Progress[protocol.ToServer] = Done
}

// query keeps the text of a query, which a zero ends.
func (p *Parser) query(tx *protocol.Tx, b []byte) {
	t := tx.State.(*Transaction)
	text, _, _ := bytes.Cut(b, []byte{0})
	if len(t.Queries) >= maxQueries {
		return
	}
	t.Queries = append(t.Queries, bytes.Clone(text))
	p.keep(tx, len(text))
}

// maxQueries bounds the statements that a transaction keeps.
const maxQueries = 64

// maxParams bounds the parameters of a client.
const maxParams = 64

// startup reads a client's parameters: names and values, each ended by a zero, and a
// last zero.
func (p *Parser) startup(tx *protocol.Tx, b []byte) bool {
	t := tx.State.(*Transaction)
	for len(b) > 0 && b[0] != 0 {
		name, rest, ok := bytes.Cut(b, []byte{0})
		value, rest2, ok2 := bytes.Cut(rest, []byte{0})
		if !ok || !ok2 {
			return false
		}
		b = rest2
		if string(name) == "user" {
			t.User = protocol.Text(value)
			p.claimed = protocol.UserName(value)
		} else if len(t.Params) < maxParams {
			t.Params = append(t.Params, pair{protocol.Text(name), protocol.Text(value)})
		}
	}
	return len(b) == 1
}

// proof takes what a client proves itself with. Passwords are kept only where they
// are to be shown.
func (p *Parser) proof(tx *protocol.Tx, b []byte) {
	t := tx.State.(*Transaction)
	switch p.auth {
	case authSASL:
		t.Kind = SASLInitial
		mech, rest, _ := bytes.Cut(b, []byte{0})
		t.Mechanism = protocol.Text(mech)
		if len(rest) >= 4 {
			t.SASL = protocol.Text(rest[4:])
		}
		p.auth = authSASLContinue
	case authSASLContinue, authSASLFinal:
		t.Kind, t.SASL = SASLResponse, protocol.Text(b)
	default:
		if p.auth == authCleartext && len(b) > 1 {
			p.Note(p.claimed)
		}
		if p.passwords {
			secret, _, _ := bytes.Cut(b, []byte{0})
			t.Password = protocol.Text(secret)
		}
	}
}
