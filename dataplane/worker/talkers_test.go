package worker_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket/layers"

	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
	"sluice/dataplane/worker"
)

// TestTalkers holds what is counted of an ordinary connection and of one that is
// blocked: all frames, each once, by what became of them.
func TestTalkers(t *testing.T) {
	r := newRig(t, "rules: [{name: cards, when: {detectors: [pay.card]}, action: block}]", hung(), nil)
	tick := func() { r.w.Tick(time.Now().UnixNano()) }
	r.open() // nobody watches yet
	if r.w.Watch(worker.NewTalkers()) != nil {
		t.Fatal("something was counted before anybody watched")
	}
	tick()
	var want worker.TalkerCount
	send := func(text string) {
		f := r.frame(0, r.seq[0], []byte(text), &layers.TCP{ACK: true, PSH: true})
		r.seq[0] += uint32(len(text))
		fate := worker.FateDropped
		// The first frame with cards waits for its verdict: it counts as inspected.
		if r.send(f) || want.Packets[worker.FateInspected] == 1 {
			fate = worker.FateInspected
		}
		want.Packets[fate]++
		want.Bytes[fate] += uint64(f.WireLen)
	}
	send("POST /form HTTP/1.1\r\nHost: files.example.test\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n")
	for range 8 {
		send(cards + strings.Repeat(" and more", 50) + "\n")
	}
	if want.Packets[worker.FateInspected] == 0 || want.Packets[worker.FateDropped] == 0 {
		t.Fatalf("%+v: the test says nothing", want)
	}
	tick()
	r.w.Watch(worker.NewTalkers())
	tick()
	got := r.w.Watch(nil)
	if got == nil {
		t.Fatal("nothing was handed out")
	}
	client := decode.AddrFrom(netip.MustParseAddr("10.0.0.2"))
	sources, flows, services := got.Sources.Top(10), got.Flows.Top(10), got.Services.Top(10)
	if len(sources) != 1 || len(flows) != 1 || len(services) != 1 {
		t.Fatalf("%d sources, %d flows, %d services", len(sources), len(flows), len(services))
	}
	if sources[0].Key != client || sources[0].Count != want || services[0].Count != want || flows[0].Count.TalkerCount != want {
		t.Errorf("%+v\n%+v\n%+v\nwant %+v", sources[0], services[0], flows[0], want)
	}
	if k := flows[0].Key; k.Client != client || k.ServerPort != 80 || k.Proto != decode.ProtoTCP || flows[0].Count.App != protocol.HTTP1 {
		t.Errorf("%+v", flows[0])
	}
	if got.End <= got.Begin || got.Sampled {
		t.Errorf("from %d to %d, sampled %v", got.Begin, got.End, got.Sampled)
	}
	// Once nobody watches, nothing is counted.
	tick()
	send("more")
	tick()
	if r.w.Watch(nil) != nil {
		t.Error("something is counted although nobody watches")
	}
}

// TestTalkersFlood holds that what is sampled adds up, and that counting takes no memory.
func TestTalkersFlood(t *testing.T) {
	r := newRig(t, "", hung(), nil)
	r.open()
	r.w.Watch(worker.NewTalkers())
	r.w.Tick(time.Now().UnixNano())
	f := r.frame(0, r.seq[0], nil, &layers.TCP{ACK: true})
	b, forward := capture.Batch{Frames: []capture.Frame{f}}, []bool{false}
	const frames = 200_000
	for range frames - 1001 {
		r.w.Process(&b, forward)
	}
	if n := testing.AllocsPerRun(1000, func() { r.w.Process(&b, forward) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
	r.w.Watch(worker.NewTalkers())
	r.w.Tick(time.Now().UnixNano())
	got := r.w.Watch(nil)
	if got == nil || !got.Sampled {
		t.Fatalf("not sampled: %+v", got)
	}
	c := got.Sources.Top(1)[0].Count
	if n := c.Packets[worker.FateInspected]; n < frames*9/10 || n > frames*11/10 || c.Bytes[worker.FateInspected] != n*uint64(f.WireLen) {
		t.Errorf("%d packets and %d bytes were told of %d", n, c.Bytes[worker.FateInspected], frames)
	}
}
