// Package spool is a bounded first-in first-out queue on disk: flat segment
// files of records with checksums, and a cursor file that tells what is done.
// It takes records and gives them back in order, across crashes of the program,
// until they are committed; a record may come back a second time after a crash,
// so each carries an ID for de-duplication. It knows nothing of what records
// hold or where they go.
//
// What the operating system has taken survives the program; what is written in
// the last seconds before a power failure may be lost, since only full segments
// and Close are synced.
package spool

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Errors that a caller may branch on.
var (
	// ErrFull tells that the bound is reached: the record was not taken.
	ErrFull = errors.New("spool is full")
	// ErrTooLarge tells that a record exceeds Options.MaxRecord or that its ID or
	// subject is longer than 255 bytes.
	ErrTooLarge = errors.New("record is too large for the spool")
	// ErrLocked tells that another process uses the folder.
	ErrLocked = errors.New("spool is in use by another process")
	// ErrClosed tells that the spool has been closed.
	ErrClosed = errors.New("spool is closed")
)

// Options bound a spool. The zero value of each means its default.
type Options struct {
	// MaxBytes bounds the records that are not committed; 256 MiB by default.
	// On disk there may be one segment more.
	MaxBytes int64
	// SegmentBytes is the size at which a segment is closed; 8 MiB by default.
	SegmentBytes int64
	// MaxRecord bounds a record's data; 8 MiB by default.
	MaxRecord int
}

// Position is a place between records. It only grows.
type Position struct {
	Segment uint64
	Offset  int64
}

func (p Position) before(q Position) bool {
	return p.Segment < q.Segment || p.Segment == q.Segment && p.Offset < q.Offset
}

// Entry is a record as Next gives it.
type Entry struct {
	ID, Subject string
	// Data is the caller's own.
	Data []byte
	// End is the position after the record, for Commit.
	End Position
}

// Stats counts what happened since Open.
type Stats struct {
	// PendingBytes and PendingRecords are not committed. The number of records
	// that were there at Open is not known until they are read.
	PendingBytes int64
	// Appended counts records taken, Overflow those refused for want of room.
	Appended, Overflow uint64
	// WriteErrors counts records lost to errors of the file system, a full disk for
	// one.
	WriteErrors uint64
	// CorruptBytes counts bytes passed over because their checksum was wrong.
	CorruptBytes uint64
}

type segment struct {
	num  uint64
	size int64
}

// Spool is a queue on disk. It is safe for concurrent use; its order is that of
// the calls of Append.
type Spool struct {
	dir string
	opt Options

	mu        sync.Mutex
	lock      *os.File
	segs      []segment // oldest first; the last is written to when out is set
	total     int64     // bytes in segs
	out       *os.File
	w         *bufio.Writer
	committed Position
	// given is where the record that Next gave last ends.
	given   Position
	unsaved int
	cursor  *os.File
	// ends are where the records end that were appended since the last flush.
	ends []int64
	// idle is until when nothing is taken after an error, which refused is.
	idle    time.Time
	refused error
	stats   Stats
	r       reader
	wake    chan struct{}
	closed  bool
}

const (
	segHeader  = "SLSPOOL1"
	recHeader  = 12
	suffix     = ".seg"
	lockName   = "lock"
	cursorName = "cursor"
	saveEvery  = 512
	// pause is how long nothing is taken after an error of the file system: a full
	// disk is not asked anew for every record.
	pause = 100 * time.Millisecond
)

// recMagic begins every record, so that reading can resume after damage.
var recMagic = [4]byte{0xf5, 'S', 'R', 0x01}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Open opens the spool in dir, which it makes where needed, and finds what an
// earlier run left there. It fails with ErrLocked when another process has it.
func Open(dir string, opt Options) (*Spool, error) {
	if opt.MaxBytes <= 0 {
		opt.MaxBytes = 256 << 20
	}
	if opt.SegmentBytes <= 0 {
		opt.SegmentBytes = 8 << 20
	}
	if opt.MaxRecord <= 0 {
		opt.MaxRecord = 8 << 20
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make spool folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open spool lock: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("%w: %s", ErrLocked, dir)
	}
	s := &Spool{dir: dir, opt: opt, lock: lock, wake: make(chan struct{}, 1)}
	if err := s.recover(); err != nil {
		lock.Close()
		return nil, err
	}
	if s.cursor, err = os.OpenFile(filepath.Join(dir, cursorName), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		lock.Close()
		return nil, fmt.Errorf("open spool cursor: %w", err)
	}
	_ = s.saveCursor() // takes its room on the disk while there is some
	return s, nil
}

// recover lists the segments and places the cursor. New records go to a new
// segment: a torn end of an old one is passed over by the reader.
func (s *Spool) recover() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("list spool: %w", err)
	}
	s.committed = loadCursor(filepath.Join(s.dir, cursorName))
	for _, e := range entries {
		name, isSeg := strings.CutSuffix(e.Name(), suffix)
		num, err := strconv.ParseUint(name, 16, 64)
		if !isSeg || err != nil || len(name) != 16 || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return fmt.Errorf("stat spool segment: %w", err)
		}
		if num < s.committed.Segment || info.Size() <= int64(len(segHeader)) {
			os.Remove(s.path(num)) // best effort: looked at again next time
			continue
		}
		s.segs = append(s.segs, segment{num, info.Size()})
		s.total += info.Size()
	}
	slices.SortFunc(s.segs, func(a, b segment) int {
		if a.num < b.num {
			return -1
		}
		return 1
	})
	if len(s.segs) == 0 {
		return nil
	}
	first := s.segs[0]
	if first.num != s.committed.Segment || s.committed.Offset > first.size {
		s.committed = Position{first.num, 0}
	}
	s.r.pos, s.given = s.committed, s.committed
	return nil
}

func (s *Spool) path(num uint64) string {
	return filepath.Join(s.dir, fmt.Sprintf("%016x%s", num, suffix))
}

// Append takes a record at the end of the queue. It fails with ErrFull,
// ErrTooLarge or an error of the file system; each is counted. Records become
// safe against a crash of the program with the next Flush.
func (s *Spool) Append(id, subject string, data []byte) error {
	if len(id) > 255 || len(subject) > 255 || len(data) > s.opt.MaxRecord {
		return ErrTooLarge
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if s.refused != nil {
		if time.Now().Before(s.idle) {
			s.stats.WriteErrors++
			return s.refused
		}
		s.refused = nil
	}
	body := 2 + len(id) + len(subject) + len(data)
	size := int64(recHeader + body)
	if s.total-s.committed.Offset+size > s.opt.MaxBytes {
		s.stats.Overflow++
		return ErrFull
	}
	if err := s.write(id, subject, data, body); err != nil {
		s.stats.WriteErrors++
		return s.abandon(err)
	}
	s.stats.Appended++
	last := &s.segs[len(s.segs)-1]
	last.size += size
	s.total += size
	s.ends = append(s.ends, last.size)
	if last.size >= s.opt.SegmentBytes {
		if err := s.seal(); err != nil {
			return s.abandon(err)
		}
	}
	return nil
}

func (s *Spool) write(id, subject string, data []byte, body int) error {
	if s.out == nil {
		if err := s.begin(); err != nil {
			return err
		}
	}
	var h [recHeader + 2 + 255 + 255]byte
	copy(h[:4], recMagic[:])
	binary.LittleEndian.PutUint32(h[4:], uint32(body))
	n := recHeader
	h[n] = byte(len(id))
	n += 1 + copy(h[n+1:], id)
	h[n] = byte(len(subject))
	n += 1 + copy(h[n+1:], subject)
	sum := crc32.Update(crc32.Checksum(h[recHeader:n], castagnoli), castagnoli, data)
	binary.LittleEndian.PutUint32(h[8:], sum)
	if _, err := s.w.Write(h[:n]); err != nil {
		return err
	}
	_, err := s.w.Write(data)
	return err
}

// begin starts a new segment.
func (s *Spool) begin() error {
	num := max(s.committed.Segment, s.r.pos.Segment) + 1
	if len(s.segs) > 0 {
		num = max(num, s.segs[len(s.segs)-1].num+1)
	}
	f, err := os.OpenFile(s.path(num), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if s.w == nil {
		s.w = bufio.NewWriterSize(f, 128<<10)
	} else {
		s.w.Reset(f)
	}
	s.out = f
	s.w.WriteString(segHeader) // an error stays with the writer
	s.ends = s.ends[:0]
	s.segs = append(s.segs, segment{num, int64(len(segHeader))})
	s.total += int64(len(segHeader))
	if len(s.segs) == 1 {
		s.committed = Position{num, 0}
		s.r.moveTo(s.committed)
	}
	return nil
}

// seal syncs and closes the segment that is written to. One that cannot be
// written stays open, for abandon.
func (s *Spool) seal() error {
	if s.out == nil {
		return nil
	}
	if err := s.w.Flush(); err != nil {
		return err
	}
	f := s.out
	s.out, s.ends = nil, s.ends[:0]
	return errors.Join(f.Sync(), f.Close())
}

// abandon ends a segment that could not be written, at the size it has: the
// reader passes over a torn record. One with nothing in it goes, since a full
// disk would fill with them. It counts the records that were taken and are lost,
// and gives err as callers see it.
func (s *Spool) abandon(err error) error {
	err = fmt.Errorf("write spool: %w", err)
	s.refused, s.idle = err, time.Now().Add(pause)
	if s.out == nil {
		return err
	}
	s.out.Close()
	s.out = nil
	last := &s.segs[len(s.segs)-1]
	var size int64
	if info, err := os.Stat(s.path(last.num)); err == nil {
		size = info.Size()
	}
	for _, end := range s.ends {
		if end > size {
			s.stats.WriteErrors++
		}
	}
	s.ends = s.ends[:0]
	s.total += size - last.size
	last.size = size
	if size <= int64(len(segHeader)) && os.Remove(s.path(last.num)) == nil {
		s.total -= size
		s.segs = s.segs[:len(s.segs)-1]
	}
	return err
}

// Flush hands appended records to the operating system and wakes the reader.
func (s *Spool) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.flush()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return err
}

func (s *Spool) flush() error {
	if s.out == nil {
		return nil
	}
	if err := s.w.Flush(); err != nil {
		return s.abandon(err)
	}
	s.ends = s.ends[:0]
	return nil
}

// Wake gives a channel that receives after Flush.
func (s *Spool) Wake() <-chan struct{} { return s.wake }

// Stats gives the counters.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.PendingBytes = s.pending()
	return st
}

// pending counts uncommitted bytes; a segment's bare header is none.
func (s *Spool) pending() int64 {
	if len(s.segs) == 0 || s.committed == (Position{s.segs[len(s.segs)-1].num, s.segs[len(s.segs)-1].size}) {
		return 0
	}
	return s.total - s.committed.Offset
}

// Close writes out what is buffered and the cursor, and gives up the lock.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.r.close()
	err := s.seal()
	if err != nil {
		err = s.abandon(err)
	}
	return errors.Join(err, s.saveCursor(), s.cursor.Close(), s.lock.Close())
}
