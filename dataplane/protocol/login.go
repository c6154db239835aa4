package protocol

import (
	"bytes"
	"encoding/base64"
)

// Login is implemented by parsers that know who has logged in. A name counts once
// the server has let its owner in: what is only claimed is nobody's. Passwords are
// kept nowhere.
type Login interface {
	// User gives the name under which the client of a transaction has logged in;
	// empty where that is not known.
	User(tx *Tx) string
}

// ClearLogin is implemented by parsers of protocols in which passwords may go in the
// clear.
type ClearLogin interface {
	// ClearPassword tells whether a client has sent a password in the clear, and under
	// which name it did so first; empty where that is not known.
	ClearPassword() (user string, seen bool)
}

// Cleartext notes the first password that a client sends in the clear. Of the password
// itself nothing is kept.
type Cleartext struct {
	user string
	seen bool
}

// Note takes a password of user.
func (c *Cleartext) Note(user string) {
	if !c.seen {
		c.user, c.seen = user, true
	}
}

// ClearPassword implements ClearLogin.
func (c *Cleartext) ClearPassword() (user string, seen bool) { return c.user, c.seen }

// maxUser bounds a name, in bytes.
const maxUser = 256

// UserName gives a name as it is told, empty for what is none: control characters
// could be taken for something else where it is shown.
func UserName(b []byte) string {
	if len(b) > maxUser || bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return ""
	}
	return string(b)
}

// PlainUser gives the name of a login by SASL's PLAIN (RFC 4616), as sent in
// base64; empty for what is none.
func PlainUser(b64 []byte) string {
	parts := bytes.Split(decoded(b64), []byte{0})
	if len(parts) != 3 {
		return ""
	}
	return UserName(parts[1])
}

// LoginUser gives a name as sent by SASL's LOGIN, in base64; empty for what is none.
func LoginUser(b64 []byte) string { return UserName(decoded(b64)) }

func decoded(b64 []byte) []byte {
	b64 = bytes.TrimSpace(b64)
	if len(b64) > 4*maxUser {
		return nil
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(b64)))
	n, err := base64.StdEncoding.Decode(out, b64)
	if err != nil {
		return nil
	}
	return out[:n]
}

// Steps follows a login by SASL as far as to tell which of its steps brings a password
// in the clear: the first of PLAIN (RFC 4616), the second of LOGIN. The zero value
// waits for none.
type Steps struct{ left uint8 }

// Begin takes the mechanism's name.
func (s *Steps) Begin(mech []byte) {
	switch {
	case bytes.EqualFold(mech, []byte("PLAIN")):
		s.left = 1
	case bytes.EqualFold(mech, []byte("LOGIN")):
		s.left = 2
	default:
		s.left = 0
	}
}

// Step takes what the client sends next, in base64, and reports whether it is the
// password. A client gives up with an asterisk.
func (s *Steps) Step(b64 []byte) bool {
	if s.left == 0 {
		return false
	}
	b64 = bytes.TrimSpace(b64)
	if string(b64) == "*" {
		s.left = 0
		return false
	}
	s.left--
	return s.left == 0 && len(b64) > 0 && string(b64) != "="
}
