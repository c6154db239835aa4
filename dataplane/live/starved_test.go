package live

import (
	"encoding/binary"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/dataplane/fastpath"
)

// pin binds a thread to one CPU.
func pin(tid, cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	return unix.SchedSetaffinity(tid, &set)
}

// TestStarved gives a worker's CPU to another program for longer than a hang may
// last: the frames wait for the worker, none goes past it, and none is lost.
func TestStarved(t *testing.T) {
	// The starved thread keeps its place in Go's own scheduler.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU() + 4))
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Fatal(err)
	}
	cpu := 0
	for !allowed.IsSet(cpu) {
		cpu++
	}
	top := newTopology(t)
	var failed atomic.Pointer[error]
	b := top.bridge(&fastpath.Config{}, BridgeConfig{Fail: fastpath.FailOpen}, passAll(1))
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
	frame, sent := make([]byte, 8), uint32(0)
	send := func() {
		binary.BigEndian.PutUint32(frame, sent)
		if _, err := c.Write(frame); err != nil {
			t.Fatal(err)
		}
		sent++
	}
	arrived := func() int { mu.Lock(); defer mu.Unlock(); return len(seen) }
	send()
	until(t, "the first frame", func() bool { return arrived() == 1 })
	before, err := b.Passed()
	if err != nil {
		t.Fatal(err)
	}
	// Of a CPU that another wants, an idle thread gets next to nothing; its share
	// is a matter of luck for a while.
	worker := b.Stats()[0].Thread
	if err := pin(worker, cpu); err != nil {
		t.Fatal(err)
	}
	policy := func(p uint32, nice int32) {
		t.Helper()
		if err := unix.SchedSetAttr(worker, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: p, Nice: nice}, 0); err != nil {
			t.Fatal(err)
		}
	}
	for try := 0; b.Stats()[0].Starved < 5 && try < 20; try++ {
		var stop atomic.Bool
		var rich sync.WaitGroup
		rich.Go(func() {
			runtime.LockOSThread() // ends with its affinity
			if err := pin(0, cpu); err != nil {
				failed.Store(&err)
			}
			for !stop.Load() {
			}
		})
		policy(unix.SCHED_IDLE, 0)
		for begin := time.Now(); time.Since(begin) < 2*fastpath.HeartbeatTimeout; time.Sleep(time.Millisecond) {
			send()
		}
		policy(unix.SCHED_NORMAL, workerNice)
		stop.Store(true)
		rich.Wait()
	}
	if err := failed.Load(); err != nil {
		t.Fatal(*err)
	}
	until(t, "all frames", func() bool { return arrived() == int(sent) })
	st := b.Stats()[0]
	if st.Starved < 5 {
		t.Errorf("the worker was never starved: %+v", st)
	}
	after, err := b.Passed()
	if err != nil || after != before || st.Discarded > 0 {
		t.Errorf("%d frames went past the starved worker, %d were thrown away; %v", after.Packets-before.Packets, st.Discarded, err)
	}
	t.Logf("%d frames, the watch stood in %d times", sent, st.Starved)
}
