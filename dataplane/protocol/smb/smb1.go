package smb

import (
	"bytes"

	"sluice/dataplane/protocol"
)

// Of the header of version 1 (MS-CIFS §2.2.3.1).
const (
	header1 = 32
	// flags2Unicode and flags2NT: strings are UTF-16, and the status is not of
	// the old kind.
	flags2Unicode  = 0x8000
	flags2NTStatus = 0x4000
	flags2Extended = 0x0800
	// key1 tells requests of version 1 from those of version 2.
	key1 = uint64(1) << 63
	// noAndX ends a chain of commands.
	noAndX = 0xff
	// maxChain bounds the commands of a message.
	maxChain = 8
)

// words1 gives the parameter words of a command at a place of a message, and its
// data behind them; ok is false where they are cut off.
func words1(h []byte, at int) (words, data []byte, ok bool) {
	if at < 0 || at >= len(h) {
		return nil, nil, false
	}
	n := 2 * int(h[at])
	if at+1+n+2 > len(h) {
		return nil, nil, false
	}
	words = h[at+1 : at+1+n]
	return words, h[at+1+n+2:], true
}

// head1 looks at what was gathered of a message of version 1, and reports
// whether more of it is to be gathered first. A message is gathered whole, but
// for the content of a file that is longer than messages of that version usually
// are.
func (p *Parser) head1(env *protocol.Env, dir protocol.Dir, s *side) (more bool) {
	if s.want(header1 + 1) {
		return true
	}
	if len(s.buf) < header1+3 && s.elem == 0 {
		p.malformed()
		return false
	}
	if s.want(min(len(s.buf)+s.elem, maxBody1)) {
		return true
	}
	h := s.buf
	p.now = message{version: 1, command: uint16(h[4]), tree: uint32(le.Uint16(h[24:])), session: uint64(le.Uint16(h[28:])),
		id: key1 | uint64(le.Uint16(h[26:]))<<16 | uint64(le.Uint16(h[30:]))}
	flags2 := le.Uint16(h[10:])
	wide := flags2&flags2Unicode != 0
	at := header1
	if dir == protocol.ToServer {
		for range maxChain {
			words, data, ok := words1(h, at)
			if !ok {
				p.malformed()
			}
			p.request1(env, s, words, data, wide, at)
			if at = chained(p.now.command, words); at < header1 || at >= len(h) {
				break
			}
			p.now.command = uint16(words[0])
		}
		return false
	}
	p.answered = true
	p.now.status, p.now.dos = le.Uint32(h[5:]), flags2&flags2NTStatus == 0
	for range maxChain {
		words, data, ok := words1(h, at)
		if !ok {
			break
		}
		p.response1(env, s, words, data, wide, flags2&flags2Extended != 0)
		if at = chained(p.now.command, words); at < header1 || at >= len(h) {
			break
		}
		p.now.command = uint16(words[0])
	}
	return false
}

// chained gives the place of the command that follows another one, 0 for none.
func chained(command uint16, words []byte) int {
	switch command {
	case 0x24, cmd1OpenAndX, cmd1ReadAndX, cmd1WriteAndX, cmd1SessionSetup, cmd1LogoffAndX, cmd1TreeConnect, cmd1NTCreate:
		if len(words) >= 4 && words[0] != noAndX {
			return int(le.Uint16(words[2:]))
		}
	}
	return 0
}

// key gives the place of a request among those that wait: several commands of
// one message are answered in one.
func (p *Parser) key() uint64 { return p.now.id | uint64(p.now.command)<<48 }

func (p *Parser) wait1(w *pending) {
	id := p.now.id
	p.now.id = p.key()
	p.wait(w)
	p.now.id = id
}

// fid makes a file's identifier of a FID.
func fid(b []byte) (id fileID) {
	copy(id[:2], b)
	return id
}

// text1 reads a string of a message's data: the whole message shows where UTF-16
// is aligned. It gives the string and what follows it.
func text1(h, data []byte, wide bool) (string, []byte) {
	if !wide {
		i := bytes.IndexByte(data, 0)
		if i < 0 {
			return fromASCII(data), nil
		}
		return fromASCII(data[:i]), data[i+1:]
	}
	if (len(h)-len(data))%2 == 1 && len(data) > 0 {
		data = data[1:]
	}
	for i := 0; i+1 < len(data); i += 2 {
		if data[i]|data[i+1] == 0 {
			return fromUTF16(data[:i]), data[i+2:]
		}
	}
	return fromUTF16(data), nil
}

// request1 takes a command of a request.
func (p *Parser) request1(env *protocol.Env, s *side, words, data []byte, wide bool, at int) {
	h := s.buf
	w := &pending{}
	switch p.now.command {
	case cmd1Negotiate:
		n := &negotiate{}
		for len(data) > 1 && data[0] == 2 {
			i := bytes.IndexByte(data, 0)
			if i < 0 {
				p.note("negotiate_malformed_dialects")
				break
			}
			n.dialects = append(n.dialects, fromASCII(data[1:i]))
			data = data[i+1:]
		}
		p.offered = n.dialects
		w.tx = p.request(env, &Transaction{negotiate: n})
	case cmd1SessionSetup:
		w.tx = p.request(env, p.setup1(h, words, data, wide))
	case cmd1TreeConnect:
		c := &connect{}
		if len(words) >= 8 {
			n := min(int(le.Uint16(words[6:])), len(data))
			c.name, data = text1(h, data[n:], wide)
			c.service, _ = text1(h, data, false)
		}
		c.pipe = c.service == "IPC" || endsWithFold(c.name, `\IPC$`)
		w.tx = p.request(env, &Transaction{connect: c, share: []byte(c.name)})
	case cmd1NTCreate:
		c := &create{}
		if len(words) >= 48 {
			c.disposition, c.deleteOnClose = le.Uint32(words[35:]), le.Uint32(words[39:])&0x1000 != 0
			c.name, _ = text1(h, data, wide)
		}
		w.tx = p.request(env, &Transaction{create: c})
		w.file = p.newFile(c)
	case cmd1OpenAndX:
		c := &create{disposition: 1}
		if len(words) >= 18 && le.Uint16(words[16:])&0x12 != 0 {
			c.disposition = 5
		}
		c.name, _ = text1(h, data, wide)
		w.tx = p.request(env, &Transaction{create: c})
		w.file = p.newFile(c)
	case cmd1Close:
		if len(words) >= 2 {
			w.file = p.files[fid(words)]
		}
		w.tx = p.request(env, &Transaction{})
		if w.file != nil {
			p.closeFile(env, w.file)
		}
	case cmd1Read:
		if len(words) >= 10 {
			w.file, w.offset = p.file(fid(words)), uint64(le.Uint32(words[4:]))
		}
	case cmd1ReadAndX:
		if len(words) >= 20 {
			w.file, w.offset = p.file(fid(words[4:])), uint64(le.Uint32(words[6:]))
			if len(words) >= 24 {
				w.offset |= uint64(le.Uint32(words[20:])) << 32
			}
		}
	case cmd1Write, cmd1WriteClose:
		if len(words) >= 10 && len(data) >= 3 {
			off := uint64(le.Uint32(words[4:]))
			if p.now.command == cmd1Write {
				w.file = p.file(fid(words))
				p.begins(env, s, w.file.way(protocol.ToServer), off, len(h)-len(data)+3, int(le.Uint16(words[2:])))
				break
			}
			w.file = p.file(fid(words))
			p.begins(env, s, w.file.way(protocol.ToServer), off, len(h)-len(data)+1, int(le.Uint16(words[2:])))
			p.closeFile(env, w.file)
		}
	case cmd1WriteAndX:
		if len(words) >= 24 {
			w.file = p.file(fid(words[4:]))
			off := uint64(le.Uint32(words[6:]))
			if len(words) >= 28 {
				off |= uint64(le.Uint32(words[24:])) << 32
			}
			n := int(le.Uint16(words[20:])) | int(le.Uint16(words[18:]))<<16
			p.begins(env, s, w.file.way(protocol.ToServer), off, int(le.Uint16(words[22:])), n)
		}
	case cmd1Trans:
		p.trans1(env, h, words, w)
	case cmd1Trans2:
	case cmd1Rename:
		r := &rename{}
		if len(data) > 1 {
			r.from, data = text1(h, data[1:], wide)
		}
		if len(data) > 1 {
			r.to, _ = text1(h, data[1:], wide)
		}
		w.tx = p.request(env, &Transaction{rename: r})
	default:
		w.tx = p.request(env, &Transaction{})
	}
	p.wait1(w)
}

// setup1 reads a session setup, of either kind.
func (p *Parser) setup1(h, words, data []byte, wide bool) *Transaction {
	t := &Transaction{setup: &setup{}}
	u := t.setup
	switch {
	case len(words) >= 24 && len(words) < 26:
		n := min(int(le.Uint16(words[14:])), len(data))
		p.blob(t, data[:n])
		data = data[n:]
	case len(words) >= 26:
		n := min(int(le.Uint16(words[14:]))+int(le.Uint16(words[16:])), len(data))
		x := &ntlm{}
		x.user, data = text1(h, data[n:], wide)
		x.domain, data = text1(h, data, wide)
		u.ntlm, t.user, t.domain = x, []byte(x.user), []byte(x.domain)
	default:
		return t
	}
	u.nativeOS, data = text1(h, data, wide)
	u.nativeLM, _ = text1(h, data, wide)
	u.hasNative = true
	return t
}

// trans1 reads a transaction on a named pipe (MS-CIFS §2.2.5.6); others have no
// record.
func (p *Parser) trans1(env *protocol.Env, h, words []byte, w *pending) {
	// The function and the file are setup words behind fourteen others.
	if len(words) < 32 || le.Uint16(words[28:]) != 0x26 {
		return
	}
	w.sub = 0x26
	w.file = p.file(fid(words[30:]))
	w.file.pipe = true
	p.content(env, w.file.way(protocol.ToServer), 0, slice(h, int(le.Uint16(words[24:])), int(le.Uint16(words[22:]))))
}

// response1 takes a command of a response.
func (p *Parser) response1(env *protocol.Env, s *side, words, data []byte, wide, extended bool) {
	h, ok := s.buf, p.now.status == statusSuccess
	w := p.pending[p.key()]
	if w == nil || w.command != p.now.command {
		w = &pending{}
	} else {
		delete(p.pending, p.key())
	}
	var t *Transaction
	if w.tx != nil {
		t = w.tx.State.(*Transaction)
	}
	switch p.now.command {
	case cmd1Negotiate:
		if len(words) < 2 || t == nil || t.negotiate == nil {
			break
		}
		if i := int(le.Uint16(words)); i < len(t.negotiate.dialects) {
			p.dialect1 = t.negotiate.dialects[i]
			t.Dialect1 = p.dialect1
		}
		if extended || len(data) >= 16 && len(words) == 34 && le.Uint32(words[19:])&0x80000000 != 0 {
			t.negotiate.server = append([]byte(nil), data[:min(16, len(data))]...)
		}
	case cmd1SessionSetup:
		if t == nil || t.setup == nil {
			break
		}
		t.Session = p.now.session
		if ok && len(words) >= 6 && le.Uint16(words[4:])&sessionGuest == 0 {
			p.login(t)
		}
		if len(words) >= 8 {
			data = data[min(int(le.Uint16(words[6:])), len(data)):]
		} else if len(words) < 6 {
			break
		}
		t.setup.serverOS, data = text1(h, data, wide)
		t.setup.serverLM, _ = text1(h, data, wide)
		t.setup.hasServer = true
	case cmd1TreeConnect:
		if t == nil || t.connect == nil || !ok {
			break
		}
		t.connect.gotService, _ = text1(h, data, false)
		t.connect.pipe = t.connect.gotService == "IPC"
		t.Tree = p.now.tree
		p.tree(treeKey{p.now.session, t.Tree}, &tree{name: t.connect.name, pipe: t.connect.pipe})
	case cmd1NTCreate:
		p.created1(env, words, w, t, ok, 5, 55)
	case cmd1OpenAndX:
		p.created1(env, words, w, t, ok, 4, 0)
	case cmd1Read:
		if len(data) >= 3 && w.file != nil && ok {
			p.begins(env, s, w.file.way(protocol.ToClient), w.offset, len(h)-len(data)+3, int(le.Uint16(data[1:])))
		}
	case cmd1ReadAndX:
		if len(words) >= 24 && (ok || p.now.status == statusBufferOverflow) {
			f, off := w.file, w.offset
			if f == nil {
				if p.stray == nil {
					p.stray = &file{version: 1, session: p.now.session, tree: p.now.tree}
				}
				f, off = p.stray, p.stray.way(protocol.ToClient).next
			}
			n := int(le.Uint16(words[10:])) | int(le.Uint16(words[14:]))<<16
			p.begins(env, s, f.way(protocol.ToClient), off, int(le.Uint16(words[12:])), n)
		}
	case cmd1Trans:
		if w.sub == 0x26 && w.file != nil && len(words) >= 20 {
			p.content(env, w.file.way(protocol.ToClient), 0, slice(h, int(le.Uint16(words[14:])), int(le.Uint16(words[12:]))))
		}
	}
	p.answer(w.tx)
}

// created1 reads the answer to the opening of a file: its FID, and where it is
// told its size.
func (p *Parser) created1(env *protocol.Env, words []byte, w *pending, t *Transaction, ok bool, atFID, atSize int) {
	if !ok || len(words) < atFID+2 {
		if w.file != nil {
			p.closeFile(env, w.file)
		}
		return
	}
	f := w.file
	if f == nil {
		f = p.newFile(&create{disposition: 1})
	}
	f.id = fid(words[atFID:])
	if old := p.files[f.id]; old != nil && old != f {
		p.closeFile(env, old)
	}
	if atSize > 0 && len(words) >= atSize+8 {
		f.size = le.Uint64(words[atSize:])
	}
	p.register(f)
	if t == nil || t.create == nil {
		return
	}
	t.create.id, t.create.opened, t.create.size = f.id, true, f.size
	if len(words) >= 43 && atSize > 0 {
		c := t.create
		c.created, c.accessed, c.modified, c.changed = le.Uint64(words[11:]), le.Uint64(words[19:]), le.Uint64(words[27:]), le.Uint64(words[35:])
	}
}
