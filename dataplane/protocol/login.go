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
