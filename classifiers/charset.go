package classifiers

import "math"

// charset is a set of bytes.
type charset [4]uint64

func (c *charset) has(b byte) bool { return c[b>>6]&(1<<(b&63)) != 0 }

// set builds a charset from ranges and single bytes: "a-zA-Z0-9_".
func set(s string) *charset {
	var c charset
	for i := 0; i < len(s); i++ {
		lo, hi := s[i], s[i]
		if i+2 < len(s) && s[i+1] == '-' {
			hi = s[i+2]
			i += 2
		}
		for b := int(lo); b <= int(hi); b++ {
			c[b>>6] |= 1 << (b & 63)
		}
	}
	return &c
}

var (
	csDigit  = set("0-9")
	csHex    = set("a-fA-F0-9")
	csAlnum  = set("a-zA-Z0-9")
	csUpper  = set("A-Z0-9")
	csLower  = set("a-z0-9")
	csURL    = set("a-zA-Z0-9_-")
	csWord   = set("a-zA-Z0-9_")
	csB64    = set("a-zA-Z0-9+/=")
	csB64URL = set("a-zA-Z0-9_=-")
	csB32    = set("A-Z2-7")
	csBech32 = set("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7Lqpzry9x8gf2tvdw0s3jn54khce6mua7l")
	csDot    = set("a-zA-Z0-9_.-")
	csAny    = set("a-zA-Z0-9_=.+/~-")
)

// run gives how many bytes of b belong to the set, at most limit.
func (c *charset) run(b []byte, limit int) int {
	n := 0
	for n < len(b) && n < limit && c.has(b[n]) {
		n++
	}
	return n
}

// log2 of small counts, for entropy.
var log2 = func() (t [257]float64) {
	for i := 1; i < len(t); i++ {
		t[i] = math.Log2(float64(i))
	}
	return t
}()

// entropy gives Shannon's entropy of b in bits per byte; of its first 256 bytes.
func entropy(b []byte) float64 {
	if len(b) > 256 {
		b = b[:256]
	}
	if len(b) == 0 {
		return 0
	}
	var n [256]uint16
	for _, c := range b {
		n[c]++
	}
	var e float64
	for _, c := range b {
		// Each byte contributes log2(len) - log2(count) once.
		e += log2[len(b)] - log2[n[c]]
	}
	return e / float64(len(b))
}

// classes tells which kinds of characters b has: lower, upper, digit, other.
func classes(b []byte) (lower, upper, digits, other int) {
	for _, c := range b {
		switch {
		case c >= 'a' && c <= 'z':
			lower++
		case c >= 'A' && c <= 'Z':
			upper++
		case isDigit(c):
			digits++
		default:
			other++
		}
	}
	return
}
