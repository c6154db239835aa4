package worker_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// el makes an element of ASN.1.
func el(tag byte, parts ...string) string {
	body := strings.Join(parts, "")
	if n := len(body); n >= 0x80 {
		return string([]byte{tag, 0x82, byte(n >> 8), byte(n)}) + body
	}
	return string([]byte{tag, byte(len(body))}) + body
}

// The messages of a directory: a bind, its answer, and an entry that is added.
func ldapBind(user, password string) string {
	return el(0x30, el(2, "\x01"), el(0x60, el(2, "\x03"), el(4, user), el(0x80, password)))
}

func ldapBound(code string) string {
	return el(0x30, el(2, "\x01"), el(0x61, el(10, code), el(4), el(4)))
}

func ldapAdd(value string) string {
	attr := el(0x30, el(4, "description"), el(0x31, el(4, value)))
	return el(0x30, el(2, "\x02"), el(0x68, el(4, "cn=notes,dc=example"), el(0x30, attr)))
}

// TestDirectory holds that what is written to a directory outside is judged, by whom,
// and that a password is told of and shown nowhere.
func TestDirectory(t *testing.T) {
	const secret = "correct-horse-battery"
	const pol = `groups: {trusted: ["user:bob"]}
rules:
  - {name: clear, when: {detectors: [cred.ftp-pass]}, action: alert}
  - {name: from-bob, when: {source: trusted, detectors: [pay.card]}, action: alert}
  - {name: from-others, when: {detectors: [pay.card], channel: ldap}, action: block}
`
	f := func(user, code, want string, arrives bool) {
		t.Helper()
		r := newRig(t, pol, working(), nil)
		r.port = 389
		r.open()
		r.data(0, ldapBind(user, secret))
		r.data(1, ldapBound(code))
		r.sent(1)
		if got := r.data(0, ldapAdd(cards)); got != arrives {
			t.Errorf("%s: the cards arrive: %v", user, got)
		}
		r.wait("two events", func() bool { return len(r.dlp()) > 1 })
		told := r.dlp()
		if told[0].PolicyRule != "clear" || told[0].Channel != "ldap" {
			t.Errorf("%s: %+v", user, told[0])
		}
		if d := told[1]; d.PolicyRule != want || d.Channel != "ldap" || d.Object.Name != "cn=notes,dc=example" {
			t.Errorf("%s: %+v", user, d)
		}
		for _, e := range r.events {
			line, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(line), secret) {
				t.Errorf("the password is told: %s", line)
			}
		}
	}
	f("uid=bob,dc=example", "\x00", "from-bob", true)
	f("uid=bob,dc=example", "\x31", "from-others", false)
	f("uid=eve,dc=example", "\x00", "from-others", false)
}
