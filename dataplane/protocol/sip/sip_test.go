package sip

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// say makes a message of lines; the last is its body, before which its length goes.
func say(lines ...string) string {
	body := lines[len(lines)-1]
	return strings.Join(lines[:len(lines)-1], "\r\n") + fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func c(s string) string { return "> " + s }
func s(s string) string { return "< " + s }

const (
	invite = "INVITE sip:bob@b.example SIP/2.0"
	ok     = "SIP/2.0 200 OK"
	text1  = "MESSAGE sip:bob@b.example SIP/2.0"
	offer  = "v=0\r\no=alice 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nb=AS:64\r\nt=0 0\r\nr=7d 1h 0 25h\r\nr=1d 1h 0\r\na=recvonly\r\n" +
		"m=audio 49170 RTP/AVP 0\r\ni=a call\r\nc=IN IP4 192.0.2.2\r\nk=clear:abc\r\na=rtpmap:0 PCMU/8000\r\nm=video 51372 RTP/AVP 31\r\nb=AS:9\r\n"
)

// shown gives what a run has found, a line each.
func shown(t *testing.T, r *protocoltest.Result) (out []string) {
	t.Helper()
	for _, tx := range r.Txs {
		line := "none"
		if tx.Log != nil {
			b, err := json.Marshal(tx.Event.Extra["sip"])
			if err != nil {
				t.Fatal(err)
			}
			line = string(b)
		}
		out = append(out, strings.TrimSpace(line+" "+strings.Join(tx.Events, ",")))
	}
	for _, o := range r.Objects {
		state := ""
		if o.State != protocol.ObjectClosed || o.Unscannable != "" {
			state = fmt.Sprintf(" %s %s missing %d", o.State, o.Unscannable, o.Missing)
		}
		out = append(out, fmt.Sprintf("%s %s %q=%q%s", o.Dir, o.ContentType, o.Name, o.Data, state))
	}
	return out
}

func TestDialogues(t *testing.T) {
	f := func(name string, d protocoltest.Dialogue, want ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			r := protocoltest.CheckCuts(t, Definition(), d)
			if diff := cmp.Diff(want, shown(t, r), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
	tcp := func(turns ...string) protocoltest.Dialogue { return protocoltest.TCP(5060, turns...) }
	udp := func(turns ...string) protocoltest.Dialogue {
		d := tcp(turns...)
		d.UDP = true
		return d
	}
	const (
		eveInvite = `{"method":"INVITE","uri":"sip:bob@b.example","version":"SIP/2.0","request_line":"INVITE sip:bob@b.example SIP/2.0"}`
		eveOK     = `{"version":"SIP/2.0","code":"200","reason":"OK","response_line":"SIP/2.0 200 OK"}`
		eveText   = `{"method":"MESSAGE","uri":"sip:bob@b.example","version":"SIP/2.0","request_line":"MESSAGE sip:bob@b.example SIP/2.0"}`
	)
	eveOffer := strings.TrimSuffix(eveInvite, "}") + `,"sdp":{"origin":"alice 1 1 IN IP4 192.0.2.1","session_name":"-","connection_data":"IN IP4 192.0.2.1","bandwidths":["AS:64"],` +
		`"time_descriptions":[{"time":"0 0","repeat_time":"7d 1h 0 25h, 1d 1h 0"}],"attributes":["recvonly"],"media_descriptions":[` +
		`{"media":"audio 49170 RTP/AVP 0","media_info":"a call","connection_data":"IN IP4 192.0.2.2","encryption_key":"clear:abc","attributes":["rtpmap:0 PCMU/8000"]},` +
		`{"media":"video 51372 RTP/AVP 31","bandwidths":["AS:9"]}]}}`
	f("request and answer", tcp(c(say(invite, "f: a", "")), s(say(ok, "From: a", ""))), eveInvite, eveOK)
	f("several in one", tcp(c(say(invite, "")+"\r\n\r\n"+say(text1, "Content-Type: text/plain;charset=utf-8", "hello")+say(invite, "")), s("\r\n"+say(ok, ""))),
		eveInvite, eveText, eveInvite, eveOK, `to_server text/plain ""="hello"`)
	f("bare line ends", tcp(c(strings.ReplaceAll(say(text1, "hello"), "\r", ""))), eveText, `to_server  ""="hello"`)
	f("a description", tcp(c(say(invite, "c: application/sdp", offer))), eveOffer, `to_server application/sdp "sdp"="i=a call\n"`)
	f("a description in a datagram", udp(c(say(invite, "c: application/SDP ; x=y", offer))), eveOffer, `to_server application/SDP "sdp"="i=a call\n"`)
	f("called a description", tcp(c(say(invite, "c: application/sdp", "v=0\r\nsomething else"))), eveInvite, `to_server application/sdp ""="v=0\r\nsomething else"`)
	f("text of a description", tcp(c(say(invite, "c: application/sdp", "v=0\ns=the plan\na=x-note:more\na=sendrecv\n"))),
		strings.TrimSuffix(eveInvite, "}")+`,"sdp":{"session_name":"the plan","attributes":["x-note:more","sendrecv"]}}`, `to_server application/sdp "sdp"="s=the plan\na=x-note:more\n"`)
	f("text of a header", tcp(c(say(invite, "s: our offer", "Subject:\r\n  is secret", "Contact: x", "X-Note: more", ""))), eveInvite,
		`to_server text/plain "header"="s: our offer\nSubject: is secret\nX-Note: more\n"`)
	f("parts", tcp(c(say(text1, "Content-Type: multipart/mixed;boundary=b", "--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--b--\r\n"))),
		eveText, `to_server multipart/mixed ""="--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--b--\r\n"`,
		`to_server text/rfc822-headers "header"="Content-Type: multipart/mixed;boundary=b\r\n\r\n"`, `to_server text/plain ""="hello"`)
	f("encoded", tcp(c(say(text1, "e: gzip", zipped("hello")))), eveText, `to_server  ""="hello"`)
	f("of an encoding that nobody knows", tcp(c(say(text1, "e: lzma", "hello"))), eveText, `to_server  ""="hello" CLOSED encoding missing 0`)
	f("the wrong way round", udp(c(say(invite, "")), s(say(text1, "hello")), c(say(ok, "")), c(say(invite, ""))), eveInvite, "none invalid_data", "none invalid_data", eveInvite, `to_client  ""="hello"`)
	f("keep-alives", udp(c(say(invite, "")), c("\r\n\r\n"), c("\x00\x00\x00\x00"), s("\r\n")), eveInvite)
	f("no message", udp(c(say(invite, "")), c("hello"), c(say(invite, ""))), eveInvite, "none invalid_data", eveInvite, `to_server  ""="hello"`)
	f("no message in a stream", tcp(c(say(invite, "")+"hello\r\n")), eveInvite, "none invalid_data", `to_server  ""="hello\r\n"`)
	f("a line that is no field", tcp(c(say(invite, "hello", ""))), eveInvite+" invalid_data")
	f("a datagram without an end", udp(c(invite+"\r\nf: a\r\n")), eveInvite+" incomplete_data")
	f("a datagram that is too short", udp(c(invite+"\r\nl: 9\r\n\r\nhello")), eveInvite+" incomplete_data", `to_server  ""="hello" TRUNCATED  missing 0`)
	f("a length that is too small", udp(c(invite+"\r\nl: 2\r\n\r\nhello")), eveInvite, `to_server  ""="hello"`)
	f("a stream that ends", tcp(c(say(text1, "hello")[:58]), s(ok+"\r\nVia")), eveText+" incomplete_data", eveOK+" invalid_data,incomplete_data", `to_server  ""="he" TRUNCATED  missing 0`)
	hole := tcp(c(say(text1, "hello")[:57]))
	hole.Chunks = append(hole.Chunks, protocoltest.Chunk{Gap: 3}, protocoltest.Chunk{Data: []byte("o" + say(invite, ""))})
	f("a hole in a body", hole, eveText, eveInvite, `to_server  ""="ho" TRUNCATED  missing 3`)
	hole = tcp(c(say(text1, "hello") + invite))
	hole.Chunks = append(hole.Chunks, protocoltest.Chunk{Gap: 3})
	f("a hole in a header", hole, eveText, `to_server  ""="hello"`, `to_server  ""="`+invite+`"`)
	hole.Chunks = append(hole.Chunks, protocoltest.Chunk{Data: []byte("more")})
	f("what follows a hole", hole, eveText, `to_server  ""="hello"`, `to_server  ""="`+invite+`more"`)
	f("a first line that is cut short", tcp(c(invite)), `to_server  ""="`+invite+`"`)
	long := tcp(c(invite + "\r\nf: " + strings.Repeat("x", 3000) + "\r\n\r\n"))
	long.Limits = protocol.DefaultLimits()
	long.Limits.MaxHeader = 2500
	f("a header that is too long", long, "none invalid_data", `to_server  ""="`+invite+`\r\nf: `+strings.Repeat("x", 3000)+`\r\n\r\n"`)
	long = tcp(c(say(invite, "c: application/sdp", "v=0\r\ns="+strings.Repeat("x", 300)+"\r\n")))
	long.Limits = protocol.DefaultLimits()
	long.Limits.MaxHeader = 200
	r := protocoltest.CheckCuts(t, Definition(), long)
	if len(r.Objects) != 1 || len(r.Objects[0].Data) != 309 {
		t.Errorf("a long description: %v", shown(t, r))
	}
}

// TestManyMessages holds that a message keeps no more than its own header: a segment
// brings thousands.
func TestManyMessages(t *testing.T) {
	const short = "A b:c SIP/2.0\n\n"
	r := protocoltest.Run(Definition(), protocoltest.TCP(5060, c(strings.Repeat(short, 4000))))
	kept := 0
	for _, tx := range r.Parser.Txs().Live {
		kept += cap(tx.State.(*Message).line)
	}
	if len(r.Txs) != 4000 || kept > 4000*64 {
		t.Errorf("%d messages keep %d bytes", len(r.Txs), kept)
	}
}

// TestForeign holds that a message of SIP does not hide what another protocol sends
// behind it in the same flow.
func TestForeign(t *testing.T) {
	d := protocoltest.TCP(53, c(say(invite, "")), c("ab\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01"))
	d.UDP = true
	if r := protocoltest.Run(Definition(), d); r.Status != protocol.Switch || r.SwitchTo != protocol.Unknown || len(r.Rest) != 19 {
		t.Errorf("status %d to %s with %q", r.Status, r.SwitchTo, r.Rest)
	}
}

func zipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(s))
	w.Close()
	return b.String()
}

func TestBuffers(t *testing.T) {
	f := func(d protocoltest.Dialogue, want map[string][]string) {
		t.Helper()
		r := protocoltest.CheckCuts(t, Definition(), d)
		if diff := cmp.Diff(want, r.Txs[0].Buffers); diff != "" {
			t.Error(diff)
		}
	}
	f(protocoltest.TCP(5060, c(say(invite, "Via: one", "v :two,", "\tthree", "f: alice", "TO: bob", "user-agent: phone", "c: application/sdp", offer+"e=a\r\n"))), map[string][]string{
		"to_server sip.method": {"INVITE"}, "to_server sip.uri": {"sip:bob@b.example"}, "to_server sip.request_line": {invite}, "to_server sip.protocol": {"SIP/2.0"},
		"to_server sip.via": {"one", "two, three"}, "to_server sip.from": {"alice"}, "to_server sip.to": {"bob"}, "to_server sip.user_agent": {"phone"},
		"to_server sip.content_type": {"application/sdp"}, "to_server sip.content_length": {fmt.Sprint(len(offer) + 5)},
		"to_server sdp.origin": {"alice 1 1 IN IP4 192.0.2.1"}, "to_server sdp.session_name": {"-"}, "to_server sdp.connection_data": {"IN IP4 192.0.2.1"},
		"to_server sdp.bandwidth": {"AS:64", "AS:9"}, "to_server sdp.time": {"0 0"}, "to_server sdp.repeat_time": {"7d 1h 0 25h", "1d 1h 0"},
		"to_server sdp.attribute": {"recvonly", "rtpmap:0 PCMU/8000"}, "to_server sdp.media.media": {"audio 49170 RTP/AVP 0", "video 51372 RTP/AVP 31"},
		"to_server sdp.media.media_info": {"a call"}, "to_server sdp.media.session_info": {"a call"}, "to_server sdp.media.connection_data": {"IN IP4 192.0.2.2"},
		"to_server sdp.media.encryption_key": {"clear:abc"},
	})
	f(protocoltest.TCP(5060, s("SIP/2.0 486 Busy Here\r\n\r\n")), map[string][]string{"to_client sip.stat_code": {"486"}, "to_client sip.stat_msg": {"Busy Here"},
		"to_client sip.response_line": {"SIP/2.0 486 Busy Here"}, "to_client sip.protocol": {"SIP/2.0"}})
}

func TestProbe(t *testing.T) {
	f := func(dir protocol.Dir, b string, want protocol.Certainty) {
		t.Helper()
		if got := probe(dir, []byte(b)); got != want {
			t.Errorf("%s %q: got %d, want %d", dir, b, got, want)
		}
	}
	ts, tc := protocol.ToServer, protocol.ToClient
	f(ts, invite+"\r\n", protocol.Certain)
	f(ts, "\r\n\r\n"+invite+"\n", protocol.Certain)
	f(ts, "X-NEW tel:+1-201-555-0123 SIP/2.0\r\n", protocol.Certain)
	for i := range invite {
		f(ts, invite[:i], protocol.Unsure)
	}
	f(ts, "GET /index.html HTTP/1.1", protocol.NotForUs)
	f(ts, "GET http://a HTTP/1.1\r\n", protocol.NotForUs)
	f(ts, "EHLO there", protocol.Unsure) // a scheme may be coming
	f(ts, "EHLO there\r\n", protocol.NotForUs)
	f(ts, "EHLO mail.example.com", protocol.NotForUs)
	f(ts, "SSH-2.0-OpenSSH_9.2\r\n", protocol.NotForUs)
	f(ts, ok+"\r\n", protocol.NotForUs)
	f(ts, "INVITE sip:"+strings.Repeat("x", maxFirst), protocol.NotForUs)
	f(ts, "\x16\x03\x01", protocol.NotForUs)
	f(tc, ok+"\r\n", protocol.Certain)
	f(tc, "SIP/2", protocol.Unsure)
	f(tc, "SIP/2.0 abc", protocol.NotForUs)
	f(tc, "220 ready", protocol.NotForUs)
	g := func(b string, want protocol.Certainty, reversed bool) {
		t.Helper()
		d := Definition()
		if got := d.ProbeDatagram(ts, []byte(b)); got != want || d.Reversed([]byte(b)) != reversed {
			t.Errorf("%q: got %d, %v", b, got, d.Reversed([]byte(b)))
		}
	}
	g(invite+"\r\n", protocol.Certain, false)
	g(ok+"\r\n", protocol.Certain, true)
	g("NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250\r\n", protocol.NotForUs, false)
	g(invite, protocol.NotForUs, false)
	g("", protocol.NotForUs, false)
}

func TestUser(t *testing.T) {
	digest := `Authorization: Digest realm="a, b", username="ali\"ce", uri="sip:b", response="0123456789abcdef0123456789abcdef"`
	register := say("REGISTER sip:b.example SIP/2.0", digest, "i: 1@a", "CSeq: 2 REGISTER", "")
	f := func(want string, turns ...string) {
		t.Helper()
		p := protocoltest.Run(Definition(), protocoltest.TCP(5060, turns...)).Parser
		txs := p.Txs().Live
		if got := p.(protocol.Login).User(txs[len(txs)-1]); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	let := say(ok, "Call-ID: 1@a", "CSeq: 2 REGISTER", "")
	f(`ali\"ce`, c(register), s(say("SIP/2.0 100 Trying", "Call-ID: 1@a", "CSeq: 2 REGISTER", "")), s(let), c(say(text1, "hi")))
	f("", c(register), c(say(text1, "hi")))
	f("", c(register), s(strings.Replace(let, "200", "403", 1)), c(say(text1, "hi")))
	f("", c(register), s(strings.Replace(let, "CSeq: 2", "CSeq: 3", 1)), c(say(text1, "hi")))
	f("", c(register), s(let), c(strings.Replace(register, `ali\"ce`, "bob", 1)))
	f("", c(strings.Replace(register, "username", "user", 1)), s(let))

	basic := say("REGISTER sip:b.example SIP/2.0", "Authorization: Basic YWxpY2U6Z2VoZWlt", "i: 1@a", "CSeq: 2 REGISTER", "")
	f("alice", c(basic), s(let), c(say(text1, "hi")))
	p := protocoltest.Run(Definition(), protocoltest.TCP(5060, c(basic))).Parser.(protocol.ClearLogin)
	if user, seen := p.ClearPassword(); user != "alice" || !seen {
		t.Errorf("a password in the clear: %q, %v", user, seen)
	}
}

// TestMask holds that keys and passwords show in no record.
func TestMask(t *testing.T) {
	uri := "INVITE sip:bob:geheim@b.example SIP/2.0"
	r := protocoltest.Run(Definition(), protocoltest.TCP(5060, c(say(uri, "c: application/sdp", offer+"a=crypto:1 AES inline:geheim|2^20\r\n"))))
	e := r.Txs[0].Event.Extra["sip"].(*eveSIP)
	e.SDP.EncryptionKey = "uri:https://a"
	e.Mask(nil)
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"geheim", "clear:abc"} {
		if bytes.Contains(b, []byte(bad)) {
			t.Errorf("%s shows: %s", bad, b)
		}
	}
	for _, good := range []string{`"uri":"sip:bob:******@b.example"`, `"request_line":"INVITE sip:bob:******@b.example SIP/2.0"`, "inline:******|2^20", "clear:***", "uri:https://a"} {
		if !bytes.Contains(b, []byte(good)) {
			t.Errorf("no %s: %s", good, b)
		}
	}
}

func TestHideSecrets(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		b := []byte(in)
		HideSecrets(b)
		if string(b) != want {
			t.Errorf("got %q, want %q", b, want)
		}
	}
	f("head"+invite+"\r\nAuthorization: Digest username=\"a\", response=\"01ab\", uri=\"x\"\r\nTo: a", "head"+invite+"\r\nAuthorization: Digest username=\"a\", response=\"****\", uri=\"x\"\r\nTo: a")
	f("proxy-authorization:Digest response=01ab", "proxy-authorization:Digest response=****")
	f("Authorization: Basic YWxpY2U6", "Authorization: Basic ********")
	f("Authorization: Digest username=\"a\",\r\n\tresponse=\"01ab\"", "Authorization: Digest username=\"a\",\r\n\tresponse=\"****\"")
	f("To: <sip:a:b:c@d>, sips:e:f@g, <sip:h@i>", "To: <sip:a:***@d>, sips:e:*@g, <sip:h@i>")
	f("k=clear:abc\r\nk=prompt\nk=base64:YWJj", "k=clear:***\r\nk=prompt\nk=base64:****")
	f("a=crypto:1 X inline:abcd|1;inline:ef", "a=crypto:1 X inline:****|1;inline:**")
	f("Authorization: Digest response=\"", "Authorization: Digest response=\"")
	f("", "")
}

// TestCaptures reads shared captures, a connection each.
func TestCaptures(t *testing.T) {
	f := func(want string, path ...string) {
		t.Helper()
		n, events := 0, map[string]int{}
		for _, d := range protocoltest.Dialogues(t, protocoltest.Shared(t, append([]string{"suricata-verify", "tests"}, path...)...)) {
			if d.DstPort != 5060 && d.DstPort != 5061 {
				continue
			}
			r := protocoltest.CheckCuts(t, Definition(), d)
			for _, tx := range r.Txs {
				for _, e := range tx.Events {
					events[e]++
				}
				if tx.Log != nil {
					n++
				}
			}
		}
		if got := fmt.Sprint(n, events); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	f("8 map[invalid_data:2]", "sip-body-frames", "public-cloudshark-sip-s0.pcap")
	f("2 map[]", "sip-tcp-method", "sip-tcp.pcap")
	f("2 map[]", "sip-body-large", "sip-body-large.pcap")
	f("81 map[]", "sip-method", "sip.pcap")
}

// TestAllocations holds what a message costs.
func TestAllocations(t *testing.T) {
	env := protocoltest.NewEnv(protocoltest.TCP(5060), &protocoltest.Sink{})
	env.Datagram = true
	p := &Parser{}
	m := []byte(say(invite, "Via: one", "From: a", "To: b", "Call-ID: 1@a", "CSeq: 1 INVITE", "Max-Forwards: 70", ""))
	n := testing.AllocsPerRun(100, func() {
		p.Parse(env, protocol.ToServer, m)
		p.txs.Live = p.txs.Live[:0]
	})
	if n > 8 {
		t.Errorf("%v allocations a message", n)
	}
}

func BenchmarkProbe(b *testing.B) {
	rtp := append([]byte{0x80, 0, 0, 1}, make([]byte, 168)...)
	b.ReportAllocs()
	for range b.N {
		probeDatagram(protocol.ToServer, rtp)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(say(invite, "c: application/sdp", offer)), []byte(say(ok, "f: a", "\t b", "")), []byte(say(text1, "e: gzip", zipped("hello"))))
	f.Add([]byte(say(text1, "Content-Type: multipart/mixed;boundary=b", "--b\r\n\r\nx\r\n--b--")), []byte("SIP/2.0 486 Busy\r\n\r\n"), []byte("\r\n\r\n"))
	f.Add([]byte(say(invite, `Authorization: Digest username="a", response="b"`, "i: 1", "CSeq: 1", "k=clear:x")), []byte(say(ok, "i: 1", "CSeq: 1", "")), []byte("sip:a:b@c"))
	f.Fuzz(func(t *testing.T, a, b, more []byte) {
		d := protocoltest.Dialogue{Chunks: []protocoltest.Chunk{{Data: a}, {Dir: 1, Data: b}, {Data: more}, {Gap: 3}, {Data: a}, {Dir: 1, Data: more}, {Dir: 1, Gap: 1}, {Dir: 1, Data: b}}}
		for _, d.UDP = range []bool{false, true} {
			r := protocoltest.Run(Definition(), d)
			if err := r.Sink.Check(); err != nil {
				t.Fatal(err)
			}
			for _, tx := range r.Parser.Txs().Live {
				r.Parser.(*Parser).User(tx)
			}
			for _, tx := range r.Txs {
				if e, ok := tx.Event.Extra["sip"].(*eveSIP); ok {
					e.Mask(nil)
				}
			}
		}
		probe(protocol.ToServer, a)
		probe(protocol.ToClient, b)
		probeDatagram(protocol.ToServer, more)
		HideSecrets(a)
	})
}
