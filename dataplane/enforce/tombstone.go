package enforce

import (
	"time"

	"sluice/dataplane/decode"
)

const (
	// answersPerSecond bounds what a dead connection can make the box send.
	answersPerSecond = 16
	// absorbLimit is how many segments of a refused client are acknowledged,
	// so that it comes to read its refusal instead of meeting a reset.
	absorbLimit = 4096
	// quietAfter is how long a blocked connection must be silent to be forgotten.
	quietAfter = 30 * time.Second
)

// Tombstone stands where a blocked connection was, and answers what its ends
// still send. It belongs to the worker that owns the flow.
type Tombstone struct {
	// refused tells that the client was given a refusal that ends before next.
	refused bool
	next    uint32
	// last is the time of the latest segment; second and answers bound the rate.
	last, second int64
	answers      int
	absorbed     int
	// Suppressed counts segments that got no answer for the rate's sake.
	Suppressed uint64
}

// NewTombstone begins after Resets. Times are nanoseconds of any one clock.
func NewTombstone(now int64) *Tombstone { return &Tombstone{last: now} }

// NewRefusal begins after Refuse with a refusal of the given length.
func NewRefusal(now int64, n TCPEnds, refusal int) *Tombstone {
	return &Tombstone{last: now, refused: true, next: n.ServerNext + uint32(refusal) + 1}
}

// Quiet reports whether nothing has come for so long that XDP may have the
// flow, or nobody.
func (t *Tombstone) Quiet(now int64) bool { return now-t.last > int64(quietAfter) }

// Answer gives the frame to send back to p's sender, or nil where none is due.
// p itself is always withheld. A new handshake is a new connection: the
// tombstone then reports over, and p is to be judged afresh.
func (t *Tombstone) Answer(c *Crafter, p *decode.Packet, fromClient bool, now int64) (frame []byte, over bool) {
	if fromClient && p.TCPFlags&(flagSYN|flagACK|flagRST) == flagSYN {
		return nil, true
	}
	t.last = now
	if p.TCPFlags&flagRST != 0 {
		return nil, false
	}
	if t.refused && fromClient && t.absorbed < absorbLimit {
		t.absorbed++
		if p.PayloadEnd == p.Payload && p.TCPFlags&flagFIN == 0 {
			return nil, false // a bare acknowledgement of the refusal
		}
		frame, _ = c.AckFor(p, t.next)
		return frame, false
	}
	if second := now / int64(time.Second); second != t.second {
		t.second, t.answers = second, 0
	}
	if t.answers >= answersPerSecond {
		t.Suppressed++
		return nil, false
	}
	t.answers++
	frame, _ = c.ResetFor(p)
	return frame, false
}
