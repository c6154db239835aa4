package document

import (
	"cmp"
	"slices"

	"sluice/classifiers"
)

// merger makes one result of those of a document's parts.
type merger struct {
	res    classifiers.Result
	counts map[string]*classifiers.Count
	seen   map[uniqueKey]struct{}
}

// uniqueKey tells a detector's values apart by confidence reached.
type uniqueKey struct {
	detector string
	hash     [16]byte
	level    classifiers.Confidence
}

func (m *merger) add(r classifiers.Result, path string) {
	for _, f := range r.Findings {
		if f.Path == "" {
			f.Path = path
		} else {
			f.Path = path + "!/" + f.Path
		}
		if len(m.res.Findings) < classifiers.MaxFindings {
			m.res.Findings = append(m.res.Findings, f)
		} else {
			m.res.Dropped++
		}
	}
	m.res.Dropped += r.Dropped
	m.res.Level = max(m.res.Level, r.Level)
	if m.res.Unscannable == "" {
		m.res.Unscannable = r.Unscannable
	}
	for i := range r.Counts {
		c := &r.Counts[i]
		have := m.counts[c.Detector]
		if have == nil {
			if m.counts == nil {
				m.counts = map[string]*classifiers.Count{}
			}
			have = &classifiers.Count{Detector: c.Detector, Tags: c.Tags}
			m.counts[c.Detector] = have
		}
		have.Level, have.Confidence = max(have.Level, c.Level), max(have.Confidence, c.Confidence)
		for k := range c.Total {
			have.Total[k] += c.Total[k]
		}
		for k := range c.Masked {
			if len(have.Masked) < 3 && k < len(c.Hashes) {
				have.Masked, have.Hashes = append(have.Masked, c.Masked[k]), append(have.Hashes, c.Hashes[k])
			}
		}
		m.unique(have, c, r.Findings)
	}
}

// unique counts the values of c that no part before had. Where a part has more
// findings than are kept, its own count stands for the rest.
func (m *merger) unique(have, c *classifiers.Count, findings []classifiers.Finding) {
	var fresh [3]uint32
	for i := range findings {
		f := &findings[i]
		if f.Detector != c.Detector {
			continue
		}
		for k := classifiers.Low; k <= f.Confidence; k++ {
			key := uniqueKey{f.Detector, f.Hash, k}
			if _, ok := m.seen[key]; ok {
				continue
			}
			m.seen[key] = struct{}{}
			fresh[k]++
		}
	}
	complete := len(findings) < classifiers.MaxFindings
	for k := range fresh {
		if complete {
			have.Unique[k] += fresh[k]
		} else {
			have.Unique[k] += max(fresh[k], c.Unique[k])
		}
		have.Unique[k] = min(have.Unique[k], classifiers.MaxUnique)
	}
}

func (m *merger) result() classifiers.Result {
	for _, c := range m.counts {
		m.res.Counts = append(m.res.Counts, *c)
	}
	slices.SortFunc(m.res.Counts, func(a, b classifiers.Count) int { return cmp.Compare(a.Detector, b.Detector) })
	return m.res
}
