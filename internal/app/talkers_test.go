package app

import (
	"net/netip"
	"testing"
	"time"

	"sluice/dataplane/decode"
	"sluice/dataplane/worker"
)

// TestSumTalkers holds that rates of several workers, which counted for different
// times, are put together, heaviest first.
func TestSumTalkers(t *testing.T) {
	addr := func(s string) decode.Addr { return decode.AddrFrom(netip.MustParseAddr(s)) }
	count := func(tk *worker.Talkers, src string, fate worker.Fate, packets, bytes uint64) {
		for _, c := range []*worker.TalkerCount{tk.Sources.Add(addr(src), bytes), tk.Services.Add(worker.TalkerService{Port: 443, Proto: decode.ProtoTCP}, bytes),
			&tk.Flows.Add(worker.TalkerFlow{Client: addr(src), Server: addr("192.0.2.1"), ClientPort: 40000, ServerPort: 443, Proto: decode.ProtoTCP, VLAN: [2]uint16{7}}, bytes).TalkerCount} {
			c.Packets[fate] += packets
			c.Bytes[fate] += bytes
		}
	}
	a, b, none := worker.NewTalkers(), worker.NewTalkers(), worker.NewTalkers()
	a.End, b.End, b.Sampled = int64(time.Second), int64(2*time.Second), true
	count(a, "10.0.0.1", worker.FateInspected, 10, 1000)
	count(a, "10.0.0.2", worker.FateDropped, 5, 500)
	count(b, "10.0.0.1", worker.FateBypassed, 20, 2000)
	count(none, "10.0.0.9", worker.FateInspected, 1, 1) // of no time at all
	got := sumTalkers([]*worker.Talkers{a, b, none})
	if len(got.Sources) != 2 || len(got.Flows) != 2 || len(got.Services) != 1 || !got.Sampled || got.Seconds != 2 {
		t.Fatalf("%+v", got)
	}
	want := TalkRates{Total: Rate{2000, 20}, Inspected: Rate{1000, 10}, Bypassed: Rate{1000, 10}}
	if s := got.Sources[0]; s.Host != netip.MustParseAddr("10.0.0.1") || s.TalkRates != want {
		t.Errorf("%+v", s)
	}
	if s := got.Sources[1]; s.Dropped != (Rate{500, 5}) || s.Total != s.Dropped {
		t.Errorf("%+v", s)
	}
	if f := got.Flows[0]; f.Proto != "TCP" || f.Server != netip.MustParseAddrPort("192.0.2.1:443") || len(f.VLAN) != 1 || f.VLAN[0] != 7 {
		t.Errorf("%+v", f)
	}
}
