package classifiers

import "bytes"

// Payment cards, bank accounts and securities.

var cardWords = []string{"card", "credit card", "debit card", "creditcard", "credit", "visa", "mastercard", "amex", "american express", "discover", "cvv", "cvc", "cvv2", "exp", "expiry", "expiration", "pan", "cardholder",
	"ccnum", "cc", "primary account number", "karte", "kreditkarte", "kartennummer", "carte", "carte bancaire", "tarjeta", "carta", "carta di credito", "karta", "karty", "karta kredytowa", "maestro", "diners", "jcb",
	"cartão", "kortnummer", "kredietkaart", "карта", "карты", "信用卡", "カード", "카드", "payment"}

var orderWords = []string{"order", "order id", "orderid", "tracking", "invoice", "uuid", "guid", "sha", "hash", "md5", "serial", "version", "timestamp", "epoch", "sku", "isbn", "commit", "build", "rev", "revision", "phone", "tel", "fax", "checksum"}

var payment = []*number{
	{
		Detector: Detector{ID: "pay.card", Level: Confidential, HighLevel: Restricted, Bulk: 5, BulkLevel: Restricted, Tags: []string{"PCI DSS", "GLBA"},
			Context: cardWords, Against: orderWords,
			Good: []string{"card 4111 1111 1111 1111", "visa 4012888888881881 exp 12/27", "Kreditkarte: 5555-5555-5555-4444", "the number 5105105105105100 was charged to my credit card", `{"cardNumber":"378282246310005"}`, "paid with 4539578763621486"},
			Bad:  []string{"card 4111 1111 1111 1112", "1748503543012", "id 4111-1111-1111-1111-1111", "0.4111111111111111", "f4111111111111111a", "c1d2e3f4-4111-1111-1111-4111111111111", "card 0000000000000000"}},
		shapes: []string{"12d", "13d", "14d", "15d", "16d", "17d", "18d", "19d"},
		groups: []string{"4*4*4*4", "4*6*5", "4*6*4", "4*4*4*1", "4*4*4*4*3", "4*4*4*3", "6*13", "8*8", "4*4*5", "4*4*4"},
		valid:  cardValid, plain: 2, usual: 2, odd: 1, withContext: 2,
		judge: func(v *value, score int8, ctx bool) int8 {
			if !ctx {
				if cardBrand(v.b) == "old" {
					return 0
				}
				if numberTable(v) {
					return 1
				}
				if rareCard(v.b) || testCard(v.b) {
					score--
				}
				return max(score, 1)
			}
			if testCard(v.b) {
				return min(score, 2)
			}
			return score
		},
	},
	{
		Detector: Detector{ID: "pay.track", Level: Restricted, Tags: []string{"PCI DSS"},
			Good: []string{";4539578763621486=27121010000000000000?", "%B4539578763621486^DOE/JO^2712101000000000?"}, Bad: []string{"4539578763621486=2713", "4539578763621486 2712101"}},
		shapes: []string{"13d", "14d", "15d", "16d", "17d", "18d", "19d", "a13d", "a14d", "a15d", "a16d", "a17d", "a18d", "a19d"},
		valid: func(v *value) bool {
			b := v.b
			if b[0] == 'B' { // the format code of track 1
				b = b[1:]
			}
			return v.sep == 0 && allDigits(b) && cardBrand(b) != "" && luhn(b) && trackAfter(v.after)
		}, plain: 3, withContext: 3,
	},
	{
		Detector: Detector{ID: "pay.iban", Level: Confidential, Bulk: 5, BulkLevel: Restricted, Tags: []string{"GDPR", "GLBA", "PSD2"},
			Context: []string{"iban", "account", "konto", "kontonummer", "bankverbindung", "compte", "cuenta", "conto", "bank", "bic", "rachunek", "rachunku", "rekening", "sepa", "überweisung", "virement"},
			Good:    []string{"IBAN: DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "pay to FR14 2004 1010 0505 0001 3M02 606 today"},
			Bad:     []string{"DE89 3704 0044 0532 0130 01", "GB82WEST1234569876543", "XX82WEST12345698765432"}},
		shapes: ibanShapes(),
		groups: nil,
		valid:  ibanValid, plain: 3, usual: 3, odd: 2, withContext: 3,
	},
	{
		Detector: Detector{ID: "pay.us.aba", Level: Confidential, Tags: []string{"GLBA"},
			Context: []string{"routing", "aba", "rtn", "transit", "wire", "ach", "routing number"},
			Good:    []string{"routing number 121000358", "ABA: 111000025"}, Bad: []string{"routing 121000359", "id 121000358"}},
		shapes: []string{"9d"}, groups: []string{"4-4-1"},
		valid: func(v *value) bool { return abaValid(v.b) }, plain: 1, usual: 1, withContext: 2, humble: true,
		judge: func(v *value, score int8, _ bool) int8 {
			// Prefixes that the Federal Reserve has given out.
			if p := decimal(v.b[:2]); p > 12 && p < 21 || p > 32 && p < 61 || p > 72 && p != 80 {
				return min(score, 1)
			}
			return score
		},
	},
	{
		Detector: Detector{ID: "pay.us.account", Level: Confidential, Tags: []string{"GLBA"},
			Context: []string{"bank account", "account number", "account no", "checking account", "savings account", "checking", "acct"},
			Good:    []string{"bank account number 945456787654"}, Bad: []string{"order 945456787654"}},
		shapes: []string{"8d", "9d", "10d", "11d", "12d", "13d", "14d", "15d", "16d", "17d"},
		valid: func(v *value) bool {
			return v.sep == 0 && !sameDigits(v.b) && !stamp(v.b) && !(len(v.b) > 12 && cardValid(v))
		},
		plain: 1, withContext: 2,
	},
	{
		Detector: Detector{ID: "fin.isin", Level: Internal, Tags: []string{"MNPI"},
			Context: []string{"isin", "security", "securities", "bond", "wertpapier", "fund", "share", "titre", "valor"},
			Good:    []string{"ISIN US0378331005"}, Bad: []string{"ISIN US0378331003", "ISIN ZZ0378331005"}},
		shapes: []string{"2a9xd"}, groups: []string{"2 9 1"},
		valid: func(v *value) bool { return v.sep != '-' && isCountry(v.b) && isinValid(v.b) && !v.lower }, plain: 1, usual: 1, odd: 0, withContext: 3, humble: true,
		judge: func(v *value, score int8, ctx bool) int8 {
			// The other words stand near part numbers too, one in ten of which fits.
			if !near(v, "isin") && !near(v, "wertpapier") && !near(v, "bond") {
				return min(score, 2)
			}
			return score
		},
	},
	{
		Detector: Detector{ID: "fin.cusip", Level: Internal, Tags: []string{"MNPI"},
			Context: []string{"cusip", "bond", "security", "securities"},
			Good:    []string{"CUSIP 037833100"}, Bad: []string{"CUSIP 037833101", "037833100"}},
		shapes: []string{"8xd"}, groups: []string{"6 2 1", "6-2-1"},
		valid: func(v *value) bool { return cusipValid(v.b) && !v.lower }, plain: 1, usual: 1, withContext: 2,
	},
	{
		Detector: Detector{ID: "fin.lei", Level: Internal,
			Context: []string{"lei", "legal entity", "legal entity identifier"},
			Good:    []string{"LEI: 213800KUD8LAJWSQ9D15"}, Bad: []string{"LEI: 213800KUD8LXJWSQ9D15"}},
		shapes: []string{"18x2d"},
		valid:  func(v *value) bool { return !v.lower && mod97(v.b) == 1 }, plain: 1, usual: 1, odd: 1, withContext: 3,
	},
	{
		Detector: Detector{ID: "fin.sedol", Level: Internal, Tags: []string{"MNPI"}, Context: []string{"sedol"},
			Good: []string{"SEDOL 0263494"}, Bad: []string{"B0YBKJ7", "SEDOL B0YBKL8"}},
		shapes: []string{"6xd"},
		valid:  func(v *value) bool { return !v.lower && sedolValid(v.b) }, plain: 1, withContext: 2,
	},
}

// cardValid confirms a payment card number: an issuer's prefix with a length it
// uses, and Luhn.
func cardValid(v *value) bool {
	b := v.b
	if sameDigits(b) || len(b) == 14 && stamp(b) {
		return false
	}
	if cardBrand(b) == "" || !luhn(b) {
		return false
	}
	// Only digits may follow in groups of the same row: more of them means a
	// longer number.
	return true
}

// trackAfter confirms what follows the number on a magnetic stripe (ISO/IEC 7813):
// a separator, on track 1 the name, then the expiry as YYMM.
func trackAfter(b []byte) bool {
	if len(b) < 8 {
		return false
	}
	switch b[0] {
	case '=', 'D', 'd':
		b = b[1:]
	case '^':
		i := bytes.IndexByte(b[1:min(len(b), 30)], '^')
		if i < 2 {
			return false
		}
		b = b[i+2:]
	default:
		return false
	}
	if len(b) < 7 || !allDigits(b[:7]) {
		return false
	}
	m := decimal(b[2:4])
	return m >= 1 && m <= 12
}

// cardBrand gives the scheme by ISO/IEC 7812 prefix and length, from the schemes'
// published ranges; empty when there is none.
func cardBrand(b []byte) string {
	n := len(b)
	p2, p3, p4, p6 := decimal(b[:2]), decimal(b[:3]), decimal(b[:4]), decimal(b[:6])
	switch {
	case b[0] == '4' && (n == 13 || n == 16 || n == 19):
		return "visa"
	case n == 16 && (p2 >= 51 && p2 <= 55 || p4 >= 2221 && p4 <= 2720):
		return "mastercard"
	case n == 15 && (p2 == 34 || p2 == 37):
		return "amex"
	case n >= 16 && (p4 == 6011 || p3 >= 644 && p3 <= 649 || p2 == 65):
		return "discover"
	case n == 14 && (p3 >= 300 && p3 <= 305 || p3 == 309 || p2 == 36 || p2 == 38 || p2 == 39):
		return "diners"
	case n >= 16 && p4 >= 3528 && p4 <= 3589:
		return "jcb"
	case n >= 16 && (p2 == 62 || p2 == 81):
		return "unionpay"
	case n == 16 && (p2 == 60 || p2 == 82 || p3 == 508 || p3 == 353 || p3 == 356):
		return "rupay"
	case n >= 16 && p4 >= 2200 && p4 <= 2204:
		return "mir"
	case n == 16 && p4 == 9792:
		return "troy"
	case n == 16 && (p6 == 636368 || p6 == 438935 || p6 == 504175 || p6 == 451416 || p6 == 636297 || p4 == 5067 || p4 == 4576 || p4 == 4011 || p6 >= 506699 && p6 <= 506778 || p6 >= 509000 && p6 <= 509999):
		return "elo"
	case p4 == 5018 || p4 == 5020 || p4 == 5038 || p4 == 5893 || p4 == 6304 || p4 == 6759 || p4 >= 6761 && p4 <= 6763 || p4 == 5019:
		if n == 16 && p4 == 5019 {
			return "dankort"
		}
		return "maestro"
	case n == 15 && p4 == 1220:
		return "uatp"
	case n == 15 && (p4 == 1800 || p4 == 2131) || n == 16 && p2 == 35 || b[0] == '5' && (b[1] == '0' || b[1] == '6' || b[1] == '8') || p2 == 63 || p2 == 67:
		return "old" // ranges in use once, or reserved
	}
	return ""
}

// numberTable reports whether a card number stands among other long numbers that
// are none: then it is likely none either, one in ten passing Luhn by chance.
func numberTable(v *value) bool {
	bad := 0
	count := func(b []byte) {
		for i := 0; i < len(b); {
			n := csDigit.run(b[i:], 40)
			if n >= 11 && (i == 0 || !isAlnum(b[i-1])) {
				if n > 19 || cardBrand(b[i:i+n]) == "" || !luhn(b[i:i+n]) {
					bad++
				}
			}
			i += n + 1
		}
	}
	before := v.before[max(0, len(v.before)-200):]
	if i := bytes.IndexByte(before, ' '); i > 0 && len(v.before) > 200 {
		before = before[i:] // not from the middle of a number
	}
	count(before)
	count(v.after[:min(len(v.after), 200)])
	return bad >= 2
}

// rareCard tells the lengths and schemes that are seldom and so need context:
// the shorter the prefix and the number, the more accidents.
func rareCard(b []byte) bool {
	switch n := len(b); {
	case n == 12 || n == 13 || n == 14 || n > 16:
		return true
	default:
		switch cardBrand(b) {
		case "maestro", "rupay", "unionpay", "mir", "troy", "uatp", "elo":
			return true
		}
	}
	return false
}

// testCard tells the numbers that payment processors publish for tests, and
// those with few different digits.
func testCard(b []byte) bool {
	var seen [10]bool
	kinds := 0
	for _, c := range b {
		if !seen[c-'0'] {
			seen[c-'0'] = true
			kinds++
		}
	}
	if kinds <= 3 {
		return true
	}
	switch string(b) {
	case "4012888888881881", "378282246310005", "371449635398431", "378734493671000", "30569309025904", "38520000023237",
		"6011000990139424", "3530111333300000", "3566002020360505", "5105105105105100", "4917610000000000", "4000056655665556",
		"5200828282828210", "5610591081018250", "6759649826438453", "4222222222222":
		return true
	}
	return false
}

// ibanFormats gives each country's IBAN length and the structure of its BBAN,
// from the SWIFT registry: n digits, a letters, c either.
var ibanFormats = parseIBAN("AD8n12c AE19n AL8n16c AT16n AZ4a20c BA16n BE12n BG4a6n8c BH4a14c BI23n BR23n1a1c BY4c4n16c CH5n12c CR18n CY8n16c CZ20n DE18n DJ23n DK14n DO4c20n EE16n EG25n ES20n FI14n FK2a12n FO14n FR10n11c2n " +
	"GB4a14n GE2a16n GI4a15c GL14n GR7n16c GT4c20c HN4a20n HR17n HU24n IE4a14n IL19n IQ4a15n IS22n IT1a10n12c JO4a4n18c KW4a22c KZ3n13c LB4n20c LC4a24c LI5n12c LT16n LU3n13c LV4a13c LY21n MC10n11c2n MD2c18c " +
	"ME18n MK3n10c2n MN16n MR23n MT4a5n18c MU4a19n3a NI4a20n NL4a10n NO11n OM3n16c PK4a16c PL24n PS4a21c PT21n QA4a21c RO4a16c RS18n RU14n15c SA2n18c SC4a20n3a SD14n SE20n SI15n SK20n SM1a10n12c SO19n ST21n SV4a20n " +
	"TL19n TN20n TR5n1n16c UA6n19c VA18n VG4a16n XK16n YE4a4n18c")

func parseIBAN(s string) map[[2]byte]string {
	m := make(map[[2]byte]string)
	for len(s) > 0 {
		cc := [2]byte{s[0], s[1]}
		s = s[2:]
		var f []byte
		for len(s) > 0 && s[0] != ' ' {
			n := 0
			for isDigit(s[0]) {
				n = n*10 + int(s[0]-'0')
				s = s[1:]
			}
			for ; n > 0; n-- {
				f = append(f, s[0])
			}
			s = s[1:]
		}
		if len(s) > 0 {
			s = s[1:]
		}
		m[cc] = string(f)
	}
	return m
}

func ibanShapes() []string {
	var out []string
	for n := 15; n <= 33; n++ {
		out = append(out, "2a2d"+itoa(n-4)+"x")
	}
	return out
}

func itoa(n int) string {
	if n >= 10 {
		return itoa(n/10) + string(rune('0'+n%10))
	}
	return string(rune('0' + n))
}

func ibanValid(v *value) bool {
	b := v.b
	f, ok := ibanFormats[[2]byte{b[0], b[1]}]
	if !ok || len(b) != len(f)+4 {
		return false
	}
	for i := range f {
		c := b[4+i]
		if f[i] == 'n' && !isDigit(c) || f[i] == 'a' && isDigit(c) {
			return false
		}
	}
	return mod97(b[4:], b[:4]) == 1
}

// abaValid confirms a routing number by weights 3-7-1.
func abaValid(b []byte) bool {
	p := decimal(b[:2])
	if p > 80 {
		return false
	}
	return weights(b, "371371371")%10 == 0
}

func isinValid(b []byte) bool {
	var buf [24]byte
	n := 0
	for _, c := range b {
		if d := letterValue(c); d > 9 {
			buf[n], buf[n+1] = byte('0'+d/10), byte('0'+d%10)
			n += 2
		} else {
			buf[n] = c
			n++
		}
	}
	return luhn(buf[:n])
}

// near reports whether a word stands shortly before a value, whatever its case.
func near(v *value, word string) bool {
	b := v.before[max(0, len(v.before)-contextNear):]
	for i := 0; i+len(word) <= len(b); i++ {
		if hasPrefixFold(b[i:], word) {
			return true
		}
	}
	return false
}

func cusipValid(b []byte) bool {
	sum := 0
	for i, c := range b[:8] {
		d := letterValue(c)
		if i&1 == 1 {
			d *= 2
		}
		sum += d/10 + d%10
	}
	return (10-sum%10)%10 == digit(b, 8)
}

func sedolValid(b []byte) bool {
	if isDigit(b[0]) { // old numbers are digits alone
		for _, c := range b {
			if !isDigit(c) {
				return false
			}
		}
	}
	sum := 0
	for i, w := range [6]int{1, 3, 1, 7, 3, 9} {
		switch b[i] {
		case 'A', 'E', 'I', 'O', 'U':
			return false
		}
		sum += letterValue(b[i]) * w
	}
	return (10-sum%10)%10 == digit(b, 6)
}

// isCountry reports whether b begins with a country code of ISO 3166-1, or one
// of those that ISO 6166 adds.
func isCountry(b []byte) bool {
	a, c := int(b[0])-'A', int(b[1])-'A'
	return a >= 0 && a < 26 && c >= 0 && c < 26 && countries[a]&(1<<c) != 0
}

var countries = func() (m [26]uint32) {
	const list = "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSYEYTZAZMZW" +
		"XSXAXBXCXDXFXKEUAN"
	for i := 0; i < len(list); i += 2 {
		m[list[i]-'A'] |= 1 << (list[i+1] - 'A')
	}
	return m
}()
