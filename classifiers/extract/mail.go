package extract

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/quotedprintable"
	"path"
	"strings"
)

// mailWords decodes the encoded words of RFC 2047 in any charset that is known.
var mailWords = mime.WordDecoder{CharsetReader: func(label string, r io.Reader) (io.Reader, error) {
	b, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return nil, err
	}
	return bytes.NewReader(toUTF8(b, label)), nil
}}

func mailHeader(v string) string {
	if s, err := mailWords.DecodeHeader(v); err == nil {
		return s
	}
	return toText(v)
}

// mail reads a message (RFC 5322) with all its parts (RFC 2045 to 2049).
func (w *walker) mail(o *object) error {
	b, err := w.bytes(o)
	if err != nil {
		return err
	}
	return w.entity(o, b, 0, "")
}

// splitHeader cuts a message into header fields, unfolded, and body. It is
// lenient: a line that is no field ends the header only when it is empty.
func splitHeader(b []byte) ([][2]string, []byte) {
	var fields [][2]string
	b = bytes.TrimLeft(b, "\r\n")
	for len(b) > 0 && len(fields) < 2000 {
		line, rest, found := bytes.Cut(b, []byte("\n"))
		line = bytes.TrimRight(line, "\r")
		if len(line) == 0 {
			b = rest
			break
		}
		if line[0] == ' ' || line[0] == '\t' {
			if n := len(fields); n > 0 && len(fields[n-1][1]) < 256<<10 {
				fields[n-1][1] += " " + string(bytes.TrimSpace(line))
			}
		} else if k, v, ok := bytes.Cut(line, []byte(":")); ok && len(k) > 0 && bytes.IndexByte(bytes.TrimRight(k, " "), ' ') < 0 {
			fields = append(fields, [2]string{string(bytes.TrimSpace(k)), string(bytes.TrimSpace(v))})
		} else if len(fields) == 0 && bytes.HasPrefix(line, []byte("From ")) {
			// The envelope line of a mailbox.
		} else {
			break
		}
		b = rest
		if !found {
			b = nil
		}
	}
	return fields, b
}

func field(fields [][2]string, name string) string {
	for _, f := range fields {
		if strings.EqualFold(f[0], name) {
			return f[1]
		}
	}
	return ""
}

// asciiLower lowers letters and leaves every byte in its place, which
// strings.ToLower does not for what is not UTF-8.
func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// entity reads one MIME entity; level counts multiparts inside multiparts of
// the same message.
func (w *walker) entity(o *object, b []byte, level int, sub string) error {
	if level > 20 {
		w.unscannable(o.path, TooDeep)
		return nil
	}
	if err := w.clock(); err != nil {
		return err
	}
	fields, body := splitHeader(b)
	if level == 0 {
		t := w.open(o, sub, Metadata)
		for _, f := range fields {
			t.kv(f[0], mailHeader(f[1]))
		}
		if err := t.close(); err != nil {
			return err
		}
	}
	typ, params, err := mime.ParseMediaType(field(fields, "Content-Type"))
	if typ == "" || err != nil && params == nil {
		typ, _, _ = strings.Cut(strings.ToLower(field(fields, "Content-Type")), ";")
		typ = strings.TrimSpace(typ)
		params = map[string]string{"charset": charsetParam(field(fields, "Content-Type"))}
		if i := strings.Index(asciiLower(field(fields, "Content-Type")), "boundary="); i >= 0 {
			bd := field(fields, "Content-Type")[i+len("boundary="):]
			bd, _, _ = strings.Cut(bd, ";")
			params["boundary"] = strings.Trim(bd, "\" \t")
		}
	}
	if strings.HasPrefix(typ, "multipart/") && params["boundary"] != "" {
		if typ == "multipart/encrypted" {
			w.unscannable(o.path, Encrypted)
		}
		return w.multipart(o, body, params["boundary"], level, sub)
	}
	data, derr := w.transferDecode(field(fields, "Content-Transfer-Encoding"), body)
	if derr != nil {
		return w.settle(o.path, derr)
	}
	name := mailHeader(params["name"])
	if _, dp, err := mime.ParseMediaType(field(fields, "Content-Disposition")); err == nil && dp["filename"] != "" {
		name = mailHeader(dp["filename"])
	}
	if name == "" {
		if l := field(fields, "Content-Location"); l != "" && level > 0 {
			name = path.Base(l)
		}
	}
	switch {
	case (typ == "" || typ == "text/plain") && name == "" && looksText(data[:min(len(data), headSize)]):
		t := w.open(o, sub, Text)
		t.write(toUTF8(data, params["charset"]))
		return t.close()
	case name == "" && typ == "message/rfc822":
		name = "message.eml"
	case name == "":
		name = "part-" + itoa(level)
		if typ == "text/html" {
			name = "body.html"
		} else if _, e, ok := strings.Cut(typ, "/"); ok && len(e) <= 5 {
			name += "." + e
		}
	}
	if len(data) == 0 {
		return nil
	}
	hint := typ
	if c := params["charset"]; c != "" {
		hint += "; charset=" + c
	}
	return w.nested(o, path.Join(sub, name), hint, data)
}

// multipart cuts a body at its boundary. The preamble and what follows the
// last boundary are text too: a reader may not see them, a receiver can.
func (w *walker) multipart(o *object, body []byte, boundary string, level int, sub string) error {
	delim := []byte("--" + boundary)
	var parts [][]byte
	at, start := 0, -1
	pre, post := body, []byte(nil)
	for at <= len(body) && len(parts) < w.lim.MaxEntries {
		i := bytes.Index(body[at:], delim)
		if i < 0 {
			break
		}
		i += at
		if i > 0 && body[i-1] != '\n' {
			at = i + len(delim)
			continue
		}
		end := i
		if end > 0 {
			end--
			if end > 0 && body[end-1] == '\r' {
				end--
			}
		}
		if start >= 0 {
			parts = append(parts, body[start:max(start, end)])
		} else {
			pre = body[:end]
		}
		at = i + len(delim)
		if bytes.HasPrefix(body[at:], []byte("--")) {
			start, post = -1, body[at+2:]
			break
		}
		j := bytes.IndexByte(body[at:], '\n')
		if j < 0 {
			start = len(body)
			break
		}
		at += j + 1
		start = at
	}
	if start >= 0 && start < len(body) {
		parts = append(parts, body[start:])
	}
	for _, free := range [][]byte{pre, post} {
		if text := bytes.TrimSpace(free); len(text) > 0 {
			if err := w.say(o, sub, Hidden, string(toUTF8(text, ""))); err != nil {
				return err
			}
		}
	}
	for _, p := range parts {
		if len(bytes.TrimSpace(p)) == 0 {
			continue
		}
		// A part without header fields begins with an empty line.
		if p[0] == '\n' || p[0] == '\r' {
			p = append([]byte("Content-Type: text/plain\r\n\r\n"), p...)
		}
		if err := w.entity(o, p, level+1, sub); err != nil {
			return err
		}
	}
	return nil
}

// transferDecode undoes a Content-Transfer-Encoding, leniently.
func (w *walker) transferDecode(enc string, b []byte) ([]byte, error) {
	switch strings.ToLower(strings.TrimSpace(enc)) {
	case "base64":
		r := base64.NewDecoder(base64.StdEncoding, bytes.NewReader(b))
		out, err := io.ReadAll(r)
		if err != nil {
			out = lenientBase64(b)
		}
		return out, w.charge(len(out))
	case "quoted-printable":
		out, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(b)))
		if err != nil {
			out = lenientQP(b)
		}
		return out, w.charge(len(out))
	case "x-uuencode", "uuencode", "x-uue":
		out := uudecode(b)
		return out, w.charge(len(out))
	}
	return b, nil
}

// charge counts bytes that were decoded outside of unpack.
func (w *walker) charge(n int) error {
	w.res.Bytes += int64(n)
	if w.res.Bytes > w.lim.MaxBytes {
		return errTooLarge
	}
	return nil
}

func lenientQP(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '=' {
			out = append(out, b[i])
			continue
		}
		if i+2 < len(b) {
			hi, lo := unhex(b[i+1]), unhex(b[i+2])
			if hi >= 0 && lo >= 0 {
				out = append(out, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		j := i + 1
		for j < len(b) && (b[j] == ' ' || b[j] == '\t' || b[j] == '\r') {
			j++
		}
		if j < len(b) && b[j] == '\n' {
			i = j
			continue
		}
		out = append(out, '=')
	}
	return out
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func uudecode(b []byte) []byte {
	var out []byte
	started := false
	for len(b) > 0 {
		var line []byte
		line, b, _ = bytes.Cut(b, []byte("\n"))
		line = bytes.TrimRight(line, "\r")
		if !started {
			started = bytes.HasPrefix(line, []byte("begin "))
			continue
		}
		if len(line) == 0 || bytes.Equal(line, []byte("end")) {
			break
		}
		n := int(line[0]-' ') & 0x3f
		line = line[1:]
		for ; len(line) >= 4 && n > 0; line = line[4:] {
			var v uint32
			for _, c := range line[:4] {
				v = v<<6 | uint32((c-' ')&0x3f)
			}
			for k := 16; k >= 0 && n > 0; k -= 8 {
				out = append(out, byte(v>>k))
				n--
			}
		}
	}
	return out
}

// mbox reads a mailbox (RFC 4155) message by message.
func (w *walker) mbox(o *object) error {
	b, err := w.bytes(o)
	if err != nil {
		return err
	}
	for n := 1; len(b) > 0; n++ {
		end := bytes.Index(b[1:], []byte("\nFrom "))
		msg := b
		if end >= 0 {
			msg, b = b[:end+2], b[end+2:]
		} else {
			b = nil
		}
		w.res.Objects++
		if w.res.Objects > w.lim.MaxEntries {
			w.unscannable(o.path, Entries)
			return errEntries
		}
		if err := w.entity(o, msg, 0, itoa(n)); err != nil {
			return err
		}
	}
	return nil
}
