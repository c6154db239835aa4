package extract

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// decodeUTF16 gives UTF-8; an odd last byte is dropped, lone surrogates become
// replacement characters.
func decodeUTF16(b []byte, big bool) []byte {
	out := make([]byte, 0, len(b)/2+len(b)/8)
	for i := 0; i+1 < len(b); i += 2 {
		var u uint16
		if big {
			u = binary.BigEndian.Uint16(b[i:])
		} else {
			u = binary.LittleEndian.Uint16(b[i:])
		}
		r := rune(u)
		if utf16.IsSurrogate(r) {
			var u2 uint16
			if i+3 < len(b) {
				if big {
					u2 = binary.BigEndian.Uint16(b[i+2:])
				} else {
					u2 = binary.LittleEndian.Uint16(b[i+2:])
				}
			}
			if r = utf16.DecodeRune(r, rune(u2)); r != utf8.RuneError {
				i += 2
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

// utf16le decodes a little-endian string as Microsoft's formats store it.
func utf16le(b []byte) string { return string(decodeUTF16(b, false)) }

// charsetByName finds an encoding by the names mail, web and Windows use; nil
// for UTF-8, ASCII and whatever is unknown.
func charsetByName(name string) encoding.Encoding {
	name = strings.ToLower(strings.Trim(name, " \t\"'"))
	switch name {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		return nil
	case "cp866", "ibm866":
		return charmap.CodePage866
	}
	if e, err := htmlindex.Get(name); err == nil {
		return e
	}
	if e, err := ianaindex.MIME.Encoding(name); err == nil && e != nil {
		return e
	}
	return nil
}

// codepage gives the encoding of a Windows code page number; Windows-1252 when
// it is unknown.
func codepage(n int) encoding.Encoding {
	switch n {
	case 65001:
		return nil
	case 437:
		return charmap.CodePage437
	case 850:
		return charmap.CodePage850
	case 852:
		return charmap.CodePage852
	case 855:
		return charmap.CodePage855
	case 866:
		return charmap.CodePage866
	case 874:
		return charmap.Windows874
	case 932:
		return japanese.ShiftJIS
	case 936:
		return simplifiedchinese.GBK
	case 949:
		return korean.EUCKR
	case 950:
		return traditionalchinese.Big5
	case 1250:
		return charmap.Windows1250
	case 1251:
		return charmap.Windows1251
	case 1253:
		return charmap.Windows1253
	case 1254:
		return charmap.Windows1254
	case 1255:
		return charmap.Windows1255
	case 1256:
		return charmap.Windows1256
	case 1257:
		return charmap.Windows1257
	case 1258:
		return charmap.Windows1258
	case 10000:
		return charmap.Macintosh
	case 20866:
		return charmap.KOI8R
	case 21866:
		return charmap.KOI8U
	case 28592:
		return charmap.ISO8859_2
	case 28595:
		return charmap.ISO8859_5
	case 54936:
		return simplifiedchinese.GB18030
	}
	return charmap.Windows1252
}

// decodeWith gives UTF-8 from b in encoding e (nil: UTF-8 already).
func decodeWith(e encoding.Encoding, b []byte) []byte {
	if e == nil {
		if utf8.Valid(b) {
			return b
		}
		return bytes.ToValidUTF8(b, []byte("\uFFFD"))
	}
	out, err := e.NewDecoder().Bytes(b)
	if err != nil && len(out) == 0 {
		return bytes.ToValidUTF8(b, []byte("\uFFFD"))
	}
	return out
}

// toUTF8 decodes text whose charset is declared as label, or guessed when it
// is not: byte order mark, UTF-16 by its zeros, UTF-8 when valid, else
// Windows-1252.
func toUTF8(b []byte, label string) []byte {
	switch {
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		return decodeWith(nil, b[3:])
	case bytes.HasPrefix(b, []byte{0xff, 0xfe, 0, 0}) && len(b) > 4:
		return decodeUTF32(b[4:])
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		return decodeUTF16(b[2:], false)
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return decodeUTF16(b[2:], true)
	}
	if u := utf16Guess(b); u != "" {
		return decodeUTF16(b, u == "be")
	}
	if strings.Contains(strings.ToLower(label), "utf-7") {
		return decodeUTF7(b)
	}
	if e := charsetByName(label); e != nil && !utf16Label(label) {
		return decodeWith(e, b)
	}
	if utf8.Valid(b) {
		return b
	}
	// A cut or a few wrong bytes do not make a UTF-8 text something else.
	if bad, multi := utf8Quality(b); multi > 4*bad {
		return bytes.ToValidUTF8(b, []byte("\uFFFD"))
	}
	return decodeWith(guessEightBit(b), b)
}

// guessEightBit chooses among the Cyrillic charsets by their most frequent
// letters, where high bytes make up words and not just accents in them; else
// Windows-1252.
func guessEightBit(b []byte) encoding.Encoding {
	b = b[:min(len(b), 4096)]
	high := 0
	for _, c := range b {
		high += int(c >> 7)
	}
	if high*10 < len(b)*3 {
		return charmap.Windows1252
	}
	var best encoding.Encoding = charmap.Windows1252
	most := high / 4
	for _, e := range []*charmap.Charmap{charmap.Windows1251, charmap.KOI8R, charmap.CodePage866, charmap.ISO8859_5} {
		n := 0
		for _, c := range b {
			if c >= 0x80 && strings.ContainsRune("оеаинтсрвлкм", e.DecodeByte(c)) {
				n++
			}
		}
		if n > most {
			best, most = e, n
		}
	}
	return best
}

func utf16Label(l string) bool {
	l = strings.ToLower(l)
	return strings.Contains(l, "utf-16") || strings.Contains(l, "ucs-2")
}

func utf8Quality(b []byte) (bad, multi int) {
	b = b[:min(len(b), 64<<10)]
	for i := 0; i < len(b); {
		if b[i] < 0x80 {
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			bad++
		} else {
			multi++
		}
		i += n
	}
	return bad, multi
}

func decodeUTF32(b []byte) []byte {
	out := make([]byte, 0, len(b)/4)
	for ; len(b) >= 4; b = b[4:] {
		out = utf8.AppendRune(out, rune(binary.LittleEndian.Uint32(b)))
	}
	return out
}

// decodeUTF7 reads RFC 2152, which mail still can carry and filters forget.
func decodeUTF7(b []byte) []byte {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '+' {
			out = append(out, b[i])
			continue
		}
		if i+1 < len(b) && b[i+1] == '-' {
			out = append(out, '+')
			i++
			continue
		}
		var units []byte
		acc, bits := uint32(0), 0
		i++
		for ; i < len(b); i++ {
			d := strings.IndexByte(digits, b[i])
			if d < 0 {
				break
			}
			acc, bits = acc<<6|uint32(d), bits+6
			if bits >= 16 {
				bits -= 16
				u := acc >> bits
				units = append(units, byte(u>>8), byte(u))
			}
		}
		out = append(out, decodeUTF16(units, true)...)
		if i < len(b) && b[i] != '-' {
			i--
		}
	}
	return out
}
