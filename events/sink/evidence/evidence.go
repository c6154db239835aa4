// Package evidence keeps the objects that data-loss events were about, each in
// a file encrypted to the recipients that the operator names (age). It takes
// objects from workers through a bounded queue and gives the name of the file
// for the event; the program cannot read back what it wrote. It knows nothing of
// policies or of what is in an object.
package evidence

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"filippo.io/age"
)

// Config says where evidence goes and how much of it is kept.
type Config struct {
	// Dir is made where needed, readable by its owner alone.
	Dir string
	// Recipients are age public keys ("age1…"); at least one.
	Recipients []string
	// MaxBytes bounds the folder: the oldest files go first. 10 GiB when 0.
	MaxBytes int64
	// QueueBytes bounds objects that wait to be written; 64 MiB when 0.
	QueueBytes int64
	// Lossless makes Put wait for room instead of dropping, for replay.
	Lossless bool
	// Log takes errors; slog.Default when nil.
	Log *slog.Logger
}

// Object is what is kept of one object. The fields but Data become one line of
// JSON ahead of the content in the encrypted file.
type Object struct {
	// Time is the packet's, in nanoseconds since the epoch; with FlowID and
	// TxID it names the file.
	Time   int64  `json:"time"`
	FlowID uint64 `json:"flow_id"`
	TxID   uint64 `json:"tx_id"`
	Name   string `json:"name"`
	Type   string `json:"type"`
	SHA256 string `json:"sha256"`
	// Truncated tells that Data is not the whole object.
	Truncated bool `json:"truncated"`
	// Data is the store's from Put on.
	Data []byte `json:"-"`
}

// Stats counts what the store did.
type Stats struct {
	// Written counts files, Dropped objects lost to a full queue, Failed those
	// lost to errors, Expired files removed to make room, Bytes the folder's size.
	Written, Dropped, Failed, Expired uint64
	Bytes                             int64
}

// Store writes evidence. It is safe for concurrent use.
type Store struct {
	cfg        Config
	recipients []age.Recipient

	desk
	waiting int64
	queue   []item
	n       uint64

	written, dropped, failed atomic.Uint64
	// folder is the writing goroutine's.
	folder folder
}

type item struct {
	ref string
	o   Object
}

const suffix = ".age"

// Open checks the recipients, makes the folder and starts the store.
func Open(cfg Config) (*Store, error) {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = 10 << 30
	}
	if cfg.QueueBytes <= 0 {
		cfg.QueueBytes = 64 << 20
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if len(cfg.Recipients) == 0 {
		return nil, errors.New("evidence needs at least one age recipient; make a key with age-keygen")
	}
	s := &Store{cfg: cfg, folder: folder{dir: cfg.Dir, max: cfg.MaxBytes}}
	s.init()
	for _, r := range cfg.Recipients {
		if strings.HasPrefix(strings.ToUpper(strings.TrimSpace(r)), "AGE-SECRET-KEY") {
			return nil, errors.New("evidence recipient: this is a secret key; name the public key (age1…) and keep the secret off this host")
		}
		rec, err := age.ParseX25519Recipient(strings.TrimSpace(r))
		if err != nil {
			return nil, fmt.Errorf("evidence recipient: %w", err)
		}
		s.recipients = append(s.recipients, rec)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make evidence folder: %w", err)
	}
	entries, err := os.ReadDir(cfg.Dir) // sorted by name, and so by time
	if err != nil {
		return nil, fmt.Errorf("list evidence: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".new-") {
			os.Remove(filepath.Join(cfg.Dir, e.Name())) // left by a crash
		}
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || !strings.HasSuffix(e.Name(), suffix) {
			continue
		}
		s.folder.add(e.Name(), info.Size())
	}
	go s.run()
	return s, nil
}

// Put queues an object and gives the name of its file, for the event's
// dlp.evidence. It is empty where the queue is full or the store is closed:
// that is counted, and the event goes out without. A lossless store waits.
func (s *Store) Put(o Object) string {
	size := int64(len(o.Data)) + 512
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.closed && s.waiting > 0 && s.waiting+size > s.cfg.QueueBytes && s.cfg.Lossless {
		s.room.Wait()
	}
	if s.closed || (s.waiting > 0 && s.waiting+size > s.cfg.QueueBytes) {
		s.dropped.Add(1)
		return ""
	}
	s.n++
	ref := fmt.Sprintf("%s-%016x-%d-%d%s", time.Unix(0, o.Time).UTC().Format("20060102T150405.000000"), o.FlowID, o.TxID, s.n, suffix)
	s.waiting += size
	s.queue = append(s.queue, item{ref, o})
	s.nudge()
	return ref
}

// run writes until the store is closed and its queue empty.
func (s *Store) run() {
	defer close(s.done)
	for {
		s.mu.Lock()
		batch, closed := s.queue, s.closed
		s.queue = nil
		s.mu.Unlock()
		for i := range batch {
			if err := s.write(&batch[i]); err != nil {
				if n := s.failed.Add(1); n&(n-1) == 0 { // 1, 2, 4 …: throttled
					s.cfg.Log.Error("evidence not kept", "error", err, "lost_so_far", n)
				}
			}
			s.mu.Lock()
			s.waiting -= int64(len(batch[i].o.Data)) + 512
			s.mu.Unlock()
			s.room.Broadcast()
			batch[i].o.Data = nil
		}
		if len(batch) > 0 {
			continue
		}
		if closed {
			return
		}
		<-s.wake
	}
}

// write encrypts one object into a file that appears whole or not at all.
func (s *Store) write(it *item) error {
	head, err := json.Marshal(&it.o)
	if err != nil {
		return fmt.Errorf("describe evidence: %w", err)
	}
	f, err := os.CreateTemp(s.cfg.Dir, ".new-*") // made with mode 0600
	if err != nil {
		return fmt.Errorf("make evidence file: %w", err)
	}
	err = s.encrypt(f, append(head, '\n'), it.o.Data)
	size, serr := f.Seek(0, io.SeekEnd)
	err = errors.Join(err, serr, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(s.cfg.Dir, it.ref))
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("write evidence: %w", err)
	}
	s.written.Add(1)
	s.folder.insert(it.ref, size)
	return s.folder.expire(it.ref)
}

func (s *Store) encrypt(dst io.Writer, head, data []byte) error {
	w, err := age.Encrypt(dst, s.recipients...)
	if err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return err
	}
	return w.Close()
}

// Stats gives the counters.
func (s *Store) Stats() Stats {
	return Stats{Written: s.written.Load(), Dropped: s.dropped.Load(), Failed: s.failed.Load(),
		Expired: s.folder.expired.Load(), Bytes: s.folder.bytes.Load()}
}

// Close writes what is queued, as far as ctx allows.
func (s *Store) Close(ctx context.Context) error {
	return s.end(ctx, "evidence")
}
