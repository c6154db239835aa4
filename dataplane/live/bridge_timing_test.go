package live

import (
	"fmt"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
	"sluice/dataplane/fastpath"
	"sluice/dataplane/flow"
)

// BenchmarkForward measures bulk TCP, a flood of small datagrams and the round
// trip between two namespaces, over the kernel's bridge and over ours, default
// offloads. Compare rows of one run only.
func BenchmarkForward(b *testing.B) {
	for _, tt := range []struct {
		name   string
		fast   *fastpath.Config
		kernel bool
		noGRO  bool
		bypass bool
	}{
		{"linux-bridge", nil, true, false, false},
		{"sluice/no-fast-path", nil, false, false, false},
		{"sluice/auto", &fastpath.Config{}, false, false, false},
		{"sluice/auto-without-gro", &fastpath.Config{}, false, true, false},
		{"sluice/generic", &fastpath.Config{Mode: fastpath.ModeGeneric}, false, false, false},
		{"sluice/native", &fastpath.Config{Mode: fastpath.ModeNative}, false, false, false},
		{"sluice/bypass", &fastpath.Config{MaxBypassed: 1024}, false, false, true},
		{"linux-bridge-again", nil, true, false, false},
	} {
		b.Run(tt.name, func(b *testing.B) {
			top := newTopology(b)
			if tt.kernel {
				kernelBridge(b, top)
			} else {
				procs := passAll(1)
				table := make(chan Bypass, 1)
				if tt.bypass {
					procs[0] = bypassAll(table)
				}
				table <- top.bridge(tt.fast, BridgeConfig{}, procs).Bypass()
			}
			if tt.noGRO {
				top.in(top.gateway, func() error { return setGRO(false, insideIf, outsideIf) })
			}
			for b.Loop() {
				gbit := bulk(b, top, 4, time.Second)
				kpps := flood(b, top, time.Second)
				p50, p99 := roundTrips(b, top, 2000)
				b.ReportMetric(gbit, "Gbit/s")
				b.ReportMetric(kpps, "kpps")
				b.ReportMetric(float64(p50.Microseconds()), "µs-p50")
				b.ReportMetric(float64(p99.Microseconds()), "µs-p99")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

// bypassAll has the kernel forward every flow that sends data.
func bypassAll(tables <-chan Bypass) *processor {
	var table Bypass
	d := decode.New(decode.Config{})
	return &processor{process: func(b *capture.Batch, forward []bool) {
		if table == nil {
			select {
			case table = <-tables:
			default:
			}
		}
		for i := range b.Frames {
			forward[i] = true
			if table == nil {
				continue
			}
			for _, p := range d.Decode(&b.Frames[i]) {
				if k, _, ok := flow.KeyOf(&p, false); ok && len(p.PayloadBytes()) > 0 {
					_ = table.Bypass(k) // where it cannot be, the worker goes on
				}
			}
		}
	}}
}

func setGRO(on bool, names ...string) error {
	for _, name := range names {
		off, err := openOffloads(name)
		if err != nil {
			return err
		}
		err = off.set(offloadGRO, on)
		off.close()
		if err != nil {
			return err
		}
	}
	return nil
}

func kernelBridge(b *testing.B, top *topology) {
	top.in(top.gateway, func() error {
		br := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0"}}
		if err := netlink.LinkAdd(br); err != nil {
			return fmt.Errorf("this kernel has no bridge: %w", err)
		}
		for _, n := range []string{insideIf, outsideIf} {
			l, err := netlink.LinkByName(n)
			if err != nil {
				return err
			}
			if err := netlink.LinkSetMaster(l, br); err != nil {
				return err
			}
		}
		return setUp("br0")
	})
}

// bulk gives the throughput of TCP over so many connections.
func bulk(b *testing.B, top *topology, flows int, d time.Duration) float64 {
	l := top.listen(top.to + ":0")
	defer l.Close()
	got := sink(l)
	var conns []net.Conn
	for range flows {
		c, err := top.dial("tcp", "", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		conns = append(conns, c)
		go func() {
			block := make([]byte, 256<<10)
			for {
				if _, err := c.Write(block); err != nil {
					return
				}
			}
		}()
	}
	time.Sleep(200 * time.Millisecond)
	from, start := got.Load(), time.Now()
	time.Sleep(d)
	rate := float64(got.Load()-from) * 8 / time.Since(start).Seconds() / 1e9
	for _, c := range conns {
		c.Close()
	}
	return rate
}

// flood gives how many datagrams of 18 bytes arrive in a second when sent as fast as possible.
func flood(b *testing.B, top *topology, d time.Duration) float64 {
	s := top.listenUDP(top.to + ":0")
	defer s.Close()
	var got atomic.Int64
	go func() {
		buf := make([]byte, 64)
		for {
			if _, _, err := s.ReadFrom(buf); err != nil {
				return
			}
			got.Add(1)
		}
	}()
	c, err := top.dial("udp", "", s.LocalAddr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	payload := make([]byte, 18)
	start := time.Now()
	for time.Since(start) < d {
		for range 64 {
			_, _ = c.Write(payload)
		}
	}
	return float64(got.Load()) / time.Since(start).Seconds() / 1e3
}

// roundTrips gives the middle and the worst hundredth of n echoes over TCP.
func roundTrips(b *testing.B, top *topology, n int) (p50, p99 time.Duration) {
	l := top.listen(top.to + ":0")
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.Copy(c, c)
	}()
	c, err := top.dial("tcp", "", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, 64)
	all := make([]time.Duration, n)
	for i := range all {
		start := time.Now()
		if _, err := c.Write(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			b.Fatal(err)
		}
		all[i] = time.Since(start)
	}
	slices.Sort(all)
	return all[n/2], all[n*99/100]
}
