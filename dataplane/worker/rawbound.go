package worker

import (
	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
)

// maxRawDatagrams bounds the directions of datagram flows whose bytes no protocol
// claims and that classification follows from datagram to datagram. Whoever makes up
// source addresses can begin any number of such flows with one datagram each.
const maxRawDatagrams = 8192

// rawQueue holds them, the oldest at next.
type rawQueue struct {
	refs []rawRef
	next int
}

// rawRef names a direction of a flow; the flow's memory may be another's by now,
// which its id tells.
type rawRef struct {
	f   *flow.Flow
	id  uint64
	dir protocol.Dir
}

// boundRaw notes that a raw object of a datagram flow was opened. Where there
// are too many, the oldest is judged with what it has; if its flow goes on,
// another object begins.
func (w *Worker) boundRaw(f *flow.Flow, dir protocol.Dir) {
	q, ref := &w.rawQueue, rawRef{f, f.ID, dir}
	if len(q.refs) < maxRawDatagrams {
		q.refs = append(q.refs, ref)
		return
	}
	old := q.refs[q.next]
	q.refs[q.next] = ref
	q.next = (q.next + 1) % len(q.refs)
	if old.f == f || old.f.ID != old.id {
		return
	}
	if st := w.state(old.f); st == nil || st.raw[old.dir] == nil {
		return
	}
	w.aside(old.f, func() { w.closeRaw(old.f, old.dir) })
}

// aside runs fn on another flow than that of the packet in work, which stays as
// it is. There is no packet of that flow: what is decided withholds none.
func (w *Worker) aside(f *flow.Flow, fn func()) {
	p, saved, dir, drop, touched, closing := w.p, w.f, w.dir, w.drop, w.touched, w.closing
	why, passed, rejected, dropAlert, pending := w.why, w.passed, w.rejected, w.dropAlert, w.pendingAlerts
	pseudo, src, dst := w.pseudo, w.env.SrcPort, w.env.DstPort
	w.pseudo = decode.Packet{Time: w.now, Src: f.Client, Dst: f.Server, SrcPort: f.ClientPort, DstPort: f.ServerPort, IPVersion: f.IPVersion, Proto: f.Proto}
	w.p, w.f, w.dir, w.drop, w.touched, w.closing = &w.pseudo, f, protocol.ToServer, false, nil, true
	w.why, w.passed, w.rejected, w.dropAlert, w.pendingAlerts = dropNone, false, false, nil, nil
	w.env.SrcPort, w.env.DstPort = f.ClientPort, f.ServerPort
	fn()
	w.closingVerdict()
	w.p, w.f, w.dir, w.drop, w.touched, w.closing = p, saved, dir, drop, touched, closing
	w.why, w.passed, w.rejected, w.dropAlert, w.pendingAlerts = why, passed, rejected, dropAlert, pending
	w.pseudo, w.env.SrcPort, w.env.DstPort = pseudo, src, dst
}
