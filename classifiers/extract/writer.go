package extract

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// errCallback marks an error as the callback's own.
var errCallback = errors.New("callback")

// writer collects one text and gives it to the callback in pieces. Its first
// error sticks; readers may look at it only now and then.
type writer struct {
	w    *walker
	part Part
	buf  []byte
	err  error
}

// open begins a text at path. An empty text is never given to the callback.
func (w *walker) open(o *object, sub string, kind Kind) *writer {
	path := o.path
	if sub != "" {
		path = o.childPath(sub)
	}
	name := path
	if i := strings.LastIndexAny(path, "/"); i >= 0 {
		name = path[i+1:]
	}
	return &writer{w: w, part: Part{Path: path, Kind: kind, Name: name, Type: o.typ}}
}

func (t *writer) str(s string) {
	if t.err != nil {
		return
	}
	t.buf = append(t.buf, s...)
	if len(t.buf) >= flushAt {
		t.flush(true)
	}
}

func (t *writer) write(b []byte) {
	if t.err != nil {
		return
	}
	t.buf = append(t.buf, b...)
	if len(t.buf) >= flushAt {
		t.flush(true)
	}
}

func (t *writer) rune(r rune) {
	if t.err == nil {
		t.buf = utf8.AppendRune(t.buf, r)
	}
}

// sep writes c unless the text is empty or ends in white space already; of
// newlines at most two in a row are kept.
func (t *writer) sep(c byte) {
	if t.err != nil {
		return
	}
	n := len(t.buf)
	if n == 0 {
		if t.part.Seq != 0 {
			t.buf = append(t.buf, c)
		}
		return
	}
	last := t.buf[n-1]
	switch {
	case last == c:
	case c == '\n' && (last == ' ' || last == '\t'):
		t.buf[n-1] = c
	case c == ' ' && (last == '\n' || last == '\t'), c == '\t' && last == '\n':
	default:
		t.buf = append(t.buf, c)
	}
}

// kv writes one line of properties.
func (t *writer) kv(key, value string) {
	value = strings.TrimSpace(value)
	if value == "" {
		return
	}
	t.str(key)
	t.str("=")
	t.str(value)
	t.str("\n")
}

func (t *writer) flush(more bool) {
	if t.err != nil {
		return
	}
	text := t.buf
	if more {
		// Keep a cut rune for the next piece.
		for i := 1; i <= 3 && i < len(text); i++ {
			if c := text[len(text)-i]; c >= 0xc0 {
				if !utf8.FullRune(text[len(text)-i:]) {
					text = text[:len(text)-i]
				}
				break
			} else if c < 0x80 {
				break
			}
		}
	}
	if len(text) == 0 && t.part.Seq == 0 {
		return
	}
	t.err = t.w.emit(&t.part, text, more)
	t.buf = append(t.buf[:0], t.buf[len(text):]...)
}

// close gives the rest of the text and the first error met.
func (t *writer) close() error {
	t.flush(false)
	if t.err != nil && isFailure(t.err) {
		// The text limit is recorded where it was met; reading goes on for what
		// else must be found, encryption for one.
		if errors.Is(t.err, errTooLarge) {
			return nil
		}
	}
	return t.err
}

// emit gives one piece to the callback.
func (w *walker) emit(p *Part, text []byte, more bool) error {
	if err := w.clock(); err != nil {
		return err
	}
	if p.Seq == 0 {
		w.seq++
		p.Seq = w.seq
	}
	if !utf8.Valid(text) {
		text = []byte(strings.ToValidUTF8(string(text), "\uFFFD"))
	}
	if w.res.Text+int64(len(text)) > w.lim.MaxText {
		w.unscannable(p.Path, TooLarge)
		if w.textFull {
			return errTooLarge
		}
		w.textFull = true
		n := w.lim.MaxText - w.res.Text
		for n > 0 && !utf8.RuneStart(text[n]) {
			n--
		}
		text, more = text[:n], false
	}
	w.res.Text += int64(len(text))
	q := *p
	q.More, q.Text = more, text
	if err := w.fn(q); err != nil {
		if errors.Is(err, ErrStop) {
			return err
		}
		return fmt.Errorf("%w: %w", errCallback, err)
	}
	if w.textFull {
		return errTooLarge
	}
	return nil
}

// say gives one short text at once.
func (w *walker) say(o *object, sub string, kind Kind, text string) error {
	t := w.open(o, sub, kind)
	t.str(text)
	return t.close()
}
