package inspect

import (
	"time"

	"sluice/internal/magic"
	"sluice/signatures"
)

var _ signatures.FileFacts = (*Object)(nil)

// MagicCounters tell what describing files took.
type MagicCounters struct {
	// Files were described, Failures could not be.
	Files, Failures uint64
	// Micros is the time it took, Longest that of the slowest file.
	Micros, Longest uint64
}

// Add adds what others took.
func (c *MagicCounters) Add(o MagicCounters) {
	c.Files, c.Failures, c.Micros, c.Longest = c.Files+o.Files, c.Failures+o.Failures, c.Micros+o.Micros, max(c.Longest, o.Longest)
}

// keepFirst keeps the first bytes of what may have to be described.
func (o *Object) keepFirst(data []byte) {
	if o.first == nil {
		o.first = o.in.buffers.get(magic.Depth)
	}
	o.first = append(o.first, data[:min(len(data), magic.Depth-len(o.first))]...)
	o.firstEnds = len(o.first) == magic.Depth
}

// MagicReady implements signatures.FileFacts: the description is made of as many
// bytes as are ever looked at, or of all that there are, so that it does not depend
// on how they were cut into packets.
func (o *Object) MagicReady() bool {
	return o.Meta.Magic != "" || o.in.magic != nil && (o.ended || len(o.first) == magic.Depth)
}

// Magic implements signatures.FileFacts. The description is made once and kept in
// Meta.
func (o *Object) Magic() string {
	if o.Meta.Magic != "" || len(o.first) == 0 || !o.MagicReady() {
		return o.Meta.Magic
	}
	c, begin := &o.in.Counters.Magic, time.Now()
	text, err := o.in.magic.Describe(o.first)
	took := uint64(time.Since(begin).Microseconds())
	c.Micros, c.Longest = c.Micros+took, max(c.Longest, took)
	if err != nil {
		c.Failures++
	} else {
		c.Files++
		o.Meta.Magic = string(text)
	}
	o.in.buffers.put(o.first)
	o.first, o.firstEnds = nil, true
	return o.Meta.Magic
}
