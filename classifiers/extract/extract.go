package extract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	headSize       = 16 << 10 // bytes looked at to tell a type
	maxUnscannable = 64
	flushAt        = 256 << 10
)

// Extract reads one object of size bytes from r, which the caller calls name,
// and gives its text to fn in order. The error is fn's own (unless it is
// ErrStop) or the context's when the caller cancelled it; anything wrong with
// the object itself is in Result.Unscannable. r must be safe for ReadAt calls
// from this goroutine only. Extract may be called concurrently.
func Extract(ctx context.Context, r io.ReaderAt, size int64, name string, limits Limits, fn func(Part) error) (Result, error) {
	w := &walker{ctx: ctx, lim: limits.WithDefaults(), fn: fn}
	w.deadline = time.Now().Add(w.lim.MaxTime)
	if size < 0 {
		return w.res, fmt.Errorf("extract: negative size %d", size)
	}
	o := &object{path: cleanName(name), name: name, r: r, size: size}
	if o.path == "" {
		o.path = "object"
	}
	err := w.object(o)
	w.res.Type = o.typ
	switch {
	case err == nil:
	case errors.Is(err, ErrStop):
		w.res.Stopped = true
		err = nil
	case isFailure(err):
		err = nil
	}
	return w.res, err
}

// Bytes is Extract over a slice, which it does not keep.
func Bytes(ctx context.Context, b []byte, name string, limits Limits, fn func(Part) error) (Result, error) {
	return Extract(ctx, bytes.NewReader(b), int64(len(b)), name, limits, fn)
}

func isFailure(err error) bool {
	var f failure
	return errors.As(err, &f)
}

// walker is the state of one extraction over all its levels.
type walker struct {
	ctx      context.Context
	lim      Limits
	fn       func(Part) error
	deadline time.Time
	res      Result
	held     int64 // bytes of nested objects in memory now
	seq      uint32
	ticks    uint
	late     bool
	textFull bool
	chunk    []byte // for unpack, which never runs inside itself
}

// object is one thing to be read: the outermost or one inside it.
type object struct {
	path  string
	name  string // as declared; the last element is what counts
	r     io.ReaderAt
	size  int64
	mem   []byte // all bytes, when they are in memory
	depth int
	hint  string // declared media type, when the container gives one
	typ   string // found media type
	head  []byte
}

func (o *object) section() *io.SectionReader { return io.NewSectionReader(o.r, 0, o.size) }

// bytes gives the whole object in memory, reading it when need be.
func (w *walker) bytes(o *object) ([]byte, error) {
	if o.mem != nil || o.size == 0 {
		return o.mem, nil
	}
	if o.size > w.lim.MaxObject {
		return nil, errTooLarge
	}
	b := make([]byte, o.size)
	n, err := o.r.ReadAt(b, 0)
	if int64(n) < o.size && err != nil {
		return nil, errDamaged
	}
	o.mem = b
	return b, nil
}

// tick is called in loops over input; it tells, cheaply, when time is over.
func (w *walker) tick() error {
	if w.late {
		return errTimeout
	}
	if w.ticks++; w.ticks&0x3f != 0 {
		return nil
	}
	return w.clock()
}

func (w *walker) clock() error {
	if err := w.ctx.Err(); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			w.late = true
			return errTimeout
		}
		return err
	}
	if w.late || time.Now().After(w.deadline) {
		w.late = true
		return errTimeout
	}
	return nil
}

// unscannable records that path could not be read.
func (w *walker) unscannable(path string, why Reason) {
	for _, u := range w.res.Unscannable {
		if u.Path == path && u.Reason == why {
			return
		}
	}
	if len(w.res.Unscannable) < maxUnscannable {
		w.res.Unscannable = append(w.res.Unscannable, Unscannable{path, why})
	}
}

// fatal tells the errors after which nothing more is read at all.
func (w *walker) fatal(err error) bool {
	return err != nil && (errors.Is(err, errTimeout) || errors.Is(err, errEntries) || !isFailure(err))
}

// object reads one object. Its own failures are recorded here; only what ends
// the whole extraction is returned.
func (w *walker) object(o *object) error {
	w.res.Objects++
	if w.res.Objects > w.lim.MaxEntries {
		w.unscannable(o.path, Entries)
		return errEntries
	}
	if o.depth > w.lim.MaxDepth {
		w.unscannable(o.path, TooDeep)
		return nil
	}
	return w.settle(o.path, w.guard(func() error { return w.dispatch(o) }))
}

// settle records a failure under path and gives back what is fatal.
func (w *walker) settle(path string, err error) error {
	if err == nil {
		return nil
	}
	var f failure
	if errors.As(err, &f) {
		w.unscannable(path, f.reason)
		if w.fatal(f) {
			return f
		}
		return nil
	}
	if errors.Is(err, ErrStop) || errors.Is(err, errCallback) || w.ctx.Err() != nil {
		return err
	}
	w.unscannable(path, Damaged)
	return nil
}

// guard turns a panic of a reader into "damaged": a reader that indexes past
// hostile input must not take the sensor with it.
func (w *walker) guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if debugPanics {
				panic(p)
			}
			err = errDamaged
		}
	}()
	return f()
}

// debugPanics lets tests and fuzzing see the panics that guard would hide.
var debugPanics = false

// childPath is the path of name inside o.
func (o *object) childPath(name string) string {
	name = cleanName(name)
	if name == "" {
		name = "unnamed"
	}
	const most = 2048
	p := o.path + "!/" + name
	if len(p) > most {
		p = p[:most]
	}
	return p
}

// cleanName makes a declared name fit to be shown: valid UTF-8, no control
// characters, no way upwards, not too long.
func cleanName(name string) string {
	name = strings.ToValidUTF8(name, "\uFFFD")
	name = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return -1
		}
		if r == '\\' {
			return '/'
		}
		return r
	}, name)
	for strings.HasPrefix(name, "/") || strings.HasPrefix(name, "../") || strings.HasPrefix(name, "./") {
		_, name, _ = strings.Cut(name, "/")
	}
	if len(name) > 512 {
		name = strings.ToValidUTF8(name[len(name)-512:], "")
	}
	return name
}

// nested reads an object that a container gave as bytes. The slice must stay
// untouched until it returns.
func (w *walker) nested(parent *object, name, hint string, b []byte) error {
	return w.object(&object{path: parent.childPath(name), name: name, r: bytes.NewReader(b), size: int64(len(b)),
		mem: b, depth: parent.depth + 1, hint: hint})
}

// nestedStream unpacks r, which is packed bytes long where the container says
// so (else 0), and reads the result as an object.
func (w *walker) nestedStream(parent *object, name string, r io.Reader, packed int64) error {
	path := parent.childPath(name)
	if parent.depth+1 > w.lim.MaxDepth {
		w.unscannable(path, TooDeep)
		return nil
	}
	b, err := w.unpack(r, packed)
	if len(b) > 0 {
		w.held += int64(len(b))
		if e := w.nested(parent, name, "", b); e != nil {
			return e
		}
		w.held -= int64(len(b))
	}
	return w.settle(path, err)
}

// unpack reads all of r within the limits. Together with an error it gives
// what could be read.
func (w *walker) unpack(r io.Reader, packed int64) ([]byte, error) {
	var buf bytes.Buffer
	if w.chunk == nil {
		w.chunk = make([]byte, 32<<10)
	}
	chunk := w.chunk
	for {
		if err := w.clock(); err != nil {
			return buf.Bytes(), err
		}
		n, err := r.Read(chunk)
		buf.Write(chunk[:n])
		w.res.Bytes += int64(n)
		size := int64(buf.Len())
		switch {
		case packed > 0 && size > 1<<20 && size/packed > w.lim.MaxRatio:
			return buf.Bytes(), errRatio
		case size > w.lim.MaxObject, w.held+size > 4*w.lim.MaxObject, w.res.Bytes > w.lim.MaxBytes:
			return buf.Bytes(), errTooLarge
		}
		if err == io.EOF {
			return buf.Bytes(), nil
		}
		if err != nil {
			if isFailure(err) {
				return buf.Bytes(), err
			}
			return buf.Bytes(), errDamaged
		}
	}
}
