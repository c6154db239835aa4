package engine

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"io"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"

	"sluice/signatures/rule"
)

// maxTransformed bounds what a transformation gives.
const maxTransformed = 1 << 20

// transform applies the changes to in and gives the result, in the matcher's
// scratch memory or within in: valid until the next call.
func (m *Matcher) transform(ts []rule.Transform, in []byte) []byte {
	for i := range ts {
		// Two buffers take turns, so that no step reads what it writes.
		m.xturn ^= 1
		out := m.xbuf[m.xturn][:0]
		out = m.step(&ts[i], out, in)
		if ts[i].Name != "pcrexform" && ts[i].Name != "domain" && ts[i].Name != "tld" {
			m.xbuf[m.xturn] = out
		}
		in = out
	}
	return in
}

func (m *Matcher) step(t *rule.Transform, out, in []byte) []byte {
	switch t.Name {
	case "to_lowercase":
		for _, c := range in {
			out = append(out, lower(c))
		}
	case "to_uppercase":
		for _, c := range in {
			out = append(out, upper(c))
		}
	case "strip_whitespace":
		for _, c := range in {
			if !space(c) {
				out = append(out, c)
			}
		}
	case "compress_whitespace":
		for i, c := range in {
			if !space(c) {
				out = append(out, c)
			} else if i == 0 || !space(in[i-1]) {
				out = append(out, ' ')
			}
		}
	case "url_decode":
		for i := 0; i < len(in); i++ {
			switch c := in[i]; {
			case c == '+':
				out = append(out, ' ')
			case c == '%' && i+2 < len(in) && hexValue(in[i+1]) >= 0 && hexValue(in[i+2]) >= 0:
				out = append(out, byte(hexValue(in[i+1])<<4|hexValue(in[i+2])))
				i += 2
			default:
				out = append(out, c)
			}
		}
	case "dotprefix":
		out = append(append(out, '.'), in...)
	case "to_md5":
		s := md5.Sum(in)
		out = append(out, s[:]...)
	case "to_sha1":
		s := sha1.Sum(in)
		out = append(out, s[:]...)
	case "to_sha256":
		s := sha256.Sum256(in)
		out = append(out, s[:]...)
	case "xor":
		for i, c := range in {
			out = append(out, c^t.Key[i%len(t.Key)])
		}
	case "pcrexform":
		if _, _, ok := m.pcre.Match(t.PCRE, in, 0); ok {
			if from, to, ok := m.pcre.Group(1); ok {
				return in[from:to]
			}
		}
		return in
	case "header_lowercase":
		// Names of headers only: up to the first colon of each line.
		name := true
		for _, c := range in {
			switch {
			case c == '\n':
				name = true
			case c == ':':
				name = false
			case name:
				c = lower(c)
			}
			out = append(out, c)
		}
	case "strip_pseudo_headers":
		for rest := in; len(rest) > 0; {
			line := rest
			if i := bytes.IndexByte(rest, '\n'); i >= 0 {
				line, rest = rest[:i+1], rest[i+1:]
			} else {
				rest = nil
			}
			if line[0] != ':' {
				out = append(out, line...)
			}
		}
	case "domain":
		return domain(in, false)
	case "tld":
		return domain(in, true)
	case "from_base64":
		return fromBase64(t.Arg, out, in)
	case "gunzip":
		return inflate(t.Arg, out, in, func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) })
	case "zlib_deflate":
		return inflate(t.Arg, out, in, func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) })
	}
	return out
}

func space(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func hexValue(c byte) int {
	switch c = lower(c); {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}

// domain gives the registrable domain or the public suffix of a host name,
// nothing where there is none. It is on the cold side: few rules ask.
func domain(in []byte, suffix bool) []byte {
	if len(in) == 0 || len(in) > 255 {
		return nil
	}
	name := strings.ToLower(string(in))
	tld, _ := publicsuffix.PublicSuffix(name)
	if suffix {
		return in[len(in)-len(tld):]
	}
	d, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil {
		return nil
	}
	return in[len(in)-len(d):]
}

// fromBase64 decodes as the options say; bytes that are no base64 leave the
// buffer as it was in the strict modes' sense: nothing is given.
func fromBase64(arg string, out, in []byte) []byte {
	n, off, mode := 0, 0, "rfc4648"
	for _, p := range strings.Split(arg, ",") {
		word, v, _ := strings.Cut(strings.TrimSpace(p), " ")
		v = strings.TrimSpace(v)
		switch word {
		case "bytes":
			n, _ = strconv.Atoi(v)
		case "offset":
			off, _ = strconv.Atoi(v)
		case "mode":
			mode = v
		}
	}
	src := in
	if off > 0 {
		src = src[min(off, len(src)):]
	}
	if n > 0 {
		src = src[:min(n, len(src))]
	}
	if mode == "strict" {
		for i, c := range src {
			if base64Value(c) < 0 && !(c == '=' && i >= len(src)-2) {
				return in
			}
		}
	}
	want := len(src)
	if cap(out) < want {
		out = make([]byte, 0, want)
	}
	got := decodeBase64(out[:want], src, mode == "rfc2045")
	if got == 0 {
		return in
	}
	return out[:got]
}

// inflate decompresses, bounded.
func inflate(arg string, out, in []byte, open func(io.Reader) (io.Reader, error)) []byte {
	limit := int64(1024)
	if _, v, ok := strings.Cut(arg, " "); ok {
		if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil {
			limit = min(n, maxTransformed)
		}
	}
	r, err := open(bytes.NewReader(in))
	if err != nil {
		return out[:0]
	}
	b := bytes.NewBuffer(out[:0])
	// What came out before an error is inspected all the same.
	_, _ = io.Copy(b, io.LimitReader(r, limit))
	return b.Bytes()
}
