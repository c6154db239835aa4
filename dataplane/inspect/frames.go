package inspect

import (
	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/signatures"
)

const (
	// wholeFrame is the longest frame that is judged in one piece, once it is
	// there: a window keeps as much, whatever comes after it. Longer ones, and
	// those of unknown length, are judged as they come.
	wholeFrame = windowKeep
	// maxLiveFrames bounds the frames of a direction of which more is to come: a
	// few that are within each other.
	maxLiveFrames = 16
)

// What parsers announce only when it is there as a whole must still be in a window.
const _ = uint(wholeFrame - protocol.FrameKept)

// liveFrame is a frame of which more is to come.
type liveFrame struct {
	f  protocol.Frame
	id uint64
	// seen is the stream's offset up to which it was judged, 0 for nothing.
	seen  uint64
	state signatures.FrameState
}

// framing is what an Inspector knows of frames.
type framing struct {
	wanted [protocol.NumIDs]uint32
	any    bool
	// done is told of frames that are over; nil for nobody.
	done func(p *decode.Packet, f *flow.Flow, x *signatures.FramePiece)
	// once and piece are the frame and the piece in work: scratch, since what is
	// handed to a function value would be allocated for each.
	once  liveFrame
	piece signatures.FramePiece
}

// WantFrames makes the Inspector judge the frames that its rules look at and, with
// done, hand over all frames of all protocols once they are over: what done is
// given is borrowed. It gives the kinds that parsers are to announce, and is to be
// called before the first stream.
func (in *Inspector) WantFrames(r *protocol.Registry, done func(p *decode.Packet, f *flow.Flow, x *signatures.FramePiece)) [protocol.NumIDs]uint32 {
	k := &in.framing
	k.done = done
	for id := range protocol.NumIDs {
		k.wanted[id] = 0
		if in.set.Rules != nil {
			k.wanted[id] = in.set.Rules.FrameTypes(id)
		}
		if d := r.Definition(id); done != nil && d != nil {
			k.wanted[id] |= 1<<len(d.Frames) - 1
			if d.TCP {
				k.wanted[id] |= 1 << protocol.FrameStream
			}
		}
		k.any = k.any || k.wanted[id] != 0
	}
	return k.wanted
}

// framed reports whether frames of the flow's protocol are asked for, or may be
// once it is known.
func (s *Stream) framed() bool {
	k := &s.in.framing
	if !k.any {
		return false
	}
	app := s.flow.App.ParserProto()
	return k.wanted[app] != 0 || app == protocol.Unknown && s.flow.App.Proto() == protocol.Unknown || s.flow.App.Original() != protocol.Unknown ||
		len(s.dirs[0].live)+len(s.dirs[1].live) > 0
}

// Frames judges the frames that a parser announced with the newest bytes, and
// those that these bytes belong to. It empties the sink.
func (s *Stream) Frames(p *decode.Packet, sink *protocol.FrameSink) {
	if !s.in.framing.any {
		sink.Reset() // asked for by rules that came after the flow
		return
	}
	for i := range sink.List {
		if !s.announced(p, &sink.List[i]) {
			sink.Lost++
		}
	}
	sink.Reset()
	for i := range s.dirs {
		d := &s.dirs[i]
		keep := d.live[:0]
		for k := range d.live {
			lf := &d.live[k]
			// What a protocol left open when the flow went over to another is over.
			if left := lf.f.App != s.flow.App.ParserProto(); !s.judge(p, d, lf, left) {
				keep = append(keep, *lf)
			}
		}
		clear(d.live[len(keep):])
		d.live = keep
		d.now = d.win.view()
	}
}

// announced takes a frame, or the end of one. It reports false where there is no
// room for it.
func (s *Stream) announced(p *decode.Packet, f *protocol.Frame) bool {
	d := &s.dirs[f.Dir]
	if f.Ends || f.Len == protocol.FrameOpen {
		// Frames of a kind do not overlap: where one begins, another is over.
		s.ended(p, d, f)
	}
	if f.Ends {
		return true
	}
	d.frames++
	lf := &s.in.framing.once
	*lf = liveFrame{f: *f, id: d.frames}
	if f.Len != protocol.FrameOpen && s.judge(p, d, lf, false) {
		return true
	}
	if len(d.live) == maxLiveFrames {
		return false
	}
	d.live = append(d.live, *lf)
	return true
}

// ended ends the newest open frame of the kind of f where that begins.
func (s *Stream) ended(p *decode.Packet, d *half, f *protocol.Frame) {
	for i := len(d.live) - 1; i >= 0; i-- {
		lf := &d.live[i]
		if lf.f.Type != f.Type || lf.f.App != f.App || lf.f.Len != protocol.FrameOpen || f.Start < lf.f.Start {
			continue
		}
		lf.f.Len = int64(f.Start - lf.f.Start)
		if f.Ends && f.Tx != nil {
			lf.f.Tx = f.Tx
		}
		if s.judge(p, d, lf, false) {
			copy(d.live[i:], d.live[i+1:])
			d.live[len(d.live)-1] = liveFrame{}
			d.live = d.live[:len(d.live)-1]
		}
		return
	}
}

// judge has the rules look at what is new of a frame, and reports whether it is
// over: complete or, as told, without more to come.
func (s *Stream) judge(p *decode.Packet, d *half, lf *liveFrame, over bool) bool {
	w := &d.now
	f := &lf.f
	end := w.Start + uint64(len(w.Data))
	if end < f.Start {
		return over // it has not begun
	}
	whole := false
	if f.Len != protocol.FrameOpen && uint64(f.Len) <= end-f.Start {
		end, whole, over = f.Start+uint64(f.Len), true, true
	}
	// What ends with its stream, or its protocol, is all there.
	whole = whole || over && f.Len == protocol.FrameOpen
	if !over && (end <= lf.seen || f.Len != protocol.FrameOpen && f.Len <= wholeFrame && lf.seen == 0) {
		return false
	}
	from := min(max(f.Start, w.Start), end)
	x := &s.in.framing.piece
	*x = signatures.FramePiece{Frame: f, ID: lf.id, Whole: whole && from == f.Start, Final: over}
	x.Start = from - f.Start
	if from >= w.Start {
		x.Data = w.Data[from-w.Start : end-w.Start]
	}
	x.New = int(min(max(lf.seen, from), end) - from)
	s.in.frame(p, s.flow, x, lf)
	lf.seen = end
	return over
}

// frame shows a piece to the rules and, where the frame is over, to who keeps
// records.
func (in *Inspector) frame(p *decode.Packet, f *flow.Flow, x *signatures.FramePiece, lf *liveFrame) {
	in.Counters.Frames++
	if in.Matcher != nil {
		var st *signatures.FrameState
		if lf != nil && (lf.seen > 0 || !x.Final) {
			st = &lf.state
		}
		in.Matcher.Frame(p, f, x, st)
	}
	if x.Final && in.framing.done != nil {
		in.framing.done(p, f, x)
	}
}

// Gap tells that n bytes of a direction are missing from offset off on. What is
// there of the frames around the hole is judged, and they go on behind it.
func (s *Stream) Gap(p *decode.Packet, dir protocol.Dir, off, n uint64, sink *protocol.FrameSink) {
	if !s.in.framing.any {
		sink.Reset()
		return
	}
	d := &s.dirs[dir]
	keep := d.live[:0]
	for i := range d.live {
		lf := &d.live[i]
		inHole := lf.f.Len != protocol.FrameOpen && lf.f.Start+uint64(lf.f.Len) <= off+n
		lf.seen = max(lf.seen, 1) // no longer to be had in one piece
		if !s.judge(p, d, lf, inHole) {
			keep = append(keep, *lf)
		}
	}
	clear(d.live[len(keep):])
	d.live = keep
	d.win.cut(off + n)
	d.now = d.win.view()
	s.Frames(p, sink)
}

// EndFrames judges what is there of a direction's open frames: no more comes.
func (s *Stream) EndFrames(p *decode.Packet, dir protocol.Dir, sink *protocol.FrameSink) {
	s.Frames(p, sink)
	d := &s.dirs[dir]
	for i := range d.live {
		s.judge(p, d, &d.live[i], true)
	}
	clear(d.live)
	d.live = d.live[:0]
}

// Datagram judges the frames that a parser announced in a datagram, and empties
// the sink.
func (in *Inspector) Datagram(p *decode.Packet, f *flow.Flow, data []byte, sink *protocol.FrameSink) {
	for i := range sink.List {
		fr := &sink.List[i]
		if fr.Ends || fr.Start > uint64(len(data)) {
			continue
		}
		rest := data[fr.Start:]
		x := &in.framing.piece
		*x = signatures.FramePiece{Frame: fr, ID: uint64(i) + 1, Whole: true, Final: true}
		switch {
		case fr.Len == protocol.FrameOpen:
			fr.Len = int64(len(rest))
		case fr.Len > int64(len(rest)):
			x.Whole = false
		default:
			rest = rest[:fr.Len]
		}
		x.Data = rest
		in.frame(p, f, x, nil)
	}
	sink.Reset()
}
