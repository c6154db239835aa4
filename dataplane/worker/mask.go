package worker

import (
	"bytes"
	"math/bits"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/dnp3"
	"sluice/dataplane/protocol/ldap"
	"sluice/dataplane/protocol/mqtt"
	"sluice/dataplane/protocol/pgsql"
	"sluice/dataplane/protocol/sip"
	"sluice/dataplane/protocol/snmp"
	"sluice/events"
)

// masked gives a copy of b in which values that a detector finds are masked, and
// what was sent to log in.
func (w *Worker) masked(b []byte) []byte {
	c := w.in.Classifier
	if c == nil {
		return bytes.Clone(b)
	}
	out, changed := c.Mask(b)
	if !changed {
		out = bytes.Clone(b)
	}
	if w.f != nil {
		MaskLogins(out, w.f.App.Proto())
	}
	return out
}

// maskTexts masks what a detector finds in what an event says of its traffic. All
// texts are looked through in one piece: most have nothing to hide.
func (w *Worker) maskTexts(e *events.Event) {
	c := w.in.Classifier
	if c == nil {
		return
	}
	buf := w.texts[:0]
	e.Texts(false, func(s *string) {
		buf = append(buf, *s...)
		buf = append(buf, '\n')
	})
	w.texts = buf
	if !mayHide(buf) {
		return
	}
	out, changed := c.MaskText(buf)
	if !changed {
		return
	}
	at := 0
	e.Texts(true, func(s *string) {
		if part := out[at : at+len(*s)]; string(part) != *s {
			at += len(*s) + 1
			*s = string(part)
			return
		}
		at += len(*s) + 1
	})
}

// mayHide reports whether a text can hold anything that is masked: a number of
// eight digits, a token, or a name that tells of a secret with a value. It spares
// most events a scan.
func mayHide(b []byte) bool {
	digits, run, inRun := 0, 0, 0 // digits in a number and in a run of letters and digits
	named := false
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			digits, run, inRun = digits+1, run+1, inRun+1
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '+':
			digits, run = 0, run+1
		case c == '%':
			// An escape goes on where it stands.
		case c == ' ' || c == '-' || c == '.' || c == '/':
			run, inRun = 0, 0
		case c == '=' || c == ':':
			named = true
			fallthrough
		default:
			digits, run, inRun = 0, 0, 0
		}
		if digits >= 8 || run >= 16 && inRun > 0 {
			return true
		}
	}
	return named && (hasSecretName(b) || bytes.Contains(b, []byte("://")) && bytes.IndexByte(b, '@') >= 0)
}

// secretNames are what names of secrets have in them; secretFirst has a bit for each
// that begins with a letter.
var (
	secretNames = [...]string{"PASS", "PWD", "SECRET", "TOKEN", "KEY", "AUTH", "CRED"}
	secretFirst = func() (t [256]uint8) {
		for i, name := range secretNames {
			t[name[0]] |= 1 << i
			t[name[0]|0x20] |= 1 << i
		}
		return t
	}()
)

// hasSecretName reports whether one of secretNames is in b, letters folded.
func hasSecretName(b []byte) bool {
	for i := 0; i+2 < len(b); i++ {
		for may := secretFirst[b[i]]; may != 0; may &= may - 1 {
			name := secretNames[bits.TrailingZeros8(may)]
			if b[i+1]&^0x20 == name[1] && i+len(name) <= len(b) && bytes.EqualFold(b[i:i+len(name)], []byte(name)) {
				return true
			}
		}
	}
	return false
}

// MaskLogins replaces passwords of logins in the clear by asterisks: commands of
// FTP (RFC 959), POP3 (RFC 1939, RFC 5034), SMTP (RFC 4954) and IMAP (RFC 9051),
// the CONNECT of MQTT, PostgreSQL's passwords, credentials and keys of SIP, the file
// authentication of DNP3, what LDAP binds with and stores as passwords, and
// communities of SNMP.
// b may begin with a packet's headers.
func MaskLogins(b []byte, proto protocol.ID) {
	switch proto {
	case protocol.FTP, protocol.POP3, protocol.SMTP, protocol.IMAP:
		maskCommands(b, proto)
	case protocol.MQTT:
		mqtt.HidePassword(b)
	case protocol.SIP:
		sip.HideSecrets(b)
	case protocol.PGSQL:
		pgsql.HidePassword(b)
	case protocol.DNP3:
		dnp3.HidePassword(b)
	case protocol.LDAP:
		ldap.HideSecrets(b)
	case protocol.SNMP:
		snmp.HideCommunity(b)
	}
}

// maskCommands is MaskLogins for protocols of lines.
func maskCommands(b []byte, proto protocol.ID) {
	// Lines that follow a command without its argument hold it.
	follow := 0
	for at := 0; at < len(b); {
		end := len(b)
		if i := bytes.IndexByte(b[at:], '\n'); i >= 0 {
			end = at + i
		}
		line := bytes.TrimRight(b[at:end], "\r")
		switch from := secretAfter(line, proto); {
		case from >= 0:
			protocol.Stars(line[from:])
		case follow > 0 && isBase64(line):
			protocol.Stars(line)
			follow--
		case hasSuffixFold(line, "AUTH LOGIN"):
			follow = 2
		case hasSuffixFold(line, "AUTH PLAIN"), hasSuffixFold(line, "AUTHENTICATE PLAIN"):
			follow = 1
		default:
			follow = 0
		}
		at = end + 1
	}
}

// secretAfter gives where the secret of a command line begins, -1 where there is
// none.
func secretAfter(line []byte, proto protocol.ID) int {
	after := func(word string) int {
		if i := indexFold(line, word); i >= 0 && (i == 0 || !isLetter(line[i-1])) {
			return i + len(word)
		}
		return -1
	}
	if proto == protocol.IMAP {
		if i := after("LOGIN "); i >= 0 {
			if j := bytes.IndexByte(line[i:], ' '); j >= 0 {
				return i + j + 1
			}
			return i
		}
		return after("AUTHENTICATE PLAIN ")
	}
	if i := after("AUTH PLAIN "); i >= 0 {
		return i
	}
	if i := after("AUTH LOGIN "); i >= 0 {
		return i
	}
	if proto == protocol.SMTP {
		return -1
	}
	return after("PASS ")
}

func isBase64(line []byte) bool {
	for _, c := range line {
		if !isLetter(c) && (c < '0' || c > '9') && c != '+' && c != '/' && c != '=' {
			return false
		}
	}
	return len(line) > 0
}

func hasSuffixFold(line []byte, word string) bool {
	return len(line) >= len(word) && bytes.EqualFold(line[len(line)-len(word):], []byte(word))
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// indexFold finds an upper-case word in b, letters folded.
func indexFold(b []byte, word string) int {
	for i := 0; i+len(word) <= len(b); i++ {
		if b[i]&^0x20 == word[0] && bytes.EqualFold(b[i:i+len(word)], []byte(word)) {
			return i
		}
	}
	return -1
}
