package bittorrent

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strconv"
)

const (
	// maxDepth bounds lists and dictionaries within each other; a message needs three.
	maxDepth = 8
	// maxPeers bounds the addresses that are kept of a message.
	maxPeers = 256
	idLen    = 20
)

// Message is the State of a transaction. Byte strings are nil where they are missing.
type Message struct {
	// Type is what kind of message it is: q, r, e, or 0 where that cannot be told.
	Type byte
	// TransactionID and Version are the sender's own.
	TransactionID, Version []byte
	// Query is the name of a query.
	Query string
	// ID, Target, InfoHash and Token are arguments and values.
	ID, Target, InfoHash, Token []byte
	Port, ImpliedPort           *int64
	Nodes, Nodes6               []Node
	Values                      []netip.AddrPort
	Code                        int64
	Text                        []byte
}

// Node is a node of the hash table.
type Node struct {
	ID   []byte
	Addr netip.AddrPort
}

// reader reads bencoding (BEP 3).
type reader struct{ b []byte }

// str takes a byte string.
func (r *reader) str() ([]byte, bool) {
	i := bytes.IndexByte(r.b[:min(len(r.b), 6)], ':')
	if i <= 0 {
		return nil, false
	}
	n, err := strconv.ParseUint(string(r.b[:i]), 10, 16)
	if err != nil || n > uint64(len(r.b)-i-1) {
		return nil, false
	}
	s := r.b[i+1 : i+1+int(n)]
	r.b = r.b[i+1+int(n):]
	return s, true
}

// integer takes a number.
func (r *reader) integer() (int64, bool) {
	if len(r.b) == 0 || r.b[0] != 'i' {
		return 0, false
	}
	i := bytes.IndexByte(r.b[:min(len(r.b), 24)], 'e')
	if i < 0 {
		return 0, false
	}
	v, err := strconv.ParseInt(string(r.b[1:i]), 10, 64)
	r.b = r.b[i+1:]
	return v, err == nil
}

// end takes the end of a list or dictionary, if it is there.
func (r *reader) end() bool {
	if len(r.b) > 0 && r.b[0] == 'e' {
		r.b = r.b[1:]
		return true
	}
	return false
}

// skip passes over a value.
func (r *reader) skip(depth int) bool {
	if len(r.b) == 0 || depth > maxDepth {
		return false
	}
	switch c := r.b[0]; {
	case c == 'i':
		_, ok := r.integer()
		return ok
	case c == 'l' || c == 'd':
		r.b = r.b[1:]
		for !r.end() {
			if c == 'd' {
				if _, ok := r.str(); !ok {
					return false
				}
			}
			if !r.skip(depth + 1) {
				return false
			}
		}
		return true
	}
	_, ok := r.str()
	return ok
}

// dict calls f for each entry of a dictionary; f takes the value.
func (r *reader) dict(f func(key string) bool) bool {
	if len(r.b) == 0 || r.b[0] != 'd' {
		return false
	}
	r.b = r.b[1:]
	for !r.end() {
		key, ok := r.str()
		if !ok || !f(string(key)) {
			return false
		}
	}
	return true
}

// parse reads a message, which points into b. ok tells that it is one; what there
// is of another is given all the same.
func parse(b []byte) (m *Message, ok bool) {
	m = &Message{}
	r := reader{b: b}
	var has struct{ query, args, resp, err bool }
	var typ []byte
	sound := r.dict(func(key string) (ok bool) {
		switch key {
		case "t":
			m.TransactionID, ok = r.str()
		case "v":
			m.Version, ok = r.str()
		case "y":
			typ, ok = r.str()
		case "q":
			var q []byte
			q, ok = r.str()
			m.Query, has.query = string(q), ok
		case "a":
			has.args = true
			ok = m.values(&r)
		case "r":
			has.resp = true
			ok = m.values(&r)
		case "e":
			has.err = true
			ok = m.error(&r)
		default:
			ok = r.skip(1)
		}
		return ok
	})
	if len(typ) == 1 {
		m.Type = typ[0]
	}
	ok = sound && len(r.b) == 0 && m.TransactionID != nil
	switch m.Type {
	case 'q':
		ok = ok && has.query && has.args && m.asked()
	case 'r':
		ok = ok && has.resp && m.ID != nil
	case 'e':
		ok = ok && has.err
	default:
		ok, m.Type = false, 0
	}
	return m, ok
}

// asked reports whether a query has the arguments that it needs (BEP 5). A query of
// another name is one of an extension.
func (m *Message) asked() bool {
	switch m.Query {
	case "find_node":
		return m.ID != nil && m.Target != nil
	case "get_peers":
		return m.ID != nil && m.InfoHash != nil
	case "announce_peer":
		return m.ID != nil && m.InfoHash != nil && m.Token != nil && m.Port != nil
	}
	return m.ID != nil
}

// values reads the arguments of a query or the values of a response.
func (m *Message) values(r *reader) bool {
	number := func(to **int64) bool {
		v, ok := r.integer()
		*to = &v
		return ok
	}
	return r.dict(func(key string) (ok bool) {
		switch key {
		case "id":
			m.ID, ok = r.str()
		case "target":
			m.Target, ok = r.str()
		case "info_hash":
			m.InfoHash, ok = r.str()
		case "token":
			m.Token, ok = r.str()
		case "port":
			ok = number(&m.Port)
		case "implied_port":
			ok = number(&m.ImpliedPort)
		case "nodes":
			var s []byte
			s, ok = r.str()
			m.Nodes = nodes(s, 4)
		case "nodes6":
			var s []byte
			s, ok = r.str()
			m.Nodes6 = nodes(s, 16)
		case "values":
			ok = m.peers(r)
		default:
			ok = r.skip(2)
		}
		return ok
	})
}

// nodes reads nodes in their compact form, whose addresses have size bytes. A string
// of another length says nothing.
func nodes(b []byte, size int) (list []Node) {
	each := idLen + size + 2
	if len(b)%each != 0 {
		return nil
	}
	for ; len(b) > 0 && len(list) < maxPeers; b = b[each:] {
		list = append(list, Node{b[:idLen], address(b[idLen:each])})
	}
	return list
}

// peers reads the list of peers in their compact form.
func (m *Message) peers(r *reader) bool {
	if len(r.b) == 0 || r.b[0] != 'l' {
		return false
	}
	r.b = r.b[1:]
	for !r.end() {
		s, ok := r.str()
		if !ok {
			return false
		}
		if (len(s) == 6 || len(s) == 18) && len(m.Values) < maxPeers {
			m.Values = append(m.Values, address(s))
		}
	}
	return true
}

// address reads an address of 4 or 16 bytes and a port.
func address(b []byte) netip.AddrPort {
	n := len(b) - 2
	a, _ := netip.AddrFromSlice(b[:n])
	return netip.AddrPortFrom(a, binary.BigEndian.Uint16(b[n:]))
}

// error reads the list of a code and a text.
func (m *Message) error(r *reader) (ok bool) {
	if len(r.b) == 0 || r.b[0] != 'l' {
		return false
	}
	r.b = r.b[1:]
	if m.Code, ok = r.integer(); !ok {
		return false
	}
	if m.Text, ok = r.str(); !ok {
		return false
	}
	for !r.end() {
		if !r.skip(2) {
			return false
		}
	}
	return true
}
