package ber

import (
	"strconv"
	"sync"
)

const (
	// maxDepth is how deep elements are gone into.
	maxDepth = 32
	// maxNumber is the longest content of a number that cannot hide anything.
	maxNumber = 8
	// maxOID is the same for an object identifier.
	maxOID = 64
)

// Text appends the strings among the elements of b, each on a line of its own, for
// those who look through contents: lengths and identifiers between values could be
// taken for parts of them. An attribute's type and a set of its values become
// "type: value". Numbers, truth values and object identifiers are left out unless
// they are longer than any real one is; bytes that are no elements are taken as they
// stand, so that nothing of b can hide. The result is no longer than b and a byte.
func Text(dst, b []byte) []byte { return text(dst, b, 0, 0) }

func text(dst, b []byte, within Tag, depth int) []byte {
	for first := true; len(b) > 0; first = false {
		tag, n, size, ok := Head(b)
		if !ok || n == 0 || size > len(b)-n {
			return append(append(dst, b...), '\n')
		}
		body := b[n : n+size]
		b = b[n+size:]
		switch {
		case tag&Constructed != 0 && depth < maxDepth:
			dst = text(dst, body, tag, depth+1)
			continue
		case len(body) == 0,
			(tag == Boolean || tag == Integer || tag == Enumerated || tag == Null) && len(body) <= maxNumber,
			tag == OID && len(body) <= maxOID:
			continue
		}
		dst = append(dst, body...)
		var next Tag
		if len(b) > 0 {
			next = Tag(b[0])
		}
		// The attribute of a value, or of one that is searched for.
		if tag == OctetString && (next == Set || first && next == OctetString && within&classes == Context) {
			dst = append(dst, ": "...)
		} else {
			dst = append(dst, '\n')
		}
	}
	return dst
}

// Memory holds what Text appends to. It goes from flow to flow, so that none of them
// keeps any.
type Memory struct{ B []byte }

var memories = sync.Pool{New: func() any { return new(Memory) }}

// maxMemory is the most that is kept for the next.
const maxMemory = 64 << 10

// Borrow gives memory that is empty.
func Borrow() *Memory { return memories.Get().(*Memory) }

// Return gives it back with b, which it has grown to.
func (m *Memory) Return(b []byte) {
	if cap(b) <= maxMemory {
		m.B = b[:0]
	}
	memories.Put(m)
}

func appendUint(dst []byte, v uint64) []byte { return strconv.AppendUint(dst, v, 10) }
