package sip

import (
	"bytes"

	"sluice/dataplane/protocol"
)

// HideSecrets puts asterisks over what the messages in b have to log in with, and
// over keys of media: credentials, passwords in addresses, keys in descriptions. b
// is a piece of a flow's bytes, which may begin with other things, as packets do,
// and may end anywhere.
func HideSecrets(b []byte) {
	for at := 0; at < len(b); {
		end := len(b)
		if i := bytes.IndexByte(b[at:], '\n'); i >= 0 {
			end = at + i
		}
		hideLine(bytes.TrimSuffix(b[at:end], []byte("\r")))
		at = end + 1
	}
}

func hideLine(line []byte) {
	hideURIs(line)
	if i := indexFold(line, "authorization:"); i >= 0 {
		v := bytes.TrimLeft(line[i+len("authorization:"):], " \t")
		scheme, rest, _ := bytes.Cut(v, []byte(" "))
		if bytes.EqualFold(scheme, []byte("Digest")) {
			from, to := parameterAt(rest, "response")
			protocol.Stars(rest[from:to])
		} else {
			protocol.Stars(rest)
		}
	}
	if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
		// Credentials may go on in a further line.
		from, to := parameterAt(line, "response")
		protocol.Stars(line[from:to])
	}
	hideKey(line)
}

// hideKey hides the key of a line of a description: k= with a key in it (RFC 4566
// §5.12) and the keys of a=crypto (RFC 4568 §9.1). What goes before does not matter.
func hideKey(line []byte) {
	for _, how := range []string{"k=clear:", "k=base64:"} {
		if i := indexFold(line, how); i >= 0 {
			protocol.Stars(line[i+len(how):])
		}
	}
	for rest := line; ; {
		i := indexFold(rest, "inline:")
		if i < 0 {
			return
		}
		rest = rest[i+len("inline:"):]
		n := 0
		for n < len(rest) && rest[n] != '|' && rest[n] != ' ' && rest[n] != ';' {
			n++
		}
		protocol.Stars(rest[:n])
	}
}

// hideURIs hides the passwords of addresses: sip:user:password@host (RFC 3261
// §19.1.1).
func hideURIs(line []byte) {
	for rest := line; ; {
		i := bytes.IndexByte(rest, '@')
		if i < 0 {
			return
		}
		// The address begins after what cannot be in it.
		from := bytes.LastIndexAny(rest[:i], "<>\" \t,;") + 1
		if parts := bytes.SplitN(rest[from:i], []byte(":"), 3); len(parts) == 3 && (bytes.EqualFold(parts[0], []byte("sip")) || bytes.EqualFold(parts[0], []byte("sips"))) {
			protocol.Stars(parts[2])
		}
		rest = rest[i+1:]
	}
}

// indexFold finds a word in lower case in b, letters folded.
func indexFold(b []byte, word string) int {
	for i := 0; i+len(word) <= len(b); i++ {
		if b[i]|0x20 == word[0]|0x20 && bytes.EqualFold(b[i:i+len(word)], []byte(word)) {
			return i
		}
	}
	return -1
}
