package engine

import (
	"sluice/internal/hs"
	"sluice/signatures/rule"
)

// cand is what a fast pattern nominates: a list of a rule, or its payload.
type cand struct {
	rule uint32
	list uint8
	// Where the pattern's whole content must lie in a buffer that is scanned in
	// one piece; most nominations of short patterns end here. rest is how far the
	// content reaches beyond the pattern, minEnd and maxEnd (0 for none) bound the
	// content's end, atEnd ties it to the buffer's, size (0 for none) is the
	// buffer's length.
	atEnd          bool
	rest           uint16
	minEnd, maxEnd uint32
	size           uint32
}

// fits reports whether a hit that ends at to, in a buffer of n bytes, can be of
// the content.
func (c *cand) fits(to uint64, n int) bool {
	end := to + uint64(c.rest)
	return end >= uint64(c.minEnd) && (c.maxEnd == 0 || end <= uint64(c.maxEnd)) && (!c.atEnd || end == uint64(n)) && (c.size == 0 || n == int(c.size))
}

// placed gives the cand with what the content's modifiers say of its place.
func (fp *fastPattern) placed(c cand, items []item) cand {
	it := fp.item
	c.rest = uint16(len(it.Pattern) - fp.off - len(fp.bytes))
	c.atEnd = it.EndsWith
	off := 0
	if it.HasOffset && it.Offset.Var == 0 {
		off = int(it.Offset.V)
	}
	if !it.Relative {
		c.minEnd = uint32(off + len(it.Pattern))
		if it.HasDepth && it.Depth.Var == 0 && it.Offset.Var == 0 {
			c.maxEnd = uint32(off + int(it.Depth.V))
		}
	}
	for i := range items {
		if b := &items[i]; b.Op == rule.OpBsize && b.Int.Op == '=' && b.Int.A < 1<<31 {
			c.size = uint32(b.Int.A)
		}
	}
	return c
}

// placedIn is placed for what is scanned in pieces: its size is not known yet.
func (fp *fastPattern) placedIn(c cand, items []item) cand {
	c = fp.placed(c, items)
	c.atEnd, c.size = false, 0
	return c
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
	// item is the content, off the pattern's place in it.
	item *item
	off  int
	// explicit: the rule names it; score: how rarely it should be met.
	explicit bool
	score    int
}

// minFast is the length from which a literal narrows raw bytes down enough to
// be worth scanning for; maxUnfast bounds the rules that are run without.
const (
	minFast   = 4
	maxUnfast = 64
)

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
		fp := fastPattern{bytes: it.Pattern, nocase: it.NoCase, explicit: it.FastPattern, item: it}
		if it.HasFastRange {
			fp.bytes, fp.off = it.Pattern[it.FastOffset:it.FastOffset+it.FastLen], it.FastOffset
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
