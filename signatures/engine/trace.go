package engine

import (
	"cmp"
	"fmt"
	"slices"

	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/signatures/rule"
)

// Result is what became of a condition.
type Result string

// The results: Skipped was not reached, since something before it failed.
const (
	Held    Result = "held"
	Failed  Result = "failed"
	Skipped Result = "skipped"
)

// Condition is one thing that a rule asks for, and what was found.
type Condition struct {
	Keyword string `json:"keyword"`
	Buffer  string `json:"buffer,omitempty"`
	// Text is the condition as the rule writes it.
	Text   string `json:"text"`
	Result Result `json:"result"`
	Detail string `json:"detail,omitempty"`
}

// Attempt is one try of the traced rule, or one place where it was not tried.
type Attempt struct {
	// Packet is the number of the frame that was in work.
	Packet    uint64  `json:"packet"`
	On        string  `json:"on"`
	Direction string  `json:"direction"`
	Proto     uint8   `json:"ip_proto"`
	Src       string  `json:"src"`
	Dst       string  `json:"dst"`
	App       string  `json:"app_proto,omitempty"`
	Tx        *uint64 `json:"tx_id,omitempty"`
	Object    string  `json:"object,omitempty"`
	// Nominated tells that the rule was tried; Times counts the like.
	Nominated  bool        `json:"nominated"`
	Times      int         `json:"times"`
	Outcome    Outcome     `json:"-"`
	Result     string      `json:"outcome"`
	Conditions []Condition `json:"conditions"`

	flow  *flow.Flow
	tx    *protocol.Tx
	score int
}

// Trace follows one rule through a Matcher's work. It belongs to the Matcher's
// goroutine.
type Trace struct {
	rule *crule
	max  int
	// Attempts are the ones kept: those that matched, then the nearest misses.
	Attempts []Attempt
	// Outcomes counts what became of all of them; Tries those that a nomination
	// led to; Silenced what a pass rule took out of inspection.
	Outcomes map[Outcome]int
	Tries    int
	Silenced int
	// Packets counts the packets that were judged, Fitting the flows of which
	// one fits the rule's header, by the protocol that was recognised.
	Packets int
	Fitting map[string]int
	// Show, if set, gives what may be shown of a buffer's bytes, in as many: they
	// are left as they are. f and tx may be nil.
	Show func(f *flow.Flow, tx *protocol.Tx, buffer string, b []byte) []byte

	fitting map[*flow.Flow]protocol.ID
	lists   map[*item]*listNote
	order   []*listNote
	fields  map[*rule.FieldTest]outcome
	files   []Condition
	cur     *Attempt
	// round tells the rounds in which the rule was tried, so that a miss is
	// told of only where it was not.
	tried uint32
}

// maxFitting bounds the flows that Fitting tells apart.
const maxFitting = 1 << 16

// StartTrace makes the Matcher follow a rule and keep at most max attempts. It
// answers false when no such rule is loaded.
func (m *Matcher) StartTrace(gid, sid uint32, max int) bool {
	for i := range m.e.rules {
		r := &m.e.rules[i]
		if r.GID != gid || r.SID != sid {
			continue
		}
		t := &Trace{rule: r, max: max, Outcomes: map[Outcome]int{}, Fitting: map[string]int{}, fitting: map[*flow.Flow]protocol.ID{},
			lists: map[*item]*listNote{}, fields: map[*rule.FieldTest]outcome{}}
		add := func(name string, items []item) {
			if len(items) > 0 {
				n := newListNote(t, name, items)
				t.lists[&items[0]] = n
				t.order = append(t.order, n)
			}
		}
		n := 0
		for k := range r.Lists {
			if l := &r.Lists[k]; l.Local != rule.NotLocal {
				add(l.Name, r.locals[n].items)
				n++
			}
		}
		add("payload", r.payload)
		for k := range r.lists {
			add(listName(r, k), r.lists[k].items)
		}
		if m.watch == nil {
			m.watch = &watch{}
		}
		m.watch.trace = t
		return true
	}
	return false
}

// Trace gives what StartTrace has collected; nil without.
func (m *Matcher) Trace() *Trace {
	if m.watch == nil {
		return nil
	}
	return m.watch.trace
}

// Rule gives the rule that is followed.
func (t *Trace) Rule() *rule.Rule { return t.rule.Rule }

// FastPattern tells what nominates the rule: the content and its buffer, empty
// where the rule is tried without one.
func (t *Trace) FastPattern() (text, buffer string) {
	if t.rule.fast == nil {
		return "", ""
	}
	return t.rule.Rule.ShowItem(t.rule.fast.Item), t.rule.fastBuffer()
}

// Looks says where the rule looks.
func (t *Trace) Looks() string {
	switch r := t.rule; {
	case r.bodies != 0 || len(r.Files) > 0:
		return "transactions and their files or bodies"
	case r.inTx:
		return "transactions"
	case r.frames():
		return "frames"
	case r.onStream():
		if len(r.classes()) > 1 {
			return "the TCP stream, and packets of other protocols"
		}
		return "the TCP stream"
	}
	return "packets"
}

func (r *crule) fastBuffer() string {
	if r.fastList == payloadList {
		return "payload"
	}
	return listName(r, int(r.fastList))
}

// listName names a list of a transaction's rule: its buffer, with what is done
// to it.
func listName(r *crule, k int) string {
	name := r.lists[k].spec.Name
	for i := range r.Lists {
		if l := &r.Lists[i]; l.Name != "" && l.Buffer.ID == r.lists[k].spec.ID {
			name = l.Name
			break
		}
	}
	for _, x := range r.lists[k].transforms {
		name += "+" + x.Name
	}
	return name
}

// onStream reports whether the payload's tests run on the reassembled stream.
func (r *crule) onStream() bool {
	return r.payload != nil && !r.packetOnly() && slices.Contains(r.classes(), classTCP)
}

func ruleName(r *rule.Rule) string { return fmt.Sprintf("%d:%d", r.GID, r.SID) }

// begin is called before the rule is tried.
func (t *Trace) begin(m *Matcher, x try) {
	t.tried = m.gen
	t.Tries++
	for _, n := range t.order {
		n.clear()
	}
	clear(t.fields)
	t.files = t.files[:0]
	t.cur = t.attempt(m, x)
	t.cur.Nominated = true
	t.cur.Conditions = m.gates(t.rule, x.kind)
}

// attempt describes what is being judged.
func (t *Trace) attempt(m *Matcher, x try) *Attempt {
	a := &Attempt{On: x.kind.String(), Direction: m.dir.String(), Proto: m.proto, Times: 1, flow: m.f}
	if m.p != nil && m.p.Frame != nil {
		a.Packet = m.p.Frame.Num
	}
	a.Src, a.Dst = end(m.src, m.sp), end(m.dst, m.dp)
	if m.f != nil && m.f.App.Proto() != protocol.Unknown {
		a.App = m.f.App.Proto().String()
	}
	if x.tx != nil {
		id := x.tx.ID
		a.Tx, a.tx = &id, x.tx
	}
	if x.o != nil {
		a.Object = kindName(x.o.Kind)
		if x.o.Name != "" {
			a.Object += fmt.Sprintf(" %q", x.o.Name[:min(len(x.o.Name), maxShownBytes)])
		}
	}
	return a
}

func end(a *decode.Addr, port uint16) string {
	ip := a.Netip()
	if ip.Is4() {
		return fmt.Sprintf("%s:%d", ip, port)
	}
	return fmt.Sprintf("[%s]:%d", ip, port)
}

// list gives the note of a list that is about to be tested; nil where it is not
// of the rule at hand.
func (t *Trace) list(items []item, buf []byte) *listNote {
	if t.cur == nil || len(items) == 0 {
		return nil
	}
	n := t.lists[&items[0]]
	if n != nil {
		n.begin(buf)
	}
	return n
}

func (t *Trace) field(f *rule.FieldTest, x outcome) { t.fields[f] = x }

// file notes what a file's description was held against; what else is asked of files
// is in the attempt's outcome alone.
func (t *Trace) file(f *rule.FileTest, ok bool, o *protocol.Object) {
	if f.Keyword != "filemagic" {
		return
	}
	c := Condition{Keyword: f.Keyword, Text: t.rule.OptionAt(f.Col), Result: Failed}
	if ok {
		c.Result = Held
	}
	text, _ := magicOf(o)
	c.Detail = fmt.Sprintf("%d bytes: %s", len(text), t.excerpt(t.cur, "file.magic", []byte(text), 0))
	t.files = append(t.files, c)
}

// end is called after the rule was tried.
func (t *Trace) end(m *Matcher) {
	a := t.cur
	t.cur = nil
	for _, n := range t.order {
		a.Conditions = n.conditions(t.rule.Rule, a.Conditions)
	}
	for i := range t.rule.Fields {
		f := &t.rule.Fields[i]
		keyword := f.Keyword
		if len(f.All) > 0 {
			keyword = f.All[0].Keyword
		}
		c := Condition{Keyword: keyword, Text: t.rule.OptionAt(f.Col), Result: Skipped, Detail: "not reached"}
		if x, ok := t.fields[f]; ok {
			switch x {
			case holds:
				c.Result, c.Detail = Held, ""
			case fails:
				c.Result, c.Detail = Failed, "no value of the transaction fits"
			case waits:
				c.Result, c.Detail = Skipped, "there is no value yet"
			}
		}
		a.Conditions = append(a.Conditions, c)
	}
	a.Conditions = append(a.Conditions, t.files...)
	for i := range t.rule.AppEvents {
		e := &t.rule.AppEvents[i]
		c := Condition{Keyword: "app-layer-event", Text: e.Name, Result: Held}
		if a.Outcome == FailedEvent {
			c.Result = Failed
		}
		a.Conditions = append(a.Conditions, c)
	}
	if l := t.rule.limit; l != nil && a.Outcome.Holds() {
		c := Condition{Keyword: l.kind, Text: fmt.Sprintf("track %s, count %d, seconds %d", l.track, l.n, l.nanos/1e9), Result: Held}
		if a.Outcome == KeptThreshold {
			c.Result = Failed
		}
		a.Conditions = append(a.Conditions, c)
	}
	t.keep(a)
}

// keep counts an attempt, and keeps it where it is among the nearest.
func (t *Trace) keep(a *Attempt) {
	t.Outcomes[a.Outcome]++
	a.Result = a.Outcome.String()
	for i := range a.Conditions {
		if a.Conditions[i].Result == Held {
			a.score += 2
		}
	}
	if a.Nominated {
		a.score += 1000
	}
	if a.Outcome.Holds() {
		a.score += 10000
	}
	if a.Outcome != Waits {
		a.score++ // of two alike, the one that is decided
	}
	// What is tried again and again on one stream or transaction is told once,
	// as it was when most held.
	for i := range t.Attempts {
		o := &t.Attempts[i]
		if o.flow == a.flow && a.flow != nil && o.On == a.On && o.Direction == a.Direction && o.Nominated == a.Nominated && o.Outcome == a.Outcome &&
			same(o.Tx, a.Tx) && o.Object == a.Object && (a.On != KindPacket.String() || !a.Nominated) && !a.Outcome.Holds() {
			times := o.Times + 1
			if a.score >= o.score {
				*o = *a
			}
			o.Times = times
			return
		}
	}
	if len(t.Attempts) < t.max {
		t.Attempts = append(t.Attempts, *a)
		return
	}
	low := 0
	for i := range t.Attempts {
		if t.Attempts[i].score < t.Attempts[low].score {
			low = i
		}
	}
	if len(t.Attempts) > 0 && t.Attempts[low].score < a.score {
		t.Attempts[low] = *a
	}
}

func same(a, b *uint64) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// overtaken changes the newest attempt that matched.
func (t *Trace) overtaken(why string) {
	t.Outcomes[Overtaken]++
	for i := len(t.Attempts) - 1; i >= 0; i-- {
		if a := &t.Attempts[i]; a.Outcome == Matched {
			t.Outcomes[Matched]--
			a.Outcome, a.Result = Overtaken, Overtaken.String()+": "+why
			return
		}
	}
}

// Nearest gives the attempts, those first that came nearest to a match.
func (t *Trace) Nearest() []Attempt {
	slices.SortStableFunc(t.Attempts, func(a, b Attempt) int {
		if c := cmp.Compare(b.score, a.score); c != 0 {
			return c
		}
		return cmp.Compare(a.Packet, b.Packet)
	})
	return t.Attempts
}
