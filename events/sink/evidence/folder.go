package evidence

import (
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
)

// folder accounts for the files that are kept below a folder and holds it to a
// bound. It belongs to one goroutine; bytes and expired may be read by others.
type folder struct {
	dir string
	max int64
	// files are those that may go to make room, oldest first.
	files   []file
	bytes   atomic.Int64
	expired atomic.Uint64
}

// file is a file of a folder, by its path below it.
type file struct {
	name string
	size int64
}

// add notes a file, the newest.
func (f *folder) add(name string, size int64) {
	f.files = append(f.files, file{name, size})
	f.bytes.Add(size)
}

// expire removes the oldest files above the bound, but never the one named.
func (f *folder) expire(newest string) error {
	if f.bytes.Load() <= f.max {
		return nil
	}
	var errs []error
	keep := f.files[:0]
	for _, x := range f.files {
		if f.bytes.Load() <= f.max || x.name == newest {
			keep = append(keep, x)
			continue
		}
		if err := os.Remove(filepath.Join(f.dir, x.name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
			keep = append(keep, x)
			continue
		}
		f.expired.Add(1)
		f.bytes.Add(-x.size)
	}
	f.files = keep
	return errors.Join(errs...)
}
