package smb

import (
	"bytes"
	"fmt"

	"sluice/dataplane/protocol"
)

// ntlm is what a client says of itself in NTLMSSP's third message (MS-NLMP
// §2.2.1.3).
type ntlm struct {
	domain, user, host string
	version            string
}

var ntlmMagic = []byte("NTLMSSP\x00")

// Flags of NTLMSSP.
const (
	ntlmUnicode = 1
	ntlmVersion = 1 << 25
)

// readNTLM looks for NTLMSSP's third message in a security blob, whatever it is
// wrapped in. broken tells of one that is cut off.
func readNTLM(blob []byte) (n *ntlm, broken bool) {
	i := bytes.Index(blob, ntlmMagic)
	if i < 0 {
		return nil, false
	}
	b := blob[i:]
	if len(b) < 12 || le.Uint32(b[8:]) != 3 {
		return nil, false
	}
	if len(b) < 64 {
		return nil, true
	}
	flags := le.Uint32(b[60:])
	text := func(at int) string {
		return fromText(slice(b, int(le.Uint32(b[at+4:])), int(le.Uint16(b[at:]))), flags&ntlmUnicode != 0)
	}
	n = &ntlm{domain: text(28), user: text(36), host: text(44)}
	if flags&ntlmVersion != 0 && len(b) >= 72 {
		n.version = fmt.Sprintf("%d.%d build %d rev %d", b[64], b[65], le.Uint16(b[66:]), b[71])
	}
	return n, false
}

// NTLMUser gives the user's name of NTLMSSP's third message in a security blob of
// whatever protocol, without its domain; empty where there is none.
func NTLMUser(blob []byte) string {
	if n, _ := readNTLM(blob); n != nil {
		return protocol.UserName([]byte(n.user))
	}
	return ""
}
