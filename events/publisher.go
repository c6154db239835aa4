package events

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Defaults of PublisherConfig.
const (
	defaultQueue     = 65536
	defaultWindow    = 10 * time.Second
	defaultKeys      = 65536
	maxRenderBatch   = 1024
	maxRenderBytes   = 1 << 20
	housekeepingTick = time.Second
)

// PublisherConfig sets up a Publisher. Its zero value is a live publisher with
// default bounds and without aggregation.
type PublisherConfig struct {
	// Encoder renders the events.
	Encoder Encoder
	// Queue bounds the events that wait for the publisher; 65,536 when 0.
	Queue int
	// Lossless makes Publish wait when the queue is full, as replay needs it,
	// instead of dropping and counting, and switches off what depends on the
	// wall clock: latency and aggregation.
	Lossless bool
	// AggregateBurst is how many alerts of one signature, or dlp events of one
	// policy rule, from one source are published in full within
	// AggregateWindow (10 s when 0); further ones are counted in a record with
	// an "aggregate" object. 0 switches aggregation off.
	AggregateBurst  int
	AggregateWindow time.Duration
	// AggregateKeys bounds the (rule, source) pairs that are followed; 65,536
	// when 0. Events beyond are published in full.
	AggregateKeys int
	// RunID begins every record's ID; random when empty.
	RunID string
	// Log takes the sinks' errors; slog.Default when nil.
	Log *slog.Logger
}

// Publisher takes events from workers through a bounded queue, renders each
// once and hands them to all sinks from one goroutine.
type Publisher struct {
	cfg   PublisherConfig
	sinks []Sink
	agg   *aggregator
	ctx   context.Context
	stop  context.CancelFunc
	done  chan struct{}

	mu      sync.Mutex
	notFull sync.Cond
	queue   []*Event
	closed  bool
	wake    chan struct{}
	// flushes are closed once everything queued before them is with the sinks.
	flushes []chan struct{}

	published  atomic.Uint64
	dropped    atomic.Uint64
	suppressed atomic.Uint64
	sinkErrors []atomic.Uint64
	latency    Histogram

	// The rest belongs to the publishing goroutine.
	batch        []*Event
	buf          []byte
	ends         []int
	records      []Record
	seq          uint64
	droppedTold  uint64
	lastErrorLog []time.Time
}

// ErrClosed tells that a publisher has been closed.
var ErrClosed = errors.New("publisher is closed")

// NewPublisher starts a publisher. Close ends it and its sinks.
func NewPublisher(cfg PublisherConfig, sinks ...Sink) *Publisher {
	if cfg.Queue <= 0 {
		cfg.Queue = defaultQueue
	}
	if cfg.AggregateWindow <= 0 {
		cfg.AggregateWindow = defaultWindow
	}
	if cfg.AggregateKeys <= 0 {
		cfg.AggregateKeys = defaultKeys
	}
	if cfg.RunID == "" {
		var id [8]byte
		rand.Read(id[:]) // never fails (crypto/rand)
		cfg.RunID = hex.EncodeToString(id[:])
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	p := &Publisher{cfg: cfg, sinks: sinks, done: make(chan struct{}), wake: make(chan struct{}, 1),
		sinkErrors: make([]atomic.Uint64, len(sinks)), lastErrorLog: make([]time.Time, len(sinks))}
	p.notFull.L = &p.mu
	if cfg.AggregateBurst > 0 && !cfg.Lossless {
		p.agg = newAggregator(cfg.AggregateBurst, cfg.AggregateWindow, cfg.AggregateKeys)
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	go p.run()
	return p
}

// Publish hands over a worker's events; the slice stays the worker's, the
// events do not. It is safe for concurrent use. A lossless publisher waits for
// room; any other drops what does not fit, counts it, and tells in an event of
// type "engine" how many were lost. After Close everything is dropped and counted.
func (p *Publisher) Publish(_ int, batch []*Event) {
	if len(batch) == 0 {
		return
	}
	p.mu.Lock()
	for len(batch) > 0 && !p.closed {
		n := min(len(batch), p.cfg.Queue-len(p.queue))
		if n > 0 {
			p.queue = append(p.queue, batch[:n]...)
			batch = batch[n:]
			p.signal()
			continue
		}
		if !p.cfg.Lossless {
			break
		}
		p.notFull.Wait()
	}
	p.mu.Unlock()
	p.dropped.Add(uint64(len(batch)))
}

// signal wakes the publishing goroutine; it never waits.
func (p *Publisher) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Flush waits until everything published before the call is with the sinks, or
// until ctx ends.
func (p *Publisher) Flush(ctx context.Context) error {
	c := make(chan struct{})
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return ErrClosed
	}
	p.flushes = append(p.flushes, c)
	p.mu.Unlock()
	p.signal()
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close publishes what is queued, closes the sinks and ends the publisher.
// Where ctx ends first, sinks are told to give up, and what was not delivered
// is counted as dropped or stays in a sink's spool. It returns the sinks' errors.
func (p *Publisher) Close(ctx context.Context) error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		<-p.done
		return nil
	}
	p.closed = true
	p.mu.Unlock()
	p.notFull.Broadcast()
	p.signal()
	var errs []error
	select {
	case <-p.done:
	case <-ctx.Done():
		errs = append(errs, fmt.Errorf("publish queued events: %w", ctx.Err()))
		p.stop() // unblocks a sink's Write
		<-p.done
	}
	for _, s := range p.sinks {
		if err := s.Close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", s.Name(), err))
		}
	}
	p.stop()
	return errors.Join(errs...)
}

// run is the publishing goroutine.
func (p *Publisher) run() {
	defer close(p.done)
	tick := time.NewTicker(housekeepingTick)
	defer tick.Stop()
	for {
		select {
		case <-p.wake:
		case <-tick.C:
		}
		for {
			p.mu.Lock()
			p.batch, p.queue = p.queue, p.batch[:0]
			flushes := p.flushes
			p.flushes = nil
			closed := p.closed
			p.mu.Unlock()
			p.notFull.Broadcast()
			p.tellDropped()
			if p.agg != nil {
				p.writeAll(p.agg.expire(time.Now(), closed && len(p.batch) == 0))
			}
			empty := len(p.batch) == 0
			p.writeAll(p.batch)
			clear(p.batch) // let go of the events
			for _, c := range flushes {
				close(c)
			}
			if empty {
				if closed {
					return
				}
				break
			}
		}
	}
}

// writeAll renders events in bounded pieces and gives them to the sinks.
func (p *Publisher) writeAll(evs []*Event) {
	for len(evs) > 0 {
		if p.ctx.Err() != nil {
			p.dropped.Add(uint64(len(evs)))
			return
		}
		evs = evs[p.render(evs):]
		p.write()
	}
}

// render fills records from the first events of evs and gives how many it took.
// The bytes of a batch share one buffer, so that a record costs no allocation
// but its ID.
func (p *Publisher) render(evs []*Event) int {
	p.buf, p.ends, p.records = p.buf[:0], p.ends[:0], p.records[:0]
	taken := 0
	for _, e := range evs {
		if len(p.records) >= maxRenderBatch || len(p.buf) >= maxRenderBytes {
			break
		}
		taken++
		if p.agg != nil && !p.agg.admit(e, time.Now()) {
			p.suppressed.Add(1)
			continue
		}
		p.buf = p.cfg.Encoder.AppendEVE(p.buf, e)
		p.ends = append(p.ends, len(p.buf))
		p.seq++
		p.records = append(p.records, Record{Type: e.Type, Event: e,
			ID: p.cfg.RunID + "-" + strconv.FormatUint(p.seq, 36)})
	}
	start := 0
	for i, end := range p.ends {
		p.records[i].JSON = p.buf[start:end:end]
		start = end
	}
	return taken
}

// write gives the rendered records to every sink and measures their latency.
func (p *Publisher) write() {
	if len(p.records) == 0 {
		return
	}
	for i, s := range p.sinks {
		if err := s.Write(p.ctx, p.records); err != nil {
			n := p.sinkErrors[i].Add(1)
			if now := time.Now(); now.Sub(p.lastErrorLog[i]) > 10*time.Second {
				p.lastErrorLog[i] = now
				p.cfg.Log.Error("events not written", "sink", s.Name(), "error", err, "errors_so_far", n)
			}
		}
	}
	p.published.Add(uint64(len(p.records)))
	if !p.cfg.Lossless {
		now := time.Now().UnixNano()
		for i := range p.records {
			p.latency.Observe(time.Duration(now - p.records[i].Event.Time))
		}
	}
	clear(p.records)
}

// tellDropped reports what was lost since the last report, once per batch.
func (p *Publisher) tellDropped() {
	n := p.dropped.Load()
	if n == p.droppedTold {
		return
	}
	lost := n - p.droppedTold
	p.droppedTold = n
	p.writeAll([]*Event{{Time: time.Now().UnixNano(), Type: "engine", Extra: map[string]any{
		"log_level": "Warning",
		"engine":    map[string]any{"message": "events lost: queue full", "events_lost": lost, "events_lost_total": n},
	}}})
}

// PublisherStats is what a publisher has done so far.
type PublisherStats struct {
	// Published counts records given to the sinks, Dropped events lost to a
	// full queue, Suppressed events told only as counts, Queued those waiting.
	Published, Dropped, Suppressed, Queued uint64
	// SinkErrors counts failed batches by the sink's name.
	SinkErrors map[string]uint64
	// Latency is the time from packet to publication; empty in replay.
	Latency HistogramSnapshot
}

// Stats gives the counters. It is safe for concurrent use.
func (p *Publisher) Stats() PublisherStats {
	p.mu.Lock()
	queued := len(p.queue)
	p.mu.Unlock()
	st := PublisherStats{Published: p.published.Load(), Dropped: p.dropped.Load(), Suppressed: p.suppressed.Load(),
		Queued: uint64(queued), SinkErrors: make(map[string]uint64, len(p.sinks)), Latency: p.latency.Snapshot()}
	for i, s := range p.sinks {
		st.SinkErrors[s.Name()] += p.sinkErrors[i].Load()
	}
	return st
}
