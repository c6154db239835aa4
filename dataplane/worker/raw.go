package worker

import (
	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/inspect"
	"sluice/dataplane/protocol"
	"sluice/dataplane/stream"
)

// flowState is what the worker keeps with a flow, in flow.Flow.Inspect.
type flowState struct {
	// stream is the rules' view of the raw bytes; nil when none looks.
	stream *inspect.Stream
	// noStream tells that no rule of the set looks at this flow's raw bytes.
	noStream bool
	// hello tells that the policy was asked about the TLS client hello.
	hello bool
	// clear: the policy was asked about a password in the clear.
	clear bool
	// raw are the objects that hold the bytes no protocol claimed.
	raw [2]*inspect.Object
	// rawSeq are their numbers in the worker's queue.
	rawSeq [2]uint64
	// sctp follows the association of an SCTP flow.
	sctp stream.Association
	// tail holds the newest bytes of each direction where alerts show them.
	tail [2][]byte
	// exceptions are the limits whose policy was applied to the flow, as bits.
	exceptions uint8
	// dropTold tells the directions of which a drop was reported.
	dropTold [2]bool
	// midstream: what to do with a connection picked up midway was decided.
	midstream bool
	// gapFailed: the flow's parser gave up over missing bytes.
	gapFailed bool
	// macs are the link-layer addresses of each direction's senders.
	macs [2][][6]byte
	// hold is what is withheld by direction, trails how many open documents of a
	// direction have no declared end. sentIn is the batch in which frames withheld were let
	// on.
	hold   [2]*hold
	trails [2]int
	sentIn [2]uint64
	// trailTime is how long such a direction's newest frame may wait.
	trailTime [2]int64
	// tags are the packets still to be told after an alert.
	tags     []tag
	coverage coverage
	// rewrites are the bytes of each direction that rules have replaced and that
	// may come again.
	rewrites [2][]rewrite
	// kept are matches that wait for a packet of their direction.
	kept []keptMatch
	// below is when the kernel was last asked to drop the flow, 0 never.
	below int64
}

// state gives the flow's state or nil.
func (w *Worker) state(f *flow.Flow) *flowState {
	st, _ := f.Inspect.(*flowState)
	return st
}

// ensure gives the flow's state, made where there is none.
func (w *Worker) ensure(f *flow.Flow) *flowState {
	if st := w.state(f); st != nil {
		return st
	}
	st := new(flowState)
	f.Inspect = st
	return st
}

// streamOf gives the view of a flow's raw bytes and frames; nil when none looks.
func (w *Worker) streamOf(f *flow.Flow) *inspect.Stream {
	if w.in.Matcher == nil && w.env.Frames == nil {
		return nil
	}
	st := w.ensure(f)
	if st.stream == nil && !st.noStream {
		st.stream = w.in.Stream(f)
		st.noStream = st.stream == nil
	}
	return st.stream
}

// rawBytes gives the classifiers those bytes of a direction that no protocol
// claimed. offset is that of data; status what the session answered to it.
func (w *Worker) rawBytes(f *flow.Flow, dir protocol.Dir, offset uint64, data []byte, status protocol.Status) {
	if status != protocol.Error || w.in.Classifier == nil {
		return
	}
	for d := protocol.ToServer; d <= protocol.ToClient; d++ {
		// Recognition may have given up on both directions at once.
		if pend := f.App.Pending(d); len(pend) > 0 {
			if from, ok := f.App.Raw(d); ok {
				w.rawObject(f, d, from-uint64(len(pend)), pend)
				f.App.DropPending(d)
			}
		}
	}
	from, ok := f.App.Raw(dir)
	if !ok || len(data) == 0 {
		return
	}
	if from > offset {
		if from >= offset+uint64(len(data)) {
			return
		}
		data, offset = data[from-offset:], from
	}
	w.rawObject(f, dir, offset, data)
}

// rawObject gives bytes to the direction's raw object, opened where there is
// none.
func (w *Worker) rawObject(f *flow.Flow, dir protocol.Dir, offset uint64, data []byte) {
	if w.in.Classifier == nil {
		return
	}
	st := w.ensure(f)
	if ob := st.raw[dir]; ob != nil && ob.Unwanted && ob.Outdated(w.in) {
		// There is another policy, which may concern what goes on here.
		w.closeRaw(f, dir)
	}
	if st.raw[dir] == nil {
		meta := &protocol.Object{Kind: protocol.KindStream, Dir: dir, Start: offset, UntilEnd: true}
		app := f.App.Proto()
		c := w.concern(f, app, meta)
		st.raw[dir] = w.in.OpenObject(f, app, meta, inspect.How{Raw: true, Unwanted: !w.wants(c)})
		st.raw[dir].Early = c.Withholds
		if f.Proto == decode.ProtoTCP {
			w.openSpool(st.raw[dir], c)
		}
		meta.Sink = st.raw[dir]
		w.boundRaw(f, dir)
	}
	(*objectSink)(w).ObjectData(st.raw[dir].Meta, data)
}

// closeRaw ends the direction's raw object.
func (w *Worker) closeRaw(f *flow.Flow, dir protocol.Dir) {
	st := w.state(f)
	if st == nil || st.raw[dir] == nil {
		return
	}
	meta := st.raw[dir].Meta
	st.raw[dir] = nil
	w.rawQueueOf(f).open--
	(*objectSink)(w).CloseObject(meta, protocol.ObjectClosed)
}
