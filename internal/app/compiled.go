package app

import (
	"runtime"

	"sluice/internal/hs"
)

// Compiled tells what a set of rules and detectors takes once it is compiled.
type Compiled struct {
	// Rules can match; Databases are Hyperscan's, DatabaseBytes their memory,
	// SharedBytes the part of it that rules and detectors have together.
	Rules         int `json:"rules"`
	Databases     int `json:"databases"`
	DatabaseBytes int `json:"database_bytes"`
	SharedBytes   int `json:"shared_bytes"`
	// HeapBytes is what the whole process has in Go's memory: rules, their tests,
	// tables.
	HeapBytes uint64 `json:"heap_bytes"`
	// Seconds is the time from reading the rules until all is compiled; Warm
	// tells that every database came from the cache.
	Seconds float64 `json:"load_seconds"`
	Warm    bool    `json:"warm"`
}

// Compiled measures what the parts take. It collects garbage first, so it is
// not for the hot side.
func (p *Parts) Compiled() Compiled {
	c := Compiled{Seconds: p.Elapsed.Seconds(), Warm: true}
	add := func(dbs []*hs.DB) (n int) {
		for _, db := range dbs {
			c.Databases++
			n += db.Size()
			c.Warm = c.Warm && db.FromCache
		}
		return n
	}
	if p.Rules != nil {
		c.Rules = p.Rules.Rules()
		c.DatabaseBytes += add(p.Rules.Databases())
	}
	if p.Set != nil {
		c.SharedBytes = add(p.Set.Databases())
		c.DatabaseBytes += c.SharedBytes
	}
	c.Warm = c.Warm && c.Databases > 0
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	c.HeapBytes = m.HeapAlloc
	return c
}
