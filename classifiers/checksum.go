package classifiers

// The check-digit algorithms that the detectors share. All take upper-case
// letters and digits without separators.

// luhn reports whether digits satisfy ISO/IEC 7812-1 annex B.
func luhn(b []byte) bool {
	sum := 0
	for i := range b {
		d := int(b[len(b)-1-i] - '0')
		if i&1 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// letterValue gives 0–9 for digits and 10–35 for letters (ISO 13616, ISO 6166).
func letterValue(c byte) int {
	if isDigit(c) {
		return int(c - '0')
	}
	return int(c-'A') + 10
}

// mod97 gives the remainder of ISO 7064 mod 97-10, letters expanded to two
// digits.
func mod97(parts ...[]byte) int {
	r := 0
	for _, p := range parts {
		for _, c := range p {
			if v := letterValue(c); v > 9 {
				r = (r*100 + v) % 97
			} else {
				r = (r*10 + v) % 97
			}
		}
	}
	return r
}

// weighted sums digits times weights, from the first.
func weighted(b []byte, w ...int) int {
	sum := 0
	for i, x := range w {
		sum += int(b[i]-'0') * x
	}
	return sum
}

// weights sums digits times weights given as a string of digits.
func weights(b []byte, w string) int {
	sum := 0
	for i := range w {
		sum += int(b[i]-'0') * int(w[i]-'0')
	}
	return sum
}

// digit gives the value of b[i].
func digit(b []byte, i int) int { return int(b[i] - '0') }

// number2 reads b's digits as a decimal number; up to 18 digits.
func decimal(b []byte) int {
	n := 0
	for _, c := range b {
		n = n*10 + int(c-'0')
	}
	return n
}

// mod11_10 reports whether digits satisfy ISO 7064 mod 11,10.
func mod11_10(b []byte) bool {
	check := 5
	for _, c := range b {
		x := check
		if x == 0 {
			x = 10
		}
		check = (x*2%11 + int(c-'0')) % 10
	}
	return check == 1
}

// mod11_2 reports whether digits, the last of which may be X, satisfy ISO 7064
// mod 11-2.
func mod11_2(b []byte) bool {
	check := 0
	for i, c := range b {
		d := int(c - '0')
		if c == 'X' {
			if i != len(b)-1 {
				return false
			}
			d = 10
		}
		check = (check*2 + d) % 11
	}
	return check == 1
}

var verhoeffMul = [10][10]byte{
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 0, 6, 7, 8, 9, 5}, {2, 3, 4, 0, 1, 7, 8, 9, 5, 6},
	{3, 4, 0, 1, 2, 8, 9, 5, 6, 7}, {4, 0, 1, 2, 3, 9, 5, 6, 7, 8}, {5, 9, 8, 7, 6, 0, 4, 3, 2, 1},
	{6, 5, 9, 8, 7, 1, 0, 4, 3, 2}, {7, 6, 5, 9, 8, 2, 1, 0, 4, 3}, {8, 7, 6, 5, 9, 3, 2, 1, 0, 4},
	{9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
}

// verhoeffPerm is built from the dihedral group's permutation (Verhoeff 1969).
var verhoeffPerm = func() (p [8][10]byte) {
	p[0] = [10]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	p[1] = [10]byte{1, 5, 7, 6, 2, 8, 3, 0, 9, 4}
	for i := 2; i < 8; i++ {
		for j := range 10 {
			p[i][j] = p[i-1][p[1][j]]
		}
	}
	return p
}()

// verhoeff reports whether digits satisfy Verhoeff's algorithm.
func verhoeff(b []byte) bool {
	c := byte(0)
	for i := range b {
		c = verhoeffMul[c][verhoeffPerm[i%8][b[len(b)-1-i]-'0']]
	}
	return c == 0
}

// sameDigits reports whether all bytes are equal.
func sameDigits(b []byte) bool {
	for _, c := range b[1:] {
		if c != b[0] {
			return false
		}
	}
	return true
}

// sequence reports whether digits count up or down by one all along.
func sequence(b []byte) bool {
	up, down := true, true
	for i := 1; i < len(b); i++ {
		up = up && (b[i]-'0') == (b[i-1]-'0'+1)%10
		down = down && (b[i-1]-'0') == (b[i]-'0'+1)%10
	}
	return up || down
}

var monthDays = [13]int{0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

// dateOK reports whether a day exists in the Gregorian calendar.
func dateOK(y, m, d int) bool {
	if m < 1 || m > 12 || d < 1 || d > monthDays[m] {
		return false
	}
	return m != 2 || d < 29 || y%4 == 0 && (y%100 != 0 || y%400 == 0)
}

// shortDateOK reports whether a day exists in a year of which two digits are
// known, in the twentieth or the twenty-first century.
func shortDateOK(yy, m, d int) bool { return dateOK(1900+yy, m, d) || dateOK(2000+yy, m, d) }

// stamp reports whether digits are a point in time: YYYYMMDDhhmm and longer.
func stamp(b []byte) bool {
	if len(b) < 12 || b[0] != '1' && b[0] != '2' {
		return false
	}
	y := decimal(b[:4])
	return y >= 1970 && y < 2100 && dateOK(y, decimal(b[4:6]), decimal(b[6:8])) && decimal(b[8:10]) < 24 && decimal(b[10:12]) < 60
}

// icao gives the check digit of ICAO 9303 part 3, 4.9 (weights 7, 3, 1).
func icao(b []byte) int {
	sum := 0
	for i, c := range b {
		v := 0
		if c != '<' {
			v = letterValue(c)
		}
		sum += v * [3]int{7, 3, 1}[i%3]
	}
	return sum % 10
}
