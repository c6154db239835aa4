package app

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"time"

	"sluice/dataplane/fastpath"
	"sluice/dataplane/worker"
	"sluice/events"
)

// dropTally makes events of what the fast path drops. The kernel counts every
// drop by reason, and by block list, and shows a few of each second: those are
// told by source, with how many of them were seen, and what was counted beyond
// them is told without a source. The sum of drop.count over the events of a
// reason, or of a block list, is exact.
type dropTally struct {
	mu   sync.Mutex
	seen map[dropKey]*dropCount
	// groups holds what was counted and told since the start.
	groups map[dropGroup]*dropTotal
	// last are the sources of the last second, most drops first.
	last []DropSource
}

// DropSource is a source whose packets were dropped in XDP. Count is how many of
// them were seen: of a flood it is a sample.
type DropSource struct {
	Src    netip.Addr `json:"src"`
	Reason string     `json:"reason"`
	List   string     `json:"list,omitempty"`
	Count  uint64     `json:"seen"`
}

// maxSources is how many sources are kept of a second.
const maxSources = 10

// sources gives the sources of the last second.
func (t *dropTally) sources() []DropSource {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}

type dropKey struct {
	src    netip.Addr
	reason fastpath.Reason
	list   string
}

// dropGroup is what the kernel counts together: a block list, or a reason that
// is no list's.
type dropGroup struct {
	reason fastpath.Reason // 0 for block lists
	list   string
}

type dropCount struct {
	sample fastpath.Sample
	n      uint64
}

type dropTotal struct {
	// counted is the kernel's count as of the call before: a sample of it has
	// arrived by now.
	counted fastpath.Count
	told    fastpath.Count
}

// maxDropKeys bounds the sources told apart within a second.
const maxDropKeys = 4096

func newDropTally() *dropTally {
	return &dropTally{seen: map[dropKey]*dropCount{}, groups: map[dropGroup]*dropTotal{}}
}

func groupOf(r fastpath.Reason, list string) dropGroup {
	if r == fastpath.ReasonBlockSource || r == fastpath.ReasonBlockDestination || r == fastpath.ReasonQuarantine {
		return dropGroup{list: list}
	}
	return dropGroup{reason: r}
}

// add takes a sample.
func (t *dropTally) add(s *fastpath.Sample) {
	k := dropKey{s.Src.Addr(), s.Reason, s.List}
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.seen[k]
	if c == nil {
		if len(t.seen) >= maxDropKeys {
			return // told without its source
		}
		c = &dropCount{sample: *s}
		t.seen[k] = c
	}
	c.n++
	g := t.group(groupOf(s.Reason, s.List))
	g.told.Packets++
	g.told.Bytes += uint64(s.Length)
}

func (t *dropTally) group(k dropGroup) *dropTotal {
	g := t.groups[k]
	if g == nil {
		g = &dropTotal{}
		t.groups[k] = g
	}
	return g
}

// dropTotals reads the kernel's counts; nil where they cannot be read.
func (d *Daemon) dropTotals() map[dropGroup]fastpath.Count {
	if d.fast == nil {
		return nil
	}
	byReason, err := d.fast.Counters()
	if err != nil {
		return nil
	}
	byList, err := d.fast.ListCounters()
	if err != nil {
		return nil
	}
	out := map[dropGroup]fastpath.Count{}
	for r := fastpath.Reason(0); r < fastpath.NumReasons; r++ {
		if r.Drops() && groupOf(r, "").reason != 0 && byReason[r].Packets > 0 {
			out[dropGroup{reason: r}] = byReason[r]
		}
	}
	for list, n := range byList {
		out[dropGroup{list: list}] = n
	}
	return out
}

// take gives the drops since the last call. totals are the kernel's counts now;
// what they hold beyond the samples is told one call later, when these have
// arrived, or at once where this is the last call.
func (t *dropTally) take(now time.Time, totals map[dropGroup]fastpath.Count, last bool) []*events.Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []*events.Event
	top := make([]DropSource, 0, len(t.seen))
	for k, c := range t.seen {
		out = append(out, c.event(now))
		top = append(top, DropSource{Src: k.src, Reason: k.reason.String(), List: k.list, Count: c.n})
	}
	slices.SortFunc(top, func(a, b DropSource) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), a.Src.Compare(b.Src), cmp.Compare(a.Reason, b.Reason))
	})
	t.last = slices.Clone(top[:min(len(top), maxSources)])
	clear(t.seen)
	for k, n := range totals {
		g := t.group(k)
		if last {
			g.counted = n
		}
		if g.counted.Packets > g.told.Packets {
			more := fastpath.Count{Packets: g.counted.Packets - g.told.Packets}
			if g.counted.Bytes > g.told.Bytes {
				more.Bytes = g.counted.Bytes - g.told.Bytes
			}
			g.told.Packets += more.Packets
			g.told.Bytes += more.Bytes
			reason := k.reason.String()
			if k.reason == 0 {
				reason = "block"
				if k.list == fastpath.QuarantineList {
					reason = fastpath.ReasonQuarantine.String()
				}
			}
			out = append(out, &events.Event{Time: now.UnixNano(), Type: "drop",
				Drop: &events.Drop{Len: int(more.Bytes / more.Packets), Reason: reason, Source: "xdp", List: k.list, Count: more.Packets}})
		}
		g.counted = n
	}
	return out
}

// event tells of the drops of one source that were seen.
func (c *dropCount) event(now time.Time) *events.Event {
	s := &c.sample
	e := &events.Event{Time: now.UnixNano(), Type: "drop", Src: s.Src.Addr(), Dst: s.Dst.Addr(), SrcPort: s.Src.Port(), DstPort: s.Dst.Port(),
		HasPorts: s.Src.Port() != 0 || s.Dst.Port() != 0, Proto: worker.ProtoName(s.Proto), IPVersion: 4}
	if s.Src.Addr().Is6() && !s.Src.Addr().Is4In6() {
		e.IPVersion = 6
	}
	reason := s.Reason.String()
	if s.Why != "" {
		reason += ": " + s.Why
	}
	e.Drop = &events.Drop{Len: s.Length, Reason: reason, Source: "xdp", List: s.List, Count: c.n}
	return e
}
