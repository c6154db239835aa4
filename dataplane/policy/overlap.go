package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/classifiers"
)

// Warnings tells what is allowed but probably not meant: exceptions that have
// expired, and rules that can never decide since one before them always does.
func (p *Policy) Warnings(now time.Time) []*Error {
	var out []*Error
	warn := func(r *rule, remedy, format string, args ...any) {
		out = append(out, &Error{File: p.file, Line: r.line, Column: r.column, Msg: fmt.Sprintf(format, args...), Remedy: remedy})
	}
	for i := range p.rules {
		r := &p.rules[i]
		kind := "rule"
		if r.exception {
			kind = "exception"
		}
		if r.expires != 0 && now.UnixNano() >= r.expires {
			owner := ""
			if r.owner != "" {
				owner = " (owner " + r.owner + ")"
			}
			warn(r, "remove it, or ask its owner for a new date", "the %s %q%s expired on %s and no longer matches", kind, r.name, owner, time.Unix(0, r.expires-1).UTC().Format(time.DateOnly))
			continue
		}
		for j := range p.rules[:i] {
			e := &p.rules[j]
			if e.shadow || e.expires != 0 || !covers(e, r) {
				continue
			}
			warn(r, "put the narrower rule first, or remove it", "the %s %q can never decide: %q before it matches whenever it would", kind, r.name, e.name)
			break
		}
	}
	return out
}

// covers reports whether e surely matches whenever r does. It errs on the side
// of no.
func covers(e, r *rule) bool {
	return (e.directions == 0 || r.directions != 0 && r.directions&^e.directions == 0) &&
		coversGlobs(e.channels, r.channels) &&
		coversHosts(e.source, e.said.Source, r.said.Source) &&
		(e.dest == nil || !e.allows || r.allows) && coversHosts(e.dest, e.said.Destination, r.said.Destination) &&
		coversSet(e.ports, r.ports) &&
		coversTime(e, r) &&
		coversFolded(e.names, r.names) && coversGlobs(e.types, r.types) &&
		(len(e.unscannable) == 0 || len(r.unscannable) > 0) && coversGlobs(e.unscannable, r.unscannable) &&
		e.minSize <= r.minSize && (e.maxSize == 0 || r.maxSize != 0 && e.maxSize >= r.maxSize) &&
		e.minReleased <= r.minReleased && (!e.hasGaps || r.hasGaps && e.gaps == r.gaps) &&
		coversFindings(e, r)
}

func coversSet[T comparable](e, r []T) bool {
	if len(e) == 0 {
		return true
	}
	for _, x := range r {
		if !slices.Contains(e, x) {
			return false
		}
	}
	return len(r) > 0
}

// coversGlobs reports whether each pattern of r is one of e, or is a plain word
// that one of e matches.
func coversGlobs(e, r []string) bool {
	if len(e) == 0 || slices.Contains(e, "*") {
		return true
	}
	for _, x := range r {
		if !slices.Contains(e, x) && (strings.ContainsAny(x, `*?[\`) || !anyGlob(e, x)) {
			return false
		}
	}
	return len(r) > 0
}

func coversFolded(e, r []string) bool {
	fold := func(l []string) []string {
		out := make([]string, len(l))
		for i, s := range l {
			out[i] = strings.ToLower(s)
		}
		return out
	}
	return coversGlobs(fold(e), fold(r))
}

// coversHosts compares what the file says: set is what e says, compiled.
func coversHosts(set *hostSet, e, r []string) bool {
	switch {
	case set == nil, slices.Equal(e, r):
		return true
	case !set.no.empty():
		return false
	case set.yes.any:
		return true
	}
	some := false
	for _, x := range r {
		if strings.HasPrefix(x, "!") {
			continue // makes r narrower
		}
		some = true
		if !slices.Contains(e, x) {
			return false
		}
	}
	return some
}

func coversTime(e, r *rule) bool {
	if !e.hasHours && e.days == 0 {
		return true
	}
	if e.zone.String() != r.zone.String() || e.hasHours && (!r.hasHours || e.from != r.from || e.to != r.to) {
		return false
	}
	return e.days == 0 || r.days != 0 && r.days&^e.days == 0
}

// coversFindings compares detectors, tags, level, confidence and thresholds.
func coversFindings(e, r *rule) bool {
	if !e.wantsFindings {
		return true
	}
	if !r.wantsFindings || e.level > r.level || e.minConf > r.minConf || !coversTags(e.tags, r.tags) || !coversDetectors(e, r) {
		return false
	}
	// Each way to reach r reaches e.
	for _, want := range r.ways() {
		if !slices.ContainsFunc(e.ways(), func(have compiledTier) bool { return have.unique <= want.unique && have.count <= want.count }) {
			return false
		}
	}
	return true
}

// ways gives the thresholds with any of which a rule matches. A value that is
// different is a value: count is at least unique.
func (r *rule) ways() []compiledTier {
	if !r.noAction {
		u := max(r.unique, 1)
		return []compiledTier{{unique: u, count: max(r.count, u)}}
	}
	out := make([]compiledTier, 0, len(r.tiers))
	for i := range r.tiers {
		u := max(r.unique, r.tiers[i].unique, 1)
		out = append(out, compiledTier{unique: u, count: max(r.count, r.tiers[i].count, u)})
	}
	return out
}

func coversTags(e, r []string) bool {
	if len(e) == 0 {
		return true
	}
	for _, t := range r {
		if !slices.ContainsFunc(e, func(x string) bool { return strings.EqualFold(x, t) }) {
			return false
		}
	}
	return len(r) > 0
}

func coversDetectors(e, r *rule) bool {
	for _, d := range e.notDetectors {
		// What e leaves out, r must leave out, or never have meant.
		out := slices.ContainsFunc(r.notDetectors, func(x string) bool { return classifiers.MatchID(x, d) })
		apart := len(r.detectors) > 0 && !slices.ContainsFunc(r.detectors, func(x string) bool { return classifiers.MatchID(d, x) || classifiers.MatchID(x, d) })
		if !out && !apart {
			return false
		}
	}
	if len(e.detectors) == 0 {
		return true
	}
	for _, d := range r.detectors {
		if !slices.ContainsFunc(e.detectors, func(x string) bool { return classifiers.MatchID(x, d) }) {
			return false
		}
	}
	return len(r.detectors) > 0
}
