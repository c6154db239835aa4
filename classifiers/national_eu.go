package classifiers

// National identifiers of European countries.

// id makes the usual identifier: confidential, low on its own, medium with
// context, high where its writing is usual too.
func id(name string, tags, context, shapes, groups []string, valid func(v *value) bool) *number {
	return &number{Detector: Detector{ID: name, Level: Confidential, Bulk: 100, BulkLevel: Restricted, Tags: tags, Context: context}, shapes: shapes, groups: groups, valid: valid,
		plain: 1, usual: 1, odd: 1, withContext: 2}
}

// strong tells that shape and check digits alone are worth a medium confidence.
func (n *number) strong() *number {
	n.plain, n.usual, n.withContext = 2, 2, 3
	return n
}

// judged adds a last word on the confidence.
func (n *number) judged(f func(v *value, score int8, ctx bool) int8) *number {
	n.judge = f
	return n
}

// cases sets what the detector must and must not find.
func (n *number) cases(good, bad []string) *number {
	n.Good, n.Bad = good, bad
	return n
}

// meek tells that the last word never raises a confidence without context.
func (n *number) meek() *number { n.humble = true; return n }

// begins sets the beginnings that are worth trying without context.
func (n *number) begins(l lead) *number { n.lead = l; return n }

func (n *number) lvl(l Level) *number { n.Level = l; return n }

// on adapts a check of the bytes alone.
func on(f func(b []byte) bool) func(v *value) bool {
	return func(v *value) bool { return f(v.b) }
}

// w lists words.
func w(s ...string) []string { return s }

var gdpr = []string{"GDPR"}

var nationalEU = []*number{
	id("id.uk.nino", w("UK GDPR"), w("national insurance", "nino", "ni number", "ni no"), w("2a6da"), w("2 2 2 2 1", "2-2-2-2-1", "8 1"), on(func(b []byte) bool {
		switch string(b[:2]) {
		case "BG", "GB", "NK", "KN", "NT", "TN", "ZZ":
			return false
		}
		in := func(c byte, s string) bool {
			for i := range s {
				if s[i] == c {
					return true
				}
			}
			return false
		}
		return !in(b[0], "DFIQUV") && !in(b[1], "DFIOQUV") && b[8] <= 'D'
	})).strong().cases(w("NINO AB 12 34 56 C", "National Insurance: JG103759A"), w("NINO BG 12 34 56 C", "NINO AB 12 34 56 E")),

	id("id.uk.utr", w("UK GDPR"), w("utr", "unique taxpayer", "self assessment", "tax reference"), w("10d", "10da"), w("5 5"), on(func(b []byte) bool {
		if len(b) == 11 {
			if b[10] != 'K' {
				return false
			}
			b = b[:10]
		}
		return utr(b)
	})).cases(w("UTR 1955839661", "unique taxpayer reference: 5816619590"), w("UTR 1955839662", "1955839661")),

	id("id.uk.passport", w("UK GDPR"), w("uk passport", "british passport", "hm passport", "passport"), w("2a7d"), nil, nil).cases(w("UK passport number AB1234567"), w("AB1234567")),

	id("id.uk.dl", w("UK GDPR"), w("driving licence", "dvla", "driver number"), w("5x6d2x3x"), w("5 6 5"), on(func(b []byte) bool {
		// Surname in five letters filled with 9, decade, month (+50), day, year.
		nine := false
		for _, c := range b[:5] {
			if c == '9' {
				nine = true
			} else if isDigit(c) || nine {
				return false
			}
		}
		m, d := decimal(b[6:8]), decimal(b[8:10])
		if m > 50 {
			m -= 50
		}
		return isAlpha(b[0]) && m >= 1 && m <= 12 && d >= 1 && d <= 31 && isAlpha(b[11]) && (isAlpha(b[12]) || b[12] == '9') && isAlpha(b[14]) && isAlpha(b[15])
	})).strong().cases(w("driving licence MORGA657054SM9IJ"), w("driving licence MORGA663054SM9IJ")),

	id("id.ie.pps", gdpr, w("pps", "ppsn", "pps number", "public service number"), w("7da", "7d2a"), nil, on(func(b []byte) bool {
		sum := weights(b, "8765432")
		if len(b) == 9 && b[8] != 'W' && b[8] != 'T' {
			if b[8] > 'I' {
				return false
			}
			sum += 9 * (int(b[8]-'A') + 1)
		}
		return "WABCDEFGHIJKLMNOPQRSTUV"[sum%23] == b[7]
	})).cases(w("PPS number 1234567T"), w("PPS number 1234567A")),

	id("id.de.steuerid", w("GDPR"), w("steuer-id", "idnr", "id nr", "steueridentifikationsnummer", "steuernummer", "steuer-identifikationsnummer", "steuer", "tax id", "tin"), w("11d"), w("2 3 3 3"), on(func(b []byte) bool {
		if b[0] == '0' || !mod11_10(b) {
			return false
		}
		var n [10]int
		most, none := 0, 0
		for _, c := range b[:10] {
			n[c-'0']++
			most = max(most, n[c-'0'])
		}
		for _, k := range n {
			if k == 0 {
				none++
			}
		}
		return most == 2 && none == 1 || most == 3 && none == 2
	})).cases(w("Steuer-ID 36 574 261 809", "IdNr: 36574261809"), w("36574261809", "Steuer-ID 36574261808")),

	id("id.de.ausweis", gdpr, w("personalausweis", "ausweis", "ausweisnummer", "npa", "personalausweisnummer", "identity card", "id card", "ausweis nr"), w("a8x", "a9x"), nil, on(germanDoc)).
		cases(w("Personalausweis L01X00T471", "Ausweis Nr. CZ6311T03"), w("Personalausweis T00000000 Muster", "Ausweisnummer A220001293")),
	id("id.de.passport", gdpr, w("reisepass", "passnummer", "passport", "reisepassnummer", "pass"), w("a8x", "a9x"), nil, on(germanDoc)).
		cases(w("Reisepass C01234565"), w("Reisepass C01234567")),

	id("id.de.rvnr", gdpr, w("rentenversicherung", "sozialversicherungsnummer", "svnr", "rvnr", "versicherungsnummer", "sv-nummer", "rentenversicherungsnummer"), w("8da3d"), w("2 6 1 3", "2 2 2 2 1 3"), on(func(b []byte) bool {
		d := decimal(b[2:4])
		if d > 50 {
			d -= 50
		}
		if m := decimal(b[4:6]); d < 1 || d > 31 || m < 1 || m > 12 {
			return false
		}
		var x [13]byte
		copy(x[:], b[:8])
		l := b[8] - 'A' + 1
		x[8], x[9] = '0'+l/10, '0'+l%10
		copy(x[10:], b[9:])
		sum := 0
		for i, wt := range [12]int{2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1} {
			p := int(x[i]-'0') * wt
			sum += p/10 + p%10
		}
		return sum%10 == int(x[12]-'0')
	})).strong().cases(w("SVNR 15070649C103", "Rentenversicherungsnummer 15 070649 C 103"), w("SVNR 15070649C100")),

	id("id.fr.nir", gdpr, w("nir", "sécurité sociale", "securite sociale", "insee", "numéro de sécurité sociale", "carte vitale", "social security"), w("5d2x8d", "13d2d"), w("1 2 2 2 3 3 2"), on(func(b []byte) bool {
		var x [13]byte
		copy(x[:], b)
		switch string(b[5:7]) {
		case "2A":
			x[5], x[6] = '1', '9'
		case "2B":
			x[5], x[6] = '1', '8'
		default:
			if !isDigit(b[5]) || !isDigit(b[6]) {
				return false
			}
		}
		return 97-decimal(x[:])%97 == decimal(b[13:])
	})).cases(w("NIR 253072B07300470", "sécurité sociale 2 95 10 99 126 111 93"), w("NIR 253072B07300443", "295109912611193")),

	id("id.fr.nif", gdpr, w("spi", "numéro fiscal", "numero fiscal", "impots", "impôts", "nif", "spi number"), w("13d"), w("2 2 3 3 3"), on(func(b []byte) bool {
		return b[0] <= '3' && decimal(b[:10])%511 == decimal(b[10:])
	})).cases(w("numéro fiscal 30 23 217 600 053"), w("numéro fiscal 30 23 217 600 054")),

	id("id.it.cf", gdpr, w("codice fiscale", "cf", "cod fisc"), w("6a2xa2xa3xa", "16x"), nil, func(v *value) bool { return codiceFiscale(v.b) }).strong().
		cases(w("codice fiscale RCCMNL83S18D969H", "MRTNTN23M02D969P"), w("RCCMNL83S18D969I")),
	{
		Detector: Detector{ID: "biz.it.iva", Level: Internal, Context: w("partita iva", "p iva", "iva", "piva", "codice fiscale"), Good: w("Partita IVA 01333550323"), Bad: w("01333550323", "Partita IVA 01333550324")},
		shapes:   w("11d"), groups: nil, valid: func(v *value) bool { return luhn(v.b) }, plain: 1, usual: 0, withContext: 2,
	},

	id("id.es.dni", gdpr, w("dni", "nif", "documento nacional", "identidad", "documento nacional de identidad"), w("8da", "7da"), w("8-1", "7-1", "2.3.3-1", "8 1"), on(func(b []byte) bool {
		n := len(b) - 1
		return "TRWAGMYFPDXBNJZSQVHLCKE"[decimal(b[:n])%23] == b[n]
	})).cases(w("DNI 54362315K", "NIF: 12345678Z"), w("DNI 54362315A")),
	id("id.es.nie", gdpr, w("nie", "extranjero", "extranjeros"), w("a7da"), w("1-7-1", "1 7 1"), on(func(b []byte) bool {
		return b[0] >= 'X' && b[0] <= 'Z' && "TRWAGMYFPDXBNJZSQVHLCKE"[(int(b[0]-'X')*10000000+decimal(b[1:8]))%23] == b[8]
	})).strong().cases(w("NIE X2482300W", "Z8078221M"), w("NIE X2482300A")),
	id("id.es.passport", gdpr, w("pasaporte", "passport"), w("3a6d"), nil, nil).cases(w("Mi pasaporte es AAA123456"), w("AAA123456")),

	id("id.nl.bsn", gdpr, w("bsn", "burgerservicenummer", "sofinummer", "sofi", "burgerservice"), w("9d", "8d"), w("4.2.3", "4.2.2", "3 3 3", "3.3.3"), on(func(b []byte) bool {
		var x [9]byte
		x[0] = '0'
		copy(x[9-len(b):], b)
		return decimal(b) > 0 && (weights(x[:8], "98765432")-digit(x[:], 8))%11 == 0
	})).cases(w("BSN 111222333"), w("BSN 111252333", "111222333")),

	id("id.be.rrn", gdpr, w("rijksregisternummer", "registre national", "insz", "niss", "numéro national", "rijksregister", "nationaal nummer"), w("11d"), w("2.2.2-3.2", "6-3-2", "2 2 2 3 2", "2.2.2-3 2"), on(func(b []byte) bool {
		// Day or month may be unknown, or beyond the calendar where numbers ran out.
		m := decimal(b[2:4])
		ok97 := func(prefix int) bool { return 97-(prefix*1000000000+decimal(b[:9]))%97 == decimal(b[9:]) }
		if m >= 60 || m%20 > 12 {
			return false
		}
		return ok97(0) || ok97(2) && decimal(b[:2]) <= 30
	})).cases(w("rijksregisternummer 85.07.30-033 28"), w("rijksregisternummer 85.07.30-033 27")),

	id("id.pl.pesel", gdpr, w("pesel", "numer pesel", "nr pesel"), w("11d"), nil, func(v *value) bool {
		b := v.b
		if v.sep != 0 {
			return false
		}
		y, m := decimal(b[:2]), decimal(b[2:4])
		century := [5]int{1900, 2000, 2100, 2200, 1800}[m/20]
		return (weights(b, "1379137913")+digit(b, 10))%10 == 0 && dateOK(century+y, m%20, decimal(b[4:6]))
	}).cases(w("PESEL 44051401458"), w("PESEL 44051401459", "44051401458")),

	id("id.se.pnr", gdpr, w("personnummer", "samordningsnummer", "pnr", "personnr"), w("10d", "12d"), w("6-4", "8-4", "6+4"), func(v *value) bool {
		b := v.b
		if v.sep != 0 && (len(v.lens) != 2 || v.lens[1] != 4) {
			return false
		}
		y := -1
		if len(b) == 12 {
			y = decimal(b[:4])
			if y < 1850 || y > 2050 {
				return false
			}
			b = b[2:]
		}
		m, d := decimal(b[2:4]), decimal(b[4:6])
		if d > 60 {
			d -= 60
		}
		if y >= 0 && !dateOK(y, m, d) || y < 0 && !shortDateOK(decimal(b[:2]), m, d) {
			return false
		}
		return luhn(b)
	}).cases(w("personnummer 880320-0016", "personnummer: 200109022392"), w("personnummer 880320-0018", "8803200016")),

	id("id.fi.hetu", gdpr, w("henkilötunnus", "hetu", "henkilotunnus", "personbeteckning"), w("6dx3dx", "9dx"), w("6-4", "6+4"), func(v *value) bool { return hetu(v) }).strong().begins(leadHetu).
		cases(w("henkilötunnus 131052-308T", "hetu 131052A308T"), w("hetu 131052-308U")),

	id("id.no.fnr", gdpr, w("fødselsnummer", "fodselsnummer", "personnummer", "fnr", "d-nummer", "fødselsnr"), w("11d"), w("6-5", "6 5"), on(func(b []byte) bool {
		if weights(b, "3761894521")%11 != 0 || weights(b, "54327654321")%11 != 0 {
			return false
		}
		d, m, y, n := decimal(b[:2]), decimal(b[2:4]), decimal(b[4:6]), decimal(b[6:9])
		if d > 40 {
			d -= 40
		}
		if m > 80 {
			m -= 80
		}
		if m > 40 {
			m -= 40
		}
		switch {
		case n < 500:
			y += 1900
		case n < 750 && y >= 54:
			y += 1800
		case y < 40:
			y += 2000
		case n >= 900:
			y += 1900
		default:
			return false
		}
		return dateOK(y, m, d)
	})).cases(w("fødselsnummer 151086 95088"), w("fødselsnummer 151086 95077", "15108695088")),

	id("id.dk.cpr", gdpr, w("cpr", "cpr-nummer", "cpr nummer", "personnummer"), w("10d"), w("6-4", "6 4"), func(v *value) bool {
		b := v.b
		if v.sep != 0 && (len(v.lens) != 2 || v.lens[0] != 6) {
			return false
		}
		y := decimal(b[4:6])
		switch c := b[6]; {
		case c <= '3':
			y += 1900
		case c == '4' || c == '9':
			if y <= 36 {
				y += 2000
			} else {
				y += 1900
			}
		default:
			if y <= 57 {
				y += 2000
			} else {
				y += 1800
			}
		}
		if !dateOK(y, decimal(b[2:4]), decimal(b[:2])) || y > 2026 {
			return false
		}
		return true
	}).judged(func(v *value, score int8, ctx bool) int8 {
		// Since 2007 the check digit need not fit.
		if weights(v.b, "4327654321")%11 != 0 && !(ctx && v.sep == '-') {
			return min(score, 1)
		}
		return score
	}).meek().cases(w("CPR 211062-5629"), w("CPR 511062-5629", "2110625629")),

	id("id.is.kt", gdpr, w("kennitala", "kt"), w("10d"), w("6-4", "6 4"), on(func(b []byte) bool {
		d := decimal(b[:2])
		if d > 40 {
			d -= 40
		}
		c := map[byte]int{'8': 1800, '9': 1900, '0': 2000}[b[9]]
		return c != 0 && dateOK(c+decimal(b[4:6]), decimal(b[2:4]), d) && weights(b, "32765432")%11 == (11-digit(b, 8))%11
	})).cases(w("kennitala 450401-3150"), w("kennitala 320174-3399")),

	id("id.ch.ahv", w("GDPR", "revDSG"), w("ahv", "avs", "sozialversicherungsnummer", "ahv-nummer", "numéro avs"), w("13d"), w("3.4.4.2", "3 4 4 2"), on(func(b []byte) bool {
		return string(b[:3]) == "756" && (weights(b, "131313131313")+digit(b, 12))%10 == 0
	})).strong().begins(leadAHV).cases(w("AHV 756.9217.0769.85"), w("AHV 756.9217.0769.84")),

	id("id.at.vnr", gdpr, w("sozialversicherungsnummer", "svnr", "sv-nummer", "versicherungsnummer", "vsnr"), w("10d"), w("4 6", "4-6"), on(func(b []byte) bool {
		return b[0] != '0' && weighted(b, 3, 7, 9, 0, 5, 8, 4, 2, 1, 6)%11 == digit(b, 3)
	})).cases(w("Sozialversicherungsnummer 1237 010180"), w("Sozialversicherungsnummer 2237 010180", "1237010180")),

	id("id.pt.nif", gdpr, w("nif", "contribuinte", "número de contribuinte"), w("9d"), w("3 3 3"), on(func(b []byte) bool {
		if b[0] == '0' {
			return false
		}
		return (11-weights(b, "98765432")%11)%11%10 == digit(b, 8)
	})).cases(w("NIF 501964843", "contribuinte n.º 501 964 843"), w("NIF 501964842", "501964843")),

	id("id.gr.amka", gdpr, w("amka", "αμκα"), w("11d"), nil, on(func(b []byte) bool {
		return luhn(b) && shortDateOK(decimal(b[4:6]), decimal(b[2:4]), decimal(b[:2]))
	})).cases(w("ΑΜΚΑ 01013099997"), w("AMKA 01013099999")),

	id("id.ro.cnp", gdpr, w("cnp", "cod numeric personal"), w("13d"), nil, on(func(b []byte) bool {
		sum := weights(b, "279146358279") % 11
		if sum == 10 {
			sum = 1
		}
		c := [10]int{0, 1900, 1900, 1800, 1800, 2000, 2000, 1900, 1900, 1900}[digit(b, 0)]
		county := decimal(b[7:9])
		return c != 0 && sum == digit(b, 12) && dateOK(c+decimal(b[1:3]), decimal(b[3:5]), decimal(b[5:7])) && (county >= 1 && county <= 48 || county == 51 || county == 52 || county == 70 || county >= 80 && county <= 83)
	})).cases(w("CNP 1630615123457"), w("CNP 1630615123458")),

	id("id.cz.rc", gdpr, w("rodné číslo", "rodne cislo", "rodné číslo", "rč", "rc", "rodné cislo", "rodné"), w("10d", "9d"), w("6/4", "6/3"), on(func(b []byte) bool { return rodneCislo(b) })).
		cases(w("rodné číslo 710319/2745"), w("rodné číslo 110349/2745")),

	id("id.hr.oib", gdpr, w("oib", "osobni identifikacijski broj"), w("11d", "2a11d"), nil, on(func(b []byte) bool {
		if len(b) == 13 {
			if b[0] != 'H' || b[1] != 'R' {
				return false
			}
			b = b[2:]
		}
		return mod11_10(b)
	})).cases(w("OIB 33392005961"), w("OIB 33392005962", "33392005961")),

	id("id.bg.egn", gdpr, w("егн", "egn"), w("10d"), nil, on(func(b []byte) bool {
		y, m := decimal(b[:2]), decimal(b[2:4])
		switch {
		case m > 40:
			y, m = y+2000, m-40
		case m > 20:
			y, m = y+1800, m-20
		default:
			y += 1900
		}
		return dateOK(y, m, decimal(b[4:6])) && weighted(b, 2, 4, 8, 5, 10, 9, 7, 3, 6)%11%10 == digit(b, 9)
	})).cases(w("ЕГН 7523169263"), w("ЕГН 7542011031", "7523169263")),

	id("id.lt.ak", gdpr, w("asmens kodas", "isikukood", "ak"), w("11d"), nil, on(func(b []byte) bool { return baltic(b, true) })).cases(w("asmens kodas 33309240064"), w("asmens kodas 33309240164")),
	id("id.ee.ik", gdpr, w("isikukood", "ik"), w("11d"), nil, on(func(b []byte) bool { return baltic(b, false) })).cases(w("isikukood 36805280109"), w("isikukood 36805280108")),
	id("id.lv.pk", gdpr, w("personas kods", "pk"), w("11d", "2a11d"), w("6-5"), on(func(b []byte) bool {
		if len(b) == 13 {
			if string(b[:2]) != "LV" {
				return false
			}
			b = b[2:]
		}
		if b[0] > '3' {
			// A legal person's number.
			return (3-weighted(b, 9, 1, 4, 8, 3, 10, 2, 5, 7, 6)%11+22)%11 == digit(b, 10)
		}
		if d := decimal(b[:2]); d != 32 {
			c := [10]int{1800, 1900, 2000}[digit(b, 6)]
			if c == 0 || !dateOK(c+decimal(b[4:6]), decimal(b[2:4]), d) {
				return false
			}
		}
		return (1+weighted(b, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9))%11%10 == digit(b, 10)
	})).cases(w("personas kods 161175-19997"), w("personas kods 161375-19997")),

	id("id.si.emso", gdpr, w("emšo", "emso", "matična", "jmbg", "matični broj"), w("13d"), nil, on(func(b []byte) bool {
		y := decimal(b[4:7])
		if y < 800 {
			y += 2000
		} else {
			y += 1000
		}
		return dateOK(y, decimal(b[2:4]), decimal(b[:2])) && (11-weights(b, "765432765432")%11)%11%10 == digit(b, 12)
	})).cases(w("EMŠO 0101006500006"), w("EMŠO 0101006500007")),

	id("id.ru.inn", w("152-FZ"), w("инн", "inn"), w("10d", "12d"), nil, on(func(b []byte) bool {
		if len(b) == 10 {
			return weighted(b, 2, 4, 10, 3, 5, 9, 4, 6, 8)%11%10 == digit(b, 9)
		}
		return weighted(b, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)%11%10 == digit(b, 10) && weighted(b, 3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)%11%10 == digit(b, 11)
	})).cases(w("ИНН 7727705694"), w("ИНН 7727705695", "7727705694")),
	id("id.ru.snils", w("152-FZ"), w("снилс", "snils"), w("11d"), w("3-3-3 2", "3-3-3-2", "3 3 3 2"), on(func(b []byte) bool {
		return decimal(b[:9]) > 1001998 && weights(b, "987654321")%101%100 == decimal(b[9:])
	})).cases(w("СНИЛС 112-233-445 95"), w("СНИЛС 112-233-445 96")),
	id("id.ua.rntrc", w("UA PDP"), w("рнокпп", "ідентифікаційний", "іпн", "ідентифікаційний номер", "rntrc"), w("10d"), nil, on(func(b []byte) bool {
		sum := (weighted(b, -1, 5, 7, 9, 4, 6, 10, 5, 7)%11 + 11) % 11
		return sum%10 == digit(b, 9)
	})).cases(w("РНОКПП 3039702911"), w("РНОКПП 3039702912", "3039702911")),
}
