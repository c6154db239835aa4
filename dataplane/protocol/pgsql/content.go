package pgsql

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"sluice/dataplane/protocol"
)

// maxOut is how much of a content is gathered before it is given.
const maxOut = 16 << 10

// take takes bytes of the message in work.
func (p *Parser) take(env *protocol.Env, dir protocol.Dir, b []byte) {
	s := &p.side[dir]
	for len(b) > 0 {
		switch s.mode {
		case mWhole:
			s.buf = append(s.buf, b[:min(len(b), max(env.Limits.MaxHeader-len(s.buf), 0))]...)
			return
		case mQuery:
			p.tell(env, dir, s.tx, b)
			s.mode = mWhole
			p.take(env, dir, b)
			s.mode = mQuery
			return
		case mParse:
			i := bytes.IndexByte(b, 0)
			s.mode = mWhole
			if i < 0 {
				p.take(env, dir, b)
				s.mode = mParse
				return
			}
			p.take(env, dir, b[:i+1])
			s.mode = mQuery
			b = b[i+1:]
		case mPrefix:
			s.buf = append(s.buf, b[0])
			b = b[1:]
			if done, ok := s.before.next(s.typ, s.buf); done {
				s.mode, s.values = mValues, values{}
			} else if !ok {
				p.tell(env, dir, s.tx, s.buf)
				s.buf, s.mode = s.buf[:0], mRaw
			}
		case mValues:
			b = p.value(env, dir, b)
		case mRaw:
			p.flush(env, dir)
			p.open(env, dir, s.tx)
			env.Objects.ObjectData(s.obj, b)
			return
		default:
			return
		}
	}
}

// prefix goes through what stands before the values of a message: two names or a
// number, and formats with their count before them.
type prefix struct {
	// at is where the formats' count is, once names of them have ended; end is where the
	// formats end, 0 until that is known.
	names   uint8
	at, end int
}

// next takes the last byte of b, the first of which began the prefix. It reports
// whether that was all, and whether there can be such a prefix. A byte costs the same
// however many came before.
func (x *prefix) next(typ byte, b []byte) (done, ok bool) {
	if len(b) == 1 {
		if *x = (prefix{at: 4}); typ == 'B' {
			*x = prefix{names: 2}
		}
	}
	last := b[len(b)-1]
	switch {
	case x.names > 0:
		if last == 0 {
			x.names, x.at = x.names-1, len(b)
		}
		return false, len(b) <= maxSmall
	case x.end == 0:
		if len(b) == x.at+2 {
			x.end = len(b) + 2*int(binary.BigEndian.Uint16(b[x.at:]))
		}
		return len(b) == x.end, true
	}
	return len(b) == x.end, format(last, (len(b)-x.at)%2)
}

// format reports whether a byte may be one of a format, of which there are two: i is 1
// for its first.
func format(c byte, i int) bool { return c <= uint8(1-i) }

// The steps of reading values.
const (
	vCount uint8 = iota
	vLength
	vData
	vNumber // a number that is not sent as text
	vOver
)

// values reads a number of values, each with its length before it.
type values struct {
	step  uint8
	have  uint8
	num   uint64
	count int
	col   int
	left  uint32
	size  uint64
}

// over reports whether all values were there.
func (v *values) over() bool { return v.step == vOver }

// value takes bytes of values and gives those that it has not looked at.
func (p *Parser) value(env *protocol.Env, dir protocol.Dir, b []byte) []byte {
	s := &p.side[dir]
	v := &s.values
	switch v.step {
	case vCount, vLength:
		width := uint8(2)
		if v.step == vLength {
			width = 4
		}
		v.num, v.have = v.num<<8|uint64(b[0]), v.have+1
		b = b[1:]
		if v.have < width {
			return b
		}
		n := v.num
		v.num, v.have = 0, 0
		p.open(env, dir, s.tx)
		if width == 2 {
			if v.count, v.step = int(n), vLength; n == 0 {
				v.step = vOver
			}
			return b
		}
		v.left, v.step = uint32(n), vData
		switch {
		case uint32(n) == 1<<32-1 || n == 0: // none, or empty
			p.nextValue(s)
		case n > maxMessage:
			s.mode = mRaw
		case s.typ == 'D' && dir == protocol.ToClient && v.col < len(p.columns) && p.columns[v.col].number(uint32(n)):
			v.step = vNumber
		}
	case vData:
		n := min(len(b), int(v.left))
		s.out = append(s.out, b[:n]...)
		v.left, v.size, b = v.left-uint32(n), v.size+uint64(n), b[n:]
		if v.left == 0 {
			p.nextValue(s)
		}
	case vNumber:
		v.num, v.left, v.size, b = v.num<<8|uint64(b[0]), v.left-1, v.size+1, b[1:]
		if v.left == 0 {
			shift := 64 - 8*uint(p.columns[v.col].width())
			s.out = strconv.AppendInt(s.out, int64(v.num<<shift)>>shift, 10)
			v.num = 0
			p.nextValue(s)
		}
	default:
		if s.typ != 'B' && s.typ != 'F' {
			s.mode = mRaw // more than a row has
			return b
		}
		// The formats of what is answered, with their count.
		if v.have++; v.have > 4 {
			v.have -= 2
		}
		if v.have > 2 && !format(b[0], int(v.have)%2) {
			s.mode = mRaw
			return b
		}
		return b[1:]
	}
	if len(s.out) >= maxOut {
		p.flush(env, dir)
	}
	return b
}

// nextValue goes on behind a value.
func (p *Parser) nextValue(s *side) {
	v := &s.values
	if v.col++; v.col < v.count {
		s.out, v.step = append(s.out, '\t'), vLength
		return
	}
	s.out, v.step = append(s.out, '\n'), vOver
}

// width gives the length of a column's whole numbers, 0 where it has none.
func (c column) width() uint32 {
	switch c.typ {
	case 20:
		return 8
	case 23, 26:
		return 4
	case 21:
		return 2
	}
	return 0
}

// number reports whether a value of n bytes is a whole number that is not sent as
// text.
func (c column) number(n uint32) bool { return c.binary && c.width() == n }

// open opens the object of what an end tells in a transaction.
func (p *Parser) open(env *protocol.Env, dir protocol.Dir, tx *protocol.Tx) {
	s := &p.side[dir]
	if s.obj != nil && s.obj.Tx == tx {
		return
	}
	p.flush(env, dir)
	p.closeObject(env, dir, protocol.ObjectClosed)
	t := tx.State.(*Transaction)
	s.obj = &protocol.Object{Kind: protocol.KindBody, Dir: dir, Tx: tx, Name: "result"}
	switch {
	case t.Kind == CopyIn || t.Reply.HasCopyOut:
		s.obj.Name = "copy"
	case dir == protocol.ToServer:
		s.obj.Name = "query"
	}
	env.Objects.OpenObject(s.obj)
}

// tell gives text that an end tells in a transaction.
func (p *Parser) tell(env *protocol.Env, dir protocol.Dir, tx *protocol.Tx, b []byte) {
	if len(b) == 0 {
		return
	}
	p.open(env, dir, tx)
	p.flush(env, dir)
	env.Objects.ObjectData(p.side[dir].obj, b)
}

// separate parts what is told from what follows.
func (p *Parser) separate(dir protocol.Dir) {
	s := &p.side[dir]
	if s.obj != nil {
		s.out = append(s.out, '\n')
	}
}

// flush gives what was gathered.
func (p *Parser) flush(env *protocol.Env, dir protocol.Dir) {
	s := &p.side[dir]
	if s.obj != nil && len(s.out) > 0 {
		env.Objects.ObjectData(s.obj, s.out)
	}
	s.out = s.out[:0]
	if cap(s.out) > 2*maxOut {
		s.out = nil
	}
}

// closeObject ends what an end tells.
func (p *Parser) closeObject(env *protocol.Env, dir protocol.Dir, state protocol.ObjectState) {
	s := &p.side[dir]
	if s.obj == nil {
		return
	}
	o := s.obj
	s.obj = nil
	if state == protocol.ObjectClosed && o.Gaps {
		state = protocol.ObjectTruncated
	}
	env.Objects.CloseObject(o, state)
}
