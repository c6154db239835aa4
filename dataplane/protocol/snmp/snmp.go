// Package snmp reads SNMP in versions 1, 2c and 3 (RFC 1157, RFC 3416, RFC 3412 to
// 3414). It takes datagrams and gives a transaction for each, requests, answers and
// traps alike. It knows no flows and no rules.
package snmp

import (
	"bytes"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/ber"
)

// Done is the progress of every transaction: a message is complete when it exists.
const Done = 1

// The slots of the buffers.
const (
	slotCommunity = iota
	slotUSM
)

// The anomalies.
const (
	eventMalformed = "malformed_data"
	eventModel     = "unknown_security_model"
	eventVersion   = "version_mismatch"
)

// Definition describes SNMP.
func Definition() *protocol.Definition {
	spec := func(slot uint8, name string) protocol.BufferSpec {
		return protocol.BufferSpec{ID: protocol.Buffer(protocol.SNMP, slot), Name: name, Dirs: protocol.DirsBoth, Progress: Done}
	}
	return &protocol.Definition{
		Events: []string{eventMalformed, eventModel, eventVersion},
		ID:     protocol.SNMP, UDP: true, Ports: []uint16{161, 162},
		ProbeDatagram: probe,
		Reversed:      reversed,
		New:           func(env *protocol.Env) protocol.Parser { return &Parser{secrets: env.Limits.ShowSecrets} },
		Buffers:       []protocol.BufferSpec{spec(slotCommunity, "snmp.community"), spec(slotUSM, "snmp.usm")},
		Complete:      [2]uint8{Done, Done},
		States:        [2][]string{{"request_started", "request_complete"}, {"response_started", "response_complete"}},
	}
}

// probe takes a datagram whose elements are in their places: of versions 1 and 2c to
// the kind of the message, of version 3 to the model of security. With bytes after
// the message the port has to speak for it.
func probe(_ protocol.Dir, b []byte) protocol.Certainty {
	if len(b) == 0 || ber.Tag(b[0]) != ber.Sequence {
		return protocol.NotForUs
	}
	outer := ber.NewReader(b)
	in := outer.In(ber.Sequence)
	switch in.Int(ber.Integer) {
	case 0, 1:
		in.Take(ber.OctetString)
		if t := PDU(in.Tag() &^ (ber.Context | ber.Constructed)); t > Report || in.Tag()&^0x1f != ber.Context|ber.Constructed {
			return protocol.NotForUs
		}
	case 3:
		head := in.In(ber.Sequence)
		for range 2 {
			head.Int(ber.Integer)
		}
		if flags := head.Take(ber.OctetString); len(flags) != 1 {
			return protocol.NotForUs
		}
		head.Int(ber.Integer)
		if !head.OK() || head.More() {
			return protocol.NotForUs
		}
		in.Take(ber.OctetString)
		if in.Tag() != ber.Sequence && in.Tag() != ber.OctetString {
			return protocol.NotForUs
		}
	default:
		return protocol.NotForUs
	}
	in.Next()
	switch {
	case !in.OK() || in.More():
		return protocol.NotForUs
	case len(outer.Rest()) > 0:
		return protocol.Unsure
	}
	return protocol.Certain
}

// reversed tells of an answer in the open: its sender is the agent.
func reversed(b []byte) bool {
	if probe(protocol.ToClient, b) != protocol.Certain {
		return false
	}
	var m Message
	m.read(b)
	return m.HasPDU && (m.PDU == Response || m.PDU == Report)
}

// Parser is the SNMP of one flow.
type Parser struct {
	protocol.Cleartext
	txs protocol.TxList
	// version is that of the first message; 0 before it.
	version int64
	// secrets has records show communities.
	secrets bool
}

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// Parse implements protocol.Parser. A datagram is a message.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	if len(data) == 0 {
		return protocol.Continue
	}
	if ber.Tag(data[0]) != ber.Sequence {
		// Somebody else's: one message of a scanner does not make a flow SNMP's.
		env.SwitchTo, env.Rest = protocol.Unknown, data
		return protocol.Switch
	}
	m := &Message{Dir: dir}
	ok := m.read(append([]byte(nil), data...))
	tx := p.txs.Add(m, env.Now)
	tx.Only = protocol.DirsToServer << dir
	tx.Progress = [2]uint8{Done, Done}
	if !ok {
		tx.AddEvent(eventMalformed)
	}
	if m.Version == 3 && m.hasModel && m.model != modelUSM {
		tx.AddEvent(eventModel)
	}
	switch {
	case m.Version == 0:
	case p.version == 0:
		p.version = m.Version
	case p.version != m.Version:
		tx.AddEvent(eventVersion)
	}
	if secret(m.Community) {
		p.Note("")
	}
	look(env, tx, m, data)
	return protocol.Continue
}

// secret reports whether a community is one: what everybody knows is not.
func secret(community []byte) bool {
	return len(community) > 0 && !bytes.Equal(community, []byte("public"))
}

// maxSecret is the longest community that is taken for one; a longer one carries
// something else.
const maxSecret = 64

// look has a message's values looked through, and what else its sender put there, but
// for the community.
func look(env *protocol.Env, tx *protocol.Tx, m *Message, data []byte) {
	var behind []byte
	if len(m.Community) > 0 && len(m.Community) <= maxSecret {
		data, behind = m.after, m.behind
	}
	mem := ber.Borrow()
	text := ber.Text(ber.Text(mem.B, data), behind)
	env.Whole(&protocol.Object{Kind: protocol.KindBody, Dir: m.Dir, Tx: tx}, text)
	mem.Return(text)
}

// Gap implements protocol.Parser; datagrams have none.
func (p *Parser) Gap(*protocol.Env, protocol.Dir, uint64) protocol.Status { return protocol.Continue }

// End implements protocol.Parser; nothing is left over.
func (p *Parser) End(*protocol.Env, protocol.Dir) {}

// Buffer implements protocol.Parser.
func (p *Parser) Buffer(tx *protocol.Tx, id protocol.BufferID, dir protocol.Dir, i int) ([]byte, bool) {
	m, ok := tx.State.(*Message)
	if !ok || dir != m.Dir || i != 0 {
		return nil, false
	}
	if id.Slot() == slotCommunity {
		return m.Community, m.HasCommunity
	}
	return m.User, m.HasUser
}
