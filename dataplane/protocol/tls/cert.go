package tls

import (
	"bytes"
	"crypto/sha1"
	"encoding/asn1"
	"encoding/hex"
	"net/netip"
	"strings"
	"time"
	"unicode/utf16"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Certificate is what is told of a certificate. It is read leniently by our own
// walk over the DER: crypto/x509 refuses what clients in the field accept, and
// does not keep a name's order.
type Certificate struct {
	Raw             []byte
	Subject, Issuer string
	Serial          string
	NotBefore       time.Time
	NotAfter        time.Time
	Names           []string // subject alternative names
	// fault is the anomaly that ended reading; empty where all was read.
	fault string
}

// Fingerprint gives the SHA-1 of the certificate in hex with colons.
func (c *Certificate) Fingerprint() string {
	sum := sha1.Sum(c.Raw)
	return colons(sum[:], false)
}

func colons(b []byte, upper bool) string {
	out := make([]byte, 0, 3*len(b))
	for i := range b {
		if i > 0 {
			out = append(out, ':')
		}
		out = hex.AppendEncode(out, b[i:i+1])
	}
	if upper {
		out = bytes.ToUpper(out)
	}
	return string(out)
}

// chain reads a Certificate message of TLS up to 1.2 (RFC 5246 §7.4.2). The
// first certificate is read in full, the others are kept as they are. fault names
// the anomaly of what could not be read.
func chain(b []byte) (list []*Certificate, fault string) {
	if len(b) < 3 || length24(b) != len(b)-3 {
		return nil, faultCertificate
	}
	b = bytes.Clone(b[3:])
	for len(b) > 0 {
		if len(b) < 3 || length24(b) > len(b)-3 {
			return list, faultCertificate
		}
		n := length24(b)
		c := &Certificate{Raw: b[3 : 3+n : 3+n]}
		b = b[3+n:]
		if len(list) == 0 {
			c.parse()
		}
		if len(list) < maxCerts {
			list = append(list, c)
		}
	}
	if len(list) > 0 {
		fault = list[0].fault
	}
	return list, fault
}

// The anomalies of certificates.
const (
	faultCertificate = "invalid_certificate"
	faultLength      = "certificate_invalid_length"
	faultDER         = "certificate_invalid_der"
	faultVersion     = "certificate_invalid_version"
	faultSerial      = "certificate_invalid_serial"
	faultAlgorithm   = "certificate_invalid_algorithmidentifier"
	faultName        = "certificate_invalid_x509name"
	faultDate        = "certificate_invalid_date"
	faultExtensions  = "certificate_invalid_extensions"
)

// parse reads the certificate (RFC 5280 §4.1), as far as it can.
func (c *Certificate) parse() { c.fault = c.read() }

// read is parse; it gives the anomaly that ended it.
func (c *Certificate) read() string {
	raw := cryptobyte.String(c.Raw)
	var cert, tbs, version, serial, algorithm, issuer, validity, subject, key, field, exts cryptobyte.String
	if fault := element(&raw, &cert, casn1.SEQUENCE, faultDER); fault != "" {
		return fault
	}
	if fault := element(&cert, &tbs, casn1.SEQUENCE, faultDER); fault != "" {
		return fault
	}
	if tag := casn1.Tag(0).Constructed().ContextSpecific(); tbs.PeekASN1Tag(tag) {
		if fault := element(&tbs, &version, tag, faultVersion); fault != "" {
			return fault
		}
		if number := 0; !version.ReadASN1Integer(&number) || number < 0 || number > 2 {
			return faultVersion
		}
	}
	if fault := element(&tbs, &serial, casn1.INTEGER, faultSerial); fault != "" {
		return fault
	}
	c.Serial = colons(serial, true)
	if fault := element(&tbs, &algorithm, casn1.SEQUENCE, faultAlgorithm); fault != "" {
		return fault
	}
	if fault := element(&tbs, &issuer, casn1.SEQUENCE, faultName); fault != "" {
		return fault
	}
	c.Issuer = name(issuer)
	if fault := element(&tbs, &validity, casn1.SEQUENCE, faultDate); fault != "" {
		return fault
	}
	c.NotBefore, c.NotAfter = date(&validity), date(&validity)
	if fault := element(&tbs, &subject, casn1.SEQUENCE, faultName); fault != "" {
		return fault
	}
	c.Subject = name(subject)
	if fault := element(&tbs, &key, casn1.SEQUENCE, faultAlgorithm); fault != "" {
		return fault
	}
	tbs.SkipOptionalASN1(casn1.Tag(1).ContextSpecific())
	tbs.SkipOptionalASN1(casn1.Tag(2).ContextSpecific())
	if tag := casn1.Tag(3).Constructed().ContextSpecific(); tbs.PeekASN1Tag(tag) {
		if fault := element(&tbs, &field, tag, faultExtensions); fault != "" {
			return fault
		}
		if fault := element(&field, &exts, casn1.SEQUENCE, faultExtensions); fault != "" {
			return fault
		}
	}
	return c.extensions(exts)
}

// element takes the next element of s, or gives the anomaly that it is not there:
// other where it is another element.
func element(s, out *cryptobyte.String, tag casn1.Tag, other string) string {
	at := *s
	if s.ReadASN1(out, tag) {
		return ""
	}
	return unread(at, other)
}

// extensions reads the extensions of which something is told.
func (c *Certificate) extensions(exts cryptobyte.String) string {
	for !exts.Empty() {
		var ext, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		if !exts.ReadASN1(&ext, casn1.SEQUENCE) || !ext.ReadASN1ObjectIdentifier(&oid) {
			return faultExtensions
		}
		ext.SkipOptionalASN1(casn1.BOOLEAN)
		if oid.Equal(oidSAN) && ext.ReadASN1(&value, casn1.OCTET_STRING) {
			c.Names = alternatives(value)
		}
	}
	return ""
}

// maxElement is more than any element of a certificate can have: the message that
// holds it tells its own length in three bytes.
const maxElement = 1 << 24

// unread says why the next element could not be read: it is cut, its length is
// none that a certificate can have, or it is another element than belongs there.
func unread(b cryptobyte.String, other string) string {
	if len(b) < 2 {
		return faultLength
	}
	n, head := int(b[1]), 2
	if n >= 0x80 {
		size := n & 0x7f
		if size == 0 || size > 4 {
			return faultDER
		}
		if head += size; len(b) < head {
			return faultLength
		}
		n = 0
		for _, c := range b[2:head] {
			n = n<<8 | int(c)
		}
	}
	switch {
	case n >= maxElement:
		return faultCertificate
	case n > len(b)-head:
		return faultLength
	}
	return other
}

var oidSAN = asn1.ObjectIdentifier{2, 5, 29, 17}

// alternatives reads GeneralNames: DNS names, addresses, mail addresses, URIs.
func alternatives(value cryptobyte.String) []string {
	var seq cryptobyte.String
	var list []string
	if !value.ReadASN1(&seq, casn1.SEQUENCE) {
		return nil
	}
	for !seq.Empty() && len(list) < 1000 {
		var v cryptobyte.String
		var tag casn1.Tag
		if !seq.ReadAnyASN1(&v, &tag) {
			break
		}
		switch tag {
		case casn1.Tag(1).ContextSpecific(), casn1.Tag(2).ContextSpecific(), casn1.Tag(6).ContextSpecific():
			list = append(list, clean(v))
		case casn1.Tag(7).ContextSpecific():
			if ip, ok := netip.AddrFromSlice(v); ok {
				list = append(list, ip.String())
			}
		}
	}
	return list
}

// attributes are the short names of a distinguished name's parts (RFC 4519, X.520).
var attributes = map[string]string{
	"2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "serialNumber", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST",
	"2.5.4.9": "street", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "title", "2.5.4.13": "description",
	"2.5.4.15": "businessCategory", "2.5.4.17": "postalCode", "2.5.4.41": "name", "2.5.4.42": "GN", "2.5.4.43": "initials",
	"2.5.4.44": "generationQualifier", "2.5.4.46": "dnQualifier", "2.5.4.65": "pseudonym", "2.5.4.97": "organizationIdentifier",
	"0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.25": "DC", "1.2.840.113549.1.9.1": "emailAddress",
	"1.3.6.1.4.1.311.60.2.1.1": "jurisdictionL", "1.3.6.1.4.1.311.60.2.1.2": "jurisdictionST", "1.3.6.1.4.1.311.60.2.1.3": "jurisdictionC",
}

// name writes a distinguished name in its own order: "C=US, O=Example, CN=x".
func name(rdns cryptobyte.String) string {
	var b strings.Builder
	for !rdns.Empty() && b.Len() < 4096 {
		var set cryptobyte.String
		if !rdns.ReadASN1(&set, casn1.SET) {
			break
		}
		for sep := ", "; !set.Empty(); sep = " + " {
			var attr, v cryptobyte.String
			var oid asn1.ObjectIdentifier
			var tag casn1.Tag
			if !set.ReadASN1(&attr, casn1.SEQUENCE) || !attr.ReadASN1ObjectIdentifier(&oid) || !attr.ReadAnyASN1(&v, &tag) {
				return b.String()
			}
			if b.Len() > 0 {
				b.WriteString(sep)
			}
			short, ok := attributes[oid.String()]
			if !ok {
				short = oid.String()
			}
			b.WriteString(short)
			b.WriteByte('=')
			if tag == 30 { // BMPString
				units := make([]uint16, 0, len(v)/2)
				for ; len(v) >= 2; v = v[2:] {
					units = append(units, uint16(v[0])<<8|uint16(v[1]))
				}
				b.WriteString(clean([]byte(string(utf16.Decode(units)))))
				continue
			}
			b.WriteString(clean(v))
		}
	}
	return b.String()
}

// clean gives text without control characters, which could forge a record.
func clean(v []byte) string {
	for _, c := range v {
		if c < 0x20 || c == 0x7f {
			return strings.Map(func(r rune) rune {
				if r < 0x20 || r == 0x7f {
					return -1
				}
				return r
			}, string(v))
		}
	}
	return string(v)
}

// date reads a UTCTime or GeneralizedTime, with the zones and missing seconds
// that occur; the zero time when it cannot.
func date(s *cryptobyte.String) time.Time {
	var v cryptobyte.String
	var tag casn1.Tag
	if !s.ReadAnyASN1(&v, &tag) {
		return time.Time{}
	}
	text := string(v)
	if tag == casn1.UTCTime {
		if len(text) < 2 {
			return time.Time{}
		}
		century := "19"
		if text[:2] < "50" {
			century = "20" // RFC 5280 §4.1.2.5.1
		}
		text = century + text
	}
	for _, layout := range [...]string{"20060102150405Z", "20060102150405-0700", "200601021504Z", "200601021504-0700", "20060102150405"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
