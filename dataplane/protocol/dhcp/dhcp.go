// Package dhcp reads DHCP for IPv4 (RFC 2131, RFC 2132). It takes datagrams and
// gives a transaction for each message with its numbers and its record. It knows
// no flows and no rules.
package dhcp

import (
	"bytes"
	"encoding/binary"

	"sluice/dataplane/protocol"
)

// Done is the progress of every transaction: a message is complete when it exists.
const Done = 1

// The operations of a message (RFC 2131 §2).
const (
	opRequest = 1
	opReply   = 2
)

const (
	// headerLen is the fixed part with the magic cookie behind it.
	headerLen = 240
	// maxOptions bounds the options that are kept of a message. A datagram has room
	// for more only where they are empty.
	maxOptions = 256
)

var magic = []byte{0x63, 0x82, 0x53, 0x63}

// The options that are read (RFC 2132, RFC 3442 and others are not).
const (
	optPad           = 0
	optSubnetMask    = 1
	optRouter        = 3
	optDNSServer     = 6
	optHostname      = 12
	optRequestedIP   = 50
	optLeaseTime     = 51
	optOverload      = 52
	optType          = 53
	optParameters    = 55
	optRenewalTime   = 58
	optRebindingTime = 59
	optVendorClass   = 60
	optClientID      = 61
	optEnd           = 255
)

// The anomalies of a message's options.
const (
	eventMalformed = "malformed_options"
	eventTruncated = "truncated_options"
)

var ports = []uint16{67, 68}

// Definition describes DHCP.
func Definition() *protocol.Definition {
	return &protocol.Definition{
		Events: []string{eventMalformed, eventTruncated},
		ID:     protocol.DHCP, UDP: true, Ports: ports,
		ProbeDatagram: probe,
		New:           func(env *protocol.Env) protocol.Parser { return &Parser{brief: env.Limits.DHCP.Brief} },
		Complete:      [2]uint8{Done, Done},
		States:        [2][]string{{"request_started", "request_complete"}, {"response_started", "response_complete"}},
	}
}

// probe is certain of a message by its magic cookie.
func probe(_ protocol.Dir, b []byte) protocol.Certainty {
	if !sound(b) {
		return protocol.NotForUs
	}
	return protocol.Certain
}

func sound(b []byte) bool {
	return len(b) >= headerLen && (b[0] == opRequest || b[0] == opReply) && b[2] <= 16 && bytes.Equal(b[headerLen-4:headerLen], magic)
}

// option is one option of a message; its data is the message's.
type option struct {
	code uint8
	data []byte
}

// Message is one message: the State of a transaction. It owns its bytes.
type Message struct {
	Dir protocol.Dir
	raw []byte
	// options are in the order in which they stand, those of the file and server
	// name fields behind those of the options field (RFC 2131 §4.1).
	options              []option
	malformed, truncated bool
}

// op, and the functions behind it, give the fields of the header (RFC 2131 §2).
func (m *Message) op() uint8        { return m.raw[0] }
func (m *Message) id() uint32       { return binary.BigEndian.Uint32(m.raw[4:]) }
func (m *Message) hardware() []byte { return m.raw[28 : 28+min(int(m.raw[2]), 16)] }
func (m *Message) clientIP() []byte { return m.raw[12:16] }
func (m *Message) yourIP() []byte   { return m.raw[16:20] }
func (m *Message) nextIP() []byte   { return m.raw[20:24] }
func (m *Message) relayIP() []byte  { return m.raw[24:28] }

// read takes the options out of raw.
func (m *Message) read() {
	m.field(m.raw[headerLen:])
	// The fields for the boot file and the server's name may hold options, too.
	switch over, _ := m.first(optOverload); {
	case len(over) != 1:
	case over[0] == 1:
		m.field(m.raw[108:236])
	case over[0] == 2:
		m.field(m.raw[44:108])
	case over[0] == 3:
		m.field(m.raw[108:236])
		m.field(m.raw[44:108])
	}
}

// field takes options up to their end. A field without one is cut short.
func (m *Message) field(b []byte) {
	for len(b) > 0 && b[0] != optEnd {
		if b[0] == optPad {
			b = b[1:]
			continue
		}
		if len(b) < 2 || len(b) < 2+int(b[1]) {
			m.truncated = true
			return
		}
		o := option{b[0], b[2 : 2+int(b[1])]}
		if !o.sound() {
			m.malformed = true
			return
		}
		if len(m.options) < maxOptions {
			m.options = append(m.options, o)
		}
		b = b[2+len(o.data):]
	}
	if len(b) == 0 {
		m.truncated = true
	}
}

// sound reports whether an option has the length that its kind has.
func (o *option) sound() bool {
	switch o.code {
	case optLeaseTime, optRenewalTime, optRebindingTime:
		return len(o.data) == 4
	case optClientID:
		return len(o.data) > 1
	}
	return true
}

// first gives the first option of a code.
func (m *Message) first(code uint8) ([]byte, bool) {
	for i := range m.options {
		if m.options[i].code == code {
			return m.options[i].data, true
		}
	}
	return nil, false
}

// Field gives instance i of a number for the keyword name: dhcp.leasetime,
// dhcp.rebinding_time and dhcp.renewal_time, all in seconds.
func (m *Message) Field(name string, dir protocol.Dir, i int) (uint64, bool) {
	var code uint8
	switch name {
	case "dhcp.leasetime":
		code = optLeaseTime
	case "dhcp.rebinding_time":
		code = optRebindingTime
	case "dhcp.renewal_time":
		code = optRenewalTime
	default:
		return 0, false
	}
	if dir != m.Dir {
		return 0, false
	}
	for _, o := range m.options {
		if o.code != code {
			continue
		}
		if i--; i < 0 {
			return uint64(binary.BigEndian.Uint32(o.data)), true
		}
	}
	return 0, false
}

// Parser is the DHCP of one flow.
type Parser struct {
	txs   protocol.TxList
	rest  protocol.Leftover
	brief bool
}

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// Parse implements protocol.Parser. What is no message among messages is passed
// over: servers do the same. All is looked through as it stands.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	ok := sound(data)
	if !ok {
		if st, foreign := p.rest.Foreign(env, data, ports...); foreign {
			return st
		}
	}
	p.rest.Data(env, dir, data)
	if !ok || len(p.txs.Live) >= env.Limits.Tx(protocol.DHCP) {
		return protocol.Continue
	}
	m := &Message{Dir: dir, raw: bytes.Clone(data)}
	m.read()
	tx := p.txs.AddMessage(m, env.Now, dir, Done)
	if m.malformed {
		tx.AddEvent(eventMalformed)
	}
	if m.truncated {
		tx.AddEvent(eventTruncated)
	}
	return protocol.Continue
}

// Gap implements protocol.Parser; datagrams have none.
func (p *Parser) Gap(*protocol.Env, protocol.Dir, uint64) protocol.Status { return protocol.Continue }

// End implements protocol.Parser.
func (p *Parser) End(env *protocol.Env, dir protocol.Dir) { p.rest.End(env, dir) }

// Buffer implements protocol.Parser; there are no buffers.
func (p *Parser) Buffer(*protocol.Tx, protocol.BufferID, protocol.Dir, int) ([]byte, bool) {
	return nil, false
}
