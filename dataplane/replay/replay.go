// Package replay drives workers from capture files instead of a network: the
// same code as live, deterministic, without privilege. It takes files and a way
// to make workers, and gives their events in the order of the packets.
package replay

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/worker"
	"sluice/events"
)

// Options sets a replay up.
type Options struct {
	// Files are the captures, "-" for standard input; each begins anew.
	Files []string
	// Workers is how many run side by side; at least 1.
	Workers int
	// New makes worker number index.
	New func(index int) (*worker.Worker, error)
	// Publish takes the events, in order, on one goroutine at a time; the
	// events are its own.
	Publish func([]*events.Event)
	// AutoChecksum looks at the beginning of each file, and accepts its checksums
	// unseen where so many are wrong that they must have been left to the
	// network card of the host that captured.
	AutoChecksum bool
	// Progress, when set, is called now and then with the frames' bytes so far.
	Progress func(bytes uint64)
	// Begin, when set, is told of each file before its first frame is processed.
	Begin func(path string)
}

// Summary is what a replay did.
type Summary struct {
	worker.Counters
	// Elapsed is the time spent on reading and processing, start-up excluded.
	Elapsed time.Duration
}

// Run replays the files. On one that is unreadable, or damaged further on, it
// returns that error after the events up to there have been published and all
// flows been ended, and after the other files; the summary is valid then too.
func Run(ctx context.Context, o Options) (Summary, error) {
	var sum Summary
	workers := make([]*worker.Worker, max(o.Workers, 1))
	for i := range workers {
		w, err := o.New(i)
		if err != nil {
			return sum, err
		}
		defer w.Close()
		w.ReadLater()
		workers[i] = w
	}
	begin := time.Now()
	var errs []error
	for _, path := range o.Files {
		if err := one(ctx, o, workers, path); err != nil {
			errs = append(errs, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	sum.Elapsed = time.Since(begin)
	for _, w := range workers {
		sum.Counters.Add(w.Counters())
	}
	return sum, errors.Join(errs...)
}

// one replays a file and ends its flows.
func one(ctx context.Context, o Options, workers []*worker.Worker, path string) error {
	f, err := capture.OpenFile(path)
	if err != nil {
		return err
	}
	defer f.Close()
	offloaded := o.AutoChecksum && checksumsOffloaded(path)
	for _, w := range workers {
		w.SetFile(filepath.Base(path), offloaded)
	}
	if o.Begin != nil {
		o.Begin(path)
	}
	var last int64
	if len(workers) == 1 {
		last, err = single(ctx, o, workers[0], f)
	} else {
		last, err = parallel(ctx, o, workers, f)
	}
	flush(o, workers, last)
	return err
}

// flush ends all flows and publishes their last events in the order in which
// the flows began, whatever worker they lived on. last is the latest time of a frame.
func flush(o Options, workers []*worker.Worker, last int64) {
	var all []*events.Event
	for _, w := range workers {
		w.FlushAt(last)
		all = append(all, w.Events()...)
	}
	slices.SortStableFunc(all, worker.CompareFinal)
	o.Publish(all)
}

// single reads and works on one thread. It gives the latest time of a frame.
func single(ctx context.Context, o Options, w *worker.Worker, f *capture.File) (last int64, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var b capture.Batch
	var forward []bool
	out := backlog{w: w, publish: func(_ uint64, evs []*events.Event) {
		if len(evs) > 0 {
			o.Publish(evs)
		}
	}}
	defer out.finish()
	for n := uint64(0); ; n++ {
		err := f.ReadBatch(&b)
		last = latest(&b, last)
		if len(b.Frames) > 0 {
			forward = grow(forward, len(b.Frames))
			w.Process(&b, forward)
			out.add(n)
		}
		if err != nil {
			return last, end(err)
		}
		if n%64 == 0 {
			if ctx.Err() != nil {
				return last, ctx.Err()
			}
			if o.Progress != nil {
				o.Progress(w.Counters().Bytes)
			}
		}
	}
}

// latest gives the latest time of a batch's frames and of those before.
func latest(b *capture.Batch, last int64) int64 {
	for i := range b.Frames {
		last = max(last, b.Frames[i].Time)
	}
	return last
}

func end(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func grow(b []bool, n int) []bool {
	if cap(b) < n {
		return make([]bool, n)
	}
	return b[:n]
}

// task is one worker's share of a batch.
type task struct {
	num    uint64
	frames capture.Batch
	arena  []byte
}

// inFlight is how many batches wait for a worker at most.
const inFlight = 16

// parallel deals the frames of each batch to the workers by their address
// pair, as the kernel's fan-out does live, and merges the events again.
func parallel(ctx context.Context, o Options, workers []*worker.Worker, f *capture.File) (last int64, result error) {
	merger := events.NewMerger(len(workers), o.Publish)
	queues := make([]chan *task, len(workers))
	free := make([]chan *task, len(workers))
	done := make(chan struct{}, len(workers))
	for i := range workers {
		queues[i], free[i] = make(chan *task, inFlight), make(chan *task, inFlight)
		for range inFlight {
			free[i] <- new(task)
		}
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			defer func() { done <- struct{}{} }()
			var forward []bool
			out := backlog{w: workers[i], publish: func(num uint64, evs []*events.Event) { merger.Submit(i, num, evs) }}
			defer out.finish()
			for t := range queues[i] {
				forward = grow(forward, len(t.frames.Frames))
				workers[i].Process(&t.frames, forward)
				out.add(t.num)
				free[i] <- t
			}
		}()
	}
	var b capture.Batch
	var bytes uint64
	stable := f.Stable()
	share := make([]*task, len(workers))
	for n := uint64(0); ; n++ {
		err := f.ReadBatch(&b)
		last = latest(&b, last)
		if len(b.Frames) > 0 {
			for i := range share {
				share[i] = <-free[i]
				share[i].num = n
				share[i].frames.Frames = share[i].frames.Frames[:0]
				share[i].arena = share[i].arena[:0]
			}
			for i := range b.Frames {
				fr := &b.Frames[i]
				bytes += uint64(fr.WireLen)
				t := share[flow.FanoutHash(fr)%uint32(len(workers))]
				t.add(fr, stable)
			}
			for i, t := range share {
				queues[i] <- t
			}
		}
		if err != nil {
			result = end(err)
			break
		}
		if n%64 == 0 {
			if ctx.Err() != nil {
				result = ctx.Err()
				break
			}
			if o.Progress != nil {
				o.Progress(bytes)
			}
		}
	}
	for i := range queues {
		close(queues[i])
	}
	for range queues {
		<-done
	}
	return last, result
}

// add takes a frame into the share; bytes that the file will reuse are copied.
func (t *task) add(f *capture.Frame, stable bool) {
	t.frames.Frames = append(t.frames.Frames, *f)
	if stable {
		return
	}
	n := len(t.arena)
	if n+len(f.Data) > cap(t.arena) {
		// Frames added before keep the old memory.
		t.arena = make([]byte, 0, max(2*cap(t.arena), 256<<10, len(f.Data)))
		n = 0
	}
	t.arena = append(t.arena, f.Data...)
	t.frames.Frames[len(t.frames.Frames)-1].Data = t.arena[n:len(t.arena):len(t.arena)]
}

// sampleFrames is how many frames of a file AutoChecksum looks at, sampleShare
// the share of wrong checksums that is too much to be damage: one in ten, as
// Suricata has it.
const (
	sampleFrames = 1000
	sampleShare  = 10
)

// checksumsOffloaded reports whether a capture's checksums are mostly unfinished.
// Standard input cannot be read twice: its checksums are taken at their word.
func checksumsOffloaded(path string) bool {
	if path == "-" {
		return false
	}
	f, err := capture.OpenFile(path)
	if err != nil {
		return false
	}
	defer f.Close()
	d := decode.New(decode.Config{Defrag: decode.DefragConfig{Off: true}})
	var b capture.Batch
	seen, bad := 0, 0
	for seen < sampleFrames {
		err := f.ReadBatch(&b)
		for i := range b.Frames {
			for _, p := range d.Decode(&b.Frames[i]) {
				if p.Proto != decode.ProtoTCP && p.Proto != decode.ProtoUDP {
					continue
				}
				seen++
				if p.Flags&decode.FlagBadL4Checksum != 0 {
					bad++
				}
			}
		}
		if err != nil {
			break
		}
	}
	return bad*sampleShare > seen
}
