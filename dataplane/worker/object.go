package worker

import (
	"encoding/hex"

	"sluice/classifiers"
	"sluice/classifiers/document"
	"sluice/dataplane/flow"
	"sluice/dataplane/inspect"
	"sluice/dataplane/protocol"
	"sluice/dataplane/verdict"
	"sluice/events"
)

// objectSink is the worker as parsers see it.
type objectSink Worker

var _ protocol.ObjectSink = (*objectSink)(nil)

// OpenObject implements protocol.ObjectSink.
func (s *objectSink) OpenObject(o *protocol.Object) {
	w := (*Worker)(s)
	if o.File {
		w.openSums(o)
		w.openStoring(o)
	}
	app := w.f.App.Proto().Spoken()
	c := w.concern(w.f, app, o)
	ob := w.in.OpenObject(w.f, app, o, inspect.How{Sum: o.File && w.cfg.Report.wants("fileinfo"), Unwanted: !w.wants(c)})
	o.Sink = ob
	ob.Early = c.Withholds
	w.openSpool(ob, c)
	if o.Tx != nil {
		o.Tx.OpenObjects++
	}
}

// ObjectData implements protocol.ObjectSink.
func (s *objectSink) ObjectData(o *protocol.Object, data []byte) {
	w := (*Worker)(s)
	ob, ok := o.Sink.(*inspect.Object)
	if !ok || len(data) == 0 {
		return
	}
	o.Size += uint64(len(data))
	w.addSums(o, data)
	if ob.Packet != w.packetNum() {
		w.touched = append(w.touched, ob)
	}
	if ob.Spooling != spoolOff {
		w.spool(ob, data)
	}
	ob.Data(w.p, w.packetNum(), data)
	w.store(o, data)
}

// ObjectGap implements protocol.ObjectSink.
func (s *objectSink) ObjectGap(o *protocol.Object, n uint64) {
	o.Gaps = true
	(*Worker)(s).gapStoring(o)
	if ob, ok := o.Sink.(*inspect.Object); ok {
		if ob.Spooling != spoolOff {
			(*Worker)(s).gapSpool(ob)
		}
		ob.Gap(n)
	}
}

// CloseObject implements protocol.ObjectSink.
func (s *objectSink) CloseObject(o *protocol.Object, state protocol.ObjectState) {
	w := (*Worker)(s)
	o.State = state
	if o.Tx != nil {
		o.Tx.OpenObjects--
	}
	ob, ok := o.Sink.(*inspect.Object)
	if !ok {
		return
	}
	for i, t := range w.touched {
		if t == ob {
			w.touched = append(w.touched[:i], w.touched[i+1:]...)
			break
		}
	}
	f, app, size, released := ob.Flow, ob.App, ob.Size, ob.Released
	if ob.Packet != w.packetNum() {
		released = size
	}
	decided, _ := ob.Decided.(*decision)
	failed := ob.Failed
	classified, fate := ob.Stream != nil, egressInspected
	unwanted := ob.Unwanted
	catalog := ob.Catalog()
	spool, kept := w.takeSpool(ob)
	w.closeSums(o)
	w.forget(ob)
	res, sum := ob.Close(w.p) // the rules ask the sink about the file
	o.Sink = nil
	if failed && res.Unscannable == "" {
		res.Unscannable = "scan-failed"
	}
	if reason := unkept(kept); reason != "" {
		res.Unscannable = reason
	}
	if o.Unscannable != "" {
		res.Unscannable = o.Unscannable
	}
	switch {
	case res.Unscannable != "":
		w.ensure(f).coverage.found = true
		fate = egressUnscannable
	case unwanted:
		fate = egressUnconcerned
	}
	if w.leaves(f, o.Dir) {
		w.covered(f, fate)
	}
	if stored := w.closeStoring(o); o.File && size > 0 {
		w.fileEvent(f, o, size, res.Type, sum, stored)
	} else if stored != 0 {
		w.cfg.Files.Store.Discard(stored)
	}
	if !classified || w.cfg.Policy == nil {
		spool.Free()
		return
	}
	facts := objectFacts{size: size, released: released, sum: sum, final: true, spool: spool, part: kept == spoolPart}
	if kept == spoolDocument {
		w.readDocument(f, app, o, catalog, facts, res)
		return
	}
	if !w.judge(f, app, o, facts, res, decided) {
		w.unjudged(f, res.Unscannable)
	}
	spool.Free()
}

// packetNum tells packets apart: the frame's number with the packet's place in
// it does not matter for what has left, the frame does.
func (w *Worker) packetNum() uint64 {
	if w.closing {
		return w.num + 1
	}
	return w.num
}

// fileEvent reports a file that was seen to its end, and ends it in the store where
// it is stored, under a number that is not 0.
func (w *Worker) fileEvent(f *flow.Flow, o *protocol.Object, size uint64, mime string, sum []byte, stored uint32) {
	w.counters.Files++
	wanted := w.cfg.Report.wants("fileinfo")
	if !wanted && (stored == 0 || !w.cfg.Files.Record) {
		w.endStoring(stored, nil)
		return
	}
	e := w.event("fileinfo", f, o.Dir)
	info := &events.FileInfo{Filename: o.Name, Gaps: o.Gaps, State: o.State.String(), Size: size, MIMEType: mime, Magic: o.Magic}
	if sum != nil {
		info.SHA256 = hex.EncodeToString(sum)
	}
	info.MD5, info.SHA1 = hex.EncodeToString(o.Hashes[protocol.MD5]), hex.EncodeToString(o.Hashes[protocol.SHA1])
	if o.Start > 0 || o.Total > 0 && size < o.Total {
		start, end := o.Start, o.Start+max(size, 1)-1
		info.Start, info.End = &start, &end
	}
	e.FileInfo = info
	if o.Tx != nil {
		info.TxID = o.Tx.ID
		parser := f.App.Parser()
		if stored == 0 && parser != nil && w.inPacket && !w.closing {
			w.files = append(w.files, toldFile{e, f, parser, o.Tx})
			return
		}
		if parser != nil {
			w.record(f, parser, o.Tx, e)
		}
	}
	if stored != 0 {
		info.Stored, info.FileID, info.SID = true, stored, o.StoreSIDs
	}
	w.endStoring(stored, e)
	if wanted {
		w.emit(e)
	}
}

// toldFile is the record of a file that waits for the end of its packet, which may
// tell more of the transaction: a mail's last attachment often ends with the mail.
type toldFile struct {
	e      *events.Event
	f      *flow.Flow
	parser protocol.Parser
	tx     *protocol.Tx
}

// tellFiles reports the files that ended with the packet. It is called before their
// transactions are forgotten.
func (w *Worker) tellFiles() {
	for i := range w.files {
		t := &w.files[i]
		w.record(t.f, t.parser, t.tx, t.e)
		w.emit(t.e)
		*t = toldFile{}
	}
	w.files = w.files[:0]
}

// decision is what was last decided about an object.
type decision struct {
	told bool
	// found is the number of findings at the last look.
	found int
}

// objectFacts is what the worker knows of an object beside its parser's part.
type objectFacts struct {
	size, released uint64
	sum            []byte
	final          bool
	// path is the way into a container to what was found, spool the content where
	// it was kept, part tells that it is not all of it.
	path  string
	spool *document.Spool
	part  bool
	// evidence is the name of what was kept of it.
	evidence string
}

// judgeObjects asks the policy about the objects that the packet brought bytes
// of and that may have new findings.
func (w *Worker) judgeObjects() {
	for _, ob := range w.touched {
		if ob.Stream == nil || w.cfg.Policy == nil || ob.Spooling == spoolDocument {
			// The bytes of a document say little; it is judged by its text.
			continue
		}
		w.judgeObject(ob)
		w.previewObject(ob)
	}
	w.touched = w.touched[:0]
}

func (w *Worker) judgeObject(ob *inspect.Object) {
	d, _ := ob.Decided.(*decision)
	found := ob.Stream.Found()
	if found == 0 || d != nil && d.found == found {
		return
	}
	w.ensure(ob.Flow).coverage.found = true
	if d == nil {
		d = new(decision)
		ob.Decided = d
	}
	d.found = found
	if !ob.Early && !ob.Outdated(w.in) {
		return // nothing that could be decided now would hold
	}
	w.judge(ob.Flow, ob.App, ob.Meta, objectFacts{size: ob.Size, released: ob.Released, spool: ob.Spool}, ob.Partial(), d)
}

// judge asks the policy about an object and carries the answer out. Until the
// object is whole only answers that withhold it count: the others may still
// change. It reports whether a rule decided.
func (w *Worker) judge(f *flow.Flow, app protocol.ID, o *protocol.Object, facts objectFacts, res classifiers.Result, d *decision) bool {
	if d != nil && d.told {
		return true
	}
	facts.released -= min(facts.released, w.heldBack(f, o.Dir))
	in := w.policyInput(f, app, o, facts, res, false)
	dec := w.cfg.Policy.Decide(in)
	w.judged(f.ID, in, dec)
	for i := range dec.Shadow {
		if facts.final {
			w.tell(f, in, o, facts, res, &dec.Shadow[i], true)
		}
	}
	if dec.Exception && facts.final && excused(res) {
		w.tell(f, in, o, facts, res, &dec, false)
	}
	if !facts.final && !dec.Action.Withholds() || dec.Action == verdict.None {
		return dec.Matched()
	}
	if d != nil {
		d.told = true
	}
	w.counters.Findings++
	var tx uint64
	if o.Tx != nil {
		tx = o.Tx.ID
	}
	w.keepEvidence(f.ID, tx, &in, &facts, &dec)
	w.tell(f, in, o, facts, res, &dec, false)
	if dec.Action.Withholds() {
		w.apply(f, verdict.Verdict{Action: dec.Action, Cause: verdict.CausePolicy, Rule: dec.Rule})
		w.isolate(&in, &dec)
	}
	return true
}

// excused reports whether an exception that allows a result has anything to tell
// of: what is allowed is not unseen.
func excused(res classifiers.Result) bool { return len(res.Counts) > 0 || res.Unscannable != "" }

// apply makes a verdict the flow's.
func (w *Worker) apply(f *flow.Flow, v verdict.Verdict) {
	if v.Action == verdict.Bypass {
		if !f.Verdict.Action.EndsFlow() {
			f.Verdict = f.Verdict.Max(v)
			w.flows.Bypass(f)
		}
		return
	}
	if !w.judging() {
		w.cut(f, v)
		w.dropBelow(f, v)
		return
	}
	if v.Action.Withholds() {
		w.withhold(dropPolicy)
	}
	if !f.Verdict.Action.EndsFlow() && v.Action.EndsFlow() {
		w.counters.BlockedFlows++
		w.takeBack(f)
		f.Verdict = f.Verdict.Max(v)
		w.refuse(f)
		w.spend(f)
		return
	}
	f.Verdict = f.Verdict.Max(v)
}

// channel names the way out of an object for policies and events.
func channel(app protocol.ID, o *protocol.Object, proto uint8) string {
	switch app {
	case protocol.HTTP1, protocol.HTTP2:
		if o.Dir == protocol.ToServer {
			return "http-request"
		}
		return "http-response"
	case protocol.Unknown, protocol.Failed:
		if proto == 17 {
			return "raw-udp"
		}
		return "raw-tcp"
	}
	return app.String()
}
