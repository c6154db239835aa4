package engine

import (
	"sort"

	"sluice/signatures/rule"
)

// order sorts rules as they are evaluated: by action, rules that set flowbits
// before those that read them, then by priority, then as they came.
func order(rs []*rule.Rule, actions rule.ActionOrder) {
	bits := func(r *rule.Rule) int {
		set, read := false, false
		for i := range r.Bits {
			if r.Bits[i].Test() {
				read = true
			} else {
				set = true
			}
		}
		for i := range r.FlowInts {
			if r.FlowInts[i].Test() {
				read = true
			} else {
				set = true
			}
		}
		switch {
		case set && !read:
			return 0
		case set:
			return 1
		case read:
			return 2
		}
		return 3
	}
	sort.SliceStable(rs, func(i, j int) bool {
		a, b := rs[i], rs[j]
		if x, y := actions.Of(a.Action), actions.Of(b.Action); x != y {
			return x < y
		}
		if x, y := bits(a), bits(b); x != y {
			return x < y
		}
		return a.Priority < b.Priority
	})
}
