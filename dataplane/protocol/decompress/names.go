package decompress

import "strings"

// Parse reads the value of a Content-Encoding or Transfer-Encoding header and
// appends its encodings to dst in the order applied, Identity and "chunked"
// left out. odd tells that a name was unknown or only resembled a known one;
// those without any resemblance are appended as Unsupported.
func Parse(dst []Encoding, value string) (_ []Encoding, odd bool) {
	for value != "" {
		var tok string
		tok, value, _ = strings.Cut(value, ",")
		tok, _, _ = strings.Cut(tok, ";")
		tok = strings.ToLower(strings.Trim(tok, " \t\r\n\v\f"))
		switch tok {
		case "", "identity", "none", "chunked":
		case "gzip", "x-gzip":
			dst = append(dst, Gzip)
		case "deflate", "x-deflate":
			dst = append(dst, Deflate)
		case "br":
			dst = append(dst, Brotli)
		case "zstd":
			dst = append(dst, Zstd)
		default:
			odd = true
			switch {
			case strings.Contains(tok, "gzip"):
				dst = append(dst, Gzip)
			case strings.Contains(tok, "deflate"):
				dst = append(dst, Deflate)
			default:
				dst = append(dst, Unsupported)
			}
		}
	}
	return dst, odd
}
