package pgsql

import (
	"bytes"
	"strings"

	"sluice/dataplane/protocol"
)

// HidePassword puts asterisks over what the messages in b have to log in with, and
// over passwords that statements set. b is a piece of a client's bytes, which may
// begin with other things, as packets do, and may end anywhere.
func HidePassword(b []byte) {
	for at := 0; at+5 <= len(b); at++ {
		// A message of type p is shorter than 64 KiB.
		if b[at] != 'p' || b[at+1] != 0 || b[at+2] != 0 {
			continue
		}
		n := int(b[at+3])<<8 | int(b[at+4])
		if n <= 4 {
			continue
		}
		secret := b[at+5 : min(at+1+n, len(b))]
		protocol.Stars(secret)
		at += 4 + len(secret)
	}
	hideWords(b)
}

// hideSecrets is HidePassword for the text of a query.
func hideSecrets(s string) string {
	if !strings.ContainsAny(s, "pP") {
		return s
	}
	b := []byte(s)
	hideWords(b)
	return string(b)
}

const secretWord = "PASSWORD"

// hideWords puts asterisks over the text in quotes that follows the word PASSWORD, as
// in CREATE ROLE and ALTER ROLE.
func hideWords(b []byte) {
	for at := 0; at+len(secretWord) <= len(b); at++ {
		if b[at]|0x20 != 'p' || !bytes.EqualFold(b[at:at+len(secretWord)], []byte(secretWord)) {
			continue
		}
		i := at + len(secretWord)
		for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r' || b[i] == '=' || b[i] == 'E' || b[i] == 'e') {
			i++
		}
		if i == len(b) || b[i] != '\'' {
			continue
		}
		end := i + 1
		for end < len(b) && b[end] != 0 && (b[end] != '\'' || end+1 < len(b) && b[end+1] == '\'') {
			if b[end] == '\'' {
				end++
			}
			end++
		}
		protocol.Stars(b[i+1 : min(end, len(b))])
		at = end
	}
}
