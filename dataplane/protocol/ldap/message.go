package ldap

import (
	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/ber"
)

// Op is an operation: the number of its tag (RFC 4511 §4.2 and after).
type Op uint8

// The operations.
const (
	BindRequest           Op = 0
	BindResponse          Op = 1
	UnbindRequest         Op = 2
	SearchRequest         Op = 3
	SearchResultEntry     Op = 4
	SearchResultDone      Op = 5
	ModifyRequest         Op = 6
	ModifyResponse        Op = 7
	AddRequest            Op = 8
	AddResponse           Op = 9
	DelRequest            Op = 10
	DelResponse           Op = 11
	ModDNRequest          Op = 12
	ModDNResponse         Op = 13
	CompareRequest        Op = 14
	CompareResponse       Op = 15
	AbandonRequest        Op = 16
	SearchResultReference Op = 19
	ExtendedRequest       Op = 23
	ExtendedResponse      Op = 24
	IntermediateResponse  Op = 25
)

// opNames are the operations' names.
var opNames = map[Op]string{BindRequest: "bind_request", BindResponse: "bind_response", UnbindRequest: "unbind_request",
	SearchRequest: "search_request", SearchResultEntry: "search_result_entry", SearchResultDone: "search_result_done",
	ModifyRequest: "modify_request", ModifyResponse: "modify_response", AddRequest: "add_request", AddResponse: "add_response",
	DelRequest: "del_request", DelResponse: "del_response", ModDNRequest: "mod_dn_request", ModDNResponse: "mod_dn_response",
	CompareRequest: "compare_request", CompareResponse: "compare_response", AbandonRequest: "abandon_request",
	SearchResultReference: "search_result_reference", ExtendedRequest: "extended_request", ExtendedResponse: "extended_response",
	IntermediateResponse: "intermediate_response"}

// primitive are the operations that hold no elements.
const primitive = 1<<UnbindRequest | 1<<DelRequest | 1<<AbandonRequest

// requests are the operations that a client asks for.
const requests = 1<<BindRequest | 1<<UnbindRequest | 1<<SearchRequest | 1<<ModifyRequest | 1<<AddRequest | 1<<DelRequest | 1<<ModDNRequest |
	1<<CompareRequest | 1<<AbandonRequest | 1<<ExtendedRequest

// answers are those that a server sends.
const answers = 1<<BindResponse | 1<<SearchResultEntry | 1<<SearchResultDone | 1<<ModifyResponse | 1<<AddResponse | 1<<DelResponse |
	1<<ModDNResponse | 1<<CompareResponse | 1<<SearchResultReference | 1<<ExtendedResponse | 1<<IntermediateResponse

// last reports whether an answer is the last to its request.
func (o Op) last() bool {
	return o != SearchResultEntry && o != SearchResultReference && o != IntermediateResponse
}

// opOf gives the operation that an identifier stands for in a direction.
func opOf(tag ber.Tag, dir protocol.Dir) (Op, bool) {
	o := Op(tag & 0x1f)
	set := uint32(requests)
	if dir == protocol.ToClient {
		set = answers
	}
	if set>>o&1 == 0 {
		return o, false
	}
	want := ber.Application | ber.Tag(o)
	if primitive>>o&1 == 0 {
		want |= ber.Constructed
	}
	return o, tag == want
}

// The bounds of what is kept of a message.
const (
	maxAttributes = 1024
	maxValues     = 4096
	maxControls   = 64
)

// Message is one message. Its slices are of the message's own copy of its bytes.
type Message struct {
	ID int64
	Op Op
	// DN is the name that the message is about: the entry's, or of an answer the
	// name that was matched.
	DN []byte
	// Attributes are those that are asked for, sent or changed.
	Attributes []Attribute
	Controls   []Control
	// Bare tells that no more than the operation was kept of the message.
	Bare bool
	// size is the length of the copy.
	size int

	// Of a bind.
	Version  int64
	Simple   bool
	Password []byte
	// Behind is what follows a bind's proof, and the bind.
	Behind      [2][]byte
	Mechanism   []byte
	Credentials []byte
	HasCreds    bool

	// Of a search.
	Scope, Deref, SizeLimit, TimeLimit int64
	TypesOnly                          bool
	Filter                             []byte

	// Of a new name.
	NewRDN, NewSuperior    []byte
	DeleteOld, HasSuperior bool
	// Name and Value are of extended operations and intermediate answers.
	Name, Value       []byte
	HasName, HasValue bool

	// Result is an answer's code, HasResult that it has one.
	Result     int64
	Diagnostic []byte
	HasResult  bool
}

// Attribute is a type with its values, or a change of one: the Change is add,
// delete, replace or increment (RFC 4511 §4.6, RFC 4525).
type Attribute struct {
	Type   []byte
	Values [][]byte
	Change int64
}

// Control goes with a message (§4.1.11).
type Control struct {
	Type     []byte
	Critical bool
	Value    []byte
	HasValue bool
}

// The identifiers of elements within operations.
const (
	ctx0 = ber.Context
	ctx1 = ber.Context | 1
	ctxC = ber.Context | ber.Constructed
)

// read takes apart a message, whose bytes it must own, and reports whether it is
// sound. It keeps what could be read before a fault.
func (m *Message) read(b []byte, dir protocol.Dir) bool {
	m.size = len(b)
	outer := ber.NewReader(b)
	r := outer.In(ber.Sequence)
	m.ID = r.Int(ber.Integer)
	if !r.OK() || m.ID < 0 || m.ID > 1<<31-1 {
		return false
	}
	tag, body := r.Next()
	o, ok := opOf(tag, dir)
	if !ok || !r.OK() {
		return false
	}
	m.Op = o
	ok = m.operation(body)
	m.Behind[1] = r.Rest()
	if r.More() {
		ok = m.controls(&r) && ok
	}
	return ok && r.OK() && !r.More()
}

func (m *Message) controls(r *ber.Reader) bool {
	list := r.In(ctxC)
	for list.More() {
		in := list.In(ber.Sequence)
		c := Control{Type: in.Take(ber.OctetString)}
		if in.Tag() == ber.Boolean {
			c.Critical = in.Bool(ber.Boolean)
		}
		c.Value, c.HasValue = in.Optional(ber.OctetString)
		if !in.OK() {
			return false
		}
		if len(m.Controls) < maxControls {
			m.Controls = append(m.Controls, c)
		}
	}
	return list.OK()
}

// operation reads what a message is about.
func (m *Message) operation(body []byte) bool {
	r := ber.NewReader(body)
	switch m.Op {
	case UnbindRequest:
		return len(body) == 0
	case AbandonRequest:
		_, ok := ber.Int(body)
		return ok
	case DelRequest:
		m.DN = body
		return true
	case BindRequest:
		return m.bind(&r)
	case SearchRequest:
		return m.search(&r)
	case ModifyRequest:
		return m.modify(&r)
	case AddRequest, SearchResultEntry:
		m.DN = r.Take(ber.OctetString)
		list := r.In(ber.Sequence)
		return m.attributes(&list)
	case ModDNRequest:
		m.DN, m.NewRDN = r.Take(ber.OctetString), r.Take(ber.OctetString)
		m.DeleteOld = r.Bool(ber.Boolean)
		m.NewSuperior, m.HasSuperior = r.Optional(ctx0)
		return r.OK()
	case CompareRequest:
		m.DN = r.Take(ber.OctetString)
		in := r.In(ber.Sequence)
		a := Attribute{Type: in.Take(ber.OctetString), Values: [][]byte{in.Take(ber.OctetString)}}
		if in.OK() {
			m.Attributes = []Attribute{a}
		}
		return in.OK()
	case ExtendedRequest:
		m.Name, m.HasName = r.Take(ctx0), true
		m.Value, m.HasValue = r.Optional(ctx1)
		return r.OK()
	case IntermediateResponse:
		m.Name, m.HasName = r.Optional(ctx0)
		m.Value, m.HasValue = r.Optional(ctx1)
		return r.OK()
	case SearchResultReference:
		for r.More() {
			r.Take(ber.OctetString)
		}
		return r.OK()
	}
	return m.result(&r)
}

// result reads an answer that ends its operation (LDAPResult, §4.1.9).
func (m *Message) result(r *ber.Reader) bool {
	m.Result = r.Int(ber.Enumerated)
	m.DN, m.Diagnostic = r.Take(ber.OctetString), r.Take(ber.OctetString)
	m.HasResult = r.OK()
	r.Optional(ctxC | 3) // whom else to ask
	switch m.Op {
	case BindResponse:
		m.Credentials, m.HasCreds = r.Optional(ber.Context | 7)
	case ExtendedResponse:
		m.Name, m.HasName = r.Optional(ber.Context | 10)
		m.Value, m.HasValue = r.Optional(ber.Context | 11)
	}
	return m.HasResult && r.OK()
}

func (m *Message) bind(r *ber.Reader) bool {
	m.Version = r.Int(ber.Integer)
	m.DN = r.Take(ber.OctetString)
	switch r.Tag() {
	case ctx0:
		m.Simple, m.Password = true, r.Take(ctx0)
		m.Behind[0] = r.Rest()
	case ctxC | 3:
		in := r.In(ctxC | 3)
		m.Mechanism = in.Take(ber.OctetString)
		m.Credentials, m.HasCreds = in.Optional(ber.OctetString)
		return in.OK()
	default:
		r.Next() // ways of version 2, and NTLM in directories of Windows
	}
	return r.OK()
}

func (m *Message) search(r *ber.Reader) bool {
	m.DN = r.Take(ber.OctetString)
	m.Scope, m.Deref = r.Int(ber.Enumerated), r.Int(ber.Enumerated)
	m.SizeLimit, m.TimeLimit = r.Int(ber.Integer), r.Int(ber.Integer)
	m.TypesOnly = r.Bool(ber.Boolean)
	rest := r.Rest()
	r.Next()
	if !r.OK() {
		return false
	}
	m.Filter = rest[:len(rest)-len(r.Rest())]
	list := r.In(ber.Sequence)
	for list.More() {
		if t := list.Take(ber.OctetString); list.OK() && len(m.Attributes) < maxAttributes {
			m.Attributes = append(m.Attributes, Attribute{Type: t})
		}
	}
	return list.OK()
}

func (m *Message) modify(r *ber.Reader) bool {
	m.DN = r.Take(ber.OctetString)
	list := r.In(ber.Sequence)
	for list.More() {
		in := list.In(ber.Sequence)
		change := in.Int(ber.Enumerated)
		part := in.In(ber.Sequence)
		if !m.attribute(&part, change) || !in.OK() {
			return false
		}
	}
	return list.OK()
}

// attributes reads a list of attributes.
func (m *Message) attributes(list *ber.Reader) bool {
	for list.More() {
		in := list.In(ber.Sequence)
		if !m.attribute(&in, 0) {
			return false
		}
	}
	return list.OK()
}

func (m *Message) attribute(in *ber.Reader, change int64) bool {
	a := Attribute{Type: in.Take(ber.OctetString), Change: change}
	set := in.In(ber.Set)
	for set.More() {
		if v := set.Take(ber.OctetString); set.OK() && len(a.Values) < maxValues {
			a.Values = append(a.Values, v)
		}
	}
	if len(m.Attributes) < maxAttributes {
		m.Attributes = append(m.Attributes, a)
	}
	return set.OK()
}
