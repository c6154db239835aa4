package engine

import (
	"encoding/binary"
	"slices"

	"sluice/dataplane/protocol"
	"sluice/internal/hs"
	"sluice/signatures/rule"
)

// The patterns of a group need not all be looked for everywhere: those for
// requests are noise in responses, and those for a database server's port in web
// traffic. Each group is therefore scanned with one of several databases, by
// direction and the server's port or the protocol. Pattern ids stay those of
// the group, so that whoever gets the hits need not know which one it was.

// part is what one of a group's databases looks for: indices of its patterns.
type part []uint32

func (p part) patterns(g *group) []hs.Pattern {
	out := make([]hs.Pattern, len(p))
	for i, id := range p {
		out[i] = g.patterns[id]
	}
	return out
}

// parts are distinct parts of a group.
type parts struct {
	list []part
	seen map[string]int16
}

// add gives the number of a part, -1 for an empty one.
func (ps *parts) add(p part) int16 {
	if len(p) == 0 {
		return -1
	}
	key := make([]byte, 0, 4*len(p))
	for _, id := range p {
		key = binary.LittleEndian.AppendUint32(key, id)
	}
	if n, ok := ps.seen[string(key)]; ok {
		return n
	}
	if ps.seen == nil {
		ps.seen = map[string]int16{}
	}
	n := int16(len(ps.list))
	ps.seen[string(key)] = n
	ps.list = append(ps.list, p)
	return n
}

// usualPorts carry most of the traffic there is: rules for them go with the
// rules for all ports, so that it is scanned once.
var usualPorts = [...]uint16{25, 53, 80, 443, 8080}

// serverPorts gives the port sets of which one holds the server's port where
// the rule matches in a direction.
func (r *crule) serverPorts(d protocol.Dir) (sets [2]*rule.PortSet, n int) {
	near, far := r.DstPort, r.SrcPort
	if d == protocol.ToClient && !r.Transactional {
		near, far = far, near
	}
	sets[0], n = near, 1
	if r.Bidirectional && !r.Transactional {
		sets[1], n = far, 2
	}
	return sets, n
}

// usual reports whether the rule concerns all ports, many or a usual one;
// otherwise ports are the ones that it does.
func (r *crule) usual(d protocol.Dir) (ports []uint16, usual bool) {
	switch r.Proto.Transport {
	case rule.TCP, rule.UDP, rule.SCTP:
	default:
		return nil, true // what has no ports is not asked for them
	}
	sets, n := r.serverPorts(d)
	for _, s := range sets[:n] {
		if s.All || s.Size() > tellingPorts {
			return nil, true
		}
		for _, p := range usualPorts {
			if s.Has(p) {
				return nil, true
			}
		}
		for _, g := range s.Ranges {
			for p := int(g.Lo); p <= int(g.Hi); p++ {
				ports = append(ports, uint16(p))
			}
		}
	}
	return ports, false
}

// portTable is values by port. Most ports have none, which one bit tells. The
// zero value is empty.
type portTable[T any] struct {
	has    *[1 << 16 / 64]uint64
	values map[uint16]T
}

func (t *portTable[T]) set(port uint16, v T) {
	if t.has == nil {
		t.has, t.values = new([1 << 16 / 64]uint64), map[uint16]T{}
	}
	t.has[port/64] |= 1 << (port % 64)
	t.values[port] = v
}

// at gives the value of a port.
func (t *portTable[T]) at(port uint16) (v T, ok bool) {
	if t.has == nil || t.has[port/64]>>(port%64)&1 == 0 {
		return v, false
	}
	return t.values[port], true
}

// byPort is the parts of a group for one direction: what is looked for whatever
// the server's port, and what beside it on some ports.
type byPort struct {
	usual int16
	extra portTable[int16]
}

// at gives the parts for a port; -1 stands for none.
func (b *byPort) at(port uint16) (usual, extra int16) {
	if x, ok := b.extra.at(port); ok {
		return b.usual, x
	}
	return b.usual, -1
}

// split sorts a group's patterns by port for a direction. wanted chooses among
// what they nominate.
func (ps *parts) split(e *Engine, g *group, d protocol.Dir, wanted func(*crule, *cand) bool) byPort {
	out := byPort{usual: -1}
	if g == nil {
		return out
	}
	var usual part
	extra := map[uint16]part{}
	for id := range uint32(len(g.patterns)) {
		everywhere := false
		var some []uint16
		cs := g.nominated(id)
		for i := range cs {
			r := &e.rules[cs[i].rule]
			if !wanted(r, &cs[i]) {
				continue
			}
			ports, all := r.usual(d)
			if everywhere = everywhere || all; everywhere {
				break
			}
			some = append(some, ports...)
		}
		if everywhere {
			usual = append(usual, id)
			continue
		}
		slices.Sort(some)
		for _, p := range slices.Compact(some) {
			extra[p] = append(extra[p], id)
		}
	}
	out.usual = ps.add(usual)
	for p, x := range extra {
		out.extra.set(p, ps.add(x))
	}
	return out
}

// partStreams sorts the patterns and the rules for raw streams.
func (e *Engine) partStreams() {
	for d := range e.streamPart {
		dir := protocol.Dir(d)
		e.streamPart[d] = e.streamParts.split(e, e.stream, dir, func(r *crule, _ *cand) bool { return r.dirs.Has(dir) || r.Transactional })
		for _, r := range e.streamAll[d] {
			if c := &e.rules[r]; c.head != nil {
				e.streamHeads[d].add(r, c.head)
			} else {
				e.streamAt[d].add(c, dir)
			}
		}
	}
}

// unfast is the rules without a fast pattern, by the server's port.
type unfast struct {
	usual []uint32
	extra portTable[[]uint32]
}

func (u *unfast) add(r *crule, d protocol.Dir) {
	ports, usual := r.usual(d)
	if usual {
		u.usual = append(u.usual, r.idx)
		return
	}
	slices.Sort(ports)
	for _, p := range slices.Compact(ports) {
		l, _ := u.extra.at(p)
		u.extra.set(p, append(l, r.idx))
	}
}

// at gives the rules for a port.
func (u *unfast) at(port uint16) (usual, extra []uint32) {
	extra, _ = u.extra.at(port)
	return u.usual, extra
}

// partObjects sorts the patterns for objects by protocol and direction.
func (e *Engine) partObjects() {
	for id := range e.objectPart {
		for d := range e.objectPart[id] {
			e.objectPart[id][d] = -1
			if e.object != nil {
				e.objectPart[id][d] = e.objectParts.add(e.objectIDs(protocol.ID(id), protocol.Dir(d)))
			}
		}
	}
}

func (e *Engine) objectIDs(app protocol.ID, d protocol.Dir) (p part) {
	for id := range uint32(len(e.object.patterns)) {
		if slices.ContainsFunc(e.object.nominated(id), func(c cand) bool { return e.concerns(c, app, d) }) {
			p = append(p, id)
		}
	}
	return p
}

// concerns reports whether what a pattern nominates can be of an object of a
// protocol and direction. It may say yes too often, never no.
func (e *Engine) concerns(c cand, app protocol.ID, d protocol.Dir) bool {
	r := &e.rules[c.rule]
	if !r.dirs.Has(d) && !r.Transactional {
		return false
	}
	if c.list == payloadList {
		return true
	}
	spec := &r.lists[c.list].spec
	if spec.Dirs != 0 && !spec.Dirs.Has(d) {
		return false
	}
	switch of := spec.ID.Protocol(); {
	case of == app, of == protocol.Any, spec.ID == protocol.BufFileData:
		return true
	case app == protocol.HTTP2:
		return of == protocol.HTTP1 // it has the older version's buffers
	}
	return false
}

// SharedParts gives the pattern sets of which each is to become one streaming
// database, with the ids of SharedPatterns. StreamParts and ObjectPart give
// numbers of them.
func (e *Engine) SharedParts(g SharedGroup) [][]hs.Pattern {
	ps, gr := &e.streamParts, e.stream
	if g == GroupObject {
		ps, gr = &e.objectParts, e.object
	}
	out := make([][]hs.Pattern, len(ps.list))
	for i, p := range ps.list {
		out[i] = p.patterns(gr)
	}
	return out
}

// StreamParts gives the databases with which a TCP stream of a direction is to
// be scanned, by the server's port; -1 stands for none.
func (e *Engine) StreamParts(d protocol.Dir, serverPort uint16) (first, second int16) {
	return e.streamPart[d].at(serverPort)
}

// ObjectPart gives the database with which an object of a protocol and
// direction is to be scanned; -1 where nothing is looked for.
func (e *Engine) ObjectPart(app protocol.ID, d protocol.Dir) int16 {
	return e.objectPart[app][d]
}

// bigPacket is the payload from which on rules for small packets are left out.
const bigPacket = 256

// tiny reports whether the rule wants packets of fewer bytes than bigPacket.
func (r *crule) tiny() bool {
	for i := range r.tests {
		t := &r.tests[i]
		if t.Kind != rule.TestDsize {
			continue
		}
		tiny := true
		// The sizes that matter are few: no need to know the forms of a range.
		for n := uint64(bigPacket); n <= 0xffff && tiny; n++ {
			tiny = !t.Int.Match(n)
		}
		if tiny {
			return true
		}
	}
	return false
}

// packetDBs are the databases of a class and direction of packets.
type packetDBs struct {
	g *group
	// small and big are for payloads below and from bigPacket on.
	small, big byPort
	parts      parts
	dbs        []*hs.DB
	// heads are rules for which the payload's beginning is compared.
	heads headIndex
}

func (s *packetDBs) build(e *Engine, d protocol.Dir) {
	s.small = s.parts.split(e, s.g, d, func(*crule, *cand) bool { return true })
	s.big = s.parts.split(e, s.g, d, func(r *crule, _ *cand) bool { return !r.tiny() })
	s.dbs = make([]*hs.DB, len(s.parts.list))
}
