package engine

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sort"

	"sluice/dataplane/decode"
	"sluice/signatures/rule"
)

// packetSet is what packets of one class and direction are matched against.
type packetSet struct {
	// packetDBs find the rules with a fast pattern in the payload.
	packetDBs
	// once are rules judged on the first packet of a flow's direction, syn
	// those that need SYN, every all others.
	once, syn, every ruleIndex
}

// ruleIndex finds rules without content by what is most telling of them: a
// port or an address. A packet that concerns none touches next to nothing.
type ruleIndex struct {
	any          []uint32
	dport, sport portTable[[]uint32]
	src, dst     addrIndex
}

func (x *ruleIndex) collect(m *Matcher, p *decode.Packet) {
	for _, r := range x.any {
		m.nominate(r)
	}
	if l, ok := x.dport.at(p.DstPort); ok {
		for _, r := range l {
			m.nominate(r)
		}
	}
	if l, ok := x.sport.at(p.SrcPort); ok {
		for _, r := range l {
			m.nominate(r)
		}
	}
	if len(x.src.los) > 0 {
		for _, r := range m.byAddr(&x.src, &p.Src) {
			m.nominate(r)
		}
	}
	if len(x.dst.los) > 0 {
		for _, r := range m.byAddr(&x.dst, &p.Dst) {
			m.nominate(r)
		}
	}
}

// addrMemo is the last answer of an addrIndex: packets come in trains between
// the same addresses.
type addrMemo struct {
	addr  decode.Addr
	known bool
	rules []uint32
}

// byAddr gives the rules of an address.
func (m *Matcher) byAddr(x *addrIndex, a *decode.Addr) []uint32 {
	l := &m.addrs[x.num]
	if !l.known || l.addr != *a {
		l.addr, l.known, l.rules = *a, true, x.find(a)
	}
	return l.rules
}

// addrIndex cuts the addresses into intervals; each knows its rules.
type addrIndex struct {
	los   []key128
	rules [][]uint32
	// num is its place among the Engine's.
	num int
}

type key128 struct{ hi, lo uint64 }

func keyOf(a *decode.Addr) key128 {
	return key128{binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(a[8:])}
}

// find gives the rules of the interval that holds a.
func (x *addrIndex) find(a *decode.Addr) []uint32 {
	k := keyOf(a)
	i, j := 0, len(x.los)
	for i < j {
		h := int(uint(i+j) >> 1)
		if l := &x.los[h]; l.hi < k.hi || l.hi == k.hi && l.lo <= k.lo {
			i = h + 1
		} else {
			j = h
		}
	}
	if i == 0 {
		return nil
	}
	return x.rules[i-1]
}

// addrRule is an interval of a rule on its way into an addrIndex.
type addrRule struct {
	r    rule.AddrRange
	rule uint32
}

func buildAddrs(in []addrRule) addrIndex {
	if len(in) == 0 {
		return addrIndex{}
	}
	type edge struct {
		at    decode.Addr
		rule  uint32
		leave bool
	}
	var edges []edge
	for _, a := range in {
		edges = append(edges, edge{a.r.Lo, a.rule, false})
		if next, ok := after(a.r.Hi); ok {
			edges = append(edges, edge{next, a.rule, true})
		}
	}
	sort.Slice(edges, func(i, j int) bool { return bytes.Compare(edges[i].at[:], edges[j].at[:]) < 0 })
	var x addrIndex
	live := map[uint32]int{}
	for i := 0; i < len(edges); {
		at := edges[i].at
		for ; i < len(edges) && edges[i].at == at; i++ {
			if edges[i].leave {
				if live[edges[i].rule]--; live[edges[i].rule] == 0 {
					delete(live, edges[i].rule)
				}
			} else {
				live[edges[i].rule]++
			}
		}
		var rs []uint32
		for r := range live {
			rs = append(rs, r)
		}
		slices.Sort(rs)
		x.los = append(x.los, keyOf(&at))
		x.rules = append(x.rules, rs)
	}
	return x
}

func after(a decode.Addr) (decode.Addr, bool) {
	for i := 15; i >= 0; i-- {
		a[i]++
		if a[i] != 0 {
			return a, true
		}
	}
	return a, false
}

type indexBuilder struct {
	x        ruleIndex
	src, dst []addrRule
	// uses counts the rules by address set.
	uses map[*rule.AddrSet]int
}

type packetIndexBuilder struct{ once, syn, every indexBuilder }

// count tells the builder how often address sets are used.
func (b *packetIndexBuilder) count(uses map[*rule.AddrSet]int) {
	b.once.uses, b.syn.uses, b.every.uses = uses, uses, uses
}

func (b *packetIndexBuilder) add(c *crule) {
	switch {
	case c.once && len(c.tests) == 0:
		b.once.add(c)
	case needsSyn(c):
		b.syn.add(c)
	default:
		b.every.add(c)
	}
}

// needsSyn reports whether only packets with SYN can pass the rule's flags.
func needsSyn(c *crule) bool {
	for i := range c.tests {
		t := &c.tests[i]
		if t.Kind == rule.TestTCPFlags && t.Flags&decode.TCPSyn != 0 && (t.Mode == 0 || t.Mode == '+') {
			return true
		}
	}
	return false
}

// telling bounds the ranges of an address set and the ports of a port set that
// are worth an index of their own.
const (
	tellingRanges = 8192
	tellingPorts  = 64
)

// wide reports whether a set covers so much that it tells nothing.
func wide(s *rule.AddrSet) bool {
	if s.All || len(s.Ranges) > tellingRanges {
		return true
	}
	for _, r := range s.Ranges {
		lo, hi := keyOf(&r.Lo), keyOf(&r.Hi)
		// More than a /8 of IPv4, or of IPv6 more than a /32.
		if hi.hi-lo.hi > 1<<32 || hi.hi == lo.hi && hi.lo-lo.lo > 1<<24 && lo.hi == 0 {
			return true
		}
	}
	return false
}

func (b *indexBuilder) add(c *crule) {
	put := func(t *portTable[[]uint32], s *rule.PortSet) {
		for _, r := range s.Ranges {
			for p := int(r.Lo); p <= int(r.Hi); p++ {
				l, _ := t.at(uint16(p))
				t.set(uint16(p), append(l, c.idx))
			}
		}
	}
	// The test that holds most rarely stands for the rule.
	best, by := 1.0, 0
	choose := func(n int, share float64) {
		if share < best {
			best, by = share, n
		}
	}
	if !c.Bidirectional && !c.Transactional {
		choose(bySrc, b.share(c.Src))
		choose(byDst, b.share(c.Dst))
		if c.Proto.Transport == rule.TCP || c.Proto.Transport == rule.UDP {
			choose(byDPort, portShare(c.DstPort))
			choose(bySPort, portShare(c.SrcPort))
		}
	}
	switch by {
	case bySrc:
		for _, r := range c.Src.Ranges {
			b.src = append(b.src, addrRule{r, c.idx})
		}
	case byDst:
		for _, r := range c.Dst.Ranges {
			b.dst = append(b.dst, addrRule{r, c.idx})
		}
	case byDPort:
		put(&b.x.dport, c.DstPort)
	case bySPort:
		put(&b.x.sport, c.SrcPort)
	default:
		b.x.any = append(b.x.any, c.idx)
	}
}

// What a rule can be found by.
const (
	bySrc = 1 + iota
	byDst
	byDPort
	bySPort
)

// addrUses counts the rules that use each address set. Sets that are equal count
// together, whatever the rules call them.
func addrUses(rules []crule) map[*rule.AddrSet]int {
	keys, uses := map[*rule.AddrSet]string{}, map[string]int{}
	note := func(s *rule.AddrSet) {
		k, ok := keys[s]
		if !ok {
			b := make([]byte, 0, 32*len(s.Ranges))
			for _, r := range s.Ranges {
				b = append(append(b, r.Lo[:]...), r.Hi[:]...)
			}
			k = string(b)
			keys[s] = k
		}
		uses[k]++
	}
	for i := range rules {
		note(rules[i].Src)
		note(rules[i].Dst)
	}
	out := make(map[*rule.AddrSet]int, len(keys))
	for s, k := range keys {
		out[s] = uses[k]
	}
	return out
}

// commonUses is how many rules use an address set that stands for the network
// that is watched, or for the rest of the world: traffic is to and from these.
const commonUses = 100

// share estimates the share of traffic that an address set concerns.
func (b *indexBuilder) share(s *rule.AddrSet) float64 {
	if wide(s) {
		return 1
	}
	if b.uses[s] > commonUses {
		return 0.5
	}
	n := 0.0
	for _, r := range s.Ranges {
		lo, hi := keyOf(&r.Lo), keyOf(&r.Hi)
		if lo.hi == 0 {
			n += (float64(hi.lo-lo.lo) + 1) / (1 << 32)
		} else {
			n += (float64(hi.hi-lo.hi) + 1) / (1 << 48)
		}
	}
	return min(n, 0.5)
}

// portShare does so for ports.
func portShare(s *rule.PortSet) float64 {
	if s.All || s.Size() > tellingPorts {
		return 1
	}
	for _, p := range usualPorts {
		if s.Has(p) {
			return 0.3
		}
	}
	return float64(s.Size()) / 65536
}

func (b *indexBuilder) build(e *Engine) ruleIndex {
	b.x.src, b.x.dst = buildAddrs(b.src), buildAddrs(b.dst)
	b.x.src.num, b.x.dst.num = e.addrIndexes, e.addrIndexes+1
	e.addrIndexes += 2
	return b.x
}

func (b *packetIndexBuilder) build(e *Engine) packetSet {
	return packetSet{once: b.once.build(e), syn: b.syn.build(e), every: b.every.build(e)}
}
