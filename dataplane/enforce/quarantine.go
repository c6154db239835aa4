package enforce

import (
	"maps"
	"net/netip"
	"sync"
	"sync/atomic"

	"sluice/dataplane/capture"
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
	mu     sync.Mutex // of those who write
	byAddr map[decode.Addr]hold
	reach  [][]Reachable
	hosts  atomic.Pointer[held]
}

// held is all there is to know at one time; nobody changes it.
type held struct {
	byAddr map[decode.Addr]hold
	byLink map[[6]byte]hold
	reach  [][]Reachable
}

// hold is one host's: until when, which destinations it still reaches, and its
// link-layer address where that counts.
type hold struct {
	expires int64
	set     uint8
	link    [6]byte
}

// outlasts tells whether h ends after o.
func (h hold) outlasts(o hold) bool {
	return o.expires != 0 && (h.expires == 0 || h.expires > o.expires)
}

// Add puts a host in quarantine until expires, in nanoseconds since the epoch; 0
// is for good. It reaches the destinations of the set. By link, unless zero, its
// other addresses are held too. Added anew, what was said of it before is replaced.
func (q *Quarantine) Add(host netip.Addr, link [6]byte, expires int64, set uint8) {
	q.change(func(m map[decode.Addr]hold) { m[decode.AddrFrom(host)] = hold{expires, set, link} })
}

// Remove ends a host's quarantine.
func (q *Quarantine) Remove(host netip.Addr) {
	q.change(func(m map[decode.Addr]hold) { delete(m, decode.AddrFrom(host)) })
}

// SetReachable replaces what quarantined hosts still reach, by set, and their
// sets, all at once. Of a set that there is not, nothing is reached.
func (q *Quarantine) SetReachable(sets [][]Reachable, setOf func(netip.Addr) uint8) {
	q.change(func(m map[decode.Addr]hold) {
		q.reach = sets
		for a, h := range m {
			h.set = setOf(a.Netip())
			m[a] = h
		}
	})
}

// change makes a copy of the table with fn's changes the valid one.
func (q *Quarantine) change(fn func(map[decode.Addr]hold)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	next := held{byAddr: map[decode.Addr]hold{}}
	if q.byAddr != nil {
		next.byAddr = maps.Clone(q.byAddr)
	}
	fn(next.byAddr)
	q.byAddr, next.reach = next.byAddr, q.reach
	for _, h := range next.byAddr {
		if h.link == [6]byte{} {
			continue
		}
		if next.byLink == nil {
			next.byLink = map[[6]byte]hold{}
		}
		if before, ok := next.byLink[h.link]; !ok || h.outlasts(before) {
			next.byLink[h.link] = h
		}
	}
	if len(next.byAddr) == 0 {
		q.hosts.Store(nil)
		return
	}
	q.hosts.Store(&next)
}

// Holds reports whether a packet is to be withheld: its sender is in quarantine,
// and its receiver is none that such hosts reach.
func (q *Quarantine) Holds(p *decode.Packet) bool {
	hosts := q.hosts.Load()
	if hosts == nil || p.IPVersion == 0 {
		return false
	}
	h, ok := hosts.byAddr[p.Src]
	if !ok || h.expires != 0 && p.Time >= h.expires {
		link, known := LinkOf(p)
		if !known || hosts.byLink == nil {
			return false
		}
		h, ok = hosts.byLink[link]
		if !ok || h.expires != 0 && p.Time >= h.expires {
			return false
		}
	}
	if linkOnly(p) {
		return false
	}
	if int(h.set) >= len(hosts.reach) {
		return true
	}
	dst, reach := p.Dst.Netip(), hosts.reach[h.set]
	for i := range reach {
		r := &reach[i]
		if r.Prefix.Contains(dst) && r.speaks(p) {
			return false
		}
	}
	return true
}

// LinkOf gives the link-layer address of a packet's sender, or of the router that
// passed it on; known is false where the frame does not have it.
func LinkOf(p *decode.Packet) (link [6]byte, known bool) {
	if p.Frame == nil || p.Frame.Link != capture.LinkEthernet || p.TunnelDepth > 0 || len(p.Frame.Data) < 12 {
		return link, false
	}
	return [6]byte(p.Frame.Data[6:12]), true
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
		if p.IPVersion == 6 {
			return p.SrcPort == 546 && p.DstPort == 547 && p.Dst[0] == 0xff && p.Dst[1] == 0x02
		}
		return p.SrcPort == 68 && p.DstPort == 67 && p.Dst == decode.Addr{10: 0xff, 11: 0xff, 12: 255, 13: 255, 14: 255, 15: 255}
	}
	return false
}
