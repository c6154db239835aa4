package extract

import (
	"archive/zip"
	"encoding/binary"
	"path"
	"strings"

	"github.com/klauspost/compress/s2"
)

// iworkXML reads the documents of Keynote, Pages and Numbers up to '09: one
// XML part whose paragraphs, cells and names are text.
func (w *walker) iworkXML(o *object, d *zipDir) error {
	return w.zipEntries(o, d, func(f *zip.File) (bool, error) {
		base := path.Base(f.Name)
		if base != "index.xml" && base != "index.apxl" {
			return strings.HasPrefix(f.Name, "thumbs/") || base == "buildVersionHistory.plist" || path.Ext(base) == ".chrtshr", nil
		}
		b, err := w.zipEntry(f)
		w.res.Objects++
		if e := w.guard(func() error { return w.iworkBody(o, b) }); e != nil {
			return true, e
		}
		return true, err
	})
}

func (w *walker) iworkBody(o *object, b []byte) error {
	t, meta, comment := w.open(o, "", Text), w.open(o, "", Properties), w.open(o, "", Comment)
	s := newXML(b)
	depth, skip, inMeta, stick := 0, 0, 0, 0
	for s.next() {
		if err := w.tick(); err != nil {
			return err
		}
		out := t
		if stick > 0 {
			out = comment
		}
		switch s.kind {
		case xmlStart:
			if skip > 0 {
				skip += b2i(!s.self)
				continue
			}
			switch s.name {
			case "stylesheet", "style-archive":
				skip += b2i(!s.self)
			case "metadata":
				inMeta += b2i(!s.self)
			case "sticky-note", "sticky-notes", "comment", "comments", "annotation":
				stick += b2i(!s.self)
			case "p":
				depth += b2i(!s.self)
			case "string", "number", "date":
				if inMeta > 0 {
					meta.kv(s.name, firstOf(s.attr("string"), s.attr("number"), s.attr("val")))
				}
			case "br", "lnbr", "crbr", "pgbr", "intratopicbr":
				out.sep('\n')
			case "tab":
				out.str("\t")
			case "ct", "t", "n", "o", "d", "du", "pm", "cell-text":
				// A cell: its string, number or date.
				v := firstOf(s.attr("s"), s.attr("v"))
				if s.name == "d" || s.name == "du" {
					v = firstOf(s.attr("cell-date"), v)
				}
				if v != "" {
					out.str(v)
					out.sep('\t')
				}
			case "chart-info", "chart-model-object", "tabular-model", "chart-name", "workspace", "slide", "formula-chart-model":
				if v := firstOf(s.attr("string"), s.attr("name"), s.attr("chart-name"), s.attr("workspace-name")); v != "" {
					out.sep('\n')
					out.str(v)
					out.sep('\n')
				}
			case "chart-title":
				if v := s.attr("string"); v != "" {
					out.sep('\n')
					out.str(v)
					out.sep('\n')
				}
			default:
				if s.attr("fs") != "" {
					out.str(s.attr("fs"))
					out.sep('\n')
				}
			}
			for _, a := range []string{"chart-title", "chart-name", "title-text"} {
				if v := s.attr(a); v != "" {
					out.sep('\n')
					out.str(v)
					out.sep('\n')
				}
			}
		case xmlEnd:
			if skip > 0 {
				skip--
				continue
			}
			switch s.name {
			case "metadata":
				inMeta = max(0, inMeta-1)
			case "sticky-note", "sticky-notes", "comment", "comments", "annotation":
				stick = max(0, stick-1)
			case "p":
				depth = max(0, depth-1)
				out.sep('\n')
			case "r", "grid", "rows":
				out.sep('\n')
			}
		case xmlText:
			if skip == 0 && depth > 0 {
				out.write(s.text())
			}
		}
	}
	for _, x := range []*writer{t, comment, meta} {
		if err := x.close(); err != nil {
			return err
		}
	}
	return nil
}

func firstOf(v ...string) string {
	for _, s := range v {
		if s != "" {
			return s
		}
	}
	return ""
}

// iwa gives the strings in a part of a newer Keynote, Pages or Numbers
// document: Snappy blocks without the stream identifier, holding protocol
// buffers.
func (w *walker) iwa(o *object, b []byte) error {
	var raw []byte
	for len(b) >= 4 && b[0] == 0 {
		n := int(binary.LittleEndian.Uint32(b) >> 8)
		if n > len(b)-4 {
			break
		}
		size, err := s2.DecodedLen(b[4 : 4+n])
		if err != nil || size > 1<<20 {
			break
		}
		if err := w.charge(size); err != nil {
			return err
		}
		block, err := s2.Decode(nil, b[4:4+n])
		if err != nil {
			break
		}
		raw = append(raw, block...)
		b = b[4+n:]
		if int64(len(raw)) > w.lim.MaxObject {
			return errTooLarge
		}
	}
	t := w.open(o, "", Text)
	for len(raw) > 0 {
		if err := w.tick(); err != nil {
			return err
		}
		// An archive: the length of its ArchiveInfo, that, then the payloads
		// whose lengths it gives.
		size, n := binary.Uvarint(raw)
		if n <= 0 || size > uint64(len(raw)-n) {
			break
		}
		info := raw[n : n+int(size)]
		raw = raw[n+int(size):]
		for _, length := range payloads(info) {
			length = min(length, uint64(len(raw)))
			protoStrings(t, raw[:length], 0)
			raw = raw[length:]
		}
	}
	return t.close()
}

// payloads gives the lengths in an ArchiveInfo: field 3 of each MessageInfo,
// which is its field 2.
func payloads(info []byte) []uint64 {
	var out []uint64
	protoFields(info, func(num int, v uint64, b []byte) {
		if num == 2 && b != nil {
			protoFields(b, func(num int, v uint64, b []byte) {
				if num == 3 && b == nil {
					out = append(out, v)
				}
			})
		}
	})
	return out
}

// protoFields calls f for the varint and length-delimited fields of a message.
func protoFields(b []byte, f func(num int, v uint64, b []byte)) {
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		if n <= 0 {
			return
		}
		b = b[n:]
		switch key & 7 {
		case 0:
			v, n := binary.Uvarint(b)
			if n <= 0 {
				return
			}
			f(int(key>>3), v, nil)
			b = b[n:]
		case 2:
			size, n := binary.Uvarint(b)
			if n <= 0 || size > uint64(len(b)-n) {
				return
			}
			f(int(key>>3), 0, b[n:n+int(size):n+int(size)])
			b = b[n+int(size):]
		case 1:
			b = b[min(8, len(b)):]
		case 5:
			b = b[min(4, len(b)):]
		default:
			return
		}
	}
}

// protoStrings writes the length-delimited fields that read as text; others are
// tried as messages.
func protoStrings(t *writer, b []byte, depth int) {
	protoFields(b, func(_ int, _ uint64, f []byte) {
		if len(f) >= 2 && looksText(f) && validText(f) {
			t.write(f)
			t.sep('\n')
		} else if f != nil && depth < 12 {
			protoStrings(t, f, depth+1)
		}
	})
}

func validText(b []byte) bool {
	for _, c := range b {
		if c < 0x20 && c != '\n' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}
