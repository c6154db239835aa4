package extract

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// pdfFont turns the codes of strings into text and widths.
type pdfFont struct {
	simple   [256]string
	isSimple bool
	widths   map[int]float64
	first    int
	missing  float64
	cmap     *pdfCMap // ToUnicode
	codes    *pdfCMap // code to CID, for its code lengths
	charset  encoding.Encoding
	utf16    bool
	jis      bool
	gids     map[int]rune // glyph to character, from the embedded font
	cidToGID []byte
	vertical bool
	opaque   bool // codes cannot be mapped to characters
}

var defaultFont = func() *pdfFont {
	f := &pdfFont{isSimple: true, missing: 500}
	f.base("WinAnsiEncoding")
	return f
}()

// font loads a font; loaded ones are kept by their reference.
func (p *pdfDoc) font(v any) *pdfFont {
	ref, isRef := v.(pdfRef)
	if isRef {
		if f, ok := p.fonts[ref]; ok {
			return f
		}
	}
	d := p.dict(v)
	if d == nil {
		return defaultFont
	}
	f := p.loadFont(d)
	if isRef && len(p.fonts) < 4096 {
		p.fonts[ref] = f
	}
	return f
}

func (p *pdfDoc) loadFont(d pdfDict) *pdfFont {
	f := &pdfFont{missing: 500, widths: map[int]float64{}}
	sub, _ := p.resolve(d["Subtype"]).(pdfName)
	if s, ok := p.resolve(d["ToUnicode"]).(*pdfStream); ok {
		if b, _, err := p.decode(s); err == nil {
			f.cmap = parseCMap(b, p)
		}
	}
	if sub == "Type0" {
		p.compositeFont(f, d)
		return f
	}
	f.isSimple = true
	desc := p.dict(d["FontDescriptor"])
	if fc, ok := p.resolve(d["FirstChar"]).(float64); ok {
		f.first = int(fc)
	}
	if w, ok := p.resolve(d["Widths"]).(pdfArray); ok {
		for i, v := range w[:min(len(w), 256)] {
			if x, ok := p.resolve(v).(float64); ok {
				f.widths[f.first+i] = x
			}
		}
	}
	if sub == "Type3" {
		// Its widths are in the font's own units.
		if m, ok := p.resolve(d["FontMatrix"]).(pdfArray); ok && len(m) == 6 {
			if k, ok := p.resolve(m[0]).(float64); ok && k > 0 {
				for c := range f.widths {
					f.widths[c] *= k * 1000
				}
			}
		}
	}
	if mw, ok := p.resolve(desc["MissingWidth"]).(float64); ok && mw > 0 {
		f.missing = mw
	}
	p.simpleEncoding(f, d, desc)
	return f
}

// simpleEncoding fills the table of a font with one-byte codes.
func (p *pdfDoc) simpleEncoding(f *pdfFont, d, desc pdfDict) {
	baseName := "StandardEncoding"
	if s, ok := p.resolve(d["Subtype"]).(pdfName); ok && s == "TrueType" {
		baseName = "WinAnsiEncoding"
	}
	var diffs pdfArray
	switch e := p.resolve(d["Encoding"]).(type) {
	case pdfName:
		baseName = string(e)
	case pdfDict:
		if b, ok := p.resolve(e["BaseEncoding"]).(pdfName); ok {
			baseName = string(b)
		} else if s, ok := p.resolve(desc["FontFile"]).(*pdfStream); ok {
			if b, _, err := p.decode(s); err == nil {
				f.base(baseName)
				f.type1(b)
				baseName = ""
			}
		}
		diffs, _ = p.resolve(e["Differences"]).(pdfArray)
	default:
		name, _ := p.resolve(d["BaseFont"]).(pdfName)
		switch {
		case strings.Contains(string(name), "Symbol"):
			baseName = "Symbol"
		case desc["FontFile"] != nil:
			if s, ok := p.resolve(desc["FontFile"]).(*pdfStream); ok {
				if b, _, err := p.decode(s); err == nil {
					f.base(baseName)
					f.type1(b)
					baseName = ""
				}
			}
		}
	}
	if baseName != "" {
		f.base(baseName)
	}
	code := 0
	for _, v := range diffs {
		switch v := p.resolve(v).(type) {
		case float64:
			code = int(v)
		case pdfName:
			if code >= 0 && code < 256 {
				if t := glyphText(string(v)); t != "" || !namedByCode(string(v), code) {
					f.simple[code] = t
				}
			}
			code++
		}
	}
}

// namedByCode tells names such as a65 for code 65, which writers of bitmap
// fonts give when they know no better; the base encoding then holds.
func namedByCode(name string, code int) bool {
	digits := strings.TrimLeft(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	n, err := strconv.Atoi(digits)
	return err == nil && n == code
}

// base fills the table from one of the named encodings.
func (f *pdfFont) base(name string) {
	cm := charmap.Windows1252
	if name == "MacRomanEncoding" {
		cm = charmap.Macintosh
	}
	for c := 32; c < 256; c++ {
		r := cm.DecodeByte(byte(c))
		if r != 0xfffd {
			f.simple[c] = string(r)
		}
	}
	switch name {
	case "StandardEncoding":
		for c := 128; c < 256; c++ {
			f.simple[c] = ""
		}
		for c, r := range standardHigh {
			f.simple[c] = string(r)
		}
		f.simple[0x27], f.simple[0x60] = "\u2019", "\u2018"
	case "Symbol":
		for c, r := range symbolLetters {
			f.simple[c] = string(r)
		}
	}
}

// type1 reads the encoding in the clear part of a Type 1 font program.
func (f *pdfFont) type1(b []byte) {
	b = b[:min(len(b), 64<<10)]
	i := bytes.Index(b, []byte("/Encoding"))
	if i < 0 {
		return
	}
	l := &pdfLexer{b: b, i: i + 9}
	for range 4096 {
		v := l.object(false, 0)
		if op, ok := v.(pdfOp); ok {
			switch op {
			case "StandardEncoding", "def", "readonly", "eexec":
				return
			case "dup":
				c, ok1 := l.object(false, 0).(float64)
				n, ok2 := l.object(false, 0).(pdfName)
				if ok1 && ok2 && c >= 0 && c < 256 {
					f.simple[int(c)] = glyphText(string(n))
				}
			}
		}
		if e, ok := v.(pdfEnd); ok && e.c == 0 {
			return
		}
	}
}

// pdfCharsets are the predefined CMaps whose codes are a known charset (ISO
// 32000-1 table 118).
var pdfCharsets = []struct {
	prefix string
	e      encoding.Encoding
}{
	{"90ms-RKSJ", japanese.ShiftJIS}, {"90pv-RKSJ", japanese.ShiftJIS}, {"83pv-RKSJ", japanese.ShiftJIS}, {"90msp-RKSJ", japanese.ShiftJIS},
	{"Add-RKSJ", japanese.ShiftJIS}, {"Ext-RKSJ", japanese.ShiftJIS}, {"EUC-", japanese.EUCJP},
	{"GBK2K", simplifiedchinese.GB18030}, {"GBKp-EUC", simplifiedchinese.GBK}, {"GBK-EUC", simplifiedchinese.GBK}, {"GBpc-EUC", simplifiedchinese.GBK}, {"GB-EUC", simplifiedchinese.GBK},
	{"B5pc", traditionalchinese.Big5}, {"ETen-B5", traditionalchinese.Big5}, {"ETenms-B5", traditionalchinese.Big5}, {"HKscs-B5", traditionalchinese.Big5},
	{"KSC-EUC", korean.EUCKR}, {"KSCms-UHC", korean.EUCKR}, {"KSCpc-EUC", korean.EUCKR},
}

func (p *pdfDoc) compositeFont(f *pdfFont, d pdfDict) {
	f.missing = 1000
	switch e := p.resolve(d["Encoding"]).(type) {
	case pdfName:
		n := string(e)
		f.vertical = strings.HasSuffix(n, "-V") || n == "V"
		switch {
		case strings.Contains(n, "UCS2") || strings.Contains(n, "UTF16"):
			f.utf16 = true
		case n == "H" || n == "V":
			f.jis = true
		}
		for _, c := range pdfCharsets {
			if strings.HasPrefix(n, c.prefix) {
				f.charset = c.e
			}
		}
	case *pdfStream:
		if b, _, err := p.decode(e); err == nil {
			f.codes = parseCMap(b, p)
		}
		wm, _ := p.resolve(e.dict["WMode"]).(float64)
		f.vertical = wm == 1
	}
	list, _ := p.resolve(d["DescendantFonts"]).(pdfArray)
	if len(list) == 0 {
		return
	}
	cid := p.dict(list[0])
	if dw, ok := p.resolve(cid["DW"]).(float64); ok {
		f.missing = dw
	}
	p.cidWidths(f, cid["W"])
	if s, ok := p.resolve(cid["CIDToGIDMap"]).(*pdfStream); ok {
		f.cidToGID, _, _ = p.decode(s)
	}
	if f.cmap == nil && !f.utf16 && f.charset == nil && !f.jis {
		desc := p.dict(cid["FontDescriptor"])
		for _, k := range []string{"FontFile2", "FontFile3"} {
			if s, ok := p.resolve(desc[k]).(*pdfStream); ok {
				if b, _, err := p.decode(s); err == nil {
					f.gids = reverseCmap(b)
				}
			}
		}
		f.opaque = len(f.gids) == 0
	}
}

// cidWidths reads the W array (9.7.4.3).
func (p *pdfDoc) cidWidths(f *pdfFont, v any) {
	a, _ := p.resolve(v).(pdfArray)
	for i := 0; i+1 < len(a) && len(f.widths) < 1<<16; {
		c, ok := p.resolve(a[i]).(float64)
		if !ok {
			return
		}
		switch x := p.resolve(a[i+1]).(type) {
		case pdfArray:
			for k, w := range x {
				if v, ok := p.resolve(w).(float64); ok {
					f.widths[int(c)+k] = v
				}
			}
			i += 2
		case float64:
			if i+2 >= len(a) {
				return
			}
			w, _ := p.resolve(a[i+2]).(float64)
			for k := int(c); k <= int(x) && len(f.widths) < 1<<16; k++ {
				f.widths[k] = w
			}
			i += 3
		default:
			return
		}
	}
}

// each calls f for every code of a string.
func (f *pdfFont) each(s []byte, emit func(text string, width float64, code int, one bool)) {
	if f.isSimple {
		for _, c := range s {
			text := f.simple[c]
			if f.cmap != nil {
				if t, ok := f.cmap.lookup(uint32(c), 1); ok {
					text = t
				}
			}
			w, ok := f.widths[int(c)]
			if !ok {
				w = f.missing
			}
			emit(text, w, int(c), true)
		}
		return
	}
	for len(s) > 0 {
		n := f.codeLength(s)
		code := uint32(0)
		for _, c := range s[:n] {
			code = code<<8 | uint32(c)
		}
		raw := s[:n]
		s = s[n:]
		cid := int(code)
		if f.codes != nil {
			if c, ok := f.codes.cid(code, n); ok {
				cid = c
			}
		}
		w, ok := f.widths[cid]
		if !ok {
			w = f.missing
		}
		emit(f.text(code, cid, raw), w, int(code), n == 1)
	}
}

func (f *pdfFont) codeLength(s []byte) int {
	if f.charset != nil {
		// Lead bytes of the East Asian charsets; half-width kana stand alone.
		if s[0] < 0x80 || f.charset == japanese.ShiftJIS && s[0] >= 0xa1 && s[0] <= 0xdf {
			return 1
		}
		return min(2, len(s))
	}
	for _, m := range []*pdfCMap{f.codes, f.cmap} {
		if m != nil && len(m.spaces) > 0 {
			if n := m.length(s); n > 0 {
				return n
			}
		}
		if f.codes == nil && !f.utf16 {
			break // Identity: two bytes whatever ToUnicode says
		}
	}
	return min(2, len(s))
}

func (f *pdfFont) text(code uint32, cid int, raw []byte) string {
	if f.cmap != nil {
		if t, ok := f.cmap.lookup(code, len(raw)); ok {
			return t
		}
	}
	switch {
	case f.utf16:
		return string(decodeUTF16(raw, true))
	case f.charset != nil:
		return string(decodeWith(f.charset, raw))
	case f.jis && len(raw) == 2:
		return string(decodeWith(japanese.ISO2022JP, append([]byte("\x1b$B"), raw...)))
	case f.gids != nil:
		gid := cid
		if 2*cid+1 < len(f.cidToGID) {
			gid = int(binary.BigEndian.Uint16(f.cidToGID[2*cid:]))
		}
		if r, ok := f.gids[gid]; ok {
			return string(r)
		}
	}
	return ""
}

// glyphText gives the characters of a glyph name by the rules of the Adobe
// Glyph List specification.
func glyphText(name string) string {
	if i := strings.IndexByte(name, '.'); i > 0 {
		name = name[:i]
	}
	if strings.Contains(name, "_") {
		var s string
		for _, n := range strings.Split(name, "_") {
			s += glyphText(n)
		}
		return s
	}
	if r, ok := glyphNames[name]; ok {
		return r
	}
	if len(name) == 1 {
		return name
	}
	if rest, ok := strings.CutPrefix(name, "uni"); ok && len(rest) >= 4 {
		if v, err := strconv.ParseUint(rest[:4], 16, 32); err == nil {
			return string(rune(v))
		}
	}
	if name[:min(1, len(name))] == "u" && len(name) >= 5 && len(name) <= 7 {
		if v, err := strconv.ParseUint(name[1:], 16, 32); err == nil {
			return string(rune(v))
		}
	}
	return accented(name)
}
