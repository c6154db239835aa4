package engine

import (
	"slices"

	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/internal/hs"
)

const (
	// reach is how far beyond its fast pattern a rule's other tests on a stream
	// may lie: afterwards the nomination lapses.
	reach = 8 << 10
	// lookBack is how far before the new bytes they may lie, unless the rule
	// counts from the stream's start.
	lookBack = 16 << 10
	// shortBack is the same for rules that are run on every piece.
	shortBack = 2 << 10
)

// Stream judges the next bytes of a TCP direction by the rules on the raw
// stream. hits are of the shared database, their To counts from the stream's
// first byte. A rule matches once for any bytes; later bytes can match again.
func (m *Matcher) Stream(p *decode.Packet, f *flow.Flow, dir protocol.Dir, w Window, hits []hs.Hit) {
	if silenced(f) || f == nil {
		m.tellSilenced()
		return
	}
	m.win, m.winFlow, m.winDir = w, f, dir
	all, extra := m.e.streamAt[dir].at(f.ServerPort)
	m.heads = m.e.streamHeads[dir].appendStream(m.e, &w, m.heads[:0])
	fs, _ := f.Detect.(*flowState)
	if len(hits) == 0 && len(all)+len(extra)+len(m.heads) == 0 && (fs == nil || len(fs.pend[dir]) == 0) {
		if m.watch != nil {
			m.begin(p, f, dir, true)
			m.watch.stream(m, w)
		}
		return
	}
	m.begin(p, f, dir, true)
	fs = m.flowState(false)
	end := w.Start + uint64(len(w.Data))
	for _, l := range [...][]uint32{all, extra, m.heads} {
		for _, r := range l {
			m.nominateStream(r, dir)
		}
	}
	if g := m.e.stream; g != nil {
		for i := range hits {
			for _, c := range g.nominated(hits[i].ID) {
				m.nominateStream(c.rule, dir)
			}
		}
	}
	if fs != nil {
		for _, n := range fs.pend[dir] {
			if n.at > w.Start && end-min(n.at, end) < reach {
				m.nominate(n.rule)
			}
		}
	}
	if len(m.cands) > 1 {
		slices.Sort(m.cands)
	}
	for _, r := range m.cands {
		m.confirmStream(&m.e.rules[r], w, hits)
	}
	if m.watch != nil {
		m.watch.stream(m, w)
	}
	if fs = m.flowState(false); fs != nil && len(fs.pend[dir]) > 0 {
		keep := fs.pend[dir][:0]
		for _, n := range fs.pend[dir] {
			if n.at > w.Start && end-min(n.at, end) < reach {
				keep = append(keep, n)
			}
		}
		fs.pend[dir] = keep
	}
}

// nominateStream puts a rule on the list unless it is for another direction,
// protocol or port, as most are.
func (m *Matcher) nominateStream(i uint32, dir protocol.Dir) {
	r := &m.e.rules[i]
	if !r.Transactional {
		if !r.dirs.Has(dir) {
			return
		}
		if !r.Bidirectional && (!r.DstPort.Has(m.dp) || !r.SrcPort.Has(m.sp)) {
			return
		}
	}
	if r.apps != 0 && !r.inTx {
		if id := m.f.App.Proto(); id != protocol.Unknown && r.apps>>id&1 == 0 && m.f.App.Original() == protocol.Unknown {
			return
		}
	}
	m.nominate(i)
}

// confirmStream tests a nominated rule on the window.
func (m *Matcher) confirmStream(r *crule, w Window, hits []hs.Hit) {
	if m.watch == nil {
		m.judgeStream(r, w, hits)
		return
	}
	m.watch.begin(m, r, try{kind: KindStream, w: w})
	m.judgeStream(r, w, hits)
	m.watch.end(m, r)
}

func (m *Matcher) judgeStream(r *crule, w Window, hits []hs.Hit) {
	m.Counters.Candidates++
	if r.inTx {
		// Only a part of a rule of transactions: note that it holds.
		if m.header(r) && m.payloadHolds(r, w, 0) {
			fs := m.flowState(true)
			m.tell(Waits)
			if d := m.dir; len(fs.parts[d]) < maxParts && !slices.Contains(fs.parts[d], r.idx) {
				fs.parts[d] = append(fs.parts[d], r.idx)
			}
		}
		return
	}
	if m.fired[r.idx] == m.round {
		m.tell(FailedDone)
		return
	}
	if !m.header(r) {
		m.tell(FailedHeader)
		return
	}
	ok, unknown := m.flowHolds(r)
	if !ok {
		m.tell(FailedFlow)
		if unknown {
			m.tell(Waits)
			m.pend(r, w, hits)
		}
		return
	}
	var from uint64
	fs := m.flowState(false)
	if fs != nil {
		for i := range fs.last[m.dir] {
			if fs.last[m.dir][i].rule == r.idx {
				from = fs.last[m.dir][i].at
			}
		}
	}
	if !m.bitsHold(r) {
		m.tell(FailedBits)
		return
	}
	if !m.testsHold(r) {
		m.tell(FailedTests)
		return
	}
	m.captured, m.contexts = m.captured[:0], m.contexts[:0]
	if !m.localsHold(r) {
		return
	}
	if !m.payloadHolds(r, w, from) {
		if r.incomplete {
			m.pend(r, w, hits)
		}
		return
	}
	x := Match{Kind: KindStream, Dir: m.dir, End: uint64(m.c.end) + uint64(m.c.abs)}
	end := x.End
	if m.c.end == 0 {
		// Nothing positive: what is there now has been judged.
		end = w.Start + uint64(len(w.Data))
	}
	fs = m.flowState(true)
	m.note(&fs.last[m.dir], r.idx, max(end, from))
	drop := func(n streamNote) bool { return n.rule == r.idx }
	fs.pend[m.dir] = slices.DeleteFunc(fs.pend[m.dir], drop)
	m.fire(r, x)
}

// payloadHolds tests the payload's items on the stream from an offset on and,
// where offset and depth mean packets too, on the new bytes by themselves.
func (m *Matcher) payloadHolds(r *crule, w Window, from uint64) bool {
	data, start := w.Data, w.Start
	if from > start {
		cut := min(from-start, uint64(len(data)))
		data, start = data[cut:], start+cut
	}
	if !r.packetToo {
		back := lookBack
		if r.unfast {
			back = shortBack
		}
		if far := len(data) - (len(w.Data) - w.New) - back; far > 0 {
			data, start = data[far:], start+uint64(far)
		}
	}
	if len(data) > 0 && m.list(r.payload, data, start) {
		m.c.abs = int(start)
		return true
	}
	if r.packetToo && w.New < len(w.Data) && (w.New > 0 || w.Start > 0) {
		if at := w.Start + uint64(w.New); at >= from && m.list(r.payload, w.Data[w.New:], 0) {
			m.c.abs = int(at)
			return true
		}
	}
	return false
}

// pend keeps a nomination for the bytes to come.
func (m *Matcher) pend(r *crule, w Window, hits []hs.Hit) {
	at := uint64(0)
	if g := m.e.stream; g != nil {
		for i := range hits {
			for _, c := range g.nominated(hits[i].ID) {
				if c.rule == r.idx {
					at = max(at, hits[i].To)
				}
			}
		}
	}
	if at == 0 {
		return // pending already, or nominated by every piece anyway
	}
	fs := m.flowState(true)
	m.note(&fs.pend[m.dir], r.idx, at)
}

// note sets a rule's entry of a bounded list; the oldest gives way.
func (m *Matcher) note(l *[]streamNote, r uint32, at uint64) {
	for i := range *l {
		if (*l)[i].rule == r {
			(*l)[i].at = max((*l)[i].at, at)
			return
		}
	}
	if len(*l) >= maxNotes {
		copy(*l, (*l)[1:])
		(*l)[len(*l)-1] = streamNote{r, at}
		return
	}
	*l = append(*l, streamNote{r, at})
}
