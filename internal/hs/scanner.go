package hs

/*
#include "shim.h"
#include <stdlib.h>
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"time"
	"unsafe"
)

// Hit is one match: the pattern with ID ends one byte before To. Buf is the
// queue position of the buffer in a batch, 0 otherwise. In streaming mode To
// counts from the stream's first byte.
type Hit struct {
	To  uint64
	ID  uint32
	Buf uint32
}

// ErrScan is given when Hyperscan could not finish a scan: what was scanned
// must be treated as if anything might have matched (fail closed).
var ErrScan = errors.New("hyperscan: scan failed")

// ErrTooManyHits is given when a scan was cut short at the limit of hits; the
// hits up to there are valid.
var ErrTooManyHits = errors.New("hyperscan: too many hits")

// MaxHits bounds the hits of one scan or batch.
const MaxHits = 1 << 18

const (
	arenaSize = 256 << 10
	maxJobs   = 64
	// copyLimit is the largest buffer that Queue copies; larger ones are not
	// worth batching.
	copyLimit = arenaSize / 4
)

// Scanner is one worker's scratch space. It belongs to one goroutine.
type Scanner struct {
	ctx   *C.sluice_ctx
	arena unsafe.Pointer
	used  int
	jobs  *[maxJobs]C.sluice_job
	njobs int
	// jobDBs are the jobs' databases, kept for Trace alone.
	jobDBs [maxJobs]*DB
	free   map[*DB][]*C.hs_stream_t
	// Scans, Bytes and Failures count calls into Hyperscan, bytes scanned, and
	// scans that did not finish.
	Scans, Bytes, Failures uint64
	// Trace, when set, is told of every scan after it: for measurements.
	Trace func(Call)
}

// Call is one scan as Trace is told of it. Data and Stream are valid during the
// call only.
type Call struct {
	DB *DB
	// Stream names the stream that Data is the next piece of, or that is closed
	// where Data is nil; 0 in block mode.
	Stream uintptr
	Data   []byte
	Hits   int
	// Elapsed is the time spent in Hyperscan; of a batch its share by size.
	Elapsed time.Duration
}

// traced makes a scan's Call. It is kept apart so that scans stay small.
func (s *Scanner) traced(db *DB, stream uintptr, data []byte, begin time.Time) {
	s.Trace(Call{DB: db, Stream: stream, Data: data, Hits: int(s.ctx.n), Elapsed: time.Since(begin)})
}

// tracedJobs tells of a batch.
func (s *Scanner) tracedJobs(begin time.Time) {
	elapsed := time.Since(begin)
	hits := make([]int, s.njobs)
	for _, h := range unsafe.Slice((*Hit)(unsafe.Pointer(s.ctx.hits)), int(s.ctx.n)) {
		hits[h.Buf]++
	}
	for i := range s.njobs {
		j := &s.jobs[i]
		s.Trace(Call{DB: s.jobDBs[i], Data: unsafe.Slice((*byte)(unsafe.Add(s.arena, j.off)), int(j.len)), Hits: hits[i],
			Elapsed: elapsed * time.Duration(j.len) / time.Duration(max(s.used, 1))})
	}
}

// NewScanner makes a Scanner that can scan dbs; nil databases are ignored.
func NewScanner(dbs ...*DB) (*Scanner, error) {
	s := &Scanner{
		ctx:   (*C.sluice_ctx)(C.calloc(1, C.sizeof_sluice_ctx)),
		arena: C.malloc(arenaSize),
		jobs:  (*[maxJobs]C.sluice_job)(C.calloc(maxJobs, C.sizeof_sluice_job)),
		free:  make(map[*DB][]*C.hs_stream_t),
	}
	s.ctx.max = MaxHits
	if err := s.Prepare(dbs...); err != nil {
		s.Close()
		return nil, err
	}
	runtime.SetFinalizer(s, (*Scanner).Close)
	return s, nil
}

// Prepare grows the scratch space for further databases.
func (s *Scanner) Prepare(dbs ...*DB) error {
	for _, db := range dbs {
		if db == nil {
			continue
		}
		if rc := C.hs_alloc_scratch(db.c, &s.ctx.scratch); rc != C.HS_SUCCESS {
			return fmt.Errorf("allocate Hyperscan scratch: error %d", int(rc))
		}
	}
	return nil
}

// Close frees the scratch space and pooled streams. Hits of earlier scans
// become invalid. Open streams must have been closed.
func (s *Scanner) Close() {
	if s.ctx == nil {
		return
	}
	for db := range s.free {
		s.Forget(db)
	}
	C.hs_free_scratch(s.ctx.scratch)
	C.free(unsafe.Pointer(s.ctx.hits))
	C.free(unsafe.Pointer(s.ctx))
	C.free(s.arena)
	C.free(unsafe.Pointer(s.jobs))
	s.ctx = nil
	runtime.SetFinalizer(s, nil)
}

// Scan scans one buffer with a block database. The hits are valid until the
// Scanner's next call.
func (s *Scanner) Scan(db *DB, data []byte) ([]Hit, error) {
	s.ctx.n, s.ctx.buf, s.ctx.overflow = 0, 0, 0
	s.Scans++
	s.Bytes += uint64(len(data))
	if s.Trace != nil {
		defer s.traced(db, 0, data, time.Now())
	}
	rc := C.sluice_scan(s.ctx, db.c, (*C.char)(unsafe.Pointer(unsafe.SliceData(data))), C.uint(len(data)))
	return s.result(rc)
}

// Queue adds a buffer to the batch and reports its position, to be found again
// in Hit.Buf. It answers false, and adds nothing, when the batch is full or
// data too large to be copied: flush, or scan it alone.
func (s *Scanner) Queue(db *DB, data []byte) (int, bool) {
	if s.njobs == maxJobs || len(data) > copyLimit || s.used+len(data) > arenaSize {
		return 0, false
	}
	copy(unsafe.Slice((*byte)(unsafe.Add(s.arena, s.used)), len(data)), data)
	s.jobs[s.njobs] = C.sluice_job{db: db.c, off: C.uint32_t(s.used), len: C.uint32_t(len(data))}
	if s.Trace != nil {
		s.jobDBs[s.njobs] = db
	}
	s.used += len(data)
	s.njobs++
	return s.njobs - 1, true
}

// Queued gives the number of buffers waiting in the batch.
func (s *Scanner) Queued() int { return s.njobs }

// Flush scans the batch in one call and empties it. The hits are ordered by
// Buf and valid until the Scanner's next call.
func (s *Scanner) Flush() ([]Hit, error) {
	if s.njobs == 0 {
		return nil, nil
	}
	s.ctx.n, s.ctx.overflow = 0, 0
	s.Scans += uint64(s.njobs)
	s.Bytes += uint64(s.used)
	var begin time.Time
	if s.Trace != nil {
		begin = time.Now()
	}
	rc := C.sluice_scan_jobs(s.ctx, &s.jobs[0], C.uint(s.njobs), (*C.char)(s.arena))
	if s.Trace != nil {
		s.tracedJobs(begin)
	}
	s.njobs, s.used = 0, 0
	return s.result(rc)
}

func (s *Scanner) result(rc C.int) ([]Hit, error) {
	hits := unsafe.Slice((*Hit)(unsafe.Pointer(s.ctx.hits)), int(s.ctx.n))
	if rc == C.HS_SUCCESS {
		return hits, nil
	}
	s.Failures++
	if rc == C.HS_SCAN_TERMINATED && s.ctx.overflow > 0 {
		return hits, ErrTooManyHits
	}
	return hits, fmt.Errorf("%w: error %d", ErrScan, int(rc))
}

// Stream is the state of one stream of bytes under a streaming database.
type Stream struct {
	c  *C.hs_stream_t
	db *DB
}

// Open gives a new stream, reusing the memory of a closed one.
func (s *Scanner) Open(db *DB) (Stream, error) {
	if l := s.free[db]; len(l) > 0 {
		c := l[len(l)-1]
		s.free[db] = l[:len(l)-1]
		return Stream{c: c, db: db}, nil
	}
	st := Stream{db: db}
	if rc := C.hs_open_stream(db.c, 0, &st.c); rc != C.HS_SUCCESS {
		return Stream{}, fmt.Errorf("open Hyperscan stream: error %d", int(rc))
	}
	return st, nil
}

// IsOpen reports whether the stream holds state.
func (st Stream) IsOpen() bool { return st.c != nil }

// ScanStream scans the stream's next bytes. The hits are valid until the
// Scanner's next call.
func (s *Scanner) ScanStream(st Stream, data []byte) ([]Hit, error) {
	s.ctx.n, s.ctx.buf, s.ctx.overflow = 0, 0, 0
	s.Scans++
	s.Bytes += uint64(len(data))
	if s.Trace != nil {
		defer s.traced(st.db, uintptr(unsafe.Pointer(st.c)), data, time.Now())
	}
	rc := C.sluice_scan_stream(s.ctx, st.c, (*C.char)(unsafe.Pointer(unsafe.SliceData(data))), C.uint(len(data)))
	return s.result(rc)
}

// maxFree bounds the closed streams kept per database.
const maxFree = 4096

// CloseStream gives a stream's memory back; st must not be used again.
// Patterns are not told of the end: none in use is anchored to it.
func (s *Scanner) CloseStream(st Stream) {
	if st.c == nil {
		return
	}
	if s.Trace != nil {
		s.Trace(Call{DB: st.db, Stream: uintptr(unsafe.Pointer(st.c))})
	}
	if l := s.free[st.db]; len(l) < maxFree && C.sluice_reset_stream(s.ctx, st.c) == C.HS_SUCCESS {
		s.free[st.db] = append(l, st.c)
		return
	}
	C.hs_close_stream(st.c, nil, nil, nil)
}

// Forget frees the pooled streams of a database that is to be closed.
func (s *Scanner) Forget(db *DB) {
	for _, c := range s.free[db] {
		C.hs_close_stream(c, nil, nil, nil)
	}
	delete(s.free, db)
}
