package stream

import (
	"github.com/gaissmai/bart"

	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
)

// Counters count what an Engine did since its start. They are the worker's own:
// read them on the worker, or copy them there.
type Counters struct {
	// Segments are all segments taken; Invalid those that were refused.
	Segments, Invalid, BadChecksum uint64
	Syn, SynAck, Rst               uint64
	// Sessions counts connections begun, Midstream those without a whole
	// handshake, NoSession segments that belong to no connection.
	Sessions, Midstream, NoSession uint64
	// Bytes were given to receivers; OutOfOrder segments were put aside.
	Bytes, OutOfOrder, Retransmissions uint64
	// Overlaps are segments that overlap data held; Conflicts those with other
	// bytes; Unverified retransmissions whose first copy was no longer kept.
	Overlaps, Conflicts, Unverified uint64
	Gaps, GapBytes                  uint64
	// HeldLimit and Memcap count the times a limit was reached; Forgotten the
	// kept bytes given up to stay within MaxKeptBytes or the memcap.
	HeldLimit, Memcap, Forgotten uint64
	Urgent, Depth, RstInject     uint64
}

// Each calls fn with each counter under the name that EVE's stats event gives
// it, or a name in its manner.
func (c *Counters) Each(fn func(name string, value uint64)) {
	fn("tcp.segments", c.Segments)
	fn("tcp.invalid", c.Invalid)
	fn("tcp.invalid_checksum", c.BadChecksum)
	fn("tcp.syn", c.Syn)
	fn("tcp.synack", c.SynAck)
	fn("tcp.rst", c.Rst)
	fn("tcp.sessions", c.Sessions)
	fn("tcp.midstream_pickups", c.Midstream)
	fn("tcp.pkt_on_no_session", c.NoSession)
	fn("tcp.stream_bytes", c.Bytes)
	fn("tcp.out_of_order", c.OutOfOrder)
	fn("tcp.retransmissions", c.Retransmissions)
	fn("tcp.overlap", c.Overlaps)
	fn("tcp.overlap_diff_data", c.Conflicts)
	fn("tcp.unverified_retransmissions", c.Unverified)
	fn("tcp.reassembly_gap", c.Gaps)
	fn("tcp.reassembly_gap_bytes", c.GapBytes)
	fn("tcp.segment_limit", c.HeldLimit)
	fn("tcp.segment_memcap_drop", c.Memcap)
	fn("tcp.forgotten_bytes", c.Forgotten)
	fn("tcp.urg", c.Urgent)
	fn("tcp.stream_depth_reached", c.Depth)
	fn("tcp.suspected_rst_inject", c.RstInject)
}

// Engine follows the connections of one worker. It is not safe for concurrent
// use, and steady state allocates nothing.
type Engine struct {
	// Counters may be read by the worker at any time.
	Counters Counters

	cfg   Config
	hosts *bart.Table[Policy]
	pools pools

	// Of the call in progress: where data goes, and the result.
	r       Receiver
	res     Result
	events  [24]decode.Event
	nEvents int
	// reopened is the SYN of a connection whose SYN/ACK replaced an old one;
	// the fresh session takes it up.
	reopened    opening
	hasReopened bool
	// gen numbers the runs buffered, for overlap policies.
	gen uint32
}

// NewEngine makes an engine. cfg must be valid (Config.Validate); limits left
// at zero get their defaults.
func NewEngine(cfg Config) *Engine {
	e := &Engine{cfg: cfg.withDefaults()}
	if len(cfg.HostOS) > 0 {
		e.hosts = new(bart.Table[Policy])
		for _, h := range cfg.HostOS {
			e.hosts.Insert(h.Prefix.Masked(), h.Policy)
		}
	}
	return e
}

// InUse gives the bytes of buffers that sessions hold, and Reserved those
// allocated for them.
func (e *Engine) InUse() int64 { return e.pools.inUse }

// Reserved gives the bytes of buffers allocated so far.
func (e *Engine) Reserved() int64 { return e.pools.reserved }

// event notes an anomaly of the segment in progress, once.
func (e *Engine) event(ev decode.Event) {
	for _, x := range e.events[:e.nEvents] {
		if x == ev {
			return
		}
	}
	if e.nEvents < len(e.events) {
		e.events[e.nEvents] = ev
		e.nEvents++
	}
}

// refuse marks the segment in progress as no part of the connection.
func (e *Engine) refuse(ev decode.Event) {
	e.event(ev)
	e.invalid(ReasonError)
}

func (e *Engine) invalid(why Reason) {
	e.res.Invalid = true
	if e.res.Reason == ReasonNone {
		e.res.Reason = why
	}
}

// discard is the receiver of connections that nobody reads.
type discard struct{}

func (discard) StreamData(protocol.Dir, uint64, []byte) {}
func (discard) StreamGap(protocol.Dir, uint64, uint64)  {}
func (discard) StreamEnd(protocol.Dir)                  {}

func (e *Engine) begin(r Receiver) {
	if r == nil {
		r = discard{}
	}
	e.r, e.res, e.nEvents = r, Result{}, 0
}

func (e *Engine) finish() Result {
	e.r = nil
	if e.res.Invalid {
		e.Counters.Invalid++
	}
	e.res.Events = e.events[:e.nEvents:e.nEvents]
	return e.res
}

// Segment takes the TCP packet p of connection s in direction dir and gives r
// what became readable; r may be nil. p must have passed decoding as TCP; its payload may be
// an aggregate. Bytes given to r are borrowed from the packet or the engine.
func (e *Engine) Segment(s *Session, p *decode.Packet, dir protocol.Dir, r Receiver) Result {
	e.begin(r)
	c := &e.Counters
	c.Segments++
	flags := p.TCPFlags
	switch {
	case flags&decode.TCPRst != 0:
		c.Rst++
	case flags&(decode.TCPSyn|decode.TCPAck) == decode.TCPSyn|decode.TCPAck:
		c.SynAck++
	case flags&decode.TCPSyn != 0:
		c.Syn++
	}
	if e.cfg.ChecksumValidation && p.Flags&decode.FlagBadL4Checksum != 0 {
		c.BadChecksum++
		e.invalid(ReasonChecksum)
		return e.finish()
	}
	if flags&decode.TCPAck == 0 && p.Ack != 0 {
		e.event(EventPktBrokenAck)
	}
	if flags&(decode.TCPSyn|decode.TCPFin) == decode.TCPSyn|decode.TCPFin {
		// Some receivers take it as a SYN, others drop it. Inline it is dropped.
		e.event(EventFinSyn)
		if e.cfg.Inline {
			e.invalid(ReasonError)
			return e.finish()
		}
		flags &^= decode.TCPFin
	}
	if flags&decode.TCPRst != 0 {
		flags &^= decode.TCPSyn | decode.TCPFin
	}
	if flags&decode.TCPAck == 0 && flags&(decode.TCPSyn|decode.TCPRst) == 0 {
		// RFC 9293 §3.10.7.4: without ACK a segment is dropped.
		e.invalid(ReasonError)
		return e.finish()
	}
	e.policyFor(s, p, dir)
	// The first segment of the other side ends the time of one side alone, unless
	// it turns out to be none.
	both := s.flags&sAsync != 0 && !s.half[dir].flags.has(hSent) && s.half[dir.Other()].flags.has(hSent)
	if both {
		s.flags &^= sAsync
	}
	switch {
	case s.state == StateNone:
		e.open(s, p, dir, flags)
	case s.state < StateEstablished:
		e.shake(s, p, dir, flags)
	case flags&decode.TCPSyn != 0:
		e.lateSyn(s, p, dir, flags)
	case s.flags&sReset != 0:
		e.afterReset(s, p, dir, flags)
	default:
		e.synced(s, p, dir, flags)
	}
	if !e.res.Invalid && !e.res.New {
		s.half[dir].flags |= hSent
	} else if both {
		s.flags |= sAsync
	}
	return e.finish()
}

// policyFor looks up how the receiver of a direction resolves overlaps.
func (e *Engine) policyFor(s *Session, p *decode.Packet, dir protocol.Dir) {
	h := &s.half[dir]
	if h.flags.has(hPolicySet) {
		return
	}
	h.flags |= hPolicySet
	h.policy = e.cfg.Default
	if e.hosts != nil {
		if pol, ok := e.hosts.Lookup(p.Dst.Netip()); ok {
			h.policy = pol
		}
	}
}

// Close ends the connection for its receiver: what is held is given, holes are
// reported as gaps, StreamEnd is called for each direction that has not ended,
// and everything held goes back to the engine. The session's accessors stay
// usable; closing twice does nothing.
func (e *Engine) Close(s *Session, r Receiver) {
	e.begin(r)
	e.close(s)
	e.r = nil
}

func (e *Engine) close(s *Session) {
	if s.flags&sClosed != 0 {
		return
	}
	s.flags |= sClosing | sClosed
	for d := range s.half {
		dir := protocol.Dir(d)
		h, o := &s.half[d], &s.half[dir.Other()]
		if s.state == StateNone {
			break
		}
		if h.q != nil {
			for h.q.held.len() > 0 {
				e.flushRun(s, dir)
			}
		}
		last := h.base
		if h.flags.has(hFin) {
			last = h.fin
		} else if o.flags.has(hAck) {
			last = o.ack
		}
		if n := diff(last, h.base); n > 0 && h.flags.has(hSeen) {
			e.gap(s, dir, uint32(n))
		}
		e.end(s, dir)
	}
	e.freeQueues(s)
	e.dropShake(s)
}

func (e *Engine) freeQueues(s *Session) {
	for d := range s.half {
		h := &s.half[d]
		e.dropHeld(h)
		e.dropKept(h)
		if h.q != nil {
			e.pools.putQueue(h.q)
			h.q = nil
		}
	}
}

func (e *Engine) dropShake(s *Session) {
	if s.hs != nil {
		e.pools.putShake(s.hs)
		s.hs = nil
	}
}
