package app

import (
	"net/netip"
	"testing"
	"time"

	"sluice/dataplane/fastpath"
)

// TestDropTally has the counts of all events of a group add up to the kernel's,
// however few of the drops were sampled and however late.
func TestDropTally(t *testing.T) {
	tally := newDropTally()
	list, syn := dropGroup{list: "hostile"}, dropGroup{reason: fastpath.ReasonRateSYN}
	totals := map[dropGroup]fastpath.Count{}
	told := map[dropGroup]uint64{}
	nameless := 0
	take := func(last bool) {
		for _, e := range tally.take(time.Unix(1, 0), totals, last) {
			k := syn
			if e.Drop.List != "" {
				k = list
			}
			told[k] += e.Drop.Count
			if !e.Src.IsValid() {
				nameless++
			}
			if e.Drop.Len != 60 || e.Drop.Source != "xdp" {
				t.Errorf("%+v", e.Drop)
			}
		}
	}
	drop := func(k dropGroup, n, sampled int, reason fastpath.Reason) {
		c := totals[k]
		c.Packets += uint64(n)
		c.Bytes += uint64(n) * 60
		totals[k] = c
		for i := range sampled {
			tally.add(&fastpath.Sample{Src: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 1),
				Dst: netip.MustParseAddrPort("198.51.100.1:80"), Reason: reason, List: k.list, Length: 60, Proto: 6})
		}
	}
	drop(list, 3, 3, fastpath.ReasonBlockSource)
	take(false)
	take(false)
	if told[list] != 3 || nameless != 0 {
		t.Fatalf("of few drops %d were told, %d without a source", told[list], nameless)
	}
	drop(list, 1000, 10, fastpath.ReasonBlockDestination)
	drop(syn, 500, 4, fastpath.ReasonRateSYN)
	take(false)
	if told[list] != 13 || told[syn] != 4 {
		t.Errorf("told too soon: %v", told)
	}
	take(false)
	if told[list] != 1003 || told[syn] != 500 || nameless != 2 {
		t.Errorf("%v, %d without a source", told, nameless)
	}
	// Samples may arrive before the count that holds them.
	before := totals[syn]
	drop(syn, 7, 7, fastpath.ReasonRateSYN)
	after := totals[syn]
	totals[syn] = before
	take(false)
	totals[syn] = after
	take(false)
	drop(list, 50, 0, 0)
	take(true)
	if told[list] != 1053 || told[syn] != 507 {
		t.Errorf("at the end: %v", told)
	}
}
