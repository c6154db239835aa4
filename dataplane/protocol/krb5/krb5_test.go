package krb5

import (
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// el makes an element.
func el(tag byte, parts ...string) string {
	body := strings.Join(parts, "")
	switch n := len(body); {
	case n < 0x80:
		return string([]byte{tag, byte(n)}) + body
	default:
		return string([]byte{tag, 0x82, byte(n >> 8), byte(n)}) + body
	}
}

func num(tag byte, v int) string       { return el(0xa0|tag, el(2, string([]byte{byte(v)}))) }
func str(s string) string              { return el(0x1b, s) }
func enc(etype int) string             { return el(0x30, num(0, etype), el(0xa2, el(4, "sealed"))) }
func msg(typ byte, p ...string) string { return el(0x60|typ, el(0x30, p...)) }

func princ(parts ...string) string {
	list := ""
	for _, p := range parts {
		list += str(p)
	}
	return el(0x30, num(0, 1), el(0xa1, el(0x30, list)))
}

func request(typ int, client string) string {
	body := el(0xa0, el(3, "\x00\x40\x00\x00\x00"))
	if client != "" {
		body += el(0xa1, princ(client))
	}
	body += el(0xa2, str("EXAMPLE.COM")) + el(0xa3, princ("krbtgt", "EXAMPLE.COM")) + num(7, 5)
	return msg(byte(typ), num(1, 5), num(2, typ), el(0xa4, el(0x30, body)))
}

func reply(typ, etype, ticket int) string {
	t := el(0x61, el(0x30, num(0, 5), el(0xa1, str("EXAMPLE.COM")), el(0xa2, princ("http", "web")), el(0xa3, enc(ticket))))
	return msg(byte(typ), num(0, 5), num(1, typ), el(0xa3, str("EXAMPLE.COM")), el(0xa4, princ("jdoe")), el(0xa5, t), el(0xa6, enc(etype)))
}

var preauth = msg(30, num(0, 5), num(1, 30), el(0xa4, el(0x18, "20260101000000Z")), num(5, 1), num(6, 25), el(0xa9, str("EXAMPLE.COM")), el(0xaa, princ("krbtgt", "EXAMPLE.COM")))

// rec puts a message's length before it.
func rec(s string) string { return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s }

func udp(turns ...string) protocoltest.Dialogue {
	d := protocoltest.TCP(88, turns...)
	d.UDP = true
	return d
}

func records(t *testing.T, r *protocoltest.Result) (records, events []string) {
	t.Helper()
	for _, tx := range r.Txs {
		b, err := json.Marshal(tx.Event.Extra["krb5"])
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, strings.NewReplacer("\\u003c", "<", "\\u003e", ">").Replace(string(b)))
		events = append(events, tx.Events...)
	}
	return records, events
}

func TestDialogues(t *testing.T) {
	const (
		asReq  = `{"msg_type":"KRB_AS_REQ","cname":"jdoe","realm":"EXAMPLE.COM","sname":"krbtgt/EXAMPLE.COM","encryption":"<none>","weak_encryption":false}`
		failed = `{"msg_type":"KRB_ERROR","failed_request":"KRB_AS_REQ","error_code":"KDC_ERR_PREAUTH_REQUIRED","cname":"<empty>","realm":"<empty>","sname":"krbtgt/EXAMPLE.COM","encryption":"<none>","weak_encryption":false}`
		asRep  = `{"msg_type":"KRB_AS_REP","cname":"jdoe","realm":"EXAMPLE.COM","sname":"http/web","encryption":"aes256-cts-hmac-sha1-96","weak_encryption":false,"ticket_encryption":"rc4-hmac","ticket_weak_encryption":true}`
		tgsReq = `{"msg_type":"KRB_TGS_REQ","cname":"<empty>","realm":"EXAMPLE.COM","sname":"krbtgt/EXAMPLE.COM","encryption":"<none>","weak_encryption":false}`
		weakly = `{"msg_type":"KRB_TGS_REP","cname":"jdoe","realm":"EXAMPLE.COM","sname":"http/web","encryption":"des-cbc-md5","weak_encryption":true,"ticket_encryption":"EncryptionType(99)","ticket_weak_encryption":true}`
	)
	f := func(what string, d protocoltest.Dialogue, user string, want []string, events ...string) {
		t.Helper()
		t.Run(what, func(t *testing.T) {
			r := protocoltest.CheckCuts(t, Definition(), d)
			got, evs := records(t, r)
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(events, evs, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if got := r.Parser.(protocol.Login).User(nil); got != user {
				t.Errorf("user %q, want %q", got, user)
			}
		})
	}
	f("a login over UDP", udp("> "+request(10, "jdoe"), "< "+preauth, "> "+request(10, "jdoe"), "< "+reply(11, 18, 23)), "jdoe", []string{asReq, failed, asReq, asRep})
	f("over TCP, two in one segment", protocoltest.TCP(88, "> "+rec(request(10, "jdoe"))+rec(request(12, "")), "< "+rec(reply(11, 18, 23))+rec(reply(13, 3, 99))), "jdoe",
		[]string{asReq, tgsReq, asRep, weakly}, "weak_encryption")
	f("an error to nothing", udp("< "+preauth), "", []string{strings.Replace(failed, "KRB_AS_REQ", "UNKNOWN", 1)})
	f("refused", udp("> "+request(10, "jdoe"), "< "+preauth), "", []string{asReq, failed})
	f("a reply that a client sends", udp("> "+reply(11, 18, 18)), "", []string{strings.NewReplacer("rc4-hmac", "aes256-cts-hmac-sha1-96", `"ticket_weak_encryption":true`, `"ticket_weak_encryption":false`).Replace(asRep)})
	f("cut short", udp("> "+request(10, "jdoe")[:60]), "", []string{"null"}, "malformed_data")
	f("elements out of order", udp("> "+msg(10, num(2, 10), num(1, 5))), "", []string{strings.NewReplacer("jdoe", "<empty>", "EXAMPLE.COM", "<empty>", "krbtgt/EXAMPLE.COM", "<empty>").Replace(asReq)}, "malformed_data")
	f("the rest of a record missing", protocoltest.TCP(88, "> "+rec(request(10, "jdoe"))[:50]), "", []string{"null"}, "malformed_data")
	f("a record of nothing", protocoltest.TCP(88, "> "+rec(request(10, "jdoe"))+"\x00\x00\x00\x00"), "", []string{asReq, "null"}, "malformed_data")
	f("a record too long", protocoltest.TCP(88, "> "+rec(request(10, "jdoe"))+"\x80\x00\x00\x00"), "", []string{asReq, "null"}, "malformed_data")
}

func TestBuffersAndNumbers(t *testing.T) {
	r := protocoltest.Run(Definition(), udp("> "+request(10, "jdoe"), "< "+reply(13, 18, 23), "< "+preauth))
	if diff := cmp.Diff(map[string][]string{"to_server krb5.cname": {"jdoe"}, "to_server krb5_cname": {"jdoe"}, "to_server krb5.sname": {"krbtgt", "EXAMPLE.COM"}, "to_server krb5_sname": {"krbtgt", "EXAMPLE.COM"}}, r.Txs[0].Buffers); diff != "" {
		t.Error(diff)
	}
	f := func(tx int, name string, dir protocol.Dir, want uint64, ok bool) {
		t.Helper()
		got, gotOK := r.Parser.Txs().Live[tx].State.(*Message).Field(name, dir, 0)
		if gotOK != ok || got != want && ok {
			t.Errorf("%s of %d: %d %v", name, tx, got, gotOK)
		}
	}
	f(0, "krb5_msg_type", protocol.ToServer, 10, true)
	f(0, "krb5_msg_type", protocol.ToClient, 0, false)
	f(0, "krb5_err_code", protocol.ToServer, 0, false)
	f(0, "krb5.ticket_encryption", protocol.ToServer, 0, false)
	f(1, "krb5.ticket_encryption", protocol.ToClient, 23, true)
	f(2, "krb5_msg_type", protocol.ToClient, 30, true)
	f(2, "krb5_err_code", protocol.ToClient, 25, true)
}

// TestContent holds that what is put into a message is looked through, whatever it is.
func TestContent(t *testing.T) {
	hidden := msg(20, num(0, 5), num(1, 20), el(0xa2, el(0x30, el(0xa0, el(4, "the plan is in here")))))
	for _, d := range []protocoltest.Dialogue{udp("> " + hidden), protocoltest.TCP(88, "> "+rec(hidden))} {
		if r := protocoltest.Run(Definition(), d); !r.Sink.Contains("the plan is in here") {
			t.Error("the content is out of sight")
		}
	}
	if r := protocoltest.Run(Definition(), protocoltest.TCP(88, "> "+rec(hidden + "x")[:len(hidden)])); !r.Sink.Contains("the plan is in ") {
		t.Error("a message that does not end is out of sight")
	}
}

func TestGap(t *testing.T) {
	whole := rec(request(10, "jdoe"))
	d := protocoltest.TCP(88, "> "+whole[:40])
	d.Chunks = append(d.Chunks, protocoltest.Chunk{Gap: 20}, protocoltest.Chunk{Data: []byte(whole[60:] + whole)})
	if r := protocoltest.Run(Definition(), d); len(r.Txs) != 3 || len(r.Txs[0].Events) != 1 || r.Txs[2].Log == nil || r.Status != protocol.Continue {
		t.Errorf("%d transactions, %v", len(r.Txs), r.Status)
	}
	d.Chunks = append(d.Chunks[:1], protocoltest.Chunk{Gap: uint64(len(whole))})
	if r := protocoltest.Run(Definition(), d); r.Status != protocol.Error {
		t.Errorf("%v after a hole beyond the message", r.Status)
	}
}

// TestBehindGap holds that the rest of a message with a hole in it is looked through.
func TestBehindGap(t *testing.T) {
	sent := rec(msg(20, num(0, 5), num(1, 20), el(0xa2, el(4, strings.Repeat("x", 200)+"the plan is in here"))))
	d := protocoltest.TCP(88, "> "+sent[:60])
	d.Chunks = append(d.Chunks, protocoltest.Chunk{Gap: 20}, protocoltest.Chunk{Data: []byte(sent[80:])})
	if r := protocoltest.Run(Definition(), d); !r.Sink.Contains("the plan is in here") || r.Sink.Check() != nil {
		t.Errorf("out of sight: %v", r.Sink.Check())
	}
}

func TestMask(t *testing.T) {
	e := &eveKRB5{Client: "secret", Realm: "secret", Server: "secret"}
	if e.Mask(func([]byte) []byte { return []byte("+++") }); e.Client+e.Realm+e.Server != "+++++++++" {
		t.Errorf("%+v", e)
	}
}

func TestProbe(t *testing.T) {
	def := Definition()
	f := func(what string, want, got protocol.Certainty) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	as, rep := request(10, "jdoe"), reply(11, 18, 18)
	f("request", protocol.Certain, def.ProbeDatagram(protocol.ToServer, []byte(as)))
	f("request of a server", protocol.NotForUs, def.ProbeDatagram(protocol.ToClient, []byte(as)))
	f("reply", protocol.Certain, def.ProbeDatagram(protocol.ToClient, []byte(rep)))
	f("error", protocol.Certain, def.ProbeDatagram(protocol.ToClient, []byte(preauth)))
	f("another version", protocol.NotForUs, def.ProbeDatagram(protocol.ToServer, []byte(strings.Replace(as, "\x02\x01\x05", "\x02\x01\x04", 1))))
	f("a directory", protocol.NotForUs, def.ProbeDatagram(protocol.ToServer, []byte("\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00")))
	stream := []byte(rec(as))
	for n := range stream {
		if c := def.Probe(protocol.ToServer, stream[:n]); n < 24 && c == protocol.NotForUs || n > 40 && c != protocol.Certain {
			t.Errorf("%d bytes: %d", n, c)
		}
	}
	for _, s := range []string{"GET / HTTP/1.1\r\n", "\x00\x00\x00\x54\xffSMB", "\x16\x03\x01\x00\x50", "\x00\x1c\x12\x34\x01\x00"} {
		f(s, protocol.NotForUs, def.Probe(protocol.ToServer, []byte(s)))
	}
	if !def.Reversed([]byte(rep)) || def.Reversed([]byte(as)) {
		t.Error("a reply alone tells that the flow is reversed")
	}
}

// TestCapture compares the messages of a real capture with what tshark 4.0 prints of
// it (kerberos.msg_type, kerberos.CNameString, kerberos.SNameString, kerberos.etype).
func TestCapture(t *testing.T) {
	var got []string
	for _, d := range protocoltest.Dialogues(t, protocoltest.Shared(t, "suricata-verify", "tests", "krb5-krb5_msg_type", "input.pcap")) {
		if d.DstPort != 88 {
			continue
		}
		for _, tx := range protocoltest.CheckCuts(t, Definition(), d).Txs {
			e := tx.Event.Extra["krb5"].(*eveKRB5)
			got = append(got, strings.Join([]string{e.MsgType, e.Client, e.Server, e.TicketEncryption, e.Encryption, e.ErrorCode}, " "))
			if len(tx.Events) > 0 {
				t.Error(tx.Events)
			}
		}
	}
	want := []string{
		"KRB_AS_REQ robin krbtgt/CYLERA.LAB  <none> ",
		"KRB_ERROR <empty> krbtgt/CYLERA.LAB  <none> KDC_ERR_PREAUTH_REQUIRED",
		"KRB_AS_REQ robin krbtgt/CYLERA.LAB  <none> ",
		"KRB_AS_REP robin krbtgt/CYLERA.LAB aes256-cts-hmac-sha1-96 aes256-cts-hmac-sha1-96 ",
		"KRB_TGS_REQ <empty> ldap/dc01  <none> ",
		"KRB_TGS_REP robin ldap/dc01 aes256-cts-hmac-sha1-96 aes256-cts-hmac-sha1-96 ",
		"KRB_TGS_REQ <empty> krbtgt/CYLERA.LAB  <none> ",
		"KRB_TGS_REP robin krbtgt/CYLERA.LAB aes256-cts-hmac-sha1-96 aes256-cts-hmac-sha1-96 ",
		"KRB_TGS_REQ <empty> http/1027814774sa  <none> ",
		"KRB_TGS_REP robin http/1027814774sa rc4-hmac aes256-cts-hmac-sha1-96 ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(request(10, "jdoe")), []byte(reply(11, 18, 23)), true)
	f.Add([]byte(request(12, "")), []byte(preauth), true)
	f.Add([]byte(rec(request(10, "jdoe"))), []byte(rec(reply(13, 3, 99))+rec(preauth)), false)
	f.Fuzz(func(t *testing.T, a, b []byte, datagram bool) {
		d := protocoltest.Dialogue{UDP: datagram, DstPort: 88, Chunks: []protocoltest.Chunk{{Data: a}, {Dir: 1, Data: b}, {Gap: 3}, {Data: a}, {Dir: 1, Gap: 1}, {Dir: 1, Data: b}}}
		r := protocoltest.Run(Definition(), d)
		if err := r.Sink.Check(); err != nil {
			t.Fatal(err)
		}
		for _, tx := range r.Parser.Txs().Live {
			for _, name := range []string{"krb5_msg_type", "krb5_err_code", "krb5.ticket_encryption"} {
				if m, ok := tx.State.(*Message); ok {
					m.Field(name, protocol.ToClient, 0)
				}
			}
		}
		def := Definition()
		def.Probe(protocol.ToServer, a)
		def.ProbeDatagram(protocol.ToClient, b)
		def.Reversed(a)
	})
}
