package extract

import (
	"encoding/binary"
	"math"
	"strings"
)

// Records of BIFF ([MS-XLS] 2.3).
const (
	biffFormula    = 0x0006
	biffEOF        = 0x000a
	biffHeader     = 0x0014
	biffFooter     = 0x0015
	biffNote       = 0x001c
	biffDate1904   = 0x0022
	biffFilePass   = 0x002f
	biffContinue   = 0x003c
	biffCodePage   = 0x0042
	biffColInfo    = 0x007d
	biffBoundSheet = 0x0085
	biffMulRK      = 0x00bd
	biffRString    = 0x00d6
	biffXF         = 0x00e0
	biffSST        = 0x00fc
	biffLabelSST   = 0x00fd
	biffTXO        = 0x01b6
	biffHLink      = 0x01b8
	biffNumber     = 0x0203
	biffLabel      = 0x0204
	biffBoolErr    = 0x0205
	biffString     = 0x0207
	biffRow        = 0x0208
	biffRK         = 0x027e
	biffFormat     = 0x041e
	biffFormatOld  = 0x001e
	biffBOF        = 0x0809
	biffSeriesText = 0x100d
	biffSupBook    = 0x01ae
	biffDConName   = 0x0052
	biffWriteAcc   = 0x005c
	biffName       = 0x0018
)

// biffRecord is a record with the pieces of the Continue records after it.
type biffRecord struct {
	typ  uint16
	at   int // byte of the stream where it begins
	data []byte
	more [][]byte
}

type xlsReader struct {
	w       *walker
	o       *object
	book    workbook
	v8      bool
	page    int
	sheets  map[int]sheetInfo // by the byte where they begin
	sw      *sheetWriter
	rows    map[int]bool // hidden rows
	row     int
	formats map[int]bool
	strCol  int
	depth   int
	notes   *writer
}

func (w *walker) excel97(o *object, c *cfb) error {
	b := c.stream("Workbook")
	if b == nil {
		b = c.stream("Book")
	}
	if b == nil {
		return errDamaged
	}
	x := &xlsReader{w: w, o: o, page: 1252, sheets: map[int]sheetInfo{}, formats: map[int]bool{}, strCol: -1}
	x.notes = w.open(o, "comments", Comment)
	names := w.open(o, "workbook", Metadata)
	err := biffRecords(b, func(r biffRecord) error {
		if err := w.tick(); err != nil {
			return err
		}
		return x.record(r, names)
	})
	if x.sw != nil {
		if e := x.sw.close(); err == nil {
			err = e
		}
	}
	if e := names.close(); err == nil {
		err = e
	}
	if e := x.notes.close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	t := w.open(o, "sharedStrings", Hidden)
	for i := range x.book.ends {
		if i >= len(x.book.used) || !x.book.used[i] {
			t.write(x.book.shared(i))
			t.str("\n")
		}
	}
	return t.close()
}

func biffRecords(b []byte, f func(biffRecord) error) error {
	for at := 0; at+4 <= len(b); {
		r := biffRecord{typ: u16at(b, at), at: at}
		n := int(u16at(b, at+2))
		r.data = b[at+4 : min(at+4+n, len(b))]
		at += 4 + n
		for at+4 <= len(b) && u16at(b, at) == biffContinue {
			n := int(u16at(b, at+2))
			r.more = append(r.more, b[at+4:min(at+4+n, len(b))])
			at += 4 + n
		}
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}

func (x *xlsReader) record(r biffRecord, names *writer) error {
	d := r.data
	switch r.typ {
	case biffBOF, 0x0009, 0x0209, 0x0409:
		x.v8 = x.v8 || u16at(d, 0) >= 0x0600
		x.depth++
		if info, ok := x.sheets[r.at]; ok {
			return x.begin(info)
		}
		if x.depth == 1 && x.sw == nil && u16at(d, 2) != 5 {
			return x.begin(sheetInfo{name: "Sheet"})
		}
	case biffEOF:
		x.depth = max(0, x.depth-1)
	case biffFilePass:
		return errEncrypted
	case biffCodePage:
		if p := int(u16at(d, 0)); p != 1200 && p != 0x8000 && p != 0x8001 {
			x.page = p
		} else if p == 0x8000 {
			x.page = 10000
		}
	case biffDate1904:
		x.book.d1904 = u16at(d, 0) == 1
	case biffBoundSheet:
		if len(d) > 7 {
			name := x.short(d[6:])
			names.str(name + "\n")
			x.sheets[int(u32at(d, 0))] = sheetInfo{name: name, hidden: d[4]&3 != 0}
		}
	case biffSST:
		return x.sst(r)
	case biffFormat, biffFormatOld:
		if len(d) > 4 && x.v8 {
			x.formats[int(u16at(d, 0))] = dateFormat(x.long(d[2:]))
		} else if len(d) > 3 {
			x.formats[int(u16at(d, 0))] = dateFormat(string(d[3:]))
		}
	case biffXF:
		id := int(u16at(d, 2))
		is, ok := x.formats[id]
		x.book.dates = append(x.book.dates, ok && is || !ok && builtinDate(id))
	default:
		if x.sw == nil {
			if r.typ == biffSupBook || r.typ == biffWriteAcc {
				return nil
			}
			if err := x.begin(sheetInfo{}); err != nil {
				return err
			}
		}
		return x.inSheet(r)
	}
	return nil
}

func (x *xlsReader) begin(info sheetInfo) error {
	if x.sw != nil {
		if err := x.sw.close(); err != nil {
			return err
		}
	}
	kind := Text
	if info.hidden {
		kind = Hidden
	}
	w, o := x.w, x.o
	x.sw = &sheetWriter{text: w.open(o, info.name, kind), hidden: w.open(o, info.name, Hidden), header: w.open(o, info.name, Header), foot: w.open(o, info.name, Footer)}
	x.rows, x.row = map[int]bool{}, -1
	return nil
}

// cell writes a value at its place.
func (x *xlsReader) cell(d []byte, text []byte) {
	row, col := int(u16at(d, 0)), int(u16at(d, 2))
	if row != x.row {
		x.sw.endRow()
		x.row = row
		x.sw.rowHidden = x.rows[row]
	}
	x.sw.cell(col+1, text)
}

func (x *xlsReader) inSheet(r biffRecord) error {
	d := r.data
	style := int(u16at(d, 4))
	switch r.typ {
	case biffRow:
		if len(d) >= 14 && d[12]&0x20 != 0 {
			x.rows[int(u16at(d, 0))] = true
		}
	case biffColInfo:
		if len(d) >= 10 && d[8]&1 != 0 && len(x.sw.hiddenCols) < 1000 {
			x.sw.hiddenCols = append(x.sw.hiddenCols, [2]int{int(u16at(d, 0)) + 1, int(u16at(d, 2)) + 1})
		}
	case biffLabelSST:
		x.cell(d, x.book.shared(int(u32at(d, 6))))
	case biffLabel, biffRString:
		if len(d) > 8 {
			x.cell(d, []byte(x.long(d[6:])))
		}
	case biffNumber, 0x0003:
		if len(d) >= 14 {
			x.cell(d, []byte(x.book.number(math.Float64frombits(binary.LittleEndian.Uint64(d[6:])), style)))
		}
	case biffRK:
		x.cell(d, []byte(x.book.number(rkNumber(u32at(d, 6)), style)))
	case biffMulRK:
		for i, col := 4, u16at(d, 2); i+8 <= len(d); i, col = i+6, col+1 {
			at := []byte{d[0], d[1], byte(col), byte(col >> 8)}
			x.cell(at, []byte(x.book.number(rkNumber(u32at(d, i+2)), int(u16at(d, i)))))
		}
	case biffBoolErr:
		if len(d) >= 8 && d[7] == 0 {
			x.cell(d, []byte(map[bool]string{true: "TRUE", false: "FALSE"}[d[6] != 0]))
		}
	case biffFormula:
		if len(d) < 14 {
			return nil
		}
		if u16at(d, 12) == 0xffff {
			if d[6] == 0 {
				x.strCol = int(u16at(d, 2))
				x.cell(d, nil)
			}
			return nil
		}
		x.cell(d, []byte(x.book.number(math.Float64frombits(binary.LittleEndian.Uint64(d[6:])), style)))
	case biffString:
		if x.strCol >= 0 && len(d) > 2 {
			s := x.long(d)
			for _, m := range r.more {
				s += x.chars(m)
			}
			x.sw.cell(x.strCol+1, []byte(s))
			x.strCol = -1
		}
	case biffHeader, biffFooter:
		if len(d) < 2 {
			return nil
		}
		t := x.sw.header
		if r.typ == biffFooter {
			t = x.sw.foot
		}
		t.str(headerCodes(x.long(d)))
		t.sep('\n')
	case biffTXO:
		if len(r.more) > 0 {
			x.notes.str(x.chars(r.more[0]))
			x.notes.sep('\n')
		}
	case biffSeriesText:
		if len(d) > 3 {
			x.sw.endRow()
			x.sw.text.str(x.short(d[2:]))
			x.sw.text.sep('\n')
		}
	case biffNote:
		if !x.v8 && len(d) > 6 {
			x.notes.str(string(decodeWith(codepage(x.page), d[6:])))
			x.notes.sep('\n')
		}
	case biffHLink:
		x.links(d)
	}
	return nil
}

// links gives the addresses in a hyperlink record: runs of UTF-16 in it.
func (x *xlsReader) links(d []byte) {
	for i := 0; i+4 < len(d); i++ {
		j := i
		for j+1 < len(d) && printable(d[j]) && d[j+1] == 0 {
			j += 2
		}
		if j-i >= 8 {
			x.sw.hidden.str(utf16le(d[i:j]) + "\n")
			i = j
		}
	}
}

// short reads a string with a one-byte count.
func (x *xlsReader) short(d []byte) string {
	if len(d) < 2 {
		return ""
	}
	n := int(d[0])
	if !x.v8 {
		return string(decodeWith(codepage(x.page), d[1:min(1+n, len(d))]))
	}
	return biffChars(d[2:], n, d[1]&1 != 0)
}

// long reads a string with a two-byte count.
func (x *xlsReader) long(d []byte) string {
	n := int(u16at(d, 0))
	if !x.v8 {
		return string(decodeWith(codepage(x.page), d[2:min(2+n, len(d))]))
	}
	if len(d) < 3 {
		return ""
	}
	at := 3
	if d[2]&8 != 0 {
		at += 2
	}
	if d[2]&4 != 0 {
		at += 4
	}
	return biffChars(d[min(at, len(d)):], n, d[2]&1 != 0)
}

// chars reads what continues a string: a flag byte and characters.
func (x *xlsReader) chars(d []byte) string {
	if len(d) < 1 {
		return ""
	}
	if !x.v8 {
		return string(decodeWith(codepage(x.page), d))
	}
	return biffChars(d[1:], len(d), d[0]&1 != 0)
}

func biffChars(d []byte, n int, wide bool) string {
	if wide {
		return utf16le(d[:min(2*n, len(d)&^1)])
	}
	var s strings.Builder
	for _, c := range d[:min(n, len(d))] {
		s.WriteRune(rune(c))
	}
	return s.String()
}

// segments reads on from a record into what continues it.
type segments struct {
	cur  []byte
	more [][]byte
}

func (s *segments) turn() bool {
	for len(s.cur) == 0 {
		if len(s.more) == 0 {
			return false
		}
		s.cur, s.more = s.more[0], s.more[1:]
	}
	return true
}

func (s *segments) take(n int) []byte {
	var out []byte
	for n > 0 && s.turn() {
		k := min(n, len(s.cur))
		if out == nil && k == n {
			out = s.cur[:k]
		} else {
			out = append(out, s.cur[:k]...)
		}
		s.cur = s.cur[k:]
		n -= k
	}
	return out
}

func (s *segments) skip(n uint32) {
	for n > 0 && s.turn() {
		k := min(n, uint32(len(s.cur)))
		s.cur = s.cur[k:]
		n -= k
	}
}

// sst reads the shared strings. Where a string's characters go on in the next
// record, that begins with a new flag byte.
func (x *xlsReader) sst(r biffRecord) error {
	s := &segments{r.data, r.more}
	s.take(4)
	count := s.take(4)
	if len(count) < 4 {
		return nil
	}
	for n := binary.LittleEndian.Uint32(count); n > 0; n-- {
		if err := x.w.tick(); err != nil {
			return err
		}
		h := s.take(3)
		if len(h) < 3 {
			return nil
		}
		left, flags := int(u16at(h, 0)), h[2]
		var runs, ext uint32
		if flags&8 != 0 {
			runs = uint32(u16at(s.take(2), 0))
		}
		if flags&4 != 0 {
			ext = u32at(s.take(4), 0)
		}
		var text []byte
		wide := flags&1 != 0
		for left > 0 {
			if len(s.cur) == 0 {
				if !s.turn() {
					break
				}
				wide = s.cur[0]&1 != 0
				s.cur = s.cur[1:]
				continue
			}
			if wide {
				k := min(left, len(s.cur)/2)
				if k == 0 {
					s.cur = nil
					continue
				}
				text = append(text, decodeUTF16(s.cur[:2*k], false)...)
				s.cur, left = s.cur[2*k:], left-k
			} else {
				k := min(left, len(s.cur))
				text = append(text, biffChars(s.cur, k, false)...)
				s.cur, left = s.cur[k:], left-k
			}
		}
		s.skip(4 * runs)
		s.skip(ext)
		x.book.add(text)
	}
	return nil
}
