package mime

import (
	"bytes"
	"io"
	"mime"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
)

// Field is one header field. Value is unfolded, without surrounding white
// space, as sent otherwise.
type Field struct {
	Name, Value string
}

// Header is a block of header fields in the order of the message.
type Header []Field

// maxFields bounds the fields of a header that are kept apart.
const maxFields = 1000

// Get gives the first field of a name, whatever its case.
func (h Header) Get(name string) string {
	for i := range h {
		if strings.EqualFold(h[i].Name, name) {
			return h[i].Value
		}
	}
	return ""
}

// Values gives all fields of a name.
func (h Header) Values(name string) []string {
	var list []string
	for i := range h {
		if strings.EqualFold(h[i].Name, name) {
			list = append(list, h[i].Value)
		}
	}
	return list
}

// parseHeader reads a header block. Lines that are no field are skipped, as
// mail programs do; broken tells that there were some.
func parseHeader(block []byte) (h Header, broken bool) {
	for len(block) > 0 && len(h) < maxFields {
		var line []byte
		line, block = cutLine(block)
		if len(line) == 0 {
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			broken = true
			continue
		}
		value := line
		var folded []byte
		for len(block) > 0 && (block[0] == ' ' || block[0] == '\t') {
			var more []byte
			more, block = cutLine(block)
			if folded == nil {
				folded = append(folded, value...)
			}
			// Unfolding removes the line break only (RFC 5322 §2.2.3).
			folded = append(folded, more...)
		}
		if folded != nil {
			value = folded
		}
		i := bytes.IndexByte(value, ':')
		if i <= 0 {
			if len(h) > 0 || !bytes.HasPrefix(line, []byte("From ")) {
				broken = true
			}
			continue
		}
		h = append(h, Field{string(bytes.TrimRight(value[:i], " \t")), string(bytes.Trim(value[i+1:], " \t\r\n"))})
	}
	return h, broken
}

func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return bytes.TrimRight(b, "\r"), nil
	}
	return bytes.TrimRight(b[:i], "\r"), b[i+1:]
}

var words = mime.WordDecoder{CharsetReader: charsetReader}

// charsetReader reads text of a named character set as UTF-8.
func charsetReader(charset string, in io.Reader) (io.Reader, error) {
	e, err := htmlindex.Get(charset)
	if err != nil {
		return in, nil // better some bytes than none
	}
	return e.NewDecoder().Reader(in), nil
}

// DecodeWords gives a field's value with its encoded words (RFC 2047) decoded
// to UTF-8. What cannot be decoded stays as it is.
func DecodeWords(value string) string {
	if !strings.Contains(value, "=?") {
		return value
	}
	if s, err := words.DecodeHeader(value); err == nil {
		return s
	}
	return value
}

// Parameters reads a field like Content-Type: a lower-case value and its
// parameters by lower-case name, the first of each. Continuations, character
// sets and percent-encoding (RFC 2231) and encoded words are resolved. Missing
// quotes and stray semicolons are forgiven.
func Parameters(field string) (value string, params map[string]string) {
	value, rest, _ := strings.Cut(field, ";")
	value = strings.ToLower(strings.TrimSpace(value))
	params = map[string]string{}
	pieces := map[string]string{}
	for n := 0; rest != "" && n < 64; n++ {
		rest = strings.TrimLeft(rest, " \t\r\n;")
		eq := strings.IndexAny(rest, "=;")
		if eq < 0 {
			break
		}
		if rest[eq] == ';' {
			rest = rest[eq+1:]
			continue
		}
		name := strings.ToLower(strings.TrimSpace(rest[:eq]))
		rest = strings.TrimLeft(rest[eq+1:], " \t\r\n")
		var v string
		if strings.HasPrefix(rest, `"`) {
			v, rest = unquote(rest[1:])
		} else {
			end := strings.IndexByte(rest, ';')
			if end < 0 {
				end = len(rest)
			}
			v, rest = strings.TrimSpace(rest[:end]), rest[end:]
		}
		if name == "" {
			continue
		}
		if strings.Contains(name, "*") {
			if _, ok := pieces[name]; !ok {
				pieces[name] = v
			}
		} else if _, ok := params[name]; !ok {
			params[name] = DecodeWords(v)
		}
	}
	for name := range pieces {
		base, _, _ := strings.Cut(name, "*")
		if base != "" {
			if v, ok := join(base, pieces); ok {
				params[base] = v
			}
		}
	}
	return value, params
}

func unquote(s string) (v, rest string) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			// A backslash before anything else is part of a Windows path.
			if i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\') {
				i++
			}
			b.WriteByte(s[i])
		case '"':
			return b.String(), s[i+1:]
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}

// join puts an extended parameter together (RFC 2231 §3 and §4).
func join(base string, pieces map[string]string) (string, bool) {
	if v, ok := pieces[base+"*"]; ok {
		return extended(v), true
	}
	var b strings.Builder
	var charset string
	for i := 0; i < 64; i++ {
		key := base + "*" + strconv.Itoa(i)
		if v, ok := pieces[key+"*"]; ok {
			if i == 0 {
				if parts := strings.SplitN(v, "'", 3); len(parts) == 3 {
					charset, v = parts[0], parts[2]
				}
			}
			b.WriteString(percent(v))
		} else if v, ok := pieces[key]; ok {
			b.WriteString(v)
		} else if i == 0 {
			return "", false
		} else {
			break
		}
	}
	return toUTF8(charset, b.String()), true
}

func extended(v string) string {
	if parts := strings.SplitN(v, "'", 3); len(parts) == 3 {
		return toUTF8(parts[0], percent(parts[2]))
	}
	return percent(v)
}

func toUTF8(charset, s string) string {
	if charset == "" || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "us-ascii") {
		return s
	}
	if e, err := htmlindex.Get(charset); err == nil {
		if out, err := e.NewDecoder().String(s); err == nil {
			return out
		}
	}
	return s
}

func percent(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && unhex(s[i+1]) < 16 && unhex(s[i+2]) < 16 {
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		} else {
			b = append(b, s[i])
		}
	}
	return string(b)
}

// Addresses splits a list of addresses at its commas, outside of quotes,
// comments and angle brackets, and leaves each as it was written.
func Addresses(value string) []string {
	var list []string
	start, depth, quoted, angle := 0, 0, false, false
	add := func(end int) {
		if s := strings.TrimSpace(value[start:end]); s != "" && len(list) < maxFields {
			list = append(list, s)
		}
		start = end + 1
	}
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '\\' && (quoted || depth > 0):
			i++
		case c == '"' && depth == 0:
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == '<':
			angle = true
		case c == '>':
			angle = false
		case (c == ',' || c == ';') && depth == 0 && !angle:
			add(i)
		}
	}
	if start < len(value) {
		add(len(value))
	}
	return list
}
