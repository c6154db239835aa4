package rule

import (
	"math"
	"strconv"
	"strings"
)

// parseContent reads text with |hex| parts.
func parseContent(s string) ([]byte, error) {
	out := make([]byte, 0, len(s))
	hex, half := false, -1
	for i := 0; i < len(s); i++ {
		ch := s[i]
		switch {
		case ch == '|':
			if hex && half >= 0 {
				return nil, faultf("an odd number of hex digits before | at byte %d of the value", i+1)
			}
			hex = !hex
		case hex:
			if ch == ' ' || ch == '\t' {
				continue
			}
			d := unhex(ch)
			if d < 0 {
				return nil, faultf("%q is no hex digit; a bar that is meant as such is written |7C|", ch)
			}
			if half < 0 {
				half = d
			} else {
				out = append(out, byte(half<<4|d))
				half = -1
			}
		case ch == '\\':
			if i+1 < len(s) && strings.IndexByte(`;"\:`, s[i+1]) >= 0 {
				i++
				out = append(out, s[i])
			} else if i+1 < len(s) {
				return nil, faultf("\\%c is no escape: only \\; \\\" \\: and \\\\ are", s[i+1])
			} else {
				return nil, faultf("a backslash at the end")
			}
		case ch == '"':
			return nil, faultf("a quote inside of the value is written \\\"")
		default:
			out = append(out, ch)
		}
	}
	if hex {
		return nil, faultf("the hex part is not closed with |")
	}
	if len(out) == 0 {
		return nil, faultf("the value is empty")
	}
	if len(out) > 16384 {
		return nil, faultf("the value is longer than 16384 bytes")
	}
	return out, nil
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func (c *context) content(_, val string) error {
	// Modifiers after a comma, as Snort 3 writes them, are not of this language.
	v, neg, err := unquote(val)
	if err != nil {
		return err
	}
	if !strings.HasSuffix(val, `"`) {
		return faultf("the value needs quotes")
	}
	b, err := parseContent(v)
	if err != nil {
		return err
	}
	return c.add(Item{Op: OpContent, Pattern: b, Neg: neg})
}

func (c *context) uricontent(_, val string) error {
	if c.name != "" {
		return faultf("cannot follow a sticky buffer")
	}
	v, neg, err := unquote(val)
	if err != nil {
		return err
	}
	b, err := parseContent(v)
	if err != nil {
		return err
	}
	r, err := c.addTo("http.uri", Item{Op: OpContent, Pattern: b, Neg: neg, Col: c.col})
	c.last = r
	return err
}

func (c *context) nocase(string, string) error {
	it, err := c.item()
	if err != nil {
		return err
	}
	it.NoCase = true
	return nil
}

func (c *context) rawbytes(string, string) error {
	it, err := c.item()
	if err != nil {
		return err
	}
	if c.name != "" || c.last.list >= 0 && c.r.Lists[c.last.list].Name != "" {
		return faultf("cannot be used with a sticky buffer")
	}
	it.Rawbytes = true
	return nil
}

func (c *context) fastPattern(_, val string) error {
	it, err := c.item()
	if err != nil {
		return err
	}
	for _, l := range c.r.Lists {
		for i := range l.Items {
			if l.Items[i].FastPattern {
				return faultf("the rule has a fast pattern already")
			}
		}
	}
	it.FastPattern = true
	switch v := strings.TrimSpace(val); {
	case v == "":
	case v == "only":
		if it.Neg || it.HasOffset || it.HasDepth || it.HasDistance || it.HasWithin {
			return faultf("only cannot be combined with a position or a negation")
		}
		it.FastOnly = true
	default:
		o, l, ok := strings.Cut(v, ",")
		off, err1 := parseUint(o, 65535)
		n, err2 := parseUint(l, 65535)
		if !ok || err1 != nil || err2 != nil || n == 0 {
			return faultf("%q is neither `only` nor offset,length", clip(v))
		}
		if int(off+n) > len(it.Pattern) {
			return faultf("%d,%d reaches beyond the content's %d bytes", off, n, len(it.Pattern))
		}
		it.HasFastRange, it.FastOffset, it.FastLen = true, int(off), int(n)
	}
	return nil
}

// num reads a number or the name of a variable.
func (c *context) num(s string, lo, hi int64) (Num, error) {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseInt(strings.TrimPrefix(s, "+"), 0, 64); err == nil {
		if n < lo || n > hi {
			return Num{}, faultf("%d is outside of %d to %d", n, lo, hi)
		}
		return Num{V: n}, nil
	}
	if v, ok := c.vars[s]; ok {
		return Num{Var: v}, nil
	}
	var names []string
	for n := range c.vars {
		names = append(names, n)
	}
	return Num{}, faultf("%q is neither a number nor a variable that byte_extract or byte_math has set before%s", clip(s), didYouMean(s, names))
}

func (c *context) newVar(name string) (uint8, error) {
	if name == "" || strings.ContainsAny(name, " ,\"") || name[0] >= '0' && name[0] <= '9' {
		return 0, faultf("%q is no name for a variable", clip(name))
	}
	if v, ok := c.vars[name]; ok {
		return v, nil
	}
	if c.r.Vars >= 32 {
		return 0, faultf("the rule has more than 32 variables")
	}
	if c.vars == nil {
		c.vars = map[string]uint8{}
	}
	c.r.Vars++
	c.vars[name] = uint8(c.r.Vars)
	return uint8(c.r.Vars), nil
}

func (c *context) position(name, val string) error {
	it, err := c.item()
	if err != nil {
		return err
	}
	lo, hi := int64(0), int64(math.MaxUint16)
	if name == "distance" || name == "within" {
		lo, hi = -1<<20, 1<<20
	}
	n, err := c.num(val, lo, hi)
	if err != nil {
		return err
	}
	relative := name == "distance" || name == "within"
	if relative && (it.HasOffset || it.HasDepth) {
		return faultf("cannot be combined with offset, depth or startswith of the same content")
	}
	if !relative && (it.HasDistance || it.HasWithin) {
		return faultf("cannot be combined with distance or within of the same content")
	}
	dup := false
	switch name {
	case "depth":
		dup, it.HasDepth, it.Depth = it.HasDepth, true, n
		if it.StartsWith {
			return faultf("cannot be combined with startswith")
		}
		if n.Var == 0 && n.V < int64(len(it.Pattern)) {
			return faultf("%d is less than the content's %d bytes: it can never match", n.V, len(it.Pattern))
		}
	case "offset":
		dup, it.HasOffset, it.Offset = it.HasOffset, true, n
		if it.StartsWith {
			return faultf("cannot be combined with startswith")
		}
	case "distance":
		dup, it.HasDistance, it.Distance, it.Relative = it.HasDistance, true, n, true
	case "within":
		dup, it.HasWithin, it.Within, it.Relative = it.HasWithin, true, n, true
		if n.Var == 0 && n.V < int64(len(it.Pattern)) {
			return faultf("%d is less than the content's %d bytes: it can never match", n.V, len(it.Pattern))
		}
	}
	if dup {
		return faultf("is given twice for the same content")
	}
	if it.FastOnly {
		return faultf("cannot be combined with fast_pattern:only")
	}
	return nil
}

func (c *context) anchored(name, _ string) error {
	it, err := c.item()
	if err != nil {
		return err
	}
	if name == "endswith" {
		it.EndsWith = true
		return nil
	}
	if it.HasOffset || it.HasDepth || it.HasDistance || it.HasWithin {
		return faultf("cannot be combined with depth, offset, within or distance")
	}
	it.StartsWith, it.HasDepth, it.Depth = true, true, Num{V: int64(len(it.Pattern))}
	return nil
}

func (c *context) isdataat(_, val string) error {
	parts := fieldsOf(val)
	it := Item{Op: OpIsDataAt}
	if strings.HasPrefix(parts[0], "!") {
		it.Neg, parts[0] = true, parts[0][1:]
	}
	n, err := c.num(parts[0], 0, 65535)
	if err != nil {
		return err
	}
	it.At = n
	for _, p := range parts[1:] {
		switch p {
		case "relative":
			it.Relative = true
		case "rawbytes":
		default:
			return faultf("unknown option %q%s", clip(p), didYouMean(p, []string{"relative", "rawbytes"}))
		}
	}
	return c.add(it)
}

func (c *context) bsize(_, val string) error {
	if c.name == "" {
		return faultf("needs a sticky buffer before it")
	}
	t, err := parseInt(val, 1<<62, nil)
	if err != nil {
		if v, ok := c.vars[strings.TrimLeft(val, "<>=! ")]; ok {
			_ = v
			return unevaluated("bsize with a variable")
		}
		return err
	}
	return c.add(Item{Op: OpBsize, Int: t})
}

func (c *context) urilen(_, val string) error {
	spec, kind, has := strings.Cut(val, ",")
	name := "http.uri"
	if has {
		switch strings.TrimSpace(kind) {
		case "norm":
		case "raw":
			name = "http.uri.raw"
		default:
			return faultf("%q is neither norm nor raw", clip(kind))
		}
	}
	t, err := parseInt(spec, 65535, nil)
	if err != nil {
		return err
	}
	_, err = c.addTo(name, Item{Op: OpBsize, Int: t, Col: c.col})
	return err
}

func (c *context) absent(_, val string) error {
	if c.name == "" || c.local != NotLocal {
		return faultf("needs a sticky buffer before it")
	}
	l, err := c.current()
	if err != nil {
		return err
	}
	switch strings.ReplaceAll(val, " ", "") {
	case "":
		if len(l.Items) > 0 {
			return faultf("alone cannot be combined with other tests on %s: use absent:or_else", c.name)
		}
		l.Absent = AbsentOnly
	case "or_else":
		l.Absent = AbsentOrElse
	default:
		return faultf("%q is unknown: absent or absent:or_else", clip(val))
	}
	return nil
}
