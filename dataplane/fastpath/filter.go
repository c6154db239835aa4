package fastpath

import (
	"encoding/binary"
	"fmt"

	"github.com/cilium/ebpf"
)

// filter is a bit map shared with the XDP program: a clear bit says that the
// trie behind it has nothing. Words are written whole, so the program sees
// each either before or after a change.
type filter struct {
	words []uint64
	dirty []uint32
	mark  []bool
	mem   *ebpf.Memory
}

func newFilter(m *ebpf.Map, words int) (*filter, error) {
	mem, err := m.Memory()
	if err != nil {
		return nil, fmt.Errorf("map the prefix filter into memory: %w", err)
	}
	return &filter{words: make([]uint64, words), mark: make([]bool, words), mem: mem}, nil
}

func (f *filter) touch(w uint32) {
	if !f.mark[w] {
		f.mark[w] = true
		f.dirty = append(f.dirty, w)
	}
}

func (f *filter) set(first, n uint32) {
	for i := first; i < first+n; i++ {
		if w := i >> 6; f.words[w]>>(i&63)&1 == 0 {
			f.words[w] |= 1 << (i & 63)
			f.touch(w)
		}
	}
}

func (f *filter) clear(i uint32) {
	if w := i >> 6; f.words[w]>>(i&63)&1 == 1 {
		f.words[w] &^= 1 << (i & 63)
		f.touch(w)
	}
}

// flush shows the changes to the program.
func (f *filter) flush() error {
	var b [8]byte
	for _, w := range f.dirty {
		binary.NativeEndian.PutUint64(b[:], f.words[w])
		if _, err := f.mem.WriteAt(b[:], int64(w)*8); err != nil {
			return fmt.Errorf("write the prefix filter: %w", err)
		}
		f.mark[w] = false
	}
	f.dirty = f.dirty[:0]
	return nil
}
