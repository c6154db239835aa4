package app

import (
	"time"

	"sluice/dataplane/fastpath"
	"sluice/events"
)

// gap is the event of traffic that went by uninspected.
type gap struct {
	From  string   `json:"from"`
	To    string   `json:"to"`
	Ports []string `json:"ports"`
	// Reason is "away" while there was no daemon, and "hung" while its workers
	// gave no sign of life or had not begun.
	Reason string `json:"reason"`
	// Result says what became of the frames: "forwarded" or "dropped".
	Result  string `json:"result"`
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes,omitempty"`
}

// gapTime is how events write times.
const gapTime = "2006-01-02T15:04:05.000000-0700"

func (d *Daemon) gapEvent(g *group, from, to time.Time, reason string, n fastpath.Count) *events.Event {
	x := gap{From: from.Format(gapTime), To: to.Format(gapTime), Ports: g.ifaces[:g.ports], Reason: reason, Result: "forwarded", Packets: n.Packets, Bytes: n.Bytes}
	if d.cfg.Ports.Fail == "closed" {
		x.Result = "dropped"
	}
	d.log.Warn("frames went by uninspected", "ports", x.Ports, "reason", reason, "result", x.Result, "packets", n.Packets, "bytes", n.Bytes)
	return &events.Event{Time: to.UnixNano(), Type: "gap", Extra: map[string]any{"gap": x}}
}

// gaps tells of the frames that no worker saw since the last call, a second
// ago, and once of those before this process. Only housekeeping calls it.
func (d *Daemon) gaps(now time.Time) []*events.Event {
	var out []*events.Event
	for _, g := range d.groups {
		if g.passed == nil {
			continue
		}
		if !g.away.From.IsZero() {
			n := fastpath.Count{Packets: g.away.Forwarded[0].Packets + g.away.Forwarded[1].Packets, Bytes: g.away.Forwarded[0].Bytes + g.away.Forwarded[1].Bytes}
			out = append(out, d.gapEvent(g, g.away.From, g.away.To, "away", n))
			g.away = fastpath.Away{}
		}
		n, err := g.passed()
		if err != nil || n.Packets <= g.gone.Packets {
			continue
		}
		out = append(out, d.gapEvent(g, now.Add(-time.Second), now, "hung", fastpath.Count{Packets: n.Packets - g.gone.Packets, Bytes: n.Bytes - g.gone.Bytes}))
		g.gone = n
	}
	return out
}
