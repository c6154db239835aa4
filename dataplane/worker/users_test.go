package worker_test

import (
	"encoding/base64"
	"strings"
	"testing"
)

// TestUsers has the policy decide by who has logged in to send a mail, and holds
// that the password is in no event.
func TestUsers(t *testing.T) {
	const pol = `groups: {trusted: ["user:bob"]}
rules:
  - {name: from-bob, when: {source: trusted, detectors: [pay.card]}, action: alert}
  - {name: from-others, when: {detectors: [pay.card]}, action: alert}
`
	const secret = "correct-horse-battery"
	f := func(user, reply, want string) {
		t.Helper()
		r := newRig(t, pol, working(), nil)
		r.port = 25
		r.open()
		r.data(1, "220 mx\r\n")
		for _, turn := range [][2]string{
			{"EHLO me\r\n", "250-mx\r\n250 AUTH PLAIN\r\n"},
			{"AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+secret)) + "\r\n", reply + "\r\n"},
			{"MAIL FROM:<a@example.com>\r\n", "250 ok\r\n"}, {"RCPT TO:<b@example.net>\r\n", "250 ok\r\n"}, {"DATA\r\n", "354 go\r\n"},
			{"Subject: x\r\n\r\n" + cards + "\r\n.\r\n", "250 ok\r\n"},
		} {
			r.data(0, turn[0])
			r.data(1, turn[1])
		}
		r.wait("an event", func() bool { return len(r.dlp()) > 0 })
		if got := r.dlp()[0].PolicyRule; got != want {
			t.Errorf("%s, %s: %s decided", user, reply, got)
		}
		for _, e := range r.events {
			if e.SMTP != nil && strings.Contains(strings.Join(e.SMTP.RcptTo, " ")+e.SMTP.Helo+e.SMTP.MailFrom, secret) {
				t.Error("the password is told")
			}
		}
	}
	f("bob", "235 in", "from-bob")
	f("bob", "535 no", "from-others")
	f("eve", "235 in", "from-others")
}
