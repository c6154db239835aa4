package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gaissmai/bart"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"sluice/classifiers"
	"sluice/dataplane/verdict"
)

// file mirrors the policy file; each field's comment is its documentation.
type file struct {
	// Name is shown by tools.
	Name string `yaml:"name"`
	// Description is for readers.
	Description string `yaml:"description"`
	// Zones name address ranges. "inside" replaces HOME_NET for the direction.
	Zones map[string][]string `yaml:"zones"`
	// Groups name sets of senders: addresses, ranges, zones or other groups.
	Groups map[string][]string `yaml:"groups"`
	// Destinations name sets of receivers: addresses, ranges, domains
	// ("example.com", "*.example.com"), zones.
	Destinations map[string][]string `yaml:"destinations"`
	// Exceptions come before all rules: traffic that is allowed, by whom, until when.
	Exceptions []fileRule `yaml:"exceptions"`
	// Rules are tried in order; the first that matches decides.
	Rules []fileRule `yaml:"rules"`
}

type fileRule struct {
	// Name is told in events; unique.
	Name string `yaml:"name"`
	// Reason is told in events.
	Reason string `yaml:"reason"`
	// When lists the conditions; all must hold. None means always.
	When when `yaml:"when"`
	// Action is allow, alert, block, reset or quarantine. Exceptions allow.
	Action string `yaml:"action"`
	// Tiers replace Action by what the greatest reached threshold says.
	Tiers []tier `yaml:"tiers"`
	// KeepEvidence asks for the encrypted content to be kept.
	KeepEvidence bool `yaml:"keep_evidence"`
	// Shadow tries the rule silently: its decision is reported, not taken.
	Shadow bool `yaml:"shadow"`
	// Disabled leaves the rule out.
	Disabled bool `yaml:"disabled"`
	// Owner answers for an exception; Expires is its last day (YYYY-MM-DD).
	Owner   string `yaml:"owner"`
	Expires string `yaml:"expires"`
}

type when struct {
	// Direction is egress, ingress, internal or external; several mean any of them.
	Direction list `yaml:"direction"`
	// Channel is http-request, http-response, smtp, ftp, smb, raw …, with "*".
	Channel list `yaml:"channel"`
	// Source and Destination are names of groups, zones and destinations, addresses,
	// ranges or domains; "!" before one excludes it.
	Source      list `yaml:"source"`
	Destination list `yaml:"destination"`
	// Port is the destination's port.
	Port []uint16 `yaml:"port"`
	// Level is the least level of what was found.
	Level string `yaml:"level"`
	// Detectors are ids, or prefixes with "*"; "!" before one excludes it.
	Detectors list `yaml:"detectors"`
	// Tags name regulations; findings must carry one of them.
	Tags list `yaml:"tags"`
	// MinConfidence is low, medium (the default) or high.
	MinConfidence string `yaml:"min_confidence"`
	// Unique is the least number of different values, Count of all values, over the
	// detectors meant.
	Unique int `yaml:"unique"`
	Count  int `yaml:"count"`
	// FileTypes are media types by content ("image/*"); FileNames patterns for
	// names ("*.step").
	FileTypes list `yaml:"file_types"`
	FileNames list `yaml:"file_names"`
	// MinSize and MaxSize bound the object's size ("10MB").
	MinSize string `yaml:"min_size"`
	MaxSize string `yaml:"max_size"`
	// Unscannable are reasons why content cannot be read, or "any".
	Unscannable list `yaml:"unscannable"`
	// Hours is a time of day ("08:00-18:00"), Days are mon … sun, both in Timezone
	// (an IANA name; UTC by default).
	Hours    string `yaml:"hours"`
	Days     list   `yaml:"days"`
	Timezone string `yaml:"timezone"`
}

type tier struct {
	Unique int    `yaml:"unique"`
	Count  int    `yaml:"count"`
	Action string `yaml:"action"`
}

// list is a list of strings that may be written as a single one.
type list []string

func (l *list) UnmarshalYAML(unmarshal func(any) error) error {
	var one string
	if unmarshal(&one) == nil {
		*l = list{one}
		return nil
	}
	var many []string
	if err := unmarshal(&many); err != nil {
		return err
	}
	*l = many
	return nil
}

// Error is a mistake in a policy file: where, what, and what to do about it.
type Error struct {
	File         string
	Line, Column int
	Msg          string
	// Remedy says what would be right; may be empty.
	Remedy string
}

func (e *Error) Error() string {
	s := e.File
	if e.Line > 0 {
		s += ":" + strconv.Itoa(e.Line) + ":" + strconv.Itoa(e.Column)
	}
	s += ": " + e.Msg
	if e.Remedy != "" {
		s += " (" + e.Remedy + ")"
	}
	return s
}

// MaxFile bounds a policy file in bytes.
const MaxFile = 4 << 20

// Load reads and compiles a policy file. All mistakes found are given, joined;
// each is an *Error.
func Load(name string) (*Policy, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	if info.Size() > MaxFile {
		return nil, &Error{File: name, Msg: fmt.Sprintf("the file has %d bytes, more than a policy may have", info.Size()), Remedy: "at most 4 MiB"}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	return Parse(data, name)
}

// Parse compiles the text of a policy; name stands in errors.
func Parse(data []byte, name string) (*Policy, error) {
	if len(data) > MaxFile {
		return nil, &Error{File: name, Msg: "the policy is too large", Remedy: "at most 4 MiB"}
	}
	c := &compiler{file: name, p: &Policy{}}
	var f file
	if err := c.decode(data, &f); err != nil {
		return nil, err
	}
	c.compile(&f)
	if len(c.errs) > 0 {
		return nil, errors.Join(c.errs...)
	}
	return c.p, nil
}

// decode reads the YAML. The library panics on some malformed documents, which is
// a mistake in the file like any other.
func (c *compiler) decode(data []byte, f *file) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &Error{File: c.file, Line: 1, Column: 1, Msg: "the file is no YAML that can be read", Remedy: "look for tags (!) and stray colons"}
		}
	}()
	d := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict(), yaml.DisallowUnknownField())
	if err := d.Decode(f); err != nil && !errors.Is(err, io.EOF) {
		return c.yamlError(err)
	}
	c.ast, err = parser.ParseBytes(data, 0)
	if err != nil {
		return c.yamlError(err)
	}
	return nil
}

type compiler struct {
	file string
	ast  *ast.File
	p    *Policy
	errs []error
	src  file
}

// maxErrors bounds the mistakes told at once.
const maxErrors = 20

func (c *compiler) yamlError(err error) error {
	e := &Error{File: c.file, Line: 1, Column: 1, Msg: firstLine(err.Error())}
	var ye yaml.Error
	if errors.As(err, &ye) {
		e.Msg = firstLine(ye.GetMessage())
		if t := ye.GetToken(); t != nil && t.Position != nil {
			e.Line, e.Column = t.Position.Line, t.Position.Column
		}
	}
	if strings.Contains(e.Msg, "unknown field") {
		e.Remedy = "see docs/policy.md for the keys there are"
	}
	return e
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// at notes a mistake at a place of the file, such as "$.rules[0].action".
func (c *compiler) at(where, remedy, format string, args ...any) {
	if len(c.errs) >= maxErrors {
		return
	}
	e := &Error{File: c.file, Msg: fmt.Sprintf(format, args...), Remedy: remedy}
	defer func() {
		if recover() != nil { // without a place, then
			c.errs = append(c.errs, e)
		}
	}()
	for w := where; c.ast != nil && w != "$" && w != ""; w = parentPath(w) {
		if p, err := yaml.PathString(w); err == nil {
			if n, err := p.FilterFile(c.ast); err == nil && n != nil && n.GetToken() != nil && n.GetToken().Position != nil {
				e.Line, e.Column = n.GetToken().Position.Line, n.GetToken().Position.Column
				break
			}
		}
	}
	c.errs = append(c.errs, e)
}

func parentPath(w string) string {
	return w[:max(strings.LastIndexByte(w, '.'), strings.LastIndexByte(w, '['), 0)]
}

func (c *compiler) compile(f *file) {
	c.src = *f
	p := c.p
	p.Name, p.Description = f.Name, f.Description
	if in, ok := f.Zones["inside"]; ok {
		c.p.zoned = true
		p.home = new(bart.Lite)
		for i, s := range in {
			pf, err := parsePrefix(s)
			if err != nil {
				c.at(fmt.Sprintf("$.zones.inside[%d]", i), "an address or a range such as 10.0.0.0/8", "%q is no address range", s)
				continue
			}
			p.home.Insert(pf)
		}
	}
	// Every set is checked, used or not.
	for name := range f.Zones {
		c.hosts([]string{name}, "$.zones."+name)
	}
	for name := range f.Groups {
		c.hosts([]string{name}, "$.groups."+name)
	}
	for name := range f.Destinations {
		c.hosts([]string{name}, "$.destinations."+name)
	}
	seen := make(map[string]bool)
	for i := range f.Exceptions {
		c.rule(&f.Exceptions[i], fmt.Sprintf("$.exceptions[%d]", i), true, seen)
	}
	for i := range f.Rules {
		c.rule(&f.Rules[i], fmt.Sprintf("$.rules[%d]", i), false, seen)
	}
	if len(p.rules) == 0 && len(c.errs) == 0 {
		c.at("$.rules", "give at least one rule, or use --policy none", "the policy has no rules")
	}
}

func (c *compiler) rule(f *fileRule, where string, exception bool, seen map[string]bool) {
	r := rule{name: f.Name, reason: f.Reason, keep: f.KeepEvidence, shadow: f.Shadow, exception: exception, owner: f.Owner, minConf: classifiers.Medium}
	if f.Name == "" {
		c.at(where, "add name: …", "a rule has no name")
	} else if seen[f.Name] {
		c.at(where+".name", "names are told in events: make each unique", "there are two rules named %q", f.Name)
	}
	seen[f.Name] = true
	if exception {
		if f.Owner == "" {
			c.at(where, "add owner: who answers for it", "the exception %q has no owner", f.Name)
		}
		if f.Expires == "" {
			c.at(where, "add expires: YYYY-MM-DD", "the exception %q does not expire", f.Name)
		}
		if f.Action != "" && f.Action != "allow" {
			c.at(where+".action", "an exception allows: leave action out", "the exception %q has the action %q", f.Name, f.Action)
		}
		if len(f.Tiers) > 0 {
			c.at(where+".tiers", "", "an exception has no tiers")
		}
	}
	if f.Expires != "" {
		day, err := time.Parse(time.DateOnly, f.Expires)
		if err != nil {
			c.at(where+".expires", "write it as YYYY-MM-DD", "%q is no date", f.Expires)
		}
		r.expires = day.AddDate(0, 0, 1).UnixNano()
	}
	if !exception {
		var ok bool
		if r.action, ok = actions[f.Action]; !ok && (f.Action != "" || len(f.Tiers) == 0) {
			c.at(where+".action", "use allow, alert, block, reset or quarantine", "unknown action %q", f.Action)
		}
		r.noAction = f.Action == ""
	}
	for i, t := range f.Tiers {
		a, ok := actions[t.Action]
		if !ok {
			c.at(fmt.Sprintf("%s.tiers[%d].action", where, i), "use allow, alert, block, reset or quarantine", "unknown action %q", t.Action)
		}
		if t.Unique < 0 || t.Count < 0 || t.Unique == 0 && t.Count == 0 {
			c.at(fmt.Sprintf("%s.tiers[%d]", where, i), "give unique: or count: above 0", "a tier has no threshold")
		}
		if t.Unique > classifiers.MaxUnique {
			c.at(fmt.Sprintf("%s.tiers[%d].unique", where, i), fmt.Sprintf("at most %d", classifiers.MaxUnique), "the threshold cannot be reached")
		}
		r.tiers = append(r.tiers, compiledTier{uint64(t.Unique), uint64(t.Count), a})
	}
	c.when(&f.When, &r, where+".when")
	if f.Disabled {
		return
	}
	r.allows = r.action == verdict.None && len(r.tiers) == 0
	c.p.rules = append(c.p.rules, r)
	if !r.wantsFindings && len(r.unscannable) == 0 {
		c.p.always = true
	}
}

var actions = map[string]verdict.Action{"allow": verdict.None, "alert": verdict.Alert, "block": verdict.Block, "reset": verdict.Reject, "quarantine": verdict.Quarantine}

var days = map[string]time.Weekday{"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}

func (c *compiler) when(w *when, r *rule, where string) {
	for i, d := range w.Direction {
		at := slices.Index(directionNames[:], d)
		if at < 0 {
			c.at(fmt.Sprintf("%s.direction[%d]", where, i), "use egress, ingress, internal or external", "unknown direction %q", d)
			continue
		}
		r.directions |= 1 << at
	}
	r.channels = c.globs(w.Channel, where+".channel")
	r.source = c.hosts(w.Source, where+".source")
	r.dest = c.hosts(w.Destination, where+".destination")
	r.ports = w.Port
	var err error
	if w.Level != "" {
		if r.level, err = classifiers.ParseLevel(w.Level); err != nil {
			c.at(where+".level", "", "%v", err)
		}
		r.wantsFindings = true
	}
	if w.MinConfidence != "" {
		if r.minConf, err = classifiers.ParseConfidence(w.MinConfidence); err != nil {
			c.at(where+".min_confidence", "", "%v", err)
		}
	}
	known := classifiers.IDs()
	for i, d := range w.Detectors {
		id, not := strings.CutPrefix(d, "!")
		if !slices.ContainsFunc(known, func(k string) bool { return classifiers.MatchID(id, k) }) && !future(id) {
			c.at(fmt.Sprintf("%s.detectors[%d]", where, i), "`sluice scan --detectors` lists them; a prefix ends in *", "no detector is named %q", id)
		}
		if not {
			r.notDetectors = append(r.notDetectors, id)
		} else {
			r.detectors = append(r.detectors, id)
		}
		r.wantsFindings = true
	}
	if len(w.Tags) > 0 {
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
	r.unscannable = c.globs(w.Unscannable, where+".unscannable")
	for i, u := range r.unscannable {
		if u == "any" {
			r.unscannable[i] = "*"
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
			c.at(fmt.Sprintf("%s.days[%d]", where, i), "use mon, tue, wed, thu, fri, sat, sun", "unknown day %q", d)
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

// future tells the ids of detectors that other parts of the program report.
func future(id string) bool {
	for _, p := range [...]string{"label.", "file.", "ip.", "cred.", "bulk.", "edm.", "idm.", "custom."} {
		if strings.HasPrefix(id, p) {
			return true
		}
	}
	return id == "*"
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
	if domain, ok := strings.CutPrefix(strings.ToLower(s), "*."); strings.Contains(s, ".") && validDomain(domain) {
		set.domains = append(set.domains, domainPattern{domain, ok})
		return
	}
	c.at(where, "a zone, a group, a destination, an address, a range or a domain", "%q names nothing", s)
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
