// Package enip reads EtherNet/IP (CIP Networks Library volume 2) and the messages
// of CIP within (volume 1). It takes ordered bytes or datagrams and gives a
// transaction for each request with its response, and an object for what a message
// of CIP carries. It knows no flows and no rules.
package enip

import (
	"encoding/binary"

	"sluice/dataplane/protocol"
)

// Done is the progress of a direction that is complete.
const Done = 1

// headerLen is the length of the encapsulation's header (volume 2 §2-3.1).
const headerLen = 24

// Commands (volume 2 table 2-3.2).
const (
	cmdNOP               = 0x00
	cmdListServices      = 0x04
	cmdListIdentity      = 0x63
	cmdListInterfaces    = 0x64
	cmdRegisterSession   = 0x65
	cmdUnregisterSession = 0x66
	cmdSendRRData        = 0x6f
	cmdSendUnitData      = 0x70
	cmdIndicateStatus    = 0x72
	cmdCancel            = 0x73
)

// The slots of the buffers.
const (
	slotProduct uint8 = iota
	slotService
)

// Definition describes EtherNet/IP.
func Definition() *protocol.Definition {
	spec := func(slot uint8, name string) protocol.BufferSpec {
		return protocol.BufferSpec{ID: protocol.Buffer(protocol.ENIP, slot), Name: name, Dirs: protocol.DirsToClient, Progress: Done}
	}
	return &protocol.Definition{
		Events: []string{"too_many_transactions", "invalid_pdu"},
		Frames: frames[:],
		ID:     protocol.ENIP, TCP: true, UDP: true, Ports: []uint16{44818},
		Probe: probe, ProbeDatagram: probeDatagram,
		New:      func(*protocol.Env) protocol.Parser { return new(Parser) },
		Buffers:  []protocol.BufferSpec{spec(slotProduct, "enip.product_name"), spec(slotService, "enip.service_name")},
		Complete: [2]uint8{Done, Done},
		First:    protocol.DirsToServer,
		States:   [2][]string{{"request_started", "request_complete"}, {"response_started", "response_complete"}},
	}
}

// probe knows a header. Messages that do nothing may come first, and are all
// zeroes: they decide nothing.
func probe(dir protocol.Dir, b []byte) protocol.Certainty {
	for len(b) > 0 {
		if c := header(dir, b); c != protocol.Certain {
			return c
		}
		n := headerLen + int(binary.LittleEndian.Uint16(b[2:]))
		if b[0] != cmdNOP {
			return protocol.Certain
		}
		if n > len(b) {
			break
		}
		b = b[n:]
	}
	return protocol.Unsure
}

// probeDatagram knows a message that is all of the datagram.
func probeDatagram(dir protocol.Dir, b []byte) protocol.Certainty {
	if len(b) < headerLen || b[0] == cmdNOP || len(b) != headerLen+int(binary.LittleEndian.Uint16(b[2:])) {
		return protocol.NotForUs
	}
	return header(dir, b)
}

// header judges the header that b begins with, as far as it goes.
func header(dir protocol.Dir, b []byte) protocol.Certainty {
	if !known(uint16(b[0])) || len(b) > 1 && b[1] != 0 {
		return unknown(dir, b)
	}
	if len(b) < headerLen {
		return protocol.Unsure
	}
	n, status := int(binary.LittleEndian.Uint16(b[2:])), binary.LittleEndian.Uint32(b[8:])
	if binary.LittleEndian.Uint32(b[20:]) != 0 || dir == protocol.ToServer && status != 0 || status > 0xff {
		return protocol.NotForUs
	}
	ok := true
	switch request := dir == protocol.ToServer; b[0] {
	case cmdListServices, cmdListIdentity, cmdListInterfaces:
		ok = n == 0 || !request
	case cmdRegisterSession:
		ok = n == 4 || !request && n == 0
	case cmdUnregisterSession:
		ok = n == 0
	case cmdSendRRData, cmdSendUnitData:
		ok = n >= 16 || status != 0
	case cmdNOP, cmdIndicateStatus, cmdCancel:
	}
	if !ok {
		return protocol.NotForUs
	}
	return protocol.Certain
}

// unknown judges a message whose command is none: it is taken to be the protocol's
// where all else is right, lest it hide what follows.
func unknown(dir protocol.Dir, b []byte) protocol.Certainty {
	if len(b) < headerLen || len(b) != headerLen+int(binary.LittleEndian.Uint16(b[2:])) || binary.LittleEndian.Uint32(b[20:]) != 0 {
		return protocol.NotForUs
	}
	if status := binary.LittleEndian.Uint32(b[8:]); status != 0 && (dir == protocol.ToServer || status > 0xff) {
		return protocol.NotForUs
	}
	return protocol.Certain
}

// known reports whether a command is one of the protocol's.
func known(command uint16) bool {
	switch command {
	case cmdNOP, cmdListServices, cmdListIdentity, cmdListInterfaces, cmdRegisterSession, cmdUnregisterSession, cmdSendRRData, cmdSendUnitData, cmdIndicateStatus, cmdCancel:
		return true
	}
	return false
}

// side is one direction.
type side struct {
	// buf holds a message that has begun.
	buf []byte
	// lost tells that bytes are missing: the next ones must look like a message.
	lost  bool
	stray protocol.Stray
}

// key is what a response has in common with its request.
type key struct {
	command uint16
	session uint32
	context [8]byte
	seq     uint16
}

// Transaction is the State of a transaction: a request and its response, of which
// one may be nil.
type Transaction struct {
	Messages [2]*Message
	// size is what the request takes in memory while it waits, about.
	size int
}

// Parser is the EtherNet/IP of one flow.
type Parser struct {
	txs  protocol.TxList
	wait protocol.Waiting[key]
	// kept is what those that wait take.
	kept int
	side [2]side
}

// maxKept bounds what the requests of a flow take while they wait.
const maxKept = 4 << 20

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// Parse implements protocol.Parser.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	s := &p.side[dir]
	if env.Datagram {
		if s.buf = s.buf[:0]; len(data) > 0 && header(dir, data) == protocol.NotForUs {
			// Somebody else's: one message of a scanner does not make a flow EtherNet/IP.
			p.End(env, protocol.ToServer)
			p.End(env, protocol.ToClient)
			env.SwitchTo, env.Rest = protocol.Unknown, data
			return protocol.Switch
		}
	}
	if s.lost {
		if len(data) < headerLen || header(dir, data) != protocol.Certain {
			s.stray.Add(env, &p.txs, dir, over, data)
			return protocol.Continue
		}
		s.lost = false
	}
	for len(data) > 0 {
		if len(s.buf) == 0 && len(data) >= headerLen {
			// Most messages come as a whole.
			if n := headerLen + int(binary.LittleEndian.Uint16(data[2:])); n <= len(data) {
				early(env, len(data), n)
				p.message(env, dir, data[:n], len(data))
				data = data[n:]
				continue
			}
		}
		need := headerLen
		if len(s.buf) >= headerLen {
			need += int(binary.LittleEndian.Uint16(s.buf[2:]))
		}
		held := len(s.buf)
		n := min(len(data), need-held)
		s.buf = append(s.buf, data[:n]...)
		data = data[n:]
		if held < headerLen && len(s.buf) >= headerLen {
			early(env, len(s.buf)+len(data), headerLen+int(binary.LittleEndian.Uint16(s.buf[2:])))
		}
		if len(s.buf) >= headerLen && len(s.buf) == headerLen+int(binary.LittleEndian.Uint16(s.buf[2:])) {
			p.message(env, dir, s.buf, len(s.buf)+len(data))
			if s.buf = s.buf[:0]; cap(s.buf) > 4096 {
				s.buf = nil
			}
		}
	}
	if env.Datagram && len(s.buf) > 0 {
		p.alone(env, &Message{Dir: dir, bad: true})
		s.stray.Add(env, &p.txs, dir, over, s.buf)
		s.buf = s.buf[:0]
	}
	return protocol.Continue
}

// message takes a message that is there as a whole. It began left bytes before the
// end of those that were given.
func (p *Parser) message(env *protocol.Env, dir protocol.Dir, b []byte, left int) {
	m := &Message{Dir: dir, framed: env.Framing(), Command: binary.LittleEndian.Uint16(b), Session: binary.LittleEndian.Uint32(b[4:]), Status: binary.LittleEndian.Uint32(b[8:])}
	k := key{command: m.Command, session: m.Session, context: [8]byte(b[12:])}
	body := append([]byte(nil), b[headerLen:]...)
	m.parse(body)
	k.seq = m.seq
	if m.Command == cmdRegisterSession {
		k.session = 0 // the response names the one that it has made
	}
	if m.Command == cmdSendUnitData {
		k.context = [8]byte{} // ignored by both ends
	}
	var tx *protocol.Tx
	switch dir {
	case protocol.ToServer:
		tx = p.request(env, k, m, 512+2*len(body))
	default:
		if tx = p.wait.Take(k); tx == nil {
			tx = p.alone(env, m)
			break
		}
		p.settle(tx)
		tx.State.(*Transaction).Messages[dir] = m
		tx.Progress[dir] = Done
	}
	if m.bad {
		tx.AddEvent("invalid_pdu")
	}
	if m.framed {
		m.announce(env, left, len(b), tx)
	}
	content := func(name string, b []byte) {
		if len(b) >= minObject {
			env.Whole(&protocol.Object{Kind: protocol.KindBody, Dir: dir, Tx: tx, Name: name}, b)
		}
	}
	if m.bad || m.opaque() {
		// What is not understood may hold anything.
		content("", body)
		return
	}
	m.each(func(c *CIP) {
		if len(c.Multiple) == 0 {
			content(c.objectName(), c.Data)
		}
	})
}

// minObject is the shortest content that is looked through.
const minObject = 8

var over = [2]uint8{Done, Done}

// request makes the transaction of a request. Where too many wait the oldest is
// given up, and where they take too much; size is what this one takes.
func (p *Parser) request(env *protocol.Env, k key, m *Message, size int) *protocol.Tx {
	if m.Command == cmdNOP || m.Command == cmdUnregisterSession || m.Command == cmdIndicateStatus || m.Command == cmdCancel {
		return p.alone(env, m) // no answer comes
	}
	for limit := env.Limits.Tx(protocol.ENIP); p.wait.Len() > 0 && (limit > 0 && p.wait.Len() >= limit || p.kept+size > maxKept); {
		old := p.wait.Oldest()
		old.AddEvent("too_many_transactions")
		old.Progress = over
		p.settle(old)
	}
	tx := p.txs.Add(&Transaction{Messages: [2]*Message{m}, size: size}, env.Now)
	p.kept += size
	tx.Progress[protocol.ToServer] = Done
	if before := p.wait.Add(k, tx); before != nil {
		before.Progress = over
		p.settle(before)
	}
	return tx
}

// settle takes note that a request waits no longer.
func (p *Parser) settle(tx *protocol.Tx) { p.kept -= tx.State.(*Transaction).size }

// alone makes the transaction of a message that belongs to no other.
func (p *Parser) alone(env *protocol.Env, m *Message) *protocol.Tx {
	t := new(Transaction)
	t.Messages[m.Dir] = m
	tx := p.txs.Add(t, env.Now)
	tx.Only = protocol.DirsToServer << m.Dir
	tx.Progress = over
	if m.bad {
		tx.AddEvent("invalid_pdu")
	}
	return tx
}

// Gap implements protocol.Parser. After a hole the borders of messages are lost;
// most segments begin with one.
func (p *Parser) Gap(env *protocol.Env, dir protocol.Dir, n uint64) protocol.Status {
	s := &p.side[dir]
	s.stray.Add(env, &p.txs, dir, over, s.buf)
	s.stray.Gap(env, n)
	s.buf, s.lost = s.buf[:0], true
	return protocol.Continue
}

// End implements protocol.Parser.
func (p *Parser) End(env *protocol.Env, dir protocol.Dir) {
	s := &p.side[dir]
	s.stray.Add(env, &p.txs, dir, over, s.buf)
	s.buf = s.buf[:0]
	s.stray.End(env)
	for _, tx := range p.txs.Live {
		tx.Progress[dir] = Done
	}
}

// Buffer implements protocol.Parser.
func (p *Parser) Buffer(tx *protocol.Tx, id protocol.BufferID, dir protocol.Dir, i int) ([]byte, bool) {
	t, ok := tx.State.(*Transaction)
	if !ok || id.Protocol() != protocol.ENIP || i > 0 || t.Messages[dir] == nil {
		return nil, false
	}
	switch m := t.Messages[dir]; {
	case id.Slot() == slotProduct && m.Identity != nil:
		return m.Identity.ProductName, true
	case id.Slot() == slotService && m.Services != nil:
		return m.Services.Name, true
	}
	return nil, false
}
