// Package dcerpc reads DCE/RPC (C706, MS-RPCE): over TCP, over UDP, and as what
// named pipes of SMB carry. It takes ordered bytes and gives calls, each with
// the stub data of both directions and the interface it is for; as a protocol of
// its own it makes a transaction of each. It knows no flows and no rules, and
// not what the stub data of an interface mean.
package dcerpc

import (
	"sluice/dataplane/protocol"
)

// Done is the progress of a direction that is complete.
const Done = 1

// The slots of the buffers. SMB fills them too, under these ids.
const (
	slotStub uint8 = iota
	slotIface
)

// Definition describes DCE/RPC.
func Definition() *protocol.Definition {
	return &protocol.Definition{
		Events: eventNames,
		ID:     protocol.DCERPC, TCP: true, UDP: true, Ports: []uint16{135},
		Probe: probe, ProbeDatagram: probeDatagram,
		New:    func(*protocol.Env) protocol.Parser { return &Parser{assoc: Association{Headed: true, Framed: true}} },
		Frames: frames[:],
		Buffers: []protocol.BufferSpec{
			{ID: protocol.Buffer(protocol.DCERPC, slotStub), Name: "dcerpc.stub_data", Dirs: protocol.DirsBoth, Progress: Done},
			{ID: protocol.Buffer(protocol.DCERPC, slotIface), Name: "dcerpc.iface", Dirs: protocol.DirsBoth, Progress: Done, Multi: true},
		},
		Complete: [2]uint8{Done, Done},
		States:   [2][]string{{"request_started", "request_complete"}, {"response_started", "response_complete"}},
	}
}

// Plausible reports whether bytes may begin a PDU of the connection-oriented
// protocol.
func Plausible(b []byte) bool { return plausible(b) }

// probe knows the common header.
func probe(_ protocol.Dir, b []byte) protocol.Certainty {
	if len(b) >= headerLen {
		if plausible(b) {
			return protocol.Certain
		}
		return protocol.NotForUs
	}
	known := [...]func(byte) bool{
		func(c byte) bool { return c == 5 }, func(c byte) bool { return c <= 1 }, func(c byte) bool { return c < numTypes },
		func(byte) bool { return true }, func(c byte) bool { return c&^0x11 == 0 }, func(c byte) bool { return c <= 3 },
		func(c byte) bool { return c == 0 }, func(c byte) bool { return c == 0 },
	}
	for i, c := range b[:min(len(b), len(known))] {
		if !known[i](c) {
			return protocol.NotForUs
		}
	}
	return protocol.Unsure
}

// Parser is the DCE/RPC of one flow.
type Parser struct {
	txs   protocol.TxList
	assoc Association
	deaf  [2]bool
	calls []*Call // of datagrams, without an answer
}

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// AddCall implements Owner.
func (p *Parser) AddCall(env *protocol.Env, c *Call) {
	c.Tx = p.txs.Add(c, env.Now)
	if limit := env.Limits.Tx(protocol.DCERPC); limit > 0 && len(p.txs.Live) > limit {
		old := p.txs.Live[0]
		old.AddEvent("too_many_transactions")
		old.Progress = [2]uint8{Done, Done}
	}
}

// CallDone implements Owner.
func (p *Parser) CallDone(c *Call, dir protocol.Dir) { c.Tx.Progress[dir] = Done }

// Parse implements protocol.Parser. A direction that is no DCE/RPC after all is
// not read on; the other one may be.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	if env.Datagram {
		return p.datagram(env, data)
	}
	if !p.deaf[dir] && !p.assoc.Feed(env, dir, data, p) {
		p.deaf[dir] = true
		if p.txs.Next == 0 {
			return protocol.Error
		}
	}
	return protocol.Continue
}

// Gap implements protocol.Parser.
func (p *Parser) Gap(env *protocol.Env, dir protocol.Dir, n uint64) protocol.Status {
	if !p.deaf[dir] && !p.assoc.Gap(dir, n) {
		// Most segments begin with a PDU: whatever comes next is tried.
		p.assoc.Resume(dir)
	}
	return protocol.Continue
}

// End implements protocol.Parser.
func (p *Parser) End(_ *protocol.Env, dir protocol.Dir) {
	if dir == protocol.ToServer {
		return
	}
	p.assoc.End(p)
	for _, c := range p.calls {
		c.Tx.Progress = [2]uint8{Done, Done}
	}
	p.calls = nil
}

// Buffer implements protocol.Parser.
func (p *Parser) Buffer(tx *protocol.Tx, id protocol.BufferID, dir protocol.Dir, i int) ([]byte, bool) {
	c, ok := tx.State.(*Call)
	if !ok || id.Protocol() != protocol.DCERPC {
		return nil, false
	}
	return c.Buffer(id.Slot(), dir, i)
}
