// Package document classifies what documents and archives say, rather than
// their bytes. It takes whole objects, has children of extract read them, scans
// the text that comes back, and gives one result for each object with the way
// into the containers. It keeps the bytes of objects that arrive in pieces, in
// bounded memory and never on disk. It may not know flows, protocols or
// policies.
package document

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"sluice/classifiers"
	"sluice/classifiers/extract"
)

// maxPart bounds the text of one part that is scanned in one piece, and what is
// gathered of texts whose pieces alternate.
const maxPart = 16 << 20

// Result is what a document was found to hold.
type Result struct {
	classifiers.Result
	// Path is the way to the finding that weighs most (report.zip!/q3.xlsx!/Sheet1),
	// Unread that to what could not be read; empty where there is none.
	Path, Unread string
}

// Read has an object read in a child of pool and classifies its text. The error
// is that of pool.Extract; anything wrong with the object itself is in
// Result.Unscannable.
func Read(ctx context.Context, s *classifiers.Scanner, pool *extract.Pool, r io.ReaderAt, size int64, meta classifiers.ObjectMeta, limits extract.Limits) (Result, error) {
	g := gatherer{m: merger{seen: map[uniqueKey]struct{}{}}}
	// A type that is a finding by itself is told once for each object.
	objects, types := map[string]bool{}, map[string]bool{}
	tell := func(mime, path string) {
		if objects[path] {
			return
		}
		if r := s.Engineering(mime, meta.MinConfidence); len(r.Counts) > 0 {
			objects[path], types[mime] = true, true
			g.m.add(r, path)
		}
	}
	g.judge = func(p extract.Part, text []byte) {
		tell(p.Type, p.Path)
		g.m.add(s.ScanBytes(text, classifiers.ObjectMeta{Name: p.Name, ContentType: p.Type, MinConfidence: meta.MinConfidence, Raw: true}), p.Path)
	}
	sum, err := pool.Extract(ctx, r, size, meta.Name, limits, g.part)
	if err != nil {
		return Result{}, fmt.Errorf("read document: %w", err)
	}
	g.flush()
	if !types[sum.Type] {
		tell(sum.Type, "") // nothing of it was text
	}
	for i := range sum.Unscannable {
		if sum.Unscannable[i].Reason == extract.Encrypted {
			g.m.add(s.Encrypted(meta.MinConfidence), sum.Unscannable[i].Path)
		}
	}
	res := Result{Result: g.m.result()}
	s.Weigh(&res.Result)
	res.Type, res.Size = sum.Type, uint64(size)
	res.Path = weightiest(res.Findings)
	if u := worst(sum.Unscannable); u != nil {
		res.Unscannable, res.Unread = string(u.Reason), u.Path
	}
	return res, nil
}

// gatherer puts the pieces of texts together and has them judged.
type gatherer struct {
	m     merger
	judge func(p extract.Part, text []byte)
	open  []openText
	held  int
}

// openText is a text of which more is to come.
type openText struct {
	part extract.Part
	text bytes.Buffer
}

// part takes a piece of text. Most texts come in one.
func (g *gatherer) part(p extract.Part) error {
	i := slices.IndexFunc(g.open, func(o openText) bool { return o.part.Seq == p.Seq })
	if i < 0 {
		if !p.More {
			g.scan(p, p.Text)
			return nil
		}
		i = len(g.open)
		g.open = append(g.open, openText{part: p})
	}
	o := &g.open[i]
	o.text.Write(p.Text)
	g.held += len(p.Text)
	switch {
	case !p.More:
		g.held -= o.text.Len()
		g.scan(o.part, o.text.Bytes())
		g.open = slices.Delete(g.open, i, i+1)
	case g.held > maxPart:
		g.flush()
	}
	return nil
}

// flush scans what is open as it stands.
func (g *gatherer) flush() {
	for i := range g.open {
		g.scan(g.open[i].part, g.open[i].text.Bytes())
	}
	clear(g.open)
	g.open, g.held = g.open[:0], 0
}

func (g *gatherer) scan(p extract.Part, text []byte) {
	if len(text) > 0 {
		g.judge(p, text)
	}
}

// weightiest gives the path of the first of the findings that weigh most.
func weightiest(findings []classifiers.Finding) string {
	best := -1
	for i := range findings {
		if best < 0 || heavier(&findings[i], &findings[best]) {
			best = i
		}
	}
	if best < 0 {
		return ""
	}
	return findings[best].Path
}

func heavier(a, b *classifiers.Finding) bool {
	if a.Level != b.Level {
		return a.Level > b.Level
	}
	return a.Confidence > b.Confidence
}

// severity orders the reasons for which something was not read: what somebody
// hid comes before what is broken.
var severity = []extract.Reason{extract.Encrypted, extract.TooDeep, extract.Ratio, extract.Entries, extract.TooLarge, extract.Timeout, extract.Crashed,
	extract.Unsupported, extract.Damaged}

// worst gives the entry that a policy is asked about; nil where all was read.
func worst(list []extract.Unscannable) *extract.Unscannable {
	var out *extract.Unscannable
	rank := len(severity) + 1
	for i := range list {
		n := slices.Index(severity, list[i].Reason)
		if n < 0 {
			n = len(severity)
		}
		if n < rank {
			out, rank = &list[i], n
		}
	}
	return out
}

// With adds what was found in the object's own bytes, for a document that could
// not be read to the end. Values may be in both: each detector counts as where
// it found more.
func (r *Result) With(raw classifiers.Result) classifiers.Result {
	out := r.Result
	out.Counts = slices.Clone(out.Counts)
	for i := range raw.Counts {
		c := &raw.Counts[i]
		at := slices.IndexFunc(out.Counts, func(x classifiers.Count) bool { return x.Detector == c.Detector })
		if at < 0 {
			out.Counts = append(out.Counts, *c)
			continue
		}
		have := &out.Counts[at]
		have.Level, have.Confidence = max(have.Level, c.Level), max(have.Confidence, c.Confidence)
		for k := range c.Total {
			have.Total[k], have.Unique[k] = max(have.Total[k], c.Total[k]), max(have.Unique[k], c.Unique[k])
		}
	}
	slices.SortFunc(out.Counts, func(a, b classifiers.Count) int { return cmp.Compare(a.Detector, b.Detector) })
	out.Level = max(out.Level, raw.Level)
	return out
}
