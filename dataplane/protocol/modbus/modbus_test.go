package modbus

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// adu makes a message: its number, its unit, and function with what follows.
func adu(id uint16, unit byte, pdu string) string {
	b := make([]byte, 7)
	binary.BigEndian.PutUint16(b, id)
	binary.BigEndian.PutUint16(b[4:], uint16(1+len(pdu)))
	b[6] = unit
	return string(b) + pdu
}

func show(tx protocoltest.Tx) string {
	b, err := json.Marshal(tx.Event.Extra["modbus"])
	if err != nil {
		return err.Error()
	}
	s := strings.NewReplacer(`"`, "", "function_", "").Replace(string(b))
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
			for i, tx := range slices.DeleteFunc(slices.Clone(r.Txs), func(tx protocoltest.Tx) bool { return tx.Log == nil }) {
				if i >= len(want) {
					t.Errorf("one more: %s", show(tx))
					continue
				}
				for _, part := range strings.Split(want[i], " & ") {
					if got := show(tx); !strings.Contains(got, part) {
						t.Errorf("%d: %s\nhas no %s", i, got, part)
					}
				}
				if tx.Progress != [2]uint8{Done, Done} {
					t.Errorf("%d: progress %v", i, tx.Progress)
				}
			}
			if len(r.Txs) < len(want) {
				t.Errorf("%d transactions, want %d", len(r.Txs), len(want))
			}
		})
	}
	tcp := func(turns ...string) protocoltest.Dialogue { return protocoltest.TCP(502, turns...) }
	f("read", tcp("> "+adu(7, 1, "\x03\x00\x6b\x00\x03"), "< "+adu(7, 1, "\x03\x06abcdef")),
		"request:{transaction_id:7,protocol_id:0,unit_id:1,raw:3,code:RdHoldRegs,access_type:READ | HOLDING,category:PUBLIC_ASSIGNED,error_flags:NONE,read:{address:107,quantity:3}}"+
			" & response:{transaction_id:7 & read:{data:abcdef}}}")
	f("not text", tcp("> "+adu(7, 1, "\x04\x00\x00\x00\x01"), "< "+adu(7, 1, "\x04\x02\xffA")), `read:{data:\\xffA}`)
	f("writes", tcp("> "+adu(1, 2, "\x05\x00\xac\xff\x00")+adu(2, 2, "\x10\x00\x01\x00\x02\x04abcd")+adu(3, 2, "\x16\x00\x04\x00\xf2\x00\x25"),
		"< "+adu(2, 2, "\x10\x00\x01\x00\x02")+adu(1, 2, "\x05\x00\xac\xff\x00")+adu(3, 2, "\x16\x00\x04\x00\xf2\x00\x25")),
		"access_type:WRITE | COILS | SINGLE & write:{address:172,data:65280}", "write:{address:1,quantity:2,data:abcd} & write:{address:1,data:2}",
		"write:{address:4,and_mask:242,or_mask:37}")
	f("read and write", tcp("> "+adu(1, 2, "\x17\x00\x03\x00\x06\x00\x0e\x00\x01\x02zz"), "< "+adu(1, 2, "\x17\x0c000000000000")),
		"read:{address:3,quantity:6},write:{address:14,quantity:1,data:zz}} & read:{data:000000000000}}}")
	f("diagnosis", tcp("> "+adu(1, 9, "\x08\x00\x04\x00\x00")+adu(2, 9, "\x2b\x0e\x01\x00"), "< "+adu(2, 9, "\x2b\x0e\x01\x01\x00\x00\x00")),
		"diagnostic:{raw:4,code:ForceListenOnlyMode", "mei:{raw:14,code:RdDevId")
	f("exception", tcp("> "+adu(1, 1, "\x01\x00\x00\x00\x01"), "< "+adu(1, 1, "\x81\x02")), "raw:129,code:RdCoils & exception:{raw:2,code:IllegalDataAddr}")
	f("bad exception", tcp("> "+adu(1, 1, "\x01\x00\x00\x00\x01"), "< "+adu(1, 1, "\x81\x77")), "error_flags:EXC_CODE & [invalid_exception_code]")
	f("no request", tcp("< "+adu(1, 1, "\x01\x01\x00")), "{id:1,response: & [unsolicited_response]")
	f("values", tcp("> "+adu(1, 1, "\x01\x00\x00\x07\xd1")+adu(2, 1, "\x05\x00\x00\x01\x00")+adu(3, 1, "\x0f\x00\x00\x00\x09\x01\x00")+adu(4, 250, "\x07")),
		"[invalid_value]", "[invalid_value]", "DATA_VALUE & [invalid_value]", "[invalid_unit_identifier]")
	f("lengths", tcp("> "+adu(1, 1, "\x01\x00\x00\x00")+"\x00\x02\x00\x00\x00\x01\x01"+"\x00\x03\x00\x00\x01\x2c"+strings.Repeat("x", 300)+adu(4, 1, "\x07")),
		"[invalid_length]", "[invalid_length]", "[invalid_length]", "code:RdExcStatus & error_flags:NONE")
	f("protocol", tcp("> "+adu(1, 1, "\x07"), "> \x00\x02\x00\x01\x00\x02\x01\x07"), "NONE", "protocol_id:1 & PROTO_ID & [invalid_protocol_id]")
	f("functions", tcp("> "+adu(1, 1, "\x00")+adu(2, 1, "\x83x")+adu(3, 1, "\x42hello"), "< "+adu(3, 1, "\x42world")),
		"[invalid_function_code]", "[invalid_function_code]", "category:USER_DEFINED & data:hello & data:world")
	f("mismatch", tcp("> "+adu(1, 1, "\x03\x00\x00\x00\x02"), "< "+adu(1, 1, "\x03\x02ab"), "> "+adu(2, 1, "\x06\x00\x00\x00\x02"), "< "+adu(2, 1, "\x06\x00\x00\x00\x03"),
		"> "+adu(3, 1, "\x07"), "< "+adu(3, 2, "\x07x")), "[value_mismatch]", "[value_mismatch]", "[value_mismatch]")
	f("number again", tcp("> "+adu(1, 1, "\x07")+adu(1, 1, "\x0b"), "< "+adu(1, 1, "\x0b\xff\xff\x01\x08")), "RdExcStatus", "GetCommEventCtr & response")
	gap := tcp("> " + adu(1, 1, "\x03\x00\x00\x00\x02")[:9])
	gap.Chunks = append(gap.Chunks, protocoltest.Chunk{Gap: 30}, protocoltest.Chunk{Data: []byte("of another message")}, protocoltest.Chunk{Data: []byte(adu(9, 1, "\x07"))})
	r := protocoltest.Run(Definition(), gap)
	if len(r.Txs) != 2 || !strings.Contains(show(r.Txs[1]), "transaction_id:9") || !r.Sink.Contains("of another message") {
		t.Errorf("after a gap: %+v", r.Txs)
	}
}

// TestFields holds what rules are told of a request.
func TestFields(t *testing.T) {
	f := func(pdu, name string, want ...uint64) {
		t.Helper()
		r := protocoltest.Run(Definition(), protocoltest.TCP(502, "> "+adu(1, 17, pdu)))
		tx := r.Parser.Txs().Live[0].State.(*Transaction)
		var got []uint64
		for i := 0; ; i++ {
			v, ok := tx.Field(name, protocol.ToServer, i)
			if !ok {
				break
			}
			got = append(got, v)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%x %s: %v, want %v", pdu, name, got, want)
		}
		if _, ok := tx.Field(name, protocol.ToClient, 0); ok {
			t.Errorf("%s of a response", name)
		}
	}
	both := "\x17\x00\x03\x00\x06\x00\x0e\x00\x02\x04\x00\x07\x00\x08"
	f(both, "modbus.unit", 17)
	f(both, "modbus.function", 23)
	f(both, "modbus.category", uint64(PublicAssigned))
	f(both, "modbus.subfunction")
	f(both, "modbus.access", uint64(Read|Holding|Multiple), uint64(Write|Holding|Multiple))
	f(both, "modbus.first", 4, 15)
	f(both, "modbus.last", 9, 16)
	f(both, "modbus.item", 15, 16)
	f(both, "modbus.value", 7, 8)
	f("\x0f\x00\x10\x00\x0a\x02\xcd\x01", "modbus.value", 1, 0, 1, 1, 0, 0, 1, 1, 1, 0)
	f("\x0f\x00\x10\x00\x0a\x02\xcd\x01", "modbus.table", slicesOf(uint64(Write|Coils|Multiple), 10)...)
	f("\x05\x00\x10\xff\x00", "modbus.value", 0xff00)
	f("\x08\x00\x04\x00\x00", "modbus.subfunction", 4)
	f("\x15\x07\x06\x00\x04\x00\x07\x00\x01", "modbus.first", 0)
}

func slicesOf(v uint64, n int) (out []uint64) {
	for range n {
		out = append(out, v)
	}
	return out
}

// TestFlood holds that requests without answers are bounded, and told of.
func TestFlood(t *testing.T) {
	var all strings.Builder
	for i := range 12 {
		all.WriteString(adu(uint16(i), 1, "\x07"))
	}
	d := protocoltest.TCP(502, "> "+all.String())
	d.Limits = protocol.DefaultLimits()
	d.Limits.TxOf[protocol.Modbus] = 10
	r := protocoltest.CheckCuts(t, Definition(), d)
	for i, tx := range r.Txs {
		if (len(tx.Events) > 0) != (i >= 10) {
			t.Errorf("%d: %v", i, tx.Events)
		}
	}
	if n := r.Parser.(*Parser).wait.Len(); n != 10 {
		t.Errorf("%d wait", n)
	}
}

// TestObjects holds that what is written and read is looked through.
func TestObjects(t *testing.T) {
	r := protocoltest.Run(Definition(), protocoltest.TCP(502, "> "+adu(1, 1, "\x10\x00\x31\x00\x08\x104111111111111111"), "< "+adu(1, 1, "\x10\x00\x31\x00\x08"),
		"> "+adu(2, 1, "\x14\x07\x06\x00\x04\x00\x01\x00\x02"), "< "+adu(2, 1, "\x14\x0c\x05\x06top secret")))
	if len(r.Objects) != 2 || r.Objects[0].Name != "WrMultRegs 50" || string(r.Objects[0].Data) != "4111111111111111" || !r.Sink.Contains("top secret") {
		t.Errorf("%+v", r.Objects)
	}
	e := r.Txs[0].Event.Extra["modbus"].(eveModbus)
	e.Mask(func([]byte) []byte { return []byte("+++") })
	if b, _ := json.Marshal(e); bytes.Contains(b, []byte("4111")) {
		t.Errorf("not masked: %s", b)
	}
}

// TestStray holds that what is part of no message is looked through all the same.
func TestStray(t *testing.T) {
	for _, sent := range []string{"\x00\x02\x00\x00\x01\x2ctop secret" + strings.Repeat("x", 290), adu(2, 1, "\x42top secret"), "\x00\x02\x00\x00\x00\x50\x01\x10top secret"} {
		r := protocoltest.CheckCuts(t, Definition(), protocoltest.TCP(502, "> "+adu(1, 1, "\x07")+sent))
		if !r.Sink.Contains("top secret") {
			t.Errorf("%q: %+v", sent, r.Objects)
		}
	}
	d := protocoltest.TCP(502, "> "+adu(1, 1, "\x07")+adu(2, 1, "\x10top secret and more")[:20])
	d.Chunks = append(d.Chunks, protocoltest.Chunk{Gap: 1})
	if r := protocoltest.Run(Definition(), d); !r.Sink.Contains("top secret") {
		t.Errorf("before a hole: %+v", r.Objects)
	}
}

// TestTooLong holds that what is more than a function asks for is looked through.
func TestTooLong(t *testing.T) {
	for _, pdu := range []string{"\x01\x00\x00\x00\x01", "\x06\x00\x00\x00\x01", "\x07", "\x0b", "\x18\x00\x01"} {
		if r := protocoltest.Run(Definition(), protocoltest.TCP(502, "> "+adu(1, 1, pdu+"top secret"))); !r.Sink.Contains("top secret") {
			t.Errorf("behind the request %q", pdu)
		}
	}
	for _, pdu := range []string{"\x81\x02", "\x0f\x00\x00\x00\x01", "\x05\x00\x00\xff\x00"} {
		if r := protocoltest.Run(Definition(), protocoltest.TCP(502, "< "+adu(1, 1, pdu+"top secret"))); !r.Sink.Contains("top secret") {
			t.Errorf("behind the response %q", pdu)
		}
	}
}

func TestProbe(t *testing.T) {
	f := func(dir protocol.Dir, b string, want protocol.Certainty) {
		t.Helper()
		if got := probe(dir, []byte(b)); got != want {
			t.Errorf("%q: got %d, want %d", b, got, want)
		}
	}
	read := adu(1, 1, "\x03\x00\x00\x00\x02")
	f(0, read, protocol.Certain)
	f(0, read+read, protocol.Certain)
	f(0, read[:7], protocol.Unsure)
	f(0, "", protocol.Unsure)
	f(1, adu(1, 1, "\x03\x04abcd"), protocol.Certain)
	f(1, adu(1, 1, "\x83\x02"), protocol.Certain)
	f(0, adu(1, 1, "\x83\x02"), protocol.NotForUs)
	f(0, adu(1, 1, "\x03\x04abcd"), protocol.NotForUs)
	f(0, adu(1, 1, "\x42hello"), protocol.Certain)
	f(0, adu(1, 1, "\x42hello")+"\x00", protocol.Unsure)
	f(0, read+"GET / HTTP", protocol.NotForUs)
	f(0, read+read[:5], protocol.Certain)
	f(0, adu(1, 1, "\x00"), protocol.Certain)
	f(0, adu(1, 1, "\x03\x00")+read, protocol.Certain)
	f(0, adu(1, 1, "\x03\x00")+read+"x", protocol.NotForUs)
	f(1, adu(1, 1, "\x80\x01"), protocol.Certain)
	f(0, "\x30\x84\x00\x00\x00\x05\x02\x01\x03\x42\x00", protocol.NotForUs)
	f(1, "\x30\x84\x00\x00\x00\x10\x02\x01\x01a\x84\x00\x00\x00\x07\x0a\x01\x00\x04\x00\x04\x00", protocol.NotForUs)
	f(0, adu(0x3084, 1, "\x03\x00\x00\x00\x02"), protocol.Certain)
	f(0, "GET / HTTP/1.1\r\n", protocol.NotForUs)
	f(0, "\x00\x01\x00\x00\x00\x01\x01", protocol.NotForUs)
	f(0, strings.Repeat("\x00", 64), protocol.NotForUs)
}

// TestOthers holds that no conversation of another protocol is taken for Modbus.
func TestOthers(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(protocoltest.Shared(t, "pcaps"), "*.pcap"))
	if err != nil || len(files) < 10 {
		t.Fatalf("%d captures: %v", len(files), err)
	}
	for _, file := range files {
		for _, d := range protocoltest.DialoguesOrNone(file) {
			var seen [2]bool
			for _, c := range d.Chunks {
				if !d.UDP && !seen[c.Dir] && len(c.Data) > 0 && probe(c.Dir, c.Data) == protocol.Certain {
					t.Errorf("%s port %d: %q", filepath.Base(file), d.DstPort, c.Data[:min(len(c.Data), 32)])
				}
				seen[c.Dir] = seen[c.Dir] || len(c.Data) > 0
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(adu(1, 1, "\x03\x00\x00\x00\x02")), []byte(adu(1, 1, "\x03\x04abcd")))
	f.Add([]byte(adu(1, 1, "\x10\x00\x01\x00\x02\x04abcd")+adu(2, 1, "\x0f\x00\x00\x00\x09\x02\x00\x01")), []byte(adu(1, 1, "\x90\x01")))
	f.Add([]byte(adu(1, 1, "\x17\x00\x03\x00\x06\x00\x0e\x00\x01\x02zz")+adu(3, 1, "\x08\x00\x00ab")+adu(4, 1, "\x2b\x0e\x01\x00")), []byte("\x00\x02\x00\x00\xff\xff"))
	f.Fuzz(func(t *testing.T, client, server []byte) {
		one := protocoltest.Dialogue{Chunks: []protocoltest.Chunk{{Data: client}, {Dir: 1, Data: server}}}
		var parts protocoltest.Dialogue
		for _, c := range one.Chunks {
			for k := range c.Data {
				parts.Chunks = append(parts.Chunks, protocoltest.Chunk{Dir: c.Dir, Data: c.Data[k : k+1]})
			}
		}
		want, got := protocoltest.Run(Definition(), one), protocoltest.Run(Definition(), parts)
		if diff := protocoltest.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		if err := want.Sink.Check(); err != nil {
			t.Fatal(err)
		}
		for _, tx := range want.Parser.Txs().Live {
			if tx.State == nil {
				continue
			}
			for _, name := range []string{"modbus.value", "modbus.item", "modbus.last", "modbus.access"} {
				for i := 0; i < 5000; i++ {
					if _, ok := tx.State.(*Transaction).Field(name, 0, i); !ok {
						break
					}
				}
			}
		}
		probe(0, client)
		probe(1, server)
	})
}
