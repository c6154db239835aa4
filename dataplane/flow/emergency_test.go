package flow

import (
	"slices"
	"testing"
	"time"

	"sluice/dataplane/decode"
)

// flood fills a table with new UDP flows from a second on, two established ones
// before them.
func flood(tb *Table, from, to int, at int64) {
	for i := from; i < to; i++ {
		tb.Get(udp("10.0.0.1", uint16(1000+i), "10.0.0.9", 53, at))
	}
}

// TestEmergency: a full table holds its flows to shorter timeouts until enough of
// it is free, and no longer.
func TestEmergency(t *testing.T) {
	ended := map[uint16]Reason{}
	note := func(f *Flow, why Reason) { ended[f.ClientPort] = why }
	cfg := Config{MaxFlows: 100, EmergencyRecovery: 30, Evict: note}
	cfg.Emergency[2] = Timeouts{New: 5 * time.Second, Established: 20 * time.Second}
	tb := NewTable(cfg)
	flood(tb, 0, 99, 1*sec)
	tb.Get(udp("10.0.0.2", 7, "10.0.0.9", 53, 1*sec))
	tb.Get(udp("10.0.0.9", 53, "10.0.0.2", 7, 2*sec))
	if tb.Expire(9*sec, note); len(ended) != 0 {
		t.Fatalf("%d flows ended in peace", len(ended))
	}
	flood(tb, 100, 101, 10*sec)
	if tb.Counters.EmergencyEntered != 1 || len(ended) != 1 {
		t.Fatalf("%d emergencies, %d flows evicted", tb.Counters.EmergencyEntered, len(ended))
	}
	tb.Expire(10*sec, note)
	c := &tb.Counters
	if tb.Len() != 70 || c.EmergencyTimedOut != 30 || c.TimedOut != 30 || c.EmergencyOver != 1 {
		t.Errorf("%d flows stay, %d timed out, %d emergencies over", tb.Len(), c.EmergencyTimedOut, c.EmergencyOver)
	}
	if _, gone := ended[1100]; gone {
		t.Error("the newest flow is gone")
	}
	if _, gone := ended[7]; gone {
		t.Error("an established flow within its time is gone")
	}
	tb.Expire(11*sec, note)
	if tb.Len() != 70 {
		t.Error("short timeouts hold after the emergency")
	}
	// The next one: established flows end by their own short timeout.
	flood(tb, 200, 231, 25*sec)
	tb.Expire(26*sec, note)
	if why, gone := ended[7]; c.EmergencyEntered != 2 || gone && why != Timeout {
		t.Errorf("%d emergencies; established: %v %v", c.EmergencyEntered, gone, why)
	}
	tb.Flush(note)
	if tb.Len() != 0 {
		t.Errorf("%d flows after the end", tb.Len())
	}
}

// TestEmergencySpares: a flow that was active is only looked at later, those of a
// protocol with a longer timeout too, and the work of a call is bounded.
func TestEmergencySpares(t *testing.T) {
	var ended []uint16
	note := func(f *Flow, _ Reason) { ended = append(ended, f.ClientPort) }
	cfg := Config{MaxFlows: 1000, EmergencyRecovery: 100, Evict: note}
	cfg.Emergency[2], cfg.Emergency[0] = Timeouts{New: 5 * time.Second}, Timeouts{New: 50 * time.Second}
	tb := NewTable(cfg)
	flood(tb, 0, 500, 1*sec)
	for i := range 500 {
		tb.Get(packet(decode.ProtoSCTP, "10.0.0.1", uint16(3000+i), "10.0.0.9", 53, 1*sec))
	}
	tb.Get(udp("10.0.0.1", 1001, "10.0.0.9", 53, 8*sec)) // active
	flood(tb, 600, 601, 9*sec)
	ended = nil
	for range 20 {
		before := len(ended)
		tb.Expire(9*sec, note)
		if n := len(ended) - before; n > emergencyWork {
			t.Fatalf("%d flows in one call", n)
		}
	}
	if slices.ContainsFunc(ended, func(p uint16) bool { return p == 1001 || p == 1600 || p >= 3000 }) || len(ended) != 498 {
		t.Errorf("%d ended: %v", len(ended), ended)
	}
	tb.Expire(14*sec, note)
	if !slices.Contains(ended, 1001) {
		t.Error("a spared flow stays for good")
	}
}
