package worker

import (
	"sluice/classifiers"
	"sluice/classifiers/document"
	"sluice/dataplane/flow"
	"sluice/dataplane/policy"
	"sluice/dataplane/protocol"
	"sluice/dataplane/verdict"
	"sluice/events"
)

// A replay need not wait for a document where the policy could do nothing with
// its flow: what follows is judged the same whatever the document says. Its
// events are given room where they belong and come when it has been read.

const (
	// maxLater and laterBytes bound the documents of a worker that are read while
	// it goes on.
	maxLater   = 64
	laterBytes = 8 << 20
	// laterEvents is how many numbers of events are kept free for a document:
	// numbers order the events of a packet, and may have gaps.
	laterEvents = 256
)

// laterDocument is a document that is read while its worker goes on. What its
// events need of flow, transaction and packet was taken when it was complete.
type laterDocument struct {
	job   document.Job
	done  chan struct{}
	f     *flow.Flow
	given string
	raw   classifiers.Result
	in    policy.Input
	facts objectFacts
	event *events.Event
	// at is the place among the events of its Output, seq, num and now are the
	// packet's.
	at  int
	seq uint32
	num uint64
	now int64
	// evs are its events once it is settled.
	evs     []*events.Event
	settled bool
}

// Output is the events of some batches with the documents that are still read.
type Output struct {
	evs  []*events.Event
	docs []*laterDocument
}

// ReadLater lets the worker go on while documents are read that could change
// nothing but the events. Its events are to be taken by Output then.
func (w *Worker) ReadLater() { w.readsLater = true }

// Output gives what came of the batches since the last call.
func (w *Worker) Output() Output {
	o := Output{w.out, w.laterDocs}
	w.out, w.laterDocs = nil, nil
	return o
}

// Finish gives the events of an Output, oldest first; they are the caller's. ok is
// false, and nothing is given, while documents are being read; with wait they
// are waited for. Outputs are finished in their order.
func (w *Worker) Finish(o *Output, wait bool) (evs []*events.Event, ok bool) {
	for _, d := range o.docs {
		if !wait && !d.ready() {
			return nil, false
		}
		w.settleLater(d)
	}
	if len(o.docs) == 0 {
		return o.evs, true
	}
	from := 0
	for _, d := range o.docs {
		evs = append(append(evs, o.evs[from:d.at]...), d.evs...)
		from = d.at
	}
	return append(evs, o.evs[from:]...), true
}

func (d *laterDocument) ready() bool {
	if d.settled {
		return true
	}
	select {
	case <-d.done:
		return true
	default:
		return false
	}
}

// mayReadLater reports whether nothing waits for what a document says: no rule
// could withhold anything or keep it, no tool asks, and no exception policy would
// touch the flow if it were not read.
func (w *Worker) mayReadLater(f *flow.Flow, app protocol.ID, o *protocol.Object) bool {
	if !w.readsLater || w.closing || w.cfg.Judged != nil || w.cfg.Exceptions.Document != Ignore {
		return false
	}
	c := w.concern(f, app, o)
	return !c.Withholds && (!c.Keeps || w.cfg.Evidence == nil)
}

// readLater has a document read and goes on.
func (w *Worker) readLater(f *flow.Flow, app protocol.ID, o *protocol.Object, job document.Job, facts objectFacts, raw classifiers.Result) {
	d := &laterDocument{job: job, done: make(chan struct{}), f: f, given: o.Unscannable, raw: raw, facts: facts,
		at: len(w.out), seq: w.seq, num: w.num, now: w.now}
	if w.seq += laterEvents; o.State != protocol.ObjectClosed {
		d.facts.sum = nil
	}
	d.in = w.policyInput(f, app, o, facts, raw, true)
	if w.cfg.Report.wants("dlp") {
		d.event = w.dlpEvent(f, o)
	}
	for len(w.unsettled) > 0 && (len(w.unsettled) >= maxLater || w.unsettledBytes+facts.size > laterBytes) {
		w.settleLater(w.unsettled[0])
	}
	w.laterDocs, w.unsettled = append(w.laterDocs, d), append(w.unsettled, d)
	w.unsettledBytes += facts.size
	d.job.Done = func(*document.Job) { close(d.done) }
	if !w.cfg.Documents.Submit(&d.job) {
		w.cfg.Documents.Do(&d.job)
		close(d.done)
	}
}

// settleLater waits for a document and judges it as judge does, with its events
// in d.
func (w *Worker) settleLater(d *laterDocument) {
	if d.settled {
		return
	}
	<-d.done
	d.settled = true
	w.unsettled = without(w.unsettled, d)
	w.unsettledBytes -= d.facts.size
	out, seq, num, now := w.out, w.seq, w.num, w.now
	w.out, w.seq, w.num, w.now = nil, d.seq, d.num, d.now
	facts := d.facts
	res := w.combine(d.given, d.job.Result, d.raw, &facts)
	in := d.in
	in.Type, in.Counts, in.Unscannable = res.Type, res.Counts, res.Unscannable
	dec := w.cfg.Policy.Decide(in)
	for i := range dec.Shadow {
		w.tellLater(d, in, facts, res, &dec.Shadow[i], true)
	}
	if dec.Exception && excused(res) {
		w.tellLater(d, in, facts, res, &dec, false)
	}
	if dec.Action != verdict.None {
		w.counters.Findings++
		w.tellLater(d, in, facts, res, &dec, false)
	} else if !dec.Matched() {
		w.unjudged(d.f, res.Unscannable)
	}
	d.evs = w.out
	w.out, w.seq, w.num, w.now = out, seq, num, now
	d.job.Object.Free()
	d.f = nil
}

// tellLater reports a decision about a document.
func (w *Worker) tellLater(d *laterDocument, in policy.Input, facts objectFacts, res classifiers.Result, dec *policy.Decision, shadow bool) {
	if d.event == nil {
		return
	}
	e := *d.event
	e.DLP = w.dlpPart(in, facts, res, dec)
	e.DLP.Shadow = shadow
	w.emit(&e)
}

// settleOf settles the documents of a flow that ends, so that its record has what
// became of them.
func (w *Worker) settleOf(f *flow.Flow) {
	for i := 0; i < len(w.unsettled); {
		if d := w.unsettled[i]; d.f == f {
			w.settleLater(d)
		} else {
			i++
		}
	}
}
