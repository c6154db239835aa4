package classifiers

import (
	"slices"
	"sync"
)

// Tags gives the tags that built-in detectors carry, ordered.
func Tags() []string { return slices.Clone(allTags()) }

var allTags = sync.OnceValue(func() []string {
	out := []string{engineeringTag}
	for _, d := range numbers() {
		out = append(out, d.Tags...)
	}
	for _, d := range tokens() {
		out = append(out, d.Tags...)
	}
	for _, d := range marks() {
		out = append(out, d.Tags...)
	}
	for _, d := range specialDetectors() {
		out = append(out, d.Tags...)
	}
	for _, d := range literalDetectors() {
		out = append(out, d.Tags...)
	}
	slices.Sort(out)
	return slices.Compact(out)
})

// engineeringTag is what files of construction and manufacture carry.
const engineeringTag = "trade secret"
