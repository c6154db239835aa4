package live

import (
	"bytes"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sluice/dataplane/fastpath"
)

// lendLimit is how long the watch stands in for a worker that is not given a CPU.
// Its frames wait in its sockets meanwhile.
const lendLimit = time.Second

// watch tells a worker that is stuck from one that is merely not given a CPU,
// because other programs have it: for the latter it gives the signs of life, so
// that its frames wait for inspection and do not go past it. A thread of its own
// looks at each worker every beatInterval, before other programs. A worker is
// stuck when it sleeps or is stopped, or has had as much CPU time as
// fastpath.HeartbeatTimeout, since its last sign of life. Where the watch itself
// cannot run, or the process is stopped, signs of life end as without it.
type watch struct {
	heart   *heart
	threads []watched
	stopped atomic.Bool
	done    chan struct{}
}

// watched is what the watch knows of one worker.
type watched struct {
	tid  int
	stat int // descriptor of its /proc stat file
	// own is its last sign of life of its own, with the CPU time it had then;
	// lent the last that the watch gave for it.
	own, cpu, lent int64
	// given counts the times that the watch stood in.
	given *atomic.Uint64
}

// startWatch watches over workers until the function that it gives is called,
// which waits for the watch's end.
func startWatch(h *heart, workers []*worker) (stop func()) {
	w := &watch{heart: h, threads: make([]watched, len(workers)), done: make(chan struct{})}
	for i := range w.threads {
		w.threads[i] = watched{stat: -1, given: &workers[i].starved}
	}
	go w.run(workers)
	return func() {
		w.stopped.Store(true)
		<-w.done
	}
}

func (w *watch) run(workers []*worker) {
	// Never unlocked: the thread ends with its priority.
	runtime.LockOSThread()
	defer close(w.done)
	// It sleeps nearly always. Without the privilege, or where the kernel gives
	// real-time threads no time here, it does what it can.
	if unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, 0) != nil {
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 2*workerNice)
	}
	defer func() {
		for i := range w.threads {
			if w.threads[i].stat >= 0 {
				unix.Close(w.threads[i].stat)
			}
		}
	}()
	pause := unix.NsecToTimespec(int64(beatInterval))
	for !w.stopped.Load() {
		_ = unix.Nanosleep(&pause, nil) // a signal only makes it look sooner
		for i := range w.threads {
			if tid := int(workers[i].thread.Load()); tid != 0 {
				w.look(i, tid, monotonic())
			}
		}
	}
}

// look gives worker i's sign of life where it is due and the worker is starved.
func (w *watch) look(i, tid int, now int64) {
	t := &w.threads[i]
	at := w.heart.beats[i].at.Load()
	if at == 0 { // it has left
		return
	}
	cpu := threadTime(tid)
	if at != t.lent && at != t.own {
		t.own, t.cpu = at, cpu
	}
	silent := now - at
	// Once the wire has taken over, only the worker can end that: it knows which
	// frames the wire has forwarded.
	if silent < 2*int64(beatInterval) || silent > int64(fastpath.HeartbeatTimeout)*9/10 || now-t.own > int64(lendLimit) {
		return
	}
	if cpu-t.cpu >= int64(fastpath.HeartbeatTimeout) || !t.runnable(tid) {
		return
	}
	if w.heart.lend(i, at, now) {
		t.lent = now
		t.given.Add(1)
	}
}

// threadTime is the CPU time that a thread of this process has had, in
// nanoseconds.
func threadTime(tid int) int64 {
	// The clock of one thread, as pthread_getcpuclockid makes its number.
	const perThread, scheduled = 4, 2
	var ts unix.Timespec
	if unix.ClockGettime(int32(^tid<<3|perThread|scheduled), &ts) != nil {
		return 0
	}
	return ts.Nano()
}

// runnable reports whether the thread runs or waits for a CPU. What cannot be
// told counts as no.
func (t *watched) runnable(tid int) bool {
	if t.stat < 0 || t.tid != tid {
		if t.stat >= 0 {
			unix.Close(t.stat)
		}
		t.tid = tid
		var err error
		if t.stat, err = unix.Open(fmt.Sprintf("/proc/self/task/%d/stat", tid), unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
			t.stat = -1
			return false
		}
	}
	var buf [128]byte
	n, err := unix.Pread(t.stat, buf[:], 0)
	if err != nil {
		return false
	}
	// The state follows the name, which may hold anything.
	i := bytes.LastIndexByte(buf[:n], ')')
	return i >= 0 && i+2 < n && buf[i+2] == 'R'
}
