package engine

import (
	"sluice/internal/hs"
	"sluice/signatures/rule"
)

// cand is what a fast pattern nominates: a list of a rule, or its payload.
type cand struct {
	rule uint32
	list uint8
}

// payloadList stands for a rule's tests on the payload in a cand.
const payloadList = 255

// group is a set of fast patterns scanned together. A pattern's id is its
// index; patterns that several rules share are in it once.
type group struct {
	db       *hs.DB
	patterns []hs.Pattern
	off      []uint32
	cands    []cand
}

// nominated gives what a pattern nominates.
func (g *group) nominated(id uint32) []cand {
	if int(id) >= len(g.off)-1 {
		return nil
	}
	return g.cands[g.off[id]:g.off[id+1]]
}

// groupBuilder collects the patterns of a group.
type groupBuilder struct {
	ids   map[string]int
	pats  []hs.Pattern
	cands [][]cand
}

func (b *groupBuilder) add(fp fastPattern, c cand) {
	key := string(fp.bytes)
	flags := hs.Flag(0)
	if fp.nocase {
		key = "i" + string(lowered(fp.bytes))
		flags = hs.Caseless
	} else {
		key = "c" + key
	}
	if b.ids == nil {
		b.ids = map[string]int{}
	}
	id, ok := b.ids[key]
	if !ok {
		id = len(b.pats)
		b.ids[key] = id
		b.pats = append(b.pats, hs.Pattern{Expr: hs.Literal([]byte(key[1:])), Flags: flags, ID: uint32(id)})
		b.cands = append(b.cands, nil)
	}
	b.cands[id] = append(b.cands[id], c)
}

func (b *groupBuilder) build() *group {
	if len(b.pats) == 0 {
		return nil
	}
	g := &group{patterns: b.pats, off: make([]uint32, 1, len(b.pats)+1)}
	for _, c := range b.cands {
		g.cands = append(g.cands, c...)
		g.off = append(g.off, uint32(len(g.cands)))
	}
	return g
}

// fastPattern is the literal that nominates a list.
type fastPattern struct {
	bytes  []byte
	nocase bool
	// explicit: the rule names it; score: how rarely it should be met.
	explicit bool
	score    int
}

// maxFast bounds a fast pattern's length: longer ones cost memory and nominate
// no less.
const maxFast = 48

// pick gives the best fast pattern of a list; ok is false where no content can
// serve.
func pick(items []item) (best fastPattern, ok bool) {
	for i := range items {
		it := &items[i]
		if it.Op != rule.OpContent || it.Neg {
			continue
		}
		fp := fastPattern{bytes: it.Pattern, nocase: it.NoCase, explicit: it.FastPattern}
		if it.HasFastRange {
			fp.bytes = it.Pattern[it.FastOffset : it.FastOffset+it.FastLen]
		}
		fp.bytes = fp.bytes[:min(len(fp.bytes), maxFast)]
		fp.score = rarity(fp.bytes)
		if !ok || fp.explicit && !best.explicit || fp.explicit == best.explicit && fp.score > best.score {
			best, ok = fp, true
		}
	}
	return best, ok
}

// rarity estimates how selective a literal is: length counts most, then how
// rare and how different its bytes are. Fewer than four bytes count little.
func rarity(b []byte) int {
	var seen [256]bool
	s := 0
	for _, c := range b[:min(len(b), 24)] {
		if seen[c] {
			s += 2
			continue
		}
		seen[c] = true
		s += 10 + int(frequency[c])/16
	}
	if len(b) < 4 {
		s /= 4
	}
	return s
}
