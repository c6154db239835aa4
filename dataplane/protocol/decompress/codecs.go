package decompress

import (
	"sync"

	"github.com/andybalholm/brotli"
)

// rawCommit is the output from which on raw deflate is believed.
const rawCommit = 128

var (
	deflatePool = sync.Pool{New: func() any { return new(deflateCodec) }}
	brotliPool  = sync.Pool{New: func() any { return newBrotliCodec() }}
)

// deflateCodec joins the deflater to a layer.
type deflateCodec struct {
	deflater
}

func newDeflate(declared Encoding) codec {
	c := deflatePool.Get().(*deflateCodec)
	c.begin()
	c.declared = declared
	return c
}

func (c *deflateCodec) release() { deflatePool.Put(c) }

func (c *deflateCodec) finished() bool { return c.wrap == wrapNext || c.wrap == wrapEnd }

// guessing reports whether the data is only taken for raw deflate so far: text
// decodes as such for a few symbols, so that first output is held back.
func (c *deflateCodec) guessing() bool {
	return c.wrap == wrapBody && c.tail == wrapEnd && c.sent == 0 && c.w < rawCommit && !c.sure
}

func (c *deflateCodec) plain() bool {
	return c.wrap == wrapSniff || (c.guessing() && c.stage != inflDone)
}

func (c *deflateCodec) write(d *Decoder, i int, in []byte) {
	l := &d.layers[i]
	pos := 0
	for d.stop == nil {
		var more bool
		pos, more = c.step(in, pos)
		full := c.w == bufSize
		if c.wrap == wrapPlain {
			d.fail(i, 0, in)
			return
		}
		if c.guessing() {
			if c.stage != inflBroken && pos == len(in) {
				return
			}
		} else if full || (more && pos == len(in)) || c.wrap != wrapBody || c.stage == inflBroken {
			d.emit(i, c.pending())
			c.slide()
			if full {
				d.ratio(i, l.in+int64(pos)-int64(c.held()))
			}
		}
		switch {
		case c.stage == inflBroken && c.wrap == wrapBody:
			var rest [8]byte
			n := c.takeHeld(&rest)
			d.fail(i, l.in+int64(pos-n), in, rest[:n], in[pos:])
			return
		case c.wrap == wrapEnd:
			c.afterEnd(d, i, in[pos:])
			return
		case more && !full && pos == len(in):
			return
		}
	}
}

// afterEnd passes on what follows the stream. Zeros are padding and vanish.
func (c *deflateCodec) afterEnd(d *Decoder, i int, in []byte) {
	head := c.head[:c.nhead]
	c.nhead = 0
	for len(head) > 0 && head[0] == 0 {
		head = head[1:]
	}
	if len(head) == 0 {
		for len(in) > 0 && in[0] == 0 {
			in = in[1:]
		}
	}
	if len(head)+len(in) > 0 {
		d.oddity(i, ErrTrailing)
		d.emit(i, head)
		d.emit(i, in)
	}
}

// brotliCodec continues the library's reader with each write: its decoder
// stops at any byte when its source has nothing, and goes on later.
type brotliCodec struct {
	r    *brotli.Reader
	in   []byte
	done bool
	out  [16 << 10]byte
}

func newBrotliCodec() *brotliCodec {
	c := new(brotliCodec)
	c.r = brotli.NewReader(c)
	return c
}

func newBrotli() codec {
	c := brotliPool.Get().(*brotliCodec)
	c.in, c.done = nil, false
	_ = c.r.Reset(c)
	return c
}

func (c *brotliCodec) release() {
	c.in = nil
	brotliPool.Put(c)
}

func (c *brotliCodec) plain() bool { return false }

// finished cannot be told from outside the library before excess input comes.
func (c *brotliCodec) finished() bool { return true }

// Read gives the library the current write; no bytes and no error ask it to
// come back.
func (c *brotliCodec) Read(p []byte) (int, error) {
	// Small pieces: the library does not tell how much of one it left unused
	// behind the end of a stream.
	n := copy(p[:min(len(p), 512)], c.in)
	c.in = c.in[n:]
	return n, nil
}

func (c *brotliCodec) write(d *Decoder, i int, in []byte) {
	if c.done {
		d.oddity(i, ErrTrailing)
		return
	}
	l := &d.layers[i]
	c.in = in
	for d.stop == nil {
		n, err := c.r.Read(c.out[:])
		d.emit(i, c.out[:n])
		d.ratio(i, l.in+int64(len(in)-len(c.in)))
		if err != nil {
			if err.Error() == "brotli: excessive input" {
				// Also said of the stream's own last bytes when they came singly.
				c.done = true
				if len(c.in) > 0 {
					d.oddity(i, ErrTrailing)
				}
				return
			}
			d.fail(i, l.in+int64(len(in)-len(c.in)), in, c.in)
			return
		}
		if n == 0 && len(c.in) == 0 {
			break
		}
	}
	c.in = nil
}
