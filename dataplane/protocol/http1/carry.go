package http1

import (
	"bytes"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/dns"
)

// DNS gives the message of DNS that a direction carries, nil for none.
func (ex *exchange) DNS(dir protocol.Dir) *dns.Message { return ex.doh.DNS(dir) }

// carry looks for DNS in a direction whose head is complete (RFC 8484).
func (ex *exchange) carry(dir protocol.Dir) {
	m := &ex.msg[dir]
	var h dns.Head
	h.ContentType, _ = m.get(kindContentType)
	if dir == protocol.ToServer && string(m.method()) == "GET" {
		h.URI = m.uri()
		h.Accept, _ = m.get(kindAccept)
	}
	ex.doh = ex.doh.Head(ex.tx, dir, h)
}

// upgraded gives what the request for another protocol tells of its server.
func (ex *exchange) upgraded() protocol.Upgrade {
	m := &ex.msg[protocol.ToServer]
	if m.lineEnd == 0 {
		return protocol.Upgrade{}
	}
	up := protocol.Upgrade{Path: ex.fileName(protocol.ToServer)}
	if host, ok := ex.hostField(); ok {
		name, _, _ := splitHost(host)
		up.Host = string(bytes.ToLower(name))
	}
	return up
}
