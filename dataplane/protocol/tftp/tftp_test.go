package tftp

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/expect"
	"sluice/dataplane/protocol/protocoltest"
)

func block(n byte, data string) string { return "\x00\x03\x00" + string([]byte{n}) + data }

func datagrams(turns ...string) protocoltest.Dialogue {
	d := protocoltest.TCP(69, turns...)
	d.UDP = true
	return d
}

func TestDialogues(t *testing.T) {
	full := strings.Repeat("x", defaultBlock)
	f := func(name, want string, turns ...string) {
		t.Helper()
		r := protocoltest.Run(Definition(), datagrams(turns...))
		if err := r.Sink.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, tx := range r.Txs {
			if tx.Log != nil {
				b, _ := json.Marshal(tx.Event.Extra["tftp"])
				got = append(got, string(b))
			}
		}
		for _, o := range r.Objects {
			got = append(got, fmt.Sprintf("%s %s %s %d bytes, %d missing, of %d", o.Dir, o.Name, o.State, len(o.Data), o.Missing, o.Total))
		}
		if s := strings.Join(got, "; "); s != want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, s, want)
		}
	}
	const write = "> \x00\x02f.txt\x00OCTET\x00"
	const told = `{"packet":"write","file":"f.txt","mode":"octet"}`
	f("request", `{"packet":"read","file":"a","mode":"netascii"}`, "> \x00\x01a\x00netascii\x00tsize\x000\x00")
	f("no mode", "", "> \x00\x01a\x00other\x00")
	f("file", told+"; to_server f.txt CLOSED 517 bytes, 0 missing, of 0", write, "> "+block(1, full), "> "+block(2, "hello"))
	f("copies", told+"; to_server f.txt CLOSED 517 bytes, 0 missing, of 0", write, "> "+block(1, full), "> "+block(1, full), "> "+block(2, "hello"), "> "+block(2, "hello"))
	f("lost block", told+"; to_server f.txt TRUNCATED 517 bytes, 512 missing, of 0", write, "> "+block(1, full), "> "+block(3, "hello"))
	f("empty last block", told+"; to_server f.txt CLOSED 512 bytes, 0 missing, of 0", write, "> "+block(1, full), "> "+block(2, ""))
	f("options", told+"; to_server f.txt CLOSED 12 bytes, 0 missing, of 12", write, "< \x00\x06blksize\x008\x00tsize\x0012\x00", "> "+block(1, "12345678"), "> "+block(2, "9abc"))
	f("error", told+"; to_server f.txt TRUNCATED 512 bytes, 0 missing, of 0", write, "> "+block(1, full), "< \x00\x05\x00\x00full\x00")
	f("end", told+"; to_server f.txt TRUNCATED 512 bytes, 0 missing, of 0", write, "> "+block(1, full))
}

// announcer takes announcements.
type announcer struct {
	protocoltest.Sink
	list []expect.Announcement
}

func (a *announcer) Announce(x expect.Announcement) { a.list = append(a.list, x) }
func (a *announcer) Renew(*expect.Hint)             {}
func (a *announcer) Withdraw(*expect.Hint)          {}

func TestAnnounces(t *testing.T) {
	sink := &announcer{}
	env := protocoltest.NewEnv(datagrams(), &sink.Sink)
	env.Objects = sink
	p := Definition().New(env)
	p.Parse(env, protocol.ToServer, []byte("\x00\x01f.txt\x00octet\x00"))
	if len(sink.list) != 1 || !sink.list[0].UDP || sink.list[0].Passive || sink.list[0].Port != 40000 {
		t.Fatalf("announced %+v", sink.list)
	}
	// The flow of the file begins with the server.
	file := Definition().New(env).(*Parser)
	file.Hint(sink.list[0].Hint)
	file.Parse(env, protocol.ToServer, []byte(block(1, "hello")))
	if o := sink.Find("f.txt"); o == nil || string(o.Data) != "hello" || o.State != protocol.ObjectClosed || o.Dir != protocol.ToServer {
		t.Errorf("file %+v", o)
	}
}

// TestCapture reads the file of a shared capture from both of its flows.
func TestCapture(t *testing.T) {
	var hint *expect.Hint
	sink := &announcer{}
	for _, d := range protocoltest.Dialogues(t, protocoltest.Shared(t, "pcaps", "arkime__tftp_rrq.pcap")) {
		env := protocoltest.NewEnv(d, &sink.Sink)
		env.Objects = sink
		p := Definition().New(env).(*Parser)
		if hint != nil {
			p.Hint(hint)
		}
		for _, c := range d.Chunks {
			p.Parse(env, c.Dir, c.Data)
		}
		p.End(env, protocol.ToServer)
		if len(sink.list) > 0 {
			hint = sink.list[0].Hint
		}
	}
	if o := sink.Find("rfc1350.txt"); o == nil || len(o.Data) != 24599 {
		t.Errorf("file %v", o)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("\x00\x02f\x00octet\x00"), []byte(block(1, "abc")), []byte("\x00\x06blksize\x008\x00"))
	f.Add([]byte("\x00\x01f\x00mail\x00"), []byte(block(2, "abc")), []byte("\x00\x05\x00\x01x\x00"))
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		d := protocoltest.Dialogue{UDP: true, Chunks: []protocoltest.Chunk{{Data: a}, {Dir: 1, Data: b}, {Data: c}, {Dir: 1, Data: a}, {Data: b}}}
		if err := protocoltest.Run(Definition(), d).Sink.Check(); err != nil {
			t.Fatal(err)
		}
		probe(protocol.ToServer, a)
	})
}
