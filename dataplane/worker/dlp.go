package worker

import (
	"encoding/hex"
	"net/netip"

	"sluice/classifiers"
	"sluice/dataplane/flow"
	"sluice/dataplane/policy"
	"sluice/dataplane/protocol"
	"sluice/events"
)

// policyInput tells the policy what it needs to know of an object. Who sends it to
// whom by name, which takes longer to find out, is told where something was found,
// and with named in any case.
func (w *Worker) policyInput(f *flow.Flow, app protocol.ID, o *protocol.Object, facts objectFacts, res classifiers.Result, named bool) policy.Input {
	src, dst, from, port := f.Client, f.Server, f.ClientPort, f.ServerPort
	if o.Dir == protocol.ToClient {
		src, dst, from, port = dst, src, port, from
	}
	in := policy.Input{
		Channel: channel(app, o, f.Proto), Src: src.Netip(), Dst: dst.Netip(), SrcPort: from, DstPort: port,
		Name: o.Name, Type: res.Type, Size: facts.size, Counts: res.Counts, Unscannable: res.Unscannable,
		Time: w.now, Final: facts.final, Gaps: o.Gaps, Released: facts.released,
	}
	if !w.judging() {
		in.Released = facts.size // nothing is kept back
	}
	in.Direction = w.direction(f, o.Dir, in.Src, in.Dst)
	if o.Dir == protocol.ToServer && (named || len(res.Counts) > 0 || res.Unscannable != "" || w.cfg.Policy.Always()) {
		w.names(f, o.Tx, &in)
		w.login(f, o.Tx, &in)
	}
	return in
}

// direction tells which way data goes. A bridge's ports say which side is
// inside, whatever the addresses, unless the policy has a zone of its own.
func (w *Worker) direction(f *flow.Flow, dir protocol.Dir, src, dst netip.Addr) policy.Direction {
	if w.cfg.Policy.HasZone() || !w.cfg.Live || !w.cfg.Inline || len(w.cfg.Ifaces) != 2 {
		return w.cfg.Policy.Direction(src, dst)
	}
	if clientInside := f.Port == 0; clientInside == (dir == protocol.ToServer) {
		return policy.Egress
	}
	return policy.Ingress
}

// tell reports a decision about an object.
func (w *Worker) tell(f *flow.Flow, in policy.Input, o *protocol.Object, facts objectFacts, res classifiers.Result, dec *policy.Decision, shadow bool) {
	if !w.cfg.Report.wants("dlp") {
		return
	}
	e := w.dlpEvent(f, o)
	if o.State != protocol.ObjectClosed {
		facts.sum = nil // of what is not all
	}
	e.DLP = w.dlpPart(in, facts, res, dec)
	e.DLP.Enforced = dec.Action.Withholds() && (w.enforced() || w.cuts(f, dec.Action) && !facts.final) && !shadow && !w.closing
	e.DLP.Shadow = shadow
	w.emit(e)
}

// dlpEvent begins the report of a decision about an object.
func (w *Worker) dlpEvent(f *flow.Flow, o *protocol.Object) *events.Event {
	e := w.event("dlp", f, o.Dir)
	e.Direction = o.Dir.String()
	if o.Tx != nil {
		e.TxID, e.HasTxID = o.Tx.ID, true
		if parser := f.App.Parser(); parser != nil {
			w.record(f, parser, o.Tx, e)
		}
	}
	e.Flow = flowPart(f)
	return e
}

// dlpPart tells what was decided and why.
func (w *Worker) dlpPart(in policy.Input, facts objectFacts, res classifiers.Result, dec *policy.Decision) *events.DLP {
	d := &events.DLP{
		PolicyRule: dec.Rule, Level: dec.Level.String(), Action: policy.ActionName(dec.Action),
		Channel: in.Channel, Direction: in.Direction.String(), Evidence: facts.evidence, Reason: dec.Reason, BytesReleased: facts.released,
		Object:    events.DLPObject{Name: in.Name, Type: res.Type, Size: facts.size, Path: facts.path},
		Exception: dec.Exception, Owner: dec.Owner, Unscannable: res.Unscannable,
	}
	if !dec.Action.Withholds() || !w.judging() {
		// Nothing was kept back: all that was seen has left.
		d.BytesReleased = facts.size
	}
	if d.Reason == "" && res.Unscannable != "" {
		d.Reason = "unscannable: " + res.Unscannable
	}
	if facts.sum != nil {
		d.Object.SHA256 = hex.EncodeToString(facts.sum)
	}
	seen := map[string]bool{}
	for i := range res.Counts {
		c := &res.Counts[i]
		fd := events.DLPFinding{Detector: c.Detector, Count: int(c.Total[0]), Unique: int(c.Unique[0]),
			Confidence: c.Confidence.String(), Masked: append([]string(nil), c.Masked...)}
		for _, h := range c.Hashes {
			fd.Hashes = append(fd.Hashes, hex.EncodeToString(h[:]))
		}
		d.Findings = append(d.Findings, fd)
		for _, t := range c.Tags {
			if !seen[t] {
				seen[t] = true
				d.Tags = append(d.Tags, t)
			}
		}
	}
	return d
}
