// Package decompress undoes content encodings (gzip, deflate, br, zstd, and
// several on top of each other) as bytes arrive. It takes encoded bytes in any
// pieces and gives all that they determine at once, without a goroutine, within
// limits of size, ratio and depth. It may not know where the bytes come from.
//
// Gzip and deflate are decoded by an inflater of our own that can stop at any
// bit; brotli by a library whose reader can be continued; zstd by a library
// that is handed whole blocks. The total output does not depend on how the
// input is cut, except for where exactly a brotli bomb is cut off.
package decompress

import (
	"errors"

	"sluice/dataplane/protocol"
)

// Encoding is a content or transfer coding.
type Encoding uint8

// The codings that can be undone. Gzip and Deflate take each other's formats:
// which of gzip, zlib and raw deflate it is shows in the first bytes.
const (
	Identity Encoding = iota
	Gzip
	Deflate
	Brotli
	Zstd
	// Unsupported is a coding without a decoder (compress, lzma, unknown names).
	Unsupported
)

// String gives the coding's name as in HTTP.
func (e Encoding) String() string {
	return [...]string{"identity", "gzip", "deflate", "br", "zstd", "unsupported"}[e]
}

// Errors that Write and Close return.
var (
	// ErrTooLarge: a layer decodes to more than Limits.MaxDecompressed bytes.
	ErrTooLarge = errors.New("decompress: output exceeds the limit")
	// ErrRatio: a layer decodes to more than Limits.MaxRatio times its input.
	ErrRatio = errors.New("decompress: compression ratio exceeds the limit")
	// ErrBroken: data broke off the format after output was given. What followed
	// was passed on undecoded.
	ErrBroken = errors.New("decompress: data is corrupt")
	// ErrPlain: the data was never encoded as declared, and was passed on as it is.
	ErrPlain = errors.New("decompress: data is not in the declared encoding")
	// ErrTrailing: the encoded data was followed by other bytes; they were
	// passed on undecoded, behind brotli dropped.
	ErrTrailing = errors.New("decompress: bytes follow the encoded data")
	// ErrTruncated: the input ended before the encoded data did.
	ErrTruncated = errors.New("decompress: data is truncated")
)

const (
	// ratioFree is the output of a layer that is not measured against MaxRatio,
	// unless Limits.RatioFree says otherwise.
	ratioFree = 64 << 10
	// maxPrefix bounds the input kept until a layer has shown first output.
	maxPrefix = 4096
	// maxHeld is what a codec may have taken beyond the point of failure.
	maxHeld = 64
)

// codec is one layer's decoder.
type codec interface {
	// write decodes all of in and gives output to d.emit(i, …).
	write(d *Decoder, i int, in []byte)
	// finished reports whether the input so far is a whole stream.
	finished() bool
	// plain reports whether nothing shows yet that the input is encoded at all.
	plain() bool
	// release gives the codec back to its pool.
	release()
}

type layer struct {
	c       codec
	in, out int64
	// pass: undecoded bytes go through.
	pass bool
	// prefix is the input before the current write while out is 0; prefixFull
	// tells that it was not kept whole.
	prefix     []byte
	prefixFull bool
}

// Decoder undoes one body's encodings. It belongs to one goroutine.
type Decoder struct {
	layers []layer
	out    func([]byte)
	lim    *protocol.Limits
	// stop is the limit that ended decoding; note the first oddity.
	stop, note error
}

// New makes a decoder. encs lists the encodings in the order in which they were
// applied, as Content-Encoding does; Identity is ignored, and Unsupported must
// not be there. out takes the decoded bytes during Write, borrowed for the call.
// Beyond limits.MaxLayers encodings New keeps the last ones, and the output is
// still encoded.
func New(encs []Encoding, limits *protocol.Limits, out func([]byte)) *Decoder {
	d := &Decoder{out: out, lim: limits}
	for i := len(encs) - 1; i >= 0 && len(d.layers) < max(1, limits.MaxLayers); i-- {
		var c codec
		switch encs[i] {
		case Gzip, Deflate:
			c = newDeflate(encs[i])
		case Brotli:
			c = newBrotli()
		case Zstd:
			c = newZstd()
		default:
			continue
		}
		d.layers = append(d.layers, layer{c: c})
	}
	return d
}

// Write decodes the next input and gives out everything that it determines. It
// returns ErrTooLarge or ErrRatio, then and ever after, once a limit is
// reached; the rest of the body is not decoded. Data that breaks the format is
// no error here: it goes through undecoded, and Err tells.
func (d *Decoder) Write(in []byte) error {
	if d.stop == nil && len(in) > 0 {
		d.feed(0, in)
	}
	return d.stop
}

// Err tells the limit reached, else the first oddity met (ErrBroken, ErrPlain,
// ErrTrailing), else nil.
func (d *Decoder) Err() error {
	if d.stop != nil {
		return d.stop
	}
	return d.note
}

// Close ends the body and gives the decoder's state back. It returns Err, or
// ErrTruncated when encoded data has not ended. Input too short to tell whether
// it is encoded is given out as it is. Nothing may be called after it.
func (d *Decoder) Close() error {
	for i := range d.layers {
		l := &d.layers[i]
		if !l.pass && l.in > 0 && d.stop == nil && !l.c.finished() {
			if l.out == 0 && !l.prefixFull && l.c.plain() {
				d.fail(i, 0, nil)
			} else if d.note == nil {
				d.note = ErrTruncated
			}
		}
	}
	err := d.Err()
	for i := range d.layers {
		if l := &d.layers[i]; l.c != nil {
			l.c.release()
			l.c = nil
		}
	}
	d.layers = nil
	return err
}

// feed gives in to layer i, or to the receiver behind the last one.
func (d *Decoder) feed(i int, in []byte) {
	if d.stop != nil || len(in) == 0 {
		return
	}
	if i == len(d.layers) {
		d.out(in)
		return
	}
	l := &d.layers[i]
	if l.pass {
		d.emit(i, in)
		return
	}
	if l.out > 0 {
		l.prefix = nil
	}
	l.c.write(d, i, in)
	if l.in += int64(len(in)); l.out == 0 && !l.pass {
		if len(l.prefix)+len(in) <= maxPrefix+maxHeld {
			l.prefix = append(l.prefix, in...)
		} else {
			l.prefixFull = true
		}
	}
}

// emit counts a layer's output against the size limit and passes it on.
func (d *Decoder) emit(i int, p []byte) {
	l := &d.layers[i]
	if d.stop != nil || len(p) == 0 {
		return
	}
	if room := d.lim.MaxDecompressed - l.out; int64(len(p)) > room {
		l.out += room
		d.feed(i+1, p[:room])
		d.halt(ErrTooLarge)
		return
	}
	l.out += int64(len(p))
	d.feed(i+1, p)
}

// ratio checks a layer's output against the input it used so far.
func (d *Decoder) ratio(i int, used int64) {
	l := &d.layers[i]
	free := d.lim.RatioFree
	if free == 0 {
		free = ratioFree
	}
	if l.out > free && l.out/int64(max(1, d.lim.MaxRatio)) > used {
		d.halt(ErrRatio)
	}
}

func (d *Decoder) halt(err error) {
	if d.stop == nil {
		d.stop = err
	}
}

// oddity notes err and lets the layer's further input through undecoded.
func (d *Decoder) oddity(i int, err error) {
	d.layers[i].pass = true
	if d.note == nil {
		d.note = err
	}
}

// fail lets layer i's undecoded input through. used is how much of all input
// was good, in the current write, and rest what the codec had not used.
func (d *Decoder) fail(i int, used int64, in []byte, rest ...[]byte) {
	l := &d.layers[i]
	if l.out == 0 && used <= maxPrefix && !l.prefixFull {
		d.oddity(i, ErrPlain)
		prefix := l.prefix
		l.prefix = nil
		d.emit(i, prefix)
		d.emit(i, in)
		return
	}
	d.oddity(i, ErrBroken)
	for _, r := range rest {
		d.emit(i, r)
	}
}
