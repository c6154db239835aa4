package app

import (
	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/dns"
	"sluice/dataplane/protocol/tls"
	"sluice/signatures"
)

// fields gives the rule engine the numbers that protocols keep in their
// transactions, by keyword.
func fields() map[string]signatures.FieldFunc {
	return map[string]signatures.FieldFunc{
		"dns.opcode": dnsField(func(m *dns.Message) (uint64, bool) { return uint64(m.Opcode()), true }),
		"dns.rcode":  dnsField(func(m *dns.Message) (uint64, bool) { return uint64(m.RCode()), m.Response() }),
		"dns.rrtype": func(tx *protocol.Tx, _ protocol.Dir, i int) (uint64, bool) {
			m, ok := tx.State.(*dns.Message)
			if !ok {
				return 0, false
			}
			n := 0
			for t := range m.RRTypes {
				if n == i {
					return uint64(t), true
				}
				n++
			}
			return 0, false
		},
		"tls.version": func(tx *protocol.Tx, _ protocol.Dir, i int) (uint64, bool) {
			h, ok := tx.State.(*tls.Handshake)
			if !ok || i > 0 || h.Version() == 0 {
				return 0, false
			}
			return uint64(h.Version()), true
		},
		"tls_cert_notbefore": certField(func(c *tls.Certificate) (int64, bool) { return c.NotBefore.Unix(), !c.NotBefore.IsZero() }),
		"tls_cert_notafter":  certField(func(c *tls.Certificate) (int64, bool) { return c.NotAfter.Unix(), !c.NotAfter.IsZero() }),
		"tls.cert_chain_len": func(tx *protocol.Tx, dir protocol.Dir, i int) (uint64, bool) {
			h, ok := tx.State.(*tls.Handshake)
			if !ok || i > 0 || len(h.Certificates(dir)) == 0 {
				return 0, false
			}
			return uint64(len(h.Certificates(dir))), true
		},
	}
}

func dnsField(get func(*dns.Message) (uint64, bool)) signatures.FieldFunc {
	return func(tx *protocol.Tx, _ protocol.Dir, i int) (uint64, bool) {
		m, ok := tx.State.(*dns.Message)
		if !ok || i > 0 {
			return 0, false
		}
		return get(m)
	}
}

// certField looks at the sender's own certificate.
func certField(get func(*tls.Certificate) (int64, bool)) signatures.FieldFunc {
	return func(tx *protocol.Tx, dir protocol.Dir, i int) (uint64, bool) {
		h, ok := tx.State.(*tls.Handshake)
		if !ok || i > 0 || len(h.Certificates(dir)) == 0 {
			return 0, false
		}
		v, ok := get(h.Certificates(dir)[0])
		return uint64(v), ok && v >= 0
	}
}
