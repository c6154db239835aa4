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
	// quietAfter is how long a blocked flow must be silent for its ends to have been
	// told: who then speaks again does not listen.
	quietAfter = 30 * time.Second
	// deafAfter packets over at least deafFor tell the same of ends that never fall
	// silent. An end that lost its reset sends a few in that time; what was under
	// way when the verdict fell is many, but over at once.
	deafAfter = 8
	deafFor   = 2 * time.Second
)

// Tombstone stands where a blocked flow was, and answers what the ends of a
// connection still send. It belongs to the worker that owns the flow.
type Tombstone struct {
	// mute tells that nothing is answered: the flow is dropped silently, or has no
	// connection.
	mute bool
	// refused tells that the client was given a refusal that ends before next.
	refused bool
	next    uint32
	// last is the time of the latest segment; second and answers bound the rate.
	last, second int64
	answers      int
	absorbed     int
	// since is when the flow was blocked, heard how many packets came after that,
	// and back tells that the last one broke a long silence.
	since int64
	heard uint64
	back  bool
	// Suppressed counts segments that got no answer for the rate's sake.
	Suppressed uint64
}

// NewTombstone begins after Resets. Times are nanoseconds of any one clock.
func NewTombstone(now int64) *Tombstone { return &Tombstone{last: now, since: now} }

// NewSilence begins where a flow is dropped without a word.
func NewSilence(now int64) *Tombstone { return &Tombstone{last: now, since: now, mute: true} }

// NewRefusal begins after Refuse with a refusal of the given length.
func NewRefusal(now int64, n TCPEnds, refusal int) *Tombstone {
	return &Tombstone{last: now, since: now, refused: true, next: n.ServerNext + uint32(refusal) + 1}
}

// Settled reports whether there is no more to say: the ends were told, by answers
// or by silence, and go on all the same. The flow can then be dropped where that
// costs less than here. Ask after Answer.
func (t *Tombstone) Settled(now int64) bool {
	if t.refused && t.absorbed < absorbLimit && !t.back {
		return false // the client may still be on its way to the refusal
	}
	return t.back || t.heard >= deafAfter && now-t.since >= int64(deafFor)
}

// Answer gives the frame to send back to p's sender, or nil where none is due.
// p itself is always withheld. A new handshake is a new connection: the
// tombstone then reports over, and p is to be judged afresh.
func (t *Tombstone) Answer(c *Crafter, p *decode.Packet, fromClient bool, now int64) (frame []byte, over bool) {
	if p.Proto == decode.ProtoTCP && fromClient && p.TCPFlags&(flagSYN|flagACK|flagRST) == flagSYN {
		return nil, true
	}
	if now < t.last { // the clock was set back
		t.since -= t.last - now
		t.last = now
	}
	t.back = now-t.last > int64(quietAfter)
	t.heard++
	t.last = now
	if t.mute || p.TCPFlags&flagRST != 0 {
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
