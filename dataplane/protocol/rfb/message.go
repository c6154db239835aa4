package rfb

import (
	"encoding/binary"

	"sluice/dataplane/protocol"
)

// Types of a client's messages: those of RFC 6143 §7.5 and, from 150 on, those that
// the registry of RFB has for the extensions in common use.
const (
	msgSetPixelFormat = 0
	msgSetEncodings   = 2
	msgUpdateRequest  = 3
	msgKey            = 4
	msgPointer        = 5
	msgCutText        = 6
	msgContinuous     = 150
	msgFence          = 248
	msgXVP            = 250
	msgDesktopSize    = 251
	msgQEMU           = 255
)

// maxEncodings is more than a client can ask for: the registry has some hundred.
const maxEncodings = 256

// messageLen gives the length of a client's message as far as it can be told from
// what there is of it; of a text for the clipboard that is what goes before it.
func messageLen(b []byte) int {
	if len(b) == 0 {
		return 1
	}
	// counted is the length of a message whose count of pieces stands before head.
	counted := func(head, count, size int) int {
		if len(b) < head {
			return head
		}
		n := int(b[count])
		if count+2 == head {
			n = n<<8 | int(b[count+1])
		}
		return head + n*size
	}
	switch b[0] {
	case msgSetPixelFormat:
		return 20
	case msgSetEncodings:
		if tooMany(b) {
			return 4
		}
		return counted(4, 2, 4)
	case msgUpdateRequest, msgContinuous:
		return 10
	case msgKey, msgCutText:
		return 8
	case msgPointer:
		return 6
	case msgFence:
		return counted(9, 8, 1)
	case msgXVP:
		return 4
	case msgDesktopSize:
		if len(b) < 8 {
			return 8
		}
		return 8 + 16*int(b[6])
	case msgQEMU:
		switch {
		case len(b) < 4:
			return 4
		case b[1] == 0:
			return 12
		case b[3] == 2:
			return 10
		}
		return 4
	}
	return 1
}

// tooMany reports whether a message asks for more encodings than there are.
func tooMany(b []byte) bool {
	return len(b) >= 4 && b[0] == msgSetEncodings && binary.BigEndian.Uint16(b[2:]) > maxEncodings
}

// isMessage reports whether a type is among those that are known.
func isMessage(typ byte) bool {
	switch typ {
	case msgSetPixelFormat, msgSetEncodings, msgUpdateRequest, msgKey, msgPointer, msgCutText, msgContinuous, msgFence, msgXVP, msgDesktopSize, msgQEMU:
		return true
	}
	return false
}

// paste is the State of a transaction of a text for the clipboard.
type paste struct{}

// message takes a message of the client, or what goes before a text.
func (p *Parser) message(env *protocol.Env, s *side, b []byte) {
	if !isMessage(b[0]) || tooMany(b) {
		// An extension, or more encodings than there are: where the next message begins
		// cannot be told. What comes is looked through as it stands.
		p.rest(env, protocol.ToServer, nil)
		return
	}
	if b[0] != msgCutText {
		return
	}
	// A negative length is that of the extended clipboard, whose text is compressed.
	n := int32(binary.BigEndian.Uint32(b[4:]))
	extended := n < 0
	if s.left = uint32(n); extended {
		s.left = -uint32(n)
	}
	if s.left == 0 {
		return
	}
	o := &protocol.Object{Kind: protocol.KindText, Name: "clipboard", ContentType: "text/plain", Total: uint64(s.left), Exact: true}
	if extended {
		o.ContentType, o.Encoding, o.Unscannable = "", "zlib", "encoding"
	}
	p.open(env, protocol.ToServer, o)
	s.step = stCut
}

// rest has what is held of a direction, data and all that follows looked through as
// plain bytes, as one object that the first of them opens.
func (p *Parser) rest(env *protocol.Env, dir protocol.Dir, data []byte) {
	s := &p.side[dir]
	s.step = stRest
	held := s.buf
	s.buf = nil
	for _, b := range [...][]byte{held, data} {
		if len(b) == 0 {
			continue
		}
		if s.obj == nil {
			p.open(env, dir, &protocol.Object{Kind: protocol.KindStream, UntilEnd: true})
		}
		env.Objects.ObjectData(s.obj, b)
	}
}

func (p *Parser) open(env *protocol.Env, dir protocol.Dir, o *protocol.Object) {
	s := &p.side[dir]
	s.tx = p.txs.Add(&paste{}, env.Now)
	s.tx.Only = protocol.DirsToServer << dir
	o.Tx, o.Dir = s.tx, dir
	s.obj = o
	env.Objects.OpenObject(o)
}

func (p *Parser) close(env *protocol.Env, s *side, state protocol.ObjectState) {
	if s.obj == nil {
		return
	}
	if s.obj.Gaps {
		state = protocol.ObjectTruncated
	}
	env.Objects.CloseObject(s.obj, state)
	s.tx.Progress = [2]uint8{Done, Done}
	s.obj, s.tx = nil, nil
}

// content takes bytes of a text and gives back those that follow it.
func (p *Parser) content(env *protocol.Env, s *side, data []byte) []byte {
	n := int(min(uint64(len(data)), uint64(s.left)))
	s.left -= uint32(n)
	env.Objects.ObjectData(s.obj, data[:n])
	if s.left == 0 {
		p.close(env, s, protocol.ObjectClosed)
		s.step = stMessage
	}
	return data[n:]
}
