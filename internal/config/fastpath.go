package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// FastPath tunes what the kernel drops by itself. All but the max-… settings
// take hold on a reload.
type FastPath struct {
	// AllowLists are addresses that nothing in the kernel drops: neither block
	// lists nor quarantine, segmentation or rate limits.
	AllowLists []AllowList `yaml:"allow-lists"`
	// Malformed says which impossible packets are dropped.
	Malformed Malformed `yaml:"malformed"`
	// RateLimits bound packets a second; none is set by default.
	RateLimits RateLimits `yaml:"rate-limits"`
	// MaxPrefixes bounds the block list entries of one address family, MaxFlows
	// the dropped flows, MaxSources the sources that rate limits remember (and as
	// many destinations), MaxQuarantined the hosts in quarantine.
	MaxPrefixes    int `yaml:"max-prefixes" min:"1" max:"67108864"`
	MaxFlows       int `yaml:"max-flows" min:"1" max:"16777216"`
	MaxSources     int `yaml:"max-sources" min:"1" max:"16777216"`
	MaxQuarantined int `yaml:"max-quarantined" min:"1" max:"1048576"`
	// Samples is how many drops are shown in full a second, for each reason and
	// CPU; all are counted. 0 shows none.
	Samples int `yaml:"samples" min:"0" max:"10000"`
}

// AllowList is one list of addresses and prefixes.
type AllowList struct {
	// Name tells lists apart.
	Name string `yaml:"name"`
	// File holds one address or prefix a line.
	File string `yaml:"file"`
}

// Malformed says which impossible packets are dropped. Auto does so inline, where
// the kernel's program runs on a port anyway; beside the wire they are left for
// the signatures to see.
type Malformed struct {
	// LAND has the same address and port as source and destination.
	LAND string `yaml:"land" enum:"auto|yes|no"`
	// TCPFlags are those no stack sends: SYN with FIN or RST, FIN without ACK, none.
	TCPFlags string `yaml:"tcp-flags" enum:"auto|yes|no"`
	// Length is of headers whose lengths contradict each other.
	Length string `yaml:"length" enum:"auto|yes|no"`
}

// RateLimits bound packets a second.
type RateLimits struct {
	// SYN, UDP and ICMP are for each source address (of IPv6, its /64).
	SYN  RateLimit `yaml:"syn"`
	UDP  RateLimit `yaml:"udp"`
	ICMP RateLimit `yaml:"icmp"`
	// NewFlows are TCP connections to one destination address, whoever asks: a
	// flood of made-up sources escapes the limits of each.
	NewFlows RateLimit `yaml:"new-flows"`
}

// RateLimit is a token bucket.
type RateLimit struct {
	// PerSecond is how many pass a second; 0 is no limit.
	PerSecond int `yaml:"per-second" min:"0" max:"100000000"`
	// Burst is how many pass at once after a pause; as many as PerSecond when 0.
	Burst int `yaml:"burst" min:"0" max:"100000000"`
}

// Segmentation says who may speak to whom, in the kernel. The first rule that
// matches decides, and what none matches passes. Of TCP the packet that opens a
// connection is judged; of all else each, but answers to who was allowed to begin.
type Segmentation struct {
	// Zones are prefixes by name; the longest that holds an address decides.
	// "other" are the addresses in none, "any" all.
	Zones map[string][]Prefix `yaml:"zones"`
	// Rules are tried in order.
	Rules []SegmentRule `yaml:"rules"`
}

// SegmentRule is one rule between zones.
type SegmentRule struct {
	// Name appears in events.
	Name string `yaml:"name"`
	// From and To are zones.
	From string `yaml:"from"`
	To   string `yaml:"to"`
	// Protocol is the rule's; empty is any.
	Protocol string `yaml:"protocol" enum:"any|tcp|udp|sctp|icmp"`
	// Ports are the destination's ports or ranges ("22", "8000-8080"); empty is all.
	Ports []PortRange `yaml:"ports"`
	// Action says what becomes of it; there is no default.
	Action string `yaml:"action" enum:"allow|drop"`
}

// Quarantine is for hosts whose egress a policy or an operator has stopped.
type Quarantine struct {
	// Allow lists what such a host still reaches: an address or prefix, then
	// optionally a protocol and ports ("10.9.0.53 udp/53"). ARP, neighbour
	// discovery and asking for an address by broadcast always work.
	Allow []Reachable `yaml:"allow"`
	// LinkAddress holds a host whom a policy puts in quarantine by its link-layer
	// address too, and so by all its IP addresses. Only where no router stands
	// between the hosts and this one: its address would be that of all behind it.
	LinkAddress bool `yaml:"link-address"`
	// TTL ends a quarantine; 0 leaves that to the operator.
	TTL Duration `yaml:"ttl"`
}

// Prefix is an address or a prefix.
type Prefix struct{ netip.Prefix }

// UnmarshalText reads an address or a prefix without bits beyond its length.
func (p *Prefix) UnmarshalText(text []byte) error {
	v, err := parsePrefix(strings.TrimSpace(string(text)))
	if err != nil || v.Addr().Zone() != "" {
		return fmt.Errorf("%q is neither an address nor a prefix", text)
	}
	if v != v.Masked() {
		return fmt.Errorf("%q has bits set beyond its length: is %s meant?", text, v.Masked())
	}
	p.Prefix = v
	return nil
}

// PortRange is a port, or the ports from First to Last.
type PortRange struct{ First, Last uint16 }

// UnmarshalText reads "22" or "8000-8080"; ":" separates as well.
func (r *PortRange) UnmarshalText(text []byte) error {
	first, last, ranged := strings.Cut(strings.ReplaceAll(string(text), ":", "-"), "-")
	if !ranged {
		last = first
	}
	a, err := strconv.ParseUint(strings.TrimSpace(first), 10, 16)
	b, err2 := strconv.ParseUint(strings.TrimSpace(last), 10, 16)
	if err != nil || err2 != nil || a == 0 || b < a {
		return fmt.Errorf("%q is no port from 1 to 65535, nor a range such as 8000-8080", text)
	}
	r.First, r.Last = uint16(a), uint16(b)
	return nil
}

// MarshalText writes the range as UnmarshalText reads it.
func (r PortRange) MarshalText() ([]byte, error) {
	if r.First == r.Last {
		return fmt.Appendf(nil, "%d", r.First), nil
	}
	return fmt.Appendf(nil, "%d-%d", r.First, r.Last), nil
}

// Reachable is a destination of quarantined hosts.
type Reachable struct {
	Prefix netip.Prefix
	// Protocol is tcp, udp, sctp or icmp; empty is any.
	Protocol string
	// Ports are of either end; the zero value is all.
	Ports PortRange
}

// UnmarshalText reads "PREFIX", "PREFIX PROTOCOL" or "PREFIX PROTOCOL/PORTS".
func (r *Reachable) UnmarshalText(text []byte) error {
	fields := strings.Fields(string(text))
	if len(fields) == 0 || len(fields) > 2 {
		return fmt.Errorf("%q is no destination; write 10.9.0.1, 10.9.0.0/24 tcp or 10.9.0.53 udp/53", text)
	}
	var p Prefix
	if err := p.UnmarshalText([]byte(fields[0])); err != nil {
		return err
	}
	r.Prefix = p.Prefix
	if len(fields) == 1 {
		return nil
	}
	name, ports, has := strings.Cut(fields[1], "/")
	r.Protocol = strings.ToLower(name)
	if !slices.Contains([]string{"tcp", "udp", "sctp", "icmp"}, r.Protocol) {
		return fmt.Errorf("%q: %q is none of tcp, udp, sctp and icmp", text, name)
	}
	if !has {
		return nil
	}
	if r.Protocol == "icmp" {
		return fmt.Errorf("%q: icmp has no ports", text)
	}
	return r.Ports.UnmarshalText([]byte(ports))
}

// String gives the destination as UnmarshalText reads it.
func (r Reachable) String() string {
	s := r.Prefix.String()
	if r.Prefix.IsSingleIP() {
		s = r.Prefix.Addr().String()
	}
	if r.Protocol != "" {
		s += " " + r.Protocol
	}
	if r.Ports != (PortRange{}) {
		ports, _ := r.Ports.MarshalText()
		s += "/" + string(ports)
	}
	return s
}

// maxReachable is fastpath.MaxAllowances, maxZones and maxSegmentRules
// fastpath.MaxZones and MaxSegmentRules; a test of internal/app compares them.
const (
	maxReachable    = 64
	maxZones        = 31
	maxSegmentRules = 511
)

func (c *Config) checkFastPath(bad func(key, hint, format string, args ...any)) {
	seen := map[string]bool{}
	for i, l := range c.FastPath.AllowLists {
		key := fmt.Sprintf("fast-path.allow-lists.%d", i)
		if l.Name == "" || l.File == "" {
			bad(key, "", "needs name and file")
		}
		if seen[l.Name] {
			bad(key, "", "the name %q appears twice", l.Name)
		}
		seen[l.Name] = true
	}
	if n := len(c.Quarantine.Allow); n > maxReachable {
		bad("quarantine.allow", "use prefixes", "%d destinations are too many, the most is %d", n, maxReachable)
	}
	for i, r := range c.Quarantine.Allow {
		if r.Prefix.IsValid() && r.Prefix.Bits() == 0 {
			bad(fmt.Sprintf("quarantine.allow.%d", i), "name the few hosts that manage the others", "%s would allow everything", r.Prefix)
		}
	}
	s := &c.Segmentation
	if n := len(s.Zones); n > maxZones {
		bad("segmentation.zones", "", "%d zones are too many, the most is %d", n, maxZones)
	}
	if n := len(s.Rules); n > maxSegmentRules {
		bad("segmentation.rules", "", "%d rules are too many, the most is %d", n, maxSegmentRules)
	}
	of := map[Prefix]string{}
	for name, prefixes := range s.Zones {
		if name == "any" || name == "other" {
			bad("segmentation.zones."+name, "choose another name", "the name has a meaning of its own")
		}
		for _, p := range prefixes {
			if other, ok := of[p]; ok && other != name {
				bad("segmentation.zones", "an address has one zone", "%s is in %s and in %s", p, min(name, other), max(name, other))
			}
			of[p] = name
		}
	}
	names := map[string]bool{}
	for i, r := range s.Rules {
		key := fmt.Sprintf("segmentation.rules.%d", i)
		if r.Name == "" || names[r.Name] {
			bad(key, "events tell it", "needs a name of its own, not %q", r.Name)
		}
		names[r.Name] = true
		for _, z := range []string{r.From, r.To} {
			if _, ok := s.Zones[z]; !ok && z != "any" && z != "other" {
				bad(key, "name one of segmentation.zones, any or other", "there is no zone %q", z)
			}
		}
		if r.Action == "" {
			bad(key, "write action: allow or action: drop", "has no action")
		}
		if len(r.Ports) > 0 && !slices.Contains([]string{"tcp", "udp", "sctp"}, r.Protocol) {
			bad(key, "write protocol: tcp, udp or sctp", "has ports without a protocol that has any")
		}
	}
}
