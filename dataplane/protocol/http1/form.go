package http1

import "sluice/dataplane/protocol"

// urlForm undoes application/x-www-form-urlencoded (WHATWG URL §5) as bytes
// come: what a form says is not what stands in its body, where a comma before a
// number is "%2C". Fields are parted by line ends.
type urlForm struct {
	obj  protocol.Object
	open bool
	// n bytes of an escape have come: the percent sign, and the digit pend.
	n    int
	pend byte
	out  [1024]byte
}

// begin opens the object of what the form of body says.
func (u *urlForm) begin(b *bodyState) {
	u.obj = protocol.Object{Kind: protocol.KindField, Dir: b.dir, Tx: b.obj.Tx, Name: b.obj.Name}
	u.open, u.n = true, 0
	b.p.env.Objects.OpenObject(&u.obj)
}

func (u *urlForm) write(sink protocol.ObjectSink, data []byte) {
	k := 0
	put := func(c byte) {
		if k == len(u.out) {
			sink.ObjectData(&u.obj, u.out[:k])
			k = 0
		}
		u.out[k] = c
		k++
	}
	for _, c := range data {
		switch {
		case u.n == 1:
			if unhex(c) >= 0 {
				u.pend, u.n = c, 2
				continue
			}
			put('%')
			u.n = 0
		case u.n == 2:
			lo := unhex(c)
			u.n = 0
			if lo >= 0 {
				put(byte(unhex(u.pend)<<4 | lo))
				continue
			}
			put('%')
			put(u.pend)
		}
		switch c {
		case '%':
			u.n = 1
		case '+':
			put(' ')
		case '&':
			put('\n')
		default:
			put(c)
		}
	}
	if k > 0 {
		sink.ObjectData(&u.obj, u.out[:k])
	}
}

// close ends the object; an escape that was cut off stands for itself.
func (u *urlForm) close(sink protocol.ObjectSink, state protocol.ObjectState) {
	if !u.open {
		return
	}
	switch u.n {
	case 1:
		sink.ObjectData(&u.obj, []byte{'%'})
	case 2:
		sink.ObjectData(&u.obj, []byte{'%', u.pend})
	}
	u.open, u.n = false, 0
	sink.CloseObject(&u.obj, state)
}
