package app

import (
	"testing"

	"sluice/dataplane/decode"
	"sluice/dataplane/worker"
)

func TestStatsNames(t *testing.T) {
	var c worker.Counters
	c.Decode.Packets = 7
	c.Decode.Events[decode.EvIPv4FragOverlap] = 3
	c.StreamEvents[0] = 2
	stream := decode.StreamEvents.String()
	decoder := "decoder.event." + decode.EvIPv4FragOverlap.String()
	f := func(decoders, streams bool, name string, sets ...string) {
		t.Helper()
		m := statsEvent(settings(t, sets...).Stats, 1, 1, c, nil).Stats.Counters
		if m["decoder.pkts"] != 7 || (m[name] == 3) != decoders || (m[stream] == 2) != streams {
			t.Errorf("%v: %v", sets, m)
		}
		if _, ok := m[decoder]; ok != (decoders && name == decoder) {
			t.Errorf("%v: %s is there", sets, decoder)
		}
	}
	f(true, true, decoder)
	f(false, true, decoder, "stats.decoder-events=no")
	f(true, false, decoder, "stats.stream-events=no")
	f(true, true, "decoder."+decode.EvIPv4FragOverlap.String(), "stats.decoder-events-prefix=decoder")
}
