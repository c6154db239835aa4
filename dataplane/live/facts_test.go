package live

import (
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/dataplane/fastpath"
)

func TestCPUList(t *testing.T) {
	for text, want := range map[string][]int{
		"": nil, "0": {0}, "0-3": {0, 1, 2, 3}, "1,3-4, 9": {1, 3, 4, 9}, "3-1": nil, "x": nil, "2-": nil, "0-99999999": nil, "5,,6": {5, 6},
	} {
		if got := cpuList(text); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestFacts(t *testing.T) {
	top := newTopology(t)
	top.in(top.gateway, func() error {
		for _, on := range []bool{false, true} {
			if err := setGRO(on, insideIf); err != nil {
				return err
			}
			f, err := Facts(insideIf)
			if err != nil {
				return err
			}
			if f.GRO != on || f.LRO || f.FixedRXVLAN || f.Queues < 1 || f.NUMANode != -1 {
				t.Errorf("GRO %v: %+v", on, f)
			}
		}
		if _, err := Facts("a-name-that-is-too-long"); err == nil {
			t.Error("no error for an impossible name")
		}
		return nil
	})
}

// TestHangLosesNothing sends numbered frames while a worker hangs and comes back:
// those from before the wire took over, which wait in its sockets, arrive too.
func TestHangLosesNothing(t *testing.T) {
	top := newTopology(t)
	var hang atomic.Bool
	back := make(chan struct{})
	top.bridge(&fastpath.Config{}, BridgeConfig{Fail: fastpath.FailOpen}, []Processor{&processor{tick: func(int64) {
		if hang.CompareAndSwap(true, false) {
			<-back
		}
	}}})
	s := top.listenUDP(server4 + ":0")
	var mu sync.Mutex
	seen := map[uint32]int{}
	go func() {
		b := make([]byte, 64)
		for {
			if _, _, err := s.ReadFrom(b); err != nil {
				return
			}
			mu.Lock()
			seen[binary.BigEndian.Uint32(b)]++
			mu.Unlock()
		}
	}()
	c, err := top.dial("udp", "", s.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := make([]byte, 8)
	sent := uint32(0)
	send := func() {
		binary.BigEndian.PutUint32(b, sent)
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		sent++
	}
	send()
	until(t, "the first frame", func() bool { mu.Lock(); defer mu.Unlock(); return len(seen) == 1 })
	hang.Store(true)
	time.Sleep(2 * TickInterval)
	for begin := time.Now(); time.Since(begin) < fastpath.HeartbeatTimeout+200*time.Millisecond; time.Sleep(time.Millisecond) {
		send()
	}
	close(back)
	until(t, "all frames", func() bool { mu.Lock(); defer mu.Unlock(); return len(seen) == int(sent) })
	twice := 0
	for _, n := range seen {
		if n > 1 {
			twice++
		}
	}
	t.Logf("%d frames, %d came twice", sent, twice)
	if twice > int(sent)/4 {
		t.Errorf("%d of %d frames came twice", twice, sent)
	}
}
