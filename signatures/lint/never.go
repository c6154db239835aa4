package lint

import (
	"bytes"
	"slices"

	"sluice/dataplane/protocol"
	"sluice/signatures/rule"
)

// maxSize bounds the sizes that are tried against a test of a size: beyond it
// tests do not differ.
const maxSize = 1 << 16

// anyFits reports whether a number from lo to hi passes all of the tests.
func anyFits(lo, hi uint64, ts []rule.IntTest) bool {
	for v := lo; v <= hi; v++ {
		ok := true
		for i := range ts {
			if !ts[i].Match(v) {
				ok = false
				break
			}
		}
		if ok {
			return true
		}
	}
	return false
}

// need gives the bytes that a list's positive tests cannot do without, and the
// item that asks for most of them.
func need(items []rule.Item) (n int, by *rule.Item) {
	end := 0 // the least place at which the test before can have ended
	for i := range items {
		it := &items[i]
		switch {
		case it.Op == rule.OpContent && !it.Neg:
			at := 0
			switch {
			case it.Relative:
				at = end
				if it.HasDistance {
					at += int(it.Distance.V)
					if it.Distance.Var != 0 {
						at = 0
					}
				}
			case it.HasOffset && it.Offset.Var == 0:
				at = int(it.Offset.V)
			}
			end = max(at, 0) + len(it.Pattern)
			if end > n {
				n, by = end, it
			}
		case it.Op == rule.OpIsDataAt && !it.Neg && it.At.Var == 0:
			want := int(it.At.V)
			if it.Relative {
				want += end
			} else {
				want++
			}
			if want > n {
				n, by = want, it
			}
		case it.Op == rule.OpContent, it.Op == rule.OpIsDataAt, it.Op == rule.OpBsize, it.Op == rule.OpByteTest:
			// These do not move the place of what follows.
		default:
			end = 0
		}
	}
	return n, by
}

// sizes looks for sizes that leave no room for what is asked for.
func (c *checker) sizes() {
	var dsize []rule.IntTest
	col := 0
	for i := range c.r.Tests {
		if t := &c.r.Tests[i]; t.Kind == rule.TestDsize {
			dsize, col = append(dsize, t.Int), t.Col
		}
	}
	for i := range c.r.Lists {
		l := &c.r.Lists[i]
		sizes := []rule.IntTest{}
		at := 0
		for k := range l.Items {
			if it := &l.Items[k]; it.Op == rule.OpBsize {
				sizes, at = append(sizes, it.Int), it.Col
			}
			if it := &l.Items[k]; it.Op == rule.OpIsDataAt && it.Neg && !it.Relative && it.At.Var == 0 && it.At.V >= 0 {
				sizes = append(sizes, rule.IntTest{Op: 'L', A: uint64(it.At.V)})
				if at == 0 {
					at = it.Col
				}
			}
		}
		if l.Name == "" && len(dsize) > 0 {
			sizes, at = append(sizes, dsize...), col
		}
		if len(sizes) == 0 || l.Absent != rule.AbsentFails {
			continue
		}
		if slices.ContainsFunc(sizes, func(t rule.IntTest) bool { return t.A >= maxSize || t.B >= maxSize }) {
			continue
		}
		n, by := need(l.Items)
		switch {
		case !anyFits(0, maxSize, sizes):
			if l.Name != "" || len(dsize) == 0 {
				c.warn(Never, at, "leave all but one of them out", "the sizes asked for contradict each other: it can never match")
			}
		case by != nil && n < maxSize && !anyFits(uint64(n), maxSize, sizes):
			c.warn(Never, at, "correct the size, or shorten what is looked for", "leaves no room for %s, which needs %d bytes: it can never match", c.r.ShowItem(by), n)
		}
	}
}

// contents looks for contents that have no room or contradict each other.
func (c *checker) contents() {
	for i := range c.r.Lists {
		l := &c.r.Lists[i]
		if l.Absent == rule.AbsentFails {
			c.list(l.Items)
		}
	}
}

func (c *checker) list(items []rule.Item) {
	for i := range items {
		it := &items[i]
		if it.Base64 != nil {
			c.list(it.Base64.Items)
		}
		if it.Op != rule.OpContent || it.Neg {
			continue
		}
		for k := range items {
			o := &items[k]
			switch {
			case o.Op != rule.OpContent || k == i:
			case o.Neg && anywhere(o) && holds(it, o):
				c.warn(Never, o.Col, "leave one of them out, or say where the one that must be missing is looked for", "is contained in %s, which must be there: it can never match", c.r.ShowItem(it))
				return
			case k > i && !o.Neg && first(it) && first(o) && !agree(it, o, false):
				c.warn(Never, o.Col, "write two rules, or a pcre with both", "cannot begin the buffer together with %s: it can never match", c.r.ShowItem(it))
				return
			case k > i && !o.Neg && it.EndsWith && o.EndsWith && !agree(it, o, true):
				c.warn(Never, o.Col, "write two rules, or a pcre with both", "cannot end the buffer together with %s: it can never match", c.r.ShowItem(it))
				return
			}
		}
	}
}

// anywhere reports whether a content is looked for in all of the buffer.
func anywhere(it *rule.Item) bool {
	return !it.Relative && !it.HasOffset && !it.HasDepth && !it.StartsWith && !it.EndsWith
}

// holds reports whether wherever a content is, another one is within.
func holds(it, o *rule.Item) bool {
	if o.NoCase {
		return bytes.Contains(bytes.ToLower(it.Pattern), bytes.ToLower(o.Pattern))
	}
	return !it.NoCase && bytes.Contains(it.Pattern, o.Pattern)
}

// first reports whether a content must be at the very beginning.
func first(it *rule.Item) bool {
	return !it.Relative && it.StartsWith || !it.Relative && it.HasDepth && it.Depth.Var == 0 && it.Depth.V == int64(len(it.Pattern)) && (!it.HasOffset || it.Offset.Var == 0 && it.Offset.V == 0)
}

// agree reports whether two contents can be at the same beginning, or end.
func agree(a, b *rule.Item, atEnd bool) bool {
	p, q := a.Pattern, b.Pattern
	if a.NoCase || b.NoCase {
		p, q = bytes.ToLower(p), bytes.ToLower(q)
	}
	n := min(len(p), len(q))
	if atEnd {
		return bytes.Equal(p[len(p)-n:], q[len(q)-n:])
	}
	return bytes.Equal(p[:n], q[:n])
}

// numbers looks for tests of one number of a packet that contradict each other.
func (c *checker) numbers() {
	for _, k := range []rule.TestKind{rule.TestTTL, rule.TestTOS, rule.TestICMPType, rule.TestICMPCode, rule.TestIPID, rule.TestDsize} {
		var ts []rule.IntTest
		col := 0
		for i := range c.r.Tests {
			if t := &c.r.Tests[i]; t.Kind == k {
				ts, col = append(ts, t.Int), t.Col
			}
		}
		hi := uint64(255)
		if k == rule.TestIPID || k == rule.TestDsize {
			hi = 65535
		}
		if len(ts) > 0 && !anyFits(0, hi, ts) {
			c.warn(Never, col, "correct the number", "no value passes: it can never match")
		}
	}
}

// directions looks for hooks against the flow's direction.
func (c *checker) directions() {
	p := &c.r.Proto
	if p.Hook == "" || c.r.Transactional {
		return
	}
	if p.HookDir == protocol.ToServer && c.r.Flow.ToClient || p.HookDir == protocol.ToClient && c.r.Flow.ToServer {
		c.warn(Never, 0, "leave the direction out of flow", "the hook %s is of the other direction than flow asks for: it can never match", p.Hook)
	}
}
