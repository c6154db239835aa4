package fastpath

import (
	"net/netip"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// TestDeath ends threads of a daemon whose heart goes on: the guard keeps its
// traffic until one of them is a worker's.
func TestDeath(t *testing.T) {
	type guard interface {
		Heartbeat(mono int64) error
		Worker(tid int) error
		Close() error
	}
	done := make(chan struct{})
	defer close(done)
	pkt := from(netip.MustParseAddr("10.0.0.1"))
	f := func(name string, fail Fail, want uint32, take func(*FastPath, Fail) (guard, *ebpf.Program, error)) {
		t.Helper()
		interfaces(t)
		fast := open(t, Config{Log: quiet()})
		g, prog, err := take(fast, fail)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		// ends runs in a thread of its own, which ends with it.
		ends := func(run func() error) {
			t.Helper()
			tid, failed := make(chan int), make(chan error, 1)
			begin := func() int {
				go func() {
					runtime.LockOSThread()
					if tid <- unix.Gettid(); unix.Gettid() == unix.Getpid() {
						<-done
						return
					}
					failed <- run()
				}()
				return <-tid
			}
			n := begin()
			if n == unix.Getpid() { // Go never ends the first thread
				n = begin()
			}
			if err := <-failed; err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for deadline := time.Now().Add(10 * time.Second); unix.Tgkill(unix.Getpid(), n, 0) == nil; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("%s: thread %d goes on", name, n)
				}
			}
		}
		judge := func(when string, want uint32) {
			t.Helper()
			if err := g.Heartbeat(int64(monotonic())); err != nil {
				t.Fatal(err)
			}
			if ret, err := prog.Run(&ebpf.RunOptions{Data: pkt}); err != nil || ret != want {
				t.Errorf("%s: after %s the guard returned %d, want %d, %v", name, when, int32(ret), int32(want), err)
			}
		}
		judge("the start", 2)
		ends(func() error { return nil })
		judge("another thread's end", 2)
		ends(func() error { return g.Worker(unix.Gettid()) })
		judge("a worker's end", want)
		for range 2 {
			if err := g.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	inline := func(f *FastPath, fail Fail) (guard, *ebpf.Program, error) {
		in, err := f.Inline("p0", "p1", fail)
		if err != nil {
			return nil, nil, err
		}
		return in, in.tc.SluiceGuard, nil
	}
	gate := func(f *FastPath, fail Fail) (guard, *ebpf.Program, error) {
		g, err := f.Gate("p0", "p1", fail)
		if err != nil {
			return nil, nil, err
		}
		return g, g.bpf.SluiceGateIn, nil
	}
	next := ^uint32(0)
	f("bridge, open", FailOpen, next, inline)
	f("bridge, closed", FailClosed, next, inline)
	f("bridge, off", FailOff, 2, inline)
	f("gateway, open", FailOpen, next, gate)
	f("gateway, closed", FailClosed, next, gate)
}

// TestKilled has the program that watches for kills know this process: the kernel
// does not name it by a number there.
func TestKilled(t *testing.T) {
	interfaces(t)
	f := open(t, Config{Log: quiet()})
	in, err := f.Inline("p0", "p1", FailOpen)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if in.death == nil {
		t.Fatal("nothing watches over the workers on this kernel")
	}
	var task uint64
	if err := in.death.bpf.DaemonTask.Get(&task); err != nil || task == 0 {
		t.Errorf("the process is %#x, %v", task, err)
	}
	alive := func() bool {
		t.Helper()
		if err := in.Heartbeat(int64(monotonic())); err != nil {
			t.Fatal(err)
		}
		ret, err := in.tc.SluiceGuard.Run(&ebpf.RunOptions{Data: from(netip.MustParseAddr("10.0.0.1"))})
		if err != nil {
			t.Fatal(err)
		}
		return ret == 2
	}
	// Another process that is killed, and other signals, are nothing.
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if err := unix.Kill(unix.Getpid(), unix.SIGURG); err != nil {
		t.Fatal(err)
	}
	if !alive() {
		t.Error("the guard gave its traffic away")
	}
	// As if the other process were the daemon.
	cmd = exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := in.death.bpf.DaemonTask.Set(uint64(0)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(unix.SIGURG); err != nil {
		t.Fatal(err)
	}
	if !alive() {
		t.Error("the guard gave its traffic away for another signal")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if alive() {
		t.Error("the guard keeps the traffic of a killed daemon")
	}
	_ = cmd.Wait()
}
