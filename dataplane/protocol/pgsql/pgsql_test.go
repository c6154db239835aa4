package pgsql

import (
	"encoding/binary"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// msg makes a message of a type and its body, open one without a type.
func msg(typ byte, body string) string {
	return string(typ) + string(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))) + body
}

func open(code uint32, body string) string {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)+8))
	return string(binary.BigEndian.AppendUint32(b, code)) + body
}

func word(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }
func half(n uint16) string { return string(binary.BigEndian.AppendUint16(nil, n)) }

// row makes a row of values; "-" is none.
func row(values ...string) string {
	b := half(uint16(len(values)))
	for _, v := range values {
		if v == "-" {
			b += word(1<<32 - 1)
			continue
		}
		b += word(uint32(len(v))) + v
	}
	return msg('D', b)
}

func columns(typ uint32, format uint16, names ...string) string {
	b := half(uint16(len(names)))
	for _, n := range names {
		b += n + "\x00" + word(0) + half(0) + word(typ) + half(0) + word(0) + half(format)
	}
	return msg('T', b)
}

var (
	startup = open(3<<16, "user\x00bob\x00database\x00shop\x00\x00")
	askTLS  = open(codeTLS, "")
	authed  = msg('R', word(0))
	ready   = msg('Z', "I")
	welcome = authed + msg('S', "DateStyle\x00ISO, MDY\x00") + msg('K', word(7)+word(99)) + ready
)

func TestDialogues(t *testing.T) {
	f := func(name string, turns []string, wantJSON, objects []string, events ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			r := protocoltest.CheckCuts(t, Definition(), protocoltest.TCP(5432, turns...))
			var got, evs, objs []string
			for _, tx := range r.Txs {
				b, err := json.Marshal(tx.Event.Extra["pgsql"])
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, string(b))
				evs = append(evs, tx.Events...)
			}
			for _, o := range r.Objects {
				objs = append(objs, o.Dir.String()+" "+o.Name+"="+strings.ReplaceAll(string(o.Data), "\x00", ""))
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
	const (
		in    = `{"tx_id":1,"request":{"protocol_version":"3.0","startup_parameters":{"user":"bob","optional_parameters":[{"database":"shop"}]}},"response":{"message":"authentication_ok","parameter_status":[{"date_style":"ISO, MDY"}],"process_id":7,"secret_key":99}}`
		start = `{"protocol_version":"3.0","startup_parameters":{"user":"bob","optional_parameters":[{"database":"shop"}]}}`
	)
	hello := []string{"> " + startup, "< " + welcome}
	with := func(turns ...string) []string { return append(append([]string{}, hello...), turns...) }
	f("a query", with("> "+msg('Q', "select * from cards\x00"), "< "+columns(25, 0, "name", "card")+row("Ann", "4111")+row("Bo", "-")+msg('C', "SELECT 2\x00")+ready, "> "+msg('X', "")),
		[]string{in, `{"tx_id":2,"request":{"simple_query":"select * from cards"},"response":{"field_count":2,"data_rows":2,"data_size":9,"command_completed":"SELECT 2"}}`,
			`{"tx_id":3,"request":{"message":"termination_message"}}`},
		[]string{"to_server query=select * from cards", "to_client result=name\tcard\nAnn\t4111\nBo\t\n"})
	f("numbers that are not text", with("> "+msg('Q', "select n\x00"), "< "+columns(20, 1, "n")+row("\x00\x0e\x9b\x08\xa5\x68\xf1\xc7")+row("\xff\xff\xff\xff\xff\xff\xff\xff")+ready),
		[]string{in, `{"tx_id":2,"request":{"simple_query":"select n"},"response":{"field_count":1,"data_rows":2,"data_size":16}}`},
		[]string{"to_server query=select n", "to_client result=n\n4111111111111111\n-1\n"})
	f("an extended query", with("> "+msg('P', "s\x00insert into t values ($1)\x00"+half(0))+msg('B', "\x00s\x00"+half(0)+half(2)+word(4)+"4111"+word(1<<32-1)+half(0))+msg('D', "P\x00")+msg('E', "\x00"+word(0))+msg('S', ""),
		"< "+msg('1', "")+msg('2', "")+msg('n', "")+msg('C', "INSERT 0 1\x00")+ready),
		[]string{in, `{"tx_id":2,"request":{"message":"extended_query","prepared_queries":["insert into t values ($1)"]},"response":{"command_completed":"INSERT 0 1"}}`},
		[]string{"to_server query=insert into t values ($1)\n4111\t\n"})
	f("copied in", with("> "+msg('Q', "copy t from stdin\x00"), "< "+msg('G', "\x00"+half(2)+half(0)+half(0)), "> "+msg('d', "1\t4111\n")+msg('d', "2\t4222\n")+msg('c', ""), "< "+msg('C', "COPY 2\x00")+ready),
		[]string{in, `{"tx_id":2,"request":{"simple_query":"copy t from stdin"},"response":{"copy_in_response":{"columns":2}}}`,
			`{"tx_id":3,"request":{"message":"copy_done","copy_data_in":{"msg_count":2,"data_size":14}},"response":{"command_completed":"COPY 2"}}`},
		[]string{"to_server query=copy t from stdin", "to_server copy=1\t4111\n2\t4222\n"})
	f("copied out", with("> "+msg('Q', "copy t to stdout\x00"), "< "+msg('H', "\x00"+half(1)+half(0))+msg('d', "4111\n")+msg('d', "4222\n")+msg('c', "")+msg('C', "COPY 2\x00")+ready),
		[]string{in, `{"tx_id":2,"request":{"simple_query":"copy t to stdout"},"response":{"command_completed":"COPY 2","copy_out_response":{"columns":1},"copy_data_out":{"row_count":2,"data_size":10}}}`},
		[]string{"to_server query=copy t to stdout", "to_client copy=4111\n4222\n"})
	f("a password in the clear", []string{"> " + startup, "< " + msg('R', word(3)), "> " + msg('p', "geheim\x00"), "< " + welcome},
		[]string{`{"tx_id":1,"request":` + start + `,"response":{"message":"authentication_cleartext_password"}}`,
			`{"tx_id":2,"request":{"password_redacted":true},"response":{"message":"authentication_ok","parameter_status":[{"date_style":"ISO, MDY"}],"process_id":7,"secret_key":99}}`}, nil)
	f("sasl", []string{"> " + startup, "< " + msg('R', word(10)+"SCRAM-SHA-256\x00\x00"), "> " + msg('p', "SCRAM-SHA-256\x00"+word(5)+"n,,n="), "< " + msg('R', word(11)+"r=1"), "> " + msg('p', "p=2"), "< " + msg('R', word(12)+"v=3") + authed + ready},
		[]string{`{"tx_id":1,"request":` + start + `,"response":{"message":"authentication_sasl"}}`,
			`{"tx_id":2,"request":{"sasl_authentication_mechanism":"SCRAM-SHA-256","sasl_param":"n,,n="},"response":{"message":"authentication_sasl_continue"}}`,
			`{"tx_id":3,"request":{"sasl_response":"p=2"},"response":{"message":"authentication_ok","authentication_sasl_final":"v=3"}}`}, nil)
	f("no encryption, and a refusal", []string{"> " + askTLS, "< N", "> " + startup, "< " + msg('E', "SFATAL\x00C28000\x00Mno entry\x00\x00")},
		[]string{`{"tx_id":1,"request":{"message":"SSL Request"},"response":{"ssl_accepted":false}}`,
			`{"tx_id":2,"request":` + start + `,"response":{"message":"no entry","severity_localizable":"FATAL","code":"28000"}}`},
		[]string{"to_client result=SFATALC28000Mno entry"})
	f("a cancel", []string{"> " + open(codeCancel, word(5)+word(6))}, []string{`{"tx_id":1,"request":{"message":"cancel_request","process_id":5,"secret_key":6}}`}, nil)
	f("a password in a query", with("> "+msg('Q', "alter role bob password 'gehe''im' valid\x00"), "< "+ready),
		[]string{in, `{"tx_id":2,"request":{"simple_query":"alter role bob password '********' valid"},"response":{}}`}, []string{"to_server query=alter role bob password 'gehe''im' valid"})
	f("no known code", []string{"> " + open(0xff00ff, "")}, []string{`{"tx_id":1,"request":{"message":"unknown_message"}}`}, nil, "malformed_request")
	f("no known type", with("> "+msg('?', "4111 4222")), []string{in, `{"tx_id":2,"request":{"message":"unknown_message"}}`}, []string{"to_server query=4111 4222"}, "malformed_request")
	f("no length", with("> Q\x00\x00\x00\x03"), []string{in, `{"tx_id":2,"request":{"message":"unknown_message"}}`}, nil, "invalid_length")
	f("a row that ends early", with("> "+msg('Q', "q\x00"), "< "+msg('D', half(2)+word(2)+"ab")+ready), []string{in, `{"tx_id":2,"request":{"simple_query":"q"},"response":{"data_rows":1,"data_size":2}}`},
		[]string{"to_server query=q", "to_client result=ab\t"}, "malformed_response")
}

// TestToTLS holds that an encrypted rest is handed over, whoever was seen to agree.
func TestToTLS(t *testing.T) {
	for _, turns := range [][]string{{"> " + askTLS, "< S", "> \x16\x03\x01"}, {"> " + askTLS, "> \x16\x03\x01"}} {
		r := protocoltest.Run(Definition(), protocoltest.TCP(5432, turns...))
		if r.Status != protocol.Switch || r.SwitchTo != protocol.TLS {
			t.Errorf("%q: %v to %v", turns, r.Status, r.SwitchTo)
		}
	}
	r := protocoltest.Run(Definition(), protocoltest.TCP(5432, "> "+open(codeGSS, ""), "< G", "> secret", "< more"))
	if a, _ := r.Parser.(protocol.Opaque).Unread(protocol.ToServer); a != 6 || r.Status != protocol.Continue {
		t.Errorf("what is encrypted by GSS: %d bytes, %v", a, r.Status)
	}
}

// TestLogin holds who counts as logged in, and when a password has gone by in the clear.
func TestLogin(t *testing.T) {
	f := func(name, want string, clear bool, turns ...string) {
		t.Helper()
		p := protocoltest.Run(Definition(), protocoltest.TCP(5432, turns...)).Parser
		if got := p.(protocol.Login).User(nil); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if _, seen := p.(protocol.ClearLogin).ClearPassword(); seen != clear {
			t.Errorf("%s: in the clear: %v", name, seen)
		}
	}
	f("in", "bob", true, "> "+startup, "< "+msg('R', word(3)), "> "+msg('p', "geheim\x00"), "< "+welcome)
	f("a digest", "bob", false, "> "+startup, "< "+msg('R', word(5)+"salt"), "> "+msg('p', "md5abc\x00"), "< "+welcome)
	f("refused", "", true, "> "+startup, "< "+msg('R', word(3)), "> "+msg('p', "geheim\x00"), "< "+msg('E', "SFATAL\x00\x00"))
	f("claimed", "", false, "> "+startup)
}

// TestBounded holds that requests that nobody answers do not pile up.
func TestBounded(t *testing.T) {
	d := protocoltest.TCP(5432, "> "+startup, "< "+welcome)
	d.Limits = protocol.DefaultLimits()
	d.Limits.MaxTx = 8
	for range 40 {
		d.Chunks = append(d.Chunks, protocoltest.Chunk{Data: []byte(msg('Q', "select 1\x00"))})
	}
	r := protocoltest.Run(Definition(), d)
	p := r.Parser.(*Parser)
	if len(p.queue) > 8 || p.kept > 8*len("select 1") {
		t.Errorf("%d wait, %d bytes", len(p.queue), p.kept)
	}
	if got := r.Txs[1].Events; len(got) != 1 || got[0] != "too_many_transactions" {
		t.Errorf("events %q", got)
	}
	long := protocoltest.TCP(5432, "> "+startup, "< "+welcome, "> "+msg('Q', strings.Repeat("x", 1<<20)+"\x00"))
	r = protocoltest.Run(Definition(), long)
	if n := len(r.Txs[1].Buffers["to_server pgsql.query"][0]); n != long64 {
		t.Errorf("%d bytes are kept of a query", n)
	}
	if n := len(r.Objects[0].Data); n != 1<<20+1 {
		t.Errorf("%d bytes of it were given", n)
	}
}

const long64 = 64 << 10

// TestGivesUp holds that nothing stays open in either direction where the borders of
// messages are lost.
func TestGivesUp(t *testing.T) {
	for name, last := range map[string]protocoltest.Chunk{"a hole": {Gap: 1}, "a length": {Data: []byte("Q\x00\x00\x00\x01")}} {
		d := protocoltest.TCP(5432, "> "+startup, "< "+welcome, "> "+msg('P', "s\x00q\x00"+half(0)), "< "+columns(25, 0, "a")+row("b"))
		sink := &protocoltest.Sink{}
		env := protocoltest.NewEnv(d, sink)
		p := Definition().New(env)
		st := protocol.Continue
		for _, c := range append(d.Chunks, last) {
			if c.Gap > 0 {
				st = p.Gap(env, c.Dir, c.Gap)
			} else {
				st = p.Parse(env, c.Dir, c.Data)
			}
		}
		if err := sink.Check(); err != nil || st != protocol.Error || len(sink.Objects) != 2 {
			t.Errorf("%s: %v, %v, %d objects", name, st, err, len(sink.Objects))
		}
	}
}

func TestHidePassword(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		b := []byte(in)
		HidePassword(b)
		if string(b) != want {
			t.Errorf("%q: %q, want %q", in, b, want)
		}
	}
	f("\x45\x00"+msg('p', "geheim\x00")+ready, "\x45\x00p\x00\x00\x00\x0b*******"+ready)
	f(msg('p', "geheim\x00")[:8], "p\x00\x00\x00\x0b***")
	f("create role r with PASSWORD E'a''b' login", "create role r with PASSWORD E'****' login")
	f("select password from t", "select password from t")
	f("alter role r password 'cut", "alter role r password '***")
}

func TestProbe(t *testing.T) {
	f := func(dir protocol.Dir, b string, want protocol.Certainty) {
		t.Helper()
		if got := probe(dir, []byte(b)); got != want {
			t.Errorf("%s %q: %v, want %v", dir, b, got, want)
		}
		for n := range len(b) {
			if got := probe(dir, []byte(b[:n])); want == protocol.Certain && got == protocol.NotForUs {
				t.Errorf("%s %q is taken for something else", dir, b[:n])
			}
		}
	}
	f(protocol.ToServer, askTLS, protocol.Certain)
	f(protocol.ToServer, startup, protocol.Certain)
	f(protocol.ToServer, open(0xff00ff, ""), protocol.Unsure)
	f(protocol.ToServer, msg('Q', "select 1\x00"), protocol.Certain)
	f(protocol.ToServer, "QUIT\r\n", protocol.NotForUs)
	f(protocol.ToServer, "\x00\x00\x00\x54\xffSMB", protocol.NotForUs)
	f(protocol.ToClient, msg('R', word(3)), protocol.Certain)
	f(protocol.ToClient, msg('E', "SFATAL\x00"), protocol.Certain)
	f(protocol.ToClient, "SSH-2.0", protocol.NotForUs)
	f(protocol.ToClient, "RFB 003.008\n", protocol.NotForUs)
}

// TestRefusal holds that what is sent in a server's place is a message.
func TestRefusal(t *testing.T) {
	if n := int(binary.BigEndian.Uint32(refusal[1:])) + 1; n != len(refusal) {
		t.Errorf("the length says %d of %d", n, len(refusal))
	}
	p := protocoltest.Run(Definition(), protocoltest.TCP(5432, "> "+startup)).Parser.(protocol.Refuser)
	if _, ok := p.Refusal(); ok {
		t.Error("a client that is not in is refused by name")
	}
}

// TestCaptured follows what real ends say.
func TestCaptured(t *testing.T) {
	dir := protocoltest.Shared(t, "suricata-verify", "tests", "pgsql")
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.pcap"))
	if err != nil || len(files) == 0 {
		t.Skipf("no captures: %v", err)
	}
	objects := 0
	for _, file := range files {
		for _, d := range protocoltest.Dialogues(t, file) {
			r := protocoltest.Run(Definition(), d)
			if r.Status == protocol.Switch {
				continue
			}
			protocoltest.CheckCuts(t, Definition(), d)
			objects += len(r.Objects)
		}
	}
	if objects == 0 {
		t.Error("no content was found")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(startup), []byte(welcome))
	f.Add([]byte(startup+msg('Q', "select 1\x00")), []byte(welcome+columns(20, 1, "n")+row("12345678")+ready))
	f.Add([]byte(startup+msg('P', "s\x00q\x00"+half(0))+msg('B', "\x00s\x00"+half(1)+half(1)+half(1)+word(2)+"ab"+half(0))+msg('S', "")), []byte(welcome))
	f.Add([]byte(startup+msg('d', "1\n")+msg('c', "")), []byte(welcome+msg('G', "\x00"+half(1)+half(0))))
	f.Fuzz(func(t *testing.T, client, server []byte) {
		d := protocoltest.Dialogue{DstPort: 5432, Chunks: []protocoltest.Chunk{{Data: client}, {Dir: protocol.ToClient, Data: server}, {Data: client}}}
		r := protocoltest.Run(Definition(), d)
		if err := r.Sink.Check(); err != nil {
			t.Fatal(err)
		}
		HidePassword(client)
		probe(protocol.ToServer, client)
		probe(protocol.ToClient, server)
	})
}
