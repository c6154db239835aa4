package classifiers

import "bytes"

// vatValid confirms a European VAT number with its country's prefix, by the
// structures and check digits that the member states have published (VIES).
func vatValid(v *value) bool {
	if v.sep == '/' || v.sep == '+' {
		return false
	}
	b := v.b
	if n := len(v.before) - 1; n >= 2 && v.before[n] == ' ' && (hasSuffixFold(v.before[:n], string(b[:2])) || hasSuffixFold(v.before[:n], string(b[:3]))) {
		return false // the prefix twice
	}
	n := b[2:]
	f, ok := vatRules[string(b[:2])]
	return ok && f(n)
}

func allDigits(b []byte) bool {
	for _, c := range b {
		if !isDigit(c) {
			return false
		}
	}
	return true
}

// vd makes a rule for numbers of a fixed length of digits.
func vd(n int, f func(b []byte) bool) func(b []byte) bool {
	return func(b []byte) bool { return len(b) == n && allDigits(b) && f(b) }
}

var vatRules = map[string]func(b []byte) bool{
	"AT": func(b []byte) bool {
		if len(b) != 9 || b[0] != 'U' || !allDigits(b[1:]) {
			return false
		}
		sum := 4
		for i, c := range b[1:8] {
			d := int(c - '0')
			if i&1 == 1 {
				d = d*2/10 + d*2%10
			}
			sum += d
		}
		return (10-sum%10)%10 == digit(b, 8)
	},
	"BE": func(b []byte) bool {
		// Old numbers lack the leading zero.
		n := len(b)
		return (n == 9 || n == 10 && b[0] <= '1') && allDigits(b) && 97-decimal(b[:n-2])%97 == decimal(b[n-2:])
	},
	"BG": func(b []byte) bool {
		if !allDigits(b) {
			return false
		}
		switch len(b) {
		case 9:
			s := weights(b, "12345678") % 11
			if s == 10 {
				s = weighted(b, 3, 4, 5, 6, 7, 8, 9, 10) % 11 % 10
			}
			return s == digit(b, 8)
		case 10:
			return weighted(b, 2, 4, 8, 5, 10, 9, 7, 3, 6)%11%10 == digit(b, 9) ||
				weighted(b, 21, 19, 17, 13, 11, 9, 7, 3, 1)%10 == digit(b, 9) ||
				(11-weights(b, "432765432")%11)%11%10 == digit(b, 9)
		}
		return false
	},
	"CY": func(b []byte) bool {
		if len(b) != 9 || !allDigits(b[:8]) || isDigit(b[8]) || string(b[:2]) == "12" {
			return false
		}
		odd := [10]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21}
		sum := 0
		for i := range 8 {
			if i&1 == 0 {
				sum += odd[digit(b, i)]
			} else {
				sum += digit(b, i)
			}
		}
		return byte('A'+sum%26) == b[8]
	},
	"CZ": func(b []byte) bool {
		if !allDigits(b) {
			return false
		}
		switch len(b) {
		case 8:
			return b[0] != '9' && (11-weights(b, "8765432")%11)%10 == digit(b, 7)
		case 9:
			if b[0] == '6' {
				s := weights(b[1:], "8765432") % 11
				return [11]int{8, 7, 6, 5, 4, 3, 2, 1, 0, 9, 8}[s] == digit(b, 8) || rodneCislo(b)
			}
			return rodneCislo(b)
		case 10:
			return rodneCislo(b)
		}
		return false
	},
	"DE": vd(9, func(b []byte) bool { return b[0] != '0' && mod11_10(b) }),
	"DK": vd(8, func(b []byte) bool { return b[0] != '0' && weights(b, "27654321")%11 == 0 }),
	"EE": vd(9, func(b []byte) bool { return weights(b, "371371371")%10 == 0 }),
	"EL": vd(9, greekVAT),
	"GR": vd(9, greekVAT),
	"ES": func(b []byte) bool { return len(b) == 9 && spanishVAT(b) },
	"FI": vd(8, func(b []byte) bool { return weighted(b, 7, 9, 10, 5, 8, 4, 2, 1)%11 == 0 }),
	"FR": func(b []byte) bool {
		if len(b) != 11 || !allDigits(b[2:]) {
			return false
		}
		siren := b[2:]
		if string(siren[:3]) != "000" && !luhn(siren) {
			return false
		}
		if allDigits(b[:2]) {
			return decimal(b[:2]) == (12+3*(decimal(siren)%97))%97
		}
		const alphabet = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
		i, j := bytes.IndexByte([]byte(alphabet), b[0]), bytes.IndexByte([]byte(alphabet), b[1])
		if i < 0 || j < 0 {
			return false
		}
		s := i*34 + j - 100
		if isDigit(b[0]) {
			s = i*24 + j - 10
		}
		return (decimal(siren)+1+s/11)%11 == s%11
	},
	"GB": britishVAT,
	"XI": britishVAT,
	"HR": vd(11, mod11_10),
	"HU": vd(8, func(b []byte) bool { return (weights(b, "9731973")+digit(b, 7))%10 == 0 }),
	"IE": func(b []byte) bool {
		const alphabet = "WABCDEFGHIJKLMNOPQRSTUV"
		if len(b) == 8 && allDigits(b[2:7]) && isDigit(b[0]) && isAlpha(b[7]) {
			if isDigit(b[1]) {
				return alphabet[weights(b, "8765432")%23] == b[7]
			}
			// The old form moves its first digit behind the others.
			x := append(append(make([]byte, 0, 8), '0'), b[2:7]...)
			x = append(x, b[0])
			return alphabet[weights(x, "8765432")%23] == b[7]
		}
		if len(b) == 9 && allDigits(b[:7]) && isAlpha(b[7]) && isAlpha(b[8]) {
			sum := weights(b, "8765432")
			if b[8] != 'W' {
				sum += 9 * (int(b[8]-'A') + 1)
			}
			return b[8] <= 'W' && alphabet[sum%23] == b[7]
		}
		return false
	},
	"IT": vd(11, func(b []byte) bool {
		p := decimal(b[7:10])
		return decimal(b[:7]) != 0 && (p >= 1 && p <= 100 || p == 120 || p == 121 || p == 888 || p == 999) && luhn(b)
	}),
	"LT": func(b []byte) bool {
		if len(b) != 9 && len(b) != 12 || !allDigits(b) || b[len(b)-2] != '1' {
			return false
		}
		sum := func(from int) int {
			s := 0
			for i, c := range b[:len(b)-1] {
				s += int(c-'0') * ((i+from)%9 + 1)
			}
			return s % 11
		}
		c := sum(0)
		if c == 10 {
			c = sum(2)
		}
		return c%10 == digit(b, len(b)-1)
	},
	"LU": vd(8, func(b []byte) bool { return decimal(b[:6])%89 == decimal(b[6:]) }),
	"LV": vd(11, func(b []byte) bool {
		if b[0] > '3' {
			return weighted(b, 9, 1, 4, 8, 3, 10, 2, 5, 7, 6, 1)%11 == 3
		}
		return (1+weighted(b, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9))%11%10 == digit(b, 10)
	}),
	"MT": vd(8, func(b []byte) bool { return b[0] != '0' && (weights(b, "346789")+decimal(b[6:]))%37 == 0 }),
	"NL": func(b []byte) bool {
		if len(b) != 12 || b[9] != 'B' || !allDigits(b[:9]) || !allDigits(b[10:]) || decimal(b[10:]) == 0 {
			return false
		}
		if (weights(b, "98765432")-digit(b, 8))%11 == 0 && decimal(b[:9]) > 0 {
			return true
		}
		return mod97([]byte("NL"), b) == 1
	},
	"PL": vd(10, func(b []byte) bool { return weights(b, "657234567")%11 == digit(b, 9) }),
	"PT": vd(9, func(b []byte) bool { return b[0] != '0' && (11-weights(b, "98765432")%11)%11%10 == digit(b, 8) }),
	"RO": func(b []byte) bool {
		if len(b) < 2 || len(b) > 10 || !allDigits(b) || b[0] == '0' {
			return false
		}
		var x [10]byte
		for i := range x {
			x[i] = '0'
		}
		copy(x[10-len(b):], b)
		return weights(x[:], "753217532")*10%11%10 == digit(x[:], 9)
	},
	"SE": vd(12, func(b []byte) bool { return string(b[10:]) != "00" && decimal(b[10:]) > 0 && luhn(b[:10]) }),
	"SI": vd(8, func(b []byte) bool {
		c := 11 - weights(b, "8765432")%11
		if c == 11 {
			return false
		}
		return b[0] != '0' && c%10 == digit(b, 7)
	}),
	"SK": vd(10, func(b []byte) bool {
		return b[0] != '0' && (b[2] == '2' || b[2] == '3' || b[2] == '4' || b[2] == '7' || b[2] == '8' || b[2] == '9') && decimal(b)%11 == 0 || rodneCislo(b)
	}),
}

func greekVAT(b []byte) bool {
	c := 0
	for _, d := range b[:8] {
		c = c*2 + int(d-'0')
	}
	return c*2%11%10 == digit(b, 8) && decimal(b) > 0
}

// spanishVAT confirms a DNI, NIE, or a CIF of organisations.
func spanishVAT(b []byte) bool {
	const alphabet = "TRWAGMYFPDXBNJZSQVHLCKE"
	switch {
	case allDigits(b[:8]) && isAlpha(b[8]):
		return alphabet[decimal(b[:8])%23] == b[8]
	case !allDigits(b[1:8]):
		return false
	case b[0] >= 'X' && b[0] <= 'Z':
		return isAlpha(b[8]) && alphabet[(int(b[0]-'X')*10000000+decimal(b[1:8]))%23] == b[8]
	case b[0] == 'K' || b[0] == 'L' || b[0] == 'M':
		return alphabet[decimal(b[1:8])%23] == b[8]
	case bytes.IndexByte([]byte("ABCDEFGHJNPQRSUVW"), b[0]) < 0:
		return false
	}
	sum := 0
	for i, c := range b[1:8] {
		d := int(c - '0')
		if i&1 == 0 {
			d = d*2/10 + d*2%10
		}
		sum += d
	}
	c := (10 - sum%10) % 10
	if isDigit(b[8]) {
		return digit(b, 8) == c && bytes.IndexByte([]byte("PQSWNR"), b[0]) < 0
	}
	return "JABCDEFGHI"[c] == b[8] && bytes.IndexByte([]byte("ABEH"), b[0]) < 0
}

func britishVAT(b []byte) bool {
	switch {
	case len(b) == 5 && string(b[:2]) == "GD" && allDigits(b[2:]):
		return decimal(b[2:]) < 500
	case len(b) == 5 && string(b[:2]) == "HA" && allDigits(b[2:]):
		return decimal(b[2:]) >= 500
	case (len(b) != 9 && len(b) != 12) || !allDigits(b):
		return false
	}
	s := (weights(b, "8765432") + decimal(b[7:9])) % 97
	return s == 0 && decimal(b[:7]) != 0 || s == 42 || s == 55
}
