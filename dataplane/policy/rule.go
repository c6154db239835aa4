package policy

import (
	"time"

	"sluice/classifiers"
	"sluice/dataplane/verdict"
)

// rule is one compiled rule or exception.
type rule struct {
	name, reason, owner     string
	exception, shadow, keep bool
	// allows tells that matching means nothing is withheld or told; noAction that
	// only tiers act.
	allows, noAction bool
	expires          int64
	action           verdict.Action
	tiers            []compiledTier
	quarantine       *Quarantine

	directions   uint8
	channels     []string
	source, dest *hostSet
	ports        []uint16

	wantsFindings           bool
	level                   classifiers.Level
	minConf                 classifiers.Confidence
	detectors, notDetectors []string
	tags                    []string
	unique, count           uint64

	types, names     []string
	minSize, maxSize uint64
	unscannable      []string
	// gaps is the wanted answer to whether bytes are missing, where one is wanted.
	hasGaps, gaps bool
	minReleased   uint64

	hasHours bool
	from, to int
	days     uint8
	zone     *time.Location

	// said are the conditions as the file has them, for explanations; line and
	// column are the rule's place there.
	said         *when
	line, column int
}

type compiledTier struct {
	unique, count uint64
	action        verdict.Action
}

// Condition names what a rule asks for, by the key under `when` that says it.
type Condition uint8

// The conditions, in the order in which they are tried: first what cannot change
// while an object is transferred.
const (
	CondNone Condition = iota
	CondExpires
	CondDirection
	CondChannel
	CondSource
	CondDestination
	CondPort
	CondHours
	CondFileNames
	CondMaxSize
	CondFileTypes
	CondMinSize
	CondGaps
	CondReleased
	CondUnscannable
	CondDetectors
	CondTags
	CondLevel
	CondConfidence
	CondUnique
	CondCount
	CondTiers
	numConditions
)

var conditionNames = [numConditions]string{
	"", "expires", "direction", "channel", "source", "destination", "port", "hours", "file_names", "max_size",
	"file_types", "min_size", "gaps", "min_released", "unscannable", "detectors", "tags", "level", "min_confidence",
	"unique", "count", "tiers",
}

// String gives the condition's key in a policy file.
func (c Condition) String() string {
	if c < numConditions {
		return conditionNames[c]
	}
	return "invalid"
}

// MarshalText gives the condition's key in a policy file.
func (c Condition) MarshalText() ([]byte, error) { return []byte(c.String()), nil }
