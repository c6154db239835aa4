package engine

import (
	"time"

	"sluice/dataplane/protocol"
	"sluice/signatures/rule"
)

// Outcome is what became of a try of a rule.
type Outcome uint8

// The outcomes: those of a rule that did not hold name what failed first.
const (
	FailedLists Outcome = iota
	FailedDone
	FailedHead
	FailedTests
	FailedHeader
	FailedFlow
	FailedBits
	FailedOnce
	FailedEvent
	FailedFile
	// NotNominated: the rule was not tried, since its fast pattern was not met.
	NotNominated
	// Waits: more of the stream, transaction or object may complete the rule.
	Waits
	Matched
	// The rule held, and its alert was kept back.
	KeptSuppressed
	KeptThreshold
	KeptNoAlert
	KeptConfig
	// Overtaken: another rule's pass, or the limit of alerts, kept it back.
	Overtaken
)

var outcomeWords = [...]string{
	FailedLists: "no match: a buffer's tests failed", FailedDone: "no match again: it has matched here already",
	FailedHead: "no match: the content at the beginning is not there", FailedTests: "no match: a test on packet or flow failed",
	FailedHeader: "no match: the rule's header does not fit", FailedFlow: "no match: flow or protocol does not fit",
	FailedBits: "no match: flowbits, xbits or flowint do not hold", FailedOnce: "no match again: such a rule matches once a flow and direction",
	FailedEvent: "no match: the event was not raised", FailedFile: "no match: name, type, size or hash of the file does not fit",
	NotNominated: "not tried: the fast pattern was not met", Waits: "undecided: it waits for more of the traffic", Matched: "matched",
	KeptSuppressed: "matched, and suppressed by threshold.config", KeptThreshold: "matched, and its threshold or detection_filter kept it back",
	KeptNoAlert: "matched, and noalert kept it back", KeptConfig: "matched, and the action config alerts of nothing", Overtaken: "matched, and other rules kept it back",
}

// String says it in words.
func (o Outcome) String() string { return outcomeWords[o] }

// Holds reports whether the rule's conditions held, whatever became of its alert.
func (o Outcome) Holds() bool { return o >= Matched }

// watch is what a Matcher tells of its work while rules are profiled or one of
// them is traced. A Matcher without it pays for a comparison with nil a try.
type watch struct {
	prof  []RuleStat
	begun time.Time
	trace *Trace
	// tests tells that a list of the rule at hand was tested.
	tests bool
	// before are the matches before the try.
	before uint64
}

// try is where a rule is being tried.
type try struct {
	kind Kind
	tx   *protocol.Tx
	o    *protocol.Object
	w    Window
}

// RuleStat is what a rule cost on one Matcher.
type RuleStat struct {
	Rule *rule.Rule
	// Candidates are the tries after a nomination; Confirms those of them that
	// came as far as testing a buffer or holding without one; Matches those
	// that held, alerted or not.
	Candidates, Confirms, Matches uint64
	// Time is what the tries took, reading the clock included.
	Time time.Duration
}

// StartProfile makes the Matcher count and time the tries of every rule. It
// reads the clock twice a try.
func (m *Matcher) StartProfile() {
	if m.watch == nil {
		m.watch = &watch{}
	}
	m.watch.prof = make([]RuleStat, len(m.e.rules))
	for i := range m.e.rules {
		m.watch.prof[i].Rule = m.e.rules[i].Rule
	}
}

// Profile gives what StartProfile has counted, by the order of evaluation; nil
// without.
func (m *Matcher) Profile() []RuleStat {
	if m.watch == nil {
		return nil
	}
	return m.watch.prof
}

// begin is called before a rule is tried.
func (w *watch) begin(m *Matcher, r *crule, t try) {
	w.tests, w.before = false, m.Counters.Confirmed
	if w.trace != nil && w.trace.rule == r {
		w.trace.begin(m, t)
	}
	if w.prof != nil {
		w.begun = time.Now()
	}
}

// end is called after it.
func (w *watch) end(m *Matcher, r *crule) {
	if w.prof != nil {
		s := &w.prof[r.idx]
		s.Time += time.Since(w.begun)
		s.Candidates++
		if n := m.Counters.Confirmed - w.before; n > 0 {
			s.Matches += n
			s.Confirms++
		} else if w.tests {
			s.Confirms++
		}
	}
	if w.trace != nil && w.trace.rule == r {
		w.trace.end(m)
	}
}

// list is called before the items of a list are tested.
func (w *watch) list(m *Matcher, items []item, buf []byte) {
	w.tests = true
	if w.trace != nil {
		m.c.note = w.trace.list(items, buf)
	}
}

// listed is called after them, where they are traced.
func (w *watch) listed(m *Matcher, ok bool) {
	m.c.note.calls++
	m.c.note.keep(ok)
	m.c.note = nil
}

// tell notes what becomes of the rule being traced.
func (m *Matcher) tell(o Outcome) {
	if m.watch != nil && m.watch.trace != nil && m.watch.trace.cur != nil {
		m.watch.trace.cur.Outcome = o
	}
}

// tellSilenced notes that a pass rule keeps all rules off.
func (m *Matcher) tellSilenced() {
	if m.watch != nil && m.watch.trace != nil {
		m.watch.trace.Silenced++
	}
}

// kept tells that a list held when the rule was tried before.
func (w *watch) kept(l *clist) {
	if w.trace != nil && w.trace.cur != nil && len(l.items) > 0 {
		w.trace.lists[&l.items[0]].kept = true
	}
}

// buffer tells the outcome of a transaction's list.
func (w *watch) buffer(l *clist, x outcome) {
	if w.trace != nil && w.trace.cur != nil && len(l.items) > 0 {
		n := w.trace.lists[&l.items[0]]
		n.state, n.judged = x, true
	}
}

// field tells the outcome of a protocol's number.
func (w *watch) field(t *rule.FieldTest, x outcome) {
	if w.trace != nil && w.trace.cur != nil {
		w.trace.field(t, x)
	}
}

// file tells the outcome of a test of a file's name, type or size.
func (w *watch) file(t *rule.FileTest, ok bool, o *protocol.Object) {
	if w.trace != nil && w.trace.cur != nil {
		w.trace.file(t, ok, o)
	}
}

// overtaken tells that the limit of alerts took a match's alert.
func (w *watch) overtaken(x *Match, why string) {
	if w.trace != nil && w.trace.rule.idx == x.idx {
		w.trace.overtaken(why)
	}
}

// passed tells that a pass rule took the matches after it.
func (w *watch) passed(by *rule.Rule, rest []Match) {
	for i := range rest {
		w.overtaken(&rest[i], "the pass rule "+ruleName(by)+" holds as well, and comes first")
	}
}

// packet, stream, tx, frame and object are called after everything nominated has been
// tried, so that a rule that was not can be told of.

func (w *watch) packet(m *Matcher) {
	if w.trace != nil {
		w.trace.packet(m)
	}
}

func (w *watch) stream(m *Matcher, win Window) {
	if w.trace != nil {
		w.trace.stream(m, win)
	}
}

func (w *watch) tx(m *Matcher, def *protocol.Definition, tx *protocol.Tx, from, to uint8) {
	if w.trace != nil {
		w.trace.tx(m, def, tx, from, to)
	}
}

func (w *watch) frame(m *Matcher, x *FramePiece) {
	if w.trace != nil {
		w.trace.frame(m, x)
	}
}

func (w *watch) object(m *Matcher, tx *protocol.Tx, o *protocol.Object, win Window, final bool) {
	if w.trace != nil {
		w.trace.object(m, tx, o, win, final)
	}
}
