package protocol

// FrameType numbers the kinds of frames of a protocol: an index of
// Definition.Frames, or FrameStream.
type FrameType uint8

const (
	// MaxFrameTypes bounds the kinds of frames of a protocol; they are bits of a
	// word, of which FrameStream has the last.
	MaxFrameTypes = 31
	// FrameStream is all of a direction that a protocol's parser is given. Every
	// protocol over TCP has it; the Session announces it.
	FrameStream FrameType = MaxFrameTypes
	// FrameOpen is the length of a frame whose end is not known yet.
	FrameOpen = int64(-1)
	// FrameKept is the longest message whose frames may be announced once it is
	// there as a whole, and its transaction known: who judges frames keeps as much of
	// what came before. Those of longer ones are announced as they begin.
	FrameKept = 16 << 10
	// maxFrames bounds the frames of one call. The shortest there are, of two
	// bytes, do not reach it in the largest aggregate of segments.
	maxFrames = 1 << 17
)

// frameSlots is the first of the slots that buffers of frames have: no protocol
// has as many buffers of transactions.
const frameSlots = 0x80

// FrameBuffer gives the id under which rules know a kind of frames.
func FrameBuffer(p ID, t FrameType) BufferID { return Buffer(p, frameSlots|uint8(t)) }

// Frame tells whether the id stands for a kind of frames, and which.
func (b BufferID) Frame() (t FrameType, ok bool) {
	return FrameType(b.Slot() &^ frameSlots), b.Slot() >= frameSlots && b.Protocol() != Any
}

// FrameSpec describes a kind of frames to the rule compiler.
type FrameSpec struct {
	// Name is what follows the protocol's in rules: "pdu", "record.hdr".
	Name string
	// Dirs are the directions in which there are such frames; 0 means both.
	Dirs Dirs
}

// frameStreamSpec describes FrameStream.
var frameStreamSpec = FrameSpec{Name: "stream", Dirs: DirsBoth}

// Frame gives the definition's kind of frames of a name.
func (d *Definition) Frame(name string) (FrameType, FrameSpec, bool) {
	for i, s := range d.Frames {
		if s.Name == name {
			return FrameType(i), s, true
		}
	}
	if d.TCP && name == frameStreamSpec.Name {
		return FrameStream, frameStreamSpec, true
	}
	return 0, FrameSpec{}, false
}

// FrameName gives the name of a kind of frames.
func (d *Definition) FrameName(t FrameType) string {
	if t == FrameStream {
		return frameStreamSpec.Name
	}
	if int(t) < len(d.Frames) {
		return d.Frames[t].Name
	}
	return ""
}

// Frame is a unit that a protocol makes of a direction's bytes: a header, a
// message, a line.
type Frame struct {
	App  ID
	Type FrameType
	Dir  Dir
	// Ends tells that the newest open frame of the kind ends at Start: nothing
	// begins.
	Ends bool
	// Start is the offset of its first byte: of the direction's stream, gaps
	// included, or of the datagram.
	Start uint64
	// Len is its length, FrameOpen while that is unknown.
	Len int64
	// Tx is the transaction that it belongs to, nil where there is none (yet).
	Tx *Tx
}

// FrameSink collects the frames that parsers announce. It belongs to a worker.
type FrameSink struct {
	// Wanted has a bit for each kind of frames that somebody asks for.
	Wanted [NumIDs]uint32
	// List are the frames announced since Reset, as they were; Lost counts those
	// for which there was no room, here or with who judges them, ever.
	List []Frame
	Lost uint64
	// end is the offset behind the bytes in work.
	end uint64
	dir Dir
	app ID
}

// Any reports whether any kind of frames is asked for.
func (s *FrameSink) Any() bool { return s.Wanted != [NumIDs]uint32{} }

// Reset forgets the frames.
func (s *FrameSink) Reset() {
	if len(s.List) == 0 {
		return
	}
	clear(s.List)
	if s.List = s.List[:0]; cap(s.List) > maxFrames/16 {
		s.List = nil
	}
}

func (s *FrameSink) put(f Frame) {
	if len(s.List) == maxFrames {
		s.Lost++
		return
	}
	s.List = append(s.List, f)
}

// Framing reports whether anybody asks for frames of the parser's protocol:
// where not, a parser need not find out where they are.
func (e *Env) Framing() bool { return e.framing != 0 }

// Frame announces a frame of a direction whose bytes are in work. It began left
// bytes before the end of those that the parser was given with this call: more
// than there are in it for one that began in an earlier call, less than none for
// one that is still to begin. tx may be nil. What has no bytes is no frame.
func (e *Env) Frame(t FrameType, left int, n int64, tx *Tx) {
	if e.framing>>t&1 == 0 {
		return
	}
	s := e.Frames
	if left > 0 && uint64(left) > s.end || n <= 0 && n != FrameOpen {
		return
	}
	s.put(Frame{App: s.app, Type: t, Dir: s.dir, Start: s.end - uint64(left), Len: n, Tx: tx})
}

// FrameEnd tells that the newest open frame of the kind in the direction in work
// ended left bytes before the end of the bytes given. tx may be nil.
func (e *Env) FrameEnd(t FrameType, left int, tx *Tx) {
	if e.framing>>t&1 == 0 {
		return
	}
	s := e.Frames
	if left < 0 || uint64(left) > s.end {
		return
	}
	s.put(Frame{App: s.app, Type: t, Dir: s.dir, Ends: true, Start: s.end - uint64(left), Tx: tx})
}

// Place says where the bytes are that the parser of app is given next: they end
// at offset end of a direction. The Session does so.
func (e *Env) Place(app ID, dir Dir, end uint64) {
	s := e.Frames
	if s == nil {
		e.framing = 0
		return
	}
	e.framing = s.Wanted[app]
	s.app, s.dir, s.end = app, dir, end
}

// frame prepares the announcement of frames in the n bytes of a direction that
// begin at offset off.
func (s *Session) frame(env *Env, dir Dir, off, n uint64) {
	env.Place(s.speaks, dir, off+n)
	k := env.Frames
	if k == nil {
		return
	}
	if env.framing>>FrameStream != 0 && !env.Datagram && s.state[dir]&streamed == 0 && n > 0 {
		s.state[dir] |= streamed
		k.put(Frame{App: s.speaks, Type: FrameStream, Dir: dir, Start: off, Len: FrameOpen})
	}
}

// parse gives the parser the bytes of a direction that begin at offset off.
func (s *Session) parse(env *Env, dir Dir, data []byte, off uint64) Status {
	s.frame(env, dir, off, uint64(len(data)))
	return s.parser.Parse(env, dir, data)
}
