package sip

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

func TestFrames(t *testing.T) {
	f := func(d protocoltest.Dialogue, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, protocoltest.CheckCuts(t, Definition(), d).Frames); diff != "" {
			t.Error(diff)
		}
	}
	const hello = text1 + "\r\nl: 5\r\n\r\n"
	f(protocoltest.TCP(5060, c("\r\n"+hello+"hello"+invite+"\n\n"), s(ok+"\r\nf: a\r\n\r\n")),
		`to_server pdu 2-50 tx 0 "MESSAGE sip:bob@b.example SIP/2.0\r\nl: 5\r\n\r\nhello"`,
		`to_server request.line 2-37 tx 0 "MESSAGE sip:bob@b.example SIP/2.0\r\n"`,
		`to_server request.headers 37-43 tx 0 "l: 5\r\n"`,
		`to_server request.body 45-50 tx 0 "hello"`,
		`to_server pdu 50-84 tx 1 "INVITE sip:bob@b.example SIP/2.0\n\n"`,
		`to_server request.line 50-83 tx 1 "INVITE sip:bob@b.example SIP/2.0\n"`,
		`to_client pdu 0-24 tx 2 "SIP/2.0 200 OK\r\nf: a\r\n\r\n"`,
		`to_client response.line 0-16 tx 2 "SIP/2.0 200 OK\r\n"`,
		`to_client response.headers 16-22 tx 2 "f: a\r\n"`)
	udp := protocoltest.TCP(5060, s(hello+"hello!"))
	udp.UDP = true
	f(udp, `to_client pdu 0-49 tx 0 "MESSAGE sip:bob@b.example SIP/2.0\r\nl: 5\r\n\r\nhello!"`)
	if _, spec, found := Definition().Frame("request.body"); !found || spec.Dirs != protocol.DirsToServer {
		t.Error("no request.body")
	}
}
