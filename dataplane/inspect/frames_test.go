package inspect_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/inspect"
	"sluice/dataplane/protocol"
	"sluice/internal/app"
	"sluice/signatures"
)

// discard takes what is found in traffic and forgets it.
type discard struct{}

func (discard) OpenObject(*protocol.Object)                        {}
func (discard) ObjectData(*protocol.Object, []byte)                {}
func (discard) ObjectGap(*protocol.Object, uint64)                 {}
func (discard) CloseObject(*protocol.Object, protocol.ObjectState) {}

// framing gives the inspection of an MQTT flow by rules on its frames.
func framing(tb testing.TB, rules string) (*inspect.Stream, *protocol.FrameSink, *flow.Flow, *inspect.Inspector) {
	tb.Helper()
	reg, err := app.Registry()
	if err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(tb.TempDir(), "t.rules")
	if err := os.WriteFile(path, []byte(rules), 0o600); err != nil {
		tb.Fatal(err)
	}
	rs, rep := signatures.Load([]string{path}, signatures.Config{Registry: reg})
	if len(rep.Errors) > 0 {
		tb.Fatal(rep.Errors)
	}
	e, err := rs.Compile()
	if err != nil {
		tb.Fatal(err)
	}
	set, err := inspect.NewSet(e, nil, "")
	if err != nil {
		tb.Fatal(err)
	}
	in, err := inspect.NewInspector(set)
	if err != nil {
		tb.Fatal(err)
	}
	sink := &protocol.FrameSink{Wanted: in.WantFrames(reg, nil)}
	f := &flow.Flow{Proto: decode.ProtoTCP, IPVersion: 4, ClientPort: 40000, ServerPort: 1883, State: flow.StateEstablished}
	env := &protocol.Env{Objects: discard{}, Limits: protocol.DefaultLimits(), Frames: sink, SrcPort: 40000, DstPort: 1883}
	s := in.Stream(f)
	const connect = "\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02me"
	f.App.Data(reg, env, protocol.ToServer, []byte(connect))
	if f.App.Proto() != protocol.MQTT {
		tb.Fatalf("the flow speaks %s", f.App.Proto())
	}
	s.Data(&decode.Packet{}, protocol.ToServer, 0, []byte(connect))
	s.Frames(&decode.Packet{}, sink)
	return s, sink, f, in
}

const frameRules = `alert mqtt any any -> any any (frame:pdu; content:"nothing like it"; sid:1;)
alert mqtt any any -> any any (frame:header; content:"|c0 00|"; content:"nothing"; sid:2;)
`

// TestFramesAllocate holds that frames that match nothing cost no memory, whole
// or in pieces.
func TestFramesAllocate(t *testing.T) {
	s, sink, _, _ := framing(t, frameRules)
	p := &decode.Packet{}
	data := []byte("\xc0\x00" + strings.Repeat("x", 600))
	off := uint64(16)
	turn := func() {
		for at := 0; at+2 <= 100; at += 2 {
			sink.List = append(sink.List, protocol.Frame{App: protocol.MQTT, Start: off + uint64(at), Len: 2}, protocol.Frame{App: protocol.MQTT, Type: 1, Start: off + uint64(at), Len: 2})
		}
		// One that goes on in the next piece.
		sink.List = append(sink.List, protocol.Frame{App: protocol.MQTT, Start: off + 100, Len: int64(len(data))})
		s.Data(p, protocol.ToServer, off, data)
		s.Frames(p, sink)
		off += uint64(len(data))
	}
	for range 400 { // past what the window takes to grow
		turn()
	}
	if n := testing.AllocsPerRun(100, turn); n != 0 {
		t.Errorf("%v allocations a piece", n)
	}
}

// TestFramesBound counts the frames for which there is no room.
func TestFramesBound(t *testing.T) {
	s, sink, _, in := framing(t, frameRules)
	for i := range 100 {
		sink.List = append(sink.List, protocol.Frame{App: protocol.MQTT, Start: 16 + uint64(i), Len: 1000})
	}
	s.Data(&decode.Packet{}, protocol.ToServer, 16, []byte("x"))
	s.Frames(&decode.Packet{}, sink)
	if sink.Lost != 84 {
		t.Errorf("%d frames are lost, not 84", sink.Lost)
	}
	if in.Counters.Frames != 2 {
		t.Errorf("%d frames were judged, not the 2 of the beginning", in.Counters.Frames)
	}
	// What is there of the others is judged at the end.
	s.EndFrames(&decode.Packet{}, protocol.ToServer, sink)
	if in.Counters.Frames != 2+2 {
		t.Errorf("%d frames were judged, not 4: the others had not begun", in.Counters.Frames)
	}
	s.Close()
	if !in.Idle() {
		t.Error("the inspector is not idle")
	}
}

// FuzzFrames announces frames wherever, in bytes that are cut and have holes
// wherever: each is judged at most once to its end, and nothing is kept.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{0, 40, 1, 0, 20, 3, 10, 0, 9, 2, 5, 5, 0, 200})
	f.Add([]byte{1, 200, 255, 0, 10, 3, 250, 2, 0, 0, 0, 255, 3, 1, 0, 90})
	s, sink, _, in := framing(f, frameRules+`alert mqtt any any -> any any (frame:mqtt.stream; content:"|c0 00|"; sid:3;)
alert mqtt any any -> any any (frame:mqtt.data; content:!"|c0|"; sid:4;)
`)
	payload := []byte(strings.Repeat("\xc0\x00nothing", 30))
	p := &decode.Packet{}
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) > 150 {
			return // the like of it, for long
		}
		off := [2]uint64{16, 0}
		types := [4]protocol.FrameType{0, 1, 2, protocol.FrameStream}
		for len(ops) >= 3 {
			op, a, b := ops[0], uint64(ops[1]), int64(ops[2])
			ops = ops[3:]
			dir := protocol.Dir(op >> 7)
			switch x := (protocol.Frame{App: protocol.MQTT, Dir: dir, Type: types[op>>4&3]}); op & 7 {
			case 0, 1:
				data := payload[:a]
				if op&8 != 0 {
					data = []byte(strings.Repeat(string(payload), int(b)&63))
				}
				s.Data(p, dir, off[dir], data)
				off[dir] += uint64(len(data))
				s.Frames(p, sink)
			case 2:
				x.Ends, x.Start = true, off[dir]-min(a, off[dir])
				sink.List = append(sink.List, x)
			case 3:
				s.Gap(p, dir, off[dir], a<<(b&15), sink)
				off[dir] += a << (b & 15)
			case 4:
				s.EndFrames(p, dir, sink)
			default:
				x.Start, x.Len = off[dir]+a-min(uint64(b)*3, off[dir]), 1+b<<(a&15)
				if b == 255 {
					x.Len = protocol.FrameOpen
				}
				sink.List = append(sink.List, x)
			}
			if len(in.Matcher.Matches()) > 15 {
				t.Fatal("more alerts than a packet may have")
			}
			in.Matcher.Reset()
		}
		for d := protocol.ToServer; d <= protocol.ToClient; d++ {
			s.EndFrames(p, d, sink)
			s.End(d)
		}
		judged := in.Counters.Frames
		s.Frames(p, sink)
		if in.Counters.Frames != judged {
			t.Errorf("%d frames were kept", in.Counters.Frames-judged)
		}
	})
}
