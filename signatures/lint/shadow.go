package lint

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"sluice/signatures/rule"
)

// told are options that change what is told of a match, not what matches.
var told = []string{"sid", "rev", "gid", "msg", "metadata", "reference", "classtype", "priority", "target", "requires"}

// conditions gives a rule's options but those that are told, as one text.
func conditions(r *rule.Rule) string {
	var out []string
	open := strings.IndexByte(r.Text, '(')
	end := strings.LastIndexByte(r.Text, ')')
	if open < 0 || end < open {
		return r.Text
	}
	for start, i := open+1, open+1; i < end; i++ {
		if r.Text[i] != ';' || r.Text[i-1] == '\\' {
			continue
		}
		opt := strings.TrimSpace(r.Text[start:i])
		start = i + 1
		name, val, _ := strings.Cut(opt, ":")
		if name = strings.TrimSpace(name); opt != "" && !slices.Contains(told, name) {
			out = append(out, name+":"+strings.TrimSpace(val))
		}
	}
	return strings.Join(out, ";")
}

// shadows looks for rules that add nothing to one that is evaluated before
// them: those that are equal, and those with the same conditions and a narrower
// header than a rule that passes or drops.
func (c *checker) shadows(rules []*rule.Rule) {
	by := map[string][]*rule.Rule{}
	for _, r := range rules {
		k := r.Proto.Name + ":" + r.Proto.Hook + " " + conditions(r)
		by[k] = append(by[k], r)
	}
	for _, r := range rules {
		group := by[r.Proto.Name+":"+r.Proto.Hook+" "+conditions(r)]
		for _, o := range group {
			if o == r {
				continue
			}
			c.r = r
			if c.shadow(o, r, group) {
				break
			}
		}
	}
}

// shadow warns where o makes r pointless; r is the rule at hand.
func (c *checker) shadow(o, r *rule.Rule, group []*rule.Rule) bool {
	if r.Threshold != nil || r.DetectionFilter != nil || len(o.Suppress) > 0 || o.Rate != nil || r.Rate != nil || o.Quiet != r.Quiet || o.DetectionFilter != nil || !covers(o, r) {
		return false
	}
	where := fmt.Sprintf("sid %d (%s:%d)", o.SID, o.File, o.Line)
	same := covers(r, o)
	switch {
	case same && o.Action == r.Action && o.Scope == r.Scope:
		// Of two that are equal the later one is told of.
		if slices.Index(group, o) > slices.Index(group, r) {
			return false
		}
		c.warn(Shadowed, 0, "remove one of them", "has the header and the conditions of %s: both match, always", where)
	case c.actions.Of(o.Action) > c.actions.Of(r.Action):
		return false
	case o.Action == rule.Pass && r.Action != rule.Pass:
		c.warn(Shadowed, 0, "narrow the pass rule, or remove this one", "%s passes all that this rule could match, and is evaluated before it", where)
	case o.Action.Order() > 0 && o.Action.Order() < 3 && r.Action.Order() == 3 && !same, o.Action == r.Action && o.Action.Order() < 3 && !same:
		c.warn(Shadowed, 0, "narrow the other rule, or remove this one", "%s has the same conditions and a wider header, and drops the traffic already", where)
	default:
		return false
	}
	return true
}

// covers reports whether a's header takes in all that b's does.
func covers(a, b *rule.Rule) bool {
	if a.Bidirectional != b.Bidirectional || a.Transactional != b.Transactional {
		return false
	}
	return addrs(a.Src, b.Src) && addrs(a.Dst, b.Dst) && ports(a.SrcPort, b.SrcPort) && ports(a.DstPort, b.DstPort)
}

// addrs reports whether every range of b lies within one of a; ranges are
// sorted and joined.
func addrs(a, b *rule.AddrSet) bool {
	if a == b || a.All {
		return true
	}
	for _, x := range b.Ranges {
		in := false
		for _, y := range a.Ranges {
			if bytes.Compare(y.Lo[:], x.Lo[:]) <= 0 && bytes.Compare(y.Hi[:], x.Hi[:]) >= 0 {
				in = true
				break
			}
		}
		if !in {
			return false
		}
	}
	return true
}

func ports(a, b *rule.PortSet) bool {
	if a == b || a.All {
		return true
	}
	for _, x := range b.Ranges {
		if !slices.ContainsFunc(a.Ranges, func(y rule.PortRange) bool { return y.Lo <= x.Lo && y.Hi >= x.Hi }) {
			return false
		}
	}
	return true
}
