package classifiers

import "bytes"

// specialDetectors gives the detectors that have a judge of their own.
func specialDetectors() []Detector {
	return append(append(contactDetectors(), addressDetectors()...), []Detector{
		{ID: "sec.private-key", Level: Restricted, Tags: secretTags, Secret: true,
			Good: []string{"-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEAwHZd1rPpyZ2mPzEsN3xq0w4u5nS1gk5BDk1o8r2Qw3ZyT7uX\nq0w4u5nS1gk5BDk1o8r2Qw3ZyT7uX9aB\n", `"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n"`},
			Bad:  []string{"-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwHZd1rPpyZ2mPzEsN3xq\n", "-----BEGIN RSA PRIVATE KEY-----\n...\n", "the PRIVATE KEY is secret"}},
		{ID: "sec.generic-api-key", Level: Confidential, Tags: secretTags, Secret: true,
			Good: w("genericToken=Zf3D0LXCM3EIMbgJpUNnkRtOfOueHznB", "SONIC_API_KEY=6e2cfe4c8cb1ad52509240119b24713363fa7a07", `var genericToken string = "Zf3D0LXCM3EIMbgJpUNnkRtOfOueHznB"`, "<genericToken>\n    Zf3D0LXCM3EIMbgJpUNnkRtOfOueHznB\n</genericToken>"),
			Bad:  w("public_key=Zf3D0LXCM3EIMbgJpUNnkRtOfOueHznB", "monkey=Zf3D0LXCM3EIMbgJpUNnkRtOfOueHznB", "token = config.secretKey", `api_key = "${API_KEY}"`, "apiKey: process.env.API_KEY", "token_type: Zf3D0LXCM3EIMbgJpUNnkRtOfOueHznB")},
		{ID: "sec.generic-password", Level: Confidential, Tags: secretTags, Secret: true,
			Good: w(`password: "g0aw3e!x"`, "MYSQL_PASSWORD=kzkuiuz046", `pass: ipu0TXEh4BJj6aUojDynQ1`),
			Bad:  w(`password = "password"`, `password: "changeme123"`, "password = getPassword()", `Password: "baz"`, "username/password combination")},
		{ID: "sec.http-auth", Level: Confidential, Tags: append([]string{"PCI DSS 8.3.2"}, secretTags...), Secret: true,
			Good: w("Authorization: Basic YWxpY2U6Y29ycmVjdGhvcnNl", "Authorization: Bearer 7c1c827939166036db637497a399322658b2581ec11b3ee3b64603f06eb04285"),
			Bad:  w("Authorization: Basic login_and_password_removed", "a basic understanding of it", "bearer documentation-of-the-thing")},
		contactsDetector(), sourceDetector(), encryptedDetector(), clearDetector(),
	}...)
}

// judgePrivateKey confirms the armour of a private key (RFC 7468, RFC 4880 6.2)
// by the base64 that follows it, whether lines are real or escaped.
func (s *Scanner) judgePrivateKey(st *Stream, v *window2) {
	b := v.b
	const begin = "-----BEGIN "
	at := v.at - len("PRIVATE KEY")
	from := max(0, at-len(begin)-40)
	i := bytes.LastIndex(b[from:at], []byte(begin))
	if i < 0 {
		return
	}
	start := from + i
	kind := b[start+len(begin) : at]
	for _, c := range kind {
		if !(c >= 'A' && c <= 'Z' || isDigit(c) || c == ' ' || c == '_' || c == '-') {
			return
		}
	}
	rest := b[v.at:]
	rest = bytes.TrimPrefix(rest, []byte(" BLOCK"))
	if !bytes.HasPrefix(rest, []byte("-----")) {
		return
	}
	rest = rest[5:]
	// Count base64 over lines, line escapes and the armour's headers. The
	// headers of encrypted keys hold a colon.
	n, bodyStart := 0, -1
	encrypted := bytes.Contains(kind, []byte("ENCRYPTED"))
	run := 0
	var val [64]byte
	end := len(b)
scan:
	for k := 0; k < len(rest) && n < 64; k++ {
		c := rest[k]
		switch {
		case c == '\\' && k+1 < len(rest) && (rest[k+1] == 'n' || rest[k+1] == 'r' || rest[k+1] == 't' || rest[k+1] == '\\'):
			if rest[k+1] != '\\' {
				k++
			}
			run = 0
		case c == '\n' || c == '\r' || c == ' ' || c == '\t' || c == '"' || c == '\'' || c == '+' && run == 0 || c == ',' || c == '`':
			run = 0
		case c == ':':
			// A header line: what was counted of its name does not count.
			n -= run
			line := rest[k:]
			if e := bytes.IndexAny(line, "\n\\"); e >= 0 {
				if bytes.Contains(line[:e], []byte("ENCRYPTED")) {
					encrypted = true
				}
				k += e - 1
			} else {
				break scan
			}
			run = 0
		case csB64.has(c):
			if bodyStart < 0 {
				bodyStart = k
			}
			if n < len(val) {
				val[n] = c
			}
			n++
			run++
			end = v.at + (len(b[v.at:]) - len(rest)) + k + 1
		case c == '-' && run >= 0 && n > 0:
			break scan
		default:
			break scan
		}
	}
	if n < 64 || placeholder(val[:]) || entropy(val[:]) < 3 {
		return
	}
	level := Restricted
	if encrypted {
		level = Confidential
	}
	s.emit(st, v, uint16(s.c.privateKey), start, end, High, level, val[:])
}
