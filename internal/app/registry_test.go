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
	src, dst := uint16(40000), uint16(40001)
	f := func(data string, want bool) {
		t.Helper()
		if got := reg.ReversedStream([]byte(data), src, dst); got != want {
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
	const answer = "\x00\x1d\x12\x34\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03org\x00\x00\x01\x00\x01"
	const question = "\x00\x1d\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03org\x00\x00\x01\x00\x01"
	f(answer, true) // its own bit says so
	f(question, false)
	const encrypted = "\x00\x00\x00\x34\xfdSMB\x9a\x68\x5e\xb0\x79\xca\xcc\xc0\x33\xb7\x0f\x0e\x2e\x36\xd8\x6c\x91\x79\x76\x16"
	f(encrypted, false)
	src = 445 // the usual port of the one protocol that it may be
	f(encrypted, true)
	dst = 445
	f(encrypted, false)
}
