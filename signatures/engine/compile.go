package engine

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"sluice/dataplane/protocol"
	"sluice/internal/hs"
	"sluice/internal/pcre"
	"sluice/signatures/rule"
)

// SharedGroup names the streaming databases that signatures share with the
// classifiers.
type SharedGroup uint8

// The shared groups: the bytes of objects, and raw reassembled TCP.
const (
	GroupObject SharedGroup = iota
	GroupStream
)

// clist is a compiled list of a transaction's rule.
type clist struct {
	items      []item
	spec       protocol.BufferSpec
	transforms []rule.Transform
	absent     rule.Absent
	// side is the direction that the rule names for the buffer, nil for none.
	side *protocol.Dir
	// body: the bytes come through Object. whole: the outcome may depend on
	// bytes to come (negations, ends, sizes), so that it waits for the end.
	body, whole bool
}

type clocal struct {
	kind  rule.Local
	items []item
}

type bit struct {
	op     string
	scope  rule.BitScope
	ids    []uint32
	expire int64
}

type flowInt struct {
	rule.FlowInt
	id, from uint32
}

// crule is a rule made ready to be confirmed.
type crule struct {
	*rule.Rule
	idx   uint32
	dirs  protocol.Dirs
	apps  uint64
	tests []rule.Test

	payload []item
	// packetToo: the payload tests also run on each piece by itself, since
	// offset and depth mean the packet as well as the stream.
	packetToo bool
	// inTx: the rule is confirmed on transactions.
	inTx   bool
	locals []clocal
	lists  []clist
	all    uint64
	bodies uint64
	fields []cfield
	hashes []hashList
	// unfast: no fast pattern nominates the payload's tests on a stream.
	unfast bool
	// head is a content of the payload that must be near its beginning.
	head *item
	// fast is the content whose bytes nominate the rule, in list fastList
	// (payloadList for the payload); nil where nothing does.
	fast     *item
	fastList uint8
	// once: at most one match per flow and direction.
	once bool
	// stateful: a match in a transaction is to be remembered, since the rule
	// may be confirmed there again.
	stateful bool
	// wide: what the rule asks for belongs to a transaction rather than to one of
	// its directions, so that it matches once, whichever way: events of parsers, and
	// the numbers of MQTT's messages.
	wide bool
	// incomplete: a failed payload test may hold once more bytes are there.
	incomplete bool

	bitTests, bitSets []bit
	intTests, intSets []flowInt
	limit, rate       *limit
	// changed is the rule with a rate filter's action.
	changed *rule.Rule
}

// Engine is a compiled rule set. It is immutable and safe for concurrent use.
type Engine struct {
	opt   Options
	rules []crule

	stream, object *group
	// loose are the patterns of stream once more, for TCP packets that no
	// session has taken (no handshake seen, midstream pick-up off).
	loose *group
	// streamAll and objectAll are rules without a fast pattern, by direction.
	streamAll [2][]uint32
	objectAll [2][]cand
	// plans are the buffers to scan, by protocol and direction.
	plans [protocol.NumIDs][2]*plan
	// packets by class and direction.
	packets [numClasses][2]packetSet
	// onPacketEvent are rules that need a decoder or stream event.
	onPacketEvent map[uint16][]uint32
	dbs           []*hs.DB
	// The parts of stream and object, and what chooses among them.
	streamParts, objectParts parts
	streamPart               [2]byPort
	objectPart               [protocol.NumIDs][2]int16
	// streamHeads are those of streamAll that have a head, streamAt the others by
	// the server's port.
	streamHeads [2]headIndex
	streamAt    [2]unfast
	streamRules bool
	// addrIndexes counts the indexes by address.
	addrIndexes int
	// hashKinds are the kinds of hashes that rules compare files by, as bits.
	hashKinds uint8
	// untracked are the rules that keep packets out of flows.
	untracked []uint32
	// stores: a rule has files stored.
	stores bool
	// bodyMD5: a rule asks for the digest of mails' bodies.
	bodyMD5 bool
	// absentBodies: a rule asks whether a transaction had no body.
	absentBodies bool
	// magic are the fast patterns in files' descriptions; describes tells that any
	// rule looks at these.
	magic     []magicGroup
	describes bool
	// frameTypes are the kinds of frames that rules look at, as bits.
	frameTypes [protocol.NumIDs]uint32
}

// plan is what is scanned of a protocol's transactions in a direction.
type plan struct {
	buffers []txGroup
	// frames are the kinds of frames, in place of buffers.
	frames []txGroup
	// fields are rules confirmed whenever the transaction changes.
	fields []uint32
	// header are rules on the protocol alone, confirmed on every packet.
	header []uint32
}

// txGroup is a buffer, with its transformations, to be scanned once final.
type txGroup struct {
	spec       protocol.BufferSpec
	transforms []rule.Transform
	g          *group
	// all are rules that the buffer's being final nominates.
	all []cand
	key string
	b   groupBuilder
}

// class is a packet's transport for the index of packet rules.
type class uint8

const (
	classTCP class = iota
	classUDP
	classICMP
	classOther
	numClasses
)

// SetError is an error of one rule at compile time.
type SetError struct {
	Rule    *rule.Rule
	Keyword string
	Err     error
}

func (e *SetError) Error() string {
	return fmt.Sprintf("%s:%d: sid %d: %s: %v", e.Rule.File, e.Rule.Line, e.Rule.SID, e.Keyword, e.Err)
}

func (e *SetError) Unwrap() error { return e.Err }

// Check reports why a rule cannot be compiled for want of files (datasets), or nil.
func Check(r *rule.Rule, st *State) error {
	for i := range r.Files {
		if t := &r.Files[i]; t.Load != "" {
			if _, err := st.hashList(t, relativeTo(r.File)); err != nil {
				return &SetError{Rule: r, Keyword: t.Keyword, Err: err}
			}
		}
	}
	for i := range r.Lists {
		for j := range r.Lists[i].Items {
			if d := r.Lists[i].Items[j].Data; d != nil {
				if _, err := st.dataset(d, relativeTo(r.File)); err != nil {
					return &SetError{Rule: r, Keyword: "dataset", Err: err}
				}
			}
		}
	}
	return nil
}

func relativeTo(file string) func(string) string {
	return func(p string) string {
		if filepath.IsAbs(p) {
			return p
		}
		return filepath.Join(filepath.Dir(file), p)
	}
}

// Compile makes an Engine of rules. Rules that are disabled or skipped are left
// out.
func Compile(rules []*rule.Rule, opt Options) (*Engine, error) {
	if opt.State == nil {
		opt.State = NewState()
	}
	if opt.MaxAlerts == 0 {
		opt.MaxAlerts = 15
	}
	if opt.MaxSteps == 0 {
		opt.MaxSteps = MaxSteps
	}
	if opt.Workers == 0 {
		opt.Workers = runtime.NumCPU()
	}
	e := &Engine{opt: opt, onPacketEvent: map[uint16][]uint32{}}
	active := make([]*rule.Rule, 0, len(rules))
	for _, r := range rules {
		if r.Enabled && r.Skipped == "" {
			active = append(active, r)
		}
	}
	order(active, opt.ActionOrder)
	e.rules = make([]crule, len(active))
	b := builder{e: e}
	for i, r := range active {
		c := &e.rules[i]
		c.Rule, c.idx = r, uint32(i)
		if err := b.rule(c); err != nil {
			return nil, err
		}
	}
	uses := addrUses(e.rules)
	for cl := range b.index_ {
		for d := range b.index_[cl] {
			b.index_[cl][d].count(uses)
		}
	}
	for i := range e.rules {
		b.index(&e.rules[i])
	}
	if err := b.finish(); err != nil {
		return nil, err
	}
	return e, nil
}

// builder collects the groups while rules are compiled.
type builder struct {
	e              *Engine
	stream, object groupBuilder
	packet         [numClasses][2]groupBuilder
	magic          []magicBuilder
	index_         [numClasses][2]packetIndexBuilder
}

func (b *builder) items(r *rule.Rule, in []rule.Item) ([]item, error) {
	out := make([]item, len(in))
	for i := range in {
		it := &out[i]
		it.Item = &in[i]
		switch {
		case it.Op == rule.OpContent:
			it.prepare()
		case it.Op == rule.OpDataset:
			var err error
			if it.set, err = b.e.opt.State.dataset(it.Data, relativeTo(r.File)); err != nil {
				return nil, &SetError{Rule: r, Keyword: "dataset", Err: err}
			}
		case it.Op == rule.OpBase64:
			var err error
			if it.sub, err = b.items(r, it.Base64.Items); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// rule compiles one rule.
func (b *builder) rule(c *crule) error {
	r := c.Rule
	c.dirs = protocol.DirsBoth
	if r.Flow.ToServer {
		c.dirs = protocol.DirsToServer
	}
	if r.Flow.ToClient {
		c.dirs = protocol.DirsToClient
	}
	if r.Proto.Hook != "" {
		c.dirs &= 1 << r.Proto.HookDir
	}
	for _, a := range r.Proto.Apps {
		c.apps |= 1 << a
	}
	c.tests = r.Tests
	b.e.stores = b.e.stores || r.Filestore != nil
	for i := range r.Lists {
		l := &r.Lists[i]
		b.e.bodyMD5 = b.e.bodyMD5 || l.Name == "email.body_md5"
		items, err := b.items(r, l.Items)
		if err != nil {
			return err
		}
		switch {
		case l.Local != rule.NotLocal:
			c.locals = append(c.locals, clocal{l.Local, items})
		case l.Name == "":
			c.payload = items
			c.head = headOf(items)
			for k := range l.Items {
				it := &l.Items[k]
				if !it.Relative && (it.HasDepth || it.HasOffset) {
					c.packetToo = true
				}
			}
			c.incomplete = len(items) > 1 || items[0].Op != rule.OpContent
		default:
			cl := clist{items: items, spec: l.Buffer, transforms: l.Transforms, absent: l.Absent, body: l.Buffer.Body || l.Buffer.ID.Protocol() == protocol.Any}
			if l.Dir != 0 {
				d := protocol.Dir(l.Dir - 1)
				cl.side = &d
			}
			for k := range items {
				it := &items[k]
				if it.Neg || it.EndsWith || it.Op == rule.OpBsize || it.Op == rule.OpEntropy || it.Op == rule.OpDataset {
					cl.whole = true
				}
			}
			cl.whole = cl.whole || len(cl.transforms) > 0
			if cl.body && cl.absent != rule.AbsentFails {
				b.e.absentBodies = true
			}
			b.e.describes = b.e.describes || cl.spec.ID == protocol.BufFileMagic
			if cl.body {
				c.bodies |= 1 << len(c.lists)
			}
			c.all |= 1 << len(c.lists)
			c.lists = append(c.lists, cl)
		}
	}
	for i := range r.Files {
		b.e.describes = b.e.describes || r.Files[i].Keyword == "filemagic"
		if t := &r.Files[i]; t.Load != "" {
			l, err := b.e.opt.State.hashList(t, relativeTo(r.File))
			if err != nil {
				return &SetError{Rule: r, Keyword: t.Keyword, Err: err}
			}
			c.hashes = append(c.hashes, l)
			b.e.hashKinds |= 1 << l.kind
		}
	}
	for i := range r.Fields {
		f, err := b.fields(r, &r.Fields[i])
		if err != nil {
			return err
		}
		c.fields = append(c.fields, f)
	}
	c.inTx = len(c.lists) > 0 && !c.frames() || len(c.fields) > 0 || len(r.AppEvents) > 0 || len(r.Files) > 0 || r.Proto.Hook != ""
	c.stateful = c.bodies != 0 || len(c.lists) == 0 || len(r.Files) > 0 || len(c.lists) > 1 || r.Transactional || c.payload != nil
	c.wide = len(r.AppEvents) > 0 || len(r.Fields) > 0 && !slices.ContainsFunc(r.Fields, func(f rule.FieldTest) bool { return !strings.HasPrefix(f.Keyword, "mqtt.") })
	st := b.e.opt.State
	for i := range r.Bits {
		o := &r.Bits[i]
		x := bit{op: o.Op, scope: o.Scope, expire: int64(o.Expire) * 1e9}
		for _, n := range o.Names {
			x.ids = append(x.ids, st.name(n))
		}
		if o.Test() {
			c.bitTests = append(c.bitTests, x)
		} else {
			c.bitSets = append(c.bitSets, x)
		}
	}
	for _, f := range r.FlowInts {
		x := flowInt{FlowInt: f, id: st.name(f.Name)}
		if f.From != "" {
			x.from = st.name(f.From)
		}
		if f.Test() {
			c.intTests = append(c.intTests, x)
		} else {
			c.intSets = append(c.intSets, x)
		}
	}
	if x := r.Rate; x != nil {
		c.rate = &limit{kind: "rate", track: x.Track, n: x.Count, nanos: int64(x.Seconds) * 1e9, timeout: int64(x.Timeout) * 1e9}
		other := *r
		other.Action = x.NewAction
		c.changed = &other
	}
	t := r.Threshold
	if t == nil {
		t = r.DetectionFilter
	}
	if t != nil {
		c.limit = &limit{kind: t.Type, track: t.Track, n: t.Count, mult: t.Multiplier, nanos: int64(t.Seconds) * 1e9}
	}
	return nil
}

// NeedsStream reports whether any rule looks at raw TCP bytes, with a fast
// pattern or without.
func (e *Engine) NeedsStream() bool { return e.streamRules }

// NeedsObjects reports whether any rule looks at objects.
func (e *Engine) NeedsObjects() bool {
	return e.object != nil || len(e.objectAll[0])+len(e.objectAll[1]) > 0
}

// StoresFiles reports whether any rule has files stored.
func (e *Engine) StoresFiles() bool { return e.stores }

// HashesBodies reports whether any rule asks for the digest of mails' bodies.
func (e *Engine) HashesBodies() bool { return e.bodyMD5 }

// Rules counts the rules that can match.
func (e *Engine) Rules() int { return len(e.rules) }

// Memory gives the bytes of the engine's own databases.
func (e *Engine) Memory() int {
	n := 0
	for _, db := range e.dbs {
		n += db.Size()
	}
	return n
}

// Close frees the databases. No Matcher may be used any more.
func (e *Engine) Close() {
	for _, db := range e.dbs {
		db.Close()
	}
	e.dbs = nil
}

// NewMatcher makes a worker's matcher. The Scanner must have been made or
// prepared for Databases, and belongs to the same goroutine.
func (e *Engine) NewMatcher(sc *hs.Scanner) *Matcher {
	m := &Matcher{e: e, sc: sc, stamp: make([]uint32, len(e.rules)), fired: make([]uint32, len(e.rules)),
		matches: make([]Match, 0, maxMatches), cands: make([]uint32, 0, 256), heads: make([]uint32, 0, 256), addrs: make([]addrMemo, e.addrIndexes)}
	m.own = sc == nil
	x, err := pcre.NewContext(pcre.Limits{Match: e.opt.PCREMatchLimit, Depth: e.opt.PCREDepthLimit})
	if err != nil {
		panic(err) // out of memory at start
	}
	m.pcre = x
	return m
}
