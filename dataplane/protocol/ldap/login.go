package ldap

import (
	"bytes"
	"strings"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/smb"
)

// login notes who says to be whom in a bind, and a password in the clear.
func (p *Parser) login(m *Message) {
	if m.Op != BindRequest || m.Bare {
		return
	}
	p.claimed = ""
	switch {
	case m.Simple && len(m.Password) > 0:
		p.claimed = userOf(m.DN)
		p.Note(p.claimed)
	case bytes.EqualFold(m.Mechanism, []byte("PLAIN")):
		// authzid, authcid, password (RFC 4616)
		if parts := bytes.SplitN(m.Credentials, []byte{0}, 3); len(parts) == 3 {
			p.claimed = userOf(parts[1])
			p.Note(p.claimed)
		}
	case m.HasCreds:
		p.claimed = smb.NTLMUser(m.Credentials)
	}
}

// answered goes on with a bind that is answered.
func (p *Parser) answered(t *Transaction, m *Message) {
	if m.Op != BindResponse || !m.HasResult || t.Request == nil || t.Request.Op != BindRequest {
		return
	}
	switch m.Result {
	case 0:
		p.user = p.claimed
		p.layered = layers(t.Request.Mechanism)
	case saslInProgress:
		return
	}
	p.claimed = ""
}

// saslInProgress is the code of an answer to a step of a login (RFC 4511 §4.2.2).
const saslInProgress = 14

// layers reports whether what follows a login by a mechanism may be signed or
// encrypted.
func layers(mechanism []byte) bool {
	for _, m := range []string{"", "PLAIN", "LOGIN", "ANONYMOUS", "EXTERNAL"} {
		if strings.EqualFold(string(mechanism), m) {
			return false
		}
	}
	return true
}

// User implements protocol.Login: the name of the bind that the server has taken,
// without its domain or the rest of its entry's name.
func (p *Parser) User(*protocol.Tx) string { return p.user }

// userOf gives the name in what somebody binds as: "uid=jdoe,ou=people,dc=example",
// "EXAMPLE\jdoe", "jdoe@example.com" or "jdoe".
func userOf(b []byte) string {
	s := protocol.UserName(b)
	if i := strings.IndexByte(s, '='); i >= 0 {
		return firstValue(s[i+1:])
	}
	if i := strings.IndexByte(s, '\\'); i >= 0 {
		s = s[i+1:]
	}
	name, _, _ := strings.Cut(s, "@")
	return name
}

// firstValue gives the value that s begins with, up to the next part of a name (RFC
// 4514 §2.4). Escapes of single characters are undone.
func firstValue(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
			out.WriteByte(s[i])
		case c == ',' || c == '+' || c == ';':
			return strings.TrimSpace(out.String())
		default:
			out.WriteByte(c)
		}
	}
	return strings.TrimSpace(out.String())
}
