package extract

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"time"
)

// summaryNames are the ids of SummaryInformation ([MS-OLEPS] 2.25.1).
var summaryNames = map[uint32]string{2: "Title", 3: "Subject", 4: "Author", 5: "Keywords", 6: "Comments", 7: "Template",
	8: "LastAuthor", 9: "Revision", 12: "Created", 13: "LastSaved", 18: "Application"}

// documentNames are those of DocumentSummaryInformation ([MS-OSHARED] 2.3.3.2.2).
var documentNames = map[uint32]string{2: "Category", 3: "PresentationTarget", 14: "Manager", 15: "Company", 26: "ContentType", 27: "ContentStatus", 28: "Language"}

// propertySets gives the document properties of a compound file, custom ones
// under their own names; sensitivity labels are among those.
func (w *walker) propertySets(o *object, c *cfb) error {
	t := w.open(o, "", Properties)
	for i := range c.entries {
		e := &c.entries[i]
		if e.kind != 2 || !strings.HasSuffix(e.name, "SummaryInformation") || strings.Contains(e.path, "/") && !strings.HasPrefix(e.path, "Root") {
			continue
		}
		names := summaryNames
		if strings.HasPrefix(e.name, "\x05Document") {
			names = documentNames
		}
		propertySet(t, c.read(e), names)
	}
	return t.close()
}

// propertySet writes the sections of one stream as name=value lines.
func propertySet(t *writer, b []byte, names map[uint32]string) {
	le := binary.LittleEndian
	if len(b) < 48 || le.Uint16(b) != 0xfffe {
		return
	}
	sections := min(int(le.Uint32(b[24:])), 4)
	for s := range sections {
		head := 28 + 20*s
		if head+20 > len(b) {
			return
		}
		off := le.Uint32(b[head+16:])
		if uint64(off)+8 > uint64(len(b)) {
			return
		}
		sec := b[off:]
		if s > 0 {
			names = nil
		}
		propertySection(t, sec, names)
	}
}

func propertySection(t *writer, sec []byte, names map[uint32]string) {
	le := binary.LittleEndian
	count := min(int(le.Uint32(sec[4:])), 4096)
	page := 1252
	custom := map[uint32]string{}
	at := func(i int) (id uint32, d []byte) {
		p := 8 + 8*i
		if p+8 > len(sec) {
			return 0, nil
		}
		off := le.Uint32(sec[p+4:])
		if uint64(off)+4 > uint64(len(sec)) {
			return 0, nil
		}
		return le.Uint32(sec[p:]), sec[off:]
	}
	for i := range count {
		if id, d := at(i); id == 1 && len(d) >= 6 {
			page = int(le.Uint16(d[4:]))
		}
	}
	for i := range count {
		if id, d := at(i); id == 0 && names == nil && d != nil {
			custom = dictionary(d, page)
		}
	}
	for i := range count {
		id, d := at(i)
		if d == nil || id < 2 {
			continue
		}
		name := names[id]
		if names == nil {
			name = custom[id]
		}
		if name != "" {
			t.kv(name, variant(d, page))
		}
	}
}

// dictionary reads the names of custom properties.
func dictionary(d []byte, page int) map[uint32]string {
	le := binary.LittleEndian
	m := map[uint32]string{}
	n := min(le.Uint32(d), 4096)
	d = d[4:]
	for range n {
		if len(d) < 8 {
			break
		}
		id, size := le.Uint32(d), uint64(le.Uint32(d[4:]))
		d = d[8:]
		if page == 1200 {
			size *= 2
		}
		if size > uint64(len(d)) {
			break
		}
		if page == 1200 {
			m[id] = strings.TrimRight(utf16le(d[:size]), "\x00")
			size = (size + 3) &^ 3
		} else {
			m[id] = strings.TrimRight(string(decodeWith(codepage(page), d[:size])), "\x00")
		}
		d = d[min(size, uint64(len(d))):]
	}
	return m
}

// variant reads a typed value ([MS-OLEPS] 2.15) as text; empty for types that
// are not text, numbers, booleans or dates.
func variant(d []byte, page int) string {
	le := binary.LittleEndian
	typ := le.Uint16(d)
	d = d[4:]
	if len(d) < 4 {
		return ""
	}
	switch typ {
	case 2:
		return strconv.Itoa(int(int16(le.Uint16(d))))
	case 3, 22:
		return strconv.Itoa(int(int32(le.Uint32(d))))
	case 5:
		if len(d) >= 8 {
			return strconv.FormatFloat(math.Float64frombits(le.Uint64(d)), 'f', -1, 64)
		}
	case 11:
		return strconv.FormatBool(le.Uint16(d) != 0)
	case 30, 8:
		n := uint64(le.Uint32(d))
		if n+4 > uint64(len(d)) {
			return ""
		}
		if page == 1200 {
			return strings.TrimRight(utf16le(d[4:4+n]), "\x00")
		}
		return strings.TrimRight(string(decodeWith(codepage(page), d[4:4+n])), "\x00")
	case 31:
		n := uint64(le.Uint32(d)) * 2
		if n+4 <= uint64(len(d)) {
			return strings.TrimRight(utf16le(d[4:4+n]), "\x00")
		}
	case 64:
		if len(d) >= 8 {
			return fileTime(le.Uint64(d))
		}
	}
	return ""
}

// fileTime turns 100 ns since 1601 into an ISO time; empty when it is unset.
func fileTime(v uint64) string {
	if v < 116444736000000000 || v > 200000000000000000 {
		return ""
	}
	return time.Unix(int64(v/1e7)-11644473600, 0).UTC().Format(time.RFC3339)
}
