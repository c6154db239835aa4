package rfb

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

func c(s string) string { return "> " + s }
func s(s string) string { return "< " + s }

// long is a text after its length.
func long(s string) string { return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s }

const (
	v33 = "RFB 003.003\n"
	v37 = "RFB 003.007\n"
	v38 = "RFB 003.008\n"
	// challenge and response of VNC.
	challenge = "0123456789abcdef"
	response  = "fedcba9876543210"
	okay      = "\x00\x00\x00\x00"
	failed    = "\x00\x00\x00\x01"
	format    = "\x20\x18\x00\x01\x00\xff\x00\xff\x00\xff\x10\x08\x00\x00\x00\x00"
)

var desktop = "\x05\x00\x03\x20" + format + long("alice's")

// cut is a message with text for the clipboard.
func cut(text string) string { return "\x06\x00\x00\x00" + long(text) }

func tcp(turns ...string) protocoltest.Dialogue { return protocoltest.TCP(5900, turns...) }

func TestDialogues(t *testing.T) {
	f := func(name string, d protocoltest.Dialogue, want ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			r := protocoltest.CheckCuts(t, Definition(), d)
			var got []string
			for _, tx := range r.Txs {
				if tx.Log == nil {
					continue
				}
				b, err := json.Marshal(tx.Event.Extra["rfb"])
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, strings.TrimSpace(string(b)+" "+strings.Join(tx.Events, ",")))
				if tx.Progress != [2]uint8{Done, Done} {
					t.Errorf("progress %d", tx.Progress)
				}
			}
			for _, o := range r.Objects {
				got = append(got, fmt.Sprintf("%s %q %s missing %d", o.Name, o.Data, o.State, o.Missing))
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
	versions := func(v string) string {
		return fmt.Sprintf(`{"server_protocol_version":{"major":"003","minor":"00%s"},"client_protocol_version":{"major":"003","minor":"00%s"}`, v, v)
	}
	const (
		frame = `,"framebuffer":{"width":1280,"height":800,"name":"alice's","pixel_format":{"bits_per_pixel":32,"depth":24,"big_endian":false,"true_color":true,` +
			`"red_max":255,"green_max":255,"blue_max":255,"red_shift":16,"green_shift":8,"blue_shift":0}}}`
		shared = `,"screen_shared":true`
		vnc    = `,"authentication":{"security_type":2,"vnc":{"challenge":"30313233343536373839616263646566","response":"66656463626139383736353433323130"},"security_result":`
		none   = `,"authentication":{"security_type":1`
	)
	open33 := tcp(s(v33), c(v33), s("\x00\x00\x00\x01"), c("\x01"), s(desktop))
	f("3.3 without security", open33, versions("3")+none+`}`+shared+frame)
	pixels := tcp(s("\x00\x00a"), s("nd more"))
	pixels.Chunks = append(append([]protocoltest.Chunk(nil), open33.Chunks...), pixels.Chunks...)
	f("pixels", pixels, versions("3")+none+`}`+shared+frame, ` "\x00\x00and more" CLOSED missing 0`)
	f("3.3", tcp(s(v33), c(v33), s("\x00\x00\x00\x02"+challenge), c(response), s(okay), c("\x01"), s(desktop)), versions("3")+vnc+`"OK"}`+shared+frame)
	f("3.3 refused", tcp(s(v33), c(v33), s("\x00\x00\x00\x00"+long("too many"))), versions("3")+`,"authentication":{"security_type":0},"server_security_failure_reason":"too many"}`)
	f("3.3 failed", tcp(s(v33), c(v33), s("\x00\x00\x00\x02"+challenge), c(response), s(failed)), versions("3")+vnc+`"FAIL"}}`)
	f("3.7 without security", tcp(s(v37), c(v37), s("\x02\x02\x01"), c("\x01"), c("\x01"), s(desktop)), versions("7")+none+`}`+shared+frame)
	open38 := tcp(s(v38), c(v38), s("\x02\x01\x02"), c("\x01"), s(okay), c("\x01"), s(desktop))
	f("3.8 without security", open38, versions("8")+none+`,"security_result":"OK"}`+shared+frame)
	f("3.8", tcp(s(v38), c(v38), s("\x01\x02"), c("\x02"), s(challenge), c(response), s(okay), c("\x01"), s(desktop)), versions("8")+vnc+`"OK"}`+shared+frame)
	f("3.8 failed", tcp(s(v38), c(v38), s("\x01\x02"), c("\x02"), s(challenge), c(response), s(failed+long("no\xa0"))), versions("8")+vnc+`"FAIL"},"server_security_failure_reason":"no\\xa0"}`)
	f("3.8 with too many tries", tcp(s(v38), c(v38), s("\x01\x02"), c("\x02"), s(challenge), c(response), s("\x00\x00\x00\x02"+long(""))), versions("8")+vnc+`"TOOMANY"}}`)
	f("an unknown result", tcp(s(v38), c(v38), s("\x01\x02"), c("\x02"), s(challenge), c(response), s("\x00\x00\x00\x07"+long("x"))),
		versions("8")+vnc+`"UNKNOWN (7)"},"server_security_failure_reason":"x"} unknown_security_result`)
	f("3.8 refused", tcp(s(v38), c(v38), s("\x00"+long("away"))), versions("8")+`,"server_security_failure_reason":"away"}`)
	f("encrypted", tcp(s(v38), c(v38), s("\x01\x13"), c("\x13"), s("\x00\x02"), c("\x00\x02")), versions("8")+`,"authentication":{"security_type":19}} unimplemented_security_type`,
		` "\x00\x02" CLOSED missing 0`, ` "\x00\x02" CLOSED missing 0`)
	f("another thing behind a client's version", tcp(c(v33+"a secret"), c(" and more")), `{"client_protocol_version":{"major":"003","minor":"003"}} confused_state`,
		` "a secret and more" CLOSED missing 0`)
	f("another thing behind a choice", tcp(c(v38+"\x63a secret")), `{"client_protocol_version":{"major":"003","minor":"008"},"authentication":{"security_type":99}} unimplemented_security_type`,
		` "a secret" CLOSED missing 0`)
	f("another version of the client", tcp(s(v38), c(v33), s("\x00\x00\x00\x01"), c("\x00"), s(desktop)),
		strings.Replace(versions("3"), "003", "008", 2)[:0]+`{"server_protocol_version":{"major":"003","minor":"008"},"client_protocol_version":{"major":"003","minor":"003"}`+none+`},"screen_shared":false`+frame)
	f("no version", tcp(s("RFB 003.00x\n")), `{} malformed_message`, ` "RFB 003.00x\n" CLOSED missing 0`)
	f("before its turn", tcp(s(v38), c(v38), s("\x01\x02"), s(challenge)), versions("8")+`} confused_state`, fmt.Sprintf(" %q CLOSED missing 0", challenge))
	huge := tcp(s(v38), c(v38), s("\x01\x01"), c("\x01"), s(okay), c("\x01"), s("\x05\x00\x03\x20"+format+"\x7f\xff\xff\xff"))
	f("a name that is too long", huge, versions("8")+none+`,"security_result":"OK"}`+shared+`} malformed_message`,
		fmt.Sprintf(" %q CLOSED missing 0", "\x05\x00\x03\x20"+format+"\x7f\xff\xff\xff"))

	told := versions("8") + none + `,"security_result":"OK"}` + shared + frame
	with := func(turns ...string) protocoltest.Dialogue {
		d := open38
		d.Chunks = append(append([]protocoltest.Chunk(nil), d.Chunks...), tcp(turns...).Chunks...)
		return d
	}
	f("the clipboard", with(c("\x00\x00\x00\x00"+format+"\x02\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x05"+"\x03\x01\x00\x00\x00\x00\x05\x00\x03\x20"+cut("a secret")+
		"\x04\x01\x00\x00\x00\x00\x00a"+"\x05\x01\x00\x01\x00\x01"+cut("")+"\xf8\x00\x00\x00\x80\x00\x00\x00\x02ab"+"\xfb\x00\x05\x00\x03\x20\x01\x00"+challenge+
		"\xff\x00\x00\x01\x00\x00\x00a\x00\x00\x00\x1e"+"\xff\x01\x00\x02\x03\x02\x00\x00\xac\x44"+"\xff\x01\x00\x00"+"\xfa\x00\x01\x02"+"\x96\x01\x00\x00\x00\x00\x05\x00\x03\x20"+cut("more"))),
		told, `clipboard "a secret" CLOSED missing 0`, `clipboard "more" CLOSED missing 0`)
	f("the extended clipboard", with(c("\x06\x00\x00\x00\xff\xff\xff\xfbabcde"+cut("x"))), told, `clipboard "abcde" CLOSED missing 0`, `clipboard "x" CLOSED missing 0`)
	f("an unknown message", with(c(cut("a")+"\x63abc"+cut("b"))), told, `clipboard "a" CLOSED missing 0`, ` "cabc\x06\x00\x00\x00\x00\x00\x00\x01b" CLOSED missing 0`)
	f("a text while the server fails", tcp(s(v38), c(v38), s("\x01\x01"), c("\x01"), c("\x01"+cut("0123456789")[:12]), s(failed+long("no")), c("456789")),
		versions("8")+none+`,"security_result":"FAIL"},"server_security_failure_reason":"no","screen_shared":true}`, `clipboard "0123456789" CLOSED missing 0`)
	f("more encodings than there are", with(c("\x02\x00\xff\xffa secret")), told, ` "\x02\x00\xff\xffa secret" CLOSED missing 0`)
	hole := with(c(cut("0123456789")[:11]))
	hole.Chunks = append(hole.Chunks, protocoltest.Chunk{Gap: 6}, protocoltest.Chunk{Data: []byte("9" + cut("x"))})
	f("a hole in a text", hole, told, `clipboard "0129" TRUNCATED missing 6`, `clipboard "x" CLOSED missing 0`)
	hole = with(c(cut("0123")[:9]))
	hole.Chunks = append(hole.Chunks, protocoltest.Chunk{Gap: 9}, protocoltest.Chunk{Data: []byte("abc")})
	f("a hole beyond a text", hole, told, `clipboard "0" TRUNCATED missing 0`, ` "abc" CLOSED missing 0`)
	hole = with(c("\x63a"))
	hole.Chunks = append(hole.Chunks, protocoltest.Chunk{Gap: 9}, protocoltest.Chunk{Data: []byte("abc")})
	f("a hole in plain bytes", hole, told, ` "caabc" TRUNCATED missing 9`)
	f("a text that ends", with(c(cut("0123")[:10])), told, `clipboard "01" TRUNCATED missing 0`)
	lost := tcp(s(v38), c(v38))
	lost.Chunks = append(lost.Chunks, protocoltest.Chunk{Dir: 1, Gap: 3})
	f("a hole in the handshake", lost, versions("8")+`} confused_state`)
}

func TestFields(t *testing.T) {
	f := func(d protocoltest.Dialogue, typ, result string, name string) {
		t.Helper()
		r := protocoltest.Run(Definition(), d)
		h := r.Parser.Txs().Live[0].State.(*Handshake)
		list := func(keyword string, dir protocol.Dir) (out string) {
			for i := 0; ; i++ {
				v, ok := h.Field(keyword, dir, i)
				if !ok {
					return strings.TrimSpace(out)
				}
				out += fmt.Sprintf("%d ", v)
			}
		}
		if got := list("rfb.sectype", protocol.ToServer); got != typ {
			t.Errorf("rfb.sectype %q, want %q", got, typ)
		}
		if got := list("rfb.secresult", protocol.ToClient); got != result {
			t.Errorf("rfb.secresult %q, want %q", got, result)
		}
		if got := strings.Join(r.Txs[0].Buffers["to_client rfb.name"], "|"); got != name {
			t.Errorf("rfb.name %q, want %q", got, name)
		}
	}
	f(tcp(s(v38), c(v38), s("\x02\x01\x02"), c("\x01"), s(okay), c("\x01"), s(desktop)), "1", "0", "alice's")
	f(tcp(s(v38), c(v38), s("\x01\x02"), c("\x02"), s(challenge), c(response), s("\x00\x00\x00\x07"+long("x"))), "2", "7 3", "")
	f(tcp(s(v38), c(v38)), "", "", "")
}

func TestMask(t *testing.T) {
	r := protocoltest.Run(Definition(), tcp(s(v38), c(v38), s("\x01\x02"), c("\x02"), s(challenge), c(response), s(okay), c("\x01"), s("\x05\x00\x03\x20"+format+long("a secret"))))
	e := r.Txs[0].Event.Extra["rfb"].(*eveRFB)
	e.Mask(nil)
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(b); !strings.Contains(s, `"response":"***"`) || !strings.Contains(s, `"name":"a secret"`) {
		t.Errorf("shown: %s", s)
	}
}

func TestProbe(t *testing.T) {
	f := func(b string, want protocol.Certainty) {
		t.Helper()
		for _, dir := range []protocol.Dir{protocol.ToServer, protocol.ToClient} {
			if got := probe(dir, []byte(b)); got != want {
				t.Errorf("%q: got %d, want %d", b, got, want)
			}
		}
	}
	f(v38, protocol.Certain)
	f("RFB 003.889\n\x00", protocol.Certain)
	f("", protocol.Unsure)
	f("RFB 00", protocol.Unsure)
	f("RFB 003.008\r", protocol.NotForUs)
	f("RFC 003", protocol.NotForUs)
}

func TestCaptures(t *testing.T) {
	f := func(want string, path ...string) {
		t.Helper()
		d := protocoltest.Dialogues(t, protocoltest.Shared(t, append([]string{"suricata-verify", "tests"}, path...)...))[0]
		d.Chunks = d.Chunks[:min(len(d.Chunks), 40)] // pixels follow
		r := protocoltest.CheckCuts(t, Definition(), d)
		e := r.Txs[0].Event.Extra["rfb"].(*eveRFB)
		got := fmt.Sprintf("%s.%s %d %s %dx%d %s %v", e.Client.Major, e.Client.Minor, *e.Auth.Type, e.Auth.Result, e.Frame.Width, e.Frame.Height, e.Frame.Name, r.Txs[0].Events)
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		for _, o := range r.Objects {
			if o.Dir != protocol.ToClient || o.Kind != protocol.KindStream {
				t.Errorf("%q is no pixels, of messages that paste nothing", o.Data)
			}
		}
	}
	f("003.007 1  1280x800 aneagles@localhost.localdomain []", "rfb-parser", "input.pcap")
	f(`003.003 2 OK 800x600 \xa0 []`, "rfb-protocol-3.3", "06-vnc-Password-3.3.pcap")
	f("003.007 2 OK 1280x800 aneagles@localhost.localdomain []", "rfb-rules", "00-vnc-openwall-3.7.pcap")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(v38), []byte(v38+"\x02\x01\x02"), []byte("\x01\x01"+cut("abc")), []byte(okay+desktop))
	f.Add([]byte(v33), []byte(v33+"\x00\x00\x00\x02"+challenge), []byte(response+"\x01\x63"), []byte(okay+desktop))
	f.Add([]byte(v37), []byte(v37+"\x01\x02"+challenge), []byte("\x02"+response), []byte(failed+long("no")))
	f.Fuzz(func(t *testing.T, a, b, more, end []byte) {
		d := protocoltest.Dialogue{Chunks: []protocoltest.Chunk{{Dir: 1, Data: b}, {Data: a}, {Dir: 1, Data: more}, {Data: more}, {Dir: 1, Data: end}, {Gap: 3}, {Data: end}, {Dir: 1, Gap: 1}}}
		r := protocoltest.Run(Definition(), d)
		if err := r.Sink.Check(); err != nil {
			t.Fatal(err)
		}
		probe(protocol.ToServer, a)
	})
}
