package nfs

import (
	"bytes"

	"sluice/dataplane/protocol"
)

// file is what is known of a file's handle.
type file struct {
	handle []byte
	name   string
	ways   [2]*transfer
}

// size is what it takes in memory, about.
func (f *file) size() int { return 256 + 2*len(f.handle) + len(f.name) }

// transfer is the content of a file in one direction. Content in order makes one
// object, the file. What comes ahead of its place is kept for it and, since it may
// have left by then, given at once as an object that is inspected but not reported as
// a file; so is what is written again behind the front.
type transfer struct {
	f   *file
	dir protocol.Dir
	tx  *protocol.Tx
	obj *protocol.Object
	// next is the front; end is where the file ends, known once it is not 0.
	next, end uint64
	begun     bool
	ahead     protocol.Ahead
	patch     *protocol.Object
	at        uint64
}

// maxAhead and maxPieces bound what a flow, and a transfer, keep ahead.
const (
	maxAhead  = 4 << 20
	maxPieces = 64
)

// way gives the content of a file in a direction.
func (f *file) way(dir protocol.Dir) *transfer {
	if f.ways[dir] == nil {
		f.ways[dir] = &transfer{f: f, dir: dir}
	}
	return f.ways[dir]
}

// learn notes a file's name. Beyond the bounds some other is forgotten, and its
// transfers are given up.
func (p *Parser) learn(env *protocol.Env, handle []byte, name string) *file {
	f := p.files[string(handle)]
	if f != nil && name == "" {
		return f
	}
	if f == nil {
		f = &file{handle: bytes.Clone(handle)}
	} else {
		p.naming -= f.size()
		delete(p.files, string(handle))
	}
	f.name = protocol.Text([]byte(name))
	for h, old := range p.files {
		if len(p.files) < maxFiles && p.naming+f.size() <= maxNames {
			break
		}
		for _, t := range old.ways {
			if t != nil {
				p.finish(env, t, protocol.ObjectTruncated)
			}
		}
		p.naming -= old.size()
		delete(p.files, h)
	}
	p.files[string(handle)] = f
	p.naming += f.size()
	return f
}

// transaction gives the one that stands for a transfer. What is written is of many
// calls, which may be of different users: it is told without credentials.
func (p *Parser) transaction(env *protocol.Env, t *transfer, m *message) {
	if t.tx != nil {
		return
	}
	tr := &Transaction{XID: m.xid, Version: m.version, Procedure: procedureOf(m.version, t.dir), kind: kRead, name: t.f.name, handle: t.f.handle, transfer: t}
	if t.dir == protocol.ToServer {
		tr.kind = kWrite
	} else {
		tr.cred = m.cred
	}
	t.tx = p.request(env, tr)
	t.tx.Progress[protocol.ToServer] = Done
}

// procedureOf gives the number of what moves content.
func procedureOf(version uint32, dir protocol.Dir) uint32 {
	switch {
	case version == 4 && dir == protocol.ToServer:
		return op4Write
	case version == 4:
		return op4Read
	case version == 2 && dir == protocol.ToServer:
		return 8
	case dir == protocol.ToServer:
		return 7
	}
	return 6
}

// bytes takes the content of an operation: b has as much of it as was gathered, the
// rest is still to come.
func (p *Parser) bytes(env *protocol.Env, dir protocol.Dir, t *transfer, o *op, b []byte, end after) {
	s := &p.side[dir]
	b = b[:min(len(b), int(o.length))]
	p.content(env, t, o.offset, b)
	if o.more {
		s.to, s.off, s.data, s.end, s.stage = t, o.offset+uint64(len(b)), o.length-uint32(len(b)), end, stContent
		return
	}
	p.moved(env, t, o.offset+uint64(o.length), end)
}

// moved notes that an operation's content is there up to off.
func (p *Parser) moved(env *protocol.Env, t *transfer, off uint64, end after) {
	if t.tx == nil {
		return
	}
	tr := t.tx.State.(*Transaction)
	tr.pending, tr.pendingXID = tr.pending+1, end.xid
	if t.dir == protocol.ToClient {
		tr.chunks, tr.lastXID = tr.pending, tr.pendingXID
	}
	if end.eof {
		t.end = max(t.end, off)
		if off == 0 || t.next >= t.end {
			p.close(env, t)
		}
		return
	}
	if t.end > 0 && t.next >= t.end && t.dir == protocol.ToClient {
		p.close(env, t)
	}
}

// content takes bytes of a file at an offset.
func (p *Parser) content(env *protocol.Env, t *transfer, off uint64, b []byte) {
	if len(b) == 0 {
		return
	}
	if t.tx == nil {
		p.spilt.Data(env, t.dir, b) // it was given up at a bound in the midst of it
		return
	}
	if !t.begun {
		t.begun, t.next = true, off
	}
	for len(b) > 0 {
		switch {
		case off == t.next:
			p.front(env, t, b)
			p.drain(env, t)
			return
		case off < t.next:
			n := int(min(uint64(len(b)), t.next-off))
			p.aside(env, t, off, b[:n])
			off, b = off+uint64(n), b[n:]
		default:
			p.aside(env, t, off, b)
			p.keep(env, t, off, b)
			return
		}
	}
}

// front gives content that is in order.
func (p *Parser) front(env *protocol.Env, t *transfer, b []byte) {
	if t.obj == nil {
		t.obj = t.object(t.next)
		t.obj.File = true
		p.opened(env, t)
		env.Objects.OpenObject(t.obj)
	}
	t.next += uint64(len(b))
	env.Objects.ObjectData(t.obj, b)
}

// object makes an object of content that begins at off.
func (t *transfer) object(off uint64) *protocol.Object {
	return &protocol.Object{Kind: protocol.KindFile, Dir: t.dir, Tx: t.tx, Name: t.f.name, Start: off}
}

// aside gives content that is out of its place, as an object of its own, which goes
// on as long as its pieces join.
func (p *Parser) aside(env *protocol.Env, t *transfer, off uint64, b []byte) {
	if t.patch != nil && t.at != off {
		env.Objects.CloseObject(t.patch, protocol.ObjectClosed)
		t.patch = nil
	}
	if t.patch == nil {
		t.patch = t.object(off)
		p.opened(env, t)
		env.Objects.OpenObject(t.patch)
	}
	t.at = off + uint64(len(b))
	env.Objects.ObjectData(t.patch, b)
}

// keep holds content that is ahead of its place. At the bound the hole before it is
// given up.
func (p *Parser) keep(env *protocol.Env, t *transfer, off uint64, b []byte) {
	if p.kept+len(b) <= maxAhead && t.ahead.Join(off, b) {
		p.kept += len(b)
		return
	}
	for len(t.ahead) > 0 && (len(t.ahead) >= maxPieces || p.kept+len(b) > maxAhead) {
		p.skipHole(env, t)
	}
	if off <= t.next || p.kept+len(b) > maxAhead {
		if n := min(max(t.next, off)-off, uint64(len(b))); n > 0 {
			b = b[n:]
		}
		if off > t.next {
			p.hole(env, t, off-t.next)
		}
		if len(b) > 0 {
			p.front(env, t, b)
			p.drain(env, t)
		}
		return
	}
	p.kept += len(b)
	t.ahead.Keep(off, b)
}

// drain gives kept content whose place has come.
func (p *Parser) drain(env *protocol.Env, t *transfer) {
	for {
		data, n, ok := t.ahead.Take(t.next)
		if !ok {
			return
		}
		if p.kept -= n; len(data) > 0 {
			p.front(env, t, data)
		}
	}
}

// skipHole gives up what is missing before the first kept piece.
func (p *Parser) skipHole(env *protocol.Env, t *transfer) {
	off, ok := t.ahead.First()
	if !ok {
		return
	}
	if off > t.next {
		p.hole(env, t, off-t.next)
	}
	p.drain(env, t)
}

// hole tells of n bytes that are missing at the front. Before the first byte there is
// no hole: the object begins behind it.
func (p *Parser) hole(env *protocol.Env, t *transfer, n uint64) {
	if t.obj != nil {
		env.Objects.ObjectGap(t.obj, n)
		t.obj.Gaps = true
	}
	t.next += n
}

// missing tells of a hole in the stream within content.
func (p *Parser) missing(env *protocol.Env, t *transfer, off, n uint64) {
	if !t.begun {
		t.begun, t.next = true, off
	}
	if off == t.next && n > 0 {
		p.hole(env, t, n)
		p.drain(env, t)
	}
}

// opened notes that a transfer has an object open and keeps their number bounded.
func (p *Parser) opened(env *protocol.Env, t *transfer) {
	for i, o := range p.open {
		if o == t {
			p.open = append(append(p.open[:i], p.open[i+1:]...), t)
			return
		}
	}
	if len(p.open) == maxOpen {
		p.finish(env, p.open[0], protocol.ObjectTruncated)
	}
	p.open = append(p.open, t)
}

// close ends a transfer that is complete.
func (p *Parser) close(env *protocol.Env, t *transfer) {
	if t != nil && t.tx != nil {
		tr := t.tx.State.(*Transaction)
		tr.last = true
		p.finish(env, t, protocol.ObjectClosed)
	}
}

// finish ends a transfer's objects and its transaction; more content makes new ones.
func (p *Parser) finish(env *protocol.Env, t *transfer, state protocol.ObjectState) {
	for len(t.ahead) > 0 {
		p.skipHole(env, t)
	}
	if t.tx != nil {
		tr := t.tx.State.(*Transaction)
		tr.chunks, tr.lastXID = tr.pending, tr.pendingXID
	}
	for i, o := range p.open {
		if o == t {
			p.open = append(p.open[:i], p.open[i+1:]...)
			break
		}
	}
	if t.patch != nil {
		env.Objects.CloseObject(t.patch, protocol.ObjectClosed)
	}
	if t.obj != nil {
		if t.obj.Gaps {
			state = protocol.ObjectTruncated
		}
		env.Objects.CloseObject(t.obj, state)
	}
	if t.tx != nil {
		p.complete(t.tx)
	}
	*t = transfer{f: t.f, dir: t.dir}
}
