package extract

import (
	"bytes"
	"compress/flate"
	"errors"
	"strings"
)

// hwp reads the body of a Hangul document, version 5: deflated streams of
// records, of which the paragraph texts are UTF-16 with inline controls.
func (w *walker) hwp(o *object, c *cfb) error {
	head := c.stream("FileHeader")
	flags := u32at(head, 36)
	if flags&2 != 0 {
		return errEncrypted
	}
	t := w.open(o, "", Text)
	for i := range c.entries {
		e := &c.entries[i]
		if e.kind != 2 || !strings.HasPrefix(e.path, "BodyText/Section") {
			continue
		}
		b := c.read(e)
		if flags&1 != 0 {
			var err error
			if b, err = w.unpack(flate.NewReader(bytes.NewReader(b)), int64(max(len(b), 1))); err != nil && !errors.Is(err, errDamaged) {
				return err
			}
		}
		for len(b) >= 4 {
			if err := w.tick(); err != nil {
				return err
			}
			h := u32at(b, 0)
			b = b[4:]
			n := h >> 20
			if n == 0xfff {
				n = u32at(b, 0)
				b = b[min(4, len(b)):]
			}
			n = min(n, uint32(len(b)))
			if h&0x3ff == 67 {
				hwpText(t, b[:n])
			}
			b = b[n:]
		}
	}
	return t.close()
}

func hwpText(t *writer, b []byte) {
	for i := 0; i+1 < len(b); i += 2 {
		switch c := u16at(b, i); {
		case c >= 0x20:
			t.rune(rune(c))
		case c == 9:
			t.str("\t")
			i += 14
		case c == 10 || c == 13:
			t.sep('\n')
		case c == 24 || c == 30 || c == 31:
			t.str(" ")
		case c == 0 || c > 24:
		default:
			i += 14 // a control takes eight units
		}
	}
	t.sep('\n')
}
