package app

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"sluice/dataplane/fastpath"
	"sluice/dataplane/live"
	"sluice/events/sink/metrics"
)

// Rates are counts a second, over the last second.
type Rates struct {
	// Seconds is the time they were taken over; 0 right after the start.
	Seconds float64 `json:"over_seconds"`
	Frames  float64 `json:"frames"`
	Bits    float64 `json:"bits"`
	// Lost are frames for which workers had no room.
	Lost     float64 `json:"lost"`
	Flows    float64 `json:"flows"`
	Alerts   float64 `json:"alerts"`
	Findings float64 `json:"findings"`
	Blocked  float64 `json:"blocked_flows"`
	// Dropped are frames that XDP dropped, Withheld those that workers did.
	Dropped  float64 `json:"xdp_dropped"`
	Withheld float64 `json:"withheld"`
	Events   float64 `json:"events"`
}

// WorkerStatus is one worker.
type WorkerStatus struct {
	Mode string `json:"mode"`
	// Ports names the ports it serves, Index tells it from the others there.
	Ports string `json:"ports"`
	Index int    `json:"index"`
	// Load is the share of the last second that its thread was running.
	Load      float64 `json:"load"`
	Frames    uint64  `json:"frames"`
	FrameRate float64 `json:"frames_per_second"`
	// Dropped were lost before it for want of room in its rings.
	Dropped   uint64  `json:"ring_drops"`
	DropRate  float64 `json:"ring_drops_per_second"`
	Forwarded uint64  `json:"forwarded"`
	Withheld  uint64  `json:"withheld"`
	Injected  uint64  `json:"injected"`

	ran time.Duration
}

// SegmentStatus is what one rule of the segmentation has decided.
type SegmentStatus struct {
	Rule    string `json:"rule"`
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

func workerStatus(g *group, stats []live.WorkerStats) []WorkerStatus {
	out := make([]WorkerStatus, 0, len(stats))
	for i, st := range stats {
		w := WorkerStatus{Mode: g.mode, Ports: strings.Join(g.ifaces[:g.ports], ","), Index: i,
			Forwarded: st.Forwarded, Withheld: st.Withheld, Injected: st.Injected, ran: threadTime(st.Thread)}
		for _, r := range st.Received {
			w.Frames += r.Frames
			w.Dropped += r.Dropped
		}
		out = append(out, w)
	}
	return out
}

// threadTime tells how long a thread of this process has run; 0 where it cannot
// be told.
func threadTime(id int) time.Duration {
	if id == 0 {
		return 0
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/schedstat", id))
	if err != nil {
		return 0
	}
	ran, _, _ := strings.Cut(string(b), " ")
	ns, err := strconv.ParseInt(ran, 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(ns)
}

// meter compares the daemon's state with that of a second before.
type meter struct {
	mu    sync.Mutex
	at    time.Time
	last  Status
	rates Status // only what is a rate in it
}

// observe takes the present state. Call it about once a second.
func (m *meter) observe(s Status, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.at.IsZero() {
		if d := now.Sub(m.at).Seconds(); d > 0 {
			m.rates = ratesOf(&m.last, &s, d)
		}
	}
	m.last, m.at = s, now
}

func per(now, before uint64, seconds float64) float64 {
	if now < before {
		return 0
	}
	return float64(now-before) / seconds
}

// ratesOf gives a Status with the rates alone.
func ratesOf(before, now *Status, seconds float64) (out Status) {
	count := func(name string) float64 { return per(now.Counters[name], before.Counters[name], seconds) }
	out.Rates = Rates{Seconds: seconds, Flows: count("flow.total"), Alerts: count("detect.alert"), Findings: count("dlp.findings"),
		Blocked: count("ips.blocked_flows"), Withheld: count("ips.dropped_frames"),
		Events: per(now.Events.Published, before.Events.Published, seconds)}
	for i := range now.Ports {
		p := PortStatus{Name: now.Ports[i].Name}
		if i < len(before.Ports) {
			b := &before.Ports[i]
			p.FrameRate, p.BitRate = per(now.Ports[i].Frames, b.Frames, seconds), 8*per(now.Ports[i].Bytes, b.Bytes, seconds)
			out.Rates.Lost += per(now.Ports[i].Dropped, b.Dropped, seconds)
		}
		out.Rates.Frames += p.FrameRate
		out.Rates.Bits += p.BitRate
		out.Ports = append(out.Ports, p)
	}
	out.XDPRates = map[string]float64{}
	for reason, n := range now.XDP {
		r := per(n, before.XDP[reason], seconds)
		out.XDPRates[reason] = r
		if !passes[reason] {
			out.Rates.Dropped += r
		}
	}
	for i := range now.Loads {
		w := WorkerStatus{}
		if i < len(before.Loads) {
			b := &before.Loads[i]
			w.FrameRate, w.DropRate = per(now.Loads[i].Frames, b.Frames, seconds), per(now.Loads[i].Dropped, b.Dropped, seconds)
			if b.ran > 0 {
				w.Load = min(max((now.Loads[i].ran-b.ran).Seconds()/seconds, 0), 1)
			}
		}
		out.Loads = append(out.Loads, w)
	}
	return out
}

// fill adds the latest rates to a state.
func (m *meter) fill(s *Status) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.Rates, s.XDPRates = m.rates.Rates, m.rates.XDPRates
	for i := range s.Ports {
		if i < len(m.rates.Ports) {
			s.Ports[i].FrameRate, s.Ports[i].BitRate = m.rates.Ports[i].FrameRate, m.rates.Ports[i].BitRate
		}
	}
	for i := range s.Loads {
		if i < len(m.rates.Loads) {
			r := &m.rates.Loads[i]
			s.Loads[i].Load, s.Loads[i].FrameRate, s.Loads[i].DropRate = r.Load, r.FrameRate, r.DropRate
		}
	}
}

// kernelSamples gives Prometheus what the kernel's tables hold.
func (d *Daemon) kernelSamples(emit func(metrics.Sample)) {
	if d.quarantine != nil {
		emit(metrics.Sample{Name: "quarantine.hosts", Value: float64(len(d.quarantine.list())), Gauge: true, Help: "Hosts in quarantine."})
	}
	if d.fast == nil {
		return
	}
	blocked, allowed := d.fast.Sizes()
	emit(metrics.Sample{Name: "xdp.block_entries", Value: float64(blocked), Gauge: true, Help: "Prefixes on block lists."})
	emit(metrics.Sample{Name: "xdp.allow_entries", Value: float64(allowed), Gauge: true, Help: "Prefixes on the allow list."})
	if n, err := d.fast.Memory(); err == nil {
		emit(metrics.Sample{Name: "xdp.table_bytes", Value: float64(n), Gauge: true, Help: "Memory of the kernel's tables, as far as it tells."})
	}
	if rules, err := d.fast.SegmentCounters(); err == nil {
		for _, r := range rules {
			emit(metrics.Sample{Name: "xdp.segmentation_packets", Label: "rule", LabelValue: r.Rule, Value: float64(r.Packets), Help: "Packets that a rule of the segmentation decided about."})
		}
	}
}

// passes are the reasons for which XDP lets a frame pass.
var passes = func() map[string]bool {
	out := map[string]bool{}
	for r := fastpath.Reason(0); r < fastpath.NumReasons; r++ {
		if !r.Drops() {
			out[r.String()] = true
		}
	}
	return out
}()

// Drops reports whether a reason, as Status.XDP has it, is one to drop.
func Drops(reason string) bool { return !passes[reason] }
