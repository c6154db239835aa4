package engine

import (
	"slices"

	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/signatures/rule"
)

// txState is what rules keep in a direction of a transaction.
type txState struct {
	e *Engine
	// pend are rules some of whose lists have held; done those that matched.
	pend []txPend
	done []uint32
	objs []objState
	// doneFiles are the files that rules with filestore matched: the next file of
	// the transaction is judged by them, too.
	doneFiles []fileDone
	// seen: an object came by.
	seen bool
}

type txPend struct {
	rule uint32
	mask uint64
	// contexts are what datasets gave to the lists that have held.
	contexts []Context
}

// fileDone is a file that a rule has matched.
type fileDone struct {
	rule uint32
	o    *protocol.Object
}

// maxTxPend bounds the rules pending in a transaction.
const maxTxPend = 256

// outcome is what is known of a rule on a transaction.
type outcome uint8

const (
	fails outcome = iota
	holds
	waits
)

// state gives the rules' state of a transaction.
func (m *Matcher) txState(tx *protocol.Tx, dir protocol.Dir, make bool) *txState {
	s, _ := tx.Detect[dir].State.(*txState)
	if s == nil || s.e != m.e {
		if !make {
			return nil
		}
		s = &txState{e: m.e}
		tx.Detect[dir].State = s
	}
	return s
}

// job is a buffer in the scanner's queue.
type job struct{ group, size int }

// maxInstances bounds the instances of a buffer that are inspected.
const maxInstances = 1024

// Tx judges a transaction after parsing: its buffers that have become final in
// a direction, and its new events.
func (m *Matcher) Tx(p *decode.Packet, f *flow.Flow, parser protocol.Parser, def *protocol.Definition, tx *protocol.Tx, dir protocol.Dir) {
	d := &tx.Detect[dir]
	from, to := d.Inspected, tx.Progress[dir]
	grown := to >= from
	news := int(d.EventsSeen) < len(tx.Events)
	d.EventsSeen = uint16(len(tx.Events))
	if grown {
		d.Inspected = to + 1
	}
	if def == nil || silenced(f) || !grown && !news {
		if silenced(f) {
			m.tellSilenced()
		}
		return
	}
	m.begin(p, f, dir, true)
	m.parser = parser
	m.complete = to >= def.Complete[dir]
	if also := fillsToo(def.ID); grown && also != protocol.Unknown {
		// The rules' protocols are compared when they are confirmed.
		if pl := m.e.plans[also][dir]; pl != nil {
			m.scanTx(pl, parser, tx, dir, from, to)
		}
	}
	if pl := m.e.plans[def.ID][dir]; pl != nil {
		if grown {
			m.scanTx(pl, parser, tx, dir, from, to)
		}
		for _, r := range pl.fields {
			// A direction that has not begun has no numbers, but may have events.
			if to > 0 || len(m.e.rules[r].AppEvents) > 0 {
				m.nominate(r)
			}
		}
	}
	st := m.txState(tx, dir, false)
	if st != nil {
		for i := range st.pend {
			m.nominate(st.pend[i].rule)
		}
	}
	if st = m.txState(tx, protocol.ToServer, false); st != nil && dir == protocol.ToClient {
		for i := range st.pend {
			if r := st.pend[i].rule; m.e.rules[r].Transactional {
				m.nominate(r)
			}
		}
	}
	if len(m.cands) > 0 {
		slices.Sort(m.cands)
		for _, r := range m.cands {
			m.confirmTx(&m.e.rules[r], def, tx, dir, nil, Window{}, false)
		}
	}
	if m.watch != nil {
		m.watch.tx(m, def, tx, from, to)
	}
	m.parser = nil
}

// fillsToo gives the protocol whose buffers a protocol's parser fills besides its
// own, under their own ids: HTTP/2 those of HTTP/1, SMB those of DCE/RPC.
func fillsToo(id protocol.ID) protocol.ID {
	switch id {
	case protocol.HTTP2:
		return protocol.HTTP1
	case protocol.SMB:
		return protocol.DCERPC
	}
	return protocol.Unknown
}

// scanTx scans the buffers that became final with a progress of from to to.
func (m *Matcher) scanTx(pl *plan, parser protocol.Parser, tx *protocol.Tx, dir protocol.Dir, from, to uint8) {
	m.jobs = m.jobs[:0]
	for i := range pl.buffers {
		g := &pl.buffers[i]
		if g.spec.Progress > to {
			break // sorted
		}
		if g.spec.Progress < from {
			continue
		}
		for _, c := range g.all {
			m.nominate(c.rule)
		}
		if g.g == nil {
			continue
		}
		for k := range maxInstances {
			b, ok := parser.Buffer(tx, g.spec.ID, dir, k)
			if !ok {
				break
			}
			if len(g.transforms) > 0 {
				b = m.transform(g.transforms, b)
			}
			m.queue(pl, i, b)
			if !g.spec.Multi {
				break
			}
		}
	}
	m.flush(pl)
}

func (m *Matcher) queue(pl *plan, group int, b []byte) {
	if len(b) == 0 {
		return
	}
	db := pl.buffers[group].g.db
	if _, ok := m.sc.Queue(db, b); ok {
		m.jobs = append(m.jobs, job{group, len(b)})
		return
	}
	m.flush(pl)
	if _, ok := m.sc.Queue(db, b); ok {
		m.jobs = append(m.jobs, job{group, len(b)})
		return
	}
	hits, err := m.sc.Scan(db, b)
	if err != nil {
		m.Counters.ScanFailures++
	}
	for i := range hits {
		m.nominateHit(pl.buffers[group].g, hits[i].ID, hits[i].To, len(b))
	}
}

func (m *Matcher) flush(pl *plan) {
	if len(m.jobs) == 0 {
		return
	}
	hits, err := m.sc.Flush()
	if err != nil {
		m.Counters.ScanFailures++
	}
	for i := range hits {
		j := m.jobs[hits[i].Buf]
		m.nominateHit(pl.buffers[j.group].g, hits[i].ID, hits[i].To, j.size)
	}
	m.jobs = m.jobs[:0]
}

func (m *Matcher) nominateHit(g *group, id uint32, to uint64, n int) {
	cs := g.nominated(id)
	for i := range cs {
		if cs[i].fits(to, n) {
			m.nominate(cs[i].rule)
		}
	}
}

// confirmTx tests a nominated rule on a transaction, with an object where one
// brought it up, and keeps what waits for more.
func (m *Matcher) confirmTx(r *crule, def *protocol.Definition, tx *protocol.Tx, dir protocol.Dir, o *protocol.Object, w Window, final bool) outcome {
	if m.watch == nil {
		return m.judgeTx(r, def, tx, dir, o, w, final)
	}
	t := try{kind: KindTx, tx: tx, o: o, w: w}
	if o != nil {
		t.kind = KindObject
	}
	m.watch.begin(m, r, t)
	res := m.judgeTx(r, def, tx, dir, o, w, final)
	m.watch.end(m, r)
	return res
}

func (m *Matcher) judgeTx(r *crule, def *protocol.Definition, tx *protocol.Tx, dir protocol.Dir, o *protocol.Object, w Window, final bool) outcome {
	m.Counters.Candidates++
	at := dir
	if r.Transactional {
		at = protocol.ToServer
	}
	st := m.txState(tx, at, false)
	var mask uint64
	pend := -1
	if st != nil {
		if r.stateful && slices.Contains(st.done, r.idx) && (r.Filestore == nil || o == nil || slices.Contains(st.doneFiles, fileDone{r.idx, o})) {
			m.tell(FailedDone)
			return fails
		}
		for i := range st.pend {
			if st.pend[i].rule == r.idx {
				mask, pend = st.pend[i].mask, i
				break
			}
		}
	}
	if len(r.AppEvents) > 0 {
		// An event belongs to the transaction: one match, whichever way.
		if o := m.txState(tx, at.Other(), false); o != nil && slices.Contains(o.done, r.idx) {
			m.tell(FailedDone)
			return fails
		}
	}
	if def != nil && r.apps != 0 && r.apps>>def.ID&1 == 0 && !r.coversVia(def.ID) {
		m.tell(FailedFlow)
		return fails
	}
	m.captured, m.contexts = m.captured[:0], m.contexts[:0]
	if pend >= 0 {
		m.contexts = append(m.contexts, st.pend[pend].contexts...)
	}
	switch {
	case !m.header(r):
		m.tell(FailedHeader)
		return fails
	case !m.flowOfTx(r):
		m.tell(FailedFlow)
		return fails
	case !m.bitsHold(r):
		m.tell(FailedBits)
		return fails
	case !m.localsHold(r):
		return fails
	}
	was := mask
	m.c.little = sentLittle(tx, dir)
	res, mask := m.evalTx(r, tx, dir, mask, o, w, final)
	m.c.little = false
	if res == waits {
		m.tell(Waits)
	}
	switch res {
	case holds:
		if pend >= 0 && r.Filestore == nil {
			st.pend = append(st.pend[:pend], st.pend[pend+1:]...)
		}
		if r.stateful {
			st = m.txState(tx, at, true)
			if len(st.done) < 4*maxTxPend {
				st.done = append(st.done, r.idx)
			}
			if r.Filestore != nil {
				st.fileDone(r, mask, o, pend)
			}
		}
		x := Match{Tx: tx, Dir: dir, Kind: KindTx}
		if n := len(r.lists); n > 0 {
			x.Buffer = r.lists[n-1].spec.ID
		}
		if o != nil {
			x.Kind, x.Object = KindObject, o
			x.End = uint64(m.c.end) + w.Start
		}
		m.fire(r, x)
	case waits:
		if pend >= 0 {
			if mask != was {
				st.pend[pend].mask, st.pend[pend].contexts = mask, slices.Clone(m.contexts)
			}
			break
		}
		// Without a list that has held there is nothing to remember: whatever
		// nominated the rule will do so again.
		if mask == 0 && o == nil && len(r.lists) == 0 {
			break
		}
		if st = m.txState(tx, at, true); len(st.pend) < maxTxPend {
			st.pend = append(st.pend, txPend{r.idx, mask, slices.Clone(m.contexts)})
		}
	case fails:
		// An object that does not match says nothing of the next one.
		if pend >= 0 && o == nil {
			st.pend = append(st.pend[:pend], st.pend[pend+1:]...)
		}
	}
	return res
}

// coversVia tells of protocols that carry another's buffers.
func (r *crule) coversVia(id protocol.ID) bool {
	switch id {
	case protocol.HTTP1:
		return r.apps>>protocol.HTTP2&1 == 1 && r.Proto.Name == "http"
	case protocol.DNS:
		return r.apps>>protocol.MDNS&1 == 1 || r.apps>>protocol.LLMNR&1 == 1
	}
	return false
}

// flowOfTx tests the flow keyword; the protocol is the transaction's.
func (m *Matcher) flowOfTx(r *crule) bool {
	est := m.f.State >= flow.StateEstablished
	return !(r.Flow.Established && !est || r.Flow.NotEstablished && est) && m.testsHold(r)
}

// evalTx tests what of the rule has not held yet.
func (m *Matcher) evalTx(r *crule, tx *protocol.Tx, dir protocol.Dir, mask uint64, o *protocol.Object, w Window, final bool) (outcome, uint64) {
	res, missed := holds, false
	if r.Proto.Hook != "" && tx.Progress[dir] < r.Proto.HookState {
		return waits, mask
	}
	for i := range r.lists {
		bitOf := uint64(1) << i
		l := &r.lists[i]
		if mask&bitOf != 0 {
			if m.watch != nil {
				m.watch.kept(l)
			}
			continue
		}
		var x outcome
		if l.body {
			x = m.bodyList(l, tx, dir, o, w, final)
		} else {
			x = m.txList(r, l, tx, dir)
		}
		if m.watch != nil {
			m.watch.buffer(l, x)
		}
		switch x {
		case holds:
			mask |= bitOf
		case waits:
			res = waits
		case fails:
			if !l.body || o == nil {
				return fails, mask
			}
			// Another object of the transaction may still be the one.
			missed, res = true, waits
		}
	}
	if missed && mask == 0 {
		return fails, mask
	}
	for i := range r.Fields {
		x := m.field(r, i, tx, dir)
		if m.watch != nil {
			m.watch.field(&r.Fields[i], x)
		}
		switch x {
		case fails:
			return fails, mask
		case waits:
			res = waits
		}
	}
	for i := range r.AppEvents {
		if !slices.Contains(tx.Events, r.AppEvents[i].Name) {
			m.tell(FailedEvent)
			return fails, mask
		}
	}
	if len(r.Files) > 0 {
		switch m.filesHold(r, dir, o, final) {
		case fails:
			m.tell(FailedFile)
			return fails, mask
		case waits:
			res = waits
		}
	}
	if r.payload != nil && !m.partHolds(r) {
		res = waits
	}
	return res, mask
}

// sentLittle reports whether the sender of a direction of a transaction writes
// numbers in little-endian order, as the dce option of byte keywords asks.
func sentLittle(tx *protocol.Tx, dir protocol.Dir) bool {
	o, ok := tx.State.(interface{ LittleEndian(protocol.Dir) bool })
	return ok && o.LittleEndian(dir)
}

// partHolds reports whether the payload tests of a rule of transactions have
// held in the flow's direction.
func (m *Matcher) partHolds(r *crule) bool {
	if m.p != nil && m.proto == decode.ProtoUDP {
		return m.list(r.payload, m.p.PayloadBytes(), 0)
	}
	if fs := m.flowState(false); fs != nil && slices.Contains(fs.parts[m.dir], r.idx) {
		return true
	}
	// Tests without a fast pattern are run on the bytes at hand, and only for
	// a transaction that asks.
	return m.winFlow == m.f && m.winDir == m.dir && m.payloadHolds(r, m.win, 0)
}

// txList tests a list on a transaction's buffer.
func (m *Matcher) txList(r *crule, l *clist, tx *protocol.Tx, dir protocol.Dir) outcome {
	if l.side != nil {
		dir = *l.side
	} else if d := l.spec.Dirs; d != 0 && !d.Has(dir) {
		if !r.Transactional {
			return fails
		}
		dir = dir.Other()
	}
	if tx.Progress[dir] < l.spec.Progress {
		return waits
	}
	if m.parser == nil {
		return waits
	}
	found := false
	for k := range maxInstances {
		b, ok := m.parser.Buffer(tx, l.spec.ID, dir, k)
		if !ok {
			break
		}
		found = true
		if l.absent == rule.AbsentOnly {
			return fails
		}
		if len(l.transforms) > 0 {
			b = m.transform(l.transforms, b)
		}
		if m.list(l.items, b, 0) {
			return holds
		}
		if !l.spec.Multi {
			break
		}
	}
	if !found && l.absent != rule.AbsentFails {
		return holds
	}
	return fails
}

// field tests a number of the protocol on all its instances.
func (m *Matcher) field(r *crule, i int, tx *protocol.Tx, dir protocol.Dir) outcome {
	t, fn := &r.Fields[i], r.fields[i]
	for k := range maxInstances {
		v, ok := fn(tx, dir, k)
		if !ok {
			if k == 0 {
				return waits
			}
			break
		}
		if t.Match(v, m.now) {
			return holds
		}
	}
	return fails
}
