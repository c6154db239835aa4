package scan

import (
	"io"
	"strings"
	"unicode/utf8"

	"sluice/classifiers"
)

const (
	// excerptContext is how much is shown on each side of a value, excerptAround
	// how much is looked at so that values beside it are masked too.
	excerptContext = 32
	excerptAround  = 512
	// maxValue bounds the value itself.
	maxValue = 4096
)

// excerpts shows the findings that people are shown where they stand, all values
// masked, by the finding's index. What was found in decoded or extracted text has
// no place in the file and gets none.
func excerpts(s *classifiers.Scanner, r io.ReaderAt, findings []classifiers.Finding) map[int]string {
	out := map[int]string{}
	shown := map[string]int{}
	for i := range findings {
		f := &findings[i]
		if shown[f.Detector]++; shown[f.Detector] > maxShown || f.Path != "" || f.End <= f.Start || f.End-f.Start > maxValue {
			continue
		}
		from := f.Start - min(f.Start, excerptAround)
		buf := make([]byte, f.End+excerptAround-from)
		n, err := r.ReadAt(buf, int64(from))
		if buf = buf[:n]; uint64(n) < f.End-from || err != nil && n == 0 {
			continue
		}
		masked, _ := s.Mask(buf)
		start, end := int(f.Start-from), int(f.End-from)
		before, after := masked[:start], masked[end:]
		text := cutLeft(before) + f.Masked + cutRight(after)
		out[i] = strings.Join(strings.Fields(Clean(strings.ToValidUTF8(text, "?"))), " ")
	}
	return out
}

// cutLeft gives the end of the text before a value, not beyond its line and
// beginning with a whole word where that is possible.
func cutLeft(b []byte) string {
	s := string(b[max(0, len(b)-excerptContext):])
	cut := len(b) > excerptContext
	if i := strings.LastIndexAny(s, "\r\n"); i >= 0 {
		return s[i+1:]
	}
	if !cut {
		return s
	}
	if i := strings.IndexByte(s, ' '); i >= 0 && i < len(s)-1 {
		s = s[i+1:]
	}
	for len(s) > 0 && !utf8.RuneStart(s[0]) {
		s = s[1:]
	}
	return "…" + s
}

// cutRight gives the beginning of the text after a value, likewise.
func cutRight(b []byte) string {
	s := string(b[:min(len(b), excerptContext)])
	if i := strings.IndexAny(s, "\r\n"); i >= 0 {
		return s[:i]
	}
	if len(b) <= excerptContext {
		return s
	}
	if i := strings.LastIndexByte(s, ' '); i > 0 {
		s = s[:i]
	}
	for len(s) > 0 {
		if r, n := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || n > 1 {
			break
		}
		s = s[:len(s)-1]
	}
	return s + "…"
}
