package websocket

import (
	"encoding/base64"
	"fmt"

	"sluice/dataplane/protocol"
	"sluice/events"
)

var opNames = [...]string{opContinuation: "continuation", opText: "text", opBinary: "binary", opClose: "connection_close", opPing: "ping", opPong: "pong"}

// eveWebSocket is EVE's websocket object.
type eveWebSocket struct {
	Fin       bool    `json:"fin"`
	Key       *uint32 `json:"mask,omitempty"`
	Opcode    string  `json:"opcode"`
	Base64    string  `json:"payload_base64,omitempty"`
	Printable string  `json:"payload_printable,omitempty"`
	// payload is what Base64 and Printable show.
	payload []byte
}

// Mask lets mask replace values in what is shown of a message.
func (e *eveWebSocket) Mask(mask func([]byte) []byte) {
	if e.payload != nil {
		e.show(mask(e.payload), e.Base64 != "", e.Printable != "")
	}
}

func (e *eveWebSocket) show(b []byte, inBase64, printable bool) {
	if inBase64 {
		e.Base64 = base64.StdEncoding.EncodeToString(b)
	}
	if printable {
		out := make([]byte, len(b))
		for i, c := range b {
			if out[i] = '.'; c >= ' ' && c < 0x7f || c == '\n' || c == '\r' || c == '\t' {
				out[i] = c
			}
		}
		e.Printable = string(out)
	}
}

var logWebSocket = []string{"websocket"}

// Log implements protocol.Parser.
func (p *Parser) Log(*protocol.Tx) []string { return logWebSocket }

// Record implements protocol.Parser.
func (p *Parser) Record(tx *protocol.Tx, ev *events.Event) {
	if tx == nil {
		return
	}
	f, ok := tx.State.(*Frame)
	if !ok {
		return
	}
	e := &eveWebSocket{Fin: f.first&bitFin != 0}
	if f.masked {
		e.Key = &f.mask
	}
	if op := int(f.op()); op < len(opNames) && opNames[op] != "" {
		e.Opcode = opNames[op]
	} else {
		e.Opcode = fmt.Sprintf("unknown-%d", op)
	}
	if (p.base64 || p.printable) && len(f.payload) > 0 {
		e.payload = f.payload
		e.show(f.payload, p.base64, p.printable)
	}
	ev.SetExtra("websocket", e)
}
