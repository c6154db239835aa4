package smb

import (
	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/dcerpc"
)

// Of the header of version 2 (MS-SMB2 §2.2.1).
const (
	header2 = 64
	// flag2Async: the header has an id for late answers in place of a share's.
	flag2Async   = 0x02
	flag2Related = 0x04
)

// head2 looks at what was gathered of a message of version 2, and reports
// whether more of it is to be gathered first.
func (p *Parser) head2(env *protocol.Env, dir protocol.Dir, s *side) (more bool) {
	if s.want(header2) {
		return true
	}
	if len(s.buf) < header2 {
		p.malformed()
		return false
	}
	h := s.buf
	if next := int(le.Uint32(h[20:])); next != 0 && s.rest == 0 {
		// The part ends where the next one begins.
		if all := len(s.buf) + s.elem; next >= header2 && next < all {
			s.rest, s.elem = all-next, next-len(s.buf)
			if s.elem < 0 {
				p.malformed()
				s.rest, s.elem = 0, 0
				return false
			}
		} else if next != all {
			p.malformed()
		}
	}
	command := le.Uint16(h[12:])
	switch {
	case dir == protocol.ToServer && command == cmdWrite:
		if s.want(header2 + 48) {
			return true
		}
		if len(s.buf) >= header2+48 && s.want(max(int(le.Uint16(h[header2+2:])), header2+48)+p.peek2(h)) {
			return true
		}
	case dir == protocol.ToClient && command == cmdRead:
		if s.want(header2 + 16) {
			return true
		}
		if len(s.buf) >= header2+16 {
			peek := 0
			if w := p.pending[le.Uint64(h[24:])]; w != nil && w.file != nil && w.file.unknown(protocol.ToClient) {
				peek = peekLen
			}
			if s.want(max(int(h[header2+2]), header2+16) + peek) {
				return true
			}
		}
	default:
		if s.want(min(len(s.buf)+s.elem, maxBody)) {
			return true
		}
	}
	p.now = message{version: 2, command: command, id: le.Uint64(h[24:]), tree: le.Uint32(h[36:]), session: le.Uint64(h[40:])}
	flags := le.Uint32(h[16:])
	if dir == protocol.ToServer {
		last := s.last
		s.last = nil
		if flags&flag2Related == 0 {
			last = nil
		} else if last != nil {
			p.now.session, p.now.tree = last.session, last.tree
		}
		p.request2(env, s, last)
		return false
	}
	p.now.status = le.Uint32(h[8:])
	p.answered = true
	w := p.pending[p.now.id]
	if w != nil && w.command == command {
		p.now.tree = w.tree
	} else {
		w = nil
	}
	if p.now.status == statusPending && flags&flag2Async != 0 {
		return false
	}
	if w != nil {
		delete(p.pending, p.now.id)
	}
	p.response2(env, s, w)
	return false
}

// peekLen is how much of the content of an unknown file is looked at before it is
// given: a DCE/RPC message says that it is a pipe.
const peekLen = 16

// peek2 gives how much of a write's content is gathered.
func (p *Parser) peek2(h []byte) int {
	f := p.files[fileID(h[header2+16:header2+32])]
	known := p.trees[treeKey{le.Uint64(h[40:]), le.Uint32(h[36:])}] != nil || le.Uint32(h[16:])&flag2Related != 0
	if f == nil && !known || f != nil && f.unknown(protocol.ToServer) {
		return peekLen
	}
	return 0
}

// body gives the bytes behind the header, at least n of them.
func body(b []byte, n int) ([]byte, bool) {
	if len(b) < header2+n {
		return nil, false
	}
	return b[header2:], true
}

// named gives the file of an identifier in a request; in a compound the one of
// the part before may be meant.
func (p *Parser) named(b []byte, last *pending) *file {
	id := fileID(b[:16])
	if id == noFile && last != nil && last.file != nil {
		return last.file
	}
	return p.file(id)
}

// request2 takes a request. Whatever is too short to be one is noted, and still
// waits for its answer.
func (p *Parser) request2(env *protocol.Env, s *side, last *pending) {
	h := s.buf
	w := &pending{}
	if last != nil {
		w.file = last.file
	}
	short := false
	switch p.now.command {
	case cmdNegotiate:
		n := &negotiate{}
		if b, ok := body(h, 36); ok {
			n.client = append(n.client, b[12:28]...)
			list := slice(b, 36, 2*int(le.Uint16(b[2:])))
			for ; len(list) >= 2; list = list[2:] {
				n.dialects = append(n.dialects, dialectName(le.Uint16(list)))
			}
		} else {
			short = true
		}
		w.tx = p.request(env, &Transaction{negotiate: n})
	case cmdSessionSetup:
		t := &Transaction{setup: &setup{}}
		if b, ok := body(h, 24); ok {
			p.blob(t, slice(h, int(le.Uint16(b[12:])), int(le.Uint16(b[14:]))))
		} else {
			short = true
		}
		w.tx = p.request(env, t)
	case cmdTreeConnect:
		c := &connect{}
		if b, ok := body(h, 8); ok {
			c.name = fromUTF16(slice(h, int(le.Uint16(b[4:])), int(le.Uint16(b[6:]))))
		} else {
			short = true
		}
		c.pipe = endsWithFold(c.name, `\IPC$`)
		w.tx = p.request(env, &Transaction{connect: c, share: []byte(c.name)})
	case cmdCreate:
		short = !p.create2(env, h, w)
	case cmdClose:
		if b, ok := body(h, 24); ok {
			w.file = p.known(b[8:], last)
		} else {
			short = true
		}
		w.tx = p.request(env, &Transaction{})
		if w.file != nil {
			p.closeFile(env, w.file)
		}
	case cmdRead:
		if b, ok := body(h, 32); ok {
			w.file, w.offset = p.named(b[16:], last), le.Uint64(b[8:])
			if max := env.Limits.SMB.MaxRead; max > 0 && int64(le.Uint32(b[4:])) > max {
				p.note("read_request_too_large")
			}
		} else {
			short = true
		}
	case cmdWrite:
		short = !p.write2(env, s, w, last)
	case cmdIoctl:
		short = !p.ioctl2(env, h, w, last)
	case cmdSetInfo:
		short = !p.setInfo2(env, h, w, last)
	case cmdGetInfo:
	case cmdCancel:
		// It has no answer of its own.
		complete(p.request(env, &Transaction{}))
		return
	default:
		w.tx = p.request(env, &Transaction{})
	}
	if short {
		p.malformed()
	}
	p.wait(w)
	s.last = w
}

// note adds an event to the newest transaction.
func (p *Parser) note(event string) {
	if tx := p.txs.Last(); tx != nil {
		tx.AddEvent(event)
	}
}

// known is named for requests that bring no content: a file whose opening was
// not seen is not made.
func (p *Parser) known(b []byte, last *pending) *file {
	id := fileID(b[:16])
	if id == noFile && last != nil {
		return last.file
	}
	return p.files[id]
}

// blob reads what a client says of itself in a session setup.
func (p *Parser) blob(t *Transaction, blob []byte) {
	n, broken := readNTLM(blob)
	if broken {
		p.note("malformed_ntlmssp_request")
	}
	if n != nil {
		t.setup.ntlm = n
		t.user, t.domain = []byte(n.user), []byte(n.domain)
	}
}

// create2 reads the opening of a file.
func (p *Parser) create2(env *protocol.Env, h []byte, w *pending) bool {
	b, ok := body(h, 56)
	if !ok {
		w.tx = p.request(env, &Transaction{create: &create{}})
		return false
	}
	c := &create{disposition: le.Uint32(b[36:]), deleteOnClose: le.Uint32(b[40:])&0x1000 != 0}
	c.name = fromUTF16(slice(h, int(le.Uint16(b[44:])), int(le.Uint16(b[46:]))))
	w.tx = p.request(env, &Transaction{create: c})
	w.file = p.newFile(c)
	return true
}

// newFile makes the file that a request opens. It has no identifier before the
// answer, but a compound may write to it already.
func (p *Parser) newFile(c *create) *file {
	f := &file{name: c.name, session: p.now.session, tree: p.now.tree, version: p.now.version, id: noFile}
	if t := p.trees[treeKey{f.session, f.tree}]; t != nil {
		f.share, f.pipe, f.knownTree = t.name, t.pipe, true
	}
	switch dispositionName(c.disposition) {
	case "FILE_SUPERSEDE", "FILE_CREATE", "FILE_OVERWRITE", "FILE_OVERWRITE_IF":
		f.fresh = true
	}
	return f
}

// write2 reads a write, whose content follows.
func (p *Parser) write2(env *protocol.Env, s *side, w *pending, last *pending) bool {
	h := s.buf
	b, ok := body(h, 48)
	if !ok {
		return false
	}
	f := p.named(b[16:], last)
	w.file = f
	at, n := int(le.Uint16(b[2:])), int(le.Uint32(b[4:]))
	if max := env.Limits.SMB.MaxWrite; max > 0 && int64(n) > max {
		p.note("write_request_too_large")
	}
	if n < 0 || n > len(h)+s.elem-min(at, len(h)) || at < header2 {
		// More than the message holds: what there is may be taken.
		p.note("malformed_data")
		n = max(n, 0)
	}
	p.begins(env, s, f.way(protocol.ToServer), le.Uint64(b[8:]), at, n)
	return true
}

// begins gives content of n bytes at a place of the message in work: first what
// of it was gathered, then what follows.
func (p *Parser) begins(env *protocol.Env, s *side, to *channel, off uint64, at, n int) {
	had := slice(s.buf, at, n)
	if to.f.unknown(to.dir) && off == 0 {
		to.f.pipe = dcerpc.Plausible(had)
	}
	p.presume(to, off, n)
	if len(had) > 0 {
		p.content(env, to, off, had)
	}
	if at <= len(s.buf) && n > len(had) {
		p.stream(s, to, off+uint64(len(had)), n-len(had))
	}
}

// ioctl2 reads a control request: one that writes to a pipe is a message.
func (p *Parser) ioctl2(env *protocol.Env, h []byte, w *pending, last *pending) bool {
	b, ok := body(h, 56)
	if !ok {
		w.tx = p.request(env, &Transaction{})
		return false
	}
	code := le.Uint32(b[4:])
	if code == fsctlTransceive {
		w.file = p.named(b[8:], last)
		w.file.pipe = true
		p.content(env, w.file.way(protocol.ToServer), 0, slice(h, int(le.Uint32(b[24:])), int(le.Uint32(b[28:]))))
		if !w.file.deaf {
			return true
		}
		// No call: it has a record of its own.
	}
	w.tx = p.request(env, &Transaction{ioctl: &code})
	return true
}

// The classes of SET_INFO that are looked at (MS-FSCC §2.4).
const (
	infoFile        = 1
	infoRename      = 10
	infoDisposition = 13
	infoEndOfFile   = 20
)

// setInfo2 reads a change of a file: its name, its deletion, its length.
func (p *Parser) setInfo2(env *protocol.Env, h []byte, w *pending, last *pending) bool {
	b, ok := body(h, 32)
	if !ok {
		return false
	}
	if b[2] != infoFile {
		return true
	}
	w.file = p.known(b[16:], last)
	data := slice(h, int(le.Uint16(b[8:])), int(le.Uint32(b[4:])))
	name, id := "", fileID(b[16:32])
	if w.file != nil {
		name, id = w.file.name, w.file.id
	}
	switch b[3] {
	case infoRename:
		if len(data) < 20 {
			return false
		}
		r := &rename{from: name, to: fromUTF16(slice(data, 20, int(le.Uint32(data[16:])))), id: id}
		w.tx = p.request(env, &Transaction{rename: r})
	case infoDisposition:
		if len(data) < 1 {
			return false
		}
		w.tx = p.request(env, &Transaction{setInfo: &setInfo{name: name, deleteOnClose: data[0]&1 != 0, sub: "disposition", id: id}})
	case infoEndOfFile:
		if len(data) >= 8 && w.file != nil {
			w.file.expect(le.Uint64(data))
		}
	}
	return true
}

// response2 takes an answer; w is what it answers, nil where that was not seen.
func (p *Parser) response2(env *protocol.Env, s *side, w *pending) {
	h, ok := s.buf, p.now.status == statusSuccess
	if w == nil {
		w = &pending{}
	}
	switch p.now.command {
	case cmdNegotiate:
		b, whole := body(h, 64)
		if !whole || !ok {
			break
		}
		p.dialect = le.Uint16(b[4:])
		tx := w.tx
		if tx == nil {
			// A request of version 1 may be answered by version 2.
			tx = p.firstOpen(cmd1Negotiate)
		}
		if tx != nil {
			if t, _ := tx.State.(*Transaction); t.negotiate != nil {
				t.negotiate.server = append([]byte(nil), b[8:24]...)
				t.Dialect, t.Dialect1 = p.dialect, ""
			}
		}
		w.tx = tx
	case cmdTreeConnect:
		if b, whole := body(h, 16); whole && ok && w.tx != nil {
			t := w.tx.State.(*Transaction)
			t.connect.pipe, t.Tree = b[2] == 2, le.Uint32(h[36:])
			p.tree(treeKey{p.now.session, t.Tree}, &tree{name: t.connect.name, pipe: t.connect.pipe})
		}
	case cmdSessionSetup:
		if w.tx != nil {
			t := w.tx.State.(*Transaction)
			t.Session = p.now.session
			if b, whole := body(h, 8); whole && ok && le.Uint16(b[2:])&(sessionGuest|sessionNull) == 0 {
				p.login(t)
			}
		}
	case cmdLogoff:
		if ok {
			delete(p.users, p.now.session)
		}
	case cmdCreate:
		p.created2(env, h, w, ok)
	case cmdRead:
		p.read2(env, s, w)
	case cmdIoctl:
		if b, whole := body(h, 48); whole && w.file != nil && w.file.pipe && (ok || p.now.status == statusBufferOverflow) && le.Uint32(b[4:]) == fsctlTransceive {
			p.content(env, w.file.way(protocol.ToClient), 0, slice(h, int(le.Uint32(b[32:])), int(le.Uint32(b[36:]))))
		}
	}
	p.answer(w.tx)
}

// firstOpen gives the oldest transaction of a command of version 1 that waits.
func (p *Parser) firstOpen(command uint16) *protocol.Tx {
	for _, tx := range p.txs.Live {
		if t := tx.State.(*Transaction); t.Version == 1 && t.Command == command && tx.Progress[protocol.ToClient] == 0 {
			return tx
		}
	}
	return nil
}

// tree notes a connected share.
func (p *Parser) tree(k treeKey, t *tree) {
	if len(p.trees) >= maxTrees {
		for old := range p.trees {
			delete(p.trees, old)
			break
		}
	}
	p.trees[k] = t
}

// created2 reads the answer to the opening of a file.
func (p *Parser) created2(env *protocol.Env, h []byte, w *pending, ok bool) {
	b, whole := body(h, 88)
	if !ok || !whole {
		if w.file != nil {
			p.closeFile(env, w.file)
		}
		return
	}
	f := w.file
	if f == nil {
		f = p.newFile(&create{disposition: 1})
		f.tree = p.now.tree
	}
	f.id = fileID(b[64:80])
	size := le.Uint64(b[48:])
	f.size = size
	p.register(f)
	if w.tx == nil {
		return
	}
	c := w.tx.State.(*Transaction).create
	c.id, c.opened, c.size = f.id, true, size
	c.created, c.accessed, c.modified, c.changed = le.Uint64(b[8:]), le.Uint64(b[16:]), le.Uint64(b[24:]), le.Uint64(b[32:])
}

// read2 reads the answer to a read, whose content follows.
func (p *Parser) read2(env *protocol.Env, s *side, w *pending) {
	b, whole := body(s.buf, 16)
	if !whole || p.now.status != statusSuccess && p.now.status != statusBufferOverflow {
		return
	}
	f, off := w.file, w.offset
	if f == nil {
		// The request was not seen: the content is still looked at.
		if p.stray == nil {
			p.stray = &file{version: 2, session: p.now.session, tree: p.now.tree}
		}
		f = p.stray
		off = f.way(protocol.ToClient).next
	}
	p.begins(env, s, f.way(protocol.ToClient), off, int(b[2]), int(le.Uint32(b[4:])))
}
