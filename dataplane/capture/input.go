package capture

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

const (
	// windowSize is the first size of a stream's window.
	windowSize = 1 << 20
	// releaseStep is how much of a mapping is read before its pages are given
	// back, so that a large file does not count as the program's memory.
	releaseStep = 32 << 20
	// zstdWindow bounds the decoder's memory against crafted frames.
	zstdWindow = 128 << 20
)

// errPacked tells that a compressed file does not even begin well.
var errPacked = errors.New("damaged compression")

// input is the window of a capture's bytes: the whole file where it is mapped,
// otherwise a buffer that slides over a stream.
type input struct {
	// buf[pos:] is not yet parsed; buf[0] is byte base of the capture.
	buf  []byte
	pos  int
	base int64

	mapped   []byte
	released int

	r       io.Reader
	readErr error
	closers []func() error
}

// openInput opens path and looks at its first bytes.
func openInput(path string) (*input, error) {
	fd := os.Stdin
	if path != "-" {
		var err error
		if fd, err = os.Open(path); err != nil {
			return nil, err
		}
	}
	in, err := newInput(fd, path != "-")
	if err != nil && path != "-" {
		fd.Close()
	}
	return in, err
}

func newInput(fd *os.File, owned bool) (*input, error) {
	in := &input{}
	st, err := fd.Stat()
	if err != nil {
		return nil, err
	}
	if st.IsDir() {
		return nil, fmt.Errorf("%s: is a directory; name the captures in it", fd.Name())
	}
	// A regular file given as standard input may be positioned anywhere: only a
	// file that was opened here is mapped.
	if st.Mode().IsRegular() && owned {
		var magic [4]byte
		n, _ := fd.ReadAt(magic[:], 0)
		if !compressed(magic[:n]) {
			defer fd.Close()
			return in, in.mmap(fd, st.Size())
		}
	}
	if owned {
		in.closers = append(in.closers, fd.Close)
	}
	return in, in.stream(fd)
}

func (in *input) mmap(fd *os.File, size int64) error {
	in.readErr = io.EOF
	if size == 0 {
		return nil
	}
	if int64(int(size)) != size {
		return fmt.Errorf("map %s: %d bytes do not fit the address space", fd.Name(), size)
	}
	// Private and writable: whoever rewrites a frame gets a page of his own.
	m, err := unix.Mmap(int(fd.Fd()), 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		return fmt.Errorf("map %s: %w", fd.Name(), err)
	}
	// Only hints; a file system that knows neither still serves the pages.
	_ = unix.Madvise(m, unix.MADV_SEQUENTIAL)
	in.mapped, in.buf = m, m
	in.closers = append(in.closers, func() error { return unix.Munmap(m) })
	return nil
}

func (in *input) stream(r io.Reader) error {
	br := bufio.NewReaderSize(r, 256<<10)
	magic, _ := br.Peek(4)
	in.r = br
	switch {
	case isGzip(magic):
		z, err := gzip.NewReader(br)
		if err != nil {
			return fmt.Errorf("%w: gzip header: %w", errPacked, err)
		}
		in.r = z
		in.closers = append(in.closers, z.Close)
	case isZstd(magic):
		z, err := zstd.NewReader(br, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return fmt.Errorf("%w: zstd header: %w", errPacked, err)
		}
		in.r = z
		in.closers = append(in.closers, func() error { z.Close(); return nil })
	}
	in.buf = make([]byte, 0, windowSize)
	return nil
}

func compressed(magic []byte) bool { return isGzip(magic) || isZstd(magic) }

func isGzip(m []byte) bool { return len(m) >= 3 && m[0] == 0x1f && m[1] == 0x8b && m[2] == 8 }

func isZstd(m []byte) bool { return len(m) >= 4 && le32(m) == 0xfd2fb528 }

// discard gives up the bytes before pos; frames borrowed from them become
// invalid.
func (in *input) discard() {
	if in.mapped != nil {
		if done := in.pos &^ (os.Getpagesize() - 1); done-in.released >= releaseStep {
			_ = unix.Madvise(in.mapped[in.released:done], unix.MADV_DONTNEED)
			in.released = done
		}
		return
	}
	if in.pos > 0 {
		n := copy(in.buf[:cap(in.buf)], in.buf[in.pos:])
		in.buf = in.buf[:n]
		in.base += int64(in.pos)
		in.pos = 0
	}
}

// want reads until need bytes follow pos. io.EOF means that the input ended
// between records, io.ErrUnexpectedEOF inside of one; other errors are the
// reader's own. Callers bound need.
func (in *input) want(need int) error {
	for len(in.buf)-in.pos < need {
		if in.readErr != nil {
			if errors.Is(in.readErr, io.EOF) && len(in.buf) > in.pos {
				return io.ErrUnexpectedEOF
			}
			return in.readErr
		}
		if free := cap(in.buf) - len(in.buf); free == 0 || in.pos+need > cap(in.buf) {
			grown := make([]byte, len(in.buf), max(2*cap(in.buf), in.pos+need))
			copy(grown, in.buf)
			in.buf = grown
		}
		n, err := in.r.Read(in.buf[len(in.buf):cap(in.buf)])
		in.buf = in.buf[:len(in.buf)+n]
		if err != nil {
			in.readErr = err
		}
	}
	return nil
}

func (in *input) close() error {
	var first error
	for i := len(in.closers) - 1; i >= 0; i-- {
		if err := in.closers[i](); err != nil && first == nil {
			first = err
		}
	}
	*in = input{readErr: io.ErrClosedPipe}
	return first
}
