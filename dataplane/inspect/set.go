// Package inspect makes the one pass over the bytes: it joins the signatures'
// and the classifiers' patterns into common Hyperscan databases, scans each
// object and each raw stream once, and hands the hits to their owners. It takes
// bytes of objects and streams and gives nominations to signatures and
// classifiers; it knows neither policies nor events.
package inspect

import (
	"errors"
	"fmt"
	"sync"

	"sluice/classifiers"
	"sluice/internal/hs"
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

	// object scans objects for both; container those that are not classified;
	// stream is the signatures' for reassembled TCP; raw the classifiers' for
	// streams of no known protocol. Any may be nil.
	object, container, stream, raw *hs.DB
}

// NewSet compiles the joint databases, in parallel, or takes them from
// cacheDir. Either part may be nil.
func NewSet(rules *signatures.Engine, catalog *classifiers.Catalog, cacheDir string) (*Set, error) {
	s := &Set{Rules: rules, Catalog: catalog}
	var objects, streams, class []hs.Pattern
	if rules != nil {
		objects = rules.SharedPatterns(signatures.GroupObject)
		streams = rules.SharedPatterns(signatures.GroupStream)
	}
	if catalog != nil {
		class = catalog.Patterns()
	}
	joint := make([]hs.Pattern, 0, len(objects)+len(class))
	joint = append(joint, objects...)
	for _, p := range class {
		if p.ID >= classifierBase {
			return nil, fmt.Errorf("classifier pattern id %d is out of range", p.ID)
		}
		p.ID += classifierBase
		joint = append(joint, p)
	}
	jobs := []struct {
		patterns []hs.Pattern
		db       **hs.DB
		name     string
	}{
		{joint, &s.object, "object"}, {objects, &s.container, "container"},
		{streams, &s.stream, "stream"}, {class, &s.raw, "raw stream"},
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

// Databases gives the joint databases, for reports of size.
func (s *Set) Databases() []*hs.DB {
	var dbs []*hs.DB
	for _, db := range []*hs.DB{s.object, s.container, s.stream, s.raw} {
		if db != nil {
			dbs = append(dbs, db)
		}
	}
	return dbs
}

// Close frees the joint databases. Every Inspector of the set must be closed.
func (s *Set) Close() {
	for _, db := range s.Databases() {
		db.Close()
	}
	s.object, s.container, s.stream, s.raw = nil, nil, nil, nil
}
