package main

import (
	"encoding/json"
	"time"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/netlab"
)

// liveGap has what passes while there is no daemon told by the next one.
func liveGap(r *rig) {
	r.start()
	r.page("to begin with")
	if err := r.daemon.Kill(); err != nil {
		r.Fatal(err)
	}
	const n = 4 << 20
	from := time.Now()
	if got, same, err := r.transfer(netlab.Server4+":0", n); err != nil || got != n || !same {
		r.Errorf("without a daemon: %d bytes of %d, the same: %v, %v", got, n, same, err)
	}
	to := time.Now()
	mark := r.soc.Mark()
	r.run()
	e := r.await(mark, "an event of the gap", func(e *stage.Event) bool { return e.Type == "gap" })
	r.wasAway(e, "forwarded", n, 2, from, to)
}

// wasAway expects an event of the gap to tell of the frames between two times,
// of so many bytes at least and so many ports.
func (r *rig) wasAway(e stage.Event, result string, bytes uint64, ports int, from, to time.Time) {
	r.Helper()
	var rec struct {
		Gap struct {
			From, To, Reason, Result string
			Packets, Bytes           uint64
			Ports                    []string
		}
	}
	if err := json.Unmarshal(e.Raw, &rec); err != nil {
		r.Fatal(err)
	}
	g := rec.Gap
	begin, err1 := time.Parse("2006-01-02T15:04:05.000000-0700", g.From)
	end, err2 := time.Parse("2006-01-02T15:04:05.000000-0700", g.To)
	if g.Reason != "away" || g.Result != result || g.Bytes < bytes || g.Packets == 0 || len(g.Ports) != ports || err1 != nil || err2 != nil ||
		begin.Before(from.Add(-2*time.Second)) || end.Before(begin) || end.After(to.Add(5*time.Second)) {
		r.Errorf("%s; from %v to %v", e.Raw, from, to)
	}
}

// liveDropCounts has the counts of drop events add up to what the kernel
// counted, although it shows only some of many.
func liveDropCounts(r *rig) {
	r.start(r.blockList()...)
	mark := r.soc.Mark()
	const n = 700
	if listed, _ := r.datagrams(n); listed != 0 {
		r.Errorf("%d listed datagrams arrived", listed)
	}
	var told uint64
	nameless := 0
	for deadline := time.Now().Add(8 * time.Second); told < n && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		told, nameless = 0, 0
		for _, e := range r.soc.Since(mark) {
			var rec struct {
				Drop struct{ Count uint64 }
			}
			if e.Drop == nil || e.Drop.List != "hostile" || json.Unmarshal(e.Raw, &rec) != nil {
				continue
			}
			told += rec.Drop.Count
			if e.Src == "" {
				nameless++
			}
		}
	}
	st, err := r.daemon.Status(r.ctx)
	if err != nil || told != n || st.XDP["block-source"] != n || nameless == 0 {
		r.Errorf("%d drops were told, %d events without a source, the kernel counted %d of %d; %v", told, nameless, st.XDP["block-source"], n, err)
	}
}
