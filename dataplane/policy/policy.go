// Package policy decides what may leave: it takes what was found in an object,
// who sends it where and over which channel, and gives a decision. It reads the
// policy file and knows nothing of packets, flows, or of how a decision is
// carried out.
package policy

import (
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/gaissmai/bart"

	"sluice/classifiers"
	"sluice/dataplane/verdict"
	"sluice/deploy/policies"
)

// Direction is which way data goes, seen from the inside.
type Direction uint8

// The directions.
const (
	Egress Direction = iota
	Ingress
	InternalOnly
	External
)

var directionNames = [...]string{"egress", "ingress", "internal", "external"}

// String gives the direction's name as events and policies spell it.
func (d Direction) String() string {
	if int(d) < len(directionNames) {
		return directionNames[d]
	}
	return "invalid"
}

// Policy is a compiled policy. It is immutable and safe for concurrent use.
type Policy struct {
	Name, Description string
	rules             []rule
	home              *bart.Lite
	// zoned tells that home comes from the policy's zone "inside".
	zoned bool
	// always tells that a rule may match without any finding.
	always bool
	custom []classifiers.Custom
}

type rule struct {
	name, reason, owner     string
	exception, shadow, keep bool
	// allows tells that matching means nothing is withheld or told; noAction that
	// only tiers act.
	allows, noAction bool
	expires          int64
	action           verdict.Action
	tiers            []compiledTier

	directions   uint8
	channels     []string
	source, dest *hostSet
	ports        []uint16

	wantsFindings           bool
	level                   classifiers.Level
	minConf                 classifiers.Confidence
	detectors, notDetectors []string
	tags                    []string
	unique, count           uint64

	types, names     []string
	minSize, maxSize uint64
	unscannable      []string

	hasHours bool
	from, to int
	days     uint8
	zone     *time.Location
}

type compiledTier struct {
	unique, count uint64
	action        verdict.Action
}

// hostSet is a set of addresses and domains with exclusions.
type hostSet struct{ yes, no hosts }

type hosts struct {
	any     bool
	nets    *bart.Lite
	domains []domainPattern
}

type domainPattern struct {
	domain string
	// sub tells that only names below it are meant ("*.").
	sub bool
}

func (h *hosts) empty() bool { return !h.any && h.nets == nil && len(h.domains) == 0 }

func (h *hosts) has(a netip.Addr, domain string) bool {
	if h.any || h.nets != nil && a.IsValid() && h.nets.Contains(a.Unmap()) {
		return true
	}
	if domain == "" {
		return false
	}
	for i := range h.domains {
		d := &h.domains[i]
		n := len(domain) - len(d.domain)
		switch {
		case n == 0 && !d.sub && strings.EqualFold(domain, d.domain):
			return true
		case n > 0 && domain[n-1] == '.' && strings.EqualFold(domain[n:], d.domain):
			return true
		}
	}
	return false
}

func (h *hostSet) has(a netip.Addr, domain string) bool {
	if h.no.has(a, domain) {
		return false
	}
	return h.yes.empty() || h.yes.has(a, domain)
}

// Input is what a decision is made from. Nothing of it is kept.
type Input struct {
	Direction Direction
	// Channel is the way out: http-request, http-response, smtp, ftp, smb, raw …
	Channel  string
	Src, Dst netip.Addr
	DstPort  uint16
	// Domain is the destination's name (SNI, Host, mail domain); may be empty.
	Domain string
	// Name, Type and Size are the object's: as sent, by content, so far.
	Name, Type string
	Size       uint64
	// Counts are the findings; see classifiers.Result.
	Counts []classifiers.Count
	// Unscannable is the reason why content cannot be read; empty when it can.
	Unscannable string
	// Time is the packet's, in nanoseconds since the epoch.
	Time int64
	// Final tells that the object is complete. Before that, a rule that withholds
	// decides as soon as it matches, unless a rule before it could still allow.
	Final bool
}

// Decision is what a policy says about an object.
type Decision struct {
	Action verdict.Action
	// Rule is the deciding rule's name; empty when none matched.
	Rule string
	// Level is the highest level among the findings the rule was about.
	Level  classifiers.Level
	Reason string
	// KeepEvidence asks for the content to be kept.
	KeepEvidence bool
	// Exception tells that an exception allowed it, and whose it is.
	Exception bool
	Owner     string
	// Shadow are the decisions of shadow rules that would have come first.
	Shadow []Decision
}

// Verdict gives the decision as the data plane takes it.
func (d *Decision) Verdict() verdict.Verdict {
	if d.Action == verdict.None {
		return verdict.Verdict{}
	}
	return verdict.Verdict{Action: d.Action, Cause: verdict.CausePolicy, Rule: d.Rule}
}

// Matched reports whether any rule decided.
func (d *Decision) Matched() bool { return d.Rule != "" }

// ActionName gives an action's name as policies and events spell it.
func ActionName(a verdict.Action) string {
	switch a {
	case verdict.None:
		return "allow"
	case verdict.Reject:
		return "reset"
	}
	return a.String()
}

// Default gives the built-in policy.
func Default() *Policy {
	p, err := Parse(policies.Default, "default.yaml")
	if err != nil {
		panic("policy: the built-in policy: " + err.Error()) // a test holds that it compiles
	}
	return p
}

// WithHome gives the policy with home networks for the direction, unless its
// own zone "inside" says them.
func (p *Policy) WithHome(prefixes []netip.Prefix) *Policy {
	if p.home != nil {
		return p
	}
	q := *p
	q.home = new(bart.Lite)
	for _, pf := range prefixes {
		q.home.Insert(pf.Masked())
	}
	return &q
}

// HasZone reports whether the policy's own zone "inside" says what is inside.
func (p *Policy) HasZone() bool { return p.zoned }

// Direction tells which way data from src to dst goes: by the policy's zone
// "inside", else by the networks given to WithHome, else by private addresses.
func (p *Policy) Direction(src, dst netip.Addr) Direction {
	in := func(a netip.Addr) bool {
		a = a.Unmap()
		if p.home != nil {
			return p.home.Contains(a)
		}
		return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast()
	}
	switch s, d := in(src), in(dst); {
	case s && d:
		return InternalOnly
	case s:
		return Egress
	case d:
		return Ingress
	}
	return External
}

// Decide gives the first matching rule's decision. It does not allocate when
// nothing was found, nor when no shadow rule matches.
func (p *Policy) Decide(in Input) Decision {
	if len(in.Counts) == 0 && in.Unscannable == "" && !p.always {
		return Decision{}
	}
	var shadow []Decision
	hold := false
	for i := range p.rules {
		r := &p.rules[i]
		m := r.match(&in)
		if m.result == no {
			continue
		}
		if m.result == maybe {
			if r.allows && !r.shadow {
				hold = true
			}
			continue
		}
		d := r.decision(&m)
		if r.shadow {
			shadow = append(shadow, d)
			continue
		}
		if hold && !in.Final && d.Action.Withholds() {
			// What is complete may turn out to be allowed.
			return Decision{Shadow: shadow}
		}
		d.Shadow = shadow
		return d
	}
	return Decision{Shadow: shadow}
}

func (r *rule) decision(m *match) Decision {
	return Decision{Action: m.action, Rule: r.name, Level: m.level, Reason: r.reason, KeepEvidence: r.keep, Exception: r.exception, Owner: r.owner}
}

type outcome uint8

const (
	no outcome = iota
	maybe
	yes
)

// match is how a rule stands to an input: why is the condition that failed.
type match struct {
	result outcome
	action verdict.Action
	level  classifiers.Level
	unique uint64
	why    string
}

// match tries a rule's conditions, what cannot change first.
func (r *rule) match(in *Input) (m match) {
	fail := func(why string) match { return match{why: why} }
	if r.expires != 0 && in.Time >= r.expires {
		return fail("it has expired")
	}
	if r.directions != 0 && r.directions&(1<<in.Direction) == 0 {
		return fail("the direction differs")
	}
	if len(r.channels) > 0 && !anyGlob(r.channels, in.Channel) {
		return fail("the channel differs")
	}
	if r.source != nil && !r.source.has(in.Src, "") {
		return fail("the sender is not meant")
	}
	if r.dest != nil && !r.dest.has(in.Dst, in.Domain) {
		return fail("the receiver is not meant")
	}
	if len(r.ports) > 0 && !slices.Contains(r.ports, in.DstPort) {
		return fail("the port differs")
	}
	if (r.hasHours || r.days != 0) && !r.inTime(in.Time) {
		return fail("the time differs")
	}
	if len(r.names) > 0 && !anyGlobFold(r.names, in.Name) {
		return fail("the file's name differs")
	}
	if r.maxSize > 0 && in.Size > r.maxSize {
		return fail("the object is too large")
	}
	later := func(why string) match {
		if in.Final {
			return fail(why)
		}
		return match{result: maybe, why: why + " so far"}
	}
	if len(r.types) > 0 && !anyGlob(r.types, in.Type) {
		return later("the file's type differs")
	}
	if r.minSize > 0 && in.Size < r.minSize {
		return later("the object is too small")
	}
	if r.maxSize > 0 && !in.Final {
		return later("the object's size is not known")
	}
	if len(r.unscannable) > 0 && (in.Unscannable == "" || !anyGlob(r.unscannable, in.Unscannable)) {
		return later("the content can be read")
	}
	m = match{result: yes, action: r.action}
	if !r.wantsFindings {
		for i := range in.Counts {
			if in.Counts[i].Confidence >= r.minConf {
				m.level = max(m.level, in.Counts[i].Level)
			}
		}
		return m
	}
	var count uint64
	some := false
	for i := range in.Counts {
		c := &in.Counts[i]
		if c.Confidence < r.minConf || c.Level < r.level || !r.means(c) {
			continue
		}
		some = true
		m.unique += uint64(c.Unique[r.minConf])
		count += uint64(c.Total[r.minConf])
		m.level = max(m.level, c.Level)
	}
	if !some {
		return later("nothing of what it is about was found")
	}
	if m.unique < r.unique || count < r.count {
		return later("there are fewer values than its threshold")
	}
	reached := !r.noAction
	for i := range r.tiers {
		t := &r.tiers[i]
		if m.unique >= t.unique && count >= t.count {
			m.action, reached = t.action, true
		}
	}
	if !reached {
		return later("there are fewer values than its lowest tier")
	}
	return m
}

// means reports whether the rule is about a detector's findings.
func (r *rule) means(c *classifiers.Count) bool {
	for _, d := range r.notDetectors {
		if classifiers.MatchID(d, c.Detector) {
			return false
		}
	}
	ok := len(r.detectors) == 0
	for _, d := range r.detectors {
		if classifiers.MatchID(d, c.Detector) {
			ok = true
			break
		}
	}
	if !ok || len(r.tags) == 0 {
		return ok
	}
	for _, t := range r.tags {
		for _, have := range c.Tags {
			if strings.EqualFold(t, have) || len(have) > len(t) && strings.EqualFold(have[:len(t)], t) && have[len(t)] == ' ' {
				return true
			}
		}
	}
	return false
}

func (r *rule) inTime(ns int64) bool {
	t := time.Unix(0, ns).In(r.zone)
	if r.days != 0 && r.days&(1<<t.Weekday()) == 0 {
		return false
	}
	if !r.hasHours {
		return true
	}
	m := t.Hour()*60 + t.Minute()
	if r.from <= r.to {
		return m >= r.from && m < r.to
	}
	return m >= r.from || m < r.to
}

func anyGlob(ps []string, s string) bool {
	for _, p := range ps {
		if p == s || p == "*" {
			return true
		}
		if ok, _ := path.Match(p, s); ok {
			return true
		}
	}
	return false
}

func anyGlobFold(ps []string, s string) bool {
	s = strings.ToLower(path.Base(strings.ReplaceAll(s, `\`, "/")))
	for _, p := range ps {
		if ok, _ := path.Match(strings.ToLower(p), s); ok {
			return true
		}
	}
	return false
}

// Step tells how one rule stood to an input.
type Step struct {
	Rule    string `json:"rule"`
	Matched bool   `json:"matched"`
	// Decided marks the rule whose action was taken.
	Decided bool   `json:"decided"`
	Shadow  bool   `json:"shadow,omitempty"`
	Action  string `json:"action"`
	// Why is the condition that failed, or what was met.
	Why string `json:"why"`
}

// Explain tells of every rule, in order, whether it matched and why not. The
// input is taken as final.
func (p *Policy) Explain(in Input) []Step {
	in.Final = true
	out := make([]Step, 0, len(p.rules))
	decided := false
	for i := range p.rules {
		r := &p.rules[i]
		m := r.match(&in)
		s := Step{Rule: r.name, Shadow: r.shadow, Action: ActionName(r.action), Why: m.why, Matched: m.result == yes}
		if s.Matched {
			s.Action = ActionName(m.action)
			switch {
			case r.shadow:
				s.Why = "all conditions hold; shadow only"
			case decided:
				s.Why = "all conditions hold, but a rule before it decided"
			default:
				s.Why, s.Decided, decided = "all conditions hold", true, true
			}
		}
		out = append(out, s)
	}
	return out
}

// RuleNames gives the names of the rules in order, exceptions first.
func (p *Policy) RuleNames() []string {
	out := make([]string, len(p.rules))
	for i := range p.rules {
		out[i] = p.rules[i].name
	}
	return out
}
