// Package pcre is Sluice's use of libpcre2: Perl-compatible expressions over
// bytes, compiled to machine code, with limits that stop catastrophic
// backtracking. It takes expressions and bytes and gives positions; it knows
// nothing of rules.
//
// It is one of the few packages that use cgo; docs/architecture.md lists them.
package pcre

/*
#cgo LDFLAGS: -lpcre2-8
#cgo noescape sluice_pcre_match
#cgo nocallback sluice_pcre_match
#include "shim.h"
#include <stdlib.h>
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"
)

// Flag is a compile option.
type Flag uint32

// The compile options that rules can ask for.
const (
	Caseless  = Flag(C.PCRE2_CASELESS)
	DotAll    = Flag(C.PCRE2_DOTALL)
	MultiLine = Flag(C.PCRE2_MULTILINE)
	Extended  = Flag(C.PCRE2_EXTENDED)
	Anchored  = Flag(C.PCRE2_ANCHORED)
	DollarEnd = Flag(C.PCRE2_DOLLAR_ENDONLY)
	Ungreedy  = Flag(C.PCRE2_UNGREEDY)
)

// Error tells why and where an expression does not compile.
type Error struct {
	// Offset is the byte of the expression at which the compiler gave up.
	Offset int
	Reason string
}

func (e *Error) Error() string { return fmt.Sprintf("%s at offset %d", e.Reason, e.Offset) }

// Regexp is a compiled expression. It is immutable and safe for concurrent use;
// its memory is freed with it.
type Regexp struct {
	code *C.pcre2_code
	// JIT tells that machine code was made; without, matches are interpreted.
	JIT bool
	// Captures is the number of capture groups.
	Captures int
	// Names gives the group numbers of named groups.
	Names map[string]int
}

// Compile translates an expression, at most 64 KiB long. Errors are *Error.
func Compile(expr string, flags Flag) (*Regexp, error) {
	if len(expr) > 64<<10 {
		return nil, &Error{Reason: "expression longer than 65536 bytes"}
	}
	var rc, jit C.int
	var off C.size_t
	p := C.CString(expr)
	defer C.free(unsafe.Pointer(p))
	code := C.sluice_pcre_compile(p, C.size_t(len(expr)), C.uint32_t(flags), &rc, &off, &jit)
	if code == nil {
		var buf [256]C.uchar
		C.pcre2_get_error_message_8(rc, &buf[0], C.size_t(len(buf)))
		return nil, &Error{Offset: int(off), Reason: C.GoString((*C.char)(unsafe.Pointer(&buf[0])))}
	}
	re := &Regexp{code: code, JIT: jit != 0}
	runtime.SetFinalizer(re, func(r *Regexp) { C.pcre2_code_free_8(r.code) })
	var n C.uint32_t
	C.pcre2_pattern_info_8(code, C.PCRE2_INFO_CAPTURECOUNT, unsafe.Pointer(&n))
	re.Captures = int(n)
	re.names()
	return re, nil
}

func (r *Regexp) names() {
	var count, size C.uint32_t
	C.pcre2_pattern_info_8(r.code, C.PCRE2_INFO_NAMECOUNT, unsafe.Pointer(&count))
	if count == 0 {
		return
	}
	C.pcre2_pattern_info_8(r.code, C.PCRE2_INFO_NAMEENTRYSIZE, unsafe.Pointer(&size))
	var table *C.uchar
	C.pcre2_pattern_info_8(r.code, C.PCRE2_INFO_NAMETABLE, unsafe.Pointer(&table))
	r.Names = make(map[string]int, count)
	for i := range int(count) {
		// An entry is the group's number in two bytes and its name, ended by 0.
		e := unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(table), i*int(size))), int(size))
		name := e[2:]
		for j, c := range name {
			if c == 0 {
				name = name[:j]
				break
			}
		}
		r.Names[string(name)] = int(e[0])<<8 | int(e[1])
	}
}

// Limits bound one match.
type Limits struct {
	// Match bounds the steps of backtracking, Depth its nesting; 0 means 3500
	// and 1500, the limits that rule writers are used to.
	Match, Depth uint32
}

// maxPairs is how many groups of a match can be read.
const maxPairs = 32

// Context is one worker's scratch space for matching. It belongs to one goroutine.
type Context struct {
	c *C.sluice_pcre_ctx
	// Limited counts the matches that a limit stopped.
	Limited uint64
	n       int
}

// NewContext makes a Context.
func NewContext(l Limits) (*Context, error) {
	if l.Match == 0 {
		l.Match = 3500
	}
	if l.Depth == 0 {
		l.Depth = 1500
	}
	x := &Context{c: (*C.sluice_pcre_ctx)(C.calloc(1, C.sizeof_sluice_pcre_ctx))}
	if C.sluice_pcre_ctx_init(x.c, maxPairs, C.uint32_t(l.Match), C.uint32_t(l.Depth)) != 0 {
		C.free(unsafe.Pointer(x.c))
		return nil, errors.New("allocate pcre2 match data: out of memory")
	}
	runtime.SetFinalizer(x, (*Context).Close)
	return x, nil
}

// Close frees the scratch space.
func (x *Context) Close() {
	if x.c != nil {
		C.sluice_pcre_ctx_free(x.c)
		C.free(unsafe.Pointer(x.c))
		x.c = nil
		runtime.SetFinalizer(x, nil)
	}
}

// Match looks for the expression in subject from start on (bytes before start
// are seen by look-behinds, and ^ does not match at start). It reports the
// place of the whole match. A match stopped by a limit counts as none, and in
// Limited. It does not allocate.
func (x *Context) Match(r *Regexp, subject []byte, start int) (from, to int, ok bool) {
	x.n = 0
	if start > len(subject) {
		return 0, 0, false
	}
	rc := C.sluice_pcre_match(x.c, r.code, unsafe.Pointer(unsafe.SliceData(subject)), C.size_t(len(subject)), C.size_t(start), 0)
	runtime.KeepAlive(r)
	if rc < 0 {
		if rc != C.PCRE2_ERROR_NOMATCH {
			x.Limited++
		}
		return 0, 0, false
	}
	if rc == 0 {
		rc = maxPairs
	}
	x.n = int(rc)
	ov := x.ovector()
	// \K in a look-behind can put the start after the end.
	if ov[0] > ov[1] {
		return int(ov[1]), int(ov[1]), true
	}
	return int(ov[0]), int(ov[1]), true
}

func (x *Context) ovector() *[2 * maxPairs]C.size_t {
	return (*[2 * maxPairs]C.size_t)(unsafe.Pointer(x.c.ov))
}

// Group gives the place of a capture group of the last match; ok is false when
// it took no part in it.
func (x *Context) Group(i int) (from, to int, ok bool) {
	if i >= x.n {
		return 0, 0, false
	}
	ov := x.ovector()
	if ov[2*i] == ^C.size_t(0) || ov[2*i] > ov[2*i+1] {
		return 0, 0, false
	}
	return int(ov[2*i]), int(ov[2*i+1]), true
}
