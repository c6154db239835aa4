package engine

import (
	"encoding/binary"
	"testing"

	"sluice/dataplane/decode"
)

// Matches from ever new addresses fill the tables to their bound, and leave a
// rate filter that is in force in force.
func TestFloodLeavesRateFilter(t *testing.T) {
	st := NewState()
	l := &limit{kind: "rate", track: "by_src", n: 1, nanos: 60e9, timeout: 1000e9}
	key := func(n uint32) limitKey {
		k := limitKey{gid: 1, sid: 1, rate: true, a: decode.Addr{15: 1}}
		binary.BigEndian.PutUint32(k.a[4:], n)
		return k
	}
	now := int64(1e18)
	for range 2 {
		st.limit(key(0), l, now)
	}
	for n := range uint32(shards * maxShard * 5 / 4) {
		now += 1000
		st.limit(key(n+1), l, now)
	}
	for i := range st.limits {
		if n := len(st.limits[i].m); n > maxShard {
			t.Fatalf("shard %d has %d entries", i, n)
		}
	}
	if !st.limit(key(0), l, now) {
		t.Error("the flood lifted the filter")
	}
}
