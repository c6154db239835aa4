package expect

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Defaults of Options.
const (
	DefaultMax      = 65536
	DefaultLifetime = 2 * time.Minute
)

// numShards is how many locks the table is divided by; a power of two.
const numShards = 32

// backwards is how far packet times may step back before what was announced is
// taken to belong to another capture.
const backwards = int64(10 * time.Second)

// Options are a table's bounds. The zero value is useful.
type Options struct {
	// Max bounds the addresses expected at a time; 0 means DefaultMax. At the
	// bound the oldest gives way.
	Max int
	// Lifetime is how long a connection is expected after its announcement or
	// renewal, in packet time; 0 means DefaultLifetime.
	Lifetime time.Duration
}

// Table holds what is expected, for all workers. It is safe for concurrent use.
type Table struct {
	lifetime int64
	perShard int
	size     atomic.Int64
	evicted  atomic.Uint64
	shards   [numShards]shard
}

type shard struct {
	mu      sync.Mutex
	entries map[key]*entry
	// oldest and newest end the list by time of announcement or renewal.
	oldest, newest *entry
}

// key is an expected connection: who listens where, and who connects.
type key struct {
	listener, peer [16]byte
	scope          uint64
	port           uint16
	udp            bool
}

type entry struct {
	key        key
	hint       *Hint
	from, till int64
	prev, next *entry
}

// NewTable makes an empty table.
func NewTable(o Options) *Table {
	if o.Max <= 0 {
		o.Max = DefaultMax
	}
	if o.Lifetime <= 0 {
		o.Lifetime = DefaultLifetime
	}
	t := &Table{lifetime: int64(o.Lifetime), perShard: (o.Max + numShards - 1) / numShards}
	for i := range t.shards {
		t.shards[i].entries = map[key]*entry{}
	}
	return t
}

// Len gives how many connections are expected.
func (t *Table) Len() int { return int(t.size.Load()) }

// Evicted counts the expectations that gave way to newer ones before their time.
func (t *Table) Evicted() uint64 { return t.evicted.Load() }

// Announce expects the connection that a's parser announced in the flow c at
// packet time now (nanoseconds). Only the other end of c may be its peer, so
// that nobody can have others' connections taken for his own.
func (t *Table) Announce(c Control, a Announcement, now int64) {
	listener, peer := c.Client, c.Server
	if a.Passive {
		listener, peer = c.Server, c.Client
	}
	if !listener.IsValid() || !peer.IsValid() || a.Port == 0 || a.Hint == nil || a.Hint.n > 0 {
		return
	}
	a.Hint.parent.Store(c.Flow)
	k := key{listener: listener.As16(), peer: peer.As16(), scope: c.Scope, port: a.Port, udp: a.UDP}
	a.Hint.keys[0], a.Hint.n = k, 1
	t.add(k, a.Hint, now)
	if other := a.Addr; other.IsValid() && other.Unmap() != listener.Unmap() && !other.IsUnspecified() && !other.IsMulticast() {
		k.listener = other.As16()
		a.Hint.keys[1], a.Hint.n = k, 2
		t.add(k, a.Hint, now)
	}
}

// Renew puts off the hint's expiry, counted from now on.
func (t *Table) Renew(h *Hint, now int64) {
	for _, k := range h.keys[:h.n] {
		s := t.shard(&k)
		s.mu.Lock()
		if e := s.entries[k]; e != nil && e.hint == h {
			s.unlink(e)
			e.from, e.till = min(e.from, now), now+t.lifetime
			s.append(e)
		}
		s.mu.Unlock()
	}
}

// Withdraw forgets what was announced with the hint.
func (t *Table) Withdraw(h *Hint) {
	for _, k := range h.keys[:h.n] {
		s := t.shard(&k)
		s.mu.Lock()
		if e := s.entries[k]; e != nil && e.hint == h {
			t.remove(s, e)
		}
		s.mu.Unlock()
	}
}

// Lookup gives the hint for a flow whose first bytes were seen at now, nil for
// one that nobody expects. Which end is taken for the flow's client does not
// matter: a capture may begin with the answer. An empty table costs one atomic load. What was announced
// stays until it expires or is withdrawn, since a first attempt may fail.
func (t *Table) Lookup(scope uint64, udp bool, src, dst netip.Addr, srcPort, dstPort uint16, now int64) *Hint {
	if t.size.Load() == 0 || !src.IsValid() || !dst.IsValid() {
		return nil
	}
	a, b := src.As16(), dst.As16()
	if h := t.find(key{listener: b, peer: a, scope: scope, port: dstPort, udp: udp}, now); h != nil {
		return h
	}
	return t.find(key{listener: a, peer: b, scope: scope, port: srcPort, udp: udp}, now)
}

func (t *Table) find(k key, now int64) *Hint {
	s := t.shard(&k)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[k]
	if e == nil {
		return nil
	}
	if now > e.till || now < e.from-backwards {
		t.remove(s, e)
		return nil
	}
	return e.hint
}

func (t *Table) add(k key, h *Hint, now int64) {
	s := t.shard(&k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[k]; e != nil {
		t.remove(s, e)
	}
	for e := s.oldest; e != nil && (now > e.till || now < e.from-backwards); e = s.oldest {
		t.remove(s, e)
	}
	if len(s.entries) >= t.perShard {
		t.remove(s, s.oldest)
		t.evicted.Add(1)
	}
	e := &entry{key: k, hint: h, from: now, till: now + t.lifetime}
	s.entries[k] = e
	s.append(e)
	t.size.Add(1)
}

func (t *Table) remove(s *shard, e *entry) {
	s.unlink(e)
	delete(s.entries, e.key)
	t.size.Add(-1)
}

func (s *shard) append(e *entry) {
	e.prev, e.next = s.newest, nil
	if s.newest != nil {
		s.newest.next = e
	} else {
		s.oldest = e
	}
	s.newest = e
}

func (s *shard) unlink(e *entry) {
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		s.oldest = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else {
		s.newest = e.prev
	}
	e.prev, e.next = nil, nil
}

// shard gives the key's shard by a hash of all its parts. Collisions only cost
// a shared lock and a shared bound, which the map's own seed does not help.
func (t *Table) shard(k *key) *shard {
	const m = 0x9e3779b97f4a7c15
	h := k.scope ^ uint64(k.port)
	for _, p := range [4][]byte{k.listener[:8], k.listener[8:], k.peer[:8], k.peer[8:]} {
		h = (h ^ binary.LittleEndian.Uint64(p)) * m
		h ^= h >> 32
	}
	return &t.shards[h>>8%numShards]
}
