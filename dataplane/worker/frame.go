package worker

import (
	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/events"
	"sluice/signatures"
)

// wantFrames tells parsers which frames somebody asks for: the Inspector's rules
// or, where they are reported, all.
func (w *Worker) wantFrames() {
	done := w.frameOver
	if !w.cfg.Report.Frames || !w.cfg.Report.wants("frame") {
		done = nil
	}
	w.units.Wanted = w.in.WantFrames(w.cfg.Registry, done)
	if w.env.Frames = nil; w.units.Any() {
		w.env.Frames = &w.units
	}
}

// frameOver reports a frame.
func (w *Worker) frameOver(_ *decode.Packet, f *flow.Flow, x *signatures.FramePiece) {
	e := w.event("frame", f, x.Frame.Dir)
	m := signatures.FrameMatch{Frame: *x.Frame, ID: x.ID, Complete: x.Whole, Data: x.Data}
	if m.Len == protocol.FrameOpen {
		m.Len = int64(x.Start) + int64(len(x.Data))
	}
	w.putFrame(e, f, &m)
	w.emit(e)
}

// putFrame puts a frame into an event.
func (w *Worker) putFrame(e *events.Event, f *flow.Flow, m *signatures.FrameMatch) {
	limit := w.cfg.Report.PayloadLimit
	if limit <= 0 {
		limit = defaultPayloadLimit
	}
	x := &events.Frame{ID: m.ID, Direction: "toserver", Complete: m.Complete, Length: uint64(max(m.Len, int64(len(m.Data))))}
	if m.Dir == protocol.ToClient {
		x.Direction = "toclient"
	}
	if d := w.cfg.Registry.Definition(m.App); d != nil {
		x.Type = d.FrameName(m.Type)
	}
	if f.Proto == decode.ProtoTCP {
		at := m.Start
		x.StreamOffset = &at
	}
	x.Payload = w.masked(m.Data[:min(len(m.Data), limit)])
	x.PayloadPrintable = printable(x.Payload)
	if m.Tx != nil {
		id := m.Tx.ID
		x.TxID = &id
	}
	if e.Extra == nil {
		e.Extra = make(map[string]any)
	}
	e.Extra["frame"] = x
}
