package engine

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"

	"sluice/dataplane/protocol"
	"sluice/internal/hs"
)

// dbJob is a database to be compiled.
type dbJob struct {
	patterns []hs.Pattern
	db       **hs.DB
}

// finish builds groups and compiles their databases in parallel.
func (b *builder) finish() error {
	e := b.e
	e.stream, e.object = b.stream.build(), b.object.build()
	e.partStreams()
	e.partObjects()
	if e.stream != nil {
		e.loose = &group{patterns: e.stream.patterns, off: e.stream.off, cands: e.stream.cands}
	}
	var jobs []dbJob
	add := func(g *group) *group {
		if g != nil {
			jobs = append(jobs, dbJob{g.patterns, &g.db})
		}
		return g
	}
	add(e.loose)
	for i := range b.magic {
		e.magic = append(e.magic, magicGroup{transforms: b.magic[i].transforms, g: b.magic[i].b.build()})
		add(e.magic[i].g)
	}
	for cl := range e.packets {
		for d := range e.packets[cl] {
			heads := e.packets[cl][d].heads
			e.packets[cl][d] = b.index_[cl][d].build(e)
			e.packets[cl][d].heads = heads
			s := &e.packets[cl][d].packetDBs
			s.g = b.packet[cl][d].build()
			s.build(e, protocol.Dir(d))
			for i, p := range s.parts.list {
				jobs = append(jobs, dbJob{p.patterns(s.g), &s.dbs[i]})
			}
		}
	}
	for id := range e.plans {
		for d := range e.plans[id] {
			p := e.plans[id][d]
			if p == nil {
				continue
			}
			sort.SliceStable(p.buffers, func(i, j int) bool { return p.buffers[i].spec.Progress < p.buffers[j].spec.Progress })
			for _, l := range [...][]txGroup{p.buffers, p.frames} {
				for i := range l {
					l[i].g = add(l[i].b.build())
					l[i].b = groupBuilder{}
				}
			}
		}
	}
	// Large ones first, so that the last to finish is a small one.
	sort.SliceStable(jobs, func(i, j int) bool { return len(jobs[i].patterns) > len(jobs[j].patterns) })
	var wg sync.WaitGroup
	errs := make([]error, len(jobs))
	next := make(chan int)
	for range e.opt.Workers {
		wg.Go(func() {
			for i := range next {
				*jobs[i].db, errs[i] = hs.Compile(jobs[i].patterns, hs.Block, e.opt.CacheDir)
			}
		})
	}
	for i := range jobs {
		next <- i
	}
	close(next)
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("compile rules: %w", err)
	}
	for _, j := range jobs {
		e.dbs = append(e.dbs, *j.db)
	}
	return nil
}

// SharedPatterns gives the patterns for a streaming database that is shared
// with the classifiers. Their ids are below 1<<31; hits on them go to Object
// and Stream.
func (e *Engine) SharedPatterns(g SharedGroup) []hs.Pattern {
	gr := e.stream
	if g == GroupObject {
		gr = e.object
	}
	if gr == nil {
		return nil
	}
	return gr.patterns
}

// Databases gives the engine's own block-mode databases, for the workers'
// scratch space.
func (e *Engine) Databases() []*hs.DB { return e.dbs }

// DatabaseName tells for reports what one of Databases scans, "" for others.
func (e *Engine) DatabaseName(db *hs.DB) string {
	if e.loose != nil && e.loose.db == db {
		return "segments outside of sessions"
	}
	for i := range e.magic {
		if e.magic[i].g.db == db {
			return "file.magic"
		}
	}
	dirs := [2]string{"to server", "to client"}
	for cl := range e.packets {
		for d := range e.packets[cl] {
			if slices.Contains(e.packets[cl][d].dbs, db) {
				return fmt.Sprintf("%s packets %s", [numClasses]string{"TCP", "UDP", "ICMP", "other"}[cl], dirs[d])
			}
		}
	}
	for id := range e.plans {
		for d, p := range e.plans[id] {
			if p == nil {
				continue
			}
			for _, l := range [...][]txGroup{p.buffers, p.frames} {
				for i := range l {
					if g := l[i].g; g != nil && g.db == db {
						return fmt.Sprintf("%s %s", l[i].spec.Name, dirs[d])
					}
				}
			}
		}
	}
	return ""
}
