package fastpath

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/cilium/ebpf"
)

// BenchmarkXDP gives ns a packet in the kernel (ns/packet), over packets of
// 4,096 random destinations.
func BenchmarkXDP(b *testing.B) {
	const packets, repeat = 4096, 64
	rng := rand.New(rand.NewPCG(3, 4))
	random := func() netip.Addr {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], 0x0b000000+rng.Uint32N(0xd0000000))
		return netip.AddrFrom4(a)
	}
	measure := func(b *testing.B, prog *ebpf.Program, pkts [][]byte) {
		var ran time.Duration
		n := 0
		for i := 0; b.Loop(); i++ {
			d, err := testTime(prog, pkts[i%len(pkts)], repeat)
			if err != nil {
				b.Fatal(err)
			}
			ran += d * repeat
			n += repeat
		}
		b.ReportMetric(float64(ran.Nanoseconds())/float64(n), "ns/packet")
		b.ReportMetric(0, "ns/op")
	}
	miss := make([][]byte, packets)
	for i := range miss {
		miss[i] = frame(eth(e4), ip4("10.1.1.1", random().String(), pTCP), tcp(1, 2, "A"))
	}
	b.Run("empty", func(b *testing.B) { f := open(b, Config{}); measure(b, f.xdp.SluiceEmpty, miss) })
	b.Run("pass", func(b *testing.B) { f := open(b, Config{}); measure(b, f.xdp.SluiceXdp, miss) })
	b.Run("flow-drop", func(b *testing.B) {
		f := open(b, Config{})
		pkts := make([][]byte, packets)
		for i := range pkts {
			sp := uint16(i + 1)
			if err := f.DropFlow(key4("10.0.0.1", sp, "10.0.0.2", 80, 6, 4), time.Hour); err != nil {
				b.Fatal(err)
			}
			pkts[i] = frame(eth(e4), ip4("10.0.0.1", "10.0.0.2", pTCP), tcp(sp, 80, "A"))
		}
		measure(b, f.xdp.SluiceXdp, pkts)
	})
	for _, n := range []int{1, 1000, 1_000_000} {
		f := open(b, Config{Samples: -1})
		all := make([]Block, n)
		for i := range all {
			all[i].Prefix = netip.PrefixFrom(random(), 24+rng.IntN(9)).Masked()
		}
		start := time.Now()
		if err := f.BlockAll(all); err != nil {
			b.Fatal(err)
		}
		b.Logf("%d prefixes loaded in %v", n, time.Since(start).Round(time.Microsecond))
		start = time.Now()
		if err := f.Block(netip.MustParsePrefix("10.99.0.1/32"), Entry{}); err != nil {
			b.Fatal(err)
		}
		b.Logf("one change with %d prefixes: %v", n, time.Since(start))
		b.Run(fmt.Sprintf("miss/%d", n), func(b *testing.B) { measure(b, f.xdp.SluiceXdp, miss) })
		b.Run(fmt.Sprintf("hit/%d", n), func(b *testing.B) {
			hit := make([][]byte, packets)
			for i := range hit {
				hit[i] = frame(eth(e4), ip4("10.1.1.1", all[rng.IntN(n)].Prefix.Addr().String(), pTCP), tcp(1, 2, "A"))
			}
			measure(b, f.xdp.SluiceXdp, hit)
		})
	}
}

// testTime runs a program on one packet and gives the kernel's own time for one run.
func testTime(prog *ebpf.Program, pkt []byte, repeat int) (time.Duration, error) {
	_, d, err := prog.Benchmark(pkt, repeat, nil)
	return d, err
}
