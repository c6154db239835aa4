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
	// rest is where what is not understood begins, 0 where all is; broken tells that it
	// breaks the rules.
	rest   int
	broken bool
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
	switch x.u32() {
	case typeCall:
		return m.parseCall(x)
	case typeReply:
		m.reply = true
		return m.parseReply(x, p)
	}
	if x.short {
		return readShort
	}
	return readForeign
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
	if prog != program {
		// Other programs of the same server, or calls back to the client. They carry
		// no files; nothing is hidden in long ones.
		if len(x.b) > headLen/4 {
			return readForeign
		}
		return readNothing
	}
	if m.cred.control {
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
		// The call was not seen, or is another program's.
		if len(x.b) > headLen/4 {
			return readForeign
		}
		return readNothing
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
		m.rest, m.broken = max(x.at, 1), true
	case x.short:
		return readShort
	}
	return readDone
}
