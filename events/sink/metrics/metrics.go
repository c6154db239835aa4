// Package metrics exports Sluice's counters to Prometheus. It takes a function
// that names counters and gives a collector and a loopback HTTP server; it also
// is a sink that counts published events by type. It knows nothing of who counts.
package metrics

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sort"
	"strings"
	"sync"
	"time"

	"sluice/events"

	"github.com/prometheus/client_golang/prometheus"
	promcollectors "github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Sample is one value of one series.
type Sample struct {
	// Name is the counter's dotted name as in EVE's stats ("decoder.pkts"); the
	// metric is then sluice_decoder_pkts_total, without _total for a gauge.
	Name string
	// Label and LabelValue tell series of one name apart; both empty for none.
	// All samples of a name use the same label.
	Label, LabelValue string
	Value             float64
	// Gauge marks a value that may fall.
	Gauge bool
	Help  string
}

// Snapshot tells all samples. It is called from the scraping goroutine and may
// be called concurrently.
type Snapshot func(emit func(Sample))

// DefaultMaxSeries bounds the series that a Collector exports.
const DefaultMaxSeries = 5000

// DefaultMaxValues bounds the label values of one name; what is beyond is added
// up under the value "other".
const DefaultMaxValues = 100

// Collector exports snapshots. It is safe for concurrent use.
type Collector struct {
	snapshot  Snapshot
	latency   func() events.HistogramSnapshot
	maxSeries int
	maxValues int
}

// NewCollector makes a collector of snapshot; latency, when not nil, gives the
// time from packet to publication.
func NewCollector(snapshot Snapshot, latency func() events.HistogramSnapshot) *Collector {
	return &Collector{snapshot: snapshot, latency: latency, maxSeries: DefaultMaxSeries, maxValues: DefaultMaxValues}
}

// Describe sends nothing: the set of series is known only at collection.
func (c *Collector) Describe(chan<- *prometheus.Desc) {}

type family struct {
	label, help string
	gauge       bool
	values      map[string]float64
}

// Collect sends the current samples, within the bounds.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	families := map[string]*family{}
	series, left := 0, 0
	c.snapshot(func(s Sample) {
		name := metricName(s.Name, s.Gauge)
		f := families[name]
		if f == nil {
			f = &family{label: s.Label, help: s.Help, gauge: s.Gauge, values: map[string]float64{}}
			families[name] = f
		}
		value := strings.ToValidUTF8(s.LabelValue, "?")
		if f.label == "" || s.Label != f.label {
			value = ""
		}
		if _, known := f.values[value]; !known {
			switch {
			case series >= c.maxSeries:
				left++
				return
			case len(f.values) >= c.maxValues:
				value = "other"
			}
			if _, known := f.values[value]; !known {
				series++
			}
		}
		f.values[value] += s.Value
	})
	names := make([]string, 0, len(families))
	for n := range families {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, name := range names {
		f := families[name]
		kind := prometheus.CounterValue
		if f.gauge {
			kind = prometheus.GaugeValue
		}
		help := f.help
		if help == "" {
			help = "See the statistics' reference under this name."
		}
		var labels []string
		if f.label != "" {
			labels = []string{f.label}
		}
		desc := prometheus.NewDesc(name, help, labels, nil)
		for v, n := range f.values {
			if f.label == "" {
				ch <- prometheus.MustNewConstMetric(desc, kind, n)
			} else {
				ch <- prometheus.MustNewConstMetric(desc, kind, n, v)
			}
		}
	}
	ch <- prometheus.MustNewConstMetric(prometheus.NewDesc("sluice_metrics_series_left_out", "Series beyond the bound of the exporter.", nil, nil),
		prometheus.GaugeValue, float64(left))
	if c.latency != nil {
		c.collectLatency(ch)
	}
}

func (c *Collector) collectLatency(ch chan<- prometheus.Metric) {
	s := c.latency()
	buckets := make(map[float64]uint64, len(events.LatencyBounds))
	sum := uint64(0)
	for i, b := range events.LatencyBounds {
		sum += s.Counts[i]
		buckets[b.Seconds()] = sum
	}
	ch <- prometheus.MustNewConstHistogram(prometheus.NewDesc("sluice_event_latency_seconds",
		"Time from a packet to the publication of its event.", nil, nil), s.Count, s.Sum.Seconds(), buckets)
}

// metricName makes a metric's name of a dotted counter's.
func metricName(dotted string, gauge bool) string {
	b := []byte("sluice_" + dotted)
	for i, c := range b {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			b[i] = '_'
		}
	}
	if !gauge {
		return string(b) + "_total"
	}
	return string(b)
}

// Server serves /metrics.
type Server struct {
	// Addr is the address it listens on.
	Addr string
	srv  *http.Server
	done chan error
}

// ErrNotLoopback tells that an address could be reached from other hosts.
var ErrNotLoopback = errors.New("metrics are served on loopback addresses only")

// Serve exports collectors, and those of the Go runtime, on a loopback address
// ("127.0.0.1:9469", port 0 for a free one).
func Serve(addr string, collectors ...prometheus.Collector) (*Server, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("metrics address %q: %w", addr, err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("%w: %q is none; use 127.0.0.1:PORT and a reverse proxy with authentication", ErrNotLoopback, addr)
	}
	reg := prometheus.NewRegistry()
	for _, c := range append(collectors, promcollectors.NewGoCollector(),
		promcollectors.NewProcessCollector(promcollectors.ProcessCollectorOpts{})) {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second}))
	s := &Server{Addr: l.Addr().String(), done: make(chan error, 1), srv: &http.Server{Handler: mux,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 20 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}}
	go func() { s.done <- s.srv.Serve(l) }()
	return s, nil
}

// Close ends the server, letting requests finish as far as ctx allows.
func (s *Server) Close(ctx context.Context) error {
	err := s.srv.Shutdown(ctx)
	if serr := <-s.done; !errors.Is(serr, http.ErrServerClosed) {
		err = errors.Join(err, serr)
	}
	return err
}

// Sink counts published events by type, and dlp events by level, action and rule. Its
// zero value is ready; Emit is safe for concurrent use with Write.
type Sink struct {
	mu                            sync.Mutex
	types, levels, actions, rules map[string]uint64
}

// maxTypes bounds the event types, and the rules, told apart.
const maxTypes = 64

// Name gives "metrics".
func (s *Sink) Name() string { return "metrics" }

// Write counts.
func (s *Sink) Write(_ context.Context, records []events.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.types == nil {
		s.types, s.levels, s.actions, s.rules = map[string]uint64{}, map[string]uint64{}, map[string]uint64{}, map[string]uint64{}
	}
	for i := range records {
		count(s.types, records[i].Type)
		if e := records[i].Event; e != nil && e.DLP != nil {
			count(s.levels, e.DLP.Level)
			count(s.actions, e.DLP.Action)
			count(s.rules, e.DLP.PolicyRule)
		}
	}
	return nil
}

func count(m map[string]uint64, key string) {
	if _, ok := m[key]; !ok && len(m) >= maxTypes {
		key = "other"
	}
	m[key]++
}

// Emit tells the counts as samples, for use in a Snapshot.
func (s *Sink) Emit(emit func(Sample)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for typ, n := range s.types {
		emit(Sample{Name: "events", Label: "type", LabelValue: typ, Value: float64(n), Help: "Events published, by type."})
	}
	for l, n := range s.levels {
		emit(Sample{Name: "dlp.events", Label: "level", LabelValue: l, Value: float64(n), Help: "Data-loss events, by level."})
	}
	for a, n := range s.actions {
		emit(Sample{Name: "dlp.actions", Label: "action", LabelValue: a, Value: float64(n), Help: "Data-loss events, by what the policy decided."})
	}
	for r, n := range s.rules {
		emit(Sample{Name: "dlp.rules", Label: "rule", LabelValue: r, Value: float64(n), Help: "Data-loss events, by the policy's rule."})
	}
}

// Close does nothing.
func (s *Sink) Close(context.Context) error { return nil }
