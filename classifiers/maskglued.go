package classifiers

import "bytes"

// maskGlued masks card numbers within tokens, as in card4532….evil.example, of which
// no detector tells: most digits between letters are of something else, and a
// finding would be one too many. A mask costs little where it is. b is changed from
// its first such number on; out is b's copy where there is one already. Only the
// common lengths and schemes count, with a valid check digit, and neither decimals
// nor what stands in a hash.
func maskGlued(b, out []byte) []byte {
	for i := 0; i < len(b); {
		if !isDigit(b[i]) {
			i++
			continue
		}
		end := i + csDigit.run(b[i:], len(b)-i)
		if end-i == 4 {
			end = groupsEnd(b, i)
		}
		if glued(b, i, end) {
			if out == nil {
				out = bytes.Clone(b)
			}
			show := 4
			for k := end - 1; k >= i; k-- {
				switch {
				case !isDigit(b[k]):
				case show > 0:
					show--
				default:
					out[k] = '*'
				}
			}
		}
		i = end
	}
	return out
}

// groupsEnd gives where the digits at i end, of which there are four, in groups of
// four with one and the same character between them: 4532-0166-3049-4032.
func groupsEnd(b []byte, i int) int {
	const size = 4 + 3*5
	if len(b)-i < size {
		return i + 4
	}
	sep := b[i+4]
	if sep != '-' && sep != '_' && sep != '.' {
		return i + 4
	}
	for k, c := range b[i : i+size] {
		if k%5 == 4 && c != sep || k%5 != 4 && !isDigit(c) {
			return i + 4
		}
	}
	if i+size < len(b) && isDigit(b[i+size]) {
		return i + 4
	}
	return i + size
}

// glued reports whether b[i:end], digits in one or in groups of four, is a card
// number of a common kind.
func glued(b []byte, i, end int) bool {
	var digits [16]byte
	n := 0
	for _, c := range b[i:end] {
		if !isDigit(c) {
			continue
		}
		if n == len(digits) {
			return false
		}
		digits[n] = c
		n++
	}
	d := digits[:n]
	if n < 15 || sameDigits(d) || !luhn(d) || rareCard(d) || i >= 2 && b[i-1] == '.' && isDigit(b[i-2]) {
		return false
	}
	if brand := cardBrand(d); brand == "" || brand == "old" {
		return false
	}
	from, to := i, end
	for from > 0 && isHex(b[from-1]) && i-from < 128 {
		from--
	}
	for to < len(b) && isHex(b[to]) && to-end < 128 {
		to++
	}
	switch to - from {
	case 32, 40, 64, 96, 128:
		return false // a hash in hex
	}
	return true
}
