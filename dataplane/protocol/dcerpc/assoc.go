package dcerpc

import (
	"encoding/binary"

	"sluice/dataplane/protocol"
)

// Bounds of what is kept of an association.
const (
	// maxStub bounds the stub data kept of a direction of a call, maxStubs those of
	// all calls without an answer.
	maxStub  = 64 << 10
	maxStubs = 256 << 10
	// maxInterfaces bounds the presentation contexts, maxOpen the calls without an
	// answer; beyond them the oldest give way.
	maxInterfaces = 128
	maxOpen       = 128
)

// keyLen is the length of an interface in the buffer dcerpc.iface: the UUID in
// its written order and the major version, both big-endian.
const keyLen = 18

// Interface is a presentation context that a client has offered.
type Interface struct {
	Context        uint16
	Version, Minor uint16
	Acked          bool
	Result, Reason uint16
	key            [keyLen]byte
}

// UUID gives the interface's UUID.
func (i *Interface) UUID() UUID { return UUID(i.key[:16]) }

// Call is one exchange of an association: a request with its response, or a
// bind with its answer. In DCE/RPC over TCP it is the State of a transaction;
// in SMB a part of it.
type Call struct {
	ID uint32
	// Tx is the transaction that stands for the call; whoever makes it sets it.
	Tx *protocol.Tx
	// Types are those of the first PDU of each direction, where Has says that
	// there was one.
	Types   [2]byte
	Has     [2]bool
	Context uint16
	Opnum   uint16
	// Frags counts the fragments, Size the bytes of stub data of a direction;
	// Stub holds the first maxStub of them.
	Frags [2]int
	Size  [2]int
	Stub  [2][]byte
	// Minor is the protocol's minor version.
	Minor byte

	little [2]bool
	done   [2]bool
	// ifaces are those that a bind offers or that a request is for.
	ifaces []*Interface
	// udp is set for calls of the connectionless protocol.
	udp      bool
	activity UUID
	seq      uint32
}

// LittleEndian gives the byte order of the sender of a direction (the dce option
// of byte keywords).
func (c *Call) LittleEndian(dir protocol.Dir) bool { return c.little[dir] }

// Field gives the number for the keyword dcerpc.opnum; it belongs to the call,
// whichever direction is looked at.
func (c *Call) Field(name string, _ protocol.Dir, i int) (uint64, bool) {
	if name != "dcerpc.opnum" || i != 0 || !c.Has[protocol.ToServer] || c.Types[protocol.ToServer] != typeRequest {
		return 0, false
	}
	return uint64(c.Opnum), true
}

// Buffer gives instance i of dcerpc.stub_data or dcerpc.iface in a direction.
func (c *Call) Buffer(slot uint8, dir protocol.Dir, i int) ([]byte, bool) {
	switch slot {
	case slotStub:
		return c.Stub[dir], i == 0 && len(c.Stub[dir]) > 0
	case slotIface:
		if c.Has[protocol.ToServer] && c.Types[protocol.ToServer] == typeRequest && i < len(c.ifaces) {
			return c.ifaces[i].key[:], true
		}
	}
	return nil, false
}

// Owner makes transactions of calls.
type Owner interface {
	// AddCall makes the transaction of a call that has begun and sets its Tx.
	AddCall(env *protocol.Env, c *Call)
	// CallDone tells that a direction of a call is complete.
	CallDone(c *Call, dir protocol.Dir)
}

// Association is the state of one connection or named pipe. The zero value is
// ready.
//
// What dcerpc.stub_data holds is what rules have been written for: the object's
// UUID, where there is one, and credentials count as stub data, and over TCP so do
// the eight bytes before a response's (allocation hint, context, cancel count).
type Association struct {
	// Headed tells that responses keep those eight bytes.
	Headed bool
	// Framed tells that what is fed are the bytes of the flow itself, so that
	// frames can be told of.
	Framed bool
	in     [2]reader
	ifaces []*Interface
	open   []*Call
	// kept counts the stub data of open calls.
	kept int
}

// Feed takes the next bytes of a direction. It reports false once they are no
// DCE/RPC.
func (a *Association) Feed(env *protocol.Env, dir protocol.Dir, data []byte, owner Owner) bool {
	for len(data) > 0 {
		frag, rest, ok, broken := a.in[dir].next(data)
		if broken {
			return false
		}
		if !ok {
			return true
		}
		p := parse(frag)
		c := a.take(env, dir, &p, owner)
		if a.Framed && env.Framing() {
			announce(env, len(frag)+len(rest), headerLen, len(frag), c)
		}
		data = rest
	}
	return true
}

// Gap tells that n bytes of a direction are missing. It reports false when
// nothing more of the direction can be read.
func (a *Association) Gap(dir protocol.Dir, n uint64) bool {
	a.in[dir].gap(n)
	return !a.in[dir].lost
}

// Resume forgets what was begun of a direction, where the next bytes are known
// to begin a message, as those of a pipe do.
func (a *Association) Resume(dir protocol.Dir) { a.in[dir] = reader{buf: a.in[dir].buf[:0]} }

// End completes what is open.
func (a *Association) End(owner Owner) {
	for _, c := range a.open {
		for d := protocol.ToServer; d <= protocol.ToClient; d++ {
			if !c.done[d] {
				c.done[d] = true
				owner.CallDone(c, d)
			}
		}
	}
	a.open, a.kept = nil, 0
}

// take gives a PDU to its call, which it gives; nil where it has none.
func (a *Association) take(env *protocol.Env, dir protocol.Dir, p *pdu, owner Owner) *Call {
	switch p.typ {
	case typeRequest, typeBind, typeAlter:
		if dir == protocol.ToServer {
			return a.request(env, p, owner)
		}
	case typeResponse, typeFault, typeBindAck, typeBindNak, typeAlterResp:
		if dir == protocol.ToClient {
			return a.response(env, p, owner)
		}
	}
	return nil
}

// find gives the open call of an id that a PDU of a direction belongs to.
func (a *Association) find(id uint32, dir protocol.Dir) *Call {
	for _, c := range a.open {
		if c.ID == id && !c.done[dir] {
			return c
		}
	}
	return nil
}

// begin makes a call.
func (a *Association) begin(env *protocol.Env, p *pdu, owner Owner) *Call {
	if len(a.open) == maxOpen {
		old := a.open[0]
		a.drop(0)
		for d := protocol.ToServer; d <= protocol.ToClient; d++ {
			if !old.done[d] {
				old.done[d] = true
				owner.CallDone(old, d)
			}
		}
	}
	c := &Call{ID: p.call, Minor: p.minor}
	a.open = append(a.open, c)
	owner.AddCall(env, c)
	return c
}

func (a *Association) request(env *protocol.Env, p *pdu, owner Owner) *Call {
	c := a.find(p.call, protocol.ToServer)
	if c == nil || p.flags&flagFirst != 0 && c.Has[protocol.ToServer] {
		c = a.begin(env, p, owner)
	}
	first := !c.Has[protocol.ToServer]
	c.Has[protocol.ToServer], c.little[protocol.ToServer] = true, p.little
	if first {
		c.Types[protocol.ToServer] = p.typ
	}
	c.Frags[protocol.ToServer]++
	o := p.order()
	if p.typ != typeRequest {
		c.ifaces = a.offers(p, o)
	} else if len(p.body) >= 8 {
		b := p.body
		if first {
			c.Context, c.Opnum = o.Uint16(b[4:]), o.Uint16(b[6:])
			c.ifaces = a.context(c.Context)
		}
		a.stub(c, protocol.ToServer, b[8:])
	}
	if p.flags&flagLast != 0 || p.typ != typeRequest {
		a.done(c, protocol.ToServer, owner)
	}
	return c
}

func (a *Association) response(env *protocol.Env, p *pdu, owner Owner) *Call {
	c := a.find(p.call, protocol.ToClient)
	if c == nil {
		c = a.begin(env, p, owner)
	}
	if !c.Has[protocol.ToClient] {
		c.Has[protocol.ToClient], c.Types[protocol.ToClient] = true, p.typ
	}
	if !c.done[protocol.ToServer] {
		// The request, or its end, was not seen.
		a.done(c, protocol.ToServer, owner)
	}
	c.little[protocol.ToClient] = p.little
	c.Frags[protocol.ToClient]++
	switch p.typ {
	case typeResponse:
		if b := p.body; len(b) >= 8 {
			if !a.Headed {
				b = b[8:]
			}
			a.stub(c, protocol.ToClient, b)
		}
	case typeBindAck, typeAlterResp:
		c.answer(p)
	}
	if p.flags&flagLast != 0 || p.typ != typeResponse {
		a.done(c, protocol.ToClient, owner)
	}
	return c
}

// done completes a direction of a call; with the response it is forgotten.
func (a *Association) done(c *Call, dir protocol.Dir, owner Owner) {
	c.done[dir] = true
	owner.CallDone(c, dir)
	if dir == protocol.ToServer {
		return
	}
	for i, o := range a.open {
		if o == c {
			a.drop(i)
			break
		}
	}
}

// drop forgets an open call.
func (a *Association) drop(i int) {
	a.kept -= len(a.open[i].Stub[0]) + len(a.open[i].Stub[1])
	a.open = append(a.open[:i], a.open[i+1:]...)
}

// stub keeps stub data of a call within the bounds.
func (a *Association) stub(c *Call, dir protocol.Dir, b []byte) {
	had, n := len(c.Stub[dir]), min(len(b), maxStubs-a.kept)
	c.stub(dir, b[:n])
	c.Size[dir] += len(b) - n
	a.kept += len(c.Stub[dir]) - had
}

func (c *Call) stub(dir protocol.Dir, b []byte) {
	c.Size[dir] += len(b)
	c.Stub[dir] = append(c.Stub[dir], b[:min(len(b), maxStub-len(c.Stub[dir]))]...)
}

// offers reads the presentation contexts of a bind (C706 §12.6.4.3).
func (a *Association) offers(p *pdu, o binary.ByteOrder) (list []*Interface) {
	b := p.body
	if len(b) < 12 {
		return nil
	}
	n := int(b[8])
	b = b[12:]
	for range n {
		// Id, number of transfer syntaxes, the interface and its versions, and
		// twenty bytes for each syntax.
		if len(b) < 24 {
			break
		}
		i := &Interface{Context: o.Uint16(b), Version: o.Uint16(b[20:]), Minor: o.Uint16(b[22:])}
		u := readUUID(b[4:], p.little)
		copy(i.key[:], u[:])
		binary.BigEndian.PutUint16(i.key[16:], i.Version)
		list = append(list, i)
		a.remember(i)
		b = b[min(24+20*int(b[2]), len(b)):]
	}
	return list
}

// remember keeps an interface for the requests that name its context.
func (a *Association) remember(i *Interface) {
	for k, old := range a.ifaces {
		if old.Context == i.Context {
			a.ifaces[k] = i
			return
		}
	}
	if len(a.ifaces) == maxInterfaces {
		a.ifaces = append(a.ifaces[:0], a.ifaces[1:]...)
	}
	a.ifaces = append(a.ifaces, i)
}

// context gives the interface that a context stands for, unless the server has
// turned it down.
func (a *Association) context(id uint16) []*Interface {
	for k, i := range a.ifaces {
		if i.Context == id && i.Result == 0 {
			return a.ifaces[k : k+1 : k+1]
		}
	}
	return nil
}

// answer reads a server's results, which come in the order of the offers (C706
// §12.6.4.4): behind the secondary address, which is padded to four bytes.
func (c *Call) answer(p *pdu) {
	b, o := p.body, p.order()
	if len(b) < 10 {
		return
	}
	at := 10 + int(o.Uint16(b[8:]))
	at += -at & 3
	if at+4 > len(b) {
		return
	}
	n := int(b[at])
	b = b[at+4:]
	for k := 0; k < n && k < len(c.ifaces) && len(b) >= 24; k++ {
		i := c.ifaces[k]
		i.Acked, i.Result, i.Reason = true, o.Uint16(b), o.Uint16(b[2:])
		b = b[24:]
	}
}
