package ldap

import (
	"bytes"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/ber"
)

// secretTypes are the attributes that hold passwords.
var secretTypes = []string{"userPassword", "unicodePwd", "dBCSPwd", "sambaNTPassword", "sambaLMPassword", "ntPwdHistory", "lmPwdHistory",
	"ms-Mcs-AdmPwd", "msLAPS-Password", "authPassword"}

// SecretType reports whether an attribute holds passwords. Options after the type,
// ";binary" and the like, change nothing.
func SecretType(name []byte) bool {
	name, _, _ = bytes.Cut(name, []byte{';'})
	for _, s := range secretTypes {
		if len(s) == len(name) && bytes.EqualFold(name, []byte(s)) {
			return true
		}
	}
	return false
}

// clearMechanism reports whether a mechanism of SASL sends a secret as it is.
func clearMechanism(name []byte) bool {
	for _, s := range []string{"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"} {
		if bytes.EqualFold(name, []byte(s)) {
			return true
		}
	}
	return false
}

// HideSecrets puts asterisks over passwords in b: those of binds, those that are
// stored in entries or looked for, and those of the operation that changes them. b is
// a piece of a flow's bytes, which may begin with other things, as packets do, and
// may end anywhere.
func HideSecrets(b []byte) {
	for at := 0; at+2 < len(b); at++ {
		switch ber.Tag(b[at]) {
		case ber.Integer:
			// A bind's version, name and proof.
			if b[at+1] == 1 && b[at+2] >= 1 && b[at+2] <= 4 {
				hideBind(b[at+3:])
			}
		case ber.OctetString:
			h := hider{b[at:]}
			if name := h.take(ber.OctetString); SecretType(name) {
				h.values()
			}
		case ber.Context:
			h := hider{b[at:]}
			if name := h.take(ber.Context); bytes.Equal(name, oidPassword) {
				protocol.Stars(h.take(ctx1))
			}
		}
	}
}

// hideBind is HideSecrets for a bind whose version is before b.
func hideBind(b []byte) {
	h := hider{b}
	if !h.is(ber.OctetString) {
		return
	}
	h.take(ber.OctetString)
	switch {
	case h.is(ctx0):
		protocol.Stars(h.take(ctx0))
	case h.is(ctxC | 3):
		h.enter()
		if h.is(ber.OctetString) && clearMechanism(h.take(ber.OctetString)) {
			protocol.Stars(h.take(ber.OctetString))
		}
	}
}

// hider goes through elements that may be cut short: of what is not there it gives
// what there is.
type hider struct{ b []byte }

func (h *hider) is(tag ber.Tag) bool { return len(h.b) > 0 && ber.Tag(h.b[0]) == tag }

// enter goes into the next element.
func (h *hider) enter() int {
	_, n, size, ok := ber.Head(h.b)
	if !ok || n == 0 {
		h.b = nil
		return 0
	}
	h.b = h.b[n:]
	return size
}

func (h *hider) take(tag ber.Tag) []byte {
	if !h.is(tag) {
		h.b = nil
		return nil
	}
	size := min(h.enter(), len(h.b))
	v := h.b[:size]
	h.b = h.b[size:]
	return v
}

// values hides a set of values, or the one that an attribute is compared with.
func (h *hider) values() {
	if h.is(ber.OctetString) {
		protocol.Stars(h.take(ber.OctetString))
		return
	}
	if !h.is(ber.Set) {
		return
	}
	size := h.enter()
	for in := (hider{h.b[:min(size, len(h.b))]}); in.is(ber.OctetString); {
		protocol.Stars(in.take(ber.OctetString))
	}
}
