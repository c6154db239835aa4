// Package csvtext tells tables of separated values by their first lines. It knows
// nothing of what they hold.
package csvtext

import "bytes"

const (
	// minLines whole lines are looked at, at least, and maxLines at most.
	minLines, maxLines = 3, 12
	// maxCell bounds the cells of a table of two columns.
	maxCell = 64
)

// Like reports whether text begins with lines that have the same number of separators
// (RFC 4180, and what else separates). Many lines of other text have one comma or
// semicolon: a table of two columns wants a header and short cells besides. The last
// line does not count, since it may be cut. It does not allocate.
func Like(text []byte) bool {
	for _, sep := range [...]byte{',', ';', '\t', '|'} {
		if like(text, sep) {
			return true
		}
	}
	return false
}

func like(text []byte, sep byte) bool {
	want := 0
	for n := 0; ; n++ {
		end := bytes.IndexByte(text, '\n')
		if end < 0 || n == maxLines {
			return n >= minLines
		}
		line := bytes.TrimSuffix(text[:end], []byte{'\r'})
		text = text[end+1:]
		count := bytes.Count(line, []byte{sep})
		if n == 0 {
			want = count
		}
		if count == 0 || count != want || want == 1 && !pair(line, sep, n == 0) {
			return false
		}
	}
}

// pair reports whether a line may be one of a table of two columns.
func pair(line []byte, sep byte, header bool) bool {
	if sep == '|' || header && bytes.ContainsAny(line, "0123456789") || bytes.ContainsAny(line, "(){}<>") {
		return false
	}
	a, b, _ := bytes.Cut(line, []byte{sep})
	return len(a) > 0 && len(a) <= maxCell && len(b) > 0 && len(b) <= maxCell && b[0] != ' '
}
