package worker_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"sluice/events"
)

// TestClearPassword has the policy decide about a password in the clear, once for a
// connection, and holds that the password is in no event.
func TestClearPassword(t *testing.T) {
	const secret = "correct-horse-battery"
	f := func(name, action string, port uint16, greeting string, turns ...[2]string) {
		t.Helper()
		r := newRig(t, "rules: [{name: clear, when: {detectors: [cred.ftp-pass]}, action: "+action+"}]\n", working(), nil)
		r.port = port
		r.open()
		r.data(1, greeting)
		for _, turn := range turns {
			r.data(0, turn[0])
			r.data(1, turn[1])
		}
		told := r.dlp()
		if len(told) != 1 {
			t.Fatalf("%s: %d events", name, len(told))
		}
		d := told[0]
		if d.PolicyRule != "clear" || len(d.Findings) != 1 || d.Findings[0].Detector != "cred.ftp-pass" || d.Level != "confidential" || d.Action != action {
			t.Errorf("%s: %+v", name, d)
		}
		for _, e := range r.events {
			line, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(line)+shown(e), secret) {
				t.Errorf("%s: the password is told", name)
			}
		}
	}
	plain := base64.StdEncoding.EncodeToString([]byte("\x00bob\x00" + secret))
	for _, action := range []string{"alert", "block"} {
		f("ftp", action, 21, "220 ftp\r\n", [2]string{"USER bob\r\n", "331 pass\r\n"}, [2]string{"PASS " + secret + "\r\n", "530 no\r\n"}, [2]string{"PASS " + secret + "\r\n", "230 in\r\n"})
		f("smtp", action, 25, "220 mx\r\n", [2]string{"EHLO me\r\n", "250-mx\r\n250 AUTH PLAIN\r\n"}, [2]string{"AUTH PLAIN " + plain + "\r\n", "235 in\r\n"}, [2]string{"QUIT\r\n", "221 bye\r\n"})
		f("pop3", action, 110, "+OK pop\r\n", [2]string{"USER bob\r\n", "+OK\r\n"}, [2]string{"PASS " + secret + "\r\n", "+OK in\r\n"})
		f("imap", action, 143, "* OK imap\r\n", [2]string{"a LOGIN bob " + secret + "\r\n", "a OK in\r\n"})
	}
}

// shown gives the texts of an event's protocol.
func shown(e *events.Event) string {
	var b strings.Builder
	if e.SMTP != nil {
		b.WriteString(e.SMTP.Helo + e.SMTP.MailFrom)
	}
	return b.String()
}
