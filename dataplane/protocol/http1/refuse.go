package http1

import "sluice/dataplane/protocol"

// Refusal implements protocol.Refuser: a 403 can be sent while the oldest open
// request has had no byte of a response.
func (p *parser) Refusal() ([]byte, bool) {
	s := &p.side[protocol.ToClient]
	if p.switched || s.ended || len(p.open) == 0 || s.stage != stIdle {
		return nil, false
	}
	return refusal, true
}

var refusal = []byte("HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 40\r\n" +
	"Cache-Control: no-store\r\nConnection: close\r\n\r\nBlocked by the data protection policy.\r\n")
