// Package stream follows TCP connections and gives the bytes of each direction
// in order, gaps marked. It takes packets and gives bytes to a Receiver; it
// knows neither flows nor protocols.
//
// An Engine belongs to one worker and holds what its Sessions share: buffers,
// counters, configuration. In inline mode bytes are given on arrival, straight
// from the packet, and the bytes seen first are the ones that count. In ids
// mode they are given once the receiver has acknowledged them, and overlapping
// segments are resolved the way the receiver's system does.
package stream

import (
	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
)

// Receiver takes what reassembly gives, on the worker. Bytes are borrowed for
// the call. A Receiver may call Session.SkipDir, but not the Engine.
type Receiver interface {
	// StreamData gives the direction's next bytes; offset counts the
	// direction's bytes from 0 at the first byte after the SYN (or at the first
	// byte seen when the connection was picked up midway).
	StreamData(dir protocol.Dir, offset uint64, data []byte)
	// StreamGap tells that n bytes from offset on will not come.
	StreamGap(dir protocol.Dir, offset, n uint64)
	// StreamEnd tells that the direction has ended (FIN in order, RST, closing
	// of the session). It is called at most once a direction.
	StreamEnd(dir protocol.Dir)
}

// State is a connection's state in the sense of RFC 9293, as an observer sees
// it. From the first FIN on it is the server's state, which is how EVE tells it.
type State uint8

// The states of a connection.
const (
	StateNone State = iota
	StateSynSent
	StateSynRecv
	StateEstablished
	StateFinWait1
	StateFinWait2
	StateTimeWait
	StateLastAck
	StateCloseWait
	StateClosing
	StateClosed
)

var stateNames = [...]string{"none", "syn_sent", "syn_recv", "established", "fin_wait1", "fin_wait2",
	"time_wait", "last_ack", "close_wait", "closing", "closed"}

// String gives EVE's tcp.state.
func (s State) String() string { return stateNames[s] }

// Reason says why a segment is invalid, or which exception policy it calls
// for. The names are those of EVE's drop.reason.
type Reason uint8

// The reasons.
const (
	ReasonNone Reason = iota
	// ReasonError: the segment is not part of the connection.
	ReasonError
	// ReasonChecksum: its checksum is wrong.
	ReasonChecksum
	// ReasonUrgent: urgent data, and the urgent policy is to drop it.
	ReasonUrgent
	// ReasonMidstream: no handshake was seen and connections are not picked up
	// midway: stream.midstream-policy decides.
	ReasonMidstream
	// ReasonReassembly: a limit on data held out of order was reached:
	// stream.reassembly.memcap-policy decides.
	ReasonReassembly
	// ReasonMemcap: the engine's buffers are used up: the same policy decides.
	ReasonMemcap
)

var reasonNames = [...]string{"none", "stream error", "stream checksum", "stream urgent", "stream midstream",
	"stream reassembly", "stream memcap"}

// String gives the reason as events spell it.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return "invalid"
}

// Result tells what became of a segment.
type Result struct {
	// Events are the anomalies that the segment showed (stream-event keyword);
	// borrowed to the engine's next call.
	Events []decode.Event
	// Invalid: the segment is not part of the connection (out of window, bad
	// RST, bad checksum …); inline it is dropped, and it reaches no receiver.
	Invalid bool
	// New: the segment opened a new connection on the same ports. The old one
	// has been closed towards the receiver and the segment is not yet taken:
	// give it again, with a fresh Session.
	New bool
	// Conflict: bytes of the segment differ from those seen first at the same
	// place of the stream. Inline, the frame must not be forwarded as it is.
	Conflict bool
	// Retransmission: the segment brought nothing but bytes known already.
	Retransmission bool
	// Held: bytes of the segment were put aside until a hole before them is
	// filled or, in ids mode, until they are acknowledged.
	Held bool
	// Reason goes with Invalid, and tells of a limit reached where Invalid is
	// false.
	Reason Reason
}
