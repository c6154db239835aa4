package lint

import (
	"regexp/syntax"
	"strings"

	"sluice/internal/pcre"
	"sluice/signatures/engine"
	"sluice/signatures/rule"
)

// longest gives the longest content that can nominate a list.
func longest(items []rule.Item) int {
	n := 0
	for i := range items {
		if it := &items[i]; it.Op == rule.OpContent && !it.Neg {
			l := len(it.Pattern)
			if it.HasFastRange {
				l = it.FastLen
			}
			n = max(n, l)
		}
	}
	return n
}

// broad looks for rules whose payload is tested almost everywhere, for want of
// a content that narrows it down.
func (c *checker) broad() {
	r := c.r
	for i := range r.Lists {
		l := &r.Lists[i]
		if l.Name != "" || len(r.Lists) > 1 || len(r.Fields) > 0 || len(r.AppEvents) > 0 || len(r.Files) > 0 || r.Proto.Hook != "" {
			continue
		}
		n := longest(l.Items)
		if n >= engine.MinFast || !engine.Everywhere(r) {
			continue
		}
		col := l.Items[0].Col
		if n == 0 {
			c.warn(Broad, col, "add a content of four bytes or more, or narrow the ports", "no content nominates the rule: it is tried on every payload of its ports")
		} else {
			c.warn(Broad, col, "add a content of four bytes or more, say where it is (offset, depth), or narrow the ports",
				"no content of the rule has %d bytes or more: it is tried on nearly every payload of its ports", engine.MinFast)
		}
	}
}

// expressions looks for expressions that cost much.
func (c *checker) expressions() {
	r := c.r
	content := len(r.Fields) > 0 || len(r.AppEvents) > 0
	for i := range r.Lists {
		for k := range r.Lists[i].Items {
			switch it := &r.Lists[i].Items[k]; it.Op {
			case rule.OpContent:
				content = content || !it.Neg
			case rule.OpBsize:
				content = content || it.Int.Op == '='
			case rule.OpDataset:
				content = true
			}
		}
	}
	telling := !engine.Everywhere(r) || len(r.Tests) > 0 || len(r.Bits) > 0
	for i := range r.Lists {
		for k := range r.Lists[i].Items {
			it := &r.Lists[i].Items[k]
			if it.Op != rule.OpPCRE {
				continue
			}
			// At the beginning of a short buffer an expression costs next to nothing.
			cheap := r.Lists[i].Name != "" && !r.Lists[i].Buffer.Body && anchored(it.PCRE)
			// Of the payload's broad has told.
			if name := r.Lists[i].Name; name != "" && !content && !telling && !cheap {
				c.warn(Costly, it.Col, "add a content that the expression cannot do without", "no content nominates the rule: the expression is run on every %s", name)
				return
			}
			if nested(it.PCRE.Expr) {
				c.warn(Costly, it.Col, "repeat once only, or make the inner group atomic: (?>…)+",
					"repeats within a repeat can be cut up in very many ways: on texts that nearly match it runs into the limit, and then does not match")
				return
			}
		}
	}
}

// anchored reports whether an expression can match at the beginning only.
func anchored(p *rule.PCRE) bool {
	return p.Flags&pcre.Anchored != 0 || strings.HasPrefix(p.Expr, "^") && p.Flags&pcre.MultiLine == 0 && !strings.Contains(topLevel(p.Expr), "|")
}

// topLevel gives an expression without what is in groups.
func topLevel(s string) string {
	var b strings.Builder
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
			continue
		case '(':
			depth++
			continue
		case ')':
			depth--
			continue
		}
		if depth == 0 {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// nested reports whether an expression repeats without bound what is itself
// repeated without bound, with nothing in between that must be there.
func nested(expr string) bool {
	// Groups are captured all, or the parser would join their repeats.
	re, err := syntax.Parse(strings.ReplaceAll(expr, "(?:", "("), syntax.Perl)
	if err != nil {
		return false // lookaround, atomic groups and the like: not judged
	}
	return walk(re)
}

func walk(re *syntax.Regexp) bool {
	if unbounded(re) && re.Flags&syntax.NonGreedy == 0 && swallows(re.Sub[0]) {
		return true
	}
	for _, s := range re.Sub {
		if walk(s) {
			return true
		}
	}
	return false
}

func unbounded(re *syntax.Regexp) bool {
	return re.Op == syntax.OpStar || re.Op == syntax.OpPlus || re.Op == syntax.OpRepeat && re.Max < 0
}

// swallows reports whether an expression can be nothing but one unbounded
// repeat of single characters.
func swallows(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpCapture:
		return swallows(re.Sub[0])
	case syntax.OpAlternate:
		for _, s := range re.Sub {
			if swallows(s) {
				return true
			}
		}
	case syntax.OpConcat:
		found := false
		for _, s := range re.Sub {
			switch {
			case unbounded(s):
				found = true
			case !nullable(s):
				return false
			}
		}
		return found
	}
	return unbounded(re)
}

func nullable(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpStar, syntax.OpQuest, syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return true
	case syntax.OpRepeat:
		return re.Min == 0 || nullable(re.Sub[0])
	case syntax.OpCapture, syntax.OpPlus:
		return nullable(re.Sub[0])
	case syntax.OpConcat:
		for _, s := range re.Sub {
			if !nullable(s) {
				return false
			}
		}
		return true
	case syntax.OpAlternate:
		for _, s := range re.Sub {
			if nullable(s) {
				return true
			}
		}
	}
	return false
}
