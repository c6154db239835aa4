// Package live runs the loops that move frames between interfaces and workers.
// It prepares the ports of a host, opens their sockets, gives each worker's
// frames to its Processor, sends on what the Processor lets pass and what it
// wants injected, and undoes all of it on Close.
//
// It takes interface names and Processors, and gives counts. It knows nothing
// of packets beyond their frame: what is forwarded and what is withheld is the
// Processor's decision alone.
package live

import (
	"sluice/dataplane/capture"
	"sluice/dataplane/enforce"
	"sluice/dataplane/flow"
)

// Injection is a frame to be sent that nobody received.
type Injection = enforce.Injection

// Processor judges frames. Each worker has one, and calls it from one thread.
type Processor interface {
	// Process judges the frames of b, all of one port, and sets forward[i] for
	// each frame that is to go on. forward has the length of b.Frames and
	// arrives all false; a tap ignores it. Frames are borrowed to its return.
	Process(b *capture.Batch, forward []bool)
	// Tick is called about every TickInterval with the wall-clock time in
	// nanoseconds since the epoch, traffic or none.
	Tick(now int64)
	// Injections gives frames to send, asked for after each Process and Tick.
	// They must stay unchanged to the next call of any method.
	Injections() []Injection
}

// Waker is a Processor that waits for something beside its frames.
type Waker interface {
	// SetWake gives it a function that has Tick called at once; it may be called
	// from any goroutine, after the loops have ended too. SetWake is called before
	// the first frame.
	SetWake(wake func())
	// Urgent reports whether Tick is to be called every UrgentInterval for now.
	// It is asked after each Process and Tick.
	Urgent() bool
}

// Bypass is a table of flows that the kernel forwards by itself: fastpath's, of
// a bridge or a gateway.
type Bypass interface {
	// Bypass has a flow go past the workers from its next frame on.
	Bypass(key flow.Key) error
	// Bypassed reads a flow's counts; Revoke ends its bypass with the last ones.
	Bypassed(key flow.Key) (flow.Bypassed, bool)
	Revoke(key flow.Key) (flow.Bypassed, bool)
}

// Ports of a bridge, as in capture.Frame.Port and Injection.Port.
const (
	Inside  = 0
	Outside = 1
)
