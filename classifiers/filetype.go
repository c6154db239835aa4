package classifiers

import (
	"bytes"
	"unicode/utf8"

	"sluice/classifiers/csvtext"
)

// magic is a media type known by its first bytes (IANA registrations and the
// formats' own specifications).
type magic struct {
	at   int
	sig  string
	mime string
}

var magics = []magic{
	{0, "PK\x03\x04", "application/zip"},
	{0, "PK\x05\x06", "application/zip"},
	{0, "%PDF-", "application/pdf"},
	{0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"},
	{0, "\x1f\x8b\x08", "application/gzip"},
	{0, "BZh", "application/x-bzip2"},
	{0, "\xfd7zXZ\x00", "application/x-xz"},
	{0, "\x28\xb5\x2f\xfd", "application/zstd"},
	{0, "7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"},
	{0, "Rar!\x1a\x07", "application/x-rar-compressed"},
	{257, "ustar", "application/x-tar"},
	{0, "\x89PNG\r\n\x1a\n", "image/png"},
	{0, "\xff\xd8\xff", "image/jpeg"},
	{0, "GIF8", "image/gif"},
	{8, "WEBP", "image/webp"},
	{0, "II*\x00", "image/tiff"},
	{0, "MM\x00*", "image/tiff"},
	{4, "ftyp", "video/mp4"},
	{0, "OggS", "application/ogg"},
	{0, "ID3", "audio/mpeg"},
	{0, "\x1aE\xdf\xa3", "video/x-matroska"},
	{0, "\x7fELF", "application/x-executable"},
	{0, "MZ", "application/vnd.microsoft.portable-executable"},
	{0, "SQLite format 3\x00", "application/vnd.sqlite3"},
	{0, "{\\rtf", "text/rtf"},
	{0, "AC10", "image/vnd.dwg"},
	{0, "ISO-10303-21;", "model/step"},
	{0, "-----BEGIN PGP MESSAGE", "application/pgp-encrypted"},
	{0, "age-encryption.org/", "application/x-age"},
	{0, "%!PS", "application/postscript"},
	{0, "<?xml", "application/xml"},
}

// TypeHead is how many of an object's first bytes TypeOf looks at, at most.
const TypeHead = headLen

// TypeOf tells the media type from an object's first bytes; empty when there
// are none, "application/octet-stream" when nothing is known.
func TypeOf(head []byte) string {
	if len(head) == 0 {
		return ""
	}
	for i := range magics {
		m := &magics[i]
		if len(head) >= m.at+len(m.sig) && string(head[m.at:m.at+len(m.sig)]) == m.sig {
			return m.mime
		}
	}
	if len(head) >= 2 && (head[0] == 0xff && head[1] == 0xfe || head[0] == 0xfe && head[1] == 0xff) {
		return "text/plain"
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(text) > 0 {
		if hasPrefixFold(text, "<!doctype html") || hasPrefixFold(text, "<html") {
			return "text/html"
		}
		if (text[0] == '{' || text[0] == '[') && isText(head) {
			if len(text) > 1 && bytes.IndexByte([]byte("\"{[ \r\n\t-0123456789tfn]}"), text[1]) >= 0 {
				return "application/json"
			}
		}
	}
	if isText(head) {
		if csvtext.Like(text) {
			return "text/csv"
		}
		return "text/plain"
	}
	return "application/octet-stream"
}

func hasPrefixFold(b []byte, p string) bool {
	return len(b) >= len(p) && bytes.EqualFold(b[:len(p)], []byte(p))
}

// isText reports whether b looks like text: no control bytes but white space,
// and UTF-8 or an eight-bit charset with few high bytes.
func isText(b []byte) bool {
	high, bad := 0, false
	for i := 0; i < len(b); {
		c := b[i]
		if c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1b || c == 0x7f {
			return false
		}
		if c < 0x80 {
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 && utf8.FullRune(b[i:]) {
			bad = true
		}
		high++
		i += n
	}
	return !bad || high*3 < len(b)
}

// encrypted is the reason for which most content cannot be read.
const encrypted = "encrypted"

// unreadable gives the reason why content that begins with head cannot be read:
// "encrypted" where the format says so in its first bytes. Empty when nothing
// speaks against it.
func unreadable(head []byte) string {
	switch {
	case len(head) >= 8 && string(head[:4]) == "PK\x03\x04" && head[6]&1 != 0:
		// APPNOTE.TXT 4.4.4: general purpose bit 0.
		return encrypted
	case bytes.HasPrefix(head, []byte("-----BEGIN PGP MESSAGE")), bytes.HasPrefix(head, []byte("age-encryption.org/")):
		return encrypted
	case len(head) >= 12 && bytes.HasPrefix(head, []byte("Salted__")):
		// OpenSSL's enc format.
		return encrypted
	}
	return ""
}
