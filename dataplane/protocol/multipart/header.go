package multipart

import (
	"bytes"
	"strings"
)

// Header is a part's header. Raw is the parser's until its next
// part; the strings last.
type Header struct {
	// Raw is the header as sent, without the empty line.
	Raw []byte
	// Name and FileName are the Content-Disposition's parameters, unquoted but
	// otherwise as sent; FileName* (RFC 5987) is decoded and wins.
	// HasFileName tells that there is a file name, be it empty.
	Name, FileName string
	HasFileName    bool
	// Disposition is the Content-Disposition's value without parameters.
	Disposition string
	// ContentType is the whole value; without one it is empty.
	ContentType string
	// Encoding is the Content-Transfer-Encoding's value.
	Encoding string

	fields []field
}

type field struct{ name, value string }

// Get gives the first header of that name, in any case, folded lines joined.
func (h *Header) Get(name string) string {
	for i := range h.fields {
		if strings.EqualFold(h.fields[i].name, name) {
			return h.fields[i].value
		}
	}
	return ""
}

// maxFields bounds the header lines kept of one part.
const maxFields = 64

// parse reads header lines. It returns false where a line is none.
func (h *Header) parse(raw []byte) bool {
	*h = Header{Raw: raw, fields: h.fields[:0]}
	ok := true
	text := string(raw)
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		text = rest
		line = strings.TrimRight(line, "\r")
		if line == "" {
			continue
		}
		if (line[0] == ' ' || line[0] == '\t') && len(h.fields) > 0 {
			f := &h.fields[len(h.fields)-1]
			if len(f.value)+len(line) < 8192 {
				f.value += " " + strings.Trim(line, " \t")
			}
			continue
		}
		name, value, found := strings.Cut(line, ":")
		name = strings.Trim(name, " \t")
		if !found || name == "" {
			ok = false
			continue
		}
		if len(h.fields) < maxFields {
			h.fields = append(h.fields, field{name, strings.Trim(value, " \t")})
		}
	}
	h.ContentType = h.Get("Content-Type")
	h.Encoding = h.Get("Content-Transfer-Encoding")
	disposition := h.Get("Content-Disposition")
	h.Disposition, _, _ = strings.Cut(disposition, ";")
	h.Disposition = strings.Trim(h.Disposition, " \t")
	h.Name, _ = Param(disposition, "name")
	h.FileName, h.HasFileName = FileName(disposition)
	if !h.HasFileName {
		if n, ok := Param(h.ContentType, "name"); ok {
			h.FileName, h.HasFileName = n, true
		}
	}
	return ok
}

// FileName gives the file name of a Content-Disposition value: filename* where
// it is well formed (RFC 6266 §4.3), else filename.
func FileName(disposition string) (string, bool) {
	if ext, ok := Param(disposition, "filename*"); ok {
		charset, rest, found := strings.Cut(ext, "'")
		_, value, found2 := strings.Cut(rest, "'")
		if found && found2 {
			if s := unescape(value); s != "" {
				if strings.EqualFold(charset, "iso-8859-1") {
					return latin1(s), true
				}
				return s, true
			}
		}
	}
	return Param(disposition, "filename")
}

// Param gives a parameter of a header value such as Content-Type's boundary,
// name in lower case. It is forgiving: quotes may be missing or not end,
// backslashes escape only quotes and themselves (browsers send Windows paths).
func Param(value, name string) (string, bool) {
	_, rest, ok := cutUnquoted(value)
	for ok {
		var param string
		param, rest, ok = cutUnquoted(rest)
		key, val, found := strings.Cut(param, "=")
		if !found || !strings.EqualFold(strings.Trim(key, " \t\r\n"), name) {
			continue
		}
		val = strings.Trim(val, " \t\r\n")
		if val == "" || val[0] != '"' {
			return val, true
		}
		return unquote(val[1:]), true
	}
	return "", false
}

// cutUnquoted cuts at the first semicolon outside of quotes. more tells that
// there was one.
func cutUnquoted(s string) (before, after string, more bool) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			quoted = !quoted
		case '\\':
			if quoted && i+1 < len(s) && s[i+1] == '"' && strings.IndexByte(s[i+2:], '"') >= 0 {
				i++
			}
		case ';':
			if !quoted {
				return s[:i], s[i+1:], true
			}
		}
	}
	return s, "", false
}

func unquote(s string) string {
	if !strings.Contains(s, `\`) {
		s, _, _ = strings.Cut(s, `"`)
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '"' {
			break
		}
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '\\' || (s[i+1] == '"' && strings.IndexByte(s[i+2:], '"') >= 0)) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func unescape(s string) string {
	var b bytes.Buffer
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if hi, lo := unhex(s[i+1]), unhex(s[i+2]); hi >= 0 && lo >= 0 {
				b.WriteByte(byte(hi<<4 | lo))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|32 >= 'a' && c|32 <= 'f':
		return int(c|32-'a') + 10
	}
	return -1
}

func latin1(s string) string {
	r := make([]rune, len(s))
	for i := range len(s) {
		r[i] = rune(s[i])
	}
	return string(r)
}
