package http2

import (
	"encoding/binary"

	"sluice/dataplane/protocol"
)

// Refusal implements protocol.Refuser: the stream that the client has sent on
// last gets a response of status 403, and the connection a GOAWAY. That is
// possible while the server's side stands between frames and the stream has no
// response yet.
func (p *parser) Refusal() ([]byte, bool) {
	s := &p.side[protocol.ToClient]
	ex := p.streams[p.answered]
	if ex == nil || s.ended || s.stage != stFrame || s.n != 0 || s.block.open ||
		ex.over[protocol.ToClient] || len(ex.msg[protocol.ToClient].fields) > 0 {
		return nil, false
	}
	r := p.refusal[:0]
	if s.first {
		// Settings have to be a server's first frame.
		r = appendFrame(r, frameSettings, 0, 0, nil)
	}
	// :status 403 as a literal that is not indexed: whatever the client's header
	// table holds, it stays as it is (RFC 7541 §6.2.2).
	r = appendFrame(r, frameHeaders, flagEndHeaders|flagEndStream, ex.id, []byte("\x08\x03403"))
	var last [8]byte
	binary.BigEndian.PutUint32(last[:], p.highest[protocol.ToServer])
	r = appendFrame(r, frameGoAway, 0, 0, last[:])
	p.refusal = r
	return r, true
}

// appendFrame appends a whole frame.
func appendFrame(dst []byte, typ, flags uint8, stream uint32, payload []byte) []byte {
	n := len(payload)
	dst = append(dst, byte(n>>16), byte(n>>8), byte(n), typ, flags)
	dst = binary.BigEndian.AppendUint32(dst, stream)
	return append(dst, payload...)
}
