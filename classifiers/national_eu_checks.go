package classifiers

import "bytes"

// The checks of European identifiers that need more than a line.

// utr confirms a British tax reference: the first digit checks the others.
func utr(b []byte) bool {
	return "21987654321"[weighted(b[1:], 6, 7, 8, 9, 10, 5, 4, 3, 2)%11] == b[0]
}

// germanDoc confirms the serial number of an identity card or passport: the
// issuer's letter, a restricted alphabet, and the check digit of ICAO 9303.
func germanDoc(b []byte) bool {
	if bytes.IndexByte([]byte("CFGHJKLMNPRTVWXY"), b[0]) < 0 {
		return false
	}
	digits, zero := 0, true
	for _, c := range b[1:] {
		switch c {
		case 'A', 'B', 'D', 'E', 'I', 'O', 'Q', 'S', 'U':
			return false
		}
		if isDigit(c) {
			digits++
		}
		zero = zero && c == '0'
	}
	n := len(b) - 1
	return digits >= 4 && !zero && isDigit(b[n]) && icao(b[:n]) == digit(b, n)
}

// codiceFiscale confirms an Italian personal tax code with its omocodia.
func codiceFiscale(b []byte) bool {
	month := int8(-1)
	for i, c := range [12]byte{'A', 'B', 'C', 'D', 'E', 'H', 'L', 'M', 'P', 'R', 'S', 'T'} {
		if c == b[8] {
			month = int8(i + 1)
		}
	}
	if month < 0 {
		return false
	}
	for i := range 6 {
		if !isAlpha(b[i]) {
			return false
		}
	}
	num := func(c byte) int {
		if isDigit(c) {
			return int(c - '0')
		}
		for i, l := range []byte("LMNPQRSTUV") {
			if l == c {
				return i
			}
		}
		return -1
	}
	for _, i := range [...]int{6, 7, 9, 10, 12, 13, 14} {
		if num(b[i]) < 0 {
			return false
		}
	}
	day := (num(b[9])*10 + num(b[10])) % 40
	if !isAlpha(b[11]) || !isAlpha(b[15]) || !shortDateOK(num(b[6])*10+num(b[7]), int(month), day) {
		return false
	}
	odd := [26]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23}
	sum := 0
	for i, c := range b[:15] {
		v := int(c - '0')
		if isAlpha(c) {
			v = int(c - 'A')
		}
		if i&1 == 0 {
			sum += odd[v]
		} else {
			sum += v
		}
	}
	return int(b[15]-'A') == sum%26
}

// hetu confirms a Finnish identity code; the sign between date and number tells
// the century.
func hetu(v *value) bool {
	b := v.b
	var sign byte
	switch {
	case len(b) == 11 && v.sep == 0:
		sign = b[6]
		if sign < 'A' || sign > 'F' && sign < 'U' || sign > 'Y' {
			return false
		}
		b = append(append(make([]byte, 0, 10), b[:6]...), b[7:]...)
	case len(b) == 10 && (v.sep == '-' || v.sep == '+'):
		if len(v.lens) != 2 || v.lens[0] != 6 {
			return false
		}
		sign = v.sep
	default:
		return false
	}
	century := 1900
	switch {
	case sign == '+':
		century = 1800
	case sign >= 'A' && sign <= 'F':
		century = 2000
	}
	for _, c := range b[:9] {
		if !isDigit(c) {
			return false
		}
	}
	n := decimal(b[6:9])
	return n >= 2 && dateOK(century+decimal(b[4:6]), decimal(b[2:4]), decimal(b[:2])) &&
		"0123456789ABCDEFHJKLMNPRSTUVWXY"[decimal(b[:9])%31] == b[9]
}

// rodneCislo confirms a Czech or Slovak birth number.
func rodneCislo(b []byte) bool {
	y, m, d := decimal(b[:2]), decimal(b[2:4]), decimal(b[4:6])
	if len(b) == 9 {
		// Before 1954, without a check digit.
		switch {
		case y >= 80:
			y += 1800
		case y > 53:
			return false
		default:
			y += 1900
		}
	} else if y < 54 {
		y += 2000
	} else {
		y += 1900
	}
	m = m % 50 % 20
	if !dateOK(y, m, d) {
		return false
	}
	if len(b) == 9 {
		return true
	}
	return decimal(b[:9])%11%10 == digit(b, 9)
}

// baltic confirms an Estonian or Lithuanian personal code. Lithuania also has
// codes without a date that begin with 9.
func baltic(b []byte, lt bool) bool {
	g := digit(b, 0)
	c := [10]int{0, 1800, 1800, 1900, 1900, 2000, 2000, 2100, 2100, 0}[g]
	if !(lt && g == 9) && (c == 0 || !dateOK(c+decimal(b[1:3]), decimal(b[3:5]), decimal(b[5:7]))) {
		return false
	}
	sum := weights(b, "1234567891") % 11
	if sum == 10 {
		sum = weights(b, "3456789123") % 11
	}
	return sum%10 == digit(b, 10)
}
