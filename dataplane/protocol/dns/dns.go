// Package dns reads DNS over UDP and TCP, multicast DNS and LLMNR. It takes the
// bytes of a flow and gives one transaction a message, requests and responses
// alike, with the names of their sections as buffers. It knows nothing of
// resolvers or policies.
package dns

import (
	"encoding/binary"

	"sluice/dataplane/protocol"
)

// The slots of the buffers, the same in each of the protocols.
const (
	slotQuery = iota
	slotQueriesName
	slotAnswersName
	slotAuthoritiesName
	slotAdditionalsName
	slotResponseName
)

// Done is the progress of every transaction in both directions: a message is
// complete when it exists.
const Done = 1

// Definition describes DNS over UDP and TCP.
func Definition() *protocol.Definition {
	return &protocol.Definition{
		Events: faultNames[:],
		ID:     protocol.DNS, TCP: true, UDP: true, Ports: []uint16{53},
		Probe: probeTCP, ProbeDatagram: probeUDP,
		Reversed: Reversed, ReversedStream: answers,
		New:      func(env *protocol.Env) protocol.Parser { return &Parser{proto: protocol.DNS} },
		Buffers:  buffers(protocol.DNS, "dns"),
		Frames:   frames,
		Complete: [2]uint8{Done, Done},
		States:   states,
	}
}

// MDNS describes multicast DNS (RFC 6762), told from DNS by its port.
func MDNS() *protocol.Definition { return link(protocol.MDNS, "mdns", 5353) }

// LLMNR describes link-local name resolution (RFC 4795), told by its port.
func LLMNR() *protocol.Definition { return link(protocol.LLMNR, "llmnr", 5355) }

// framePDU is a message, without the length that TCP has before it.
const framePDU protocol.FrameType = 0

var frames = []protocol.FrameSpec{{Name: "pdu"}}

var states = [2][]string{{"request_started", "request_complete"}, {"response_started", "response_complete"}}

func link(id protocol.ID, prefix string, port uint16) *protocol.Definition {
	return &protocol.Definition{
		Events: faultNames[:],
		ID:     id, UDP: true, Ports: []uint16{port},
		// The messages are like DNS; the port decides.
		Probe: func(dir protocol.Dir, data []byte) protocol.Certainty {
			if id == protocol.MDNS {
				return probeMDNS(dir, data)
			}
			return probeUDP(dir, data)
		},
		New:      func(env *protocol.Env) protocol.Parser { return &Parser{proto: id} },
		Buffers:  buffers(id, prefix),
		Frames:   frames,
		Complete: [2]uint8{Done, Done},
		States:   states,
	}
}

// probeMDNS also takes several questions and answers without a question.
func probeMDNS(_ protocol.Dir, data []byte) protocol.Certainty {
	if len(data) < headerLen || binary.BigEndian.Uint16(data)|binary.BigEndian.Uint16(data[2:])&0x780f != 0 {
		return probeUDP(protocol.ToServer, data)
	}
	m := Message{raw: data}
	m.parse()
	if m.faults&(faultMalformed|faultAuthorities|faultAdditionals|faultZFlag) != 0 {
		return protocol.NotForUs
	}
	// Certain only where DNS is too, so that the port breaks the tie.
	return max(protocol.Unsure, probeUDP(protocol.ToServer, data))
}

func buffers(id protocol.ID, prefix string) []protocol.BufferSpec {
	spec := func(slot uint8, name string, dirs protocol.Dirs) protocol.BufferSpec {
		return protocol.BufferSpec{ID: protocol.Buffer(id, slot), Name: prefix + "." + name, Dirs: dirs, Progress: Done, Multi: true}
	}
	responses := protocol.DirsToClient
	if id == protocol.MDNS {
		// Answers mostly go to all hosts, of which none has asked in that flow.
		responses = protocol.DirsBoth
	}
	list := []protocol.BufferSpec{
		spec(slotQueriesName, "queries.rrname", protocol.DirsBoth),
		spec(slotAnswersName, "answers.rrname", protocol.DirsBoth),
		spec(slotAuthoritiesName, "authorities.rrname", protocol.DirsBoth),
		spec(slotAdditionalsName, "additionals.rrname", protocol.DirsBoth),
		spec(slotResponseName, "response.rrname", responses),
	}
	if id == protocol.DNS {
		list = append(list, spec(slotQuery, "query", protocol.DirsToServer), spec(slotQuery, "query.name", protocol.DirsToServer))
	}
	return list
}

// Parser is the DNS of one flow.
type Parser struct {
	txs   protocol.TxList
	proto protocol.ID
	half  [2]half
}

// half is what a direction of a TCP flow has left over.
type half struct {
	buf []byte // a message's beginning, with its length
	// skip counts bytes of a message of which some are missing.
	skip int
	lost bool
}

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// End implements protocol.Parser. What is left of a message is given up.
func (p *Parser) End(env *protocol.Env, dir protocol.Dir) {
	h := &p.half[dir]
	if len(h.buf) > 0 && !h.lost {
		if tx := p.txs.Last(); tx != nil {
			tx.AddEvent(faultNames[0])
		}
	}
	h.buf, h.lost = nil, true
}
