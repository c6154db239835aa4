package classifiers

import "bytes"

// unframed gives copies of b without the bytes that tell what comes after a value or how
// long one is, where such can be mistaken for a part of one, and none where not. In
// protocols of machines such a byte stands right behind a value or before it and may be a
// digit or a letter: the sequence that follows in BER (X.690 §8.1) is a "0", a length of
// 52 a "4", with which the sixteen digits of a card are seventeen and no card. Text has no
// such bytes. Which of two bytes is a length and which a value's own shows nowhere: the
// copies lack one sequence behind a value, two, and one together with the length before
// it. What is taken off by mistake does no harm, since b itself is looked through as well.
func unframed(b []byte) (copies [][]byte) {
	var one, two, both []byte
	bare := func(in *[]byte, from []byte, at, n int) {
		if *in == nil {
			if from == nil {
				from = b
			}
			*in = bytes.Clone(from)
			copies = append(copies, *in)
		}
		clear((*in)[at : at+n])
	}
	for i := 1; i+2 < len(b); i++ {
		switch {
		case !follows(b[i-1:]):
		case i+3 < len(b) && follows(b[i:]):
			bare(&two, nil, i, 2) // the next byte is as likely
		default:
			bare(&one, nil, i, 2)
		}
	}
	for i := 1; i+4 < len(b); i++ {
		if opens(b[i-1:]) && b[i+2] == '0' && typed(b[i+4]) {
			bare(&two, nil, i, 4)
		}
	}
	for i := 1; i+2 < len(b); i++ {
		before := b[i-1]
		if isAlnum(b[i]) && isAlnum(b[i+1]) && isAlnum(b[i+2]) && (beforeLength(before) || before >= 0x80 && before < 0x90 && isDigit(b[i])) {
			bare(&both, one, i, 1)
		}
	}
	return copies
}

// follows reports whether a value may end with the first byte of b and what follows be
// a sequence or a set with its length and what it begins with. There are four bytes.
func follows(b []byte) bool {
	return opens(b) && (b[2] > 0x80 && b[2] <= 0x84 || typed(b[3]))
}

// opens reports whether a value may end with the first byte of b and a sequence or a set
// of BER begin with the second.
func opens(b []byte) bool { return isAlnum(b[0]) && (b[1] == '0' || b[1] == '1') }

// typed reports whether c is the type of a number, a string or a name of numbers of BER.
func typed(c byte) bool { return c == 2 || c == 4 || c == 6 }

// beforeLength reports whether c can stand before a length of one byte, and in no text:
// a type, or the rest of a longer length. So can types of BER that are numbered, which
// characters of UTF-8 end in as well.
func beforeLength(c byte) bool { return c < ' ' && c != '\t' && c != '\n' && c != '\r' }
