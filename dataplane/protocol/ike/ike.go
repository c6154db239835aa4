// Package ike reads IKE, versions 1 (RFC 2408, RFC 2409) and 2 (RFC 7296), as far
// as it goes in the clear: who proposes what, and what is chosen. It takes
// datagrams and gives a transaction for each message. It knows no flows and no
// rules.
package ike

import (
	"bytes"
	"encoding/binary"

	"sluice/dataplane/protocol"
)

// Done is the progress of every transaction: a message is complete when it exists.
const Done = 1

// The slots of the buffers.
const (
	slotInitSPI = iota
	slotRespSPI
	slotVendor
	slotKeyExchange
	slotNonce
)

// The anomalies.
const (
	eventMalformed     = "malformed_data"
	eventNoEncryption  = "no_encryption"
	eventWeakEnc       = "weak_crypto_enc"
	eventWeakPRF       = "weak_crypto_prf"
	eventWeakDH        = "weak_crypto_dh"
	eventWeakAuth      = "weak_crypto_auth"
	eventNoDH          = "weak_crypto_nodh"
	eventNoAuth        = "weak_crypto_noauth"
	eventInvalid       = "invalid_proposal"
	eventUnknown       = "unknown_proposal"
	eventExtra         = "payload_extra_data"
	eventManyProposals = "multiple_server_proposal"
)

var ports = []uint16{500, 4500}

// Definition describes IKE.
func Definition() *protocol.Definition {
	spec := func(slot uint8, name string, dirs protocol.Dirs, multi bool) protocol.BufferSpec {
		return protocol.BufferSpec{ID: protocol.Buffer(protocol.IKE, slot), Name: "ike." + name, Dirs: dirs, Progress: Done, Multi: multi}
	}
	return &protocol.Definition{
		Events: []string{eventMalformed, eventNoEncryption, eventWeakEnc, eventWeakPRF, eventWeakDH, eventWeakAuth, eventNoDH, eventNoAuth,
			eventInvalid, eventUnknown, eventExtra, eventManyProposals},
		ID: protocol.IKE, UDP: true, Ports: ports,
		ProbeDatagram: probe,
		New:           func(env *protocol.Env) protocol.Parser { return &Parser{brief: env.Limits.IKE.Brief} },
		Buffers: []protocol.BufferSpec{
			spec(slotInitSPI, "init_spi", protocol.DirsToServer, false), spec(slotRespSPI, "resp_spi", protocol.DirsToClient, false),
			spec(slotVendor, "vendor", protocol.DirsToServer, true), spec(slotKeyExchange, "key_exchange_payload", protocol.DirsBoth, false),
			spec(slotNonce, "nonce_payload", protocol.DirsBoth, false),
		},
		Complete: [2]uint8{Done, Done},
		States:   [2][]string{{"request_started", "request_complete"}, {"response_started", "response_complete"}},
	}
}

const (
	headerLen = 28
	// markerLen is that of the zeros that tell IKE from ESP where both are carried
	// by UDP (RFC 3948 §2.2).
	markerLen = 4
)

// sound gives the message in a datagram: without the marker that stands before it
// beside ESP, and without what follows its own length.
func sound(b []byte) ([]byte, bool) {
	if len(b) >= markerLen+headerLen && binary.BigEndian.Uint32(b) == 0 && binary.BigEndian.Uint32(b[markerLen+4:]) != 0 {
		b = b[markerLen:]
	}
	if len(b) < headerLen || binary.BigEndian.Uint64(b) == 0 {
		return nil, false
	}
	version, exchange, length := b[17]>>4, b[18], binary.BigEndian.Uint32(b[24:])
	switch {
	case b[17]&0x0f != 0, length < headerLen, uint64(length) > uint64(len(b)):
		return nil, false
	case version == 1:
		// Exchanges of RFC 2408 §3.1, 2409 and those that DOIs added up to 33.
		if exchange == 0 || exchange > 6 && exchange < 32 || exchange > 33 || b[19]&^0x07 != 0 {
			return nil, false
		}
	case version == 2:
		if exchange < 34 || exchange > 44 || b[19]&^0x38 != 0 {
			return nil, false
		}
	default:
		return nil, false
	}
	return b[:length], true
}

// probe is certain of a message by its header, and that it fills the datagram.
func probe(_ protocol.Dir, b []byte) protocol.Certainty {
	m, ok := sound(b)
	if !ok {
		return protocol.NotForUs
	}
	if rest := len(b) - len(m); rest != 0 && rest != markerLen {
		return protocol.Unsure
	}
	return protocol.Certain
}

// Parser is the IKE of one flow.
type Parser struct {
	txs   protocol.TxList
	rest  protocol.Leftover
	brief bool
	// seen is what the ends of version 1 have said so far.
	seen  [2]end
	doi   uint32
	named bool // doi was seen
	// vendors are the distinct vendors told of.
	vendors [][]byte
	// chosen is what the responder chose last.
	chosen []attribute
}

// end is what one end has said, as far as records tell of it.
type end struct {
	key, nonce []byte
	proposals  [][]attribute
}

// The bounds of what is kept of a flow, all of which is in each of its later records.
// The longest keys there are have a good kilobyte, vendors mostly a hash.
const (
	maxProposals = 64
	maxVendors   = 64
	maxVendor    = 256
	maxKept      = 2048
)

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// Parse implements protocol.Parser. ESP and keep-alives in the same flow are
// passed over. All is looked through as it stands.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	b, ok := sound(data)
	if !ok {
		if st, foreign := p.rest.Foreign(env, data, ports...); foreign {
			return st
		}
	}
	p.rest.Data(env, dir, data)
	if !ok || len(p.txs.Live) >= env.Limits.Tx(protocol.IKE) {
		return protocol.Continue
	}
	m := &Message{Dir: dir, raw: bytes.Clone(b)}
	tx := p.txs.AddMessage(m, env.Now, dir, Done)
	m.read(tx)
	p.note(m, tx)
	return protocol.Continue
}

// note keeps what later records tell of.
func (p *Parser) note(m *Message, tx *protocol.Tx) {
	if m.Dir == protocol.ToClient && len(m.proposals) > 0 {
		p.chosen = m.proposals[0]
		if len(m.proposals) > 1 {
			tx.AddEvent(eventManyProposals)
		}
	}
	if m.version() != 1 {
		return
	}
	e := &p.seen[m.Dir]
	if m.key != nil && len(m.key) <= maxKept {
		e.key = bytes.Clone(m.key)
	}
	if m.nonce != nil && len(m.nonce) <= maxKept {
		e.nonce = bytes.Clone(m.nonce)
	}
	if m.hasDOI {
		p.doi, p.named = m.doi, true
	}
	room := maxProposals - len(e.proposals)
	e.proposals = append(e.proposals, m.proposals[:min(room, len(m.proposals))]...)
next:
	for _, v := range m.vendors {
		for _, old := range p.vendors {
			if bytes.Equal(old, v) {
				continue next
			}
		}
		if len(p.vendors) < maxVendors && len(v) <= maxVendor {
			p.vendors = append(p.vendors, bytes.Clone(v))
		}
	}
}

// Gap implements protocol.Parser; datagrams have none.
func (p *Parser) Gap(*protocol.Env, protocol.Dir, uint64) protocol.Status { return protocol.Continue }

// End implements protocol.Parser.
func (p *Parser) End(env *protocol.Env, dir protocol.Dir) { p.rest.End(env, dir) }

// Buffer implements protocol.Parser. SPIs and vendors are in hexadecimal.
func (p *Parser) Buffer(tx *protocol.Tx, id protocol.BufferID, dir protocol.Dir, i int) ([]byte, bool) {
	m, ok := tx.State.(*Message)
	if !ok || id.Protocol() != protocol.IKE || dir != m.Dir || i < 0 {
		return nil, false
	}
	if id.Slot() == slotVendor {
		if dir != protocol.ToServer || i >= len(m.vendors) {
			return nil, false
		}
		return hexed(m.vendors[i]), true
	}
	if i > 0 {
		return nil, false
	}
	switch id.Slot() {
	case slotInitSPI:
		return m.spi[:16], dir == protocol.ToServer
	case slotRespSPI:
		return m.spi[16:], dir == protocol.ToClient
	case slotKeyExchange:
		return m.key, len(m.key) > 0
	case slotNonce:
		return m.nonce, len(m.nonce) > 0
	}
	return nil, false
}
