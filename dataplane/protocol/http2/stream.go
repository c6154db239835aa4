package http2

import (
	"sort"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/dns"
)

// exchange is a transaction's own part: a stream's request and response, or a
// frame that belongs to no stream.
type exchange struct {
	tx    *protocol.Tx
	id    uint32
	msg   [2]message
	body  [2]body
	facts [2]facts
	doh   *dns.OverHTTP
	// control: of a frame alone. gone: complete, and off the parser's lists.
	control, gone bool
	// over tells the directions that have ended.
	over [2]bool
}

// advance raises the transaction's progress.
func (ex *exchange) advance(dir protocol.Dir, to uint8) {
	ex.tx.Progress[dir] = max(ex.tx.Progress[dir], to)
}

// event notes an anomaly; ex may be nil.
func (p *parser) event(ex *exchange, name string) {
	if ex != nil {
		ex.tx.AddEvent(name)
	}
}

// DNS gives the message of DNS that a direction carries, nil for none.
func (ex *exchange) DNS(dir protocol.Dir) *dns.Message { return ex.doh.DNS(dir) }

// carry looks for DNS in a direction whose head is complete.
func (p *parser) carry(dir protocol.Dir, ex *exchange) {
	m := &ex.msg[dir]
	var h dns.Head
	h.ContentType, _ = m.get(kindContentType)
	if v, _ := m.get(kindMethod); dir == protocol.ToServer && string(v) == "GET" {
		h.URI, _ = m.get(kindPath)
		h.Accept, _ = m.get(kindAccept)
	}
	if ex.doh = ex.doh.Head(ex.tx, dir, h); ex.doh != nil {
		p.env.Became = protocol.DoH2
	}
}

// lookup gives a live stream, nil for none.
func (p *parser) lookup(id uint32) *exchange {
	if p.last != nil && p.last.id == id {
		return p.last
	}
	ex := p.streams[id]
	if ex != nil {
		p.last = ex
	}
	return ex
}

// newExchange begins a transaction.
func (p *parser) newExchange() *exchange {
	p.recycle()
	var ex *exchange
	if n := len(p.free); n > 0 {
		ex = p.free[n-1]
		p.free = p.free[:n-1]
		for d := range ex.msg {
			ex.msg[d].reset()
			ex.facts[d].reset()
			ex.body[d].renew()
		}
		ex.id, ex.control, ex.gone, ex.over, ex.doh = 0, false, false, [2]bool{}, nil
	} else {
		ex = new(exchange)
		for d := range ex.body {
			ex.msg[d].length = -1
			ex.body[d].p, ex.body[d].ex, ex.body[d].dir = p, ex, protocol.Dir(d)
		}
	}
	ex.tx = p.txs.Add(ex, p.env.Now)
	return ex
}

// maxDone bounds the complete exchanges that are remembered for reuse.
const maxDone = 64

// recycle takes back exchanges whose transactions the worker has dropped.
func (p *parser) recycle() {
	n := 0
	for n < len(p.done) {
		ex := p.done[n]
		if p.live(ex.tx) {
			if len(p.done)-n <= maxDone {
				break
			}
			n++ // left to the collector
			continue
		}
		n++
		if len(p.free) < 8 && cap(ex.msg[0].raw) <= 8<<10 && cap(ex.msg[1].raw) <= 8<<10 && !p.used(ex) {
			ex.tx.State = nil
			p.free = append(p.free, ex)
		}
	}
	if n > 0 {
		m := copy(p.done, p.done[n:])
		clear(p.done[m:])
		p.done = p.done[:m]
	}
}

// live reports whether the worker still has a transaction.
func (p *parser) live(tx *protocol.Tx) bool {
	l := p.txs.Live
	i := sort.Search(len(l), func(i int) bool { return l[i].ID >= tx.ID })
	return i < len(l) && l[i] == tx
}

// used reports whether a frame or block under way refers to an exchange.
func (p *parser) used(ex *exchange) bool {
	for d := range p.side {
		if s := &p.side[d]; s.ex == ex || s.block.ex == ex || s.junkEx == ex {
			return true
		}
	}
	return p.control == ex || p.last == ex
}

// open begins a stream.
func (p *parser) open(id uint32) *exchange {
	limit := p.env.Limits.HTTP2.MaxStreams
	if limit == 0 {
		limit = p.env.Limits.Tx(protocol.HTTP2)
	}
	if len(p.streams) >= max(1, limit) {
		p.evict()
	}
	ex := p.newExchange()
	ex.id = id
	p.streams[id] = ex
	p.enlist(ex.tx)
	p.last = ex
	return ex
}

// evict gives up the oldest open stream.
func (p *parser) evict() {
	for len(p.order) > 0 {
		tx := p.order[0]
		p.order = p.order[1:]
		if ex, ok := tx.State.(*exchange); ok && !ex.gone {
			tx.AddEvent("too_many_streams")
			p.abandon(ex)
			return
		}
	}
}

// enlist notes a stream's place in the order of age.
func (p *parser) enlist(tx *protocol.Tx) {
	if len(p.order) > 16+2*len(p.streams) {
		keep := p.order[:0]
		for _, o := range p.order {
			if ex, ok := o.State.(*exchange); ok && !ex.gone {
				keep = append(keep, o)
			}
		}
		clear(p.order[len(keep):])
		p.order = keep
	}
	p.order = append(p.order, tx)
}

// owner gives what a frame belongs to, nil for what is of no interest.
func (p *parser) owner(dir protocol.Dir, s *side) *exchange {
	f := &s.f
	if f.stream == 0 {
		return p.controlFrame()
	}
	switch f.typ {
	case frameHeaders:
		return p.headerStream(dir, f.stream)
	case frameData:
		return p.dataStream(dir, f.stream)
	case frameContinuation:
		return s.block.ex
	}
	if ex := p.lookup(f.stream); ex != nil {
		return ex
	}
	if f.typ == framePushPromise || f.stream <= p.highest[0] || f.stream <= p.highest[1] {
		// Late frames of a stream that has ended.
		return nil
	}
	return p.controlFrame()
}

// controlFrame begins the transaction of a frame without a stream.
func (p *parser) controlFrame() *exchange {
	if ex := p.control; ex != nil && len(p.txs.Live) >= max(1, p.env.Limits.Tx(protocol.HTTP2)) && p.live(ex.tx) {
		// The worker has not seen the last ones yet: so many in one go are noted
		// on one.
		ex.tx.AddEvent("too_many_frames")
		return ex
	}
	ex := p.newExchange()
	ex.control = true
	p.control = ex
	return ex
}

// completeControl ends the transaction of a frame without a stream.
func (p *parser) completeControl(ex *exchange) {
	if ex.gone {
		return
	}
	ex.gone = true
	ex.tx.Progress = [2]uint8{ProgressComplete, ProgressComplete}
	p.done = append(p.done, ex)
}

// headerStream gives the stream of a HEADERS frame, which may begin it.
func (p *parser) headerStream(dir protocol.Dir, id uint32) *exchange {
	ex := p.lookup(id)
	if ex == nil {
		if dir == protocol.ToClient && p.wasReset(id) {
			return nil
		}
		ex = p.open(id)
		if dir == protocol.ToClient {
			// The request was before the capture, in a gap, or in HTTP/1 before an
			// upgrade.
			ex.over[protocol.ToServer] = true
			ex.advance(protocol.ToServer, ProgressComplete)
		} else if id <= p.highest[dir] {
			ex.tx.AddEvent("stream_id_reuse")
		}
		p.highest[dir] = max(p.highest[dir], id)
	}
	if dir == protocol.ToServer {
		p.answered = id
	}
	return ex
}

// dataStream gives the stream of a DATA frame. Data without a request is looked
// at all the same, except for what a server sends before it sees that the client
// has given up.
func (p *parser) dataStream(dir protocol.Dir, id uint32) *exchange {
	ex := p.lookup(id)
	if ex == nil {
		if dir == protocol.ToClient && p.wasReset(id) {
			return nil
		}
		ex = p.open(id)
		p.highest[dir] = max(p.highest[dir], id)
	}
	if dir == protocol.ToServer {
		p.answered = id
	}
	if !ex.body[dir].ready {
		p.prepareBody(dir, ex)
	}
	return ex
}

// promised gives the stream whose request the server announces.
func (p *parser) promised(id uint32) *exchange {
	if id == 0 {
		return nil
	}
	ex := p.lookup(id)
	if ex == nil {
		ex = p.open(id)
		p.highest[protocol.ToClient] = max(p.highest[protocol.ToClient], id)
	}
	return ex
}

func (p *parser) wasReset(id uint32) bool {
	for _, r := range p.resets {
		if r == id {
			return true
		}
	}
	return false
}

// endStream ends a direction of a stream.
func (p *parser) endStream(dir protocol.Dir, ex *exchange, state protocol.ObjectState) {
	ex.body[dir].close(state)
	ex.over[dir] = true
	ex.advance(dir, ProgressComplete)
	if ex.over[0] && ex.over[1] {
		p.forget(ex)
	}
}

// abandon ends a stream before its time.
func (p *parser) abandon(ex *exchange) {
	for d := range ex.over {
		ex.over[d] = true
		ex.advance(protocol.Dir(d), ProgressComplete)
	}
	p.forget(ex)
}

// forget takes a complete stream off the lists.
func (p *parser) forget(ex *exchange) {
	if ex.gone {
		return
	}
	ex.gone = true
	for d := range ex.body {
		// What came behind a direction's end may be open still.
		ex.body[d].close(protocol.ObjectTruncated)
	}
	delete(p.streams, ex.id)
	if p.last == ex {
		p.last = nil
	}
	p.done = append(p.done, ex)
}

// finish ends everything: the flow has, or it is no HTTP/2.
func (p *parser) finish() {
	for d := range p.side {
		p.closeJunk(&p.side[d])
	}
	for _, tx := range p.txs.Live {
		if ex, ok := tx.State.(*exchange); ok && !ex.gone {
			if ex.control {
				p.completeControl(ex)
			} else {
				p.abandon(ex)
			}
		}
	}
}

// Release implements protocol.Releaser.
func (p *parser) Release() {
	for _, ex := range p.streams {
		for d := range ex.body {
			ex.body[d].drop()
		}
	}
}
