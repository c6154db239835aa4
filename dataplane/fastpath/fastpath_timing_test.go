package fastpath

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
)

// BenchmarkXDP gives the cost of a frame in the whole program (ns/frame), over
// 65,536 frames that differ in one random address, so that neither tables nor
// caches are warm for them; and how many times that of an empty program it is
// (x-empty), which ran in between.
func BenchmarkXDP(b *testing.B) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, c := range []struct {
		name  string
		setup func(b *testing.B) (f *FastPath, frame []byte, source bool, addr func() uint32)
		drops bool
	}{
		{"pass", func(b *testing.B) (*FastPath, []byte, bool, func() uint32) {
			return open(b, Config{Samples: -1}), tcp4("10.1.1.1", "10.1.1.2", 1, 2, "A"), false, rng.Uint32
		}, false},
		{"pass-malformed-checked", func(b *testing.B) (*FastPath, []byte, bool, func() uint32) {
			return open(b, Config{Samples: -1, Malformed: MalformedAll}), tcp4("10.1.1.1", "10.1.1.2", 1, 2, "A"), false, rng.Uint32
		}, false},
		{"miss/1", prefixCase(rng, 1, false), false},
		{"miss/1000", prefixCase(rng, 1000, false), false},
		{"miss/1000000", prefixCase(rng, 1_000_000, false), false},
		{"hit/1", prefixCase(rng, 1, true), true},
		{"hit/1000", prefixCase(rng, 1000, true), true},
		{"hit/1000000", prefixCase(rng, 1_000_000, true), true},
		{"flow-drop/65536", func(b *testing.B) (*FastPath, []byte, bool, func() uint32) {
			f := open(b, Config{Samples: -1})
			n := 0
			for i := range 1 << 16 {
				a := netip.AddrFrom4([4]byte{11, byte(i >> 8), byte(i), 1})
				if err := f.DropFlow(key4("10.1.1.1", 1, a.String(), 2, 6, 4), time.Hour); err != nil {
					b.Fatal(err)
				}
			}
			order := rng.Perm(1 << 16)
			return f, tcp4("10.1.1.1", "10.1.1.2", 1, 2, "A"), false, func() uint32 {
				i := order[n%len(order)]
				n++
				return binary.NativeEndian.Uint32([]byte{11, byte(i >> 8), byte(i), 1})
			}
		}, true},
		{"flow-miss/65536", func(b *testing.B) (*FastPath, []byte, bool, func() uint32) {
			f := open(b, Config{Samples: -1})
			for i := range 1 << 16 {
				a := netip.AddrFrom4([4]byte{11, byte(i >> 8), byte(i), 1})
				if err := f.DropFlow(key4("10.1.1.1", 1, a.String(), 2, 6, 4), time.Hour); err != nil {
					b.Fatal(err)
				}
			}
			return f, tcp4("10.1.1.1", "10.1.1.2", 3, 2, "A"), false, rng.Uint32
		}, false},
		{"acl-pass/1000-prefixes", aclCase(rng, 443), false},
		{"acl-drop/1000-prefixes", aclCase(rng, 22), true},
		{"quarantine/1000-hosts", func(b *testing.B) (*FastPath, []byte, bool, func() uint32) {
			f := open(b, Config{Samples: -1})
			var all []netip.Prefix
			for i := range 1000 {
				a := netip.AddrFrom4([4]byte{11, byte(i >> 8), byte(i), 1})
				all = append(all, netip.PrefixFrom(a, 32))
				if err := f.Quarantine(Quarantined{Host: a}); err != nil {
					b.Fatal(err)
				}
			}
			return f, tcp4("10.1.1.1", "10.1.1.2", 1, 2, "A"), true, func() uint32 { return inside(rng, all[rng.IntN(len(all))]) }
		}, true},
		{"rate-limits/random-sources", func(b *testing.B) (*FastPath, []byte, bool, func() uint32) {
			limit := Limit{PerSecond: 10}
			return open(b, Config{Samples: -1, Limits: Limits{SYN: limit, New: Limit{PerSecond: 1 << 30}}}), tcp4("10.1.1.1", "10.1.1.2", 1, 2, "S"), true, rng.Uint32
		}, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			f, frame, source, addr := c.setup(b)
			m := measureFrames(b, f, frame, source, c.drops, addr)
			b.ReportMetric(m.frame, "ns/frame")
			b.ReportMetric(m.empty, "ns-empty")
			b.ReportMetric((m.empty+m.frame)/m.empty, "x-empty")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// prefixCase has n random prefixes on the block list, and frames to them or past
// them.
func prefixCase(rng *rand.Rand, n int, hit bool) func(*testing.B) (*FastPath, []byte, bool, func() uint32) {
	return func(b *testing.B) (*FastPath, []byte, bool, func() uint32) {
		f := open(b, Config{Samples: -1})
		all := make([]Block, n)
		for i := range all {
			var a [4]byte
			binary.BigEndian.PutUint32(a[:], 0x0b000000+rng.Uint32N(0xd0000000))
			all[i].Prefix = netip.PrefixFrom(netip.AddrFrom4(a), 24+rng.IntN(9)).Masked()
		}
		start := time.Now()
		if err := f.BlockAll(all); err != nil {
			b.Fatal(err)
		}
		b.Logf("%d prefixes loaded in %v", n, time.Since(start).Round(time.Microsecond))
		frame := tcp4("10.1.1.1", "10.1.1.2", 1, 2, "A")
		if hit {
			return f, frame, false, func() uint32 { return inside(rng, all[rng.IntN(n)].Prefix) }
		}
		return f, frame, false, func() uint32 { return inside(rng, netip.MustParsePrefix("240.0.0.0/4")) }
	}
}

// aclCase has a thousand prefixes in ten zones with rules between all of them,
// and packets that open a connection.
func aclCase(rng *rand.Rand, port uint16) func(*testing.B) (*FastPath, []byte, bool, func() uint32) {
	return func(b *testing.B) (*FastPath, []byte, bool, func() uint32) {
		f := open(b, Config{Samples: -1})
		s := Segmentation{Zones: map[string][]netip.Prefix{"src": {netip.MustParsePrefix("10.1.0.0/16")}}}
		var all []netip.Prefix
		for i := range 1000 {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{11, byte(i >> 8), byte(i), 0}), 24)
			zone := fmt.Sprint("zone", i%10)
			s.Zones[zone] = append(s.Zones[zone], p)
			all = append(all, p)
		}
		for i := range 10 {
			zone := fmt.Sprint("zone", i)
			for j := range 16 {
				first := uint16(20 + 100*j)
				s.Rules = append(s.Rules, SegmentRule{Name: fmt.Sprint(zone, "-", j), From: "src", To: zone, Proto: 6, Ports: []PortRange{{first, first + 5}}, Drop: true})
			}
		}
		if err := f.SetSegmentation(s); err != nil {
			b.Fatal(err)
		}
		return f, tcp4("10.1.1.1", "10.1.1.2", 1, port, "S"), false, func() uint32 { return inside(rng, all[rng.IntN(len(all))]) }
	}
}

// frameCost is nanoseconds for one frame: in the program alone, what it takes to
// come to it left out, and in a program that drops it unseen.
type frameCost struct{ frame, empty float64 }

func measureFrames(b *testing.B, f *FastPath, frame []byte, source, drops bool, addr func() uint32) (m frameCost) {
	b.Helper()
	coll := benchCollection(b, f, nil)
	fillKeys(b, coll, addr)
	which := uint32(0)
	if source {
		which = 1
	}
	for name, v := range map[string]uint32{"bench_source": which, "bench_hits": 0, "bench_next": 0} {
		if err := coll.Variables[name].Set(v); err != nil {
			b.Fatal(err)
		}
	}
	one := func(prog *ebpf.Program, repeat int) time.Duration {
		d, err := testTime(prog, frame, repeat)
		if err != nil {
			b.Fatal(err)
		}
		return d
	}
	var whole, loop, empty []time.Duration
	frames := 0
	for b.Loop() {
		for range benchKeys / benchRun {
			whole = append(whole, one(coll.Programs["sluice_bench_frames"], 1))
			loop = append(loop, one(coll.Programs["sluice_bench_loop"], 1))
			frames += benchRun
		}
		empty = append(empty, one(f.xdp.SluiceEmpty, 10000))
	}
	var hits uint32
	if err := coll.Variables["bench_hits"].Get(&hits); err != nil {
		b.Fatal(err)
	}
	if drops && int(hits) < frames*9/10 || !drops && int(hits) > frames/10 {
		b.Errorf("%d of %d frames were dropped, wanted: %v", hits, frames, drops)
	}
	// Others use the machine and its caches too: the lower quartile.
	low := func(all []time.Duration) float64 {
		slices.Sort(all)
		return float64(all[len(all)/4].Nanoseconds())
	}
	return frameCost{frame: (low(whole) - low(loop)) / benchRun, empty: low(empty)}
}

// testTime runs a program on one packet and gives the kernel's own time for one run.
func testTime(prog *ebpf.Program, pkt []byte, repeat int) (time.Duration, error) {
	_, d, err := prog.Benchmark(pkt, repeat, nil)
	return d, err
}
