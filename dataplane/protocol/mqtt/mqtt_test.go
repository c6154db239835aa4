package mqtt

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// msg makes a message of a first byte and its body.
func msg(first byte, body string) string {
	n := len(body)
	var length []byte
	for {
		b := byte(n & 0x7f)
		if n >>= 7; n == 0 {
			length = append(length, b)
			break
		}
		length = append(length, b|0x80)
	}
	return string(append([]byte{first}, length...)) + body
}

func str(s string) string { return string(binary.BigEndian.AppendUint16(nil, uint16(len(s)))) + s }

// connect4 and connect5 open connections of version 3.1.1 and 5, the latter with
// a will and properties.
var (
	connect4 = msg(0x10, str("MQTT")+"\x04\xc2\x00\x3c"+str("cell-7")+str("plc")+str("geheim"))
	connect5 = msg(0x10, str("MQTT")+"\x05\x2e\x00\x3c"+"\x03\x21\x00\x14"+str("")+"\x05\x18\x00\x00\x00\x09"+str("gone")+str("bye"))
	connAck4 = msg(0x20, "\x00\x00")
	connAck5 = msg(0x20, "\x00\x00\x03\x22\x00\x0a")
)

func c(s string) string { return "> " + s }
func s(s string) string { return "< " + s }

func TestDialogues(t *testing.T) {
	f := func(name string, d protocoltest.Dialogue, wantJSON []string, objects []string, events ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			r := protocoltest.CheckCuts(t, Definition(), d)
			var got, evs, objs []string
			for _, tx := range r.Txs {
				b, err := json.Marshal(tx.Event.Extra["mqtt"])
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, strings.NewReplacer(`"qos":0,"retain":false,"dup":false`, `-`).Replace(string(b)))
				evs = append(evs, tx.Events...)
			}
			for _, o := range r.Objects {
				objs = append(objs, o.Name+"="+string(o.Data))
			}
			if diff := cmp.Diff(wantJSON, got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(objects, objs, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(events, evs, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
	connected := `{"connack":{-,"session_present":false,"return_code":0},"connect":{-,"protocol_string":"MQTT","protocol_version":4,` +
		`"flags":{"username":true,"password":true,"will":false,"will_retain":false,"clean_session":true},"client_id":"cell-7","username":"plc","password":"***"}}`
	tcp := func(turns ...string) protocoltest.Dialogue { return protocoltest.TCP(1883, turns...) }
	f("a connection", tcp(c(connect4), s(connAck4), c(msg(0xc0, "")), s(msg(0xd0, "")), c(msg(0xe0, ""))),
		[]string{connected, `{"pingreq":{-}}`, `{"pingresp":{-}}`, `{"disconnect":{-}}`}, nil)
	f("version 5 with a will", tcp(c(connect5), s(connAck5), c(msg(0xe0, "\x04"))),
		[]string{`{"connack":{-,"session_present":false,"return_code":0,"properties":{"topic_alias_maximum":10}},"connect":{-,"protocol_string":"MQTT","protocol_version":5,` +
			`"flags":{"username":false,"password":false,"will":true,"will_retain":true,"clean_session":true},"client_id":"","will":{"topic":"gone","message":"bye",` +
			`"properties":{"will_delay_interval":9}},"properties":{"receive_maximum":20}}}`, `{"disconnect":{-,"reason_code":4}}`}, []string{"gone=bye"})
	f("publications", tcp(c(connect4), s(connAck4), c(msg(0x30, str("a/b")+"one")), c(msg(0x3b, str("a")+"\x00\x07two")), s(msg(0x40, "\x00\x07"))),
		[]string{connected, `{"publish":{-,"topic":"a/b","message":"one"}}`,
			`{"puback":{-,"message_id":7},"publish":{"qos":1,"retain":true,"dup":true,"topic":"a","message_id":7,"message":"two"}}`}, []string{"a/b=one", "a=two"})
	f("twice acknowledged", tcp(c(connect4), s(connAck4), s(msg(0x34, str("t")+"\x00\x01x")), c(msg(0x50, "\x00\x01")), s(msg(0x62, "\x00\x01")), c(msg(0x70, "\x00\x01"))),
		[]string{connected, `{"pubcomp":{-,"message_id":1},"publish":{"qos":2,"retain":false,"dup":false,"topic":"t","message_id":1,"message":"x"},"pubrec":{-,"message_id":1},` +
			`"pubrel":{"qos":1,"retain":false,"dup":false,"message_id":1}}`}, []string{"t=x"})
	f("subscriptions", tcp(c(connect4), s(connAck4), c(msg(0x82, "\x00\x02"+str("a/#")+"\x01"+str("b")+"\x00")), s(msg(0x90, "\x00\x02\x01\x80")), c(msg(0xa2, "\x00\x03"+str("b"))), s(msg(0xb0, "\x00\x03"))),
		[]string{connected, `{"suback":{-,"message_id":2,"qos_granted":[1,128]},"subscribe":{"qos":1,"retain":false,"dup":false,"message_id":2,"topics":[{"topic":"a/#","qos":1},{"topic":"b","qos":0}]}}`,
			`{"unsuback":{-,"message_id":3},"unsubscribe":{"qos":1,"retain":false,"dup":false,"message_id":3,"topics":["b"]}}`}, nil)
	f("answers to nothing", tcp(s(connAck4), s(msg(0x40, "\x00\x09")), s(msg(0x90, "\x00\x09\x00")), s(msg(0xb0, "\x00\x09"))),
		[]string{`{"connack":{-,"session_present":false,"return_code":0}}`, `{"puback":{-,"message_id":9}}`, `{"suback":{-,"message_id":9,"qos_granted":[0]}}`, `{"unsuback":{-,"message_id":9}}`}, nil,
		"missing_connect", "missing_publish", "missing_subscribe", "missing_unsubscribe")
	f("before the answer", tcp(c(connect4), c(msg(0x30, str("a")+"early")), c(connect4), s(connAck4)),
		[]string{connected[:1] + connected[strings.Index(connected, `"connect"`):], `{"publish":{-,"topic":"a","message":"early"}}`, connected}, []string{"a=early"}, "unintroduced_message", "double_connect")
	f("not a type, nor a quality of service", tcp(c(connect4), s(connAck4), c(msg(0x00, "abc")), c(msg(0x36, str("a")+"\x00\x01x")), c(msg(0xe0, ""))),
		[]string{connected, `null`, `{"publish":{"qos":3,"retain":false,"dup":false,"topic":"","message":""}}`, `{"disconnect":{-}}`}, nil, "unassigned_msg_type", "invalid_qos_level")
	f("a topic that is too long", tcp(c(connect4), s(connAck4), c(msg(0x30, "\x00\xffabc"))), []string{connected, `{"publish":{-,"topic":"","message":""}}`}, nil, "malformed_traffic")
	f("cut short", tcp(c(connect4), s(connAck4), c(msg(0x10, str("MQTT")+"\x04"))), []string{connected, `{"connect":{-,"protocol_string":"MQTT","protocol_version":4,` +
		`"flags":{"username":false,"password":false,"will":false,"will_retain":false,"clean_session":false},"client_id":""}}`}, nil, "double_connect", "malformed_traffic")
	small := tcp(c(connect4), s(connAck4), c(msg(0x30, str("a")+"0123456789")), c(msg(0xe0, "")))
	small.Limits = protocol.DefaultLimits()
	small.Limits.MQTT.MaxMessage = 8
	f("longer than is kept", small, []string{connected, `{"publish":{-,"topic":"a","truncated":true,"skipped_length":13}}`, `{"disconnect":{-}}`}, []string{"a=0123456789"})
	brief := tcp(c(connect4), s(connAck4), c(msg(0x30, str("topic")+"0123456789")))
	brief.Limits = protocol.DefaultLimits()
	brief.Limits.MQTT.Logged = 6
	f("longer than is told", brief, []string{connected, `{"publish":{-,"topic":"topic","message":"012345[truncated 4 additional bytes]"}}`}, []string{"topic=0123456789"})
	shown := tcp(c(connect4), s(connAck4))
	shown.Limits = protocol.DefaultLimits()
	shown.Limits.MQTT.Passwords = true
	f("with the password", shown, []string{strings.Replace(connected, "***", "geheim", 1)}, nil)
	hole := tcp(c(connect4), s(connAck4), c(msg(0x30, str("a")+"0123456789")[:8]))
	hole.Chunks = append(hole.Chunks, protocoltest.Chunk{Gap: 3}, protocoltest.Chunk{Data: []byte("6789" + msg(0xe0, ""))})
	f("a hole in a content", hole, []string{connected, `{"publish":{-,"topic":"a","truncated":true,"skipped_length":13}}`, `{"disconnect":{-}}`}, []string{"a=0126789"})
}

// TestTransactionsAreBounded holds that publications that nobody acknowledges
// do not pile up.
func TestTransactionsAreBounded(t *testing.T) {
	d := protocoltest.TCP(1883, c(connect4), s(connAck4))
	d.Limits = protocol.DefaultLimits()
	d.Limits.MaxTx = 4
	for i := range byte(20) {
		d.Chunks = append(d.Chunks, protocoltest.Chunk{Data: []byte(msg(0x32, str("a")+"\x01"+string([]byte{i + 1})+"x"))})
	}
	r := protocoltest.Run(Definition(), d)
	ended := 0
	for _, tx := range r.Txs {
		for _, e := range tx.Events {
			if e == "too_many_transactions" {
				ended++
			}
		}
	}
	if len(r.Txs) != 21 || ended != 16 {
		t.Errorf("%d transactions, of which %d were ended for want of room", len(r.Txs), ended)
	}
}

// TestKeptIsBounded holds that what waits for answers keeps a bounded number of
// bytes, also where all of it stands before the contents.
func TestKeptIsBounded(t *testing.T) {
	env := protocoltest.NewEnv(protocoltest.TCP(1883), &protocoltest.Sink{})
	p := Definition().New(env).(*Parser)
	p.Parse(env, protocol.ToServer, []byte(connect5))
	for i := range byte(200) {
		p.Parse(env, protocol.ToServer, []byte(msg(0x82, "\x01"+string([]byte{i})+"\x00"+str(strings.Repeat("a", 60000))+"\x00")))
	}
	if n := p.wait.queue.Len(); p.wait.size > maxKept+64<<10 || n > 80 || n < 60 {
		t.Errorf("%d bytes of %d transactions are kept", p.wait.size, n)
	}
}

// TestManyMessages holds that a message costs the same however many came with it.
func TestManyMessages(t *testing.T) {
	// The collector's turns would count as the messages' work.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	f := func(what, turn string) {
		t.Helper()
		took := func(n int) time.Duration {
			best := time.Hour
			for range 5 {
				env := protocoltest.NewEnv(protocoltest.TCP(1883), &protocoltest.Sink{})
				p := Definition().New(env)
				p.Parse(env, protocol.ToServer, []byte(connect4))
				p.Parse(env, protocol.ToClient, []byte(connAck4))
				b := bytes.Repeat([]byte(turn), n)
				runtime.GC()
				from := time.Now()
				p.Parse(env, protocol.ToServer, b)
				best = min(best, time.Since(from))
			}
			return best
		}
		few, many := took(1000), took(16000)
		t.Logf("%s: %v for a thousand, %v for sixteen", what, few, many)
		if many > 150*few {
			t.Errorf("%s: %v for a thousand, %v for sixteen", what, few, many)
		}
	}
	f("pings", msg(0xc0, ""))
	f("answers to nothing", msg(0x40, "\x00\x01"))
	f("publications", msg(0x30, str("")))
	f("publications that wait", msg(0x32, str("")+"\x00\x07"))
}

// TestTooLongIsLookedThrough holds that a message beyond what is taken apart is
// content all the same.
func TestTooLongIsLookedThrough(t *testing.T) {
	long := msg(0x10, str("MQTT")+"\x04\x2e\x00\x3c"+str(strings.Repeat("x", 60000))+str("gone")+str(strings.Repeat("y", 9000)+"the will"))
	r := protocoltest.CheckCuts(t, Definition(), protocoltest.TCP(1883, c(long), s(connAck4), c(msg(0xe0, ""))))
	if len(r.Objects) != 1 || !strings.HasSuffix(string(r.Objects[0].Data), "the will") || len(r.Txs) != 2 {
		t.Errorf("%d objects, %d transactions", len(r.Objects), len(r.Txs))
	}
}

func TestProbe(t *testing.T) {
	f := func(dir protocol.Dir, b string, want protocol.Certainty) {
		t.Helper()
		if got := probe(dir, []byte(b)); got != want {
			t.Errorf("%q: got %d, want %d", b, got, want)
		}
	}
	f(protocol.ToServer, connect4, protocol.Certain)
	f(protocol.ToServer, msg(0x10, str("MQIsdp")+"\x03\x02\x00\x3c"+str("x")), protocol.Certain)
	f(protocol.ToServer, connect4[:5], protocol.Unsure)
	f(protocol.ToServer, "", protocol.NotForUs)
	f(protocol.ToServer, "\x10\x80\x80\x80\x80", protocol.NotForUs)
	f(protocol.ToServer, "\x10\x0c\x00\x04HTTP", protocol.NotForUs)
	f(protocol.ToClient, connAck4, protocol.Certain)
	f(protocol.ToClient, connAck4+"\x00", protocol.NotForUs)
}

func TestUser(t *testing.T) {
	f := func(want string, turns ...string) {
		t.Helper()
		p := protocoltest.Run(Definition(), protocoltest.TCP(1883, turns...)).Parser
		if got := p.(protocol.Login).User(nil); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f("plc", c(connect4), s(connAck4))
	f("", c(connect4))
	f("", c(connect4), s(msg(0x20, "\x00\x05")))
	f("", c(connect5), s(connAck5))
}

// TestMask holds that what a detector finds shows in no record, wherever a sender
// has put it, nor what a client proves itself with.
func TestMask(t *testing.T) {
	property := "\x26" + str("a secret name") + str("a secret")
	connect := msg(0x10, str("MQTT")+"\x05\xc6\x00\x3c"+"\x0b\x15"+str("m")+"\x16"+str("open")+str("secret")+
		string(rune(len(property)))+property+str("secret")+str("my secret")+str("secret")+str("geheim"))
	r := protocoltest.Run(Definition(), protocoltest.TCP(1883, c(connect), s(connAck5), c(msg(0x30, str("secret")+string(rune(len(property)))+property+"my secret")),
		c(msg(0x82, "\x00\x01\x00"+str("a secret")+"\x00")), c(msg(0xa2, "\x00\x02\x00"+str("a secret")))))
	if len(r.Txs) != 4 {
		t.Fatalf("%d transactions", len(r.Txs))
	}
	shown := ""
	for _, tx := range r.Txs {
		e := tx.Event.Extra["mqtt"].(eveMQTT)
		e.Mask(func(b []byte) []byte { return []byte(strings.ReplaceAll(string(b), "secret", "+++")) })
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		shown += string(b)
	}
	if n := strings.Count(shown, "+++"); n != 12 || strings.Contains(shown, "secret") || strings.Contains(shown, "open") || strings.Contains(shown, "geheim") {
		t.Errorf("%d are masked: %s", n, shown)
	}
}

// TestHidePassword holds that a password is found where a packet has it.
func TestHidePassword(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		b := []byte(in)
		HidePassword(b)
		if string(b) != want {
			t.Errorf("got %q, want %q", b, want)
		}
	}
	hide := func(s string) string { return strings.Replace(s, "geheim", "******", 1) }
	f("headers"+connect4+connect4, "headers"+hide(connect4)+hide(connect4))
	f(connect4[:len(connect4)-2], hide(connect4)[:len(connect4)-2])
	v5 := msg(0x10, str("MQTT")+"\x05\xc6\x00\x3c"+"\x0b\x15"+str("m")+"\x16"+str("1234")+"\x00"+str("id")+str("will")+str("last")+str("plc")+str("geheim"))
	f(v5, strings.Replace(hide(v5), "1234", "****", 1))
	f(connect5, connect5)
	f("\x00\x04MQTT", "\x00\x04MQTT")
	f("", "")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(connect4), []byte(connAck4), []byte(msg(0x30, str("a/b")+"one")))
	f.Add([]byte(connect5), []byte(connAck5), []byte(msg(0x3b, str("a")+"\x00\x07\x05\x26"+str("")+str("")+"two")))
	f.Add([]byte(msg(0x82, "\x00\x02"+str("a/#")+"\x01")), []byte(msg(0x90, "\x00\x02\x01")), []byte("\x10\xff\xff\xff\x7f"))
	f.Fuzz(func(t *testing.T, a, b, more []byte) {
		d := protocoltest.Dialogue{Chunks: []protocoltest.Chunk{{Data: a}, {Dir: 1, Data: b}, {Data: more}, {Gap: 3}, {Data: a}, {Dir: 1, Data: more}, {Dir: 1, Gap: 1}, {Dir: 1, Data: b}}}
		r := protocoltest.Run(Definition(), d)
		if err := r.Sink.Check(); err != nil {
			t.Fatal(err)
		}
		for _, tx := range r.Parser.Txs().Live {
			for _, name := range []string{"mqtt.type", "mqtt.flags", "mqtt.reason_code", "mqtt.connect.flags"} {
				tx.State.(*Transaction).Field(name, protocol.ToServer, 1)
			}
		}
		probe(protocol.ToServer, a)
		probe(protocol.ToClient, b)
		HidePassword(a)
	})
}
