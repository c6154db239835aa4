package app

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"sluice/dataplane/decode"
	"sluice/dataplane/fastpath"
	"sluice/dataplane/flow"
	"sluice/dataplane/worker"
)

const (
	// belowFor is how long the kernel drops a flow that workers cannot end, or have
	// ended; datagramsFor how long one in the path that has no handshake by which
	// the next one on the same ports is known. A flow that still goes on then is
	// handed down anew.
	belowFor     = 10 * time.Minute
	datagramsFor = time.Minute
)

const (
	// maxBelow bounds the flows that wait to be dropped.
	maxBelow = 1024
	// maxHanded bounds those of which workers ask what was dropped.
	maxHanded = 1 << 16
)

// below hands flows to the kernel to drop. Workers must not wait for that: they
// leave the key, and what finds no room is asked for again with a later packet.
// It implements worker.FlowDrops.
type below struct {
	fast *fastpath.FastPath
	log  *slog.Logger
	keys chan flow.Key
	lost atomic.Uint64

	// mu guards handed. Workers take it: it is never held during a system call. It
	// may be taken with the fast path's lock held, not the other way round.
	mu     sync.Mutex
	handed map[flow.Key]handed
}

// handed is a flow that a worker in the path handed down.
type handed struct {
	state handedState
	// last are its last counts once it has ended.
	last flow.Bypassed
}

type handedState uint8

const (
	handedAsked handedState = iota // it waits to be dropped
	handedDropped
	handedEnded
)

var _ worker.FlowDrops = (*below)(nil)

func (b *below) open(fast *fastpath.FastPath, log *slog.Logger) {
	b.fast, b.log, b.keys, b.handed = fast, log, make(chan flow.Key, maxBelow), map[flow.Key]handed{}
}

// ask is worker.Config's DropFlow.
func (b *below) ask(key flow.Key) { b.queue(key) }

func (b *below) queue(key flow.Key) bool {
	select {
	case b.keys <- key:
		return true
	default:
		b.lost.Add(1)
		return false
	}
}

// Drop implements worker.FlowDrops.
func (b *below) Drop(key flow.Key) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.handed) >= maxHanded || !b.queue(key) {
		return false
	}
	b.handed[key] = handed{}
	return true
}

// Dropped implements worker.FlowDrops.
func (b *below) Dropped(key flow.Key) (n flow.Bypassed, ok bool) {
	switch h, known := b.look(key); {
	case !known:
		return n, false
	case h.state == handedAsked:
		return n, true
	case h.state == handedEnded:
		return h.last, true
	}
	if n, ok = b.fast.Dropped(key); ok {
		return n, true
	}
	// It has ended a moment ago.
	h, known := b.look(key)
	return h.last, known && h.state == handedEnded
}

func (b *below) look(key flow.Key) (handed, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h, ok := b.handed[key]
	return h, ok
}

// Forget implements worker.FlowDrops. The kernel goes on for the time it was asked
// for: what comes of the flow still has been decided.
func (b *below) Forget(key flow.Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.handed, key)
}

// flowEnded is fastpath.Config's FlowEnded. Of a flow that was asked for anew its
// worker has the former counts.
func (b *below) flowEnded(key flow.Key, n flow.Bypassed) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if h, ok := b.handed[key]; ok && h.state == handedDropped {
		b.handed[key] = handed{handedEnded, n}
	}
}

// drop has the kernel drop a flow.
func (b *below) drop(key flow.Key) error {
	_, known := b.look(key)
	ttl := belowFor
	if known && key.Proto != decode.ProtoTCP {
		ttl = datagramsFor
	}
	err := b.fast.DropFlow(key, ttl)
	b.mu.Lock()
	defer b.mu.Unlock()
	if h, ok := b.handed[key]; ok && h.state == handedAsked {
		if err != nil {
			delete(b.handed, key)
		} else {
			b.handed[key] = handed{state: handedDropped}
		}
	}
	return err
}

func (b *below) run(ctx context.Context) {
	if b.fast == nil {
		return
	}
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	failed := uint64(0)
	var last error
	for {
		select {
		case <-ctx.Done():
			return
		case key := <-b.keys:
			if err := b.drop(key); err != nil {
				failed++
				last = err
			}
		case <-tick.C:
			if n := failed + b.lost.Swap(0); n > 0 {
				b.log.Warn("blocked flows were not handed to the kernel, for want of room or by an error", "flows", n, "error", last)
			}
			failed, last = 0, nil
		}
	}
}
