package imap

import (
	"bytes"

	"sluice/dataplane/protocol"
)

// firstWord gives what stands before the first blank.
func firstWord(line []byte) []byte {
	word, _, _ := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(" "))
	return word
}

// isAppend reports whether the literal behind a client's line is a message:
// that of APPEND after the mailbox's name, which may be a literal itself.
func isAppend(before []byte) bool {
	words := bytes.Fields(before[:min(len(before), headLen)])
	if len(words) < 2 || !bytes.EqualFold(words[1], []byte("APPEND")) {
		return false
	}
	// A mark stands for a literal that has been read: see begin.
	return len(words) > 2
}

// fetched begins what a server gives in answer to FETCH, told by the item that
// stands before the literal: a message, its header, or a part of it.
func (p *Parser) fetched(env *protocol.Env, s *side, before []byte) {
	words := bytes.Fields(before[:min(len(before), headLen)])
	if len(words) < 3 || string(words[0]) != "*" || !bytes.EqualFold(words[2], []byte("FETCH")) {
		p.endPartial(env, s)
		return
	}
	item, offset, piece := origin(bytes.TrimRight(before[max(len(before)-itemLen, 0):], " ~"))
	whole, part := section(item)
	if !whole && part == "" {
		p.endPartial(env, s)
		return
	}
	if piece && s.partial != nil && offset == s.next && bytes.Equal(s.key, words[1]) && whole {
		s.open = s.partial
		s.next += s.left
		return
	}
	p.endPartial(env, s)
	if whole {
		s.open = p.add(env, &Mail{}, protocol.ToClient)
		if piece && offset == 0 {
			s.partial, s.next, s.key = s.open, s.left, bytes.Clone(words[1])
		}
		return
	}
	m := &Mail{}
	s.open = p.txs.Add(m, env.Now)
	m.obj = &protocol.Object{Kind: protocol.KindText, Dir: protocol.ToClient, Tx: s.open, Name: part, Start: offset}
	env.Objects.OpenObject(m.obj)
}

// origin takes the offset of a partial fetch off an item: "<n>".
func origin(item []byte) (rest []byte, offset uint64, ok bool) {
	if len(item) == 0 || item[len(item)-1] != '>' {
		return item, 0, false
	}
	i := bytes.LastIndexByte(item, '<')
	if i < 0 || i == len(item)-2 || len(item)-i > 20 {
		return item, 0, false
	}
	for _, c := range item[i+1 : len(item)-1] {
		if c < '0' || c > '9' {
			return item, 0, false
		}
		offset = offset*10 + uint64(c-'0')
	}
	return item[:i], offset, true
}

// section tells what an item is: a whole message or header, which are read as
// such, or a part, of which the name is given. Neither is true of other items.
func section(item []byte) (whole bool, part string) {
	if n := len(item); n > 0 && item[n-1] == ']' {
		i := bytes.LastIndexByte(item, '[')
		if i < 0 {
			return false, "BODY"
		}
		word := item[:i]
		if k := bytes.LastIndexAny(word, " ("); k >= 0 {
			word = word[k+1:]
		}
		if !bytes.EqualFold(word, []byte("BODY")) && !bytes.EqualFold(word, []byte("BINARY")) {
			return false, ""
		}
		sec := item[i+1 : n-1]
		switch {
		case len(sec) == 0, hasFold(sec, "HEADER"):
			return true, ""
		case len(sec) > 64:
			return false, "BODY"
		}
		return false, "BODY[" + string(sec) + "]"
	}
	word := item
	if k := bytes.LastIndexAny(word, " ("); k >= 0 {
		word = word[k+1:]
	}
	switch {
	case bytes.EqualFold(word, []byte("RFC822")), bytes.EqualFold(word, []byte("RFC822.HEADER")):
		return true, ""
	case bytes.EqualFold(word, []byte("RFC822.TEXT")):
		return false, "RFC822.TEXT"
	}
	return false, ""
}

// ended takes a line that has ended; switched tells that TLS begins after it.
func (p *Parser) ended(env *protocol.Env, dir protocol.Dir) (switched bool) {
	s := &p.side[dir]
	words := bytes.Fields(s.line[:min(len(s.line), headLen)])
	if dir == protocol.ToServer && len(words) == 1 && p.mech.Step(words[0]) {
		p.Note("")
	}
	if len(words) < 2 {
		return false
	}
	if dir == protocol.ToServer {
		p.tag = append(p.tag[:0], words[0]...)
		p.clear(words[1:])
		switch {
		case bytes.EqualFold(words[1], []byte("STARTTLS")):
			p.tls = bytes.Clone(words[0])
		case bytes.EqualFold(words[1], []byte("COMPRESS")):
			p.deflate = bytes.Clone(words[0])
		case bytes.EqualFold(words[1], []byte("LOGIN")) && len(words) > 3:
			// A password follows, so that the name is whole.
			p.login, p.claimed = bytes.Clone(words[0]), quoted(words[2])
		case bytes.EqualFold(words[1], []byte("AUTHENTICATE")) && len(words) == 4 && bytes.EqualFold(words[2], []byte("PLAIN")):
			// With its answer at once (RFC 4959).
			p.login, p.claimed = bytes.Clone(words[0]), protocol.PlainUser(words[3])
		}
		return false
	}
	ok := bytes.EqualFold(words[1], []byte("OK"))
	refused := bytes.EqualFold(words[1], []byte("NO")) || bytes.EqualFold(words[1], []byte("BAD"))
	if c := &p.side[protocol.ToServer]; refused && c.asked && bytes.Equal(words[0], p.tag) {
		// The literal is not wanted, and what follows is the next command.
		if c.open != nil {
			p.finish(env, c.open, true)
			c.open = nil
		}
		c.left, c.asked = 0, false
		c.head, c.begun = head{}, false
		c.reset()
	}
	if p.login != nil && bytes.Equal(words[0], p.login) {
		if p.login = nil; ok {
			p.user = p.claimed
		}
		p.claimed = ""
	}
	switch {
	case p.tls != nil && bytes.Equal(words[0], p.tls):
		p.tls = nil
		return ok
	case p.deflate != nil && bytes.Equal(words[0], p.deflate):
		// What follows is compressed in both directions (RFC 4978).
		p.deflate, p.skipped = nil, ok
	}
	return false
}

// quoted gives a name that is an atom or a short quoted string (RFC 9051 §4.3);
// empty for a literal, and for what has blanks or escapes.
func quoted(word []byte) string {
	if n := len(word); n >= 2 && word[0] == '"' && word[n-1] == '"' {
		word = word[1 : n-1]
	}
	if len(word) == 0 || bytes.ContainsAny(word, "\"\\{") {
		return ""
	}
	return protocol.UserName(word)
}

// clear notes passwords in the clear (RFC 9051 §6.2.2, §6.2.3, RFC 4959) of a command.
func (p *Parser) clear(words [][]byte) {
	p.mech = protocol.Steps{}
	switch {
	case len(words) > 2 && bytes.EqualFold(words[0], []byte("LOGIN")):
		p.Note(quoted(words[1]))
	case len(words) > 1 && bytes.EqualFold(words[0], []byte("AUTHENTICATE")):
		p.mech.Begin(words[1])
		if len(words) > 2 && p.mech.Step(words[2]) {
			p.Note(protocol.PlainUser(words[2]))
		}
	}
}
