package extract

import (
	"bytes"
	"strings"
)

// DocumentHead is how many of an object's first bytes Document wants to see, when
// there are as many.
const DocumentHead = 1024

// Document tells from an object's first bytes and its declared name whether it
// is a document, an archive or an image whose text a scan of its bytes does not
// reach, and gives its media type then; empty otherwise. It is what decides on
// the packets' path which objects are kept to be read as a whole, so it looks at
// little: text that reads as it stands, programs, video and what nobody knows
// are left to the scan.
func Document(head []byte, name string) string {
	if len(head) == 0 {
		return ""
	}
	for i := range signatures {
		s := &signatures[i]
		if len(head) >= s.at+len(s.sig) && string(head[s.at:s.at+len(s.sig)]) == s.sig {
			if understood(s.mime) {
				return s.mime
			}
			return ""
		}
	}
	if i := bytes.Index(head[:min(len(head), 1024)], []byte("%PDF-")); i > 0 {
		return typePDF
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n\f")
	field := text[:min(len(text), 80)]
	if len(text) > 0 && text[0] != '<' && !bytes.HasPrefix(text, []byte("From ")) && !bytes.HasPrefix(text, []byte("-----BEGIN ")) && !reField.Match(field) {
		// Text of these beginnings may be a mail, flat office XML or a message in
		// armour; any other reads as it stands.
		if looksText(head) {
			return ""
		}
		if t := binaryType(head, extension(name)); understood(t) {
			return t
		}
		return ""
	}
	if t := TypeOf(head, name); understood(t) {
		return t
	}
	return ""
}

func extension(name string) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return strings.ToLower(name[i:])
	}
	return ""
}

// understood tells the types that dispatch has a reader for, other than those
// of text: pages and data in XML say what they say in their bytes.
func understood(mime string) bool {
	switch mime {
	case "", typeEmpty, typeUnknown, typeHTML, typeXML, typePlain, typeCSV, typeJSON, "image/svg+xml":
		return false
	case typeZip, typePDF, typeCFB, typeRTF, typeGzip, typeBzip2, typeXZ, typeZstd, typeLZMA, typeLZW, "application/x-lz4", "application/x-snappy-framed",
		typeTar, type7z, typeRAR, "application/x-archive", typeMail, typeMbox, typePNG, typeJPEG, typeTIFF, typeGIF, "image/webp", "image/jp2",
		"image/vnd.adobe.photoshop", "image/emf", "image/wmf", typeSigned, typePKCS7, typePGP, typeAge, typeOpenSSL, "application/x-luks",
		"application/x-keepass2", "application/vnd.ms-wordml", typeOneNote, "image/vnd.dwg":
		return true
	}
	return unreadContainers[mime] || strings.HasPrefix(mime, "application/vnd.oasis.opendocument.")
}
