// Package magic is Sluice's use of libmagic: it describes files by their first
// bytes, as the command file does ("PDF document, version 1.4"). It takes bytes
// and gives text; it knows nothing of rules.
//
// The library is C that reads hostile bytes with a database of thousands of tests.
// So it is loaded when something needs it and not before, looks at a short prefix,
// has its own limits lowered, and runs no decompressor. It costs 1 to 200 µs for
// binary files, about 1 ms for 4 KiB of text and 10 ms for the worst known: ask once.
package magic

/*
#cgo LDFLAGS: -ldl
#cgo noescape sluice_magic_describe
#cgo nocallback sluice_magic_describe
#include "shim.h"
#include <stdlib.h>
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"unsafe"
)

const (
	// Depth is how many bytes of a file are looked at, at most. It has a tar's first
	// header, and of a document in a zip the entries that tell its kind.
	Depth = 4096
	// MaxText bounds a description, in bytes; longer ones are cut.
	MaxText = 1024
)

// library is the file that has the library's first stable interface.
const library = "libmagic.so.1"

// Remedy says what to do where Open fails.
const Remedy = "install libmagic and its database (on Debian: apt-get install libmagic1), or name the database with magic-file"

// ErrDescribe tells that the library gave no description.
var ErrDescribe = errors.New("describe file: libmagic failed")

// loading guards the library's loading and the making of handles: the library
// finds its database through a variable of its own.
var loading sync.Mutex

// Database is where descriptions come from. It is immutable and safe for
// concurrent use.
type Database struct {
	path string
	// Version is the library's, 544 for 5.44.
	Version int
}

// Open loads the library and checks that its database can be used; path is empty
// for the library's own. Errors say what is missing; Remedy what to do.
func Open(path string) (*Database, error) {
	if err := load(); err != nil {
		return nil, err
	}
	d := &Database{path: path, Version: int(C.sluice_magic_version())}
	r, err := d.NewReader()
	if err != nil {
		return nil, err
	}
	r.Close()
	return d, nil
}

func load() error {
	loading.Lock()
	defer loading.Unlock()
	name := C.CString(library)
	defer C.free(unsafe.Pointer(name))
	if why := C.sluice_magic_library(name); why != nil {
		return fmt.Errorf("load libmagic: %s", C.GoString(why))
	}
	return nil
}

// Reader describes files for one goroutine at a time.
type Reader struct {
	handle unsafe.Pointer
	out    [MaxText]byte
}

// NewReader makes a Reader of the database. The database's pages are shared by all.
func (d *Database) NewReader() (*Reader, error) {
	loading.Lock()
	defer loading.Unlock()
	var path *C.char
	if d.path != "" {
		path = C.CString(d.path)
		defer C.free(unsafe.Pointer(path))
	}
	var why [256]C.char
	h := C.sluice_magic_open(path, Depth, &why[0], C.size_t(len(why)))
	if h == nil {
		return nil, fmt.Errorf("open magic database %s: %s", d.path, strings.TrimSpace(C.GoString(&why[0])))
	}
	r := &Reader{handle: h}
	runtime.SetFinalizer(r, (*Reader).Close)
	// The first description fetches the database's pages, which takes as long as ten
	// others: better now than with a packet in hand.
	if _, err := r.Describe([]byte("a line of text\n")); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Close frees the Reader's memory outside of Go's.
func (r *Reader) Close() {
	if r.handle != nil {
		C.sluice_magic_close(r.handle)
		r.handle = nil
		runtime.SetFinalizer(r, nil)
	}
}

// Describe tells what begins with data, of which at most Depth bytes are looked at.
// What is not printable is escaped in the text, which is valid until the next call.
// The error is ErrDescribe.
func (r *Reader) Describe(data []byte) ([]byte, error) {
	data = data[:min(len(data), Depth)]
	n := C.sluice_magic_describe(r.handle, unsafe.Pointer(unsafe.SliceData(data)), C.size_t(len(data)),
		(*C.char)(unsafe.Pointer(&r.out[0])), MaxText)
	if n < 0 {
		return nil, ErrDescribe
	}
	return r.out[:n], nil
}
