package smb

import (
	"bytes"
	"encoding/binary"

	"sluice/dataplane/protocol"
)

var le = binary.LittleEndian

// stage says what a direction's next bytes are.
type stage uint8

const (
	stSession stage = iota // the header of a NetBIOS session message
	stHead                 // the beginning of a message or of a part of a compound
	stData                 // content of a file
	stSkip                 // the rest of a message, which is not looked at
	stSearch               // after a hole: the next message is looked for
)

// side is the framing of one direction.
type side struct {
	stage stage
	// buf gathers a header or a whole message; need is how much of it.
	buf  []byte
	need int
	// elem counts the bytes of the message in work that were not taken yet, or of
	// the present part of a compound; rest those of the parts behind it.
	elem, rest int
	// data counts the bytes of content still to come, for to at off.
	to   *channel
	off  uint64
	data int
	// last is what the former part of a compound asked for.
	last  *pending
	ended bool
	// spills: what is skipped is more than padding, and nobody has looked at it;
	// veiled: it cannot be read.
	spills, veiled bool
	// after counts the bytes given behind those gathered. first: no part of the
	// message in work was begun before; framed: the part's frames were told of.
	after         int
	first, framed bool
}

const (
	sessionLen = 4
	// keepBuf is the memory that a direction may keep while it is idle.
	keepBuf = 8 << 10
)

// Parse implements protocol.Parser.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	s := &p.side[dir]
	for len(data) > 0 {
		switch s.stage {
		case stSession:
			n := min(sessionLen-len(s.buf), len(data))
			s.buf, data = append(s.buf, data[:n]...), data[n:]
			if len(s.buf) == sessionLen {
				s.sessionFrames(env, len(data))
			}
			if len(s.buf) == sessionLen && !p.session(s) {
				if p.txs.Next == 0 {
					return protocol.Error
				}
				s.stage = stSearch
			}
		case stHead:
			// What is gathered is a header or a whole message: whoever has it all
			// at hand still copies it once, which file content is spared.
			n := min(s.need-len(s.buf), len(data))
			s.buf, data = append(s.buf, data[:n]...), data[n:]
			s.elem -= n
			s.after = len(data)
			p.head(env, dir, s)
		case stData:
			n := min(s.data, len(data))
			p.content(env, s.to, s.off, data[:n])
			s.off += uint64(n)
			s.data -= n
			s.elem -= n
			data = data[n:]
			p.afterData(s)
		case stSkip:
			n := min(s.elem, len(data))
			if s.spills {
				p.spill(env, dir, data[:n])
			}
			s.elem -= n
			data = data[n:]
			p.next(s)
		case stSearch:
			data = s.search(data)
		}
	}
	return protocol.Continue
}

// session reads the header of a NetBIOS session message.
func (p *Parser) session(s *side) bool {
	typ, n := s.buf[0], int(s.buf[1])<<16|int(s.buf[2])<<8|int(s.buf[3])
	switch {
	case typ == nbssMessage:
		s.begin(n, 0)
	case typ >= nbssRequest && typ <= nbssKeepAlive && n <= maxBody:
		s.buf, s.elem, s.rest, s.stage, s.spills = s.buf[:0], n, 0, stSkip, false
	default:
		return false
	}
	if n == 0 {
		p.next(s)
	}
	return true
}

// begin goes to the head of a message, or of a part of a compound.
func (s *side) begin(elem, rest int) {
	s.buf, s.elem, s.rest, s.stage, s.need = s.buf[:0], elem, rest, stHead, min(elem, 4)
	s.spills, s.veiled = false, false
	s.first, s.framed = true, false
	if rest == 0 {
		s.last = nil
	}
}

// next goes on when a message, or a part of a compound, is at its end.
func (p *Parser) next(s *side) {
	if s.elem > 0 {
		if s.stage != stSkip {
			s.stage, s.spills = stSkip, s.elem >= padding && !s.veiled
		}
		return
	}
	if cap(s.buf) > keepBuf {
		s.buf = nil
	}
	if s.rest > 0 {
		last := s.last
		s.begin(s.rest, 0)
		s.last, s.first = last, false
		return
	}
	s.buf, s.stage, s.last = s.buf[:0], stSession, nil
}

// padding is the alignment of the parts of a compound.
const padding = 8

// spill gives what is not understood as an object that is classified but is no
// file: whatever two ends send each other under this name is not to be hidden by
// its form.
func (p *Parser) spill(env *protocol.Env, dir protocol.Dir, b []byte) {
	if len(b) == 0 {
		return
	}
	o := p.spilt[dir]
	if o == nil {
		o = &protocol.Object{Kind: protocol.KindStream, Dir: dir, Tx: p.aloof(env, &Transaction{Version: 2})}
		p.spilt[dir] = o
		env.Objects.OpenObject(o)
	}
	env.Objects.ObjectData(o, b)
}

func (p *Parser) afterData(s *side) {
	if s.data == 0 {
		s.to = nil
		p.next(s)
	}
}

// stream goes to the content of a file, of which n bytes follow what was
// gathered.
func (p *Parser) stream(s *side, to *channel, off uint64, n int) {
	s.to, s.off, s.data, s.stage = to, off, min(n, s.elem), stData
	p.afterData(s)
}

// head looks at what was gathered of a message: it asks for more, or takes it.
func (p *Parser) head(env *protocol.Env, dir protocol.Dir, s *side) {
	for s.stage == stHead && len(s.buf) == s.need {
		if s.need < 4 {
			p.next(s)
			return
		}
		if !s.framed && env.Framing() {
			s.frames(env)
		}
		grown := false
		switch {
		case bytes.HasPrefix(s.buf, magic2):
			grown = p.head2(env, dir, s)
		case bytes.HasPrefix(s.buf, magic1):
			grown = p.head1(env, dir, s)
		case bytes.HasPrefix(s.buf, magicEncrypted), bytes.HasPrefix(s.buf, magicCompressed):
			p.unreadable(env, dir, s)
		default:
			p.malformed()
			p.spill(env, dir, s.buf)
			p.next(s)
			s.spills = s.stage == stSkip
		}
		if !grown && s.stage == stHead && len(s.buf) == s.need {
			p.next(s)
		}
		if s.stage != stHead || len(s.buf) < s.need {
			return
		}
	}
}

// want asks for n bytes of the part in work and reports whether they are still
// to come. What is not there cannot be asked for.
func (s *side) want(n int) bool {
	n = min(n, len(s.buf)+s.elem)
	if n <= len(s.buf) {
		return false
	}
	s.need = n
	return true
}

// malformed notes a message that breaks the rules.
func (p *Parser) malformed() {
	if tx := p.txs.Last(); tx != nil {
		tx.AddEvent("malformed_data")
	}
}

// unreadable counts an encrypted or a compressed message. The first of each kind
// in a direction is told as an object that cannot be scanned, so that a policy
// can decide.
func (p *Parser) unreadable(env *protocol.Env, dir protocol.Dir, s *side) {
	v, k, why := &p.veiled[dir], 0, "encrypted"
	n := uint64(s.elem + len(s.buf))
	if s.buf[0] == magicCompressed[0] {
		k, why = 1, "encoding"
		v.compressed += n
	} else {
		v.encrypted += n
	}
	s.elem, s.rest, s.veiled = s.elem+s.rest, 0, true
	if !v.told[k] {
		v.told[k] = true
		o := &protocol.Object{Kind: protocol.KindStream, Dir: dir, Tx: p.aloof(env, &Transaction{Version: 2}), Name: p.anyShare(), Encoding: "smb3", Unscannable: why}
		env.Objects.OpenObject(o)
		env.Objects.CloseObject(o, protocol.ObjectClosed)
	}
	p.next(s)
}

// Unread implements protocol.Opaque.
func (p *Parser) Unread(dir protocol.Dir) (encrypted, other uint64) {
	return p.veiled[dir].encrypted, p.veiled[dir].compressed
}

// anyShare names the only share of the flow, where there is but one.
func (p *Parser) anyShare() string {
	name := ""
	for _, t := range p.trees {
		if !t.pipe {
			if name != "" {
				return ""
			}
			name = t.name
		}
	}
	return name
}

// search looks for the beginning of a message and gives what follows the part
// of it that was seen.
func (s *side) search(data []byte) []byte {
	for i, c := range data {
		s.buf = append(s.buf, c)
		if n := len(s.buf); n > 8 {
			s.buf = append(s.buf[:0], s.buf[n-8:]...)
		}
		if len(s.buf) == 8 && s.buf[0] == nbssMessage && isMagic(s.buf[4:]) {
			n := int(s.buf[1])<<16 | int(s.buf[2])<<8 | int(s.buf[3])
			if n < 4 {
				continue
			}
			head := [4]byte(s.buf[4:])
			s.begin(n, 0)
			s.buf = append(s.buf, head[:]...)
			s.elem -= 4
			// One more byte makes head look at the message.
			s.need = min(n, 5)
			if n == 4 {
				s.buf, s.stage = s.buf[:0], stSession
			}
			return data[i+1:]
		}
	}
	return nil
}

// Gap implements protocol.Parser.
func (p *Parser) Gap(env *protocol.Env, dir protocol.Dir, n uint64) protocol.Status {
	s := &p.side[dir]
	if s.stage == stData {
		k := int(min(uint64(s.data), n))
		p.missing(env, s.to, s.off, uint64(k))
		s.off += uint64(k)
		s.data -= k
		s.elem -= k
		n -= uint64(k)
		p.afterData(s)
	}
	if n == 0 {
		return protocol.Continue
	}
	if (s.stage == stHead || s.stage == stSkip) && n <= uint64(s.elem+s.rest) {
		s.elem += s.rest - int(n)
		s.rest, s.buf = 0, s.buf[:0]
		p.next(s)
		return protocol.Continue
	}
	s.buf, s.elem, s.rest, s.stage, s.last = s.buf[:0], 0, 0, stSearch, nil
	return protocol.Continue
}
