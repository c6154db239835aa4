package engine

import (
	"slices"

	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
)

// FramePiece is what is at hand of a frame: Start counts from its first byte,
// and bytes before New were judged with an earlier piece.
type FramePiece struct {
	Frame *protocol.Frame
	Window
	// ID counts the frames of a flow's direction.
	ID uint64
	// Whole tells that all of the frame is in Data, Final that nothing more comes
	// of it.
	Whole, Final bool
}

// FrameState is what rules keep of a frame that is judged in pieces. The zero
// value is of a frame not looked at yet.
type FrameState struct {
	// pend were nominated and wait for more; next is the size at which they, and
	// what cannot be told piece by piece, are tried again.
	pend []uint32
	next uint64
	// matched are the rules that matched, and how far.
	matched []streamNote
}

// FrameMatch is the frame that a rule matched on.
type FrameMatch struct {
	protocol.Frame
	ID uint64
	// Complete tells that the whole frame was there. Data are its first bytes, at
	// most maxFrameShown, a copy.
	Complete bool
	Data     []byte
}

const (
	// maxFrameShown bounds what a match keeps of its frame.
	maxFrameShown = 4096
	// maxFramePend bounds the rules that wait for more of a frame.
	maxFramePend = 128
	// frameFirst and frameStep bound how often a long frame is judged as a whole:
	// when it has doubled, but not later than after so many bytes.
	frameFirst = 1 << 10
	frameStep  = 32 << 10
)

// frames reports whether the rule is judged frame by frame.
func (r *crule) frames() bool {
	if len(r.lists) == 0 {
		return false
	}
	_, ok := r.lists[0].spec.ID.Frame()
	return ok
}

// FrameTypes gives the kinds of frames of a protocol that rules look at, as bits.
func (e *Engine) FrameTypes(id protocol.ID) uint32 { return e.frameTypes[id] }

// indexFrame puts a rule where frames of its kind nominate it.
func (b *builder) indexFrame(c *crule) {
	best, list, found := fastPattern{}, 0, false
	for i := range c.lists {
		if fp, ok := pick(c.lists[i].items); ok && (!found || fp.explicit && !best.explicit || fp.explicit == best.explicit && fp.score > best.score) {
			best, list, found = fp, i, true
		}
	}
	l := &c.lists[list]
	t, _ := l.spec.ID.Frame()
	b.e.frameTypes[l.spec.ID.Protocol()] |= 1 << t
	if found {
		c.fast, c.fastList = best.item, uint8(list)
	}
	for d := protocol.ToServer; d <= protocol.ToClient; d++ {
		if !c.dirsOf(l).Has(d) {
			continue
		}
		g := b.txGroup(l, d)
		if found {
			g.b.add(best, best.placedIn(cand{rule: c.idx, list: uint8(list)}, l.items))
		} else {
			g.all = append(g.all, cand{rule: c.idx, list: uint8(list)})
		}
	}
}

// Frame judges what came of a frame. A rule matches once for any bytes of it;
// later bytes of a frame that is judged in pieces can match again. st may be nil
// for a frame that is judged in one piece.
func (m *Matcher) Frame(p *decode.Packet, f *flow.Flow, x *FramePiece, st *FrameState) {
	if f == nil || silenced(f) {
		m.tellSilenced()
		return
	}
	pl := m.e.plans[x.Frame.App][x.Frame.Dir]
	if pl == nil {
		return
	}
	id := protocol.FrameBuffer(x.Frame.App, x.Frame.Type)
	size := x.Start + uint64(len(x.Data))
	again := st == nil || x.Final || size >= st.next
	m.begin(p, f, x.Frame.Dir, true)
	for i := range pl.frames {
		g := &pl.frames[i]
		if g.spec.ID != id {
			continue
		}
		if again {
			for _, c := range g.all {
				m.nominate(c.rule)
			}
		}
		if g.g == nil || len(g.transforms) > 0 && !again {
			continue
		}
		// A pattern can have begun in bytes that were scanned before.
		from := max(0, x.New-maxFast+1)
		data, at := x.Data[from:], x.Start+uint64(from)
		if len(g.transforms) > 0 {
			data, at = m.transform(g.transforms, x.Data), x.Start
		}
		if len(data) == 0 {
			continue
		}
		hits, err := m.sc.Scan(g.g.db, data)
		if err != nil {
			m.Counters.ScanFailures++
		}
		for k := range hits {
			m.nominateHit(g.g, hits[k].ID, at+hits[k].To, 0)
		}
	}
	if st != nil && again {
		for _, r := range st.pend {
			m.nominate(r)
		}
		st.next = size + min(max(size, frameFirst), frameStep)
	}
	if len(m.cands) > 1 {
		slices.Sort(m.cands)
	}
	for _, r := range m.cands {
		m.confirmFrame(&m.e.rules[r], x, st)
	}
	if m.watch != nil {
		m.watch.frame(m, x)
	}
}

// confirmFrame tests a nominated rule on a frame, and keeps it while more bytes
// may complete it.
func (m *Matcher) confirmFrame(r *crule, x *FramePiece, st *FrameState) {
	if m.watch != nil {
		m.watch.begin(m, r, try{kind: KindFrame, w: x.Window, tx: x.Frame.Tx})
		defer m.watch.end(m, r)
	}
	res := m.judgeFrame(r, x, st)
	if res == waits {
		m.tell(Waits)
	}
	if st == nil {
		return
	}
	at := slices.Index(st.pend, r.idx)
	switch keep := res == waits && !x.Final; {
	case keep && at < 0 && len(st.pend) < maxFramePend:
		st.pend = append(st.pend, r.idx)
	case !keep && at >= 0:
		st.pend = slices.Delete(st.pend, at, at+1)
	}
}

func (m *Matcher) judgeFrame(r *crule, x *FramePiece, st *FrameState) outcome {
	m.Counters.Candidates++
	m.captured, m.contexts = m.captured[:0], m.contexts[:0]
	if !m.header(r) {
		m.tell(FailedHeader)
		return fails
	}
	// The frame's protocol is known; the flow may have gone on to another.
	if r.apps>>x.Frame.App&1 == 0 || !m.flowOfTx(r) {
		m.tell(FailedFlow)
		return fails
	}
	if !m.bitsHold(r) {
		m.tell(FailedBits)
		return fails
	}
	if !m.localsHold(r) {
		return fails
	}
	data, start := x.Data, x.Start
	if st != nil {
		for i := range st.matched {
			if n := &st.matched[i]; n.rule == r.idx && n.at > start {
				cut := min(n.at-start, uint64(len(data)))
				data, start = data[cut:], start+cut
			}
		}
	}
	res, end := holds, start
	for i := range r.lists {
		l := &r.lists[i]
		o := fails
		switch {
		case l.whole && !x.Final:
			// What is still to come decides.
			o = waits
		default:
			b := data
			if len(l.transforms) > 0 {
				b = m.transform(l.transforms, data)
			}
			if m.list(l.items, b, start) {
				o = holds
				if end = max(end, start+uint64(m.c.end)); m.c.end == 0 || len(l.transforms) > 0 {
					end = start + uint64(len(data))
				}
			} else if !x.Final {
				o = waits
			}
		}
		if m.watch != nil {
			m.watch.buffer(l, o)
		}
		if o == fails {
			return fails
		}
		if o == waits {
			res = waits
		}
	}
	if res != holds {
		return res
	}
	if st != nil {
		m.note(&st.matched, r.idx, end)
	}
	f := &FrameMatch{Frame: *x.Frame, ID: x.ID, Complete: x.Whole, Data: slices.Clone(x.Data[:min(len(x.Data), maxFrameShown)])}
	m.fire(r, Match{Tx: x.Frame.Tx, Frame: f, Dir: x.Frame.Dir, Kind: KindFrame, Buffer: r.lists[0].spec.ID, Start: x.Frame.Start, End: x.Frame.Start + end})
	return holds
}
