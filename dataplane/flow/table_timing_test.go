package flow

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
)

func fill(tb testing.TB, n int) (*Table, func(i uint32) *decode.Packet) {
	t := NewTable(Config{MaxFlows: n + n/8, Memcap: 4 << 30, Seed: 42})
	p := &decode.Packet{Proto: decode.ProtoTCP, IPVersion: 4, Flags: decode.FlagHasPorts, DstPort: 443, Dst: addr("192.0.2.1"),
		Src: addr("10.0.0.0"), TCPFlags: decode.TCPSyn, Frame: &capture.Frame{WireLen: 60}}
	get := func(i uint32) *decode.Packet {
		binary.BigEndian.PutUint32(p.Src[12:], 0x0a000000|i>>4)
		p.SrcPort = uint16(1024 + i&15)
		return p
	}
	for i := range uint32(n) {
		t.Get(get(i))
	}
	if t.Len() != n {
		tb.Fatal(t.Len())
	}
	return t, get
}

func TestNoAllocation(t *testing.T) {
	tb, get := fill(t, 1000)
	i := uint32(0)
	if a := testing.AllocsPerRun(2000, func() { i++; tb.Get(get(i % 1000)) }); a != 0 {
		t.Errorf("%v allocations for a packet of a known flow", a)
	}
	now := int64(0)
	churn := func() {
		now += 100 * sec
		for i := range uint32(50) {
			p := get(5000 + i)
			p.Time = now
			f, _, _ := tb.Get(p)
			tb.Bypass(f)
		}
		for !tb.Expire(now, nil) {
		}
	}
	for range 20 {
		churn()
	}
	if a := testing.AllocsPerRun(100, churn); a != 0 {
		t.Errorf("%v allocations for flows that come and go", a)
	}
}

func BenchmarkGet1M(b *testing.B) {
	const n = 1 << 20
	t, get := fill(b, n)
	order := make([]uint32, 1<<16)
	for i := range order {
		order[i] = rand.Uint32N(n)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		t.Get(get(order[i&0xffff]))
		i++
	}
}

// BenchmarkMap1M is what a Go map with the key would cost, for comparison.
func BenchmarkMap1M(b *testing.B) {
	const n = 1 << 20
	m := make(map[Key]*Flow, n)
	flows := make([]Flow, n)
	_, get := fill(b, 1)
	for i := range uint32(n) {
		k, _, _ := KeyOf(get(i), false)
		m[k] = &flows[i]
	}
	order := make([]uint32, 1<<16)
	for i := range order {
		order[i] = rand.Uint32N(n)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		k, _, _ := KeyOf(get(order[i&0xffff]), false)
		m[k].Last++
		i++
	}
}

func BenchmarkNewAndExpire(b *testing.B) {
	t, get := fill(b, 1)
	now := int64(0)
	b.ReportAllocs()
	for i := uint32(0); b.Loop(); i++ {
		p := get(i & (1<<20 - 1))
		now += sec / 1000
		p.Time = now
		t.Get(p)
		if i&31 == 0 {
			t.Expire(now, nil)
		}
	}
}
