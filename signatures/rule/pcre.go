package rule

import (
	"errors"
	"strings"

	"sluice/internal/pcre"
)

func (c *context) pcre(_, val string) error {
	v := strings.TrimSpace(val)
	it := Item{Op: OpPCRE}
	if strings.HasPrefix(v, "!") {
		it.Neg, v = true, strings.TrimSpace(v[1:])
	}
	switch {
	case len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"':
		v = v[1 : len(v)-1]
	case len(v) < 2 || v[0] == '"' || v[len(v)-1] == '"':
		return faultf("the value has one quote only; a semicolon inside of quotes is written \\;")
	}
	if len(v) > 1 && v[0] == 'm' && v[1] != '/' {
		return faultf("the expression needs slashes: \"/…/flags\"")
	}
	v = strings.TrimPrefix(v, "m")
	end := strings.LastIndexByte(v, '/')
	if len(v) < 2 || v[0] != '/' || end == 0 {
		return faultf("the expression needs slashes: \"/…/flags\"")
	}
	expr, tail := v[1:end], v[end+1:]
	flags, names, hasNames := strings.Cut(tail, ",")
	p := &PCRE{}
	buffer := ""
	for i := 0; i < len(flags); i++ {
		switch f := flags[i]; f {
		case 'i':
			p.Flags |= pcre.Caseless
		case 's':
			p.Flags |= pcre.DotAll
		case 'm':
			p.Flags |= pcre.MultiLine
		case 'x':
			p.Flags |= pcre.Extended
		case 'A':
			p.Flags |= pcre.Anchored
		case 'E':
			p.Flags |= pcre.DollarEnd
		case 'G':
			p.Flags |= pcre.Ungreedy
		case 'R':
			it.Relative = true
		case 'B':
			it.Rawbytes = true
		case 'O':
		case ' ':
		default:
			b, ok := pcreBuffers[f]
			if !ok {
				return faultf("unknown flag %q", f)
			}
			if buffer != "" && buffer != b {
				return faultf("the flags name two buffers: %s and %s", buffer, b)
			}
			buffer = b
		}
	}
	// The rule's escapes are not the expression's.
	p.Expr = strings.ReplaceAll(expr, `\;`, `;`)
	re, err := pcre.Compile(p.Expr, p.Flags)
	if err != nil {
		var pe *pcre.Error
		if errors.As(err, &pe) {
			return faultf("the expression does not compile: %s at byte %d", pe.Reason, pe.Offset+1)
		}
		return err
	}
	p.Re = re
	if err := p.captures(names, hasNames); err != nil {
		return err
	}
	it.PCRE = p
	if buffer == "" || buffer == "http.response_body" && c.name == "file.data" {
		return c.add(it)
	}
	if c.name != "" && c.name != buffer {
		return faultf("the flag for %s cannot follow the sticky buffer %s", buffer, c.name)
	}
	it.Col = c.col
	r, err := c.addTo(buffer, it)
	if err == nil {
		c.last = r
	}
	return err
}

// captures reads `flow:name, pkt:name` after the flags, and groups whose names
// begin with a scope.
func (p *PCRE) captures(names string, has bool) error {
	if has {
		for i, n := range fieldsOf(names) {
			scope, name, ok := strings.Cut(n, ":")
			if !ok || name == "" || scope != "flow" && scope != "pkt" && scope != "alert" {
				return faultf("%q is no capture: flow:name, pkt:name or alert:name", clip(n))
			}
			if i >= p.Re.Captures {
				return faultf("the expression has %d groups, and capture %d is wanted", p.Re.Captures, i+1)
			}
			p.Captures = append(p.Captures, Capture{Group: i + 1, Scope: scope, Name: name})
		}
	}
	for n, g := range p.Re.Names {
		for _, scope := range []string{"flow", "pkt", "alert"} {
			if name, ok := strings.CutPrefix(n, scope+"_"); ok {
				p.Captures = append(p.Captures, Capture{Group: g, Scope: scope, Name: name})
			}
		}
	}
	return nil
}
