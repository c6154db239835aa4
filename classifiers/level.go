package classifiers

import (
	"fmt"
	"strings"
)

// Level is how much harm a value does outside: the greater the worse.
type Level uint8

// The levels, as events and policies spell them in lower case.
const (
	Public Level = iota
	Internal
	Confidential
	Restricted
)

var levels = [...]string{"public", "internal", "confidential", "restricted"}

// String gives the level's name in lower case.
func (l Level) String() string {
	if int(l) < len(levels) {
		return levels[l]
	}
	return "invalid"
}

// ParseLevel reads a level's name, whatever its case.
func ParseLevel(s string) (Level, error) {
	for i, n := range levels {
		if strings.EqualFold(s, n) {
			return Level(i), nil
		}
	}
	return 0, fmt.Errorf("unknown level %q (use public, internal, confidential or restricted)", s)
}

// MarshalText gives the level's name.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads a level's name.
func (l *Level) UnmarshalText(b []byte) (err error) {
	*l, err = ParseLevel(string(b))
	return err
}

// Confidence is how sure a detector is of a finding.
type Confidence uint8

// The confidences. Low: the shape and, where there is one, the checksum fit,
// but nothing else speaks for it. Medium: worth an alert. High: worth a block.
const (
	Low Confidence = iota
	Medium
	High
	nConfidences
)

var confidences = [...]string{"low", "medium", "high"}

// String gives the confidence's name in lower case.
func (c Confidence) String() string {
	if int(c) < len(confidences) {
		return confidences[c]
	}
	return "invalid"
}

// ParseConfidence reads a confidence's name, whatever its case.
func ParseConfidence(s string) (Confidence, error) {
	for i, n := range confidences {
		if strings.EqualFold(s, n) {
			return Confidence(i), nil
		}
	}
	return 0, fmt.Errorf("unknown confidence %q (use low, medium or high)", s)
}

// MarshalText gives the confidence's name.
func (c Confidence) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a confidence's name.
func (c *Confidence) UnmarshalText(b []byte) (err error) {
	*c, err = ParseConfidence(string(b))
	return err
}
