package live

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sluice/dataplane/capture"
	"sluice/dataplane/fastpath"
)

// TickInterval is how often a Processor's Tick is called.
const TickInterval = 20 * time.Millisecond

// UrgentInterval is how often Tick is called while a Waker says that it is urgent.
const UrgentInterval = 2 * time.Millisecond

// WorkerStats counts what one worker did since it was opened.
type WorkerStats struct {
	// Received is by port: frames and bytes that workers got, and what was
	// lost before them for want of room.
	Received [2]capture.PacketStats
	// Sent is by port; its errors are frames lost on the way out.
	Sent [2]capture.SendStats
	// Forwarded and Withheld are the Processor's decisions; Injected its own frames.
	Forwarded, Withheld, Injected uint64
	// Fill is how full the receive buffers were at the last look, from 0 to 1.
	Fill [2]float64
	// Discarded were waiting when the worker came back from a hang: the wire
	// program had forwarded them already.
	Discarded uint64
	// Starved counts how often the watch gave the worker's sign of life, because
	// other programs had the CPU.
	Starved uint64
	// Thread is the kernel's number of the worker's thread, 0 before it runs.
	Thread int
}

// worker is one thread's share of the ports.
type worker struct {
	index int
	cpu   int // -1 for any
	// in are its sockets by port number; out its senders: one for each port, or
	// one for all injections of a tap.
	in     []*capture.PacketSocket
	out    []*capture.PacketSender
	bridge bool
	proc   Processor
	heart  *heart
	idle   idler
	// yields tells that the wire takes over when heartbeats stop.
	yields bool

	batch   capture.Batch
	forward []bool
	poll    []unix.PollFd
	stopped atomic.Bool
	// waker is proc where that waits for something beside frames; urgent its
	// answer at the last look. nudged asks for a Tick.
	waker  Waker
	urgent bool
	nudged atomic.Bool
	// mu guards wake against a nudge that comes after close.
	mu     sync.Mutex
	wake   int
	thread atomic.Int64
	// leaving tells that the ports are left to the kernel when the worker stops.
	leaving atomic.Bool

	forwarded, withheld, injected, discarded atomic.Uint64
	// starved counts the signs of life that the watch gave for it.
	starved atomic.Uint64
	fill    gauge
}

func newWorker(index, cpu int) (*worker, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	return &worker{index: index, cpu: cpu, wake: fd}, nil
}

// stop makes run return soon. It may be called from any goroutine.
func (w *worker) stop() {
	w.stopped.Store(true)
	w.rouse()
}

// nudge has Tick called soon. It may be called from any goroutine at any time.
func (w *worker) nudge() {
	if !w.nudged.Swap(true) {
		w.rouse()
	}
}

// rouse ends the wait for frames.
func (w *worker) rouse() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wake >= 0 {
		one := [8]byte{1}
		_, _ = unix.Write(w.wake, one[:])
	}
}

// setProcessor gives the worker its Processor, before run.
func (w *worker) setProcessor(p Processor) {
	w.proc = p
	if k, ok := p.(Waker); ok {
		w.waker = k
		k.SetWake(w.nudge)
	}
}

func (w *worker) close() {
	for _, s := range w.in {
		s.Close()
	}
	for _, s := range w.out {
		s.Close()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wake >= 0 {
		unix.Close(w.wake)
		w.wake = -1
	}
}

// workerNice is the workers' niceness: before ordinary programs, after what the
// kernel itself runs.
const workerNice = -10

// workerSlice is how long a worker asks to run at a time, in nanoseconds. The
// kernel (since 6.12) lets a woken thread with a shorter slice go before what
// runs; with the usual one of about 3 ms, frames wait as long for it. It takes no
// share from others. Older kernels do not look at it.
const workerSlice = 100_000

// run moves frames until stop.
func (w *worker) run() error {
	// Never unlocked: the thread ends with the worker, and its affinity with it.
	runtime.LockOSThread()
	tid := unix.Gettid()
	w.thread.Store(int64(tid))
	if err := w.heart.enlist(tid); err != nil {
		return err
	}
	// Traffic waits for this thread, and the wire takes over when it is silent for
	// too long: on a busy host it goes before others. Without the privilege it
	// runs as they do.
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Nice: workerNice, Runtime: workerSlice}, 0)
	if w.cpu >= 0 {
		var set unix.CPUSet
		set.Set(w.cpu)
		if err := unix.SchedSetaffinity(0, &set); err != nil {
			return fmt.Errorf("bind worker %d to CPU %d: %w", w.index, w.cpu, err)
		}
	}
	w.poll = w.poll[:0]
	for _, s := range w.in {
		w.poll = append(w.poll, unix.PollFd{Fd: int32(s.FD()), Events: unix.POLLIN})
	}
	w.poll = append(w.poll, unix.PollFd{Fd: int32(w.wake), Events: unix.POLLIN})

	beat := monotonic()
	var tick int64
	for !w.stopped.Load() {
		now := monotonic()
		if now-beat >= int64(beatInterval) || beat > now {
			if last := w.heart.last(w.index); w.yields && now-last > int64(fastpath.HeartbeatTimeout) {
				if err := w.discard(last + int64(fastpath.HeartbeatTimeout)); err != nil {
					return err
				}
				now = monotonic()
			}
			w.heart.beat(w.index, now)
			beat = now
		}
		if w.nudged.Load() && w.nudged.Swap(false) || now-tick >= int64(w.interval()) {
			w.press()
			w.proc.Tick(time.Now().UnixNano())
			w.inject()
			tick = now
		}
		busy, err := w.round()
		if err != nil {
			return err
		}
		if busy {
			w.idle.frames(now)
			continue
		}
		if w.idle.again(now) {
			continue
		}
		if _, err := unix.Poll(w.poll, int(w.interval()/time.Millisecond)); err != nil && err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
		if w.poll[len(w.poll)-1].Revents != 0 {
			var sink [8]byte
			_, _ = unix.Read(w.wake, sink[:])
		}
	}
	if w.leaving.Load() {
		return w.leave()
	}
	return nil
}

// interval is the time from one Tick to the next.
func (w *worker) interval() time.Duration {
	if w.urgent {
		return UrgentInterval
	}
	return TickInterval
}

// round takes one batch from each port.
func (w *worker) round() (busy bool, err error) {
	for _, s := range w.in {
		if err := s.TryRead(&w.batch); err != nil {
			return false, fmt.Errorf("worker %d: receive: %w", w.index, err)
		}
		if len(w.batch.Frames) == 0 {
			continue
		}
		busy = true
		w.judge()
	}
	return busy, nil
}

// judge has the Processor judge the batch, and sends what it lets pass.
func (w *worker) judge() {
	n := len(w.batch.Frames)
	if cap(w.forward) < n {
		w.forward = make([]bool, n)
	}
	w.forward = w.forward[:n]
	clear(w.forward)
	w.proc.Process(&w.batch, w.forward)
	if w.bridge {
		w.send()
	}
	w.inject()
}

// send forwards what the Processor let pass out of the other port.
func (w *worker) send() {
	out := w.out[1-w.batch.Frames[0].Port]
	forwarded := 0
	for i, ok := range w.forward {
		if ok {
			out.Add(&w.batch.Frames[i])
			forwarded++
		}
	}
	out.Flush()
	w.forwarded.Add(uint64(forwarded))
	if held := len(w.forward) - forwarded; held > 0 {
		w.withheld.Add(uint64(held))
	}
}

func (w *worker) inject() {
	if w.waker != nil {
		w.urgent = w.waker.Urgent()
	}
	list := w.proc.Injections()
	if len(list) == 0 || len(w.out) == 0 {
		return
	}
	for i := range list {
		out := w.out[0]
		if int(list[i].Port) < len(w.out) {
			out = w.out[list[i].Port]
		}
		if f := list[i].Captured; f != nil {
			out.Add(f)
		} else {
			out.AddRaw(list[i].Frame)
		}
	}
	for _, out := range w.out {
		out.Flush()
	}
	w.injected.Add(uint64(len(list)))
}

func (w *worker) stats() WorkerStats {
	st := WorkerStats{
		Forwarded: w.forwarded.Load(), Withheld: w.withheld.Load(),
		Injected: w.injected.Load(), Discarded: w.discarded.Load(), Starved: w.starved.Load(), Thread: int(w.thread.Load()),
	}
	st.Fill = [2]float64{w.fill.get(0), w.fill.get(1)}
	for i, s := range w.in {
		r := s.Stats()
		p := &st.Received[min(i, 1)]
		p.Frames += r.Frames
		p.Bytes += r.Bytes
		p.Dropped += r.Dropped
		p.Truncated += r.Truncated
	}
	for i, s := range w.out {
		if i < len(st.Sent) {
			st.Sent[i] = s.Stats()
		}
	}
	return st
}

// runAll runs workers until one fails or done is closed, and waits for all.
func runAll(workers []*worker, done <-chan struct{}) error {
	errs := make(chan error, len(workers))
	for _, w := range workers {
		go func() { errs <- w.run() }()
	}
	finished := make(chan struct{})
	var stopper sync.WaitGroup
	defer stopper.Wait() // a worker may be closed once this returns
	stopper.Go(func() {
		select {
		case <-done:
		case <-finished:
		}
		for _, w := range workers {
			w.stop()
		}
	})
	var first error
	for i := range workers {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
		if i == 0 {
			close(finished) // one that ends takes the others along
		}
	}
	return first
}
