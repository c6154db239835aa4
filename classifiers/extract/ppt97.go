package extract

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
)

// Records of the binary presentation format ([MS-PPT] 2.13.24).
const (
	pptDocument   = 0x03e8
	pptSlide      = 0x03ee
	pptNotes      = 0x03f0
	pptMaster     = 0x03f8
	pptSlideAtom  = 0x03ef
	pptTextChars  = 0x0fa0
	pptTextBytes  = 0x0fa8
	pptCString    = 0x0fba
	pptComment    = 0x2ee0
	pptCrypt      = 0x2f14
	pptOleStorage = 0x1011
	pptSSInfo     = 0x03f9
	pptPlacehold  = 0x0bc3
	pptHandout    = 0x0fc9
	artShape      = 0xf004
	artClientData = 0xf011
)

func (w *walker) powerpoint97(o *object, c *cfb) error {
	if user := c.stream("Current User"); u32at(user, 12) == 0xf3d1c4df || c.has("EncryptedSummary") {
		return errEncrypted
	}
	b := c.stream("PowerPoint Document")
	if b == nil {
		return w.oleStrings(o, c)
	}
	p := &pptReader{w: w, o: o}
	p.text, p.notes, p.comments = w.open(o, "", Text), w.open(o, "notes", Comment), w.open(o, "comments", Comment)
	p.master, p.hidden = w.open(o, "master", Text), w.open(o, "", Hidden)
	if err := p.records(b, p.text, 0); err != nil {
		return err
	}
	for _, t := range []*writer{p.text, p.notes, p.comments, p.master, p.hidden} {
		if err := t.close(); err != nil {
			return err
		}
	}
	return nil
}

type pptReader struct {
	w                                     *walker
	o                                     *object
	text, notes, comments, master, hidden *writer
	objects                               int
	inMaster                              bool
}

func (p *pptReader) records(b []byte, out *writer, depth int) error {
	if depth > 40 {
		return errTooDeep
	}
	for len(b) >= 8 {
		if err := p.w.tick(); err != nil {
			return err
		}
		inst, typ, n := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:]), binary.LittleEndian.Uint32(b[4:])
		b = b[8:]
		d := b[:min(uint64(n), uint64(len(b)))]
		b = b[len(d):]
		if err := p.record(inst, typ, d, out, depth); err != nil {
			return err
		}
	}
	return nil
}

func (p *pptReader) record(inst, typ uint16, d []byte, out *writer, depth int) error {
	switch typ {
	case pptCrypt:
		return errEncrypted
	case pptTextChars:
		out.sep('\n')
		pptText(out, utf16le(d))
	case pptTextBytes:
		out.sep('\n')
		pptText(out, string(decodeWith(codepage(1252), d)))
	case pptCString:
		out.sep('\n')
		out.str(utf16le(d))
		out.sep('\n')
	case pptOleStorage:
		return p.embedded(inst, d)
	case pptSlide:
		if hiddenSlide(d) {
			out = p.hidden
		} else {
			out = p.text
		}
		return p.records(d, out, depth+1)
	case pptNotes, pptHandout:
		return p.records(d, p.notes, depth+1)
	case pptComment:
		return p.records(d, p.comments, depth+1)
	case pptMaster:
		p.inMaster = true
		err := p.records(d, p.master, depth+1)
		p.inMaster = false
		return err
	case artShape:
		if p.inMaster && bytes.Contains(d, []byte{byte(pptPlacehold & 0xff), pptPlacehold >> 8, 8, 0, 0, 0}) {
			// A prompt of the master and not a text of its author, but for footers.
			if k := bytes.Index(d, []byte{byte(pptPlacehold & 0xff), pptPlacehold >> 8, 8, 0, 0, 0}); k+11 <= len(d) {
				if place := d[k+10]; place < 7 || place > 10 {
					return nil
				}
			}
		}
		return p.records(d, out, depth+1)
	default:
		if inst&15 == 15 {
			return p.records(d, out, depth+1)
		}
	}
	return nil
}

// hiddenSlide looks for the slide show atom with its hidden bit.
func hiddenSlide(d []byte) bool {
	for len(d) >= 8 {
		typ, n := binary.LittleEndian.Uint16(d[2:]), binary.LittleEndian.Uint32(d[4:])
		d = d[8:]
		if typ == pptSSInfo && len(d) >= 12 {
			return d[10]&4 != 0
		}
		if uint64(n) > uint64(len(d)) {
			return false
		}
		d = d[n:]
	}
	return false
}

func pptText(t *writer, s string) {
	for _, r := range s {
		switch r {
		case '\r', 0x0b:
			t.sep('\n')
		default:
			if r >= 0x20 || r == '\t' {
				t.rune(r)
			}
		}
	}
	t.sep('\n')
}

func (p *pptReader) embedded(inst uint16, d []byte) error {
	p.objects++
	name := "object-" + itoa(p.objects)
	if inst>>4 == 1 && len(d) > 6 {
		// Deflate with a zlib head, behind the size it unpacks to.
		return p.w.nestedStream(p.o, name, flate.NewReader(bytes.NewReader(d[6:])), int64(len(d)))
	}
	return p.w.nested(p.o, name, "", d)
}
