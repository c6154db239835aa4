package smb

import (
	"fmt"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/dcerpc"
)

// fileID is how an open file is named: the 16 bytes of version 2, or the FID of
// version 1 in the first two.
type fileID [16]byte

var noFile = fileID{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// String gives the identifier as EVE's fuid: five groups, each of them a number
// in little-endian order.
func (id fileID) String() string {
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%04x%08x", le.Uint32(id[:]), le.Uint16(id[4:]), le.Uint16(id[6:]), le.Uint16(id[8:]), le.Uint16(id[10:]), le.Uint32(id[12:]))
}

// file is an open file or pipe.
type file struct {
	id          fileID
	name, share string
	tree        uint32
	session     uint64
	version     uint8
	// pipe: what is written and read are messages. knownTree: the share was seen,
	// so that its kind is known.
	pipe, knownTree bool
	// fresh: it was made or emptied by whoever opened it.
	fresh bool
	// size is the file's as the server has told it, eof where the client has said
	// that it will end; 0 where nobody has.
	size, eof uint64
	// presumed is where a channel was taken to end.
	presumed uint64
	// assoc reads what a pipe carries; deaf: it is no DCE/RPC, or too much of it.
	assoc *dcerpc.Association
	deaf  bool
	ways  [2]*channel
}

// channel is the content of a file in one direction. Content in order makes one
// object, the file. What comes ahead of its place is kept for it and, since it
// may have left by then, given at once as an object that is inspected but not
// reported as a file; so is what is written again behind the front.
type channel struct {
	f   *file
	dir protocol.Dir
	obj *protocol.Object
	tx  *protocol.Tx
	// next is the front: all before it, from the object's start on, was given.
	next  uint64
	ahead protocol.Ahead
	patch *protocol.Object
	at    uint64 // the patch's end
	begun bool
	// presumed is where the file is taken to end (see presume), 0 for nowhere;
	// early tells that its object was closed there.
	presumed uint64
	early    bool
}

// way gives the content of a file in a direction.
func (f *file) way(dir protocol.Dir) *channel {
	if f.ways[dir] == nil {
		f.ways[dir] = &channel{f: f, dir: dir}
	}
	return f.ways[dir]
}

// unknown reports whether nothing says what kind of file it is, and nothing of a
// direction was seen yet.
func (f *file) unknown(dir protocol.Dir) bool {
	return !f.knownTree && !f.pipe && (f.ways[dir] == nil || !f.ways[dir].begun)
}

// expect notes where the client has said that the file will end. It counts once,
// and before the first byte only: else content could be cut into pieces at will.
func (f *file) expect(end uint64) {
	if c := f.ways[protocol.ToServer]; c == nil || !c.begun && c.tx == nil {
		f.eof = end
	}
}

// command gives the command whose transfers make a direction's content.
func (c *channel) command() uint16 {
	switch {
	case c.f.version == 1 && c.dir == protocol.ToServer:
		return cmd1WriteAndX
	case c.f.version == 1:
		return cmd1ReadAndX
	case c.dir == protocol.ToServer:
		return cmdWrite
	}
	return cmdRead
}

// transaction gives the one that stands for the transfer.
func (p *Parser) transaction(env *protocol.Env, c *channel) *protocol.Tx {
	if c.tx == nil {
		was := p.now
		p.now.version, p.now.command, p.now.session, p.now.tree = c.f.version, c.command(), c.f.session, c.f.tree
		c.tx = p.add(env, &Transaction{transfer: &transfer{name: c.f.name, share: c.f.share, id: c.f.id}, HasStatus: true})
		p.now = was
	}
	return c.tx
}

// content takes bytes of a file at an offset. What a pipe carries is read as
// DCE/RPC as well.
func (p *Parser) content(env *protocol.Env, c *channel, off uint64, b []byte) {
	if c == nil || len(b) == 0 {
		return
	}
	if c.f.pipe {
		p.message(env, c, b)
		return
	}
	if !c.begun {
		c.begun = true
		// Who has just made a file writes all of it, though its first bytes may not
		// come first; else content begins where it begins.
		if !c.f.fresh || c.dir == protocol.ToClient || off > uint64(p.queueSize(env, c.dir)) {
			c.next = off
		}
	}
	for len(b) > 0 {
		switch {
		case off == c.next:
			p.front(env, c, b)
			p.drain(env, c)
			return
		case off < c.next:
			n := int(min(uint64(len(b)), c.next-off))
			p.aside(env, c, off, b[:n])
			p.transaction(env, c).AddEvent("file_overlap")
			off, b = off+uint64(n), b[n:]
		default:
			p.aside(env, c, off, b)
			p.keep(env, c, off, b)
			return
		}
	}
}

// front gives content that is in order.
func (p *Parser) front(env *protocol.Env, c *channel, b []byte) {
	if c.obj == nil {
		p.openFile(env, c)
	}
	c.next += uint64(len(b))
	if c.presumed > 0 && p.copyOf == c {
		p.copied = append(p.copied, b...)
	}
	env.Objects.ObjectData(c.obj, b)
	if c.next == c.presumed && len(c.ahead) == 0 {
		p.finish(env, c, protocol.ObjectClosed)
		c.begun, c.early, c.next = true, true, c.f.presumed
		return
	}
	end := c.f.size
	if c.dir == protocol.ToServer {
		end = c.f.eof
	}
	if c.next == end && c.obj.Start == 0 && len(c.ahead) == 0 {
		// The verdict is due before the last bytes have left, not at the closing.
		c.f.eof = 0
		p.finish(env, c, protocol.ObjectClosed)
	}
}

// openFile opens the object of a file's content.
func (p *Parser) openFile(env *protocol.Env, c *channel) {
	again := c.early && p.copyOf == c
	tx := p.transaction(env, c)
	c.obj = &protocol.Object{Kind: protocol.KindFile, Dir: c.dir, Tx: tx, Name: c.f.name, File: true, Start: c.next}
	if c.dir == protocol.ToClient {
		c.obj.Total = c.f.size
	}
	if again {
		c.obj.Start = 0
	}
	p.opened(env, c)
	env.Objects.OpenObject(c.obj)
	if again {
		env.Objects.ObjectData(c.obj, p.copied)
		p.forget(c)
	}
	c.early = false
}

// maxCopied bounds the content that a flow keeps of a file that was taken to be
// whole.
const maxCopied = 1 << 20

// blockSize divides the lengths of the pieces in which clients write.
const blockSize = 4096

// presume notes that a write of n bytes may be the last one of a file: the file is
// new, was written in order and in whole blocks so far, and this piece is none.
// Clients do not say that a file has ended before they close it, and by then all
// of it has left; so it is judged with this write. It is done once a file: should
// more follow, the file is begun anew with a copy of what was seen where that was
// its first and small, and goes on as another object where it was not.
func (p *Parser) presume(c *channel, off uint64, n int) {
	if c.dir != protocol.ToServer || !c.f.fresh || c.f.pipe || c.f.eof > 0 || n <= 0 || n%blockSize == 0 || off != c.next || len(c.ahead) > 0 {
		return
	}
	c.presumed = off + uint64(n)
	c.f.presumed = c.presumed
	if off == 0 && n <= maxCopied {
		p.copyOf, p.copied = c, p.copied[:0]
	}
}

// forget drops the copy of a file's beginning.
func (p *Parser) forget(c *channel) {
	if p.copyOf == c {
		p.copyOf, p.copied = nil, nil
	}
}

// opened notes that a channel has an object open and keeps their number bounded.
func (p *Parser) opened(env *protocol.Env, c *channel) {
	for i, o := range p.open {
		if o == c {
			p.open = append(append(p.open[:i], p.open[i+1:]...), c)
			return
		}
	}
	if len(p.open) == maxOpen {
		p.note("too_many_open_files")
		p.finish(env, p.open[0], protocol.ObjectTruncated)
	}
	p.open = append(p.open, c)
}

// aside gives content that is out of its place, as an object of its own, which
// goes on as long as its pieces join.
func (p *Parser) aside(env *protocol.Env, c *channel, off uint64, b []byte) {
	if c.patch != nil && c.at != off {
		env.Objects.CloseObject(c.patch, protocol.ObjectClosed)
		c.patch = nil
	}
	if c.patch == nil {
		tx := p.transaction(env, c)
		c.patch = &protocol.Object{Kind: protocol.KindFile, Dir: c.dir, Tx: tx, Name: c.f.name, Start: off}
		p.opened(env, c)
		env.Objects.OpenObject(c.patch)
	}
	c.at = off + uint64(len(b))
	env.Objects.ObjectData(c.patch, b)
}

func (p *Parser) queueSize(env *protocol.Env, dir protocol.Dir) int64 {
	return env.Limits.SMB.Queue[dir].Size
}

// keep holds content that is ahead of its place. At the bound, which is the
// flow's, the hole before it is given up.
func (p *Parser) keep(env *protocol.Env, c *channel, off uint64, b []byte) {
	q := env.Limits.SMB.Queue[c.dir]
	for len(b) > 0 && (len(c.ahead) >= q.Count || int64(p.kept[c.dir]+len(b)) > q.Size) && len(c.ahead) > 0 {
		p.skipHole(env, c)
		if off <= c.next {
			n := int(min(uint64(len(b)), c.next-off))
			b = b[n:]
			if len(b) > 0 {
				p.front(env, c, b)
				p.drain(env, c)
			}
			return
		}
	}
	if int64(p.kept[c.dir]+len(b)) > q.Size || q.Count <= 0 {
		p.hole(env, c, off-c.next)
		p.front(env, c, b)
		return
	}
	p.kept[c.dir] += len(b)
	if !c.ahead.Join(off, b) {
		c.ahead.Keep(off, b)
	}
}

// drain gives kept content whose place has come.
func (p *Parser) drain(env *protocol.Env, c *channel) {
	for {
		data, n, ok := c.ahead.Take(c.next)
		if !ok {
			return
		}
		if p.kept[c.dir] -= n; len(data) > 0 {
			p.front(env, c, data)
		}
	}
}

// skipHole gives up what is missing before the first kept piece.
func (p *Parser) skipHole(env *protocol.Env, c *channel) {
	off, ok := c.ahead.First()
	if !ok {
		return
	}
	if off > c.next {
		p.hole(env, c, off-c.next)
	}
	p.drain(env, c)
}

// hole tells of n bytes that are missing at the front. Before the first byte
// there is no hole: the object begins behind it.
func (p *Parser) hole(env *protocol.Env, c *channel, n uint64) {
	if c.early && p.copyOf == c {
		p.openFile(env, c)
	}
	if c.obj != nil {
		env.Objects.ObjectGap(c.obj, n)
		c.obj.Gaps = true
		c.presumed = 0
		p.forget(c)
	}
	c.next += n
}

// missing tells of a hole in the stream within content of a file.
func (p *Parser) missing(env *protocol.Env, c *channel, off, n uint64) {
	if c == nil || n == 0 {
		return
	}
	if c.f.pipe {
		if c.f.assoc != nil && !c.f.assoc.Gap(c.dir, n) {
			c.f.assoc.Resume(c.dir)
		}
		if c.obj != nil {
			env.Objects.ObjectGap(c.obj, n)
		}
		return
	}
	if !c.begun {
		c.begun, c.next = true, off
	}
	if off == c.next {
		p.hole(env, c, n)
		p.drain(env, c)
	}
}

// message takes what was written to a pipe or read from it. The bytes are an
// object too, which is classified but no file: a server calls a pipe what it
// likes.
func (p *Parser) message(env *protocol.Env, c *channel, b []byte) {
	if c.obj == nil {
		c.begun = true
		c.obj = &protocol.Object{Kind: protocol.KindStream, Dir: c.dir, Name: c.f.name, Tx: p.aloof(env, &Transaction{
			Version: c.f.version, Command: c.command(), Session: c.f.session, Tree: c.f.tree, transfer: &transfer{name: c.f.name, share: c.f.share, id: c.f.id}})}
		p.opened(env, c)
		env.Objects.OpenObject(c.obj)
	}
	env.Objects.ObjectData(c.obj, b)
	if c.f.assoc == nil && !c.f.deaf {
		if p.pipes == maxPipes {
			c.f.deaf = true
			p.note("too_many_pipes")
		} else {
			p.pipes++
			c.f.assoc = &dcerpc.Association{}
		}
	}
	if !c.f.deaf && !c.f.assoc.Feed(env, c.dir, b, p) {
		p.hangUp(c.f)
	}
}

// finish closes the objects of a channel; more content makes new ones.
func (p *Parser) finish(env *protocol.Env, c *channel, state protocol.ObjectState) {
	for len(c.ahead) > 0 {
		p.skipHole(env, c)
	}
	for i, o := range p.open {
		if o == c {
			p.open = append(p.open[:i], p.open[i+1:]...)
			break
		}
	}
	if c.patch != nil {
		env.Objects.CloseObject(c.patch, protocol.ObjectClosed)
	}
	if c.obj != nil {
		if c.obj.Gaps {
			state = protocol.ObjectTruncated
		}
		if c.obj.Name == "" {
			c.obj.Name = c.f.name
		}
		env.Objects.CloseObject(c.obj, state)
	}
	if c.tx != nil {
		complete(c.tx)
	}
	c.f.fresh = false
	*c = channel{f: c.f, dir: c.dir}
}

// closeFile ends a file's content; the file is forgotten.
func (p *Parser) closeFile(env *protocol.Env, f *file) {
	for _, c := range f.ways {
		if c != nil {
			p.finish(env, c, protocol.ObjectClosed)
		}
	}
	p.forget(f.ways[protocol.ToServer])
	p.hangUp(f)
	delete(p.files, f.id)
}

// hangUp ends what is read of a pipe's calls.
func (p *Parser) hangUp(f *file) {
	f.deaf = true
	if f.assoc != nil {
		f.assoc.End(p)
		f.assoc = nil
		p.pipes--
	}
}

// file gives the open file of an identifier. One whose opening was not seen is
// made, so that its content is not lost.
func (p *Parser) file(id fileID) *file {
	if f := p.files[id]; f != nil {
		return f
	}
	m := &p.now
	t := p.trees[treeKey{m.session, m.tree}]
	f := &file{id: id, tree: m.tree, session: m.session, version: m.version}
	if t != nil {
		f.share, f.pipe, f.knownTree = t.name, t.pipe, true
	}
	p.register(f)
	return f
}

// register notes an open file. Beyond the bound files share one.
func (p *Parser) register(f *file) *file {
	if len(p.files) >= maxFiles && p.files[f.id] == nil {
		if p.stray == nil {
			p.stray = &file{version: f.version, session: f.session, tree: f.tree}
		}
		return p.stray
	}
	p.files[f.id] = f
	return f
}
