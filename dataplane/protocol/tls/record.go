package tls

import (
	"time"

	"sluice/dataplane/protocol"
	"sluice/events"
)

// Handshake is what is known of a connection: the State of its transaction.
type Handshake struct {
	client, server Hello
	certs          [2][]*Certificate
	resumed        bool
	retried        bool
	hasRecord      bool
	recordVersion  uint16
	// states are the messages seen that the keyword ssl_state asks for.
	states [2][maxStates]State
	seen   [2]uint8
}

// State is a step of the handshake, as the keyword ssl_state has it.
type State uint8

// The steps. StateUnknown is a direction that began with none of the messages.
const (
	StateClientHello State = 1 << iota
	StateServerHello
	StateClientKey
	StateServerKey
	StateUnknown
)

// maxStates bounds the steps of a direction: a hello, a key, or neither.
const maxStates = 3

// reached notes a step, once.
func (h *Handshake) reached(dir protocol.Dir, s State) {
	for _, old := range h.States(dir) {
		if old == s {
			return
		}
	}
	if n := h.seen[dir]; n < maxStates {
		h.states[dir][n] = s
		h.seen[dir]++
	}
}

// States gives the steps that a direction's sender has taken.
func (h *Handshake) States(dir protocol.Dir) []State { return h.states[dir][:h.seen[dir]] }

// Client gives the client's hello, nil before it came.
func (h *Handshake) Client() *Hello {
	if !h.client.seen {
		return nil
	}
	return &h.client
}

// Server gives the server's hello, nil before it came.
func (h *Handshake) Server() *Hello {
	if !h.server.seen {
		return nil
	}
	return &h.server
}

// Certificates gives the chain sent in a direction, the sender's own first.
func (h *Handshake) Certificates(dir protocol.Dir) []*Certificate { return h.certs[dir] }

// Resumed reports whether an earlier session went on without a certificate.
func (h *Handshake) Resumed() bool { return h.resumed }

// Version gives the version agreed on, or what the client asked for while the
// server has not spoken (tls.version, ssl_version).
func (h *Handshake) Version() uint16 {
	switch {
	case h.server.seen:
		return h.server.Version()
	case h.client.seen:
		return h.client.legacy
	}
	return h.recordVersion
}

// VersionOf gives the version that a direction's own hello names; 0 before it came.
func (h *Handshake) VersionOf(dir protocol.Dir) uint16 {
	if dir == protocol.ToClient {
		return h.server.Version()
	}
	return h.client.Version()
}

// Buffer implements protocol.Parser.
func (p *Parser) Buffer(tx *protocol.Tx, id protocol.BufferID, dir protocol.Dir, i int) ([]byte, bool) {
	h, ok := tx.State.(*Handshake)
	if !ok || i < 0 {
		return nil, false
	}
	hello := &h.client
	if dir == protocol.ToClient {
		hello = &h.server
	}
	slot := id.Slot()
	switch slot {
	case slotSNI:
		return one(hello.sni, i)
	case slotRandom:
		return one(hello.random, i)
	case slotRandomTime, slotRandomBytes:
		if len(hello.random) != 32 {
			return nil, false
		}
		if slot == slotRandomTime {
			return one(hello.random[:4], i)
		}
		return one(hello.random[4:], i)
	case slotALPN:
		if i < len(hello.alpn) {
			return hello.alpn[i], true
		}
		return nil, false
	case slotJA3Hash, slotJA3String, slotJA4, slotJA3SHash, slotJA3SString:
		return p.fingerprint(hello, slot, dir, i)
	}
	certs := h.certs[dir]
	if len(certs) == 0 {
		return nil, false
	}
	switch c := certs[0]; slot {
	case slotCerts:
		if i < len(certs) {
			return certs[i].Raw, true
		}
	case slotSubject:
		return one([]byte(c.Subject), i)
	case slotIssuer:
		return one([]byte(c.Issuer), i)
	case slotSerial:
		return one([]byte(c.Serial), i)
	case slotFingerprint:
		return one([]byte(c.Fingerprint()), i)
	case slotSAN:
		if dir == protocol.ToClient && i < len(c.Names) {
			return []byte(c.Names[i]), true
		}
	}
	return nil, false
}

func one(b []byte, i int) ([]byte, bool) { return b, i == 0 && len(b) > 0 }

func (p *Parser) fingerprint(hello *Hello, slot uint8, dir protocol.Dir, i int) ([]byte, bool) {
	client := slot == slotJA3Hash || slot == slotJA3String || slot == slotJA4
	if client != (dir == protocol.ToServer) || hello.ssl2 {
		return nil, false
	}
	if slot == slotJA4 {
		return one([]byte(hello.JA4()), i)
	}
	text, hash := hello.JA3(client)
	if slot == slotJA3Hash || slot == slotJA3SHash {
		return one([]byte(hash), i)
	}
	return one([]byte(text), i)
}

// Log implements protocol.Parser.
func (p *Parser) Log(tx *protocol.Tx) []string {
	if h, ok := tx.State.(*Handshake); !ok || !h.client.seen && !h.server.seen {
		return nil
	}
	return logTLS
}

var logTLS = []string{"tls"}

const dateLayout = "2006-01-02T15:04:05"

// Record implements protocol.Parser.
func (p *Parser) Record(tx *protocol.Tx, ev *events.Event) {
	h := p.hs
	if tx != nil {
		h, _ = tx.State.(*Handshake)
	}
	if h == nil || !h.client.seen && !h.server.seen {
		return
	}
	t := &events.TLS{SNI: clean(h.client.sni), Version: VersionName(h.Version()), SessionResumed: h.resumed,
		ClientALPNs: texts(h.client.alpn), ServerALPNs: texts(h.server.alpn)}
	if certs := h.certs[protocol.ToClient]; len(certs) > 0 {
		c := certs[0]
		t.Subject, t.IssuerDN, t.Serial, t.Fingerprint = c.Subject, c.Issuer, c.Serial, c.Fingerprint()
		t.SubjectAltName = append([]string(nil), c.Names...)
		t.NotBefore, t.NotAfter = dateText(c.NotBefore), dateText(c.NotAfter)
		t.CertificateSize = len(c.Raw)
	}
	if certs := h.certs[protocol.ToServer]; len(certs) > 0 {
		c := certs[0]
		t.Client = &events.TLSClient{Subject: c.Subject, IssuerDN: c.Issuer, Fingerprint: c.Fingerprint(), Serial: c.Serial,
			NotBefore: dateText(c.NotBefore), NotAfter: dateText(c.NotAfter)}
	}
	if h.client.seen && !h.client.ssl2 {
		if !p.noJA3 {
			text, hash := h.client.JA3(true)
			t.JA3 = &events.JA3{Hash: hash, String: text}
		}
		if !p.noJA4 {
			t.JA4 = h.client.JA4()
		}
	}
	if h.server.seen && !p.noJA3 {
		text, hash := h.server.JA3(false)
		t.JA3S = &events.JA3{Hash: hash, String: text}
	}
	ev.TLS = t
}

// dateText gives a time as records have it; nothing for the zero time.
func dateText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(dateLayout)
}

func texts(list [][]byte) []string {
	var out []string
	for _, b := range list {
		out = append(out, clean(b))
	}
	return out
}
