// Package stream follows TCP connections and gives the bytes of each direction
// in order, gaps marked. It takes packets and gives bytes to a Receiver; it
// knows neither flows nor protocols.
package stream

import (
	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
)

// Receiver takes what reassembly gives, on the worker. Bytes are borrowed for
// the call.
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

// State is a connection's state in the sense of RFC 9293, as an observer sees it.
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

// Result tells what became of a segment.
type Result struct {
	// Events are the anomalies that the segment showed (stream-event keyword).
	Events []decode.Event
	// Invalid: the segment is not part of the connection (out of window, bad
	// RST, bad checksum …); inline it is dropped, and it reaches no receiver.
	Invalid bool
	// New: the segment opened a new connection on the same ports.
	New bool
}
