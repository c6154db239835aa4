package dnp3

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// frame makes a frame of the link layer.
func frame(control byte, data string) string {
	b := []byte{start1, start2, byte(minLength + len(data)), control, 2, 0, 1, 0}
	b = binary.LittleEndian.AppendUint16(b, sum(b))
	for at := 0; at < len(data); at += blockLen {
		block := data[at:min(at+blockLen, len(data))]
		b = append(b, block...)
		b = binary.LittleEndian.AppendUint16(b, sum([]byte(block)))
	}
	return string(b)
}

const (
	fromMaster     = bitFromMaster | bitPrimary | 4
	fromOutstation = bitPrimary | 4
	whole          = "\xc5" // first and final, number 5
)

// ask and tell make a fragment in one frame: a request, and a response without
// indications.
func ask(function byte, objects string) string {
	return frame(fromMaster, whole+"\xc3"+string([]byte{function})+objects)
}
func tell(objects string) string { return frame(fromOutstation, whole+"\xe3\x81\x80\x02"+objects) }

func show(tx protocoltest.Tx) string {
	b, err := json.Marshal(tx.Event.Extra["dnp3"])
	if err != nil {
		return err.Error()
	}
	s := strings.ReplaceAll(string(b), `"`, "")
	if len(tx.Events) > 0 {
		s += fmt.Sprint(" ", tx.Events)
	}
	return s
}

func TestDialogues(t *testing.T) {
	f := func(name string, d protocoltest.Dialogue, want ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			r := protocoltest.CheckCuts(t, Definition(), d)
			for i, tx := range slices.DeleteFunc(slices.Clone(r.Txs), func(tx protocoltest.Tx) bool { return len(tx.Log)+len(tx.Events) == 0 && tx.Event.Extra == nil }) {
				if i >= len(want) {
					t.Errorf("one more: %s", show(tx))
					continue
				}
				for _, part := range strings.Split(want[i], " & ") {
					if got := show(tx); !strings.Contains(got, part) {
						t.Errorf("%d: %s\nhas no %s", i, got, part)
					}
				}
			}
			if len(r.Txs) < len(want) {
				t.Errorf("%d transactions, want %d", len(r.Txs), len(want))
			}
		})
	}
	tcp := func(turns ...string) protocoltest.Dialogue { return protocoltest.TCP(20000, turns...) }
	bad := func(s string, at int) string { return s[:at] + string([]byte{s[at] ^ 1}) + s[at+1:] }

	f("read", tcp("> "+ask(1, "\x3c\x02\x06\x1e\x02\x00\x03\x07"), "< "+tell("\x01\x02\x00\x03\x04\x81\x01")),
		"{type:request,control:{dir:true,pri:true,fcb:false,fcv:false,function_code:4},src:1,dst:2,application:{control:{fir:true,fin:true,con:false,uns:false,sequence:3},function_code:1,objects:["+
			" & {group:60,variation:2,qualifier:6,prefix_code:0,range_code:6,start:0,stop:0,count:0} & {group:30,variation:2,qualifier:0,prefix_code:0,range_code:0,start:3,stop:7,count:5} & complete:true}}",
		"type:response & iin:{indicators:[device_restart,object_unknown]} & start:3,stop:4,count:2,points:[{chatter_filter:0,comm_lost:0,index:3,local_forced:0,online:1,prefix:0,remote_forced:0,reserved:0,restart:0,state:1} & index:4 & complete:true")
	f("operate", tcp("> "+ask(5, "\x0c\x01\x28\x01\x00\x0a\x00\x41\x02\xe8\x03\x00\x00\x00\x00\x00\x00\x00")),
		"function_code:5 & prefix_code:2,range_code:8,start:0,stop:0,count:1 & {count:2,cr:0,index:10,offtime:0,ontime:1000,op_type:1,prefix:10,qu:0,reserved:0,status_code:0,tcc:1}")
	f("numbers", tcp("< "+tell("\x1e\x02\x00\x00\x00\x01\xfe\xff\x1e\x05\x00\x00\x00\x01\x00\x00\xc0\x7f\x20\x07\x17\x01\x09\x01\x00\x00\x20\x40\x01\x00\x00\x00\x00\x00")),
		"value:-2} & value:NaN} & index:9 & timestamp:1,value:2.5}")
	f("packed", tcp("< "+tell("\x01\x01\x00\x00\x08\x01\x01\x03\x01\x00\x00\x02\x1b")), "{index:0,prefix:0,state:1},{index:1,prefix:0,state:0} & {index:8,prefix:0,state:1}]}"+
		" & {index:0,prefix:0,state:3},{index:1,prefix:0,state:2},{index:2,prefix:0,state:1}]")
	f("unsolicited", tcp("< "+frame(fromOutstation, whole+"\xf0\x82\x00\x00")), "type:unsolicited_response & con:true,uns:true & iin:{indicators:[]}")
	file := "\x46\x03\x5b\x01\x1d\x00\x1a\x00\x03\x00\x00\x00\x00\x00\x00\x00\xff\x01\x01\x02\x03\x04\x00\x00\x00\x00\x01\x00\x00\x04\x07\x00abc"
	f("file", tcp("> "+ask(25, file)), "size:29 & authentication_key:*** & data-\\u003efilename:abc & request_id:7")
	f("segments", tcp("> "+frame(fromMaster, "\x41\xc3\x02"+strings.Repeat("a", 20))+frame(fromMaster, "\x02"+strings.Repeat("b", 30))+frame(fromMaster, "\x83cc")),
		"function_code:2 & objects:[{group:97 & [unknown_object]")
	f("segment missing", tcp("> "+frame(fromMaster, "\x41\xc3\x02aa")+frame(fromMaster, "\x83cc")+ask(1, "")), "function_code:1")
	f("sums", tcp("> "+bad(ask(1, ""), 8)+bad(ask(1, ""), 11)+ask(2, "")), "[bad_link_crc]", "[bad_transport_crc]", "function_code:2")
	f("lengths", tcp("> \x05\x64\x04\xc4\x02\x00\x01\x00\x00\x00"+frame(fromMaster, "")+frame(fromMaster, whole+"\xc3")+frame(fromOutstation, whole+"\xc3\x81x")+ask(1, "")),
		"[len_too_small]", "[len_too_small]", "[len_too_small]", "[len_too_small]", "function_code:1")
	f("garbage between", tcp("> \x05\x05junk\x05"+ask(1, "")+"\x05junk"+ask(2, "")), "function_code:1", "function_code:2")
	f("other frames", tcp("> "+frame(bitFromMaster|bitPrimary|9, ""), "< "+frame(11, "")))
	f("cut object", tcp("< "+tell("\x1e\x01\x00\x00\x05\x01")), "count:6} & complete:false")
	f("unknown object", tcp("< "+tell("\xfa\x01\x00\x00\x05\x01")), "complete:false & [unknown_object]")
	f("too many points", tcp("< "+tell("\x3c\x01\x09\xff\xff\xff\xff")), "count:4294967295 & [too_many_points]")
	f("not bytes of points", tcp("> "+ask(1, "\x1e\x01\x09\xff\xff\xff\xff\x1e\x00\x17\x02\x05\x06")), "count:4294967295} & qualifier:23,prefix_code:1,range_code:7,start:0,stop:0,count:2} & complete:true")
	f("too long", tcp("> "+frame(fromMaster, "\x40\xc3\x02"+strings.Repeat("a", 247))+long(1, 65)+ask(1, "")), "[too_long_reassembly]", "function_code:1")
	udp := protocoltest.Dialogue{UDP: true, Chunks: []protocoltest.Chunk{{Data: []byte(ask(1, "")[:7])}, {Data: []byte(ask(2, ""))}, {Dir: 1, Data: []byte(tell(""))}}}
	f("datagrams", udp, "function_code:2", "type:response")
	gap := tcp("> " + ask(1, "")[:9])
	gap.Chunks = append(gap.Chunks, protocoltest.Chunk{Gap: 30}, protocoltest.Chunk{Data: []byte("of another frame" + ask(3, ""))})
	f("gap", gap, "function_code:3")
}

// long makes the segments from one on up to another, none of them the last.
func long(from, to int) (s string) {
	for i := from; i <= to; i++ {
		s += frame(fromMaster, string([]byte{byte(i & maskSeq)})+strings.Repeat("a", 249))
	}
	return s
}

func TestLimits(t *testing.T) {
	d := protocoltest.TCP(20000, "> "+ask(1, "\x3c\x02\x06\x3c\x03\x06\x3c\x04\x06"), "< "+tell("\x0a\x02\x00\x00\x03\x01\x01\x01\x01"), "> "+strings.Repeat(ask(1, ""), 6)+ask(0, ""))
	d.Limits = protocol.DefaultLimits()
	d.Limits.DNP3 = protocol.DNP3Limits{MaxObjects: 2, MaxPoints: 3}
	d.Limits.TxOf[protocol.DNP3] = 4
	r := protocoltest.CheckCuts(t, Definition(), d)
	for i, want := range map[int]string{0: "too_many_objects", 1: "too_many_points", 5: "", 6: "flooded", 7: "", 8: ""} {
		if got := strings.Join(r.Txs[i].Events, " "); got != want {
			t.Errorf("%d: %q, want %q", i, got, want)
		}
	}
	if r := protocoltest.CheckCuts(t, Definition(), protocoltest.TCP(20000, "> "+strings.Repeat("\x05\x64\x05\xc4", 1000))); len(r.Txs) != maxAlone+1 {
		t.Errorf("%d transactions of starts without frames", len(r.Txs))
	}
	if len(r.Txs[8].Log) != 0 || len(r.Txs[7].Log) != 1 {
		t.Error("a confirmation is told, or a request is not")
	}
}

// TestRules holds what rules are told.
func TestRules(t *testing.T) {
	r := protocoltest.Run(Definition(), protocoltest.TCP(20000, "> "+ask(1, "\x3c\x02\x06\x3c\x03\x06"), "< "+tell("\x01\x02\x00\x03\x03\x81")))
	f := func(tx int, dir protocol.Dir, name string, want ...uint64) {
		t.Helper()
		var got []uint64
		for i := 0; ; i++ {
			v, ok := r.Parser.Txs().Live[tx].State.(*Fragment).Field(name, dir, i)
			if !ok {
				break
			}
			got = append(got, v)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d %s %s: %v, want %v", tx, dir, name, got, want)
		}
	}
	f(0, 0, "dnp3_func", 1)
	f(0, 1, "dnp3_func")
	f(0, 0, "dnp3_obj", 60<<8|2, 60<<8|3)
	f(0, 0, "dnp3_ind")
	f(1, 1, "dnp3_ind", 0x8002)
	f(1, 1, "dnp3.func", 129)
	if got := r.Txs[0].Buffers["to_server dnp3.data"]; len(got) != 1 || got[0] != "\xc3\x01\x3c\x02\x06\x3c\x03\x06" {
		t.Errorf("data %q", got)
	}
	// Alerts have the two under names of their own.
	ev := r.Txs[0].Event
	ev.Type = "alert"
	r.Parser.Record(r.Parser.Txs().Live[0], &ev)
	if b, _ := json.Marshal(ev.Extra["dnp3"]); !bytes.HasPrefix(b, []byte(`{"request":{"type":"request"`)) {
		t.Errorf("alert: %s", b)
	}
}

// TestContent holds that files and strings are looked through, secrets hidden.
func TestContent(t *testing.T) {
	auth := "\x46\x02\x5b\x01\x1b\x00\x0c\x00\x03\x00\x0f\x00\x0c\x00\x01\x02\x03\x04bobverysecretpw"
	open := "\x46\x03\x5b\x01\x1d\x00\x1a\x00\x03\x00\x00\x00\x00\x00\x00\x00\xff\x01\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x04\x07\x00abc"
	block := "\x46\x05\x5b\x01\x18\x00\x01\x00\x00\x00\x00\x00\x00\x804111111111111111"
	all := ask(29, auth) + ask(25, open) + ask(2, block) + ask(2, "\x6e\x09\x07\x01plan 9 ok")
	r := protocoltest.CheckCuts(t, Definition(), protocoltest.TCP(20000, "> "+all))
	if len(r.Objects) != 4 || r.Objects[2].Name != "abc" || !strings.HasSuffix(string(r.Objects[2].Data), "4111111111111111") || !r.Sink.Contains("plan 9 ok") {
		t.Errorf("%+v", r.Objects)
	}
	if s := show(r.Txs[0]); strings.Contains(s, "verysecret") || !strings.Contains(s, "password:***") {
		t.Errorf("shown: %s", s)
	}
	e := r.Txs[2].Event.Extra["dnp3"].(*eveDNP3)
	e.Mask(func([]byte) []byte { return []byte("+++") })
	if s := show(r.Txs[2]); strings.Contains(s, "4111") || !strings.Contains(s, "+++") {
		t.Errorf("not masked: %s", s)
	}
	b := []byte("headers" + all)
	HidePassword(b)
	var data []byte
	for _, c := range b {
		if c == '*' {
			data = append(data, c)
		}
	}
	if bytes.Contains(b, []byte("secret")) || len(data) != 27-keyAt || !bytes.Contains(b, []byte("abc")) || len(b) != len(all)+7 {
		t.Errorf("%d hidden: %q", len(data), b)
	}
	for n := range len(all) {
		HidePassword([]byte(all[:n])) // may end anywhere
	}
}

// TestStray holds that what is part of no message is looked through all the same.
func TestStray(t *testing.T) {
	f := func(name, sent string) {
		t.Helper()
		r := protocoltest.CheckCuts(t, Definition(), protocoltest.TCP(20000, "> "+ask(1, "")+sent))
		if !r.Sink.Contains("top secret") {
			t.Errorf("%s: %+v", name, r.Objects)
		}
	}
	wrong := []byte(frame(fromMaster, whole+"\xc3\x02top secret"))
	wrong[len(wrong)-1] ^= 1
	f("between frames", "top secret"+ask(2, ""))
	f("wrong sum", string(wrong))
	f("no data by its header", frame(bitPrimary|9, "top secret"))
	f("never finished", frame(fromMaster, "\x41\xc3\x02top secret"))
	f("given up", frame(fromMaster, "\x41\xc3\x02top secret")+ask(1, ""))
	f("without a beginning", frame(fromMaster, "\x02top secret"))
	f("unknown object", ask(2, "\xfa\x01\x07\x01top secret"))
	f("cut off", frame(fromMaster, whole+"\xc3\x02top secret and more")[:24])
}

// countingSink counts what it is given.
type countingSink struct {
	protocoltest.Sink
	calls int
}

func (s *countingSink) ObjectData(o *protocol.Object, b []byte) {
	s.calls++
	s.Sink.ObjectData(o, b)
}

// TestFalseStarts holds that bytes which look like the starts of frames, one after the
// other, are given on in few pieces.
func TestFalseStarts(t *testing.T) {
	sink := &countingSink{}
	env := &protocol.Env{Objects: sink, Limits: protocol.DefaultLimits()}
	p := Definition().New(env)
	bad := []byte(strings.Repeat("\x05\x64", 700))
	for range 10 {
		p.Parse(env, protocol.ToServer, bad)
	}
	p.End(env, protocol.ToServer)
	if err := sink.Check(); err != nil || sink.calls > 500 || len(sink.Objects) != 1 || len(sink.Objects[0].Data) != 14000 {
		t.Errorf("%v: %d pieces", err, sink.calls)
	}
}

// TestForeignDatagram holds that a frame does not make what follows it DNP3.
func TestForeignDatagram(t *testing.T) {
	const query = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01"
	d := protocoltest.Dialogue{UDP: true, DstPort: 53, Chunks: []protocoltest.Chunk{{Data: []byte(ask(1, ""))}, {Data: []byte(query)}}}
	if r := protocoltest.Run(Definition(), d); r.Status != protocol.Switch || r.SwitchTo != protocol.Unknown || r.Rest != query {
		t.Errorf("%v to %v", r.Status, r.SwitchTo)
	}
}

func TestProbe(t *testing.T) {
	f := func(b string, want protocol.Certainty) {
		t.Helper()
		if got := probe(0, []byte(b)); got != want {
			t.Errorf("%q: got %d, want %d", b, got, want)
		}
	}
	f(ask(1, ""), protocol.Certain)
	f(tell(""), protocol.Certain)
	f("\x05\x64\x05", protocol.Unsure)
	f("\x05\x64\x04\xc4", protocol.NotForUs)
	f("\x05\x64\x05\xcf", protocol.NotForUs)
	f("\x05\x00", protocol.NotForUs)
	f("GET", protocol.NotForUs)
	f("GET "+ask(1, ""), protocol.Certain)
	f("GET "+ask(1, "")[:9], protocol.NotForUs)
	f("GET \x05\x64\x05\xc4\x01\x00\x02\x00xx"+tell(""), protocol.Certain)
	f("GET \x05\x64\x05\xc4\x01\x00\x02\x00xx", protocol.NotForUs)
}

// TestCaptured follows real stations.
func TestCaptured(t *testing.T) {
	n, incomplete := 0, 0
	for _, d := range protocoltest.Dialogues(t, protocoltest.Shared(t, "suricata-verify", "tests", "dnp3", "dnp3-eve", "input.pcap")) {
		if len(d.Chunks) < 2 {
			continue
		}
		for _, tx := range protocoltest.CheckCuts(t, Definition(), d).Txs {
			n++
			if r, ok := tx.Event.Extra["dnp3"].(*eveDNP3); !ok || !r.Application.Complete || len(tx.Events) > 0 {
				incomplete++
			}
		}
	}
	if n != 72 || incomplete != 0 {
		t.Errorf("%d fragments, %d of them not read to the end", n, incomplete)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(ask(1, "\x3c\x02\x06")), []byte(tell("\x01\x02\x00\x03\x03\x81\x03\x01\x00\x00\x02\x1b")))
	f.Add([]byte(ask(25, "\x46\x03\x5b\x01\x1d\x00\x1a\x00\x03\x00\x00\x00\x00\x00\x00\x00\xff\x01\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x04\x07\x00abc")), []byte("\x05\x64\x04"))
	f.Add([]byte(frame(fromMaster, "\x41\xc3\x02aa")+frame(fromMaster, "\x82cc")), []byte(tell("\x78\x05\x5b\x01\x0c\x00\x01\x00\x00\x00\x02\x00\x01\x01\x01\x01\x00z")))
	f.Fuzz(func(t *testing.T, client, server []byte) {
		// Few inputs have the right sums: what is within a frame is tried as well.
		for _, d := range []protocoltest.Dialogue{
			{Chunks: []protocoltest.Chunk{{Data: client}, {Dir: 1, Data: server}}},
			{Chunks: []protocoltest.Chunk{{Data: []byte(ask(2, string(client[:min(len(client), 240)])))}, {Dir: 1, Data: []byte(tell(string(server[:min(len(server), 240)])))}}},
		} {
			var parts protocoltest.Dialogue
			for _, c := range d.Chunks {
				for k := range c.Data {
					parts.Chunks = append(parts.Chunks, protocoltest.Chunk{Dir: c.Dir, Data: c.Data[k : k+1]})
				}
			}
			want, got := protocoltest.Run(Definition(), d), protocoltest.Run(Definition(), parts)
			if diff := protocoltest.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
			if err := want.Sink.Check(); err != nil {
				t.Fatal(err)
			}
			for _, tx := range want.Txs {
				if _, err := json.Marshal(tx.Event.Extra); err != nil {
					t.Fatal(err)
				}
			}
		}
		HidePassword(client)
		probe(0, server)
	})
}
