package classifiers

import "bytes"

// What stands beside a value and speaks against it.

// binaryAround reports whether a value stands among control bytes, as digits do by
// chance in fonts, images and programs.
func binaryAround(va *value) bool {
	if !va.binaryKnown {
		va.binary, va.binaryKnown = countControl(va) >= 3, true
	}
	return va.binary
}

// countControl counts the control bytes close to a value.
func countControl(va *value) (n int) {
	for _, b := range [2][]byte{va.before[max(0, len(va.before)-12):], va.after[:min(12, len(va.after))]} {
		for _, c := range b {
			n += int(rareControl[c])
		}
	}
	return n
}

// rareControl is one for the control bytes that text does not have, nor a terminal's
// log or strings in a table.
var rareControl = func() (t [256]uint8) {
	for c := range 0x20 {
		if c != 0 && (c < '\t' || c > '\r') && c != 0x1b {
			t[c] = 1
		}
	}
	return t
}()

// joined reports whether the span is only a part of a longer thing (a UUID, a
// decimal fraction, a dotted or hyphenated number); where that is likely but not
// sure, it lowers the score.
func (s *Scanner) joined(va *value, score *int8) bool {
	for i, k := range [2]byte{va.left, va.right} {
		var next byte
		if i == 0 {
			next = lastNonSep(va.before)
		} else {
			next = firstNonSep(va.after)
		}
		switch k {
		case '-', '+':
			return true
		case '.':
			if isDigit(next) {
				return true
			}
			*score--
		case '/':
			if isDigit(next) && va.sep == k {
				return true
			}
			*score--
		case ' ':
			if va.sep == ' ' && isDigit(next) {
				// One of many groups: part of a longer row of numbers.
				*score--
			}
		}
	}
	for i, side := range [2][]byte{va.before, va.after} {
		at := 0
		if i == 0 {
			at = len(side) - 1
		}
		if at < 0 || at >= len(side) {
			continue
		}
		switch side[at] {
		case '_':
			return true
		case ':':
			if c := ([2]byte{lastNonSep(side), firstNonSep(side)})[i]; isDigit(c) {
				*score--
			}
		}
	}
	if len(va.after) > 0 && va.after[0] == '@' || len(va.before) > 0 && va.before[len(va.before)-1] == '@' {
		return true
	}
	if n := len(va.before); n > 1 && va.before[n-1] == '.' && (isDigit(va.before[n-2]) || va.sep == '.') {
		return true
	}
	// "#" and "$" before, as in colours and money.
	if n := len(va.before); n > 0 && (va.before[n-1] == '$' || bytes.HasSuffix(va.before, []byte("€"))) {
		*score--
	}
	return false
}

func lastNonSep(b []byte) byte {
	for i := len(b) - 1; i >= 0 && i > len(b)-4; i-- {
		if isAlnum(b[i]) {
			return b[i]
		}
	}
	return 0
}

func firstNonSep(b []byte) byte {
	for i := 0; i < len(b) && i < 4; i++ {
		if isAlnum(b[i]) {
			return b[i]
		}
	}
	return 0
}
