package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
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
	// Groups name sets of hosts and users: addresses, ranges, mail addresses, logins
	// ("user:bob"), zones or other groups.
	Groups map[string][]string `yaml:"groups"`
	// Destinations name sets of receivers: addresses, ranges, domains
	// ("example.com", "*.example.com"), mail addresses, countries ("country:AT"),
	// networks ("asn:64500"), zones.
	Destinations map[string][]string `yaml:"destinations"`
	// Detectors are the organisation's own; a rule names one as custom.NAME.
	Detectors map[string]fileDetector `yaml:"detectors"`
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
	// Quarantine says how a host is held that this rule puts in quarantine; what it
	// leaves out is as the configuration says.
	Quarantine *fileQuarantine `yaml:"quarantine"`
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
	// Channel is http-request, http-response, smtp, ftp-data, smb, raw-tcp …, with "*";
	// http, ftp and raw stand for all of theirs.
	Channel list `yaml:"channel"`
	// Source and Destination are names of groups, zones and destinations, addresses,
	// ranges or domains; "!" before one excludes it.
	Source      list `yaml:"source"`
	Destination list `yaml:"destination"`
	// Port is the destination's port.
	Port ports `yaml:"port"`
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
	// Gaps asks for objects of which bytes were not seen (true) or which were seen
	// whole (false).
	Gaps *bool `yaml:"gaps"`
	// MinReleased asks for objects of which at least so much had left before the
	// decision ("64KB").
	MinReleased string `yaml:"min_released"`
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

// UnmarshalYAML reads one port or several.
func (p *ports) UnmarshalYAML(unmarshal func(any) error) error {
	var one uint16
	if unmarshal(&one) == nil {
		*p = ports{one}
		return nil
	}
	var many []uint16
	if err := unmarshal(&many); err != nil {
		return err
	}
	*p = many
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
	c := &compiler{file: name, p: &Policy{file: name}}
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
	c.ast, err = parser.ParseBytes(data, 0)
	if err != nil {
		return c.yamlError(err)
	}
	for _, doc := range c.ast.Docs {
		c.shapes(doc.Body, reflect.TypeFor[file](), "")
	}
	if len(c.errs) > 0 {
		return errors.Join(c.errs...)
	}
	d := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict(), yaml.DisallowUnknownField())
	if err := d.Decode(f); err != nil && !errors.Is(err, io.EOF) {
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
	switch {
	case strings.Contains(e.Msg, "already defined"):
		e.Msg, e.Remedy = "the key stands here twice: "+e.Msg, "take one of them out"
	case strings.Contains(e.Msg, "character '\t'"):
		e.Remedy = "indent with spaces"
	default:
		e.Remedy = "look at the indentation and the quotes around here"
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
	e.Line, e.Column = c.place(where)
	c.errs = append(c.errs, e)
}

// place finds a place of the file, or the nearest above it that there is; zeros
// when there is none.
func (c *compiler) place(where string) (line, column int) {
	defer func() {
		if recover() != nil { // the library's: without a place, then
			line, column = 0, 0
		}
	}()
	for w := where; c.ast != nil && w != "$" && w != ""; w = parentPath(w) {
		if p, err := yaml.PathString(w); err == nil {
			if n, err := p.FilterFile(c.ast); err == nil && n != nil && n.GetToken() != nil && n.GetToken().Position != nil {
				return n.GetToken().Position.Line, n.GetToken().Position.Column
			}
		}
	}
	return 0, 0
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
	c.detectors(f.Detectors)
	// Every set is checked, used or not.
	for name := range f.Zones {
		if name == "inside" {
			continue
		}
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
			c.unknownAction(where+".action", f.Action)
		}
		r.noAction = f.Action == ""
	}
	for i, t := range f.Tiers {
		a, ok := actions[t.Action]
		if !ok {
			c.unknownAction(fmt.Sprintf("%s.tiers[%d].action", where, i), t.Action)
		}
		if t.Unique < 0 || t.Count < 0 || t.Unique == 0 && t.Count == 0 {
			c.at(fmt.Sprintf("%s.tiers[%d]", where, i), "give unique: or count: above 0", "a tier has no threshold")
		}
		if t.Unique > classifiers.MaxUnique {
			c.at(fmt.Sprintf("%s.tiers[%d].unique", where, i), fmt.Sprintf("at most %d", classifiers.MaxUnique), "the threshold cannot be reached")
		}
		r.tiers = append(r.tiers, compiledTier{uint64(t.Unique), uint64(t.Count), a})
	}
	r.quarantine = c.quarantine(f, where)
	c.when(&f.When, &r, where+".when")
	if f.Disabled {
		return
	}
	r.said = &f.When
	r.line, r.column = c.place(where + ".name")
	r.allows = r.action == verdict.None && len(r.tiers) == 0
	c.p.rules = append(c.p.rules, r)
	if !r.wantsFindings && len(r.unscannable) == 0 {
		c.p.always = true
	}
}

func (c *compiler) unknownAction(where, action string) {
	const use = "use allow, alert, block, reset or quarantine"
	if action == "" {
		c.at(where, use, "a rule has no action")
		return
	}
	c.at(where, c.meant(action, slices.Sorted(maps.Keys(actions)), use), "unknown action %q", action)
}
