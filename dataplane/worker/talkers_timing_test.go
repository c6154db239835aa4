package worker

import (
	"testing"

	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
	"sluice/dataplane/inspect"
	"sluice/dataplane/protocol"
	"sluice/dataplane/stream"
)

// BenchmarkTalkers is what counting talkers adds to a packet that brings nothing
// else to do: of the first of a second, and in a flood.
func BenchmarkTalkers(b *testing.B) {
	set, err := inspect.NewSet(nil, nil, "")
	if err != nil {
		b.Fatal(err)
	}
	reg, err := protocol.NewRegistry()
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name         string
		watch, exact bool
	}{{"nobody watches", false, false}, {"each counted", true, true}, {"flood", true, false}} {
		b.Run(c.name, func(b *testing.B) {
			w, err := New(Config{Set: set, Registry: reg, Stream: stream.DefaultConfig(), Ifaces: []string{"in0", "out0"}})
			if err != nil {
				b.Fatal(err)
			}
			forward := []bool{false}
			process := func(f capture.Frame) { w.Process(&capture.Batch{Frames: []capture.Frame{f}}, forward) }
			process(segmentFrame(0, decode.TCPSyn, 1000, 0, ""))
			process(segmentFrame(1, decode.TCPSyn|decode.TCPAck, 5000, 1001, ""))
			batch := capture.Batch{Frames: []capture.Frame{segmentFrame(0, decode.TCPAck, 1001, 5001, "")}}
			if c.watch {
				w.Watch(NewTalkers())
				w.Tick(1)
			}
			b.ReportAllocs()
			for b.Loop() {
				if c.exact {
					w.talkers.cur.packets = 0
				}
				w.Process(&batch, forward)
			}
		})
	}
}
