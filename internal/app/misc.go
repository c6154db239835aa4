package app

import (
	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/ike"
	"sluice/internal/config"
	"sluice/signatures"
)

// miscLimits puts what is configured of the records of DHCP, IKE and WebSocket
// into limits: they are whole unless something is left out by name.
func miscLimits(cfg *config.Config, l *protocol.Limits) {
	no := func(b *bool) bool { return b != nil && !*b }
	yes := func(b *bool) bool { return b != nil && *b }
	types := &cfg.Outputs.EVE.Types
	l.DHCP.Brief = no(types.Option("dhcp").Extended)
	l.IKE.Brief = no(types.Option("ike").Extended)
	ws := types.Option("websocket")
	l.WebSocket = protocol.WebSocketLimits{MaxPayload: int(cfg.AppLayer.Protocols[protocol.WebSocket.String()].MaxPayloadSize),
		Base64: yes(ws.Payload), Printable: yes(ws.PayloadPrintable)}
}

// miscFields adds the numbers of WebSocket, DHCP and IKE.
func miscFields(m map[string]signatures.FieldFunc) {
	for _, k := range []string{"websocket.opcode", "websocket.mask", "websocket.flags", "dhcp.leasetime", "dhcp.rebinding_time", "dhcp.renewal_time",
		"ike.exchtype", "ike.key_exchange_payload_length", "ike.nonce_payload_length"} {
		m[k] = streamField(k)
	}
	for _, a := range ike.ChosenAttributes {
		m[ike.ChosenAttribute+a] = streamField(ike.ChosenAttribute + a)
	}
}
