package extract

import (
	"bytes"
	"encoding/binary"
	"path"
	"strings"
)

// cfb is a compound file ([MS-CFB]) held in memory. Chains are followed only as
// long as the file has sectors, so that loops end.
type cfb struct {
	b         []byte
	shift     uint
	miniShift uint
	cutoff    uint32
	fat       []uint32
	miniFAT   []uint32
	mini      []byte
	entries   []cfbEntry
}

// cfbEntry is a stream or storage. path is its way from the root, by / .
type cfbEntry struct {
	name, path string
	kind       byte // 1 storage, 2 stream, 5 root
	clsid      [16]byte
	start      uint32
	size       uint64
	left       uint32
	right      uint32
	child      uint32
	reached    bool
}

const (
	cfbEnd  = 0xfffffffe
	cfbFree = 0xffffffff
	cfbMax  = 0xfffffffa
)

func openCFB(b []byte) (*cfb, error) {
	if len(b) < 512 {
		return nil, errDamaged
	}
	le := binary.LittleEndian
	c := &cfb{b: b, shift: uint(le.Uint16(b[30:])), miniShift: uint(le.Uint16(b[32:])), cutoff: le.Uint32(b[56:])}
	if c.shift != 9 && c.shift != 12 || c.miniShift < 4 || c.miniShift >= c.shift {
		return nil, errDamaged
	}
	per := 1 << c.shift / 4
	sectors := len(b)>>c.shift + 1
	// The list of FAT sectors: 109 in the head, the rest chained.
	var list []uint32
	for i := range 109 {
		if s := le.Uint32(b[76+4*i:]); s < cfbMax {
			list = append(list, s)
		}
	}
	next := le.Uint32(b[68:])
	for n := 0; next < cfbMax && n <= sectors; n++ {
		s := c.sector(next)
		if len(s) < 1<<c.shift {
			break
		}
		for i := range per - 1 {
			if v := le.Uint32(s[4*i:]); v < cfbMax {
				list = append(list, v)
			}
		}
		next = le.Uint32(s[4*(per-1):])
	}
	if len(list) > sectors {
		list = list[:sectors]
	}
	for _, s := range list {
		d := c.sector(s)
		for i := 0; i+4 <= len(d); i += 4 {
			c.fat = append(c.fat, le.Uint32(d[i:]))
		}
	}
	if err := c.directory(le.Uint32(b[48:])); err != nil {
		return nil, err
	}
	mf := c.chain(le.Uint32(b[60:]), 1<<62)
	for i := 0; i+4 <= len(mf); i += 4 {
		c.miniFAT = append(c.miniFAT, le.Uint32(mf[i:]))
	}
	c.mini = c.chain(c.entries[0].start, c.entries[0].size)
	return c, nil
}

// sector gives one sector, short at the end of a cut file.
func (c *cfb) sector(n uint32) []byte {
	from := (uint64(n) + 1) << c.shift
	if from >= uint64(len(c.b)) {
		return nil
	}
	return c.b[from:min(from+1<<c.shift, uint64(len(c.b)))]
}

// chain reads the sectors from start on, at most size bytes.
func (c *cfb) chain(start uint32, size uint64) []byte {
	var out []byte
	for n := 0; start < cfbMax && n <= len(c.fat) && uint64(len(out)) < size; n++ {
		s := c.sector(start)
		if s == nil {
			break
		}
		out = append(out, s...)
		if int(start) >= len(c.fat) {
			break
		}
		start = c.fat[start]
	}
	if uint64(len(out)) > size {
		out = out[:size]
	}
	return out
}

func (c *cfb) directory(start uint32) error {
	le := binary.LittleEndian
	d := c.chain(start, 1<<62)
	for ; len(d) >= 128 && len(c.entries) < 100000; d = d[128:] {
		e := cfbEntry{kind: d[66], left: le.Uint32(d[68:]), right: le.Uint32(d[72:]), child: le.Uint32(d[76:]), start: le.Uint32(d[116:]), size: le.Uint64(d[120:])}
		if n := int(le.Uint16(d[64:])); n >= 2 && n <= 64 {
			e.name = utf16le(d[:n-2])
		}
		if c.shift == 9 {
			e.size &= 1<<32 - 1
		}
		copy(e.clsid[:], d[80:96])
		c.entries = append(c.entries, e)
	}
	if len(c.entries) == 0 {
		return errDamaged
	}
	c.entries[0].reached = true
	c.walk(c.entries[0].child, "", 0)
	// A stream that the tree does not lead to is still a stream.
	for i := range c.entries {
		if e := &c.entries[i]; !e.reached && e.kind == 2 {
			e.path = e.name
		}
	}
	return nil
}

// walk gives every entry of one storage its path.
func (c *cfb) walk(first uint32, prefix string, depth int) {
	if depth > 64 {
		return
	}
	stack := []uint32{first}
	for len(stack) > 0 {
		id := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if id >= uint32(len(c.entries)) || c.entries[id].reached {
			continue
		}
		e := &c.entries[id]
		e.reached = true
		e.path = e.name
		if prefix != "" {
			e.path = prefix + "/" + e.name
		}
		stack = append(stack, e.left, e.right)
		if e.kind == 1 {
			c.walk(e.child, e.path, depth+1)
		}
	}
}

func (c *cfb) find(p string) *cfbEntry {
	for i := range c.entries {
		if strings.EqualFold(c.entries[i].path, p) && c.entries[i].kind != 0 {
			return &c.entries[i]
		}
	}
	return nil
}

func (c *cfb) has(p string) bool { return c.find(p) != nil }

// stream reads a stream by its path; nil when there is none.
func (c *cfb) stream(p string) []byte {
	e := c.find(p)
	if e == nil || e.kind != 2 {
		return nil
	}
	return c.read(e)
}

func (c *cfb) read(e *cfbEntry) []byte {
	if e.size >= uint64(c.cutoff) {
		return c.chain(e.start, e.size)
	}
	var out []byte
	at := e.start
	for n := 0; at < cfbMax && n <= len(c.miniFAT) && uint64(len(out)) < e.size; n++ {
		from := uint64(at) << c.miniShift
		if from >= uint64(len(c.mini)) {
			break
		}
		out = append(out, c.mini[from:min(from+1<<c.miniShift, uint64(len(c.mini)))]...)
		if int(at) >= len(c.miniFAT) {
			break
		}
		at = c.miniFAT[at]
	}
	if uint64(len(out)) > e.size {
		out = out[:e.size]
	}
	return out
}

// cfbType tells what a compound file is by its streams.
func (w *walker) cfbType(o *object) string {
	if o.size > w.lim.MaxObject {
		return typeCFB
	}
	b, err := w.bytes(o)
	if err != nil {
		return typeCFB
	}
	c, err := openCFB(b)
	if err != nil {
		return typeCFB
	}
	ext := strings.ToLower(path.Ext(o.name))
	switch {
	case c.has("EncryptedPackage"):
		switch ext {
		case ".docx", ".docm":
			return typeDocx
		case ".xlsx", ".xlsm":
			return typeXlsx
		case ".xlsb":
			return typeXlsb
		case ".pptx", ".pptm":
			return typePptx
		}
		return "application/x-ooxml-protected"
	case c.has("WordDocument"):
		return typeDoc
	case c.has("Workbook"), c.has("Book"), c.has("WORKBOOK"):
		return typeXls
	case c.has("PowerPoint Document"), c.has("PP97_DUALSTORAGE"):
		return typePpt
	case c.has("__properties_version1.0"):
		return typeMsg
	case c.has("VisioDocument"):
		return "application/vnd.visio"
	case c.has("Quill"), c.has("Quill/QuillSub/CONTENTS"):
		return "application/x-mspublisher"
	case c.has("FileHeader") && c.has("BodyText"):
		return "application/x-hwp-v5"
	case c.has("FileHeader") && c.has("DocInfo"):
		return "application/x-hwp-v5"
	case c.has("!_StringData"), c.has("\x05DigitalSignature") && ext == ".msi", ext == ".msi", ext == ".msp":
		return "application/x-msi"
	case c.has("MM"), c.has("MatOST"):
		return "application/vnd.ms-works"
	case c.has("Props9"), c.has("Props12"), c.has("Props14"):
		return "application/vnd.ms-project"
	case c.has("SwDocContentMgr"), c.has("Contents/DisplayLists"), c.has("SWXMLContents"), ext == ".sldprt", ext == ".sldasm", ext == ".slddrw":
		return "model/x-solidworks"
	case c.has("RSeDb"), c.has("RSeStorage"), ext == ".ipt", ext == ".iam", ext == ".idw":
		return "model/x-inventor"
	case c.has("JProperties"), c.has("JSitesList"), ext == ".par", ext == ".asm", ext == ".psm":
		return "model/x-solidedge"
	case c.has("RevitPreview4.0"), c.has("BasicFileInfo"), ext == ".rvt", ext == ".rfa":
		return "model/x-revit"
	case c.has("Dgn~H"), c.has("Dgn-H"), ext == ".dgn":
		return "image/vnd.dgn"
	case c.has("FileHeader") && (ext == ".schdoc" || ext == ".pcbdoc" || ext == ".schlib" || ext == ".pcblib"):
		return "application/x-altium"
	case c.has("CONTENTS") && ext == ".wps":
		return "application/vnd.ms-works"
	}
	return typeCFB
}

// ole reads a compound file by its kind.
func (w *walker) ole(o *object) error {
	b, err := w.bytes(o)
	if err != nil {
		return err
	}
	c, err := openCFB(b)
	if err != nil {
		return err
	}
	if c.has("EncryptedPackage") || c.has("\x09DRMContent") || c.has("\x06DataSpaces/DataSpaceMap") {
		return errEncrypted
	}
	if err := w.propertySets(o, c); err != nil {
		return err
	}
	switch o.typ {
	case typeDoc:
		err = w.word97(o, c)
	case typeXls:
		err = w.excel97(o, c)
	case typePpt:
		err = w.powerpoint97(o, c)
	case typeMsg:
		return w.outlook(o, c)
	case "application/x-hwp-v5":
		err = w.hwp(o, c)
	default:
		err = w.oleStrings(o, c)
	}
	if e := w.oleObjects(o, c); e != nil {
		return e
	}
	return err
}

// oleWhole are streams that hold an object of their own, which oleObjects reads.
var oleWhole = map[string]bool{"\x01Ole10Native": true, "Package": true, "CONTENTS": true, "EmbeddedOdf": true, "package_stream": true}

// oleStrings gives the readable strings of streams in a format that is not
// known further.
func (w *walker) oleStrings(o *object, c *cfb) error {
	for i := range c.entries {
		e := &c.entries[i]
		if e.kind != 2 || strings.HasPrefix(e.name, "\x05") || oleWhole[e.name] {
			continue
		}
		if err := w.clock(); err != nil {
			return err
		}
		d := c.read(e)
		if err := w.charge(len(d)); err != nil {
			return err
		}
		sub := *o
		sub.path = o.childPath(strings.Trim(e.path, "\x01\x02\x03\x05\x06"))
		if err := w.strings(&sub, d); err != nil {
			return err
		}
	}
	return nil
}

// oleObjects reads what is embedded: packages, whole files in streams of
// their own, nested storages and macros.
func (w *walker) oleObjects(o *object, c *cfb) error {
	for i := range c.entries {
		e := &c.entries[i]
		if err := w.clock(); err != nil {
			return err
		}
		switch {
		case e.kind == 2 && e.name == "\x01Ole10Native":
			if err := w.oleNative(o, c.read(e)); err != nil {
				return err
			}
		case e.kind == 2 && (e.name == "Package" || e.name == "CONTENTS" || e.name == "EmbeddedOdf" || e.name == "package_stream"):
			if err := w.nested(o, e.path, "", c.read(e)); err != nil {
				return err
			}
		case e.kind == 2 && strings.HasPrefix(e.path, "ObjectPool/") && strings.Count(e.path, "/") == 2 && (e.name == "WordDocument" || e.name == "Workbook" || e.name == "Book" || e.name == "PowerPoint Document"),
			e.kind == 2 && strings.HasPrefix(e.path, "MBD") && strings.Count(e.path, "/") == 1 && (e.name == "WordDocument" || e.name == "Workbook" || e.name == "Book" || e.name == "PowerPoint Document"):
			if err := w.subStorage(o, c, path.Dir(e.path), e.name); err != nil {
				return err
			}
		case e.kind == 2 && e.name == "dir" && strings.HasSuffix(path.Dir(e.path), "VBA"):
			if err := w.vba(o, c, path.Dir(e.path)); err != nil {
				return err
			}
		}
	}
	return nil
}

// subStorage reads a document that is stored as a storage inside this one.
func (w *walker) subStorage(o *object, c *cfb, prefix, main string) error {
	sub := &cfb{b: c.b, shift: c.shift, miniShift: c.miniShift, cutoff: c.cutoff, fat: c.fat, miniFAT: c.miniFAT, mini: c.mini}
	for _, e := range c.entries {
		if strings.HasPrefix(e.path, prefix+"/") {
			e.path = e.path[len(prefix)+1:]
			sub.entries = append(sub.entries, e)
		}
	}
	inner := &object{path: o.childPath(prefix), name: prefix, depth: o.depth + 1}
	w.res.Objects++
	if inner.depth > w.lim.MaxDepth {
		w.unscannable(inner.path, TooDeep)
		return nil
	}
	return w.settle(inner.path, w.guard(func() error {
		switch main {
		case "WordDocument":
			inner.typ = typeDoc
			return w.word97(inner, sub)
		case "PowerPoint Document":
			inner.typ = typePpt
			return w.powerpoint97(inner, sub)
		}
		inner.typ = typeXls
		return w.excel97(inner, sub)
	}))
}

// oleNative reads a packager object: label, file name, path, then the file.
func (w *walker) oleNative(o *object, b []byte) error {
	if len(b) < 8 {
		return nil
	}
	le := binary.LittleEndian
	total := le.Uint32(b)
	b = b[4:]
	if uint64(total) < uint64(len(b)) {
		b = b[:total]
	}
	if len(b) > 2 && le.Uint16(b) == 2 {
		label, r, ok1 := bytes.Cut(b[2:], []byte{0})
		file, r, ok2 := bytes.Cut(r, []byte{0})
		if ok1 && ok2 && len(r) > 8 {
			tempLen := le.Uint32(r[4:])
			if uint64(tempLen)+12 <= uint64(len(r)) {
				temp := bytes.TrimRight(r[8:8+tempLen], "\x00")
				size := le.Uint32(r[8+tempLen:])
				data := r[12+tempLen:]
				if uint64(size) < uint64(len(data)) {
					rest := data[size:]
					data = data[:size]
					t := w.open(o, "", Metadata)
					t.write(toUTF8(label, ""))
					t.str("\n")
					t.write(toUTF8(file, ""))
					t.str("\n")
					t.write(toUTF8(temp, ""))
					t.str("\n")
					// The same three again in UTF-16, each after its length.
					for i := 0; i < 3 && len(rest) >= 4; i++ {
						n := uint64(le.Uint32(rest)) * 2
						if n+4 > uint64(len(rest)) {
							break
						}
						t.str(utf16le(rest[4 : 4+n]))
						t.str("\n")
						rest = rest[4+n:]
					}
					if err := t.close(); err != nil {
						return err
					}
				}
				return w.nested(o, path.Base(strings.ReplaceAll(toText(string(label)), "\\", "/")), "", data)
			}
		}
	}
	return w.nested(o, "native", "", b)
}
