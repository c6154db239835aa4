// Package dnp3 reads DNP3 (IEEE 1815): frames of the link layer, whose sums are
// checked, the fragments that they carry, and the objects in these. It takes
// ordered bytes or datagrams and gives a transaction for each fragment, and an
// object for the content of files and strings. It knows no flows and no rules.
package dnp3

import (
	"bytes"
	"cmp"
	"encoding/binary"

	"sluice/dataplane/protocol"
)

// Done is the progress of a direction that is complete.
const Done = 1

const (
	// maxFragment bounds what is put together of segments: the numbers of segments
	// come round after 64, and one holds 249 bytes.
	maxFragment = 64 * 249
	// defaultPoints and defaultObjects bound a fragment where nothing is configured.
	defaultPoints, defaultObjects = 16384, 2048
	// defaultUnanswered is how many requests in a row make a flood.
	defaultUnanswered = 500
)

// eventNames are the anomalies that the parser adds to transactions.
var eventNames = []string{"flooded", "len_too_small", "bad_link_crc", "bad_transport_crc", "unknown_object", "too_many_points", "too_many_objects",
	"too_long_reassembly"}

const slotData = 0

// Definition describes DNP3.
func Definition() *protocol.Definition {
	return &protocol.Definition{
		Events: eventNames,
		ID:     protocol.DNP3, TCP: true, UDP: true, Ports: []uint16{20000},
		Probe:      probe,
		New:        func(*protocol.Env) protocol.Parser { return new(Parser) },
		Buffers:    []protocol.BufferSpec{{ID: protocol.Buffer(protocol.DNP3, slotData), Name: "dnp3.data", Dirs: protocol.DirsBoth, Progress: Done}},
		Complete:   [2]uint8{Done, Done},
		States:     [2][]string{{"request_started", "request_complete"}, {"response_started", "response_complete"}},
		ClientView: true,
	}
}

// probe knows the start of a frame. The sum is not asked for where it comes first:
// stations pass over frames that have a wrong one. They pass over other bytes, too,
// behind which a frame is known by its sum.
func probe(_ protocol.Dir, b []byte) protocol.Certainty {
	if c := start(b); c != protocol.NotForUs {
		return c
	}
	for {
		at := bytes.Index(b, startBytes)
		if at < 0 || len(b)-at < headerLen {
			return protocol.NotForUs
		}
		b = b[at:]
		if _, event := readLink(b); event == "" && start(b) == protocol.Certain {
			return protocol.Certain
		}
		b = b[len(startBytes):]
	}
}

var startBytes = []byte{start1, start2}

// start judges bytes that should begin with a frame.
func start(b []byte) protocol.Certainty {
	switch {
	case len(b) > 0 && b[0] != start1, len(b) > 1 && b[1] != start2, len(b) > 2 && b[2] < minLength:
		return protocol.NotForUs
	case len(b) < 4:
		return protocol.Unsure
	case !linkFunction(b[3]):
		return protocol.NotForUs
	}
	return protocol.Certain
}

// linkFunction reports whether a control byte names a function of the link layer.
func linkFunction(control byte) bool {
	f := control & maskFunction
	if control&bitPrimary != 0 {
		return f <= 4 || f == 9
	}
	return f <= 1 || f == 11 || f == 14 || f == 15
}

// side is one direction.
type side struct {
	// buf holds a frame that has begun.
	buf []byte
	// frag is what there is of a fragment, link the header of its first frame.
	frag []byte
	link Link
	// seq is the number of the last segment; open tells that more are to come.
	seq   byte
	open  bool
	stray protocol.Stray
}

// Parser is the DNP3 of one flow.
type Parser struct {
	txs  protocol.TxList
	side [2]side
	// unanswered counts the requests since the last response.
	unanswered int
	flooded    bool
	// anomalies counts those that belong to no fragment.
	anomalies int
	// file is the name of the file that was opened last.
	file string
}

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// Parse implements protocol.Parser.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	s := &p.side[dir]
	if env.Datagram {
		p.unplaced(env, dir, s.buf)
		if s.buf = s.buf[:0]; probe(dir, data) == protocol.NotForUs {
			// Somebody else's: one frame of a scanner does not make a flow DNP3's.
			p.End(env, protocol.ToServer)
			p.End(env, protocol.ToClient)
			env.SwitchTo, env.Rest = protocol.Unknown, data
			return protocol.Switch
		}
	}
	for all := data; len(data) > 0; {
		if len(s.buf) == 0 {
			// Most frames come as a whole.
			if at := p.pass(env, dir, data); at > 0 {
				p.unplaced(env, dir, data[:at])
				data = data[at:]
				continue
			}
			if n, ok := frameLen(data); ok && len(data) >= n {
				p.frame(env, dir, data[:n])
				data = data[n:]
				continue
			}
		}
		need := headerLen
		if n, ok := frameLen(s.buf); ok {
			need = n
		}
		n := min(len(data), need-len(s.buf))
		s.buf = append(s.buf, data[:n]...)
		data = data[n:]
		held := len(s.buf)
		p.buffered(env, dir)
		if at := len(all) - len(data) - len(s.buf); len(s.buf) < held && at >= 0 {
			data, s.buf = all[at:], s.buf[:0] // what is left is all of this call's
		}
	}
	return protocol.Continue
}

// buffered takes frames out of what is kept of a direction.
func (p *Parser) buffered(env *protocol.Env, dir protocol.Dir) {
	s := &p.side[dir]
	drop := func(n int) { s.buf = append(s.buf[:0], s.buf[n:]...) }
	for len(s.buf) > 0 {
		if at := p.pass(env, dir, s.buf); at > 0 {
			p.unplaced(env, dir, s.buf[:at])
			drop(at)
			continue
		}
		n, ok := frameLen(s.buf)
		if !ok || len(s.buf) < n {
			return
		}
		p.frame(env, dir, s.buf[:n])
		drop(n)
	}
}

// pass gives how many bytes come before what may be a frame, or the beginning of one.
// They are given up in one piece, since two bytes can look like the start of a wrong
// one, but for the first, whose transaction has its place among those of anomalies.
func (p *Parser) pass(env *protocol.Env, dir protocol.Dir, b []byte) int {
	for at := 0; ; at += len(startBytes) {
		at += begin(b[at:])
		n, ok := frameLen(b[at:])
		if !ok || len(b)-at < n {
			return at
		}
		_, event := readLink(b[at:])
		first := !p.side[dir].stray.Open()
		if event == "" || first && at > 0 {
			return at
		}
		if p.alone(env, dir, event); first {
			return len(startBytes)
		}
	}
}

// frame takes a frame whose header is sound.
func (p *Parser) frame(env *protocol.Env, dir protocol.Dir, b []byte) {
	l, _ := readLink(b)
	if !l.userData() {
		p.unplaced(env, dir, b[headerLen:])
		return
	}
	if len(b) == headerLen {
		p.alone(env, dir, "len_too_small")
		return
	}
	s := &p.side[dir]
	if !goodBlocks(b[headerLen:]) {
		p.abandon(env, dir)
		p.unplaced(env, dir, b[headerLen:])
		p.alone(env, dir, "bad_transport_crc")
		return
	}
	if head := b[headerLen]; s.open && (head&bitFirst != 0 || head&maskSeq != (s.seq+1)&maskSeq) {
		p.abandon(env, dir)
	}
	if !s.segment(l, b) {
		p.unplaced(env, dir, b[headerLen:])
		return
	}
	if s.open && len(s.frag) > maxFragment {
		p.abandon(env, dir)
		s.frag = nil
		p.alone(env, dir, "too_long_reassembly")
	}
	if s.open && s.seq&bitFinal != 0 {
		s.open = false
		p.fragment(env, dir, s.link, append([]byte(nil), s.frag...))
		s.frag = s.frag[:0]
	}
}

// abandon gives up a fragment of which the rest does not come.
func (p *Parser) abandon(env *protocol.Env, dir protocol.Dir) {
	if s := &p.side[dir]; s.open {
		s.open = false
		p.unplaced(env, dir, s.frag)
	}
}

// unplaced takes bytes that are part of no message.
func (p *Parser) unplaced(env *protocol.Env, dir protocol.Dir, b []byte) {
	p.side[dir].stray.Add(env, &p.txs, dir, [2]uint8{Done, Done}, b)
}

// maxAlone bounds the anomalies of a flow that are told by themselves: two bytes
// can make one.
const maxAlone = 256

// alone makes a transaction of an anomaly that belongs to no fragment.
func (p *Parser) alone(env *protocol.Env, dir protocol.Dir, event string) {
	if p.anomalies++; p.anomalies > maxAlone {
		return
	}
	tx := p.txs.Add(nil, env.Now)
	tx.Only = protocol.DirsToServer << dir
	tx.Progress = [2]uint8{Done, Done}
	tx.AddEvent(event)
}

// Fragment is the State of a transaction: a message of the application layer, or
// a part of one that has several.
type Fragment struct {
	Dir  protocol.Dir
	Link Link
	// Control, Function and, of responses, IIN are the header; IIN has the first
	// byte's bits above those of the second.
	Control, Function byte
	IIN               uint16
	// Data is all of it, the header included.
	Data    []byte
	Objects []Object
	// Complete tells that all objects could be read.
	Complete bool
}

// Response reports whether a fragment is an outstation's.
func (f *Fragment) Response() bool { return f.Function >= funcResponse }

// fragment takes a fragment that is there as a whole.
func (p *Parser) fragment(env *protocol.Env, dir protocol.Dir, l Link, b []byte) {
	f := &Fragment{Dir: dir, Link: l, Data: b}
	if len(b) < 2 {
		p.alone(env, dir, "len_too_small")
		return
	}
	f.Control, f.Function = b[0], b[1]
	at := 2
	if f.Response() {
		if len(b) < 4 {
			p.alone(env, dir, "len_too_small")
			return
		}
		f.IIN, at = binary.BigEndian.Uint16(b[2:]), 4
	}
	tx := p.txs.Add(f, env.Now)
	tx.Only = protocol.DirsToServer << dir
	tx.Progress = [2]uint8{Done, Done}
	limits := env.Limits.DNP3
	if event := f.parse(at, cmp.Or(limits.MaxObjects, defaultObjects), cmp.Or(limits.MaxPoints, defaultPoints)); event != "" {
		tx.AddEvent(event)
	}
	switch {
	case f.Response():
		p.unanswered, p.flooded = 0, false
	case answered(f.Function):
		if p.unanswered++; p.unanswered > cmp.Or(env.Limits.TxOf[protocol.DNP3], defaultUnanswered) && !p.flooded {
			p.flooded = true
			tx.AddEvent("flooded")
		}
	}
	p.content(env, tx, f, b[at:])
}

// minObject is the shortest content that is looked through.
const minObject = 8

// content has what a fragment carries looked through: blocks of files, strings,
// and whatever somebody hides among numbers.
func (p *Parser) content(env *protocol.Env, tx *protocol.Tx, f *Fragment, b []byte) {
	x := &protocol.Object{Kind: protocol.KindBody, Dir: f.Dir, Tx: tx}
	for i := range f.Objects {
		if o := &f.Objects[i]; o.Group == groupFile {
			f.points(o, func(v *point) bool {
				if name := v.text("filename"); name != "" {
					p.file = name
				}
				return true
			})
			x.Name = p.file
		}
	}
	if len(b) >= minObject {
		env.Whole(x, b)
	}
}

// Gap implements protocol.Parser: the next frame is found by its start.
func (p *Parser) Gap(env *protocol.Env, dir protocol.Dir, n uint64) protocol.Status {
	s := &p.side[dir]
	p.abandon(env, dir)
	p.unplaced(env, dir, s.buf)
	s.buf = s.buf[:0]
	s.stray.Gap(env, n)
	return protocol.Continue
}

// End implements protocol.Parser.
func (p *Parser) End(env *protocol.Env, dir protocol.Dir) {
	s := &p.side[dir]
	p.abandon(env, dir)
	p.unplaced(env, dir, s.buf)
	s.buf = s.buf[:0]
	s.stray.End(env)
}

// Buffer implements protocol.Parser.
func (p *Parser) Buffer(tx *protocol.Tx, id protocol.BufferID, dir protocol.Dir, i int) ([]byte, bool) {
	f, ok := tx.State.(*Fragment)
	if !ok || id != protocol.Buffer(protocol.DNP3, slotData) || f.Dir != dir || i > 0 {
		return nil, false
	}
	return f.Data, true
}

// Field gives instance i of the number for a keyword: dnp3_func, dnp3_ind, and
// dnp3_obj, which has the group above the variation.
func (f *Fragment) Field(name string, dir protocol.Dir, i int) (uint64, bool) {
	if dir != f.Dir {
		return 0, false
	}
	switch name {
	case "dnp3_func", "dnp3.func":
		return uint64(f.Function), i == 0
	case "dnp3_ind", "dnp3.ind":
		return uint64(f.IIN), i == 0 && f.Response()
	case "dnp3_obj", "dnp3.obj":
		if i < len(f.Objects) {
			return uint64(f.Objects[i].Group)<<8 | uint64(f.Objects[i].Variation), true
		}
	}
	return 0, false
}
