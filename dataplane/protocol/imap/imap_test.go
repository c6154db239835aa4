package imap

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"reflect"
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
	return protocoltest.TCP(143, turns...)
}

// shown gives the messages and parts found.
func shown(r *protocoltest.Result) []string {
	var list []string
	for _, o := range r.Objects {
		if o.Container || strings.HasPrefix(o.Name, "BODY") || o.Name == "RFC822.TEXT" {
			list = append(list, fmt.Sprintf("%s %s %s %s", o.Dir, o.Name, o.State, strings.ReplaceAll(string(o.Data), "\r\n", "|")))
		}
	}
	return list
}

func TestDialogues(t *testing.T) {
	f := func(name string, d protocoltest.Dialogue, want ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			r := protocoltest.CheckCuts(t, Definition(), d)
			if diff := cmp.Diff(want, shown(r)); diff != "" {
				t.Error(diff)
			}
			for _, tx := range r.Txs {
				if tx.Progress != [2]uint8{Complete, Complete} || len(tx.Log) > 0 {
					t.Errorf("progress %v, log %v", tx.Progress, tx.Log)
				}
			}
		})
	}
	f("fetch", dialogue("< * OK hi\n", "> a1 FETCH 1:2 (FLAGS BODY[])\n", "< * 1 FETCH (FLAGS (\\Seen) BODY[] {17}\nSubject: x\n\nabc)\n* 2 FETCH (RFC822 {14}\nSubject: y\n\n)\na1 OK\n"),
		"to_client x.eml CLOSED Subject: x||abc", "to_client y.eml CLOSED Subject: y||")
	f("header and parts", dialogue("< * 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {14}\nSubject: x\n\n BODY[1.2] {3}\nabc BODY[TEXT]<5> {2}\nde UID 9)\n"),
		"to_client x.eml CLOSED Subject: x||", "to_client BODY[1.2] CLOSED abc", "to_client BODY[TEXT] CLOSED de")
	f("pieces", dialogue("< * 7 FETCH (BODY[]<0> {16}\nSubject: x\n\nab)\na1 OK\n", "> a2 UID FETCH 5 BODY.PEEK[]<16.4>\n", "< * 7 FETCH (UID 5 BODY[]<16> {2}\ncd)\na2 OK\n"),
		"to_client x.eml CLOSED Subject: x||abcd")
	f("pieces of two", dialogue("< * 7 FETCH (BODY[]<0> {16}\nSubject: x\n\nab)\n* 8 FETCH (BODY[]<16> {2}\ncd)\n"),
		"to_client x.eml CLOSED Subject: x||ab", "to_client .eml CLOSED cd")
	f("append", dialogue("> a1 APPEND \"Sent\" (\\Seen) {17}\n", "< + go\n", "> Subject: x\n\nabc\n", "< a1 OK\n", "> a2 APPEND {4}\n", "< + go\n", "> Sent {14+}\nSubject: y\n\n {14+}\nSubject: z\n\n\n"),
		"to_server x.eml CLOSED Subject: x||abc", "to_server y.eml CLOSED Subject: y||", "to_server z.eml CLOSED Subject: z||")
	f("append refused", dialogue("> a1 APPEND Sent {99}\n", "< a1 NO quota\n", "> a2 APPEND Sent {14+}\nSubject: y\n\n\n"),
		"to_server y.eml CLOSED Subject: y||")
	f("login", dialogue("> a1 LOGIN {3}\n", "< + go\n", "> bob {6+}\nsecret\n", "< a1 OK\n"))
	f("broken off", dialogue("< * 1 FETCH (BODY[] {100}\nSubject: x\n\nabc"), "to_client x.eml TRUNCATED Subject: x||abc")
	f("long line", dialogue("< * 1 FETCH (X \""+strings.Repeat("y", 40000)+"\" BODY[] {14}\nSubject: x\n\n)\n"), "to_client x.eml CLOSED Subject: x||")
	f("other literals", dialogue("< * LIST () \"/\" {3}\nabc\n* 1 FETCH (ENVELOPE ({3}\nabc))\n"))
	gap := dialogue("< * 1 FETCH (BODY[] {20}\nSubject: x\n\nab", "< x", "< c)\n* 2 FETCH (BODY[] {14}\nSubject: y\n\n)\n")
	gap.Chunks[1].Gap, gap.Chunks[1].Data = 3, nil
	f("gap", gap, "to_client x.eml TRUNCATED Subject: x||abc", "to_client y.eml CLOSED Subject: y||")
}

func TestSwitch(t *testing.T) {
	f := func(status protocol.Status, rest string, skipped bool, turns ...string) {
		t.Helper()
		r := protocoltest.Run(Definition(), dialogue(turns...))
		if r.Status != status || r.Rest != rest || r.Skipped != [2]bool{skipped, skipped} {
			t.Errorf("%q: %d %q %v", turns, r.Status, r.Rest, r.Skipped)
		}
	}
	f(protocol.Switch, "\x16", false, "> a1 STARTTLS\n", "< a1 OK go\n\x16")
	f(protocol.Continue, "", false, "> a1 STARTTLS\n", "< a1 BAD no\n", "> a2 NOOP\n", "< a2 OK\n")
	f(protocol.Continue, "", true, "> a1 COMPRESS DEFLATE\n", "< a1 OK go\n", "> \x01", "< \x02")
	f(protocol.Continue, "", false, "> a1 COMPRESS DEFLATE\n", "< a1 NO\n", "> a", "< b")
}

// TestCaptures compares messages and headers with those that tshark exports.
func TestCaptures(t *testing.T) {
	rows, err := os.ReadFile(protocoltest.Shared(t, "pcaps", "objects.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, d := range protocoltest.Dialogues(t, protocoltest.Shared(t, "pcaps", "arkime__imap.pcap")) {
		if d.DstPort != 143 {
			continue
		}
		r := protocoltest.CheckCuts(t, Definition(), d)
		for _, o := range r.Objects {
			if o.Container {
				sum := sha256.Sum256(o.Data)
				found[hex.EncodeToString(sum[:])]++
			}
		}
	}
	want := 0
	for _, row := range strings.Split(string(rows), "\n") {
		c := strings.Split(row, "\t")
		if c[0] != "arkime__imap.pcap" || c[1] != "imf" {
			continue
		}
		want++
		if found[c[3]]--; found[c[3]] < 0 {
			t.Errorf("%s (%s bytes) is missing", c[4], c[2])
		}
	}
	if want == 0 {
		t.Fatal("no rows")
	}
}

func TestProbe(t *testing.T) {
	f := func(dir protocol.Dir, s string, want protocol.Certainty) {
		t.Helper()
		if got := probe(dir, []byte(s)); got != want {
			t.Errorf("%s %q: %d, want %d", dir, s, got, want)
		}
	}
	f(protocol.ToClient, "* OK ready\r\n", protocol.Certain)
	f(protocol.ToClient, "* PREAUTH x\r\n", protocol.Certain)
	f(protocol.ToClient, "* O", protocol.Unsure)
	f(protocol.ToClient, "* 1 EXISTS\r\n", protocol.NotForUs)
	f(protocol.ToServer, "a1 LOGIN x y\r\n", protocol.Certain)
	f(protocol.ToServer, "a0000 capability\r\n", protocol.Certain)
	f(protocol.ToServer, "a1 LOG", protocol.Unsure)
	f(protocol.ToServer, "a", protocol.Unsure)
	f(protocol.ToServer, "GET LOGIN HTTP/1.1\r\n", protocol.NotForUs)
	f(protocol.ToServer, "a1 LOGINS x\r\n", protocol.NotForUs)
	f(protocol.ToServer, "SSH-2.0-x\r\n", protocol.NotForUs)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("a1 APPEND x {14}\r\nSubject: y\r\n\r\n"), []byte("* OK\r\n+ x\r\na1 NO\r\n* 1 FETCH (BODY[]<0> {3}\r\nabc BODY[1] {2}\r\nxy)\r\n"), []byte("a2 STARTTLS\r\n"), []byte("* 1 FETCH (BODY[]<3> {3}\r\nabc)\r\na2 OK\r\n"))
	f.Add([]byte("a1 COMPRESS DEFLATE\n"), []byte("* 1 FETCH (RFC822.TEXT {0}\n RFC822 {1}\n"), []byte("a1 x {9-}\n"), []byte("x)\na1 OK\n"))
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
