package worker

import (
	"encoding/json"
	"net/netip"
	"strings"

	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/dataplane/verdict"
	"sluice/events"
	"sluice/signatures"
)

// alerts reports the rules that matched and carries their actions out.
func (w *Worker) alerts() {
	for _, in := range w.old {
		// Objects that began before a reload finish on the rules of then.
		w.matches(in.Matcher)
	}
	w.tellKept(w.in.Matcher)
	w.matches(w.in.Matcher)
}

func (w *Worker) matches(m *signatures.Matcher) {
	if m == nil {
		return
	}
	ms := m.Matches()
	if m == w.in.Matcher && (m.Counters.Limited != w.shortened || m.Counters.SetsFull != w.setsFull || m.Counters.LimitsFull != w.limitsFull || m.Counters.BitsFull != w.bitsFull) {
		w.counters.RulesLimited += m.Counters.Limited - w.shortened
		w.counters.DatasetsFull += m.Counters.SetsFull - w.setsFull
		w.counters.ThresholdsFull += m.Counters.LimitsFull - w.limitsFull
		w.counters.BitsFull += m.Counters.BitsFull - w.bitsFull
		w.shortened, w.setsFull, w.limitsFull, w.bitsFull = m.Counters.Limited, m.Counters.SetsFull, m.Counters.LimitsFull, m.Counters.BitsFull
	}
	if len(ms) == 0 {
		m.Reset()
		return
	}
	keeps := w.keepsMatches()
	for i := range ms {
		if !keeps || !w.keepMatch(&ms[i]) {
			w.match(m, &ms[i])
		}
	}
	if m == w.in.Matcher {
		w.counters.AlertsSuppressed += m.Counters.Suppressed - w.suppressed
		w.counters.AlertOverflow += m.Counters.Overflow - w.overflow
		w.suppressed, w.overflow = m.Counters.Suppressed, m.Counters.Overflow
	}
	m.Reset()
}

// match carries a match's action out and tells of it.
func (w *Worker) match(m *signatures.Matcher, x *signatures.Match) {
	act := verdict.None
	if x.Rule.StoreCerts && w.f != nil {
		wantCerts(w.f, x.Tx)
	}
	asked := len(w.asked)
	w.ask(x)
	if x.Rule.Action == signatures.Pass {
		if !w.drop {
			w.passed = true
		}
		if x.FlowScope && w.f != nil {
			w.f.PassRules = true
		}
		if !x.Rule.AlertToo {
			return
		}
	} else {
		act = w.ruleDrops(x)
	}
	if x.Silent {
		if w.drop && w.dropAlert == nil && act.Withholds() && w.cfg.Report.wants("drop") {
			w.dropAlert = w.alertEvent(m, x, act).Alert
		}
		return
	}
	w.counters.Alerts++
	if len(x.Rule.Tags) > 0 && w.p.Frame != nil {
		w.newTags = append(w.newTags, *x)
	}
	if w.f != nil {
		w.f.Alerted = true
	}
	tell, drops := w.cfg.Report.wants("alert"), w.drop && w.dropAlert == nil && act.Withholds() && w.cfg.Report.wants("drop")
	if !tell && !drops {
		return
	}
	e := w.alertEvent(m, x, act)
	if len(w.asked) > asked {
		e.Alert.Replace = new(events.Replace)
		w.asked[asked].told = e.Alert.Replace
	}
	if drops {
		w.dropAlert = e.Alert
	}
	if tell {
		w.emit(e)
		w.pendingAlerts = append(w.pendingAlerts, e)
	}
}

// alertEvent makes the record of a match.
func (w *Worker) alertEvent(m *signatures.Matcher, x *signatures.Match, act verdict.Action) *events.Event {
	r, f := x.Rule, w.f
	var e *events.Event
	if f != nil {
		e = w.event("alert", f, x.Dir)
		e.Direction = x.Dir.String()
		e.Flow = flowPart(f)
		tx := x.Tx
		// A datagram of a protocol that the rule names belongs to what it began.
		guess := w.cfg.Report.GuessTx || f.Proto == decode.ProtoUDP && len(r.Proto.Apps) > 0
		if tx == nil && guess && f.App.Parser() != nil {
			if live := f.App.Parser().Txs().Live; len(live) == 1 && live[0].In(x.Dir) {
				tx = live[0]
			}
		}
		if tx != nil {
			e.TxID, e.HasTxID = tx.ID, true
			parser := parserOf(f, tx)
			if parser == nil {
				parser = w.keptParser
			}
			if parser != nil {
				w.record(f, parser, tx, e)
			}
		}
		if x.Frame != nil {
			w.putFrame(e, f, x.Frame)
		}
		if x.Object != nil && x.Object.File && !x.Object.Container {
			e.Files = []events.FileInfo{{Filename: x.Object.Name, Magic: x.Object.Magic, Gaps: x.Object.Gaps, State: x.Object.State.String(), Size: x.Object.Size, TxID: e.TxID}}
		}
	} else {
		e = w.packetEvent("alert", w.p)
	}
	a := &events.Alert{Action: "allowed", GID: r.GID, SignatureID: r.SID, Rev: r.Rev, Signature: r.Msg, Category: r.Category, Severity: r.Priority}
	if act.Withholds() {
		if w.judging() || act >= verdict.Reject {
			a.Action = "blocked"
		}
		enforced := (w.enforced() || w.cuts(f, act)) && !w.closing
		a.Enforced = &enforced
	}
	if len(r.Metadata) > 0 {
		a.Metadata = make(map[string][]string, len(r.Metadata))
		for _, kv := range r.Metadata {
			a.Metadata[kv.Key] = append(a.Metadata[kv.Key], kv.Value)
		}
	}
	if w.cfg.Report.References {
		for i := range r.References {
			if u := r.References[i].URL; u != "" {
				a.References = append(a.References, u)
			}
		}
	}
	for _, c := range x.Context {
		if a.Context == nil {
			a.Context = make(map[string]json.RawMessage)
		}
		a.Context[c.Key] = json.RawMessage(c.JSON)
	}
	switch r.Target {
	case "src_ip":
		a.Target, a.Source = endpoint(e.Src, e.SrcPort), endpoint(e.Dst, e.DstPort)
	case "dest_ip":
		a.Target, a.Source = endpoint(e.Dst, e.DstPort), endpoint(e.Src, e.SrcPort)
	}
	e.Alert = a
	if w.cfg.Report.XFF.Enabled && e.HTTP != nil {
		w.forwarded(e, x.Dir)
	}
	w.payload(e, x)
	return e
}

func endpoint(ip netip.Addr, port uint16) *events.Endpoint {
	return &events.Endpoint{IP: events.FormatAddr(ip), Port: port}
}

// parserOf gives the parser that holds tx.
func parserOf(f *flow.Flow, tx *protocol.Tx) protocol.Parser {
	for _, p := range [2]protocol.Parser{f.App.Parser(), f.App.Replaced()} {
		if p == nil {
			continue
		}
		for _, live := range p.Txs().Live {
			if live == tx {
				return p
			}
		}
	}
	return nil
}

// forwarded puts the client's address as a proxy tells it into an alert.
func (w *Worker) forwarded(e *events.Event, dir protocol.Dir) {
	list := strings.Split(e.HTTP.ForwardedFor, ",")
	text := list[len(list)-1]
	if w.cfg.Report.XFF.Forward {
		text = list[0]
	}
	a, err := netip.ParseAddr(strings.TrimSpace(text))
	switch {
	case err != nil:
	case !w.cfg.Report.XFF.Overwrite:
		e.Alert.XFF = events.FormatAddr(a)
	case dir == protocol.ToServer:
		e.Src = a
	default:
		e.Dst = a
	}
}

// flowMetadata gives what rules noted in the flow.
func flowMetadata(m *signatures.Matcher, f *flow.Flow) *events.Metadata {
	if m == nil || f.Detect == nil {
		return nil
	}
	bits, ints, vars, entropies := m.FlowBits(f), m.FlowInts(f), m.FlowVars(f), m.Entropies(f)
	if len(bits) == 0 && len(ints) == 0 && len(vars) == 0 && len(entropies) == 0 {
		return nil
	}
	md := &events.Metadata{Flowints: ints}
	for _, x := range entropies {
		if md.Entropy == nil {
			md.Entropy = make(map[string]float64, len(entropies))
		}
		md.Entropy[x.Buffer] = x.Value
	}
	for _, b := range bits {
		// Bits of this form are said for themselves.
		if id, ok := strings.CutPrefix(b, "traffic/id/"); ok {
			md.TrafficID = append(md.TrafficID, id)
		} else if label, ok := strings.CutPrefix(b, "traffic/label/"); ok {
			md.TrafficLabel = append(md.TrafficLabel, label)
		} else {
			md.Flowbits = append(md.Flowbits, b)
		}
	}
	for _, v := range vars {
		md.Flowvars = append(md.Flowvars, map[string]any{v.Name: printable(v.Value)})
	}
	return md
}

// defaultPayloadLimit bounds the bytes of a match in an event.
const defaultPayloadLimit = 4096

// payload adds the bytes that the rule saw, masked where a detector finds
// something in them.
func (w *Worker) payload(e *events.Event, x *signatures.Match) {
	r := &w.cfg.Report
	if w.p == nil {
		return
	}
	limit := r.PayloadLimit
	if limit <= 0 {
		limit = defaultPayloadLimit
	}
	if r.Payload || r.PayloadPrintable {
		b, stream := w.p.PayloadBytes(), 0
		if x.Kind != signatures.KindPacket && w.f != nil && w.f.TCP != nil {
			stream = 1
			if st := w.state(w.f); st != nil && len(st.tail[x.Dir]) > 0 {
				b = st.tail[x.Dir]
			}
		}
		b = w.masked(b[:min(len(b), limit)])
		if r.Payload {
			e.Payload = b
		}
		if r.PayloadPrintable {
			e.PayloadPrintable = printable(b)
		}
		e.Stream = &stream
	}
	if r.Packet && w.p.Frame != nil {
		b, link := w.p.Frame.Data, w.p.Frame.Link
		switch {
		case w.p.Flags&decode.FlagReassembled != 0:
			b = w.p.Data
		case w.p.TunnelDepth > 0 && w.p.IPVersion != 0:
			// What is inside of a tunnel is shown by itself.
			b, link = w.p.Data[min(int(w.p.L3), len(w.p.Data)):], capture.LinkRaw
		}
		e.Packet, e.LinkType = w.masked(b[:min(len(b), limit)]), int(link)
	}
}

// keepTail keeps the newest bytes of a direction for the alerts that show them.
func (w *Worker) keepTail(f *flow.Flow, dir protocol.Dir, data []byte) {
	if !w.tails {
		return
	}
	limit := w.cfg.Report.PayloadLimit
	if limit <= 0 {
		limit = defaultPayloadLimit
	}
	st := w.ensure(f)
	t := st.tail[dir]
	if len(data) >= limit {
		t, data = t[:0], data[len(data)-limit:]
	} else if over := len(t) + len(data) - limit; over > 0 {
		t = t[:copy(t, t[over:])]
	}
	st.tail[dir] = append(t, data...)
}

// printable shows bytes as EVE's payload_printable does.
func printable(b []byte) string {
	out := make([]byte, len(b))
	for i, c := range b {
		if c >= 0x20 && c < 0x7f || c == '\n' || c == '\r' {
			out[i] = c
		} else {
			out[i] = '.'
		}
	}
	return string(out)
}
