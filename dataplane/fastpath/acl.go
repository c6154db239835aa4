package fastpath

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/gaissmai/bart"
)

// Segmentation says who may speak to whom: rules between zones, of which the
// first that matches decides, and what none matches passes. Of TCP only the
// packet that opens a connection is judged, so that answers pass and open
// connections go on. Of all else every packet is, and answers pass for as long
// as who was allowed to begin goes on. ICMP errors and neighbour discovery
// always pass. The zero value restricts nothing.
type Segmentation struct {
	// Zones are prefixes by name; of several that hold an address the longest
	// decides.
	Zones map[string][]netip.Prefix
	Rules []SegmentRule
}

// SegmentRule is one rule between zones.
type SegmentRule struct {
	// Name is told in samples and counted.
	Name string
	// From and To are zones; ZoneAny is every address, ZoneOther those in no zone.
	From, To string
	// Proto is an IP protocol number of which 1 stands for ICMPv6 too; 0 is all.
	Proto uint8
	// Ports are the destination's, where Proto is TCP, UDP or SCTP; none are all.
	Ports []PortRange
	Drop  bool
}

// PortRange is the ports from First to Last.
type PortRange struct{ First, Last uint16 }

// Names of zones that need no prefixes.
const (
	ZoneAny   = "any"
	ZoneOther = "other"
)

// Bounds of a Segmentation.
const (
	MaxZones        = aclZones - 1
	MaxSegmentRules = aclRules - 1
	maxZonePrefixes = 1 << 14
)

// segmentation is what is in force. The FastPath's lock guards it.
type segmentation struct {
	on    bool
	other bool // which of the two sets holds
	rules []string
	// zones is of the set that holds, in prefixes the kernel has.
	zones *bart.Table[uint16]
}

func (s *segmentation) active() uint32 {
	switch {
	case !s.on:
		return 0
	case s.other:
		return activeACL | activeACLOther
	}
	return activeACL
}

// name gives a rule's name by its number in the kernel.
func (s *segmentation) name(n uint32) string {
	if n == 0 || int64(n) > int64(len(s.rules)) {
		return ""
	}
	return s.rules[n-1]
}

// compiled is a Segmentation in the kernel's terms.
type compiled struct {
	zones *bart.Table[uint16]
	cells []aclCell
	names []string
}

// classes of protocols, enum sluice_acl_class, with the numbers that stand for
// them in rules.
var classProtos = [aclClasses]uint8{6, 17, 132, 1, 0}

const classOther = aclClasses - 1

func (s *Segmentation) compile() (*compiled, error) {
	c := &compiled{zones: new(bart.Table[uint16]), cells: make([]aclCell, aclCells)}
	if len(s.Zones) > MaxZones {
		return nil, fmt.Errorf("%d zones, the most is %d", len(s.Zones), MaxZones)
	}
	if len(s.Rules) > MaxSegmentRules {
		return nil, fmt.Errorf("%d rules, the most is %d", len(s.Rules), MaxSegmentRules)
	}
	ids := map[string]uint16{ZoneOther: 0}
	for _, name := range slices.Sorted(maps.Keys(s.Zones)) {
		if name == ZoneAny || name == ZoneOther || name == "" {
			return nil, fmt.Errorf("zone %q: the name has a meaning of its own", name)
		}
		id := uint16(len(ids))
		ids[name] = id
		for _, p := range s.Zones[name] {
			p, err := canonical(p)
			if err != nil {
				return nil, fmt.Errorf("zone %s: %w", name, err)
			}
			if old, ok := c.zones.Get(p); ok && old != id {
				return nil, fmt.Errorf("zone %s: %s is in another zone too", name, p)
			}
			c.zones.Insert(p, id)
		}
	}
	if n := c.zones.Size(); n > maxZonePrefixes {
		return nil, fmt.Errorf("%d prefixes in zones, the most is %d", n, maxZonePrefixes)
	}
	var byPair [aclZones * aclZones][]int
	for i := range s.Rules {
		r := &s.Rules[i]
		c.names = append(c.names, r.Name)
		from, err := zonesOf(r.From, ids)
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", r.Name, err)
		}
		to, err := zonesOf(r.To, ids)
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", r.Name, err)
		}
		for _, p := range r.Ports {
			if p.Last < p.First || r.Proto != 6 && r.Proto != 17 && r.Proto != 132 {
				return nil, fmt.Errorf("rule %s: ports %d to %d of protocol %d", r.Name, p.First, p.Last, r.Proto)
			}
		}
		for _, a := range from {
			for _, b := range to {
				pair := int(a)*aclZones + int(b)
				byPair[pair] = append(byPair[pair], i)
			}
		}
	}
	for pair, rules := range byPair {
		if len(rules) == 0 {
			continue
		}
		for class := range aclClasses {
			if err := c.cells[pair*aclClasses+class].fill(s.Rules, rules, class); err != nil {
				return nil, err
			}
		}
		c.unparsed(pair, s.Rules, rules)
	}
	c.remember()
	return c, nil
}

// zonesOf gives the numbers that a rule's word stands for.
func zonesOf(word string, ids map[string]uint16) ([]uint16, error) {
	if word == ZoneAny {
		var all []uint16
		for i := range len(ids) {
			all = append(all, uint16(i))
		}
		return all, nil
	}
	id, ok := ids[word]
	if !ok {
		return nil, fmt.Errorf("no zone %q", word)
	}
	return []uint16{id}, nil
}

// matches reports whether a rule speaks of a class of protocols. A protocol
// beyond the classes has none of its own: a rule cannot name it.
func (r *SegmentRule) matches(class int) bool {
	return r.Proto == 0 || class != classOther && r.Proto == classProtos[class]
}

func (r *SegmentRule) hasPort(port uint16) bool {
	for _, p := range r.Ports {
		if p.First <= port && port <= p.Last {
			return true
		}
	}
	return len(r.Ports) == 0
}

// number is a rule as the kernel has it.
func (r *SegmentRule) number(i int) uint16 {
	n := uint16(i + 1)
	if r.Drop {
		n |= aclDrop
	}
	return n
}

// fill flattens the rules of a pair, in their order, to ranges of ports that do
// not overlap.
func (c *aclCell) fill(all []SegmentRule, rules []int, class int) error {
	starts := []uint32{0}
	for _, i := range rules {
		if r := &all[i]; r.matches(class) {
			for _, p := range r.Ports {
				starts = append(starts, uint32(p.First), uint32(p.Last)+1)
			}
		}
	}
	slices.Sort(starts)
	for _, port := range slices.Compact(starts) {
		if port > 0xffff {
			break
		}
		var rule uint16
		for _, i := range rules {
			if r := &all[i]; r.matches(class) && r.hasPort(uint16(port)) {
				rule = r.number(i)
				break
			}
		}
		if c.N > 0 && c.Ranges[c.N-1].Rule == rule {
			continue
		}
		if c.N == aclRanges {
			r := &all[rules[len(rules)-1]]
			return fmt.Errorf("rule %s: more than %d ranges of ports from zone %s to zone %s", r.Name, aclRanges, r.From, r.To)
		}
		c.Ranges[c.N] = aclRange{First: uint16(port), Rule: rule}
		c.N++
	}
	if c.N == 1 && c.Ranges[0].Rule == 0 {
		c.N = 0
	}
	return nil
}

// unparsed has packets whose ports cannot be read share the fate of the worst
// that they could hold.
func (c *compiled) unparsed(pair int, all []SegmentRule, rules []int) {
	cell := &c.cells[pair*aclClasses+classOther]
	for _, i := range rules {
		if all[i].Drop {
			cell.Unparsed = all[i].number(i)
			return
		}
	}
}

// remember has the kernel note who began where the way back is restricted.
func (c *compiled) remember() {
	for a := range aclZones {
		for b := range aclZones {
			for class := range aclClasses {
				back := &c.cells[(b*aclZones+a)*aclClasses+class]
				for _, r := range back.Ranges[:back.N] {
					if r.Rule&aclDrop != 0 {
						c.cells[(a*aclZones+b)*aclClasses+class].State = 1
					}
				}
			}
		}
	}
}

// prepareSegmentation writes a set where it does not hold yet, and gives what is
// to be f.acl to put it in force. Then done forgets the set before; back forgets
// this one instead, and what was written of it when there is an error. Neither is
// nil. The caller holds mu.
func (f *FastPath) prepareSegmentation(c *compiled, on bool) (next segmentation, back, done func() error, err error) {
	none := func() error { return nil }
	if !on {
		next = f.acl
		next.on, next.rules = false, nil
		return next, none, none, nil
	}
	old := f.acl.zones
	next = segmentation{on: true, other: !f.acl.other, rules: c.names, zones: c.zones}
	back = func() error { return f.forgetZones(c.zones, old) }
	if err := f.writeSegmentation(c, next.other); err != nil {
		return next, back, none, fmt.Errorf("segmentation: %w", err)
	}
	return next, back, func() error { return f.forgetZones(old, c.zones) }, nil
}

// writeSegmentation writes the set that does not hold yet.
func (f *FastPath) writeSegmentation(c *compiled, other bool) error {
	base, ruleBase := uint32(0), uint32(0)
	if other {
		base, ruleBase = aclCells, aclRules
	}
	none := make([]listCounter, ebpf.MustPossibleCPU())
	for i := range uint32(aclRules) {
		if err := f.xdp.AclRules.Put(ruleBase+i, none); err != nil {
			return fmt.Errorf("clear the rules' counters: %w", err)
		}
	}
	keys := make([]uint32, len(c.cells))
	for i := range keys {
		keys[i] = base + uint32(i)
	}
	if _, err := f.xdp.Acl.BatchUpdate(keys, c.cells, nil); err != nil {
		return fmt.Errorf("write the rules: %w", err)
	}
	// Each prefix of either set has the zones of both, since the longest one
	// decides for both.
	old := f.acl.zones
	if old == nil {
		old = new(bart.Table[uint16])
	}
	for _, table := range []*bart.Table[uint16]{c.zones, old} {
		for p := range table.All() {
			was, is := zoneIn(old, p), zoneIn(c.zones, p)
			v := uint32(is) | uint32(was)<<16
			if other {
				v = uint32(was) | uint32(is)<<16
			}
			err := f.fault("zones")
			if err == nil {
				err = f.putZone(p, v)
			}
			if err != nil {
				return fmt.Errorf("write the zones: %w", err)
			}
		}
	}
	return nil
}

// zoneIn gives the zone of a prefix's addresses, 0 for none.
func zoneIn(t *bart.Table[uint16], p netip.Prefix) uint16 {
	_, id, _ := t.LookupPrefixLPM(p)
	return id
}

func (f *FastPath) putZone(p netip.Prefix, v uint32) error {
	if p.Addr().Is4() {
		return f.xdp.Zone4.Put(lpm4{uint32(p.Bits()), p.Addr().As4()}, v)
	}
	return f.xdp.Zone6.Put(lpm6{uint32(p.Bits()), p.Addr().As16()}, v)
}

// forgetZones takes out the prefixes of one set that another has not. Either may
// be nil.
func (f *FastPath) forgetZones(old, now *bart.Table[uint16]) error {
	if old == nil {
		return nil
	}
	var errs []error
	for p := range old.All() {
		if now != nil {
			if _, ok := now.Get(p); ok {
				continue
			}
		}
		var err error
		if p.Addr().Is4() {
			err = f.xdp.Zone4.Delete(lpm4{uint32(p.Bits()), p.Addr().As4()})
		} else {
			err = f.xdp.Zone6.Delete(lpm6{uint32(p.Bits()), p.Addr().As16()})
		}
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			errs = append(errs, fmt.Errorf("forget zone of %s: %w", p, err))
		}
	}
	return errors.Join(errs...)
}

// RuleCount is how often a rule of the segmentation has spoken since it is in
// force.
type RuleCount struct {
	Rule string
	Count
}

// SegmentCounters gives the counts of all rules, in their order.
func (f *FastPath) SegmentCounters() ([]RuleCount, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, ErrClosed
	}
	base := uint32(0)
	if f.acl.other {
		base = aclRules
	}
	var out []RuleCount
	var perCPU []listCounter
	for i, name := range f.acl.rules {
		if err := f.xdp.AclRules.Lookup(base+uint32(i)+1, &perCPU); err != nil {
			return nil, fmt.Errorf("read the rules' counters: %w", err)
		}
		n := RuleCount{Rule: name}
		for _, c := range perCPU {
			n.Packets += c.Packets
			n.Bytes += c.Bytes
		}
		out = append(out, n)
	}
	return out, nil
}
