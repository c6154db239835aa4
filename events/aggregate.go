package events

import (
	"net/netip"
	"time"
)

// aggregator tells storms by their first events and then by counts. It belongs
// to the publishing goroutine.
type aggregator struct {
	burst   int
	window  time.Duration
	maxKeys int
	keys    map[aggKey]*aggState
	// oldest orders the states by the start of their window.
	oldest []aggKey
}

// aggKey is what makes events "the same": the rule that spoke and the source.
type aggKey struct {
	gid, sid uint32
	rule     string
	action   string
	src      netip.Addr
}

type aggState struct {
	start       time.Time
	full        int
	count       uint64
	first, last int64
	event       *Event
}

func newAggregator(burst int, window time.Duration, maxKeys int) *aggregator {
	return &aggregator{burst: burst, window: window, maxKeys: maxKeys, keys: make(map[aggKey]*aggState)}
}

// admit reports whether e goes out in full. Decisions that are told only once
// per object or flow (anything but alerts and dlp events) always do.
func (a *aggregator) admit(e *Event, now time.Time) bool {
	var k aggKey
	switch {
	case e.Aggregate != nil:
		return true
	case e.Type == "alert" && e.Alert != nil:
		k = aggKey{gid: e.Alert.GID, sid: e.Alert.SignatureID, action: e.Alert.Action, src: e.Src}
	case e.Type == "dlp" && e.DLP != nil:
		k = aggKey{rule: e.DLP.PolicyRule, action: e.DLP.Action, src: e.Src}
	default:
		return true
	}
	s := a.keys[k]
	if s == nil {
		if len(a.keys) >= a.maxKeys {
			return true
		}
		a.keys[k] = &aggState{start: now, full: 1}
		a.oldest = append(a.oldest, k)
		return true
	}
	if s.full < a.burst {
		s.full++
		return true
	}
	if s.count == 0 {
		s.first = e.Time
	}
	s.count++
	s.last, s.event = e.Time, e
	return false
}

// expire ends the windows that have passed, all of them when asked, and gives
// the records that stand for what they suppressed.
func (a *aggregator) expire(now time.Time, all bool) []*Event {
	var out []*Event
	n := 0
	for _, k := range a.oldest {
		s := a.keys[k]
		if !all && now.Sub(s.start) < a.window {
			break
		}
		n++
		delete(a.keys, k)
		if s.count > 0 {
			e := *s.event
			e.Aggregate = &Aggregate{Count: s.count, First: s.first, Last: s.last}
			out = append(out, &e)
		}
	}
	a.oldest = append(a.oldest[:0], a.oldest[n:]...)
	return out
}
