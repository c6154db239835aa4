package rule

import (
	"fmt"
	"strings"
)

// maxShown bounds what is shown of an option, in bytes.
const maxShown = 200

// OptionAt gives the option that begins at a column of the rule's text, as it
// was written; empty where none does.
func (r *Rule) OptionAt(col int) string {
	if col < 1 || col > len(r.Text) {
		return ""
	}
	s := r.Text[col-1:]
	end := len(s)
	for i := range len(s) {
		if s[i] == ';' && (i == 0 || s[i-1] != '\\') {
			end = i
			break
		}
	}
	s = strings.TrimSpace(s[:end])
	if len(s) > maxShown {
		s = s[:maxShown] + "…"
	}
	return s
}

// ColumnOf gives the column of the first option of a name, 0 without one. Text in
// quotes may mislead it: it is for messages.
func (r *Rule) ColumnOf(keyword string) int {
	for at := 0; ; {
		i := strings.Index(r.Text[at:], keyword)
		if i < 0 {
			return 0
		}
		at += i
		end := at + len(keyword)
		if at > 0 && strings.IndexByte("; (\t", r.Text[at-1]) >= 0 && end < len(r.Text) && strings.IndexByte(":; ", r.Text[end]) >= 0 {
			return at + 1
		}
		at = end
	}
}

// KeywordAt gives the name of the option that begins at a column.
func (r *Rule) KeywordAt(col int) string {
	name, _, _ := strings.Cut(r.OptionAt(col), ":")
	return strings.TrimSpace(name)
}

// ShowItem gives an item of the rule as it was written, with the modifiers that
// say where it must be.
func (r *Rule) ShowItem(it *Item) string {
	s := r.OptionAt(it.Col)
	if it.Op != OpContent {
		return s
	}
	var b strings.Builder
	b.WriteString(s)
	if it.NoCase {
		b.WriteString("; nocase")
	}
	if it.StartsWith {
		b.WriteString("; startswith")
	} else {
		for _, m := range []struct {
			has  bool
			name string
			n    Num
		}{{it.HasOffset, "offset", it.Offset}, {it.HasDepth, "depth", it.Depth}, {it.HasDistance, "distance", it.Distance}, {it.HasWithin, "within", it.Within}} {
			switch {
			case m.has && m.n.Var != 0:
				fmt.Fprintf(&b, "; %s (a variable)", m.name)
			case m.has:
				fmt.Fprintf(&b, "; %s:%d", m.name, m.n.V)
			}
		}
	}
	if it.EndsWith {
		b.WriteString("; endswith")
	}
	if it.FastPattern {
		b.WriteString("; fast_pattern")
	}
	return b.String()
}

// Show gives the operation as rules spell it.
func (b *BitOp) Show() string {
	kw := map[BitScope]string{BitFlow: "flowbits", BitTx: "xbits"}[b.Scope]
	if kw == "" {
		kw = "hostbits/xbits"
	}
	return kw + ":" + b.Op + "," + strings.Join(b.Names, "|")
}

// Show gives the operation as rules spell it.
func (f *FlowInt) Show() string {
	switch {
	case f.Op == "isset" || f.Op == "isnotset":
		return "flowint:" + f.Name + "," + f.Op
	case f.From != "":
		return "flowint:" + f.Name + "," + f.Op + "," + f.From
	}
	return fmt.Sprintf("flowint:%s,%s,%d", f.Name, f.Op, f.Value)
}
