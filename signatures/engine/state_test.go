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
	now, full := int64(1e18), uint64(0)
	for range 2 {
		st.limit(key(0), l, now, &full)
	}
	for n := range uint32(shards * maxShard * 5 / 4) {
		now += 1000
		st.limit(key(n+1), l, now, &full)
	}
	held := 0
	for i := range st.limits {
		held += len(st.limits[i].m)
		if n := len(st.limits[i].m); n > maxShard {
			t.Fatalf("shard %d has %d entries", i, n)
		}
	}
	if want := uint64(shards*maxShard*5/4 + 1 - held); full != want {
		t.Errorf("%d entries are told to have been forgotten, %d were", full, want)
	}
	if !st.limit(key(0), l, now, &full) {
		t.Error("the flood lifted the filter")
	}
}
