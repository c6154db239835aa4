package engine

import (
	"sluice/signatures/rule"
)

// confirm holds the state of confirming one list on one buffer.
type confirm struct {
	m *Matcher
	// abs is the offset of buf[0] in the whole stream or object.
	buf []byte
	abs int
	// steps counts down; end is the last byte that a positive test used.
	steps int
	end   int
	// little is the byte order of the transaction in work, for the dce option.
	little bool
	vars   *[33]uint64
	// note is told of each item's outcome where the rule is being traced; nil
	// otherwise.
	note *listNote
}

// list reports whether the items hold on a buffer.
func (m *Matcher) list(items []item, buf []byte, abs uint64) bool {
	m.c.m, m.c.buf, m.c.abs, m.c.steps, m.c.end, m.c.vars = m, buf, int(min(abs, 1<<62)), m.e.opt.MaxSteps, 0, &m.vars
	if m.watch != nil {
		m.watch.list(m, items, buf)
	}
	ok := m.c.run(items, 0)
	m.c.buf = nil
	if m.c.note != nil {
		m.watch.listed(m, ok)
	}
	if m.c.steps <= 0 {
		m.Counters.Limited++
	}
	return ok
}

func (c *confirm) num(n rule.Num) int {
	if n.Var != 0 {
		return int(int64(c.vars[n.Var]))
	}
	return int(n.V)
}

// run tests items from a position on: the end of the match before. Where the
// next item is relative, a failure later makes an item look for its next
// occurrence, so that every combination is tried, within the limit of steps.
func (c *confirm) run(items []item, pos int) bool {
	for i := range items {
		it := &items[i]
		if c.steps--; c.steps <= 0 {
			return false
		}
		switch it.Op {
		case rule.OpContent:
			lo, hi, ok := c.region(it, pos)
			if it.Neg {
				at := -1
				if ok {
					at = c.search(it, lo, hi)
				}
				if c.note != nil {
					c.note.searched(it, lo, hi, at)
				}
				if at >= 0 {
					return false
				}
				continue
			}
			if !ok {
				if c.note != nil {
					c.note.searched(it, lo, hi, -1)
				}
				return false
			}
			for {
				at := c.search(it, lo, hi)
				if c.note != nil {
					c.note.searched(it, lo, hi, at)
				}
				if at < 0 {
					return false
				}
				end := at + len(it.Pattern)
				c.end = max(c.end, end)
				if i == len(items)-1 || c.run(items[i+1:], end) {
					if len(it.Replace) > 0 {
						c.replace(items[i:], at, hi)
					}
					return true
				}
				if !it.RelativeNext || c.steps <= 0 {
					return false
				}
				lo = at + 1
			}
		case rule.OpPCRE:
			return c.pcre(items[i:], pos)
		default:
			next, ok := c.step(it, pos)
			if c.note != nil {
				c.note.stepped(c, it, pos, ok)
			}
			if !ok {
				return false
			}
			pos = next
		}
	}
	return true
}

// replace notes what the first item replaces: the match at an offset and, below hi,
// all after it for which the rest of the rule holds as well. A host may get several
// packets as one, of which each had its own match.
func (c *confirm) replace(items []item, at, hi int) {
	it := &items[0]
	for holds := true; at >= 0; holds = at >= 0 && (!it.RelativeNext || len(items) == 1 || c.run(items[1:], at+len(it.Pattern))) {
		if holds {
			c.m.rewrites = append(c.m.rewrites, Rewrite{At: uint32(at), With: it.Replace})
		}
		if c.steps--; c.steps <= 0 || it.Relative {
			return
		}
		at = c.search(it, at+len(it.Pattern), hi)
	}
}

// step runs an item that is neither content nor pcre from a position, and gives
// the position after it.
func (c *confirm) step(it *item, pos int) (next int, ok bool) {
	switch it.Op {
	case rule.OpIsDataAt:
		n := c.num(it.At)
		var there bool
		if it.Relative {
			there = n+pos <= len(c.buf)
		} else {
			there = n < len(c.buf)+c.abs
		}
		return pos, there != it.Neg
	case rule.OpByteTest:
		return pos, c.byteTest(it, pos)
	case rule.OpByteJump:
		if next, ok = c.byteJump(it, pos); ok {
			c.end = max(c.end, next)
		}
		return next, ok
	case rule.OpByteExtract:
		return c.byteExtract(it, pos)
	case rule.OpByteMath:
		return c.byteMath(it, pos)
	case rule.OpBsize:
		return pos, it.Int.Match(uint64(len(c.buf) + c.abs))
	case rule.OpBase64:
		return pos, c.base64(it, pos)
	case rule.OpDataset:
		mem, ok := it.set.test(it.Data, c.buf, &c.m.Counters.SetsFull)
		if ok && mem.context != "" {
			c.m.noteContext(it.Data.ContextKey, mem.context)
		}
		return pos, ok
	case rule.OpEntropy:
		return pos, c.entropy(it.Ent, c.buf)
	case rule.OpASN1:
		return pos, c.asn1(it, pos)
	case rule.OpFTPBounce:
		return pos, c.m.ftpBounce(c.buf)
	}
	return pos, true
}

// region gives the bytes in which a content must lie; ok is false where it
// cannot.
func (c *confirm) region(it *item, pos int) (lo, hi int, ok bool) {
	n := len(c.buf)
	lo, hi = 0, n
	if it.Relative {
		lo = pos
		if it.HasDistance {
			lo += c.num(it.Distance)
		}
		if it.HasWithin {
			hi = min(hi, lo+c.num(it.Within))
		}
	} else {
		if it.HasOffset {
			lo = c.num(it.Offset)
		}
		if it.HasDepth {
			hi = lo + c.num(it.Depth)
			hi = min(hi-c.abs, n)
		}
		lo -= c.abs
	}
	if lo < 0 {
		if it.StartsWith || !it.Relative && it.HasDepth && hi <= 0 {
			return 0, 0, false
		}
		lo = 0
	}
	return lo, hi, hi-lo >= len(it.Pattern)
}

// search gives the first occurrence within buf[lo:hi], -1 without.
func (c *confirm) search(it *item, lo, hi int) int {
	if hi-lo < len(it.Pattern) {
		return -1
	}
	if it.EndsWith {
		at := len(c.buf) - len(it.Pattern)
		if at < lo || at+len(it.Pattern) > hi || !it.at(c.buf[at:]) {
			return -1
		}
		return at
	}
	if hi-lo == len(it.Pattern) {
		if it.at(c.buf[lo:hi]) {
			return lo
		}
		return -1
	}
	at := it.find(c.buf[lo:hi])
	if at < 0 {
		return -1
	}
	return lo + at
}

// pcre tests an expression and what follows it.
func (c *confirm) pcre(items []item, pos int) bool {
	it := &items[0]
	base := 0
	if it.Relative {
		if pos > len(c.buf) {
			return it.Neg && c.run(items[1:], pos)
		}
		base = pos
	}
	sub := c.buf[base:]
	for start := 0; start <= len(sub); {
		if c.steps--; c.steps <= 0 {
			return false
		}
		from, to, ok := c.m.pcre.Match(it.PCRE.Re, sub, start)
		if c.note != nil {
			c.note.matched(it, base+start, base+from, base+to, ok)
		}
		if it.Neg {
			return !ok && c.run(items[1:], pos)
		}
		if !ok {
			return false
		}
		c.end = max(c.end, base+to)
		if len(it.PCRE.Captures) > 0 {
			c.m.capture(it.PCRE.Captures, sub)
		}
		if len(items) == 1 || c.run(items[1:], base+to) {
			return true
		}
		if !it.RelativeNext {
			return false
		}
		start = from + 1
	}
	return false
}
