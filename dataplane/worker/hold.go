package worker

import (
	"slices"

	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
	"sluice/dataplane/enforce"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/dataplane/verdict"
)

// The newest bytes of a document without a declared end are held back while
// nothing follows: for trailTime where it ends with the connection, for markTime
// where a mark follows (a boundary, the last chunk, a mail's dot), in
// nanoseconds. Only frames with PSH are: every sender sets it on the last segment
// that it has (RFC 9293 §3.9.1.2), so that one in the middle of its data is not
// kept waiting. Whoever closes a connection behind a file, or ends a form, does so
// at once, and the end stays here. This guarantees nothing against a sender who
// waits for longer between the last byte and the FIN or the mark: then the bytes
// have left when the verdict comes, and what says that they are all is withheld.
const (
	trailTime = 10e6
	markTime  = 3e6
)

// hold is what is withheld of one direction of a flow: the frames that complete
// documents until their verdicts, or, with none to wait for, the newest frame of
// a document that ends with its connection.
type hold struct {
	f   *flow.Flow
	dir protocol.Dir
	// docs are the documents whose verdicts are awaited.
	docs []*pendingDocument
	// frames were judged and are sent in order, queue came later and is judged
	// when it is let on. queued counts the bytes of the latter.
	frames, queue []*heldFrame
	queued        int
	// packet is the first withheld packet, without its bytes but for the link
	// header: what resets are made from.
	packet decode.Packet
	link   linkCopy
	filled bool
	// end is one past the last sequence number withheld.
	end uint32
	// guess is what the frames are withheld for where that is more bytes.
	guess *guess
	// due is when frames that wait for nothing but a successor, or more bytes, go on.
	due int64
}

// linkCopy is a frame cut down to its link header.
type linkCopy struct {
	frame capture.Frame
	bytes [32]byte
}

// keepLink makes q a copy of p that outlives its frame.
func keepLink(q *decode.Packet, l *linkCopy, p *decode.Packet) {
	l.frame = *p.Frame
	l.frame.Data = l.bytes[:copy(l.bytes[:], p.Frame.Data)]
	*q = *p
	q.Frame, q.Data, q.NEvents = &l.frame, nil, 0
}

// heldFrame is a captured frame in memory of our own.
type heldFrame struct {
	frame capture.Frame
	buf   []byte
	// payload is how many bytes of its flow it carries.
	payload uint32
}

// holdOf gives what is withheld of the direction of the packet in work, begun
// where nothing is.
func (w *Worker) holdOf(f *flow.Flow, dir protocol.Dir) *hold {
	st := w.ensure(f)
	h := st.hold[dir]
	if h == nil {
		h = &hold{f: f, dir: dir}
		st.hold[dir] = h
		w.holds = append(w.holds, h)
	}
	if !h.filled && w.p.Frame != nil {
		h.filled = true
		h.end = seqEnd(w.p)
		keepLink(&h.packet, &h.link, w.p)
	}
	return h
}

// seqEnd is one past the last sequence number that a TCP packet takes.
func seqEnd(p *decode.Packet) uint32 {
	n := p.Seq + (p.PayloadEnd - p.Payload)
	if p.TCPFlags&decode.TCPFin != 0 {
		n++
	}
	return n
}

// holding reports whether the packet in work carries something that can be
// withheld.
func holding(p *decode.Packet) bool {
	return p.Frame != nil && (p.Payload != p.PayloadEnd || p.Proto == decode.ProtoTCP && p.TCPFlags&decode.TCPFin != 0)
}

// trail withholds the packet in work where it brought the newest bytes of a
// document that ends with its connection.
func (w *Worker) trail(f *flow.Flow, dir protocol.Dir, p *decode.Packet) {
	if w.keep != nil || f == nil || f.Verdict.Action == verdict.Bypass || p.Proto != decode.ProtoTCP || !holding(p) || p.TCPFlags&(decode.TCPPsh|decode.TCPFin) == 0 {
		return
	}
	if st := w.state(f); st != nil && st.trails[dir] > 0 {
		w.keep = w.holdOf(f, dir)
	}
}

// whileHeld handles a packet of a direction of which something is withheld for
// a verdict, and reports whether it is dealt with: acknowledgements and resets
// are judged as ever.
func (w *Worker) whileHeld(p *decode.Packet, f *flow.Flow, dir protocol.Dir) bool {
	st := w.state(f)
	if st == nil || st.hold[dir] == nil || p.Frame == nil {
		return false
	}
	h := st.hold[dir]
	if len(h.docs) == 0 {
		return w.whileGuessed(p, h)
	}
	if p.Proto == decode.ProtoTCP {
		if p.TCPFlags&decode.TCPRst != 0 {
			// Its sender gave up: what it sent before is of no more use.
			w.freeFrames(h)
			return false
		}
		if p.TCPFlags&decode.TCPSyn != 0 || !holding(p) {
			return false
		}
		if h.filled && int32(seqEnd(p)-h.end) <= 0 {
			w.counters.HeldAbsorbed++
			w.parked = true
			return true
		}
	}
	if p.Has(decode.FlagReassembled) {
		// Its last fragment alone could not be judged again: like a lost one.
		w.counters.HeldOverflow++
		w.parked = true
		return true
	}
	w.flows.Uncount(f, p, dir)
	w.keep, w.later, w.parked = h, true, true
	return true
}

// park withholds the frame in work where that was asked for, and gives whether
// it may go on at once.
func (w *Worker) park(f *capture.Frame, forward bool) bool {
	h := w.keep
	switch {
	case h == nil:
		if !forward && w.f != nil && w.f.Verdict.Action.EndsFlow() {
			w.dismissOf(w.f, w.dir)
		}
		return w.inOrder(f, forward)
	case w.later:
		if h.queued+len(f.Data) > w.cfg.HeldBytes {
			w.counters.HeldOverflow++ // like a lost one: it comes again
		} else if hf := w.copyFrame(f); hf != nil {
			h.queue = append(h.queue, hf)
			h.queued += len(f.Data)
			if end := seqEnd(w.p); int32(end-h.end) > 0 {
				h.end = end
			}
		}
		return false
	case !forward:
		if h.f.Verdict.Action.EndsFlow() {
			w.dismiss(h)
		}
		return false
	}
	switch {
	case len(h.docs) > 0:
	case h.guess != nil:
		if h.queued += len(f.Data); h.queued > w.cfg.HeldBytes {
			h.due = w.now
		}
	default:
		// The one before has its successor now.
		for _, hf := range h.frames {
			w.sendHeld(h, hf)
		}
		h.frames, h.filled = h.frames[:0], false
		w.holdOf(h.f, h.dir)
		h.due = w.now + w.ensure(h.f).trailTime[h.dir]
	}
	if end := seqEnd(w.p); int32(end-h.end) > 0 {
		h.end = end
	}
	w.parked = true
	hf := w.copyFrame(f)
	if hf == nil {
		w.counters.HeldOverflow++
		if len(h.docs) > 0 {
			return false // absorbed when it comes again, let on after the verdict
		}
		w.unhold(h)
		return w.inOrder(f, true)
	}
	w.counters.HeldFrames++
	h.frames = append(h.frames, hf)
	return false
}

// inOrder keeps a frame that may go on behind those of its direction that were
// let on in the same batch: they are sent after it. A frame that follows one
// that waited for it alone takes that along.
func (w *Worker) inOrder(f *capture.Frame, forward bool) bool {
	if !forward || w.again || w.f == nil || len(w.holds) == 0 && w.sentIn != w.batch {
		return forward
	}
	st := w.state(w.f)
	if st == nil {
		return true
	}
	if h := st.hold[w.dir]; h != nil && len(h.docs) == 0 && holding(w.p) {
		w.release(h)
	}
	if st.sentIn[w.dir] != w.batch {
		return true
	}
	w.injectCaptured(w.f, w.dir, f)
	w.parked = true
	return false
}

// release lets on what is withheld: what was judged as it is, what came later
// after being judged.
func (w *Worker) release(h *hold) {
	if h.f.Verdict.Action.EndsFlow() {
		w.dismiss(h)
		return
	}
	w.unhold(h)
	frames, queue := h.frames, h.queue
	h.frames, h.queue = nil, nil
	for _, hf := range frames {
		w.sendHeld(h, hf)
	}
	for _, hf := range queue {
		hf.frame.Time = w.now
		w.again = true
		forward := w.judgeFrame(&hf.frame)
		w.again = false
		if forward {
			w.sendHeld(h, hf)
			continue
		}
		if !w.parked {
			w.countDropped(&hf.frame)
		}
		w.freeFrame(hf)
	}
}

// dismiss throws away what is withheld, after a verdict against it.
func (w *Worker) dismiss(h *hold) {
	w.unhold(h)
	for _, d := range h.docs {
		d.h = nil
	}
	w.freeFrames(h)
}

// dismissOf throws away what is withheld of a direction of a flow that a verdict
// ended.
func (w *Worker) dismissOf(f *flow.Flow, dir protocol.Dir) {
	if len(w.holds) == 0 {
		return
	}
	if st := w.state(f); st != nil && st.hold[dir] != nil {
		w.dismiss(st.hold[dir])
	}
}

// unhold ends a hold; its frames are the caller's.
func (w *Worker) unhold(h *hold) {
	if w.keep == h {
		w.keep = nil
	}
	if st := w.state(h.f); st != nil && st.hold[h.dir] == h {
		st.hold[h.dir] = nil
	}
	w.holds = without(w.holds, h)
}

// without takes x out of a list in place; the order of the others stays.
func without[T any](list []*T, x *T) []*T {
	if i := slices.Index(list, x); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// tickHolds lets on what waited for a successor that does not come.
func (w *Worker) tickHolds() {
	for i := 0; i < len(w.holds); {
		h := w.holds[i]
		if len(h.docs) == 0 && w.now >= h.due {
			// Either takes it out of the list.
			if h.guess != nil {
				w.settleGuess(h)
			} else {
				w.release(h)
			}
			continue
		}
		i++
	}
}

// Urgent reports whether Tick is needed more often than usual, for frames that
// wait for their successors.
func (w *Worker) Urgent() bool {
	for _, h := range w.holds {
		if len(h.docs) == 0 {
			return true
		}
	}
	return false
}

// endHolds ends what is withheld of a flow that ends.
func (w *Worker) endHolds(f *flow.Flow) {
	st := w.state(f)
	if st == nil {
		return
	}
	for d := range st.hold {
		if h := st.hold[d]; h != nil {
			w.dismiss(h)
		}
		w.trails -= st.trails[d]
		st.trails[d] = 0
	}
}

// sendHeld sends a frame that was withheld out of the port it was bound for.
func (w *Worker) sendHeld(h *hold, hf *heldFrame) {
	w.counters.HeldReleased++
	w.injectCaptured(h.f, h.dir, &hf.frame)
	w.sent = append(w.sent, hf)
}

func (w *Worker) injectCaptured(f *flow.Flow, dir protocol.Dir, frame *capture.Frame) {
	if st := w.state(f); st != nil {
		st.sentIn[dir], w.sentIn = w.batch, w.batch
	}
	w.injections = append(w.injections, enforce.Injection{Port: frame.Port ^ 1, Captured: frame})
}

// recycle takes back the frames that were sent since the last call.
func (w *Worker) recycle() {
	for i, hf := range w.sent {
		w.freeFrame(hf)
		w.sent[i] = nil
	}
	w.sent = w.sent[:0]
	w.copies = w.copies[:0]
}

// frameSizes are the sizes in which memory for frames is kept: a frame of
// Ethernet, a small and a full aggregate.
var frameSizes = [...]int{2 << 10, 16 << 10, 72 << 10}

// maxFreeFrames bounds the idle memory of each size.
const maxFreeFrames = 32

// copyFrame copies a frame into memory that counts with that of documents; nil
// where there is no room.
func (w *Worker) copyFrame(f *capture.Frame) *heldFrame {
	n := len(f.Data)
	class := 0
	for class < len(frameSizes) && frameSizes[class] < n {
		class++
	}
	if class == len(frameSizes) || !w.cfg.Documents.Memory.Reserve(int64(frameSizes[class])) {
		return nil
	}
	var hf *heldFrame
	if l := w.freed[class]; len(l) > 0 {
		hf, w.freed[class] = l[len(l)-1], l[:len(l)-1]
	} else {
		hf = &heldFrame{buf: make([]byte, frameSizes[class])}
	}
	hf.frame, hf.payload = *f, w.p.PayloadEnd-w.p.Payload
	hf.frame.Data = hf.buf[:copy(hf.buf, f.Data):n]
	return hf
}

func (w *Worker) freeFrame(hf *heldFrame) {
	w.cfg.Documents.Memory.Release(int64(len(hf.buf)))
	for class, size := range frameSizes {
		if size == len(hf.buf) && len(w.freed[class]) < maxFreeFrames {
			w.freed[class] = append(w.freed[class], hf)
		}
	}
}

func (w *Worker) freeFrames(h *hold) {
	for _, l := range [2][]*heldFrame{h.frames, h.queue} {
		for _, hf := range l {
			w.countDropped(&hf.frame)
			w.freeFrame(hf)
		}
	}
	h.frames, h.queue, h.queued = nil, nil, 0
}

// held reports whether something of a flow is withheld: it cannot go another way
// yet.
func (w *Worker) held(f *flow.Flow) bool {
	if len(w.holds) == 0 {
		return false
	}
	st := w.state(f)
	return st != nil && (st.hold[0] != nil || st.hold[1] != nil)
}

// mayHold reports whether frames of the packet in work can be withheld for a
// verdict: traffic is enforced, and it is not over.
func (w *Worker) mayHold(f *flow.Flow) bool {
	return w.enforced() && !w.closing && f.Verdict.Action != verdict.Bypass && !f.Verdict.Action.EndsFlow()
}
