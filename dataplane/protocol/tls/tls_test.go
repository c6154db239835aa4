package tls

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
	"sluice/events"
)

func verify(t testing.TB, elem ...string) []protocoltest.Dialogue {
	t.Helper()
	var flows []protocoltest.Dialogue
	for _, d := range protocoltest.Dialogues(t, protocoltest.Shared(t, append([]string{"suricata-verify", "tests"}, elem...)...)) {
		if !d.UDP && len(d.Chunks) > 0 {
			flows = append(flows, d)
		}
	}
	return flows
}

// sole gives the event of a flow, whatever way it is cut.
func sole(t *testing.T, d protocoltest.Dialogue) (*events.TLS, protocoltest.Tx) {
	t.Helper()
	r := protocoltest.CheckCuts(t, Definition(), d)
	if len(r.Txs) != 1 {
		t.Fatalf("%d transactions", len(r.Txs))
	}
	if r.Txs[0].Event.TLS == nil {
		t.Fatal("no event")
	}
	return r.Txs[0].Event.TLS, r.Txs[0]
}

// The expected values are those of the tests' descriptions, and of tshark 4.0
// for JA3.
func TestCaptures(t *testing.T) {
	t.Run("ja4 and certificate", func(t *testing.T) {
		ev, tx := sole(t, verify(t, "ja4-tls", "input.pcap")[0])
		want := &events.TLS{
			Subject: "C=FR, ST=IDF, L=Paris, O=Stamus, CN=SELKS", IssuerDN: "C=FR, ST=IDF, L=Paris, O=Stamus, CN=SELKS",
			Serial: "00:97:E6:47:09:8E:EA:C9:B4", Fingerprint: "3a:0b:3b:23:15:2c:44:5c:27:ac:6a:0c:41:d6:fa:74:af:b4:09:5b",
			Version: "TLS 1.2", NotBefore: "2015-02-12T18:07:27", NotAfter: "2025-02-09T18:07:27",
		}
		if diff := cmp.Diff(want, ev, cmpopts.IgnoreFields(events.TLS{}, "JA3", "JA3S", "JA4", "CertificateSize", "ClientALPNs", "ServerALPNs")); diff != "" {
			t.Error(diff)
		}
		if ev.JA3.Hash != "308b0bd904abbef5e0034a1ff7a78920" || ev.JA3S.Hash != "ccc514751b175866924439bdbb5bba34" {
			t.Errorf("JA3 %s, JA3S %s", ev.JA3.Hash, ev.JA3S.Hash)
		}
		if tx.Progress != [2]uint8{ClientFinished, ServerFinished} {
			t.Errorf("progress %v", tx.Progress)
		}
	})
	t.Run("ja4", func(t *testing.T) {
		for _, d := range verify(t, "ja4-tls-quic", "input.pcap") {
			if d.DstPort != 443 {
				continue
			}
			ev, _ := sole(t, d)
			if ev.JA4 == "t13d1516h2_8daaf6152771_e5627efa2ab1" && cmp.Equal(ev.ClientALPNs, []string{"h2", "http/1.1"}) {
				return
			}
		}
		t.Error("the expected JA4 is not among the flows")
	})
	f := func(want events.TLS, elem ...string) {
		t.Helper()
		ev, _ := sole(t, verify(t, elem...)[0])
		got := events.TLS{SNI: ev.SNI, Version: ev.Version, Subject: ev.Subject, IssuerDN: ev.IssuerDN, Serial: ev.Serial,
			Fingerprint: ev.Fingerprint, NotBefore: ev.NotBefore, NotAfter: ev.NotAfter, SubjectAltName: ev.SubjectAltName, Client: ev.Client}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%v: %s", elem, diff)
		}
	}
	f(events.TLS{SNI: "localhost", Version: "TLS 1.3 draft-22"}, "tls", "tls13-draft22", "tls13_draft22.pcap")
	f(events.TLS{Version: "TLS 1.3 draft-18"}, "tls", "tls13-draft18", "tls13_draft18.pcap")
	f(events.TLS{SNI: "fkp.samsungcloudsolution.com", Version: "TLSv1", Serial: "32", NotBefore: "1969-12-31T00:00:00", NotAfter: "2038-12-31T00:10:03",
		Subject: "OU=vd, CN=fkp.samsungcloudsolution.com", Fingerprint: "71:cd:fe:08:7f:3d:2a:18:32:69:38:fa:bd:64:7b:c6:cf:cc:44:8e",
		IssuerDN: "C=KR, ST=Kyunggido, L=Suwon, O=Samsung Electronics, OU=SW2 SISC, CN=ROOT CA SISC FKP2_PLUS"}, "tls", "tls-pre-1970", "input.pcap")
	f(events.TLS{SNI: "localhost", Version: "TLS 1.2", Serial: "00:C7:D4:28:8B:80:E0:1E:25", NotBefore: "2018-04-14T20:55:27", NotAfter: "2018-05-14T20:55:27",
		Subject: "C=HU, ST=Budapest, L=Budapest, O=TLSClientAuthSampleServer, CN=SampleServer", SubjectAltName: []string{"localhost"},
		IssuerDN:    "C=HU, ST=Budapest, L=Budapest, O=TLSClientAuthSampleCA, CN=SampleRoot",
		Fingerprint: "06:39:f9:5d:fe:81:53:c4:9d:f0:ac:80:3e:2d:42:07:e8:96:de:09",
		Client: &events.TLSClient{Subject: "C=HU, ST=Budapest, L=Budapest, O=TLSClientAuthSampleClient, CN=SampleClientJane",
			IssuerDN:    "C=HU, ST=Budapest, L=Budapest, O=TLSClientAuthSampleCA, CN=SampleRoot",
			Fingerprint: "32:56:41:d0:6a:ff:47:cb:21:e4:89:c5:ae:2a:a2:d8:1b:c9:70:0c", Serial: "00:C7:D4:28:8B:80:E0:1E:27",
			NotBefore: "2018-04-14T20:55:27", NotAfter: "2018-05-14T20:55:27"}}, "tls", "tls-store-02", "tls-client-auth.pcap")
	t.Run("client certificate", func(t *testing.T) {
		_, tx := sole(t, verify(t, "tls", "tls-store-02", "tls-client-auth.pcap")[0])
		got := tx.Buffers["to_server tls.cert_fingerprint"]
		if diff := cmp.Diff([]string{"32:56:41:d0:6a:ff:47:cb:21:e4:89:c5:ae:2a:a2:d8:1b:c9:70:0c"}, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("fragmented hello", func(t *testing.T) {
		found := false
		for _, d := range protocoltest.Dialogues(t, protocoltest.Shared(t, "pcaps", "zeek__tls-fragmented-handshake.pcap.gz")) {
			r := protocoltest.Run(Definition(), d)
			if len(r.Txs) == 1 && r.Txs[0].Event.TLS != nil && r.Txs[0].Event.TLS.JA3 != nil {
				found = found || r.Txs[0].Event.TLS.JA3.Hash == "799135475da362592a4be9199d258726" && r.Txs[0].Event.TLS.SNI == "104.236.167.107"
			}
		}
		if !found {
			t.Error("the hello was not put together")
		}
	})
	t.Run("tls13", func(t *testing.T) {
		r := protocoltest.Run(Definition(), protocoltest.Dialogues(t, protocoltest.Shared(t, "pcaps", "arkime__tls13.pcap"))[0])
		ev := r.Txs[0].Event.TLS
		if ev.SNI != "blog.cloudflare.com" || ev.JA3.Hash != "4826a90ec2daf4f7b4b64cc1c8bd343b" || ev.Version != "TLS 1.3 draft-23" && ev.Version != "TLS 1.3" && !strings.HasPrefix(ev.Version, "TLS 1.3") {
			t.Errorf("%+v", ev)
		}
	})
}

// hello builds a small ClientHello record with the given extensions, in hex.
func hello(exts string) string {
	body := "0303" + strings.Repeat("11", 32) + "00" + "0004 1301 0a0a" + "0100"
	body = strings.ReplaceAll(body, " ", "")
	exts = strings.ReplaceAll(exts, " ", "")
	body += hexLen(2, exts) + exts
	msg := "01" + hexLen(3, body) + body
	return "160301" + hexLen(2, msg) + msg
}

func hexLen(n int, s string) string {
	v := len(s) / 2
	b := make([]byte, n)
	for i := n - 1; i >= 0; i-- {
		b[i] = byte(v)
		v >>= 8
	}
	return hex.EncodeToString(b)
}

func wire(t testing.TB, s string) string {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const (
	serverHello = "160303002a 02000026 0303" + "22222222222222222222222222222222" + "22222222222222222222222222222222" + "00 c02f 00"
	ccs         = "140303000101"
	appData     = "1703030003 aabbcc"
	sniExt      = "0000 0006 0004 00 0001 61"
)

func TestEvents(t *testing.T) {
	f := func(name string, d protocoltest.Dialogue, status protocol.Status, want ...string) {
		t.Helper()
		r := protocoltest.CheckCuts(t, Definition(), d)
		if r.Status != status {
			t.Errorf("%s: status %d", name, r.Status)
		}
		if diff := cmp.Diff(want, r.Txs[0].Events, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	c := func(turns ...string) protocoltest.Dialogue {
		for i := range turns {
			turns[i] = turns[i][:2] + wire(t, turns[i][2:])
		}
		return protocoltest.TCP(443, turns...)
	}
	f("sound", c("> "+hello(sniExt), "< "+serverHello), 0)
	f("two names", c("> "+hello(sniExt+sniExt)), 0, "multiple_sni_extensions")
	f("name's length", c("> "+hello("0000 0006 0004 00 0009 61")), 0, "invalid_sni_length")
	f("name's type", c("> "+hello("0000 0006 0004 07 0001 61")), 0, "invalid_sni_type")
	f("extension cut", c("> "+hello("0000 0009 0004")), 0, "invalid_handshake_message")
	f("no record", c("> "+hello(sniExt)+"474554202f"), protocol.Error, "invalid_record_type", "invalid_ssl_record")
	f("version", c("> "+hello(sniExt)+"1605010001 00"), protocol.Error, "invalid_record_version", "invalid_ssl_record")
	f("heartbleed", c("> "+hello(sniExt)+"1803030003 01 4000"), 0, "heartbeat_message", "overflow_heartbeat_message")
	f("heartbeat", c("> "+hello(sniExt)+"1803030004 07 0001 00"), 0, "heartbeat_message", "invalid_heartbeat_message")
	f("long message", c("> "+hello(sniExt)+"1603030006 0bffffff 0000"), 0, "handshake_invalid_length")
	f("certificate", c("< "+serverHello+"160303000a 0b000006 000003 000009"), 0, "invalid_certificate", "invalid_handshake_message")
	// Certificates that break off or say what none can, each as deep as it goes.
	cert := func(der string) string {
		n := len(wire(t, der))
		body := fmt.Sprintf("%06x %06x", n+3, n) + der
		return fmt.Sprintf("160303 %04x 0b %06x", n+10, n+6) + body
	}
	f("no element", c("< "+serverHello+cert("00")), 0, "certificate_invalid_length", "invalid_handshake_message")
	f("wrong element", c("< "+serverHello+cert("0201 01")), 0, "certificate_invalid_der", "invalid_handshake_message")
	f("inner header cut", c("< "+serverHello+cert("3005 3084ffffff")), 0, "certificate_invalid_length", "invalid_handshake_message")
	f("inner cut", c("< "+serverHello+cert("3004 3009 0201")), 0, "certificate_invalid_length", "invalid_handshake_message")
	f("absurd length", c("< "+serverHello+cert("3006 3084fffffffa 04")), 0, "invalid_certificate", "invalid_handshake_message")
	f("version", c("< "+serverHello+cert("3007 3005 a003 0201 09")), 0, "certificate_invalid_version", "invalid_handshake_message")
	f("serial", c("< "+serverHello+cert("3004 3002 0500")), 0, "certificate_invalid_serial", "invalid_handshake_message")
	f("algorithm", c("< "+serverHello+cert("3007 3005 020101 0500")), 0, "certificate_invalid_algorithmidentifier", "invalid_handshake_message")
	f("issuer", c("< "+serverHello+cert("3009 3007 020101 3000 0500")), 0, "certificate_invalid_x509name", "invalid_handshake_message")
	f("validity", c("< "+serverHello+cert("300b 3009 020101 3000 3000 0500")), 0, "certificate_invalid_date", "invalid_handshake_message")
	f("sound as far as read", c("< "+serverHello+cert("300f 300d 020101 3000 3000 3000 3000 3000")), 0)
	f("extensions", c("< "+serverHello+cert("3013 3011 020101 3000 3000 3000 3000 3000 a302 0500")), 0, "certificate_invalid_extensions", "invalid_handshake_message")
	f("data only", c("> "+appData, "< "+appData), 0)
}

// TestReady: a record may be written once the server has said all it says in the
// clear, or, where it asks for one, once the client's certificate is there.
func TestReady(t *testing.T) {
	const done, asks = "1603030004 0e000000", "1603030008 0d000004 00000000"
	f := func(name string, want bool, turns ...string) {
		t.Helper()
		for i := range turns {
			turns[i] = turns[i][:2] + wire(t, turns[i][2:])
		}
		p := Definition().New(&protocol.Env{Limits: protocol.DefaultLimits()}).(*Parser)
		for _, turn := range turns {
			dir := protocol.ToServer
			if turn[0] == '<' {
				dir = protocol.ToClient
			}
			p.Parse(&protocol.Env{Limits: protocol.DefaultLimits()}, dir, []byte(turn[2:]))
		}
		if p.tx.Ready != want {
			t.Errorf("%s: %v", name, p.tx.Ready)
		}
	}
	f("hello", false, "> "+hello(sniExt), "< "+serverHello)
	f("whole", true, "> "+hello(sniExt), "< "+serverHello+done)
	f("asked", false, "> "+hello(sniExt), "< "+serverHello+asks+done)
	f("answered", true, "> "+hello(sniExt), "< "+serverHello+asks+done, "> 1603030007 0b000003 000000")
	f("server alone", false, "< "+serverHello+done)
}

func TestNoFingerprints(t *testing.T) {
	d := protocoltest.TCP(443, "> "+wire(t, hello(sniExt)), "< "+wire(t, serverHello))
	f := func(noJA3, noJA4 bool) {
		t.Helper()
		d.Limits = protocol.DefaultLimits()
		d.Limits.NoJA3, d.Limits.NoJA4 = noJA3, noJA4
		e := protocoltest.CheckCuts(t, Definition(), d).Txs[0].Event.TLS
		if e.SNI == "" || (e.JA3 == nil) != noJA3 || (e.JA3S == nil) != noJA3 || (e.JA4 == "") != noJA4 {
			t.Errorf("%v %v: %+v", noJA3, noJA4, e)
		}
	}
	f(false, false)
	f(true, false)
	f(false, true)
}

func TestSkipOnceEncrypted(t *testing.T) {
	turns := []string{"> " + hello(sniExt), "< " + serverHello + ccs + "1603030004 deadbeef", "> " + ccs + "1603030004 deadbeef", "> " + appData, "< " + appData}
	for i := range turns {
		turns[i] = turns[i][:2] + wire(t, turns[i][2:])
	}
	r := protocoltest.CheckCuts(t, Definition(), protocoltest.TCP(443, turns...))
	if r.Skipped != [2]bool{true, true} {
		t.Errorf("skipped %v", r.Skipped)
	}
	tx := r.Txs[0]
	if !tx.Event.TLS.SessionResumed || tx.Event.TLS.SNI != "a" || tx.Progress != [2]uint8{ClientFinished, ServerFinished} {
		t.Errorf("%+v %v", tx.Event.TLS, tx.Progress)
	}
	if diff := cmp.Diff([]string{"771,4865,0,,"}, tx.Buffers["to_server ja3.string"]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"771,49199,"}, tx.Buffers["to_client ja3s.string"]); diff != "" {
		t.Error(diff)
	}
}

func TestSSL2Hello(t *testing.T) {
	b := wire(t, "802e 01 0301 0015 0000 0010 000005 00000a 010080 000004 0000ff 000009 000008"+strings.Repeat("42", 16))
	for n := range b {
		if c := probe(protocol.ToServer, []byte(b[:n])); n < 11 && c != protocol.Unsure {
			t.Fatalf("%d bytes: %d", n, c)
		}
	}
	if probe(protocol.ToServer, []byte(b)) != protocol.Certain {
		t.Fatal("not recognised")
	}
	r := protocoltest.CheckCuts(t, Definition(), protocoltest.TCP(443, "> "+b))
	h := r.Parser.Txs().Live[0].State.(*Handshake)
	if c := h.Client(); c == nil || c.Version() != versionTLS10 || len(c.Ciphers()) != 6 || len(c.random) != 16 {
		t.Errorf("%+v", c)
	}
}

func TestProbe(t *testing.T) {
	f := func(dir protocol.Dir, s string, want protocol.Certainty) {
		t.Helper()
		if got := probe(dir, []byte(s)); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	}
	ch := wire(t, hello(sniExt))
	f(protocol.ToServer, ch, protocol.Certain)
	f(protocol.ToServer, ch[:10], protocol.Unsure)
	f(protocol.ToClient, ch, protocol.NotForUs)
	f(protocol.ToClient, wire(t, serverHello), protocol.Certain)
	f(protocol.ToClient, wire(t, "1503010002 0228"), protocol.Certain)
	f(protocol.ToServer, wire(t, appData)+"secret", protocol.Unsure)
	f(protocol.ToServer, "GET / HTTP/1.1", protocol.NotForUs)
	f(protocol.ToServer, "\x16\x03\x01\x00\x00", protocol.NotForUs)
	f(protocol.ToServer, "\x80\x2e\x02\x00\x02", protocol.NotForUs)
}

func TestCertificatesInTheField(t *testing.T) {
	for _, elem := range [][]string{{"bug-1450-04", "tls_DER-incomplete-header.pcap"}, {"bug-1450-05", "tls_DER-incomplete-content.pcap"}, {"tls", "tls-cert-noissuer", "tls.pcap"}} {
		for _, d := range verify(t, elem...) {
			protocoltest.CheckCuts(t, Definition(), d)
		}
	}
	d := verify(t, "tls", "tls-certs-alert", "input.pcap")[0]
	_, tx := sole(t, d)
	if n := len(tx.Buffers["to_client tls.certs"]); n != 3 {
		t.Errorf("%d certificates", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(wire(f, hello(sniExt))), []byte(wire(f, serverHello+"1603030013 0b00000f 00000c 000009 3007 3005 02 01 01 3000"+ccs+appData)))
	f.Add([]byte(wire(f, "802e 01 0301 0015 0000 0010 000005 00000a 010080 000004 0000ff 000009 000008"+strings.Repeat("42", 16))), []byte{})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		d := protocoltest.Dialogue{DstPort: 443, Chunks: []protocoltest.Chunk{{Data: a}, {Dir: protocol.ToClient, Data: b}}}
		want := protocoltest.Run(Definition(), d)
		var one protocoltest.Dialogue
		for _, x := range d.Chunks {
			for i := range x.Data {
				one.Chunks = append(one.Chunks, protocoltest.Chunk{Dir: x.Dir, Data: x.Data[i : i+1]})
			}
		}
		if got := protocoltest.Run(Definition(), one); len(a) > 0 && want.Status == got.Status {
			if diff := protocoltest.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
		}
		for n := range a {
			probe(protocol.ToServer, a[:n])
		}
	})
}

func FuzzCertificate(f *testing.F) {
	f.Add([]byte("\x30\x0c\x30\x0a\x02\x01\x01\x30\x00\x30\x00\x30\x00\x30\x00"))
	f.Fuzz(func(t *testing.T, der []byte) {
		c := Certificate{Raw: der}
		c.parse()
		if strings.ContainsAny(c.Subject+c.Issuer, "\r\n\x00") {
			t.Errorf("control characters in %q, %q", c.Subject, c.Issuer)
		}
	})
}

func BenchmarkHandshake(b *testing.B) {
	ch, sh := []byte(wire(b, hello(sniExt))), []byte(wire(b, serverHello+ccs+appData))
	env := protocoltest.NewEnv(protocoltest.Dialogue{}, &protocoltest.Sink{})
	def := Definition()
	b.ReportAllocs()
	for b.Loop() {
		p := def.New(env)
		p.Parse(env, protocol.ToServer, ch)
		p.Parse(env, protocol.ToClient, sh)
	}
}

func TestNoAllocationOnceSkipped(t *testing.T) {
	env := protocoltest.NewEnv(protocoltest.Dialogue{}, &protocoltest.Sink{})
	p := Definition().New(env)
	data := []byte(wire(t, appData))
	p.Parse(env, protocol.ToServer, data)
	if n := testing.AllocsPerRun(100, func() { p.Parse(env, protocol.ToServer, data) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
