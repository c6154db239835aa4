package engine

import (
	"encoding/binary"
	"slices"

	"sluice/signatures/rule"
)

// maxHead bounds how far from the beginning a content may end that is looked
// for before anything else is.
const maxHead = 256

// maxHeads bounds the heads that are looked for one by one in each TCP packet: a
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

// exact reports whether a head may stand at one place only.
func (it *item) exact() bool { return it.headEnd()-it.headStart() == len(it.Pattern) }

// headIndex finds the rules whose heads a payload has, by the payload's bytes
// where the heads would be: what it costs depends on how many places there are,
// hardly on how many rules. The zero value finds none.
type headIndex struct {
	// places are the heads that may stand at one place only.
	places []headPlace
	// moving are rules whose heads are looked for one by one.
	moving []uint32
	// rules are all of them.
	rules []uint32
}

// headPlace is the heads that begin at an offset, by their first n bytes (two
// to four) with ASCII letters folded: a table with open addressing, at most half
// full.
type headPlace struct {
	start, n int
	slots    []headSlot
}

// headSlot is the rules of one beginning; an empty slot has none.
type headSlot struct {
	word  uint32
	rules []uint32
}

// minHead is the length from which a head that may stand at one place only is
// worth a place in the table.
const minHead = 2

// add takes a rule and its head.
func (h *headIndex) add(r uint32, it *item) {
	h.rules = append(h.rules, r)
	if !it.exact() || len(it.Pattern) < minHead {
		h.moving = append(h.moving, r)
		return
	}
	start, n := it.headStart(), min(len(it.Pattern), 4)
	i := slices.IndexFunc(h.places, func(p headPlace) bool { return p.start == start && p.n == n })
	if i < 0 {
		i = len(h.places)
		h.places = append(h.places, headPlace{start: start, n: n, slots: make([]headSlot, 8)})
	}
	h.places[i].add(headWord(it.Pattern, n), r)
}

func (p *headPlace) add(word, r uint32) {
	used := 0
	for i := range p.slots {
		if s := &p.slots[i]; s.rules != nil {
			if used++; s.word == word {
				s.rules = append(s.rules, r)
				return
			}
		}
	}
	if 2*(used+1) > len(p.slots) {
		old := p.slots
		p.slots = make([]headSlot, 2*len(old))
		for _, s := range old {
			if s.rules != nil {
				*p.slot(s.word) = s
			}
		}
	}
	*p.slot(word) = headSlot{word, []uint32{r}}
}

// slot gives the slot of a word, or the empty one where it would be.
func (p *headPlace) slot(word uint32) *headSlot {
	mask := uint32(len(p.slots) - 1)
	for i := word * 0x9e3779b1 >> 16; ; i++ {
		if s := &p.slots[i&mask]; s.rules == nil || s.word == word {
			return s
		}
	}
}

// headWord gives the first n bytes of b as a number, letters folded. Other
// bytes may fall together too: what is found by it is compared.
func headWord(b []byte, n int) uint32 {
	var w uint32
	switch {
	case len(b) >= 4:
		w = binary.LittleEndian.Uint32(b) & (1<<(8*n) - 1)
	case n >= 3:
		w = uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
	default:
		w = uint32(b[0]) | uint32(b[1])<<8
	}
	return w | 0x20202020
}

// appendFound appends to out the rules whose heads b has.
func (h *headIndex) appendFound(e *Engine, b []byte, out []uint32) []uint32 {
	for i := range h.places {
		p := &h.places[i]
		if len(b) < p.start+p.n {
			continue
		}
		for _, r := range p.slot(headWord(b[p.start:], p.n)).rules {
			if e.rules[r].head.begins(b) {
				out = append(out, r)
			}
		}
	}
	for _, r := range h.moving {
		if e.rules[r].head.begins(b) {
			out = append(out, r)
		}
	}
	return out
}

// appendStream is appendFound for a stream: a head may be at its beginning or,
// since depth means the packet too, at that of the new bytes. A rule may be
// given twice.
func (h *headIndex) appendStream(e *Engine, w *Window, out []uint32) []uint32 {
	switch {
	case w.Start == 0:
		out = h.appendFound(e, w.Data, out)
	case w.Start < maxHead:
		// The window began within some head's reach.
		for _, r := range h.rules {
			if w.Start < uint64(e.rules[r].head.headEnd()) {
				out = append(out, r)
			}
		}
	}
	if w.New > 0 || w.Start > 0 {
		out = h.appendFound(e, w.Data[w.New:], out)
	}
	return out
}
