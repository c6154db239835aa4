package snmp

import (
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
	if n := len(body); n >= 0x80 {
		return string([]byte{tag, 0x82, byte(n >> 8), byte(n)}) + body
	}
	return string([]byte{tag, byte(len(body))}) + body
}

func num(v int) string { return el(2, string([]byte{byte(v)})) }

// The names of what is asked for: sysUpTime.0 and sysDescr.0.
const (
	upTime = "\x2b\x06\x01\x02\x01\x01\x03\x00"
	descr  = "\x2b\x06\x01\x02\x01\x01\x01\x00"
)

func pdu(kind byte, status int, vars ...string) string {
	list := ""
	for i := 0; i+1 < len(vars); i += 2 {
		list += el(0x30, el(6, vars[i]), vars[i+1])
	}
	return el(0xa0|kind, num(7), num(status), num(0), el(0x30, list))
}

func v2(community string, parts ...string) string {
	return el(0x30, num(1), el(4, community), strings.Join(parts, ""))
}

func v3(model int, user, data string) string {
	usm := el(0x30, el(4, "engine"), num(1), num(2), el(4, user), el(4, ""), el(4, ""))
	return el(0x30, num(3), el(0x30, num(1), el(2, "\x05\xdc"), el(4, "\x04"), num(model)), el(4, usm), data)
}

func scoped(p string) string { return el(0x30, el(4, "engine"), el(4, "ctx"), p) }

var (
	get     = v2("s3cret", pdu(0, 0, upTime, "\x05\x00"))
	answer  = v2("s3cret", pdu(2, 0, descr, el(4, "a switch in the basement")))
	trapV1  = el(0x30, num(0), el(4, "public"), el(0xa4, el(6, "\x2b\x06\x01\x04\x01\x09"), el(0x40, "\xc0\x00\x02\x07"), num(3), num(0), el(0x43, "\x05"), el(0x30)))
	sealed  = v3(3, "admin", el(4, "\xa0\x01\x02\x03"))
	opened  = v3(3, "admin", scoped(pdu(8, 0, upTime, "\x41\x01\x05")))
	bulk    = v2("s3cret", pdu(5, 9, upTime, "\x05\x00"))
	refused = v2("s3cret", pdu(2, 17, upTime, "\x05\x00"))
)

func udp(turns ...string) protocoltest.Dialogue {
	d := protocoltest.TCP(161, turns...)
	d.UDP = true
	return d
}

func TestMessages(t *testing.T) {
	f := func(what, msg, want string, events ...string) {
		t.Helper()
		r := protocoltest.Run(Definition(), udp("> "+msg))
		got, err := json.Marshal(r.Txs[0].Event.Extra["snmp"])
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
		if diff := cmp.Diff(events, r.Txs[0].Events, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	f("a request", get, `{"version":2,"pdu_type":"get_request","vars":["1.3.6.1.2.1.1.3.0"],"community":"***"}`)
	f("an answer", answer, `{"version":2,"pdu_type":"response","vars":["1.3.6.1.2.1.1.1.0"],"community":"***"}`)
	f("an error", refused, `{"version":2,"pdu_type":"response","error":"NotWritable","vars":["1.3.6.1.2.1.1.3.0"],"community":"***"}`)
	f("a count that is no error", bulk, `{"version":2,"pdu_type":"get_bulk_request","vars":["1.3.6.1.2.1.1.3.0"],"community":"***"}`)
	f("a trap of old", trapV1, `{"version":1,"pdu_type":"trap_v1","trap_type":"LinkUp","trap_oid":"1.3.6.1.4.1.9","trap_address":"192.0.2.7","community":"public"}`)
	f("encrypted", sealed, `{"version":3,"pdu_type":"encrypted","usm":"admin"}`)
	f("in the open", opened, `{"version":3,"pdu_type":"report","vars":["1.3.6.1.2.1.1.3.0"],"usm":"admin"}`)
	f("another model", v3(2, "admin", scoped(pdu(0, 0))), `{"version":3,"pdu_type":"get_request"}`, "unknown_security_model")
	f("cut short", get[:len(get)-4], "null", "malformed_data")
	f("no kind", v2("s3cret", el(0xaa)), `{"version":2,"community":"***"}`, "malformed_data")
	f("version 4", el(0x30, num(4), el(4, "x"), pdu(0, 0)), "null", "malformed_data")
	f("a value is missing", v2("s3cret", el(0xa0, num(1), num(0), num(0), el(0x30, el(0x30, el(6, upTime))))), `{"version":2,"pdu_type":"get_request","community":"***"}`, "malformed_data")
	f("a long length", el(0x30, num(1), "\x04\x84\x00\x00\x00\x06s3cret", pdu(0, 0)), `{"version":2,"pdu_type":"get_request","community":"***"}`)
}

func TestFlow(t *testing.T) {
	d := udp("> "+get, "< "+answer, "> "+sealed)
	d.Limits = protocol.DefaultLimits()
	d.Limits.ShowSecrets = true
	r := protocoltest.Run(Definition(), d)
	if e := r.Txs[0].Event.Extra["snmp"].(*eveSNMP); *e.Community != "s3cret" {
		t.Errorf("%q is shown where nothing is masked", *e.Community)
	}
	if diff := cmp.Diff([]string{"version_mismatch"}, r.Txs[2].Events); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string][]string{"to_server snmp.community": {"s3cret"}}, r.Txs[0].Buffers); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string][]string{"to_server snmp.usm": {"admin"}}, r.Txs[2].Buffers); diff != "" {
		t.Error(diff)
	}
	f := func(tx int, name string, dir protocol.Dir, want uint64, ok bool) {
		t.Helper()
		if got, gotOK := r.Parser.Txs().Live[tx].State.(*Message).Field(name, dir, 0); gotOK != ok || ok && got != want {
			t.Errorf("%s of %d: %d %v", name, tx, got, gotOK)
		}
	}
	f(0, "snmp.version", protocol.ToServer, 2, true)
	f(0, "snmp.pdu_type", protocol.ToServer, 0, true)
	f(1, "snmp.pdu_type", protocol.ToClient, 2, true)
	f(1, "snmp.pdu_type", protocol.ToServer, 0, false)
	f(2, "snmp.version", protocol.ToServer, 3, true)
	f(2, "snmp.pdu_type", protocol.ToServer, 0, false)
	// Values are looked through, communities are not.
	if !r.Sink.Contains("a switch in the basement") || r.Sink.Contains("s3cret") {
		t.Error("what is looked through is not what should be")
	}
	if _, seen := r.Parser.(protocol.ClearLogin).ClearPassword(); !seen {
		t.Error("a community is a password in the clear")
	}
	r = protocoltest.Run(Definition(), udp("> "+trapV1, "> "+opened))
	if _, seen := r.Parser.(protocol.ClearLogin).ClearPassword(); seen {
		t.Error("what everybody knows is no password")
	}
}

// TestForeign holds that a message of a scanner does not make a flow SNMP's.
func TestForeign(t *testing.T) {
	r := protocoltest.Run(Definition(), udp("> "+sealed, "> \x12\x34\x01\x00"))
	if r.Status != protocol.Switch || r.SwitchTo != protocol.Unknown || r.Rest != "\x12\x34\x01\x00" {
		t.Errorf("%v to %v", r.Status, r.SwitchTo)
	}
}

func TestLongCommunity(t *testing.T) {
	long := strings.Repeat("the plan, page by page ", 4)
	if r := protocoltest.Run(Definition(), udp("> "+v2(long, pdu(0, 0)))); !r.Sink.Contains(long) {
		t.Error("a community carries content out of sight")
	}
}

// TestBehindMessage holds that bytes after a message are looked through.
func TestBehindMessage(t *testing.T) {
	if r := protocoltest.Run(Definition(), udp("> "+get+"the plan is in here")); !r.Sink.Contains("the plan is in here") || r.Sink.Contains("s3cret") {
		t.Errorf("%+v", r.Objects)
	}
	r := protocoltest.Run(Definition(), udp("> "+v2(strings.Repeat("x", 99), pdu(0, 0))+"the plan is in here"))
	if n := strings.Count(string(r.Objects[0].Data), "the plan is in here"); n != 1 {
		t.Errorf("behind a long community: %d times", n)
	}
}

func TestMask(t *testing.T) {
	name := "secret"
	e := &eveSNMP{Community: &name, User: &name}
	if e.Mask(func([]byte) []byte { return []byte("+++") }); *e.Community+*e.User != "++++++" || name != "secret" {
		t.Errorf("%s, %s", *e.Community, *e.User)
	}
}

func TestProbe(t *testing.T) {
	def := Definition()
	f := func(what, msg string, want protocol.Certainty) {
		t.Helper()
		if got := def.ProbeDatagram(protocol.ToServer, []byte(msg)); got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	for what, msg := range map[string]string{"get": get, "trap": trapV1, "sealed": sealed, "opened": opened} {
		f(what, msg, protocol.Certain)
		f(what+", more after it", msg+"x", protocol.Unsure)
		f(what+", cut", msg[:len(msg)-1], protocol.NotForUs)
	}
	f("a directory", "\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00", protocol.NotForUs)
	f("version 2 of the party", el(0x30, num(2), el(4, "x"), pdu(0, 0)), protocol.NotForUs)
	f("nothing", "", protocol.NotForUs)
	if !def.Reversed([]byte(answer)) || !def.Reversed([]byte(opened)) || def.Reversed([]byte(get)) || def.Reversed([]byte(trapV1)) {
		t.Error("an answer alone tells that the flow is reversed")
	}
}

func TestHideCommunity(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		b := []byte(in)
		HideCommunity(b)
		if string(b) != want {
			t.Errorf("got %q, want %q", b, want)
		}
	}
	hide := func(s string) string { return strings.ReplaceAll(s, "s3cret", "******") }
	f("headers\x02\x01"+get+answer, "headers\x02\x01"+hide(get+answer))
	f(get[:10], hide(get)[:7]+"***")
	f(el(0x30, num(1), "\x04\x84\x00\x00\x00\x06s3cret", pdu(0, 0)), el(0x30, num(1), "\x04\x84\x00\x00\x00\x06******", pdu(0, 0)))
	f(opened, opened)
	f("\x02\x01", "\x02\x01")
	f("\x02\x01\x00\x04", "\x02\x01\x00\x04")
}

// TestCapture compares a real capture with what tshark 4.0 prints of it.
func TestCapture(t *testing.T) {
	var got []string
	for _, d := range protocoltest.Dialogues(t, protocoltest.Shared(t, "suricata-verify", "tests", "snmp-v2c-get", "SNMPv2c_get_requests.pcap")) {
		for _, tx := range protocoltest.Run(Definition(), d).Txs {
			e := tx.Event.Extra["snmp"].(*eveSNMP)
			got = append(got, e.PDUType+" "+strings.Join(e.Vars, " "))
		}
	}
	want := []string{"get_next_request 0.1", "response 1.0.8802.1.1.1.1.1.1.0", "get_request 1.3.6.1.2.1.1.3.0", "response 1.3.6.1.2.1.1.3.0",
		"get_request 1.3.6.1.2.1.31.1.1.1.10.1", "response 1.3.6.1.2.1.31.1.1.1.10.1", "get_request 1.3.6.1.2.1.31.1.1.1.6.1", "response 1.3.6.1.2.1.31.1.1.1.6.1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzParse(f *testing.F) {
	for _, msg := range []string{get, answer, trapV1, sealed, opened} {
		f.Add([]byte(msg))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d := protocoltest.Dialogue{UDP: true, Chunks: []protocoltest.Chunk{{Data: b}, {Dir: 1, Data: b}}}
		if err := protocoltest.Run(Definition(), d).Sink.Check(); err != nil {
			t.Fatal(err)
		}
		probe(protocol.ToServer, b)
		reversed(b)
		HideCommunity(b)
	})
}
