package pop3

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

func dialogue(turns ...string) protocoltest.Dialogue {
	for i := range turns {
		turns[i] = strings.ReplaceAll(turns[i], "\n", "\r\n")
	}
	return protocoltest.TCP(110, turns...)
}

// shown gives the records and then the messages of a dialogue.
func shown(t *testing.T, r *protocoltest.Result) []string {
	var list []string
	for _, tx := range r.Txs {
		b, err := json.Marshal(tx.Event.Extra["pop3"])
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(b))
		if tx.Progress != [2]uint8{Sent, Replied} {
			t.Errorf("progress %v", tx.Progress)
		}
	}
	for _, o := range r.Objects {
		if o.Container {
			list = append(list, o.Name+" "+o.State.String()+" "+strings.ReplaceAll(string(o.Data), "\r\n", "|"))
		}
	}
	return list
}

func TestDialogues(t *testing.T) {
	f := func(name string, d protocoltest.Dialogue, want ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			r := protocoltest.CheckCuts(t, Definition(), d)
			if diff := cmp.Diff(want, shown(t, r)); diff != "" {
				t.Error(diff)
			}
		})
	}
	f("login", dialogue("< +OK hi\n", "> user bob\n", "< +OK\n", "> PASS my secret\n", "< -ERR no\n", "> APOP bob c4c9\n", "< +OK in\n", "> QUIT\n"),
		`{"request":{"command":"USER","args":["bob"]},"response":{"success":true,"status":"OK","header":""}}`,
		`{"request":{"command":"PASS","args":["***"]},"response":{"success":false,"status":"ERR","header":"no"}}`,
		`{"request":{"command":"APOP","args":["bob","***"]},"response":{"success":true,"status":"OK","header":"in"}}`,
		`{"request":{"command":"QUIT"}}`)
	f("SASL", dialogue("< +OK hi\n", "> AUTH PLAIN AGJvYgBzZWNyZXQ=\n", "< + \n", "> AGJvYgBzZWNyZXQ=\n", "< +OK Welcome.\n"),
		`{"request":{"command":"AUTH","args":["PLAIN","***"]},"response":{"success":true,"status":"OK","header":""}}`,
		`{"request":{"command":"\u003cSASL DATA\u003e"},"response":{"success":true,"status":"OK","header":"Welcome."}}`)
	f("list", dialogue("< +OK hi\n", "> LIST\n", "< +OK two\n1 10\n..2\n.\n", "> LIST 1\n", "< +OK 1 10\n", "> CAPA\n", "< -ERR what\n"),
		`{"request":{"command":"LIST"},"response":{"success":true,"status":"OK","header":"two","data":["1 10",".2"]}}`,
		`{"request":{"command":"LIST","args":["1"]},"response":{"success":true,"status":"OK","header":"1 10"}}`,
		`{"request":{"command":"CAPA"},"response":{"success":false,"status":"ERR","header":"what"}}`)
	f("messages", dialogue("< +OK hi\n", "> RETR 1\nTOP 2 0\nRETR 3\nNOOP\n", "< +OK 20\nSubject: x\n\n..a\n.b\n.\n+OK\nSubject: y\n\n.\n-ERR none\n+OK\n"),
		`{"request":{"command":"RETR","args":["1"]},"response":{"success":true,"status":"OK","header":"20"}}`,
		`{"request":{"command":"TOP","args":["2","0"]},"response":{"success":true,"status":"OK","header":""}}`,
		`{"request":{"command":"RETR","args":["3"]},"response":{"success":false,"status":"ERR","header":"none"}}`,
		`{"request":{"command":"NOOP"},"response":{"success":true,"status":"OK","header":""}}`,
		`x.eml CLOSED Subject: x||.a|b|`, `y.eml CLOSED Subject: y||`)
	f("message broken off", dialogue("< +OK hi\n", "> RETR 1\n", "< +OK\nSubject: x\n\nabc"),
		`{"request":{"command":"RETR","args":["1"]},"response":{"success":true,"status":"OK","header":""}}`, `x.eml TRUNCATED Subject: x||abc`)
	f("not TLS", dialogue("< +OK hi\n", "> STLS\n", "< -ERR no\n", "> NOOP\n"),
		`{"request":{"command":"STLS"},"response":{"success":false,"status":"ERR","header":"no"}}`, `{"request":{"command":"NOOP"}}`)
	gap := dialogue("< +OK hi\n", "> RETR 1\n", "< +OK\nSubject: x\n\nab", "< x", "< cd\n.\n", "> NOOP\n", "< +OK z\n")
	gap.Chunks[3].Gap, gap.Chunks[3].Data = 7, nil
	f("gap", gap, `{"request":{"command":"RETR","args":["1"]},"response":{"success":true,"status":"OK","header":""}}`,
		`{"request":{"command":"NOOP"},"response":{"success":true,"status":"OK","header":"z"}}`, `x.eml TRUNCATED Subject: x||abcd|`)
}

func TestSwitchToTLS(t *testing.T) {
	r := protocoltest.Run(Definition(), dialogue("< +OK hi\n", "> STLS\n", "< +OK go\n\x16"))
	if r.Status != protocol.Switch || r.SwitchTo != protocol.TLS || r.Rest != "\x16" {
		t.Errorf("%d %s %q", r.Status, r.SwitchTo, r.Rest)
	}
}

// TestCaptures follows real dialogues. The export of tshark takes segments for
// messages, so that it is the sizes in the server's own list that count.
func TestCaptures(t *testing.T) {
	listed, found := map[string]bool{}, 0
	for _, d := range protocoltest.Dialogues(t, protocoltest.Shared(t, "pcaps", "zeek__pop3.pcap")) {
		if d.DstPort != 110 {
			continue
		}
		r := protocoltest.CheckCuts(t, Definition(), d)
		for _, tx := range r.Txs {
			if e := tx.Event.Extra["pop3"].(evePOP3); e.Request.Command == "LIST" && e.Response != nil {
				for _, l := range e.Response.Data {
					_, size, _ := strings.Cut(l, " ")
					listed[size] = true
				}
			}
		}
		for _, o := range r.Objects {
			if o.Container {
				found++
				if size := strconv.Itoa(len(o.Data)); !listed[size] || o.State != protocol.ObjectClosed {
					t.Errorf("%s: %s, %s bytes", o.Name, o.State, size)
				}
			}
		}
	}
	if found != 3 {
		t.Errorf("%d messages", found)
	}
}

func TestDescribed(t *testing.T) {
	flows := protocoltest.Dialogues(t, protocoltest.Shared(t, "suricata-verify", "tests", "pop3-auth-01", "input.pcap"))
	got := strings.Join(shown(t, protocoltest.Run(Definition(), flows[0])), "\n")
	want := `{"request":{"command":"CAPA"},"response":{"success":true,"status":"OK","header":"Capability list follows","data":["USER","RESP-CODES","EXPIRE 0","LOGIN-DELAY 300","TOP","UIDL","X-GOOGLE-RICO","SASL PLAIN XOAUTH2 OAUTHBEARER"]}}
{"request":{"command":"AUTH","args":["XOAUTH2"]},"response":{"success":true,"status":"OK","header":""}}
{"request":{"command":"\u003cSASL DATA\u003e"},"response":{"success":true,"status":"OK","header":"Welcome."}}
{"request":{"command":"STAT"},"response":{"success":true,"status":"OK","header":"1 308661"}}
{"request":{"command":"LIST"},"response":{"success":true,"status":"OK","header":"1 messages (308661 bytes)","data":["1 308661"]}}
{"request":{"command":"UIDL"},"response":{"success":true,"status":"OK","header":"","data":["1 GmailId123456789"]}}
{"request":{"command":"QUIT"}}`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestProbe(t *testing.T) {
	f := func(dir protocol.Dir, s string, want protocol.Certainty) {
		t.Helper()
		if got := probe(dir, []byte(s)); got != want {
			t.Errorf("%s %q: %d, want %d", dir, s, got, want)
		}
	}
	f(protocol.ToClient, "+OK ready\r\n", protocol.Certain)
	f(protocol.ToClient, "+OK\r\n", protocol.Unsure)
	f(protocol.ToClient, "+O", protocol.Unsure)
	f(protocol.ToClient, "+PONG\r\n", protocol.NotForUs)
	f(protocol.ToClient, "220 x\r\n", protocol.NotForUs)
	f(protocol.ToServer, "CAPA\r\n", protocol.Certain)
	f(protocol.ToServer, "USER x\r\n", protocol.Unsure)
	f(protocol.ToServer, "US", protocol.Unsure)
	f(protocol.ToServer, "LISTEN\r\n", protocol.NotForUs)
	f(protocol.ToServer, "GET / HTTP/1.1\r\n", protocol.NotForUs)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("RETR 1\r\nLIST\r\nNOOP\r\n"), []byte("+OK hi\r\n+OK\r\nSubject: x\r\n\r\n..a\r\n.\r\n+OK\r\n"), []byte("AUTH X\r\nSTLS\r\n"), []byte("a\r\n.\r\n+OK\r\n+ \r\n+OK\r\n"))
	f.Fuzz(func(t *testing.T, a, b, c, e []byte) {
		var d, one protocoltest.Dialogue
		for i, x := range [][]byte{a, b, c, e} {
			d.Chunks = append(d.Chunks, protocoltest.Chunk{Dir: protocol.Dir(i & 1), Data: x})
			for k := range x {
				one.Chunks = append(one.Chunks, protocoltest.Chunk{Dir: protocol.Dir(i & 1), Data: x[k : k+1]})
			}
		}
		want, got := protocoltest.Run(Definition(), d), protocoltest.Run(Definition(), one)
		if err := want.Sink.Check(); err != nil {
			t.Fatal(err)
		}
		want.Rest, got.Rest = "", ""
		if !reflect.DeepEqual(want.Txs, got.Txs) || !reflect.DeepEqual(want.Objects, got.Objects) || want.Status != got.Status {
			if diff := protocoltest.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
		}
		probe(protocol.ToServer, a)
		probe(protocol.ToClient, b)
	})
}
