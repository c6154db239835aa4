package signatures

import (
	"bytes"
	"testing"

	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
)

func etRig(b *testing.B) *rig {
	b.Helper()
	return rigOf(b, []string{shared(b, "data/rules/et-open")}, false)
}

func BenchmarkMatcher(b *testing.B) {
	r := etRig(b)
	run := func(name string, bytes int, f func()) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			if bytes > 0 {
				b.SetBytes(int64(bytes))
			}
			for b.Loop() {
				f()
				r.m.Reset()
			}
		})
	}
	body := bytes.Repeat([]byte("The quick brown fox jumps over the lazy dog 0123456789. "), 25)
	tcp := r.flow(decode.ProtoTCP, 40000, 443)
	data := r.packet(decode.ProtoTCP, inside, outside, 40000, 443, body)
	run("packet/tcp-data", len(body), func() { r.m.Packet(data, tcp, protocol.ToServer) })
	ack := r.packet(decode.ProtoTCP, inside, outside, 40000, 443, nil)
	run("packet/tcp-ack", 0, func() { r.m.Packet(ack, tcp, protocol.ToServer) })
	syn := r.packet(decode.ProtoTCP, inside, outside, 40000, 443, nil)
	syn.TCPFlags = decode.TCPSyn
	fresh := &flow.Flow{Client: inside, Server: outside, ClientPort: 40000, ServerPort: 443, Proto: decode.ProtoTCP, IPVersion: 4, Pkts: [2]uint64{1, 0}}
	run("packet/tcp-syn", 0, func() { r.m.Packet(syn, fresh, protocol.ToServer) })
	udp := r.packet(decode.ProtoUDP, inside, outside, 40000, 4433, body[:1200])
	uf := r.flow(decode.ProtoUDP, 40000, 4433)
	run("packet/udp", 1200, func() { r.m.Packet(udp, uf, protocol.ToServer) })
	run("stream/no-hit", len(body), func() { r.m.Stream(data, tcp, protocol.ToServer, Window{Data: body}, nil) })
	web := r.flow(decode.ProtoTCP, 40000, 80)
	parser := r.speak(web, 'H')
	tx := r.tx(parser, "http.method=GET", "http.uri=/articles/2024/05/what-is-new.html?page=3", "http.uri.raw=/articles/2024/05/what-is-new.html?page=3", "http.host=www.example.com",
		"http.user_agent=Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "http.header=Host: www.example.com\r\nAccept: text/html\r\nAccept-Language: en\r\n",
		"http.header_names=\r\nHost\r\nUser-Agent\r\nAccept\r\nAccept-Language\r\n\r\n", "http.request_line=GET /articles/2024/05/what-is-new.html?page=3 HTTP/1.1", "http.protocol=HTTP/1.1", "http.accept=text/html")
	def := r.reg.Definition(protocol.HTTP1)
	tx.Progress[0] = atDone
	p := web.App.Parser()
	run("tx/http-request", 0, func() {
		tx.Detect[0] = protocol.DetectState{}
		r.m.Tx(ack, web, p, def, tx, protocol.ToServer)
	})
	dns := r.flow(decode.ProtoUDP, 40000, 53)
	dtx := r.tx(r.speakUDP(dns, 'D'), "dns.query=www.example.com")
	dtx.Progress[0] = atDone
	ddef, dp := r.reg.Definition(protocol.DNS), dns.App.Parser()
	run("tx/dns-query", 0, func() {
		dtx.Detect[0] = protocol.DetectState{}
		r.m.Tx(udp, dns, dp, ddef, dtx, protocol.ToServer)
	})
	tls := r.flow(decode.ProtoTCP, 40000, 443)
	ttx := r.tx(r.speak(tls, 'T'), "tls.sni=www.example.com", "ja3.hash=e7d705a3286e19ea42f587b344ee6865", "ja3.string=771,4865-4866")
	ttx.Progress[0] = atDone
	tdef, tp := r.reg.Definition(protocol.TLS), tls.App.Parser()
	run("tx/tls-hello", 0, func() {
		ttx.Detect[0] = protocol.DetectState{}
		r.m.Tx(ack, tls, tp, tdef, ttx, protocol.ToServer)
	})
}
