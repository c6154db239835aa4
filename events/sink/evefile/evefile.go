// Package evefile writes rendered events to a file, one JSON object a line, as
// log shippers and readers of Suricata's files expect it; as OCSF on request. It takes records from the
// publisher and gives lines; it knows nothing of what they hold.
package evefile

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"sluice/events"
)

// Config says where the lines go.
type Config struct {
	// Path is the file, appended to; "-" is standard output.
	Path string
	// Truncate begins a file anew instead of appending; replay does so.
	Truncate bool
	// Mode is the permission of a new file; 0640 when 0.
	Mode os.FileMode
	// Wants says whether events of a type are written; nil writes all.
	Wants func(eventType string) bool
	// OCSF writes OCSF objects in place of EVE's, of the events that have one
	// (see events.AppendOCSF).
	OCSF bool
}

// Sink appends lines to a file. Reopen may be called at any time; all else
// belongs to the publisher's goroutine.
type Sink struct {
	cfg    Config
	f      *os.File
	w      *bufio.Writer
	reopen atomic.Bool
	ocsf   []byte
	// torn tells that a line may have been written in part.
	torn bool
	lost atomic.Uint64
}

// New opens the file.
func New(cfg Config) (*Sink, error) {
	if cfg.Mode == 0 {
		cfg.Mode = 0o640
	}
	s := &Sink{cfg: cfg}
	if err := s.open(cfg.Truncate); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Sink) open(truncate bool) error {
	f := os.Stdout
	if s.cfg.Path != "-" {
		flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
		if truncate {
			flags |= os.O_TRUNC
		}
		var err error
		if f, err = os.OpenFile(s.cfg.Path, flags, s.cfg.Mode); err != nil {
			return fmt.Errorf("open event file: %w", err)
		}
	}
	s.f = f
	if s.w == nil {
		s.w = bufio.NewWriterSize(f, 256<<10)
	} else {
		s.w.Reset(f)
	}
	return nil
}

// Name gives "eve" or "ocsf".
func (s *Sink) Name() string {
	if s.cfg.OCSF {
		return "ocsf"
	}
	return "eve"
}

// Reopen makes the next Write open the path anew, after a rotation has moved
// the file away. It is safe for concurrent use.
func (s *Sink) Reopen() { s.reopen.Store(true) }

// Write appends one line a record and hands them to the operating system.
func (s *Sink) Write(_ context.Context, records []events.Record) error {
	if s.reopen.Swap(false) && s.cfg.Path != "-" {
		old := s.f
		// The old file stays where the new one cannot be opened.
		if err := s.open(false); err != nil {
			s.reopen.Store(true)
			return err
		}
		if err := old.Close(); err != nil {
			return fmt.Errorf("close rotated event file: %w", err)
		}
	}
	if s.torn {
		s.w.WriteByte('\n') // what is torn must not spoil the next line
	}
	lines := uint64(0)
	for i := range records {
		if s.cfg.Wants != nil && !s.cfg.Wants(records[i].Type) {
			continue
		}
		line := records[i].JSON
		if s.cfg.OCSF {
			if s.ocsf = events.AppendOCSF(s.ocsf[:0], records[i].Event); len(s.ocsf) == 0 {
				continue
			}
			line = s.ocsf
		}
		s.w.Write(line) // an error stays with the writer and Flush tells it
		s.w.WriteByte('\n')
		lines++
	}
	if err := s.w.Flush(); err != nil {
		s.w.Reset(s.f) // a full disk may have room again later
		s.torn = true
		s.lost.Add(lines)
		return fmt.Errorf("write event file: %w", err)
	}
	s.torn = false
	return nil
}

// Lost counts the lines that were not written, or not whole, for errors of the
// file system; where some of a batch were, they count too. It is safe for
// concurrent use.
func (s *Sink) Lost() uint64 { return s.lost.Load() }

// Close syncs and closes the file; standard output stays open.
func (s *Sink) Close(context.Context) error {
	err := s.w.Flush()
	if s.cfg.Path == "-" {
		return err
	}
	serr := s.f.Sync()
	if errors.Is(serr, os.ErrInvalid) || !isRegular(s.f) {
		serr = nil // pipes and devices cannot be synced
	}
	return errors.Join(err, serr, s.f.Close())
}

func isRegular(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}
