package http1

import (
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// asked is a query of DNS for a.example, and said its answer.
const (
	asked = "\x00\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x07example\x00\x00\x01\x00\x01"
	said  = "\x00\x00\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x01a\x07example\x00\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x00\x00\x01"
)

// TestDNSOverHTTP holds that DNS in requests and responses is read as such, however
// it is cut, and that the record tells of both.
func TestDNSOverHTTP(t *testing.T) {
	f := func(name, request, response string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			r := protocoltest.CheckCuts(t, Definition(), protocoltest.TCP(80, "> "+request, "< "+response))
			if len(r.Txs) != 1 || strings.Join(r.Txs[0].Log, " ") != "http dns" {
				t.Fatalf("%+v", r.Txs)
			}
			e := r.Txs[0].Event
			if e.HTTP == nil || e.DNS == nil || e.DNS.Type != "response" || e.DNS.Answers[0].RData != "10.0.0.1" {
				t.Errorf("%+v %+v", e.HTTP, e.DNS)
			}
			tx := r.Parser.Txs().Live[0]
			for _, dir := range []protocol.Dir{protocol.ToServer, protocol.ToClient} {
				// Slot 1 is dns.queries.rrname.
				if b, ok := r.Parser.Buffer(tx, protocol.Buffer(protocol.DNS, 1), dir, 0); !ok || string(b) != "a.example" {
					t.Errorf("%s: %q %v", dir, b, ok)
				}
			}
			if tx.Carries != protocol.DNS || tx.Carried != protocol.DirsBoth {
				t.Errorf("carries %s %b", tx.Carries, tx.Carried)
			}
		})
	}
	answer := "HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\nContent-Length: 43\r\n\r\n" + said
	f("POST", "POST /q HTTP/1.1\r\nHost: h\r\nContent-Type: application/dns-message\r\nContent-Length: 27\r\n\r\n"+asked, answer)
	f("GET", "GET /dns-query?dns=AAABAAABAAAAAAAAAWEHZXhhbXBsZQAAAQAB HTTP/1.1\r\nHost: h\r\n\r\n", answer)
	f("in chunks", "POST /q HTTP/1.1\r\nHost: h\r\nContent-Type: application/dns-message\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n"+asked[:5]+"\r\n16\r\n"+asked[5:]+"\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\nConnection: close\r\n\r\n"+said)
	plain := protocoltest.Run(Definition(), protocoltest.TCP(80, "> POST /q HTTP/1.1\r\nHost: h\r\nContent-Length: 27\r\n\r\n"+asked, "< HTTP/1.1 204 No\r\n\r\n"))
	if tx := plain.Parser.Txs().Live[0]; tx.Carries != protocol.Unknown || tx.Carried != 0 || plain.Txs[0].Event.DNS != nil {
		t.Errorf("a body of no such type: %+v", tx)
	}
}

// TestWebSocketUpgrade holds what is handed over to WebSocket.
func TestWebSocketUpgrade(t *testing.T) {
	sink := &protocoltest.Sink{}
	d := protocoltest.TCP(80)
	env := protocoltest.NewEnv(d, sink)
	p := Definition().New(env)
	p.Parse(env, protocol.ToServer, []byte("GET /chat/%61?x HTTP/1.1\r\nHost: Chat.Example:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"))
	st := p.Parse(env, protocol.ToClient, []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x01x"))
	if st != protocol.Switch || env.SwitchTo != protocol.WebSocket || string(env.Rest) != "\x81\x01x" || env.Hint != (protocol.Upgrade{Host: "chat.example", Path: "/chat/a"}) {
		t.Errorf("%d %s %q %+v", st, env.SwitchTo, env.Rest, env.Hint)
	}
}
