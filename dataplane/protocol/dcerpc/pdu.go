package dcerpc

import "encoding/binary"

// The types of PDUs (C706 §12.6.4, and MS-RPCE for the newer ones).
const (
	typeRequest   = 0
	typeResponse  = 2
	typeFault     = 3
	typeReject    = 6
	typeBind      = 11
	typeBindAck   = 12
	typeBindNak   = 13
	typeAlter     = 14
	typeAlterResp = 15
	numTypes      = 21
)

var typeNames = [numTypes]string{
	"REQUEST", "PING", "RESPONSE", "FAULT", "WORKING", "NOCALL", "REJECT", "ACK", "CL_CANCEL", "FACK", "CANCEL_ACK", "BIND", "BINDACK",
	"BINDNAK", "ALTER_CONTEXT", "ALTER_CONTEXT_RESP", "AUTH3", "SHUTDOWN", "CO_CANCEL", "ORPHANED", "RTS",
}

func typeName(t byte) string {
	if t < numTypes {
		return typeNames[t]
	}
	return "UNKNOWN"
}

// The flags of connection-oriented PDUs.
const (
	flagFirst = 0x01
	flagLast  = 0x02
)

const headerLen = 16

// pdu is one fragment of the connection-oriented protocol.
type pdu struct {
	typ, flags, minor byte
	little            bool
	call              uint32
	// body is what follows the common header.
	body []byte
}

func (p *pdu) order() binary.ByteOrder { return byteOrder(p.little) }

func byteOrder(little bool) binary.ByteOrder {
	if little {
		return binary.LittleEndian
	}
	return binary.BigEndian
}

// fragLen gives the length that a common header tells, 0 for one that is none.
func fragLen(h []byte) int {
	if !plausible(h) {
		return 0
	}
	return int(byteOrder(h[4]&0x10 != 0).Uint16(h[8:]))
}

// plausible reports whether 16 bytes are a common header: version 5, a type
// that exists, representations that exist (C706 §14.1), and lengths that fit.
func plausible(h []byte) bool {
	if len(h) < headerLen || h[0] != 5 || h[1] > 1 || h[2] >= numTypes || h[4]&^0x11 != 0 || h[5] > 3 || h[6]|h[7] != 0 {
		return false
	}
	o := byteOrder(h[4]&0x10 != 0)
	n, auth := int(o.Uint16(h[8:])), int(o.Uint16(h[10:]))
	return n >= headerLen && auth <= n-headerLen
}

// parse reads a whole fragment, whose header is plausible.
func parse(b []byte) pdu {
	p := pdu{minor: b[1], typ: b[2], flags: b[3], little: b[4]&0x10 != 0, body: b[headerLen:]}
	o := p.order()
	p.call = o.Uint32(b[12:])
	return p
}

// reader puts the fragments of one direction together. Its memory is bounded by
// the 64 KiB that a fragment can have.
type reader struct {
	buf  []byte
	want int
	// lost: what comes belongs to no known fragment.
	lost bool
}

// next takes bytes and gives a whole fragment as soon as there is one, which is
// valid to the next call, with the bytes after it. ok is false when more are
// needed or what came is no PDU; broken tells which.
func (r *reader) next(data []byte) (frag, rest []byte, ok, broken bool) {
	if r.lost {
		return nil, nil, false, true
	}
	if len(r.buf) == 0 && len(data) >= headerLen {
		n := fragLen(data)
		if n == 0 {
			r.lost = true
			return nil, nil, false, true
		}
		if n <= len(data) {
			return data[:n], data[n:], true, false
		}
	}
	if r.want == 0 {
		n := min(headerLen-len(r.buf), len(data))
		r.buf, data = append(r.buf, data[:n]...), data[n:]
		if len(r.buf) < headerLen {
			return nil, nil, false, false
		}
		if r.want = fragLen(r.buf); r.want == 0 {
			r.lost, r.buf = true, nil
			return nil, nil, false, true
		}
	}
	n := min(r.want-len(r.buf), len(data))
	r.buf, data = append(r.buf, data[:n]...), data[n:]
	if len(r.buf) < r.want {
		return nil, nil, false, false
	}
	frag, r.buf, r.want = r.buf, r.buf[:0], 0
	return frag, data, true, false
}

// gap tells that bytes are missing. The fragment in work is given up; where the
// hole does not end with it, so is the direction.
func (r *reader) gap(n uint64) {
	switch have := len(r.buf); {
	case r.want > 0 && n == uint64(r.want-have):
		r.buf, r.want = r.buf[:0], 0
	default:
		r.buf, r.want, r.lost = nil, 0, true
	}
}
