package protocol

import "sync"

// Session is the application layer of one flow: it finds out the protocol from
// what both directions send, whatever the ports, and gives the bytes to its
// parser. The zero value is ready. It belongs to the flow's worker; Release
// gives back what it holds.
//
// Each direction is recognised by itself: the first bytes are shown to every
// probe until one is certain or all have declined. The first certain answer of
// either direction starts the parser, which then gets what had been held back,
// in the order in which the directions spoke. Ports break ties and decide what
// is still unsure when ProbeDepth bytes or the direction's end is reached.
//
// A direction that every probe declined is raw: its bytes belong to whoever
// looks at plain streams (see Raw and Pending). It becomes the parser's again
// when the other direction is recognised later.
type Session struct {
	parser   Parser
	replaced Parser
	pend     [2]*pending
	offset   [2]uint64
	rawFrom  [2]uint64
	cand     [2]uint64
	agreed   ID
	orig     ID
	broke    ID // what agreed was before it became Failed
	speaks   ID // of parser
	spoke    ID // of replaced
	found    [2]ID
	state    [2]dirState
	first    uint8 // 1 + the direction that spoke first
	switches uint8
	tries    [2]uint8
	events   SessionEvents
	told     SessionEvents
}

// dirState holds what is known of a direction as flags.
type dirState uint8

const (
	probing  dirState = 1 << iota // cand is set
	decided                       // found, or recognition of this direction is over
	declined                      // every probe said no
	skipped                       // the parser answered Skip
	ended                         // the direction's end was told
	raw                           // bytes from rawFrom on are nobody's
	streamed                      // the frame of the whole direction was announced
	broken                        // of the first direction: the parser gave up, and nobody has asked yet
)

// maxSwitches bounds the changes of protocol in one flow.
const maxSwitches = 8

// maxTries is how many datagrams of a direction recognition looks at.
const maxTries = 3

// pending holds the first bytes of an undecided direction.
type pending struct {
	n   int
	buf [ProbeDepth]byte
}

var pendingPool = sync.Pool{New: func() any { return new(pending) }}

// SessionEvents is a set of anomalies of recognition.
type SessionEvents uint8

// The anomalies of recognition.
const (
	EventMismatchBothDirections SessionEvents = 1 << iota
	EventWrongDirectionFirstData
	EventOnlyOneDirection
	EventDetectionSkipped
	EventNoTLSAfterStartTLS
	EventUnexpectedProtocol
)

var sessionEventNames = [...]string{
	"applayer_mismatch_protocol_both_directions", "applayer_wrong_direction_first_data",
	"applayer_detect_protocol_only_one_direction", "applayer_proto_detection_skipped",
	"applayer_no_tls_after_starttls", "applayer_unexpected_protocol",
}

// Names gives the events as the app-layer-event keyword spells them.
func (e SessionEvents) Names() []string {
	var names []string
	for i, n := range sessionEventNames {
		if e>>i&1 == 1 {
			names = append(names, n)
		}
	}
	return names
}

// Proto gives the flow's protocol: Unknown while undecided, Failed when
// recognition or the parser gave up.
func (s *Session) Proto() ID { return s.agreed }

// Told gives the protocol as records name it: Proto, or what a flow was whose parser
// gave up.
func (s *Session) Told() ID {
	if s.agreed == Failed && s.broke != Unknown {
		return s.broke
	}
	return s.agreed
}

// ProtoOf gives what one direction's own bytes look like; it differs from
// Proto where the directions disagree.
func (s *Session) ProtoOf(dir Dir) ID { return s.found[dir] }

// Original gives the protocol the flow spoke before it switched to another
// (EVE's app_proto_orig), Unknown without a switch.
func (s *Session) Original() ID { return s.orig }

// Parser gives the running parser, nil where there is none. After a failure the
// parser stays reachable, so that its transactions can be finished.
func (s *Session) Parser() Parser { return s.parser }

// ParserProto gives the protocol of Parser, which stays known after a failure.
func (s *Session) ParserProto() ID { return s.speaks }

// ReplacedProto gives the protocol of Replaced.
func (s *Session) ReplacedProto() ID { return s.spoke }

// Replaced gives the parser of the protocol that the flow has switched away
// from, nil otherwise. Its transactions are final; DropReplaced forgets it.
func (s *Session) Replaced() Parser { return s.replaced }

// DropReplaced gives back the parser that Replaced tells of.
func (s *Session) DropReplaced() {
	releaseParser(s.replaced)
	s.replaced = nil
}

// Done reports whether nothing more of the direction is wanted: the parser
// answered Skip, or the direction has ended.
func (s *Session) Done(dir Dir) bool { return s.state[dir]&(skipped|ended) != 0 }

// Skipped reports whether the parser answered Skip for the direction.
func (s *Session) Skipped(dir Dir) bool { return s.state[dir]&skipped != 0 }

// Offset counts the direction's bytes, gaps included, given so far.
func (s *Session) Offset(dir Dir) uint64 { return s.offset[dir] }

// Raw reports whether the direction's bytes are nobody's, and the direction's
// offset from which on Data did not consume them. Bytes before it that were
// held back while undecided are in Pending.
func (s *Session) Raw(dir Dir) (from uint64, ok bool) {
	return s.rawFrom[dir], s.state[dir]&raw != 0
}

// Pending gives the bytes held back while the direction is undecided, which
// are its first; once it is raw, they end where Raw says. They are valid to the
// next call with a pointer receiver.
func (s *Session) Pending(dir Dir) []byte {
	if p := s.pend[dir]; p != nil {
		return p.buf[:p.n]
	}
	return nil
}

// DropPending gives back the memory behind Pending once it has been used.
func (s *Session) DropPending(dir Dir) {
	if p := s.pend[dir]; p != nil {
		p.n = 0
		pendingPool.Put(p)
		s.pend[dir] = nil
	}
}

// Events gives the anomalies seen so far.
func (s *Session) Events() SessionEvents { return s.events }

// NewEvents gives the anomalies not taken yet.
func (s *Session) NewEvents() SessionEvents { return s.events &^ s.told }

// TakeEvents gives the anomalies not taken before.
func (s *Session) TakeEvents() SessionEvents {
	e := s.events &^ s.told
	s.told = s.events
	return e
}

// TakeFailure reports whether the parser has given up since the last call.
func (s *Session) TakeFailure() bool {
	if s.state[ToServer]&broken == 0 {
		return false
	}
	s.state[ToServer] &^= broken
	return true
}

// Skip gives up recognition before it came to an end, as a policy wants
// (midstream pick-ups): the flow is Failed and both directions raw.
func (s *Session) Skip() {
	if s.agreed == Unknown {
		s.events |= EventDetectionSkipped
		s.fail(s.offset)
	}
}

// Release gives back parser and memory and makes the session new.
func (s *Session) Release() {
	s.DropPending(ToServer)
	s.DropPending(ToClient)
	releaseParser(s.parser)
	releaseParser(s.replaced)
	*s = Session{}
}

func releaseParser(p Parser) {
	if r, ok := p.(Releaser); ok {
		r.Release()
	}
}

// Data takes the next bytes of a stream's direction. It answers Continue when
// they were taken or held back, Skip when nothing more of the direction is
// wanted, Switch when the flow went over to another protocol (see Replaced),
// and Error when they are raw: not (or not wholly) taken by any parser.
func (s *Session) Data(r *Registry, env *Env, dir Dir, data []byte) Status {
	if len(data) == 0 {
		return Continue
	}
	env.Datagram = false
	off := s.offset[dir]
	s.offset[dir] += uint64(len(data))
	return s.data(r, env, dir, data, off)
}

func (s *Session) data(r *Registry, env *Env, dir Dir, data []byte, off uint64) Status {
	st := s.state[dir]
	if s.parser != nil && s.agreed != Failed {
		if other := dir.Other(); s.pend[other] != nil {
			// What is held back of the other direction came first.
			if st := s.flush(r, env, other); st == Error || st == Switch {
				if again := s.data(r, env, dir, data, off); again == Error {
					return again
				}
				return st
			}
		}
		if st&skipped != 0 {
			return Skip
		}
		if st&decided == 0 {
			return s.firstData(r, env, dir, data, off)
		}
		return s.after(r, env, dir, s.parse(env, dir, data, off), off)
	}
	if st&raw != 0 {
		return Error
	}
	if s.agreed != Unknown {
		s.state[dir] |= raw
		s.rawFrom[dir] = off
		return Error
	}
	return s.recognise(r, env, dir, data, off)
}

// after carries out a parser's answer to bytes that began at offset off.
func (s *Session) after(r *Registry, env *Env, dir Dir, st Status, off uint64) Status {
	if env.Became != Unknown {
		s.become(r, env)
	}
	switch st {
	case Skip:
		s.state[dir] |= skipped
	case Error:
		from := s.offset
		from[dir] = off
		s.fail(from)
		s.state[ToServer] |= broken
		s.close(env)
	case Switch:
		to, rest, hint := env.SwitchTo, env.Rest, env.Hint
		env.SwitchTo, env.Rest, env.Hint = Unknown, nil, nil
		return s.change(r, env, dir, to, rest, hint)
	}
	return st
}

// close ends what a parser that failed has under way, in the other direction too: no
// more of it comes, and what waits for the end of an object would wait for ever.
func (s *Session) close(env *Env) {
	for d := range s.state {
		if s.state[d]&ended == 0 {
			s.frame(env, Dir(d), s.offset[d], 0)
			s.parser.End(env, Dir(d))
		}
	}
}

// become makes the flow one of the protocol that its parser has found carried, where
// that is enabled.
func (s *Session) become(r *Registry, env *Env) {
	to := env.Became
	env.Became = Unknown
	if s.agreed == to || s.agreed == Failed || r.Definition(to) == nil {
		return
	}
	if s.orig == Unknown {
		s.orig = s.agreed
	}
	s.agreed = to
}

// fail ends recognition or parsing: both directions are raw from the offsets
// given on. What is pending stays for Pending.
func (s *Session) fail(from [2]uint64) {
	if s.agreed != Failed {
		s.broke = s.agreed
	}
	s.agreed = Failed
	for d := range s.state {
		if s.state[d]&raw == 0 {
			s.rawFrom[d] = from[d]
		}
		s.state[d] = s.state[d]&ended | decided | raw
	}
}

// change makes the rest of the flow another protocol.
func (s *Session) change(r *Registry, env *Env, dir Dir, to ID, rest []byte, hint any) Status {
	if s.switches++; s.switches > maxSwitches {
		s.fail([2]uint64{s.offset[0] - restLen(dir, ToServer, rest), s.offset[1] - restLen(dir, ToClient, rest)})
		return Error
	}
	s.DropPending(ToServer)
	s.DropPending(ToClient)
	s.DropReplaced()
	if s.orig == Unknown {
		s.orig = s.agreed
	}
	s.replaced, s.spoke, s.parser = s.parser, s.speaks, nil
	s.agreed, s.found, s.first = Unknown, [2]ID{}, 0
	for d := range s.state {
		s.state[d] &= ended
	}
	if to != Unknown {
		s.agreed = to
		if def := r.Definition(to); def != nil && def.New != nil {
			s.parser, s.speaks = def.New(env), to
			if h, ok := s.parser.(Hinter); ok && hint != nil {
				h.Hint(hint)
			}
		}
		// Both directions are checked against the new protocol as they speak.
	}
	if len(rest) > 0 {
		off := s.offset[dir] - uint64(len(rest))
		var st Status
		if env.Datagram {
			s.offset[dir] = off
			st = s.Datagram(r, env, dir, rest)
		} else {
			st = s.data(r, env, dir, rest, off)
		}
		if st == Error {
			return st
		}
	}
	return Switch
}

func restLen(dir, d Dir, rest []byte) uint64 {
	if dir == d {
		return uint64(len(rest))
	}
	return 0
}

// Gap tells that n bytes of a direction are missing. The answer is Data's.
func (s *Session) Gap(r *Registry, env *Env, dir Dir, n uint64) Status {
	env.Datagram = false
	off := s.offset[dir]
	if s.parser != nil && s.agreed != Failed && s.state[dir]&skipped == 0 {
		// What is held back came before the hole.
		st := s.flush(r, env, dir)
		s.offset[dir] += n
		if st == Error || st == Switch {
			return st
		}
		s.state[dir] |= decided
		s.frame(env, dir, off, n)
		return s.after(r, env, dir, s.parser.Gap(env, dir, n), off)
	}
	s.offset[dir] += n
	if s.parser != nil && s.agreed != Failed {
		return Skip
	}
	if s.state[dir]&(raw|decided) == 0 && s.agreed == Unknown {
		// What comes after a hole is not a beginning that a probe could judge.
		s.settle(r, env, dir, off)
		if s.parser != nil {
			s.frame(env, dir, off, n)
			return s.after(r, env, dir, s.parser.Gap(env, dir, n), off)
		}
	}
	if s.state[dir]&raw != 0 {
		return Error
	}
	return Continue
}

// End tells that a direction has ended. It is idempotent. Where the protocol
// was still unsure, it is decided now: the direction may have become raw.
func (s *Session) End(r *Registry, env *Env, dir Dir) {
	if s.state[dir]&ended != 0 {
		return
	}
	if s.agreed == Unknown && s.state[dir]&(decided|raw) == 0 {
		s.settle(r, env, dir, s.offset[dir])
	}
	if s.parser != nil && s.agreed != Failed {
		s.flush(r, env, dir)
	}
	s.state[dir] |= ended
	if s.parser != nil && s.agreed != Failed {
		s.frame(env, dir, s.offset[dir], 0)
		s.parser.End(env, dir)
		return
	}
	if s.agreed == Unknown && s.state[dir.Other()]&(ended|declined) != 0 {
		s.fail(s.offset)
	}
}

// Datagram takes one datagram. The answers are those of Data; a datagram that
// nobody took is raw, whatever is recognised later.
func (s *Session) Datagram(r *Registry, env *Env, dir Dir, data []byte) Status {
	env.Datagram = true
	off := s.offset[dir]
	s.offset[dir] += uint64(len(data))
	if s.parser != nil && s.agreed != Failed {
		if s.state[dir]&skipped != 0 {
			return Skip
		}
		if s.state[dir]&decided == 0 {
			s.verifyDatagram(r, env, dir, data)
		}
		return s.after(r, env, dir, s.parse(env, dir, data, 0), off)
	}
	if s.agreed != Unknown || len(data) == 0 {
		return Error
	}
	if s.first == 0 {
		s.first = uint8(dir) + 1
	}
	view := data[:min(len(data), ProbeDepth)]
	mask := r.udpMask
	id := ask(r.udp, true, &mask, dir, view, r.portMask(env))
	if id == Unknown {
		id = pick(r.udp, mask&r.portMask(env))
	}
	if id == Unknown {
		if s.tries[dir]++; s.tries[dir] >= maxTries {
			s.agreed = Failed
		}
		return Error
	}
	s.begin(r, env, dir, id)
	if s.parser == nil {
		return Error
	}
	return s.after(r, env, dir, s.parse(env, dir, data, 0), off)
}
