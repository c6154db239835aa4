package worker

import (
	"strings"
	"testing"

	"sluice/dataplane/protocol"
)

func TestMaskLogins(t *testing.T) {
	f := func(proto protocol.ID, in, want string) {
		t.Helper()
		b := []byte(in)
		MaskLogins(b, proto)
		if string(b) != want {
			t.Errorf("%s: %q, want %q", proto, b, want)
		}
	}
	f(protocol.FTP, "USER bob\r\nPASS secret\r\nCWD x\r\n", "USER bob\r\nPASS ******\r\nCWD x\r\n")
	f(protocol.FTP, "\x00\x50\x01pass s e\n", "\x00\x50\x01pass ***\n")
	f(protocol.FTP, "CWD compass north\r\n", "CWD compass north\r\n")
	f(protocol.POP3, "PASS x", "PASS *")
	f(protocol.POP3, "AUTH PLAIN AGJvYgB4\r\n", "AUTH PLAIN ********\r\n")
	f(protocol.SMTP, "AUTH LOGIN\r\nYm9i\r\nc2VjcmV0\r\nMAIL FROM:<a@b>\r\n", "AUTH LOGIN\r\n****\r\n********\r\nMAIL FROM:<a@b>\r\n")
	f(protocol.SMTP, "auth plain\r\nAGJvYgB4\r\nQUIT\r\n", "auth plain\r\n********\r\nQUIT\r\n")
	f(protocol.SMTP, "The word is PASS me the salt\r\n", "The word is PASS me the salt\r\n")
	f(protocol.IMAP, "a1 LOGIN bob hunter2\r\n", "a1 LOGIN bob *******\r\n")
	f(protocol.IMAP, "a1 login hunter2\r\n", "a1 login *******\r\n")
	f(protocol.IMAP, "a1 AUTHENTICATE PLAIN\r\nAGJvYgB4\r\n", "a1 AUTHENTICATE PLAIN\r\n********\r\n")
	f(protocol.HTTP1, "PASS x\r\n", "PASS x\r\n")
	f(protocol.FTP, "PASS ", "PASS ")
	f(protocol.FTP, "", "")
}

func TestMayHide(t *testing.T) {
	f := func(text string, want bool) {
		t.Helper()
		if got := mayHide([]byte(text)); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	f("www.example.com\n/index.html?lang=de&q=words\nMozilla/5.0 (X11; Linux x86_64; rv:109.0) Chrome/115.0 Safari/537.36\n", false)
	f("<a@x.example>\n<b@b.example>\n", false)
	f("/pay?card=4532016630494032\n", true)
	f("/pay/4532-0166-3049-4032\n", true)
	f("number 536-22-8745\n", true)
	f("/p?n=%34%35%33%32%30\n", true)
	f("/x?password=correcthorse\n", true)
	f("/app.js?v=3f2a9c1b77&page=12\n", false)
	f("AKIAQ3EGRZ7TL5WX2NPD\n", true)
	f("token: correcthorse\n", true)
	f("http://bob:word@example.com/\n", true)
	f("DE89 3704 0044 0532 0130 00\n", true)
	f("", false)
}

// TestSecretNames finds the names wherever they stand, and as one search for each would.
func TestSecretNames(t *testing.T) {
	for _, name := range secretNames {
		for _, text := range []string{name, strings.ToLower(name), "x=1 " + name[:1] + strings.ToLower(name[1:]), name[:1] + name, "p" + name + "=", name[:len(name)-1] + "\xff " + name} {
			if !hasSecretName([]byte(text)) {
				t.Errorf("no name in %q", text)
			}
		}
		cut := []byte(name[:len(name)-1])
		if hasSecretName(cut) || hasSecretName(append(cut, '_')) {
			t.Errorf("a name in %q", cut)
		}
	}
	if hasSecretName(nil) || hasSecretName([]byte("P")) {
		t.Error("a name in nothing")
	}
}
