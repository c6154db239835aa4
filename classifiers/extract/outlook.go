package extract

import (
	"encoding/hex"
	"path"
	"strconv"
	"strings"
)

// mapiNames are properties of messages ([MS-OXPROPS]) that hold words.
var mapiNames = map[uint16]string{
	0x0037: "Subject", 0x0070: "Topic", 0x007d: "Headers", 0x0c1a: "From", 0x0c1f: "From-Address", 0x5d01: "From-SMTP", 0x0e02: "Bcc", 0x0e03: "Cc", 0x0e04: "To",
	0x0042: "On-Behalf-Of", 0x1035: "Message-ID", 0x3001: "Name", 0x3003: "Address", 0x39fe: "SMTP-Address", 0x3a06: "Given-Name", 0x3a11: "Surname",
	0x3a16: "Company", 0x3a17: "Title", 0x3a08: "Business-Phone", 0x3a1c: "Mobile", 0x3a09: "Home-Phone", 0x3a15: "Postal-Address", 0x3707: "Attachment", 0x3704: "Attachment-8.3",
}

const substg = "__substg1.0_"

// msgStore is one message, recipient or attachment storage.
type msgStore struct {
	c      *cfb
	prefix string
	page   int
	named  map[uint16]string
}

func (m *msgStore) entries(f func(id, typ uint16, e *cfbEntry) error) error {
	for i := range m.c.entries {
		e := &m.c.entries[i]
		rest, ok := strings.CutPrefix(e.path, m.prefix+substg)
		if !ok || len(rest) < 8 || strings.Contains(rest, "/") {
			continue
		}
		v, err := hex.DecodeString(rest[:8])
		if err != nil {
			continue
		}
		if err := f(uint16(v[0])<<8|uint16(v[1]), uint16(v[2])<<8|uint16(v[3]), e); err != nil {
			return err
		}
	}
	return nil
}

// text gives a property's string; empty when it is none.
func (m *msgStore) text(typ uint16, e *cfbEntry) string {
	switch typ {
	case 0x001f:
		return strings.TrimRight(utf16le(m.c.read(e)), "\x00")
	case 0x001e:
		return strings.TrimRight(string(decodeWith(codepage(m.page), m.c.read(e))), "\x00")
	}
	return ""
}

// number gives a fixed-size property out of the property stream.
func (m *msgStore) number(id uint16, head int) uint32 {
	b := m.c.stream(m.prefix + "__properties_version1.0")
	for i := head; i+16 <= len(b); i += 16 {
		if u16at(b, i+2) == id {
			return u32at(b, i+8)
		}
	}
	return 0
}

// outlook reads a message file ([MS-OXMSG]).
func (w *walker) outlook(o *object, c *cfb) error { return w.message(o, c, "", 32, 0) }

func (w *walker) message(o *object, c *cfb, prefix string, head, level int) error {
	m := &msgStore{c: c, prefix: prefix, page: 1252, named: namedProperties(c)}
	if p := m.number(0x3fde, head); p != 0 && p < 1<<16 {
		m.page = int(p)
	} else if p := m.number(0x3ffd, head); p != 0 && p < 1<<16 {
		m.page = int(p)
	}
	if p := m.number(0x3ffd, head); p != 0 && p < 1<<16 {
		m.page = int(p)
	}
	meta, body := w.open(o, "", Metadata), w.open(o, "", Text)
	var html, rtf []byte
	hasBody := false
	err := m.entries(func(id, typ uint16, e *cfbEntry) error {
		switch {
		case id == 0x1000:
			if s := m.text(typ, e); s != "" {
				hasBody = true
				body.str(s)
				body.sep('\n')
			}
		case id == 0x1013:
			html = c.read(e)
			if typ == 0x001f {
				html = []byte(utf16le(html))
			}
		case id == 0x1009:
			rtf = c.read(e)
		default:
			s := m.text(typ, e)
			name := mapiNames[id]
			if name == "" && id >= 0x8000 {
				name = m.named[id]
			}
			if name == "" {
				name = "x" + strconv.FormatUint(uint64(id), 16)
			}
			if len(s) < 1<<20 && looksText([]byte(s)) {
				meta.kv(name, s)
			}
		}
		return w.tick()
	})
	if err != nil {
		return err
	}
	if err := meta.close(); err != nil {
		return err
	}
	if err := body.close(); err != nil {
		return err
	}
	if len(html) > 0 {
		if err := w.nested(o, "body.html", "text/html; charset="+pageName(m.number(0x3fde, head)), html); err != nil {
			return err
		}
	}
	if len(rtf) > 0 && (!hasBody || len(html) == 0) {
		if plain := lzfu(rtf, int(w.lim.MaxObject)); len(plain) > 0 {
			if err := w.charge(len(plain)); err != nil {
				return err
			}
			if err := w.nested(o, "body.rtf", "", plain); err != nil {
				return err
			}
		}
	}
	return w.messageParts(o, m, level)
}

func pageName(p uint32) string {
	switch {
	case p == 65001 || p == 0:
		return "utf-8"
	case p >= 1250 && p <= 1258:
		return "windows-" + itoa(int(p))
	case p == 20866:
		return "koi8-r"
	case p == 932:
		return "shift_jis"
	case p == 936:
		return "gbk"
	case p == 50220:
		return "iso-2022-jp"
	case p >= 28591 && p <= 28605:
		return "iso-8859-" + itoa(int(p)-28590)
	}
	return ""
}

// messageParts reads recipients and attachments.
func (w *walker) messageParts(o *object, m *msgStore, level int) error {
	for i := range m.c.entries {
		e := &m.c.entries[i]
		rest, ok := strings.CutPrefix(e.path, m.prefix)
		if !ok || e.kind != 1 || strings.Contains(rest, "/") {
			continue
		}
		sub := &msgStore{c: m.c, prefix: e.path + "/", page: m.page, named: m.named}
		switch {
		case strings.HasPrefix(rest, "__recip_version1.0_"):
			t := w.open(o, "", Metadata)
			if err := sub.entries(func(id, typ uint16, e *cfbEntry) error {
				if n := mapiNames[id]; n != "" {
					t.kv(n, sub.text(typ, e))
				}
				return w.tick()
			}); err != nil {
				return err
			}
			if err := t.close(); err != nil {
				return err
			}
		case strings.HasPrefix(rest, "__attach_version1.0_"):
			if err := w.attachment(o, sub, level); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walker) attachment(o *object, m *msgStore, level int) error {
	name, mime := "", ""
	var data *cfbEntry
	embedded := false
	if err := m.entries(func(id, typ uint16, e *cfbEntry) error {
		switch {
		case id == 0x3707, id == 0x3704 && name == "":
			name = m.text(typ, e)
		case id == 0x370e:
			mime = m.text(typ, e)
		case id == 0x3701 && typ == 0x0102:
			data = e
		case id == 0x3701 && typ == 0x000d:
			embedded = true
		}
		return nil
	}); err != nil {
		return err
	}
	if data != nil {
		if name == "" {
			name = "attachment"
		}
		return w.nested(o, path.Base(name), mime, m.c.read(data))
	}
	if !embedded {
		return nil
	}
	if name == "" {
		name = "message.msg"
	}
	inner := &object{path: o.childPath(name), name: name, depth: o.depth + 1, typ: typeMsg}
	w.res.Objects++
	if inner.depth > w.lim.MaxDepth || level > 16 {
		w.unscannable(inner.path, TooDeep)
		return nil
	}
	prefix := m.prefix + substg + "3701000D/"
	return w.settle(inner.path, w.guard(func() error {
		if m.c.has(prefix + "__properties_version1.0") {
			return w.message(inner, m.c, prefix, 24, level+1)
		}
		return w.oleStrings(inner, m.c)
	}))
}

// namedProperties maps the numbers above 0x8000 to their names.
func namedProperties(c *cfb) map[uint16]string {
	const dir = "__nameid_version1.0/" + substg
	entries, names := c.stream(dir+"00030102"), c.stream(dir+"00040102")
	m := map[uint16]string{}
	for i := 0; i+8 <= len(entries) && i < 1<<16; i += 8 {
		if u16at(entries, i+4)&1 == 0 {
			continue
		}
		off := u32at(entries, i)
		n := u32at(names, int(off))
		if uint64(off)+4+uint64(n) > uint64(len(names)) {
			continue
		}
		m[0x8000+u16at(entries, i+6)] = cleanName(utf16le(names[off+4 : off+4+n]))
	}
	return m
}

// lzfuStart is the text every compressed RTF may refer back to ([MS-OXRTFCP]
// 2.1.2.1).
const lzfuStart = "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"

// lzfu unpacks compressed RTF.
func lzfu(b []byte, most int) []byte {
	if len(b) < 16 {
		return nil
	}
	switch u32at(b, 8) {
	case 0x414c454d: // not compressed
		return b[16:]
	case 0x75465a4c:
	default:
		return nil
	}
	var dict [4096]byte
	at := copy(dict[:], lzfuStart)
	var out []byte
	put := func(c byte) {
		out = append(out, c)
		dict[at] = c
		at = (at + 1) & 4095
	}
	for b = b[16:]; len(b) > 0 && len(out) < most; {
		flags := b[0]
		b = b[1:]
		for bit := 0; bit < 8 && len(b) > 0; bit++ {
			if flags>>bit&1 == 0 {
				put(b[0])
				b = b[1:]
				continue
			}
			if len(b) < 2 {
				return out
			}
			ref := int(b[0])<<8 | int(b[1])
			b = b[2:]
			off, n := ref>>4, ref&15+2
			if off == at {
				return out
			}
			for range n {
				put(dict[off])
				off = (off + 1) & 4095
			}
		}
	}
	return out
}
