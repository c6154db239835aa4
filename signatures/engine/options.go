package engine

import (
	"net/netip"

	"sluice/dataplane/protocol"
	"sluice/signatures/rule"
)

// FieldFunc gives instance i of a number that a protocol keeps in a
// transaction, as seen in a direction. It answers false where there is none
// (yet). It is called on the worker and must not allocate.
type FieldFunc func(tx *protocol.Tx, dir protocol.Dir, i int) (uint64, bool)

// FileFacts is what an object's Sink may offer about its content.
type FileFacts interface {
	// MagicReady reports whether Magic can answer: enough of the object is there,
	// or it has ended.
	MagicReady() bool
	// Magic describes the type by content, as libmagic does; empty while it is not
	// ready, and where nothing can be said. The first call may take long.
	Magic() string
}

// Geo tells where an address is registered, by ISO 3166-1 codes in capitals;
// empty when unknown. Implementations must be safe for concurrent use.
type Geo interface {
	Country(netip.Addr) string
}

// Options is what an Engine is built with.
type Options struct {
	Registry *protocol.Registry
	CacheDir string
	State    *State
	// Fields are the numbers of protocols by keyword (dns.opcode).
	Fields map[string]FieldFunc
	// Reputation answers the iprep keyword; nil without one.
	Reputation *Reputation
	// Geo answers the geoip keyword; nil without a database.
	Geo Geo
	// PCREMatchLimit and PCREDepthLimit bound an expression's backtracking; 0
	// means 3500 and 1500.
	PCREMatchLimit, PCREDepthLimit uint32
	// ActionOrder says which rules are evaluated first.
	ActionOrder rule.ActionOrder
	// MaxSteps replaces the bound of this name; 0 leaves it.
	MaxSteps int
	// MaxAlerts bounds the matches of a packet; 0 means 15.
	MaxAlerts int
	// Workers bounds the databases compiled at the same time; 0 means the
	// number of CPUs.
	Workers int
}

// MaxSteps bounds the tests made to confirm one rule on one buffer, unless
// Options say otherwise.
const MaxSteps = 20000
