// Package multipart splits multipart bodies (RFC 2046 §5.1, multipart/form-data
// of RFC 7578) as bytes arrive. It takes a body in any pieces and gives parts:
// their headers, their content, their end, and what stands outside of parts. It
// keeps no content but what may turn out to be a boundary, and knows nothing of
// the protocol that carries the body or of transfer encodings.
package multipart

import "bytes"

// Handler takes what a Parser finds, during Write and Close. Slices are
// borrowed for the call.
type Handler interface {
	// PartBegin begins a part. h is valid for the call only.
	PartBegin(h *Header)
	// PartData gives the part's next bytes.
	PartData(p []byte)
	// PartEnd ends the part. complete is false when the body ended within it.
	PartEnd(complete bool)
	// Outside gives bytes before the first part or after the last one.
	Outside(p []byte)
}

// Problem is a set of things wrong with a body.
type Problem uint8

// What may be wrong.
const (
	// NoBoundary: the first boundary never came.
	NoBoundary Problem = 1 << iota
	// NoFinal: the closing boundary never came.
	NoFinal
	// BadHeader: a part has a header line without a colon, or none that ends.
	BadHeader
	// HeaderTooLong: a part's header exceeded the limit; what followed of it was
	// taken as content.
	HeaderTooLong
	// TooManyParts: later parts were taken as content of the last one counted.
	TooManyParts
	// BadBoundary: the boundary is empty or longer than 70 characters.
	BadBoundary
)

// MaxBoundary is the longest boundary used as such (RFC 2046 allows 70); of a
// longer one only so much is compared.
const MaxBoundary = 256

type state uint8

const (
	stPreamble state = iota
	stHeader
	stBody
	stEpilogue
)

// Parser splits one body. It belongs to one goroutine. The zero value is not
// usable: see Reset.
type Parser struct {
	h Handler
	// delim is LF "--" boundary: the CR before it is optional, so are both at the
	// body's start.
	delim []byte
	state state
	// start tells that nothing of the body was seen yet.
	start bool
	// tail holds bytes that may begin a delimiter, at most its length and a line
	// of padding.
	tail []byte
	// virtual tells that tail's first byte is a line feed that the body does not
	// hold: before its start, and before a part's content.
	virtual bool
	head    []byte
	// lineStart is where head's last, incomplete line begins.
	lineStart int
	parts     int
	open      bool
	maxParts  int
	maxHeader int
	problems  Problem
	hdr       Header
}

// maxPadding bounds the white space between a boundary and its line's end.
const maxPadding = 128

// Reset makes the parser ready for a body with the given boundary. h takes what
// is found. maxParts and maxHeader bound the parts and one part's header in
// bytes. Earlier state is dropped without calls to a handler.
func (p *Parser) Reset(boundary []byte, h Handler, maxParts, maxHeader int) {
	delim, tail, head := p.delim[:0], p.tail[:0], p.head[:0]
	*p = Parser{h: h, start: true, maxParts: maxParts, maxHeader: maxHeader, hdr: Header{fields: p.hdr.fields[:0]}}
	if len(boundary) == 0 || len(boundary) > 70 {
		p.problems |= BadBoundary
	}
	boundary = boundary[:min(len(boundary), MaxBoundary)]
	p.delim = append(append(delim, "\n--"...), boundary...)
	p.tail, p.head = tail, head
}

// Problems tells what was wrong so far; complete after Close.
func (p *Parser) Problems() Problem { return p.problems }

// Parts counts the parts begun.
func (p *Parser) Parts() int { return p.parts }

// Write takes the body's next bytes.
func (p *Parser) Write(in []byte) {
	if len(in) == 0 {
		return
	}
	if p.start {
		p.start = false
		// A line feed that is not there lets the first line be a delimiter.
		p.tail = append(p.tail, '\n')
		p.virtual = true
		p.state = stPreamble
	}
	for len(in) > 0 {
		if p.state == stHeader {
			in = p.header(in)
			continue
		}
		if len(p.tail) == 0 {
			in = p.content(in)
			continue
		}
		in = p.resume(in)
	}
}

// resume settles whether the held bytes begin a delimiter, taking as many of
// in as that needs.
func (p *Parser) resume(in []byte) []byte {
	for i, c := range in {
		p.tail = append(p.tail, c)
		v := p.match1()
		for v == no {
			p.release()
			if len(p.tail) == 0 {
				return in[i+1:]
			}
			v = p.match1()
		}
		if v != maybe {
			p.tail = p.tail[:0]
			p.delimiter(v == closing)
			return in[i+1:]
		}
	}
	return nil
}

func (p *Parser) match1() verdict {
	v, _ := p.match(p.tail)
	return v
}

// release gives out the head of tail as content, until what is left may begin
// a delimiter again. The caller knows that all of it does not.
func (p *Parser) release() {
	n := 1
	for n < len(p.tail) {
		if v, _ := p.match(p.tail[n:]); v != no {
			break
		}
		n++
	}
	p.give(p.tail[:n], true)
	p.tail = append(p.tail[:0], p.tail[n:]...)
}

type verdict uint8

const (
	no verdict = iota
	maybe
	yes
	closing
)

// match tells whether b begins with a delimiter line: [CR] LF "--" boundary
// ["--"] padding LF. maybe asks for more bytes. used is the length of the line.
func (p *Parser) match(b []byte) (verdict, int) {
	i := 0
	if b[0] == '\r' {
		i = 1
	}
	n := min(len(b)-i, len(p.delim))
	if !bytes.Equal(b[i:i+n], p.delim[:n]) {
		return no, 0
	}
	if i += n; n < len(p.delim) || i == len(b) {
		return maybe, 0
	}
	if b[i] == '-' {
		if i+1 == len(b) {
			return maybe, 0
		}
		if b[i+1] != '-' {
			return no, 0
		}
		// Nothing after a closing delimiter can change what it is.
		return closing, i + 2
	}
	for k := 0; i < len(b); i++ {
		switch b[i] {
		case '\n':
			return yes, i + 1
		case ' ', '\t', '\r':
			if k++; k > maxPadding {
				return no, 0
			}
		default:
			return no, 0
		}
	}
	return maybe, 0
}

// content gives out in up to a delimiter and returns what follows it. Where the
// end of in may begin one, that is held.
func (p *Parser) content(in []byte) []byte {
	from := 0
	needle := p.delim
	for {
		k := bytes.Index(in[from:], needle)
		if k < 0 {
			break
		}
		at := from + k
		if at > 0 && in[at-1] == '\r' {
			at--
		}
		v, used := p.match(in[at:])
		switch v {
		case no:
			from += k + 1
			continue
		case maybe:
			p.give(in[:at], false)
			p.tail = append(p.tail, in[at:]...)
			return nil
		}
		p.give(in[:at], false)
		p.delimiter(v == closing)
		return in[at+used:]
	}
	// The longest end that may begin a delimiter.
	at := max(from, len(in)-len(p.delim)-1)
	for ; at < len(in); at++ {
		if in[at] != '\r' && in[at] != '\n' {
			continue
		}
		if v, _ := p.match(in[at:]); v == maybe {
			break
		}
	}
	p.give(in[:at], false)
	p.tail = append(p.tail, in[at:]...)
	return nil
}

// give passes content on. held tells that b is the head of tail.
func (p *Parser) give(b []byte, held bool) {
	if held && p.virtual {
		p.virtual = false
		b = b[1:]
	}
	if len(b) == 0 {
		return
	}
	if p.state == stBody {
		p.h.PartData(b)
	} else {
		p.h.Outside(b)
	}
}

// delimiter acts on a delimiter line.
func (p *Parser) delimiter(last bool) {
	p.virtual = false
	p.end(true)
	if last {
		p.state = stEpilogue
		return
	}
	if p.parts >= p.maxParts {
		// Further parts run on as what stands outside.
		p.problems |= TooManyParts
		p.state = stEpilogue
		return
	}
	p.head, p.lineStart = p.head[:0], 0
	p.state = stHeader
}

func (p *Parser) end(complete bool) {
	if p.open {
		p.open = false
		p.h.PartEnd(complete)
	}
}

// header collects a part's header lines up to the empty one.
func (p *Parser) header(in []byte) []byte {
	for len(in) > 0 {
		k := bytes.IndexByte(in, '\n')
		n := k + 1
		if k < 0 {
			n = len(in)
		}
		if room := p.maxHeader - len(p.head); n > room {
			p.head = append(p.head, in[:room]...)
			p.problems |= HeaderTooLong
			p.begin(p.head)
			// A line beyond the limit is inspected as content: its bytes are not lost.
			return in[room:]
		}
		p.head = append(p.head, in[:n]...)
		in = in[n:]
		if k < 0 {
			return nil
		}
		line := p.head[p.lineStart:]
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			p.begin(p.head[:p.lineStart])
			return in
		}
		if p.cutShort(line) {
			return in
		}
		p.lineStart = len(p.head)
	}
	return in
}

// cutShort ends a part whose header runs into a delimiter line.
func (p *Parser) cutShort(line []byte) bool {
	if !bytes.HasPrefix(line, p.delim[1:]) {
		return false
	}
	v, used := p.match(append([]byte{'\n'}, line...))
	if v != yes && v != closing {
		return false
	}
	rest := line[used-1:]
	p.problems |= BadHeader
	p.begin(p.head[:p.lineStart])
	p.tail = p.tail[:0]
	p.delimiter(v == closing)
	p.give(rest, false)
	return true
}

// begin starts a part with the given header lines.
func (p *Parser) begin(head []byte) {
	if !p.hdr.parse(head) {
		p.problems |= BadHeader
	}
	p.parts++
	p.open = true
	p.state = stBody
	p.h.PartBegin(&p.hdr)
	// The empty line may serve as the one before a delimiter (RFC 2046 §5.1.1
	// wants another, senders of empty parts leave it out).
	if len(p.tail) == 0 && p.problems&HeaderTooLong == 0 {
		p.tail = append(p.tail, '\n')
		p.virtual = true
	}
}

// Close ends the body. What was held is content.
func (p *Parser) Close() {
	switch p.state {
	case stHeader:
		if len(p.head) > 0 && !p.cutShort(p.head[p.lineStart:]) {
			p.problems |= BadHeader
			p.begin(p.head)
			p.tail, p.virtual = p.tail[:0], false
		}
	default:
		if len(p.tail) > 0 {
			p.give(p.tail, true)
			p.tail = p.tail[:0]
		}
	}
	if p.parts == 0 && p.state != stEpilogue {
		p.problems |= NoBoundary
	}
	if p.state != stEpilogue {
		p.problems |= NoFinal
	}
	p.end(false)
}
