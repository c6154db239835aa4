package engine

import (
	"bytes"
	"slices"

	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/internal/hs"
	"sluice/internal/pcre"
	"sluice/signatures/rule"
)

// Kind says what a rule matched on.
type Kind uint8

// The kinds of matches.
const (
	KindPacket Kind = iota
	KindStream
	KindTx
	KindObject
	KindFrame
)

// String gives a name for logs and explanations.
func (k Kind) String() string { return [...]string{"packet", "stream", "tx", "object", "frame"}[k] }

// Match is a rule that holds. It is valid until the Matcher's Reset.
type Match struct {
	Rule *rule.Rule
	// Tx is the transaction, nil for packet and stream rules; Object the object
	// that completed the match, where one did.
	Tx     *protocol.Tx
	Object *protocol.Object
	// Frame is the frame of a rule on frames, nil else.
	Frame *FrameMatch
	Dir   protocol.Dir
	Kind  Kind
	// Buffer is the buffer of the last test that held.
	Buffer protocol.BufferID
	// Start and End are the bytes matched: of the packet's payload, or offsets
	// of the stream or object; End 0 where they are unknown.
	Start, End uint64
	// Silent: the action applies and no alert is to be written (thresholds,
	// noalert).
	Silent bool
	// FlowScope: a drop or pass applies to the flow rather than to the packet.
	FlowScope bool

	// Changed tells that a rate filter gave the rule another action.
	Changed bool
	// Context is what datasets know of the values that were found in them.
	Context []Context
	// Rewrites are the bytes of the packet's payload that the rule replaces.
	Rewrites []Rewrite

	idx uint32
}

// Context is the JSON object that a member of a dataset came with, under the
// name that the rule gives it.
type Context struct{ Key, JSON string }

// Rewrite puts With at an offset of the packet's payload. With is the rule's.
type Rewrite struct {
	At   uint32
	With []byte
}

// Window is what is at hand of a stream's direction or of an object.
type Window struct {
	// Data ends with the newest byte; Start is the offset of Data[0]; New is the
	// index at which bytes begin that were not in the window before.
	Data  []byte
	Start uint64
	New   int
}

// Counters tell what a Matcher did. They are written by its worker only.
type Counters struct {
	// Candidates were nominated, Confirmed held, Suppressed were not alerted
	// because of thresholds or the limit of alerts.
	Candidates, Confirmed, Suppressed uint64
	// Overflow counts matches beyond the limit of alerts of a packet.
	Overflow uint64
	// Limited counts confirmations that the limit of steps cut short.
	Limited uint64
	// SetsFull counts members for which a dataset had no room.
	SetsFull uint64
	// LimitsFull counts thresholds and rate filters of an address that were
	// forgotten to make room for another.
	LimitsFull uint64
	// BitsFull counts bits of hosts that were forgotten to make room for another.
	BitsFull uint64
	// ScanFailures counts scans that Hyperscan did not finish: what they would
	// have nominated is unknown.
	ScanFailures uint64
}

// maxMatches bounds the matches kept of a packet before the limit applies.
const maxMatches = 256

// Matcher is one worker's side of an Engine. It belongs to one goroutine, takes
// no lock but State's, and does not allocate unless a rule keeps state.
type Matcher struct {
	e    *Engine
	sc   *hs.Scanner
	own  bool
	pcre *pcre.Context

	// cands are the rules nominated in this call; stamp tells which are in it.
	cands []uint32
	stamp []uint32
	gen   uint32
	// fired tells the rules that matched since Reset.
	fired   []uint32
	round   uint32
	matches []Match
	// heads are the rules whose heads the bytes in work have.
	heads []uint32
	// addrs remember what each addrIndex last answered.
	addrs []addrMemo

	c     confirm
	vars  [33]uint64
	b64   []byte
	xbuf  [2][]byte
	xturn int
	jobs  []job
	// win are the raw bytes that the packet at hand brought, for rules of
	// transactions with tests on them.
	win     Window
	winFlow *flow.Flow
	winDir  protocol.Dir
	// objCands are what an object nominated; objSize is its size so far.
	objCands []cand
	// complete: the direction of the transaction at hand is.
	complete bool
	objSize  uint64
	// parsers' buffers are asked for through these.
	parser protocol.Parser
	events []decode.Event
	// outside: the stream has refused the next packet's payload.
	outside bool

	// What is being judged.
	p        *decode.Packet
	f        *flow.Flow
	dir      protocol.Dir
	src, dst *decode.Addr
	sp, dp   uint16
	ports    bool
	proto    uint8
	ipver    uint8
	now      int64

	// pending captures of the rule at hand.
	captured []captured
	// contexts are what datasets gave to the rule at hand.
	contexts []Context
	// rewrites are what the matches since Reset replace.
	rewrites []Rewrite

	// watch is told what becomes of rules while they are profiled or explained;
	// nil otherwise.
	watch *watch

	Counters Counters
}

// Engine gives the engine that the Matcher serves.
func (m *Matcher) Engine() *Engine { return m.e }

// Close frees what the Matcher holds outside of Go's memory.
func (m *Matcher) Close() { m.pcre.Close() }

// Reset forgets the matches of the packet before.
func (m *Matcher) Reset() {
	clear(m.matches)
	m.matches = m.matches[:0]
	m.events, m.rewrites, m.outside = m.events[:0], m.rewrites[:0], false
	m.win, m.winFlow = Window{}, nil
	if m.round++; m.round == 0 {
		clear(m.fired)
		m.round = 1
	}
}

// StreamEvents tells of the anomalies that stream tracking saw in the packet
// that the next call of Packet is about.
func (m *Matcher) StreamEvents(ev []decode.Event) {
	m.events = append(m.events, ev[:min(len(ev), 64-min(len(m.events), 64))]...)
}

// Outside tells that the stream has refused the segment that the next call of Packet
// is about, so that rules of the stream see its payload there or not at all.
func (m *Matcher) Outside() { m.outside = true }

// Matches gives the matches since Reset: pass before drop before reject before
// alert, or as Options.ActionOrder says, then by priority, then as the rules came. When a pass rule is among
// them, the ones after it are gone. At most the limit of alerts is given.
func (m *Matcher) Matches() []Match {
	if len(m.matches) == 0 {
		return nil
	}
	if len(m.matches) > 1 {
		slices.SortStableFunc(m.matches, func(a, b Match) int {
			if a.idx != b.idx {
				return int(a.idx) - int(b.idx)
			}
			if a.Tx != nil && b.Tx != nil && a.Tx.ID != b.Tx.ID {
				if a.Tx.ID < b.Tx.ID {
					return -1
				}
				return 1
			}
			return 0
		})
	}
	n, loud := 0, 0
	for i := range m.matches {
		x := &m.matches[i]
		if !x.Silent && loud == m.e.opt.MaxAlerts {
			m.Counters.Overflow++
			if m.watch != nil {
				m.watch.overtaken(x, "the limit of alerts of a packet is reached: rules that are evaluated before it took all places")
			}
			if x.Rule.Action == rule.Alert && !m.e.rules[x.idx].acts() {
				continue
			}
			x.Silent = true
		}
		if !x.Silent {
			loud++
		}
		m.matches[n] = *x
		n++
		if x.Rule.Action == rule.Pass {
			if m.watch != nil {
				m.watch.passed(x.Rule, m.matches[i+1:])
			}
			break
		}
	}
	clear(m.matches[n:])
	m.matches = m.matches[:n]
	return m.matches
}

// nominate puts a rule on the list of this call, once.
func (m *Matcher) nominate(r uint32) {
	if m.stamp[r] != m.gen {
		m.stamp[r] = m.gen
		m.cands = append(m.cands, r)
	}
}

// begin starts a call: packet or flow and direction to judge.
func (m *Matcher) begin(p *decode.Packet, f *flow.Flow, dir protocol.Dir, ofFlow bool) {
	m.p, m.f, m.dir = p, f, dir
	m.cands = m.cands[:0]
	if m.gen++; m.gen == 0 {
		clear(m.stamp)
		m.gen = 1
	}
	if m.round == 0 {
		m.round = 1
	}
	if p != nil {
		m.now = p.Time
	} else if f != nil {
		m.now = f.Last
	}
	if ofFlow || p == nil {
		m.proto, m.ipver, m.ports = f.Proto, f.IPVersion, true
		m.src, m.dst, m.sp, m.dp = &f.Client, &f.Server, f.ClientPort, f.ServerPort
		if dir == protocol.ToClient {
			m.src, m.dst, m.sp, m.dp = &f.Server, &f.Client, f.ServerPort, f.ClientPort
		}
		return
	}
	m.proto, m.ipver, m.ports = p.Proto, p.IPVersion, p.Flags&decode.FlagHasPorts != 0
	m.src, m.dst, m.sp, m.dp = &p.Src, &p.Dst, p.SrcPort, p.DstPort
}

// silenced reports whether a pass rule took the flow out of inspection.
func silenced(f *flow.Flow) bool { return f != nil && f.PassRules }

// transport reports whether the rule is for the packet's protocol.
func (m *Matcher) transport(r *crule) bool {
	switch r.Proto.Transport {
	case rule.TCP:
		if m.proto != decode.ProtoTCP {
			return false
		}
	case rule.UDP:
		if m.proto != decode.ProtoUDP {
			return false
		}
	case rule.ICMP:
		if m.proto != decode.ProtoICMP {
			return false
		}
	case rule.ICMPv6:
		if m.proto != decode.ProtoICMPv6 {
			return false
		}
	case rule.AnyICMP:
		if m.proto != decode.ProtoICMP && m.proto != decode.ProtoICMPv6 {
			return false
		}
	case rule.SCTP:
		if m.proto != decode.ProtoSCTP {
			return false
		}
	case rule.ProtoNum:
		if m.proto != r.Proto.Num {
			return false
		}
	}
	return r.Proto.IPVersion == 0 || r.Proto.IPVersion == m.ipver
}

// header tests protocol, direction, ports and addresses, cheapest first.
func (m *Matcher) header(r *crule) bool {
	if m.f != nil && !r.dirs.Has(m.dir) && !r.Transactional {
		return false
	}
	if !m.transport(r) {
		return false
	}
	if r.Transactional {
		if m.f == nil {
			return false
		}
		f := m.f
		return r.SrcPort.Has(f.ClientPort) && r.DstPort.Has(f.ServerPort) && r.Src.Has(&f.Client) && r.Dst.Has(&f.Server)
	}
	if m.ends(r, m.src, m.dst, m.sp, m.dp) {
		return true
	}
	return r.Bidirectional && m.ends(r, m.dst, m.src, m.dp, m.sp)
}

func (m *Matcher) ends(r *crule, src, dst *decode.Addr, sp, dp uint16) bool {
	if m.ports || r.Proto.Transport == rule.TCP || r.Proto.Transport == rule.UDP || r.Proto.Transport == rule.SCTP {
		if !r.SrcPort.Has(sp) || !r.DstPort.Has(dp) {
			return false
		}
	}
	return r.Src.Has(src) && r.Dst.Has(dst)
}

// flowHolds tests the flow keyword and the application protocol. unknown tells
// that the protocol may become known later.
func (m *Matcher) flowHolds(r *crule) (ok, unknown bool) {
	o, f := &r.Flow, m.f
	if f == nil {
		if o.Established || o.NotEstablished || o.ToServer || o.ToClient || r.apps != 0 {
			return false, false
		}
	} else {
		est := f.State >= flow.StateEstablished && !f.Completing
		if o.Established && !est || o.NotEstablished && est {
			return false, false
		}
		if r.apps != 0 {
			id := f.App.Proto()
			if id == protocol.Unknown {
				return false, true
			}
			if r.apps>>id&1 == 0 {
				// The protocol before a switch still counts for its transactions.
				if o := f.App.Original(); o == protocol.Unknown || r.apps>>o&1 == 0 {
					return false, false
				}
			}
		}
	}
	if m.p != nil {
		if o.OnlyFrag && m.p.Flags&decode.FlagReassembled == 0 || o.NoFrag && m.p.Flags&decode.FlagReassembled != 0 {
			return false, false
		}
	}
	return true, false
}

// fire carries out what a rule that holds does.
func (m *Matcher) fire(r *crule, x Match) {
	m.Counters.Confirmed++
	m.fired[r.idx] = m.round
	m.tell(Matched)
	m.effects(r)
	if r.Quiet != 0 {
		m.hush(r, x.Tx)
	}
	x.Rule, x.idx = r.Rule, r.idx
	if len(m.contexts) > 0 {
		x.Context = slices.Clone(m.contexts)
		m.contexts = m.contexts[:0]
	}
	if len(r.Suppress) > 0 && m.suppressed(r) {
		m.Counters.Suppressed++
		m.tell(KeptSuppressed)
		if r.Action == rule.Alert && !r.acts() {
			return
		}
		x.Silent = true
	}
	within := r.limit == nil || m.withinLimit(r, r.limit)
	if !within && r.limit.kind == "detection_filter" {
		// A detection_filter that does not hold yet is no match at all.
		m.Counters.Suppressed++
		m.tell(KeptThreshold)
		return
	}
	if r.Filestore != nil {
		m.store(r, &x)
	}
	// What is suppressed or filtered does not count against the rate; what a
	// threshold only keeps from being told of does, and the new action holds for
	// it as well.
	if r.rate != nil && !x.Silent && m.withinLimit(r, r.rate) {
		x.Rule, x.Changed = r.changed, true
	}
	if !within {
		m.Counters.Suppressed++
		m.tell(KeptThreshold)
		if x.Rule.Action == rule.Alert && !r.acts() {
			return
		}
		x.Silent = true
	}
	if r.NoAlert || r.Action == rule.Config && !r.AlertToo {
		if r.NoAlert {
			m.tell(KeptNoAlert)
		} else {
			m.tell(KeptConfig)
		}
		if (x.Rule.Action == rule.Alert || x.Rule.Action == rule.Config) && !r.acts() {
			return
		}
		x.Silent = true
	}
	switch r.Scope {
	case rule.ScopeFlow:
		x.FlowScope = true
	case rule.ScopeDefault:
		x.FlowScope = x.Kind != KindPacket || r.once || r.headerOnly()
	}
	if m.f == nil {
		x.FlowScope = false
	}
	if len(m.matches) < maxMatches {
		m.matches = append(m.matches, x)
		return
	}
	// Full: what is evaluated first matters most.
	worst := 0
	for i := range m.matches {
		if m.matches[i].idx > m.matches[worst].idx {
			worst = i
		}
	}
	if m.matches[worst].idx > x.idx {
		m.matches[worst] = x
	}
	m.Counters.Suppressed++
}

// acts reports whether a match of the rule does something beside its action,
// whether or not it is told of.
func (r *crule) acts() bool { return r.Bypass || r.Replaces }

// hush keeps from being logged what the rule names: of its transaction, of all
// transactions of the flow that are not logged yet, or of the flow.
func (m *Matcher) hush(r *crule, tx *protocol.Tx) {
	if r.Quiet&rule.QuietTx != 0 && tx != nil {
		tx.Quiet = true
	}
	if m.f != nil {
		m.f.QuietTxs = m.f.QuietTxs || r.Quiet&rule.QuietTxs != 0
		m.f.Quiet = m.f.Quiet || r.Quiet&rule.QuietFlow != 0
	}
}

// headerOnly reports whether nothing of a packet but its header's ends decides
// about the rule: what holds for one packet holds for the flow.
func (r *crule) headerOnly() bool {
	return len(r.tests) == 0 && r.payload == nil && len(r.locals) == 0 && !r.inTx && !r.frames() && (!r.Flow.Set || r.apps != 0)
}

// suppressed reports whether threshold.config keeps the alert back.
func (m *Matcher) suppressed(r *crule) bool {
	for i := range r.Suppress {
		s := &r.Suppress[i]
		switch s.Track {
		case "":
			return true
		case "by_src":
			if s.Addrs.Has(m.src) {
				return true
			}
		case "by_dst":
			if s.Addrs.Has(m.dst) {
				return true
			}
		default:
			if s.Addrs.Has(m.src) || s.Addrs.Has(m.dst) {
				return true
			}
		}
	}
	return false
}

// withinLimit counts a match against a threshold or a rate filter of the rule
// and gives its answer.
func (m *Matcher) withinLimit(r *crule, l *limit) bool {
	if l.track == "by_flow" && m.f == nil && l.kind == "rate" {
		// Packets without flow have nothing in common to be counted by.
		return false
	}
	if l.track == "by_flow" && m.f != nil {
		fs := m.flowState(true)
		if fs.limits == nil {
			fs.limits = map[flowLimit]limitEntry{}
		}
		k := flowLimit{gid: r.GID, sid: r.SID, rate: l.kind == "rate"}
		e := fs.limits[k]
		var ok bool
		if l.kind == "rate" {
			ok = l.exceeded(&e, m.now)
		} else {
			ok = l.count(&e, m.now)
		}
		if len(fs.limits) < 1024 {
			fs.limits[k] = e
		}
		return ok
	}
	k := limitKey{gid: r.GID, sid: r.SID, rate: l.kind == "rate"}
	switch l.track {
	case "by_src":
		k.a = *m.src
	case "by_dst":
		k.a = *m.dst
	case "by_both":
		// A pair is the same whichever way it speaks.
		k.a, k.b = *m.src, *m.dst
		if bytes.Compare(k.a[:], k.b[:]) > 0 {
			k.a, k.b = k.b, k.a
		}
	}
	return m.e.opt.State.limit(k, l, m.now, &m.Counters.LimitsFull)
}
