package nfs

import "bytes"

// The ways in which a caller says who it is.
const (
	authNull = 0
	authUnix = 1
	authGSS  = 6
)

// What RPCSEC_GSS does with arguments and results (RFC 2203).
const (
	gssIntegrity = 2
	gssPrivacy   = 3
)

// credentials are a caller's.
type credentials struct {
	flavor   uint32
	machine  string
	uid, gid uint32
	service  uint32
	// control: the call is not the program's but sets up what it relies on.
	control bool
}

// message is what was read of a call or an answer.
type message struct {
	reply     bool
	xid       uint32
	version   uint32
	procedure uint32
	cred      credentials
	denied    bool
	failed    bool
	status    uint32
	call      *call
	sealed    bool
	ops       []op
	// at is where what is not understood begins; odd tells that it is no mere rest,
	// broken that it breaks the rules.
	at          int
	odd, broken bool
	// credEnd is where a call's credentials end, begin where what the program makes
	// of the message begins; 0 where there is none.
	credEnd, begin int
}

// result says what became of reading a message.
type result uint8

const (
	readDone result = iota
	readShort
	readForeign
	readNothing // it is not of the program
)

// maxName bounds names of files.
const maxName = 4096

// parse reads what there is of a message. Nothing but m is changed: it may have to be
// done again with more.
func (m *message) parse(b []byte, p *Parser) result {
	*m = message{ops: m.ops[:0]}
	x := &xdr{b: b}
	m.xid = x.u32()
	out := readForeign
	switch x.u32() {
	case typeCall:
		out = m.parseCall(x)
	case typeReply:
		m.reply = true
		out = m.parseReply(x, p)
	}
	if x.short {
		out = readShort
	}
	if m.at == 0 {
		m.at = x.at
	}
	return out
}

func (m *message) parseCall(x *xdr) result {
	rpc, prog := x.u32(), x.u32()
	m.version, m.procedure = x.u32(), x.u32()
	m.readCredentials(x)
	m.credEnd = x.at
	x.u32()
	x.opaque(400)
	if x.short {
		return readShort
	}
	if x.bad || rpc != rpcVersion {
		return readForeign
	}
	if prog != program || m.cred.control {
		// Other programs of the same server, or calls back to the client, and how to
		// encrypt. They carry no files.
		return readNothing
	}
	switch m.cred.service {
	case gssPrivacy:
		m.sealed = true
		return readDone
	case gssIntegrity:
		x.skip(8) // a length, and a number
	}
	m.begin = x.at
	return m.arguments(x)
}

// readCredentials reads who calls.
func (m *message) readCredentials(x *xdr) {
	c := &m.cred
	c.flavor = x.u32()
	body := xdr{b: x.opaque(400)}
	switch c.flavor {
	case authUnix:
		body.u32()
		c.machine = string(bytes.ToValidUTF8(body.opaque(255), []byte("\uFFFD")))
		c.uid, c.gid = body.u32(), body.u32()
	case authGSS:
		body.u32()
		c.control = body.u32() != 0
		body.u32()
		c.service = body.u32()
	}
}

func (m *message) parseReply(x *xdr, p *Parser) result {
	m.denied = x.u32() != 0
	if x.short {
		return readShort
	}
	c := p.calls[m.xid]
	if c == nil {
		return readNothing // the call was not seen, or is another program's
	}
	m.call, m.version, m.procedure, m.cred = c, c.version, c.procedure, c.cred
	if m.denied {
		return readDone
	}
	x.u32()
	x.opaque(400)
	m.failed = x.u32() != 0
	if x.short {
		return readShort
	}
	if m.failed {
		return readDone
	}
	switch c.cred.service {
	case gssPrivacy:
		m.sealed = true
		return readDone
	case gssIntegrity:
		x.skip(8)
	}
	m.begin = x.at
	return m.results(x)
}

// settled gives what became of a message that was read to where x is.
func (m *message) settled(x *xdr) result {
	switch {
	case x.bad:
		m.at, m.odd, m.broken = max(x.at, 1), true, true
	case x.short:
		return readShort
	}
	return readDone
}
