package engine

import (
	"errors"

	"sluice/dataplane/protocol"
	"sluice/signatures/rule"
)

// cfield gives the numbers that a field's test looks at: its own or, where it
// looks at several of the same thing, those of each part.
type cfield []FieldFunc

// fields finds the functions of a field's test.
func (b *builder) fields(r *rule.Rule, t *rule.FieldTest) (out cfield, err error) {
	parts := t.All
	if len(parts) == 0 {
		parts = []rule.FieldTest{*t}
	}
	for i := range parts {
		fn := b.e.opt.Fields[parts[i].Keyword]
		if fn == nil {
			return nil, &SetError{Rule: r, Keyword: parts[i].Keyword, Err: errors.New("no protocol provides it")}
		}
		out = append(out, fn)
	}
	return out, nil
}

// maxThings bounds the things of a transaction of which several numbers are
// tested: the items that a message may write.
const maxThings = 4096

// field tests a number of the protocol on all its instances.
func (m *Matcher) field(r *crule, i int, tx *protocol.Tx, dir protocol.Dir) outcome {
	t, fns := &r.Fields[i], r.fields[i]
	if len(t.All) > 0 {
		return allHold(t.All, fns, tx, dir, m.now)
	}
	if t.Pick != rule.PickAny {
		return picked(t, fns[0], tx, dir, m.now)
	}
	for k := range maxInstances {
		v, ok := fns[0](tx, dir, k)
		if !ok {
			if k == 0 {
				return waits
			}
			break
		}
		if v != protocol.NoValue && t.Match(v, m.now) {
			return holds
		}
	}
	return fails
}

// picked tests all the numbers of a transaction that there are, at least one, or
// one by its place. Those who keep them answer once all are there.
func picked(t *rule.FieldTest, fn FieldFunc, tx *protocol.Tx, dir protocol.Dir, now int64) outcome {
	n, some := 0, false
	for n < maxInstances {
		v, ok := fn(tx, dir, n)
		if !ok {
			break
		}
		n++
		if t.Pick == rule.PickAll && v != protocol.NoValue {
			if some = true; !t.Match(v, now) {
				return fails
			}
		}
	}
	at := t.Index
	if at < 0 {
		at += n
	}
	switch {
	case n == 0:
		return waits
	case t.Pick == rule.PickAll && some:
		return holds
	case t.Pick == rule.PickAt && at >= 0 && at < n:
		if v, ok := fn(tx, dir, at); ok && v != protocol.NoValue && t.Match(v, now) {
			return holds
		}
	}
	return fails
}

// allHold reports whether the parts hold of one and the same thing.
func allHold(parts []rule.FieldTest, fns cfield, tx *protocol.Tx, dir protocol.Dir, now int64) outcome {
next:
	for k := range maxThings {
		for i := range parts {
			v, ok := fns[i](tx, dir, k)
			switch {
			case !ok && k == 0:
				return waits
			case !ok:
				return fails
			case !parts[i].Match(v, now):
				continue next
			}
		}
		return holds
	}
	return fails
}
