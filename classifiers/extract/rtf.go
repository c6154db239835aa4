package extract

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"unicode/utf16"

	"golang.org/x/text/encoding"
)

// rtfState is what a group inherits and gives back at its end.
type rtfState struct {
	out    *writer
	skip   bool // a destination that holds no text
	hidden bool
	uc     int // bytes that stand in for a \u character
	enc    encoding.Encoding
	dest   rtfDest
}

type rtfDest uint8

const (
	rtfBody rtfDest = iota
	rtfFontTable
	rtfObjData
	rtfInfo
	rtfPict
	rtfUserProp
)

type rtfReader struct {
	w      *walker
	o      *object
	b      []byte
	i      int
	stack  []rtfState
	st     rtfState
	body   *writer
	hidden *writer
	head   *writer
	foot   *writer
	note   *writer
	props  *writer
	fonts  map[int]encoding.Encoding
	font   int
	high   uint16 // first half of a surrogate pair
	pend   []byte // bytes of a multi-byte charset
	obj    []byte
	objs   int
	key    string
	name   []byte
	left   int // bytes to skip after \u
}

// rtf reads Rich Text Format 1.9.1: text, headers, notes, properties, hidden
// text and embedded objects.
func (w *walker) rtf(o *object) error {
	b, err := w.bytes(o)
	if err != nil {
		return err
	}
	r := &rtfReader{w: w, o: o, b: b, fonts: map[int]encoding.Encoding{}}
	r.body, r.hidden = w.open(o, "", Text), w.open(o, "", Hidden)
	r.head, r.foot, r.note, r.props = w.open(o, "", Header), w.open(o, "", Footer), w.open(o, "", Comment), w.open(o, "", Properties)
	r.st = rtfState{out: r.body, uc: 1, enc: codepage(1252)}
	if err := r.run(); err != nil {
		return err
	}
	for _, t := range []*writer{r.props, r.head, r.body, r.foot, r.note, r.hidden} {
		if err := t.close(); err != nil {
			return err
		}
	}
	return nil
}

func (r *rtfReader) run() error {
	for r.i < len(r.b) {
		if err := r.w.tick(); err != nil {
			return err
		}
		switch c := r.b[r.i]; c {
		case '{':
			r.i++
			r.flushBytes()
			if len(r.stack) >= 4096 {
				return errTooDeep
			}
			r.stack = append(r.stack, r.st)
			r.left = 0
		case '}':
			r.i++
			r.flushBytes()
			if err := r.endGroup(); err != nil {
				return err
			}
		case '\\':
			if err := r.control(); err != nil {
				return err
			}
		case '\r', '\n':
			r.i++
		default:
			r.i++
			r.text(c)
		}
	}
	r.flushBytes()
	if len(r.obj) > 0 {
		return r.object()
	}
	return nil
}

func (r *rtfReader) endGroup() error {
	ended := r.st
	if n := len(r.stack); n > 0 {
		r.st, r.stack = r.stack[n-1], r.stack[:n-1]
	}
	switch {
	case ended.dest == rtfObjData && r.st.dest != rtfObjData:
		return r.object()
	case ended.dest == rtfInfo && r.key != "":
		r.props.kv(r.key, string(r.name))
		r.key, r.name = "", nil
	}
	return nil
}

// control reads a control word or symbol with its parameter.
func (r *rtfReader) control() error {
	r.i++
	if r.i >= len(r.b) {
		return nil
	}
	c := r.b[r.i]
	if c < 'a' || c > 'z' {
		if c >= 'A' && c <= 'Z' {
			goto word
		}
		r.i++
		switch c {
		case '\'':
			if r.i+1 < len(r.b) {
				hi, lo := unhex(r.b[r.i]), unhex(r.b[r.i+1])
				if hi >= 0 && lo >= 0 {
					r.i += 2
					r.text(byte(hi<<4 | lo))
				}
			}
		case '\\', '{', '}':
			r.text(c)
		case '~':
			r.text(' ')
		case '_':
			r.text('-')
		case '\n', '\r':
			r.str("\n")
		case '*':
			// An ignorable destination: what it is decides the word after it.
			if !r.known() {
				r.st.skip = true
			}
		}
		return nil
	}
word:
	start := r.i
	for r.i < len(r.b) && (r.b[r.i]|0x20 >= 'a' && r.b[r.i]|0x20 <= 'z') && r.i-start < 40 {
		r.i++
	}
	word := string(r.b[start:r.i])
	num, has := 0, false
	if r.i < len(r.b) && (r.b[r.i] == '-' || r.b[r.i] >= '0' && r.b[r.i] <= '9') {
		s := r.i
		r.i++
		for r.i < len(r.b) && r.b[r.i] >= '0' && r.b[r.i] <= '9' && r.i-s < 11 {
			r.i++
		}
		num, _ = strconv.Atoi(string(r.b[s:r.i]))
		has = true
	}
	if r.i < len(r.b) && r.b[r.i] == ' ' {
		r.i++
	}
	return r.word(word, num, has)
}

// known reports whether the ignorable destination that follows is read.
func (r *rtfReader) known() bool {
	rest := r.b[r.i:]
	for _, w := range []string{"\\shptxt", "\\annotation", "\\objdata", "\\fldinst", "\\footnote", "\\ftnsep", "\\userprops", "\\company", "\\manager",
		"\\category", "\\comment", "\\hlinkbase", "\\txfieldtext", "\\shpinst", "\\docvar", "\\atnauthor", "\\htmltag", "\\mhtmltag", "\\nonesttables", "\\bkmkstart"} {
		if bytes.HasPrefix(rest, []byte(w)) {
			return w != "\\htmltag" && w != "\\mhtmltag" && w != "\\bkmkstart" && w != "\\nonesttables"
		}
	}
	return false
}

func (r *rtfReader) word(word string, num int, has bool) error {
	if word != "u" && word != "uc" {
		r.flushBytes()
	}
	switch word {
	case "par", "line", "row", "page", "sect", "nestrow", "softline":
		r.str("\n")
	case "tab", "cell", "nestcell":
		r.str("\t")
	case "emdash":
		r.str("\u2014")
	case "endash":
		r.str("\u2013")
	case "lquote":
		r.str("\u2018")
	case "rquote":
		r.str("\u2019")
	case "ldblquote":
		r.str("\u201c")
	case "rdblquote":
		r.str("\u201d")
	case "bullet":
		r.str("\u2022")
	case "emspace", "enspace", "qmspace":
		r.str(" ")
	case "ansicpg":
		r.st.enc = codepage(num)
		r.fonts[-1] = r.st.enc
	case "mac":
		r.st.enc = codepage(10000)
	case "pc":
		r.st.enc = codepage(437)
	case "pca":
		r.st.enc = codepage(850)
	case "uc":
		r.st.uc = max(0, min(num, 16))
	case "u":
		r.flushBytes()
		r.unicode(uint16(num))
	case "bin":
		n := max(0, min(num, len(r.b)-r.i))
		if r.st.dest == rtfObjData {
			r.obj = append(r.obj, []byte(hex.EncodeToString(r.b[r.i:r.i+n]))...)
		}
		r.i += n
	case "fonttbl":
		r.st.dest, r.st.skip = rtfFontTable, true
	case "f":
		if r.st.dest == rtfFontTable {
			r.font = num
		} else if e, ok := r.fonts[num]; ok {
			r.st.enc = e
		} else if e, ok := r.fonts[-1]; ok {
			r.st.enc = e
		}
	case "fcharset", "cpg":
		if r.st.dest == rtfFontTable && len(r.fonts) < 4096 {
			if word == "cpg" {
				r.fonts[r.font] = codepage(num)
			} else if p, ok := rtfCharsets[num]; ok {
				r.fonts[r.font] = codepage(p)
			}
		}
	case "colortbl", "stylesheet", "listtable", "listoverridetable", "rsidtbl", "generator", "xmlnstbl", "themedata", "datastore", "latentstyles",
		"filetbl", "revtbl", "pgptbl", "colorschememapping", "objclass", "objname", "sp", "panose", "falt", "nonshppict", "mmathPr", "wgrffmtfilter":
		r.st.skip = true
	case "pict":
		r.st.skip, r.st.dest = true, rtfPict
	case "info":
		r.st.dest, r.st.skip = rtfInfo, false
	case "title", "subject", "author", "operator", "keywords", "comment", "doccomm", "company", "manager", "category", "hlinkbase":
		if r.st.dest == rtfInfo || word == "company" || word == "manager" || word == "category" {
			r.st.dest, r.key, r.name = rtfInfo, word, nil
			r.st.skip = false
		}
	case "userprops":
		r.st.dest, r.st.skip = rtfUserProp, false
	case "propname":
		r.st.dest, r.st.skip = rtfInfo, false
		r.key, r.name = "", nil
		r.st.out = r.props
	case "staticval":
		r.props.str("=")
		r.st.out, r.st.dest = r.props, rtfBody
	case "header", "headerl", "headerr", "headerf":
		r.st.out = r.head
	case "footer", "footerl", "footerr", "footerf":
		r.st.out = r.foot
	case "annotation":
		r.st.out, r.st.skip = r.note, false
	case "footnote", "shptxt", "shpinst", "fldinst", "fldrslt", "atnauthor":
		if word == "fldinst" || word == "fldrslt" {
			r.str(" ")
		}
		r.st.skip = false
	case "v":
		r.st.hidden = !has || num != 0
	case "plain":
		r.st.hidden = false
	case "objdata":
		r.st.dest, r.st.skip = rtfObjData, false
	case "htmlrtf":
		r.st.skip = !has || num != 0
	case "deleted":
	}
	return nil
}

// rtfCharsets maps \fcharset to Windows code pages.
var rtfCharsets = map[int]int{0: 1252, 77: 10000, 128: 932, 129: 949, 134: 936, 136: 950, 161: 1253, 162: 1254, 163: 1258, 177: 1255, 178: 1256,
	186: 1257, 204: 1251, 222: 874, 238: 1250, 254: 437, 255: 850}

// text takes one byte of text.
func (r *rtfReader) text(c byte) {
	if r.left > 0 {
		r.left--
		return
	}
	if r.st.dest == rtfObjData {
		if unhex(c) >= 0 && int64(len(r.obj)) < 2*r.w.lim.MaxObject {
			r.obj = append(r.obj, c)
		}
		return
	}
	if r.st.skip {
		return
	}
	if c < 0x80 && len(r.pend) == 0 {
		r.put([]byte{c})
		return
	}
	r.pend = append(r.pend, c)
	if len(r.pend) > 256 {
		r.flushBytes()
	}
}

// flushBytes decodes the collected bytes in the charset of their font.
func (r *rtfReader) flushBytes() {
	if len(r.pend) == 0 {
		return
	}
	r.put(decodeWith(r.st.enc, r.pend))
	r.pend = r.pend[:0]
}

func (r *rtfReader) put(b []byte) {
	switch {
	case r.st.skip:
	case r.st.dest == rtfInfo && r.key != "":
		if len(r.name) < 64<<10 {
			r.name = append(r.name, b...)
		}
	case r.st.hidden:
		r.hidden.write(b)
	default:
		r.st.out.write(b)
	}
}

func (r *rtfReader) str(s string) {
	r.left = 0
	r.put([]byte(s))
}

func (r *rtfReader) unicode(u uint16) {
	r.left = 0
	switch {
	case u >= 0xd800 && u < 0xdc00:
		r.high = u
	case u >= 0xdc00 && u < 0xe000 && r.high != 0:
		r.put([]byte(string(utf16.DecodeRune(rune(r.high), rune(u)))))
		r.high = 0
	default:
		r.put([]byte(string(rune(u))))
		r.high = 0
	}
	r.left = r.st.uc
}

// object reads an embedded object: an OLE 1.0 stream ([MS-OLEDS] 2.2.5) around
// a packager object or a compound file.
func (r *rtfReader) object() error {
	b := make([]byte, len(r.obj)/2)
	n, _ := hex.Decode(b, r.obj[:len(r.obj)&^1])
	b = b[:n]
	r.obj = nil
	r.objs++
	if err := r.w.charge(len(b)); err != nil {
		return err
	}
	name := "object-" + itoa(r.objs)
	if i := bytes.Index(b, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")); i >= 0 {
		return r.w.nested(r.o, name, "", b[i:])
	}
	if len(b) < 12 {
		return nil
	}
	rest := b[8:]
	class := ""
	for k := range 3 {
		size := uint64(u32at(rest, 0))
		if size+4 > uint64(len(rest)) {
			return r.w.nested(r.o, name, "", b)
		}
		if k == 0 {
			class = string(bytes.TrimRight(rest[4:4+size], "\x00"))
		}
		rest = rest[4+size:]
	}
	if len(rest) < 4 {
		return nil
	}
	data := rest[4:]
	if class == "Package" {
		head := binary.LittleEndian.AppendUint32(nil, uint32(len(data)))
		return r.w.oleNative(r.o, append(head, data...))
	}
	return r.w.nested(r.o, name, "", data)
}
