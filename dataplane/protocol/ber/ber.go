// Package ber reads elements of ASN.1 as the basic and the distinguished encoding
// rules put them (X.690), for the protocols that are made of them. It takes bytes
// that anybody may have sent and gives slices of them: nothing is copied, and
// nothing is read past an element's end. It knows no protocol.
//
// Lengths of more octets than needed are taken, since directories send them, but no
// indefinite ones and no tag numbers beyond 30: the protocols here forbid them or
// have none (RFC 4511 §5.1, RFC 3417 §8, RFC 4120 §5.1).
package ber

// Tag is an element's identifier octet.
type Tag byte

// The identifiers of the types that have one of their own.
const (
	Boolean       Tag = 0x01
	Integer       Tag = 0x02
	OctetString   Tag = 0x04
	Null          Tag = 0x05
	OID           Tag = 0x06
	Enumerated    Tag = 0x0a
	GeneralString Tag = 0x1b
	Sequence      Tag = 0x30
	Set           Tag = 0x31
)

// The bits of an identifier: whether it holds elements, and the classes.
const (
	Constructed Tag = 0x20
	Application Tag = 0x40
	Context     Tag = 0x80
	classes     Tag = 0xc0
	number      Tag = 0x1f
)

const (
	// MaxHead is the longest identifier and length that are read.
	MaxHead = 10
	// maxSize is the greatest length that is read.
	maxSize = 1<<31 - 1
)

// Head reads an element's identifier and length. n is the length of both, 0 where b
// ends before them; size is the length of what follows, which may be more than
// there is. ok is false where this cannot be an element.
func Head(b []byte) (tag Tag, n, size int, ok bool) {
	if len(b) == 0 {
		return 0, 0, 0, true
	}
	tag = Tag(b[0])
	if tag&number == number {
		return tag, 0, 0, false
	}
	if len(b) < 2 {
		return tag, 0, 0, true
	}
	c := int(b[1])
	if c < 0x80 {
		return tag, 2, c, true
	}
	if c &= 0x7f; c == 0 || c > MaxHead-2 {
		return tag, 0, 0, false
	}
	for i := range c {
		if 2+i >= len(b) {
			return tag, 0, 0, true
		}
		if size = size<<8 | int(b[2+i]); size > maxSize {
			return tag, 0, 0, false
		}
	}
	return tag, 2 + c, size, true
}

// Reader goes through elements one after the other. After a fault it is at its end
// and stays so; OK tells. The zero value is at its end.
type Reader struct {
	b   []byte
	bad bool
}

// NewReader goes through the elements in b.
func NewReader(b []byte) Reader { return Reader{b: b} }

// OK reports whether all that was asked for was there.
func (r *Reader) OK() bool { return !r.bad }

// More reports whether there is another element.
func (r *Reader) More() bool { return !r.bad && len(r.b) > 0 }

// Rest gives the bytes that were not read yet.
func (r *Reader) Rest() []byte { return r.b }

// Fail marks what is read as faulty.
func (r *Reader) Fail() { r.b, r.bad = nil, true }

// Tag gives the next element's identifier, 0 at the end.
func (r *Reader) Tag() Tag {
	if len(r.b) == 0 {
		return 0
	}
	return Tag(r.b[0])
}

// Next gives the next element: its identifier and what it holds.
func (r *Reader) Next() (Tag, []byte) {
	tag, n, size, ok := Head(r.b)
	if !ok || n == 0 || size > len(r.b)-n {
		r.Fail()
		return 0, nil
	}
	body := r.b[n : n+size : n+size]
	r.b = r.b[n+size:]
	return tag, body
}

// Take gives what the next element holds, which must have the identifier tag.
func (r *Reader) Take(tag Tag) []byte {
	if r.Tag() != tag {
		r.Fail()
		return nil
	}
	_, body := r.Next()
	return body
}

// Optional is Take for an element that may be missing.
func (r *Reader) Optional(tag Tag) ([]byte, bool) {
	if r.Tag() != tag || r.bad {
		return nil, false
	}
	_, body := r.Next()
	return body, r.OK()
}

// In goes into the next element, which must have the identifier tag. A fault within
// it is the inner reader's alone.
func (r *Reader) In(tag Tag) Reader {
	body := r.Take(tag)
	return Reader{b: body, bad: r.bad}
}

// Int takes a number that has the identifier tag.
func (r *Reader) Int(tag Tag) int64 {
	v, ok := Int(r.Take(tag))
	if !ok {
		r.Fail()
	}
	return v
}

// Bool takes a truth value that has the identifier tag.
func (r *Reader) Bool(tag Tag) bool {
	b := r.Take(tag)
	if len(b) != 1 {
		r.Fail()
		return false
	}
	return b[0] != 0
}

// Int reads what a number's element holds, up to 64 bits. Octets in front that
// change nothing are passed over.
func Int(b []byte) (int64, bool) {
	if len(b) == 0 {
		return 0, false
	}
	v := int64(int8(b[0]))
	for i, c := range b[1:] {
		if i >= 7 && v>>55 != 0 && v>>55 != -1 {
			return 0, false
		}
		v = v<<8 | int64(c)
	}
	return v, true
}

// maxArcs bounds the numbers of an object identifier that are shown.
const maxArcs = 128

// AppendOID appends an object identifier as numbers with dots, "1.3.6.1". Of one
// that is cut short or has numbers beyond 63 bits it appends what can be told.
func AppendOID(dst, b []byte) []byte {
	arcs := 0
	for len(b) > 0 && arcs < maxArcs {
		var v uint64
		i := 0
		for ; i < len(b) && b[i] >= 0x80 && i < 8; i++ {
			v = v<<7 | uint64(b[i]&0x7f)
		}
		if i == len(b) || b[i] >= 0x80 {
			return dst
		}
		v = v<<7 | uint64(b[i])
		b = b[i+1:]
		if arcs == 0 {
			// Two numbers are in one (X.690 §8.19.4).
			first := min(v/40, 2)
			dst = appendUint(dst, first)
			v -= first * 40
			arcs++
		}
		dst = append(dst, '.')
		dst = appendUint(dst, v)
		arcs++
	}
	return dst
}
