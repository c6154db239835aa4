package stream

import (
	"sluice/dataplane/protocol"
)

// Session is the state of one TCP connection. The zero value is a connection of
// which nothing was seen. It belongs to the worker of its Engine, and what it
// holds goes back to the Engine by Engine.Close.
type Session struct {
	half [2]half
	// hs holds what only a handshake in progress needs.
	hs    *handshake
	state State
	// beforeReset is the state that a RST ended, in case it turns out forged.
	beforeReset State
	flags       sessionFlags
	// opener is the direction of the first SYN; resetter that of the RST.
	opener, resetter protocol.Dir
	// app is the protocol whose depth holds.
	app protocol.ID
}

type sessionFlags uint8

const (
	sMidstream sessionFlags = 1 << iota // picked up without a whole handshake
	sAsync                              // the other direction was never seen
	sFourWay                            // simultaneous open or split handshake
	sReset                              // ended by a RST
	sClosing                            // being closed: gaps are no longer events
	sClosed                             // Engine.Close was called
	sInject                             // a forged RST was reported
	sStores                             // files of it are stored: Config.StoreDepth holds
)

// half is what is known of one direction: what its sender sent, and what the
// same host, as a receiver, acknowledged and allowed.
type half struct {
	// offset counts the bytes given, reported as gap or skipped.
	offset uint64
	// tsTime is when tsRecent was seen.
	tsTime int64
	q      *queue
	// isn is the SYN's sequence number, next the highest sequence number seen
	// plus one, base that of the next byte to give, fin that of the FIN.
	isn, next, base, fin uint32
	// ack is the highest acknowledgement this host sent, win its last window in
	// bytes, right the highest sequence number it has allowed the other.
	ack, win, right uint32
	tsRecent        uint32
	urgent          uint16
	flags           halfFlags
	wscale          uint8
	// policy is the overlap policy of the host that receives this direction.
	policy Policy
}

type halfFlags uint16

const (
	hSeen      halfFlags = 1 << iota // isn, next and base hold
	hSent                            // a packet of this direction was seen
	hAck                             // ack, win and right hold
	hFin                             // a FIN was seen; fin holds
	hFinAcked                        // and acknowledged
	hEnded                           // StreamEnd was called
	hSkip                            // nothing more is given
	hDepth                           // because the depth is reached
	hTS                              // tsRecent holds
	hWScale                          // the SYN had the window scale option
	hAnyScale                        // scale unknown: the widest is assumed
	hSynAcked                        // this direction's SYN was acknowledged
	hSynData                         // the SYN carried data
	hPolicySet                       // policy was looked up
	hStarted                         // something was given or reported as gap
)

func (f halfFlags) has(x halfFlags) bool { return f&x != 0 }

// State gives the connection's state.
func (s *Session) State() State { return s.state }

// Established reports whether the handshake is complete, or was taken as such
// (flow:established). It stays true while the connection closes.
func (s *Session) Established() bool {
	return s.state >= StateEstablished && (s.state != StateClosed || s.beforeReset >= StateEstablished || s.flags&sReset == 0)
}

// Midstream reports whether the connection was picked up without seeing its
// whole handshake.
func (s *Session) Midstream() bool { return s.flags&sMidstream != 0 }

// Async reports whether one direction only was seen so far, and the connection
// is followed without waiting for acknowledgements.
func (s *Session) Async() bool { return s.flags&sAsync != 0 }

// Reset reports whether a RST ended the connection, and the RST's direction.
func (s *Session) Reset() (protocol.Dir, bool) { return s.resetter, s.flags&sReset != 0 }

// Stores tells that files of the connection are stored, so that Config.StoreDepth
// holds where it is the greater one.
func (s *Session) Stores() { s.flags |= sStores }

// SetApp tells which protocol the connection speaks, for Config.Depths. A
// direction that has reached its depth stays as it is.
func (s *Session) SetApp(id protocol.ID) { s.app = id }

// ISN gives the initial sequence number of a direction's sender.
func (s *Session) ISN(dir protocol.Dir) uint32 { return s.half[dir].isn }

// NextSeq gives the sequence number that follows the highest one seen in a
// direction (SND.NXT as far as an observer knows).
func (s *Session) NextSeq(dir protocol.Dir) uint32 { return s.half[dir].next }

// LastAck gives the highest acknowledgement number that dir's sender sent, that
// is, RCV.NXT of that host; false while none was seen.
func (s *Session) LastAck(dir protocol.Dir) (uint32, bool) {
	return s.half[dir].ack, s.half[dir].flags.has(hAck)
}

// Window gives the receive window that dir's sender last offered, in bytes.
func (s *Session) Window(dir protocol.Dir) uint32 { return s.half[dir].win }

// WScale gives the window scale in force for windows that dir's sender offers.
func (s *Session) WScale(dir protocol.Dir) uint8 { return s.half[dir].wscale }

// Timestamp gives the latest timestamp value of dir's sender in order, false
// where the option is not in use. Crafted segments need it to pass PAWS.
func (s *Session) Timestamp(dir protocol.Dir) (uint32, bool) {
	return s.half[dir].tsRecent, s.half[dir].flags.has(hTS)
}

// Offset gives how many bytes of a direction were given, reported as gap, or
// passed over because nothing more was wanted.
func (s *Session) Offset(dir protocol.Dir) uint64 { return s.half[dir].offset }

// Size gives the bytes of a direction seen so far by sequence number, which is
// what the stream_size keyword compares.
func (s *Session) Size(dir protocol.Dir) uint64 {
	h := &s.half[dir]
	n := h.offset + uint64(max(0, diff(h.next, h.base)))
	if h.flags.has(hFin) && diff(h.next, h.fin) > 0 && diff(h.fin, h.base) >= 0 && n > 0 {
		n-- // the FIN takes a sequence number and no byte
	}
	return n
}

// HeldBytes gives the undelivered bytes held of a direction.
func (s *Session) HeldBytes(dir protocol.Dir) int {
	if q := s.half[dir].q; q != nil {
		return q.held.bytes
	}
	return 0
}

// DepthReached reports whether the configured depth ended a direction's data.
func (s *Session) DepthReached(dir protocol.Dir) bool { return s.half[dir].flags.has(hDepth) }

// SkipDir stops giving a direction's data while its state is followed on
// (encrypted traffic). Neither data nor gaps follow, only StreamEnd. It may be
// called by a Receiver.
func (s *Session) SkipDir(dir protocol.Dir) { s.half[dir].flags |= hSkip }

// Skipped reports whether data of a direction is no longer given.
func (s *Session) Skipped(dir protocol.Dir) bool { return s.half[dir].flags.has(hSkip) }

// Ended reports whether StreamEnd was called for a direction.
func (s *Session) Ended(dir protocol.Dir) bool { return s.half[dir].flags.has(hEnded) }

// Swap exchanges the directions, for a connection whose first packet came from
// its server. Call it between segments, before the receiver has got data.
func (s *Session) Swap() {
	s.half[0], s.half[1] = s.half[1], s.half[0]
	s.opener, s.resetter = s.opener.Other(), s.resetter.Other()
}

// diff gives a-b in sequence space (RFC 9293 §3.4): negative where a is before b.
func diff(a, b uint32) int32 { return int32(a - b) }

// maxAlternatives bounds the SYN/ACKs remembered.
const maxAlternatives = 5

// handshake is what a handshake keeps until it is complete: the SYN/ACKs among
// which the client's ACK chooses, and a SYN that may replace the connection.
type handshake struct {
	alts  [maxAlternatives]opening
	nAlts int
	syn   opening
	isSyn bool
	next  *handshake
}

// opening is what a SYN or SYN/ACK tells of its sender.
type opening struct {
	seq, ack, ts uint32
	time         int64
	win          uint16
	wscale       uint8
	hasWS, hasTS bool
	hasAck       bool
}
