package evidence

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
)

// folder accounts for the files that are kept below a folder and holds it to a
// bound. It belongs to one goroutine; bytes and expired may be read by others.
type folder struct {
	dir string
	max int64
	// maxFiles bounds their number; 0 is no bound.
	maxFiles int
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

// insert notes a file among those that are in the order of their names: they begin
// with the packets' time, by which a queue is not sorted.
func (f *folder) insert(name string, size int64) {
	i, _ := slices.BinarySearchFunc(f.files, name, func(x file, name string) int { return strings.Compare(x.name, name) })
	f.files = slices.Insert(f.files, i, file{name, size})
	f.bytes.Add(size)
}

// expire removes the oldest files above the bounds, but never the one named. Its cost
// is that of what it removes.
func (f *folder) expire(newest string) error {
	n := 0
	var kept []file
	var errs []error
	for n < len(f.files) && (f.bytes.Load() > f.max || f.maxFiles > 0 && len(f.files)-n+len(kept) > f.maxFiles) {
		x := f.files[n]
		n++
		if x.name == newest {
			kept = append(kept, x)
			continue
		}
		if err := os.Remove(filepath.Join(f.dir, x.name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
			kept = append(kept, x)
			continue
		}
		f.expired.Add(1)
		f.bytes.Add(-x.size)
	}
	f.files = f.files[n:]
	if len(kept) > 0 {
		f.files = append(kept, f.files...)
	}
	return errors.Join(errs...)
}
