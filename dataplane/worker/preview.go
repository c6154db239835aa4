package worker

import (
	"sluice/classifiers"
	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/inspect"
	"sluice/dataplane/protocol"
)

// What is found is decided upon with the bytes that follow it in view, and what
// no protocol claims yet is not classified at all: so a frame that holds all of a
// secret could leave before its verdict, and would where nothing follows it, as
// with a small file that ends with its connection. Such a frame is withheld if it
// would be if its object ended with it: until what follows has been judged, or
// for previewTime, in nanoseconds. Then it is judged as it stands, except that a
// value that ends with the last byte does not count, for it may go on.
const previewTime = 100e6

// previewBytes is how much a frame without PSH carries at least to be looked at:
// another follows, and the cost must stay small against that of its own bytes.
const previewBytes = 4 << 10

// guess says what a frame is withheld for while its verdict waits for more
// bytes: an object, or the bytes of an unknown protocol where that is nil.
type guess struct {
	ob *inspect.Object
}

// previews reports whether the packet in work is withheld where its verdict
// could come too late.
func (w *Worker) previews() bool {
	p := w.p
	if p.Proto != decode.ProtoTCP || p.Payload == p.PayloadEnd || p.Frame == nil || w.drop || w.closing || w.cfg.Policy == nil || !w.enforced() {
		return false
	}
	return p.TCPFlags&decode.TCPPsh != 0 || p.PayloadEnd-p.Payload >= previewBytes
}

// previewObject withholds the packet in work where its object would be stopped
// if it ended here.
func (w *Worker) previewObject(ob *inspect.Object) {
	if !ob.Early || ob.Meta.Dir != w.dir || ob.Stream == nil || !w.previews() {
		return
	}
	if d, _ := ob.Decided.(*decision); d != nil && d.told {
		return
	}
	if res, more := ob.Preview(false); more && w.wouldWithhold(ob.Flow, ob.App, ob.Meta, ob.Size, res) {
		w.guess(ob.Flow, guess{ob})
	}
}

// previewPending is previewObject for bytes that no protocol has claimed yet.
func (w *Worker) previewPending(f *flow.Flow) {
	data := f.App.Pending(w.dir)
	if len(data) == 0 || w.in.Classifier == nil || !w.previews() {
		return
	}
	o := w.unclaimed(w.dir)
	app := f.App.Proto().Spoken()
	if !w.concern(f, app, o).Withholds {
		return
	}
	if res, more := w.in.PreviewRaw(data, false); more && w.wouldWithhold(f, app, o, uint64(len(data)), res) {
		w.guess(f, guess{})
	}
}

// unclaimed is the object that the bytes of no known protocol are, valid until
// the next call.
func (w *Worker) unclaimed(dir protocol.Dir) *protocol.Object {
	w.nobodys = protocol.Object{Kind: protocol.KindStream, Dir: dir, UntilEnd: true}
	return &w.nobodys
}

func (w *Worker) wouldWithhold(f *flow.Flow, app protocol.ID, o *protocol.Object, size uint64, res classifiers.Result) bool {
	in := w.policyInput(f, app, o, objectFacts{size: size}, res, false)
	return w.cfg.Policy.Decide(in).Action.Withholds()
}

// guess withholds the packet in work.
func (w *Worker) guess(f *flow.Flow, g guess) {
	h := w.holdOf(f, w.dir)
	if len(h.docs) > 0 {
		return // it waits for more than this
	}
	if h.guess == nil {
		h.due = w.now + previewTime
	}
	h.guess, w.keep = &g, h
}

// whileGuessed handles a packet of a direction of which frames wait for more
// bytes, and reports whether it is dealt with: what was withheld and comes again.
func (w *Worker) whileGuessed(p *decode.Packet, h *hold) bool {
	if h.guess == nil {
		return false
	}
	if p.TCPFlags&decode.TCPRst != 0 {
		w.freeFrames(h) // its sender gave up
		return false
	}
	if p.TCPFlags&decode.TCPSyn != 0 || !holding(p) || !h.filled || int32(seqEnd(p)-h.end) > 0 {
		return false
	}
	w.counters.HeldAbsorbed++
	w.parked = true
	return true
}

// settleGuess judges what is withheld by what there is, between packets.
func (w *Worker) settleGuess(h *hold) {
	f, ob := h.f, h.guess.ob
	h.guess = nil
	w.p, w.f, w.dir, w.seq = &h.packet, f, h.dir, 0
	w.drop, w.why, w.passed, w.rejected, w.dropAlert = false, dropNone, false, false, nil
	switch data := f.App.Pending(h.dir); {
	case f.Verdict.Action.EndsFlow():
	case w.cfg.Policy == nil || w.in.Classifier == nil:
		// A reload has switched classification off meanwhile.
	case ob != nil:
		d, _ := ob.Decided.(*decision)
		if d == nil {
			d = new(decision)
			ob.Decided = d
		}
		if res, more := ob.Preview(true); more {
			w.judge(f, ob.App, ob.Meta, objectFacts{size: ob.Size, released: ob.Size, spool: ob.Spool}, res, d)
		}
	case len(data) > 0:
		if res, more := w.in.PreviewRaw(data, true); more {
			n := uint64(len(data))
			w.judge(f, f.App.Proto(), w.unclaimed(h.dir), objectFacts{size: n, released: n}, res, nil)
		}
	}
	if w.drop || f.Verdict.Action.EndsFlow() {
		w.withhold(dropFlow)
		w.dropped(len(h.frames))
		w.dismiss(h)
		return
	}
	w.release(h)
}

// forget ends a guess about an object that is over: it is judged now.
func (w *Worker) forget(ob *inspect.Object) {
	for _, h := range w.holds {
		if h.guess != nil && h.guess.ob == ob {
			h.guess, h.due, h.queued = nil, w.now, 0
		}
	}
}

// heldBack counts the bytes of a flow's direction that are withheld, without the
// packet in work.
func (w *Worker) heldBack(f *flow.Flow, dir protocol.Dir) (n uint64) {
	if len(w.holds) == 0 {
		return 0
	}
	if st := w.state(f); st != nil && st.hold[dir] != nil {
		for _, hf := range st.hold[dir].frames {
			n += uint64(hf.payload)
		}
	}
	return n
}
