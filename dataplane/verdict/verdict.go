// Package verdict names what can be decided about a packet, a flow or an
// object. Rules, the classification policy and the exception policies all give
// a Verdict; enforcement takes one. It knows nothing of who decided or how a
// decision is carried out.
package verdict

// Action is what happens to traffic. Actions are ordered: of two that apply at
// the same time the greater one wins.
type Action uint8

const (
	// None means nothing was decided: the traffic is forwarded.
	None Action = iota
	// Alert reports and forwards.
	Alert
	// Bypass forwards the rest of the flow uninspected.
	Bypass
	// DropPacket withholds this one frame.
	DropPacket
	// DropFlow withholds this frame and the rest of the flow, silently.
	DropFlow
	// Reject withholds the flow and tells both ends: TCP resets, ICMP
	// unreachable for UDP.
	Reject
	// Block is Reject preceded by a protocol's own refusal where its state
	// allows one (HTTP 403, SMTP 550).
	Block
	// Quarantine is Block, and every later egress of the sending host too.
	Quarantine
)

var names = [...]string{"none", "alert", "bypass", "drop-packet", "drop-flow", "reject", "block", "quarantine"}

// String gives the action's name as events and policies spell it.
func (a Action) String() string {
	if int(a) < len(names) {
		return names[a]
	}
	return "invalid"
}

// Withholds reports whether the frame that completed the decision is kept back.
func (a Action) Withholds() bool { return a >= DropPacket }

// EndsFlow reports whether everything after that frame is kept back too.
func (a Action) EndsFlow() bool { return a >= DropFlow }

// Cause says which part of the program decided.
type Cause uint8

// The causes of a verdict, as `drop.reason` in events tells them.
const (
	CauseNone Cause = iota
	CauseRule
	CausePolicy
	CauseException
	CauseBlockList
	CauseOperator
)

var causes = [...]string{"none", "rules", "policy", "exception", "block-list", "operator"}

// String gives the cause's name as events spell it.
func (c Cause) String() string {
	if int(c) < len(causes) {
		return causes[c]
	}
	return "invalid"
}

// Verdict is a decision together with where it came from.
type Verdict struct {
	Action Action
	Cause  Cause
	// SID is the deciding signature's id where Cause is CauseRule.
	SID uint32
	// Rule names the deciding policy rule, exception policy or list entry.
	Rule string
}

// Max gives the stronger of two verdicts, and v when both are as strong: the
// first decision keeps its reason.
func (v Verdict) Max(o Verdict) Verdict {
	if o.Action > v.Action {
		return o
	}
	return v
}
