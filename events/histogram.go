package events

import (
	"sync/atomic"
	"time"
)

// LatencyBounds are the upper ends of the latency histogram's buckets; a last
// bucket takes what is longer.
var LatencyBounds = [...]time.Duration{
	100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
}

// Histogram counts durations. Its zero value is ready; it is safe for
// concurrent use and Observe takes no lock.
type Histogram struct {
	counts [len(LatencyBounds) + 1]atomic.Uint64
	sum    atomic.Int64
}

// HistogramSnapshot is a histogram at one time.
type HistogramSnapshot struct {
	// Counts holds one count per bucket of LatencyBounds and one for the rest.
	Counts [len(LatencyBounds) + 1]uint64
	Count  uint64
	Sum    time.Duration
}

// Observe counts d; a negative one (clocks that disagree) counts as zero.
func (h *Histogram) Observe(d time.Duration) {
	d = max(d, 0)
	i := 0
	for i < len(LatencyBounds) && d > LatencyBounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(int64(d))
}

// Snapshot gives the counts so far.
func (h *Histogram) Snapshot() HistogramSnapshot {
	var s HistogramSnapshot
	for i := range h.counts {
		s.Counts[i] = h.counts[i].Load()
		s.Count += s.Counts[i]
	}
	s.Sum = time.Duration(h.sum.Load())
	return s
}

// Quantile gives the upper bound of the bucket that holds the q-th part of the
// observations, 0 without any, and ten times the last bound for the last bucket.
func (s *HistogramSnapshot) Quantile(q float64) time.Duration {
	if s.Count == 0 {
		return 0
	}
	want, seen := uint64(q*float64(s.Count)+0.5), uint64(0)
	for i, n := range s.Counts {
		if seen += n; seen >= max(want, 1) {
			if i < len(LatencyBounds) {
				return LatencyBounds[i]
			}
			break
		}
	}
	return 10 * LatencyBounds[len(LatencyBounds)-1]
}
