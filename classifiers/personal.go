package classifiers

// Dates of birth, dates and addresses: what makes a person known together with a
// name.

var personal = []*number{
	{
		Detector: Detector{ID: "pii.dob", Level: Confidential, Bulk: 50, BulkLevel: Restricted, Tags: []string{"HIPAA", "GDPR"},
			Context: w("dob", "date of birth", "birth date", "birthdate", "birthday", "born", "geburtsdatum", "geboren", "geb", "date de naissance", "né le", "née le", "fecha de nacimiento", "nacido", "nacida", "data di nascita", "nato il", "nata il", "data urodzenia", "ur"),
			Good:    w("DOB: 1984-07-23", "born 23/07/1984", "Geburtsdatum 23.07.1984"), Bad: w("DOB: 1984-13-23", "built 1984-07-23", "born 1784-07-23")},
		shapes: w("8d", "7d", "6d"), groups: dateGroups,
		valid: func(v *value) bool { y, ok := dateValid(v); return ok && y >= 1900 && y <= 2030 },
		plain: 0, usual: 1, odd: 0, withContext: 2,
	},
	{
		Detector: Detector{ID: "pii.date", Level: Public, Good: w("today is 2024-03-15", "on 5/21/2021"), Bad: w("2024-13-15")},
		shapes:   w("8d", "7d", "6d", "5d", "8da2d", "3a2d", "2d3a"), groups: append(w("4-2-5", "3-2", "2-3", "2/4", "2-4"), dateGroups...),
		valid: func(v *value) bool { _, ok := dateValid(v); return ok },
		plain: 0, usual: 1, odd: 0, withContext: 1,
	},
	{
		Detector: Detector{ID: "pii.uk.postcode", Level: Internal, Tags: w("UK GDPR"), Context: w("postcode", "post code", "postal code", "zip"),
			Good: w("postcode EC2A 1NT"), Bad: w("postcode EC2A 1CT", "EC2A 1NT")},
		shapes: w("a2d2a", "a3d2a", "2a2d2a", "2a3d2a", "adad2a", "2adad2a"), groups: w("2 3", "3 3", "4 3"),
		valid: func(v *value) bool {
			b := v.b
			n := len(b)
			return !v.lower && (v.sep == 0 || len(v.lens) == 2 && v.lens[1] == 3) && !in(b[0], "QVX") && !(isAlpha(b[1]) && in(b[1], "IJZ")) && !in(b[n-1], "CIKMOV") && !in(b[n-2], "CIKMOV")
		},
		plain: 1, usual: 1, odd: 0, withContext: 2,
	},
	id("id.kr.passport", w("PIPA"), w("passport", "korean passport", "여권", "여권번호"), w("a8d", "a3da4d", "2a7d"), nil, func(v *value) bool {
		return v.sep == 0 && in(v.b[0], "MSRODG") && !(isAlpha(v.b[1]) && isDigit(v.b[0]))
	}).cases(w("여권번호 M12345678"), w("M12345678")),
}

var dateGroups = w("4-2-2", "4/2/2", "4.2.2", "2-2-4", "2/2/4", "2.2.4", "1-2-4", "2-1-4", "1/2/4", "2/1/4", "1.2.4", "2.1.4", "2-2-2", "2/2/2", "2.2.2", "1/2/2", "1-2-2", "1.1.4", "1/1/4")

func in(c byte, set string) bool {
	for i := range len(set) {
		if set[i] == c {
			return true
		}
	}
	return false
}

// dateValid confirms a written date and gives its year, 2000 where it has none or
// two digits.
func dateValid(v *value) (year int, ok bool) {
	if v.sep != '-' && v.sep != '/' && v.sep != '.' || v.left != 0 || v.right != 0 {
		return 0, false
	}
	var f [3]int
	b := v.b
	for i, n := range v.lens {
		if i > 2 {
			return 0, false
		}
		p := b[:n]
		b = b[n:]
		if n == 5 && p[2] == 'T' { // ISO 8601: the hour follows
			p = p[:2]
		}
		if isAlpha(p[0]) {
			f[i] = -1
			for m, name := range [...]string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"} {
				if string(p) == name {
					f[i] = m + 1
				}
			}
			if f[i] < 0 {
				return 0, false
			}
			continue
		}
		if !allDigits(p) {
			return 0, false
		}
		f[i] = decimal(p)
	}
	switch {
	case len(v.lens) == 2 && v.lens[1] == 4:
		return f[1], f[0] >= 1 && f[0] <= 12 && f[1] >= 1900 && f[1] <= 2100
	case len(v.lens) == 2:
		return 2000, f[0] >= 1 && f[1] >= 1 && f[0] <= 31 && f[1] <= 31
	case v.lens[0] == 4:
		return f[0], f[0] >= 1800 && f[0] <= 2100 && dateOK(f[0], f[1], f[2])
	}
	y := f[2]
	if v.lens[2] == 2 {
		y += 2000
		return y - 100*btoi(y > 2030), dateOK(y, f[0], f[1]) || dateOK(y, f[1], f[0])
	}
	return y, y >= 1800 && y <= 2100 && (dateOK(y, f[0], f[1]) || dateOK(y, f[1], f[0]))
}
