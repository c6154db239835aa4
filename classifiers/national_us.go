package classifiers

// Identifiers of the United States.

var nationalUS = []*number{
	{
		Detector: Detector{ID: "id.us.ssn", Level: Confidential, Bulk: 10, BulkLevel: Restricted, Tags: []string{"GLBA", "HIPAA", "CCPA"},
			Context: []string{"ssn", "ssns", "social security", "social security number", "soc sec", "ss#", "taxpayer", "tax id", "payroll", "w-2", "ssid", "sozialversicherung", "seguro social", "numéro de sécurité sociale", "previdenza sociale"},
			Against: append([]string{"confirmation", "ticket", "zip", "part"}, orderWords...),
			Good:    []string{"SSN: 219-09-9998", "ssn 536-90-4399", `{"social_security_number":"536904399"}`, "employee 536-90-4399"},
			Bad:     []string{"SSN 000-12-3456", "SSN 666-12-3456", "SSN 900-12-3456", "SSN 078-05-1120", "536904399", "0.536904399", "1-536-90-4399", "536-90-4399-1", "SSN 536-90 4399"}},
		shapes: []string{"9d"}, groups: []string{"3-2-4", "3 2 4", "3.2.4"},
		valid: func(v *value) bool {
			b := v.b
			if v.sep != 0 && (len(v.lens) != 3 || v.lens[0] != 3 || v.lens[1] != 2) || v.sep == '~' || v.sep == '/' || v.sep == ':' {
				return false
			}
			area := decimal(b[:3])
			if area == 0 || area == 666 || area >= 900 || decimal(b[3:5]) == 0 || decimal(b[5:]) == 0 {
				return false
			}
			switch string(b) {
			case "078051120", "219099999", "123456789":
				return false
			}
			return !sameDigits(b) && !(area == 987 && b[3] == '6' && b[4] == '5')
		},
		plain: 1, usual: 2, odd: 0, withContext: 2, lead: leadSSN,
		judge: func(v *value, score int8, ctx bool) int8 {
			if v.sep != 0 && v.sep != '-' && !ctx {
				return min(score, 1)
			}
			if ctx && v.sep == '-' {
				return 3
			}
			return score
		},
	},
	{
		Detector: Detector{ID: "id.us.itin", Level: Confidential, Tags: []string{"GLBA", "IRS 1075"},
			Context: []string{"itin", "taxpayer", "irs", "tax id", "individual taxpayer"},
			Good:    []string{"ITIN 911-70-1234"}, Bad: []string{"ITIN 911-89-1234", "ITIN 811-70-1234"}},
		shapes: []string{"9d"}, groups: []string{"3-2-4", "3 2 4"},
		valid: func(v *value) bool {
			g := decimal(v.b[3:5])
			return v.b[0] == '9' && (g >= 50 && g <= 65 || g >= 70 && g <= 88 || g >= 90 && g <= 92 || g >= 94)
		},
		plain: 1, usual: 1, odd: 1, withContext: 2,
	},
	{
		Detector: Detector{ID: "id.us.dl", Level: Confidential, Tags: []string{"DPPA", "CCPA"},
			Context: []string{"driver s license", "drivers license", "driver license", "driving license", "driver s licence", "dl number", "dl no", "dmv"},
			Good:    []string{"my driver's license number is 6940579", "Driver license F162823540116"}, Bad: []string{"order 6940579", "public license 6940579"}},
		shapes:      []string{"7d", "8d", "9d", "10d", "12d", "a6d", "a7d", "a8d", "a12d", "a13d", "2a6d", "2a7d", "3a6d"},
		valid:       func(v *value) bool { return !sameDigits(v.b) && !stamp(v.b) && !years(v) },
		withContext: 2, humble: true,
		judge: func(v *value, score int8, ctx bool) int8 {
			if !ctx || v.sep != 0 && v.sep != '-' {
				return 0
			}
			return 2
		},
	},
	{
		Detector: Detector{ID: "id.us.passport", Level: Confidential, Tags: []string{"CCPA"},
			Context: []string{"passport", "travel document", "passport number", "passport no"},
			Good:    []string{"US passport number 912803456"}, Bad: []string{"number 912803456"}},
		shapes: []string{"9d", "a8d"}, valid: func(v *value) bool { return v.sep == 0 && !sameDigits(v.b) },
		plain: 1, withContext: 2,
	},
	{
		Detector: Detector{ID: "biz.us.ein", Level: Internal,
			Context: []string{"ein", "employer identification", "fein", "employer id", "w-9", "federal tax id"},
			Good:    []string{"EIN 91-1144442"}, Bad: []string{"91-1144442", "EIN 07-1144442"}},
		shapes: []string{"9d"}, groups: []string{"2-7"},
		valid: func(v *value) bool {
			// Campus prefixes by the IRS; these are not assigned.
			switch decimal(v.b[:2]) {
			case 0, 7, 8, 9, 17, 18, 19, 28, 29, 49, 69, 70, 78, 79, 89, 96, 97:
				return false
			}
			return v.sep == 0 || len(v.lens) == 2 && v.lens[0] == 2
		},
		plain: 1, usual: 1, odd: 0, withContext: 2,
	},
}
