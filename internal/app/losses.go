package app

import (
	"time"

	"sluice/events"
	"sluice/events/sink/metrics"
)

// loss is what was told of a sink's losses, and when.
type loss struct {
	total uint64
	at    time.Time
}

// lost counts the events that sinks could not take, by sink; what lost none is
// left out. It may be called at any time.
func (o *Output) lost() map[string]uint64 {
	out := map[string]uint64{}
	for _, f := range o.files {
		if n := f.Lost(); n > 0 {
			out[f.Name()] += n
		}
	}
	if o.NATS != nil {
		st := o.NATS.Stats()
		if n := st.Spool.Overflow + st.Spool.WriteErrors + st.Rejected; n > 0 {
			out[o.NATS.Name()] = n
		}
	}
	return out
}

// tellLosses is how often a sink's losses are told: the event about them may be
// lost to the same sink.
const tellLosses = 10 * time.Second

// losses are events about events lost since they were last told, for the sinks
// that still work. Only housekeeping calls it.
func (o *Output) losses(now time.Time) []*events.Event {
	var out []*events.Event
	for name, total := range o.lost() {
		last := o.told[name]
		if total == last.total || now.Sub(last.at) < tellLosses {
			continue
		}
		if o.told == nil {
			o.told = map[string]loss{}
		}
		n := total - last.total
		o.told[name] = loss{total, now}
		out = append(out, &events.Event{Time: now.UnixNano(), Type: "engine", Extra: map[string]any{
			"log_level": "Warning",
			"engine":    map[string]any{"message": "events lost: " + name + " could not take them", "sink": name, "events_lost": n, "events_lost_total": total},
		}})
	}
	return out
}

// sinkSamples gives the sinks' state to Prometheus.
func (o *Output) sinkSamples(emit func(metrics.Sample)) {
	lost := o.lost()
	sink := func(name string) {
		emit(metrics.Sample{Name: "sink.lost", Label: "sink", LabelValue: name, Value: float64(lost[name]), Help: "Events that a sink could not take: no room, an error of the disk, too large."})
	}
	for _, f := range o.files {
		sink(f.Name())
	}
	if o.NATS == nil {
		return
	}
	sink(o.NATS.Name())
	st, up := o.NATS.Stats(), 0.0
	if st.Connected {
		up = 1
	}
	emit(metrics.Sample{Name: "nats.connected", Value: up, Gauge: true, Help: "1 while the NATS server takes events."})
	emit(metrics.Sample{Name: "nats.stored", Value: float64(st.Acked), Help: "Events that the NATS server has stored."})
	emit(metrics.Sample{Name: "nats.retries", Value: float64(st.Retries), Help: "Sessions with the NATS server that ended with an error."})
	emit(metrics.Sample{Name: "nats.spool_bytes", Value: float64(st.Spool.PendingBytes), Gauge: true, Help: "Bytes of events that wait for the NATS server."})
}
