package engine

import (
	"encoding/binary"

	"sluice/signatures/rule"
)

// maxHead bounds how far from the beginning a content may end that is looked
// for before anything else is.
const maxHead = 256

// maxHeads bounds the rules whose heads are compared with each TCP packet: a
// few comparisons cost less than a search through all of the payload.
const maxHeads = 64

// headOf gives the content of a list that must lie nearest to the beginning;
// nil where none is bound to it.
func headOf(items []item) *item {
	var best *item
	for i := range items {
		it := &items[i]
		if it.Op != rule.OpContent || it.Neg || it.Relative || it.EndsWith || !it.HasDepth || it.Depth.Var != 0 || it.Offset.Var != 0 {
			continue
		}
		if it.Offset.V < 0 || it.Depth.V < 0 || it.headEnd() > maxHead {
			continue
		}
		if best == nil || it.headEnd() < best.headEnd() {
			best = it
		}
	}
	return best
}

// headStart and headEnd bound a head's place.
func (it *item) headStart() int {
	if it.HasOffset {
		return int(it.Offset.V)
	}
	return 0
}

func (it *item) headEnd() int { return it.headStart() + int(it.Depth.V) }

// begins reports whether a head is where it must be in a payload.
func (it *item) begins(b []byte) bool {
	lo, hi := it.headStart(), min(it.headEnd(), len(b))
	switch n := hi - lo; {
	case n < len(it.Pattern):
		return false
	case n == len(it.Pattern):
		return it.at(b[lo:hi])
	}
	return it.find(b[lo:hi]) >= 0
}

// headKey is the first four bytes of a rule's head where it may stand at one place
// only: kept side by side, they dismiss most heads without a look at the rules.
type headKey struct {
	word, mask uint32
	start      uint16
	exact      bool
}

// headKeyOf gives a head's key; it tells nothing where it is nil or may move.
func headKeyOf(it *item) (k headKey) {
	if it == nil || len(it.Pattern) < 4 || it.headEnd()-it.headStart() != len(it.Pattern) {
		return k
	}
	k = headKey{word: binary.LittleEndian.Uint32(it.Pattern), mask: ^uint32(0), start: uint16(it.headStart()), exact: true}
	if it.low != nil {
		for i, c := range it.Pattern[:4] {
			if c |= 0x20; c >= 'a' && c <= 'z' {
				k.mask &^= 0x20 << (8 * i)
			}
		}
	}
	k.word &= k.mask
	return k
}

// excludes reports whether a payload cannot have the head.
func (k *headKey) excludes(b []byte) bool {
	at := int(k.start)
	return k.exact && (len(b) < at+4 || binary.LittleEndian.Uint32(b[at:])&k.mask != k.word)
}

// beginsStream reports whether a rule's head, if it has one, may be in a stream
// or, since depth means the packet too, in the new bytes.
func (r *crule) beginsStream(w *Window) bool {
	it := r.head
	if it == nil {
		return true
	}
	if w.Start > 0 {
		if w.Start < uint64(it.headEnd()) {
			return true // the window began within the head's reach
		}
	} else if it.begins(w.Data) {
		return true
	}
	return r.packetToo && it.begins(w.Data[w.New:])
}
