package imap

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/dataplane/protocol/protocoltest"
)

// TestFrames tells where the frames of dialogues are, and of which transaction.
func TestFrames(t *testing.T) {
	f := func(turns []string, want ...string) {
		t.Helper()
		got := protocoltest.CheckCuts(t, Definition(), protocoltest.TCP(143, turns...)).Frames
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	f([]string{"< * OK hi\r\n", "> a1 NOOP\r\na2 FETCH 1 BODY[]\r\n", "< * 1 FETCH (BODY[] {12}\r\nA: b\r\n\r\ntext)\r\n"},
		`to_client pdu 0-9 "* OK hi\r\n"`, `to_server pdu 0-9 "a1 NOOP\r\n"`, `to_server pdu 9-28 "a2 FETCH 1 BODY[]\r\n"`,
		`to_client pdu 9-48 "* 1 FETCH (BODY[] {12}\r\nA: b\r\n\r\ntext)\r\n"`, `to_client headers 33-39 tx 0 "A: b\r\n"`, `to_client body 41-45 tx 0 "text"`)
	// The literal of a command; a header alone; a part, which is all body.
	f([]string{"< * OK hi\r\n", "> a1 APPEND x {10}\r\n", "< + go\r\n", "> S: a\n\nbody\r\n", "< * 1 FETCH (BODY[HEADER] {6}\r\nS: a\r\n BODY[1] {3}\r\nabc)\r\n"},
		`to_client pdu 0-9 "* OK hi\r\n"`, `to_server pdu 0-30 "a1 APPEND x {10}\r\nS: a\n\nbody\r\n"`, `to_client pdu 9-15 "+ go\r\n"`, `to_server headers 18-23 tx 0 "S: a\n"`,
		`to_server body 24-28 tx 0 "body"`, `to_client pdu 15-70 "* 1 FETCH (BODY[HEADER] {6}\r\nS: a\r\n BODY[1] {3}\r\nabc)\r\n"`,
		`to_client headers 44-50 tx 1 "S: a\r\n"`, `to_client body 64-67 tx 2 "abc"`)
	// A literal that is refused is none, and the next line ends the one before; a message fetched in pieces.
	f([]string{"< * OK hi\r\n", "> a1 APPEND x {10}\r\n", "< a1 NO full\r\n", "> a2 NOOP\r\n"},
		`to_client pdu 0-9 "* OK hi\r\n"`, `to_server pdu 0--1 "a1 APPEND x {10}\r\na2 NOOP\r\n"`, `to_client pdu 9-21 "a1 NO full\r\n"`, `to_server pdu 18-27 "a2 NOOP\r\n"`)
	f([]string{"< * OK hi\r\n", "< * 1 FETCH (BODY[]<0> {8}\r\nA: b\r\n\r\n)\r\n* 1 FETCH (BODY[]<8> {3}\r\nabc)\r\n"},
		`to_client pdu 0-9 "* OK hi\r\n"`, `to_client pdu 9-46 "* 1 FETCH (BODY[]<0> {8}\r\nA: b\r\n\r\n)\r\n"`, `to_client headers 35-41 tx 0 "A: b\r\n"`,
		`to_client pdu 46-78 "* 1 FETCH (BODY[]<8> {3}\r\nabc)\r\n"`, `to_client body 72-75 tx 0 "abc"`)
}
