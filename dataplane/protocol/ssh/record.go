package ssh

import (
	"sluice/dataplane/protocol"
	"sluice/events"
)

// Buffer implements protocol.Parser.
func (p *Parser) Buffer(tx *protocol.Tx, id protocol.BufferID, dir protocol.Dir, i int) ([]byte, bool) {
	s, ok := tx.State.(*Session)
	if !ok || i != 0 {
		return nil, false
	}
	peer := &s.Peers[dir]
	var b []byte
	switch id.Slot() {
	case slotProto:
		b = peer.Proto
	case slotSoftware:
		b = peer.Software
	case slotHassh:
		if dir == protocol.ToServer {
			b = peer.Hassh
		}
	case slotHasshString:
		if dir == protocol.ToServer {
			b = peer.Algorithms
		}
	case slotHasshServer:
		if dir == protocol.ToClient {
			b = peer.Hassh
		}
	case slotHasshServerString:
		if dir == protocol.ToClient {
			b = peer.Algorithms
		}
	}
	return b, len(b) > 0
}

// eveSSH is EVE's ssh object.
type eveSSH struct {
	Client *evePeer `json:"client,omitempty"`
	Server *evePeer `json:"server,omitempty"`
}

type evePeer struct {
	Proto    string    `json:"proto_version"`
	Software string    `json:"software_version,omitempty"`
	Hassh    *eveHassh `json:"hassh,omitempty"`
}

type eveHassh struct {
	Hash   string `json:"hash"`
	String string `json:"string"`
}

func record(p *Peer) *evePeer {
	if len(p.Proto) == 0 {
		return nil
	}
	r := &evePeer{Proto: protocol.Text(p.Proto), Software: protocol.Text(p.Software)}
	if len(p.Hassh) > 0 {
		r.Hassh = &eveHassh{Hash: string(p.Hassh), String: protocol.Text(p.Algorithms)}
	}
	return r
}

// Record implements protocol.Parser. The flow has but one transaction, which
// stands for it where none is asked for.
func (p *Parser) Record(tx *protocol.Tx, ev *events.Event) {
	if tx == nil {
		tx = p.tx
	}
	if tx == nil {
		return
	}
	s, ok := tx.State.(*Session)
	if !ok {
		return
	}
	r := eveSSH{Client: record(&s.Peers[protocol.ToServer]), Server: record(&s.Peers[protocol.ToClient])}
	if r.Client == nil && r.Server == nil {
		return
	}
	ev.SetExtra("ssh", r)
}

var logSSH = []string{"ssh"}

// Log implements protocol.Parser.
func (p *Parser) Log(tx *protocol.Tx) []string {
	s, ok := tx.State.(*Session)
	if !ok || len(s.Peers[0].Proto) == 0 && len(s.Peers[1].Proto) == 0 {
		return nil
	}
	return logSSH
}
