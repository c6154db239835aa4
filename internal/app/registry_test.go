package app

import (
	"strings"
	"testing"
)

// TestReversedStream: who sent the first bytes of a connection that is picked up
// midway shows in the bytes, where protocols tell requests from answers.
func TestReversedStream(t *testing.T) {
	reg, err := Registry()
	if err != nil {
		t.Fatal(err)
	}
	f := func(data string, want bool) {
		t.Helper()
		if got := reg.ReversedStream([]byte(data)); got != want {
			t.Errorf("%.20q: %v", data, got)
		}
	}
	f("HTTP/1.0 200 OK\r\nServer: x\r\n\r\n", true)
	f("SIP/2.0 200 OK\r\nVia: x\r\n\r\n", true)
	f("GET / HTTP/1.1\r\nHost: x\r\n\r\n", false)
	f("SSH-2.0-OpenSSH_9.2\r\n", false) // either may say so
	f("no protocol at all", false)
	f(strings.Repeat("\x00", 9000), false)
	f("", false)
}
