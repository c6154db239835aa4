package rule

import (
	"fmt"
	"strings"
)

func (c *context) file(name, val string) error {
	f := FileTest{Keyword: name}
	v, neg, err := unquote(val)
	if err != nil {
		return err
	}
	f.Neg = neg
	switch name {
	case "filesize":
		f.Neg = false
		if dir, rest, ok := strings.Cut(val, ","); ok && c.r.Transactional {
			switch strings.TrimSpace(dir) {
			case "to_server":
				f.Dir = 1
			case "to_client":
				f.Dir = 2
			default:
				return faultf("%q is no direction", clip(dir))
			}
			val = rest
		}
		if f.Int, err = parseInt(val, 1<<62, nil); err != nil {
			return err
		}
	case "fileext", "filename":
		f.Text = []byte(unescape(v))
	case "filemagic":
		if f.Text, err = parseContent(v); err != nil {
			return err
		}
		f.Col = c.col
		c.needMagic(name, c.col)
	default:
		if f.Load = v; v == "" {
			return faultf("needs a file of hashes")
		}
	}
	c.r.Files = append(c.r.Files, f)
	return nil
}

// needMagic notes that a keyword needs files to be described by their content.
func (c *context) needMagic(keyword string, col int) {
	if c.env.Magic == nil {
		c.lack(keyword)
	} else if err := c.env.Magic(); err != nil {
		c.lackFault(&fault{col: col, keyword: keyword, msg: fmt.Sprintf("needs what describes files: %v", err)})
	}
}

func (c *context) dataset(name, val string) error {
	d := &Dataset{IsRep: name == "datarep"}
	parts := fieldsOf(val)
	if d.IsRep {
		// name, operator, value and then the same options.
		if len(parts) < 3 {
			return faultf("needs a name, an operator and a value")
		}
		switch parts[1] {
		case ">", "<":
			d.RepOp = parts[1][0]
		case "=", "==":
			d.RepOp = '='
		default:
			return faultf("%q is no operator: > < ==", clip(parts[1]))
		}
		n, err := parseUint(parts[2], 65535)
		if err != nil {
			return err
		}
		d.RepValue = n
		parts = append([]string{"isset", parts[0]}, parts[3:]...)
	}
	for i, p := range parts {
		if err := c.datasetPart(d, i, p); err != nil {
			return err
		}
	}
	if d.Name == "" {
		return faultf("needs an operation and a name")
	}
	switch {
	case d.Format == "json" || d.Format == "ndjson":
		if d.ValueKey == "" {
			return faultf("format %s needs a value_key", d.Format)
		}
		if d.ContextKey == "" {
			return faultf("format %s needs a context_key", d.Format)
		}
		if d.Op != "isset" && d.Op != "isnotset" || d.Save != "" {
			return faultf("a set of format %s cannot be changed", d.Format)
		}
	case d.ValueKey != "" || d.ContextKey != "" || d.ArrayKey != "" || d.RemoveKey:
		return faultf("keys need format json or ndjson")
	}
	if d.Subdomain && d.Type != "string" {
		return faultf("match subdomain needs type string")
	}
	if c.name == "" {
		return faultf("needs a sticky buffer before it")
	}
	return c.add(Item{Op: OpDataset, Data: d})
}

var datasetOps = []string{"set", "unset", "isset", "isnotset"}

// datasetPart reads one comma-separated part of a dataset.
func (c *context) datasetPart(d *Dataset, i int, p string) error {
	word, arg, _ := strings.Cut(p, " ")
	arg = strings.TrimSpace(arg)
	switch {
	case i == 0:
		for _, op := range datasetOps {
			if p == op {
				d.Op = p
				return nil
			}
		}
		return faultf("unknown operation %q%s", clip(p), didYouMean(p, datasetOps))
	case i == 1:
		d.Name = p
		if bitName(p) != nil {
			return faultf("%q is no name for a set", clip(p))
		}
	case word == "type":
		types := []string{"string", "md5", "sha256", "ipv4", "ip"}
		for _, t := range types {
			if arg == t {
				d.Type = arg
				return nil
			}
		}
		return faultf("unknown type %q%s", clip(arg), didYouMean(arg, types))
	case word == "load":
		d.Load = arg
	case word == "save":
		d.Save = arg
	case word == "state":
		d.Load, d.Save = arg, arg
	case word == "memcap", word == "hashsize":
		n, err := parseSize(arg)
		if err != nil {
			return err
		}
		if word == "memcap" { // sets size themselves
			d.Limit = n
		}
	case word == "format":
		switch arg {
		case "csv", "json", "ndjson":
			d.Format = arg
		case "jsonline":
			d.Format = "ndjson"
		default:
			return faultf("unknown format %q%s", clip(arg), didYouMean(arg, []string{"csv", "json", "ndjson"}))
		}
	case word == "value_key":
		d.ValueKey = arg
	case word == "array_key":
		d.ArrayKey = arg
	case word == "context_key":
		d.ContextKey = arg
	case word == "remove_key":
		d.RemoveKey = true
	case word == "match":
		switch arg {
		case "exact":
		case "subdomain":
			d.Subdomain = true
		default:
			return faultf("unknown way to match %q%s", clip(arg), didYouMean(arg, []string{"exact", "subdomain"}))
		}
	default:
		return unevaluated("dataset option " + clip(word))
	}
	return nil
}

// parseSize reads a number of bytes with an optional unit.
func parseSize(s string) (uint64, error) {
	l := strings.ToLower(strings.TrimSpace(s))
	shift := 0
	for i, u := range []string{"kb", "mb", "gb"} {
		if strings.HasSuffix(l, u) {
			l, shift = strings.TrimSpace(l[:len(l)-2]), 10*(i+1)
		}
	}
	n, err := parseUint(l, 1<<40>>shift)
	return n << shift, err
}

func (c *context) tlsVersion(_, val string) error {
	if err := c.needProto("tls"); err != nil {
		return err
	}
	versions := map[string]uint64{"1.0": 0x301, "1.1": 0x302, "1.2": 0x303, "1.3": 0x304, "sslv2": 2, "sslv3": 0x300,
		"tls1.0": 0x301, "tls1.1": 0x302, "tls1.2": 0x303, "tls1.3": 0x304}
	v := val
	if strings.HasPrefix(v, `"`) {
		var err error
		if v, _, err = unquote(v); err != nil {
			return err
		}
	}
	var pos, neg []uint64
	for i, p := range fieldsOf(v) {
		// An exclamation mark before the first version is for the whole list.
		negated := strings.HasPrefix(p, "!") || i > 0 && len(neg) > 0
		n, ok := versions[strings.ToLower(strings.TrimPrefix(p, "!"))]
		if !ok {
			if x, err := parseUint(p, 65535); err == nil && strings.HasPrefix(p, "0x") {
				n = x
			} else {
				return faultf("unknown version %q", clip(p))
			}
		}
		if negated {
			neg = append(neg, n)
		} else {
			pos = append(pos, n)
		}
	}
	if len(pos) > 0 && len(neg) > 0 {
		return faultf("mixes versions wanted and not wanted")
	}
	for _, n := range neg {
		c.r.Fields = append(c.r.Fields, FieldTest{Keyword: "tls.version", Int: IntTest{Op: '!', A: n}, Col: c.col})
	}
	if len(pos) > 0 {
		t := FieldTest{Keyword: "tls.version", Col: c.col}
		for _, n := range pos {
			t.Any = append(t.Any, IntTest{Op: '=', A: n})
		}
		c.r.Fields = append(c.r.Fields, t)
	}
	if c.env.Field == nil || !c.env.Field("tls.version") {
		return unevaluated("keyword tls.version")
	}
	return nil
}

// The states of ssl_state: each instance of the field of that name is one of
// them, a message that was seen in the direction.
const (
	StateClientHello = 1 << iota
	StateServerHello
	StateClientKeyx
	StateServerKeyx
	StateUnknown
)

func (c *context) sslState(_, val string) error {
	if err := c.needProto("tls"); err != nil {
		return err
	}
	states := map[string]uint64{"client_hello": StateClientHello, "server_hello": StateServerHello, "client_keyx": StateClientKeyx,
		"server_keyx": StateServerKeyx, "unknown": StateUnknown}
	var mask uint64
	neg := false
	for _, p := range strings.FieldsFunc(val, func(r rune) bool { return r == ',' || r == '|' }) {
		p = strings.TrimSpace(p)
		if strings.HasPrefix(p, "!") {
			neg, p = true, p[1:]
		}
		s, ok := states[strings.ToLower(p)]
		if !ok {
			return faultf("unknown state %q", clip(p))
		}
		mask |= s
	}
	if neg {
		// What is none of the states listed is one of the others.
		mask ^= 1<<5 - 1
	}
	t := FieldTest{Keyword: "ssl_state", Col: c.col}
	for _, s := range [...]uint64{StateClientHello, StateServerHello, StateClientKeyx, StateServerKeyx, StateUnknown} {
		if mask&s != 0 {
			t.Any = append(t.Any, IntTest{Op: '=', A: s})
		}
	}
	if len(t.Any) == 0 {
		return faultf("excludes every state: it can never match")
	}
	c.r.Fields = append(c.r.Fields, t)
	if c.env.Field == nil || !c.env.Field("ssl_state") {
		return unevaluated("keyword ssl_state")
	}
	return nil
}
