package extract

import (
	"encoding/binary"
	"math"
	"path"
	"strings"
)

// Records of binary workbooks ([MS-XLSB] 2.3).
const (
	brtRowHdr       = 0
	brtCellRk       = 2
	brtCellBool     = 4
	brtCellReal     = 5
	brtCellSt       = 6
	brtCellIsst     = 7
	brtFmlaString   = 8
	brtFmlaNum      = 9
	brtSSTItem      = 19
	brtFmt          = 44
	brtXF           = 47
	brtColInfo      = 60
	brtBundleSh     = 156
	brtCommentText  = 637
	brtBeginHeaderF = 479
	brtBeginCellXFs = 617
	brtEndCellXFs   = 618
	brtHLink        = 494
	brtWbProp       = 153
)

// binRecords walks the records of a binary part.
func binRecords(b []byte, f func(typ int, data []byte) error) error {
	for len(b) > 0 {
		typ, n := int(b[0]), 1
		if typ&0x80 != 0 {
			if len(b) < 2 {
				return nil
			}
			typ, n = typ&0x7f|int(b[1]&0x7f)<<7, 2
		}
		size, shift := 0, 0
		for {
			if n >= len(b) || shift > 21 {
				return nil
			}
			c := b[n]
			n++
			size |= int(c&0x7f) << shift
			shift += 7
			if c&0x80 == 0 {
				break
			}
		}
		if size > len(b)-n {
			size = len(b) - n
		}
		if err := f(typ, b[n:n+size]); err != nil {
			return err
		}
		b = b[n+size:]
	}
	return nil
}

// wide reads an XLWideString at the start of b and gives what follows.
func wide(b []byte) (string, []byte) {
	if len(b) < 4 {
		return "", nil
	}
	n := binary.LittleEndian.Uint32(b)
	if uint64(n)*2 > uint64(len(b)-4) {
		return "", nil
	}
	return utf16le(b[4 : 4+2*n]), b[4+2*n:]
}

func (x *ooxml) readBinaryWorkbook() error {
	rels, err := x.targets("xl/", "workbook.bin")
	if err != nil {
		return err
	}
	b, err := x.load("xl/workbook.bin")
	if err != nil {
		return err
	}
	names := x.w.open(x.o, "workbook", Metadata)
	_ = binRecords(b, func(typ int, d []byte) error {
		switch {
		case typ == brtWbProp && len(d) >= 1:
			x.book.d1904 = d[0]&1 != 0
		case typ == brtBundleSh && len(d) > 8:
			id, rest := wide(d[8:])
			name, _ := wide(rest)
			names.str(name + "\n")
			x.book.sheets[rels[id]] = sheetInfo{name: name, hidden: d[0]&3 != 0}
		}
		return nil
	})
	if err := names.close(); err != nil {
		return err
	}
	if b, err = x.load("xl/sharedStrings.bin"); err != nil {
		return err
	}
	if err := binRecords(b, func(typ int, d []byte) error {
		if typ == brtSSTItem && len(d) > 1 {
			s, _ := wide(d[1:])
			x.book.add([]byte(s))
		}
		return x.w.tick()
	}); err != nil {
		return err
	}
	if b, err = x.load("xl/styles.bin"); err != nil {
		return err
	}
	custom, in := map[int]bool{}, false
	return binRecords(b, func(typ int, d []byte) error {
		switch {
		case typ == brtFmt && len(d) > 2 && len(custom) < 10000:
			f, _ := wide(d[2:])
			custom[int(binary.LittleEndian.Uint16(d))] = dateFormat(f)
		case typ == brtBeginCellXFs:
			in = true
		case typ == brtEndCellXFs:
			in = false
		case typ == brtXF && in && len(d) >= 4:
			id := int(binary.LittleEndian.Uint16(d[2:]))
			is, ok := custom[id]
			x.book.dates = append(x.book.dates, ok && is || !ok && builtinDate(id))
		}
		return nil
	})
}

// binaryPart reads a part of a binary workbook: sheets, comments, and the
// readable strings of the rest.
func (x *ooxml) binaryPart(name string, b []byte) error {
	base := strings.TrimSuffix(path.Base(name), ".bin")
	switch {
	case name == "xl/workbook.bin", name == "xl/sharedStrings.bin", name == "xl/styles.bin", base == "calcChain", base == "metadata":
		return nil
	case strings.Contains(name, "sheets/") && !strings.Contains(base, "Index"):
		return x.binarySheet(name, b)
	case strings.Contains(base, "comments"):
		t := x.w.open(x.o, base, Comment)
		if err := binRecords(b, func(typ int, d []byte) error {
			if typ == brtCommentText && len(d) > 1 {
				s, _ := wide(d[1:])
				t.str(s + "\n")
			}
			return x.w.tick()
		}); err != nil {
			return err
		}
		return t.close()
	case strings.Contains(base, "Index"):
		return nil
	}
	o := *x.o
	o.path = x.o.childPath(base)
	return x.w.strings(&o, b)
}

func (x *ooxml) binarySheet(name string, b []byte) error {
	info, ok := x.book.sheets[name]
	if !ok {
		info.name = strings.TrimSuffix(path.Base(name), ".bin")
	}
	sw := x.sheetWriter(info)
	err := binRecords(b, func(typ int, d []byte) error {
		if err := x.w.tick(); err != nil {
			return err
		}
		if typ >= 1 && typ <= 11 && len(d) >= 8 {
			col := int(binary.LittleEndian.Uint32(d)) + 1
			style := int(binary.LittleEndian.Uint32(d[4:]) & 0xffffff)
			sw.cell(col, x.binaryCell(typ, style, d[8:]))
			return nil
		}
		switch typ {
		case brtRowHdr:
			sw.endRow()
			sw.rowHidden = len(d) > 11 && d[11]&0x10 != 0
		case brtColInfo:
			if len(d) >= 18 && d[16]&1 != 0 && len(sw.hiddenCols) < 1000 {
				sw.hiddenCols = append(sw.hiddenCols, [2]int{int(binary.LittleEndian.Uint32(d)) + 1, int(binary.LittleEndian.Uint32(d[4:])) + 1})
			}
		case brtBeginHeaderF:
			if len(d) < 2 {
				return nil
			}
			rest := d[2:]
			for i := 0; i < 6 && len(rest) >= 4; i++ {
				if binary.LittleEndian.Uint32(rest) == 0xffffffff {
					rest = rest[4:]
					continue
				}
				var v string
				v, rest = wide(rest)
				t := sw.header
				if i%2 == 1 {
					t = sw.foot
				}
				t.str(headerCodes(v))
				t.sep('\n')
			}
		case brtHLink:
			if len(d) > 16 {
				_, rest := wide(d[16:])
				for range 3 {
					var v string
					v, rest = wide(rest)
					if v != "" {
						sw.hidden.str(v + "\n")
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return sw.close()
}

func (x *ooxml) binaryCell(typ, style int, d []byte) []byte {
	switch typ {
	case brtCellIsst:
		if len(d) >= 4 {
			return x.book.shared(int(binary.LittleEndian.Uint32(d)))
		}
	case brtCellSt, brtFmlaString:
		s, _ := wide(d)
		return []byte(s)
	case brtCellReal, brtFmlaNum:
		if len(d) >= 8 {
			return []byte(x.book.number(math.Float64frombits(binary.LittleEndian.Uint64(d)), style))
		}
	case brtCellRk:
		if len(d) >= 4 {
			return []byte(x.book.number(rkNumber(binary.LittleEndian.Uint32(d)), style))
		}
	}
	return nil
}

// rkNumber decodes the compressed numbers of [MS-XLS] 2.5.217.
func rkNumber(rk uint32) float64 {
	var v float64
	if rk&2 != 0 {
		v = float64(int32(rk) >> 2)
	} else {
		v = math.Float64frombits(uint64(rk&^3) << 32)
	}
	if rk&1 != 0 {
		v /= 100
	}
	return v
}
