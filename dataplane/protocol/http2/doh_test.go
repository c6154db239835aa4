package http2

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

// TestDNSOverHTTP holds that DNS in streams is read as such, however it is cut, and
// that the flow goes by its name from then on.
func TestDNSOverHTTP(t *testing.T) {
	f := func(name string, request func(*peer) string, carries bool) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			c, s := newPeer(), newPeer()
			d := protocoltest.TCP(80, hello, helloS, "> "+request(c),
				"< "+ok(s, 1, 0, "content-type application/dns-message", "content-length 43")+fr(frameData, 0, 1, said[:9])+fr(frameData, flagEndStream, 1, said[9:]))
			r := protocoltest.CheckCuts(t, Definition(), d)
			for i, tx := range r.Parser.Txs().Live {
				if r.Txs[i].Event.HTTP.HTTP2.StreamID == 0 {
					if tx.Carries != protocol.Unknown || r.Txs[i].Event.DNS != nil {
						t.Error("a frame of no stream carries DNS")
					}
					continue
				}
				e := r.Txs[i].Event
				if strings.Join(r.Txs[i].Log, " ") != "http dns" || e.DNS == nil || e.DNS.Type != "response" || e.DNS.Answers[0].RData != "10.0.0.1" {
					t.Fatalf("%v %+v", r.Txs[i].Log, e.DNS)
				}
				// Slot 1 is dns.queries.rrname.
				if b, ok := r.Parser.Buffer(tx, protocol.Buffer(protocol.DNS, 1), protocol.ToServer, 0); ok != carries || carries && string(b) != "a.example" {
					t.Errorf("%q %v", b, ok)
				}
			}
			reg, err := protocol.NewRegistry(Definition(), DoH2())
			if err != nil {
				t.Fatal(err)
			}
			var app protocol.Session
			env := protocoltest.NewEnv(d, &protocoltest.Sink{})
			for _, c := range d.Chunks {
				app.Data(reg, env, c.Dir, c.Data)
			}
			if app.Proto() != protocol.DoH2 || app.Original() != protocol.HTTP2 || app.ParserProto() != protocol.HTTP2 {
				t.Errorf("the flow is one of %s, was %s, read by %s", app.Proto(), app.Original(), app.ParserProto())
			}
		})
	}
	f("POST", func(p *peer) string {
		return post(p, 1, "content-type application/dns-message") + fr(frameData, flagEndStream, 1, asked)
	}, true)
	f("GET", func(p *peer) string {
		return fr(frameHeaders, flagEndHeaders|flagEndStream, 1, p.block(":method GET", ":scheme http", ":path /dns-query?dns=AAABAAABAAAAAAAAAWEHZXhhbXBsZQAAAQAB", ":authority h"))
	}, true)
	f("an answer alone", func(p *peer) string { return get(p, 1) }, false)
}

// TestWebSocketInStream holds that messages of WebSocket in a stream are objects,
// unmasked, and that others' tunnels are bodies.
func TestWebSocketInStream(t *testing.T) {
	f := func(proto string, want ...string) {
		t.Helper()
		c, s := newPeer(), newPeer()
		open := fr(frameHeaders, flagEndHeaders, 1, c.block(":method CONNECT", ":protocol "+proto, ":scheme https", ":path /chat", ":authority h"))
		// Two messages in three frames, the first one masked.
		sent := "\x01\x83\x01\x02\x03\x04" + string([]byte{'o' ^ 1, 'n' ^ 2, 'e' ^ 3}) + "\x80\x01!" + "\x81\x03two"
		r := protocoltest.CheckCuts(t, Definition(), protocoltest.TCP(80, hello, helloS, "> "+open, "< "+ok(s, 1, 0), "> "+fr(frameData, 0, 1, sent[:7])+fr(frameData, flagEndStream, 1, sent[7:]),
			"< "+fr(frameData, flagEndStream, 1, "\x81\x05hello")))
		var got []string
		for _, o := range r.Objects {
			got = append(got, o.Dir.String()+" "+o.Name+" "+string(o.Data))
		}
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%s: %q", proto, got)
		}
	}
	f("websocket", "to_server /chat one!", "to_server /chat two", "to_client /chat hello")
	f("connect-ip", "to_server /chat \x01\x83\x01\x02\x03\x04nlf\x80\x01!\x81\x03two", "to_client /chat \x81\x05hello")
}
