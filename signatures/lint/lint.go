// Package lint warns of sound rules that do not do what their author hopes:
// they can never match, another rule is always before them, they are tried
// almost everywhere, or they cost much. It takes the rules that load and gives
// warnings; it says nothing where it is not sure, since a false warning costs
// more than a missing one.
package lint

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice/dataplane/protocol"
	"sluice/internal/near"
	"sluice/signatures/rule"
)

// The kinds of warnings, as rule.Error's Kind.
const (
	Never    = "never-matches"
	Shadowed = "shadowed"
	Broad    = "too-broad"
	Costly   = "costly"
	// Unknown: a name that is only told, and that nothing defines.
	Unknown = "unknown-name"
)

// Options are what warnings need to know beside the rules; fields may be nil,
// and then what needs them is left out.
type Options struct {
	// Classes are the classtypes that are known.
	Classes map[string]rule.Class
	// Definition gives a protocol's parser.
	Definition func(protocol.ID) *protocol.Definition
	// ActionOrder says which rules are evaluated first.
	ActionOrder rule.ActionOrder
}

// Check gives the warnings about the rules that are enabled. The disabled ones
// serve to tell which of them would mend a warning.
func Check(rules []*rule.Rule, opt Options) []rule.Error {
	var on []*rule.Rule
	for _, r := range rules {
		if r.Enabled && r.Skipped == "" {
			on = append(on, r)
		}
	}
	c := &checker{actions: opt.ActionOrder}
	bits := collectBits(rules)
	for _, r := range on {
		c.r = r
		c.classtype(opt.Classes)
		n := len(c.out)
		c.carrier(opt.Definition)
		c.sizes()
		c.contents()
		c.alphabets()
		c.transport()
		c.numbers()
		c.directions()
		c.bits(bits)
		if len(c.out) > n {
			continue // the rest does not matter to a rule that never matches
		}
		c.broad()
		c.expressions()
	}
	c.shadows(on)
	slices.SortStableFunc(c.out, func(a, b rule.Error) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return c.out
}

// checker collects the warnings; r is the rule at hand.
type checker struct {
	r       *rule.Rule
	out     []rule.Error
	actions rule.ActionOrder
}

// warn adds a warning about the option at a column of the rule at hand, 0 for
// its header.
func (c *checker) warn(kind string, col int, remedy, format string, args ...any) {
	kw := c.r.KeywordAt(col)
	c.out = append(c.out, rule.Error{File: c.r.File, Line: c.r.Line, Column: col, SID: c.r.SID, Keyword: kw,
		Kind: kind, Message: fmt.Sprintf(format, args...), Remedy: remedy})
}

// classtype looks for a class that classification.config does not have.
func (c *checker) classtype(known map[string]rule.Class) {
	name := c.r.Classtype
	if name == "" || known == nil {
		return
	}
	if _, ok := known[name]; ok {
		return
	}
	remedy := "correct it, or define it in classification.config"
	if n := near.Nearest(name, slices.Sorted(maps.Keys(known))); n != "" {
		remedy = fmt.Sprintf("did you mean %q?", n)
	}
	c.warn(Unknown, c.r.ColumnOf("classtype"), remedy, "no class is named %q: the alert has neither category nor its priority", name)
}

// carrier looks for rules on a protocol that does not run over the header's
// transport.
func (c *checker) carrier(definition func(protocol.ID) *protocol.Definition) {
	p := &c.r.Proto
	if definition == nil || len(p.Apps) == 0 || p.Transport != rule.TCP && p.Transport != rule.UDP {
		return
	}
	for _, id := range p.Apps {
		if d := definition(id); d != nil && (p.Transport == rule.TCP && d.TCP || p.Transport == rule.UDP && d.UDP) {
			return
		}
	}
	c.warn(Never, 0, "name the protocol itself in the header", "the rule is for %s, which does not carry %s here: it can never match", p.Name, p.Apps[0])
}
