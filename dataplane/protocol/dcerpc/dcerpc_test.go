package dcerpc

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

var be, le = binary.BigEndian, binary.LittleEndian

// fragment makes a PDU; little is its byte order.
func fragment(little bool, typ, flags byte, call uint32, body string) string {
	b := make([]byte, headerLen)
	copy(b, []byte{5, 0, typ, flags})
	var o binary.ByteOrder = be
	if little {
		o, b[4] = le, 0x10
	}
	o.PutUint16(b[8:], uint16(headerLen+len(body)))
	o.PutUint32(b[12:], call)
	return string(b) + body
}

const whole = flagFirst | flagLast

func request(call uint32, flags byte, context, opnum uint16, stub string) string {
	b := make([]byte, 8)
	le.PutUint16(b[4:], context)
	le.PutUint16(b[6:], opnum)
	return fragment(true, typeRequest, flags, call, string(b)+stub)
}

func response(call uint32, flags byte, stub string) string {
	return fragment(true, typeResponse, flags, call, "\x00\x00\x00\x00\x00\x00\x00\x00"+stub)
}

// binding offers interfaces whose UUIDs begin with the context's number.
func binding(little bool, typ byte, call uint32, contexts ...byte) string {
	b := append(make([]byte, 8), byte(len(contexts)), 0, 0, 0)
	for _, c := range contexts {
		i := make([]byte, 44)
		if little {
			i[0], i[4] = c, c
			i[20] = 2
		} else {
			i[1], i[7] = c, c
			i[21] = 2
		}
		i[2] = 1
		b = append(b, i...)
	}
	return fragment(little, typ, whole, call, string(b))
}

func results(typ byte, call uint32, list ...byte) string {
	// An address of five bytes with its length, padded to four.
	b := append(make([]byte, 8), 5, 0, '1', '3', '5', 0, 0, 0)
	b = append(b, byte(len(list)), 0, 0, 0)
	for _, r := range list {
		b = append(b, append([]byte{r, 0}, make([]byte, 22)...)...)
	}
	return fragment(true, typ, whole, call, string(b))
}

func TestDialogues(t *testing.T) {
	f := func(name string, d protocoltest.Dialogue, want ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			r := protocoltest.CheckCuts(t, Definition(), d)
			var got []string
			for _, tx := range r.Txs {
				b, err := json.Marshal(tx.Event.Extra["dcerpc"])
				if err != nil {
					t.Fatal(err)
				}
				s := string(b)
				for _, k := range []string{"to_server dcerpc.stub_data", "to_client dcerpc.stub_data"} {
					if v := tx.Buffers[k]; v != nil {
						s += fmt.Sprintf(" %q", v[0])
					}
				}
				for _, v := range tx.Buffers["to_client dcerpc.iface"] {
					s += fmt.Sprintf(" iface %x", v)
				}
				if tx.Progress != [2]uint8{Done, Done} {
					s += fmt.Sprint(" progress ", tx.Progress)
				}
				got = append(got, s)
			}
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
	const iface7 = `[{"uuid":"00000007-0000-0000-0000-000000000000","version":"2.0"}]`
	f("call", protocoltest.TCP(135, "> "+binding(true, typeBind, 1, 7, 8), "< "+results(typeBindAck, 1, 0, 2), "> "+request(2, whole, 7, 5, "ask"), "< "+response(2, whole, "told")),
		`{"request":"BIND","response":"BINDACK","interfaces":[{"uuid":"00000007-0000-0000-0000-000000000000","version":"2.0","ack_result":0,"ack_reason":0},{"uuid":"00000008-0000-0000-0000-000000000000","version":"2.0","ack_result":2,"ack_reason":0}],"call_id":1,"rpc_version":"5.0"}`,
		`{"request":"REQUEST","req":{"opnum":5,"frag_cnt":1,"stub_data_size":3},"response":"RESPONSE","res":{"frag_cnt":1,"stub_data_size":12},"interfaces":`+iface7+`,"call_id":2,"rpc_version":"5.0"} "ask" "\x00\x00\x00\x00\x00\x00\x00\x00told" iface 000000070000000000000000000000000002`)
	f("refused interface", protocoltest.TCP(135, "> "+binding(true, typeBind, 1, 8), "< "+results(typeBindAck, 1, 2), "> "+request(2, whole, 8, 5, "ask")),
		`{"request":"BIND","response":"BINDACK","interfaces":[{"uuid":"00000008-0000-0000-0000-000000000000","version":"2.0","ack_result":2,"ack_reason":0}],"call_id":1,"rpc_version":"5.0"}`,
		`{"request":"REQUEST","req":{"opnum":5,"frag_cnt":1,"stub_data_size":3},"response":"RESPONSE_LOST","call_id":2,"rpc_version":"5.0"} "ask"`)
	f("fragments", protocoltest.TCP(135, "> "+request(3, flagFirst, 0, 1, "ab")+request(3, 0, 0, 1, "cd")+request(3, flagLast, 0, 1, "e"),
		"< "+response(3, flagFirst, "")+response(3, flagLast, "")),
		`{"request":"REQUEST","req":{"opnum":1,"frag_cnt":3,"stub_data_size":5},"response":"RESPONSE","res":{"frag_cnt":2,"stub_data_size":16},"call_id":3,"rpc_version":"5.0"} "abcde" "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"`)
	f("big-endian", protocoltest.TCP(135, "> "+binding(false, typeAlter, 9, 7), "< "+fragment(false, typeFault, whole, 9, "")),
		`{"request":"ALTER_CONTEXT","response":"FAULT","interfaces":[{"uuid":"00000007-0000-0000-0000-000000000000","version":"2.0"}],"call_id":9,"rpc_version":"5.0"}`)
	f("request not seen", protocoltest.TCP(135, "< "+response(4, whole, "x")),
		`{"request":"REQUEST_LOST","response":"RESPONSE","res":{"frag_cnt":1,"stub_data_size":9},"call_id":4,"rpc_version":"5.0"} "\x00\x00\x00\x00\x00\x00\x00\x00x"`)
	f("out of order", protocoltest.TCP(135, "> "+request(1, whole, 0, 1, "a")+request(2, whole, 0, 2, "b"), "< "+response(2, whole, "")+response(1, whole, "")),
		`{"request":"REQUEST","req":{"opnum":1,"frag_cnt":1,"stub_data_size":1},"response":"RESPONSE","res":{"frag_cnt":1,"stub_data_size":8},"call_id":1,"rpc_version":"5.0"} "a" "\x00\x00\x00\x00\x00\x00\x00\x00"`,
		`{"request":"REQUEST","req":{"opnum":2,"frag_cnt":1,"stub_data_size":1},"response":"RESPONSE","res":{"frag_cnt":1,"stub_data_size":8},"call_id":2,"rpc_version":"5.0"} "b" "\x00\x00\x00\x00\x00\x00\x00\x00"`)
	gap := protocoltest.TCP(135, "> "+request(1, whole, 0, 1, "a"))
	gap.Chunks = append(gap.Chunks, protocoltest.Chunk{Gap: 40}, protocoltest.Chunk{Data: []byte(request(3, whole, 0, 3, "c"))})
	f("gap", gap,
		`{"request":"REQUEST","req":{"opnum":1,"frag_cnt":1,"stub_data_size":1},"response":"RESPONSE_LOST","call_id":1,"rpc_version":"5.0"} "a"`,
		`{"request":"REQUEST","req":{"opnum":3,"frag_cnt":1,"stub_data_size":1},"response":"RESPONSE_LOST","call_id":3,"rpc_version":"5.0"} "c"`)

	udp := func(typ byte, seq uint32, stub string) protocoltest.Chunk {
		b := make([]byte, datagramLen)
		b[0], b[1], b[4], b[24], b[40] = 4, typ, 0x10, 7, 9
		le.PutUint32(b[60:], 2)
		le.PutUint32(b[64:], seq)
		le.PutUint16(b[68:], 3)
		le.PutUint16(b[74:], uint16(len(stub)))
		return protocoltest.Chunk{Dir: protocol.Dir(typ >> 1), Data: append(b, stub...)}
	}
	f("datagrams", protocoltest.Dialogue{UDP: true, DstPort: 135, Chunks: []protocoltest.Chunk{udp(0, 1, "ask"), udp(2, 1, "told")}},
		`{"request":"REQUEST","req":{"opnum":3,"frag_cnt":1,"stub_data_size":3},"response":"RESPONSE","res":{"frag_cnt":1,"stub_data_size":4},"activityuuid":"00000009-0000-0000-0000-000000000000","seqnum":1,"rpc_version":"4.0"} "ask" "told" iface 000000070000000000000000000000000002`)
}

func TestBounds(t *testing.T) {
	var all strings.Builder
	for i := range 40 {
		flags := byte(0)
		if i == 0 {
			flags = flagFirst
		}
		all.WriteString(request(1, flags, 0, 1, strings.Repeat("x", 5000)))
	}
	for i := range maxOpen + 10 {
		all.WriteString(request(uint32(100+i), whole, 0, 1, ""))
	}
	r := protocoltest.Run(Definition(), protocoltest.TCP(135, "> "+all.String()))
	c := r.Parser.Txs().Live[0].State.(*Call)
	if len(c.Stub[0]) != maxStub || c.Size[0] != 200_000 {
		t.Errorf("%d bytes kept of %d", len(c.Stub[0]), c.Size[0])
	}
	if n := len(r.Txs); n != maxOpen+11 {
		t.Errorf("%d transactions", n)
	}
}

func TestProbe(t *testing.T) {
	f := func(s string, want protocol.Certainty) {
		t.Helper()
		if got := probe(protocol.ToServer, []byte(s)); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	}
	f(binding(true, typeBind, 1, 1), protocol.Certain)
	f(binding(false, typeBind, 1, 1), protocol.Certain)
	f("\x05\x00", protocol.Unsure)
	f("\x05\x02\x00\x01", protocol.NotForUs)                                                 // SOCKS
	f("\x05\x00\x0b\x03\x10\x00\x00\x00\x05\x00\x00\x00\x01\x00\x00\x00", protocol.NotForUs) // too short
	f("GET / HTTP/1.1\r\n", protocol.NotForUs)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(binding(true, typeBind, 1, 7)+request(2, whole, 7, 1, "abc")), []byte(results(typeBindAck, 1, 0)+response(2, whole, "x")))
	f.Add([]byte(request(2, flagFirst, 7, 1, "abc")+request(2, flagLast, 7, 1, "")), []byte(fragment(false, typeFault, whole, 2, "")))
	f.Add([]byte("\x04\x00\x00\x00\x10"+strings.Repeat("\x00", 75)), []byte{})
	f.Fuzz(func(t *testing.T, client, server []byte) {
		var parts protocoltest.Dialogue
		one := protocoltest.Dialogue{Chunks: []protocoltest.Chunk{{Data: client}, {Dir: protocol.ToClient, Data: server}}}
		for _, c := range one.Chunks {
			for k := range c.Data {
				parts.Chunks = append(parts.Chunks, protocoltest.Chunk{Dir: c.Dir, Data: c.Data[k : k+1]})
			}
		}
		want, got := protocoltest.Run(Definition(), one), protocoltest.Run(Definition(), parts)
		if want.Status == protocol.Continue {
			if diff := protocoltest.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
		}
		one.UDP = true
		protocoltest.Run(Definition(), one)
		probe(0, client)
	})
}
