package classifiers

import "bytes"

// National identifiers of the Americas, Asia, Africa and Oceania, and numbers of
// businesses.

var nationalOther = []*number{
	id("id.br.cpf", w("LGPD"), w("cpf", "cadastro de pessoas"), w("11d"), w("3.3.3-2"), on(func(b []byte) bool {
		if sameDigits(b) {
			return false
		}
		c1 := (weighted(b, 10, 9, 8, 7, 6, 5, 4, 3, 2) * 10) % 11 % 10
		c2 := (weighted(b, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2) * 10) % 11 % 10
		return c1 == digit(b, 9) && c2 == digit(b, 10)
	})).cases(w("CPF 390.533.447-05"), w("CPF 390.533.447-06", "39053344705")),
	id("biz.br.cnpj", w("LGPD"), w("cnpj"), w("14d", "12x2d"), w("2.3.3/4-2"), func(v *value) bool {
		if v.sep == '.' {
			return false
		}
		return cnpj(v.b)
	}).lvl(Internal).cases(w("CNPJ 16.727.230/0001-97"), w("CNPJ 16.727.230/0001-98")),
	id("id.ar.cuit", w("PDPA-AR"), w("cuit", "cuil"), w("11d"), w("2-8-1"), on(func(b []byte) bool {
		switch decimal(b[:2]) {
		case 20, 23, 24, 25, 26, 27, 30, 33, 34, 50, 51, 55:
		default:
			return false
		}
		return (11-weights(b, "5432765432")%11)%11 == digit(b, 10) || weights(b, "5432765432")%11 == 1 && b[10] == '9'
	})).cases(w("CUIT 20-05536168-2"), w("CUIT 20-05536168-3", "20055361682")),
	id("id.cl.rut", w("Ley 19.628"), w("rut", "run", "rol único"), w("8d", "7dx", "8dx"), w("8-1", "7-1", "2.3.3-1", "1.3.3-1"), on(func(b []byte) bool {
		n := len(b) - 1
		sum, m := 0, 2
		for i := n - 1; i >= 0; i-- {
			sum += digit(b, i) * m
			if m++; m > 7 {
				m = 2
			}
		}
		return "0123456789K0"[11-sum%11] == b[n]
	})).cases(w("RUT 12.531.909-2"), w("RUT 12.531.909-3", "125319092")),
	id("id.mx.curp", w("LFPDPPP"), w("curp"), w("4a6d6a2x"), nil, on(curp)).strong().cases(w("CURP BOXW310820HNERXN09"), w("CURP BOXW310820HNERXN08")),
	id("id.mx.rfc", w("LFPDPPP"), w("rfc", "registro federal"), w("4a6d3x", "3a6d3x"), w("4-6-3", "4 6 3", "3-6-3", "3 6 3"), on(rfc)).judged(func(v *value, score int8, ctx bool) int8 {
		if !rfcCheck(v.b) && !ctx {
			return min(score, 1)
		}
		return score
	}).meek().cases(w("RFC GODE561231GR8"), w("RFC GODE561331GR8")),
	id("id.co.nit", w("Ley 1581"), w("nit", "cédula", "cedula"), w("8d", "9d", "10d", "11d", "12d", "13d", "14d", "15d", "16d"), w("9-1", "3.3.3-1", "8-1"), on(func(b []byte) bool {
		n := len(b) - 1
		sum := 0
		for i := range n {
			sum += digit(b, n-1-i) * [15]int{3, 7, 13, 17, 19, 23, 29, 37, 41, 43, 47, 53, 59, 67, 71}[i]
		}
		return "01987654321"[sum%11] == b[n]
	})).cases(w("NIT 213.123.432-1"), w("NIT 213.123.435-0", "2131234321")),
	id("id.pe.dni", w("Ley 29733"), w("dni", "cui"), w("8d", "9d", "8da"), w("8-1"), on(func(b []byte) bool {
		if len(b) == 8 {
			return true
		}
		s := weights(b, "32765432") % 11
		return "65432110987"[s] == b[8] || "KJIHGFEDCBA"[s] == b[8]
	})).cases(w("DNI 10117410-2"), w("DNI 10117410-3")),
	id("id.ec.ci", w("LOPDP"), w("cédula", "cedula", "ci"), w("10d"), w("9-1"), on(func(b []byte) bool {
		p := decimal(b[:2])
		return (p >= 1 && p <= 24 || p == 30 || p == 50) && b[2] <= '6' && ecuadorLuhn(b)
	})).cases(w("cédula 171430710-3"), w("cédula 178430710-8", "1714307103")),
	id("biz.uy.rut", nil, w("rut", "dgi"), w("12d", "2a12d"), w("2-6-3-1", "2 6 3 1"), on(func(b []byte) bool {
		if len(b) == 14 {
			if string(b[:2]) != "UY" {
				return false
			}
			b = b[2:]
		}
		p := decimal(b[:2])
		if p < 1 || p > 22 || decimal(b[2:8]) == 0 || string(b[8:11]) != "001" {
			return false
		}
		s := weights(b, "43298765432")
		return (11-s%11)%11 == digit(b, 11)
	})).lvl(Internal).cases(w("RUT 211003420017"), w("RUT 211003420018", "211003420017")),

	id("id.ca.sin", w("PIPEDA"), w("sin", "social insurance", "nas", "assurance sociale"), w("9d"), w("3-3-3", "3 3 3"), func(v *value) bool {
		return v.b[0] != '0' && v.b[0] != '8' && v.sep != '~' && !sameDigits(v.b) && luhn(v.b)
	}).cases(w("SIN 130-692-544", "NAS: 258 933 688"), w("SIN 123-456-783", "130692544")),
	id("id.au.tfn", w("AU Privacy Act"), w("tfn", "tax file", "tax file number"), w("9d", "8d"), w("3 3 3", "3-3-3"), on(func(b []byte) bool {
		if len(b) == 8 {
			return weighted(b, 10, 7, 8, 4, 6, 3, 5, 1)%11 == 0
		}
		return weighted(b, 1, 4, 3, 7, 5, 8, 6, 9, 10)%11 == 0
	})).cases(w("TFN 876 543 210"), w("TFN 824 753 557", "876543210")),
	id("biz.au.abn", nil, w("abn", "australian business"), w("11d"), w("2 3 3 3"), on(func(b []byte) bool {
		return b[0] != '0' && (weighted(b, 10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)-10)%89 == 0
	})).lvl(Internal).cases(w("ABN 51 824 753 556"), w("ABN 51 824 753 557", "51824753556")),
	id("id.nz.ird", w("NZ Privacy Act"), w("ird"), w("8d", "9d"), w("2-3-3", "3-3-3", "7-1"), on(func(b []byte) bool {
		var x [9]byte
		x[0] = '0'
		copy(x[9-len(b):], b)
		if n := decimal(b); n < 10000000 || n > 150000000 {
			return false
		}
		c := (11 - weights(x[:], "32765432")%11) % 11
		if c == 10 {
			c = (11 - weights(x[:], "74325276")%11) % 11
		}
		return c == digit(x[:], 8)
	})).cases(w("IRD 49-091-850"), w("IRD 49-091-851")),
	id("id.in.aadhaar", w("DPDP Act"), w("aadhaar", "aadhar", "uidai", "आधार"), w("12d"), w("4 4 4", "4-4-4", "4:4:4"), on(func(b []byte) bool {
		pal := true
		for i := range 6 {
			pal = pal && b[i] == b[11-i]
		}
		return b[0] >= '2' && !pal && verhoeff(b)
	})).cases(w("Aadhaar 2341 2341 2346"), w("Aadhaar 2341 2341 2347", "234123412346")),
	id("id.in.pan", w("DPDP Act"), w("pan", "permanent account", "income tax", "pan card"), w("5a4da"), nil, on(func(b []byte) bool {
		return bytes.IndexByte([]byte("ABCFGHJLPTK"), b[3]) >= 0 && string(b[5:9]) != "0000"
	})).cases(w("PAN ACUPA7085R"), w("PAN ABMXA3211G")),
	id("biz.in.gstin", nil, w("gstin", "gst"), w("2d5a4dax2x", "2d5a4da3x"), nil, on(gstin)).lvl(Internal).cases(w("GSTIN 27AAPFU0939F1ZV"), w("GSTIN 27AAPFU0939F1ZA")),
	id("id.in.passport", w("DPDP Act"), w("passport", "indian passport"), w("a7d"), nil, on(func(b []byte) bool { return b[1] != '0' })).cases(w("my passport number is T3569075"), w("T3569075")),
	id("id.cn.ric", w("PIPL"), w("身份证", "居民身份", "身份证号码", "id card", "身份證"), w("17dx"), nil, on(func(b []byte) bool {
		p := decimal(b[:2])
		return (p >= 11 && p <= 15 || p >= 21 && p <= 23 || p >= 31 && p <= 37 || p >= 41 && p <= 46 || p >= 50 && p <= 54 || p >= 61 && p <= 65 || p == 71 || p == 81 || p == 82) &&
			(isDigit(b[17]) || b[17] == 'X') && decimal(b[6:10]) > 0 && dateOK(decimal(b[6:10]), decimal(b[10:12]), decimal(b[12:14])) && mod11_2(b)
	})).strong().judged(func(v *value, score int8, _ bool) int8 {
		if y := decimal(v.b[6:10]); y < 1850 || y > 2100 {
			return min(score, 1)
		}
		return score
	}).cases(w("身份证号码360426199101010071"), w("身份证 360426199101010072")),
	id("id.jp.mynumber", w("APPI"), w("マイナンバー", "個人番号", "my number", "mynumber", "individual number"), w("12d"), w("4 4 4", "4-4-4"), on(func(b []byte) bool {
		s := weights(b, "65432765432") % 11
		c := 0
		if s > 1 {
			c = 11 - s
		}
		return c == digit(b, 11)
	})).lvl(Restricted).cases(w("マイナンバー 6214 9832 0257"), w("マイナンバー 6214 9832 0258", "621498320257")),
	id("id.kr.rrn", w("PIPA"), w("주민등록번호", "rrn", "외국인등록번호", "frn", "resident registration"), w("13d"), w("6-7"), func(v *value) bool {
		b := v.b
		g := digit(b, 6)
		if g == 0 {
			return false
		}
		c := [10]int{1800, 1900, 1900, 2000, 2000, 1900, 1900, 2000, 2000, 1800}[g]
		y := c + decimal(b[:2])
		if !dateOK(y, decimal(b[2:4]), decimal(b[4:6])) || decimal(b[7:9]) > 96 {
			return false
		}
		s := 11 - weights(b, "234567892345")%11
		return s%10 == digit(b, 12) || g >= 5 && g <= 8 && (s+2)%10 == digit(b, 12)
	}).lvl(Restricted).cases(w("주민등록번호 971013-9019902"), w("주민등록번호 971013-9019903")),
	id("id.kr.passport", w("PIPA"), w("passport", "여권"), w("a8d", "a3da4d"), nil, on(func(b []byte) bool {
		return bytes.IndexByte([]byte("MSROD"), b[0]) >= 0
	})).cases(w("Korean passport M12345678"), w("M12345678")),
	id("id.sg.nric", w("PDPA-SG"), w("nric", "fin", "singapore"), w("a7da"), nil, on(func(b []byte) bool {
		s := weights(b[1:], "2765432")
		switch b[0] {
		case 'S':
			return "JZIHGFEDCBA"[s%11] == b[8]
		case 'T':
			return "JZIHGFEDCBA"[(s+4)%11] == b[8]
		case 'F':
			return "XWUTRQPNMLK"[s%11] == b[8]
		case 'G':
			return "XWUTRQPNMLK"[(s+4)%11] == b[8]
		case 'M':
			return "XWUTRQPNJLK"[10-(s+3)%11] == b[8]
		}
		return false
	})).strong().cases(w("NRIC S1234567D"), w("NRIC S1234567A")),
	id("id.hk.hkid", w("PDPO"), w("hkid", "身份證", "hong kong id", "香港身份證"), w("a6d", "2a6d", "a6dx", "2a6dx"), nil, func(v *value) bool { return hkid(v) }).
		cases(w("HKID A123456(3)", "HKID: A1234563"), w("HKID A123456(4)")),
	id("id.tw.id", w("PDPA-TW"), w("身分證", "national id", "身份證字號", "taiwan"), w("a9d"), nil, on(func(b []byte) bool {
		if b[1] != '1' && b[1] != '2' && b[1] != '8' && b[1] != '9' {
			return false
		}
		n := bytes.IndexByte([]byte("ABCDEFGHJKLMNPQRSTUVXYWZIO"), b[0]) + 10
		s := n/10 + n%10*9 + weights(b[1:], "87654321") + digit(b, 9)
		return s%10 == 0
	})).cases(w("身分證 A123456789"), w("身分證 A123456788")),
	id("id.th.nid", w("PDPA-TH"), w("เลขบัตรประชาชน", "national id", "thai id", "เลขประจำตัวประชาชน", "tnin"), w("13d"), w("1-4-5-2-1", "1 4 5 2 1"), on(func(b []byte) bool {
		return b[0] >= '1' && (11-weighted(b, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2)%11)%10 == digit(b, 12)
	})).cases(w("เลขบัตรประชาชน 1-1009-00359-65-7", "national id 3509900736907"), w("national id 3509900736908")),
	id("id.id.nik", w("UU PDP"), w("nik", "ktp", "nomor induk"), w("16d"), nil, on(func(b []byte) bool {
		p, d := decimal(b[:2]), decimal(b[6:8])
		if d > 40 {
			d -= 40
		}
		return p >= 11 && p <= 94 && decimal(b[2:4]) > 0 && shortDateOK(decimal(b[10:12]), decimal(b[8:10]), d) && nikProvince(p)
	})).cases(w("NIK 3171011708450001"), w("NIK 3171013208450001")),
	id("id.my.nric", w("PDPA-MY"), w("mykad", "nric", "ic no", "kad pengenalan"), w("12d"), w("6-2-4"), on(func(b []byte) bool {
		p := decimal(b[6:8])
		if p == 0 || p >= 17 && p <= 20 || p == 69 || p == 70 || p == 73 || p >= 80 && p <= 81 || p >= 94 && p <= 97 {
			return false
		}
		return shortDateOK(decimal(b[:2]), decimal(b[2:4]), decimal(b[4:6]))
	})).cases(w("MyKad 770305-02-1234"), w("MyKad 773505-02-1234", "770305021234")),
	id("id.pk.cnic", nil, w("cnic", "nadra"), w("13d"), w("5-7-1"), func(v *value) bool {
		return v.b[0] >= '1' && v.b[0] <= '7' && v.b[12] != '0'
	}).cases(w("CNIC 42201-0397640-8"), w("CNIC 92201-0397640-8")),
	id("id.ph.tin", w("DPA-PH"), w("tin", "bir", "tax id", "taxpayer identification"), w("9d", "12d"), w("3-3-3", "3-3-3-3"), func(v *value) bool {
		return v.sep == 0 && len(v.b) == 12 || v.sep == '-' && len(v.lens) >= 3
	}).cases(w("TIN: 000-123-456-000"), w("123456789")),
	id("id.za.id", w("POPIA"), w("id number", "rsa id", "sa id", "south african id", "identity number"), w("13d"), w("6 4 3", "6 4 2 1"), on(func(b []byte) bool {
		return b[10] <= '2' && shortDateOK(decimal(b[:2]), decimal(b[2:4]), decimal(b[4:6])) && luhn(b)
	})).cases(w("RSA ID 8001015009087"), w("RSA ID 8001015009088")),
	id("id.ng.nin", w("NDPA"), w("nin", "nimc", "national identification number"), w("11d"), nil, on(func(b []byte) bool { return verhoeff(b) && !sequence(b) })).
		cases(w("NIN 34567890131"), w("NIN 34567890132", "34567890131")),
	id("id.il.id", w("IL PPL"), w("תעודת זהות", "teudat zehut", "israeli id", "זהות"), w("9d", "8d"), w("8-1", "1-7-1"), on(func(b []byte) bool {
		sum := 0
		for i := range b {
			d := digit(b, len(b)-1-i)
			if i&1 == 1 {
				d = d*2/10 + d*2%10
			}
			sum += d
		}
		return sum%10 == 0 && decimal(b) > 0
	})).cases(w("teudat zehut 39337423"), w("teudat zehut 39337424")),
	id("id.tr.tckn", w("KVKK"), w("tc kimlik", "tckn", "kimlik no", "kimlik numarası", "t.c. kimlik"), w("11d"), nil, on(func(b []byte) bool {
		if b[0] == '0' {
			return false
		}
		odd, even, all := 0, 0, 0
		for i := range 9 {
			if i&1 == 0 {
				odd += digit(b, i)
			} else {
				even += digit(b, i)
			}
		}
		all = odd + even + digit(b, 9)
		return ((odd*7-even)%10+10)%10 == digit(b, 9) && all%10 == digit(b, 10)
	})).cases(w("TC Kimlik 17291716060"), w("TC Kimlik 17291716061", "17291716060")),
	id("id.ae.eid", w("UAE PDPL"), w("emirates id", "هوية", "الهوية"), w("15d"), w("3-4-7-1"), on(func(b []byte) bool {
		y := decimal(b[3:7])
		return string(b[:3]) == "784" && y >= 1900 && y <= 2026 && luhn(b)
	})).strong().cases(w("Emirates ID 784-1990-1234567-6"), w("Emirates ID 784-1990-1234567-7")),
	id("id.sa.nid", w("PDPL-SA"), w("iqama", "هوية", "national id", "الهوية الوطنية"), w("10d"), nil, on(func(b []byte) bool {
		return (b[0] == '1' || b[0] == '2') && luhn(b)
	})).cases(w("Iqama 2000000006"), w("Iqama 2000000007", "2000000006")),
	id("id.eg.nid", w("EG PDPL"), w("الرقم القومي", "egyptian id", "national id"), w("14d"), nil, on(func(b []byte) bool {
		if b[0] != '2' && b[0] != '3' {
			return false
		}
		g := decimal(b[7:9])
		return dateOK(1900+100*(digit(b, 0)-2)+decimal(b[1:3]), decimal(b[3:5]), decimal(b[5:7])) && (g >= 1 && g <= 4 || g >= 11 && g <= 19 || g >= 21 && g <= 29 || g >= 31 && g <= 35 || g == 88)
	})).cases(w("national id 29001011234567"), w("national id 29013011234567", "29001011234567")),
	id("biz.vn.mst", nil, w("mst", "mã số thuế", "ma so thue"), w("10d", "13d"), w("10-3"), on(func(b []byte) bool {
		if len(b) == 13 && string(b[10:]) == "000" || decimal(b[2:9]) == 0 {
			return false
		}
		return 10-weighted(b, 31, 29, 23, 19, 17, 13, 7, 5, 3)%11 == digit(b, 9)
	})).lvl(Internal).cases(w("MST 0100233488"), w("MST 0100233489", "0100233488")),

	id("biz.eu.vat", nil, w("vat", "ust-id", "ust id", "tva", "btw", "umsatzsteuer", "vat number", "vat id", "iva", "moms", "nip", "partita iva", "ustidnr"), vatShapes(), nil, vatValid).lvl(Internal).cases(w("VAT DE136695976", "USt-ID DE 136 695 976"), w("VAT DE136695978")),
	{
		Detector: Detector{ID: "pay.bic", Level: Internal, Tags: w("GLBA"), Context: w("swift", "bic", "iban", "beneficiary bank", "swift code", "bic code"), Good: w("SWIFT: DEUTDEFF500", "BIC COBADEFFXXX"), Bad: w("the word RMABBTBT", "swift DEUTZZFF")},
		shapes:   w("6a2x", "6a5x"), groups: w("4 2 2", "4 2 2 3"), valid: func(v *value) bool {
			return (v.sep == 0 || v.sep == ' ' && v.lens[0] == 4) && !v.lower && isCountry(v.b[4:]) && v.b[7] != 'O'
		}, plain: 1, usual: 1, withContext: 2, anchors: w("swift", "swift code", "bic:", "bic code", "iban"),
	},
	id("pii.imei", gdpr, w("imei", "device", "handset"), w("14d", "15d", "16d"), w("2-6-6-1", "8-6-1", "6-2-6-1", "2 6 6 1", "2-6-6", "8-6-2"), func(v *value) bool {
		if len(v.b) == 15 {
			return luhn(v.b)
		}
		return true
	}).lvl(Internal).cases(w("IMEI 49-015420-323751-8"), w("IMEI 49-015420-323751-9", "490154203237518")),
	id("pii.vin", w("DPPA"), w("vin", "vehicle", "chassis"), w("17x"), nil, on(vin)).lvl(Internal).cases(w("VIN 1M8GDM9AXKP042788"), w("VIN 1M8GDM9A1KP042788")),

	id("health.us.npi", w("HIPAA"), w("npi", "provider", "taxonomy"), w("10d"), w("4-3-3", "4 3 3"), on(func(b []byte) bool {
		var x [15]byte
		copy(x[:], "80840")
		copy(x[5:], b)
		return (b[0] == '1' || b[0] == '2') && luhn(x[:])
	})).lvl(Internal).cases(w("NPI: 1234567893"), w("NPI 1234567894", "1234567893")),
	id("health.us.dea", w("HIPAA", "21 CFR 1301"), w("dea", "prescriber", "controlled substance", "certificate number"), w("2a7d", "ad7d"), nil, on(func(b []byte) bool {
		d := b[2:]
		return bytes.IndexByte([]byte("ABCDEFGHJKLMPRSTUX"), b[0]) >= 0 && (digit(d, 0)+digit(d, 2)+digit(d, 4)+2*(digit(d, 1)+digit(d, 3)+digit(d, 5)))%10 == digit(d, 6)
	})).cases(w("DEA BB1388568"), w("DEA BB1388569")),
	{
		Detector: Detector{ID: "health.us.mbi", Level: Confidential, Tags: w("HIPAA"), Context: w("medicare", "mbi", "beneficiary", "patient"), Good: w("MBI 1EG4-TE5-MK73", "Patient 1EG4TE5MK73"), Bad: w("MBI 1EG4-TE5-MI73")},
		shapes:   w("daxdaxd2a2d"), groups: w("4-3-4"), valid: func(v *value) bool {
			for _, c := range v.b {
				if bytes.IndexByte([]byte("SLOIBZ"), c) >= 0 {
					return false
				}
			}
			return v.b[0] != '0'
		}, plain: 1, usual: 2, odd: 0, withContext: 3,
	},
	id("health.uk.nhs", w("UK GDPR art. 9"), w("nhs", "national health", "nhs number"), w("10d"), w("3 3 4", "3-3-4"), on(func(b []byte) bool {
		return !sameDigits(b) && (11-weighted(b, 10, 9, 8, 7, 6, 5, 4, 3, 2)%11)%11 == digit(b, 9)
	})).cases(w("NHS number 943 476 5919"), w("NHS number 943 476 5918", "9434765919")),
	id("health.de.kvnr", w("GDPR art. 9"), w("krankenversicherung", "kvnr", "egk", "krankenversichertennummer", "versichertennummer"), w("a9d"), nil, on(func(b []byte) bool {
		var x [11]byte
		l := b[0] - 'A' + 1
		x[0], x[1] = '0'+l/10, '0'+l%10
		copy(x[2:], b[1:])
		sum := 0
		for i, c := range x[:10] {
			d := int(c-'0') * (1 + i&1)
			sum += d/10 + d%10
		}
		return sum%10 == digit(x[:], 10)
	})).cases(w("KVNR A123456780"), w("KVNR A123456787")),
	id("health.au.medicare", w("AU Privacy Act"), w("medicare"), w("10d", "11d"), w("4 5 1", "4-5-1"), on(func(b []byte) bool {
		return b[0] >= '2' && b[0] <= '6' && weights(b, "13791379")%10 == digit(b, 8)
	})).cases(w("Medicare 2123 45670 1"), w("Medicare 2123 25870 1")),
}

func cnpj(b []byte) bool {
	// Since 2026 the first twelve may be letters; values are the codes minus 48.
	val := func(i int) int { return int(b[i]) - '0' }
	check := func(n int) int {
		s, m := 0, 2
		for i := n - 1; i >= 0; i-- {
			s += val(i) * m
			if m++; m > 9 {
				m = 2
			}
		}
		if s %= 11; s < 2 {
			return 0
		}
		return 11 - s
	}
	return !sameDigits(b) && check(12) == val(12) && check(13) == val(13)
}

func ecuadorLuhn(b []byte) bool {
	s := 0
	for i, c := range b {
		d := int(c - '0')
		if i&1 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		s += d
	}
	return s%10 == 0
}

var curpStates = "ASBCBSCCCSCHCLCMDFDGGTGRHGJCMCMNMSNTNLOCPLQTQRSPSLSRTCTLTSVZYNZSNE"

func curp(b []byte) bool {
	y := 1900 + decimal(b[4:6])
	if !isDigit(b[16]) {
		y += 100
	}
	if !dateOK(y, decimal(b[6:8]), decimal(b[8:10])) || b[10] != 'H' && b[10] != 'M' || !isDigit(b[17]) {
		return false
	}
	ok := false
	for i := 0; i < len(curpStates); i += 2 {
		ok = ok || curpStates[i:i+2] == string(b[11:13])
	}
	if !ok {
		return false
	}
	s := 0
	for i, c := range b[:17] {
		// The alphabet has Ñ between N and O.
		v := letterValue(c)
		if c > 'N' {
			v++
		}
		s += v * (18 - i)
	}
	return (10-s%10)%10 == digit(b, 17)
}

func rfc(b []byte) bool {
	d := len(b) - 9
	if !shortDateOK(decimal(b[d:d+2]), decimal(b[d+2:d+4]), decimal(b[d+4:d+6])) {
		return false
	}
	c := b[d+6:]
	return c[0] != '0' && c[0] <= 'V' && c[1] != '0' && (isDigit(c[2]) || c[2] == 'A')
}

// rfcCheck confirms the check digit, which a share of the numbers in use gets
// wrong.
func rfcCheck(b []byte) bool {
	const alphabet = "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ "
	var x [13]byte
	x[0] = ' '
	copy(x[13-len(b):], b)
	s := 0
	for i, c := range x[:12] {
		s += bytes.IndexByte([]byte(alphabet), c) * (13 - i)
	}
	return "0A987654321"[s%11] == b[len(b)-1]
}

func gstin(b []byte) bool {
	state := decimal(b[:2])
	if state < 1 || state > 38 && state != 97 && state != 99 || bytes.IndexByte([]byte("ABCFGHJLPTK"), b[5]) < 0 || b[12] == '0' || b[13] != 'Z' {
		return false
	}
	s := 0
	for i, c := range b[:14] {
		v := letterValue(c) * (1 + i&1)
		s += v/36 + v%36
	}
	return (36-s%36)%36 == letterValue(b[14])
}

// hkid confirms a Hong Kong identity card number, its check character at the end
// or in parentheses after it.
func hkid(v *value) bool {
	b := v.b
	k := 1
	if isAlpha(b[1]) {
		k = 2
	}
	var check byte
	n := b
	switch len(b) - k {
	case 6:
		if len(v.after) < 3 || v.after[0] != '(' || v.after[2] != ')' {
			return false
		}
		check = v.after[1]
	case 7:
		n, check = b[:len(b)-1], b[len(b)-1]
	default:
		return false
	}
	s := 0
	if k == 1 {
		s = 36 * 9 // a blank before the letter
	}
	for i, c := range n {
		s += letterValue(c) * (len(n) + 1 - i)
	}
	c := (11 - s%11) % 11
	return c == 10 && check == 'A' || c < 10 && check == byte('0'+c)
}

func nikProvince(p int) bool {
	switch p {
	case 11, 12, 13, 14, 15, 16, 17, 18, 19, 21, 31, 32, 33, 34, 35, 36, 51, 52, 53, 61, 62, 63, 64, 65, 71, 72, 73, 74, 75, 76, 81, 82, 91, 92, 93, 94:
		return true
	}
	return false
}

func vin(b []byte) bool {
	s, letters := 0, 0
	for i, c := range b {
		v := 0
		switch {
		case isDigit(c):
			v = int(c - '0')
		case c == 'I' || c == 'O' || c == 'Q':
			return false
		default:
			letters++
			v = [26]int{1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4, 5, 0, 7, 0, 9, 2, 3, 4, 5, 6, 7, 8, 9}[c-'A']
		}
		s += v * [17]int{8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2}[i]
	}
	return letters >= 2 && "0123456789X"[s%11] == b[8]
}

func vatShapes() []string {
	var out []string
	for n := 4; n <= 15; n++ {
		out = append(out, "2a"+itoa(n)+"x")
	}
	return out
}
