package classifiers

import "bytes"

// Secrets that have no form of their own are known by the name they are given:
// name, operator, value. The name nominates; the value must look like a secret
// and not like a word, a path, a reference or filler. Such a finding is of medium
// confidence at most: it never blocks alone.

// assignKeywords are what names of secrets contain, in lower case.
var assignKeywords = []string{"token", "secret", "passw", "passphrase", "_pass", "pass:", "pass=", "pass\"", "_pwd", "pwd:", "pwd=", "pwd\"", "pwd ", "apikey", "api_key", "api-key", "api key", "access_key", "accesskey", "access-key", "access key",
	"auth_key", "auth-key", "authkey", "credential", "creds", "private_key", "privatekey", "nkey", "_key", "-key", "key=", "key:", "key\"", "key'", "key ", "bearer ", "basic ", "client_id", "clientid", "client-id", "nonce", "x-vault", "authorization"}

// nameTail is how far a name may go on after the keyword.
const nameTail = 40

// maxSecret bounds the length of a value; longer ones are judged by their beginning.
const maxSecret = 256

// judgeAssign reads what the name at the hit is given.
func (s *Scanner) judgeAssign(st *Stream, v *window2, n int) {
	b := v.b
	start := v.at - n
	i := v.at
	word := b[start:v.at]
	// The hit may have taken an operator or a quote with it.
	for i > start && !isAlnum(b[i-1]) {
		i--
	}
	scheme := false
	switch {
	case hasPrefixFold(word, "bearer"), hasPrefixFold(word, "basic"):
		scheme = true
	}
	if scheme {
		s.judgeScheme(st, v, start, i)
		return
	}
	// The name must not be the beginning of another word: "keyboard", "monkey=".
	nameStart := start
	for nameStart > 0 && start-nameStart < nameTail && (isAlnum(b[nameStart-1]) || b[nameStart-1] == '_' || b[nameStart-1] == '-' || b[nameStart-1] == '.') {
		nameStart--
	}
	end := i
	for end < len(b) && end-i < nameTail && (isAlnum(b[end]) || b[end] == '_' || b[end] == '-' || b[end] == '.') {
		end++
	}
	name := b[nameStart:end]
	kind := nameKind(name)
	if kind == nameOther || hasSuffixFold(bytes.TrimRight(b[max(0, nameStart-8):nameStart], " "), "public") {
		return
	}
	vs, ve, quoted, ok := assigned(b, end)
	if !ok {
		return
	}
	value := b[vs:ve]
	// A value that goes on with a scheme: "Authorization: Bearer …".
	det := s.c.assign
	if kind == namePassword {
		det = s.c.password
	}
	if det == none {
		return
	}
	conf, ok := secretValue(value, kind, quoted)
	if !ok {
		return
	}
	s.emit(st, v, uint16(det), vs, ve, conf, s.c.dets[det].Level, value)
}

type nameKindType uint8

const (
	nameOther nameKindType = iota
	nameKey
	nameSecret
	namePassword
)

// nameKind tells what a name promises, by its last words.
func nameKind(name []byte) nameKindType {
	if len(name) > 80 {
		return nameOther
	}
	var buf [80]byte
	low := appendLower(buf[:0], name)
	m := maskOf(low)
	if innocentNames.in(low, m) || publicNames.in(low, m) && !secretWord.in(low, m) {
		return nameOther
	}
	switch {
	case passwordNames.in(low, m):
		return namePassword
	case secretNames.in(low, m):
		return nameSecret
	case keyNames.in(low, m):
		return nameKey
	}
	return nameOther
}

// Names of what is no secret, and of what is, by what they contain.
var (
	innocentNames = needlesOf("pubkey", "keyword", "keyboard", "keypress", "keymap", "monkey", "hotkey", "turkey", "tokenize", "tokenizer", "passport", "compass", "bypass", "passive", "passthrough", "passed", "primary_key", "primarykey", "foreign_key", "foreignkey", "sort_key", "partition_key", "cache_key", "keyframe", "keycode",
		"keyname", "key_name", "secretname", "secret_name", "keyid", "key_id", "keytype", "key_type", "keysize", "key_size", "keystore_type", "token_type", "tokentype", "token_url", "tokenurl", "endpoint", "token_uri", "keyfile", "key_file", "key-file", "key_path", "keypath", "password_file", "passwordfile", "secretref", "secret_ref", "username", "keyvault", "keylen", "key_len")
	publicNames   = needlesOf("public")
	secretWord    = needlesOf("secret")
	passwordNames = needlesOf("pass", "pwd")
	secretNames   = needlesOf("secret", "token", "apikey", "api_key", "api-key", "accesskey", "access_key", "access-key", "authkey", "auth_key", "auth-key", "credential", "creds", "private_key", "privatekey", "nkey", "nonce")
	keyNames      = needlesOf("key", "auth", "clientid", "client_id", "client-id")
)

// What stands after a name, around its operator, and after a value without quotes.
var (
	csClosing  = set("\"'`\\])")
	csBlank    = set(" \t")
	csOperator = set("=:>|?(,-")
	csEnding   = set(",;)]}<>&\"'`|\\")
)

// assigned finds the value that a name ending at b[i] is given: after an operator
// ("=", ":", "=>", ":=", "->", a tag's end …), quotes stripped. A type's name may
// stand between.
func assigned(b []byte, i int) (start, end int, quoted, ok bool) {
	limit := min(len(b), i+64)
	skip := func(set *charset) int {
		n := 0
		for i < limit && set.has(b[i]) {
			i++
			n++
		}
		return n
	}
	skip(csClosing)
	if bytes.HasPrefix(b[min(i, len(b)):], []byte("&quot;")) {
		i += 6
	}
	skip(csBlank)
	// "var t string = …"
	if i < limit && isAlpha(b[i]) {
		n := 0
		for i+n < limit && (isAlnum(b[i+n]) || b[i+n] == '*') {
			n++
		}
		k := i + n
		for k < limit && b[k] == ' ' {
			k++
		}
		if k < limit && (b[k] == '=' || bytes.HasPrefix(b[k:], []byte(":="))) && n < 24 {
			i = k
		} else if string(b[i:i+n]) == "is" || string(b[i:i+n]) == "value" {
			i = k
			return valueAt(b, i)
		}
	}
	ops := skip(csOperator)
	if ops == 0 || ops > 4 {
		return 0, 0, false, false
	}
	for i < limit && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r' || b[i] == '=' || b[i] == '>') {
		i++
	}
	return valueAt(b, i)
}

// valueAt reads a value at b[i]: in quotes to the closing one, else to the next
// separator.
func valueAt(b []byte, i int) (start, end int, quoted, ok bool) {
	if i >= len(b) {
		return 0, 0, false, false
	}
	var quote byte
	for i < len(b) && (b[i] == '\\' || b[i] == '"' || b[i] == '\'' || b[i] == '`') {
		if b[i] != '\\' {
			quote = b[i]
		}
		i++
	}
	if bytes.HasPrefix(b[i:], []byte("&#39;")) || bytes.HasPrefix(b[i:], []byte("&#34;")) {
		i += 5
		quote = '&'
	}
	start = i
	for i < len(b) && i-start < maxSecret {
		c := b[i]
		if c == '\n' || c == '\r' || c == 0 {
			break
		}
		if quote != 0 {
			if c == quote || c == '\\' && i+1 < len(b) && (b[i+1] == quote || b[i+1] == 'n') {
				break
			}
		} else if c <= ' ' || csEnding.has(c) {
			break
		}
		i++
	}
	return start, i, quote != 0, i > start
}

// secretValue judges a value by the name it was given to.
func secretValue(b []byte, kind nameKindType, quoted bool) (Confidence, bool) {
	for len(b) > 0 && (b[len(b)-1] == '.' || b[len(b)-1] == ' ') {
		b = b[:len(b)-1]
	}
	lower, upper, digits, other := classes(b)
	if len(b) < 6 {
		return 0, false
	}
	m := maskOf(b)
	if placeholderOf(b, m) || fillerOf(b, m) {
		return 0, false
	}
	space := bytes.IndexByte(b, ' ') >= 0
	if referenceOf(b, m, quoted) || space && kind != namePassword {
		return 0, false
	}
	letters := lower + upper
	switch kind {
	case namePassword:
		if space || len(b) > 64 && digits == 0 {
			return 0, false
		}
		if lower > 0 && digits == 0 && upper == 0 && other == 0 {
			// Letters alone: a word, unless no language has it.
			return Medium, len(b) >= 8 && gibberish(b)
		}
		if letters == 0 {
			return 0, false
		}
		if kinds := (btoi(lower > 0) + btoi(upper > 0) + btoi(digits > 0) + btoi(other > 0)); kinds < 2 || !quoted && digits == 0 {
			return 0, false
		}
		if digits == 0 && other == 0 || wordy(b) {
			return Medium, gibberish(b)
		}
		return Medium, len(b) >= 8 || digits > 0 && other > 0
	case nameSecret, nameKey:
		min := 10
		if kind == nameKey {
			min = 16
		}
		if len(b) < min || letters == 0 && other == 0 && kind == nameKey {
			return 0, false
		}
		e := entropy(b)
		if digits == 0 {
			return Medium, kind == nameSecret && len(b) >= 14 && letters == len(b) && e > 3 && gibberish(b) && !camel(b)
		}
		if letters == 0 && len(b) < 16 {
			return 0, false
		}
		limit := 3.0
		if kind == nameKey {
			limit = 3.3
		}
		if digits < 2 && len(b) < 20 && other > 0 || 2*letters > len(b) && wordy(b) {
			return 0, false
		}
		return Medium, e >= limit || hexOnly(b) && len(b) >= 32 && e >= 2.5
	}
	return 0, false
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func hexOnly(b []byte) bool {
	for _, c := range b {
		if !isHex(c) {
			return false
		}
	}
	return true
}

// fillers are words that tell a value to be none.
var fillers = needlesOf("example", "changeme", "change_me", "placeholder", "anoncvs", "anonymous", "redacted", "removed", "dummy", "password", "passwd", "secret", "insert", "replace", "your", "xxxx", "****", "....", "todo", "none", "null", "undefined", "default", "foobar", "foo", "letmein", "qwerty", "sample", "fake", "invalid", "hidden", "notreal", "admin", "token", "mock", "test", "abcdef", "enter_", "optional", "required", "string", "0x")

// filler reports whether a value is one of the things that stand where a secret
// would.
func filler(b []byte) bool { return fillerOf(b, maskOf(b)) }

// fillerOf is filler for a value whose mask is known.
func fillerOf(b []byte, m uint64) bool {
	if len(b) > 200 {
		return false
	}
	var buf [200]byte
	var low []byte
	for i := range fillers {
		f := &fillers[i]
		if f.mask&^m != 0 {
			continue
		}
		if low == nil {
			low = appendLower(buf[:0], b)
		}
		at, n := bytes.Index(low, f.text), len(f.text)
		if at >= 0 && (n*3 >= len(b) || at == 0 && n > 4 || n >= 6 && len(b) < 32) {
			return true
		}
	}
	return sequence(b)
}

// reference reports whether a value is code or a pointer to a secret rather than
// one: a variable, a call, a path, a template, a URL.
func reference(b []byte, quoted bool) bool { return referenceOf(b, maskOf(b), quoted) }

// referenceOf is reference for a value whose mask is known.
func referenceOf(b []byte, m uint64, quoted bool) bool {
	switch b[0] {
	case '$', '%', '<', '{', '(', '[', '@', '&', '/', '~', '*', '#':
		if !(quoted && (b[0] == '%' || b[0] == '#' || b[0] == '@' || b[0] == '*' || b[0] == '&' || b[0] == '$' && len(b) > 1 && b[1] != '{' && b[1] != '(')) {
			return true
		}
	}
	if codeMarks.in(b, m) {
		return true
	}
	if !quoted {
		if bytes.IndexByte(b, '(') >= 0 || bytes.IndexByte(b, '[') >= 0 || bytes.IndexByte(b, '{') >= 0 {
			return true
		}
	}
	// Dotted names: config.secretKey, application.properties.
	dots := bytes.Count(b, dot)
	if dots > 0 {
		_, _, digits, _ := classes(b)
		if digits == 0 || dots >= 1 && digits*6 < len(b) && !quoted {
			return true
		}
	}
	return bytes.Count(b, slash) >= 2 && wordy(b)
}

// codeMarks stand in code and templates.
var codeMarks = needlesOf("${", "{{", "}}", "<%", "$(", "://", "()", "[]", "->", "::", "==", "&&", "||", "os.environ", "getenv", "ENV[", "process.env", "%s", "%v", "%d", "://")

// camel reports whether letters look like an identifier in camelCase.
func camel(b []byte) bool {
	humps, run := 0, 0
	for i := 1; i < len(b); i++ {
		if b[i] >= 'A' && b[i] <= 'Z' {
			if run >= 3 {
				humps++
			}
			run = 0
		} else {
			run++
		}
	}
	return humps >= 1 && humps*12 >= len(b)-12
}

// wordy reports whether a value is put together of words: with separators, every
// piece of letters being pronounceable, and few digits.
func wordy(b []byte) bool {
	words, odd, i := 0, 0, 0
	for i < len(b) {
		j := i
		for j < len(b) && isAlpha(b[j]) && !(j > i && b[j] < 'a' && b[j-1] >= 'a') {
			j++
		}
		if j-i >= 4 {
			if gibberish(b[i:j]) {
				odd++
			} else {
				words += j - i
			}
		}
		if j == i {
			j++
		}
		i = j
	}
	return odd == 0 && words*2 > len(b)
}

// judgeScheme confirms the credentials of an HTTP Authorization header (RFC 7617,
// RFC 6750): what follows "Basic " or "Bearer ".
func (s *Scanner) judgeScheme(st *Stream, v *window2, start, i int) {
	if s.c.httpAuth == none {
		return
	}
	b := v.b
	if start > 0 && isAlnum(b[start-1]) {
		return
	}
	basic := b[start]|0x20 == 'b' && b[start+1]|0x20 == 'a'
	k := i
	for k < len(b) && b[k] == ' ' {
		k++
	}
	n := csAny.run(b[k:], 600)
	value := b[k : k+n]
	if n < 8 || placeholder(value) || k == i {
		return
	}
	if basic {
		if n > 200 || n%4 == 1 {
			return
		}
		var out [160]byte
		m, acc, bits := 0, uint32(0), 0
		for _, c := range value {
			x := base64Value[c]
			if x == 255 {
				break
			}
			acc = acc<<6 | uint32(x)
			if bits += 6; bits >= 8 {
				bits -= 8
				if m < len(out) {
					out[m] = byte(acc >> bits)
					m++
				}
			}
		}
		colon := bytes.IndexByte(out[:m], ':')
		if colon < 0 || !looksText(out[:m]) || !printable(out[:m]) {
			return
		}
	} else {
		_, _, digits, _ := classes(value)
		if n < 16 || digits < 2 || entropy(value) < 3 || reference(value, true) || wordy(value) || filler(value) {
			return
		}
	}
	s.emit(st, v, uint16(s.c.httpAuth), k, k+n, High, Confidential, value)
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}
