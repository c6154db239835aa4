package app

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// journal keeps what operators and policies have changed in a file of one JSON
// object a line, so that it outlives the process however that ends. What is there
// at the start is read in order, and written anew as what is left of it. Its
// methods are safe for concurrent use; a nil journal keeps nothing.
type journal struct {
	mu    sync.Mutex
	path  string
	f     *os.File
	lines int
	// rest gives what the file has to say, when it has grown for nothing.
	rest func() []any
}

// journalSlack is how many lines more than twice what is needed a file may have.
const journalSlack = 1024

// maxJournalLine bounds a line: one that is longer was not written here.
const maxJournalLine = 64 << 10

// openJournal reads the file at path, calling fn with each line, and opens it for
// more. Lines that cannot be read are left out; bad tells how many, and the last
// one, cut by a crash, does not count.
func openJournal(path string, fn func(line []byte) error, rest func() []any) (j *journal, bad int, err error) {
	f, err := os.Open(path)
	if err == nil {
		bad, err = readJournal(f, fn)
		f.Close()
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, bad, fmt.Errorf("read %s: %w", path, err)
	}
	j = &journal{path: path, rest: rest}
	return j, bad, j.rewrite()
}

func readJournal(r io.Reader, fn func(line []byte) error) (bad int, err error) {
	in := bufio.NewReaderSize(r, maxJournalLine)
	for {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = in.ReadSlice('\n')
			}
			bad++
			if err == io.EOF {
				return bad, nil
			}
		case err == io.EOF:
			return bad, nil // what is left was cut
		case err != nil:
			return bad, err
		case fn(line) != nil:
			bad++
		}
	}
}

// rewrite makes the file what rest says. The caller holds mu or is alone.
func (j *journal) rewrite() error {
	f, err := os.CreateTemp(filepath.Dir(j.path), filepath.Base(j.path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", j.path, err)
	}
	all := j.rest()
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	for _, v := range all {
		if err = enc.Encode(v); err != nil {
			break
		}
	}
	if err = errors.Join(err, w.Flush(), f.Sync()); err == nil {
		err = os.Rename(f.Name(), j.path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", j.path, errors.Join(err, f.Close(), os.Remove(f.Name())))
	}
	if j.f != nil {
		j.f.Close()
	}
	j.f, j.lines = f, len(all)
	return nil
}

// add writes changes that have been made.
func (j *journal) add(changes ...any) error {
	if j == nil || len(changes) == 0 {
		return nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, v := range changes {
		if err := enc.Encode(v); err != nil {
			return err
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.lines += len(changes); j.lines > journalSlack {
		if all := j.rest(); j.lines > 2*len(all)+journalSlack {
			return j.rewrite()
		}
	}
	if _, err := j.f.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write %s: %w", j.path, err)
	}
	if err := j.f.Sync(); err != nil {
		return fmt.Errorf("write %s: %w", j.path, err)
	}
	return nil
}

func (j *journal) close() error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.f.Close()
}
