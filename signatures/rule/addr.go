package rule

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"sort"
	"strconv"
	"strings"

	"sluice/dataplane/decode"
)

// AddrRange is an inclusive range of addresses.
type AddrRange struct{ Lo, Hi decode.Addr }

// AddrSet is a set of addresses: sorted ranges that neither overlap nor touch.
type AddrSet struct {
	Ranges []AddrRange
	// All tells that every address is in the set.
	All bool
	// Negated tells that the set was written with an exclusion.
	Negated bool
}

var (
	addrMin decode.Addr
	addrMax = decode.Addr(bytes.Repeat([]byte{0xff}, 16))
	anyAddr = &AddrSet{All: true, Ranges: []AddrRange{{addrMin, addrMax}}}
)

// Has reports whether a is in the set.
func (s *AddrSet) Has(a *decode.Addr) bool {
	if s.All {
		return true
	}
	hi, lo := binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(a[8:])
	i, j := 0, len(s.Ranges)
	for i < j {
		h := int(uint(i+j) >> 1)
		r := &s.Ranges[h]
		rh, rl := binary.BigEndian.Uint64(r.Hi[:8]), binary.BigEndian.Uint64(r.Hi[8:])
		if rh < hi || rh == hi && rl < lo {
			i = h + 1
		} else {
			j = h
		}
	}
	if i == len(s.Ranges) {
		return false
	}
	r := &s.Ranges[i]
	lh, ll := binary.BigEndian.Uint64(r.Lo[:8]), binary.BigEndian.Uint64(r.Lo[8:])
	return lh < hi || lh == hi && ll <= lo
}

func normalise(rs []AddrRange) []AddrRange {
	sort.Slice(rs, func(i, j int) bool { return bytes.Compare(rs[i].Lo[:], rs[j].Lo[:]) < 0 })
	out := rs[:0]
	for _, r := range rs {
		if n := len(out); n > 0 {
			if next := succ(out[n-1].Hi); bytes.Compare(r.Lo[:], next[:]) <= 0 || out[n-1].Hi == addrMax {
				if bytes.Compare(r.Hi[:], out[n-1].Hi[:]) > 0 {
					out[n-1].Hi = r.Hi
				}
				continue
			}
		}
		out = append(out, r)
	}
	return out
}

func succ(a decode.Addr) decode.Addr {
	for i := 15; i >= 0; i-- {
		a[i]++
		if a[i] != 0 {
			break
		}
	}
	return a
}

func pred(a decode.Addr) decode.Addr {
	for i := 15; i >= 0; i-- {
		a[i]--
		if a[i] != 0xff {
			break
		}
	}
	return a
}

// complement gives what normalised rs leave out.
func complement(rs []AddrRange) []AddrRange {
	var out []AddrRange
	lo := addrMin
	for _, r := range rs {
		if bytes.Compare(lo[:], r.Lo[:]) < 0 {
			out = append(out, AddrRange{lo, pred(r.Lo)})
		}
		if r.Hi == addrMax {
			return out
		}
		lo = succ(r.Hi)
	}
	return append(out, AddrRange{lo, addrMax})
}

// subtract gives the addresses of normalised a that are not in normalised b.
func subtract(a, b []AddrRange) []AddrRange {
	var out []AddrRange
	c := complement(b)
	for _, r := range a {
		for _, k := range c {
			lo, hi := r.Lo, r.Hi
			if bytes.Compare(k.Lo[:], lo[:]) > 0 {
				lo = k.Lo
			}
			if bytes.Compare(k.Hi[:], hi[:]) < 0 {
				hi = k.Hi
			}
			if bytes.Compare(lo[:], hi[:]) <= 0 {
				out = append(out, AddrRange{lo, hi})
			}
		}
	}
	return out
}

// maxNesting bounds brackets and variables within variables.
const maxNesting = 32

type groups struct {
	vars  map[string]string
	addrs map[string]*AddrSet
	ports map[string]*PortSet
}

func (g *groups) lookup(name string, port bool) (string, error) {
	if v, ok := g.vars[name]; ok {
		return v, nil
	}
	var names []string
	for n := range g.vars {
		names = append(names, n)
	}
	slices.Sort(names)
	what := "address"
	if port {
		what = "port"
	}
	return "", faultf("the %s variable $%s is not defined%s", what, name, didYouMean(name, names))
}

// addr reads an address group. Equal texts give the same set.
func (g *groups) addr(s string) (*AddrSet, error) {
	s = strings.TrimSpace(s)
	if a, ok := g.addrs[s]; ok {
		return a, nil
	}
	pos, neg, err := g.addrParts(s, 0)
	if err != nil {
		return nil, err
	}
	if len(pos) == 0 {
		pos = []AddrRange{{addrMin, addrMax}}
	}
	set := &AddrSet{Ranges: normalise(pos), Negated: len(neg) > 0}
	if len(neg) > 0 {
		set.Ranges = subtract(set.Ranges, normalise(neg))
	}
	if len(set.Ranges) == 0 {
		return nil, faultf("the address group %s leaves no address", clip(s))
	}
	if len(set.Ranges) == 1 && set.Ranges[0] == (AddrRange{addrMin, addrMax}) {
		set = anyAddr
	}
	g.addrs[s] = set
	return set, nil
}

// addrParts gives what a group adds and what it takes away.
func (g *groups) addrParts(s string, depth int) (pos, neg []AddrRange, err error) {
	if depth > maxNesting {
		return nil, nil, faultf("address groups are nested more than %d deep", maxNesting)
	}
	s = strings.TrimSpace(s)
	if s == "" {
		return nil, nil, faultf("an address is missing")
	}
	if s[0] == '!' {
		p, n, err := g.addrParts(s[1:], depth+1)
		if err != nil {
			return nil, nil, err
		}
		p = normalise(p)
		if len(p) == 0 {
			p = []AddrRange{{addrMin, addrMax}}
		}
		if len(n) > 0 {
			p = subtract(p, normalise(n))
		}
		if len(p) == 1 && p[0] == (AddrRange{addrMin, addrMax}) {
			return nil, nil, faultf("!any leaves no address")
		}
		return nil, p, nil
	}
	if s[0] == '[' {
		parts, err := splitGroup(s)
		if err != nil {
			return nil, nil, err
		}
		for _, part := range parts {
			p, n, err := g.addrParts(part, depth+1)
			if err != nil {
				return nil, nil, err
			}
			pos, neg = append(pos, p...), append(neg, n...)
		}
		return pos, neg, nil
	}
	if s[0] == '$' {
		v, err := g.lookup(s[1:], false)
		if err != nil {
			return nil, nil, err
		}
		// A variable counts as one set: what it excludes is excluded from it
		// before it joins others.
		p, n, err := g.addrParts(v, depth+1)
		if err != nil {
			return nil, nil, err
		}
		if len(n) > 0 {
			if len(p) == 0 {
				p = []AddrRange{{addrMin, addrMax}}
			}
			return subtract(normalise(p), normalise(n)), nil, nil
		}
		return p, nil, nil
	}
	if strings.EqualFold(s, "any") {
		return []AddrRange{{addrMin, addrMax}}, nil, nil
	}
	r, err := parseAddr(s)
	return []AddrRange{r}, nil, err
}

func parseAddr(s string) (AddrRange, error) {
	if a, m, ok := strings.Cut(s, "/"); ok {
		ip, err := netip.ParseAddr(strings.TrimSpace(a))
		if err != nil {
			return AddrRange{}, faultf("%q is no address", clip(s))
		}
		bits, err := strconv.Atoi(m)
		if err != nil {
			// A dotted mask.
			mask, err2 := netip.ParseAddr(m)
			if err2 != nil || !mask.Is4() || !ip.Is4() {
				return AddrRange{}, faultf("%q is no network", clip(s))
			}
			v := mask.As4()
			w := binary.BigEndian.Uint32(v[:])
			for bits = 0; bits < 32 && w<<bits>>31 == 1; bits++ {
			}
		}
		p, err := ip.Prefix(bits)
		if err != nil {
			return AddrRange{}, faultf("%q has no valid prefix length", clip(s))
		}
		if ip.Is4() {
			bits += 96
		}
		lo := decode.AddrFrom(p.Addr())
		hi := lo
		for i := bits; i < 128; i++ {
			hi[i/8] |= 0x80 >> (i % 8)
		}
		return AddrRange{lo, hi}, nil
	}
	if a, b, ok := strings.Cut(s, "-"); ok {
		lo, err1 := netip.ParseAddr(strings.TrimSpace(a))
		hi, err2 := netip.ParseAddr(strings.TrimSpace(b))
		if err1 != nil || err2 != nil || lo.Is4() != hi.Is4() || hi.Less(lo) {
			return AddrRange{}, faultf("%q is no range of addresses", clip(s))
		}
		return AddrRange{decode.AddrFrom(lo), decode.AddrFrom(hi)}, nil
	}
	ip, err := netip.ParseAddr(s)
	if err != nil || ip.Zone() != "" {
		return AddrRange{}, faultf("%q is no address", clip(s))
	}
	a := decode.AddrFrom(ip)
	return AddrRange{a, a}, nil
}

// splitGroup gives the parts of [a,b,[c,d]] at the outermost level.
func splitGroup(s string) ([]string, error) {
	depth, start := 0, 1
	var parts []string
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '[':
			depth++
		case ']':
			if depth--; depth == 0 {
				if strings.TrimSpace(s[i+1:]) != "" {
					return nil, faultf("%q follows the closing bracket", clip(s[i+1:]))
				}
				if last := strings.TrimSpace(s[start:i]); last != "" || len(parts) == 0 {
					parts = append(parts, last)
				}
				return parts, nil
			}
		case ',':
			if depth == 1 {
				parts = append(parts, strings.TrimSpace(s[start:i]))
				start = i + 1
			}
		}
	}
	return nil, faultf("%q has no closing bracket", clip(s))
}

func clip(s string) string {
	if len(s) > 60 {
		return s[:57] + "..."
	}
	return s
}
