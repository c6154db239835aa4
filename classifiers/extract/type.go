package extract

import (
	"bytes"
	"encoding/binary"
	"io"
	"path"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

// Media types that the readers branch on. Where IANA has no registration the
// name is the one in common use.
const (
	typeEmpty   = "application/x-empty"
	typeUnknown = "application/octet-stream"
	typeZip     = "application/zip"
	typePDF     = "application/pdf"
	typeCFB     = "application/x-ole-storage"
	typeGzip    = "application/gzip"
	typeBzip2   = "application/x-bzip2"
	typeXZ      = "application/x-xz"
	typeZstd    = "application/zstd"
	typeLZMA    = "application/x-lzma"
	typeLZW     = "application/x-compress"
	type7z      = "application/x-7z-compressed"
	typeRAR     = "application/x-rar-compressed"
	typeTar     = "application/x-tar"
	typeRTF     = "text/rtf"
	typeHTML    = "text/html"
	typeXML     = "application/xml"
	typeJSON    = "application/json"
	typeCSV     = "text/csv"
	typePlain   = "text/plain"
	typeMail    = "message/rfc822"
	typeMbox    = "application/mbox"
	typePNG     = "image/png"
	typeJPEG    = "image/jpeg"
	typeTIFF    = "image/tiff"
	typeGIF     = "image/gif"
	typePKCS7   = "application/pkcs7-mime"
	typeSigned  = "application/pkcs7-signature"
	typePGP     = "application/pgp-encrypted"
	typeAge     = "application/x-age"
	typeOneNote = "application/onenote"
	typeOpenSSL = "application/x-openssl-encrypted"

	typeDocx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	typeXlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	typePptx = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
	typeXlsb = "application/vnd.ms-excel.sheet.binary.macroenabled.12"
	typeDoc  = "application/msword"
	typeXls  = "application/vnd.ms-excel"
	typePpt  = "application/vnd.ms-powerpoint"
	typeMsg  = "application/vnd.ms-outlook"
)

// signature is a type known by bytes at a place (the formats' own
// specifications and IANA registrations).
type signature struct {
	at   int
	sig  string
	mime string
}

var signatures = []signature{
	{0, "PK\x03\x04", typeZip}, {0, "PK\x05\x06", typeZip}, {0, "PK\x07\x08PK", typeZip}, {0, "PK00PK\x03\x04", typeZip},
	{0, "%PDF-", typePDF},
	{0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", typeCFB},
	{0, "\x1f\x8b\x08", typeGzip}, {0, "BZh", typeBzip2}, {0, "\xfd7zXZ\x00", typeXZ}, {0, "\x28\xb5\x2f\xfd", typeZstd},
	{0, "\x1f\x9d", typeLZW}, {0, "\x04\x22\x4d\x18", "application/x-lz4"}, {0, "LZIP", "application/x-lzip"},
	{0, "\xff\x06\x00\x00sNaPpY", "application/x-snappy-framed"},
	{0, "7z\xbc\xaf\x27\x1c", type7z}, {0, "Rar!\x1a\x07", typeRAR}, {0, "MSCF\x00\x00\x00\x00", "application/vnd.ms-cab-compressed"},
	{0, "ISc(", "application/x-installshield-cab"}, {0, "ITSF", "application/vnd.ms-htmlhelp"},
	{257, "ustar", typeTar}, {0, "!<arch>\n", "application/x-archive"}, {0, "070701", "application/x-cpio"}, {0, "070707", "application/x-cpio"},
	{0, "xar!", "application/x-xar"}, {0, "\xed\xab\xee\xdb", "application/x-rpm"}, {7, "**ACE**", "application/x-ace-compressed"},
	{0x8001, "CD001", "application/x-iso9660-image"}, {0, "hsqs", "application/x-squashfs"}, {0, "\x60\xea", "application/x-arj"},
	{0, "\x89PNG\r\n\x1a\n", typePNG}, {0, "\xff\xd8\xff", typeJPEG}, {0, "GIF8", typeGIF},
	{0, "II*\x00", typeTIFF}, {0, "MM\x00*", typeTIFF}, {0, "II+\x00", typeTIFF}, {0, "MM\x00+", typeTIFF},
	{0, "8BPS", "image/vnd.adobe.photoshop"}, {8, "WEBP", "image/webp"}, {0, "\xd7\xcd\xc6\x9a", "image/wmf"},
	{0, "{\\rtf", typeRTF}, {0, "%!PS", "application/postscript"}, {0, "\xc5\xd0\xd3\xc6", "application/postscript"},
	{0, "\xffWPC", "application/vnd.wordperfect"}, {0, "!BDN", "application/vnd.ms-outlook-pst"},
	{0, "\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3", typeOneNote},
	{4, "Standard Jet DB", "application/x-msaccess"}, {4, "Standard ACE DB", "application/x-msaccess"},
	{0, "SQLite format 3\x00", "application/vnd.sqlite3"}, {0, "PAR1", "application/vnd.apache.parquet"},
	{0, "\x7fELF", "application/x-executable"}, {0, "\xca\xfe\xba\xbe", "application/java-vm"},
	{0, "-----BEGIN PGP MESSAGE", typePGP}, {0, "age-encryption.org/", typeAge}, {0, "-----BEGIN AGE ENCRYPTED FILE", typeAge},
	{0, "Salted__", typeOpenSSL}, {0, "U2FsdGVkX1", typeOpenSSL}, {0, "LUKS\xba\xbe", "application/x-luks"},
	{0, "\x03\xd9\xa2\x9a", "application/x-keepass2"},
	{0, "\x00\x00\x00\x0c\x6a\x50\x20\x20", "image/jp2"}, {0, "FWS", "application/x-shockwave-flash"}, {0, "CWS", "application/x-shockwave-flash"},
	{0, "PMOC", "application/x-msdownload"}, {0, "bplist00", "application/x-bplist"},
	{0, "\xd4\xc3\xb2\xa1", "application/vnd.tcpdump.pcap"}, {0, "\x0a\x0d\x0d\x0a", "application/x-pcapng"},
}

// Type tells the media type of an object by its content; the name its sender
// gave is asked only where content leaves a choice. It never reads more than
// the head and, for containers, their directory.
func Type(r io.ReaderAt, size int64, name string) string {
	w := &walker{lim: Limits{}.WithDefaults()}
	w.ctx, w.deadline = neverDone(), farFuture()
	o := &object{name: name, r: r, size: size}
	w.detect(o)
	return o.typ
}

// detect fills o.head and o.typ.
func (w *walker) detect(o *object) {
	if o.size == 0 {
		o.typ = typeEmpty
		return
	}
	if o.mem != nil {
		o.head = o.mem[:min(len(o.mem), headSize)]
	} else {
		b := make([]byte, min(o.size, headSize))
		n, _ := o.r.ReadAt(b, 0)
		o.head = b[:n]
	}
	o.typ = TypeOf(o.head, o.name)
	switch o.typ {
	case typeZip:
		_ = w.guard(func() error { o.typ = zipType(o); return nil })
	case typeCFB:
		_ = w.guard(func() error { o.typ = w.cfbType(o); return nil })
	}
}

// TypeOf tells the media type from an object's first bytes (up to 16 KiB are
// of use) and its declared name. Containers are told only as such: zip and
// OLE storages need Type.
func TypeOf(head []byte, name string) string {
	if len(head) == 0 {
		return typeEmpty
	}
	ext := strings.ToLower(path.Ext(strings.ReplaceAll(name, "\\", "/")))
	for i := range signatures {
		s := &signatures[i]
		if len(head) >= s.at+len(s.sig) && string(head[s.at:s.at+len(s.sig)]) == s.sig {
			return s.mime
		}
	}
	if t := binaryType(head, ext); t != "" {
		return t
	}
	if t := cadType(head, ext); t != "" {
		return t
	}
	// Leading junk and byte order marks before %PDF- are tolerated by every
	// reader (ISO 32000-1 H.3, note 13 allows it in the first 1024 bytes).
	if i := bytes.Index(head[:min(len(head), 1024)], []byte("%PDF-")); i > 0 {
		return typePDF
	}
	if t := textType(head, ext); t != "" {
		return t
	}
	if ext == ".rtf" && bytes.Contains(head[:min(len(head), 64)], []byte("\\rtf")) {
		return typeRTF
	}
	m := mimetype.Detect(head).String()
	m, _, _ = strings.Cut(m, ";")
	switch {
	case strings.HasPrefix(m, "text/"):
		// It looked at too little; the head was not text.
		return typeUnknown
	case m == "application/x-tar" && !tarHeader(head):
		return typeUnknown
	}
	return m
}

// binaryType knows the types that need more than one comparison.
func binaryType(head []byte, ext string) string {
	switch {
	case len(head) >= 512 && tarHeader(head):
		return typeTar
	case head[0] == 0x30 && len(head) > 8:
		return derType(head)
	case len(head) >= 13 && head[0] == 0x5d && head[1] == 0 && head[2] == 0 && (binary.LittleEndian.Uint64(head[5:]) == 1<<64-1 || ext == ".lzma"):
		return typeLZMA
	case len(head) > 16 && (ext == ".gpg" || ext == ".pgp") && head[0]&0x80 != 0, pgpPacket(head):
		return typePGP
	case len(head) > 44 && binary.LittleEndian.Uint32(head) == 1 && string(head[40:44]) == " EMF":
		return "image/emf"
	case len(head) > 64 && head[0] == 'M' && head[1] == 'Z':
		return "application/vnd.microsoft.portable-executable"
	case len(head) >= 20 && (binary.LittleEndian.Uint32(head[12:]) == 0x053162 || binary.BigEndian.Uint32(head[12:]) == 0x053162):
		// Berkeley DB: the metadata page's version 6 belongs to 2.x, 8 to 3.x, 9 to 4 and later.
		v := map[byte]string{6: "2", 7: "2", 8: "3", 9: "4"}[head[16]|head[19]]
		if v == "" {
			return "application/x-berkeley-db; format=btree"
		}
		return "application/x-berkeley-db; format=btree; version=" + v
	case len(head) >= 20 && (binary.LittleEndian.Uint32(head[12:]) == 0x061561 || binary.BigEndian.Uint32(head[12:]) == 0x061561):
		return "application/x-berkeley-db; format=hash"
	}
	return ""
}

// pgpPacket recognises an OpenPGP message (RFC 9580 section 4): a session key
// packet of a known version and a sane length.
func pgpPacket(b []byte) bool {
	if len(b) < 16 {
		return false
	}
	switch {
	case b[0] == 0x84 || b[0] == 0x85 || b[0] == 0xc1: // tag 1, public-key encrypted session key
		i := 2
		if b[0] == 0x85 || b[0] == 0xc1 && b[1] >= 192 {
			i = 3
		}
		// Version 3, then eight bytes of key id, then RSA, ElGamal, ECDH or X25519.
		return b[i] == 3 && (b[i+9] == 1 || b[i+9] == 16 || b[i+9] == 18 || b[i+9] == 25)
	case b[0] == 0x8c || b[0] == 0xc3: // tag 3, symmetric-key encrypted session key
		return b[1] < 64 && b[2] == 4 && b[3] >= 1 && b[3] <= 10 && (b[4] == 0 || b[4] == 1 || b[4] == 3)
	}
	return false
}

// tarHeader verifies the checksum of a tar header block, which also finds the
// archives from before POSIX that have no magic.
func tarHeader(b []byte) bool {
	if len(b) < 512 || b[0] == 0 {
		return false
	}
	field := strings.Trim(string(b[148:156]), " \x00")
	if field == "" {
		return false
	}
	var want, sum int64
	for _, c := range []byte(field) {
		if c < '0' || c > '7' {
			return false
		}
		want = want*8 + int64(c-'0')
	}
	for i, c := range b[:512] {
		if i >= 148 && i < 156 {
			c = ' '
		}
		sum += int64(c)
	}
	return sum == want
}

var oidPKCS7 = []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07}

// derType tells ASN.1 objects apart: CMS content types (RFC 5652), keys (RFC
// 8017, RFC 5958) and certificates (RFC 5280).
func derType(b []byte) string {
	i := bytes.Index(b[:min(len(b), 24)], oidPKCS7)
	if i > 0 && i+10 < len(b) {
		if b[i+10] == 2 {
			return typeSigned
		}
		return typePKCS7
	}
	body, ok := derBody(b)
	if !ok || len(body) < 8 {
		return ""
	}
	switch {
	case body[0] == 0x02 && body[1] == 1 && body[2] <= 3 && (body[3] == 0x02 || body[3] == 0x30 || body[3] == 0x04):
		if body[2] == 3 && body[3] == 0x30 {
			return "application/x-pkcs12"
		}
		return "application/x-x509-key; format=der"
	case body[0] == 0x30 && len(body) > 12:
		inner, ok := derBody(body)
		if ok && len(inner) > 4 && inner[0] == 0xa0 && inner[2] == 0x02 {
			return "application/pkix-cert"
		}
	}
	return ""
}

// derBody gives what follows the head of a SEQUENCE, as far as it is there.
func derBody(b []byte) ([]byte, bool) {
	if len(b) < 4 || b[0] != 0x30 {
		return nil, false
	}
	n, at := int(b[1]), 2
	if n >= 0x80 {
		k := n & 0x7f
		if k > 4 || len(b) < 2+k {
			return nil, false
		}
		n = 0
		for _, c := range b[2 : 2+k] {
			n = n<<8 | int(c)
		}
		at += k
	}
	if n < 8 {
		return nil, false
	}
	return b[at:], true
}
