package protocol

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestPlainUser(t *testing.T) {
	b64 := func(s string) []byte { return []byte(base64.StdEncoding.EncodeToString([]byte(s))) }
	for text, want := range map[string]string{
		"\x00bob\x00secret": "bob", "admin\x00bob\x00secret": "bob", "bob\x00secret": "", "": "", "\x00b\nob\x00s": "",
		"\x00" + strings.Repeat("x", 300) + "\x00s": "", "\x00a\x00b\x00c": "",
	} {
		if got := PlainUser(b64(text)); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
	if PlainUser([]byte("!!!")) != "" || PlainUser(b64(strings.Repeat("x", 2000))) != "" || LoginUser(b64("bob")) != "bob" {
		t.Error("base64")
	}
}
