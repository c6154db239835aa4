package ldap

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
		return string([]byte{tag, 0x83, byte(n >> 16), byte(n >> 8), byte(n)}) + body
	}
	return string([]byte{tag, byte(len(body))}) + body
}

func num(v int) string                { return el(2, string([]byte{byte(v)})) }
func str(s string) string             { return el(4, s) }
func enum(v int) string               { return el(10, string([]byte{byte(v)})) }
func msg(id int, op ...string) string { return el(0x30, num(id), strings.Join(op, "")) }

func attr(name string, values ...string) string {
	set := ""
	for _, v := range values {
		set += str(v)
	}
	return el(0x30, str(name), el(0x31, set))
}

func bind(id int, name, password string) string {
	return msg(id, el(0x60, num(3), str(name), el(0x80, password)))
}

func sasl(id int, mechanism, credentials string) string {
	return msg(id, el(0x60, num(3), str(""), el(0xa3, str(mechanism), str(credentials))))
}

func result(id int, op byte, code int, more ...string) string {
	return msg(id, el(0x60|op, enum(code), str(""), str(""), strings.Join(more, "")))
}

func search(id int, base, filter string, attrs ...string) string {
	list := ""
	for _, a := range attrs {
		list += str(a)
	}
	return msg(id, el(0x63, str(base), enum(2), enum(0), num(0), num(0), el(1, "\x00"), filter, el(0x30, list)))
}

func entry(id int, dn string, attrs ...string) string {
	return msg(id, el(0x64, str(dn), el(0x30, strings.Join(attrs, ""))))
}

const present = "\x87\x0bobjectClass"

var (
	startTLS = msg(1, el(0x77, el(0x80, "1.3.6.1.4.1.1466.20037")))
	modify   = msg(2, el(0x66, str("uid=jdoe,dc=example"), el(0x30, el(0x30, enum(2), attr("cn", "Jonathan Doe")), el(0x30, enum(1), attr("userPassword")))))
	add      = msg(3, el(0x68, str("uid=new,dc=example"), el(0x30, attr("mail", "new@example.com"), attr("userPassword", "geheim"))))
)

func c(s string) string { return "> " + s }
func s(s string) string { return "< " + s }

func records(t *testing.T, r *protocoltest.Result) (records, events, objects []string) {
	t.Helper()
	for _, tx := range r.Txs {
		b, err := json.Marshal(tx.Event.Extra["ldap"])
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, string(b))
		events = append(events, tx.Events...)
	}
	for _, o := range r.Objects {
		objects = append(objects, o.Name+"="+string(o.Data))
	}
	return records, events, objects
}

func TestDialogues(t *testing.T) {
	const (
		ok    = `"result_code":"success"`
		empty = `{"matched_dn":"","message":"",` + ok + `}`
	)
	f := func(name string, d protocoltest.Dialogue, want, objects []string, events ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			got, evs, objs := records(t, protocoltest.CheckCuts(t, Definition(), d))
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
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
	tcp := func(turns ...string) protocoltest.Dialogue { return protocoltest.TCP(389, turns...) }
	f("bind and unbind", tcp(c(bind(1, "cn=admin,dc=example", "geheim")), s(result(1, 1, 0)), c(msg(2, "\x42\x00"))),
		[]string{`{"request":{"bind_request":{"name":"cn=admin,dc=example","version":3},"message_id":1,"operation":"bind_request"},` +
			`"responses":[{"bind_response":` + empty + `,"operation":"bind_response"}]}`, `{"request":{"message_id":2,"operation":"unbind_request"}}`},
		[]string{"cn=admin,dc=example=cn=admin,dc=example"})
	f("a search", tcp(c(search(1, "dc=example", present, "cn", "mail")), s(entry(1, "uid=a,dc=example", attr("cn", "A"), attr("mail", "a@example.com", "b@example.com"))+
		entry(1, "uid=b,dc=example", attr("userPassword", "geheim"))), s(result(1, 5, 0))),
		[]string{`{"request":{"message_id":1,"operation":"search_request","search_request":{"attributes":["cn","mail"],"base_object":"dc=example","deref_alias":0,` +
			`"filter":{"type":"present","value":"objectClass"},"scope":2,"size_limit":0,"time_limit":0,"types_only":false}},"responses":[` +
			`{"operation":"search_result_entry","search_result_entry":{"attributes":[{"type":"cn","values":["A"]},{"type":"mail","values":["a@example.com","b@example.com"]}],"base_object":"uid=a,dc=example"}},` +
			`{"operation":"search_result_entry","search_result_entry":{"attributes":[{"type":"userPassword","values":["***"]}],"base_object":"uid=b,dc=example"}},` +
			`{"operation":"search_result_done","search_result_done":` + empty + `}]}`},
		[]string{"dc=example=dc=example\nobjectClass\ncn\nmail\n", "dc=example=uid=a,dc=example\ncn: A\nmail: a@example.com\nb@example.com\nuid=b,dc=example\nuserPassword: geheim\n"})
	f("changes", tcp(c(modify), s(result(2, 7, 0)), c(add), s(result(3, 9, 68))),
		[]string{`{"request":{"message_id":2,"modify_request":{"changes":[{"modification":{"attribute_type":"cn","attribute_values":["Jonathan Doe"]},"operation":"replace"},` +
			`{"modification":{"attribute_type":"userPassword"},"operation":"delete"}],"object":"uid=jdoe,dc=example"},"operation":"modify_request"},"responses":[{"modify_response":` + empty + `,"operation":"modify_response"}]}`,
			`{"request":{"add_request":{"attributes":[{"name":"mail","values":["new@example.com"]},{"name":"userPassword","values":["***"]}],"entry":"uid=new,dc=example"},"message_id":3,"operation":"add_request"},` +
				`"responses":[{"add_response":` + strings.Replace(empty, "success", "entry_already_exists", 1) + `,"operation":"add_response"}]}`},
		[]string{"uid=jdoe,dc=example=uid=jdoe,dc=example\ncn: Jonathan Doe\nuserPassword: ", "uid=new,dc=example=uid=new,dc=example\nmail: new@example.com\nuserPassword: geheim\n"})
	f("the rest of the operations", tcp(
		c(msg(4, "\x4a\x04dc=x")+msg(5, el(0x6c, str("cn=a"), str("cn=b"), el(1, "\xff"), el(0x80, "dc=y")))), s(result(4, 11, 32)+result(5, 13, 0)),
		c(msg(6, el(0x6e, str("cn=a"), el(0x30, str("sn"), str("Doe"))))), s(result(6, 15, 6)), c(msg(7, "\x50\x01\x05", el(0xa0, el(0x30, str("1.2.3"), el(1, "\xff"), str("v")))))),
		[]string{`{"request":{"del_request":{"dn":"dc=x"},"message_id":4,"operation":"del_request"},"responses":[{"del_response":` + strings.Replace(empty, "success", "no_such_object", 1) + `,"operation":"del_response"}]}`,
			`{"request":{"message_id":5,"mod_dn_request":{"delete_old_rdn":true,"entry":"cn=a","new_rdn":"cn=b","new_superior":"dc=y"},"operation":"mod_dn_request"},"responses":[{"mod_dn_response":` + empty + `,"operation":"mod_dn_response"}]}`,
			`{"request":{"compare_request":{"attribute_value_assertion":{"description":"sn","value":"Doe"},"entry":"cn=a"},"message_id":6,"operation":"compare_request"},"responses":[{"compare_response":` + strings.Replace(empty, "success", "compare_true", 1) + `,"operation":"compare_response"}]}`,
			`{"request":{"controls":[{"control_type":"1.2.3","control_value":"76","criticality":true}],"message_id":7,"operation":"abandon_request"}}`},
		[]string{"dc=x=dc=x\n", "cn=a=cn=a\ncn=b\ndc=y\n", "cn=a=cn=a\nsn\nDoe\n", "=\x05\n1.2.3\nv\n"})
	f("answers to nothing", tcp(s(result(9, 1, 49)), s(msg(0, el(0x78, enum(52), str(""), str("bye"), el(0x8a, "1.3.6.1.4.1.1466.20036"))))),
		[]string{`{"responses":[{"bind_response":` + strings.Replace(empty, "success", "invalid_credentials", 1) + `,"message_id":9,"operation":"bind_response"}]}`,
			`{"responses":[{"extended_response":{"matched_dn":"","message":"bye","name":"1.3.6.1.4.1.1466.20036","result_code":"unavailable"},"message_id":0,"operation":"extended_response"}]}`},
		[]string{"=bye\n1.3.6.1.4.1.1466.20036\n"}, "request_not_found")
	f("no message", tcp(c(bind(1, "", "")+"GET / HTTP/1.0\r\n\r\n")), []string{`{"request":{"bind_request":{"name":"","version":3},"message_id":1,"operation":"bind_request"}}`, "null"}, nil, "invalid_data")
	f("an operation that is broken", tcp(c(msg(1, el(0x63, str("dc=x"))))), []string{`{"request":{"message_id":1,"operation":"search_request","search_request":{"base_object":"dc=x","deref_alias":0,"scope":0,"size_limit":0,"time_limit":0,"types_only":false}}}`},
		[]string{"dc=x=dc=x\n"}, "invalid_data")
	few := tcp(c(search(1, "", present)), c(search(2, "", present)), c(search(3, "", present)), s(result(2, 5, 0)), s(result(3, 5, 0)))
	few.Limits = protocol.DefaultLimits()
	few.Limits.TxOf[protocol.LDAP] = 2
	r := protocoltest.CheckCuts(t, Definition(), few)
	if diff := cmp.Diff([][]string{{"too_many_transactions"}, nil, nil}, [][]string{r.Txs[0].Events, r.Txs[1].Events, r.Txs[2].Events}); diff != "" {
		t.Error(diff)
	}
	small := tcp(c(bind(1, "", "")), c(msg(2, el(0x68, str("cn=a"), el(0x30, attr("jpegPhoto", strings.Repeat("the plan ", 20)))))), s(result(2, 9, 0)), c(msg(3, "\x42\x00")))
	small.Limits = protocol.DefaultLimits()
	small.Limits.MaxHeader = 64
	r = protocoltest.CheckCuts(t, Definition(), small)
	if got, _, _ := records(t, r); got[1] != `{"request":{"message_id":2,"operation":"add_request"},"responses":[{"add_response":`+empty+`,"operation":"add_response"}]}` ||
		!r.Sink.Contains("the plan the plan") {
		t.Errorf("a message that is too long: %s", got[1])
	}
}

func TestDatagrams(t *testing.T) {
	d := protocoltest.TCP(389, c(search(1, "", el(0xa3, str("DnsDomain"), str("example.com")), "Netlogon")), s(entry(1, "", attr("netlogon", "x"))+result(1, 5, 0)), c("\x30\x03\x02\x01"), c("\x12\x34"))
	d.UDP = true
	r := protocoltest.Run(Definition(), d)
	got, evs, _ := records(t, r)
	if len(got) != 2 || !strings.Contains(got[0], `"filter":{"type":"equality_match","value":"(DnsDomain=example.com)"}`) || !strings.Contains(got[0], "search_result_done") {
		t.Error(got)
	}
	if diff := cmp.Diff([]string{"invalid_data"}, evs); diff != "" {
		t.Error(diff)
	}
	if r.Status != protocol.Switch || r.SwitchTo != protocol.Unknown {
		t.Errorf("somebody else's datagram: %v", r.Status)
	}
}

func TestStartTLS(t *testing.T) {
	r := protocoltest.CheckCuts(t, Definition(), protocoltest.TCP(389, c(startTLS), s(msg(1, el(0x78, enum(0), str(""), str(""))))))
	if r.Status != protocol.Switch || r.SwitchTo != protocol.TLS {
		t.Errorf("%v to %v", r.Status, r.SwitchTo)
	}
	r = protocoltest.Run(Definition(), protocoltest.TCP(389, c(startTLS), s(result(1, 24, 0)+"\x16\x03")))
	if r.Rest != "\x16\x03" {
		t.Errorf("the rest is %q", r.Rest)
	}
	if r = protocoltest.Run(Definition(), protocoltest.TCP(389, c(startTLS), s(result(1, 24, 2)))); r.Status != protocol.Continue {
		t.Errorf("refused: %v", r.Status)
	}
}

func TestLogin(t *testing.T) {
	f := func(name, user string, clear bool, turns ...string) {
		t.Helper()
		p := protocoltest.Run(Definition(), protocoltest.TCP(389, turns...)).Parser
		if got := p.(protocol.Login).User(nil); got != user {
			t.Errorf("%s: %q, want %q", name, got, user)
		}
		if _, seen := p.(protocol.ClearLogin).ClearPassword(); seen != clear {
			t.Errorf("%s: in the clear: %v", name, seen)
		}
	}
	in := s(result(1, 1, 0))
	f("an entry", "jdoe", true, c(bind(1, "uid=jdoe,ou=People,dc=example", "x")), in)
	f("with a comma", "Doe, J", true, c(bind(1, `cn=Doe\, J+sn=Doe,dc=example`, "x")), in)
	f("a domain's", "jdoe", true, c(bind(1, `EXAMPLE\jdoe`, "x")), in)
	f("a mail's", "jdoe", true, c(bind(1, `jdoe@example.com`, "x")), in)
	f("refused", "", true, c(bind(1, "cn=a", "x")), s(result(1, 1, 49)))
	f("nobody", "", false, c(bind(1, "", "")), in)
	f("without a password", "", false, c(bind(1, "cn=a", "")), in)
	f("plain", "bob", true, c(sasl(1, "PLAIN", "\x00bob\x00geheim")), in)
	f("another mechanism", "", false, c(sasl(1, "GSSAPI", "token")), in)
	ntlm := "NTLMSSP\x00\x03\x00\x00\x00" + strings.Repeat("\x00", 24) + "\x04\x00\x04\x00\x40\x00\x00\x00" + strings.Repeat("\x00", 20) + "jdoe"
	f("NTLM", "jdoe", false, c(sasl(1, "GSS-SPNEGO", ntlm)), in)
	f("again as nobody", "", true, c(bind(1, "cn=a", "x")), in, c(bind(2, "", "")), s(result(2, 1, 0)))
}

// TestWrapped holds that what is signed after a login is looked through.
func TestWrapped(t *testing.T) {
	d := protocoltest.TCP(389, c(sasl(1, "GSSAPI", "token")), s(result(1, 1, 0)), c("\x00\x00\x00\x20\x05\x04signed: the plan"), s("\x00\x00\x00\x08\x05\x04answer"), c("\x00\x00\x00\x09 goes on"))
	r := protocoltest.CheckCuts(t, Definition(), d)
	if len(r.Objects) != 3 || !r.Sink.Contains("signed: the plan\x00\x00\x00\x09 goes on") || !r.Sink.Contains("answer") {
		t.Errorf("%d objects", len(r.Objects))
	}
	if r := protocoltest.Run(Definition(), protocoltest.TCP(389, c(bind(1, "cn=a", "x")), s(result(1, 1, 0)), c("\x00\x00\x00\x20"))); r.Status != protocol.Error {
		t.Errorf("after a bind without signatures: %v", r.Status)
	}
}

func TestBuffersAndNumbers(t *testing.T) {
	r := protocoltest.Run(Definition(), protocoltest.TCP(389, c(search(1, "dc=example", present, "cn", "mail")), s(entry(1, "uid=a", attr("cn", "A", "B"))), s(msg(1, el(0x65, enum(4), str(""), str("Size limit exceeded")))),
		c(add), c(msg(4, "\x42\x00"))))
	want := map[string][]string{"to_server ldap.request.dn": {"dc=example"}, "to_server ldap.request.attribute_type": {"cn", "mail"},
		"to_client ldap.responses.dn": {"uid=a", ""}, "to_client ldap.responses.message": {"", "Size limit exceeded"},
		"to_client ldap.responses.attribute_type": {"cn"}, "to_client ldap.responses.attributes": {"cn=A", "cn=B"}}
	if diff := cmp.Diff(want, r.Txs[0].Buffers); diff != "" {
		t.Error(diff)
	}
	want = map[string][]string{"to_server ldap.request.dn": {"uid=new,dc=example"}, "to_server ldap.request.attribute_type": {"mail", "userPassword"},
		"to_server ldap.request.attributes": {"mail=new@example.com", "userPassword=geheim"}}
	if diff := cmp.Diff(want, r.Txs[1].Buffers); diff != "" {
		t.Error(diff)
	}
	if len(r.Txs[2].Buffers) != 0 {
		t.Error(r.Txs[2].Buffers)
	}
	f := func(tx int, name string, dir protocol.Dir, want ...uint64) {
		t.Helper()
		var got []uint64
		for i := 0; ; i++ {
			v, ok := r.Parser.Txs().Live[tx].State.(*Transaction).Field(name, dir, i)
			if !ok {
				break
			}
			got = append(got, v)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s of %d: %s", name, tx, diff)
		}
	}
	f(0, "ldap.request.operation", protocol.ToServer, 3)
	f(0, "ldap.request.operation", protocol.ToClient)
	f(0, "ldap.responses.operation", protocol.ToClient, 4, 5)
	f(0, "ldap.responses.result_code", protocol.ToClient, protocol.NoValue, 4)
	f(0, "ldap.responses.count", protocol.ToClient, 2)
	f(2, "ldap.responses.count", protocol.ToClient, 0)
	f(2, "ldap.request.operation", protocol.ToServer, 2)
}

func TestFilterText(t *testing.T) {
	f := func(filter, want string) {
		t.Helper()
		if got := filterText([]byte(filter)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(present, "(objectClass=*)")
	f(el(0xa0, el(0xa3, str("a"), str("x*(y)")), el(0xa2, el(0xa5, str("b"), str("1")))), `(&(a=x\2a\28y\29)(!(b>=1)))`)
	f(el(0xa1, el(0xa6, str("a"), str("1")), el(0xa8, str("b"), str("2"))), "(|(a<=1)(b~=2))")
	f(el(0xa4, str("cn"), el(0x30, el(0x80, "J"), el(0x81, "h"), el(0x82, "e"))), "(cn=J*h*e)")
	f(el(0xa4, str("cn"), el(0x30, el(0x81, "oh"))), "(cn=*oh*)")
	f(el(0xa9, el(0x81, "1.2.840.113556.1.4.803"), el(0x82, "uac"), el(0x83, "2")), "(uac:1.2.840.113556.1.4.803:=2)")
	f("\xab\x00", "(?)")
	f("", "?")
	deep := present
	for range 100 {
		deep = el(0xa2, deep)
	}
	if got := filterText([]byte(deep)); !strings.Contains(got, "?") {
		t.Errorf("%q", got)
	}
}

func TestHideSecrets(t *testing.T) {
	f := func(in string) {
		t.Helper()
		b := []byte(in)
		HideSecrets(b)
		if want := strings.ReplaceAll(in, "geheim", "******"); string(b) != want {
			t.Errorf("got %q, want %q", b, want)
		}
	}
	f("headers" + bind(1, "cn=admin", "geheim") + bind(2, "", "geheim"))
	f(sasl(1, "PLAIN", "geheim"))
	f(add + msg(5, el(0x66, str("cn=a"), el(0x30, el(0x30, enum(2), attr("unicodePwd;x", "geheim", "geheim"))))))
	f(search(1, "", el(0xa3, str("userpassword"), str("geheim"))))
	f(msg(1, el(0x77, el(0x80, "1.3.6.1.4.1.4203.1.11.1"), el(0x81, "geheim"))))
	keep := sasl(1, "GSSAPI", "token") + entry(1, "cn=a", attr("mail", "a@example.com")) + startTLS
	b := []byte(keep)
	if HideSecrets(b); string(b) != keep {
		t.Errorf("%q is changed to %q", keep, b)
	}
	// Whatever is cut off, what is there is hidden.
	whole := bind(1, "cn=admin", "geheim")
	for n := range whole {
		b := []byte(whole[:n])
		if HideSecrets(b); strings.Contains(string(b), "geh") {
			t.Errorf("%d bytes: %q", n, b)
		}
	}
}

func TestMask(t *testing.T) {
	r := protocoltest.Run(Definition(), protocoltest.TCP(389, c(search(1, "cn=secret", el(0xa3, str("cn"), str("secret")), "secret")), s(entry(1, "cn=secret", attr("cn", "secret"))+result(1, 5, 0))))
	e := r.Txs[0].Event.Extra["ldap"].(eveLDAP)
	e.Mask(func(b []byte) []byte { return []byte(strings.ReplaceAll(string(b), "secret", "+++")) })
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), "+++"); n != 5 || strings.Contains(string(b), "secret") {
		t.Errorf("%d are masked: %s", n, b)
	}
}

func TestRecordText(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		w := writer{left: maxLoggedAll}
		if got := w.text([]byte(in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	f("Jürgen", "Jürgen")
	f("\x01a\xff", `\x01a\xff`)
	f(strings.Repeat("a", maxText-1)+"üb", strings.Repeat("a", maxText-1)+"[truncated 3 additional bytes]")
	f(strings.Repeat("a", maxText)+"\xff", strings.Repeat("a", maxText)+"[truncated 1 additional bytes]")
}

func TestProbe(t *testing.T) {
	def := Definition()
	f := func(what string, want, got protocol.Certainty) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	b := bind(1, "cn=admin,dc=example", "geheim")
	for n := range b {
		want := protocol.Certain
		if n < 7 {
			want = protocol.Unsure
		}
		f(b[:n], want, def.Probe(protocol.ToServer, []byte(b[:n])))
	}
	f("of a server", protocol.NotForUs, def.Probe(protocol.ToClient, []byte(b)))
	f("an answer", protocol.Certain, def.Probe(protocol.ToClient, []byte(result(1, 1, 0))))
	f("lengths of a directory of Windows", protocol.Certain, def.Probe(protocol.ToClient, []byte("\x30\x84\x00\x00\x00\x10\x02\x01\x01\x61\x84\x00\x00\x00\x07\x0a\x01\x00\x04\x00\x04\x00")))
	f("more than controls", protocol.NotForUs, def.Probe(protocol.ToServer, []byte(msg(1, "\x42\x00", "\x04\x00"))))
	f("a community", protocol.NotForUs, def.ProbeDatagram(protocol.ToServer, []byte("\x30\x0c\x02\x01\x01\x04\x01a\xa0\x04\x02\x00\x02\x00")))
	f("nothing within", protocol.NotForUs, def.Probe(protocol.ToServer, []byte("\x30\x03\x02\x01\x01")))
	f("half a datagram", protocol.NotForUs, def.ProbeDatagram(protocol.ToServer, []byte(b[:len(b)-1])))
	for _, s := range []string{"GET / HTTP/1.1\r\n", "0123456789", "\x16\x03\x01\x00\x50", "\x30\x82\x01\x0a\x02\x82\x01\x01"} {
		f(s, protocol.NotForUs, def.Probe(protocol.ToServer, []byte(s)))
	}
	if !def.Reversed([]byte(result(1, 5, 0))) || def.Reversed([]byte(search(1, "", present))) {
		t.Error("an answer alone tells that the flow is reversed")
	}
}

func TestGap(t *testing.T) {
	long := msg(2, el(0x68, str("cn=a"), el(0x30, attr("jpegPhoto", strings.Repeat("x", 200)))))
	d := protocoltest.TCP(389, c(long[:100]))
	d.Limits = protocol.DefaultLimits()
	d.Limits.MaxHeader = 64
	d.Chunks = append(d.Chunks, protocoltest.Chunk{Gap: 50}, protocoltest.Chunk{Data: []byte(long[150:] + msg(3, "\x42\x00"))})
	if r := protocoltest.Run(Definition(), d); len(r.Txs) != 2 || r.Status != protocol.Continue || !r.Objects[0].Gaps {
		t.Errorf("%d transactions, %v", len(r.Txs), r.Status)
	}
	d.Chunks[1].Gap = 1000
	if r := protocoltest.Run(Definition(), d); r.Status != protocol.Error {
		t.Errorf("%v after a hole beyond the message", r.Status)
	}
}

// TestManyAnswers holds that answers without end do not take memory without end.
func TestManyAnswers(t *testing.T) {
	many := strings.Repeat(entry(1, "uid=a,dc=example", attr("cn", strings.Repeat("x", 2000))), 3*maxKept/2000)
	r := protocoltest.Run(Definition(), protocoltest.TCP(389, c(search(1, "", present)), s(many), s(result(1, 5, 0))))
	tr := r.Parser.Txs().Live[0].State.(*Transaction)
	if tr.size > maxKept+maxResponses*messageCost+4096 || len(tr.Responses) > maxResponses || tr.Count != uint64(3*maxKept/2000)+1 || !tr.complete {
		t.Errorf("%d bytes, %d answers kept of %d, complete %v", tr.size, len(tr.Responses), tr.Count, tr.complete)
	}
	if w := r.Parser.(*Parser).wait; w.size != 0 || w.open != 0 || len(w.byID) != 0 {
		t.Errorf("%d bytes of %d are still waited for", w.size, w.open)
	}
	if e := r.Txs[0].Event.Extra["ldap"].(eveLDAP); !e.Truncated || e.Count != tr.Count || len(e.Responses) > maxLogged {
		t.Errorf("%d answers shown", len(e.Responses))
	}
}

// TestUnfinished holds that a message that never ends is looked through, and that
// requests without answers are given up where they are too much.
func TestUnfinished(t *testing.T) {
	r := protocoltest.CheckCuts(t, Definition(), protocoltest.TCP(389, c(add[:len(add)-20])))
	if !r.Sink.Contains("mail: new@example.com") && !r.Sink.Contains("new@example.com") {
		t.Error("the content is out of sight")
	}
	big := ""
	for i := range 100 {
		big += msg(i, el(0x68, str("cn=a"), el(0x30, attr("jpegPhoto", strings.Repeat("x", 60000)))))
	}
	p := protocoltest.Run(Definition(), protocoltest.TCP(389, c(big))).Parser.(*Parser)
	given := 0
	for _, tx := range p.txs.Live {
		given += len(tx.Events)
	}
	if given < 20 || given > 40 || p.wait.size != 0 {
		t.Errorf("%d of 100 are given up, %d bytes kept", given, p.wait.size)
	}
	// One that waits for long does not have all the others kept.
	turns := []string{c(search(1, "", present))}
	for range 300 {
		turns = append(turns, c(search(2, "", present)), s(result(2, 5, 0)))
	}
	if p := protocoltest.Run(Definition(), protocoltest.TCP(389, turns...)).Parser.(*Parser); len(p.wait.queue) > 2*2+17 {
		t.Errorf("%d in the queue", len(p.wait.queue))
	}
}

// TestCaptures compares real captures with what tshark 4.0 prints of them.
func TestCaptures(t *testing.T) {
	f := func(test, file, want string) {
		t.Helper()
		var got []string
		for _, d := range protocoltest.Dialogues(t, protocoltest.Shared(t, "suricata-verify", "tests", test, file)) {
			r := protocoltest.CheckCuts(t, Definition(), d)
			for _, tx := range r.Parser.Txs().Live {
				tr := tx.State.(*Transaction)
				line := opNames[tr.Request.Op] + " " + string(tr.Request.DN)
				for _, m := range tr.Responses {
					line += " " + opNames[m.Op] + " " + string(m.DN)
				}
				got = append(got, line)
			}
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%s: %q", test, got)
		}
	}
	f("ldap-search", "ldap.pcap", "search_request dc=example,dc=com search_result_entry dc=example,dc=com search_result_done ")
	f("ldap-modify", "ldap.pcap", "modify_request uid=jdoe,ou=People,dc=example,dc=com modify_response ")
	f("ldap-abandon", "ldap.pcap", "abandon_request ")
	f("ldap-udp", "cldap.pcap", "search_request  search_result_entry  search_result_done ")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(bind(1, "cn=a", "geheim")), []byte(result(1, 1, 0)), []byte(search(2, "dc=x", present, "cn")), false)
	f.Add([]byte(add), []byte(result(3, 9, 0)), []byte(modify), false)
	f.Add([]byte(startTLS), []byte(result(1, 24, 0)), []byte(sasl(4, "PLAIN", "a\x00b\x00c")), false)
	f.Add([]byte(search(1, "", el(0xa4, str("cn"), el(0x30, el(0x80, "J"))))), []byte(entry(1, "cn=a", attr("cn", "a"))+result(1, 5, 0)), []byte("\x30\x84\x00\x00\x00\x05\x02\x01\x03\x42\x00"), true)
	f.Add([]byte(sasl(1, "GSSAPI", "t")), []byte(result(1, 1, 0)), []byte("\x00\x00\x00\x01x"), false)
	f.Fuzz(func(t *testing.T, a, b, more []byte, datagram bool) {
		d := protocoltest.Dialogue{UDP: datagram, Chunks: []protocoltest.Chunk{{Data: a}, {Dir: 1, Data: b}, {Data: more}, {Gap: 3}, {Data: a}, {Dir: 1, Data: more}, {Dir: 1, Gap: 1}, {Dir: 1, Data: b}}}
		r := protocoltest.Run(Definition(), d)
		if err := r.Sink.Check(); err != nil {
			t.Fatal(err)
		}
		if !datagram {
			small := d
			small.Limits = protocol.DefaultLimits()
			small.Limits.MaxHeader = 48
			if err := protocoltest.Run(Definition(), small).Sink.Check(); err != nil {
				t.Fatal(err)
			}
		}
		for _, tx := range r.Parser.Txs().Live {
			for _, name := range []string{"ldap.request.operation", "ldap.responses.operation", "ldap.responses.result_code", "ldap.responses.count"} {
				tx.State.(*Transaction).Field(name, protocol.ToClient, 0)
			}
		}
		Definition().Probe(protocol.ToServer, a)
		Definition().Reversed(b)
		HideSecrets(more)
	})
}

func BenchmarkEntry(b *testing.B) {
	msg := []byte(entry(1, "uid=jdoe,ou=People,dc=example,dc=com", attr("cn", "John Doe"), attr("mail", "jdoe@example.com"), attr("telephoneNumber", "+43 1 234567")))
	d := protocoltest.Dialogue{UDP: true, DstPort: 389}
	env := protocoltest.NewEnv(d, &protocoltest.Sink{})
	p := Definition().New(env)
	b.ReportAllocs()
	b.SetBytes(int64(len(msg)))
	for b.Loop() {
		p.Parse(env, protocol.ToClient, msg)
		p.Txs().Prune(func(*protocol.Tx) bool { return true })
	}
}
