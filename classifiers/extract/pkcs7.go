package extract

import (
	"bytes"
)

// pkcs7 reads the content of a signed message (RFC 5652); enveloped data is
// encrypted. PEM is unwrapped first. Indefinite lengths are followed, since
// streaming signers write them.
func (w *walker) pkcs7(o *object) error {
	b, err := w.bytes(o)
	if err != nil {
		return err
	}
	if bytes.HasPrefix(b, []byte("-----BEGIN")) {
		b = afterLine(b)
		if i := bytes.Index(b, []byte("-----END")); i >= 0 {
			b = b[:i]
		}
		b = lenientBase64(b)
	}
	i := bytes.Index(b[:min(len(b), 32)], oidPKCS7)
	if i < 0 || i+10 >= len(b) {
		return errDamaged
	}
	switch b[i+10] {
	case 2:
	case 3, 4, 6:
		return errEncrypted
	default:
		return w.strings(o, b)
	}
	// The encapsulated content: id-data, then [0] with octet strings.
	id := append(append([]byte{}, oidPKCS7...), 1)
	j := bytes.Index(b[i+11:], id)
	if j < 0 {
		return w.certNames(o, b)
	}
	rest := b[i+11+j+len(id):]
	if len(rest) > 0 && rest[0] == 0xa0 {
		var out []byte
		collectOctets(rest, &out, 0)
		if len(out) > 0 {
			if err := w.nested(o, innerSigned(o.name), "", out); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walker) certNames(o *object, b []byte) error { return w.strings(o, b) }

func innerSigned(name string) string {
	for _, ext := range []string{".p7m", ".p7s"} {
		if n := len(name) - len(ext); n > 0 && name[n:] == ext {
			return cleanName(name[:n])
		}
	}
	return "content"
}

// collectOctets appends the octet strings in the first element of b and gives
// the bytes it took; -1 when it is not well formed.
func collectOctets(b []byte, out *[]byte, depth int) int {
	if len(b) < 2 || depth > 16 {
		return -1
	}
	tag, n, at := b[0], int(b[1]), 2
	indefinite := n == 0x80
	if n > 0x80 {
		k := n & 0x7f
		if k > 4 || len(b) < 2+k {
			return -1
		}
		n = 0
		for _, c := range b[2 : 2+k] {
			n = n<<8 | int(c)
		}
		at += k
	}
	if indefinite {
		n = len(b) - at
	}
	n = min(n, len(b)-at)
	body := b[at : at+n]
	if tag&0x20 == 0 {
		if tag == 4 {
			*out = append(*out, body...)
		}
		return at + n
	}
	used := 0
	for used < len(body) {
		if indefinite && len(body)-used >= 2 && body[used] == 0 && body[used+1] == 0 {
			return at + used + 2
		}
		k := collectOctets(body[used:], out, depth+1)
		if k <= 0 {
			return -1
		}
		used += k
	}
	return at + n
}
