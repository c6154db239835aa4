package tls

import (
	"encoding/pem"

	"sluice/dataplane/protocol"
)

// PEM gives the certificates of a handshake as text (RFC 7468): the server's chain,
// then the client's. It is empty where none was seen, as in TLS 1.3.
func (h *Handshake) PEM() []byte {
	var out []byte
	for _, dir := range [2]protocol.Dir{protocol.ToClient, protocol.ToServer} {
		for _, c := range h.certs[dir] {
			out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
		}
	}
	return out
}
