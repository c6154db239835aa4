package websocket

import (
	"bytes"
	"compress/flate"
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

// frame makes a frame, masked where key is not 0.
func frame(first byte, key uint32, payload string) string {
	b := []byte{first}
	mask := byte(0)
	if key != 0 {
		mask = 0x80
	}
	switch n := len(payload); {
	case n < 126:
		b = append(b, mask|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, mask|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, mask|127), uint64(n))
	}
	if key == 0 {
		return string(b) + payload
	}
	b = binary.BigEndian.AppendUint32(b, key)
	k := b[len(b)-4:]
	out := []byte(payload)
	for i := range out {
		out[i] ^= k[i%4]
	}
	return string(b) + string(out)
}

// deflated gives messages as one end compresses them, each with what came before.
func deflated(t testing.TB, messages ...string) []string {
	t.Helper()
	var out []string
	var buf bytes.Buffer
	w, err := flate.NewWriter(&buf, 9)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		buf.Reset()
		if _, err := w.Write([]byte(m)); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		out = append(out, strings.TrimSuffix(buf.String(), string([]byte{0, 0, 0xff, 0xff})))
	}
	return out
}

func c(s string) string { return "> " + s }
func s(s string) string { return "< " + s }

func TestMessages(t *testing.T) {
	f := func(name string, d protocoltest.Dialogue, records, payloads, objects []string, events ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			r := protocoltest.CheckCuts(t, Definition(), d)
			var recs, pays, objs, evs []string
			for _, tx := range r.Txs {
				b, err := json.Marshal(tx.Event.Extra["websocket"])
				if err != nil {
					t.Fatal(err)
				}
				recs = append(recs, string(b))
				for _, dir := range []string{"to_server", "to_client"} {
					pays = append(pays, tx.Buffers[dir+" websocket.payload"]...)
				}
				evs = append(evs, tx.Events...)
			}
			for _, o := range r.Objects {
				objs = append(objs, fmt.Sprintf("%s %s %s %s", o.Dir, o.State, o.Unscannable, o.Data))
			}
			for _, x := range [][2][]string{{records, recs}, {payloads, pays}, {objects, objs}, {events, evs}} {
				if diff := cmp.Diff(x[0], x[1], cmpopts.EquateEmpty()); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
	tcp := func(turns ...string) protocoltest.Dialogue { return protocoltest.TCP(80, turns...) }
	f("both ways", tcp(c(frame(0x81, 0x01020304, "hello")), s(frame(0x82, 0, "\x00\x01")), s(frame(0x88, 0, "")), c(frame(0x8a, 0, ""))),
		[]string{`{"fin":true,"mask":16909060,"opcode":"text"}`, `{"fin":true,"opcode":"binary"}`, `{"fin":true,"opcode":"connection_close"}`, `{"fin":true,"opcode":"pong"}`},
		[]string{"hello", "\x00\x01"}, []string{"to_server CLOSED  hello", "to_client CLOSED  \x00\x01"})
	f("fragments with a ping between", tcp(c(frame(0x01, 7, "one ")), c(frame(0x00, 9, "two ")), c(frame(0x89, 8, "are you there")), c(frame(0x80, 6, "three"))),
		[]string{`{"fin":false,"mask":7,"opcode":"text"}`, `{"fin":false,"mask":9,"opcode":"continuation"}`, `{"fin":true,"mask":8,"opcode":"ping"}`,
			`{"fin":true,"mask":6,"opcode":"continuation"}`},
		[]string{"one ", "two ", "are you there", "one two three"}, []string{"to_server CLOSED  one two three", "to_server CLOSED  are you there"})
	long := strings.Repeat("0123456789", 7000)
	f("longer than rules see", tcp(c(frame(0x81, 3, long))), []string{`{"fin":true,"mask":3,"opcode":"text"}`}, []string{long[:defaultPayload]},
		[]string{"to_server CLOSED  " + long}, eventSkipped, eventLimit)
	short := tcp(s(frame(0x01, 0, "abcd")), s(frame(0x80, 0, "efgh")))
	short.Limits = protocol.DefaultLimits()
	short.Limits.WebSocket = protocol.WebSocketLimits{MaxPayload: 6, Base64: true, Printable: true}
	f("shown, and longer together", short, []string{`{"fin":false,"opcode":"text","payload_base64":"YWJjZA==","payload_printable":"abcd"}`,
		`{"fin":true,"opcode":"continuation","payload_base64":"YWJjZGVm","payload_printable":"abcdef"}`}, []string{"abcd", "abcdef"}, []string{"to_client CLOSED  abcdefgh"}, eventLimit)
	text := "the same words again and again, "
	z := deflated(t, text+text, text, "bye")
	f("compressed", tcp(s(frame(0xc1, 0, z[0])), s(frame(0x41, 0, z[1][:1])), s(frame(0x80, 0, z[1][1:])), s(frame(0xc1, 0, z[2]))),
		[]string{`{"fin":true,"opcode":"text"}`, `{"fin":false,"opcode":"text"}`, `{"fin":true,"opcode":"continuation"}`, `{"fin":true,"opcode":"text"}`},
		[]string{text + text, text, "bye"}, []string{"to_client CLOSED  " + text + text, "to_client CLOSED  " + text, "to_client CLOSED  bye"})
	bomb := tcp(c(frame(0xc2, 5, deflated(t, strings.Repeat("\x00", 1<<20))[0])), c(frame(0x81, 5, "after")))
	bomb.Limits = protocol.DefaultLimits()
	bomb.Limits.MaxRatio = 10
	r := protocoltest.Run(Definition(), bomb)
	if len(r.Objects) != 2 || r.Objects[0].Unscannable != "ratio" || len(r.Objects[0].Data) > 1<<18 || string(r.Objects[1].Data) != "after" {
		t.Errorf("a bomb: %d objects, the first with %d bytes, %q", len(r.Objects), len(r.Objects[0].Data), r.Objects[0].Unscannable)
	}
	f("no deflate at all", tcp(c(frame(0xc1, 0, "\xff\xff\xff")), c(frame(0x81, 0, "x"))), []string{`{"fin":true,"opcode":"text"}`, `{"fin":true,"opcode":"text"}`},
		[]string{"x"}, []string{"to_server TRUNCATED encoding ", "to_server CLOSED  x"})
	f("a message that never ends", tcp(c(frame(0x01, 0, "begun")), c(frame(0x81, 0, "another"))), []string{`{"fin":false,"opcode":"text"}`, `{"fin":true,"opcode":"text"}`},
		[]string{"begun", "another"}, []string{"to_server TRUNCATED  begun", "to_server CLOSED  another"})
	hole := tcp(c(frame(0x81, 0x11223344, "0123456789")[:10]))
	hole.Chunks = append(hole.Chunks, protocoltest.Chunk{Gap: 2}, protocoltest.Chunk{Data: []byte(frame(0x81, 0x11223344, "0123456789")[12:] + frame(0x81, 0, "next"))})
	f("a hole in a message", hole, []string{`{"fin":true,"mask":287454020,"opcode":"text"}`, `{"fin":true,"opcode":"text"}`}, []string{"01236789", "next"},
		[]string{"to_server TRUNCATED  01236789", "to_server CLOSED  next"})
	f("a length beyond all", tcp(c("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff")), nil, nil, nil)
}

// TestHint holds that messages are told of by what was asked for.
func TestHint(t *testing.T) {
	sink := &protocoltest.Sink{}
	env := protocoltest.NewEnv(protocoltest.TCP(80), sink)
	p := Definition().New(env).(*Parser)
	p.Hint(protocol.Upgrade{Host: "chat.example", Path: "/room"})
	p.Parse(env, protocol.ToServer, []byte(frame(0x81, 1, "x")))
	if len(sink.Objects) != 1 || sink.Objects[0].Name != "/room" || p.Domain() != "chat.example" {
		t.Errorf("%+v of %q", sink.Objects, p.Domain())
	}
	if reply, ok := p.Refusal(); !ok || string(reply) != "\x88\x02\x03\xf0" {
		t.Errorf("refusal %q %v", reply, ok)
	}
	p.Parse(env, protocol.ToClient, []byte{0x81})
	if _, ok := p.Refusal(); ok {
		t.Error("a refusal within the server's frame")
	}
}

// TestBounded holds that frames in one packet do not pile up, and that reading does
// not allocate by the byte.
func TestBounded(t *testing.T) {
	d := protocoltest.TCP(80, c(strings.Repeat(frame(0x89, 0, "p"), 3000)))
	d.Limits = protocol.DefaultLimits()
	d.Limits.MaxTx = 4
	for _, tx := range protocoltest.Run(Definition(), d).Txs {
		if tx.Progress != [2]uint8{Done, Done} {
			t.Fatal("a transaction is left open")
		}
	}
	env := protocoltest.NewEnv(protocoltest.TCP(80), nil)
	env.Objects = nothing{}
	p := Definition().New(env).(*Parser)
	p.Parse(env, protocol.ToServer, []byte("\x82\xff\x00\x00\x00\x00\x40\x00\x00\x00abcd"))
	chunk := make([]byte, 1400)
	p.Parse(env, protocol.ToServer, make([]byte, 1<<17))
	if n := testing.AllocsPerRun(100, func() { p.Parse(env, protocol.ToServer, chunk) }); n > 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

type nothing struct{}

func (nothing) OpenObject(*protocol.Object)                        {}
func (nothing) ObjectData(*protocol.Object, []byte)                {}
func (nothing) ObjectGap(*protocol.Object, uint64)                 {}
func (nothing) CloseObject(*protocol.Object, protocol.ObjectState) {}

func FuzzWebSocket(f *testing.F) {
	z := deflated(f, "some words", "some words more")
	f.Add([]byte(frame(0x81, 5, "hello")), []byte(frame(0xc1, 0, z[0])+frame(0xc1, 0, z[1])), []byte(frame(0x01, 1, "a")+frame(0x80, 2, "b")))
	f.Add([]byte(frame(0x88, 5, "\x03\xe8")), []byte("\x81\x7e\x01"), []byte("\x81\x7f\xff"))
	f.Fuzz(func(t *testing.T, a, b, more []byte) {
		d := protocoltest.Dialogue{Chunks: []protocoltest.Chunk{{Data: a}, {Dir: 1, Data: b}, {Data: more}, {Gap: 3}, {Data: a}, {Dir: 1, Gap: 1}, {Dir: 1, Data: b}}}
		r := protocoltest.Run(Definition(), d)
		if err := r.Sink.Check(); err != nil {
			t.Fatal(err)
		}
		for _, tx := range r.Parser.Txs().Live {
			fr := tx.State.(*Frame)
			for _, name := range []string{"websocket.opcode", "websocket.mask", "websocket.flags"} {
				fr.Field(name, fr.Dir, 0)
			}
		}
	})
}
