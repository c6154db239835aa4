// Package mime reads mails (RFC 5322, RFC 2045 to 2049, RFC 2231) as their
// bytes come: headers, nested multiparts, attached messages and transfer
// encodings. It takes the bytes of one message and gives its parts as objects;
// it knows nothing of how the message was carried.
//
// It is our own because inspection has to be incremental, bounded and tolerant:
// content that some mail program would show must be seen, however wrong the
// message is.
package mime

import (
	"bytes"
	"hash"
	"sync"

	"sluice/dataplane/protocol"
)

// mode is what the reader's next bytes are.
type mode uint8

const (
	modeHeader mode = iota // of the message
	modePartHeader
	modeBody
	modePreamble // and epilogue: text that belongs to no part
)

const (
	// maxBoundary bounds a delimiter; RFC 2046 allows 70 characters.
	maxBoundary = 254
	// maxDelimiterLine bounds a line that may be a delimiter: two hyphens each
	// side, the boundary and some white space.
	maxDelimiterLine = maxBoundary + 68
	defaultMaxDepth  = 16
)

// Options tell the reader what the message belongs to.
type Options struct {
	Tx  *protocol.Tx
	Dir protocol.Dir
	// Whole gives the message itself as an object too, as a container of what
	// is found in it, under Name or a name made from its subject.
	Whole bool
	Name  string
	Kind  protocol.ObjectKind
	// Digest, where one is given, is written what follows the header.
	Digest hash.Hash
}

// Reader reads one message. It belongs to one flow. The zero value is not
// ready; use NewReader.
type Reader struct {
	opt    Options
	depth  int // enclosing multiparts and messages
	root   *Reader
	mode   mode
	header Header
	ready  bool

	block []byte // header block being collected, line ends included
	over  bool   // the block exceeded its limit: the rest only goes to text
	text  *protocol.Object
	whole *protocol.Object

	bounds  []string // delimiters of the open multiparts, outermost first
	line    []byte   // a line that may be a delimiter, or an unfinished header line
	inLine  bool     // within a body line that is no delimiter
	eol     uint8    // line end held back: 0, 1 "\n", 2 "\r\n", 3 "\r"
	col     int      // length of the current header or body line
	tooMany bool

	// The current part.
	obj   *protocol.Object
	child *Reader
	dec   decoder
	plain bool // text, to be looked through for URLs and files
	lines textLines

	// Of the whole message: kept by the root.
	parts       int
	urls        urls
	attachments []string
	closed      bool
}

// NewReader makes a reader for one message.
func NewReader(opt Options) *Reader {
	r := &Reader{opt: opt}
	r.root = r
	return r
}

// Header gives the message's header once HeaderDone reports true.
func (r *Reader) Header() Header { return r.header }

// HeaderDone reports whether the header has been read.
func (r *Reader) HeaderDone() bool { return r.ready }

// URLs gives the distinct URLs found in text parts so far, in order.
func (r *Reader) URLs() []string { return r.urls.list }

// Attachments gives the names of attachments seen so far, in order.
func (r *Reader) Attachments() []string { return r.attachments }

var scratchPool = sync.Pool{New: func() any { return new([8192]byte) }}

// Write takes the next bytes of the message. They are not kept.
func (r *Reader) Write(env *protocol.Env, data []byte) {
	if r.closed {
		return
	}
	if r.whole != nil {
		give(env, r.whole, data)
	}
	digest := r.opt.Digest
	for len(data) > 0 {
		if digest != nil && r.mode != modeHeader {
			digest.Write(data) // all that is left of it
			digest = nil
		}
		switch r.mode {
		case modeHeader:
			data = r.readHeader(env, data)
		case modePartHeader:
			data = r.readPartHeader(env, data)
		default:
			data = r.readBody(env, data)
		}
	}
}

// Gap tells that n bytes of the message are missing.
func (r *Reader) Gap(env *protocol.Env, n uint64) {
	if r.closed {
		return
	}
	for _, o := range []*protocol.Object{r.whole, r.obj} {
		if o != nil {
			env.Objects.ObjectGap(o, n)
		}
	}
	if r.child != nil {
		r.child.Gap(env, n)
	}
	r.eol, r.inLine = 0, true
	r.line = r.line[:0]
}

// Close ends the message: complete, or truncated when more should have come.
func (r *Reader) Close(env *protocol.Env, truncated bool) {
	if r.closed {
		return
	}
	switch r.mode {
	case modeHeader:
		if len(r.block) > 0 || r.over || r.opt.Whole && !truncated {
			// A message may be all header.
			r.endHeader(env)
		}
	case modePartHeader:
		if len(r.line) > 0 {
			if at, end := r.delimiter(trimEOL(r.line)); at >= 0 {
				r.line = r.line[:0]
				r.boundary(env, at, end)
			} else {
				r.block = append(r.block, r.line...)
				r.line = r.line[:0]
			}
		}
		if r.mode == modePartHeader {
			r.startPart(env)
		}
	}
	if r.mode == modeBody || r.mode == modePreamble {
		if at, end := r.delimiter(trimEOL(r.line)); len(r.line) > 0 && at >= 0 {
			r.eol, r.line = 0, nil
			r.boundary(env, at, end)
		} else {
			r.flushEOL(env)
			r.content(env, r.line)
			r.line = nil
		}
	}
	state := protocol.ObjectClosed
	if truncated {
		state = protocol.ObjectTruncated
	}
	r.endPart(env, state)
	closeObject(env, &r.whole, state)
	r.closed = true
	r.block, r.line, r.bounds = nil, nil, nil
}

func (r *Reader) event(name string) { r.opt.Tx.AddEvent(name) }

// open begins an object of the message.
func (r *Reader) open(env *protocol.Env, o *protocol.Object) *protocol.Object {
	o.Tx, o.Dir = r.opt.Tx, r.opt.Dir
	if o.Kind == protocol.KindAttachment {
		o.RuleLimit = env.Limits.Mail.Rules
	}
	env.Objects.OpenObject(o)
	return o
}

func give(env *protocol.Env, o *protocol.Object, data []byte) {
	if o != nil && len(data) > 0 {
		env.Objects.ObjectData(o, data)
	}
}

func closeObject(env *protocol.Env, o **protocol.Object, state protocol.ObjectState) {
	if *o == nil {
		return
	}
	env.Objects.CloseObject(*o, state)
	*o = nil
}

// readHeader collects the message's header block to the empty line.
func (r *Reader) readHeader(env *protocol.Env, data []byte) (rest []byte) {
	for len(data) > 0 {
		n := bytes.IndexByte(data, '\n') + 1
		whole := n > 0
		if !whole {
			n = len(data)
		}
		r.col += len(bytes.Trim(data[:n], "\r\n"))
		wasOver := r.over
		r.keepHeader(env, data[:n])
		data = data[n:]
		if r.over && !wasOver {
			give(env, r.whole, data)
		}
		if !whole {
			return nil
		}
		if r.col == 0 {
			wasOver = r.over
			r.endHeader(env)
			if !wasOver {
				give(env, r.whole, data)
			}
			return data
		}
		r.col = 0
	}
	return nil
}

// keepHeader keeps bytes of the header; past the limit they only go on to the
// objects, as text.
func (r *Reader) keepHeader(env *protocol.Env, b []byte) {
	if !r.over {
		n := min(len(b), max(env.Limits.MaxHeader-len(r.block), 0))
		r.block = append(r.block, b[:n]...)
		b = b[n:]
		if len(b) == 0 {
			return
		}
		r.event("mime_long_header_value")
		r.over = true
		r.openObjects(env)
		give(env, r.whole, b) // later bytes reach it through Write
	}
	give(env, r.text, b)
}

// endHeader reads the header block and begins the body.
func (r *Reader) endHeader(env *protocol.Env) {
	if !r.over {
		r.openObjects(env)
	}
	closeObject(env, &r.text, protocol.ObjectClosed)
	r.line = r.line[:0]
	r.startBody(env, r.header)
	r.block = nil
	if r.mode == modeHeader {
		r.mode = modeBody
	}
}

// openObjects reads the header and gives it, and the message as a whole.
func (r *Reader) openObjects(env *protocol.Env) {
	var broken bool
	r.header, broken = parseHeader(r.block)
	r.ready = true
	if broken {
		r.event("mime_malformed_msg")
	}
	for _, f := range r.header {
		if len(f.Name) > 76 {
			r.event("mime_long_header_name")
		}
		if len(f.Value) > 2000 {
			r.event("mime_long_header_value")
		}
	}
	if r.opt.Whole {
		name := r.opt.Name
		if name == "" {
			name = messageName(r.header)
		}
		r.whole = r.open(env, &protocol.Object{Kind: r.opt.Kind, Name: name, ContentType: "message/rfc822", File: true, Container: true})
		give(env, r.whole, r.block)
	}
	if len(bytes.TrimSpace(r.block)) > 0 {
		r.text = r.open(env, &protocol.Object{Kind: protocol.KindText, Name: "header", ContentType: "text/rfc822-headers"})
		give(env, r.text, readable(r.block, r.header))
	}
}

// messageName makes a file name as mail programs do.
func messageName(h Header) string {
	name := DecodeWords(h.Get("Subject"))
	if name == "" {
		name = h.Get("Message-ID")
	}
	if len(name) > 200 {
		name = name[:200]
	}
	return name + ".eml"
}

// readable gives a header with encoded words as plain text, so that what is
// written in the subject can be found in it.
func readable(block []byte, h Header) []byte {
	if !bytes.Contains(block, []byte("=?")) || len(h) == maxFields {
		return block
	}
	out := make([]byte, 0, len(block))
	for _, f := range h {
		out = append(out, f.Name...)
		out = append(out, ": "...)
		out = append(out, DecodeWords(f.Value)...)
		out = append(out, "\r\n"...)
	}
	return out
}

func trimEOL(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return b
}
