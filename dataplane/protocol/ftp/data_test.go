package ftp

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"fmt"
	"math/rand"
	"reflect"
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/expect"
	"sluice/dataplane/protocol/protocoltest"
	"sluice/events"
)

// expected is DataDefinition for a flow that was announced with h.
func expected(h *expect.Hint) *protocol.Definition {
	d := DataDefinition()
	make := d.New
	d.New = func(env *protocol.Env) protocol.Parser {
		p := make(env)
		p.(*DataParser).Hint(h)
		return p
	}
	return d
}

func hint(t expect.Transfer) *expect.Hint {
	h := new(expect.Hint)
	h.SetTransfer(&t)
	return h
}

func TestData(t *testing.T) {
	f := func(name string, h *expect.Hint, d protocoltest.Dialogue, want ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			r := protocoltest.CheckCuts(t, expected(h), d)
			var got []string
			for _, o := range r.Objects {
				got = append(got, fmt.Sprintf("%s %q %q %s file=%v start=%d %s", o.Dir, o.Name, o.Data, o.State, o.File, o.Start, o.Unscannable))
			}
			for _, tx := range r.Txs {
				b, err := json.Marshal(tx.Event.Extra["ftp_data"])
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, string(b)+fmt.Sprint(tx.Progress, tx.Log))
			}
			if a, b := strings.Join(got, "\n"), strings.Join(want, "\n"); a != b {
				t.Errorf("got\n%s\nwant\n%s", a, b)
			}
		})
	}
	d := func(turns ...string) protocoltest.Dialogue { return protocoltest.TCP(5000, turns...) }
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	w.Write([]byte("in the deep"))
	w.Close()
	f("download", hint(expect.Transfer{Command: "RETR", Name: "a.txt", File: true}), d("< hello ", "< world"),
		`to_client "a.txt" "hello world" CLOSED file=true start=0 `, `{"filename":"a.txt","command":"RETR"}[1 1] [ftp_data]`)
	f("upload from an offset", hint(expect.Transfer{Command: "STOR", Name: "b", File: true, Start: 7}), d("> x"),
		`to_server "b" "x" CLOSED file=true start=7 `, `{"filename":"b","command":"STOR"}[1 1] [ftp_data]`)
	f("listing", hint(expect.Transfer{Command: "LIST"}), d("< drwx x"),
		`to_client "" "drwx x" CLOSED file=false start=0 `, `{"command":"LIST"}[1 1] [ftp_data]`)
	f("empty", hint(expect.Transfer{Command: "NLST"}), d(), `{"command":"NLST"}[1 1] [ftp_data]`)
	f("nothing known", nil, d("> x"), `to_server "" "x" CLOSED file=true start=0 `, `{}[1 1] [ftp_data]`)
	f("both ways", hint(expect.Transfer{Command: "RETR", Name: "a", File: true}), d("< x", "> y"),
		`to_client "a" "x" CLOSED file=true start=0 `, `to_server "a" "y" CLOSED file=true start=0 `, `{"filename":"a","command":"RETR"}[1 1] [ftp_data]`)
	f("deflated", hint(expect.Transfer{Command: "RETR", Name: "z", File: true, Deflated: true}), d("< "+z.String()),
		`to_client "z" "in the deep" CLOSED file=true start=0 `, `{"filename":"z","command":"RETR"}[1 1] [ftp_data]`)
	f("deflated, broken off", hint(expect.Transfer{Command: "RETR", Name: "z", File: true, Deflated: true}), d("< "+z.String()[:z.Len()-1]),
		`to_client "z" "in the deep" TRUNCATED file=true start=0 `, `{"filename":"z","command":"RETR"}[1 1] [ftp_data]`)
	f("deflated in word only", hint(expect.Transfer{Command: "RETR", Name: "z", File: true, Deflated: true}), d("< plain text, and no zlib stream"),
		`to_client "z" "plain text, and no zlib stream" CLOSED file=true start=0 `, `{"filename":"z","command":"RETR"}[1 1] [ftp_data]`)
	gap := d("< a", "< b", "< c")
	gap.Chunks[1] = protocoltest.Chunk{Dir: protocol.ToClient, Gap: 5}
	f("gap", hint(expect.Transfer{Command: "RETR", Name: "g", File: true}), gap,
		`to_client "g" "ac" TRUNCATED file=true start=0 `, `{"filename":"g","command":"RETR"}[1 1] [ftp_data]`)
}

// TestLateName has the data before the command that asks for it is known, as
// happens where flows are different workers'.
func TestLateName(t *testing.T) {
	h := new(expect.Hint)
	def := expected(h)
	s := &protocoltest.Sink{}
	env := protocoltest.NewEnv(protocoltest.Dialogue{}, s)
	p := def.New(env)
	p.Parse(env, protocol.ToClient, []byte("x"))
	h.SetTransfer(&expect.Transfer{Command: "RETR", Name: "late", File: true})
	p.End(env, protocol.ToClient)
	p.End(env, protocol.ToServer)
	var ev events.Event
	p.Record(p.Txs().Live[0], &ev)
	if err := s.Check(); err != nil || len(s.Objects) != 1 || s.Objects[0].Name != "late" || ev.Extra["ftp_data"].(eveData).Command != "RETR" {
		t.Errorf("%v %+v %+v", err, s.Objects, ev.Extra)
	}
	if n := len(p.Txs().Live); n != 1 {
		t.Errorf("%d transactions", n)
	}
}

func TestLateListing(t *testing.T) {
	h := new(expect.Hint)
	s := &protocoltest.Sink{}
	env := protocoltest.NewEnv(protocoltest.Dialogue{}, s)
	p := expected(h).New(env)
	p.Parse(env, protocol.ToClient, []byte("drwx x"))
	h.SetTransfer(&expect.Transfer{Command: "LIST"})
	p.End(env, protocol.ToClient)
	if o := s.Objects[0]; o.File || o.State != protocol.ObjectClosed {
		t.Errorf("%+v", o)
	}
}

func TestDataField(t *testing.T) {
	f := func(command string, toServer, toClient uint64) {
		t.Helper()
		d := &Data{transfer: &expect.Transfer{Command: command}}
		for dir, want := range [2]uint64{toServer, toClient} {
			v, ok := d.Field("ftpdata_command", protocol.Dir(dir), 0)
			if ok != (want > 0) || ok && v != want {
				t.Errorf("%s: %d %v, want %d", command, v, ok, want)
			}
		}
	}
	f("RETR", 0, DataRetr)
	f("STOR", DataStor, 0)
	f("APPE", DataStor, 0)
	f("LIST", 0, 0)
}

type nullSink struct{}

func (nullSink) OpenObject(*protocol.Object)                        {}
func (nullSink) ObjectData(*protocol.Object, []byte)                {}
func (nullSink) ObjectGap(*protocol.Object, uint64)                 {}
func (nullSink) CloseObject(*protocol.Object, protocol.ObjectState) {}

func TestNoAllocationWithinContent(t *testing.T) {
	env := protocoltest.NewEnv(protocoltest.Dialogue{}, nil)
	env.Objects = nullSink{}
	p := DataDefinition().New(env)
	data := make([]byte, 1460)
	p.Parse(env, protocol.ToClient, data)
	if n := testing.AllocsPerRun(100, func() { p.Parse(env, protocol.ToClient, data) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzControl(f *testing.F) {
	f.Add([]byte("USER x\r\nPASS y\r\nPASV\r\nRETR z\r\n"), []byte("220 FTP\r\n331 x\r\n230-a\r\n b\r\n230 c\r\n227 (1,2,3,4,5,6)\r\n150 x\r\n"), []byte("AUTH TLS\r\nNOOP\r\n"), []byte("226 x\r\n234 go\r\n\x16"))
	f.Add([]byte("EPRT |2|::1|2000|\r\nSTOU\r\nMODE Z\nREST 9\n"), []byte("120 a\r\n220 b\r\n200\r\n150 FILE: x\r\n"), []byte("\xff\xf4ABOR\r\nEPSV\r\n"), []byte("229 (|||1|)\n229-(|||2000|)\nx\n229 \n"))
	f.Fuzz(func(t *testing.T, a, b, c, e []byte) {
		d := protocoltest.Dialogue{DstPort: 21}
		for i, x := range [][]byte{a, b, c, e} {
			d.Chunks = append(d.Chunks, protocoltest.Chunk{Dir: protocol.Dir(i & 1), Data: x})
		}
		want := protocoltest.Run(Definition(), d)
		var one protocoltest.Dialogue
		for _, x := range d.Chunks {
			for i := range x.Data {
				one.Chunks = append(one.Chunks, protocoltest.Chunk{Dir: x.Dir, Data: x.Data[i : i+1]})
			}
		}
		got := protocoltest.Run(Definition(), one)
		want.Rest, got.Rest = "", "" // cut by construction
		if !reflect.DeepEqual(want.Txs, got.Txs) || want.Status != got.Status {
			t.Fatal(protocoltest.Diff(want, got))
		}
		for _, tx := range want.Txs {
			if tx.Progress != [2]uint8{Answered, Replied} && want.Status != protocol.Switch {
				t.Fatalf("transaction %d was left at %v", tx.ID, tx.Progress)
			}
			r := tx.Event.Extra["ftp"].(eveFTP)
			if r.Command == "PASS" && len(r.CommandData) > len("anonymous") {
				t.Fatalf("password %q in a record", r.CommandData)
			}
		}
		probe(protocol.ToServer, a)
		probe(protocol.ToClient, b)
	})
}

func FuzzData(f *testing.F) {
	f.Add([]byte("abc"), []byte("x\x9c"), int64(3), true)
	f.Fuzz(func(t *testing.T, a, b []byte, seed int64, deflated bool) {
		d := protocoltest.Dialogue{Chunks: []protocoltest.Chunk{{Data: a}, {Dir: protocol.ToClient, Data: b}, {Gap: 3}, {Data: b}}}
		h := hint(expect.Transfer{Command: "RETR", Name: "x", File: true, Deflated: deflated})
		want := protocoltest.Run(expected(h), d)
		if err := want.Sink.Check(); err != nil {
			t.Fatal(err)
		}
		if diff := protocoltest.Diff(want, protocoltest.Run(expected(h), d.Cut(rand.New(rand.NewSource(seed))))); diff != "" {
			t.Fatal(diff)
		}
	})
}
