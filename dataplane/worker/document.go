package worker

import (
	"strings"
	"time"

	"sluice/classifiers"
	"sluice/classifiers/document"
	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/inspect"
	"sluice/dataplane/policy"
	"sluice/dataplane/protocol"
	"sluice/dataplane/verdict"
	"sluice/events"
)

// maxDocuments bounds the documents of one worker that are being read. Those
// beyond are not read: "overload".
const maxDocuments = 256

// pendingDocument is a document whose reading was asked for. What its event
// needs of the flow and the transaction was taken when it was complete, since
// both may be gone when the answer comes.
type pendingDocument struct {
	job document.Job
	// f is nil once the flow is gone; h is nil where nothing is withheld.
	f   *flow.Flow
	h   *hold
	dir protocol.Dir
	// flowID and txID name the transaction.
	flowID, txID uint64
	// packet is what resets are made from where nothing is withheld.
	packet decode.Packet
	link   linkCopy

	set    *inspect.Set
	policy *policy.Policy
	in     policy.Input
	facts  objectFacts
	event  *events.Event
	raw    classifiers.Result
	// due is when the verdict must be there, settled whether it is.
	due     int64
	settled bool
}

// readDocument has a complete document read and judges it by what it says: at
// once in a replay, unless nothing depends on it, else when the answer comes, with
// the frames that complete it withheld until then.
func (w *Worker) readDocument(f *flow.Flow, app protocol.ID, o *protocol.Object, catalog *classifiers.Catalog, facts objectFacts, raw classifiers.Result) {
	w.counters.Documents++
	job := document.Job{Object: facts.spool, Catalog: catalog,
		Meta: classifiers.ObjectMeta{Name: o.Name, ContentType: o.ContentType, MinConfidence: classifiers.Medium}}
	if !w.cfg.Live && w.mayReadLater(f, app, o) {
		w.readLater(f, app, o, job, facts, raw)
		return
	}
	if !w.cfg.Live {
		w.cfg.Documents.Do(&job)
		res := w.combine(o.Unscannable, job.Result, raw, &facts)
		if !w.judge(f, app, o, facts, res, nil) {
			w.unjudged(f, res.Unscannable)
		}
		facts.spool.Free()
		return
	}
	d := &pendingDocument{job: job, f: f, dir: o.Dir, set: w.in.Set(), policy: w.cfg.Policy, facts: facts, raw: raw}
	if d.raw.Unscannable = ""; o.Unscannable != "" {
		d.raw.Unscannable = o.Unscannable
	}
	if d.flowID = f.ID; o.Tx != nil {
		d.txID = o.Tx.ID
	}
	if o.State != protocol.ObjectClosed {
		d.facts.sum = nil
	}
	d.due = w.now + int64(w.cfg.HeldTime)
	d.job.Deadline = time.Now().Add(w.cfg.HeldTime)
	d.job.Owner = d
	d.job.Done = w.documentRead
	d.in = w.policyInput(f, app, o, facts, raw, true)
	if w.cfg.Report.wants("dlp") {
		d.event = w.dlpEvent(f, o)
	}
	if w.closing {
		d.f = nil
	}
	if len(w.documents) >= maxDocuments || !w.cfg.Documents.Submit(&d.job) {
		w.counters.DocumentsOverload++
		raw.Unscannable = document.Overload
		if !w.judge(f, app, o, facts, raw, nil) {
			w.unjudged(f, document.Overload)
		}
		facts.spool.Free()
		return
	}
	w.documents = append(w.documents, d)
	switch {
	case d.f == nil:
	case w.mayHold(f) && o.Dir == w.dir && holding(w.p):
		d.h = w.holdOf(f, o.Dir)
		for _, hf := range d.h.frames {
			d.facts.released -= min(d.facts.released, uint64(hf.payload))
		}
		d.h.docs = append(d.h.docs, d)
		w.keep = d.h
	case w.p.Frame != nil:
		keepLink(&d.packet, &d.link, w.p)
		d.packet.Payload = d.packet.PayloadEnd // it has gone on
	}
}

// documentRead takes a job that is done, on a goroutine of the Reader. There is
// room for all that are under way.
func (w *Worker) documentRead(j *document.Job) {
	w.answers <- j.Owner.(*pendingDocument)
	if w.cfg.Live {
		if wake := w.wake.Load(); wake != nil {
			(*wake)()
		}
	}
}

// SetWake gives the worker a function that has Tick called soon, from any
// goroutine.
func (w *Worker) SetWake(wake func()) { w.wake.Store(&wake) }

// combine gives the result of a document: what it says, and, where it could not
// be read to the end, what stands in its bytes too. given is the reason that the
// parser has for not having all of it.
func (w *Worker) combine(given string, doc document.Result, raw classifiers.Result, facts *objectFacts) classifiers.Result {
	res := doc.Result
	for _, path := range [2]string{doc.Unread, doc.Path} {
		if strings.Contains(path, "!/") {
			facts.path = path // not the object itself
		}
	}
	if res.Unscannable != "" {
		res = doc.With(raw)
		if res.Unscannable == document.Timeout {
			w.counters.DocumentsTimeout++
		}
		w.counters.DocumentsUnscannable++
	}
	if given != "" {
		res.Unscannable = given
	}
	return res
}

// unjudged carries out the exception policy for a document that was not read in
// time or for want of room and of which the policy says nothing.
func (w *Worker) unjudged(f *flow.Flow, reason string) {
	if f != nil && (reason == document.Timeout || reason == document.Overload) {
		w.except(f, excDocument, dropDocument)
	}
}

// tickDocuments takes the answers that have come, and those that come too late
// as given.
func (w *Worker) tickDocuments() {
	for {
		select {
		case d := <-w.answers:
			w.answered(d)
			continue
		default:
		}
		break
	}
	for i := 0; i < len(w.documents); i++ {
		if d := w.documents[i]; !d.settled && w.now >= d.due {
			w.settle(d, w.late(d))
		}
	}
}

// late is the result of a document that is not read in time.
func (w *Worker) late(d *pendingDocument) document.Result {
	var r document.Result
	r.Type, r.Size, r.Unscannable = d.raw.Type, d.facts.size, document.Timeout
	return r
}

// answered takes a document out of those under way.
func (w *Worker) answered(d *pendingDocument) {
	w.documents = without(w.documents, d)
	if !d.settled {
		w.settle(d, d.job.Result)
	}
	d.job.Object.Free()
}

// drain waits for the documents under way, no longer than they may take.
func (w *Worker) drain() {
	if len(w.documents) == 0 {
		return
	}
	timeout := time.NewTimer(w.cfg.HeldTime + time.Second)
	defer timeout.Stop()
	for len(w.documents) > 0 {
		select {
		case d := <-w.answers:
			w.answered(d)
		case <-timeout.C:
			for _, d := range w.documents {
				if !d.settled {
					w.settle(d, w.late(d))
				}
			}
			return
		}
	}
}

// settle judges a document by its result, between packets, and lets on or ends
// what is withheld for it.
func (w *Worker) settle(d *pendingDocument, doc document.Result) {
	d.settled = true
	facts, f, h := d.facts, d.f, d.h
	res := w.combine(d.raw.Unscannable, doc, d.raw, &facts)
	in := d.in
	in.Type, in.Counts, in.Unscannable, in.Released = res.Type, res.Counts, res.Unscannable, facts.released
	if h == nil {
		in.Released = facts.size
	}
	dec := d.policy.Decide(in)

	w.p, w.f, w.dir, w.seq = &d.packet, f, d.dir, 0
	if h != nil {
		w.p = &h.packet
	}
	w.drop, w.why, w.passed, w.rejected, w.dropAlert = false, dropNone, false, false, nil
	for i := range dec.Shadow {
		w.tellDocument(d, in, facts, res, &dec.Shadow[i], true)
	}
	switch {
	case dec.Action != verdict.None:
		w.counters.Findings++
		w.keepEvidence(d.flowID, d.txID, &in, &facts, &dec)
		w.tellDocument(d, in, facts, res, &dec, false)
	case dec.Exception && excused(res):
		w.tellDocument(d, in, facts, res, &dec, false)
	}
	w.isolate(&in, &dec)
	if f != nil {
		switch {
		case dec.Action.Withholds():
			w.apply(f, verdict.Verdict{Action: dec.Action, Cause: verdict.CausePolicy, Rule: dec.Rule})
		case !dec.Matched():
			w.unjudged(f, res.Unscannable)
		}
	}
	if h == nil {
		return
	}
	h.docs = without(h.docs, d)
	d.h = nil
	switch {
	case w.drop || f.Verdict.Action.EndsFlow():
		w.withhold(dropFlow)
		w.dropped(len(h.frames))
		w.dismiss(h)
	case len(h.docs) > 0:
	case h.guess != nil:
		w.settleGuess(h)
	default:
		w.release(h)
	}
}

// tellDocument reports a decision about a document.
func (w *Worker) tellDocument(d *pendingDocument, in policy.Input, facts objectFacts, res classifiers.Result, dec *policy.Decision, shadow bool) {
	if d.event == nil {
		return
	}
	if d.h == nil {
		facts.released = facts.size
	}
	e := *d.event
	e.DLP = w.dlpPart(in, facts, res, dec)
	e.DLP.Enforced, e.DLP.Shadow = dec.Action.Withholds() && w.enforced() && d.f != nil && !shadow, shadow
	w.emit(&e)
}

// endDocuments lets go of a flow that ends: its documents are judged all the
// same, for the record.
func (w *Worker) endDocuments(f *flow.Flow) {
	for _, d := range w.documents {
		if d.f == f {
			d.f, d.h = nil, nil
		}
	}
}

// reading reports whether documents under way need something of a set that was
// replaced.
func (w *Worker) reading() bool {
	for _, d := range w.documents {
		if d.set != w.cfg.Set {
			return true
		}
	}
	return false
}
