package policy

import (
	"maps"
	"slices"

	"sluice/classifiers"
)

// fileDetector is a detector of the organisation's own in a policy file.
type fileDetector struct {
	// Pattern is a regular expression (RE2), bounded in length; Words are found whole,
	// whatever their case. One of them is given.
	Pattern string `yaml:"pattern"`
	Words   list   `yaml:"words"`
	// Validator names a check of the value: luhn, mod97, verhoeff …
	Validator string `yaml:"validator"`
	// Context are words of which one must be near.
	Context list `yaml:"context"`
	// Level is internal, confidential (the default) or restricted.
	Level string `yaml:"level"`
	// Confidence is medium (the default) or high.
	Confidence string `yaml:"confidence"`
	// Tags name regulations.
	Tags list `yaml:"tags"`
	// Bulk makes that many different values restricted.
	Bulk int `yaml:"bulk"`
}

// detectors compiles the organisation's own detectors, in the order of their names.
func (c *compiler) detectors(all map[string]fileDetector) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		f := all[name]
		where := "$.detectors." + name
		d := classifiers.Custom{ID: "custom." + name, Pattern: f.Pattern, Words: f.Words, Validator: f.Validator, Context: f.Context, Level: classifiers.Confidential, Confidence: classifiers.Medium, Tags: f.Tags, Bulk: f.Bulk}
		var err error
		if f.Level != "" {
			if d.Level, err = classifiers.ParseLevel(f.Level); err != nil {
				c.badLevel(where+".level", f.Level, err)
			}
		}
		if f.Confidence != "" {
			if d.Confidence, err = classifiers.ParseConfidence(f.Confidence); err != nil {
				c.badConfidence(where+".confidence", f.Confidence, err)
			}
		}
		if f.Bulk < 0 || f.Bulk > classifiers.MaxUnique {
			c.at(where+".bulk", "", "the number %d cannot be reached", f.Bulk)
		}
		if err := d.Check(); err != nil {
			c.at(where, "see docs/policy.md for what a detector may be", "the detector %q: %v", name, err)
			continue
		}
		c.p.custom = append(c.p.custom, d)
	}
}

// Custom gives the detectors that the policy defines, for classifiers.New.
func (p *Policy) Custom() []classifiers.Custom { return slices.Clone(p.custom) }
