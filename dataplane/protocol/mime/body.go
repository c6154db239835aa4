package mime

import (
	"bytes"
	"strings"

	"sluice/dataplane/protocol"
)

// readPartHeader collects a part's header, line by line, since a delimiter may
// cut it short.
func (r *Reader) readPartHeader(env *protocol.Env, data []byte) (rest []byte) {
	n := bytes.IndexByte(data, '\n') + 1
	whole := n > 0
	if !whole {
		n = len(data)
	}
	if room := env.Limits.MaxHeader - len(r.block) - len(r.line); n > room {
		// What goes on after so long a header is its body for us.
		r.event("mime_long_header_value")
		n = max(room, 0)
		r.block = append(append(r.block, r.line...), data[:n]...)
		r.line = r.line[:0]
		r.startPart(env)
		return data[n:]
	}
	r.line = append(r.line, data[:n]...)
	data = data[n:]
	if !whole {
		return data
	}
	line := trimEOL(r.line)
	if at, end := r.delimiter(line); at >= 0 {
		r.line = r.line[:0]
		if r.startPart(env); !r.tooMany {
			r.boundary(env, at, end)
		}
		return data
	}
	r.block = append(r.block, r.line...)
	r.line = r.line[:0]
	if len(line) == 0 {
		r.startPart(env)
	}
	return data
}

// startPart begins the part whose header has been collected.
func (r *Reader) startPart(env *protocol.Env) {
	h, broken := parseHeader(r.block)
	r.block = r.block[:0]
	if broken {
		r.event("mime_malformed_msg")
	}
	r.mode = modeBody
	r.root.parts++
	if r.root.parts > env.Limits.MaxParts {
		// The rest is one text, delimiters included.
		r.tooMany = true
		r.bounds = nil
		r.event("mime_parse_failed")
		r.obj = r.open(env, &protocol.Object{Kind: protocol.KindText, ContentType: "text/plain", Unscannable: "too-large"})
		r.dec, r.plain = decoder{}, true
		return
	}
	r.startBody(env, h)
}

// startBody begins the content that header h describes.
func (r *Reader) startBody(env *protocol.Env, h Header) {
	r.mode, r.eol, r.inLine, r.col = modeBody, 0, false, 0
	r.dec, r.plain = decoder{}, false
	declared := h.Get("Content-Type")
	ctype, params := Parameters(declared)
	limit := env.Limits.MaxMIMEDepth
	if limit == 0 {
		limit = defaultMaxDepth
	}
	unscannable := ""
	deep := r.depth+len(r.bounds) >= limit
	if strings.HasPrefix(ctype, "multipart/") {
		b := params["boundary"]
		switch {
		case b == "":
			r.event("mime_malformed_msg")
		case deep:
			unscannable = "too-deep"
		default:
			if len(b) > maxBoundary {
				r.event("mime_long_boundary")
				b = b[:maxBoundary]
			}
			r.bounds = append(r.bounds, strings.TrimRight(b, " \t"))
			r.mode = modePreamble
			return
		}
	}
	disposition, dparams := Parameters(h.Get("Content-Disposition"))
	name := dparams["filename"]
	if name == "" {
		name = params["name"]
	}
	switch strings.ToLower(firstWord(h.Get("Content-Transfer-Encoding"))) {
	case "base64":
		r.dec.enc = base64
	case "quoted-printable":
		r.dec.enc = quotedPrintable
	case "uuencode", "x-uuencode", "x-uue", "uue":
		r.dec.enc = uuencode
	}
	attachment := name != "" || disposition == "attachment"
	if attachment && len(r.root.attachments) < maxFields {
		if name != "" {
			r.root.attachments = append(r.root.attachments, name)
		}
	}
	if ctype == "message/rfc822" || ctype == "message/global" {
		if !deep {
			r.child = NewReader(Options{Tx: r.opt.Tx, Dir: r.opt.Dir, Whole: attachment, Name: name, Kind: protocol.KindAttachment})
			r.child.depth = r.depth + len(r.bounds) + 1
			r.child.root = r.root
			return
		}
		unscannable = "too-deep"
	}
	o := &protocol.Object{Kind: protocol.KindText, Name: name, ContentType: declared, Unscannable: unscannable}
	switch {
	case attachment:
		o.Kind, o.File = protocol.KindAttachment, true
	case ctype != "" && !strings.HasPrefix(ctype, "text/") && !strings.HasPrefix(ctype, "multipart/"):
		o.Kind = protocol.KindAttachment
	default:
		r.plain = true
	}
	r.obj = r.open(env, o)
}

func firstWord(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.IndexAny(s, " \t;("); i >= 0 {
		s = s[:i]
	}
	return s
}

// readBody passes content on, up to a delimiter. Delimiters are whole lines
// that begin with two hyphens; the line end before one belongs to it, so that
// the last line end is always held back (RFC 2046 §5.1.1).
func (r *Reader) readBody(env *protocol.Env, data []byte) (rest []byte) {
	if len(r.bounds) == 0 && r.mode == modeBody {
		r.flushEOL(env)
		r.content(env, data)
		return nil
	}
	if !r.inLine {
		return r.delimiterLine(env, data)
	}
	// Within a line: go on to the next line that begins with a hyphen. A line
	// end was held back only at the end of earlier bytes.
	if r.eol != 0 {
		switch {
		case r.eol == 3 && data[0] == '\n':
			r.eol = 2
			r.inLine = false
			return data[1:]
		case r.eol == 3:
			r.flushEOL(env)
		}
	}
	n := bytes.Index(data, lineHyphen) + 1
	if n == 0 {
		n = len(data)
	}
	r.hold(env, data[:n])
	return data[n:]
}

var lineHyphen = []byte("\n-")

// hold passes b on but keeps its line end back.
func (r *Reader) hold(env *protocol.Env, b []byte) {
	n := len(b)
	switch {
	case n >= 2 && b[n-2] == '\r' && b[n-1] == '\n':
		r.content(env, b[:n-2])
		r.eol, r.inLine = 2, false
	case b[n-1] == '\n':
		r.content(env, b[:n-1])
		r.eol, r.inLine = 1, false
	case b[n-1] == '\r':
		r.content(env, b[:n-1])
		r.eol = 3
	default:
		r.content(env, b)
	}
}

// delimiterLine looks at a line's beginning: kept while it may be a delimiter.
func (r *Reader) delimiterLine(env *protocol.Env, data []byte) (rest []byte) {
	if len(r.line) == 0 && data[0] != '-' || len(r.line) == 1 && data[0] != '-' {
		return r.noDelimiter(env, data)
	}
	n := bytes.IndexByte(data, '\n') + 1
	whole := n > 0
	if !whole {
		n = len(data)
	}
	if len(r.line)+n > maxDelimiterLine {
		return r.noDelimiter(env, data)
	}
	r.line = append(r.line, data[:n]...)
	data = data[n:]
	if !whole {
		if len(r.line) >= 2 && r.line[1] != '-' {
			return r.noDelimiter(env, data)
		}
		return data
	}
	at, end := r.delimiter(trimEOL(r.line))
	if at < 0 {
		line := r.line
		r.flushEOL(env)
		r.line = r.line[:0]
		r.hold(env, line)
		return data
	}
	r.eol = 0
	r.line = r.line[:0]
	r.boundary(env, at, end)
	return data
}

// noDelimiter goes on within a line that is content.
func (r *Reader) noDelimiter(env *protocol.Env, data []byte) []byte {
	r.flushEOL(env)
	r.inLine = true
	if line := r.line; len(line) > 0 {
		r.line = r.line[:0]
		r.hold(env, line)
	}
	return data
}

func (r *Reader) flushEOL(env *protocol.Env) {
	switch r.eol {
	case 1:
		r.content(env, crlf[1:])
	case 2:
		r.content(env, crlf)
	case 3:
		r.content(env, crlf[:1])
	}
	r.eol = 0
}

var crlf = []byte("\r\n")

// delimiter finds the open multipart that line delimits, innermost first, -1
// for none; end tells that it closes it.
func (r *Reader) delimiter(line []byte) (at int, end bool) {
	if len(line) < 3 || line[0] != '-' || line[1] != '-' {
		return -1, false
	}
	line = bytes.TrimRight(line[2:], " \t")
	for i := len(r.bounds) - 1; i >= 0; i-- {
		b := r.bounds[i]
		if len(line) >= len(b) && string(line[:len(b)]) == b {
			switch tail := line[len(b):]; {
			case len(tail) == 0:
				return i, false
			case string(tail) == "--":
				return i, true
			}
		}
	}
	return -1, false
}

// boundary ends the current part at a delimiter of the multipart at.
func (r *Reader) boundary(env *protocol.Env, at int, end bool) {
	r.endPart(env, protocol.ObjectClosed)
	r.inLine = false
	if end {
		r.bounds = r.bounds[:at]
		r.mode = modePreamble
		if len(r.bounds) == 0 {
			r.bounds = append(r.bounds, "\x00") // an epilogue still goes line by line
		}
		return
	}
	r.bounds = r.bounds[:at+1]
	r.mode = modePartHeader
	r.block = r.block[:0]
}

// content gives bytes of the current part, still encoded.
func (r *Reader) content(env *protocol.Env, b []byte) {
	if len(b) == 0 {
		return
	}
	if r.mode == modePreamble {
		r.strayText(env, b)
		return
	}
	if r.dec.enc == identity {
		r.lineLength(b)
		r.emit(env, b)
		return
	}
	scratch := scratchPool.Get().(*[8192]byte)
	for len(b) > 0 {
		var out []byte
		out, b = r.dec.decode(scratch[:0], b)
		r.nameUU()
		r.emit(env, out)
	}
	scratchPool.Put(scratch)
}

// nameUU lists the name that a uuencoded part tells by itself.
func (r *Reader) nameUU() {
	if r.dec.uuName != "" && r.obj != nil && r.obj.Name == "" {
		if len(r.root.attachments) < maxFields {
			r.root.attachments = append(r.root.attachments, r.dec.uuName)
		}
		r.obj.Name = r.dec.uuName
	}
}

// lineLength notes lines that are longer than RFC 5322 §2.1.1 allows.
func (r *Reader) lineLength(b []byte) {
	for r.col >= 0 {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			r.col += len(b)
		} else {
			r.col += i
		}
		if r.col > maxLine+1 {
			r.event("mime_long_line")
			r.col = -1
			return
		}
		if i < 0 {
			return
		}
		r.col, b = 0, b[i+1:]
	}
}

func (r *Reader) emit(env *protocol.Env, b []byte) {
	if len(b) == 0 {
		return
	}
	if r.child != nil {
		r.child.Write(env, b)
		return
	}
	give(env, r.obj, b)
	if r.plain {
		r.readText(env, b)
	}
}

// strayText gives what stands before the first and after the last delimiter,
// unless it is empty space: readers do not show it, but it leaves all the same.
func (r *Reader) strayText(env *protocol.Env, b []byte) {
	if r.obj == nil {
		if b = bytes.TrimLeft(b, " \t\r\n"); len(b) == 0 {
			return
		}
		r.dec, r.plain = decoder{}, false
		r.obj = r.open(env, &protocol.Object{Kind: protocol.KindText, Name: "preamble", ContentType: "text/plain"})
	}
	give(env, r.obj, b)
}

// endPart ends the current part and its object.
func (r *Reader) endPart(env *protocol.Env, state protocol.ObjectState) {
	if r.dec.enc != identity && (r.obj != nil || r.child != nil) {
		scratch := scratchPool.Get().(*[8192]byte)
		r.emit(env, r.dec.finish(scratch[:0]))
		scratchPool.Put(scratch)
		switch {
		case r.dec.invalid && r.dec.enc == base64:
			r.event("mime_invalid_base64")
		case r.dec.invalid && r.dec.enc == quotedPrintable:
			r.event("mime_invalid_qp")
		}
		if r.dec.long {
			r.event("mime_long_enc_line")
		}
	}
	if r.plain {
		r.endText(env, state)
	}
	if r.child != nil {
		r.child.Close(env, state == protocol.ObjectTruncated)
		r.child = nil
	}
	closeObject(env, &r.obj, state)
	r.dec, r.plain = decoder{}, false
}
