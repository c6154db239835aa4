package app

import (
	"fmt"

	"sluice/dataplane/live"
	"sluice/events/sink/metrics"
)

// RingStatus is one worker's share of a port.
type RingStatus struct {
	Worker int `json:"worker"`
	// CPU is the processor that the worker is pinned to; none when absent.
	CPU       *int   `json:"cpu,omitempty"`
	Frames    uint64 `json:"frames"`
	Bytes     uint64 `json:"bytes"`
	Dropped   uint64 `json:"dropped_by_kernel"`
	Truncated uint64 `json:"truncated"`
	// Fill is how full the receive buffer was at the last look, in percent.
	Fill     float64 `json:"fill_percent"`
	Sent     uint64  `json:"sent"`
	SendLost uint64  `json:"send_errors"`
	// Discarded, with a worker's first port, are frames that the kernel forwarded
	// while the worker hung, and that it threw away when it came back.
	Discarded uint64 `json:"discarded_after_hang"`
	// Starved, with a worker's first port, is how often its frames waited because
	// other programs had the CPU, when they would have passed as if it hung.
	Starved uint64 `json:"starved"`
}

// cpus takes the next n processors of ports.capture.cpus; none where fewer are
// named: pinning some of the workers would crowd them.
func (d *Daemon) cpus(n int) []int {
	all := d.cfg.Ports.Capture.CPUs
	if len(all) == 0 {
		return nil
	}
	if len(all)-d.pinned < n {
		d.log.Warn("workers are not pinned: ports.capture.cpus names too few processors", "named", len(all), "taken", d.pinned, "wanted", n)
		return nil
	}
	d.pinned += n
	return all[d.pinned-n : d.pinned]
}

// ring gives a worker's share of a side: what it received there, and what it
// sent out of it.
func (g *group) ring(worker, side int, st *live.WorkerStats) RingStatus {
	in, out := st.Received[side], st.Sent[side]
	r := RingStatus{Worker: worker, Frames: in.Frames, Bytes: in.Bytes, Dropped: in.Dropped, Truncated: in.Truncated,
		Fill: float64(int(st.Fill[side]*1000)) / 10, Sent: out.Frames, SendLost: out.Truncated + out.TooLong + out.NoBuffer + out.Down + out.Failed}
	if side == 0 {
		r.Discarded, r.Starved = st.Discarded, st.Starved
	}
	if worker < len(g.cpus) {
		r.CPU = &g.cpus[worker]
	}
	return r
}

// rings calls fn for every worker's share of every side of the ports. A
// gateway's second side, towards the host, has no port of its own; a tap's ports
// beyond the first are counted as one.
func (d *Daemon) rings(fn func(port string, r RingStatus)) {
	for _, g := range d.groups {
		for w, st := range g.stats() {
			for side := range min(len(st.Received), len(g.ifaces)) {
				name := g.ifaces[side]
				if side >= g.ports {
					name += "/host"
				}
				fn(name, g.ring(w, side, &st))
			}
		}
	}
}

// ringSamples gives the rings' counts to Prometheus.
func (d *Daemon) ringSamples(emit func(metrics.Sample)) {
	d.rings(func(port string, r RingStatus) {
		name := fmt.Sprintf("%s:%d", port, r.Worker)
		for _, s := range []struct {
			name, help string
			v          uint64
		}{
			{"ring.frames", "Frames received, by port and worker.", r.Frames},
			{"ring.dropped_frames", "Frames lost to a full buffer, by port and worker.", r.Dropped},
			{"ring.truncated_frames", "Frames received cut, by port and worker.", r.Truncated},
			{"ring.send_errors", "Frames that could not be sent, by port and worker.", r.SendLost},
		} {
			emit(metrics.Sample{Name: s.name, Label: "ring", LabelValue: name, Value: float64(s.v), Help: s.help})
		}
		emit(metrics.Sample{Name: "ring.fill_percent", Label: "ring", LabelValue: name, Value: r.Fill, Gauge: true, Help: "How full the receive buffer is, by port and worker."})
	})
}
