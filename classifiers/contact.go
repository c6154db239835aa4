package classifiers

import "bytes"

// Contact data and addresses of machines; credentials in URLs; JSON Web Tokens.

func contactDetectors() []Detector {
	return []Detector{
		{ID: "pii.email", Level: Internal, Bulk: 50, BulkLevel: Confidential, Tags: gdpr,
			Good: w("write to jane.doe@mail.example.org today", "user@xn--80ak6aa92e.com"), Bad: w("git@", "a@b", "foo@2x.png", "@Override")},
		{ID: "pii.ip", Level: Internal, Tags: gdpr, Context: w("ip", "host", "server", "address", "client", "src", "dst"),
			Good: w("IP: 192.168.1.1.", "from 10.0.0.5 port 22"), Bad: w("Version 1.2.3", "1.2.3.4.5", "999.1.1.1")},
		{ID: "pay.crypto", Level: Internal, Tags: w("AML"),
			Good: w("send to 16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ now", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"), Bad: w("16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1Boy2", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5")},
		{ID: "sec.url-credentials", Level: Restricted, Tags: secretTags, Secret: true,
			Good: w("ftp://user:kjiskyls@host.internal:23/x", "nats://clientB:hqsoofhw@127.0.0.1:4222"),
			Bad:  w("https://user:password@example.com", "http://host:8080/a@b", "postgres://user:${PASS}@db/x", "https://www.example.com/@user:name")},
		{ID: "sec.jwt", Level: Confidential, Tags: secretTags, Secret: true,
			Good: w("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"),
			Bad:  w("eyJhbGciOiJIUzI1NiJ9", "eyJhbGci.x.y")},
	}
}

// What the local part and the domain of an address are made of.
var csLocal, csHost = set("a-zA-Z0-9._%+-"), set("a-zA-Z0-9.-")

// judgeEmail confirms an address around an at sign (RFC 5321, the forms in use):
// a local part, and a domain with a top-level name.
func (s *Scanner) judgeEmail(st *Stream, v *window2) {
	b := v.b
	at := v.at - 1
	l := at
	for l > 0 && at-l < 64 && csLocal.has(b[l-1]) {
		l--
	}
	for l < at && !isAlnum(b[l]) {
		l++
	}
	r, dots, lastDot := at+1, 0, -1
	for r < len(b) && r-at < 254 && csHost.has(b[r]) {
		if b[r] == '.' {
			if b[r-1] == '.' {
				break
			}
			dots++
			lastDot = r
		}
		r++
	}
	for r > at+1 && (b[r-1] == '.' || b[r-1] == '-') {
		r--
	}
	if lastDot >= r {
		dots--
		lastDot = bytes.LastIndexByte(b[at:r], '.') + at
	}
	if l == at || dots < 1 || lastDot <= at+1 || r-lastDot < 3 || r < len(b) && b[r] == '@' {
		return
	}
	tld := b[lastDot+1 : r]
	puny := hasPrefixFold(tld, "xn--")
	if !puny && (!allAlpha(tld) || len(tld) > 18) {
		return
	}
	if !puny {
		var low [18]byte
		switch string(appendLower(low[:0], tld)) {
		case "png", "jpg", "jpeg", "gif", "svg", "js", "css", "json", "html", "local", "go", "mjs", "webp", "service", "socket", "target", "timer", "mount":
			return
		}
	}
	// The password of a URL's user is no address.
	if l > 2 && (b[l-1] == ':' && bytes.Contains(b[max(0, l-80):l], []byte("://")) || b[l-1] == '/' && b[l-2] == '/') {
		return
	}
	var low [320]byte
	s.emit(st, v, uint16(s.c.email), l, r, High, Internal, appendLower(low[:0], b[l:r]))
}

// judgeIPv4 confirms a dotted quad, around the dot before v.at, that is no version
// or part of a longer number. It gives where the number ends, and whether it is a
// quad.
func (s *Scanner) judgeIPv4(st *Stream, v *window2) (end int, quad bool) {
	b := v.b
	l, r := v.at-1, v.at
	for l > 0 && v.at-l < 18 && (isDigit(b[l-1]) || b[l-1] == '.') {
		l--
	}
	for r < len(b) && r-l < 18 && (isDigit(b[r]) || b[r] == '.') {
		r++
	}
	end = r
	for r > l && b[r-1] == '.' {
		r--
	}
	for l < r && b[l] == '.' {
		l++
	}
	if l > 0 && (isWordByte(b[l-1]) || b[l-1] == '-') || r < len(b) && (isAlpha(b[r]) || b[r] == '_' || (b[r] == '-' || b[r] == '.') && r+1 < len(b) && isAlnum(b[r+1])) {
		return end, false
	}
	octet, digits, dots := 0, 0, 0
	for i := l; i <= r; i++ {
		if i == r || b[i] == '.' {
			if digits == 0 || digits > 3 || octet > 255 || digits > 1 && b[i-digits] == '0' {
				return end, false
			}
			if i < r {
				dots++
			}
			octet, digits = 0, 0
			continue
		}
		octet = octet*10 + int(b[i]-'0')
		digits++
	}
	if dots != 3 {
		return end, false
	}
	if s.c.ipv4 != none && !versionBefore(b[max(0, l-12):l]) {
		s.emit(st, v, uint16(s.c.ipv4), l, r, Medium, Internal, b[l:r])
	}
	return end, true
}

// versionBefore reports whether text ends in a word for a version.
func versionBefore(b []byte) bool {
	b = bytes.TrimRight(b, " :=\"'v")
	return len(b) >= 3 && (hasSuffixFold(b, "version") || hasSuffixFold(b, "ver"))
}

func hasSuffixFold(b []byte, p string) bool {
	return len(b) >= len(p) && bytes.EqualFold(b[len(b)-len(p):], []byte(p))
}

// judgeURL confirms user and password in the authority of a URL (RFC 3986, 3.2).
func (s *Scanner) judgeURL(st *Stream, v *window2) {
	b := v.b
	l := v.at - 3
	for l > 0 && v.at-l < 24 && (isAlnum(b[l-1]) || b[l-1] == '+' || b[l-1] == '.' || b[l-1] == '-') {
		l--
	}
	if v.at-3-l < 2 {
		return
	}
	colon, at := -1, -1
	for i := v.at; i < len(b) && i-v.at < 200; i++ {
		c := b[i]
		if c <= ' ' || c == '/' || c == '?' || c == '"' || c == '\'' || c == '<' || c == '>' || c == '`' || c == '\\' || c >= 0x7f {
			break
		}
		if c == ':' && colon < 0 {
			colon = i
		}
		if c == '@' {
			at = i
		}
	}
	if colon < 0 || at < colon+3 || colon == v.at && at-colon < 6 {
		return
	}
	pass := b[colon+1 : at]
	host := b[at+1 : min(len(b), at+64)]
	if placeholder(pass) || filler(pass) || reference(pass, false) || len(pass) < 4 && allAlpha(pass) {
		return
	}
	if hasPrefixFold(host, "example.") || hasPrefixFold(pass, "pass") || hasPrefixFold(pass, "pwd") || len(host) == 0 || !isAlnum(host[0]) && host[0] != '[' && host[0] != '%' && host[0] != '$' && host[0] != '{' {
		return
	}
	conf := High
	switch {
	case allAlpha(pass) && !gibberish(pass):
		conf = Low
	case sampleUser(b[v.at:colon]) || wordy(pass) || len(pass) < 8:
		conf = Medium
	}
	s.emit(st, v, uint16(s.c.urlCreds), colon+1, at, conf, Restricted, pass)
}

// sampleUser reports whether a user's name is one that documentation gives.
func sampleUser(b []byte) bool {
	switch string(b) {
	case "user", "username", "foo", "bar", "me", "you", "name", "alice", "bob", "jane", "joe", "john", "login", "myuser", "test", "user1", "admin", "userid", "john_doe", "someuser":
		return true
	}
	return false
}

// round reports whether a number ends in five zeros.
func round(b []byte) bool { return len(b) > 5 && string(b[len(b)-5:]) == "00000" }

// judgeJWT confirms a JSON Web Token (RFC 7519) by its header.
func (s *Scanner) judgeJWT(st *Stream, v *window2, n int) {
	b := v.b
	l := v.at - n
	if l > 0 && csURL.has(b[l-1]) && !escape(b, l) {
		return
	}
	h := csURL.run(b[l:], 900)
	if l+h+8 > len(b) || b[l+h] != '.' || h < 17 {
		return
	}
	p := csURL.run(b[l+h+1:], 900)
	if p < 17 {
		return
	}
	end := l + h + 1 + p
	if end < len(b) && b[end] == '.' {
		end += 1 + csURL.run(b[end+1:], 900)
	}
	s.emit(st, v, uint16(s.c.jwt), l, end, High, Confidential, b[l:end])
}

// jwtPrefixes are the base64 of `{"` and a header's or a claim's first letter.
var jwtPrefixes = []string{"eyJh", "eyJ0", "eyJr", "eyJj", "eyJl", "eyJ4", "eyJ6", "eyJ1", "eyJw", "eyJp", "eyJi", "eyJn", "eyJU", "ewog"}

var phoneContext = w("phone", "tel", "telephone", "mobile", "call", "fax", "whatsapp", "telefon", "téléphone", "teléfono", "telefono", "handy", "mobil", "phone number")

var phones = []*number{
	{
		// With a word about it, most ways of writing one.
		Detector: Detector{ID: "pii.phone", Level: Internal, Bulk: 50, BulkLevel: Confidential, Tags: gdpr, Context: phoneContext,
			Good: w("phone: 415-555-0132", "Tel. +49 30 1234567"), Bad: w("2024-03-15", "415.555", "1700000000")},
		shapes: w("7d", "8d", "9d", "10d", "11d", "12d", "13d"),
		groups: w("3-3-4", "3.3.4", "3 3 4", "1-3-3-4", "1 3 3 4", "2 2 2 2 2", "2.2.2.2.2", "3 3 3", "3 4 4", "4 3 4", "4 3 3", "3-4-4", "2-7", "3-7", "5 6", "3 7", "2 7", "1-3-7", "2 8", "3 8"),
		valid:  phoneShape, plain: 1, usual: 1, odd: 1, withContext: 2, joined: true, humble: true,
		judge: func(v *value, score int8, ctx bool) int8 {
			if v.left != 0 && v.left != ' ' || v.right != 0 && v.right != ' ' && v.right != '-' || v.sep == '.' && len(v.lens) > 3 && v.lens[len(v.lens)-1] < 2 {
				return min(score, 1)
			}
			return score
		},
	},
	{
		// By its writing alone: the international form of ITU-T E.123, or the North
		// American one.
		Detector: Detector{ID: "pii.phone", Level: Internal, Good: w("phone (415) 555-0132 now", "write or +49 30 1234567", "Jo Doe, 415-555-0132, x"),
			Bad: w("MX +1924-09909 America/Mexico_City", "US\t+394606-0860929\tIN", "in +10.0.0.0-10.0.0.5", "m=+2.123456789")},
		shapes: w("9d", "10d", "11d", "12d", "13d"), lead: leadPhone, joined: true, valid: phoneShape, plain: 1, usual: 1, odd: 1, withContext: 1,
		judge: func(v *value, score int8, ctx bool) int8 {
			n := len(v.before)
			before := func(i int) byte {
				if n < i {
					return ' '
				}
				return v.before[n-i]
			}
			c := before(1)
			if c == '(' && before(2) == '+' || c == '+' {
				if signed(v) {
					return min(score, 1)
				}
				p := before(2)
				if c == '(' {
					p = before(3)
				}
				if round(v.b) || v.sep == 0 && len(v.b) < 10 || isWordByte(p) || p == '+' || p == '.' || p == ')' || v.b[0] == '0' || v.sep == '+' {
					return min(score, 1)
				}
				return 3
			}
			if v.left != 0 && v.left != ' ' || v.right != 0 && v.right != ' ' || len(v.b) != 10 || len(v.lens) != 3 || v.lens[0] != 3 || v.lens[1] != 3 {
				return min(score, 1)
			}
			// NANP: neither area code nor exchange begins with 0 or 1.
			if v.b[0] < '2' || v.b[3] < '2' || isWordByte(c) || len(v.after) > 0 && isWordByte(v.after[0]) {
				return min(score, 1)
			}
			if v.sep == '-' || v.sep == '.' || c == '(' {
				return max(score, 2)
			}
			return score
		},
	},
}

// signed reports whether the plus sign before a value is that of a coordinate (ISO
// 6709: latitude, then longitude), of a fraction, or of a list of addresses.
func signed(v *value) bool {
	n := len(v.lens)
	switch {
	case n == 2 && v.sep == '-':
		return v.lens[0] == 4 && v.lens[1] == 5 || v.lens[0] == 6 && v.lens[1] == 7
	case n == 2 && v.sep == '.':
		return v.lens[0] < 3
	case n >= 4 && (v.sep == '.' || v.sep == '~'):
		for _, k := range v.lens[1:] {
			if k < 2 {
				return true
			}
		}
	}
	return false
}

// years reports whether a value is two years.
func years(v *value) bool {
	if len(v.b) != 8 || len(v.lens) != 2 || v.lens[0] != 4 {
		return false
	}
	a, b := decimal(v.b[:4]), decimal(v.b[4:])
	return a >= 1900 && a <= 2100 && b >= a && b <= 2100
}

// phoneShape refuses what has digits but is no telephone number: times, dates,
// money, and digits in a longer word.
func phoneShape(v *value) bool {
	b := v.b
	if sameDigits(b) || v.sep == '/' || v.sep == '+' || years(v) || len(v.lens) == 2 && v.lens[0] == 5 && v.lens[1] == 4 && v.sep == '-' {
		return false
	}
	if n := len(v.before); n > 0 && (v.before[n-1] == '.' || v.before[n-1] == '#' || v.before[n-1] == '$' || v.before[n-1] == '_') {
		return false
	}
	if len(b) == 8 && dateOK(decimal(b[:4]), decimal(b[4:6]), decimal(b[6:])) || stamp(b) {
		return false
	}
	if len(v.after) > 0 && v.after[0] == '_' {
		return false
	}
	plus := len(v.before) > 0 && v.before[len(v.before)-1] == '+'
	if v.sep == 0 && !plus && (len(b) < 9 || b[0] == '1' && (len(b) == 10 || len(b) == 13)) {
		return false
	}
	return true
}
