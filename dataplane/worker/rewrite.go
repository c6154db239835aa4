package worker

import (
	"slices"

	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/events"
	"sluice/signatures"
)

// askedRewrite is a match in the frame in work that replaces bytes.
type askedRewrite struct {
	// packet is the number of its packet in the frame, bytes how many it replaces:
	// those of wanted from one number to another.
	packet, from, to, bytes int
	// told is what its alert says; nil where none is written.
	told *events.Replace
	// reason tells why it is not made; empty as long as it may be.
	reason string
}

// patch is a change of the frame in work: with at an offset of its bytes, in the
// payload of a packet of it.
type patch struct {
	packet, at int
	with       []byte
}

// rewrite is what was put in place of a stream's bytes from seq on. It is kept
// until the bytes are acknowledged: sent again, cut in whatever way, they must be
// the same, or the receiver gets what the rule took away.
type rewrite struct {
	seq  uint32
	with []byte
}

// maxRewrites bounds what is kept of a direction; the oldest gives way.
const maxRewrites = 256

// Reasons for which bytes are not replaced.
const (
	replaceNotInline = "not inline"
	replaceWithheld  = "withheld"
	replaceUnable    = "fragments or checksum"
)

// ask notes that a match replaces bytes of the packet in work.
func (w *Worker) ask(x *signatures.Match) {
	if len(x.Rewrites) == 0 || w.closing {
		return
	}
	a := askedRewrite{packet: w.packetIndex(), from: len(w.wanted), to: len(w.wanted) + len(x.Rewrites)}
	for _, r := range x.Rewrites {
		a.bytes += len(r.With)
	}
	w.wanted = append(w.wanted, x.Rewrites...)
	switch {
	case !w.enforced():
		a.reason = replaceNotInline
	case a.packet < 0 || !decode.CanRewrite(w.p):
		a.reason = replaceUnable
		w.counters.ReplaceFailed++
	}
	w.asked = append(w.asked, a)
}

// packetIndex gives the number of the packet in work in its frame, -1 for one
// that is not of a frame.
func (w *Worker) packetIndex() int {
	for i := range w.pkts {
		if &w.pkts[i] == w.p {
			return i
		}
	}
	return -1
}

// rewritePacket turns what rules ask of the packet in work, and what they asked of
// its bytes before, into patches of its frame. It is called once the packet is
// judged.
func (w *Worker) rewritePacket(p *decode.Packet, forward bool) {
	at := w.packetIndex()
	if at < 0 || !forward || w.parked || !w.enforced() {
		return
	}
	if p.Proto != decode.ProtoTCP || w.f == nil {
		for i := range w.asked {
			if a := &w.asked[i]; a.packet == at && a.reason == "" {
				for _, r := range w.wanted[a.from:a.to] {
					w.patches = append(w.patches, patch{at, int(p.Payload + r.At), r.With})
				}
			}
		}
		return
	}
	first := p.Seq
	if p.TCPFlags&decode.TCPSyn != 0 {
		first++ // it takes a number itself
	}
	for i := range w.asked {
		if a := &w.asked[i]; a.packet == at && a.reason == "" {
			for _, r := range w.wanted[a.from:a.to] {
				// There may be more in one frame than is kept.
				w.patches = append(w.patches, patch{at, int(p.Payload + r.At), r.With})
				w.keepRewrite(w.ensure(w.f), w.dir, rewrite{first + r.At, r.With})
			}
		}
	}
	st := w.state(w.f)
	if st == nil {
		return
	}
	if p.TCPFlags&decode.TCPAck != 0 {
		w.acknowledge(st, w.dir.Other(), p.Ack)
	}
	n := int(p.PayloadEnd - p.Payload)
	if n == 0 || !decode.CanRewrite(p) {
		return
	}
	// The newest first: what was decided about a byte before stays.
	for i := len(st.rewrites[w.dir]) - 1; i >= 0; i-- {
		r := &st.rewrites[w.dir][i]
		from, with := int(int32(r.seq-first)), r.with
		if from < 0 {
			with = with[min(-from, len(with)):]
			from = 0
		}
		if from < n && len(with) > 0 {
			w.patches = append(w.patches, patch{at, int(p.Payload) + from, with[:min(len(with), n-from)]})
		}
	}
}

// keepRewrite keeps what was put into a direction of a connection, once.
func (w *Worker) keepRewrite(st *flowState, dir protocol.Dir, r rewrite) {
	list := st.rewrites[dir]
	for i := range list {
		if list[i].seq == r.seq && len(list[i].with) == len(r.with) {
			return // sent again
		}
	}
	if len(list) >= maxRewrites {
		list = slices.Delete(list, 0, 1)
		w.counters.ReplaceForgotten++
		w.rewriting--
	}
	st.rewrites[dir] = append(list, r)
	w.rewriting++
}

// acknowledge forgets what a direction's receiver has.
func (w *Worker) acknowledge(st *flowState, dir protocol.Dir, ack uint32) {
	list := st.rewrites[dir]
	if len(list) == 0 {
		return
	}
	st.rewrites[dir] = slices.DeleteFunc(list, func(r rewrite) bool { return int32(ack-r.seq-uint32(len(r.with))) >= 0 })
	w.rewriting -= len(list) - len(st.rewrites[dir])
}

// rewritten reports whether bytes of a flow were replaced that may come again.
func (w *Worker) rewritten(f *flow.Flow) bool {
	if w.rewriting == 0 {
		return false
	}
	st := w.state(f)
	return st != nil && len(st.rewrites[0])+len(st.rewrites[1]) > 0
}

// endRewrites forgets what was replaced in a flow that ends.
func (w *Worker) endRewrites(f *flow.Flow) {
	if !w.rewritten(f) {
		return
	}
	st := w.state(f)
	w.rewriting -= len(st.rewrites[0]) + len(st.rewrites[1])
	st.rewrites = [2][]rewrite{}
}

// rewriteFrame puts the patches into a copy of the frame in work, which takes the
// frame's place until the next batch, and has the alerts tell what was done.
func (w *Worker) rewriteFrame(f *capture.Frame, forward bool) {
	if forward && len(w.patches) > 0 {
		f.Data = w.copyOf(f.Data)
		last := -1
		for _, c := range w.patches {
			decode.Rewrite(w.pkts, c.packet, f.Data, c.at, c.with)
			if c.packet != last {
				w.counters.Replaced++
				last = c.packet
			}
		}
	}
	for i := range w.asked {
		a := &w.asked[i]
		if a.reason == "" && !forward {
			a.reason = replaceWithheld
		}
		if a.told == nil {
			continue
		}
		a.told.Bytes, a.told.Enforced, a.told.Reason = a.bytes, a.reason == "", a.reason
	}
	clear(w.asked)
	clear(w.wanted)
	clear(w.patches)
	w.asked, w.wanted, w.patches = w.asked[:0], w.wanted[:0], w.patches[:0]
}

// copiesLen is the piece in which memory for rewritten frames is taken.
const copiesLen = 256 << 10

// copyOf copies a frame's bytes into memory that stays as it is to the next
// batch.
func (w *Worker) copyOf(data []byte) []byte {
	if len(w.copies)+len(data) > cap(w.copies) {
		// Frames of this batch may still be in what there was.
		w.copies = make([]byte, 0, max(copiesLen, len(data)))
	}
	at := len(w.copies)
	w.copies = append(w.copies, data...)
	return w.copies[at:len(w.copies):len(w.copies)]
}
