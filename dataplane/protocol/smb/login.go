package smb

import "sluice/dataplane/protocol"

// maxUsers bounds the sessions of a connection whose users are known.
const maxUsers = 256

// sessionGuest and sessionNull are flags of a session in which nobody in particular
// has logged in (MS-SMB2 §2.2.6).
const (
	sessionGuest = 1
	sessionNull  = 2
)

// User implements protocol.Login: the name alone, without its domain.
func (p *Parser) User(tx *protocol.Tx) string {
	if t, ok := tx.State.(*Transaction); ok {
		return p.users[t.Session]
	}
	return ""
}

// login notes who has logged in to the session of the message in work; somebody
// whose name is not known takes the place of who had.
func (p *Parser) login(t *Transaction) {
	name := protocol.UserName(t.user)
	if name == "" {
		delete(p.users, p.now.session)
		return
	}
	if p.users == nil {
		p.users = map[uint64]string{}
	}
	if _, known := p.users[p.now.session]; known || len(p.users) < maxUsers {
		p.users[p.now.session] = name
	}
}
