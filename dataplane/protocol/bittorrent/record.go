package bittorrent

import (
	"encoding/hex"
	"net/netip"

	"sluice/dataplane/protocol"
	"sluice/events"
)

// eveDHT is EVE's bittorrent_dht object. What is not text is in hexadecimal.
type eveDHT struct {
	TransactionID string    `json:"transaction_id"`
	ClientVersion string    `json:"client_version,omitempty"`
	RequestType   string    `json:"request_type,omitempty"`
	Request       *eveBody  `json:"request,omitempty"`
	Response      *eveBody  `json:"response,omitempty"`
	Error         *eveError `json:"error,omitempty"`
}

type eveBody struct {
	ID          string    `json:"id"`
	Target      string    `json:"target,omitempty"`
	InfoHash    string    `json:"info_hash,omitempty"`
	Nodes       []eveNode `json:"nodes,omitempty"`
	Nodes6      []eveNode `json:"nodes6,omitempty"`
	Values      []evePeer `json:"values,omitempty"`
	Token       string    `json:"token,omitempty"`
	ImpliedPort *int64    `json:"implied_port,omitempty"`
	Port        *int64    `json:"port,omitempty"`
}

type eveNode struct {
	ID   string `json:"id"`
	IP   string `json:"ip"`
	Port uint16 `json:"port"`
}

type evePeer struct {
	IP   string `json:"ip"`
	Port uint16 `json:"port"`
}

type eveError struct {
	Num int64  `json:"num"`
	Msg string `json:"msg"`
}

// Record implements protocol.Parser.
func (p *Parser) Record(tx *protocol.Tx, ev *events.Event) {
	if tx == nil {
		return
	}
	m, ok := tx.State.(*Message)
	if !ok || m.Type == 0 {
		return
	}
	e := &eveDHT{TransactionID: hex.EncodeToString(m.TransactionID), ClientVersion: hex.EncodeToString(m.Version)}
	switch m.Type {
	case 'q':
		e.RequestType, e.Request = protocol.Text([]byte(m.Query)), m.body()
	case 'r':
		e.Response = m.body()
	case 'e':
		e.Error = &eveError{m.Code, protocol.Text(m.Text)}
	}
	ev.SetExtra("bittorrent_dht", e)
}

func (m *Message) body() *eveBody {
	b := &eveBody{ID: hex.EncodeToString(m.ID), Target: hex.EncodeToString(m.Target), InfoHash: hex.EncodeToString(m.InfoHash),
		Token: hex.EncodeToString(m.Token), Port: m.Port, ImpliedPort: m.ImpliedPort, Nodes: eveNodes(m.Nodes), Nodes6: eveNodes(m.Nodes6)}
	for _, a := range m.Values {
		b.Values = append(b.Values, evePeer{ip(a), a.Port()})
	}
	return b
}

func eveNodes(list []Node) (out []eveNode) {
	for _, n := range list {
		out = append(out, eveNode{hex.EncodeToString(n.ID), ip(n.Addr), n.Addr.Port()})
	}
	return out
}

// ip gives an address as EVE spells it: IPv6 in full.
func ip(a netip.AddrPort) string { return a.Addr().StringExpanded() }

var logDHT = []string{"bittorrent_dht"}

// Log implements protocol.Parser: a message that can be told has a record.
func (p *Parser) Log(tx *protocol.Tx) []string {
	if m, ok := tx.State.(*Message); ok && m.Type != 0 {
		return logDHT
	}
	return nil
}
