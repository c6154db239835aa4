package inspect

import (
	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/internal/hs"
	"sluice/signatures"
)

// Stream is the inspection of one flow's reassembled bytes, and of the frames in
// them, by rules, both directions.
type Stream struct {
	in   *Inspector
	flow *flow.Flow
	dirs [2]half
}

// half is one direction of a Stream.
type half struct {
	// scans are of the database for all ports and of that for the server's.
	scans [2]hs.Stream
	parts [2]int16
	win   window
	// base and next are the offsets of the scans' first and next byte; port is
	// the one that parts are of.
	base, next uint64
	port       uint16
	open       bool
	// now is the window with the bytes in work, for the frames in them; live are
	// the frames of which more is to come, frames counts all.
	now    signatures.Window
	live   []liveFrame
	frames uint64
}

// raw reports whether rules look at raw streams.
func (in *Inspector) raw() bool {
	return in.Matcher != nil && (len(in.set.streams) > 0 || in.set.Rules.NeedsStream())
}

// Stream begins the inspection of a flow's raw bytes and its frames; nil when no
// rule looks at either.
func (in *Inspector) Stream(f *flow.Flow) *Stream {
	if !in.framing.any && !in.raw() {
		return nil
	}
	var s *Stream
	if n := len(in.streams); n > 0 {
		s = in.streams[n-1]
		in.streams = in.streams[:n-1]
	} else {
		s = new(Stream)
	}
	s.in, s.flow = in, f
	in.open++
	return s
}

// Data scans the next bytes of a direction, which begin at offset off.
func (s *Stream) Data(p *decode.Packet, dir protocol.Dir, off uint64, data []byte) {
	in, d := s.in, &s.dirs[dir]
	if !in.raw() {
		// For frames alone: there is nothing to be kept of other protocols.
		if s.framed() {
			d.now = d.win.add(&in.buffers, off, data)
		} else if d.now.Data != nil {
			d.win.reset(&in.buffers)
			d.now = signatures.Window{}
		}
		return
	}
	in.Counters.StreamBytes += uint64(len(data))
	if d.open && (d.next != off || d.port != s.flow.ServerPort) {
		d.close(in.scanner)
	}
	if !d.open {
		d.begin(in, dir, s.flow.ServerPort, off)
	}
	d.next = off + uint64(len(data))
	hits := d.scan(in, data)
	d.now = d.win.add(&in.buffers, off, data)
	in.Matcher.Stream(p, s.flow, dir, d.now, hits)
}

// begin opens the scans of a direction at an offset.
func (d *half) begin(in *Inspector, dir protocol.Dir, port uint16, off uint64) {
	d.parts[0], d.parts[1] = in.set.Rules.StreamParts(dir, port)
	for i, n := range d.parts {
		if n < 0 {
			continue
		}
		var err error
		if d.scans[i], err = in.scanner.Open(in.set.streams[n]); err != nil {
			in.Counters.ScanFailures++
		}
	}
	d.base, d.port, d.open = off, port, true
}

// scan gives the hits of both databases.
func (d *half) scan(in *Inspector, data []byte) []hs.Hit {
	var hits []hs.Hit
	for i := range d.scans {
		if !d.scans[i].IsOpen() {
			continue
		}
		if len(hits) > 0 {
			// The next scan ends their life.
			in.hits = append(in.hits[:0], hits...)
			hits = in.hits
		}
		more, err := in.scanner.ScanStream(d.scans[i], data)
		if err != nil {
			in.Counters.ScanFailures++
		}
		switch {
		case len(hits) == 0:
			hits = more
		case len(more) > 0:
			in.hits = append(in.hits, more...)
			hits = in.hits
		}
	}
	rebase(hits, d.base)
	return hits
}

func (d *half) close(sc *hs.Scanner) {
	for i := range d.scans {
		sc.CloseStream(d.scans[i])
		d.scans[i] = hs.Stream{}
	}
	d.open = false
}

// End gives a direction's state back: no more bytes come. The flow may live for
// long after.
func (s *Stream) End(dir protocol.Dir) {
	d := &s.dirs[dir]
	d.close(s.in.scanner)
	d.win.reset(&s.in.buffers)
	d.base, d.next = 0, 0
	d.now = signatures.Window{}
	clear(d.live)
	d.live, d.frames = d.live[:0], 0
}

// Close gives the state back.
func (s *Stream) Close() {
	s.End(protocol.ToServer)
	s.End(protocol.ToClient)
	s.in.open--
	if len(s.in.streams) < maxPooled {
		s.in.streams = append(s.in.streams, s)
	}
}
