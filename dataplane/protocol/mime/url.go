package mime

import "bytes"

// Bounds of the URLs kept of a mail.
const (
	maxURLs    = 256
	maxURL     = 2048
	maxURLLine = 4096
)

var schemes = [][]byte{[]byte("http"), []byte("https"), []byte("ftp"), []byte("mailto")}

// urls holds the URLs found in the text parts of a mail.
type urls struct {
	list []string
}

func (u *urls) find(line []byte) {
	at := 0
	for len(u.list) < maxURLs {
		i := bytes.IndexByte(line[at:], ':')
		if i < 0 {
			return
		}
		i += at
		at = i + 1
		start := i
		for start > 0 && i-start < 6 && line[start-1]|0x20 >= 'a' && line[start-1]|0x20 <= 'z' {
			start--
		}
		known := false
		for _, s := range schemes {
			known = known || bytes.EqualFold(line[start:i], s)
		}
		if !known || line[start]|0x20 != 'm' && !bytes.HasPrefix(line[i:], []byte("://")) {
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
		u.add(string(line[start:end]))
	}
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
