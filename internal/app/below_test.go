package app

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"sluice/dataplane/fastpath"
	"sluice/dataplane/flow"
	"sluice/internal/livetest"
)

// TestHandedDown follows flows that workers hand to the kernel, to their last
// counts.
func TestHandedDown(t *testing.T) {
	if os.Geteuid() != 0 {
		livetest.Lacks(t, "loading BPF programs needs root")
	}
	var b below
	log := slog.New(slog.DiscardHandler)
	fast, err := fastpath.Open(fastpath.Config{MaxFlows: 2, Log: log, FlowEnded: b.flowEnded})
	if err != nil {
		t.Fatal(err)
	}
	defer fast.Close()
	b.open(fast, log)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	key := func(port uint16) flow.Key { return flow.Key{Port: [2]uint16{port, 80}, Proto: 6, IPVersion: 4} }
	until := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal(what)
			}
		}
	}

	// Nobody drops it yet, but it is known.
	if !b.Drop(key(1)) {
		t.Fatal("no room")
	}
	if n, ok := b.Dropped(key(1)); !ok || n.Ended {
		t.Errorf("asked for: %+v, %v", n, ok)
	}
	go func() { b.run(ctx); close(done) }()
	until("dropped", func() bool { h, _ := b.look(key(1)); return h.state == handedDropped })
	if n, ok := b.Dropped(key(1)); !ok || n != (flow.Bypassed{}) || fast.DroppedFlows() != 1 {
		t.Errorf("dropped: %+v, %v", n, ok)
	}
	// It ends in the kernel: its last counts are kept for its worker.
	if ok, err := fast.UndropFlow(key(1)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if n, ok := b.Dropped(key(1)); !ok || !n.Ended {
		t.Errorf("ended: %+v, %v", n, ok)
	}
	b.Forget(key(1))
	if n, ok := b.Dropped(key(1)); ok {
		t.Errorf("forgotten: %+v", n)
	}
	// Of one that was asked for anew the former counts are nobody's.
	b.Drop(key(1))
	until("dropped anew", func() bool { h, _ := b.look(key(1)); return h.state == handedDropped })
	b.Forget(key(1))
	b.mu.Lock()
	b.handed[key(1)] = handed{}
	b.mu.Unlock()
	if _, err := fast.UndropFlow(key(1)); err != nil {
		t.Fatal(err)
	}
	if n, ok := b.Dropped(key(1)); !ok || n.Ended {
		t.Errorf("asked for anew: %+v, %v", n, ok)
	}
	b.Forget(key(1))
	// One for which the kernel has no room is not known any more.
	for port := uint16(2); port < 5; port++ {
		b.Drop(key(port))
	}
	until("one too many refused", func() bool { _, ok := b.look(key(4)); return !ok })
	if _, ok := b.Dropped(key(4)); ok || fast.DroppedFlows() != 2 {
		t.Errorf("known: %v, %d dropped", ok, fast.DroppedFlows())
	}
	cancel()
	<-done
	for range maxBelow {
		b.ask(key(9))
	}
	if b.Drop(key(8)) {
		t.Error("more wait than there is room for")
	}
	if _, ok := b.look(key(8)); ok {
		t.Error("known although it found no room")
	}
}
