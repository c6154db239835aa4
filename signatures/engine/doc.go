// Package engine turns parsed rules into a matcher: fast patterns into
// Hyperscan databases, the rest of each rule into tests that confirm what a
// pattern nominates, cheapest first. It takes packets, flows, transactions and
// objects and gives matches; it neither reads rule text nor enforces anything.
//
// An Engine is immutable and shared by workers; a Matcher belongs to one. What
// outlives a reload and is shared by workers (thresholds, hostbits, xbits,
// datasets) is in State.
package engine
