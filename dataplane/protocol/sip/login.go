package sip

import (
	"bytes"
	"encoding/base64"
	"slices"

	"sluice/dataplane/protocol"
)

// What is remembered of a flow's logins.
const (
	maxClaims = 16
	maxUsers  = 64
	maxDialog = 256
)

// claim is a request that names a user and was not answered yet.
type claim struct {
	// dialog is the Call-ID and CSeq that the answer repeats (RFC 3261 §8.2.6.2).
	dialog, user string
}

// logins follows who a server has let in: one flow may have many users, where it is
// between two servers.
type logins struct {
	claims []claim
	users  []string
}

// follow takes a message.
func (p *Parser) follow(m *Message) {
	if !m.response {
		v, ok := m.get(fieldAuthorization, 0)
		if !ok {
			return
		}
		scheme, rest, _ := bytes.Cut(v, []byte(" "))
		switch {
		case bytes.EqualFold(scheme, []byte("Digest")):
			m.user = protocol.UserName(parameter(rest, "username"))
		case bytes.EqualFold(scheme, []byte("Basic")):
			m.user = basicUser(rest)
			p.Note(m.user)
		}
		if d := m.dialog(); m.user != "" && d != "" {
			if len(p.claims) >= maxClaims {
				p.claims = slices.Delete(p.claims, 0, 1)
			}
			p.claims = append(p.claims, claim{d, m.user})
		}
		return
	}
	if len(p.claims) == 0 || m.code[0] == '1' {
		return
	}
	d := m.dialog()
	i := slices.IndexFunc(p.claims, func(c claim) bool { return c.dialog == d })
	if i < 0 {
		return
	}
	user := p.claims[i].user
	p.claims = slices.Delete(p.claims, i, i+1)
	if m.code[0] == '2' && !slices.Contains(p.users, user) {
		if len(p.users) >= maxUsers {
			p.users = slices.Delete(p.users, 0, 1)
		}
		p.users = append(p.users, user)
	}
}

// dialog gives what a response has in common with its request, empty where there
// is none.
func (m *Message) dialog() string {
	id, seq := m.one(fieldCallID), m.one(fieldCSeq)
	if len(id) == 0 || len(id)+len(seq) > maxDialog {
		return ""
	}
	return string(id) + "\n" + string(seq)
}

// User implements protocol.Login: who a message says to come from, if the server
// has let that user in on this flow, or the only one it has let in.
func (p *Parser) User(tx *protocol.Tx) string {
	if m := message(tx); m != nil && m.user != "" {
		if slices.Contains(p.users, m.user) {
			return m.user
		}
		return ""
	}
	if len(p.users) == 1 {
		return p.users[0]
	}
	return ""
}

// message gives a transaction's message, nil where there is none.
func message(tx *protocol.Tx) *Message {
	if tx == nil {
		return nil
	}
	m, _ := tx.State.(*Message)
	return m
}

// parameter gives a parameter of credentials (RFC 3261 §25.1), without its quotes.
func parameter(b []byte, name string) []byte {
	from, to := parameterAt(b, name)
	return b[from:to]
}

// parameterAt gives where a parameter's value is, without its quotes.
func parameterAt(b []byte, name string) (from, to int) {
	for i := 0; i < len(b); {
		for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == ',') {
			i++
		}
		n := tokenLen(b[i:])
		key := b[i : i+n]
		if i += n; i >= len(b) || b[i] != '=' {
			i++
			continue
		}
		i++
		if from = i; i < len(b) && b[i] == '"' {
			from++
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
			to = min(i, len(b))
			i++
		} else {
			for i < len(b) && b[i] != ',' && b[i] != ' ' && b[i] != '\r' && b[i] != '\n' {
				i++
			}
			to = i
		}
		if bytes.EqualFold(key, []byte(name)) {
			return from, to
		}
	}
	return 0, 0
}

// basicUser gives the name of credentials of the scheme Basic.
func basicUser(b64 []byte) string {
	b64 = bytes.TrimSpace(b64)
	if len(b64) > 1024 {
		return ""
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(b64)))
	n, err := base64.StdEncoding.Decode(out, b64)
	user, _, ok := bytes.Cut(out[:n], []byte(":"))
	if err != nil || !ok {
		return ""
	}
	return protocol.UserName(user)
}
