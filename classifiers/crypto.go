package classifiers

import (
	"bytes"
	"crypto/sha256"
)

// Addresses of crypto-currencies. They are longer than the structured values and
// mix letters and digits, so that they have a judge of their own.

const (
	minCoin, maxCoin = 26, 62
	base58Digits     = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	bech32Digits     = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
)

// judgeCoin confirms the token b[l:r] as an address of Bitcoin (Base58Check, or
// bech32 and bech32m after BIP 173 and BIP 350).
func (s *Scanner) judgeCoin(st *Stream, v *window2, l, r int) {
	if s.c.coin == none || r-l < minCoin || r-l > maxCoin {
		return
	}
	t := v.b[l:r]
	switch {
	case (t[0] == '1' || t[0] == '3') && len(t) <= 35:
		if !base58Check(t) {
			return
		}
	case hasPrefixFold(t, "bc1"):
		if !bech32Valid(t) {
			return
		}
	default:
		return
	}
	s.emit(st, v, uint16(s.c.coin), l, r, High, Internal, t)
}

func base58Check(t []byte) bool {
	var out [25]byte
	for _, c := range t {
		x := bytes.IndexByte([]byte(base58Digits), c)
		if x < 0 {
			return false
		}
		carry := x
		for i := len(out) - 1; i >= 0; i-- {
			carry += int(out[i]) * 58
			out[i] = byte(carry)
			carry >>= 8
		}
		if carry != 0 {
			return false
		}
	}
	if out[0] != 0 && out[0] != 5 {
		return false
	}
	a := sha256.Sum256(out[:21])
	b := sha256.Sum256(a[:])
	return bytes.Equal(b[:4], out[21:])
}

func bech32Valid(t []byte) bool {
	lower, upper := false, false
	for _, c := range t {
		lower = lower || c >= 'a' && c <= 'z'
		upper = upper || c >= 'A' && c <= 'Z'
	}
	if lower && upper {
		return false
	}
	chk := uint32(1)
	step := func(v byte) {
		top := chk >> 25
		chk = chk&0x1ffffff<<5 ^ uint32(v)
		for i, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				chk ^= g
			}
		}
	}
	for _, v := range [5]byte{3, 3, 0, 'b' & 31, 'c' & 31} {
		step(v)
	}
	for _, c := range t[3:] {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		x := bytes.IndexByte([]byte(bech32Digits), c)
		if x < 0 {
			return false
		}
		step(byte(x))
	}
	first := t[3]
	if isAlpha(first) {
		first |= 0x20
	}
	version := bytes.IndexByte([]byte(bech32Digits), first)
	n := (len(t) - 3 - 1 - 6) * 5 / 8
	if version == 0 {
		return chk == 1 && (n == 20 || n == 32)
	}
	return chk == 0x2bc830a3 && version <= 16 && n >= 2 && n <= 40
}
