package enforce

import (
	"maps"
	"net/netip"
	"sync"
	"sync/atomic"

	"sluice/dataplane/decode"
)

// Reachable is a destination that quarantined hosts still reach.
type Reachable struct {
	Prefix netip.Prefix
	// Proto is an IP protocol number, of which 1 stands for ICMPv6 too; 0 is all.
	Proto uint8
	// First and Last bound the port of either end; both 0 are all.
	First, Last uint16
}

// Quarantine is the hosts that may send to nobody but a few destinations, for
// workers: the kernel holds them too, where it has a fast path, but learns of a
// host a moment later, and does not see what a tunnel carries. Its methods are
// safe for concurrent use; Holds takes no lock.
type Quarantine struct {
	mu    sync.Mutex // of those who write
	hosts atomic.Pointer[map[decode.Addr]int64]
	reach atomic.Pointer[[]Reachable]
}

// Add puts a host in quarantine until expires, in nanoseconds since the epoch; 0
// is for good. Added anew, its end is replaced.
func (q *Quarantine) Add(host netip.Addr, expires int64) {
	q.change(func(m map[decode.Addr]int64) { m[decode.AddrFrom(host)] = expires })
}

// Remove ends a host's quarantine.
func (q *Quarantine) Remove(host netip.Addr) {
	q.change(func(m map[decode.Addr]int64) { delete(m, decode.AddrFrom(host)) })
}

// change makes a copy of the table with fn's changes the valid one.
func (q *Quarantine) change(fn func(map[decode.Addr]int64)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	next := map[decode.Addr]int64{}
	if old := q.hosts.Load(); old != nil {
		next = maps.Clone(*old)
	}
	fn(next)
	if len(next) == 0 {
		q.hosts.Store(nil)
		return
	}
	q.hosts.Store(&next)
}

// SetReachable replaces what quarantined hosts still reach.
func (q *Quarantine) SetReachable(all []Reachable) { q.reach.Store(&all) }

// Holds reports whether a packet is to be withheld: its sender is in quarantine,
// and its receiver is none that such hosts reach.
func (q *Quarantine) Holds(p *decode.Packet) bool {
	hosts := q.hosts.Load()
	if hosts == nil || p.IPVersion == 0 {
		return false
	}
	expires, ok := (*hosts)[p.Src]
	if !ok || expires != 0 && p.Time >= expires || linkOnly(p) {
		return false
	}
	reach := q.reach.Load()
	if reach == nil {
		return true
	}
	dst := p.Dst.Netip()
	for i := range *reach {
		r := &(*reach)[i]
		if r.Prefix.Contains(dst) && r.speaks(p) {
			return false
		}
	}
	return true
}

func (r *Reachable) speaks(p *decode.Packet) bool {
	if r.Proto != 0 && r.Proto != p.Proto && (r.Proto != decode.ProtoICMP || p.Proto != decode.ProtoICMPv6) {
		return false
	}
	if r.First == 0 && r.Last == 0 || p.FragOffset != 0 {
		return true // what follows a first fragment is of no use without it
	}
	in := func(port uint16) bool { return r.First <= port && port <= r.Last }
	return p.Has(decode.FlagHasPorts) && (in(p.DstPort) || in(p.SrcPort))
}

// linkOnly reports whether a packet goes no further than its link, and is needed
// there: neighbour discovery (RFC 4861) and asking for an address by broadcast.
func linkOnly(p *decode.Packet) bool {
	switch p.Proto {
	case decode.ProtoICMPv6:
		if p.TTL != 255 || p.ICMPType < 133 || p.ICMPType > 136 || p.MoreFragments || p.FragOffset != 0 {
			return false
		}
		return p.Dst[0] == 0xff || p.Dst[0] == 0xfe && p.Dst[1]&0xc0 == 0x80 || [8]byte(p.Dst[:8]) == [8]byte(p.Src[:8])
	case decode.ProtoUDP:
		return p.IPVersion == 4 && p.SrcPort == 68 && p.DstPort == 67 && p.Dst == decode.Addr{10: 0xff, 11: 0xff, 12: 255, 13: 255, 14: 255, 15: 255}
	}
	return false
}
