package engine

import (
	"slices"

	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/dataplane/stream"
	"sluice/signatures/rule"
)

func classOf(proto uint8) class {
	switch proto {
	case decode.ProtoTCP:
		return classTCP
	case decode.ProtoUDP:
		return classUDP
	case decode.ProtoICMP, decode.ProtoICMPv6:
		return classICMP
	}
	return classOther
}

// Packet judges a packet: rules on headers, events and payloads as on the wire.
// f may be nil for a packet without flow; dir is ToServer then.
func (m *Matcher) Packet(p *decode.Packet, f *flow.Flow, dir protocol.Dir) {
	outside := m.outside
	m.outside = false
	if silenced(f) {
		m.tellSilenced()
		return
	}
	m.begin(p, f, dir, false)
	e := m.e
	if len(e.onPacketEvent) > 0 {
		for _, ev := range p.Events() {
			m.nominateEvent(ev)
		}
		for _, ev := range m.events {
			m.nominateEvent(ev)
		}
	}
	if p.IPVersion != 0 {
		m.collectPacket(p, f, dir, outside)
	}
	if len(m.cands) > 0 {
		slices.Sort(m.cands)
		for _, r := range m.cands {
			m.confirmPacket(&e.rules[r])
		}
	}
	if m.watch != nil {
		m.watch.packet(m)
	}
}

// Untracked reports whether a rule keeps a packet out of any flow (config:tracking).
// It is asked before the packet's flow is looked up.
func (m *Matcher) Untracked(p *decode.Packet) bool {
	if len(m.e.untracked) == 0 {
		return false
	}
	m.begin(p, nil, protocol.ToServer, false)
	for _, r := range m.e.untracked {
		if r := &m.e.rules[r]; m.testsHold(r) && m.header(r) {
			m.Counters.Confirmed++
			return true
		}
	}
	return false
}

func (m *Matcher) nominateEvent(ev decode.Event) {
	for _, r := range m.e.onPacketEvent[uint16(ev)] {
		m.nominate(r)
	}
}

func (m *Matcher) collectPacket(p *decode.Packet, f *flow.Flow, dir protocol.Dir, outside bool) {
	e := m.e
	set := &e.packets[classOf(p.Proto)][dir]
	if f == nil || f.Pkts[dir] <= 1 {
		set.once.collect(m, p)
	}
	if p.Proto == decode.ProtoTCP && p.TCPFlags&decode.TCPSyn != 0 {
		set.syn.collect(m, p)
	}
	set.every.collect(m, p)
	if f != nil {
		if pl := e.plans[f.App.Proto()][dir]; pl != nil {
			for _, r := range pl.header {
				m.nominate(r)
			}
		}
		if id := f.App.Proto(); id.Spoken() != id {
			if pl := e.plans[id.Spoken()][dir]; pl != nil {
				for _, r := range pl.header {
					m.nominate(r)
				}
			}
		}
	}
	if p.PayloadEnd <= p.Payload || p.Flags&decode.FlagFragment != 0 {
		return
	}
	if p.Proto == decode.ProtoTCP && (outside || f == nil || f.TCP == nil || f.TCP.State() == stream.StateNone) && p.Flags&decode.FlagInvalid == 0 {
		m.collectLoose(p, dir, outside)
	}
	port := p.DstPort
	if dir == protocol.ToClient {
		port = p.SrcPort
	}
	b := p.PayloadBytes()
	if len(set.heads.rules) > 0 {
		m.heads = set.heads.appendFound(e, b, m.heads[:0])
		for _, r := range m.heads {
			m.nominate(r)
		}
	}
	if set.g == nil {
		return
	}
	at := &set.small
	if len(b) >= bigPacket {
		at = &set.big
	}
	usual, extra := at.at(port)
	m.scanPart(set, usual, b)
	m.scanPart(set, extra, b)
}

// scanPart looks for a part of a packet set's patterns.
func (m *Matcher) scanPart(set *packetSet, part int16, b []byte) {
	if part < 0 {
		return
	}
	hits, err := m.sc.Scan(set.dbs[part], b)
	if err != nil {
		m.Counters.ScanFailures++
	}
	for i := range hits {
		cs := set.g.nominated(hits[i].ID)
		for k := range cs {
			if cs[k].fits(hits[i].To, len(b)) {
				m.nominate(cs[k].rule)
			}
		}
	}
}

// collectLoose nominates stream rules for a segment that no session has taken:
// its payload is all there is. Where a session refused it, outside, rules that do
// more than alert are left out: who can forge a segment must not be able to end a
// connection with it, or to have it passed.
func (m *Matcher) collectLoose(p *decode.Packet, dir protocol.Dir, outside bool) {
	for _, r := range m.e.streamAll[dir] {
		if !outside || m.e.rules[r].Action == rule.Alert {
			m.nominate(r)
		}
	}
	if m.e.loose == nil {
		return
	}
	hits, err := m.sc.Scan(m.e.loose.db, p.PayloadBytes())
	if err != nil {
		m.Counters.ScanFailures++
	}
	for i := range hits {
		for _, c := range m.e.loose.nominated(hits[i].ID) {
			r := &m.e.rules[c.rule]
			if !r.inTx && !r.Proto.StreamOnly && !r.Flow.OnlyStream && (!outside || r.Action == rule.Alert) {
				m.nominate(c.rule)
			}
		}
	}
}

// confirmPacket tests a nominated rule on the packet at hand.
func (m *Matcher) confirmPacket(r *crule) {
	if m.watch == nil {
		m.judgePacket(r)
		return
	}
	m.watch.begin(m, r, try{kind: KindPacket})
	m.judgePacket(r)
	m.watch.end(m, r)
}

func (m *Matcher) judgePacket(r *crule) {
	m.Counters.Candidates++
	if m.fired[r.idx] == m.round {
		m.tell(FailedDone)
		return
	}
	if r.head != nil && !r.head.begins(m.p.PayloadBytes()) {
		m.tell(FailedHead)
		return
	}
	if !m.testsHold(r) {
		m.tell(FailedTests)
		return
	}
	if !m.header(r) {
		m.tell(FailedHeader)
		return
	}
	if ok, _ := m.flowHolds(r); !ok || r.Flow.OnlyStream && m.p.Proto == decode.ProtoTCP {
		m.tell(FailedFlow)
		return
	}
	if !m.bitsHold(r) {
		m.tell(FailedBits)
		return
	}
	m.captured, m.contexts = m.captured[:0], m.contexts[:0]
	if !m.localsHold(r) {
		return
	}
	x := Match{Kind: KindPacket, Dir: m.dir}
	if r.payload != nil {
		mark := len(m.rewrites)
		if m.p.Flags&decode.FlagFragment != 0 || !m.list(r.payload, m.p.PayloadBytes(), 0) {
			return
		}
		x.Start, x.End, x.Rewrites = 0, uint64(m.c.end), m.rewrites[mark:]
	}
	if r.once && m.f != nil {
		fs := m.flowState(true)
		key := r.idx<<1 | uint32(m.dir)
		if slices.Contains(fs.once, key) {
			m.tell(FailedOnce)
			return
		}
		if len(fs.once) < maxParts {
			fs.once = append(fs.once, key)
		}
	}
	m.fire(r, x)
}

// localsHold tests the lists on the packet's own buffers.
func (m *Matcher) localsHold(r *crule) bool {
	for i := range r.locals {
		l := &r.locals[i]
		if b := m.local(l.kind); b == nil || !m.list(l.items, b, 0) {
			return false
		}
	}
	return true
}
