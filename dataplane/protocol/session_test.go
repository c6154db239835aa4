package protocol_test

import (
	"math/rand"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/dns"
	"sluice/dataplane/protocol/protocoltest"
	"sluice/dataplane/protocol/smtp"
	"sluice/dataplane/protocol/tls"
)

func registry(t testing.TB) *protocol.Registry {
	t.Helper()
	r, err := protocol.NewRegistry(tls.Definition(), smtp.Definition(), dns.Definition(), dns.MDNS(), dns.LLMNR())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// told is what a worker learns of a flow.
type told struct {
	Proto, Original, TS, TC protocol.ID
	Events                  []string
	// Raw is what a classifier of plain streams gets of each direction.
	Raw  [2]string
	Logs []string
}

// follow does what a worker does with a flow.
func follow(t interface{ Fatalf(string, ...any) }, r *protocol.Registry, d protocoltest.Dialogue) told {
	sink := &protocoltest.Sink{}
	env := protocoltest.NewEnv(d, sink)
	var s protocol.Session
	var out told
	var taken [2]bool
	raw := func(dir protocol.Dir, data []byte, before uint64) {
		from, ok := s.Raw(dir)
		if !ok {
			return
		}
		if !taken[dir] {
			taken[dir] = true
			out.Raw[dir] += string(s.Pending(dir))
			s.DropPending(dir)
		}
		if from < before {
			from = before
		}
		if n := from - before; n < uint64(len(data)) {
			out.Raw[dir] += string(data[n:])
		}
	}
	logs := func(p protocol.Parser) {
		if p == nil {
			return
		}
		for _, tx := range p.Txs().Live {
			out.Logs = append(out.Logs, p.Log(tx)...)
		}
	}
	for _, c := range d.Chunks {
		data := append([]byte(nil), c.Data...)
		before := s.Offset(c.Dir)
		var st protocol.Status
		switch {
		case c.End:
			s.End(r, env, c.Dir)
		case c.Gap > 0:
			st = s.Gap(r, env, c.Dir, c.Gap)
		case d.UDP:
			st = s.Datagram(r, env, c.Dir, data)
		default:
			st = s.Data(r, env, c.Dir, data)
		}
		if st == protocol.Error {
			if d.UDP {
				out.Raw[c.Dir] += string(data)
			} else {
				raw(c.Dir, data, before)
			}
		}
		raw(c.Dir.Other(), nil, s.Offset(c.Dir.Other()))
		if st == protocol.Switch {
			logs(s.Replaced())
			s.DropReplaced()
		}
		clear(data)
	}
	for _, dir := range []protocol.Dir{protocol.ToServer, protocol.ToClient} {
		s.End(r, env, dir)
		raw(protocol.ToServer, nil, s.Offset(protocol.ToServer))
		raw(protocol.ToClient, nil, s.Offset(protocol.ToClient))
	}
	logs(s.Parser())
	out.Proto, out.Original, out.TS, out.TC = s.Proto(), s.Original(), s.ProtoOf(protocol.ToServer), s.ProtoOf(protocol.ToClient)
	out.Events = s.Events().Names()
	s.Release()
	if s != (protocol.Session{}) {
		t.Fatalf("a released session is not new")
	}
	return out
}

const clientHello = "\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03" + "0123456789abcdef0123456789abcdef" + "\x00\x00\x02\x13\x01\x01\x00\x00\x00"

func TestRecognition(t *testing.T) {
	r := registry(t)
	f := func(name string, d protocoltest.Dialogue, want told) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(want, follow(t, r, d), cmpopts.EquateEmpty()); diff != "" {
				t.Fatal(diff)
			}
			rapid.Check(t, func(t *rapid.T) {
				cut := d.Cut(rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed"))))
				if diff := cmp.Diff(want, follow(t, r, cut), cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("%s", diff)
				}
			})
		})
	}
	smtpLog, tlsLog := []string{"smtp"}, []string{"tls"}
	f("server speaks first, odd port", protocoltest.TCP(9999, "< 220 mx ESMTP\r\n", "> EHLO me\r\n", "< 250 ok\r\n"),
		told{Proto: protocol.SMTP, TS: protocol.SMTP, TC: protocol.SMTP, Logs: smtpLog})
	f("greeting that says nothing", protocoltest.TCP(9999, "< 220 hello\r\n", "> EHLO me\r\n", "< 250 ok\r\n"),
		told{Proto: protocol.SMTP, TS: protocol.SMTP, TC: protocol.SMTP, Logs: smtpLog})
	f("port decides at the end", protocoltest.TCP(25, "< 220 hello\r\n", "> QUIT\r\n"),
		told{Proto: protocol.SMTP, TS: protocol.SMTP, TC: protocol.SMTP})
	f("the same without the port", protocoltest.TCP(9999, "< 220 hello\r\n", "> QUIT\r\n"),
		told{Proto: protocol.Failed, TS: protocol.Failed, TC: protocol.Failed, Raw: [2]string{"QUIT\r\n", "220 hello\r\n"}})
	f("starttls", protocoltest.TCP(25, "< 220 mx ESMTP\r\n", "> EHLO me\r\n", "< 250 STARTTLS\r\n", "> STARTTLS\r\n", "< 220 go\r\n", "> "+clientHello),
		told{Proto: protocol.TLS, Original: protocol.SMTP, TS: protocol.TLS, Logs: []string{"smtp", "tls"}})
	f("no tls after starttls", protocoltest.TCP(25, "< 220 mx ESMTP\r\n", "> EHLO me\r\n", "< 250 STARTTLS\r\n", "> STARTTLS\r\n", "< 220 go\r\n", "> this is not what was said at all"),
		told{Proto: protocol.Failed, Original: protocol.SMTP, Events: []string{"applayer_no_tls_after_starttls"}, Raw: [2]string{"this is not what was said at all", ""}, Logs: smtpLog})
	f("nothing known", protocoltest.TCP(25, "> secret stuff goes out here", "< and back", "> and more"),
		told{Proto: protocol.Failed, TS: protocol.Failed, TC: protocol.Failed, Raw: [2]string{"secret stuff goes out hereand more", "and back"}})
	f("one direction, nothing known", protocoltest.TCP(25, "> @secret", "> "+strings.Repeat("stuff ", 2000)),
		told{Proto: protocol.Failed, TS: protocol.Failed, TC: protocol.Failed, Raw: [2]string{"@secret" + strings.Repeat("stuff ", 2000), ""}})
	f("directions disagree", protocoltest.TCP(465, "> "+clientHello, "< 220 poczta ESMTP\r\n"),
		told{Proto: protocol.Failed, TS: protocol.TLS, TC: protocol.SMTP, Events: []string{"applayer_mismatch_protocol_both_directions"}, Raw: [2]string{"", "220 poczta ESMTP\r\n"}, Logs: tlsLog})
}

func TestRecognitionOfDatagrams(t *testing.T) {
	r := registry(t)
	query := "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01"
	answer := "\x12\x34\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01"
	f := func(name string, port uint16, want told, turns ...string) {
		t.Helper()
		d := protocoltest.TCP(port, turns...)
		d.UDP = true
		if diff := cmp.Diff(want, follow(t, r, d), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	f("dns on an odd port", 4444, told{Proto: protocol.DNS, TS: protocol.DNS, TC: protocol.DNS, Logs: []string{"dns", "dns"}}, "> "+query, "< "+answer)
	f("mdns by its port", 5353, told{Proto: protocol.MDNS, TS: protocol.MDNS, Logs: []string{"mdns"}}, "> \x00\x00"+query[2:2]+"\x00\x00"+query[4:])
	f("junk first", 53, told{Proto: protocol.DNS, TS: protocol.DNS, Raw: [2]string{"junk", ""}, Logs: []string{"dns"}}, "> junk", "> "+query)
	f("junk only", 53, told{Proto: protocol.Failed, Raw: [2]string{"abcdef", ""}}, "> a", "> b", "> c", "> d", "> e", "> f")
	if !r.Reversed([]byte(answer)) || r.Reversed([]byte(query)) {
		t.Error("an answer, and only an answer, tells that the flow is reversed")
	}
}

func TestGapBeforeRecognition(t *testing.T) {
	r := registry(t)
	d := protocoltest.TCP(9999, "> EH")
	d.Chunks = append(d.Chunks, protocoltest.Chunk{Gap: 10}, protocoltest.Chunk{Data: []byte("secret")}, protocoltest.Chunk{Dir: protocol.ToClient, Data: []byte("x\n")})
	got := follow(t, r, d)
	if diff := cmp.Diff([2]string{"EHsecret", "x\n"}, got.Raw); diff != "" || got.Proto != protocol.Failed {
		t.Errorf("%s %s", got.Proto, diff)
	}
}

// TestAnswer holds that less is enough of an end whose peer has settled what is spoken.
func TestAnswer(t *testing.T) {
	def := *tls.Definition()
	def.ID, def.Buffers, def.Events = protocol.PGSQL, nil, nil
	def.Probe = func(dir protocol.Dir, b []byte) protocol.Certainty {
		if dir == protocol.ToServer && b[0] == '?' {
			return protocol.Certain
		}
		return protocol.Unsure
	}
	for _, answered := range []bool{false, true} {
		if def.Answer = nil; answered {
			def.Answer = func(protocol.Dir, []byte) protocol.Certainty { return protocol.Certain }
		}
		r, err := protocol.NewRegistry(&def)
		if err != nil {
			t.Fatal(err)
		}
		var s protocol.Session
		env := protocoltest.NewEnv(protocoltest.Dialogue{}, &protocoltest.Sink{})
		s.Data(r, env, protocol.ToServer, []byte("?"))
		s.Data(r, env, protocol.ToClient, []byte("N"))
		if held := len(s.Pending(protocol.ToClient)) > 0; held == answered {
			t.Errorf("answered %v: held back %v", answered, held)
		}
		s.Release()
	}
}

func TestRegistry(t *testing.T) {
	r := registry(t)
	for _, name := range []string{"dns.query", "dns.query.name", "tls.sni", "smtp.rcpt_to", "email.subject", "file.data", "payload"} {
		b, ok := r.Buffer(name)
		if !ok || b.Name != name {
			t.Errorf("%s: %+v %v", name, b, ok)
		}
	}
	if b, _ := r.Buffer("dns.query.name"); r.BufferName(b.ID) != "dns.query" {
		t.Errorf("alias shown as %q", r.BufferName(b.ID))
	}
	for name, want := range map[string]protocol.ID{"http": protocol.HTTP1, "http1": protocol.HTTP1, "ssl": protocol.TLS, "krb5": protocol.KRB5} {
		if id, ok := r.ByName(name); !ok || id != want {
			t.Errorf("%s: %v %v", name, id, ok)
		}
	}
	if _, ok := r.ByName("unknown"); ok {
		t.Error("unknown is no protocol to name")
	}
	f := func(name string, defs ...*protocol.Definition) {
		t.Helper()
		if _, err := protocol.NewRegistry(defs...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	f("twice", dns.Definition(), dns.Definition())
	f("no probe", &protocol.Definition{ID: protocol.FTP, TCP: true})
	f("no id", &protocol.Definition{})
	taken := dns.Definition()
	taken.ID = protocol.FTP
	f("buffers of another", taken)
}

func TestNoAllocationWhenRaw(t *testing.T) {
	r := registry(t)
	env := protocoltest.NewEnv(protocoltest.Dialogue{}, &protocoltest.Sink{})
	var s protocol.Session
	data := []byte(strings.Repeat("@ nobody knows this", 100))
	s.Data(r, env, protocol.ToServer, data)
	if n := testing.AllocsPerRun(100, func() { s.Data(r, env, protocol.ToServer, data) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		var s protocol.Session
		s.Data(r, env, protocol.ToServer, data[:1])
		s.Data(r, env, protocol.ToServer, data)
		s.Release()
	}); n > 0 {
		t.Errorf("%v allocations to decline a flow", n)
	}
}

func FuzzSession(f *testing.F) {
	f.Add([]byte("EHLO x\r\n"), []byte("220 ESMTP\r\n"), []byte("STARTTLS\r\n"), []byte("220 go\r\n"), []byte(clientHello), uint16(25))
	f.Add([]byte("junk"), []byte("220 hi\r\n"), []byte(""), []byte("x"), []byte("y"), uint16(53))
	r := registry(f)
	f.Fuzz(func(t *testing.T, a, b, c, d, e []byte, port uint16) {
		talk := protocoltest.Dialogue{DstPort: port}
		for i, x := range [][]byte{a, b, c, d, e} {
			talk.Chunks = append(talk.Chunks, protocoltest.Chunk{Dir: protocol.Dir(i & 1), Data: x})
		}
		follow(t, r, talk)
		talk.UDP = true
		follow(t, r, talk)
	})
}
