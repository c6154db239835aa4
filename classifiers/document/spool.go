package document

import (
	"io"
	"sync"
	"sync/atomic"
)

// chunkLen is the piece in which memory is taken for objects.
const chunkLen = 32 << 10

// maxIdle is how many chunks are kept for reuse when nobody needs them.
const maxIdle = 256

// Memory bounds and lends what is kept of objects, for all workers together.
// It is safe for concurrent use; a worker asks it once in 32 KiB.
type Memory struct {
	limit int64
	used  atomic.Int64
	peak  atomic.Int64
	mu    sync.Mutex
	idle  [][]byte
}

// NewMemory makes a Memory of limit bytes.
func NewMemory(limit int64) *Memory { return &Memory{limit: limit} }

// Used gives the bytes lent now, Peak the most that ever were.
func (m *Memory) Used() int64 { return m.used.Load() }

// Peak is described with Used.
func (m *Memory) Peak() int64 { return m.peak.Load() }

// Reserve takes n bytes out of the bound for memory that the caller has, and
// reports whether there were as many. Release gives them back.
func (m *Memory) Reserve(n int64) bool {
	used := m.used.Add(n)
	if used > m.limit {
		m.used.Add(-n)
		return false
	}
	for p := m.peak.Load(); used > p && !m.peak.CompareAndSwap(p, used); p = m.peak.Load() {
	}
	return true
}

// Release gives back what Reserve took.
func (m *Memory) Release(n int64) { m.used.Add(-n) }

func (m *Memory) get() []byte {
	if !m.Reserve(chunkLen) {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.idle); n > 0 {
		b := m.idle[n-1]
		m.idle = m.idle[:n-1]
		return b
	}
	return make([]byte, chunkLen)
}

func (m *Memory) put(list [][]byte) {
	m.Release(int64(len(list)) * chunkLen)
	m.mu.Lock()
	defer m.mu.Unlock()
	if room := maxIdle - len(m.idle); room > 0 {
		m.idle = append(m.idle, list[:min(room, len(list))]...)
	}
}

// Spool holds the bytes of one object. It belongs to one goroutine at a time.
type Spool struct {
	m      *Memory
	chunks [][]byte
	size   int64
	limit  int64
}

// Reasons for which an object is not kept whole, as policies name them.
const (
	TooLarge = "too-large"
	Overload = "overload"
	Timeout  = "timeout"
	Gap      = "gap"
)

// NewSpool makes an empty spool that takes up to limit bytes.
func (m *Memory) NewSpool(limit int64) *Spool { return &Spool{m: m, limit: limit} }

// Write appends to the object. It gives the reason why not all was taken, or
// nothing.
func (s *Spool) Write(data []byte) (reason string) {
	if s.size+int64(len(data)) > s.limit {
		return TooLarge
	}
	for len(data) > 0 {
		at := int(s.size % chunkLen)
		if at == 0 {
			c := s.m.get()
			if c == nil {
				return Overload
			}
			s.chunks = append(s.chunks, c)
		}
		n := copy(s.chunks[len(s.chunks)-1][at:], data)
		s.size += int64(n)
		data = data[n:]
	}
	return ""
}

// Size gives the number of bytes taken.
func (s *Spool) Size() int64 { return s.size }

// Head gives the first bytes, as far as they are in one piece.
func (s *Spool) Head() []byte {
	if len(s.chunks) == 0 {
		return nil
	}
	return s.chunks[0][:min(s.size, chunkLen)]
}

// ReadAt implements io.ReaderAt.
func (s *Spool) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		if off < 0 || off >= s.size {
			return n, io.EOF
		}
		c := s.chunks[off/chunkLen]
		k := copy(p[n:], c[off%chunkLen:min(chunkLen, s.size-off/chunkLen*chunkLen)])
		n, off = n+k, off+int64(k)
	}
	return n, nil
}

// Free gives the memory back and empties the spool. Freeing twice, or nothing, does no harm.
func (s *Spool) Free() {
	if s == nil || len(s.chunks) == 0 {
		return
	}
	s.m.put(s.chunks)
	s.chunks, s.size = nil, 0
}
