// Package hs is Sluice's use of Hyperscan: databases compiled and serialised
// through gohs and cached on disk, scanned through a thin C shim that collects
// matches without calling back into Go. It takes patterns and bytes and gives
// hits; it knows nothing of what a pattern stands for.
//
// It is, with internal/pcre, the only package that uses cgo.
package hs

/*
#cgo LDFLAGS: -lhs
#include "shim.h"
#include <stdlib.h>
*/
import "C"

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"unsafe"

	"github.com/flier/gohs/hyperscan"
)

// Flag is a Hyperscan compile flag.
type Flag uint32

// The compile flags in use. SOM_LEFTMOST is left out on purpose (it costs two
// thirds of the speed), and SingleMatch belongs to block mode only: in
// streaming mode it multiplies the state of every stream.
const (
	Caseless    = Flag(hyperscan.Caseless)
	DotAll      = Flag(hyperscan.DotAll)
	MultiLine   = Flag(hyperscan.MultiLine)
	SingleMatch = Flag(hyperscan.SingleMatch)
	AllowEmpty  = Flag(hyperscan.AllowEmpty)
)

// Mode is how a database is scanned.
type Mode uint8

// The modes: whole buffers, or streams of bytes in pieces.
const (
	Block Mode = iota
	Streaming
)

// Pattern is one expression of a database. Several may share an ID.
type Pattern struct {
	// Expr is in Hyperscan's dialect of PCRE. Use Literal for plain bytes.
	Expr  string
	Flags Flag
	ID    uint32
	// MinOffset and MaxOffset bound the match's end offset; MaxOffset 0 means
	// no bound.
	MinOffset, MaxOffset uint64
}

// Literal gives an expression that matches exactly b.
func Literal(b []byte) string {
	var s strings.Builder
	s.Grow(4 * len(b))
	for _, c := range b {
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			s.WriteByte(c)
			continue
		}
		fmt.Fprintf(&s, `\x%02x`, c)
	}
	return s.String()
}

// PatternError tells which pattern Hyperscan refused.
type PatternError struct {
	Pattern Pattern
	Err     error
}

func (e *PatternError) Error() string {
	return fmt.Sprintf("compile pattern %q: %v", e.Pattern.Expr, e.Err)
}

func (e *PatternError) Unwrap() error { return e.Err }

// DB is a compiled database. It is immutable and safe for concurrent use.
type DB struct {
	c    *C.hs_database_t
	mode Mode
	size int
	// FromCache tells that the database was read rather than compiled.
	FromCache bool
}

// Size gives the memory of the database in bytes.
func (db *DB) Size() int { return db.size }

// StreamSize gives the memory of one open stream in bytes; 0 in block mode.
func (db *DB) StreamSize() int {
	if db.mode != Streaming {
		return 0
	}
	var n C.size_t
	if C.hs_stream_size(db.c, &n) != C.HS_SUCCESS {
		return 0
	}
	return int(n)
}

// Close frees the database. No Scanner may use it any more; its streams must
// have been closed.
func (db *DB) Close() {
	if db.c != nil {
		C.hs_free_database(db.c)
		db.c = nil
	}
}

// ErrNoPatterns is given for an empty set.
var ErrNoPatterns = errors.New("no patterns")

// Check reports why Hyperscan would refuse p on its own, or nil.
func Check(p Pattern) error {
	hp := p.hyperscan()
	if _, err := hp.Info(); err != nil {
		return &PatternError{Pattern: p, Err: err}
	}
	return nil
}

func (p Pattern) hyperscan() *hyperscan.Pattern {
	hp := hyperscan.NewPattern(p.Expr, hyperscan.CompileFlag(p.Flags))
	hp.Id = int(p.ID)
	if p.MinOffset > 0 {
		hp.WithExt(hyperscan.MinOffset(p.MinOffset))
	}
	if p.MaxOffset > 0 {
		hp.WithExt(hyperscan.MaxOffset(p.MaxOffset))
	}
	return hp
}

// Compile builds a database. With a cacheDir, a database built before from the
// same patterns, for the same CPU and library, is read from there instead, and
// a new one is left there; the cache failing is no error. The order of patterns
// does not matter.
func Compile(patterns []Pattern, mode Mode, cacheDir string) (*DB, error) {
	if len(patterns) == 0 {
		return nil, ErrNoPatterns
	}
	ps := make([]Pattern, len(patterns))
	copy(ps, patterns)
	sort.Slice(ps, func(i, j int) bool {
		if ps[i].ID != ps[j].ID {
			return ps[i].ID < ps[j].ID
		}
		return ps[i].Expr < ps[j].Expr
	})
	var file string
	if cacheDir != "" {
		file = filepath.Join(cacheDir, cacheKey(ps, mode)+".hsdb")
		if data, err := os.ReadFile(file); err == nil {
			if db, err := deserialize(data, mode); err == nil {
				db.FromCache = true
				return db, nil
			}
		}
	}
	data, err := build(ps, mode)
	if err != nil {
		return nil, err
	}
	db, err := deserialize(data, mode)
	if err != nil {
		return nil, err
	}
	if file != "" {
		writeCache(file, data)
	}
	return db, nil
}

func build(ps []Pattern, mode Mode) ([]byte, error) {
	hps := make(hyperscan.Patterns, len(ps))
	for i, p := range ps {
		hps[i] = p.hyperscan()
	}
	hm := hyperscan.BlockMode
	if mode == Streaming {
		hm = hyperscan.StreamMode
	}
	db, err := hps.Build(hm)
	if err != nil {
		// Find the culprit: the library names only its index in some cases.
		for _, p := range ps {
			if e := Check(p); e != nil {
				return nil, e
			}
		}
		return nil, fmt.Errorf("compile %d patterns: %w", len(ps), err)
	}
	defer db.Close()
	data, err := db.Marshal()
	if err != nil {
		return nil, fmt.Errorf("serialise database: %w", err)
	}
	return data, nil
}

func deserialize(data []byte, mode Mode) (*DB, error) {
	if len(data) == 0 {
		return nil, errors.New("deserialise database: no bytes")
	}
	db := &DB{mode: mode}
	rc := C.hs_deserialize_database((*C.char)(unsafe.Pointer(&data[0])), C.size_t(len(data)), &db.c)
	if rc != C.HS_SUCCESS {
		return nil, fmt.Errorf("deserialise database: Hyperscan error %d", int(rc))
	}
	var n C.size_t
	if C.hs_database_size(db.c, &n) == C.HS_SUCCESS {
		db.size = int(n)
	}
	return db, nil
}

func cacheKey(ps []Pattern, mode Mode) string {
	h := sha256.New()
	fmt.Fprintf(h, "sluice-hs-1\x00%s\x00%d\x00%v\x00%v\x00", hyperscan.Version(), mode,
		hyperscan.PopulatePlatform().CpuFeatures(), hyperscan.PopulatePlatform().Tune())
	var b [32]byte
	for _, p := range ps {
		binary.LittleEndian.PutUint32(b[0:], p.ID)
		binary.LittleEndian.PutUint32(b[4:], uint32(p.Flags))
		binary.LittleEndian.PutUint64(b[8:], p.MinOffset)
		binary.LittleEndian.PutUint64(b[16:], p.MaxOffset)
		binary.LittleEndian.PutUint64(b[24:], uint64(len(p.Expr)))
		h.Write(b[:])
		h.Write([]byte(p.Expr))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// writeCache leaves data under file for the next start. Two processes may
// write the same file: the rename makes either whole.
func writeCache(file string, data []byte) {
	if os.MkdirAll(filepath.Dir(file), 0o700) != nil {
		return
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".hsdb-*")
	if err != nil {
		return
	}
	_, err = tmp.Write(data)
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
}
