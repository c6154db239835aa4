// Package extract finds the text in documents and archives.
//
// It takes the bytes of one object with the name its sender gave it, tells the
// media type by content, and gives the readable pieces through a callback: body
// text, headers and footers, comments, hidden sheets, properties, image
// metadata, and the same again for every object inside, to a limited depth.
// What it cannot read is never passed over in silence: it is an Unscannable
// with a reason, and the policy decides what that means.
//
// It may not know detectors, policies, flows or protocols, it opens no files
// and no connections, and it keeps nothing between two objects. Input is
// hostile: everything is bounded by Limits. Extract runs in the caller's
// process; Pool runs the same code in sandboxed children, which is the way for
// anything that came from the network and is not plain text.
package extract

import (
	"errors"
	"time"
)

// Kind tells where in a document a piece of text stood.
type Kind uint8

// The kinds of text. Text is the body; Properties are a document's own
// key=value properties, labels among them; Metadata is what describes the
// object from outside (mail headers, image metadata, link targets, names of
// archive entries); Raw is readable strings found in a format that is not
// understood further.
const (
	Text Kind = iota + 1
	Properties
	Comment
	Hidden
	Header
	Footer
	Metadata
	Raw
)

var kindNames = [...]string{"", "text", "properties", "comment", "hidden", "header", "footer", "metadata", "raw"}

// String gives the kind's name as events carry it.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Part is a piece of readable text. A long text comes in several pieces with
// the same Seq and with More set on all but the last; pieces of different texts
// may alternate. Text is UTF-8 and belongs to the extractor: it is valid until
// the callback returns.
type Part struct {
	Path string // way into the containers: report.zip!/q3.xlsx!/Sheet1
	Kind Kind
	Name string // last element of Path
	Type string // media type of the object the text stands in
	Seq  uint32 // number of the text within one extraction, from 1
	More bool   // another piece of the same text follows
	Text []byte
}

// Reason says why something could not be read.
type Reason string

// The reasons.
const (
	Encrypted   Reason = "encrypted"
	Damaged     Reason = "damaged"
	TooDeep     Reason = "too-deep"
	TooLarge    Reason = "too-large"
	Ratio       Reason = "ratio"
	Entries     Reason = "entries"
	Timeout     Reason = "timeout"
	Unsupported Reason = "unsupported"
	Crashed     Reason = "crashed"
)

// Unscannable names something that was not, or not wholly, read.
type Unscannable struct {
	Path   string
	Reason Reason
}

// Limits bound one extraction. A zero field takes its default; there is no
// "unlimited".
type Limits struct {
	MaxBytes   int64         // bytes unpacked over all levels; 512 MiB
	MaxObject  int64         // bytes of one object held in memory; 64 MiB
	MaxRatio   int64         // unpacked to packed bytes, per stream above 1 MiB; 200
	MaxDepth   int           // containers inside containers; 8
	MaxEntries int           // objects over all levels; 10000
	MaxTime    time.Duration // wall clock; 10 s
	MaxText    int64         // bytes of text given to the callback; 64 MiB
}

// WithDefaults gives the limits with every zero or negative field replaced by
// its default.
func (l Limits) WithDefaults() Limits {
	if l.MaxBytes <= 0 {
		l.MaxBytes = 512 << 20
	}
	if l.MaxObject <= 0 {
		l.MaxObject = 64 << 20
	}
	if l.MaxRatio <= 0 {
		l.MaxRatio = 200
	}
	if l.MaxDepth <= 0 {
		l.MaxDepth = 8
	}
	if l.MaxEntries <= 0 {
		l.MaxEntries = 10000
	}
	if l.MaxTime <= 0 {
		l.MaxTime = 10 * time.Second
	}
	if l.MaxText <= 0 {
		l.MaxText = 64 << 20
	}
	return l
}

// Result sums up one extraction.
type Result struct {
	Type        string        // media type of the outermost object
	Unscannable []Unscannable // in order, at most 64; empty when all was read
	Bytes       int64         // bytes unpacked over all levels
	Objects     int           // objects seen over all levels, the outermost included
	Text        int64         // bytes of text given to the callback
	Stopped     bool          // the callback ended it with ErrStop
}

// ErrStop is what a callback returns when it has seen enough; Extract then
// returns without error and with Result.Stopped set.
var ErrStop = errors.New("stop extraction")

// failure carries a reason up to where the object's path is known.
type failure struct{ reason Reason }

func (f failure) Error() string { return "extract: " + string(f.reason) }

// The failures by reason, so that they can be compared and cost nothing.
var (
	errEncrypted   error = failure{Encrypted}
	errDamaged     error = failure{Damaged}
	errTooDeep     error = failure{TooDeep}
	errTooLarge    error = failure{TooLarge}
	errRatio       error = failure{Ratio}
	errEntries     error = failure{Entries}
	errTimeout     error = failure{Timeout}
	errUnsupported error = failure{Unsupported}
)
