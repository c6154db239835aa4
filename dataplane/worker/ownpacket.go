package worker

import (
	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
	"sluice/signatures"
)

// A listener that reads data once it is acknowledged learns of one side's bytes by
// a packet of the other. Suricata looks at a direction with that direction's own
// packets, and rules have been tuned to alerts that carry the sender's packet. In
// replay, where nobody waits for an alert, matches are kept for the sender's next
// packet; what no packet follows is told when the flow ends. Live, an alert is worth
// more at once.

// maxKeptMatches bounds the matches of a flow that wait for their sender; beyond it
// they are told at once.
const maxKeptMatches = 64

// keptMatch is a match that waits for a packet of its direction.
type keptMatch struct {
	match signatures.Match
	// parser holds the match's transaction; the flow may speak another protocol by
	// then.
	parser protocol.Parser
}

// keepsMatches reports whether matches wait for their direction's packets.
func (w *Worker) keepsMatches() bool {
	return !w.cfg.Inline && !w.cfg.Live && !w.cfg.Stream.OnArrival && !w.closing && w.f != nil && w.f.Proto == decode.ProtoTCP
}

// keepMatch keeps a match for the next packet of its direction and reports whether
// it did. An event of a parser belongs to the transaction, whichever side is looked
// at, and is told with the packet that brought it.
func (w *Worker) keepMatch(x *signatures.Match) bool {
	if x.Kind == signatures.KindPacket || x.Dir == w.dir || len(x.Rule.AppEvents) > 0 && !x.Rule.Flow.ToServer && !x.Rule.Flow.ToClient {
		return false
	}
	st := w.ensure(w.f)
	if len(st.kept) >= maxKeptMatches {
		return false
	}
	k := keptMatch{match: *x}
	if x.Tx != nil {
		k.parser = parserOf(w.f, x.Tx)
		x.Tx.Held++
	}
	st.kept = append(st.kept, k)
	return true
}

// tellKept tells the matches that have waited for a packet of the direction in
// work; all of them when the flow ends.
func (w *Worker) tellKept(m *signatures.Matcher) {
	if w.f == nil || m == nil {
		return
	}
	st := w.state(w.f)
	if st == nil || len(st.kept) == 0 {
		return
	}
	rest := st.kept[:0]
	for i := range st.kept {
		k := st.kept[i]
		if k.match.Dir != w.dir && !w.closing {
			rest = append(rest, k)
			continue
		}
		if k.match.Tx != nil {
			k.match.Tx.Held--
		}
		w.keptParser = k.parser
		w.match(m, &k.match)
		w.keptParser = nil
	}
	clear(st.kept[len(rest):])
	st.kept = rest
}
