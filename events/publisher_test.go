package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// memSink keeps what it is given; block, when set, holds up Write.
type memSink struct {
	mu     sync.Mutex
	lines  []string
	ids    map[string]bool
	block  chan struct{}
	fail   error
	closed bool
}

func (s *memSink) Name() string { return "memory" }

func (s *memSink) Write(ctx context.Context, recs []Record) error {
	if s.block != nil {
		select {
		case <-s.block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range recs {
		s.lines = append(s.lines, string(r.JSON))
		if s.ids == nil {
			s.ids = map[string]bool{}
		}
		s.ids[r.ID] = true
	}
	return s.fail
}

func (s *memSink) Close(context.Context) error { s.closed = true; return nil }

func (s *memSink) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.lines...)
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func numbered(from, n int) []*Event {
	out := make([]*Event, n)
	for i := range out {
		out[i] = &Event{Type: "http", PcapCnt: uint64(from + i), Time: time.Now().UnixNano()}
	}
	return out
}

func TestPublisherLossless(t *testing.T) {
	s := &memSink{}
	p := NewPublisher(PublisherConfig{Lossless: true, Queue: 8, Log: quiet}, s)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 50 {
				p.Publish(w, numbered(w*1000+i*20, 20)) // more than the queue holds
			}
		})
	}
	wg.Wait()
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := len(s.all()); got != 4000 {
		t.Fatalf("flushed %d of 4000", got)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(s.ids) != 4000 || !s.closed {
		t.Fatalf("%d distinct IDs, closed %v", len(s.ids), s.closed)
	}
	last := map[int]uint64{}
	for _, l := range s.lines {
		var e struct {
			N uint64 `json:"pcap_cnt"`
		}
		if err := json.Unmarshal([]byte(l), &e); err != nil {
			t.Fatal(err)
		}
		w := int(e.N / 1000)
		if e.N < last[w] {
			t.Fatalf("worker %d out of order: %d after %d", w, e.N, last[w])
		}
		last[w] = e.N
	}
	if st := p.Stats(); st.Dropped != 0 || st.Published != 4000 || st.Latency.Count != 0 {
		t.Fatalf("stats %+v", st)
	}
	p.Publish(0, numbered(0, 3))
	if st := p.Stats(); st.Dropped != 3 {
		t.Fatalf("after Close: %+v", st)
	}
	if err := p.Flush(t.Context()); !errors.Is(err, ErrClosed) {
		t.Fatalf("Flush after Close: %v", err)
	}
}

func TestPublisherOverflowIsVisible(t *testing.T) {
	s := &memSink{block: make(chan struct{})}
	p := NewPublisher(PublisherConfig{Queue: 10, Log: quiet}, s)
	p.Publish(0, numbered(1, 1))
	for deadline := time.Now().Add(5 * time.Second); p.Stats().Queued > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the publisher does not take the first event")
		}
	}
	p.Publish(0, numbered(2, 30)) // the sink is stuck: ten fit
	if d := p.Stats().Dropped; d != 20 {
		t.Fatalf("dropped %d, want 20", d)
	}
	close(s.block)
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(s.all(), "\n")
	if len(s.lines) != 12 || !strings.Contains(all, `"events_lost":20`) || !strings.Contains(all, `"event_type":"engine"`) {
		t.Fatalf("%d lines:\n%s", len(s.lines), all)
	}
	if st := p.Stats(); st.Latency.Count != 12 || st.Latency.Quantile(0.99) == 0 {
		t.Fatalf("latency %+v", st.Latency)
	}
}

func TestPublisherCloseDeadline(t *testing.T) {
	s := &memSink{block: make(chan struct{})}
	p := NewPublisher(PublisherConfig{Log: quiet}, s)
	p.Publish(0, numbered(1, 5))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := p.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Fatalf("took %v", d)
	}
	if st := p.Stats(); st.SinkErrors["memory"] == 0 {
		t.Fatalf("stats %+v", st)
	}
}

func TestPublisherSinkErrorDoesNotStopOthers(t *testing.T) {
	bad, good := &memSink{fail: errors.New("disk full")}, &memSink{}
	p := NewPublisher(PublisherConfig{Lossless: true, Log: quiet}, bad, good)
	p.Publish(0, numbered(1, 5))
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(good.lines) != 5 || p.Stats().SinkErrors["memory"] != 1 {
		t.Fatalf("%d lines, stats %+v", len(good.lines), p.Stats())
	}
}

func alertFrom(src string, sid uint32) *Event {
	return &Event{Type: "alert", Time: time.Now().UnixNano(), Src: netip.MustParseAddr(src),
		Alert: &Alert{Action: "allowed", GID: 1, SignatureID: sid, Signature: "s"}}
}

func TestPublisherAggregates(t *testing.T) {
	s := &memSink{}
	p := NewPublisher(PublisherConfig{AggregateBurst: 2, AggregateWindow: time.Hour, AggregateKeys: 3, Log: quiet}, s)
	for range 100 {
		p.Publish(0, []*Event{alertFrom("192.0.2.1", 1), alertFrom("192.0.2.2", 1), {Type: "drop", Drop: &Drop{}}})
	}
	p.Publish(0, []*Event{alertFrom("192.0.2.3", 1)})
	for range 5 {
		p.Publish(0, []*Event{alertFrom("192.0.2.4", 1)}) // the table is full: told in full
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	alerts, drops, counts := 0, 0, 0
	for _, l := range s.lines {
		switch {
		case strings.Contains(l, `"aggregate":{"count":98,`):
			counts++
		case strings.Contains(l, `"event_type":"alert"`):
			alerts++
		case strings.Contains(l, `"event_type":"drop"`):
			drops++
		}
	}
	if alerts != 2+2+1+5 || drops != 100 || counts != 2 {
		t.Fatalf("alerts %d drops %d counts %d", alerts, drops, counts)
	}
	if st := p.Stats(); st.Suppressed != 196 {
		t.Fatalf("stats %+v", st)
	}
}

func TestAggregatorWindow(t *testing.T) {
	a := newAggregator(1, 10*time.Second, 10)
	now := time.Now()
	e := alertFrom("192.0.2.1", 1)
	if !a.admit(e, now) || a.admit(e, now.Add(time.Second)) {
		t.Fatal("first in full, second counted")
	}
	if out := a.expire(now.Add(9*time.Second), false); len(out) != 0 {
		t.Fatalf("too early: %d", len(out))
	}
	out := a.expire(now.Add(10*time.Second), false)
	if len(out) != 1 || out[0].Aggregate.Count != 1 || e.Aggregate != nil {
		t.Fatalf("got %+v", out)
	}
	if !a.admit(out[0], now) || !a.admit(e, now.Add(11*time.Second)) {
		t.Fatal("a new window begins with an event in full")
	}
}

func TestMerger(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		workers := rapid.IntRange(1, 5).Draw(t, "workers")
		batches := rapid.IntRange(1, 600).Draw(t, "batches")
		// Frames of a batch are spread over the workers; the outcome must be
		// the same as with one.
		plan := make([][][]*Event, workers)
		for w := range plan {
			plan[w] = make([][]*Event, batches)
		}
		num := uint64(0)
		want := 0
		for b := range batches {
			for range rapid.IntRange(0, 4).Draw(t, "frames") {
				num++
				w := rapid.IntRange(0, workers-1).Draw(t, "owner")
				for seq := range rapid.IntRange(0, 2).Draw(t, "events") {
					plan[w][b] = append(plan[w][b], &Event{PcapCnt: num, Seq: uint32(seq)})
					want++
				}
			}
		}
		var got []*Event
		m := NewMerger(workers, func(evs []*Event) { got = append(got, evs...) })
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for b := range batches {
					m.Submit(w, uint64(b), plan[w][b])
				}
			})
		}
		wg.Wait()
		if len(got) != want {
			t.Fatalf("got %d of %d events", len(got), want)
		}
		for i := 1; i < len(got); i++ {
			if a, b := got[i-1], got[i]; a.PcapCnt > b.PcapCnt || (a.PcapCnt == b.PcapCnt && a.Seq >= b.Seq) {
				t.Fatalf("out of order: %d/%d before %d/%d", a.PcapCnt, a.Seq, b.PcapCnt, b.Seq)
			}
		}
	})
}

func TestMergerOrdersUnnumbered(t *testing.T) {
	var got []string
	m := NewMerger(2, func(evs []*Event) {
		for _, e := range evs {
			got = append(got, fmt.Sprint(e.PcapCnt, "/", e.Time, "/", e.FlowID))
		}
	})
	m.Submit(1, 0, []*Event{{Time: 5, FlowID: 1}, {PcapCnt: 3}, {Time: 4, FlowID: 9}})
	m.Submit(0, 0, []*Event{{Time: 4, FlowID: 2, Seq: 8}})
	if g, w := strings.Join(got, " "), "3/0/0 0/4/2 0/4/9 0/5/1"; g != w {
		t.Fatalf("got %s, want %s", g, w)
	}
}

func TestMergerAbortReleases(t *testing.T) {
	m := NewMerger(2, func([]*Event) {})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for b := range uint64(2 * mergeWindow) {
			m.Submit(0, b, nil)
		}
	}()
	m.Abort()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("Submit still waits")
	}
}

func TestHistogram(t *testing.T) {
	var h Histogram
	h.Observe(-time.Second)
	for range 98 {
		h.Observe(3 * time.Millisecond)
	}
	h.Observe(time.Hour)
	s := h.Snapshot()
	if s.Count != 100 || s.Quantile(0.5) != 5*time.Millisecond || s.Quantile(0.99) != 5*time.Millisecond || s.Quantile(1) != 100*time.Second {
		t.Fatalf("%+v: p50 %v p99 %v max %v", s, s.Quantile(0.5), s.Quantile(0.99), s.Quantile(1))
	}
	var empty HistogramSnapshot
	if empty.Quantile(0.5) != 0 {
		t.Fatal("an empty histogram has no quantile")
	}
}

func BenchmarkPublish(b *testing.B) {
	e := base("http")
	e.HTTP = &HTTP{Hostname: "example.com", URL: "/index.html", Method: "GET", Length: 100}
	batch := make([]*Event, 64)
	for i := range batch {
		batch[i] = &e
	}
	p := NewPublisher(PublisherConfig{Lossless: true, Log: quiet}, discard{})
	b.ReportAllocs()
	for b.Loop() {
		p.Publish(0, batch)
	}
	if err := p.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}

type discard struct{}

func (discard) Name() string                          { return "discard" }
func (discard) Write(context.Context, []Record) error { return nil }
func (discard) Close(context.Context) error           { return nil }
