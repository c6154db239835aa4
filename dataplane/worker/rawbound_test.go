package worker

import (
	"encoding/binary"
	"testing"

	"sluice/classifiers"
	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
	"sluice/dataplane/inspect"
	"sluice/dataplane/policy"
	"sluice/dataplane/protocol"
	"sluice/dataplane/stream"
)

// TestRawStreamsBound has more connections of no known protocol than are followed
// at a time: those cut short are judged and counted, and go on; those that end
// take nobody's room.
func TestRawStreamsBound(t *testing.T) {
	cat, err := classifiers.New(classifiers.Config{})
	if err != nil {
		t.Fatal(err)
	}
	set, err := inspect.NewSet(nil, cat, "")
	if err != nil {
		t.Fatal(err)
	}
	reg, err := protocol.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	pol, err := policy.Parse([]byte("rules: [{name: cards, when: {detectors: [pay.card]}, action: alert}]"), "p.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sc := stream.DefaultConfig()
	sc.Inline = true
	w, err := New(Config{Set: set, Policy: pol, Registry: reg, Stream: sc, Inline: true, Live: true, Ifaces: []string{"in0", "out0"}})
	if err != nil {
		t.Fatal(err)
	}
	const most, flows = 4, 10
	w.rawStreams.max = most
	now, events := int64(1e18), 0
	send := func(flow int, from uint8, flags byte, seq, ack uint32, payload string) {
		t.Helper()
		f := segmentFrame(from, flags, seq, ack, payload)
		at := 34
		if from == 1 {
			at = 36
		}
		binary.BigEndian.PutUint16(f.Data[at:], uint16(40000+flow))
		now += 1e6
		f.Time = now
		forward := []bool{false}
		w.Process(&capture.Batch{Frames: []capture.Frame{f}}, forward)
		if !forward[0] {
			t.Errorf("flow %d: a segment was withheld: %v", flow, dropReasons[w.why])
		}
		for _, e := range w.Events() {
			if e.DLP != nil {
				events++
			}
		}
	}
	const syn, ack, psh, fin = decode.TCPSyn, decode.TCPAck, decode.TCPPsh, decode.TCPFin
	const card = "\x01\x02 card 4539578763621486 "
	begin := func(flow int) {
		send(flow, 0, syn, 1000, 0, "")
		send(flow, 1, syn|ack, 5000, 1001, "")
		send(flow, 0, ack, 1001, 5001, "")
		send(flow, 0, ack|psh, 1001, 5001, card)
	}
	for i := range flows {
		begin(i)
	}
	if n, q := w.Counters().RawCut, &w.rawStreams; n != flows-most || q.open != most || len(q.refs)-q.head != most {
		t.Errorf("%d were cut, %d are open, %d in the queue", n, q.open, len(q.refs)-q.head)
	}
	if events != flows-most {
		t.Errorf("%d events of those cut", events)
	}
	// The first goes on: in another object, for which another makes room.
	send(0, 0, ack|psh, 1001+uint32(len(card)), 5001, card)
	if n := w.Counters().RawCut; n != flows-most+1 || w.rawStreams.open != most {
		t.Errorf("%d were cut, %d are open", n, w.rawStreams.open)
	}
	// Many that begin and end do not cut those that stay.
	for i := range 50 {
		begin(100 + i)
		send(100+i, 0, ack|fin, 1001+uint32(len(card)), 5001, "")
		send(100+i, 1, ack|fin, 5001, 1002+uint32(len(card)), "")
		send(100+i, 0, ack, 1002+uint32(len(card)), 5002, "")
	}
	if n := w.Counters().RawCut; n != flows-most+2 || len(w.rawStreams.refs) > 2*most {
		t.Errorf("%d were cut, %d in the queue", n, len(w.rawStreams.refs))
	}
	events = 0
	w.Flush()
	for _, e := range w.Events() {
		if e.DLP != nil {
			events++
		}
	}
	if events != most-1 || w.rawStreams.open != 0 {
		t.Errorf("%d events at the end, %d are open", events, w.rawStreams.open)
	}
	w.Close()
}
