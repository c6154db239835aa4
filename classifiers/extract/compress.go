package extract

import (
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// maxDict bounds the dictionary a stream may claim: what xz -9 uses.
const maxDict = 64 << 20

// compressed reads a stream of one object.
func (w *walker) compressed(o *object) error {
	r, name, err := w.decompressor(o)
	if err != nil {
		return err
	}
	if c, ok := r.(io.Closer); ok {
		defer c.Close()
	}
	if name == "" {
		name = innerName(o.name)
	}
	return w.nestedStream(o, name, &chargedReader{r: r, in: o.size}, o.size)
}

// chargedReader maps the errors of decompressors to reasons.
type chargedReader struct {
	r  io.Reader
	in int64
}

func (c *chargedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	switch {
	case err == nil, err == io.EOF:
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		err = errTooLarge
	default:
		err = errDamaged
	}
	return n, err
}

// innerName drops the extension that stands for the compression.
func innerName(name string) string {
	name = path.Base(cleanName(name))
	ext := strings.ToLower(path.Ext(name))
	switch ext {
	case ".tgz", ".tbz", ".tbz2", ".txz", ".tzst":
		return strings.TrimSuffix(name, path.Ext(name)) + ".tar"
	case ".gz", ".bz2", ".xz", ".zst", ".zstd", ".lzma", ".z", ".lz4", ".sz":
		return strings.TrimSuffix(name, path.Ext(name))
	}
	return "content"
}

func (w *walker) decompressor(o *object) (io.Reader, string, error) {
	src := o.section()
	switch o.typ {
	case typeGzip:
		z, err := gzip.NewReader(src)
		if err != nil {
			return nil, "", errDamaged
		}
		name := toText(z.Name)
		if name != "" {
			name = path.Base(name)
		}
		return z, name, nil
	case typeBzip2:
		return bzip2.NewReader(src), "", nil
	case typeZstd:
		z, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxDict), zstd.WithDecoderMaxMemory(uint64(w.lim.MaxObject)))
		if err != nil {
			return nil, "", errDamaged
		}
		return z.IOReadCloser(), "", nil
	case typeXZ:
		if big := xzDictionary(o.head); big > maxDict {
			return nil, "", errTooLarge
		}
		z, err := xz.ReaderConfig{DictCap: maxDict}.NewReader(src)
		if err != nil {
			return nil, "", errDamaged
		}
		return z, "", nil
	case typeLZMA:
		if binary.LittleEndian.Uint32(o.head[1:]) > maxDict {
			return nil, "", errTooLarge
		}
		z, err := lzma.ReaderConfig{DictCap: 1 << 16}.NewReader(src)
		if err != nil {
			return nil, "", errDamaged
		}
		return z, "", nil
	case typeLZW:
		b, err := w.bytes(o)
		if err != nil {
			return nil, "", err
		}
		return newUnixLZW(b), "", nil
	case "application/x-lz4":
		return lz4.NewReader(src), "", nil
	case "application/x-snappy-framed":
		return snappy.NewReader(src), "", nil
	}
	return nil, "", errUnsupported
}

// xzDictionary gives the dictionary size that the first block claims (xz file
// format 5.3.1); 0 when it cannot be told.
func xzDictionary(head []byte) uint64 {
	i := bytes.Index(head[:min(len(head), 64)], []byte{0x21, 0x01})
	if i < 12 || i+2 >= len(head) {
		return 0
	}
	n := uint(head[i+2])
	if n > 40 {
		return 1 << 40
	}
	if n == 40 {
		return 1<<32 - 1
	}
	return uint64(2|n&1) << (n/2 + 11)
}

// unixLZW reads the format of compress(1): codes of growing width, aligned in
// groups of eight, with an optional clear code.
type unixLZW struct {
	src    []byte
	bit    int
	start  int // bit where the present width began
	max    int
	block  bool
	width  int
	free   int
	prefix []uint16
	suffix []byte
	old    int
	first  byte
	stack  []byte
	out    []byte
	err    error
}

func newUnixLZW(b []byte) io.Reader {
	z := &unixLZW{old: -1}
	if len(b) < 3 {
		z.err = errDamaged
		return z
	}
	z.max, z.block = int(b[2]&0x1f), b[2]&0x80 != 0
	if z.max < 9 || z.max > 16 {
		z.err = errDamaged
		return z
	}
	z.src = b[3:]
	z.prefix, z.suffix = make([]uint16, 1<<z.max), make([]byte, 1<<z.max)
	z.width = 9
	z.free = 256 + b2i(z.block)
	return z
}

func (z *unixLZW) Read(p []byte) (int, error) {
	for len(z.out) < len(p) && z.err == nil {
		z.step()
	}
	n := copy(p, z.out)
	z.out = append(z.out[:0], z.out[n:]...)
	if n == 0 {
		return 0, z.err
	}
	return n, nil
}

// align skips to the end of the group of eight codes, as the width changes.
func (z *unixLZW) align(from int) {
	group := z.width * 8
	if r := (z.bit - from) % group; r != 0 {
		z.bit += group - r
	}
}

func (z *unixLZW) step() {
	if z.bit+z.width > len(z.src)*8 {
		z.err = io.EOF
		return
	}
	code := 0
	for i := 0; i < z.width; i++ {
		code |= int(z.src[(z.bit+i)>>3]>>((z.bit+i)&7)&1) << i
	}
	z.bit += z.width
	if z.block && code == 256 {
		z.align(z.start)
		z.start = z.bit
		z.width, z.free, z.old = 9, 257, -1
		return
	}
	in := code
	if z.old < 0 {
		if code > 255 {
			z.err = errDamaged
			return
		}
		z.first, z.old = byte(code), code
		z.out = append(z.out, z.first)
		return
	}
	z.stack = z.stack[:0]
	if code >= z.free {
		if code > z.free {
			z.err = errDamaged
			return
		}
		z.stack = append(z.stack, z.first)
		code = z.old
	}
	for code >= 256 {
		if len(z.stack) > 1<<16 {
			z.err = errDamaged
			return
		}
		z.stack = append(z.stack, z.suffix[code])
		code = int(z.prefix[code])
	}
	z.first = byte(code)
	z.out = append(z.out, z.first)
	for i := len(z.stack) - 1; i >= 0; i-- {
		z.out = append(z.out, z.stack[i])
	}
	if z.free < 1<<z.max {
		z.prefix[z.free], z.suffix[z.free] = uint16(z.old), z.first
		z.free++
		if z.free >= 1<<z.width && z.width < z.max {
			z.align(z.start)
			z.start = z.bit
			z.width++
		}
	}
	z.old = in
}
