package app

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"sluice/dataplane/fastpath"
	"sluice/dataplane/flow"
)

// belowFor is how long the kernel drops a flow that workers cannot end.
const belowFor = 10 * time.Minute

// maxBelow bounds the flows that wait to be dropped.
const maxBelow = 1024

// below hands flows to the kernel to drop. Workers must not wait for that: they
// leave the key, and what finds no room is asked for again with a later packet.
type below struct {
	fast *fastpath.FastPath
	log  *slog.Logger
	keys chan flow.Key
	lost atomic.Uint64
}

// ask is worker.Config's DropFlow.
func (b *below) ask(key flow.Key) {
	select {
	case b.keys <- key:
	default:
		b.lost.Add(1)
	}
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
			if err := b.fast.DropFlow(key, belowFor); err != nil {
				failed++
				last = err
			}
		case <-tick.C:
			if n := failed + b.lost.Swap(0); n > 0 {
				b.log.Warn("flows beside the wire go on although they should end", "flows", n, "error", last)
			}
			failed, last = 0, nil
		}
	}
}
