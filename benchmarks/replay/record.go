package main

import (
	"fmt"
	"slices"
	"time"

	"sluice/dataplane/inspect"
	"sluice/internal/hs"
)

// call is a recorded scan: bytes of a chunk, and a stream's number or -1. One
// without bytes closes the stream.
type call struct {
	db     *hs.DB
	data   []byte
	stream int
}

// usage is what a database was used for.
type usage struct {
	name               string
	db                 *hs.DB
	scans, bytes, hits uint64
	elapsed            time.Duration
}

// recorder keeps the scans of a run, to be made again.
type recorder struct {
	set     *inspect.Set
	calls   []call
	chunk   []byte
	use     []*usage
	byDB    map[*hs.DB]*usage
	streams map[uintptr]int
	opened  int
}

const chunkSize = 8 << 20

func newRecorder(set *inspect.Set) *recorder {
	return &recorder{set: set, byDB: map[*hs.DB]*usage{}, streams: map[uintptr]int{}}
}

func (r *recorder) call(c hs.Call) {
	u := r.byDB[c.DB]
	if u == nil {
		name := r.set.DatabaseName(c.DB)
		if name == "" {
			name = "classifiers: decoded text"
		}
		u = &usage{name: name, db: c.DB}
		r.byDB[c.DB] = u
		r.use = append(r.use, u)
	}
	n := -1
	if c.Stream != 0 {
		var ok bool
		if n, ok = r.streams[c.Stream]; !ok {
			n = r.opened
			r.opened++
			r.streams[c.Stream] = n
		}
		if c.Data == nil {
			delete(r.streams, c.Stream)
			r.calls = append(r.calls, call{c.DB, nil, n})
			return
		}
	}
	u.scans++
	u.bytes += uint64(len(c.Data))
	u.hits += uint64(c.Hits)
	u.elapsed += c.Elapsed
	if len(r.chunk)+len(c.Data) > cap(r.chunk) {
		r.chunk = make([]byte, 0, max(chunkSize, len(c.Data)))
	}
	at := len(r.chunk)
	r.chunk = append(r.chunk, c.Data...)
	r.calls = append(r.calls, call{c.DB, r.chunk[at:len(r.chunk):len(r.chunk)], n})
}

// others gives the databases used that are not in dbs.
func (r *recorder) others(dbs []*hs.DB) []*hs.DB {
	var out []*hs.DB
	for _, u := range r.use {
		if !slices.Contains(dbs, u.db) {
			out = append(out, u.db)
		}
	}
	return out
}

// again makes the recorded scans with sc.
func (r *recorder) again(sc *hs.Scanner) error {
	streams := make([]hs.Stream, r.opened)
	defer func() {
		for _, s := range streams {
			sc.CloseStream(s)
		}
	}()
	for i := range r.calls {
		c := &r.calls[i]
		var err error
		switch {
		case c.stream < 0:
			_, err = sc.Scan(c.db, c.data)
		case c.data == nil:
			sc.CloseStream(streams[c.stream])
			streams[c.stream] = hs.Stream{}
		default:
			if !streams[c.stream].IsOpen() {
				if streams[c.stream], err = sc.Open(c.db); err != nil {
					return err
				}
			}
			_, err = sc.ScanStream(streams[c.stream], c.data)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// groups prints where Hyperscan's time goes.
func (m *measurement) groups() {
	if len(m.use) == 0 {
		return
	}
	fmt.Printf("\n%s, by database:\n\n| database | scans | MB | hits | s | MB/s |\n|---|---:|---:|---:|---:|---:|\n", m.name)
	slices.SortFunc(m.use, func(a, b *usage) int { return int(b.elapsed - a.elapsed) })
	for _, u := range m.use {
		if u.scans > 0 {
			fmt.Printf("| %s | %d | %.1f | %d | %.3f | %.0f |\n", u.name, u.scans, float64(u.bytes)/1e6, u.hits, u.elapsed.Seconds(), float64(u.bytes)/1e6/u.elapsed.Seconds())
		}
	}
}
