package engine

import (
	"sync"
	"sync/atomic"

	"sluice/dataplane/decode"
)

// State is what rules keep across flows and workers: names of bits, hostbits
// and xbits, thresholds by address, datasets. It outlives reloads. It is safe
// for concurrent use: tables are in shards, each with a lock, touched only
// once a rule has been nominated and its header holds.
type State struct {
	mu    sync.RWMutex
	names map[string]uint32

	bits   [shards]bitShard
	limits [shards]limitShard

	setMu  sync.Mutex
	sets   map[string]*dataset
	setDir string
	bounds SetBounds
	// members counts those of all sets.
	members atomic.Int64
	hashes  map[string]map[string]struct{}
}

const (
	shards = 64
	// maxShard bounds the entries of a shard: 64 × 16,384 thresholds or bits.
	maxShard = 16384
)

// NewState gives an empty State.
func NewState() *State {
	s := &State{names: map[string]uint32{}, sets: map[string]*dataset{}, hashes: map[string]map[string]struct{}{}}
	for i := range s.bits {
		s.bits[i].m = map[bitKey]int64{}
		s.limits[i].m = map[limitKey]limitEntry{}
	}
	return s
}

// name gives the number of a bit or variable; equal names, equal numbers, over
// reloads too.
func (s *State) name(n string) uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, ok := s.names[n]
	if !ok {
		id = uint32(len(s.names)) + 1
		s.names[n] = id
	}
	return id
}

// bitKey is a bit of a host or of a pair of hosts.
type bitKey struct {
	a, b decode.Addr
	id   uint32
}

type bitShard struct {
	mu sync.Mutex
	m  map[bitKey]int64 // expiry in packet time, nanoseconds
}

func shardOf(a, b *decode.Addr) int {
	h := uint32(2166136261)
	for i := range a {
		h = (h ^ uint32(a[i])) * 16777619
		h = (h ^ uint32(b[i])) * 16777619
	}
	return int((h ^ h>>16) % shards)
}

// isSet reports whether a bit is set and has not expired.
func (s *State) isSet(k bitKey, now int64) bool {
	sh := &s.bits[shardOf(&k.a, &k.b)]
	sh.mu.Lock()
	exp, ok := sh.m[k]
	if ok && exp <= now {
		delete(sh.m, k)
		ok = false
	}
	sh.mu.Unlock()
	return ok
}

// put sets (expires > 0) or unsets a bit. A table that is full forgets one bit for
// each that it takes, and counts it in full.
func (s *State) put(k bitKey, now, expires int64, full *uint64) {
	sh := &s.bits[shardOf(&k.a, &k.b)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if expires == 0 {
		delete(sh.m, k)
		return
	}
	if _, ok := sh.m[k]; !ok && len(sh.m) >= maxShard {
		sh.forget()
		*full++
	}
	sh.m[k] = expires
}

// forget makes room for one bit: of a few taken at random the one that expires
// first goes.
func (sh *bitShard) forget() {
	var victim bitKey
	var first int64
	seen := 0
	for k, expires := range sh.m {
		if seen == 0 || expires < first {
			victim, first = k, expires
		}
		if seen++; seen == forgetAmong {
			break
		}
	}
	delete(sh.m, victim)
}

// limitKey is what a threshold counts: a rule and the addresses tracked.
type limitKey struct {
	gid, sid uint32
	rate     bool
	a, b     decode.Addr
}

type limitEntry struct {
	start int64
	// until is the end of a rate filter's time.
	until int64
	count uint32
	next  uint32
}

type limitShard struct {
	mu sync.Mutex
	m  map[limitKey]limitEntry
}

// limit counts a match against a threshold or a rate filter and gives its
// answer. A table that is full forgets one entry for each that it takes, and
// counts it in full.
func (s *State) limit(k limitKey, l *limit, now int64, full *uint64) (alert bool) {
	// The rule counts, too: what is tracked by rule has no address.
	sh := &s.limits[(uint32(shardOf(&k.a, &k.b))+k.sid)%shards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e, ok := sh.m[k]
	if !ok && len(sh.m) >= maxShard {
		sh.forget(now)
		*full++
	}
	if l.kind == "rate" {
		alert = l.exceeded(&e, now)
	} else {
		alert = l.count(&e, now)
	}
	sh.m[k] = e
	return alert
}

// forgetAmong is among how many entries of a full table the one to be forgotten
// is chosen: who sends from ever new addresses must not make a table be walked
// through for each.
const forgetAmong = 16

// forget makes room for one entry: of a few taken at random the one that began
// first goes, and one whose rate filter is in force only where all of them are,
// so that a flood from invented addresses hardly lifts what is in force.
func (sh *limitShard) forget(now int64) {
	var victim limitKey
	var worst limitEntry
	seen := 0
	for k, e := range sh.m {
		forced, worstForced := e.until > now, worst.until > now
		if seen == 0 || worstForced && !forced || forced == worstForced && e.start < worst.start {
			victim, worst = k, e
		}
		if seen++; seen == forgetAmong {
			break
		}
	}
	delete(sh.m, victim)
}

// exceeded counts a match against a rate filter and reports whether the rule's
// action is changed: for the match that goes beyond the count within the time,
// and for all that follow until the timeout. Then counting begins anew.
func (l *limit) exceeded(e *limitEntry, now int64) bool {
	if e.until > now {
		return true
	}
	if e.start == 0 || now-e.start >= l.nanos || now < e.start {
		e.start, e.count = now, 0
	}
	if e.count++; e.count > l.n {
		e.until, e.start, e.count = now+l.timeout, 0, 0
		return true
	}
	return false
}

// limit is a threshold made ready to count.
type limit struct {
	kind    string
	track   string
	n, mult uint32
	nanos   int64
	// timeout is of a rate filter.
	timeout int64
}

// count notes one more match and reports whether it is to be alerted.
func (l *limit) count(e *limitEntry, now int64) bool {
	if l.kind == "backoff" {
		e.count++
		if e.next == 0 {
			e.next = l.n
		}
		if e.count < e.next {
			return false
		}
		if e.next > 1<<31/max(l.mult, 1) {
			e.next = 1 << 31
		} else {
			e.next *= l.mult
		}
		return true
	}
	if e.start == 0 || now-e.start >= l.nanos || now < e.start {
		if l.kind == "detection_filter" || l.kind == "threshold" || l.kind == "both" || l.kind == "limit" {
			e.start, e.count = now, 0
		}
	}
	e.count++
	switch l.kind {
	case "limit":
		return e.count <= l.n
	case "threshold":
		if e.count >= l.n {
			e.count = 0
			return true
		}
		return false
	case "both":
		return e.count == l.n
	}
	// detection_filter: after n matches within the time, all further ones.
	return e.count > l.n
}
