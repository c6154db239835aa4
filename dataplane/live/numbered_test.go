package live

import (
	"encoding/binary"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/ipv4"

	"sluice/dataplane/fastpath"
)

// TestNumberedFrames sends numbered frames at half of the rate that was measured
// just before, and misses none. The benchmark in benchmarks/live does it with ten
// million.
func TestNumberedFrames(t *testing.T) {
	for _, gateway := range []bool{false, true} {
		name := map[bool]string{false: "bridge", true: "gateway"}[gateway]
		t.Run(name, func(t *testing.T) {
			var top *topology
			var stats func() []WorkerStats
			if gateway {
				top = newRouted(t)
				stats = top.gate(GatewayConfig{Fail: fastpath.FailOpen}, fastpath.Config{}, passAll(1)).Stats
			} else {
				top = newTopology(t)
				stats = top.bridge(&fastpath.Config{}, BridgeConfig{Fail: fastpath.FailOpen}, passAll(1)).Stats
			}
			s := top.listenUDP(top.to + ":0")
			var disorder atomic.Int64
			go func() {
				b, next := make([]byte, 64), uint64(0)
				for {
					if _, _, err := s.ReadFrom(b); err != nil {
						return
					}
					v := binary.BigEndian.Uint64(b)
					if v > 0 && v < next { // 0 begins anew
						disorder.Add(1)
						continue
					}
					next = v + 1
				}
			}()
			begin, from := time.Now(), top.arrived(t)
			top.numbers(t, s.LocalAddr().String(), 1<<30, 400*time.Millisecond, 0)
			rate := float64(top.arrived(t)-from) / time.Since(begin).Seconds()
			time.Sleep(200 * time.Millisecond)
			disorder.Store(0)
			const n = 40_000
			from = top.arrived(t)
			top.numbers(t, s.LocalAddr().String(), n, time.Minute, rate/2)
			for end := time.Now().Add(3 * time.Second); top.arrived(t)-from < n && time.Now().Before(end); {
				time.Sleep(5 * time.Millisecond)
			}
			if lost := n - (top.arrived(t) - from); lost > 0 {
				t.Errorf("%d of %d frames were lost: %+v", lost, n, stats()[0])
			}
			t.Logf("%d frames at %.0f kpps, half of what was measured; %d out of order", n, rate/2e3, disorder.Load())
			st := stats()[0]
			// A worker that was kept from running leaves frames to the wire meanwhile.
			if d := disorder.Load(); d > 0 && st.Discarded == 0 {
				t.Errorf("%d frames out of order", d)
			}
			if st.Forwarded+st.Discarded < n || st.Withheld > 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// numbers sends numbered datagrams until n are sent or the time is over, at no
// more than perSecond where that is not zero.
func (t *topology) numbers(tb testing.TB, to string, n int, span time.Duration, perSecond float64) {
	tb.Helper()
	c, err := t.dial("udp", "", to)
	if err != nil {
		tb.Fatal(err)
	}
	defer c.Close()
	p := ipv4.NewPacketConn(c.(*net.UDPConn))
	msgs := make([]ipv4.Message, 16)
	for i := range msgs {
		msgs[i].Buffers = [][]byte{make([]byte, 18)}
	}
	begin := time.Now()
	for sent := 0; sent < n && time.Since(begin) < span; {
		k := min(len(msgs), n-sent)
		for i := range k {
			binary.BigEndian.PutUint64(msgs[i].Buffers[0], uint64(sent+i))
		}
		for done := 0; done < k; {
			m, err := p.WriteBatch(msgs[done:k], 0)
			if err != nil {
				tb.Fatal(err)
			}
			done += m
		}
		if sent += k; perSecond > 0 {
			switch ahead := time.Duration(float64(sent)/perSecond*1e9) - time.Since(begin); {
			case ahead > time.Millisecond:
				time.Sleep(ahead)
			case ahead < -time.Millisecond:
				begin = begin.Add(-ahead) // held up: no burst to make up for it
			}
		}
	}
}

// arrived counts the datagrams that the server's host has received, whether its
// programs had room for them or not.
func (t *topology) arrived(tb testing.TB) (n int) {
	tb.Helper()
	t.in(t.server, func() error {
		b, err := os.ReadFile("/proc/thread-self/net/snmp")
		n = counted(string(b), "InDatagrams") + counted(string(b), "RcvbufErrors")
		return err
	})
	return n
}
