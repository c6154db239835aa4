package classifiers

import "bytes"

// unframed gives copies of b without the bytes that tell what comes after a value and
// how long one is, and nil where none can be mistaken for a part of one. In protocols of
// machines such a byte stands right behind a value or before it and may be a digit or a
// letter: the sequence that follows in BER (X.690 §8.1) is a "0", a length of 52 a "4",
// with which the sixteen digits of a card are seventeen and no card. Text has no such
// bytes. after lacks only what comes after values, both what is before them, too: which
// of two bytes is a length and which a value's first shows nowhere. What is taken off by
// mistake does no harm, since b itself is looked through as well.
func unframed(b []byte) (after, both []byte) {
	for i := 1; i+2 < len(b); i++ {
		before := b[i-1]
		if (b[i] == '0' || b[i] == '1') && isAlnum(before) && (b[i+1] > 0x80 && b[i+1] <= 0x84 || typed(b[i+2:])) {
			if after == nil {
				after = bytes.Clone(b)
			}
			clear(after[i : i+2])
		}
	}
	for i := 1; i+2 < len(b); i++ {
		before := b[i-1]
		if isAlnum(b[i]) && isAlnum(b[i+1]) && isAlnum(b[i+2]) && (beforeLength(before) || before >= 0x80 && before < 0x90 && isDigit(b[i])) {
			if both == nil {
				both = bytes.Clone(b)
				if after != nil {
					copy(both, after)
				}
			}
			both[i] = 0
		}
	}
	return after, both
}

// beforeLength reports whether c can stand before a length of one byte, and in no text:
// a type, or the rest of a longer length. So can types of BER that are numbered, which
// characters of UTF-8 end in as well.
func beforeLength(c byte) bool { return c < ' ' && c != '\t' && c != '\n' && c != '\r' }

// typed reports whether b begins with the type of a number, a string or a name of
// numbers of BER, or with a sequence of such, and with no character of a text.
func typed(b []byte) bool {
	if b[0] == '0' && len(b) > 2 {
		b = b[2:]
	}
	return b[0] == 2 || b[0] == 4 || b[0] == 6
}
