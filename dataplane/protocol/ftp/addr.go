package ftp

import (
	"bytes"
	"net/netip"
)

// endpoint is an address and port that one end has told the other. The address
// is invalid where none was told.
type endpoint struct {
	addr netip.Addr
	port uint16
}

// parsePort reads the argument of PORT: h1,h2,h3,h4,p1,p2 (RFC 959 §5.3.2).
func parsePort(arg []byte) (e endpoint, ok bool) {
	e, n := sixNumbers(bytes.TrimSpace(arg))
	return e, n > 0
}

// parsePasv reads the answer to PASV, which holds six numbers, mostly between
// parentheses, somewhere in its text (RFC 1123 §4.1.2.6).
func parsePasv(text []byte) (e endpoint, ok bool) {
	for i := 0; i < len(text); i++ {
		if !isDigit(text[i]) {
			continue
		}
		if e, n := sixNumbers(text[i:]); n > 0 {
			return e, true
		}
		for i+1 < len(text) && isDigit(text[i+1]) {
			i++
		}
	}
	return e, false
}

// sixNumbers reads six numbers of one octet between commas at the beginning of
// b, and gives how many bytes they take; 0 when they are not there.
func sixNumbers(b []byte) (e endpoint, n int) {
	var v [6]byte
	for i := range v {
		if i > 0 {
			if n >= len(b) || b[n] != ',' {
				return e, 0
			}
			for n++; n < len(b) && b[n] == ' '; n++ {
			}
		}
		x, digits := 0, 0
		for ; n < len(b) && isDigit(b[n]) && digits < 4; n++ {
			x = x*10 + int(b[n]-'0')
			digits++
		}
		if digits == 0 || digits > 3 || x > 255 {
			return e, 0
		}
		v[i] = byte(x)
	}
	return endpoint{netip.AddrFrom4([4]byte(v[:4])), uint16(v[4])<<8 | uint16(v[5])}, n
}

// parseEprt reads the argument of EPRT, <d>family<d>address<d>port<d>, and of
// the answer to EPSV, in which family and address are empty (RFC 2428 §2, §3).
func parseEprt(arg []byte) (e endpoint, ok bool) {
	if len(arg) < 5 || arg[0] < 33 || arg[0] > 126 || isDigit(arg[0]) {
		return e, false
	}
	part := bytes.SplitN(arg[1:], arg[:1], 4)
	if len(part) != 4 || len(part[0]) > 1 || len(part[1]) > 64 {
		return e, false
	}
	if len(part[1]) > 0 {
		// ParseAddr takes either family; the number before it adds nothing.
		a, err := netip.ParseAddr(string(part[1]))
		if err != nil {
			return e, false
		}
		e.addr = a.WithZone("").Unmap()
	}
	port := 0
	for _, c := range part[2] {
		if !isDigit(c) || port > 65535 {
			return e, false
		}
		port = port*10 + int(c-'0')
	}
	if port == 0 || port > 65535 {
		return e, false
	}
	e.port = uint16(port)
	return e, true
}

// parseEpsv reads the answer to EPSV: "text (|||port|)".
func parseEpsv(text []byte) (e endpoint, ok bool) {
	for {
		i := bytes.IndexByte(text, '(')
		if i < 0 {
			return e, false
		}
		text = text[i+1:]
		if e, ok = parseEprt(text); ok {
			return e, true
		}
	}
}

// number reads a decimal number; ok is false for anything else and for numbers
// that no file could have as an offset.
func number(b []byte) (n uint64, ok bool) {
	b = bytes.TrimSpace(b)
	for _, c := range b {
		if !isDigit(c) || n >= 1<<56 {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, len(b) > 0
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
