// Package krb5 reads what clients and a key distribution centre of Kerberos 5 say
// to each other (RFC 4120), in datagrams and, each after its length, in a stream. It
// takes bytes and gives a transaction for each message, requests and answers alike.
// Tickets stay closed: it knows no keys, and neither flows nor rules.
package krb5

import (
	"encoding/binary"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/ber"
)

// Done is the progress of every transaction: a message is complete when it exists.
const Done = 1

// The slots of the buffers.
const (
	slotClient = iota
	slotServer
)

// The anomalies.
const (
	eventMalformed = "malformed_data"
	eventWeak      = "weak_encryption"
)

// recordLen is the length of what stands before a message in a stream (RFC 4120
// §7.2.2).
const recordLen = 4

// Definition describes Kerberos.
func Definition() *protocol.Definition {
	spec := func(slot uint8, name string) protocol.BufferSpec {
		return protocol.BufferSpec{ID: protocol.Buffer(protocol.KRB5, slot), Name: name, Dirs: protocol.DirsBoth, Progress: Done, Multi: true}
	}
	return &protocol.Definition{
		Events: []string{eventMalformed, eventWeak},
		ID:     protocol.KRB5, TCP: true, UDP: true, Ports: []uint16{88},
		Probe: probeStream, ProbeDatagram: probe,
		Reversed: func(data []byte) bool { return probe(protocol.ToClient, data) == protocol.Certain },
		New:      func(*protocol.Env) protocol.Parser { return &Parser{} },
		Buffers: []protocol.BufferSpec{
			spec(slotClient, "krb5.cname"), spec(slotClient, "krb5_cname"),
			spec(slotServer, "krb5.sname"), spec(slotServer, "krb5_sname"),
		},
		Complete: [2]uint8{Done, Done},
		States:   [2][]string{{"request_started", "request_complete"}, {"response_started", "response_complete"}},
	}
}

// probe knows a message by its type, which it names twice, the version and the
// direction: an application's tag, a sequence, then numbered elements.
func probe(dir protocol.Dir, b []byte) protocol.Certainty {
	tag, n, size, ok := ber.Head(b)
	if !ok || len(b) > 0 && tag&^0x1f != ber.Application|ber.Constructed {
		return protocol.NotForUs
	}
	typ := Type(tag & 0x1f)
	if len(b) > 0 && !typ.sentIn(dir) {
		return protocol.NotForUs
	}
	if n == 0 {
		return protocol.Unsure
	}
	b = b[n:]
	if len(b) == 0 {
		return protocol.Unsure
	}
	tag, n, inner, ok := ber.Head(b)
	if !ok || tag != ber.Sequence || n > 0 && n+inner != size {
		return protocol.NotForUs
	}
	if n == 0 {
		return protocol.Unsure
	}
	// pvno and msg-type are numbers of one octet each.
	first := byte(ber.Context | ber.Constructed)
	if typ.request() {
		first++
	}
	want := [...]byte{first, 3, 2, 1, 5, first + 1, 3, 2, 1, byte(typ)}
	b = b[n:]
	for i := range min(len(b), len(want)) {
		if b[i] != want[i] {
			return protocol.NotForUs
		}
	}
	if len(b) < len(want) {
		return protocol.Unsure
	}
	return protocol.Certain
}

// maxRecord is the longest message that a stream is recognised by.
const maxRecord = 1 << 20

// probeStream is probe for a stream.
func probeStream(dir protocol.Dir, b []byte) protocol.Certainty {
	if len(b) == 0 {
		return protocol.Unsure
	}
	if b[0] != 0 || len(b) > 1 && b[1] > maxRecord>>16 {
		return protocol.NotForUs
	}
	if len(b) <= recordLen {
		return protocol.Unsure
	}
	_, n, size, _ := ber.Head(b[recordLen:])
	if n > 0 && n+size != int(binary.BigEndian.Uint32(b)) {
		return protocol.NotForUs
	}
	return probe(dir, b[recordLen:])
}

// side is one direction of a stream.
type side struct {
	// buf has the beginning of a message, with its length before it.
	buf []byte
	// skip counts bytes of a message of which some are missing; they go to stray.
	skip  int
	stray protocol.Stray
}

var over = [2]uint8{Done, Done}

// Parser is the Kerberos of one flow.
type Parser struct {
	txs  protocol.TxList
	side [2]side
	// asked is the type of the request before, 0 once it is answered.
	asked Type
	// user is whom the centre has given a ticket.
	user string
}

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// Parse implements protocol.Parser.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	if env.Datagram {
		if len(data) > 0 && ber.Tag(data[0])&^0x1f != ber.Application|ber.Constructed {
			// Somebody else's: one message of a scanner does not make a flow Kerberos'.
			env.SwitchTo, env.Rest = protocol.Unknown, data
			return protocol.Switch
		}
		p.message(env, dir, data)
		return protocol.Continue
	}
	s := &p.side[dir]
	for len(data) > 0 {
		if s.skip > 0 {
			n := min(s.skip, len(data))
			s.stray.Add(env, &p.txs, dir, over, data[:n])
			s.skip -= n
			data = data[n:]
			continue
		}
		need := recordLen
		if len(s.buf) >= recordLen {
			need += int(binary.BigEndian.Uint32(s.buf))
		}
		n := min(need-len(s.buf), len(data))
		s.buf = append(s.buf, data[:n]...)
		data = data[n:]
		if len(s.buf) < recordLen {
			continue
		}
		size := binary.BigEndian.Uint32(s.buf)
		if size == 0 || uint64(size) > uint64(env.Limits.MaxHeader) {
			// No centre takes that much, and the upper bit has no use (§7.2.2).
			p.alone(env, dir, &Message{}).AddEvent(eventMalformed)
			s.buf = nil
			p.End(env, protocol.ToServer)
			p.End(env, protocol.ToClient)
			return protocol.Error
		}
		if len(s.buf) == recordLen+int(size) {
			p.message(env, dir, s.buf[recordLen:])
			if s.buf = s.buf[:0]; cap(s.buf) > 4096 {
				s.buf = nil
			}
		}
	}
	return protocol.Continue
}

// Gap implements protocol.Parser. A hole within a message costs that message; after
// a longer one nobody knows where the next begins.
func (p *Parser) Gap(env *protocol.Env, dir protocol.Dir, n uint64) protocol.Status {
	s := &p.side[dir]
	missing := s.skip
	if len(s.buf) >= recordLen {
		missing = recordLen + int(binary.BigEndian.Uint32(s.buf)) - len(s.buf)
	}
	if len(s.buf) > 0 {
		p.cut(env, dir)
	}
	s.stray.Gap(env, n)
	if n > uint64(missing) {
		p.End(env, protocol.ToServer)
		p.End(env, protocol.ToClient)
		return protocol.Error
	}
	s.skip = missing - int(n)
	return protocol.Continue
}

// End implements protocol.Parser. What is left of a message is given up.
func (p *Parser) End(env *protocol.Env, dir protocol.Dir) {
	s := &p.side[dir]
	if len(s.buf) > 0 {
		p.cut(env, dir)
	}
	s.stray.End(env)
}

// cut gives up a message that does not come to its end. What there is of it has left
// all the same, and is looked through.
func (p *Parser) cut(env *protocol.Env, dir protocol.Dir) {
	s := &p.side[dir]
	tx := p.alone(env, dir, &Message{})
	tx.AddEvent(eventMalformed)
	look(env, tx, dir, s.buf)
	s.buf = nil
}

// message makes a transaction of one message, whose bytes are borrowed.
func (p *Parser) message(env *protocol.Env, dir protocol.Dir, data []byte) {
	m := &Message{}
	ok := m.read(data)
	tx := p.alone(env, dir, m)
	if !ok {
		tx.AddEvent(eventMalformed)
	}
	switch m.Type {
	case ASReq, TGSReq, APReq:
		p.asked = m.Type
	case ASRep, TGSRep:
		if m.HasEncryption && weak(m.Encryption) {
			tx.AddEvent(eventWeak)
		}
		if ok && dir == protocol.ToClient && len(m.Client) > 0 {
			p.user = protocol.UserName(m.Client[0])
		}
		p.asked = 0
	case APRep:
		p.asked = 0
	case KrbError:
		m.Failed = p.asked
		p.asked = 0
	}
	// Whatever is put into the envelope is looked through: what leaves in a
	// message that nobody opens is not out of sight for that.
	look(env, tx, dir, data)
}

// look has the texts among a message's bytes looked through.
func look(env *protocol.Env, tx *protocol.Tx, dir protocol.Dir, data []byte) {
	mem := ber.Borrow()
	text := ber.Text(mem.B, data)
	env.Whole(&protocol.Object{Kind: protocol.KindBody, Dir: dir, Tx: tx}, text)
	mem.Return(text)
}

// alone makes a transaction, which is done at once: what live ones there are come of
// one call's bytes, which bound them.
func (p *Parser) alone(env *protocol.Env, dir protocol.Dir, m *Message) *protocol.Tx {
	m.Dir = dir
	tx := p.txs.Add(m, env.Now)
	tx.Only = protocol.DirsToServer << dir
	tx.Progress = over
	return tx
}

// User implements protocol.Login: the client to whom the centre has given a ticket,
// without the realm.
func (p *Parser) User(*protocol.Tx) string { return p.user }

// Buffer implements protocol.Parser: the parts of a name are buffers of their own.
func (p *Parser) Buffer(tx *protocol.Tx, id protocol.BufferID, dir protocol.Dir, i int) ([]byte, bool) {
	m, ok := tx.State.(*Message)
	if !ok || dir != m.Dir || i < 0 {
		return nil, false
	}
	name := m.Client
	if id.Slot() == slotServer {
		name = m.Server
	}
	if i >= len(name) {
		return nil, false
	}
	return name[i], true
}
