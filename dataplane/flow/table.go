package flow

import (
	"math/rand/v2"
	"sort"
	"time"

	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
	"sluice/dataplane/stream"
)

// slabFlows is how many flows are allocated at a time.
const (
	slabBits  = 8
	slabFlows = 1 << slabBits
)

type slab struct {
	flows    [slabFlows]Flow
	sessions [slabFlows]stream.Session
}

// slot is a place of the hash table: the upper half of the hash, and the flow's
// index plus one, 0 for an empty place.
type slot struct {
	tag, ref uint32
}

// Table holds the flows of one worker. It is not safe for concurrent use. In
// steady state it does not allocate: flows come from slabs and go back to them.
type Table struct {
	// Counters may be read by the worker at any time.
	Counters Counters

	cfg      Config
	seed     uint64
	timeouts [256]uint8 // protocol to place in sets
	sets     [4]Timeouts
	max      int

	slots []slot
	mask  uint32
	slabs []*slab
	free  []uint32
	// fresh is the first index never used.
	fresh uint32

	wheel wheel
	ages  [4]list
	hurry hurry
}

// list is a doubly linked list of flows by index plus one.
type list struct{ head, tail uint32 }

// NewTable makes a table. cfg must be valid (Config.Validate).
func NewTable(cfg Config) *Table {
	t := &Table{cfg: cfg, seed: cfg.Seed}
	if t.seed == 0 {
		t.seed = rand.Uint64() | 1
	}
	for i, s := range []struct {
		set   Timeouts
		proto uint8
	}{{cfg.Default, 255}, {cfg.TCP, decode.ProtoTCP}, {cfg.UDP, decode.ProtoUDP}, {cfg.ICMP, decode.ProtoICMP}} {
		t.sets[i] = s.set
		if s.set.New == 0 {
			t.sets[i] = DefaultTimeouts(s.proto)
		}
	}
	t.timeouts[decode.ProtoTCP], t.timeouts[decode.ProtoUDP] = 1, 2
	t.timeouts[decode.ProtoICMP], t.timeouts[decode.ProtoICMPv6] = 3, 3
	memcap := cfg.Memcap
	if memcap <= 0 {
		memcap = 512 << 20
	}
	t.max = int(min(max(memcap/FlowBytes, 1), maxFlows))
	if cfg.MaxFlows > 0 {
		t.max = min(t.max, cfg.MaxFlows)
	}
	// At most three quarters full. The pages of an empty part cost nothing.
	n := 16
	for n*3/4 < t.max {
		n *= 2
	}
	t.slots, t.mask = make([]slot, n), uint32(n-1)
	t.wheel.init()
	t.hurry.init(cfg.Emergency, t.sets)
	return t
}

// MaxFlows gives how many flows the table takes before it evicts.
func (t *Table) MaxFlows() int { return t.max }

// Len gives the number of flows.
func (t *Table) Len() int { return int(t.Counters.Active) }

func (t *Table) at(ref uint32) *Flow {
	i := ref - 1
	return &t.slabs[i>>slabBits].flows[i&(slabFlows-1)]
}

// timeout gives how long f may be idle now, in nanoseconds.
func (t *Table) timeout(f *Flow) int64 {
	return int64(t.sets[t.timeouts[f.Proto]].of(f.State))
}

// find gives the flow of a key and its slot; nil where there is none.
func (t *Table) find(k *Key, h uint64) (*Flow, uint32) {
	tag := uint32(h >> 32)
	for i := uint32(h) & t.mask; ; i = (i + 1) & t.mask {
		s := t.slots[i]
		if s.ref == 0 {
			return nil, i
		}
		if s.tag == tag {
			if f := t.at(s.ref); f.Key == *k {
				return f, i
			}
		}
	}
}

// Get gives the flow of p, the direction of p in it, and whether p is its first
// packet. f is nil for packets that belong to no flow: fragments, frames without
// IP, ICMP errors. A flow that has been idle for too long ends here, by packet
// time, so that what is one flow does not depend on when Expire is called. Get
// counts the packet in the flow.
func (t *Table) Get(p *decode.Packet) (f *Flow, dir protocol.Dir, isNew bool) {
	k, low, ok := KeyOf(p, t.cfg.IgnoreVLAN)
	if !ok {
		t.Counters.NoFlow++
		return nil, 0, false
	}
	t.Counters.Packets++
	h := k.hash(t.seed)
	f, i := t.find(&k, h)
	if f != nil && p.Time-f.Last >= t.timeout(f) && p.Time > f.Last {
		t.drop(f, i, Timeout)
		f = nil
	}
	if f == nil {
		f, isNew = t.begin(&k, h, p, low), true
	}
	dir = f.dir(low)
	t.count(f, p, dir)
	return f, dir, isNew
}

// begin makes the flow of a packet.
func (t *Table) begin(k *Key, h uint64, p *decode.Packet, low bool) *Flow {
	if t.Len() >= t.max {
		t.evict()
	}
	var ref uint32
	if n := len(t.free); n > 0 {
		ref, t.free = t.free[n-1], t.free[:n-1]
	} else {
		if t.fresh>>slabBits == uint32(len(t.slabs)) {
			t.slabs = append(t.slabs, new(slab))
		}
		t.fresh++
		ref = t.fresh
	}
	f := t.at(ref)
	*f = Flow{Key: *k, ID: ID(k, p.Time, t.cfg.IDSeed), Proto: p.Proto, IPVersion: p.IPVersion, Start: p.Time, Last: p.Time,
		Client: p.Src, Server: p.Dst, ClientPort: p.SrcPort, ServerPort: p.DstPort, ClientIsLow: low,
		VLAN: p.VLAN, NVLAN: p.NVLAN, MinTTL: [2]uint8{255, 255}}
	if p.Frame != nil {
		f.Port, f.FirstNum = p.Frame.Port, p.Frame.Num
	}
	f.table.self, f.table.hash, f.table.live = ref, h, true
	c := &t.Counters
	switch p.Proto {
	case decode.ProtoTCP:
		c.TCP++
		f.TCP = &t.slabs[(ref-1)>>slabBits].sessions[(ref-1)&(slabFlows-1)]
		*f.TCP = stream.Session{}
		if p.TCPFlags&(decode.TCPSyn|decode.TCPAck) == decode.TCPSyn|decode.TCPAck {
			f.swapEnds() // the client's SYN was not seen
		}
	case decode.ProtoUDP:
		c.UDP++
	case decode.ProtoICMP, decode.ProtoICMPv6:
		c.ICMP++
		f.ClientPort, f.ServerPort = uint16(p.ICMPType), uint16(p.ICMPCode)
	default:
		c.Other++
		if p.Flags&decode.FlagHasPorts == 0 {
			f.ClientPort, f.ServerPort = 0, 0
		}
	}
	_, i := t.find(k, h)
	t.slots[i] = slot{tag: uint32(h >> 32), ref: ref}
	c.Active++
	c.Peak = max(c.Peak, c.Active)
	t.enter(f, p.Time)
	return f
}

// count takes a packet into a flow's figures.
func (t *Table) count(f *Flow, p *decode.Packet, dir protocol.Dir) {
	f.Last = max(f.Last, p.Time)
	f.Pkts[dir]++
	f.Bytes[dir] += WireLen(p)
	f.TCPFlags[dir] |= p.TCPFlags
	f.MinTTL[dir] = min(f.MinTTL[dir], p.TTL)
	f.MaxTTL[dir] = max(f.MaxTTL[dir], p.TTL)
	if f.State == StateNew && f.TCP == nil && f.Pkts[0] > 0 && f.Pkts[1] > 0 {
		t.setState(f, StateEstablished)
	}
}

// WireLen gives a packet's share of its frame: all of it, or, within a tunnel,
// from its own link header on. What was put together counts from its IP header on.
func WireLen(p *decode.Packet) uint64 {
	if p.TunnelDepth == 0 && p.Frame != nil && p.Flags&decode.FlagReassembled == 0 {
		return uint64(max(p.Frame.WireLen, uint32(len(p.Frame.Data))))
	}
	at := p.L3
	if p.TunnelDepth > 0 && p.Flags&decode.FlagReassembled == 0 {
		at = p.L2
	}
	return uint64(len(p.Data)) - uint64(min(int(at), len(p.Data)))
}

// Update moves a TCP flow to the state that its connection has reached. Call it
// after each segment given to the stream engine.
func (t *Table) Update(f *Flow) {
	if f.TCP == nil || f.State == StateBypassed {
		return
	}
	s := StateNew
	switch st := f.TCP.State(); {
	case st >= stream.StateEstablished && st < stream.StateTimeWait, st == stream.StateCloseWait, st == stream.StateClosing:
		s = StateEstablished
	case st >= stream.StateTimeWait:
		s = StateClosed
	}
	if s != f.State {
		t.setState(f, s)
	}
}

// Bypass marks a flow as handled elsewhere; it then has the bypassed timeout.
func (t *Table) Bypass(f *Flow) { t.setState(f, StateBypassed) }

func (t *Table) setState(f *Flow, s State) {
	if f.State == s || !f.table.live {
		return
	}
	t.leave(f)
	f.State = s
	t.enter(f, f.Last)
}

// Touch notes activity at packet time now that Get has not seen, such as the
// kernel's counters of a bypassed flow.
func (t *Table) Touch(f *Flow, now int64) { f.Last = max(f.Last, now) }

// Renew ends f, whose addresses and ports a new connection has taken over
// (stream.Result.New), and gives the new flow that begins with p. f goes to
// Config.Evict and must not be used afterwards.
func (t *Table) Renew(f *Flow, p *decode.Packet) (*Flow, protocol.Dir) {
	k, low, _ := KeyOf(p, t.cfg.IgnoreVLAN)
	if old, i := t.find(&f.Key, f.table.hash); old == f {
		t.uncount(f, p, f.dir(low))
		t.drop(f, i, Reused)
	}
	n := t.begin(&k, k.hash(t.seed), p, low)
	dir := n.dir(low)
	t.count(n, p, dir)
	return n, dir
}

// Uncount takes back a packet that Get counted and that will be given again.
func (t *Table) Uncount(f *Flow, p *decode.Packet, dir protocol.Dir) { t.uncount(f, p, dir) }

// uncount takes the packet back that Get counted and that opens another flow.
func (t *Table) uncount(f *Flow, p *decode.Packet, dir protocol.Dir) {
	f.Pkts[dir] -= min(f.Pkts[dir], 1)
	f.Bytes[dir] -= min(f.Bytes[dir], WireLen(p))
}

// Swap exchanges a flow's client and server, its counters and its connection's
// directions, for a flow whose first packet turns out to be the server's. The
// key and the id stay. Directions given before are to be turned by the caller.
func (t *Table) Swap(f *Flow) {
	f.swapEnds()
	f.Pkts[0], f.Pkts[1] = f.Pkts[1], f.Pkts[0]
	f.Bytes[0], f.Bytes[1] = f.Bytes[1], f.Bytes[0]
	f.TCPFlags[0], f.TCPFlags[1] = f.TCPFlags[1], f.TCPFlags[0]
	f.MinTTL[0], f.MinTTL[1] = f.MinTTL[1], f.MinTTL[0]
	f.MaxTTL[0], f.MaxTTL[1] = f.MaxTTL[1], f.MaxTTL[0]
	if f.TCP != nil {
		f.TCP.Swap()
	}
}

func (f *Flow) swapEnds() {
	f.Client, f.Server = f.Server, f.Client
	if f.Proto != decode.ProtoICMP && f.Proto != decode.ProtoICMPv6 {
		f.ClientPort, f.ServerPort = f.ServerPort, f.ClientPort
	}
	f.ClientIsLow = !f.ClientIsLow
}

// Remove takes f out of the table at once, through fn as Expire does.
func (t *Table) Remove(f *Flow, why Reason, fn func(*Flow, Reason)) {
	if g, i := t.find(&f.Key, f.table.hash); g == f && f.table.live {
		t.remove(f, i, why, fn)
	}
}

func (t *Table) drop(f *Flow, i uint32, why Reason) { t.remove(f, i, why, t.cfg.Evict) }

// remove ends f, which is in slot i.
func (t *Table) remove(f *Flow, i uint32, why Reason, fn func(*Flow, Reason)) {
	c := &t.Counters
	switch why {
	case Timeout:
		c.TimedOut++
	case Reused:
		c.Reused++
	case Forced:
		c.Forced++
	default:
		c.Flushed++
	}
	t.unslot(i)
	t.leave(f)
	f.table.live = false
	c.Active--
	if fn != nil {
		fn(f, why)
	}
	ref := f.table.self
	*f = Flow{} // lets go of what the flow pointed to
	t.free = append(t.free, ref)
}

// unslot empties slot i and closes the ranks behind it, so that no tombstones
// lengthen later searches.
func (t *Table) unslot(i uint32) {
	for j := i; ; {
		j = (j + 1) & t.mask
		s := t.slots[j]
		if s.ref == 0 {
			break
		}
		home := uint32(t.at(s.ref).table.hash) & t.mask
		if (j-home)&t.mask >= (j-i)&t.mask {
			t.slots[i] = s
			i = j
		}
	}
	t.slots[i] = slot{}
}

// Walk calls fn for each flow, in no order, until it returns false. fn must not
// call the Table.
func (t *Table) Walk(fn func(*Flow) bool) {
	for ref := uint32(1); ref <= t.fresh; ref++ {
		if f := t.at(ref); f.table.live && !fn(f) {
			return
		}
	}
}

// Flush ends all flows, in the order of their start, giving each to fn as Expire
// does.
func (t *Table) Flush(fn func(*Flow, Reason)) { t.FlushAt(0, fn) }

// FlushAt is Flush at packet time now: flows that have been idle for too long by
// then have timed out, whether or not Expire has come by.
func (t *Table) FlushAt(now int64, fn func(*Flow, Reason)) {
	all := make([]*Flow, 0, t.Len())
	t.Walk(func(f *Flow) bool { all = append(all, f); return true })
	sort.Slice(all, func(i, j int) bool {
		a, b := all[i], all[j]
		if a.Start != b.Start {
			return a.Start < b.Start
		}
		if a.FirstNum != b.FirstNum {
			return a.FirstNum < b.FirstNum
		}
		return a.ID < b.ID
	})
	for _, f := range all {
		why := Shutdown
		if now-f.Last >= t.timeout(f) {
			why = Timeout
		}
		t.Remove(f, why, fn)
	}
}

// Idle gives how long f has been idle at packet time now.
func (f *Flow) Idle(now int64) time.Duration { return time.Duration(max(0, now-f.Last)) }
