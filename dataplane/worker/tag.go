package worker

import (
	"slices"

	"sluice/dataplane/decode"
	"sluice/events"
	"sluice/signatures"
)

// tag asks for the packets that follow an alert.
type tag struct {
	// left counts down packets or bytes; until is a packet time, 0 for none.
	left  uint64
	bytes bool
	until int64
}

// Bounds of tags: how many hosts of a worker, and tags of one host or flow.
const (
	maxTagHosts = 4096
	maxTags     = 8
)

// setTags notes the tags of a rule that was alerted.
func (w *Worker) setTags(x *signatures.Match) {
	for _, t := range x.Rule.Tags {
		n := tag{left: uint64(t.Count), bytes: t.Metric == "bytes"}
		if t.Metric == "seconds" {
			n.left, n.until = 1<<62, w.now+int64(t.Count)*1e9
		}
		switch {
		case t.Session:
			if w.f != nil {
				if st := w.ensure(w.f); len(st.tags) < maxTags {
					st.tags = append(st.tags, n)
				}
			}
		case w.p.IPVersion != 0:
			a := w.p.Src
			if t.Direction == "dst" {
				a = w.p.Dst
			}
			if w.hostTags == nil {
				w.hostTags = map[decode.Addr][]tag{}
			}
			if old, ok := w.hostTags[a]; len(old) < maxTags && (ok || len(w.hostTags) < maxTagHosts) {
				w.hostTags[a] = append(old, n)
			}
		}
	}
}

// tagged reports the packet in work where an alert before it asked for that.
func (w *Worker) tagged() {
	told := false
	if w.f != nil {
		if st := w.state(w.f); st != nil && len(st.tags) > 0 {
			st.tags, told = w.useTags(st.tags)
		}
	}
	if len(w.hostTags) > 0 && w.p.IPVersion != 0 {
		for _, a := range [2]decode.Addr{w.p.Src, w.p.Dst} {
			if ts, ok := w.hostTags[a]; ok {
				rest, hit := w.useTags(ts)
				if told = told || hit; len(rest) == 0 {
					delete(w.hostTags, a)
				} else {
					w.hostTags[a] = rest
				}
			}
		}
	}
	if !told || w.p.Frame == nil || !w.cfg.Report.wants("packet") {
		return
	}
	var e *events.Event
	if w.f != nil {
		e = w.event("packet", w.f, w.dir)
	} else {
		e = w.packetEvent("packet", w.p)
	}
	e.Packet, e.LinkType = w.masked(w.p.Frame.Data), int(w.p.Frame.Link)
	w.emit(e)
}

// useTags counts the packet in work against tags, gives those that go on, and
// whether any was in force.
func (w *Worker) useTags(ts []tag) ([]tag, bool) {
	hit := false
	ts = slices.DeleteFunc(ts, func(t tag) bool { return t.left == 0 || t.until != 0 && w.now > t.until })
	for i := range ts {
		hit = true
		n := uint64(1)
		if ts[i].bytes {
			n = uint64(len(w.p.Frame.Data))
		}
		ts[i].left -= min(n, ts[i].left)
	}
	return ts, hit
}
