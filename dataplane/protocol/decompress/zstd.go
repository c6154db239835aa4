package decompress

import (
	"encoding/binary"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Limits of zstd frames: a block's content (RFC 8878 §3.1.1.2.4) and the window
// that receivers of HTTP must accept (RFC 9659 §3).
const (
	zstdBlockMax  = 128 << 10
	zstdWindowMax = 8 << 20
	zstdMagic     = 0xFD2FB528
)

type zstdStage uint8

const (
	zstdMagicStage zstdStage = iota
	zstdSkipLen
	zstdSkip
	zstdFrameHead
	zstdBlockHead
	zstdBlock
	zstdTail
)

var zstdPool = sync.Pool{New: func() any {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(zstdWindowMax), zstd.IgnoreChecksum(true))
	if err != nil {
		panic(err) // only wrong options fail
	}
	return &zstdCodec{dec: dec, out: make([]byte, zstdBlockMax)}
}}

// zstdCodec finds the borders of frames and blocks itself and hands the library
// whole blocks, so that its reader never meets an end of input within one. A
// block is the least that any decoder of the format can work on.
type zstdCodec struct {
	dec *zstd.Decoder
	// buf holds the input from the first byte not handed over; need is how much
	// of it the current stage wants, at the stage's start mark.
	buf        []byte
	mark, need int
	stage      zstdStage
	skip       uint32
	last       bool
	checksum   bool
	opened     bool
	frames     int
	queue      []byte
	out        []byte
}

func newZstd() codec {
	c := zstdPool.Get().(*zstdCodec)
	c.buf, c.queue = c.buf[:0], nil
	c.mark, c.need, c.stage = 0, 4, zstdMagicStage
	c.opened, c.frames = false, 0
	return c
}

func (c *zstdCodec) release() {
	_ = c.dec.Reset(nil)
	c.queue = nil
	if cap(c.buf) > 4*zstdBlockMax {
		c.buf = nil
	}
	zstdPool.Put(c)
}

func (c *zstdCodec) finished() bool { return c.stage == zstdMagicStage && len(c.buf) == 0 }

func (c *zstdCodec) plain() bool { return c.stage == zstdMagicStage && c.frames == 0 }

// Read gives the library the blocks handed over.
func (c *zstdCodec) Read(p []byte) (int, error) {
	if len(c.queue) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.queue)
	c.queue = c.queue[n:]
	return n, nil
}

func (c *zstdCodec) write(d *Decoder, i int, in []byte) {
	l := &d.layers[i]
	pos := 0
	for d.stop == nil {
		if c.stage == zstdSkip {
			n := min(int(c.skip), len(in)-pos)
			pos += n
			if c.skip -= uint32(n); c.skip > 0 {
				return
			}
			c.next(zstdMagicStage, 4)
			c.buf, c.mark = c.buf[:0], 0
			continue
		}
		if want := c.mark + c.need - len(c.buf); want > 0 {
			n := min(want, len(in)-pos)
			c.buf = append(c.buf, in[pos:pos+n]...)
			pos += n
			if n < want {
				return
			}
		}
		if !c.advance(d, i, l.in+int64(pos)) {
			rest := c.buf
			c.buf = c.buf[:0]
			if c.stage == zstdMagicStage && c.frames > 0 {
				d.oddity(i, ErrTrailing)
				d.emit(i, rest)
				d.emit(i, in[pos:])
			} else {
				d.fail(i, l.in+int64(pos), in, rest, in[pos:])
			}
			return
		}
	}
}

func (c *zstdCodec) next(s zstdStage, need int) {
	c.mark = len(c.buf)
	c.stage, c.need = s, need
}

// advance deals with the stage whose bytes are complete. False means that they
// are not zstd.
func (c *zstdCodec) advance(d *Decoder, i int, used int64) bool {
	p := c.buf[c.mark:]
	switch c.stage {
	case zstdMagicStage:
		m := binary.LittleEndian.Uint32(p)
		switch {
		case m == zstdMagic:
			c.next(zstdFrameHead, 1)
		case m&^15 == 0x184D2A50:
			c.next(zstdSkipLen, 4)
		default:
			return false
		}
	case zstdSkipLen:
		c.skip = binary.LittleEndian.Uint32(p)
		c.stage = zstdSkip
		c.frames++
	case zstdFrameHead:
		h := p[0]
		n := 1 + [4]int{0, 1, 2, 4}[h&3] + [4]int{0, 2, 4, 8}[h>>6]
		if h&0x20 == 0 {
			n++
		} else if h>>6 == 0 {
			n++
		}
		if c.need < n {
			c.need = n
			return true
		}
		c.checksum = h&4 != 0
		c.opened = false
		c.next(zstdBlockHead, 3)
	case zstdBlockHead:
		h := uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16
		size, kind := int(h>>3), h>>1&3
		c.last = h&1 == 1
		if kind == 3 || size > zstdBlockMax {
			return false
		}
		if kind == 1 {
			size = min(size, 1)
			if h>>3 == 0 {
				size = 1
			}
		}
		c.next(zstdBlock, size)
	case zstdBlock:
		if c.last && c.checksum {
			c.next(zstdTail, 4)
			return true
		}
		if !c.last && emptyBlock(c.buf[c.mark-3:]) {
			// The library would ask for the next block at once: hold it back.
			c.next(zstdBlockHead, 3)
			return true
		}
		return c.decode(d, i, used)
	case zstdTail:
		return c.decode(d, i, used)
	}
	return true
}

// emptyBlock tells a block that produces nothing.
func emptyBlock(b []byte) bool {
	h := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
	if h>>1&3 != 2 {
		return h>>3 == 0
	}
	b = b[3:]
	if len(b) < 2 || b[0]&2 != 0 { // literals Huffman coded: there are some
		return false
	}
	n, size := 1, int(b[0]>>3)
	switch b[0] >> 2 & 3 {
	case 1:
		n, size = 2, int(b[0]>>4)|int(b[1])<<4
	case 3:
		if len(b) < 3 {
			return false
		}
		n, size = 3, int(b[0]>>4)|int(b[1])<<4|int(b[2])<<12
	}
	n += int(b[0] & 1) // an RLE literal
	return size == 0 && n < len(b) && b[n] == 0
}

// decode hands over the buffered blocks and gives out what they hold.
func (c *zstdCodec) decode(d *Decoder, i int, used int64) bool {
	c.queue = c.buf
	if !c.opened {
		if c.dec.Reset(c) != nil {
			return false
		}
		c.opened = true
	}
	n, err := c.dec.Read(c.out)
	if n == 0 && err != nil && (!errors.Is(err, io.EOF) || !c.last) {
		return false
	}
	d.emit(i, c.out[:n])
	d.ratio(i, used)
	c.buf, c.queue = c.buf[:0], nil
	if c.last {
		c.frames++
		c.next(zstdMagicStage, 4)
	} else {
		c.next(zstdBlockHead, 3)
	}
	return true
}
