package extract

import (
	"bytes"
	"regexp"
	"strings"
	"unicode/utf8"

	"sluice/classifiers/csvtext"
)

// looksText reports whether b looks like text of some kind: no control bytes
// but white space, and UTF-8, UTF-16 with a mark, or an eight-bit charset.
func looksText(b []byte) bool {
	if bytes.HasPrefix(b, []byte{0xff, 0xfe}) || bytes.HasPrefix(b, []byte{0xfe, 0xff}) {
		return true
	}
	bad, control := 0, 0
	for i := 0; i < len(b); {
		c := b[i]
		if c < 0x80 {
			if c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1b && c != 0x1a {
				control++
				if c == 0 || control > 1+len(b)/512 {
					return false
				}
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 && utf8.FullRune(b[i:]) {
			bad++
		}
		i += n
	}
	// Binary data of some length without a single control byte does not occur;
	// Cyrillic and Greek in eight bits are mostly high bytes.
	return bad*2 <= len(b) || control == 0 && len(b) >= 64
}

// utf16Guess tells UTF-16 without a byte order mark by its zero bytes: "le",
// "be" or nothing.
func utf16Guess(b []byte) string {
	b = b[:min(len(b), 512)&^1]
	if len(b) < 16 {
		return ""
	}
	even, odd := 0, 0
	for i := 0; i < len(b); i += 2 {
		if b[i] == 0 {
			even++
		}
		if b[i+1] == 0 {
			odd++
		}
	}
	switch half := len(b) / 2; {
	case odd*10 > half*7 && even*20 < half:
		return "le"
	case even*10 > half*7 && odd*20 < half:
		return "be"
	}
	return ""
}

var (
	reMailField = regexp.MustCompile(`(?i)^(from|to|subject|date|received|return-path|message-id|mime-version|delivered-to|x-[a-z0-9-]+|content-type|reply-to|cc|sender|dkim-signature|user-agent|bcc|references|in-reply-to|arc-[a-z-]+|authentication-results|list-[a-z]+): ?\S?`)
	reField     = regexp.MustCompile(`^[!-9;-~]+:[ \t]?`)
	reTag       = regexp.MustCompile(`(?i)<(!doctype\s+html|html|head|body|title|h[1-6]|div|table|p|br|hr|script|meta|font|a\s|span|ul|ol|img|style|link)[\s>/]`)
	reXMLRoot   = regexp.MustCompile(`<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)[\s/>]`)
)

// xmlTypes are documents told by their root element.
var xmlTypes = map[string]string{
	"html": typeHTML, "svg": "image/svg+xml", "ONIXMessage": "application/onix-message+xml", "ONIXmessage": "application/onix-message+xml",
	"rss": "application/rss+xml", "feed": "application/atom+xml", "kml": "application/vnd.google-earth.kml+xml", "gpx": "application/gpx+xml",
	"COLLADA": "model/vnd.collada+xml", "X3D": "model/x3d+xml", "amf": "application/x-amf", "eagle": "application/x-eagle",
	"wordDocument": "application/vnd.ms-wordml", "xmpmeta": "application/rdf+xml", "XFRML": "application/xfdf", "xfdf": "application/vnd.adobe.xfdf",
	"project": "application/x-plcopen", "RSLogix5000Content": "application/x-rslogix5000", "plist": "application/x-plist", "mei": typeXML,
}

// textType tells kinds of text apart; empty when the head is not text.
func textType(head []byte, ext string) string {
	if u := utf16Guess(head); u != "" {
		return textType(decodeUTF16(head, u == "be"), ext)
	}
	if bytes.HasPrefix(head, []byte{0xff, 0xfe}) || bytes.HasPrefix(head, []byte{0xfe, 0xff}) {
		return textType(decodeUTF16(head[2:], head[0] == 0xfe), ext)
	}
	if !looksText(head) {
		// Web pages with stray control bytes are still shown as pages.
		if t := bytes.TrimLeft(head, " \t\r\n\x00"); len(reTag.FindAllIndex(head, 3)) == 3 && len(t) > 0 && t[0] == '<' {
			return typeHTML
		}
		return ""
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n\f")
	if len(text) == 0 {
		return typePlain
	}
	if bytes.HasPrefix(text, []byte("-----BEGIN ")) {
		return pemType(text)
	}
	if text[0] == '<' {
		if t := markupType(text); t != "" {
			return t
		}
	}
	if (text[0] == '{' || text[0] == '[') && len(text) > 1 && bytes.IndexByte([]byte("\"{[ \r\n\t-0123456789tfn]}"), text[1]) >= 0 {
		if ext == ".json" || jsonLike(text) {
			return typeJSON
		}
	}
	switch {
	case bytes.HasPrefix(text, []byte("From ")) && mailFields(afterLine(text)) >= 1:
		return typeMbox
	case mailFields(text) >= 2:
		return typeMail
	case hasFold(text, "User-Agent:") && bytes.Contains(bytes.ToLower(text), []byte("\ndisallow:")):
		return "text/x-robots"
	case hasFold(text, "BEGIN:VCARD"):
		return "text/vcard"
	case hasFold(text, "BEGIN:VCALENDAR"):
		return "text/calendar"
	case bytes.HasPrefix(text, []byte("WARC/")):
		return "application/warc"
	}
	switch ext {
	case ".csv", ".tsv":
		return typeCSV
	case ".htm", ".html", ".xhtml":
		return typeHTML
	case ".xml":
		if text[0] == '<' {
			return typeXML
		}
	case ".eml":
		if mailFields(text) >= 1 {
			return typeMail
		}
	case ".mht", ".mhtml":
		return typeMail
	}
	if len(reTag.FindAllIndex(text, 3)) == 3 && bytes.Contains(text, []byte("</")) && text[0] == '<' {
		return typeHTML
	}
	if csvtext.Like(text) {
		return typeCSV
	}
	return typePlain
}

func hasFold(b []byte, p string) bool {
	return len(b) >= len(p) && bytes.EqualFold(b[:len(p)], []byte(p))
}

func afterLine(b []byte) []byte {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[i+1:]
	}
	return nil
}

// mailFields counts well-known header fields in a block of header lines that
// begins the text; nothing but header lines may stand between them.
func mailFields(text []byte) int {
	n := 0
	for i := 0; i < 40 && len(text) > 0; i++ {
		line := text
		if j := bytes.IndexByte(text, '\n'); j >= 0 {
			line, text = text[:j], text[j+1:]
		} else {
			text = nil
		}
		line = bytes.TrimRight(line, "\r")
		switch {
		case len(line) == 0:
			return n
		case i > 0 && (line[0] == ' ' || line[0] == '\t'):
		case reMailField.Match(line):
			n++
		case !reField.Match(line):
			return 0
		}
	}
	return n
}

// markupType tells what markup this is by its doctype or first element.
func markupType(text []byte) string {
	if hasFold(text, "<!doctype html") || hasFold(text, "<html") {
		return typeHTML
	}
	declared := hasFold(text, "<?xml")
	rest := text
	for {
		i := bytes.IndexByte(rest, '<')
		if i < 0 || i+1 >= len(rest) {
			break
		}
		rest = rest[i:]
		switch {
		case bytes.HasPrefix(rest, []byte("<!--")):
			j := bytes.Index(rest, []byte("-->"))
			if j < 0 {
				return ""
			}
			rest = rest[j+3:]
			continue
		case hasFold(rest, "<!doctype html"):
			return typeHTML
		case rest[1] == '?' || rest[1] == '!':
			if rest[1] == '!' {
				declared = true
			}
			j := bytes.IndexByte(rest, '>')
			if j < 0 {
				return ""
			}
			if k := bytes.IndexByte(rest[:j], '['); k > 0 {
				if e := bytes.Index(rest, []byte("]>")); e > 0 {
					j = e + 1
				}
			}
			rest = rest[j+1:]
			continue
		}
		break
	}
	if m := reXMLRoot.FindSubmatch(rest[:min(len(rest), 256)]); m != nil && bytes.HasPrefix(rest, m[0]) {
		if t, ok := xmlTypes[string(m[1])]; ok && (declared || t != "application/x-plcopen") {
			if t == "application/x-plcopen" && !bytes.Contains(text, []byte("plcopen.org")) {
				return typeXML
			}
			return t
		}
	}
	if declared && !bytes.Contains(bytes.ToLower(text[:min(len(text), 1024)]), []byte("<html")) {
		return typeXML
	}
	if reTag.Match(text[:min(len(text), 1024)]) {
		return typeHTML
	}
	if bytes.Contains(text, []byte("xmlns")) || bytes.Contains(text, []byte("</")) {
		return typeXML
	}
	return ""
}

// pemType tells what a PEM text (RFC 7468) holds.
func pemType(text []byte) string {
	label, _, _ := strings.Cut(string(text[len("-----BEGIN "):min(len(text), 80)]), "-----")
	switch {
	case label == "DSA PARAMETERS":
		return "application/x-x509-dsa-parameters"
	case label == "EC PARAMETERS":
		return "application/x-x509-ec-parameters"
	case label == "CERTIFICATE", label == "TRUSTED CERTIFICATE":
		return "application/x-x509-cert; format=pem"
	case label == "PKCS7", label == "CMS":
		return typePKCS7
	case strings.HasSuffix(label, "PRIVATE KEY"), strings.HasSuffix(label, "PUBLIC KEY"), label == "PGP PRIVATE KEY BLOCK":
		return "application/x-x509-key; format=pem"
	}
	return typePlain
}

// jsonLike wants a name with a colon or a list of scalars near the beginning.
func jsonLike(text []byte) bool {
	t := text[:min(len(text), 4096)]
	if t[0] == '{' {
		rest := bytes.TrimLeft(t[1:], " \t\r\n")
		return len(rest) > 0 && (rest[0] == '}' || rest[0] == '"' && bytes.Contains(rest, []byte(`":`)) || rest[0] == '"' && bytes.Contains(rest, []byte(`" :`)))
	}
	rest := bytes.TrimLeft(t[1:], " \t\r\n")
	return len(rest) > 0 && bytes.IndexByte([]byte("{[\"-0123456789tfn]"), rest[0]) >= 0 && bytes.IndexByte(rest, '=') != 0
}
