package stream

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
)

const (
	c2s = protocol.ToServer
	s2c = protocol.ToClient
)

// sink records what a receiver is told.
type sink struct {
	data  [2][]byte
	next  [2]uint64
	gaps  [2]uint64
	ends  [2]int
	log   []string
	fault string
	skip  func(dir protocol.Dir)
}

func (k *sink) at(dir protocol.Dir, off uint64) {
	if off != k.next[dir] {
		k.fault = fmt.Sprintf("%v: offset %d, want %d", dir, off, k.next[dir])
	}
	if k.ends[dir] > 0 {
		k.fault = fmt.Sprintf("%v: called after its end", dir)
	}
}

func (k *sink) StreamData(dir protocol.Dir, off uint64, b []byte) {
	k.at(dir, off)
	k.next[dir] += uint64(len(b))
	k.data[dir] = append(k.data[dir], b...)
	k.log = append(k.log, fmt.Sprintf("%v:%s", dir, b))
	if k.skip != nil {
		k.skip(dir)
	}
}

func (k *sink) StreamGap(dir protocol.Dir, off, n uint64) {
	k.at(dir, off)
	k.next[dir] += n
	k.gaps[dir] += n
	k.data[dir] = append(k.data[dir], fmt.Sprintf("[%d missing]", n)...)
}

func (k *sink) StreamEnd(dir protocol.Dir) {
	k.ends[dir]++
	if k.ends[dir] > 1 {
		k.fault = "ended twice"
	}
}

// talk drives an engine with segments given relative to the ISNs.
type talk struct {
	t    testing.TB
	e    *Engine
	s    *Session
	k    *sink
	isn  [2]uint32
	time int64
	last Result
	evs  []string
	opts decode.TCPOptions
	win  uint16
	urg  uint16
}

func newTalk(t testing.TB, cfg Config) *talk {
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	return &talk{t: t, e: NewEngine(cfg), s: &Session{}, k: &sink{}, isn: [2]uint32{0xfffffff0, 0x7ffffff8}, win: 8192}
}

// flagsOf reads "SA", "PA", "R" …
func flagsOf(s string) (f uint8) {
	for _, c := range s {
		f |= map[rune]uint8{'F': decode.TCPFin, 'S': decode.TCPSyn, 'R': decode.TCPRst, 'P': decode.TCPPsh, 'A': decode.TCPAck, 'U': decode.TCPUrg}[c]
	}
	return f
}

// pkt makes a segment: seq and ack count from the ISNs, 0 being the SYN.
func (x *talk) pkt(dir protocol.Dir, flags string, seq, ack uint32, data string) *decode.Packet {
	f := flagsOf(flags)
	p := &decode.Packet{Data: []byte(data), PayloadEnd: uint32(len(data)), Seq: x.isn[dir] + seq, Window: x.win,
		TCPFlags: f, Time: x.time, TCPOpts: x.opts, Urgent: x.urg, Proto: decode.ProtoTCP}
	if f&decode.TCPAck != 0 {
		p.Ack = x.isn[dir.Other()] + ack
	}
	return p
}

func (x *talk) send(dir protocol.Dir, flags string, seq, ack uint32, data string) *talk {
	x.t.Helper()
	x.give(x.pkt(dir, flags, seq, ack, data), dir)
	return x
}

func (x *talk) give(p *decode.Packet, dir protocol.Dir) {
	x.t.Helper()
	x.time += 1e6
	x.last = x.e.Segment(x.s, p, dir, x.k)
	x.evs = nil
	for _, ev := range x.last.Events {
		x.evs = append(x.evs, strings.TrimPrefix(ev.String(), "stream."))
	}
	if x.k.fault != "" {
		x.t.Fatal(x.k.fault)
	}
}

func (x *talk) handshake() *talk {
	return x.send(c2s, "S", 0, 0, "").send(s2c, "SA", 0, 1, "").send(c2s, "A", 1, 1, "")
}

func (x *talk) close() *talk {
	x.e.Close(x.s, x.k)
	if x.k.fault != "" {
		x.t.Fatal(x.k.fault)
	}
	if n := x.e.InUse(); n != 0 {
		x.t.Fatalf("%d bytes of buffers in use after Close", n)
	}
	return x
}

func (x *talk) state(want State) *talk {
	x.t.Helper()
	if x.s.state != want {
		x.t.Fatalf("state %v, want %v", x.s.state, want)
	}
	return x
}

func (x *talk) got(dir protocol.Dir, want string) *talk {
	x.t.Helper()
	if string(x.k.data[dir]) != want {
		x.t.Fatalf("%v gave %q, want %q", dir, x.k.data[dir], want)
	}
	return x
}

func (x *talk) events(want ...string) *talk {
	x.t.Helper()
	if strings.Join(x.evs, " ") != strings.Join(want, " ") {
		x.t.Fatalf("events %v, want %v", x.evs, want)
	}
	return x
}

func (x *talk) invalid(want bool) *talk {
	x.t.Helper()
	if x.last.Invalid != want {
		x.t.Fatalf("invalid is %v (%v, events %v)", x.last.Invalid, x.last.Reason, x.evs)
	}
	return x
}

func inline() Config { return DefaultConfig() }

func ids() Config {
	c := DefaultConfig()
	c.Inline = false
	return c
}

// tap is ids mode where resets must be in time.
func tap() Config {
	c := ids()
	c.OnArrival = true
	return c
}

func TestSessionSize(t *testing.T) {
	if n := unsafe.Sizeof(Session{}); n > 300 {
		t.Errorf("a session takes %d bytes, more than 300", n)
	} else {
		t.Logf("a session takes %d bytes", n)
	}
}
