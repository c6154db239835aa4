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

// Bits of ever new hosts fill the tables to their bound, at a cost that does not grow
// with them, and those that last leave last.
func TestFloodOfBits(t *testing.T) {
	st := NewState()
	key := func(n uint32) bitKey {
		k := bitKey{a: decode.Addr{15: 1}, id: 1}
		binary.BigEndian.PutUint32(k.a[4:], n)
		return k
	}
	now, full := int64(1e18), uint64(0)
	const lasting = 1000
	for n := range uint32(lasting) {
		st.put(key(n), now, now+3600e9, &full)
	}
	const flood = shards * maxShard * 9 / 8
	for n := range uint32(flood) {
		now += 1000
		st.put(key(lasting+n), now, now+60e9, &full)
	}
	held, left := 0, 0
	for i := range st.bits {
		held += len(st.bits[i].m)
		if n := len(st.bits[i].m); n > maxShard {
			t.Fatalf("shard %d has %d bits", i, n)
		}
	}
	for n := range uint32(lasting) {
		if st.isSet(key(n), now) {
			left++
		}
	}
	if want := uint64(flood + lasting - held); full != want || full == 0 {
		t.Errorf("%d bits are told to have been forgotten, %d were", full, want)
	}
	if left < lasting*99/100 {
		t.Errorf("%d of %d bits that last are left", left, lasting)
	}
	// What is there is set anew without anybody leaving.
	before := full
	st.put(key(0), now, now+1, &full)
	st.put(key(lasting+flood-1), now, 0, &full)
	if full != before || st.isSet(key(lasting+flood-1), now) || st.isSet(key(0), now+1) {
		t.Error("a bit that was there was not changed in place")
	}
}

func BenchmarkBitsFull(b *testing.B) {
	st := NewState()
	full := uint64(0)
	k := bitKey{id: 1}
	for n := 0; n < b.N+2*shards*maxShard; n++ {
		if n == 2*shards*maxShard {
			b.ResetTimer()
		}
		binary.BigEndian.PutUint32(k.a[4:], uint32(n))
		st.put(k, int64(n), int64(n)+1e9, &full)
	}
}
