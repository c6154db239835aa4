package rule

import (
	"sort"
	"strconv"
	"strings"
)

// PortRange is an inclusive range of ports.
type PortRange struct{ Lo, Hi uint16 }

// PortSet is a set of ports: sorted ranges that neither overlap nor touch.
type PortSet struct {
	Ranges []PortRange
	All    bool
}

var anyPort = &PortSet{All: true, Ranges: []PortRange{{0, 65535}}}

// Has reports whether p is in the set.
func (s *PortSet) Has(p uint16) bool {
	if s.All {
		return true
	}
	for i := range s.Ranges {
		if p <= s.Ranges[i].Hi {
			return p >= s.Ranges[i].Lo
		}
	}
	return false
}

// Size counts the ports of the set.
func (s *PortSet) Size() int {
	n := 0
	for _, r := range s.Ranges {
		n += int(r.Hi) - int(r.Lo) + 1
	}
	return n
}

func (g *groups) port(s string) (*PortSet, error) {
	s = strings.TrimSpace(s)
	if p, ok := g.ports[s]; ok {
		return p, nil
	}
	var bits [65536]int8
	any, err := g.portParts(s, 0, &bits)
	if err != nil {
		return nil, err
	}
	set := &PortSet{}
	for i := 0; i < 65536; i++ {
		if v := bits[i]; v < 0 || v == 0 && !any {
			continue
		}
		if n := len(set.Ranges); n > 0 && int(set.Ranges[n-1].Hi) == i-1 {
			set.Ranges[n-1].Hi = uint16(i)
		} else {
			set.Ranges = append(set.Ranges, PortRange{uint16(i), uint16(i)})
		}
	}
	if len(set.Ranges) == 0 {
		return nil, faultf("the port group %s leaves no port", clip(s))
	}
	if len(set.Ranges) == 1 && set.Ranges[0] == (PortRange{0, 65535}) {
		set = anyPort
	}
	g.ports[s] = set
	return set, nil
}

// portParts marks ports with 1 (in) or -1 (out) and tells whether unmarked
// ones are in: when nothing is named but exclusions.
func (g *groups) portParts(s string, depth int, bits *[65536]int8) (rest bool, err error) {
	var pos, neg []PortRange
	if pos, neg, err = g.portRanges(s, depth); err != nil {
		return false, err
	}
	for _, r := range pos {
		for i := int(r.Lo); i <= int(r.Hi); i++ {
			bits[i] = 1
		}
	}
	for _, r := range neg {
		for i := int(r.Lo); i <= int(r.Hi); i++ {
			bits[i] = -1
		}
	}
	return len(pos) == 0, nil
}

func (g *groups) portRanges(s string, depth int) (pos, neg []PortRange, err error) {
	s = strings.TrimSpace(s)
	switch {
	case depth > maxNesting:
		return nil, nil, faultf("port groups are nested more than %d deep", maxNesting)
	case s == "":
		return nil, nil, faultf("a port is missing")
	case s[0] == '!':
		p, n, err := g.portRanges(s[1:], depth+1)
		if err == nil && len(p) == 1 && p[0] == (PortRange{0, 65535}) {
			err = faultf("!any leaves no port")
		}
		if err == nil && len(p) == 0 {
			// The negation of a group of exclusions is what they exclude.
			return n, nil, nil
		}
		return nil, minus(p, n), err
	case s[0] == '[':
		parts, err := splitGroup(s)
		if err != nil {
			return nil, nil, err
		}
		for _, part := range parts {
			p, n, err := g.portRanges(part, depth+1)
			if err != nil {
				return nil, nil, err
			}
			pos, neg = append(pos, p...), append(neg, n...)
		}
		return pos, neg, nil
	case s[0] == '$':
		v, err := g.lookup(s[1:], true)
		if err != nil {
			return nil, nil, err
		}
		return g.portRanges(v, depth+1)
	case strings.EqualFold(s, "any"):
		return []PortRange{{0, 65535}}, nil, nil
	}
	lo, hi, isRange := strings.Cut(s, ":")
	r := PortRange{0, 65535}
	if lo = strings.TrimSpace(lo); lo != "" {
		n, err := strconv.ParseUint(lo, 10, 16)
		if err != nil {
			return nil, nil, faultf("%q is no port", clip(s))
		}
		r.Lo = uint16(n)
	}
	if hi = strings.TrimSpace(hi); hi != "" {
		n, err := strconv.ParseUint(hi, 10, 16)
		if err != nil {
			return nil, nil, faultf("%q is no port", clip(s))
		}
		r.Hi = uint16(n)
	} else if !isRange {
		r.Hi = r.Lo
	}
	if r.Lo > r.Hi || lo == "" && hi == "" {
		return nil, nil, faultf("%q is no range of ports", clip(s))
	}
	return []PortRange{r}, nil, nil
}

// minus gives the ports of a that are not in b.
func minus(a, b []PortRange) []PortRange {
	if len(b) == 0 {
		return a
	}
	sort.Slice(b, func(i, j int) bool { return b[i].Lo < b[j].Lo })
	var out []PortRange
	for _, r := range a {
		lo := int(r.Lo)
		for _, x := range b {
			if int(x.Hi) < lo || x.Lo > r.Hi {
				continue
			}
			if int(x.Lo) > lo {
				out = append(out, PortRange{uint16(lo), x.Lo - 1})
			}
			lo = int(x.Hi) + 1
		}
		if lo <= int(r.Hi) {
			out = append(out, PortRange{uint16(lo), r.Hi})
		}
	}
	return out
}
