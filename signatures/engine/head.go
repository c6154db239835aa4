package engine

import "sluice/signatures/rule"

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
