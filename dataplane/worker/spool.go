package worker

import (
	"sluice/classifiers/document"
	"sluice/classifiers/extract"
	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/inspect"
	"sluice/dataplane/policy"
	"sluice/dataplane/protocol"
)

// How the keeping of an object's bytes stands (inspect.Object.Spooling).
const (
	// spoolOff: nothing is kept.
	spoolOff uint8 = iota
	// spoolHead: the first bytes are gathered, to tell what it is.
	spoolHead
	// spoolDocument: a document, to be read as a whole.
	spoolDocument
	// spoolEvidence: kept in case that the policy wants it, spoolPart what could
	// be kept of it.
	spoolEvidence
	spoolPart
	// A document that could not be kept, by reason.
	spoolGap
	spoolTooLarge
	spoolOverload
)

// unkept gives the reason why a document was not kept whole; empty for what was.
func unkept(state uint8) string {
	switch state {
	case spoolGap:
		return document.Gap
	case spoolTooLarge:
		return document.TooLarge
	case spoolOverload:
		return document.Overload
	}
	return ""
}

// openSpool decides whether the bytes of a new object are looked at for a
// document: they are where the policy could do something about one.
func (w *Worker) openSpool(ob *inspect.Object, c policy.Concern) {
	if w.cfg.Documents == nil || w.cfg.Policy == nil || ob.Stream == nil || ob.Meta.Start > 0 {
		return
	}
	if c.Some {
		ob.Spooling, ob.Keeps = spoolHead, c.Keeps && w.cfg.Evidence != nil
	}
}

// wants reports whether an object is classified: where the policy could never care,
// and nobody asks why it did not, its bytes need not be looked at.
func (w *Worker) wants(c policy.Concern) bool {
	return w.cfg.Policy == nil || w.cfg.Judged != nil || c.Wants()
}

// concern asks the policy about an object of which only the way is known.
func (w *Worker) concern(f *flow.Flow, app protocol.ID, o *protocol.Object) policy.Concern {
	if w.cfg.Policy == nil {
		return policy.Concern{}
	}
	src, dst, port := f.Client, f.Server, f.ServerPort
	if o.Dir == protocol.ToClient {
		src, dst, port = dst, src, f.ClientPort
	}
	in := policy.Input{Channel: channel(app, o, f.Proto), Src: src.Netip(), Dst: dst.Netip(), DstPort: port, Time: w.now}
	in.Direction = w.direction(f, o.Dir, in.Src, in.Dst)
	return w.cfg.Policy.Concerns(&in)
}

// spool takes the next bytes of an object that is looked at.
func (w *Worker) spool(ob *inspect.Object, data []byte) {
	switch ob.Spooling {
	case spoolHead:
		if ob.Spool == nil && len(data) >= extract.DocumentHead {
			// The usual case: what it is shows at once, and text is not copied.
			if w.recognise(ob, data[:extract.DocumentHead]); ob.Spooling != spoolOff {
				w.keepBytes(ob, data)
			}
			return
		}
		w.keepBytes(ob, data)
		if ob.Spooling == spoolHead && ob.Spool.Size() >= extract.DocumentHead {
			w.recognise(ob, ob.Spool.Head())
		}
	case spoolDocument, spoolEvidence:
		w.keepBytes(ob, data)
	}
}

func (w *Worker) keepBytes(ob *inspect.Object, data []byte) {
	if ob.Spool == nil {
		if n := len(w.spools); n > 0 {
			ob.Spool, w.spools = w.spools[n-1], w.spools[:n-1]
		} else {
			ob.Spool = w.cfg.Documents.NewSpool()
		}
	}
	var state uint8
	switch ob.Spool.Write(data) {
	case document.TooLarge:
		state = spoolTooLarge
	case document.Overload:
		state = spoolOverload
	default:
		return
	}
	if ob.Spooling != spoolHead {
		w.unspool(ob, state)
		return
	}
	head := ob.Spool.Head()
	if len(head) == 0 {
		head = data
	}
	w.unspoolHead(ob, head, state)
}

// unspoolHead ends the keeping of an object that has not shown yet what it is:
// what there is must do to tell.
func (w *Worker) unspoolHead(ob *inspect.Object, head []byte, state uint8) {
	switch {
	case extract.Document(head, ob.Meta.Name) != "":
		w.giveUp(ob, state)
	case ob.Keeps:
		ob.Spooling = spoolPart
	default:
		w.giveUp(ob, spoolOff)
	}
}

// recognise tells from an object's first bytes whether it is a document.
func (w *Worker) recognise(ob *inspect.Object, head []byte) {
	switch {
	case extract.Document(head, ob.Meta.Name) != "":
		ob.Spooling = spoolDocument
		if !ob.Meta.Exact && ob.Flow.Proto == decode.ProtoTCP && w.enforced() && !w.closing {
			st, dir := w.ensure(ob.Flow), ob.Meta.Dir
			if st.trails[dir]++; ob.Meta.UntilEnd {
				st.trailTime[dir] = trailTime
			} else {
				st.trailTime[dir] = markTime
			}
			w.trails++
		}
	case ob.Keeps:
		ob.Spooling = spoolEvidence
	default:
		w.unspool(ob, spoolOff)
	}
}

// unspool ends the keeping of an object's bytes. What was kept for evidence
// alone is still a part of it.
func (w *Worker) unspool(ob *inspect.Object, state uint8) {
	if ob.Spooling == spoolEvidence {
		ob.Spooling = spoolPart
		return
	}
	if ob.Spooling == spoolHead {
		state = spoolOff // it never showed what it is: it is judged by its bytes
	}
	w.endTrail(ob)
	w.giveUp(ob, state)
}

// giveUp frees what was kept of an object and notes why.
func (w *Worker) giveUp(ob *inspect.Object, state uint8) {
	ob.Spooling = state
	w.freeSpool(ob)
	switch state {
	case spoolGap:
		w.counters.DocumentsGap++
	case spoolTooLarge:
		w.counters.DocumentsTooLarge++
	case spoolOverload:
		w.counters.DocumentsOverload++
	}
}

// maxSpools bounds the empty spools kept for reuse.
const maxSpools = 64

func (w *Worker) freeSpool(ob *inspect.Object) {
	s := ob.Spool
	if s == nil {
		return
	}
	s.Free()
	ob.Spool = nil
	if len(w.spools) < maxSpools {
		w.spools = append(w.spools, s)
	}
}

// endTrail notes that an object no longer holds its flow's newest bytes back.
func (w *Worker) endTrail(ob *inspect.Object) {
	if ob.Spooling != spoolDocument || ob.Meta.Exact {
		return
	}
	if st := w.state(ob.Flow); st != nil && st.trails[ob.Meta.Dir] > 0 {
		st.trails[ob.Meta.Dir]--
		w.trails--
	}
}

// gapSpool tells of a hole in an object: a document with one cannot be read.
func (w *Worker) gapSpool(ob *inspect.Object) {
	switch ob.Spooling {
	case spoolHead:
		var head []byte
		if ob.Spool != nil {
			head = ob.Spool.Head()
		}
		w.unspoolHead(ob, head, spoolGap)
	case spoolDocument, spoolEvidence:
		w.unspool(ob, spoolGap)
	}
}

// takeSpool ends the keeping with the object and gives what was kept, which is
// the caller's from now on.
func (w *Worker) takeSpool(ob *inspect.Object) (*document.Spool, uint8) {
	if ob.Spooling == spoolHead {
		if ob.Spool != nil && ob.Spool.Size() > 0 {
			w.recognise(ob, ob.Spool.Head())
		} else {
			ob.Spooling = spoolOff
		}
	}
	w.endTrail(ob)
	s, state := ob.Spool, ob.Spooling
	ob.Spool, ob.Spooling = nil, spoolOff
	return s, state
}
