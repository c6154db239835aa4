package evidence

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync/atomic"
	"time"
)

// FilesConfig says where files that rules ask for are kept (the keyword
// filestore), and how much of them.
type FilesConfig struct {
	// Dir is made where needed, readable by its owner alone.
	Dir string
	// MaxBytes bounds the folder: the oldest files go first. 10 GiB when 0.
	MaxBytes int64
	// MaxFiles bounds their number, records included; a million when 0.
	MaxFiles int
	// QueueBytes bounds what waits to be written; 64 MiB when 0.
	QueueBytes int64
	// MaxOpen bounds the files that are open at a time; 128 when 0.
	MaxOpen int
	// Lossless makes Write wait for room instead of refusing, for replay.
	Lossless bool
	// Log takes errors; slog.Default when nil.
	Log *slog.Logger
}

// FileStats counts what Files did.
type FileStats struct {
	// Stored counts files, Duplicates those that were there already, Dropped the
	// ones lost to a full queue, Failed those lost to errors, Expired files
	// removed to make room, Bytes the folder's size.
	Stored, Duplicates, Dropped, Failed, Expired uint64
	Bytes                                        int64
}

// Files keeps files in the clear under the hash of their content, as Suricata's
// file-store of version 2 does: DIR/ab/abcdef…. Unlike a Store it takes a file in
// pieces, as they come, and keeps what rules ask for, not what a policy does. Pieces
// go to a file of another name, which gets its own when it is whole. Files is safe
// for concurrent use; a file's pieces come from one goroutine.
type Files struct {
	cfg FilesConfig

	desk
	waiting int64
	queue   []piece

	id                                  atomic.Uint32
	stored, duplicates, dropped, failed atomic.Uint64
	folder                              folder
	// parts are the files being written, open how many of them have a descriptor
	// and turn counts pieces: the writing goroutine's.
	parts map[uint32]*part
	open  int
	turn  uint64
}

// pieceKind says what a piece is.
type pieceKind uint8

const (
	pieceData pieceKind = iota
	pieceEnd
	pieceDiscard
)

// piece is what is queued of a file: its next bytes or its end.
type piece struct {
	id   uint32
	kind pieceKind
	data []byte
	// of the end:
	time int64
}

// pieceCost is what a piece counts for in the queue beside its bytes.
const pieceCost = 128

// part is a file on its way.
type part struct {
	path string
	f    *os.File
	used uint64
	size int64
	sum  hash.Hash
	// made: it has been there, open or not.
	made bool
	// failed: an error ended it; what still comes of it is thrown away.
	failed bool
}

// partDir is where files are while they are written.
const partDir = "tmp"

// OpenFiles makes the folder and starts the store.
func OpenFiles(cfg FilesConfig) (*Files, error) {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = 10 << 30
	}
	if cfg.MaxFiles <= 0 {
		cfg.MaxFiles = 1_000_000
	}
	if cfg.QueueBytes <= 0 {
		cfg.QueueBytes = 64 << 20
	}
	if cfg.MaxOpen <= 0 {
		cfg.MaxOpen = 128
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	s := &Files{cfg: cfg, folder: folder{dir: cfg.Dir, max: cfg.MaxBytes, maxFiles: cfg.MaxFiles}, parts: map[uint32]*part{}}
	s.init()
	if err := os.MkdirAll(filepath.Join(cfg.Dir, partDir), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of stored files: %w", err)
	}
	if err := s.clear(); err != nil {
		return nil, fmt.Errorf("clear the folder of stored files: %w", err)
	}
	if err := s.list(); err != nil {
		return nil, fmt.Errorf("list stored files: %w", err)
	}
	go s.run()
	return s, nil
}

// partName is the form of a part's name, and of its record's.
var partName = regexp.MustCompile(`^file\.[0-9]+(\.json)?$`)

// clear removes what a crash left half written, which is of no use. What else lies
// there is not the store's: DIR may be /var.
func (s *Files) clear() error {
	tmp := filepath.Join(s.cfg.Dir, partDir)
	entries, err := os.ReadDir(tmp)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if e.Type().IsRegular() && partName.MatchString(e.Name()) {
			errs = append(errs, os.Remove(filepath.Join(tmp, e.Name())))
		}
	}
	return errors.Join(errs...)
}

// list finds what the folder holds already.
func (s *Files) list() error {
	dirs, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		return err
	}
	type aged struct {
		file
		at time.Time
	}
	var found []aged
	for _, d := range dirs {
		if _, err := hex.DecodeString(d.Name()); err != nil || len(d.Name()) != 2 || !d.IsDir() {
			continue
		}
		entries, err := os.ReadDir(filepath.Join(s.cfg.Dir, d.Name()))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
				found = append(found, aged{file{filepath.Join(d.Name(), e.Name()), info.Size()}, info.ModTime()})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b aged) int { return a.at.Compare(b.at) })
	for _, f := range found {
		s.folder.add(f.name, f.size)
	}
	return nil
}

// Begin gives the number of a new file. Nothing is on disk before its first piece.
func (s *Files) Begin() uint32 { return s.id.Add(1) }

// Write queues the next bytes of a file, of which it keeps a copy, and reports
// whether there was room: without, the file is lost and counted, and the caller
// forgets it. A lossless store waits.
func (s *Files) Write(id uint32, data []byte) bool {
	size := int64(len(data)) + pieceCost
	s.mu.Lock()
	for !s.closed && s.waiting > 0 && s.waiting+size > s.cfg.QueueBytes && s.cfg.Lossless {
		s.room.Wait()
	}
	full := s.closed || s.waiting > 0 && s.waiting+size > s.cfg.QueueBytes
	s.mu.Unlock()
	if full {
		s.dropped.Add(1)
		s.put(piece{id: id, kind: pieceDiscard})
		return false
	}
	s.put(piece{id: id, data: slices.Clone(data)})
	return true
}

// End gives a file its name. at is the packet's time, in nanoseconds since the
// epoch. record, where there is one, is written beside the file, as
// HASH.SECONDS.ID.json.
func (s *Files) End(id uint32, at int64, record []byte) {
	s.put(piece{id: id, kind: pieceEnd, data: record, time: at})
}

// Discard forgets a file that nobody wants after all.
func (s *Files) Discard(id uint32) { s.put(piece{id: id, kind: pieceDiscard}) }

// put queues a piece. Ends are small and always taken, so that no file stays open.
func (s *Files) put(p piece) {
	s.mu.Lock()
	if !s.closed {
		s.waiting += int64(len(p.data)) + pieceCost
		s.queue = append(s.queue, p)
	}
	s.mu.Unlock()
	s.nudge()
}

// run writes until the store is closed and its queue empty.
func (s *Files) run() {
	defer close(s.done)
	for {
		s.mu.Lock()
		batch, closed := s.queue, s.closed
		s.queue = nil
		s.mu.Unlock()
		for i := range batch {
			if err := s.take(&batch[i]); err != nil {
				if n := s.failed.Add(1); n&(n-1) == 0 { // 1, 2, 4 …: throttled
					s.cfg.Log.Error("file not stored", "error", err, "lost_so_far", n)
				}
			}
			s.mu.Lock()
			s.waiting -= int64(len(batch[i].data)) + pieceCost
			s.mu.Unlock()
			s.room.Broadcast()
			batch[i].data = nil
		}
		if len(batch) > 0 {
			continue
		}
		if closed {
			for id, p := range s.parts { // never whole
				s.abandon(id, p)
			}
			return
		}
		<-s.wake
	}
}

// take carries a piece out.
func (s *Files) take(x *piece) error {
	p := s.parts[x.id]
	if p != nil && x.kind != pieceData && (p.failed || x.kind == pieceDiscard) {
		s.abandon(x.id, p)
		return nil
	}
	switch x.kind {
	case pieceDiscard:
		return nil
	case pieceEnd:
		if p == nil {
			return nil // lost before its first byte, and counted then
		}
		err := s.finish(p, x)
		s.abandon(x.id, p)
		return err
	}
	if p == nil {
		p = &part{path: filepath.Join(s.cfg.Dir, partDir, fmt.Sprintf("file.%d", x.id)), sum: sha256.New()}
		s.parts[x.id] = p
	}
	if p.failed {
		return nil
	}
	err := s.write(p, x.data)
	if err != nil {
		p.failed = true
		s.discard(p)
	}
	return err
}

func (s *Files) write(p *part, data []byte) error {
	s.turn++
	p.used = s.turn
	if p.f == nil {
		if s.open >= s.cfg.MaxOpen {
			s.closeOldest()
		}
		flags := os.O_WRONLY | os.O_APPEND
		if !p.made {
			flags |= os.O_CREATE | os.O_EXCL // nobody's link
		}
		f, err := os.OpenFile(p.path, flags, 0o600)
		if err != nil {
			return fmt.Errorf("open stored file: %w", err)
		}
		p.f, p.made = f, true
		s.open++
	}
	n, err := p.f.Write(data)
	p.size += int64(n)
	s.folder.bytes.Add(int64(n))
	if err != nil {
		return fmt.Errorf("write stored file: %w", err)
	}
	p.sum.Write(data)
	if err := s.folder.expire(""); err != nil {
		return fmt.Errorf("make room for stored files: %w", err)
	}
	if s.folder.bytes.Load() > s.cfg.MaxBytes {
		return errors.New("write stored file: the folder's bound is reached by files that are not whole yet")
	}
	return nil
}

// closeOldest gives back the descriptor that was used longest ago.
func (s *Files) closeOldest() {
	var oldest *part
	for _, p := range s.parts {
		if p.f != nil && (oldest == nil || p.used < oldest.used) {
			oldest = p
		}
	}
	if oldest != nil {
		s.closePart(oldest)
	}
}

func (s *Files) closePart(p *part) {
	if p.f != nil {
		p.f.Close()
		p.f = nil
		s.open--
	}
}

// finish gives a part its name, unless there is a file of that content already:
// that is made the newest.
func (s *Files) finish(p *part, x *piece) error {
	sum := hex.EncodeToString(p.sum.Sum(nil))
	name := filepath.Join(sum[:2], sum)
	path := filepath.Join(s.cfg.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make the folder of a stored file: %w", err)
	}
	if _, err := os.Lstat(path); err == nil {
		now := time.Now()
		if err := os.Chtimes(path, now, now); err != nil {
			return fmt.Errorf("renew stored file: %w", err)
		}
		if i := slices.IndexFunc(s.folder.files, func(f file) bool { return f.name == name }); i >= 0 {
			f := s.folder.files[i]
			s.folder.files = append(slices.Delete(s.folder.files, i, i+1), f)
		}
		s.duplicates.Add(1)
	} else {
		if p.f != nil {
			err := p.f.Close()
			p.f = nil
			s.open--
			if err != nil {
				return fmt.Errorf("write stored file: %w", err)
			}
		}
		if err := os.Rename(p.path, path); err != nil {
			return fmt.Errorf("name stored file: %w", err)
		}
		s.folder.files = append(s.folder.files, file{name, p.size}) // counted while written
		p.made, p.size = false, 0
		s.stored.Add(1)
	}
	if len(x.data) == 0 {
		return s.folder.expire(name)
	}
	record := fmt.Sprintf("%s.%d.%d.json", name, x.time/1e9, x.id)
	tmp := p.path + ".json"
	err := os.WriteFile(tmp, append(x.data, '\n'), 0o600)
	if err == nil {
		err = os.Rename(tmp, filepath.Join(s.cfg.Dir, record))
	}
	if err != nil {
		os.Remove(tmp)
		return fmt.Errorf("write record of stored file: %w", err)
	}
	s.folder.add(record, int64(len(x.data))+1)
	return s.folder.expire(record)
}

// abandon forgets a part; what is still under its first name goes.
func (s *Files) abandon(id uint32, p *part) {
	s.discard(p)
	delete(s.parts, id)
}

// discard removes what is on disk of a part.
func (s *Files) discard(p *part) {
	s.closePart(p)
	if p.made {
		os.Remove(p.path)
		s.folder.bytes.Add(-p.size)
	}
	p.made, p.size = false, 0
}

// Stats gives the counters.
func (s *Files) Stats() FileStats {
	return FileStats{Stored: s.stored.Load(), Duplicates: s.duplicates.Load(), Dropped: s.dropped.Load(), Failed: s.failed.Load(),
		Expired: s.folder.expired.Load(), Bytes: s.folder.bytes.Load()}
}

// Close writes what is queued, as far as ctx allows, and throws away what is not
// whole.
func (s *Files) Close(ctx context.Context) error {
	return s.end(ctx, "files")
}
