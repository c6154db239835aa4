package http2

import (
	"encoding/binary"

	"sluice/dataplane/protocol"
)

// frameHeader is the length of a frame's header (RFC 9113 §4.1).
const frameHeader = 9

// Types of frames (RFC 9113 §6).
const (
	frameData uint8 = iota
	frameHeaders
	framePriority
	frameRSTStream
	frameSettings
	framePushPromise
	framePing
	frameGoAway
	frameWindowUpdate
	frameContinuation
	numFrameTypes
)

// Flags of frames; END_STREAM and ACK share a bit.
const (
	flagEndStream  = 0x1
	flagAck        = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20
)

// Settings that matter here (RFC 9113 §6.5.2).
const (
	settingHeaderTableSize = 1
	settingMaxFrameSize    = 5
)

const (
	// usualFrame is the largest frame unless a peer allows more, longFrame what
	// is noted as too long if it does not: smaller excess is often a SETTINGS
	// frame that was not seen.
	usualFrame = 16 << 10
	longFrame  = 64 << 10
)

// frame is a frame's header.
type frame struct {
	length     uint32
	stream     uint32
	typ, flags uint8
}

func (f *frame) has(flag uint8) bool { return f.flags&flag != 0 }

// parseFrame reads a frame's header of frameHeader bytes.
func parseFrame(b []byte) frame {
	return frame{
		length: uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]),
		typ:    b[3],
		flags:  b[4],
		stream: binary.BigEndian.Uint32(b[5:]) & 0x7fffffff,
	}
}

// shape is what the frames of a type have in common.
var shapes = [numFrameTypes]struct {
	flags uint8
	// zero: it belongs to the connection; either: or to a stream.
	zero, either bool
	// exact is the payload's length where that is fixed, else least.
	exact, least uint32
}{
	frameData:         {flags: flagEndStream | flagPadded},
	frameHeaders:      {flags: flagEndStream | flagEndHeaders | flagPadded | flagPriority, least: 1},
	framePriority:     {exact: 5},
	frameRSTStream:    {exact: 4},
	frameSettings:     {flags: flagAck, zero: true},
	framePushPromise:  {flags: flagEndHeaders | flagPadded, least: 4},
	framePing:         {flags: flagAck, zero: true, exact: 8},
	frameGoAway:       {zero: true, least: 8},
	frameWindowUpdate: {either: true, exact: 4},
	frameContinuation: {flags: flagEndHeaders},
}

// plausible reports whether b begins with the header of a usual frame. It is
// strict: it serves to find frames in bytes that may be anything.
func plausible(b []byte) bool {
	if b[0]|b[1]|b[2] > 0x40 || b[3] >= numFrameTypes || b[5]&0x80 != 0 {
		return false
	}
	f := parseFrame(b)
	s := &shapes[f.typ]
	switch {
	case f.length > usualFrame, f.flags&^s.flags != 0, !s.either && s.zero != (f.stream == 0):
		return false
	case s.exact != 0 && f.length != s.exact, f.length < s.least:
		return false
	case f.typ == frameSettings && (f.length%6 != 0 || f.length > 6*maxFirstSettings || f.has(flagAck) && f.length > 0):
		return false
	case f.typ == frameGoAway && f.length > 1024:
		return false
	}
	return true
}

// stage is where a direction is.
type stage uint8

const (
	stPreface stage = iota
	stFrame
	stPayload
	stLost
)

// side is one direction's state.
type side struct {
	stage stage
	// first: no frame was seen yet.
	first bool
	ended bool
	// small holds a frame's header or the fixed part of its payload, as far as
	// it is there: n bytes, of need.
	small [frameHeader]byte
	n     uint8
	need  uint8
	f     frame
	// left counts what is missing of the payload, padding included; pad is what
	// of it is padding.
	left, pad uint32
	// ex is what the frame belongs to, nil for what is passed over.
	ex *exchange

	block block
	// maxFrame is what the other end allows in a frame, table the size it allows
	// for the header table.
	maxFrame, table uint32

	// hold, while lost, is what may hold a frame; junk is the object that what
	// was passed over goes to, rubbish its size.
	hold    []byte
	junk    protocol.Object
	junkEx  *exchange
	rubbish int
}

// parser is a flow's HTTP/2 state.
type parser struct {
	txs  protocol.TxList
	side [2]side
	env  *protocol.Env
	// streams are those that neither end has finished; last is the one that was
	// looked for last.
	streams map[uint32]*exchange
	last    *exchange
	// order are the streams' transactions, oldest first; some may be over.
	order []*protocol.Tx
	// control is the newest transaction of a frame without a stream.
	control *exchange
	// done are exchanges that are complete, for reuse once they are reported.
	done, free []*exchange
	// highest stream begun by each end, and the last ones that the client reset.
	highest  [2]uint32
	resets   [16]uint32
	nreset   int
	answered uint32 // stream of the client's last frame of a request
	refusal  []byte
}

func newParser() *parser {
	p := &parser{streams: map[uint32]*exchange{}}
	for d := range p.side {
		s := &p.side[d]
		s.first, s.maxFrame, s.table = true, usualFrame, defaultTable
		s.block.p, s.block.dir = p, protocol.Dir(d)
	}
	p.side[protocol.ToClient].stage = stFrame
	return p
}

// Txs implements protocol.Parser.
func (p *parser) Txs() *protocol.TxList { return &p.txs }

// Parse implements protocol.Parser.
func (p *parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	p.env = env
	st := p.feed(dir, data)
	p.env = nil
	return st
}

func (p *parser) feed(dir protocol.Dir, data []byte) protocol.Status {
	s := &p.side[dir]
	st := protocol.Continue
	for len(data) > 0 && st == protocol.Continue {
		switch s.stage {
		case stPreface:
			data, st = p.preface(dir, s, data)
		case stFrame:
			n := copy(s.small[s.n:], data)
			s.n += uint8(n)
			data = data[n:]
			if s.n == frameHeader {
				s.n = 0
				st = p.begin(dir, s, len(data))
			}
		case stPayload:
			data, st = p.payload(dir, s, data)
		case stLost:
			data, st = p.lost(dir, s, data)
		}
	}
	if st == protocol.Error {
		p.finish()
	}
	return st
}

// preface compares the client's first bytes. Without them the capture began
// later, and a frame has to be found.
func (p *parser) preface(dir protocol.Dir, s *side, data []byte) ([]byte, protocol.Status) {
	i := 0
	for ; i < len(data) && s.rubbish < len(preface); i++ {
		if data[i] != preface[s.rubbish] {
			begun := []byte(preface[:s.rubbish])
			p.lose(dir, s)
			_, st := p.lost(dir, s, begun)
			return data[i:], st
		}
		s.rubbish++
	}
	if s.rubbish == len(preface) {
		s.rubbish = 0
		s.stage = stFrame
	}
	return data[i:], protocol.Continue
}

// begin acts on a frame's header; behind bytes of what was given follow that.
func (p *parser) begin(dir protocol.Dir, s *side, behind int) protocol.Status {
	f := parseFrame(s.small[:])
	if s.first {
		s.first = false
		if f.typ != frameSettings || f.stream != 0 {
			// Not the beginning of a connection.
			if !plausible(s.small[:]) {
				p.lose(dir, s)
				_, st := p.lost(dir, s, s.small[:])
				return st
			}
			s.block.taint(midTable)
		}
	}
	s.f, s.left, s.pad, s.need = f, f.length, 0, 0
	if s.block.open && (f.typ != frameContinuation || f.stream != s.block.stream) {
		// Nothing may come in between; what there is of the headers is used.
		p.event(s.block.ex, "invalid_frame_data")
		s.block.broken = true
		if st := p.blockEnd(dir, s); st != protocol.Continue {
			return st
		}
	}
	s.ex = p.owner(dir, s)
	s.announce(p.env, behind)
	if s.ex != nil {
		s.ex.facts[dir].frameType(f.typ)
		if f.length > max(longFrame, s.maxFrame) {
			p.event(s.ex, "long_frame_data")
		}
		if f.typ < numFrameTypes {
			sh := &shapes[f.typ]
			if sh.exact != 0 && f.length != sh.exact || f.length < sh.least || f.typ == frameSettings && (f.length%6 != 0 || f.has(flagAck) && f.length > 0) {
				p.event(s.ex, "invalid_frame_length")
			}
			if f.typ == frameData && f.stream == 0 {
				p.event(s.ex, "data_stream_zero")
			} else if !sh.either && sh.zero != (f.stream == 0) {
				p.event(s.ex, "invalid_frame_header")
			}
		}
	}
	switch f.typ {
	case frameData:
		s.need = padByte(&f)
	case frameHeaders:
		s.need = padByte(&f)
		if f.has(flagPriority) {
			s.need += 5
		}
	case framePushPromise:
		s.need = padByte(&f) + 4
	case framePriority:
		s.need = 5
	case frameRSTStream, frameWindowUpdate:
		s.need = 4
	case frameSettings:
		s.need = 6
	case frameGoAway:
		s.need = 8
	}
	s.stage = stPayload
	if s.need == 0 {
		p.prefixed(dir, s)
	}
	if s.left == 0 {
		return p.end(dir, s)
	}
	return protocol.Continue
}

func padByte(f *frame) uint8 {
	if f.has(flagPadded) {
		return 1
	}
	return 0
}

// payload takes bytes of a frame's payload.
func (p *parser) payload(dir protocol.Dir, s *side, data []byte) ([]byte, protocol.Status) {
	data, rest := data[:min(len(data), int(s.left))], data[min(len(data), int(s.left)):]
	for len(data) > 0 {
		if s.need > 0 {
			n := copy(s.small[s.n:s.need], data)
			s.n += uint8(n)
			s.left -= uint32(n)
			data = data[n:]
			if s.n == s.need {
				s.n, s.need = 0, 0
				p.prefixed(dir, s)
			}
			continue
		}
		n := len(data)
		if s.left > s.pad {
			n = min(n, int(s.left-s.pad))
			p.content(dir, s, data[:n])
		}
		s.left -= uint32(n)
		data = data[n:]
	}
	if s.left == 0 {
		return rest, p.end(dir, s)
	}
	return rest, protocol.Continue
}

// prefixed acts on the fixed part of a frame's payload, which is in s.small.
func (p *parser) prefixed(dir protocol.Dir, s *side) {
	b := s.small[:]
	if s.f.has(flagPadded) && (s.f.typ == frameData || s.f.typ == frameHeaders || s.f.typ == framePushPromise) {
		s.pad = uint32(b[0])
		b = b[1:]
		if s.pad > s.left {
			p.event(s.ex, "invalid_frame_data")
			s.pad = s.left
		}
	}
	be := binary.BigEndian
	switch s.f.typ {
	case frameHeaders:
		if s.f.has(flagPriority) && s.ex != nil {
			s.ex.facts[dir].priority(b[4])
		}
		p.blockBegin(dir, s, s.ex, dir)
	case framePushPromise:
		p.blockBegin(dir, s, p.promised(be.Uint32(b)&0x7fffffff), protocol.ToServer)
	case frameContinuation:
		if !s.block.open {
			// The HEADERS frame was missed, or never sent: what this one adds to
			// the table is not known.
			s.block.failures++
			s.block.taint(s.table)
		}
	case frameSettings:
		p.setting(dir, s, be.Uint16(b), be.Uint32(b[2:]))
		if s.left > 0 {
			s.need = 6
		}
	case framePriority:
		if s.ex != nil {
			s.ex.facts[dir].priority(b[4])
		}
	case frameRSTStream:
		if s.ex != nil {
			s.ex.facts[dir].errorCode(be.Uint32(b))
		}
	case frameGoAway:
		if s.ex != nil {
			s.ex.facts[dir].errorCode(be.Uint32(b[4:]))
		}
	case frameWindowUpdate:
		if s.ex != nil {
			s.ex.facts[dir].window(be.Uint32(b) & 0x7fffffff)
		}
	}
}

// setting notes one parameter that this end announces; it binds the other end.
func (p *parser) setting(dir protocol.Dir, s *side, id uint16, value uint32) {
	if s.f.has(flagAck) {
		return
	}
	if s.ex != nil {
		s.ex.facts[dir].setting(id, value)
	}
	other := &p.side[dir.Other()]
	switch id {
	case settingHeaderTableSize:
		other.table = value
	case settingMaxFrameSize:
		other.maxFrame = min(max(value, usualFrame), 1<<24)
	}
}

// content takes bytes behind the fixed part and before the padding.
func (p *parser) content(dir protocol.Dir, s *side, data []byte) {
	switch s.f.typ {
	case frameData:
		if s.ex != nil && s.ex.gone {
			// The stream was given up while the frame was under way.
			s.ex = p.dataStream(dir, s.f.stream)
		}
		if s.ex != nil {
			p.bodyBytes(dir, s.ex, data)
		}
	case frameHeaders, framePushPromise, frameContinuation:
		s.block.write(data)
	}
}

// end completes a frame.
func (p *parser) end(dir protocol.Dir, s *side) protocol.Status {
	ex := s.ex
	s.stage, s.ex, s.n, s.need = stFrame, nil, 0, 0
	if ex != nil && ex.control {
		p.completeControl(ex)
	}
	switch s.f.typ {
	case frameData:
		if s.f.has(flagEndStream) && ex != nil && !ex.gone {
			p.endStream(dir, ex, protocol.ObjectClosed)
		}
	case frameHeaders, framePushPromise, frameContinuation:
		if s.block.open && s.f.has(flagEndHeaders) {
			return p.blockEnd(dir, s)
		}
		if s.block.failures > maxFailures {
			return protocol.Error
		}
	case frameRSTStream:
		if ex != nil && !ex.gone {
			if dir == protocol.ToServer && ex.doh != nil && !ex.over[protocol.ToClient] {
				// A resolver's answer is on its way all the same, and tells of the name.
				p.endStream(dir, ex, protocol.ObjectTruncated)
				break
			}
			if dir == protocol.ToServer {
				p.resets[p.nreset%len(p.resets)] = s.f.stream
				p.nreset++
			}
			p.abandon(ex)
		}
	}
	return protocol.Continue
}
