package smb

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// fromUTF16 gives the text of UTF-16 in little-endian order, up to a NUL.
func fromUTF16(b []byte) string {
	out := make([]byte, 0, len(b)/2+8)
	for i := 0; i+1 < len(b); i += 2 {
		r := rune(le.Uint16(b[i:]))
		if r == 0 {
			break
		}
		if utf16.IsSurrogate(r) && i+3 < len(b) {
			if both := utf16.DecodeRune(r, rune(le.Uint16(b[i+2:]))); both != utf8.RuneError {
				r = both
				i += 2
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}

// fromASCII gives the text of a code page's bytes, up to a NUL; what is no ASCII
// is taken for Latin-1.
func fromASCII(b []byte) string {
	out := make([]byte, 0, len(b))
	for _, c := range b {
		if c == 0 {
			break
		}
		out = utf8.AppendRune(out, rune(c))
	}
	return string(out)
}

func fromText(b []byte, wide bool) string {
	if wide {
		return fromUTF16(b)
	}
	return fromASCII(b)
}

// endsWithFold is strings.HasSuffix, ASCII letters folded.
func endsWithFold(s, suffix string) bool {
	return len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}

// slice gives n bytes from an offset, or what there is of them.
func slice(b []byte, off, n int) []byte {
	if off < 0 || n <= 0 || off >= len(b) {
		return nil
	}
	return b[off : off+min(n, len(b)-off)]
}
