package policy

import (
	"slices"
	"strings"
	"time"

	"sluice/classifiers"
	"sluice/dataplane/verdict"
)

type outcome uint8

const (
	no outcome = iota
	maybe
	yes
)

// match is how a rule stands to an input: failed is the condition that does not
// hold.
type match struct {
	result outcome
	failed Condition
	action verdict.Action
	level  classifiers.Level
	// unique and count are of the findings that the rule is about.
	unique, count uint64
}

// match tries a rule's conditions, what cannot change first. It does not
// allocate.
func (r *rule) match(in *Input, geo Geo) match {
	if c := r.settled(in, geo); c != CondNone {
		return match{failed: c}
	}
	c := r.content(in)
	m := match{result: yes, action: r.action}
	if c == CondNone {
		c = r.findings(in, &m)
	}
	if c == CondNone {
		return m
	}
	m.result, m.failed = no, c
	if !in.Final {
		m.result = maybe
	}
	return m
}

// settled tries what holds or fails for the whole transfer.
func (r *rule) settled(in *Input, geo Geo) Condition {
	switch {
	case r.expires != 0 && in.Time >= r.expires:
		return CondExpires
	case r.directions != 0 && r.directions&(1<<in.Direction) == 0:
		return CondDirection
	case len(r.channels) > 0 && !anyGlob(r.channels, in.Channel):
		return CondChannel
	case r.source != nil && !r.source.has(party{in.Src, in.Sender, in.User}, geo):
		return CondSource
	case r.dest != nil && !r.sentTo(in, geo):
		return CondDestination
	case len(r.ports) > 0 && !slices.Contains(r.ports, in.DstPort):
		return CondPort
	case (r.hasHours || r.days != 0) && !r.inTime(in.Time):
		return CondHours
	case len(r.names) > 0 && !anyGlobFold(r.names, in.Name):
		return CondFileNames
	case r.maxSize > 0 && in.Size > r.maxSize:
		return CondMaxSize
	case r.hasGaps && !r.gaps && in.Gaps:
		return CondGaps
	}
	return CondNone
}

// sentTo reports whether the receivers are meant: all of them where the rule
// allows, so that no further recipient of a mail slips through with an allowed
// one; otherwise any.
func (r *rule) sentTo(in *Input, geo Geo) bool {
	if len(in.Recipients) == 0 {
		return r.dest.has(party{in.Dst, in.Domain, ""}, geo)
	}
	for _, to := range in.Recipients {
		if r.dest.has(party{in.Dst, to, ""}, geo) != r.allows {
			return !r.allows
		}
	}
	return r.allows
}

// content tries what may still change until the object is complete.
func (r *rule) content(in *Input) Condition {
	switch {
	case len(r.types) > 0 && !anyGlob(r.types, in.Type):
		return CondFileTypes
	case r.minSize > 0 && in.Size < r.minSize:
		return CondMinSize
	case r.maxSize > 0 && !in.Final:
		return CondMaxSize
	case r.hasGaps && (r.gaps != in.Gaps || !r.gaps && !in.Final):
		return CondGaps
	case r.minReleased > 0 && in.Released < r.minReleased:
		return CondReleased
	case len(r.unscannable) > 0 && (in.Unscannable == "" || !anyGlob(r.unscannable, reasonOf(in.Unscannable))):
		return CondUnscannable
	}
	return CondNone
}

// reasonOf strips the way to the part that could not be read: "encrypted (a.zip)".
func reasonOf(unscannable string) string {
	reason, _, _ := strings.Cut(unscannable, " ")
	return reason
}

// findings tries the conditions on what was found, and chooses the tier.
func (r *rule) findings(in *Input, m *match) Condition {
	if !r.wantsFindings {
		for i := range in.Counts {
			if in.Counts[i].Confidence >= r.minConf {
				m.level = max(m.level, in.Counts[i].Level)
			}
		}
		return CondNone
	}
	// The condition that the nearest finding fails.
	nearest := r.firstOfFindings()
	some := false
	for i := range in.Counts {
		c := &in.Counts[i]
		if f := r.fails(c); f != CondNone {
			nearest = max(nearest, f)
			continue
		}
		some = true
		m.unique += uint64(c.Unique[r.minConf])
		m.count += uint64(c.Total[r.minConf])
		m.level = max(m.level, c.Level)
	}
	switch {
	case !some:
		return nearest
	case m.unique < r.unique:
		return CondUnique
	case m.count < r.count:
		return CondCount
	}
	reached := !r.noAction
	for i := range r.tiers {
		t := &r.tiers[i]
		if m.unique >= t.unique && m.count >= t.count {
			m.action, reached = t.action, true
		}
	}
	if !reached {
		return CondTiers
	}
	return CondNone
}

// firstOfFindings gives the first condition on what was found, which fails where
// nothing was.
func (r *rule) firstOfFindings() Condition {
	switch {
	case len(r.detectors)+len(r.notDetectors) > 0:
		return CondDetectors
	case len(r.tags) > 0:
		return CondTags
	case r.level > 0:
		return CondLevel
	}
	return CondConfidence
}

// fails gives the condition for which a detector's findings are not among those
// that the rule is about.
func (r *rule) fails(c *classifiers.Count) Condition {
	switch {
	case !r.meansDetector(c.Detector):
		return CondDetectors
	case !r.meansTag(c.Tags):
		return CondTags
	case c.Level < r.level:
		return CondLevel
	case c.Confidence < r.minConf:
		return CondConfidence
	}
	return CondNone
}

func (r *rule) meansDetector(id string) bool {
	for _, d := range r.notDetectors {
		if classifiers.MatchID(d, id) {
			return false
		}
	}
	for _, d := range r.detectors {
		if classifiers.MatchID(d, id) {
			return true
		}
	}
	return len(r.detectors) == 0
}

func (r *rule) meansTag(tags []string) bool {
	for _, t := range r.tags {
		for _, have := range tags {
			if strings.EqualFold(t, have) || len(have) > len(t) && strings.EqualFold(have[:len(t)], t) && have[len(t)] == ' ' {
				return true
			}
		}
	}
	return len(r.tags) == 0
}

func (r *rule) inTime(ns int64) bool {
	t := time.Unix(0, ns).In(r.zone)
	if r.days != 0 && r.days&(1<<t.Weekday()) == 0 {
		return false
	}
	if !r.hasHours {
		return true
	}
	m := t.Hour()*60 + t.Minute()
	if r.from <= r.to {
		return m >= r.from && m < r.to
	}
	return m >= r.from || m < r.to
}
