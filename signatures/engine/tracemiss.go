package engine

import (
	"fmt"

	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
)

// The functions here tell of places where the traced rule would have been tried
// had its fast pattern been met there.

// miss begins an attempt for a place where the rule was not tried.
func (t *Trace) miss(m *Matcher, x try) *Attempt {
	a := t.attempt(m, x)
	if a.Outcome = NotNominated; !m.header(t.rule) {
		a.Outcome = FailedHeader
	}
	a.Conditions = m.gates(t.rule, x.kind)
	return a
}

// fast ends it with what is known of the fast pattern, which was looked for in
// b[from:].
func (t *Trace) fast(a *Attempt, b []byte, from int, there bool) {
	text, buffer := t.FastPattern()
	c := Condition{Keyword: "fast_pattern", Buffer: buffer, Text: text, Result: Failed}
	switch at := -1; {
	case !there:
		c.Detail = "there is no such buffer here"
	case a.Outcome == FailedHeader:
		c.Result, c.Detail = Skipped, "not looked for"
	default:
		if it := t.rule.fast; it != nil {
			at = it.find(b[from:])
		}
		c.Detail = "not in it"
		if at >= 0 {
			c.Detail = fmt.Sprintf("found at %d, where the content cannot be", at)
		}
		c.Detail += fmt.Sprintf("; %d bytes: %s", len(b)-from, t.excerpt(a, buffer, b, from))
	}
	a.Conditions = append(a.Conditions, c)
	t.keep(a)
}

// packet notes that a packet was judged.
func (t *Trace) packet(m *Matcher) {
	t.Packets++
	r := t.rule
	fits := m.header(r)
	if f := m.f; f != nil && fits {
		t.fits(f)
	}
	if t.tried == m.gen || r.inTx || r.frames() || r.onStream() && m.f != nil && m.f.TCP != nil || r.fast == nil && !fits {
		return
	}
	a := t.miss(m, try{kind: KindPacket})
	if r.fast == nil {
		// It fits, and an index by port, address or event left it out.
		t.keep(a)
		return
	}
	t.fast(a, m.p.PayloadBytes(), 0, m.p.PayloadEnd > m.p.Payload)
}

// fits notes a flow that fits the rule's header, with the protocol known last.
func (t *Trace) fits(f *flow.Flow) {
	id := f.App.Proto()
	old, ok := t.fitting[f]
	if ok && old == id || !ok && len(t.fitting) >= maxFitting {
		return
	}
	if ok {
		t.Fitting[protoName(old)]--
	}
	t.fitting[f] = id
	t.Fitting[protoName(id)]++
}

func protoName(id protocol.ID) string {
	if id == protocol.Unknown {
		return "unknown"
	}
	return id.String()
}

// stream notes that a piece of a stream was judged.
func (t *Trace) stream(m *Matcher, w Window) {
	if r := t.rule; t.tried != m.gen && !r.inTx && r.onStream() && r.dirs.Has(m.dir) {
		// A pattern is met by the bytes that complete it.
		from := 0
		if r.fast != nil {
			from = max(0, w.New-len(r.fast.Pattern)+1)
		}
		t.fast(t.miss(m, try{kind: KindStream, w: w}), w.Data, from, true)
	}
}

// tx notes that a transaction's buffers were scanned as its progress went from
// one state to another.
func (t *Trace) tx(m *Matcher, def *protocol.Definition, tx *protocol.Tx, from, to uint8) {
	r := t.rule
	if t.tried == m.gen || !r.inTx || r.fast == nil || r.fastList == payloadList || !r.dirs.Has(m.dir) && !r.Transactional {
		return
	}
	l := &r.lists[r.fastList]
	if l.body || !r.dirsOf(l).Has(m.dir) || l.spec.Progress < from || l.spec.Progress > to || l.spec.ID.Protocol() != def.ID && !r.coversVia(l.spec.ID.Protocol()) {
		return
	}
	a := t.miss(m, try{kind: KindTx, tx: tx})
	var best []byte
	there := false
	for k := range maxInstances {
		b, ok := m.parser.Buffer(tx, l.spec.ID, m.dir, k)
		if !ok {
			break
		}
		if len(l.transforms) > 0 {
			b = m.transform(l.transforms, b)
		}
		if best, there = b, true; !l.spec.Multi || r.fast.find(b) >= 0 {
			break
		}
	}
	t.fast(a, best, 0, there)
}

// object notes that bytes of an object were judged.
func (t *Trace) object(m *Matcher, tx *protocol.Tx, o *protocol.Object, w Window, final bool) {
	r := t.rule
	if t.tried == m.gen || !r.inTx || r.fast == nil || r.fastList == payloadList || !final || !r.dirs.Has(m.dir) && !r.Transactional {
		return
	}
	if l := &r.lists[r.fastList]; l.body && feeds(l.spec.ID, o, m.f.App.Proto().Spoken()) {
		if l.spec.ID == protocol.BufFileMagic {
			text, _ := magicOf(o)
			t.fast(t.miss(m, try{kind: KindObject, tx: tx, o: o, w: w}), m.transform(l.transforms, []byte(text)), 0, text != "")
			return
		}
		t.fast(t.miss(m, try{kind: KindObject, tx: tx, o: o, w: w}), w.Data, 0, true)
	}
}

// frame notes that a frame was judged.
func (t *Trace) frame(m *Matcher, x *FramePiece) {
	r := t.rule
	if t.tried == m.gen || r.fast == nil || !r.frames() || !x.Final || !r.dirs.Has(m.dir) {
		return
	}
	l := &r.lists[r.fastList]
	if l.spec.ID != protocol.FrameBuffer(x.Frame.App, x.Frame.Type) {
		return
	}
	b := x.Data
	if len(l.transforms) > 0 {
		b = m.transform(l.transforms, b)
	}
	t.fast(t.miss(m, try{kind: KindFrame, w: x.Window, tx: x.Frame.Tx}), b, 0, true)
}
