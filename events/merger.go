package events

import (
	"cmp"
	"slices"
	"sync"
)

// mergeWindow is how many batches a worker may be ahead of the slowest one.
const mergeWindow = 256

// Merger makes the order of events independent of how many workers produced
// them and of how these were scheduled: replay gives the same file every time.
// Each worker submits its events of every batch of frames; once all have
// submitted a batch, its events go out in the order of (PcapCnt, Seq). It is
// safe for concurrent use.
type Merger struct {
	workers int
	out     func([]*Event)

	mu      sync.Mutex
	moved   sync.Cond
	next    uint64
	slots   [mergeWindow]mergeSlot
	aborted bool
}

type mergeSlot struct {
	parts [][]*Event
	have  int
}

// NewMerger makes a merger for workers 0 to workers-1, whose batches are
// numbered from 0. It calls out for every batch that has events, in the order
// of batches and never concurrently; out owns the slice.
func NewMerger(workers int, out func([]*Event)) *Merger {
	m := &Merger{workers: max(workers, 1), out: out}
	m.moved.L = &m.mu
	for i := range m.slots {
		m.slots[i].parts = make([][]*Event, m.workers)
	}
	return m
}

// Submit hands over a worker's events of one batch. Every worker submits every
// batch number once and in ascending order, with no events where it has none.
// It waits while the worker is far ahead of others, and calls out when it
// completes the oldest batch. The merger owns evs from now on.
func (m *Merger) Submit(worker int, batch uint64, evs []*Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for batch >= m.next+mergeWindow && !m.aborted {
		m.moved.Wait()
	}
	if m.aborted || batch < m.next {
		return
	}
	s := &m.slots[batch%mergeWindow]
	s.parts[worker] = evs
	s.have++
	moved := false
	for {
		s := &m.slots[m.next%mergeWindow]
		if s.have < m.workers {
			break
		}
		if all := s.take(); len(all) > 0 {
			m.out(all)
		}
		m.next++
		moved = true
	}
	if moved {
		m.moved.Broadcast()
	}
}

// Abort releases workers that wait, for good: what is submitted afterwards is
// dropped. It is for shutting down after an error.
func (m *Merger) Abort() {
	m.mu.Lock()
	m.aborted = true
	m.mu.Unlock()
	m.moved.Broadcast()
}

// take empties the slot and gives its events in order.
func (s *mergeSlot) take() []*Event {
	var all []*Event
	for i, p := range s.parts {
		if all == nil {
			all = p
		} else {
			all = append(all, p...)
		}
		s.parts[i] = nil
	}
	s.have = 0
	slices.SortStableFunc(all, compareEvents)
	return all
}

// compareEvents orders events of numbered frames by number and sequence. Those
// without a number (flows that end with the capture) follow, by Order, time and
// flow, since their sequence depends on which worker held the flow.
func compareEvents(a, b *Event) int {
	if a.PcapCnt != b.PcapCnt {
		if a.PcapCnt == 0 {
			return 1
		}
		if b.PcapCnt == 0 {
			return -1
		}
		return cmp.Compare(a.PcapCnt, b.PcapCnt)
	}
	if a.PcapCnt == 0 {
		return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.Time, b.Time), cmp.Compare(a.FlowID, b.FlowID), cmp.Compare(a.Seq, b.Seq))
	}
	return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.FlowID, b.FlowID))
}
