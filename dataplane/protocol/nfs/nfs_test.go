package nfs

import (
	"bytes"
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

func w(n ...uint32) string {
	var b []byte
	for _, v := range n {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return string(b)
}

func long(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }

// str makes bytes with their length before them.
func str(s string) string { return w(uint32(len(s))) + s + strings.Repeat("\x00", -len(s)&3) }

// mark makes a record of a message, in fragments of n bytes.
func mark(s string, n int) string {
	out := ""
	for len(s) > n {
		out += w(uint32(n)) + s[:n]
		s = s[n:]
	}
	return out + w(1<<31|uint32(len(s))) + s
}

var cred = w(authUnix, 28) + w(1) + str("cell") + w(501, 20, 1, 0)

func callOf(xid, version, proc uint32, args string) string {
	return w(xid, typeCall, rpcVersion, program, version, proc) + cred + w(0, 0) + args
}

func reply(xid uint32, results string) string { return w(xid, typeReply, 0, 0, 0, 0) + results }

const whole = 1 << 20

func c(s string) string { return "> " + mark(s, whole) }
func s(s string) string { return "< " + mark(s, whole) }

var (
	dirH  = strings.Repeat("d", 28)
	fileH = strings.Repeat("f", 28)
)

func lookup3(xid uint32, name string) []string {
	return []string{c(callOf(xid, 3, 3, str(dirH)+str(name))), s(reply(xid, w(0)+str(fileH)+w(0, 0)))}
}

func write3(xid uint32, off uint64, data string) []string {
	return []string{c(callOf(xid, 3, 7, str(fileH)+long(off)+w(uint32(len(data)), 0)+str(data))), s(reply(xid, w(0, 0, 0)+w(uint32(len(data)), 0)+long(1)))}
}

func read3(xid uint32, off uint64, data string, eof uint32) []string {
	return []string{c(callOf(xid, 3, 6, str(fileH)+long(off)+w(4096))), s(reply(xid, w(0, 0)+w(uint32(len(data)), eof)+str(data)))}
}

func turns(lists ...[]string) []string {
	var out []string
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

func summary(r *protocoltest.Result) (records, objects, events []string) {
	for _, tx := range r.Txs {
		b, err := json.Marshal(tx.Event.Extra["nfs"])
		if err != nil {
			b = []byte(err.Error())
		}
		records = append(records, strings.NewReplacer(`"type":"response",`, "", `"version":3,`, "").Replace(string(b)))
		events = append(events, tx.Events...)
	}
	for _, o := range r.Objects {
		objects = append(objects, fmt.Sprintf("%s %s %s@%d=%s file=%v", o.Dir, o.State, o.Name, o.Start, o.Data, o.File))
	}
	return records, objects, events
}

func TestDialogues(t *testing.T) {
	f := func(name string, d protocoltest.Dialogue, wantRecords, wantObjects []string, wantEvents ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			records, objects, events := summary(protocoltest.CheckCuts(t, Definition(), d))
			if diff := cmp.Diff(wantRecords, records, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(wantObjects, objects, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(wantEvents, events, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
	tcp := func(lists ...[]string) protocoltest.Dialogue { return protocoltest.TCP(2049, turns(lists...)...) }
	hash := fmt.Sprintf("%08x", crc(fileH))
	dhash := fmt.Sprintf("%08x", crc(dirH))
	look := `{"procedure":"LOOKUP","filename":"a.txt","hhash":"` + hash + `","id":1,"file_tx":false,"status":"OK"}`
	wrote := func(id, chunks, xid int, last bool, name string) string {
		return fmt.Sprintf(`{"procedure":"WRITE","filename":"%s","hhash":"%s","id":%d,"file_tx":true,"status":"OK","write":{"first":true,"last":%v,"last_xid":%d,"chunks":%d}}`, name, hash, id, last, xid, chunks)
	}
	commit := []string{c(callOf(90, 3, 21, str(fileH)+long(0)+w(0))), s(reply(90, w(0, 0, 0)+long(1)))}
	f("written and committed", tcp(lookup3(1, "a.txt"), write3(2, 0, "4111 "), write3(3, 5, "4222"), commit),
		[]string{look, wrote(2, 2, 3, true, "a.txt")}, []string{"to_server CLOSED a.txt@0=4111 4222 file=true"})
	f("written out of order", tcp(write3(2, 0, "4111 "), write3(3, 10, "4333"), write3(4, 5, "4222 ")),
		[]string{wrote(1, 3, 4, false, "")}, []string{"to_server CLOSED @0=4111 4222 4333 file=true", "to_server CLOSED @10=4333 file=false"})
	f("written twice", tcp(write3(2, 0, "4111 "), write3(3, 0, "4222 new"), commit),
		[]string{wrote(1, 2, 3, true, "")}, []string{"to_server CLOSED @0=4111 new file=true", "to_server CLOSED @0=4222  file=false"})
	f("read", tcp(lookup3(1, "a.txt"), read3(2, 0, "4111 ", 0), read3(3, 5, "4222", 1)),
		[]string{look, `{"procedure":"READ","filename":"a.txt","hhash":"` + hash + `","id":2,"file_tx":true,"status":"OK","read":{"first":true,"last":true,"last_xid":3,"chunks":2}}`},
		[]string{"to_client CLOSED a.txt@0=4111 4222 file=true"})
	f("created, renamed, removed", tcp([]string{c(callOf(1, 3, 8, str(dirH)+str("n")+w(0))), s(reply(1, w(0, 1)+str(fileH)+w(0, 0, 0)))},
		[]string{c(callOf(2, 3, 14, str(dirH)+str("n")+str(dirH)+str("m"))), s(reply(2, w(0, 0, 0, 0, 0)))}, []string{c(callOf(3, 3, 12, str(dirH)+str("m"))), s(reply(3, w(2, 0, 0)))}),
		[]string{`{"procedure":"CREATE","filename":"n","hhash":"` + dhash + `","id":1,"file_tx":false,"status":"OK"}`,
			`{"procedure":"RENAME","filename":"n","hhash":"` + dhash + `","id":2,"file_tx":false,"status":"OK","rename":{"from":"n","to":"m"}}`,
			`{"procedure":"REMOVE","filename":"m","hhash":"` + dhash + `","id":3,"file_tx":false,"status":"ERR_NOENT"}`}, nil)
	f("fragments", protocoltest.TCP(2049, "> "+mark(callOf(2, 3, 7, str(fileH)+long(0)+w(9, 0)+str("4111 4222")), 7), s(reply(2, w(0)))), []string{wrote(1, 1, 2, false, "")},
		[]string{"to_server CLOSED @0=4111 4222 file=true"})
	big := strings.Repeat("0123456789abcdef", 1000)
	f("longer than is gathered", tcp(write3(2, 0, big), write3(3, 16000, "end"), commit), []string{wrote(1, 2, 3, true, "")}, []string{"to_server CLOSED @0=" + big + "end file=true"})
	f("cut off", protocoltest.TCP(2049, c(callOf(2, 3, 7, str(fileH)+long(0)+w(90, 0)+w(90)+"4111"))), []string{wrote(1, 0, 0, false, "")}, []string{"to_server TRUNCATED @0=4111 file=true"}, "malformed_data")
	f("names that do not fit", protocoltest.TCP(2049, c(callOf(2, 3, 3, str(dirH)+w(99)+"abc"))), []string{`null`}, []string{"to_server CLOSED @0=" + callOf(2, 3, 3, str(dirH)+w(99)+"abc") + " file=false"}, "malformed_data")

	f("a name that is too long", tcp([]string{c(callOf(2, 3, 3, str(dirH)+w(9999)+"4111"))}), []string{`{"procedure":"LOOKUP","filename":"","id":1,"file_tx":false,"status":"OK"}`, `null`},
		[]string{"to_server CLOSED @0=4111 file=false"}, "malformed_data")
	f("not to be read", tcp([]string{c(callOf(2, 3, 6, str(fileH)+long(0)+w(4096))), s(reply(2, w(13, 0)))}),
		[]string{`{"procedure":"READ","filename":"","hhash":"` + hash + `","id":1,"file_tx":true,"status":"ERR_ACCESS","read":{"first":true,"last":false,"last_xid":0,"chunks":0}}`}, nil)
	compound := func(xid uint32, n uint32, ops string) string { return callOf(xid, 4, 1, str("")+w(1, n)+ops) }
	results := func(xid uint32, n uint32, ops string) string { return reply(xid, w(0)+str("")+w(n)+ops) }
	sid := strings.Repeat("s", 16)
	open := w(op4Open, 0, 1, 0) + long(7) + str("me") + w(1, 0) + w(0) + w(0) + w(0) + str("b.txt")
	f("version 4", protocoltest.TCP(2049,
		c(compound(1, 3, w(op4PutHandle)+str(dirH)+open+w(op4GetHandle))),
		s(results(1, 3, w(op4PutHandle, 0, op4Open, 0)+sid+strings.Repeat("c", 20)+w(0)+w(0)+w(0)+w(op4GetHandle, 0)+str(fileH))),
		c(compound(2, 3, w(op4PutHandle)+str(fileH)+w(op4Write)+sid+long(0)+w(2)+str("4111")+w(op4GetAttr, 0))),
		s(results(2, 2, w(op4PutHandle, 0, op4Write, 0)+w(4, 2)+long(1))),
		c(compound(3, 2, w(op4PutHandle)+str(fileH)+w(op4Close, 0)+sid)), s(results(3, 2, w(op4PutHandle, 0, op4Close, 0)+sid)),
		c(compound(4, 2, w(op4PutHandle)+str(fileH)+w(op4Read)+sid+long(0)+w(99))), s(results(4, 2, w(op4PutHandle, 0, op4Read, 0)+w(1)+str("4222"))),
		c(compound(5, 2, w(op4PutHandle)+str(dirH)+w(op4Remove)+str("b.txt"))), s(results(5, 2, w(op4PutHandle, 0, op4Remove, 0)+strings.Repeat("c", 20)))),
		[]string{`{"version":4,"procedure":"WRITE","filename":"b.txt","hhash":"` + hash + `","id":1,"file_tx":true,"status":"OK","write":{"first":true,"last":true,"last_xid":2,"chunks":1}}`,
			`{"version":4,"procedure":"READ","filename":"b.txt","hhash":"` + hash + `","id":2,"file_tx":true,"status":"OK","read":{"first":true,"last":true,"last_xid":4,"chunks":1}}`,
			`{"version":4,"procedure":"REMOVE","filename":"b.txt","hhash":"` + dhash + `","id":3,"file_tx":false,"status":"OK"}`},
		[]string{"to_server CLOSED b.txt@0=4111 file=true", "to_client CLOSED b.txt@0=4222 file=true"})
	f("opened and written at once", protocoltest.TCP(2049, c(compound(1, 3, w(op4PutHandle)+str(dirH)+open+w(op4Write)+sid+long(0)+w(2)+str("4111")))),
		[]string{fmt.Sprintf(`{"version":4,"procedure":"WRITE","filename":"b.txt","hhash":"%08x","id":1,"file_tx":true,"status":"OK","write":{"first":true,"last":false,"last_xid":1,"chunks":1}}`, crc("b.txt"))},
		[]string{"to_server CLOSED b.txt@0=4111 file=true"})
	unknown := w(op4PutHandle) + str(fileH) + w(60) + "card 4111"
	f("what hides behind an unknown operation", protocoltest.TCP(2049, c(compound(1, 3, unknown))), nil, []string{"to_server CLOSED @0=" + w(60) + "card 4111 file=false"})

	udp := protocoltest.Dialogue{UDP: true, DstPort: 2049}
	h2 := strings.Repeat("h", 32)
	for i, text := range []string{callOf(1, 2, 4, h2+str("old")), reply(1, w(0)+h2+strings.Repeat("a", 68)), callOf(2, 2, 6, h2+w(0, 99, 0)),
		reply(2, w(0)+strings.Repeat("\x00", 20)+w(4)+strings.Repeat("\x00", 44)+str("4111")), callOf(3, 2, 8, h2+w(0, 0, 4)+str("4222"))} {
		udp.Chunks = append(udp.Chunks, protocoltest.Chunk{Dir: protocol.Dir(i % 2), Data: []byte(text)})
	}
	hh := fmt.Sprintf("%08x", crc(h2))
	f("version 2", udp, []string{`{"version":2,"procedure":"LOOKUP","filename":"old","hhash":"` + hh + `","id":1,"file_tx":false,"status":"OK"}`,
		`{"version":2,"procedure":"READ","filename":"old","hhash":"` + hh + `","id":2,"file_tx":true,"status":"OK","read":{"first":true,"last":true,"last_xid":2,"chunks":1}}`,
		`{"version":2,"procedure":"WRITE","filename":"old","hhash":"` + hh + `","id":3,"file_tx":true,"status":"OK","write":{"first":true,"last":false,"last_xid":3,"chunks":1}}`},
		[]string{"to_client CLOSED old@0=4111 file=true", "to_server CLOSED old@0=4222 file=true"})

	hole := tcp(write3(2, 0, "4111 4222"))
	data := []byte(mark(callOf(2, 3, 7, str(fileH)+long(0)+w(12, 0)+str("abcdefghijkl")), whole))
	hole.Chunks = []protocoltest.Chunk{{Data: data[:len(data)-8]}, {Gap: 4}, {Data: data[len(data)-4:]}, {Data: []byte(mark(callOf(3, 3, 12, str(dirH)+str("x")), whole))}}
	f("a hole", hole, []string{wrote(1, 1, 2, false, ""), `{"procedure":"REMOVE","filename":"x","hhash":"` + dhash + `","id":2,"file_tx":false,"status":"OK"}`}, []string{"to_server TRUNCATED @0=abcdijkl file=true"})
}

// TestGivesUp holds that nothing stays open in either direction where the borders of
// messages are lost.
func TestGivesUp(t *testing.T) {
	for name, last := range map[string]protocoltest.Chunk{"a hole": {Gap: 1}, "a length": {Data: []byte("\xff\xff\xff\xff")}} {
		d := protocoltest.TCP(2049, turns(write3(2, 0, "data"), read3(3, 0, "data", 0))...)
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

func crc(s string) uint32 {
	sum := ^uint32(0)
	for _, b := range []byte(s) {
		sum ^= uint32(b)
		for range 8 {
			sum = sum>>1 ^ 0xedb88320&-(sum&1)
		}
	}
	return ^sum
}

// TestSealed holds that what is encrypted is told once a direction.
func TestSealed(t *testing.T) {
	gss := w(authGSS, 20) + w(1, 0, 1, gssPrivacy) + w(0)
	call := func(xid uint32) string {
		return c(w(xid, typeCall, rpcVersion, program, 4, 1) + gss + w(0, 0) + strings.Repeat("secret", 20))
	}
	r := protocoltest.Run(Definition(), protocoltest.TCP(2049, call(1), s(reply(1, "answer..")), call(2)))
	var got []string
	for _, o := range r.Objects {
		got = append(got, o.Dir.String()+" "+o.Unscannable)
	}
	if diff := cmp.Diff([]string{"to_server encrypted", "to_client encrypted"}, got); diff != "" {
		t.Error(diff)
	}
	if n, _ := r.Parser.(protocol.Opaque).Unread(protocol.ToServer); n == 0 {
		t.Error("nothing is counted")
	}
}

// TestBounded holds that what is never answered, and files without number, do not
// pile up.
func TestBounded(t *testing.T) {
	d := protocoltest.Dialogue{DstPort: 2049, Limits: protocol.DefaultLimits()}
	d.Limits.MaxTx = 16
	for i := range 6000 {
		h := fmt.Sprintf("%028d", i)
		args, proc := str(h)+str("x"), uint32(3)
		if i%2 == 0 {
			args, proc = str(h)+long(0)+w(4, 0)+str("data"), 7
		}
		d.Chunks = append(d.Chunks, protocoltest.Chunk{Data: []byte(mark(callOf(uint32(i), 3, proc, args), whole))})
	}
	r := protocoltest.Run(Definition(), d)
	p := r.Parser.(*Parser)
	if len(p.calls) > maxPending || len(p.files) > maxFiles || len(p.waiting) > 16 || p.kept != 0 {
		t.Errorf("%d calls, %d files, %d transactions, %d bytes", len(p.calls), len(p.files), len(p.waiting), p.kept)
	}
	if err := r.Sink.Check(); err != nil {
		t.Error(err)
	}
}

func TestProbe(t *testing.T) {
	call := callOf(1, 3, 3, str(dirH)+str("a"))
	f := func(got, want protocol.Certainty) {
		t.Helper()
		if got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
	f(probe(protocol.ToServer, []byte(mark(call, whole))), protocol.Certain)
	for n := 1; n < 28; n++ {
		f(probe(protocol.ToServer, []byte(mark(call, whole)[:n])), protocol.Unsure)
	}
	f(probe(protocol.ToServer, []byte("\x00\x00\x00\x54\xffSMB0123456789012345678901234")), protocol.NotForUs)
	f(probeDatagram(protocol.ToServer, []byte(call)), protocol.Certain)
	f(probeDatagram(protocol.ToServer, []byte(strings.Replace(call, w(program), w(100005), 1))), protocol.NotForUs)
	f(probeDatagram(protocol.ToServer, []byte(w(1, 0, 2, program, 3, 0, 0, 0, 0, 0))), protocol.NotForUs)
	f(probeDatagram(protocol.ToClient, []byte(reply(1, w(0)))), protocol.Unsure)
}

// TestCaptured compares a file that a real client has written.
func TestCaptured(t *testing.T) {
	found := false
	for _, d := range protocoltest.Dialogues(t, protocoltest.Shared(t, "pcaps", "zeek__nfs_write.pcap")) {
		if d.DstPort != 2049 {
			continue
		}
		r := protocoltest.CheckCuts(t, Definition(), d)
		for _, o := range r.Objects {
			found = found || o.File && o.Dir == protocol.ToServer && o.Name != "" && len(o.Data) > 0 && o.State == protocol.ObjectClosed
			t.Logf("%s %q %s %d bytes", o.Dir, o.Name, o.State, len(o.Data))
		}
	}
	if !found {
		t.Error("no file with a name was found")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(mark(callOf(1, 3, 3, str(dirH)+str("a")), whole)), []byte(mark(reply(1, w(0)+str(fileH)+w(0, 0)), whole)), false)
	f.Add([]byte(mark(callOf(1, 3, 7, str(fileH)+long(0)+w(4, 0)+str("data")), 9)), []byte(nil), false)
	f.Add([]byte(callOf(2, 2, 6, strings.Repeat("h", 32)+w(0, 99, 0))), []byte(reply(2, w(0)+strings.Repeat("\x00", 68)+str("4111"))), true)
	f.Add([]byte(mark(callOf(1, 4, 1, str("")+w(1, 2)+w(op4PutHandle)+str(fileH)+w(op4Read)+strings.Repeat("s", 16)+long(0)+w(9)), whole)),
		[]byte(mark(reply(1, w(0)+str("")+w(2)+w(op4PutHandle, 0, op4Read, 0, 1)+str("x")), whole)), false)
	f.Fuzz(func(t *testing.T, client, server []byte, udp bool) {
		d := protocoltest.Dialogue{UDP: udp, DstPort: 2049, Chunks: []protocoltest.Chunk{{Data: client}, {Dir: protocol.ToClient, Data: server}, {Data: client}, {Gap: 3}, {Data: bytes.Repeat(client, 2)}}}
		if udp {
			d.Chunks = d.Chunks[:3]
		}
		r := protocoltest.Run(Definition(), d)
		if err := r.Sink.Check(); err != nil {
			t.Fatal(err)
		}
		probe(protocol.ToServer, client)
		probeDatagram(protocol.ToClient, server)
	})
}
