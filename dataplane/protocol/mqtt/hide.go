package mqtt

import (
	"bytes"

	"sluice/dataplane/protocol"
)

// HidePassword puts asterisks over what the messages CONNECT in b have to log in
// with: passwords and authentication data. b is a piece of a client's bytes, which
// may begin with other things, as packets do, and may end anywhere.
func HidePassword(b []byte) {
	for len(b) > 0 {
		at, name := bytes.Index(b, []byte("\x00\x04MQTT")), 6
		if i := bytes.Index(b, []byte("\x00\x06MQIsdp")); i >= 0 && (at < 0 || i < at) {
			at, name = i, 8
		}
		if at < 0 {
			return
		}
		b = b[at+name:]
		hideConnect(b)
	}
}

// hideConnect is HidePassword for a CONNECT whose protocol name is before b.
func hideConnect(b []byte) {
	r := hider{b: b}
	head := r.next(4)
	if len(head) < 4 {
		return
	}
	version, flags := head[0], head[1]
	r.properties(version)
	r.text() // the client's name
	if flags&FlagWill != 0 {
		r.properties(version)
		r.text()
		r.text()
	}
	if flags&FlagUsername != 0 {
		r.text()
	}
	if flags&FlagPassword != 0 {
		protocol.Stars(r.text())
	}
}

// hider goes through a message that may be cut short: of what is not there it
// gives what there is.
type hider struct{ b []byte }

func (r *hider) next(n int) []byte {
	n = min(n, len(r.b))
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *hider) text() []byte {
	n := 0
	for _, c := range r.next(2) {
		n = n<<8 | int(c)
	}
	return r.next(n)
}

func (r *hider) properties(version uint8) {
	if version < version5 {
		return
	}
	v, n, ok := varint(r.b)
	if !ok || n == 0 {
		r.b = nil
		return
	}
	r.next(n)
	for in := (hider{r.next(int(v))}); len(in.b) > 0; {
		id := in.next(1)[0]
		if int(id) >= len(properties) {
			return
		}
		switch properties[id].kind {
		case kByte:
			in.next(1)
		case kTwo:
			in.next(2)
		case kFour:
			in.next(4)
		case kVar:
			_, n, _ := varint(in.b)
			in.next(max(n, 1))
		case kText:
			if v := in.text(); properties[id].name == secretProperty {
				protocol.Stars(v)
			}
		case kPair:
			in.text()
			in.text()
		default:
			return
		}
	}
}
