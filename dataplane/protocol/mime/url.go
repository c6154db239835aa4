package mime

import (
	"bytes"

	"sluice/dataplane/protocol"
)

// Bounds of the URLs kept of a mail.
const (
	maxURLs    = 256
	maxURL     = 2048
	maxURLLine = 4096
)

// defaultSchemes are those of URLs where Limits name none.
var defaultSchemes = []string{"http", "https", "ftp", "mailto"}

// maxScheme bounds a scheme's length.
const maxScheme = 32

// urls holds the URLs found in the text parts of a mail.
type urls struct {
	list []string
}

// find collects the URLs of a line.
func (u *urls) find(line []byte, l *protocol.MailLimits) {
	schemes := l.Schemes
	if schemes == nil {
		schemes = defaultSchemes
	}
	longest := 0
	for _, s := range schemes {
		longest = max(longest, min(len(s), maxScheme))
	}
	at := 0
	for len(u.list) < maxURLs {
		i := bytes.IndexByte(line[at:], ':')
		if i < 0 {
			return
		}
		i += at
		at = i + 1
		start := i
		for start > 0 && i-start < longest && line[start-1]|0x20 >= 'a' && line[start-1]|0x20 <= 'z' {
			start--
		}
		known := false
		for _, s := range schemes {
			known = known || foldedIs(line[start:i], s)
		}
		if !known || !foldedIs(line[start:i], "mailto") && !bytes.HasPrefix(line[i:], []byte("://")) {
			continue
		}
		end := i + 1
		for end < len(line) && end-start < maxURL && urlByte(line[end]) {
			end++
		}
		for end > i+1 && (line[end-1] == '.' || line[end-1] == ',' || line[end-1] == ';' || line[end-1] == ')') {
			end--
		}
		if end <= i+3 {
			continue
		}
		at = end
		if l.BareURLs && bytes.HasPrefix(line[i:], []byte("://")) {
			start = i + len("://")
		}
		u.add(string(line[start:end]))
	}
}

// foldedIs reports whether b is s, which is in lower case, whatever b's case.
func foldedIs(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if c|0x20 != s[i] {
			return false
		}
	}
	return true
}

func (u *urls) add(s string) {
	for _, have := range u.list {
		if have == s {
			return
		}
	}
	u.list = append(u.list, s)
}

func urlByte(c byte) bool {
	return c > 0x20 && c < 0x7f && c != '"' && c != '<' && c != '>' && c != '\'' && c != '`' && c != '|' && c != '\\' && c != '^' && c != '{' && c != '}'
}
