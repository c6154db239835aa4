package decode

import "slices"

// OverlapPolicy names the family of IP stacks whose choice among overlapping
// fragments is followed (Shankar and Paxson, "Active Mapping", 2003; Novak,
// "Target-Based Fragmentation Reassembly", 2005). Bytes that a packet's
// receiver would not see are the tools of evasion.
type OverlapPolicy uint8

// The policies. Of an earlier and a later fragment:
const (
	// PolicyBSD: the one that begins first wins, the earlier on a tie.
	PolicyBSD OverlapPolicy = iota
	// PolicyBSDRight: the later wins unless it begins before the earlier.
	PolicyBSDRight
	// PolicyLinux: the earlier wins only where it begins before the later.
	PolicyLinux
	// PolicyFirst: the earlier wins.
	PolicyFirst
	// PolicyLast: the later wins.
	PolicyLast
	// PolicyWindows: the earlier wins unless the later begins before it and ends
	// behind it.
	PolicyWindows
	// PolicySolaris: as PolicyWindows, but ending where it ends suffices.
	PolicySolaris
)

var policyNames = [...]string{"bsd", "bsd-right", "linux", "first", "last", "windows", "solaris"}

// String gives the policy's name as configurations write it.
func (o OverlapPolicy) String() string {
	if int(o) < len(policyNames) {
		return policyNames[o]
	}
	return "invalid"
}

// PolicyByName gives the policy that a configuration names: the names of
// String and those of Suricata's host-os-policy.
func PolicyByName(name string) (OverlapPolicy, bool) {
	if i := slices.Index(policyNames[:], name); i >= 0 {
		return OverlapPolicy(i), true
	}
	switch name {
	case "old-linux":
		return PolicyLinux, true
	case "hpux10", "irix":
		return PolicyBSD, true
	case "hpux11", "macos", "old-solaris":
		return PolicyFirst, true
	case "vista", "windows2k3":
		return PolicyWindows, true
	}
	return 0, false
}

// laterWins decides between an earlier fragment [as,ae) and a later one [bs,be)
// that overlap.
func (o OverlapPolicy) laterWins(as, ae, bs, be int) bool {
	switch o {
	case PolicyBSD:
		return bs < as
	case PolicyBSDRight:
		return bs >= as
	case PolicyLinux:
		return bs <= as
	case PolicyLast:
		return true
	case PolicyWindows:
		return bs < as && be > ae
	case PolicySolaris:
		return bs < as && be >= ae
	}
	return false
}

// piece is a run of bytes present, [start,end), and the whole fragment that it
// came with: policies compare fragments as they were sent.
type piece struct {
	start, end         uint16
	fragStart, fragEnd uint16
}

// overlapKind tells how a fragment meets those present.
type overlapKind uint8

const (
	overlapNone overlapKind = iota
	// overlapRepeat: the very same range, the very same bytes.
	overlapRepeat
	overlapPartial
)

// classify tells how f meets the fragments present.
func (g *datagram) classify(f fragment) overlapKind {
	kind := overlapNone
	for _, q := range g.pieces {
		if int(q.end) <= f.start {
			continue
		}
		if int(q.start) >= f.end {
			break
		}
		if int(q.start) == f.start && int(q.end) == f.end && int(q.fragStart) == f.start &&
			string(g.buf[headRoom+f.start:headRoom+f.end]) == string(f.data) {
			return overlapRepeat
		}
		kind = overlapPartial
	}
	if kind != overlapNone {
		return kind
	}
	// Bytes behind the last fragment's end: a second opinion on the length.
	n := len(g.pieces)
	if g.total >= 0 && (f.end > g.total || f.last && f.end != g.total) ||
		g.total < 0 && f.last && n > 0 && int(g.pieces[n-1].end) > f.end {
		return overlapPartial
	}
	return overlapNone
}

// insert puts f's bytes where it wins. The buffer is long enough.
func (g *datagram) insert(f fragment) {
	// The new fragment's bytes are laid around the pieces it loses against;
	// pieces it wins against are cut.
	at := f.start
	i, _ := slices.BinarySearchFunc(g.pieces, f.start, func(q piece, start int) int {
		if int(q.end) <= start {
			return -1
		}
		return 1
	})
	own := func(s, e int) piece {
		copy(g.buf[headRoom+s:headRoom+e], f.data[s-f.start:e-f.start])
		return piece{uint16(s), uint16(e), uint16(f.start), uint16(f.end)}
	}
	for at < f.end && i < len(g.pieces) {
		q := g.pieces[i]
		qs, qe := int(q.start), int(q.end)
		if qs >= f.end {
			break
		}
		if at < qs {
			// A hole before the piece.
			g.pieces = slices.Insert(g.pieces, i, own(at, qs))
			g.have += qs - at
			i++
			at = qs
		}
		if !g.policy.laterWins(int(q.fragStart), int(q.fragEnd), f.start, f.end) {
			at = min(qe, f.end)
			i++
			continue
		}
		// The piece gives way in [at, min(qe, f.end)).
		e := min(qe, f.end)
		var repl [3]piece
		n := 0
		if qs < at {
			repl[n] = piece{q.start, uint16(at), q.fragStart, q.fragEnd}
			n++
		}
		repl[n] = own(at, e)
		n++
		if e < qe {
			repl[n] = piece{uint16(e), q.end, q.fragStart, q.fragEnd}
			n++
		}
		g.pieces = slices.Replace(g.pieces, i, i+1, repl[:n]...)
		i += n
		at = e
	}
	if at < f.end {
		g.pieces = slices.Insert(g.pieces, i, own(at, f.end))
		g.have += f.end - at
	}
}
