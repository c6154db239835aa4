package policy

import (
	"fmt"
	"maps"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gaissmai/bart"

	"sluice/classifiers"
	"sluice/dataplane/verdict"
)

var actions = map[string]verdict.Action{"allow": verdict.None, "alert": verdict.Alert, "block": verdict.Block, "reset": verdict.Reject, "quarantine": verdict.Quarantine}

var days = map[string]time.Weekday{"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}

// unscannableReasons are why content cannot be read.
var unscannableReasons = [...]string{"encrypted", "damaged", "unsupported", "encoding", "gap", "too-deep", "too-large", "ratio", "entries", "timeout", "crashed", "overload", "scan-failed", "read-error"}

func (c *compiler) when(w *when, r *rule, where string) {
	for i, d := range w.Direction {
		at := slices.Index(directionNames[:], d)
		if at < 0 {
			c.at(fmt.Sprintf("%s.direction[%d]", where, i), c.meant(d, directionNames[:], "use egress, ingress, internal or external"), "unknown direction %q", d)
			continue
		}
		r.directions |= 1 << at
	}
	r.channels = c.channels(w.Channel, where+".channel")
	r.source = c.hosts(w.Source, where+".source")
	r.dest = c.hosts(w.Destination, where+".destination")
	r.ports = w.Port
	var err error
	if w.Level != "" {
		if r.level, err = classifiers.ParseLevel(w.Level); err != nil {
			c.badLevel(where+".level", w.Level, err)
		}
		r.wantsFindings = true
	}
	if w.MinConfidence != "" {
		if r.minConf, err = classifiers.ParseConfidence(w.MinConfidence); err != nil {
			c.badConfidence(where+".min_confidence", w.MinConfidence, err)
		}
	}
	known := classifiers.IDs()
	for i, d := range w.Detectors {
		id, not := strings.CutPrefix(d, "!")
		own := slices.ContainsFunc(c.p.custom, func(x classifiers.Custom) bool { return classifiers.MatchID(id, x.ID) })
		if !own && !slices.ContainsFunc(known, func(k string) bool { return classifiers.MatchID(id, k) }) && id != "*" {
			c.at(fmt.Sprintf("%s.detectors[%d]", where, i), c.meant(id, c.detectorNames(known), "docs/policy.md tells the groups there are; a prefix ends in *"), "no detector is named %q", id)
		}
		if not {
			r.notDetectors = append(r.notDetectors, id)
		} else {
			r.detectors = append(r.detectors, id)
		}
		r.wantsFindings = true
	}
	if len(w.Tags) > 0 {
		c.tags(w.Tags, where+".tags")
		r.tags, r.wantsFindings = w.Tags, true
	}
	if w.Unique < 0 || w.Count < 0 {
		c.at(where, "", "a threshold is negative")
	}
	if w.Unique > classifiers.MaxUnique {
		c.at(where+".unique", fmt.Sprintf("at most %d", classifiers.MaxUnique), "the threshold cannot be reached")
	}
	r.unique, r.count = uint64(w.Unique), uint64(w.Count)
	if w.Unique > 0 || w.Count > 0 || len(r.tiers) > 0 {
		r.wantsFindings = true
	}
	r.types = c.globs(w.FileTypes, where+".file_types")
	r.names = c.globs(w.FileNames, where+".file_names")
	r.minSize = c.size(w.MinSize, where+".min_size")
	r.maxSize = c.size(w.MaxSize, where+".max_size")
	r.minReleased = c.size(w.MinReleased, where+".min_released")
	if w.Gaps != nil {
		r.hasGaps, r.gaps = true, *w.Gaps
	}
	r.unscannable = c.globs(w.Unscannable, where+".unscannable")
	for i, u := range r.unscannable {
		if u == "any" {
			r.unscannable[i] = "*"
		} else if !slices.ContainsFunc(unscannableReasons[:], func(n string) bool { return anyGlob([]string{u}, n) }) {
			c.at(fmt.Sprintf("%s.unscannable[%d]", where, i), c.meant(u, append(unscannableReasons[:], "any"), "use any, "+strings.Join(unscannableReasons[:], ", ")), "unknown reason %q", u)
		}
	}
	if w.Hours != "" {
		from, to, ok := strings.Cut(w.Hours, "-")
		f, err1 := time.Parse("15:04", strings.TrimSpace(from))
		t, err2 := time.Parse("15:04", strings.TrimSpace(to))
		if !ok || err1 != nil || err2 != nil {
			c.at(where+".hours", `write it as "08:00-18:00"`, "%q is no time of day", w.Hours)
		}
		r.hasHours, r.from, r.to = true, f.Hour()*60+f.Minute(), t.Hour()*60+t.Minute()
	}
	for i, d := range w.Days {
		n, ok := days[strings.ToLower(d)]
		if !ok {
			c.at(fmt.Sprintf("%s.days[%d]", where, i), c.meant(d, slices.Sorted(maps.Keys(days)), "use mon, tue, wed, thu, fri, sat, sun"), "unknown day %q", d)
		}
		r.days |= 1 << n
	}
	r.zone = time.UTC
	if w.Timezone != "" {
		if r.zone, err = time.LoadLocation(w.Timezone); err != nil {
			c.at(where+".timezone", "use an IANA name such as Europe/Vienna", "unknown time zone %q", w.Timezone)
		}
	}
}

func (c *compiler) globs(l list, where string) []string {
	for i, s := range l {
		if _, err := path.Match(s, ""); err != nil || s == "" {
			c.at(fmt.Sprintf("%s[%d]", where, i), "* stands for anything", "bad pattern %q", s)
		}
	}
	return slices.Clone(l)
}

func (c *compiler) size(s, where string) uint64 {
	if s == "" {
		return 0
	}
	t := strings.ToUpper(strings.TrimSpace(s))
	mul := uint64(1)
	for _, u := range [...]struct {
		s string
		n uint64
	}{{"KIB", 1 << 10}, {"MIB", 1 << 20}, {"GIB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"B", 1}} {
		if rest, ok := strings.CutSuffix(t, u.s); ok {
			t, mul = strings.TrimSpace(rest), u.n
			break
		}
	}
	n, err := strconv.ParseUint(t, 10, 32)
	if err != nil {
		c.at(where, `write it as "10MB"`, "%q is no size", s)
	}
	return n * mul
}

func parsePrefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		return p.Masked(), err
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// hosts resolves names, addresses, ranges and domains into a set; nil when there
// are none.
func (c *compiler) hosts(l list, where string) *hostSet {
	if len(l) == 0 {
		return nil
	}
	h := &hostSet{}
	for i, s := range l {
		c.addHost(h, s, fmt.Sprintf("%s[%d]", where, i), false, 0)
	}
	return h
}

func (c *compiler) addHost(h *hostSet, s, where string, not bool, depth int) {
	if rest, ok := strings.CutPrefix(s, "!"); ok {
		s, not = rest, !not
	}
	if depth > 8 {
		c.at(where, "a group may not hold itself", "groups are nested too deep at %q", s)
		return
	}
	set := &h.yes
	if not {
		set = &h.no
	}
	if s == "any" || s == "*" {
		set.any = true
		return
	}
	for _, m := range [...]map[string][]string{c.src.Zones, c.src.Groups, c.src.Destinations} {
		if members, ok := m[s]; ok {
			for _, x := range members {
				c.addHost(h, x, where, not, depth+1)
			}
			return
		}
	}
	if p, err := parsePrefix(s); err == nil {
		if set.nets == nil {
			set.nets = new(bart.Lite)
		}
		set.nets.Insert(p)
		return
	}
	switch kind, value, _ := strings.Cut(s, ":"); {
	case kind == "country" && validCountry(value):
		set.countries = append(set.countries, strings.ToUpper(value))
		return
	case kind == "asn":
		if n, err := strconv.ParseUint(value, 10, 32); err == nil && n > 0 {
			set.asns = append(set.asns, uint32(n))
			return
		}
		c.at(where, "write it as asn:64500", "%q is no network's number", s)
		return
	case kind == "country":
		c.at(where, "write it as country:AT, with the two letters of ISO 3166", "%q is no country", s)
		return
	case kind == "user" && value != "":
		set.users = append(set.users, c.globs(list{value}, where)...)
		return
	case strings.Contains(s, "@"):
		set.mails = append(set.mails, c.globs(list{strings.ToLower(s)}, where)...)
		return
	}
	if domain, ok := strings.CutPrefix(strings.ToLower(s), "*."); strings.Contains(s, ".") && validDomain(domain) {
		set.domains = append(set.domains, domainPattern{domain, ok})
		return
	}
	var names []string
	for _, m := range [...]map[string][]string{c.src.Zones, c.src.Groups, c.src.Destinations} {
		names = slices.AppendSeq(names, maps.Keys(m))
	}
	slices.Sort(names)
	c.at(where, c.meant(s, names, "a zone, a group, a destination, an address, a range, a domain, a mail address, country:XX, asn:N or user:NAME"), "%q names nothing", s)
}

func validCountry(s string) bool {
	letter := func(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }
	return len(s) == 2 && letter(s[0]) && letter(s[1])
}

func validDomain(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	digits := true
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.' || r == '_') {
			return false
		}
		digits = digits && (r >= '0' && r <= '9' || r == '.')
	}
	return !digits
}

// badLevel and badConfidence tell of a word that is none.
func (c *compiler) badLevel(where, word string, err error) {
	c.at(where, c.meant(word, []string{"public", "internal", "confidential", "restricted"}, ""), "%v", err)
}

func (c *compiler) badConfidence(where, word string, err error) {
	c.at(where, c.meant(word, []string{"low", "medium", "high"}, ""), "%v", err)
}

// detectorNames gives the names that a rule may use.
func (c *compiler) detectorNames(known []string) []string {
	out := slices.Clone(known)
	for i := range c.p.custom {
		out = append(out, c.p.custom[i].ID)
	}
	return out
}

// tags checks that some detector carries each of the tags: a rule with another
// would silently never match.
func (c *compiler) tags(tags list, where string) {
	known := classifiers.Tags()
	for i := range c.p.custom {
		known = append(known, c.p.custom[i].Tags...)
	}
	for i, t := range tags {
		if !slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, t) }) {
			c.at(fmt.Sprintf("%s[%d]", where, i), c.meant(t, known, "there are "+strings.Join(known, ", ")), "no detector carries the tag %q", t)
		}
	}
}
