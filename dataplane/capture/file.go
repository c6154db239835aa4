package capture

import (
	"errors"
	"fmt"
	"io"
)

// batchSize is how many frames a batch of a File holds at most: enough to
// spread the cost of a call, few enough that the frames' headers stay in cache.
const batchSize = 256

// maxRecord is the longest captured frame that a File accepts, in bytes. It is
// libpcap's MAXIMUM_SNAPLEN: a greater length is damage, not traffic.
const maxRecord = 262144

// FormatError tells where and why a capture file cannot be read (further).
type FormatError struct {
	// Path is the file as given to OpenFile.
	Path string
	// Offset is the offending byte's position in the capture, from 0; in a
	// compressed file, the position in what it decompresses to.
	Offset int64
	// Reason says what is wrong, without the path.
	Reason string
	// Err is the underlying error, where there is one.
	Err error
}

// Error gives path, offset and reason in one line.
func (e *FormatError) Error() string {
	return fmt.Sprintf("read capture %s: at byte %d: %s", e.Path, e.Offset, e.Reason)
}

// Unwrap gives the underlying error.
func (e *FormatError) Unwrap() error { return e.Err }

// errMore tells that the window ends inside of a record.
var errMore = errors.New("more bytes needed")

// fault is a parser's finding at an offset of the window; File makes it a
// FormatError.
type fault struct {
	at     int
	reason string
}

func (f *fault) Error() string { return f.reason }

// parser takes frames out of the window in.buf[in.pos:]. It advances in.pos
// behind what it took, and gives the number of frames. The error is nil when
// the batch is full, errMore when the window ends before the batch does (need
// is then the least length that the window must have), or a *fault.
type parser interface {
	next(in *input, fs []Frame) (n, need int, err error)
}

// File reads a capture file: pcap (microseconds, nanoseconds, both byte orders,
// the "modified" variant) or pcapng, plain or compressed with gzip or zstd,
// told by content and not by name. It implements Source and belongs to one
// goroutine.
//
// A plain regular file is mapped, so that frames are borrowed from the page
// cache without a copy; writing to a frame's bytes is allowed and never reaches
// the file. The file must not be cut short while it is open: as with every
// mapping, touching the missing pages ends the program.
type File struct {
	path string
	in   *input
	p    parser
	num  uint64
	err  error
}

// OpenFile opens the capture at path, or standard input when path is "-". An
// empty file and one that is no capture give a *FormatError.
func OpenFile(path string) (*File, error) {
	in, err := openInput(path)
	if errors.Is(err, errPacked) {
		return nil, &FormatError{Path: path, Reason: err.Error(), Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("open capture: %w", err)
	}
	f := &File{path: path, in: in, num: 1}
	if err := f.begin(); err != nil {
		in.close()
		return nil, err
	}
	return f, nil
}

// begin reads the file header and chooses the parser.
func (f *File) begin() error {
	if err := f.in.want(4); err != nil {
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return f.fail(0, "read: "+err.Error(), err)
		}
		if len(f.in.buf) == 0 {
			return f.fail(0, "empty file", nil)
		}
		return f.fail(0, "not a capture file: shorter than a magic number", nil)
	}
	if le32(f.in.buf) == ngSectionHeader {
		f.p = &pcapngParser{}
		return nil
	}
	p, ok := newPcapParser(f.in.buf)
	if !ok {
		return f.fail(0, fmt.Sprintf("not a capture file: magic number %x", f.in.buf[:4]), nil)
	}
	if err := f.in.want(pcapHeaderLen); err != nil {
		return f.fail(int64(len(f.in.buf)), "truncated pcap file header", err)
	}
	if ft := p.header(f.in.buf); ft != nil {
		return f.fail(int64(ft.at), ft.reason, nil)
	}
	f.in.pos = pcapHeaderLen
	f.p = p
	return nil
}

func (f *File) fail(off int64, reason string, err error) error {
	return &FormatError{Path: f.path, Offset: off, Reason: reason, Err: err}
}

// SetNum gives the next frame the number n, so that several files of one run go
// on counting. The default is 1.
func (f *File) SetNum(n uint64) { f.num = n }

// NextNum gives the number that the next frame will have.
func (f *File) NextNum() uint64 { return f.num }

// ReadBatch implements Source. It gives up to 256 frames; io.EOF or a
// *FormatError comes alone, after all frames that precede it.
func (f *File) ReadBatch(b *Batch) error {
	if cap(b.Frames) < batchSize {
		b.Frames = make([]Frame, 0, batchSize)
	}
	b.Frames = b.Frames[:0]
	if f.err != nil {
		return f.err
	}
	fs := b.Frames[:batchSize]
	f.in.discard()
	for {
		n, need, err := f.p.next(f.in, fs)
		if n > 0 {
			f.number(fs[:n])
			b.Frames = fs[:n]
		}
		if err == nil {
			return nil
		}
		if errors.Is(err, errMore) {
			if n > 0 {
				// The window is refilled by the next call: these frames lie in it.
				return nil
			}
			if err = f.more(need); err == nil {
				continue
			}
		} else if ft := (*fault)(nil); errors.As(err, &ft) {
			err = f.fail(f.in.base+int64(ft.at), ft.reason, nil)
		}
		f.err = err
		if n > 0 {
			return nil
		}
		return err
	}
}

// more refills the window so that need bytes follow its position. The error is
// final.
func (f *File) more(need int) error {
	f.in.discard()
	have := len(f.in.buf) - f.in.pos
	err := f.in.want(need)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF) && have == 0 && len(f.in.buf) == f.in.pos:
		return io.EOF
	case errors.Is(f.in.readErr, io.ErrUnexpectedEOF):
		return f.fail(f.in.base+int64(len(f.in.buf)), "truncated: the compressed data is cut short or followed by something else", err)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return f.fail(f.in.base+int64(f.in.pos), fmt.Sprintf("truncated: record of at least %d bytes, %d left",
			need, len(f.in.buf)-f.in.pos), io.ErrUnexpectedEOF)
	}
	return f.fail(f.in.base+int64(len(f.in.buf)), "read: "+err.Error(), err)
}

func (f *File) number(fs []Frame) {
	for i := range fs {
		fs[i].Num = f.num
		f.num++
	}
}

// Close implements Source.
func (f *File) Close() error {
	f.err = io.ErrClosedPipe
	return f.in.close()
}

// Stable reports whether the bytes of frames stay valid until Close, and not
// only to the next ReadBatch.
func (f *File) Stable() bool { return f.in.mapped != nil }
