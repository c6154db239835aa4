package app

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// journal keeps what operators and policies have changed in a file of one JSON
// object a line, so that it outlives the process however that ends. What is there
// at the start is read in order, and written anew as what is left of it. Its
// methods are safe for concurrent use; a nil journal keeps nothing.
type journal struct {
	mu   sync.Mutex
	path string
	f    *os.File
	// lines are in the file, of which base were needed when that was last known.
	lines, base int
	// rest gives what the file has to say, when it has grown for nothing.
	rest iter.Seq[any]
}

// journalSlack is how many lines more than twice what is needed a file may have.
const journalSlack = 1024

// maxJournalLine bounds a line: one that is longer was not written here.
const maxJournalLine = 64 << 10

// openJournal reads the file at path, calling fn with each line, and opens it for
// more. Lines that cannot be read are left out; bad tells how many, and the last
// one, cut by a crash, does not count. size tells how many lines are needed of
// what was read.
func openJournal(path string, fn func(line []byte) error, size func() int, rest iter.Seq[any]) (j *journal, bad int, err error) {
	j = &journal{path: path, rest: rest}
	whole := false
	f, err := os.Open(path)
	if err == nil {
		j.lines, bad, whole, err = readJournal(f, fn)
		f.Close()
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, bad, fmt.Errorf("read %s: %w", path, err)
	}
	j.base = size()
	if !whole || bad > 0 || j.grown() {
		return j, bad, j.rewrite()
	}
	if j.f, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0); err != nil {
		return nil, bad, fmt.Errorf("open %s: %w", path, err)
	}
	return j, bad, nil
}

// grown reports whether the file is much longer than it need be.
func (j *journal) grown() bool { return j.lines > 2*j.base+journalSlack }

// readJournal gives the number of good and of bad lines, and whether the last
// one is whole.
func readJournal(r io.Reader, fn func(line []byte) error) (good, bad int, whole bool, err error) {
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
				return good, bad, false, nil
			}
		case err == io.EOF:
			return good, bad, len(line) == 0, nil // what is left was cut
		case err != nil:
			return good, bad, false, err
		case fn(line) != nil:
			bad++
		default:
			good++
		}
	}
}

// rewrite makes the file what rest says. The caller holds mu or is alone.
func (j *journal) rewrite() error {
	f, err := os.CreateTemp(filepath.Dir(j.path), filepath.Base(j.path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", j.path, err)
	}
	n, err := writeLines(f, j.rest)
	if err == nil {
		err = os.Rename(f.Name(), j.path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", j.path, errors.Join(err, f.Close(), os.Remove(f.Name())))
	}
	if j.f != nil {
		j.f.Close()
	}
	j.f, j.lines, j.base = f, n, n
	return nil
}

// lineAppender is a value that appends its JSON object to b by itself: there may be
// millions of its kind.
type lineAppender interface {
	appendLine(b []byte) []byte
}

// writeLines writes values, a line each, to the disk.
func writeLines(f *os.File, all iter.Seq[any]) (n int, err error) {
	w := bufio.NewWriterSize(f, maxJournalLine)
	enc := json.NewEncoder(w)
	for v := range all {
		if a, ok := v.(lineAppender); ok {
			_, err = w.Write(append(a.appendLine(w.AvailableBuffer()), '\n'))
		} else {
			err = enc.Encode(v)
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n, errors.Join(w.Flush(), f.Sync())
}

// add writes changes that have been made.
func (j *journal) add(changes ...any) error { return j.addAll(slices.Values(changes), 0) }

// addAll writes many changes, of which needed lines are known to be needed once they
// are there: a file that has just grown by them has not grown for nothing.
func (j *journal) addAll(changes iter.Seq[any], needed int) error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	n, err := writeLines(j.f, changes)
	if err != nil {
		return fmt.Errorf("write %s: %w", j.path, err)
	}
	j.base = max(j.base, needed)
	if j.lines += n; j.grown() {
		return j.rewrite()
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
