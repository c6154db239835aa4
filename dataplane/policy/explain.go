package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/classifiers"
)

// Step tells how one rule stood to an input.
type Step struct {
	Rule string `json:"rule"`
	// Exception tells that it is one, Shadow that it is only tried.
	Exception bool `json:"exception,omitempty"`
	Shadow    bool `json:"shadow,omitempty"`
	// Matched tells that all conditions hold, Decided that its action was taken.
	Matched bool   `json:"matched"`
	Decided bool   `json:"decided"`
	Action  string `json:"action"`
	// Failed is the first condition that does not hold, Wanted and Actual what it
	// asks for and what there was.
	Failed Condition `json:"failed,omitempty"`
	Wanted string    `json:"wanted,omitempty"`
	Actual string    `json:"actual,omitempty"`
	// Held are the conditions of a rule that matched.
	Held []Held `json:"held,omitempty"`
	// Why says all that in a sentence.
	Why string `json:"why"`
}

// Held is a condition that holds, with what it asks for and what there was.
type Held struct {
	Condition Condition `json:"condition"`
	Wanted    string    `json:"wanted"`
	Actual    string    `json:"actual"`
}

// trace collects the steps of one decision.
type trace struct{ steps []Step }

// Explain decides as Decide does and tells of every rule, in order, how it stood:
// which condition failed first, and by what.
func (p *Policy) Explain(in Input) (Decision, []Step) {
	tr := trace{steps: make([]Step, 0, len(p.rules))}
	return p.decide(&in, &tr), tr.steps
}

// note adds how a rule stood. decided tells that a rule before it has decided,
// held that the decision waits for the object's end.
func (tr *trace) note(r *rule, in *Input, m *match, decided, held bool) {
	s := Step{Rule: r.name, Exception: r.exception, Shadow: r.shadow, Matched: m.result == yes, Action: r.actions(), Failed: m.failed}
	switch {
	case m.result != yes:
		s.Wanted, s.Actual = r.describe(m.failed, in, m)
		s.Why = fmt.Sprintf("%s: wanted %s, is %s", m.failed, s.Wanted, s.Actual)
		if m.result == maybe {
			s.Why += " so far"
		}
	default:
		s.Action = ActionName(m.action)
		s.Held = r.held(in, m)
		switch {
		case decided:
			s.Why = "all conditions hold, but a rule before it decided"
		case r.shadow:
			s.Why = "all conditions hold; it is only tried (shadow)"
		case held:
			s.Why = "all conditions hold, but a rule before it may still allow"
		default:
			s.Decided, s.Why = true, "all conditions hold"
		}
	}
	tr.steps = append(tr.steps, s)
}

// actions names what a rule may do, without tiers or with them.
func (r *rule) actions() string {
	var names []string
	if !r.noAction {
		names = append(names, ActionName(r.action))
	}
	for i := range r.tiers {
		if n := ActionName(r.tiers[i].action); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return strings.Join(names, " or ")
}

// held lists the conditions of a rule that matched.
func (r *rule) held(in *Input, m *match) []Held {
	var out []Held
	for c := CondExpires; c < numConditions; c++ {
		if !r.has(c) {
			continue
		}
		w, a := r.describe(c, in, m)
		out = append(out, Held{c, w, a})
	}
	return out
}

// has reports whether a rule has a condition.
func (r *rule) has(c Condition) bool {
	switch c {
	case CondExpires:
		return r.expires != 0
	case CondDirection:
		return r.directions != 0
	case CondChannel:
		return len(r.channels) > 0
	case CondSource:
		return r.source != nil
	case CondDestination:
		return r.dest != nil
	case CondPort:
		return len(r.ports) > 0
	case CondHours:
		return r.hasHours || r.days != 0
	case CondFileNames:
		return len(r.names) > 0
	case CondMaxSize:
		return r.maxSize > 0
	case CondFileTypes:
		return len(r.types) > 0
	case CondMinSize:
		return r.minSize > 0
	case CondGaps:
		return r.hasGaps
	case CondReleased:
		return r.minReleased > 0
	case CondUnscannable:
		return len(r.unscannable) > 0
	case CondDetectors:
		return len(r.detectors)+len(r.notDetectors) > 0
	case CondTags:
		return len(r.tags) > 0
	case CondLevel:
		return r.level > 0
	case CondConfidence:
		return r.wantsFindings
	case CondUnique:
		return r.unique > 0
	case CondCount:
		return r.count > 0
	case CondTiers:
		return len(r.tiers) > 0
	}
	return false
}

// describe says what a condition asks for and what there was.
func (r *rule) describe(c Condition, in *Input, m *match) (wanted, actual string) {
	w := r.said
	switch c {
	case CondExpires:
		return "until " + time.Unix(0, r.expires-1).UTC().Format(time.DateOnly), time.Unix(0, in.Time).UTC().Format(time.DateOnly)
	case CondDirection:
		return anyOf(w.Direction), in.Direction.String()
	case CondChannel:
		return anyOf(w.Channel), orNone(in.Channel)
	case CondSource:
		return anyOf(w.Source), people(in.Src.String(), in.Src.IsValid(), in.Sender, in.User)
	case CondDestination:
		names := []string{in.Domain}
		if len(in.Recipients) > 0 {
			names = in.Recipients
			if r.allows && len(names) > 1 {
				return "all of " + anyOf(w.Destination), people(in.Dst.String(), in.Dst.IsValid(), names...)
			}
		}
		return anyOf(w.Destination), people(in.Dst.String(), in.Dst.IsValid(), names...)
	case CondPort:
		ports := make([]string, len(r.ports))
		for i, p := range r.ports {
			ports[i] = strconv.Itoa(int(p))
		}
		return anyOf(ports), strconv.Itoa(int(in.DstPort))
	case CondHours:
		return strings.TrimSpace(w.Hours + " " + strings.Join(w.Days, ",") + " " + r.zone.String()),
			time.Unix(0, in.Time).In(r.zone).Format("Mon 15:04")
	case CondFileNames:
		return anyOf(w.FileNames), orNone(in.Name)
	case CondMaxSize:
		if !in.Final {
			return "at most " + w.MaxSize, fmt.Sprintf("%d bytes, not yet complete", in.Size)
		}
		return "at most " + w.MaxSize, bytesOf(in.Size)
	case CondFileTypes:
		return anyOf(w.FileTypes), orNone(in.Type)
	case CondMinSize:
		return "at least " + w.MinSize, bytesOf(in.Size)
	case CondGaps:
		return seen(r.gaps), seen(in.Gaps)
	case CondReleased:
		return "at least " + w.MinReleased + " released", bytesOf(in.Released) + " released"
	case CondUnscannable:
		if in.Unscannable == "" {
			return anyOf(w.Unscannable), "readable"
		}
		return anyOf(w.Unscannable), in.Unscannable
	case CondTiers:
		t := make([]string, 0, len(r.tiers))
		for i := range r.tiers {
			t = append(t, r.tiers[i].String())
		}
		return strings.Join(t, " or "), fmt.Sprintf("%d different, %d in all", m.unique, m.count)
	}
	return r.describeFindings(c, in, m)
}

// describeFindings is describe for the conditions on what was found.
func (r *rule) describeFindings(c Condition, in *Input, m *match) (wanted, actual string) {
	// The findings that got as far as this condition.
	list := func(show func(*classifiers.Count) string) string {
		var parts []string
		more := 0
		for i := range in.Counts {
			n := &in.Counts[i]
			if f := r.fails(n); f != CondNone && f < c {
				continue
			}
			if len(parts) == maxShown {
				more++
				continue
			}
			parts = append(parts, n.Detector+show(n))
		}
		switch {
		case more > 0:
			parts = append(parts, fmt.Sprintf("%d more", more))
		case len(parts) == 0 && len(in.Counts) > 0 && c == CondConfidence:
			return "nothing that the rule is about"
		case len(parts) == 0:
			return "nothing found"
		}
		return strings.Join(parts, ", ")
	}
	switch c {
	case CondDetectors:
		return anyOf(r.said.Detectors), list(func(*classifiers.Count) string { return "" })
	case CondTags:
		return anyOf(r.tags), list(func(n *classifiers.Count) string {
			if len(n.Tags) == 0 {
				return " without tags"
			}
			return " (" + strings.Join(n.Tags, ", ") + ")"
		})
	case CondLevel:
		return r.level.String() + " or above", list(func(n *classifiers.Count) string { return " " + n.Level.String() })
	case CondConfidence:
		return "at least " + r.minConf.String(), list(func(n *classifiers.Count) string { return " " + n.Confidence.String() })
	case CondUnique:
		return fmt.Sprintf("at least %d different values", r.unique), strconv.FormatUint(m.unique, 10) + r.shares(in, func(n *classifiers.Count) uint32 { return n.Unique[r.minConf] })
	case CondCount:
		return fmt.Sprintf("at least %d values", r.count), strconv.FormatUint(m.count, 10) + r.shares(in, func(n *classifiers.Count) uint32 { return n.Total[r.minConf] })
	}
	return "", ""
}

// maxShown bounds the detectors that one explanation names.
const maxShown = 6

// shares tells what each detector adds to a sum, where there are several.
func (r *rule) shares(in *Input, n func(*classifiers.Count) uint32) string {
	var parts []string
	for i := range in.Counts {
		if c := &in.Counts[i]; r.fails(c) == CondNone && len(parts) < maxShown {
			parts = append(parts, fmt.Sprintf("%s %d", c.Detector, n(c)))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// String tells what a tier asks for and does.
func (t *compiledTier) String() string {
	var parts []string
	if t.unique > 0 {
		parts = append(parts, fmt.Sprintf("%d different", t.unique))
	}
	if t.count > 0 {
		parts = append(parts, fmt.Sprintf("%d in all", t.count))
	}
	return strings.Join(parts, " and ") + " to " + ActionName(t.action)
}

func anyOf(l []string) string { return strings.Join(l, " | ") }

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func bytesOf(n uint64) string { return strconv.FormatUint(n, 10) + " bytes" }

func seen(gaps bool) string {
	if gaps {
		return "with gaps"
	}
	return "without gaps"
}

// people names one end of a transfer.
func people(addr string, known bool, names ...string) string {
	var parts []string
	if known {
		parts = append(parts, addr)
	}
	for _, n := range names {
		if n != "" && len(parts) <= maxShown {
			parts = append(parts, n)
		}
	}
	if len(parts) == 0 {
		return "unknown"
	}
	return strings.Join(parts, ", ")
}
