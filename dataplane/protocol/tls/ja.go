package tls

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
)

// grease reports values that clients throw in at random (RFC 8701).
func grease(v uint16) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }

func joined(dst []byte, list []uint16) []byte {
	first := true
	for _, v := range list {
		if grease(v) {
			continue
		}
		if !first {
			dst = append(dst, '-')
		}
		first = false
		dst = strconv.AppendUint(dst, uint64(v), 10)
	}
	return dst
}

// JA3 gives the hello's JA3 (or of a server's hello JA3S) string and its MD5 in
// hex, as salesforce/ja3 defines them. It is computed once.
func (h *Hello) JA3(client bool) (text, hash string) {
	if h.ja3 != "" || !h.seen {
		return h.ja3, h.ja3hash
	}
	b := make([]byte, 0, 256)
	b = strconv.AppendUint(b, uint64(h.legacy), 10)
	b = append(b, ',')
	b = joined(b, h.ciphers)
	b = append(b, ',')
	b = joined(b, h.exts)
	if client {
		b = append(b, ',')
		b = joined(b, h.groups)
		b = append(b, ',')
		for i, f := range h.formats {
			if i > 0 {
				b = append(b, '-')
			}
			b = strconv.AppendUint(b, uint64(f), 10)
		}
	}
	sum := md5.Sum(b)
	h.ja3, h.ja3hash = string(b), hex.EncodeToString(sum[:])
	return h.ja3, h.ja3hash
}

// JA4 gives a client hello's JA4 fingerprint, as FoxIO-LLC/ja4 defines it. It is
// computed once.
func (h *Hello) JA4() string {
	if h.ja4 != "" || !h.seen {
		return h.ja4
	}
	b := append(make([]byte, 0, 40), 't')
	if h.quic {
		b[0] = 'q'
	}
	switch h.Version() {
	case versionTLS13:
		b = append(b, "13"...)
	case versionTLS12:
		b = append(b, "12"...)
	case versionTLS11:
		b = append(b, "11"...)
	case versionTLS10:
		b = append(b, "10"...)
	case versionSSL3:
		b = append(b, "s3"...)
	case versionSSL2:
		b = append(b, "s2"...)
	default:
		b = append(b, "00"...)
	}
	if h.hasSNI {
		b = append(b, 'd')
	} else {
		b = append(b, 'i')
	}
	ciphers, exts := plain(h.ciphers), plain(h.exts)
	b = twoDigits(b, len(ciphers))
	b = twoDigits(b, len(exts))
	b = append(b, alpnEnds(h.alpn)...)
	slices.Sort(ciphers)
	b = append(b, '_')
	b = append(b, digest(hexList(nil, ciphers))...)
	slices.Sort(exts)
	exts = slices.DeleteFunc(exts, func(v uint16) bool { return v == extSNI || v == extALPN })
	list := hexList(nil, exts)
	if sig := plain(h.sigAlgs); len(sig) > 0 && len(list) > 0 {
		list = hexList(append(list, '_'), sig)
	}
	b = append(b, '_')
	b = append(b, digest(list)...)
	h.ja4 = string(b)
	return h.ja4
}

func plain(list []uint16) []uint16 {
	return slices.DeleteFunc(slices.Clone(list), grease)
}

func twoDigits(b []byte, n int) []byte {
	n = min(n, 99)
	return append(b, byte('0'+n/10), byte('0'+n%10))
}

// alpnEnds gives the first and last character of the first protocol offered,
// or of its hex form where they are not letters or digits.
func alpnEnds(alpn [][]byte) string {
	if len(alpn) == 0 || len(alpn[0]) == 0 {
		return "00"
	}
	p := alpn[0]
	first, last := p[0], p[len(p)-1]
	if alnum(first) && alnum(last) {
		return string([]byte{first, last})
	}
	const digits = "0123456789abcdef"
	return string([]byte{digits[first>>4], digits[last&15]})
}

func alnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func hexList(b []byte, list []uint16) []byte {
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = hex.AppendEncode(b, []byte{byte(v >> 8), byte(v)})
	}
	return b
}

func digest(b []byte) string {
	if len(b) == 0 {
		return "000000000000"
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}
