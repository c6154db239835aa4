package worker

import (
	"math/rand/v2"
	"sync/atomic"

	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/dataplane/verdict"
	"sluice/internal/topk"
)

// Fate is what became of a packet, for those who watch.
type Fate uint8

// The fates. A packet that waits for its verdict was inspected, whatever the verdict.
const (
	FateInspected Fate = iota
	FateBypassed
	FateDropped
	NumFates
)

// TalkerFlow names a flow among talkers: its ends, client first.
type TalkerFlow struct {
	Client, Server         decode.Addr
	ClientPort, ServerPort uint16
	Proto                  uint8
	Tunnel                 uint32
	VLAN                   [2]uint16
}

// TalkerCount is what a talker sent, by fate; of a flow what both of its ends did.
type TalkerCount struct {
	Packets, Bytes [NumFates]uint64
}

// TalkerService names what flows go to: a port and its transport protocol.
type TalkerService struct {
	Port  uint16
	Proto uint8
}

// FlowCount is a flow's TalkerCount with its protocol.
type FlowCount struct {
	TalkerCount
	App protocol.ID
}

// Talkers are the heaviest senders, services and flows of a span of time, as one worker saw
// them. Whoever gave it to the worker has it back once it is handed out.
type Talkers struct {
	// Begin and End are the worker's times of the span.
	Begin, End int64
	Sources    *topk.Sketch[decode.Addr, TalkerCount]
	Services   *topk.Sketch[TalkerService, TalkerCount]
	Flows      *topk.Sketch[TalkerFlow, FlowCount]
	// Sampled tells that there were too many packets to count each: of those past
	// the first, a random part was counted, for all.
	Sampled bool
	packets uint64
	random  uint64
}

// NewTalkers makes an empty one.
func NewTalkers() *Talkers {
	return &Talkers{Sources: topk.New[decode.Addr, TalkerCount](0), Services: topk.New[TalkerService, TalkerCount](talkerServices),
		Flows: topk.New[TalkerFlow, FlowCount](0), random: rand.Uint64() | 1}
}

// Reset makes it empty.
func (t *Talkers) Reset() {
	t.Sources.Reset()
	t.Services.Reset()
	t.Flows.Reset()
	t.Begin, t.End, t.Sampled, t.packets = 0, 0, false, 0
}

const (
	// talkersExact packets of a span are counted each, one of talkersPart of what
	// comes after: so that watching costs little even in a flood.
	talkersExact = 10_000
	talkersPart  = 16
	// packetWeight is what a packet weighs beside its bytes, so that floods of small
	// packets are among the heaviest too.
	packetWeight = 256
	// talkerServices is the number of sets of the services, which are few.
	talkerServices = 32
)

// talkers is a worker's part of the watching. Next and done are shared with who
// watches; neither side ever waits.
type talkers struct {
	cur        *Talkers
	next, done atomic.Pointer[Talkers]
	off        atomic.Bool
}

// Watch has the worker count its talkers in an empty t from its next Tick on, and
// gives what it counted up to the latest one, nil where there is nothing yet. It
// may be called from any goroutine, one at a time. Without t it counts no more.
func (w *Worker) Watch(t *Talkers) *Talkers {
	if t == nil {
		w.talkers.off.Store(true)
	} else {
		w.talkers.off.Store(false)
		w.talkers.next.Store(t)
	}
	return w.talkers.done.Swap(nil)
}

// tickTalkers hands out what was counted where another was given.
func (w *Worker) tickTalkers(now int64) {
	t := &w.talkers
	if t.cur != nil && t.off.Load() {
		t.cur = nil
	}
	next := t.next.Swap(nil)
	if next == nil || t.off.Load() {
		return
	}
	if t.cur != nil {
		t.cur.End = now
		t.done.Store(t.cur)
	}
	next.Begin = now
	t.cur = next
}

// talk counts the packet in work, which goes on or does not.
func (t *Talkers) talk(p *decode.Packet, f *flow.Flow, forward bool) {
	if p.IPVersion == 0 {
		return
	}
	fate := FateInspected
	switch {
	case !forward:
		fate = FateDropped
	case f != nil && (f.State == flow.StateBypassed || f.Verdict.Action == verdict.Bypass):
		fate = FateBypassed
	}
	scale := uint64(1)
	if t.packets++; t.packets > talkersExact {
		t.Sampled = true
		t.random ^= t.random << 13 // xorshift (Marsaglia, 2003)
		t.random ^= t.random >> 7
		t.random ^= t.random << 17
		if t.random%talkersPart != 0 {
			return
		}
		scale = talkersPart
	}
	t.add(p.Src, f, fate, scale, scale*flow.WireLen(p))
}

func (t *Talkers) add(src decode.Addr, f *flow.Flow, fate Fate, packets, bytes uint64) {
	weight := bytes + packetWeight*packets
	t.Sources.Add(src, weight).add(fate, packets, bytes)
	if f == nil {
		return
	}
	switch f.Proto {
	case decode.ProtoTCP, decode.ProtoUDP, decode.ProtoSCTP:
		t.Services.Add(TalkerService{f.ServerPort, f.Proto}, weight).add(fate, packets, bytes)
	}
	c := t.Flows.Add(TalkerFlow{f.Client, f.Server, f.ClientPort, f.ServerPort, f.Proto, f.Key.Tunnel, f.Key.VLAN}, weight)
	c.add(fate, packets, bytes)
	c.App = f.App.Proto()
}

func (c *TalkerCount) add(fate Fate, packets, bytes uint64) {
	c.Packets[fate] += packets
	c.Bytes[fate] += bytes
}

// talkPast counts what the kernel forwarded of a flow.
func (w *Worker) talkPast(f *flow.Flow, dir protocol.Dir, packets, bytes uint64) {
	t := w.talkers.cur
	if t == nil || packets == 0 {
		return
	}
	src := f.Client
	if dir == protocol.ToClient {
		src = f.Server
	}
	t.add(src, f, FateBypassed, packets, bytes)
}
