package replay

import (
	"sluice/dataplane/worker"
	"sluice/events"
)

// maxBacklog is how many batches a worker may be ahead of its documents. It is
// less than what the merger allows one worker to be ahead of another.
const maxBacklog = 64

// backlog is the batches of a worker whose events wait for documents that are
// being read, or for those of an earlier batch. It belongs to the worker's
// goroutine.
type backlog struct {
	w       *worker.Worker
	publish func(num uint64, evs []*events.Event)
	waiting []batchOutput
}

type batchOutput struct {
	num uint64
	out worker.Output
}

// add takes what the worker made of batch num, and publishes what is ready.
func (b *backlog) add(num uint64) {
	b.waiting = append(b.waiting, batchOutput{num, b.w.Output()})
	n := 0
	for n < len(b.waiting) && b.next(n, len(b.waiting)-n > maxBacklog) {
		n++
	}
	b.waiting = b.waiting[:copy(b.waiting, b.waiting[n:])]
}

// next publishes the waiting batch at i if it is ready.
func (b *backlog) next(i int, wait bool) bool {
	x := &b.waiting[i]
	evs, ok := b.w.Finish(&x.out, wait)
	if ok {
		b.publish(x.num, evs)
		*x = batchOutput{}
	}
	return ok
}

// finish waits for all and publishes them.
func (b *backlog) finish() {
	for i := range b.waiting {
		b.next(i, true)
	}
	b.waiting = nil
}
