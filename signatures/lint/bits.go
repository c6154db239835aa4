package lint

import (
	"fmt"
	"strings"

	"sluice/signatures/rule"
)

// bitKey is a bit or an integer as rules name it: those of a flow, and those of
// hosts and pairs, which xbits and hostbits share.
type bitKey struct {
	kind byte
	name string
}

func keyOf(b *rule.BitOp, name string) bitKey {
	switch b.Scope {
	case rule.BitFlow:
		return bitKey{'f', name}
	case rule.BitTx:
		return bitKey{'t', name}
	}
	return bitKey{'h', name}
}

// setters tells which rules set bits: one that is enabled, or else one that is
// not.
type setters map[bitKey]*rule.Rule

func collectBits(rules []*rule.Rule) setters {
	s := setters{}
	note := func(k bitKey, r *rule.Rule) {
		if old := s[k]; old == nil || !live(old) && live(r) {
			s[k] = r
		}
	}
	for _, r := range rules {
		for i := range r.Bits {
			if b := &r.Bits[i]; b.Op == "set" || b.Op == "toggle" {
				for _, n := range b.Names {
					note(keyOf(b, n), r)
				}
			}
		}
		for i := range r.FlowInts {
			if f := &r.FlowInts[i]; !f.Test() {
				note(bitKey{'i', f.Name}, r)
			}
		}
		for i := range r.Lists {
			for k := range r.Lists[i].Items {
				if p := r.Lists[i].Items[k].PCRE; p != nil {
					for _, c := range p.Captures {
						note(bitKey{'i', c.Name}, r)
					}
				}
			}
		}
	}
	return s
}

func live(r *rule.Rule) bool { return r.Enabled && r.Skipped == "" }

// bits looks for bits that are asked for and that no rule sets.
func (c *checker) bits(s setters) {
	ask := func(what string, keys []bitKey, names []string) {
		var off *rule.Rule
		for _, k := range keys {
			r := s[k]
			if r != nil && live(r) {
				return
			}
			if r != nil {
				off = r
			}
		}
		col := c.option(names[0])
		if off != nil {
			c.warn(Never, col, fmt.Sprintf("enable sid %d (%s:%d)", off.SID, off.File, off.Line), "%s is set by no rule that is enabled: it can never match", what)
			return
		}
		c.warn(Never, col, "load the rules that set it, or correct the name", "%s is set by no rule: it can never match", what)
	}
	for i := range c.r.Bits {
		b := &c.r.Bits[i]
		if b.Op != "isset" {
			continue
		}
		var keys []bitKey
		for _, n := range b.Names {
			keys = append(keys, keyOf(b, n))
		}
		ask("the bit "+strings.Join(b.Names, " or "), keys, b.Names)
	}
	for i := range c.r.FlowInts {
		if f := &c.r.FlowInts[i]; f.Test() && f.Op != "isnotset" {
			ask("the integer "+f.Name, []bitKey{{'i', f.Name}}, []string{f.Name})
		}
	}
}

// option gives the column of the option that names a bit, 0 where it is not
// found.
func (c *checker) option(name string) int {
	for _, kw := range []string{"flowbits", "xbits", "hostbits", "flowint"} {
		for at := 0; ; {
			i := strings.Index(c.r.Text[at:], kw+":")
			if i < 0 {
				break
			}
			at += i
			if opt := c.r.OptionAt(at + 1); strings.Contains(opt, name) && (strings.Contains(opt, "isset") || kw == "flowint") {
				return at + 1
			}
			at += len(kw)
		}
	}
	return 0
}
