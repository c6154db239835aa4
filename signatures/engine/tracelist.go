package engine

import (
	"fmt"
	"strings"

	"sluice/signatures/rule"
)

// maxShownBytes bounds what a trace shows of a buffer.
const maxShownBytes = 60

// itemNote is what is known of an item in one run of its list.
type itemNote struct {
	it *item
	// tries counts the searches, held those that succeeded.
	tries, held int
	// lo and hi bound the newest search; at and end are where the first that
	// succeeded found it, -1 for nowhere.
	lo, hi  int
	at, end int
	// detail says what a test read.
	detail string
}

// listNote collects what a list's items did. The best of several runs (on the
// instances of a buffer) is kept.
type listNote struct {
	trace *Trace
	name  string
	items []itemNote
	place map[*item]int
	// best is the run with most items held.
	best     []itemNote
	bestHeld int
	// calls counts the runs; ok tells that one held; state is the outcome on a
	// transaction, where judged.
	calls  int
	ok     bool
	judged bool
	state  outcome
	kept   bool
	buf    []byte
	size   int
	shown  string
}

func newListNote(t *Trace, name string, items []item) *listNote {
	n := &listNote{trace: t, name: name, place: map[*item]int{}}
	var add func([]item)
	add = func(its []item) {
		for i := range its {
			n.place[&its[i]] = len(n.items)
			n.items = append(n.items, itemNote{it: &its[i]})
			add(its[i].sub)
		}
	}
	add(items)
	return n
}

// clear makes the note ready for the next try.
func (n *listNote) clear() {
	n.best, n.bestHeld, n.calls, n.ok, n.judged, n.kept, n.shown, n.size = nil, -1, 0, false, false, false, "", 0
}

// begin makes it ready for the next run.
func (n *listNote) begin(buf []byte) {
	for i := range n.items {
		n.items[i] = itemNote{it: n.items[i].it, at: -1, end: -1}
	}
	n.buf = buf
}

// keep ends a run.
func (n *listNote) keep(ok bool) {
	held := 0
	for i := range n.items {
		if x := &n.items[i]; x.held > 0 {
			held++
		}
	}
	if ok {
		held = len(n.items) + 1
		n.ok = true
	}
	if held > n.bestHeld {
		n.bestHeld, n.best = held, append([]itemNote(nil), n.items...)
		n.size, n.shown = len(n.buf), n.trace.excerpt(n.trace.cur, n.name, n.buf, 0)
	}
	n.buf = nil
}

func (n *listNote) at(it *item) *itemNote {
	i, ok := n.place[it]
	if !ok {
		return &itemNote{}
	}
	return &n.items[i]
}

// searched tells of a search for a content in buf[lo:hi]; at is -1 where it is
// not there.
func (n *listNote) searched(it *item, lo, hi, at int) {
	x := n.at(it)
	x.tries++
	x.lo, x.hi = lo, hi
	if at >= 0 && x.at < 0 {
		x.at, x.end = at, at+len(it.Pattern)
	}
	if (at >= 0) != it.Neg {
		x.held++
	}
}

// matched tells of a search for an expression from lo on.
func (n *listNote) matched(it *item, lo, from, to int, ok bool) {
	x := n.at(it)
	x.tries++
	x.lo = lo
	if ok && x.at < 0 {
		x.at, x.end = from, to
	}
	if ok != it.Neg {
		x.held++
	}
}

// stepped tells of a test at a position.
func (n *listNote) stepped(c *confirm, it *item, pos int, ok bool) {
	x := n.at(it)
	x.tries++
	if ok {
		x.held++
	}
	x.lo = pos
	switch it.Op {
	case rule.OpByteTest, rule.OpByteJump, rule.OpByteExtract, rule.OpByteMath:
		at := c.place(it, pos)
		if v, _, ok := c.number(it.Byte, at); ok {
			x.detail = fmt.Sprintf("read %d (%#x) at %d", v, v, at)
		} else {
			x.detail = fmt.Sprintf("no number can be read at %d of %d bytes", at, len(c.buf))
		}
	case rule.OpIsDataAt:
		x.detail = fmt.Sprintf("position %d, %d bytes there", pos, len(c.buf))
	case rule.OpBsize:
		x.detail = fmt.Sprintf("%d bytes", len(c.buf)+c.abs)
	}
}

// conditions gives the list's items as conditions.
func (n *listNote) conditions(r *rule.Rule, out []Condition) []Condition {
	if n.kept {
		return append(out, Condition{Keyword: "buffer", Buffer: n.name, Text: n.name, Result: Held, Detail: "held when an earlier part was judged"})
	}
	if n.calls == 0 {
		detail := "the rule was given up before"
		if n.judged {
			switch n.state {
			case waits:
				detail = "the buffer is not complete yet, or not of this object"
			case fails:
				detail = "there is no such buffer here"
			case holds:
				return append(out, Condition{Keyword: "buffer", Buffer: n.name, Text: n.name, Result: Held, Detail: "the buffer is absent, as asked for"})
			}
		}
		return append(out, Condition{Keyword: "buffer", Buffer: n.name, Text: n.name, Result: Skipped, Detail: detail})
	}
	for i := range n.best {
		x := &n.best[i]
		c := Condition{Keyword: r.KeywordAt(x.it.Col), Buffer: n.name, Text: r.ShowItem(x.it.Item), Result: Failed}
		switch {
		case x.tries == 0:
			c.Result, c.Detail = Skipped, "not reached"
		case x.held > 0:
			c.Result = Held
		}
		if c.Result != Skipped {
			c.Detail = x.say()
		}
		// What held once and then led nowhere is told from what always held.
		if !n.ok && c.Result == Held && x.held > 1 {
			c.Detail += fmt.Sprintf("; %d places tried", x.held)
		}
		if c.Result == Failed || i == 0 {
			c.Detail += fmt.Sprintf("; %d bytes: %s", n.size, n.shown)
		}
		if n.calls > 1 && i == 0 {
			c.Detail += fmt.Sprintf("; the nearest of %d", n.calls)
		}
		out = append(out, c)
	}
	return out
}

// say tells where an item was found or looked for.
func (x *itemNote) say() string {
	if x.detail != "" {
		return x.detail
	}
	window := fmt.Sprintf("bytes %d to %d", x.lo, x.hi)
	switch x.it.Op {
	case rule.OpContent:
		if x.at >= 0 {
			return fmt.Sprintf("found at %d to %d", x.at, x.end)
		}
		if x.hi-x.lo < len(x.it.Pattern) {
			return fmt.Sprintf("no room for its %d bytes in %s", len(x.it.Pattern), window)
		}
		return "not in " + window
	case rule.OpPCRE:
		if x.at >= 0 {
			return fmt.Sprintf("matches bytes %d to %d", x.at, x.end)
		}
		return fmt.Sprintf("matches nothing from byte %d on", x.lo)
	}
	return fmt.Sprintf("at position %d", x.lo)
}

// The bytes before and after what is shown that tell whether it may be.
const (
	shownBefore = 1024
	shownAfter  = 1024
)

// excerpt shows the beginning of b[from:], of the buffer of that name.
func (t *Trace) excerpt(a *Attempt, name string, b []byte, from int) string {
	if t.Show == nil {
		return excerpt(b[from:])
	}
	lead := max(0, from-shownBefore)
	b = b[lead:min(len(b), from+maxShownBytes+shownAfter)]
	return excerpt(t.Show(a.flow, a.tx, name, b)[from-lead:])
}

// excerpt shows the beginning of a buffer, as rules would write it.
func excerpt(b []byte) string {
	var s strings.Builder
	s.WriteByte('"')
	hex := false
	for _, c := range b[:min(len(b), maxShownBytes)] {
		plain := c >= ' ' && c < 0x7f && c != '|' && c != '"' && c != '\\' && c != ';' && c != ':'
		switch {
		case plain && hex:
			s.WriteByte('|')
			hex = false
		case !plain && !hex:
			s.WriteByte('|')
			hex = true
		case !plain:
			s.WriteByte(' ')
		}
		if plain {
			s.WriteByte(c)
		} else {
			fmt.Fprintf(&s, "%02X", c)
		}
	}
	if hex {
		s.WriteByte('|')
	}
	s.WriteByte('"')
	if len(b) > maxShownBytes {
		s.WriteString("…")
	}
	return s.String()
}
