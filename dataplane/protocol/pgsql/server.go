package pgsql

import (
	"bytes"
	"encoding/binary"

	"sluice/dataplane/protocol"
)

// What a server may ask of a client to let it in.
const (
	authOK           = 0
	authCleartext    = 3
	authMD5          = 5
	authSASL         = 10
	authSASLContinue = 11
	authSASLFinal    = 12
	authUnknown      = 1 << 31
)

var authNames = map[uint32]string{authOK: "authentication_ok", 2: "authentication_kerberos_v5", authCleartext: "authentication_cleartext_password",
	authMD5: "authentication_md5_password", 6: "authentication_scm_credential", 7: "authentication_gss", 8: "authentication_gss_continue",
	9: "authentication_sspi", authSASL: "authentication_sasl", authSASLContinue: "authentication_sasl_continue", authSASLFinal: "authentication_sasl_final"}

// beginReply decides what becomes of a server's message.
func (p *Parser) beginReply(env *protocol.Env, s *side) {
	s.mode = mWhole
	tx := p.answered(env)
	t := tx.State.(*Transaction)
	s.tx = tx
	switch s.typ {
	case 'D', 'V':
		s.mode = mValues
		s.values = values{}
		if s.typ == 'V' {
			s.values = values{step: vLength, count: 1} // one value, without a number
			return
		}
		if t.Reply.Rows++; !t.Reply.HasFields {
			p.columns = p.columns[:0] // what they hold was told in another request
		}
		return
	case 'd':
		t.Reply.CopyRows++
		t.Reply.CopySize += uint64(s.left)
		s.mode = mRaw
		return
	case 'R', 'S', 'K', 'Z', 'T', 'C', 'E', 'N', 'A', 'G', 'H', 'W', 'c', '1', '2', '3', 'n', 's', 't', 'I', 'v':
	default:
		tx.AddEvent("malformed_response")
		s.mode = mRaw
	}
	switch s.typ {
	case 'T', 'E', 'N', 'A':
		// They are told once they are whole.
		if s.typ == 'T' {
			p.columns = p.columns[:0]
		}
		if uint64(s.left) > uint64(env.Limits.MaxHeader) {
			s.mode = mRaw
		}
	default:
		if s.left > maxWords {
			p.watch(env, protocol.ToClient)
		}
	}
	if t.Reply.replies++; t.Reply.replies > maxReplies {
		tx.AddEvent("too_many_responses")
	}
}

// endReply carries out a server's message that has been taken.
func (p *Parser) endReply(env *protocol.Env, s *side) {
	tx, b := s.tx, s.buf
	r := &tx.State.(*Transaction).Reply
	ok := true
	switch s.typ {
	case 'D', 'V':
		ok = s.values.over() || s.mode == mRaw
		if s.mode == mValues {
			r.RowSize += s.values.size
		}
	case 'R':
		ok = p.authentication(env, tx, b)
	case 'S':
		name, rest, _ := bytes.Cut(b, []byte{0})
		value, _, whole := bytes.Cut(rest, []byte{0})
		if ok = whole; ok && len(r.Status) < maxStatus && len(b) <= maxWords {
			r.Status = append(r.Status, pair{snake(name), protocol.Text(value)})
		}
	case 'K':
		if ok = len(b) >= 8; ok {
			r.HasKey, r.Process, r.Key = true, binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
		}
	case 'T':
		if ok = p.describe(env, r, b); !ok {
			p.tell(env, protocol.ToClient, tx, b)
		}
	case 'C':
		command, _, _ := bytes.Cut(b, []byte{0})
		r.Command = protocol.Text(command)
	case 'E', 'N':
		if s.typ == 'E' {
			r.Error = errorFields(b)
		}
		p.tell(env, protocol.ToClient, tx, b)
		if s.typ == 'E' && !p.in {
			p.finish(env, tx) // the server hangs up
		}
	case 'A':
		p.tell(env, protocol.ToClient, tx, b)
		if tx.State.(*Transaction).Kind == Orphan {
			p.finish(env, tx)
		}
	case 'G', 'H', 'W':
		if ok = len(b) >= 3; ok {
			r.HasCopyIn, r.HasCopyOut = s.typ != 'H', s.typ != 'G'
			r.CopyColumns = int(binary.BigEndian.Uint16(b[1:]))
		}
		if s.typ == 'G' {
			p.finish(env, tx) // what is copied in is a transaction of its own
		}
	case 'Z':
		ok = len(b) == 1
		p.ready(env, tx)
	}
	if !ok {
		tx.AddEvent("malformed_response")
	}
}

// ready ends what the server has answered: it waits for the next request.
func (p *Parser) ready(env *protocol.Env, tx *protocol.Tx) {
	p.in = true
	p.finish(env, tx)
}

// authentication reads what is asked of a client to let it in.
func (p *Parser) authentication(env *protocol.Env, tx *protocol.Tx, b []byte) bool {
	if len(b) < 4 {
		return false
	}
	r := &tx.State.(*Transaction).Reply
	code := binary.BigEndian.Uint32(b)
	p.auth = code
	name := authNames[code]
	r.Message = name
	switch code {
	case authOK:
		p.user, p.in = p.claimed, true
		return true // parameters follow
	case authMD5:
		r.Salt = hexText(b[4:])
	case authSASLFinal:
		r.SASLFinal = protocol.Text(b[4:])
		return true // the word that the client is in follows
	}
	p.finish(env, tx)
	return name != ""
}

// column is what is known of the values in a column.
type column struct {
	typ    uint32
	binary bool
}

// describe reads the description of rows, whose names are told before them.
func (p *Parser) describe(env *protocol.Env, r *Reply, b []byte) bool {
	if len(b) < 2 {
		return false
	}
	n := int(binary.BigEndian.Uint16(b))
	r.HasFields, r.Fields = true, n
	p.columns = p.columns[:0]
	s := &p.side[protocol.ToClient]
	p.open(env, protocol.ToClient, s.tx)
	b = b[2:]
	for i := range n {
		name, rest, ok := bytes.Cut(b, []byte{0})
		if !ok || len(rest) < 18 {
			return false
		}
		if i > 0 {
			s.out = append(s.out, '\t')
		}
		s.out = append(s.out, name...)
		if len(p.columns) < maxColumns {
			p.columns = append(p.columns, column{typ: binary.BigEndian.Uint32(rest[6:]), binary: rest[17] == 1})
		}
		b = rest[18:]
	}
	s.out = append(s.out, '\n')
	return len(b) == 0
}

// errorFields reads an error: fields that begin with a type and end with a zero, up
// to a type of zero.
func errorFields(b []byte) []field {
	var out []field
	for len(b) > 1 && b[0] != 0 && len(out) < 32 {
		value, rest, ok := bytes.Cut(b[1:], []byte{0})
		out = append(out, field{b[0], protocol.Text(value)})
		if !ok {
			break
		}
		b = rest
	}
	return out
}

// snake gives a name of a setting as records have it: DateStyle is date_style.
func snake(b []byte) string {
	out := make([]byte, 0, len(b)+4)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			if i > 0 {
				out = append(out, '_')
			}
			c |= 0x20
		}
		out = append(out, c)
	}
	return protocol.Text(out)
}
