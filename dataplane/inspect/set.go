// Package inspect makes the one pass over the bytes: it joins the signatures'
// and the classifiers' patterns into common Hyperscan databases, scans each
// object and each raw stream once, and hands the hits to their owners. It takes
// bytes of objects and streams and gives nominations to signatures and
// classifiers; it knows neither policies nor events.
package inspect

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"sluice/classifiers"
	"sluice/dataplane/protocol"
	"sluice/internal/hs"
	"sluice/internal/magic"
	"sluice/signatures"
)

// classifierBase is where the classifiers' pattern ids begin in a joint
// database; the signatures' are below it.
const classifierBase = 1 << 31

// Set is what all workers share: the compiled rules, the classifiers, and the
// databases that join them. It is immutable and replaced as a whole on reload.
type Set struct {
	// Rules is nil without signatures, Catalog nil without classification.
	Rules   *signatures.Engine
	Catalog *classifiers.Catalog

	// objects scan objects for both, containers those that are not classified:
	// containers, and what nobody wants to know about;
	// streams are the signatures' for reassembled TCP. Which of them serves, the
	// Engine's numbers tell; the last of objects has the classifiers' patterns
	// only. raw is the classifiers' for streams of no known protocol. Any may be
	// nil.
	objects, containers, streams []*hs.DB
	raw                          *hs.DB

	// Magic, when set before an Inspector is made, describes files for rules and,
	// with DescribeAll, all that are reported.
	Magic       *magic.Database
	DescribeAll bool

	// Trace, when set before an Inspector is made, is told of every scan: for
	// measurements. Inspectors of several workers call it side by side.
	Trace func(hs.Call)
}

// NewSet compiles the joint databases, in parallel, or takes them from
// cacheDir. Either part may be nil.
func NewSet(rules *signatures.Engine, catalog *classifiers.Catalog, cacheDir string) (*Set, error) {
	s := &Set{Rules: rules, Catalog: catalog}
	var objects, streams [][]hs.Pattern
	var class []hs.Pattern
	if rules != nil {
		objects = rules.SharedParts(signatures.GroupObject)
		streams = rules.SharedParts(signatures.GroupStream)
	}
	if catalog != nil {
		class = catalog.Patterns()
	}
	for _, p := range class {
		if p.ID >= classifierBase {
			return nil, fmt.Errorf("classifier pattern id %d is out of range", p.ID)
		}
	}
	s.objects, s.containers, s.streams = make([]*hs.DB, len(objects)+1), make([]*hs.DB, len(objects)+1), make([]*hs.DB, len(streams))
	type job struct {
		patterns []hs.Pattern
		db       **hs.DB
		name     string
	}
	jobs := []job{{joint(nil, class), &s.objects[len(objects)], "object"}, {class, &s.raw, "raw stream"}}
	for i, p := range objects {
		jobs = append(jobs, job{joint(p, class), &s.objects[i], "object"})
		if class != nil {
			jobs = append(jobs, job{p, &s.containers[i], "container"})
		}
	}
	for i, p := range streams {
		jobs = append(jobs, job{p, &s.streams[i], "stream"})
	}
	errs := make([]error, len(jobs))
	var wg sync.WaitGroup
	for i, j := range jobs {
		if len(j.patterns) == 0 {
			continue
		}
		wg.Go(func() {
			db, err := hs.Compile(j.patterns, hs.Streaming, cacheDir)
			if err != nil {
				errs[i] = fmt.Errorf("compile %s database: %w", j.name, err)
				return
			}
			*j.db = db
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// joint gives the patterns of an object's signatures and the classifiers.
func joint(rules, class []hs.Pattern) []hs.Pattern {
	out := make([]hs.Pattern, 0, len(rules)+len(class))
	out = append(out, rules...)
	for _, p := range class {
		p.ID += classifierBase
		out = append(out, p)
	}
	return out
}

// objectDB gives the database for an object, with signatures alone where it is
// not classified; nil where nothing is to be looked for.
func (s *Set) objectDB(app protocol.ID, dir protocol.Dir, alone bool) *hs.DB {
	i := int16(-1)
	if s.Rules != nil {
		i = s.Rules.ObjectPart(app, dir)
	}
	if alone && s.raw != nil {
		if i < 0 {
			return nil
		}
		return s.containers[i]
	}
	if i < 0 {
		i = int16(len(s.objects) - 1)
	}
	return s.objects[i]
}

// Databases gives the joint databases, for reports of size.
func (s *Set) Databases() []*hs.DB {
	var dbs []*hs.DB
	for _, l := range [][]*hs.DB{s.objects, s.containers, s.streams, {s.raw}} {
		for _, db := range l {
			if db != nil {
				dbs = append(dbs, db)
			}
		}
	}
	return dbs
}

// DatabaseName tells for reports what a database of the set or its rules scans.
func (s *Set) DatabaseName(db *hs.DB) string {
	for _, l := range []struct {
		name string
		dbs  []*hs.DB
	}{{"objects", s.objects}, {"containers", s.containers}, {"raw streams", s.streams}, {"streams of no known protocol", []*hs.DB{s.raw}}} {
		if i := slices.Index(l.dbs, db); i >= 0 {
			return fmt.Sprintf("%s %d", l.name, i)
		}
	}
	if s.Rules != nil {
		return s.Rules.DatabaseName(db)
	}
	return ""
}

// Close frees the joint databases. Every Inspector of the set must be closed.
func (s *Set) Close() {
	for _, db := range s.Databases() {
		db.Close()
	}
	s.objects, s.containers, s.streams, s.raw = nil, nil, nil, nil
}
