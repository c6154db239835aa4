package app

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"time"

	"sluice/dataplane/fastpath"
	"sluice/dataplane/worker"
	"sluice/events"
	"sluice/events/sink/metrics"
	"sluice/internal/control"
	"sluice/internal/version"
)

// Status is what `sluice status --json` prints.
type Status struct {
	Version  string            `json:"version"`
	PID      int               `json:"pid"`
	Sensor   string            `json:"sensor"`
	Uptime   float64           `json:"uptime_seconds"`
	Ready    bool              `json:"ready"`
	Monitor  bool              `json:"monitor"`
	Fail     string            `json:"fail,omitempty"`
	Rules    int               `json:"rules_loaded"`
	Rejected int               `json:"rules_rejected"`
	Policy   string            `json:"policy"`
	Ports    []PortStatus      `json:"ports"`
	Counters map[string]uint64 `json:"counters"`
	XDP      map[string]uint64 `json:"xdp_packets,omitempty"`
	// XDPRates are XDP's frames a second; Segments counts what each rule of the
	// segmentation has decided.
	XDPRates map[string]float64 `json:"xdp_packets_per_second,omitempty"`
	Segments []SegmentStatus    `json:"segmentation,omitempty"`
	Rates    Rates              `json:"per_second"`
	Loads    []WorkerStatus     `json:"workers"`
	// Sources are those whose packets XDP was seen to drop in the last second.
	Sources []DropSource `json:"dropped_sources,omitempty"`
	// Talkers are told to `sluice top` alone: counting them costs the workers some time.
	Talkers *Talkers `json:"talkers,omitempty"`
	Blocked int      `json:"block_entries"`
	Allowed int      `json:"allow_entries"`
	// Quarantined is how many hosts are in quarantine.
	Quarantined int         `json:"quarantined_hosts"`
	Events      EventStatus `json:"events"`
	NATS        string      `json:"nats,omitempty"`
}

// PortStatus is one interface.
type PortStatus struct {
	Name string `json:"name"`
	Mode string `json:"mode"`
	XDP  string `json:"xdp,omitempty"`
	// XDPReason says why XDP is generic; XDPIdle that there is nothing to drop, so
	// that no program is attached.
	XDPReason string `json:"xdp_reason,omitempty"`
	XDPIdle   bool   `json:"xdp_idle,omitempty"`
	// Gone tells that the interface was removed, or made anew, since the start.
	Gone     bool   `json:"gone,omitempty"`
	Workers  int    `json:"workers"`
	Frames   uint64 `json:"frames"`
	Bytes    uint64 `json:"bytes"`
	Dropped  uint64 `json:"dropped_by_kernel"`
	Sent     uint64 `json:"sent"`
	SendLost uint64 `json:"send_errors"`
	// FrameRate and BitRate are of the last second.
	FrameRate float64 `json:"frames_per_second"`
	BitRate   float64 `json:"bits_per_second"`
	// Rings are the workers' shares.
	Rings []RingStatus `json:"rings"`
}

// EventStatus is the publisher's and the spool's state.
type EventStatus struct {
	Published uint64 `json:"published"`
	Dropped   uint64 `json:"dropped"`
	Queued    uint64 `json:"queued"`
	Connected bool   `json:"nats_connected"`
	Acked     uint64 `json:"nats_acked"`
	// Spooled are bytes that wait for the server, Lost the events that could not be
	// kept for it or written, by sink.
	Spooled int64             `json:"nats_spooled_bytes"`
	Lost    map[string]uint64 `json:"lost,omitempty"`
}

// ReloadReply is the answer to `sluice reload`.
type ReloadReply struct {
	Loaded   int `json:"loaded"`
	Rejected int `json:"rejected"`
	Disabled int `json:"disabled"`
}

// handler answers the command line.
func (d *Daemon) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { control.Reply(w, http.StatusOK, d.Status()) })
	mux.HandleFunc("GET /top", func(w http.ResponseWriter, _ *http.Request) {
		s := d.Status()
		s.Talkers = d.talkers.look(d.workers(), time.Now())
		control.Reply(w, http.StatusOK, s)
	})
	mux.HandleFunc("POST /reload", func(w http.ResponseWriter, _ *http.Request) {
		rep, err := d.Reload()
		if err != nil {
			control.Reply(w, http.StatusConflict, err)
			return
		}
		control.Reply(w, http.StatusOK, ReloadReply{Loaded: rep.Loaded, Rejected: rep.Rejected, Disabled: rep.Disabled})
	})
	mux.HandleFunc("POST /confirm", func(w http.ResponseWriter, _ *http.Request) {
		d.once.Do(func() { close(d.confirmed) })
		control.Reply(w, http.StatusOK, struct{}{})
	})
	mux.HandleFunc("POST /handover", func(w http.ResponseWriter, _ *http.Request) {
		if err := d.Handover(); err != nil {
			control.Reply(w, http.StatusConflict, err)
			return
		}
		control.Reply(w, http.StatusOK, struct{}{})
	})
	mux.HandleFunc("GET /block", d.serveBlocks)
	mux.HandleFunc("POST /block", d.serveBlock)
	mux.HandleFunc("POST /unblock", d.serveUnblock)
	mux.HandleFunc("POST /block-file", d.serveBlockFile)
	mux.HandleFunc("GET /quarantine", d.serveQuarantined)
	mux.HandleFunc("POST /quarantine", d.serveQuarantine)
	mux.HandleFunc("POST /release", d.serveRelease)
	mux.HandleFunc("GET /events", d.watch.serve)
	return mux
}

// gate turns requests away until everything they may ask for is there.
func (d *Daemon) gate(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !d.open.Load() {
			control.Reply(w, http.StatusServiceUnavailable, errors.New("the daemon is starting"))
			return
		}
		h.ServeHTTP(w, r)
	})
}

// ParsePrefix reads an address or a prefix.
func ParsePrefix(text string) (netip.Prefix, error) { return prefix(text) }

// counters sums the workers' counters as of their last tick.
func (d *Daemon) counters() worker.Counters {
	var sum worker.Counters
	for _, g := range d.groups {
		for _, p := range g.procs {
			sum.Add(*p.counters.Load())
		}
	}
	return sum
}

// Status tells how the daemon does.
func (d *Daemon) Status() Status {
	s := d.snapshot()
	d.meter.fill(&s)
	s.Sources = d.drops.sources()
	return s
}

// snapshot is Status without what needs a look at a second before.
func (d *Daemon) snapshot() Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	rep := d.parts.Report
	s := Status{Version: version.String(), PID: os.Getpid(), Sensor: SensorName(d.cfg), Uptime: time.Since(d.begin).Seconds(), Ready: d.ready.Load(),
		Monitor: d.cfg.Ports.Monitor, Rules: rep.Loaded, Rejected: rep.Rejected, Policy: PolicyNone, Counters: map[string]uint64{}}
	if d.parts.Policy != nil {
		s.Policy = d.parts.Policy.Name
	}
	if len(d.cfg.Ports.Bridges)+len(d.cfg.Ports.Gateways) > 0 {
		s.Fail = d.cfg.Ports.Fail
	}
	c := d.counters()
	c.Each(func(name string, v uint64) { s.Counters[name] = v })
	if d.docs != nil {
		st := d.docs.Stats()
		s.Counters["dlp.document_memory"], s.Counters["dlp.document_memory_peak"], s.Counters["dlp.documents_waiting"] = uint64(st.Memory), uint64(st.Peak), uint64(st.Waiting)
	}
	xdp := map[string]fastpath.Port{}
	if d.fast != nil {
		for _, p := range d.fast.Ports() {
			xdp[p.Name] = p
		}
		if rules, err := d.fast.SegmentCounters(); err == nil {
			for _, r := range rules {
				s.Segments = append(s.Segments, SegmentStatus{Rule: r.Rule, Packets: r.Packets, Bytes: r.Bytes})
			}
		}
		s.Blocked, s.Allowed = d.fast.Sizes()
		if n, err := d.fast.Counters(); err == nil {
			s.XDP = map[string]uint64{}
			for r := fastpath.Reason(0); r < fastpath.NumReasons; r++ {
				if v := n.Of(r); v.Packets > 0 {
					s.XDP[r.String()] = v.Packets
				}
			}
		}
	}
	s.Quarantined = len(d.quarantine.list())
	for _, g := range d.groups {
		stats := g.stats()
		s.Loads = append(s.Loads, workerStatus(g, stats)...)
		for i, name := range g.ifaces[:g.ports] {
			p := PortStatus{Name: name, Mode: g.mode, Workers: len(g.procs), Gone: d.isGone(name)}
			if x, ok := xdp[name]; ok {
				p.XDP, p.XDPReason, p.XDPIdle = x.Mode.String(), x.Why, x.Idle
			}
			for w, st := range stats {
				if i < len(st.Received) {
					p.Rings = append(p.Rings, g.ring(w, i, &st))
					p.Frames += st.Received[i].Frames
					p.Bytes += st.Received[i].Bytes
					p.Sent += st.Sent[i].Frames
				}
				for side := range st.Received {
					// A gateway's losses on the host's side are its port's too.
					if side == i || g.mode == "gateway" {
						p.Dropped += st.Received[side].Dropped
						o := st.Sent[side]
						p.SendLost += o.Truncated + o.TooLong + o.NoBuffer + o.Down + o.Failed
					}
				}
			}
			s.Ports = append(s.Ports, p)
		}
	}
	ps := d.out.Stats()
	s.Events = EventStatus{Published: ps.Published, Dropped: ps.Dropped, Queued: ps.Queued, Lost: d.out.lost()}
	if d.out.NATS != nil {
		ns := d.out.NATS.Stats()
		s.Events.Connected, s.Events.Acked, s.Events.Spooled = ns.Connected, ns.Acked, ns.Spool.PendingBytes
		s.NATS = d.cfg.Outputs.NATS.URL
		if st, ok := d.out.Server(); ok {
			s.NATS = st.URL
		}
	}
	return s
}

// samples gives the counters to Prometheus.
func (d *Daemon) samples(emit func(metrics.Sample)) {
	c := d.counters()
	c.Each(func(name string, v uint64) { emit(metrics.Sample{Name: name, Value: float64(v), Gauge: levels[name]}) })
	ps := d.out.Stats()
	if d.docs != nil {
		st := d.docs.Stats()
		emit(metrics.Sample{Name: "dlp.document_memory", Value: float64(st.Memory), Gauge: true, Help: "Bytes kept of documents and withheld frames."})
		emit(metrics.Sample{Name: "dlp.document_memory_peak", Value: float64(st.Peak), Gauge: true, Help: "The most that was ever kept of them."})
		emit(metrics.Sample{Name: "dlp.documents_waiting", Value: float64(st.Waiting), Gauge: true, Help: "Documents being read or waiting for it."})
	}
	d.kept.samples(emit)
	emit(metrics.Sample{Name: "events.published", Value: float64(ps.Published), Help: "Events given to the sinks."})
	emit(metrics.Sample{Name: "events.dropped", Value: float64(ps.Dropped), Help: "Events lost to a full queue."})
	emit(metrics.Sample{Name: "events.queued", Value: float64(ps.Queued), Gauge: true, Help: "Events waiting for the sinks."})
	if d.fast != nil {
		if n, err := d.fast.Counters(); err == nil {
			for r := fastpath.Reason(0); r < fastpath.NumReasons; r++ {
				emit(metrics.Sample{Name: "xdp.packets", Label: "reason", LabelValue: r.String(), Value: float64(n.Of(r).Packets), Help: "Frames seen by XDP, by what became of them."})
			}
		}
	}
	d.kernelSamples(emit)
	d.ringSamples(emit)
	d.byType.Emit(emit)
	d.out.sinkSamples(emit)
}

// housekeep publishes stats and drops, and frees what a reload replaced.
func (d *Daemon) housekeep(ctx context.Context) {
	drops := time.NewTicker(time.Second)
	defer drops.Stop()
	interval := d.cfg.Stats.Interval.D()
	if interval <= 0 {
		interval = 8 * time.Second
	}
	stats := time.NewTicker(interval)
	defer stats.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-drops.C:
			d.retire()
			d.meter.observe(d.snapshot(), now)
			d.talkers.collect(d.workers(), now)
			d.out.Publish(0, d.drops.take(now, d.dropTotals(), false))
			d.out.Publish(0, d.gaps(now))
			d.out.Publish(0, d.out.losses(now))
		case now := <-stats.C:
			if d.cfg.Stats.Enabled {
				d.out.Publish(0, []*events.Event{statsEvent(d.cfg.Stats, now.UnixNano(), int64(time.Since(d.begin).Seconds()), d.counters(), nil)})
			}
		}
	}
}

// watchers gives rendered events to whoever follows them through the control
// socket. A slow follower loses events, counted; nobody waits for it.
type watchers struct {
	mu   sync.Mutex
	subs map[*watcher]struct{}
}

type watcher struct {
	c    chan []byte
	lost uint64
}

func newWatchers() *watchers { return &watchers{subs: map[*watcher]struct{}{}} }

// Name implements events.Sink.
func (w *watchers) Name() string { return "watch" }

// Write implements events.Sink.
func (w *watchers) Write(_ context.Context, recs []events.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.subs) == 0 {
		return nil
	}
	for i := range recs {
		line := append(append([]byte(nil), recs[i].JSON...), '\n')
		for s := range w.subs {
			select {
			case s.c <- line:
			default:
				s.lost++
			}
		}
	}
	return nil
}

// Close implements events.Sink.
func (w *watchers) Close(context.Context) error { return nil }

func (w *watchers) serve(rw http.ResponseWriter, r *http.Request) {
	s := &watcher{c: make(chan []byte, 4096)}
	w.mu.Lock()
	w.subs[s] = struct{}{}
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		delete(w.subs, s)
		w.mu.Unlock()
	}()
	rw.Header().Set("Content-Type", "application/x-ndjson")
	rw.WriteHeader(http.StatusOK)
	f, _ := rw.(http.Flusher)
	if f != nil {
		f.Flush()
	}
	for {
		select {
		case line := <-s.c:
			if _, err := rw.Write(line); err != nil {
				return
			}
			if f != nil && len(s.c) == 0 {
				f.Flush()
			}
		case <-r.Context().Done():
			return
		}
	}
}
