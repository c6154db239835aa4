package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
)

// reader walks the segments. Its buffer holds bytes of the segment from pos on.
type reader struct {
	pos  Position
	file *os.File
	buf  []byte
	have []byte // the part of buf that is valid, beginning at pos
}

func (r *reader) moveTo(p Position) {
	if r.pos.Segment != p.Segment {
		r.close()
	}
	r.pos, r.have = p, nil
}

func (r *reader) close() {
	if r.file != nil {
		r.file.Close()
		r.file = nil
	}
	r.have = nil
}

// need makes have hold at least n bytes of the segment, whose valid bytes end at
// size; false when it holds fewer.
func (r *reader) need(path string, n int, size int64) (bool, error) {
	if len(r.have) >= n {
		return true, nil
	}
	if r.pos.Offset+int64(n) > size {
		return false, nil
	}
	if r.file == nil {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil // removed by someone else: lost, but not for ever in the way
		}
		if err != nil {
			return false, err
		}
		r.file = f
	}
	if len(r.buf) < n {
		r.buf = make([]byte, max(n, 256<<10))
	}
	want := min(int64(len(r.buf)), size-r.pos.Offset)
	got, err := r.file.ReadAt(r.buf[:want], r.pos.Offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	r.have = r.buf[:got]
	return got >= n, nil
}

func (r *reader) skip(n int) {
	r.pos.Offset += int64(n)
	if n >= len(r.have) {
		r.have = nil
	} else {
		r.have = r.have[n:]
	}
}

// Next gives the record after the last one given, false where there is none
// yet. Damaged bytes are passed over and counted. An error is one of the file
// system; the call may be repeated.
func (s *Spool) Next() (Entry, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return Entry{}, false, ErrClosed
	}
	_ = s.flush() // what it lost is counted; what is on disk can be read all the same
	for {
		i := s.index(s.r.pos.Segment)
		if i < 0 {
			return Entry{}, false, nil
		}
		seg := s.segs[i]
		e, ok, err := s.readOne(seg)
		if err != nil {
			return Entry{}, false, err
		}
		if ok {
			s.given = e.End
			return e, true, nil
		}
		if i == len(s.segs)-1 {
			return Entry{}, false, s.commitDamage()
		}
		s.r.moveTo(Position{s.segs[i+1].num, 0})
	}
}

// index finds a segment, or the first one after it where it is gone.
func (s *Spool) index(num uint64) int {
	for i := range s.segs {
		if s.segs[i].num >= num {
			if s.segs[i].num > num {
				s.r.moveTo(Position{s.segs[i].num, 0})
			}
			return i
		}
	}
	return -1
}

// readOne reads the segment's next record; false at its end.
func (s *Spool) readOne(seg segment) (Entry, bool, error) {
	r := &s.r
	path := s.path(seg.num)
	if r.pos.Offset == 0 {
		ok, err := r.need(path, len(segHeader), seg.size)
		if err != nil {
			return Entry{}, false, fmt.Errorf("read spool: %w", err)
		}
		if ok && string(r.have[:len(segHeader)]) == segHeader {
			r.skip(len(segHeader))
		}
	}
	for {
		ok, err := r.need(path, recHeader, seg.size)
		if err != nil {
			return Entry{}, false, fmt.Errorf("read spool: %w", err)
		}
		if !ok {
			// A torn header at the end of the segment.
			if rest := seg.size - r.pos.Offset; rest > 0 {
				s.stats.CorruptBytes += uint64(rest)
				r.skip(int(rest))
			}
			return Entry{}, false, nil
		}
		if [4]byte(r.have[:4]) == recMagic {
			body := int64(binary.LittleEndian.Uint32(r.have[4:]))
			sum := binary.LittleEndian.Uint32(r.have[8:])
			if body >= 2 && body <= int64(s.opt.MaxRecord)+512 {
				n := int(recHeader + body)
				ok, err := r.need(path, n, seg.size)
				if err != nil {
					return Entry{}, false, fmt.Errorf("read spool: %w", err)
				}
				if ok && crc32.Checksum(r.have[recHeader:n], castagnoli) == sum {
					if e, ok := parseBody(r.have[recHeader:n]); ok {
						r.skip(n)
						e.End = r.pos
						return e, true, nil
					}
				}
			}
		}
		s.resync()
	}
}

// resync passes over damage, to the next bytes that look like a record or to
// the end of what is buffered.
func (s *Spool) resync() {
	r := &s.r
	n := 0
	if len(r.have) > 0 {
		n = bytes.Index(r.have[1:], recMagic[:]) + 1
	}
	if n == 0 {
		// Keep three bytes: the magic may straddle the buffer's end.
		n = max(1, len(r.have)-len(recMagic)+1)
	}
	s.stats.CorruptBytes += uint64(n)
	r.skip(n)
}

func parseBody(b []byte) (Entry, bool) {
	var e Entry
	idLen := int(b[0])
	if len(b) < 2+idLen {
		return e, false
	}
	e.ID = string(b[1 : 1+idLen])
	b = b[1+idLen:]
	subjLen := int(b[0])
	if len(b) < 1+subjLen {
		return e, false
	}
	e.Subject = string(b[1 : 1+subjLen])
	e.Data = bytes.Clone(b[1+subjLen:])
	return e, true
}

// Commit tells that everything up to p is done. Segments that are done are
// removed. The cursor is written now and then, so that after a crash some
// committed records come again.
func (s *Spool) Commit(p Position) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !s.committed.before(p) {
		return nil
	}
	return s.commit(p)
}

// commitDamage commits what was passed over behind the last record, where that
// is committed: no record will do it, and on a full disk the room is needed.
func (s *Spool) commitDamage() error {
	if s.committed.before(s.given) || !s.committed.before(s.r.pos) {
		return nil
	}
	return s.commit(s.r.pos)
}

func (s *Spool) commit(p Position) error {
	removed := false
	for len(s.segs) > 0 && (s.segs[0].num < p.Segment || (s.segs[0].num == p.Segment && p.Offset >= s.segs[0].size)) {
		if len(s.segs) == 1 && s.out != nil {
			break // it is still written to
		}
		old := s.segs[0]
		s.total -= old.size
		s.segs = append(s.segs[:0], s.segs[1:]...)
		next := Position{old.num + 1, 0}
		if len(s.segs) > 0 {
			next.Segment = s.segs[0].num
		}
		if old.num == p.Segment {
			p = next
		}
		if s.r.pos.Segment == old.num {
			s.r.moveTo(next)
		}
		if err := os.Remove(s.path(old.num)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove spool segment: %w", err)
		}
		removed = true
	}
	s.committed = p
	s.unsaved++
	if removed || s.unsaved >= saveEvery {
		return s.saveCursor()
	}
	return nil
}

// Rewind makes Next begin again after the last committed record.
func (s *Spool) Rewind() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.r.moveTo(s.committed)
	s.given = s.committed
}

// saveCursor writes the cursor file: segment, offset, checksum. It does so in
// place, which needs no room on a full disk: a torn one means the beginning.
func (s *Spool) saveCursor() error {
	s.unsaved = 0
	var b [20]byte
	binary.LittleEndian.PutUint64(b[0:], s.committed.Segment)
	binary.LittleEndian.PutUint64(b[8:], uint64(s.committed.Offset))
	binary.LittleEndian.PutUint32(b[16:], crc32.Checksum(b[:16], castagnoli))
	if _, err := s.cursor.WriteAt(b[:], 0); err != nil {
		return fmt.Errorf("write spool cursor: %w", err)
	}
	return nil
}

// loadCursor reads the cursor; a missing or damaged one means the beginning:
// better twice than never.
func loadCursor(path string) Position {
	b, err := os.ReadFile(path)
	if err != nil || len(b) != 20 || crc32.Checksum(b[:16], castagnoli) != binary.LittleEndian.Uint32(b[16:]) {
		return Position{}
	}
	off := int64(binary.LittleEndian.Uint64(b[8:]))
	if off < 0 {
		return Position{}
	}
	return Position{binary.LittleEndian.Uint64(b), off}
}
