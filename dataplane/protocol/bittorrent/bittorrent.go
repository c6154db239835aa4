// Package bittorrent reads the messages of BitTorrent's distributed hash table
// (BEP 5, and BEP 32 for IPv6). It takes datagrams and gives a transaction for each
// message. It knows no flows and no rules.
package bittorrent

import (
	"bytes"

	"sluice/dataplane/protocol"
)

// Done is the progress of a direction that is complete.
const Done = 1

// Definition describes the protocol.
func Definition() *protocol.Definition {
	return &protocol.Definition{
		ID: protocol.BitTorrentDHT, UDP: true,
		ProbeDatagram: probe,
		New:           func(*protocol.Env) protocol.Parser { return &Parser{} },
		Complete:      [2]uint8{Done, Done},
		States:        [2][]string{{"request_started", "request_complete"}, {"response_started", "response_complete"}},
		Events:        eventNames,
	}
}

// begins are the first entries of a message's dictionary, whose keys are in order:
// arguments of a query, an error, the sender's address (BEP 42), a response.
var begins = [...]string{"d1:ad", "d1:el", "d2:ip", "d1:rd"}

// probe knows a message by its first entry and its type. The whole of it is read by
// the parser.
func probe(_ protocol.Dir, b []byte) protocol.Certainty {
	if len(b) < 12 || b[0] != 'd' || b[len(b)-1] != 'e' {
		return protocol.NotForUs
	}
	for _, s := range begins {
		if string(b[:len(s)]) != s {
			continue
		}
		for _, t := range [...]string{"1:y1:q", "1:y1:r", "1:y1:e"} {
			if bytes.Contains(b, []byte(t)) {
				return protocol.Certain
			}
		}
	}
	return protocol.NotForUs
}

// Parser is the hash table's protocol in one flow.
type Parser struct {
	txs  protocol.TxList
	rest protocol.Leftover
}

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// Parse implements protocol.Parser. All is looked through as it stands: a message has
// room for anything.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	if len(data) > 0 && data[0] != 'd' {
		// Somebody else's: one message of a scanner does not make a flow the hash table's.
		st, _ := p.rest.Foreign(env, data)
		return st
	}
	p.rest.Data(env, dir, data)
	m, ok := parse(bytes.Clone(data))
	tx := p.txs.AddMessage(m, env.Now, dir, Done)
	if !ok {
		tx.AddEvent("malformed_packet")
	}
	return protocol.Continue
}

// Gap implements protocol.Parser; datagrams have none.
func (p *Parser) Gap(*protocol.Env, protocol.Dir, uint64) protocol.Status { return protocol.Continue }

// End implements protocol.Parser; every message is complete.
func (p *Parser) End(env *protocol.Env, dir protocol.Dir) { p.rest.End(env, dir) }

// Buffer implements protocol.Parser; there are no buffers.
func (p *Parser) Buffer(*protocol.Tx, protocol.BufferID, protocol.Dir, int) ([]byte, bool) {
	return nil, false
}
