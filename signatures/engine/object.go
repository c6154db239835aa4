package engine

import (
	"bytes"
	"slices"

	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/internal/hs"
	"sluice/signatures/rule"
)

// objState is what rules keep of an object while it is open.
type objState struct {
	o *protocol.Object
	// pend were nominated by the object's bytes and wait for more of them; next
	// is the size at which they are tried again.
	pend []cand
	next uint64
}

// maxObjPend bounds the nominations pending for an object.
const maxObjPend = 128

// Object judges the next bytes of a body or a file; final tells that it is
// complete. hits are of the shared database, their To counts from the object's
// first byte.
func (m *Matcher) Object(p *decode.Packet, f *flow.Flow, tx *protocol.Tx, o *protocol.Object, w Window, hits []hs.Hit, final bool) {
	if f == nil || tx == nil || silenced(f) {
		m.tellSilenced()
		return
	}
	dir := o.Dir
	all := m.e.objectAll[dir]
	m.before(p, f, tx, dir)
	if m.e.absentBodies {
		m.txState(tx, dir, true).seen = true
	}
	m.complete = false
	st := m.txState(tx, dir, false)
	// Rules of both directions are kept with the first.
	both := dir == protocol.ToClient && m.txState(tx, protocol.ToServer, false).waiting()
	told := m.e.describes && m.tellMagic(o, f.App.Proto())
	if !told && len(hits) == 0 && len(all) == 0 && !both && (st == nil || len(st.pend) == 0 && len(st.objs) == 0) {
		if m.watch != nil {
			m.begin(p, f, dir, true)
			m.watch.object(m, tx, o, w, final)
		}
		return
	}
	m.begin(p, f, dir, true)
	m.parser = m.parserOf(f, tx)
	size := w.Start + uint64(len(w.Data))
	m.objSize = size
	app := f.App.Proto().Spoken()
	m.nominateObject(o, app, hits)
	if told {
		m.nominateMagic(o, app)
	}
	os := st.object(o)
	again := final || told || os == nil || size >= os.next
	if again {
		if os != nil {
			for _, c := range os.pend {
				m.nominateCand(o, app, c)
			}
		}
		if final || os == nil {
			for _, c := range all {
				m.nominateCand(o, app, c)
			}
		}
	}
	slices.SortFunc(m.objCands, func(a, b cand) int { return int(a.rule) - int(b.rule) })
	for _, c := range m.objCands {
		m.confirmObject(c, tx, o, w, final)
	}
	// Rules that other buffers nominated and that wait for this object.
	if both && again {
		m.txState(tx, dir, true)
	}
	if st = m.txState(tx, dir, false); st != nil && again {
		m.nominateWaiting(st, false)
		if dir == protocol.ToClient {
			m.nominateWaiting(m.txState(tx, protocol.ToServer, false), true)
		}
		slices.Sort(m.cands)
		for _, r := range m.cands {
			m.confirmTx(&m.e.rules[r], nil, tx, dir, o, w, final)
		}
		if os = st.object(o); os != nil {
			os.next = 2 * size
		} else if len(m.cands) > 0 && !final {
			st.objs = append(st.objs, objState{o: o, next: 2 * size})
		}
		if final {
			st.objs = slices.DeleteFunc(st.objs, func(x objState) bool { return x.o == o })
		}
	}
	if m.watch != nil {
		m.watch.object(m, tx, o, w, final)
	}
	m.parser = nil
}

// nominateWaiting nominates the rules of a direction of a transaction that
// other buffers brought up and that wait for an object; those of both
// directions are kept with the first.
func (m *Matcher) nominateWaiting(st *txState, both bool) {
	if st == nil {
		return
	}
	for i := range st.pend {
		if r := &m.e.rules[st.pend[i].rule]; (r.bodies != 0 || len(r.Files) > 0) && (!both || r.Transactional) {
			m.nominate(r.idx)
		}
	}
}

// waiting reports whether rules wait for more of the transaction.
func (st *txState) waiting() bool { return st != nil && len(st.pend) > 0 }

// before judges what of the transaction became final ahead of the object, so
// that a rule on both finds the object's bytes while they are here.
func (m *Matcher) before(p *decode.Packet, f *flow.Flow, tx *protocol.Tx, dir protocol.Dir) {
	if tx.Progress[dir] < tx.Detect[dir].Inspected || m.e.opt.Registry == nil {
		return
	}
	parser := m.parserOf(f, tx)
	if def := m.e.opt.Registry.Definition(f.App.Proto().Spoken()); def != nil && parser != nil && parser == f.App.Parser() {
		m.Tx(p, f, parser, def, tx, dir)
	}
}

// parserOf gives the parser that made a transaction.
func (m *Matcher) parserOf(f *flow.Flow, tx *protocol.Tx) protocol.Parser {
	cur := f.App.Parser()
	if r := f.App.Replaced(); r != nil && (cur == nil || !slices.Contains(cur.Txs().Live, tx)) {
		return r
	}
	return cur
}

// nominateObject collects what the object's bytes nominate.
func (m *Matcher) nominateObject(o *protocol.Object, app protocol.ID, hits []hs.Hit) {
	m.objCands = m.objCands[:0]
	g := m.e.object
	if g == nil {
		return
	}
	for i := range hits {
		for _, c := range g.nominated(hits[i].ID) {
			if c.fits(hits[i].To, 0) {
				m.nominateCand(o, app, c)
			}
		}
	}
}

// maxObjCands bounds the nominations of one call.
const maxObjCands = 1024

func (m *Matcher) nominateCand(o *protocol.Object, app protocol.ID, c cand) {
	r := &m.e.rules[c.rule]
	if !r.dirs.Has(o.Dir) && !r.Transactional || m.stamp[c.rule] == m.gen {
		return
	}
	if !m.admits(r, app) {
		return
	}
	if c.list != payloadList && !feeds(r.lists[c.list].spec.ID, o, app) {
		return
	}
	if len(m.objCands) < maxObjCands {
		m.stamp[c.rule] = m.gen
		m.objCands = append(m.objCands, c)
	}
}

// confirmObject tests a rule that the object nominated, and keeps it while
// more bytes may complete it.
func (m *Matcher) confirmObject(c cand, tx *protocol.Tx, o *protocol.Object, w Window, final bool) {
	res := m.confirmTx(&m.e.rules[c.rule], nil, tx, o.Dir, o, w, final)
	if res == holds || final {
		if os := m.txState(tx, o.Dir, false).object(o); os != nil {
			for i, x := range os.pend {
				if x == c {
					os.pend = append(os.pend[:i], os.pend[i+1:]...)
					break
				}
			}
		}
		return
	}
	s := m.txState(tx, o.Dir, true)
	os := s.object(o)
	if os == nil {
		s.objs = append(s.objs, objState{o: o, next: 2 * m.objSize})
		os = &s.objs[len(s.objs)-1]
	}
	if len(os.pend) < maxObjPend && !slices.Contains(os.pend, c) {
		os.pend = append(os.pend, c)
	}
}

func (st *txState) object(o *protocol.Object) *objState {
	if st == nil {
		return nil
	}
	for i := range st.objs {
		if st.objs[i].o == o {
			return &st.objs[i]
		}
	}
	return nil
}

// feeds reports whether an object's bytes are those of a body buffer.
func feeds(id protocol.BufferID, o *protocol.Object, app protocol.ID) bool {
	switch id {
	case protocol.BufFileData, protocol.BufFileName, protocol.BufFileMagic:
		if o.Container {
			return false // its parts follow
		}
		switch o.Kind {
		case protocol.KindBody, protocol.KindPart, protocol.KindAttachment, protocol.KindFile:
			return true
		}
		return false
	}
	of := id.Protocol()
	return (of == app || of == protocol.HTTP1 && app == protocol.HTTP2) && (o.Kind == protocol.KindBody || o.Kind == protocol.KindText)
}

// bodyList tests a list on the object at hand.
func (m *Matcher) bodyList(l *clist, tx *protocol.Tx, dir protocol.Dir, o *protocol.Object, w Window, final bool) outcome {
	if o == nil {
		if l.absent != rule.AbsentFails && m.complete {
			if st := m.txState(tx, dir, false); st == nil || !st.seen {
				return holds
			}
			return fails
		}
		return waits
	}
	if l.absent == rule.AbsentOnly {
		return fails
	}
	if d := l.spec.Dirs; d != 0 && !d.Has(o.Dir) || !feeds(l.spec.ID, o, m.f.App.Proto().Spoken()) {
		return waits
	}
	switch l.spec.ID {
	case protocol.BufFileName:
		return m.named(l, o.Name)
	case protocol.BufFileMagic:
		text, known := magicOf(o)
		if !known && !final {
			return waits
		}
		return m.named(l, text)
	}
	// What may still change with bytes to come waits for them, as long as all
	// that came is at hand.
	if l.whole && !final && w.Start == 0 {
		return waits
	}
	data, start := w.Data, w.Start
	if len(l.transforms) > 0 {
		data = m.transform(l.transforms, data)
	}
	if m.list(l.items, data, start) {
		return holds
	}
	if final {
		return fails
	}
	return waits
}

// named tests a list on an object's name or description.
func (m *Matcher) named(l *clist, name string) outcome {
	if name == "" {
		return fails
	}
	b := m.inBuffer(name)
	if len(l.transforms) > 0 {
		b = m.transform(l.transforms, b)
	}
	if m.list(l.items, b, 0) {
		return holds
	}
	return fails
}

// filesHold tests name, extension, type and size of the file at hand.
func (m *Matcher) filesHold(r *crule, dir protocol.Dir, o *protocol.Object, final bool) outcome {
	if o == nil || !feeds(protocol.BufFileData, o, 0) {
		return waits
	}
	res := holds
	for i := range r.Files {
		t := &r.Files[i]
		if t.Load != "" {
			continue // hashes come last
		}
		var hit bool
		if t.Dir != 0 && o.Dir != protocol.Dir(t.Dir-1) {
			res = waits
			continue
		}
		switch t.Keyword {
		case "filename":
			hit = containsFold(o.Name, t.Text)
		case "fileext":
			ext := ""
			if j := bytes.LastIndexByte([]byte(o.Name), '.'); j >= 0 {
				ext = o.Name[j+1:]
			}
			hit = len(ext) == len(t.Text) && containsFold(ext, t.Text)
		case "filesize":
			size := m.objSize
			switch {
			case t.Int.Match(size) && (final || t.Int.Op == '>' || t.Int.Op == 'G'):
				hit = true
			case !final:
				res = waits
				continue
			}
		case "filestore":
			hit = true // any file will do
		case "filemagic":
			text, known := magicOf(o)
			if !known && !final {
				res = waits
				continue
			}
			if text == "" {
				return fails // whatever is asked: nothing is known of it
			}
			hit = magicHas(text, t.Text)
		}
		if m.watch != nil {
			m.watch.file(t, hit != t.Neg, o)
		}
		if hit == t.Neg {
			return fails
		}
	}
	if len(r.hashes) > 0 {
		return min(res, r.hashesHold(o, final))
	}
	return res
}

// containsFold reports whether s holds text, letters folded, without
// allocating.
func containsFold(s string, text []byte) bool {
	for i := 0; i+len(text) <= len(s); i++ {
		j := 0
		for j < len(text) && lower(s[i+j]) == lower(text[j]) {
			j++
		}
		if j == len(text) {
			return true
		}
	}
	return false
}
