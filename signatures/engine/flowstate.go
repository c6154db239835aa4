package engine

import (
	"bytes"
	"strconv"

	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/signatures/rule"
)

// flowState is what rules keep with a flow, in flow.Flow.Detect. Bits,
// variables and limits outlive a reload; what names rules by index does not.
type flowState struct {
	e    *Engine
	bits []uint32
	ints []intVar
	vars []FlowVar
	// entropies are the newest values that rules measured.
	entropies []Entropy
	limits    map[flowLimit]limitEntry

	// once are rules that match once per direction: index × 2 + direction.
	once []uint32
	// pend are rules nominated by bytes of the stream whose other tests may
	// hold once more bytes are there; last is how far a rule has matched.
	pend [2][]streamNote
	last [2][]streamNote
	// parts are rules of transactions whose payload tests have held.
	parts [2][]uint32
}

// flowLimit is what a threshold or a rate filter counts of a flow.
type flowLimit struct {
	gid, sid uint32
	rate     bool
}

type intVar struct{ id, v uint32 }

// FlowVar is a capture kept with a flow.
type FlowVar struct {
	Name  string
	Value []byte
}

// Entropy is what the entropy keyword last measured in a buffer of a flow.
type Entropy struct {
	Buffer string
	Value  float64
}

type streamNote struct {
	rule uint32
	at   uint64
}

// Bounds of what a flow keeps.
const (
	maxBits  = 256
	maxVars  = 64
	maxNotes = 64
	maxParts = 256
	maxValue = 256
)

// flowState gives the flow's state; nil where there is none and make is false.
func (m *Matcher) flowState(make bool) *flowState {
	if m.f == nil {
		return nil
	}
	fs, _ := m.f.Detect.(*flowState)
	if fs == nil {
		if !make {
			return nil
		}
		fs = &flowState{e: m.e}
		m.f.Detect = fs
	}
	if fs.e != m.e {
		fs.e, fs.once = m.e, nil
		fs.pend, fs.last, fs.parts = [2][]streamNote{}, [2][]streamNote{}, [2][]uint32{}
	}
	return fs
}

// FlowEnd forgets what is kept with a flow that has ended.
func (m *Matcher) FlowEnd(f *flow.Flow) { f.Detect = nil }

// FlowBits gives the names of the bits that are set, for events. It is for the
// cold side: it allocates.
func (m *Matcher) FlowBits(f *flow.Flow) []string {
	fs, _ := f.Detect.(*flowState)
	if fs == nil || len(fs.bits) == 0 {
		return nil
	}
	var names []string
	st := m.e.opt.State
	st.mu.RLock()
	defer st.mu.RUnlock()
	for _, id := range fs.bits {
		for n, i := range st.names {
			if i == id {
				names = append(names, n)
			}
		}
	}
	return names
}

// FlowInts gives the flow's integer variables, for events. It allocates.
func (m *Matcher) FlowInts(f *flow.Flow) map[string]uint32 {
	fs, _ := f.Detect.(*flowState)
	if fs == nil || len(fs.ints) == 0 {
		return nil
	}
	out := map[string]uint32{}
	st := m.e.opt.State
	st.mu.RLock()
	defer st.mu.RUnlock()
	for _, v := range fs.ints {
		for n, i := range st.names {
			if i == v.id {
				out[n] = v.v
			}
		}
	}
	return out
}

// FlowVars gives what rules captured of a flow. The slice belongs to the flow.
func (m *Matcher) FlowVars(f *flow.Flow) []FlowVar {
	if fs, _ := f.Detect.(*flowState); fs != nil {
		return fs.vars
	}
	return nil
}

// Entropies gives what rules measured in a flow. The slice belongs to the flow.
func (m *Matcher) Entropies(f *flow.Flow) []Entropy {
	if fs, _ := f.Detect.(*flowState); fs != nil {
		return fs.entropies
	}
	return nil
}

// measure keeps the newest entropy of a buffer.
func (fs *flowState) measure(buffer string, v float64) {
	for i := range fs.entropies {
		if fs.entropies[i].Buffer == buffer {
			fs.entropies[i].Value = v
			return
		}
	}
	if len(fs.entropies) < maxVars {
		fs.entropies = append(fs.entropies, Entropy{buffer, v})
	}
}

func (fs *flowState) has(id uint32) bool {
	for _, b := range fs.bits {
		if b == id {
			return true
		}
	}
	return false
}

func (fs *flowState) set(id uint32) {
	if !fs.has(id) && len(fs.bits) < maxBits {
		fs.bits = append(fs.bits, id)
	}
}

func (fs *flowState) unset(id uint32) {
	for i, b := range fs.bits {
		if b == id {
			fs.bits = append(fs.bits[:i], fs.bits[i+1:]...)
			return
		}
	}
}

func (fs *flowState) int(id uint32) (uint32, bool) {
	for i := range fs.ints {
		if fs.ints[i].id == id {
			return fs.ints[i].v, true
		}
	}
	return 0, false
}

func (fs *flowState) setInt(id, v uint32) {
	for i := range fs.ints {
		if fs.ints[i].id == id {
			fs.ints[i].v = v
			return
		}
	}
	if len(fs.ints) < maxVars {
		fs.ints = append(fs.ints, intVar{id, v})
	}
}

// hostKey gives the key of an xbit or hostbit.
func (m *Matcher) hostKey(b *bit, id uint32) bitKey {
	k := bitKey{id: id}
	switch b.scope {
	case rule.BitHostSrc:
		k.a = *m.src
	case rule.BitHostDst:
		k.a = *m.dst
	case rule.BitPair:
		// A pair is the same whichever way it speaks.
		k.a, k.b = *m.src, *m.dst
		if bytes.Compare(k.a[:], k.b[:]) > 0 {
			k.a, k.b = k.b, k.a
		}
	}
	return k
}

func (m *Matcher) isSet(b *bit, id uint32, fs *flowState) bool {
	if b.scope == rule.BitFlow {
		return fs != nil && fs.has(id)
	}
	return m.e.opt.State.isSet(m.hostKey(b, id), m.now)
}

// bitsHold tests flowbits, xbits, hostbits and flowints.
func (m *Matcher) bitsHold(r *crule) bool {
	if len(r.bitTests) == 0 && len(r.intTests) == 0 {
		return true
	}
	fs := m.flowState(false)
	for i := range r.bitTests {
		if !m.bitHolds(&r.bitTests[i], fs) {
			return false
		}
	}
	for i := range r.intTests {
		if !intHolds(&r.intTests[i], fs) {
			return false
		}
	}
	return true
}

// bitHolds tests one use of isset or isnotset.
func (m *Matcher) bitHolds(b *bit, fs *flowState) bool {
	for _, id := range b.ids {
		// An or-group of isnotset holds when one of them is not set.
		if m.isSet(b, id, fs) == (b.op == "isset") {
			return true
		}
	}
	return false
}

// intHolds tests one comparison of a flow's integer.
func intHolds(t *flowInt, fs *flowState) bool {
	var v uint32
	ok := false
	if fs != nil {
		v, ok = fs.int(t.id)
	}
	want := t.Value
	if t.from != 0 {
		known := false
		if fs != nil {
			want, known = fs.int(t.from)
		}
		if !known {
			return false
		}
	}
	switch t.Op {
	case "isset":
		return ok
	case "isnotset":
		return !ok
	case "<":
		return ok && v < want
	case "<=":
		return ok && v <= want
	case ">":
		return ok && v > want
	case ">=":
		return ok && v >= want
	case "==":
		return ok && v == want
	case "!=":
		return ok && v != want
	}
	return false
}

// effects carries out the bits, variables and captures of a rule that holds.
func (m *Matcher) effects(r *crule) {
	for i := range r.bitSets {
		b := &r.bitSets[i]
		id := b.ids[0]
		if b.scope == rule.BitFlow {
			if fs := m.flowState(true); fs != nil {
				switch {
				case b.op == "set" || b.op == "toggle" && !fs.has(id):
					fs.set(id)
				default:
					fs.unset(id)
				}
			}
			continue
		}
		k := m.hostKey(b, id)
		st := m.e.opt.State
		if b.op == "set" || b.op == "toggle" && !st.isSet(k, m.now) {
			st.put(k, m.now, m.now+b.expire, &m.Counters.BitsFull)
		} else {
			st.put(k, m.now, 0, &m.Counters.BitsFull)
		}
	}
	for i := range r.intSets {
		t := &r.intSets[i]
		fs := m.flowState(true)
		if fs == nil {
			break
		}
		v, _ := fs.int(t.id)
		by := t.Value
		if t.from != 0 {
			by, _ = fs.int(t.from)
		}
		switch t.Op {
		case "+":
			v += by
		case "-":
			v -= by
		default:
			v = by
		}
		fs.setInt(t.id, v)
	}
	for i := range m.captured {
		x := &m.captured[i]
		fs := m.flowState(true)
		if fs == nil {
			break
		}
		fs.keep(x.c.Name, x.value[:x.n])
	}
	m.captured = m.captured[:0]
}

// noteContext keeps what a dataset knows of a member; a later member of the
// same name takes its place.
func (m *Matcher) noteContext(key, json string) {
	for i := range m.contexts {
		if m.contexts[i].Key == key {
			m.contexts[i].JSON = json
			return
		}
	}
	if len(m.contexts) < maxVars {
		m.contexts = append(m.contexts, Context{key, json})
	}
}

// captured is a group's bytes until it is known whether the rule holds.
type captured struct {
	c     *rule.Capture
	n     int
	value [maxValue]byte
}

// capture notes the groups of the expression that just matched.
func (m *Matcher) capture(cs []rule.Capture, sub []byte) {
	for i := range cs {
		from, to, ok := m.pcre.Group(cs[i].Group)
		if !ok || len(m.captured) >= maxVars {
			continue
		}
		x := captured{c: &cs[i]}
		x.n = copy(x.value[:], sub[from:to])
		m.captured = append(m.captured, x)
	}
}

func (fs *flowState) keep(name string, v []byte) {
	for i := range fs.vars {
		if fs.vars[i].Name == name {
			fs.vars[i].Value = append(fs.vars[i].Value[:0], v...)
			return
		}
	}
	if len(fs.vars) < maxVars {
		fs.vars = append(fs.vars, FlowVar{name, bytes.Clone(v)})
	}
}

// ftpBounce reports whether a PORT command among the lines names an address other
// than the client's (RFC 959 §4.1.2).
func (m *Matcher) ftpBounce(b []byte) bool {
	if m.f == nil || m.dir != protocol.ToServer {
		return false
	}
	for line := range bytes.Lines(b) {
		if m.bounces(line) {
			return true
		}
	}
	return false
}

// bounces is ftpBounce for a line.
func (m *Matcher) bounces(b []byte) bool {
	b = bytes.TrimLeft(b, " ")
	if len(b) < 5 || !bytes.EqualFold(b[:4], []byte("PORT")) {
		return false
	}
	var ip [4]byte
	rest := bytes.TrimSpace(b[4:])
	for i := range ip {
		j := bytes.IndexByte(rest, ',')
		if j < 1 || j > 3 {
			return false
		}
		n, err := strconv.Atoi(string(rest[:j]))
		if err != nil || n < 0 || n > 255 {
			return false
		}
		ip[i], rest = byte(n), rest[j+1:]
	}
	var a decode.Addr
	a[10], a[11] = 0xff, 0xff
	copy(a[12:], ip[:])
	return a != m.f.Client
}
