package extract

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"io"
	"strings"
)

// xmp gives the properties in XMP packets (ISO 16684-1) anywhere in b: images,
// PDF and design formats carry them in plain.
func (w *walker) xmp(o *object, b []byte) error {
	for range 16 {
		i := bytes.Index(b, []byte("<x:xmpmeta"))
		end := []byte("</x:xmpmeta>")
		if i < 0 {
			if i = bytes.Index(b, []byte("<rdf:RDF")); i < 0 {
				return nil
			}
			end = []byte("</rdf:RDF>")
		}
		b = b[i:]
		j := bytes.Index(b, end)
		if j < 0 {
			return nil
		}
		if err := w.xmpPacket(o, b[:j]); err != nil {
			return err
		}
		b = b[j:]
	}
	return nil
}

// xmpPacket writes name=value lines.
func (w *walker) xmpPacket(o *object, b []byte) error {
	t := w.open(o, "", Properties)
	s := newXML(b)
	key := ""
	for s.next() {
		if err := w.tick(); err != nil {
			return err
		}
		switch s.kind {
		case xmlStart:
			switch s.name {
			case "li", "Alt", "Seq", "Bag", "RDF", "xmpmeta":
			default:
				key = s.name
				writeAttrs(t, s.atts)
			}
		case xmlText:
			t.kv(key, string(s.text()))
		}
	}
	return t.close()
}

func (w *walker) imageXMP(o *object) error {
	b, err := w.bytes(o)
	if err != nil {
		return err
	}
	if o.typ == typeGIF {
		if err := w.gifComments(o, b); err != nil {
			return err
		}
	}
	return w.xmp(o, b)
}

// gifComments gives the comment extensions of GIF89a.
func (w *walker) gifComments(o *object, b []byte) error {
	t := w.open(o, "", Comment)
	for {
		i := bytes.Index(b, []byte{0x21, 0xfe})
		if i < 0 {
			break
		}
		b = b[i+2:]
		for len(b) > 0 && b[0] != 0 && int(b[0]) < len(b) {
			if looksText(b[1 : 1+int(b[0])]) {
				t.write(toUTF8(b[1:1+int(b[0])], ""))
			}
			b = b[1+int(b[0]):]
		}
		t.sep('\n')
	}
	return t.close()
}

// png gives textual chunks (PNG 11.3.4) and Exif.
func (w *walker) png(o *object) error {
	b, err := w.bytes(o)
	if err != nil {
		return err
	}
	t := w.open(o, "", Properties)
	rest := b[8:]
	for len(rest) >= 12 {
		n := binary.BigEndian.Uint32(rest)
		if uint64(n)+12 > uint64(len(rest)) {
			break
		}
		typ, d := string(rest[4:8]), rest[8:8+n]
		rest = rest[12+n:]
		key, val, _ := bytes.Cut(d, []byte{0})
		switch typ {
		case "tEXt":
			t.kv(toText(string(key)), string(decodeWith(codepage(1252), val)))
		case "zTXt":
			if len(val) > 1 {
				t.kv(toText(string(key)), string(decodeWith(codepage(1252), w.inflate(val[1:]))))
			}
		case "iTXt":
			if len(val) < 2 {
				continue
			}
			packed := val[0] == 1
			_, val, _ = bytes.Cut(val[2:], []byte{0})
			_, val, _ = bytes.Cut(val, []byte{0})
			if packed {
				val = w.inflate(val)
			}
			if strings.Contains(string(key), "XMP") {
				if err := w.xmp(o, val); err != nil {
					return err
				}
			} else {
				t.kv(toText(string(key)), string(toUTF8(val, "")))
			}
		case "eXIf":
			tiffTags(t, d)
		}
	}
	return t.close()
}

// inflate unpacks a small zlib stream, at most 4 MiB.
func (w *walker) inflate(b []byte) []byte {
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	defer z.Close()
	out, _ := io.ReadAll(io.LimitReader(z, 4<<20))
	w.res.Bytes += int64(len(out))
	return out
}

// jpeg gives Exif, XMP, IPTC and comments out of the marker segments.
func (w *walker) jpeg(o *object) error {
	b, err := w.bytes(o)
	if err != nil {
		return err
	}
	t := w.open(o, "", Properties)
	comment := w.open(o, "", Comment)
	for rest := b[2:]; len(rest) >= 4 && rest[0] == 0xff; {
		m := rest[1]
		if m == 0xff || m == 1 || m >= 0xd0 && m <= 0xd8 {
			rest = rest[1+b2i(m != 0xff):]
			continue
		}
		n := int(binary.BigEndian.Uint16(rest[2:]))
		if m == 0xd9 || m == 0xda || n < 2 || n+2 > len(rest) {
			break
		}
		d := rest[4 : 2+n]
		rest = rest[2+n:]
		switch {
		case m == 0xfe:
			comment.write(toUTF8(d, ""))
			comment.sep('\n')
		case m == 0xe1 && bytes.HasPrefix(d, []byte("Exif\x00\x00")):
			tiffTags(t, d[6:])
		case m == 0xed && bytes.HasPrefix(d, []byte("Photoshop 3.0\x00")):
			iptc(t, d)
		}
	}
	if err := t.close(); err != nil {
		return err
	}
	if err := comment.close(); err != nil {
		return err
	}
	return w.xmp(o, b)
}

func (w *walker) tiff(o *object) error {
	b, err := w.bytes(o)
	if err != nil {
		return err
	}
	t := w.open(o, "", Properties)
	tiffTags(t, b)
	if err := t.close(); err != nil {
		return err
	}
	return w.xmp(o, b)
}

// tiffNames are the tags that hold words (TIFF 6.0, Exif 2.32 and Windows).
var tiffNames = map[uint16]string{
	0x010d: "DocumentName", 0x010e: "ImageDescription", 0x010f: "Make", 0x0110: "Model", 0x0131: "Software", 0x0132: "DateTime",
	0x013b: "Artist", 0x013c: "HostComputer", 0x8298: "Copyright", 0x9003: "DateTimeOriginal", 0x9286: "UserComment",
	0xa420: "ImageUniqueID", 0xa430: "CameraOwnerName", 0xa431: "BodySerialNumber", 0xa435: "LensSerialNumber",
	0x9c9b: "XPTitle", 0x9c9c: "XPComment", 0x9c9d: "XPAuthor", 0x9c9e: "XPKeywords", 0x9c9f: "XPSubject", 0x011d: "PageName", 0x014d: "InkNames",
}

// tiffTags writes the textual tags of all directories that it can reach.
func tiffTags(t *writer, b []byte) {
	if len(b) < 8 {
		return
	}
	var order binary.ByteOrder = binary.LittleEndian
	if b[0] == 'M' {
		order = binary.BigEndian
	}
	queue, seen := []uint32{order.Uint32(b[4:])}, map[uint32]bool{}
	for len(queue) > 0 && len(seen) < 64 {
		at := queue[0]
		queue = queue[1:]
		if seen[at] || uint64(at)+2 > uint64(len(b)) {
			continue
		}
		seen[at] = true
		n := int(order.Uint16(b[at:]))
		p := int(at) + 2
		for range n {
			if p+12 > len(b) {
				return
			}
			e := b[p : p+12]
			p += 12
			tag, typ, count := order.Uint16(e), order.Uint16(e[2:]), order.Uint32(e[4:])
			if tag == 0x8769 || tag == 0x8825 || tag == 0xa005 || tag == 0x014a {
				queue = append(queue, order.Uint32(e[8:]))
				continue
			}
			name := tiffNames[tag]
			if name == "" || typ != 1 && typ != 2 && typ != 7 || count > 1<<20 {
				continue
			}
			v := e[8:12]
			if count > 4 {
				off := uint64(order.Uint32(e[8:]))
				if off+uint64(count) > uint64(len(b)) {
					continue
				}
				v = b[off : off+uint64(count)]
			} else {
				v = v[:count]
			}
			switch {
			case strings.HasPrefix(name, "XP"):
				t.kv(name, strings.TrimRight(utf16le(v), "\x00"))
			case tag == 0x9286 && len(v) > 8:
				if bytes.HasPrefix(v, []byte("UNICODE")) {
					t.kv(name, string(decodeUTF16(v[8:], order == binary.BigEndian)))
				} else {
					t.kv(name, string(toUTF8(bytes.Trim(v[8:], "\x00 "), "")))
				}
			default:
				t.kv(name, string(toUTF8(bytes.TrimRight(v, "\x00"), "")))
			}
		}
		if p+4 <= len(b) {
			if next := order.Uint32(b[p:]); next != 0 {
				queue = append(queue, next)
			}
		}
	}
}

// iptc writes the application records of IIM in a Photoshop segment.
func iptc(t *writer, d []byte) {
	for {
		i := bytes.Index(d, []byte{0x1c, 0x02})
		if i < 0 || len(d)-i < 5 {
			return
		}
		n := int(binary.BigEndian.Uint16(d[i+3:]))
		tag := int(d[i+2])
		d = d[i+5:]
		if n > len(d) {
			return
		}
		if n > 0 && looksText(d[:n]) && tag >= 5 {
			t.kv("IPTC-"+itoa(tag), string(toUTF8(d[:n], "")))
		}
		d = d[n:]
	}
}

// metafile gives the strings in EMF and WMF drawings, which are UTF-16 in the
// former and bytes in the latter.
func (w *walker) metafile(o *object) error {
	b, err := w.bytes(o)
	if err != nil {
		return err
	}
	if o.typ != "image/emf" {
		return w.strings(o, b)
	}
	t := w.open(o, "", Text)
	line := int32(-1 << 31)
	for len(b) >= 8 {
		typ, n := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
		if n < 8 || uint64(n) > uint64(len(b)) {
			break
		}
		if err := w.tick(); err != nil {
			return err
		}
		rec := b[:n]
		b = b[n:]
		switch {
		case (typ == 84 || typ == 83) && len(rec) >= 76: // EMR_EXTTEXTOUTW, …A ([MS-EMF] 2.3.5.7)
			y := int32(binary.LittleEndian.Uint32(rec[40:]))
			count, off := uint64(binary.LittleEndian.Uint32(rec[44:])), uint64(binary.LittleEndian.Uint32(rec[48:]))
			if y != line {
				t.sep('\n')
				line = y
			}
			if typ == 84 && off+2*count <= uint64(len(rec)) {
				t.str(utf16le(rec[off : off+2*count]))
			} else if typ == 83 && off+count <= uint64(len(rec)) {
				t.write(decodeWith(codepage(1252), rec[off:off+count]))
			}
		case typ == 70 && len(rec) > 16: // EMR_COMMENT may carry a whole object
			if d := rec[12:]; bytes.Contains(d, []byte("%PDF-")) {
				if err := w.nested(o, "comment.pdf", "", d[bytes.Index(d, []byte("%PDF-")):]); err != nil {
					return err
				}
			}
		}
	}
	return t.close()
}
