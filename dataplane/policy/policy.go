// Package policy decides what may leave: it takes what was found in an object,
// who sends it where and over which channel, and gives a decision. It reads the
// policy file and knows nothing of packets, flows, or of how a decision is
// carried out.
package policy

import (
	"fmt"
	"net/netip"
	"slices"

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

// ParseDirection reads a direction's name.
func ParseDirection(s string) (Direction, error) {
	if i := slices.Index(directionNames[:], s); i >= 0 {
		return Direction(i), nil
	}
	return 0, fmt.Errorf("unknown direction %q (use egress, ingress, internal or external)", s)
}

// Policy is a compiled policy. It is immutable and safe for concurrent use.
type Policy struct {
	Name, Description string
	// file is where it was read from, for warnings.
	file  string
	rules []rule
	home  *bart.Lite
	// zoned tells that home comes from the policy's zone "inside".
	zoned bool
	// always tells that a rule may match without any finding.
	always bool
	custom []classifiers.Custom
	// geo tells countries and networks; nil without a database.
	geo Geo
}

// Input is what a decision is made from. Nothing of it is kept.
type Input struct {
	Direction Direction
	// Channel is the way out: http-request, http-response, smtp, ftp-data, smb, raw-tcp …
	Channel  string
	Src, Dst netip.Addr
	// The ports are of the ends in the traffic; SrcPort is only told.
	SrcPort, DstPort uint16
	// Domain is the destination's name (SNI, Host); may be empty.
	Domain string
	// Sender and Recipients are a mail's addresses, of its envelope. Where there are
	// recipients, they stand in Domain's place.
	Sender     string
	Recipients []string
	// User is who has logged in to send it; may be empty.
	User string
	// Name, Type and Size are the object's: as sent, by content, so far.
	Name, Type string
	Size       uint64
	// Counts are the findings; see classifiers.Result.
	Counts []classifiers.Count
	// Unscannable is the reason why content cannot be read; empty when it can.
	Unscannable string
	// Gaps tells that bytes of the object were not seen; Released is how many had
	// passed when the question is asked.
	Gaps     bool
	Released uint64
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

// Always reports whether a rule may match although nothing was found.
func (p *Policy) Always() bool { return p.always }

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

// WithGeo gives the policy with a database for countries and networks.
func (p *Policy) WithGeo(g Geo) *Policy {
	q := *p
	q.geo = g
	return &q
}

// WantsGeo gives the name of the first rule that names a country or a network by
// its number, for which WithGeo is needed; empty when none does.
func (p *Policy) WantsGeo() string {
	for i := range p.rules {
		if r := &p.rules[i]; r.source.wantsGeo() || r.dest.wantsGeo() {
			return r.name
		}
	}
	return ""
}

// Decide gives the first matching rule's decision. It does not allocate when
// nothing was found, nor when no shadow rule matches.
func (p *Policy) Decide(in Input) Decision { return p.decide(&in, nil) }

// decide is Decide. A trace, where one is given, notes how every rule stood,
// those after the deciding one too.
func (p *Policy) decide(in *Input, tr *trace) (d Decision) {
	if len(in.Counts) == 0 && in.Unscannable == "" && !p.always && tr == nil {
		return Decision{}
	}
	var shadow []Decision
	hold, decided := false, false
	for i := range p.rules {
		r := &p.rules[i]
		m := r.match(in, p.geo)
		// What is complete may turn out to be allowed.
		held := m.result == yes && hold && !r.shadow && !in.Final && m.action.Withholds()
		if tr != nil {
			tr.note(r, in, &m, decided, held)
		}
		switch {
		case decided || m.result == no:
		case m.result == maybe:
			hold = hold || r.allows && !r.shadow
		case r.shadow:
			shadow = append(shadow, r.decision(&m))
		default:
			if !held {
				d = r.decision(&m)
			}
			decided = true
		}
		if decided && tr == nil {
			break
		}
	}
	d.Shadow = shadow
	return d
}

func (r *rule) decision(m *match) Decision {
	return Decision{Action: m.action, Rule: r.name, Level: m.level, Reason: r.reason, KeepEvidence: r.keep, Exception: r.exception, Owner: r.owner}
}

// RuleNames gives the names of the rules in order, exceptions first.
func (p *Policy) RuleNames() []string {
	out := make([]string, len(p.rules))
	for i := range p.rules {
		out[i] = p.rules[i].name
	}
	return out
}
